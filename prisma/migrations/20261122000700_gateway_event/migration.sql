-- What card gateways told us, once each: a notice is kept under the gateway's own id, and reconciled by asking.

-- CreateTable
CREATE TABLE "gateway_event" (
    "id" TEXT NOT NULL,
    "type" TEXT NOT NULL,
    "gateway_reference" TEXT,
    "received_at" TIMESTAMPTZ(3) NOT NULL,
    "reconciled_at" TIMESTAMPTZ(3),

    CONSTRAINT "gateway_event_pkey" PRIMARY KEY ("id")
);

-- A notice names a payment by the gateway's reference.
CREATE INDEX "payment_gateway_reference_idx" ON "payment"("gateway_reference");

SELECT guard_table('gateway_event');
