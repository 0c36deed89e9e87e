-- The day at a glance: what was made since midnight is found without reading what came before.
CREATE INDEX "customer_created_at_idx" ON "customer" ("created_at");
CREATE INDEX "product_order_created_at_idx" ON "product_order" ("created_at");
CREATE INDEX "payment_created_at_idx" ON "payment" ("created_at");
CREATE INDEX "refund_created_at_idx" ON "refund" ("created_at");
