-- What guards the doors: confirmations of money and destruction, counts of requests, refusals that were given.

-- CreateTable
CREATE TABLE "confirmation" (
    "hash" BYTEA NOT NULL,
    "caller" TEXT NOT NULL,
    "tool" TEXT NOT NULL,
    "arguments_hash" BYTEA NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "used_at" TIMESTAMPTZ(3),

    CONSTRAINT "confirmation_pkey" PRIMARY KEY ("hash")
);

-- CreateTable
CREATE TABLE "rate_count" (
    "subject" TEXT NOT NULL,
    "window_at" TIMESTAMPTZ(3) NOT NULL,
    "count" INTEGER NOT NULL,

    CONSTRAINT "rate_count_pkey" PRIMARY KEY ("subject","window_at")
);

-- CreateTable
CREATE TABLE "refusal" (
    "window_at" TIMESTAMPTZ(3) NOT NULL,
    "key" BYTEA NOT NULL,
    "first_at" TIMESTAMPTZ(3) NOT NULL,
    "last_at" TIMESTAMPTZ(3) NOT NULL,
    "count" INTEGER NOT NULL,
    "door" TEXT NOT NULL,
    "operation" TEXT NOT NULL,
    "status" INTEGER NOT NULL,
    "code" TEXT NOT NULL,
    "caller_id" TEXT,
    "caller_name" TEXT,
    "audience" TEXT,
    "customer_id" TEXT,
    "address" TEXT,
    "request_id" TEXT,

    CONSTRAINT "refusal_pkey" PRIMARY KEY ("window_at","key")
);

-- AlterTable
ALTER TABLE "access_token" ADD COLUMN "replaced_by" TEXT;

-- AlterTable
ALTER TABLE "customer" ADD COLUMN "identity_verified_at" TIMESTAMPTZ(3);

-- CreateIndex
CREATE INDEX "confirmation_expires_at_idx" ON "confirmation"("expires_at");

-- CreateIndex
CREATE INDEX "rate_count_window_at_idx" ON "rate_count"("window_at");

-- CreateIndex
CREATE INDEX "refusal_last_at_idx" ON "refusal"("last_at");

SELECT guard_table('confirmation');
SELECT guard_table('rate_count');
SELECT guard_table('refusal');
