-- Sessions of the pages, codes and links that are mailed, sign-ups that are under way, and numbers that are held for them.

-- CreateTable
CREATE TABLE "portal_session" (
    "id" TEXT NOT NULL,
    "hash" BYTEA NOT NULL,
    "kind" TEXT NOT NULL,
    "customer_id" TEXT,
    "token_id" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "seen_at" TIMESTAMPTZ(3) NOT NULL,
    "idle_until" TIMESTAMPTZ(3) NOT NULL,
    "ends_at" TIMESTAMPTZ(3) NOT NULL,
    "ended_at" TIMESTAMPTZ(3),

    CONSTRAINT "portal_session_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "one_time_code" (
    "id" TEXT NOT NULL,
    "purpose" TEXT NOT NULL,
    "session_id" TEXT,
    "address_hash" BYTEA,
    "address" TEXT,
    "customer_id" TEXT,
    "token_id" TEXT,
    "confirmation_hash" BYTEA,
    "code_hash" BYTEA,
    "link_hash" BYTEA,
    "tries" INTEGER NOT NULL DEFAULT 0,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "used_at" TIMESTAMPTZ(3),

    CONSTRAINT "one_time_code_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "sign_up" (
    "id" TEXT NOT NULL,
    "session_id" TEXT NOT NULL,
    "offering" TEXT NOT NULL,
    "given_name" TEXT NOT NULL,
    "family_name" TEXT NOT NULL,
    "email" TEXT NOT NULL,
    "phone" TEXT,
    "msisdn" TEXT,
    "card" JSONB,
    "customer_id" TEXT,
    "proven_at" TIMESTAMPTZ(3),
    "product_order_id" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "sign_up_pkey" PRIMARY KEY ("id")
);

-- AlterTable
ALTER TABLE "confirmation" ADD COLUMN     "second_code_at" TIMESTAMPTZ(3);

-- AlterTable
ALTER TABLE "phone_number" ADD COLUMN     "wanted_by" TEXT,
ADD COLUMN     "wanted_for" TEXT,
ADD COLUMN     "wanted_until" TIMESTAMPTZ(3);

-- CreateIndex
CREATE UNIQUE INDEX "portal_session_hash_key" ON "portal_session"("hash");

-- CreateIndex
CREATE INDEX "portal_session_ends_at_idx" ON "portal_session"("ends_at");

-- CreateIndex
CREATE UNIQUE INDEX "one_time_code_link_hash_key" ON "one_time_code"("link_hash");

-- CreateIndex
CREATE INDEX "one_time_code_session_id_purpose_created_at_idx" ON "one_time_code"("session_id", "purpose", "created_at");

-- CreateIndex
CREATE INDEX "one_time_code_address_hash_created_at_idx" ON "one_time_code"("address_hash", "created_at");

-- CreateIndex
CREATE INDEX "one_time_code_created_at_idx" ON "one_time_code"("created_at");

-- CreateIndex
CREATE UNIQUE INDEX "sign_up_session_id_key" ON "sign_up"("session_id");

-- CreateIndex
CREATE INDEX "sign_up_created_at_idx" ON "sign_up"("created_at");

-- Few numbers are wanted at a time, of very many.
CREATE INDEX "phone_number_wanted" ON "phone_number" ("wanted_by") WHERE "wanted_by" IS NOT NULL;

SELECT guard_table('portal_session');
SELECT guard_table('one_time_code');
SELECT guard_table('sign_up');
