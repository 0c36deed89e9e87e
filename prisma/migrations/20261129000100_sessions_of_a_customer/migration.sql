-- A customer who is reached at another address: their sessions end, and the codes that wait for them.

-- CreateIndex
CREATE INDEX "portal_session_customer_id_idx" ON "portal_session"("customer_id");

-- CreateIndex
CREATE INDEX "one_time_code_customer_id_idx" ON "one_time_code"("customer_id");
