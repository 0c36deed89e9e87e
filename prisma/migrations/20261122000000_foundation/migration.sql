-- CreateTable
CREATE TABLE "catalog" (
    "id" TEXT NOT NULL,
    "state" TEXT,
    "document" JSONB NOT NULL,
    "version" BIGINT NOT NULL DEFAULT 1,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "catalog_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "category" (
    "id" TEXT NOT NULL,
    "state" TEXT,
    "document" JSONB NOT NULL,
    "version" BIGINT NOT NULL DEFAULT 1,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "category_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "product_specification" (
    "id" TEXT NOT NULL,
    "state" TEXT,
    "document" JSONB NOT NULL,
    "version" BIGINT NOT NULL DEFAULT 1,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "product_specification_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "product_offering" (
    "id" TEXT NOT NULL,
    "state" TEXT,
    "document" JSONB NOT NULL,
    "version" BIGINT NOT NULL DEFAULT 1,
    "code" TEXT,
    "kind" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "product_offering_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "product_offering_price" (
    "id" TEXT NOT NULL,
    "state" TEXT,
    "document" JSONB NOT NULL,
    "version" BIGINT NOT NULL DEFAULT 1,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "product_offering_price_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "import_job" (
    "id" TEXT NOT NULL,
    "state" TEXT,
    "document" JSONB NOT NULL,
    "version" BIGINT NOT NULL DEFAULT 1,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "import_job_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "export_job" (
    "id" TEXT NOT NULL,
    "state" TEXT,
    "document" JSONB NOT NULL,
    "version" BIGINT NOT NULL DEFAULT 1,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "export_job_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "customer" (
    "id" TEXT NOT NULL,
    "state" TEXT,
    "document" JSONB NOT NULL,
    "version" BIGINT NOT NULL DEFAULT 1,
    "name" TEXT,
    "email" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "customer_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "email_directory" (
    "email" TEXT NOT NULL,
    "customer_id" TEXT NOT NULL,

    CONSTRAINT "email_directory_pkey" PRIMARY KEY ("email")
);

-- CreateTable
CREATE TABLE "billing_account" (
    "id" TEXT NOT NULL,
    "customer_id" TEXT NOT NULL,
    "state" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "billing_account_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "payment_method" (
    "id" TEXT NOT NULL,
    "state" TEXT,
    "document" JSONB NOT NULL,
    "version" BIGINT NOT NULL DEFAULT 1,
    "customer_id" TEXT,
    "gateway_token" TEXT,
    "expires_at" TIMESTAMPTZ(3),
    "is_preferred" BOOLEAN NOT NULL DEFAULT false,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "payment_method_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "product_order" (
    "id" TEXT NOT NULL,
    "state" TEXT,
    "document" JSONB NOT NULL,
    "version" BIGINT NOT NULL DEFAULT 1,
    "customer_id" TEXT,
    "external_id" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "product_order_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "cancel_product_order" (
    "id" TEXT NOT NULL,
    "state" TEXT,
    "document" JSONB NOT NULL,
    "version" BIGINT NOT NULL DEFAULT 1,
    "product_order_id" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "cancel_product_order_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "service_order" (
    "id" TEXT NOT NULL,
    "state" TEXT,
    "document" JSONB NOT NULL,
    "version" BIGINT NOT NULL DEFAULT 1,
    "product_order_id" TEXT,
    "external_id" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "service_order_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "cancel_service_order" (
    "id" TEXT NOT NULL,
    "state" TEXT,
    "document" JSONB NOT NULL,
    "version" BIGINT NOT NULL DEFAULT 1,
    "service_order_id" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "cancel_service_order_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "order_item" (
    "id" TEXT NOT NULL,
    "product_order_id" TEXT NOT NULL,
    "item_id" TEXT NOT NULL,
    "action" TEXT NOT NULL,
    "state" TEXT NOT NULL,
    "offering_id" TEXT,
    "subscription_id" TEXT,
    "customer_id" TEXT NOT NULL,
    "amount_minor" INTEGER NOT NULL,
    "tax_rate" INTEGER NOT NULL,
    "currency" TEXT NOT NULL,
    "terms" JSONB NOT NULL,
    "payment_id" TEXT,
    "service_order_id" TEXT,
    "service_id" TEXT,
    "msisdn" TEXT,
    "esim_id" TEXT,

    CONSTRAINT "order_item_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "service" (
    "id" TEXT NOT NULL,
    "state" TEXT,
    "document" JSONB NOT NULL,
    "version" BIGINT NOT NULL DEFAULT 1,
    "category" TEXT,
    "subscription_id" TEXT,
    "parent_id" TEXT,
    "msisdn" TEXT,
    "esim_id" TEXT,
    "network_sequence" BIGINT NOT NULL DEFAULT 0,
    "desired" JSONB,
    "confirmed" JSONB,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "service_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "monitor" (
    "id" TEXT NOT NULL,
    "state" TEXT,
    "document" JSONB NOT NULL,
    "version" BIGINT NOT NULL DEFAULT 1,
    "service_id" TEXT,
    "sequence" BIGINT,
    "desired" JSONB,
    "confirmed_at" TIMESTAMPTZ(3),
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "monitor_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "phone_number" (
    "msisdn" TEXT NOT NULL,
    "state" TEXT NOT NULL,
    "subscription_id" TEXT,
    "held_for" TEXT,
    "quarantined_until" TIMESTAMPTZ(3),
    "changed_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "phone_number_pkey" PRIMARY KEY ("msisdn")
);

-- CreateTable
CREATE TABLE "number_assignment" (
    "id" TEXT NOT NULL,
    "msisdn" TEXT NOT NULL,
    "subscription_id" TEXT NOT NULL,
    "assigned_at" TIMESTAMPTZ(3) NOT NULL,
    "released_at" TIMESTAMPTZ(3),

    CONSTRAINT "number_assignment_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "esim_profile" (
    "id" TEXT NOT NULL,
    "iccid" TEXT NOT NULL,
    "activation_code" TEXT NOT NULL,
    "state" TEXT NOT NULL,
    "subscription_id" TEXT,
    "held_for" TEXT,
    "changed_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "esim_profile_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "subscription" (
    "id" TEXT NOT NULL,
    "state" TEXT,
    "document" JSONB NOT NULL,
    "version" BIGINT NOT NULL DEFAULT 1,
    "customer_id" TEXT NOT NULL,
    "offering_id" TEXT NOT NULL,
    "plan_code" TEXT NOT NULL,
    "service_id" TEXT,
    "msisdn" TEXT,
    "esim_id" TEXT,
    "payment_method_id" TEXT,
    "block_reasons" TEXT[] DEFAULT ARRAY[]::TEXT[],
    "price_minor" INTEGER NOT NULL,
    "tax_rate" INTEGER NOT NULL,
    "currency" TEXT NOT NULL,
    "terms" JSONB NOT NULL,
    "anchor_at" TIMESTAMPTZ(3),
    "period_number" INTEGER NOT NULL DEFAULT 0,
    "period_starts_at" TIMESTAMPTZ(3),
    "period_ends_at" TIMESTAMPTZ(3),
    "state_since" TIMESTAMPTZ(3) NOT NULL,
    "blocked_at" TIMESTAMPTZ(3),
    "terminated_at" TIMESTAMPTZ(3),
    "stopped_kinds" TEXT[] DEFAULT ARRAY[]::TEXT[],
    "roaming_enabled" BOOLEAN NOT NULL DEFAULT true,
    "enabling" BOOLEAN NOT NULL DEFAULT false,
    "pending_change" JSONB,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "subscription_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "line_state" (
    "subscription_id" TEXT NOT NULL,
    "from_at" TIMESTAMPTZ(3) NOT NULL,
    "position" BIGSERIAL NOT NULL,
    "state" TEXT NOT NULL,

    CONSTRAINT "line_state_pkey" PRIMARY KEY ("subscription_id","from_at","position")
);

-- CreateTable
CREATE TABLE "bucket" (
    "id" TEXT NOT NULL,
    "subscription_id" TEXT NOT NULL,
    "customer_id" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "source" TEXT NOT NULL,
    "offering_id" TEXT NOT NULL,
    "payment_id" TEXT,
    "period_number" INTEGER NOT NULL,
    "state" TEXT NOT NULL,
    "granted" BIGINT,
    "remaining" BIGINT,
    "used" BIGINT NOT NULL DEFAULT 0,
    "expired" BIGINT NOT NULL DEFAULT 0,
    "valid_from" TIMESTAMPTZ(3) NOT NULL,
    "expires_at" TIMESTAMPTZ(3),
    "version" BIGINT NOT NULL DEFAULT 1,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "bucket_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "usage" (
    "id" TEXT NOT NULL,
    "state" TEXT,
    "document" JSONB NOT NULL,
    "version" BIGINT NOT NULL DEFAULT 1,
    "source" TEXT,
    "record_id" TEXT,
    "msisdn" TEXT,
    "kind" TEXT,
    "subscription_id" TEXT,
    "customer_id" TEXT,
    "quantity" BIGINT,
    "charged" BIGINT,
    "excess" BIGINT,
    "usage_date" TIMESTAMPTZ(3),
    "reason" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "usage_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "usage_key" (
    "source" TEXT NOT NULL,
    "record_id" TEXT NOT NULL,
    "usage_id" TEXT NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "usage_key_pkey" PRIMARY KEY ("source","record_id")
);

-- CreateTable
CREATE TABLE "usage_specification" (
    "id" TEXT NOT NULL,
    "state" TEXT,
    "document" JSONB NOT NULL,
    "version" BIGINT NOT NULL DEFAULT 1,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "usage_specification_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "payment" (
    "id" TEXT NOT NULL,
    "state" TEXT,
    "document" JSONB NOT NULL,
    "version" BIGINT NOT NULL DEFAULT 1,
    "customer_id" TEXT,
    "payment_method_id" TEXT,
    "purpose" TEXT,
    "fact_key" TEXT,
    "amount_minor" INTEGER,
    "refunded_minor" INTEGER NOT NULL DEFAULT 0,
    "tax_rate" INTEGER,
    "currency" TEXT,
    "gateway_reference" TEXT,
    "product_order_id" TEXT,
    "subscription_id" TEXT,
    "period_number" INTEGER,
    "failure_reason" TEXT,
    "authorised_at" TIMESTAMPTZ(3),
    "captured_at" TIMESTAMPTZ(3),
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "payment_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "refund" (
    "id" TEXT NOT NULL,
    "state" TEXT,
    "document" JSONB NOT NULL,
    "version" BIGINT NOT NULL DEFAULT 1,
    "payment_id" TEXT,
    "customer_id" TEXT,
    "fact_key" TEXT,
    "amount_minor" INTEGER,
    "currency" TEXT,
    "gateway_reference" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "refund_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "customer_bill" (
    "id" TEXT NOT NULL,
    "state" TEXT,
    "document" JSONB NOT NULL,
    "version" BIGINT NOT NULL DEFAULT 1,
    "customer_id" TEXT,
    "payment_id" TEXT,
    "refund_id" TEXT,
    "bill_no" TEXT,
    "amount_minor" INTEGER,
    "tax_minor" INTEGER,
    "currency" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "customer_bill_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "applied_customer_billing_rate" (
    "id" TEXT NOT NULL,
    "state" TEXT,
    "document" JSONB NOT NULL,
    "version" BIGINT NOT NULL DEFAULT 1,
    "customer_bill_id" TEXT,
    "customer_id" TEXT,
    "subscription_id" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "applied_customer_billing_rate_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "customer_bill_on_demand" (
    "id" TEXT NOT NULL,
    "state" TEXT,
    "document" JSONB NOT NULL,
    "version" BIGINT NOT NULL DEFAULT 1,
    "customer_id" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "customer_bill_on_demand_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "trouble_ticket" (
    "id" TEXT NOT NULL,
    "state" TEXT,
    "document" JSONB NOT NULL,
    "version" BIGINT NOT NULL DEFAULT 1,
    "customer_id" TEXT,
    "parent_id" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "trouble_ticket_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "party_interaction" (
    "id" TEXT NOT NULL,
    "state" TEXT,
    "document" JSONB NOT NULL,
    "version" BIGINT NOT NULL DEFAULT 1,
    "customer_id" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "party_interaction_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "hub" (
    "id" TEXT NOT NULL,
    "api" TEXT NOT NULL,
    "callback" TEXT NOT NULL,
    "query" TEXT,
    "document" JSONB NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "hub_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "event" (
    "position" BIGSERIAL NOT NULL,
    "id" TEXT NOT NULL,
    "transaction_id" BIGINT NOT NULL DEFAULT ((pg_current_xact_id())::text)::bigint,
    "type" TEXT NOT NULL,
    "resource_type" TEXT NOT NULL,
    "resource_id" TEXT NOT NULL,
    "resource_sequence" BIGINT NOT NULL,
    "resource" JSONB,
    "change" JSONB,
    "command" TEXT NOT NULL,
    "caller" JSONB NOT NULL,
    "cause" JSONB,
    "customer_id" TEXT,
    "occurred_at" TIMESTAMPTZ(3) NOT NULL,
    "recorded_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "event_pkey" PRIMARY KEY ("position")
);

-- CreateTable
CREATE TABLE "flow_step" (
    "id" TEXT NOT NULL,
    "key" TEXT NOT NULL,
    "flow" TEXT NOT NULL,
    "subject" TEXT NOT NULL,
    "step" TEXT NOT NULL,
    "state" TEXT NOT NULL,
    "due_at" TIMESTAMPTZ(3) NOT NULL,
    "not_before" TIMESTAMPTZ(3) NOT NULL,
    "attempts" INTEGER NOT NULL DEFAULT 0,
    "leased_by" TEXT,
    "leased_until" TIMESTAMPTZ(3),
    "caller" JSONB NOT NULL,
    "input" JSONB NOT NULL,
    "last_error" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "finished_at" TIMESTAMPTZ(3),

    CONSTRAINT "flow_step_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "access_token" (
    "id" TEXT NOT NULL,
    "hash" BYTEA NOT NULL,
    "name" TEXT NOT NULL,
    "audience" TEXT NOT NULL,
    "scopes" TEXT[],
    "customer_id" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "expires_at" TIMESTAMPTZ(3),
    "revoked_at" TIMESTAMPTZ(3),

    CONSTRAINT "access_token_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "idempotency_key" (
    "caller_id" TEXT NOT NULL,
    "path" TEXT NOT NULL,
    "key" TEXT NOT NULL,
    "body_hash" BYTEA NOT NULL,
    "status" INTEGER,
    "answer" JSONB,
    "headers" JSONB,
    "created_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "idempotency_key_pkey" PRIMARY KEY ("caller_id","path","key")
);

-- CreateTable
CREATE TABLE "business_clock" (
    "id" INTEGER NOT NULL DEFAULT 1,
    "mode" TEXT NOT NULL,
    "frozen_at" TIMESTAMPTZ(3),
    "moved_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "business_clock_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "setting" (
    "name" TEXT NOT NULL,
    "value" JSONB NOT NULL,

    CONSTRAINT "setting_pkey" PRIMARY KEY ("name")
);

-- CreateIndex
CREATE UNIQUE INDEX "product_offering_code_key" ON "product_offering"("code");

-- CreateIndex
CREATE UNIQUE INDEX "billing_account_customer_id_key" ON "billing_account"("customer_id");

-- CreateIndex
CREATE INDEX "payment_method_customer_id_idx" ON "payment_method"("customer_id");

-- CreateIndex
CREATE INDEX "product_order_customer_id_idx" ON "product_order"("customer_id");

-- CreateIndex
CREATE INDEX "cancel_product_order_product_order_id_idx" ON "cancel_product_order"("product_order_id");

-- CreateIndex
CREATE INDEX "service_order_product_order_id_idx" ON "service_order"("product_order_id");

-- CreateIndex
CREATE INDEX "cancel_service_order_service_order_id_idx" ON "cancel_service_order"("service_order_id");

-- CreateIndex
CREATE INDEX "order_item_subscription_id_idx" ON "order_item"("subscription_id");

-- CreateIndex
CREATE UNIQUE INDEX "order_item_product_order_id_item_id_key" ON "order_item"("product_order_id", "item_id");

-- CreateIndex
CREATE INDEX "service_subscription_id_idx" ON "service"("subscription_id");

-- CreateIndex
CREATE INDEX "service_parent_id_idx" ON "service"("parent_id");

-- CreateIndex
CREATE INDEX "monitor_service_id_sequence_idx" ON "monitor"("service_id", "sequence");

-- CreateIndex
CREATE INDEX "phone_number_state_msisdn_idx" ON "phone_number"("state", "msisdn");

-- CreateIndex
CREATE INDEX "number_assignment_msisdn_assigned_at_idx" ON "number_assignment"("msisdn", "assigned_at");

-- CreateIndex
CREATE UNIQUE INDEX "esim_profile_iccid_key" ON "esim_profile"("iccid");

-- CreateIndex
CREATE INDEX "esim_profile_state_id_idx" ON "esim_profile"("state", "id");

-- CreateIndex
CREATE INDEX "subscription_customer_id_idx" ON "subscription"("customer_id");

-- CreateIndex
CREATE INDEX "subscription_msisdn_idx" ON "subscription"("msisdn");

-- CreateIndex
CREATE INDEX "bucket_subscription_id_kind_state_idx" ON "bucket"("subscription_id", "kind", "state");

-- CreateIndex
CREATE INDEX "usage_subscription_id_usage_date_idx" ON "usage"("subscription_id", "usage_date");

-- CreateIndex
CREATE INDEX "usage_state_id_idx" ON "usage"("state", "id");

-- CreateIndex
CREATE INDEX "usage_usage_date_id_idx" ON "usage"("usage_date", "id");

-- CreateIndex
CREATE INDEX "usage_customer_id_id_idx" ON "usage"("customer_id", "id");

-- CreateIndex
CREATE INDEX "usage_key_expires_at_idx" ON "usage_key"("expires_at");

-- CreateIndex
CREATE UNIQUE INDEX "payment_fact_key_key" ON "payment"("fact_key");

-- CreateIndex
CREATE INDEX "payment_customer_id_idx" ON "payment"("customer_id");

-- CreateIndex
CREATE INDEX "payment_subscription_id_idx" ON "payment"("subscription_id");

-- CreateIndex
CREATE UNIQUE INDEX "refund_fact_key_key" ON "refund"("fact_key");

-- CreateIndex
CREATE INDEX "refund_payment_id_idx" ON "refund"("payment_id");

-- CreateIndex
CREATE UNIQUE INDEX "customer_bill_bill_no_key" ON "customer_bill"("bill_no");

-- CreateIndex
CREATE INDEX "customer_bill_customer_id_idx" ON "customer_bill"("customer_id");

-- CreateIndex
CREATE INDEX "customer_bill_payment_id_idx" ON "customer_bill"("payment_id");

-- CreateIndex
CREATE INDEX "applied_customer_billing_rate_customer_bill_id_idx" ON "applied_customer_billing_rate"("customer_bill_id");

-- CreateIndex
CREATE INDEX "applied_customer_billing_rate_customer_id_idx" ON "applied_customer_billing_rate"("customer_id");

-- CreateIndex
CREATE INDEX "trouble_ticket_parent_id_idx" ON "trouble_ticket"("parent_id");

-- CreateIndex
CREATE INDEX "party_interaction_customer_id_idx" ON "party_interaction"("customer_id");

-- CreateIndex
CREATE UNIQUE INDEX "event_id_key" ON "event"("id");

-- CreateIndex
CREATE INDEX "event_resource_type_resource_id_resource_sequence_idx" ON "event"("resource_type", "resource_id", "resource_sequence");

-- CreateIndex
CREATE INDEX "event_customer_id_position_idx" ON "event"("customer_id", "position");

-- CreateIndex
CREATE UNIQUE INDEX "flow_step_key_key" ON "flow_step"("key");

-- CreateIndex
CREATE INDEX "flow_step_subject_idx" ON "flow_step"("subject");

-- CreateIndex
CREATE UNIQUE INDEX "access_token_hash_key" ON "access_token"("hash");

-- CreateIndex
CREATE INDEX "idempotency_key_created_at_idx" ON "idempotency_key"("created_at");

-- What follows has no words in schema.prisma.

-- Money and quota cannot be wrong even when the code is.
ALTER TABLE "bucket"
  ADD CONSTRAINT "bucket_remaining_not_negative" CHECK ("remaining" >= 0),
  ADD CONSTRAINT "bucket_adds_up" CHECK ("granted" IS NULL OR "granted" = "used" + "remaining" + "expired"),
  ADD CONSTRAINT "bucket_unlimited_both" CHECK (("granted" IS NULL) = ("remaining" IS NULL)),
  ADD CONSTRAINT "bucket_state" CHECK ("state" IN ('active', 'expired'));
ALTER TABLE "payment"
  ADD CONSTRAINT "payment_refunded_within" CHECK ("refunded_minor" >= 0 AND "refunded_minor" <= coalesce("amount_minor", 0)),
  ADD CONSTRAINT "payment_not_negative" CHECK ("amount_minor" >= 0);
ALTER TABLE "subscription"
  ADD CONSTRAINT "subscription_state" CHECK ("state" IN ('pending', 'active', 'blocked', 'terminated')),
  ADD CONSTRAINT "subscription_blocked_has_reason" CHECK ("state" <> 'blocked' OR cardinality("block_reasons") > 0),
  ADD CONSTRAINT "subscription_active_has_none" CHECK ("state" <> 'active' OR cardinality("block_reasons") = 0);
-- A number and an eSIM serve one live line at most.
CREATE UNIQUE INDEX "subscription_live_msisdn" ON "subscription" ("msisdn") WHERE "state" IN ('pending', 'active', 'blocked');
CREATE UNIQUE INDEX "subscription_live_esim" ON "subscription" ("esim_id") WHERE "state" IN ('pending', 'active', 'blocked');
CREATE UNIQUE INDEX "number_assignment_open" ON "number_assignment" ("msisdn") WHERE "released_at" IS NULL;
ALTER TABLE "business_clock" ADD CONSTRAINT "business_clock_one_row" CHECK ("id" = 1),
  ADD CONSTRAINT "business_clock_mode" CHECK (("mode" = 'wall' AND "frozen_at" IS NULL) OR ("mode" = 'frozen' AND "frozen_at" IS NOT NULL));

ALTER TABLE "subscription" ADD CONSTRAINT "subscription_enabling_is_pending" CHECK (NOT "enabling" OR "state" = 'pending');
CREATE INDEX "flow_step_due" ON "flow_step" ("due_at", "not_before") WHERE "state" = 'waiting';
CREATE INDEX "event_relay" ON "event" ("transaction_id", "position");
CREATE SEQUENCE "bill_no";

-- Any attribute of any resource can be asked for.
DO $$
DECLARE t text;
BEGIN
  FOR t IN SELECT table_name FROM information_schema.columns WHERE table_schema = 'public' AND column_name = 'document' AND data_type = 'jsonb'
  LOOP
    -- Reads stay even without a pending list; usage arrives too fast to go without one.
    EXECUTE format('CREATE INDEX %I ON %I USING gin ("document" jsonb_path_ops) WITH (fastupdate = %s)', t || '_document', t, CASE t WHEN 'usage' THEN 'on' ELSE 'off' END);
    -- With statistics on whole documents the planner takes a rare filter for a common one and passes the index by.
    EXECUTE format('ALTER TABLE %I ALTER COLUMN "document" SET STATISTICS 0', t);
  END LOOP;
END $$;

-- Business time: what every stamp, period and expiry is judged by. One row, read by all, moved only by command.
CREATE FUNCTION business_now() RETURNS timestamptz LANGUAGE sql STABLE AS $$
  SELECT coalesce((SELECT "frozen_at" FROM "business_clock" WHERE "mode" = 'frozen'), date_trunc('milliseconds', clock_timestamp()))
$$;

-- Names the command of this transaction. Nothing can be written before it. Returns business time.
CREATE FUNCTION begin_command(p_command text, p_caller jsonb) RETURNS timestamptz LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  IF p_command !~ '^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+$' THEN
    RAISE EXCEPTION 'command name % is not of the form noun.verb', p_command USING ERRCODE = '22023';
  END IF;
  PERFORM set_config('airtime.command', p_command, true), set_config('airtime.caller', p_caller::text, true);
  RETURN business_now();
END $$;

CREATE FUNCTION current_command() RETURNS text LANGUAGE sql STABLE AS $$
  SELECT nullif(current_setting('airtime.command', true), '')
$$;

-- The guard. It stops mistakes: a write that no command has named.
CREATE FUNCTION guard_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF coalesce(current_setting('airtime.command', true), '') = '' THEN
    RAISE EXCEPTION '% on % outside a named command', TG_OP, TG_TABLE_NAME
      USING ERRCODE = 'insufficient_privilege', HINT = 'Write through a command of the policy layer.';
  END IF;
  RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$;

CREATE FUNCTION guard_truncate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'TRUNCATE on % is never a command', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE FUNCTION guard_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% on %: it is appended to and never changed', TG_OP, TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;

-- Every later migration that makes a table calls this for it.
CREATE FUNCTION guard_table(p_table text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('CREATE TRIGGER guard_row BEFORE INSERT OR UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION guard_row()', p_table);
  EXECUTE format('CREATE TRIGGER guard_truncate BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION guard_truncate()', p_table);
END $$;

DO $$
DECLARE t text;
BEGIN
  FOR t IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> '_prisma_migrations'
  LOOP PERFORM guard_table(t); END LOOP;
END $$;
REVOKE UPDATE, DELETE ON "event" FROM airtime_server;
CREATE TRIGGER guard_append_only BEFORE UPDATE OR DELETE ON "event" FOR EACH ROW EXECUTE FUNCTION guard_append_only();

-- An id made in the database, of the same form as those made outside: 48 bits of milliseconds, 80 random bits.
CREATE FUNCTION new_id(p_prefix text) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  alphabet constant text := '0123456789abcdefghjkmnpqrstvwxyz';
  ms bigint := floor(extract(epoch FROM clock_timestamp()) * 1000);
  noise bytea := uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid());
  head text := '';
  tail text := '';
BEGIN
  FOR i IN 1..10 LOOP
    head := substr(alphabet, (ms & 31)::int + 1, 1) || head;
    ms := ms >> 5;
  END LOOP;
  -- Bytes 6 and 8 of a version 4 UUID are not wholly random; sixteen others are.
  FOR i IN 0..15 LOOP
    tail := tail || substr(alphabet, (get_byte(noise, (ARRAY[0,1,2,3,4,5,7,9,16,17,18,19,20,21,23,25])[i + 1]) & 31) + 1, 1);
  END LOOP;
  RETURN p_prefix || '_' || head || tail;
END $$;

-- One row of audit, history and outbox. The resource's own sequence is its version, given under its lock.
CREATE FUNCTION append_event(p_id text, p_type text, p_resource_type text, p_resource_id text, p_sequence bigint, p_resource jsonb,
  p_change jsonb, p_cause jsonb, p_customer_id text, p_occurred_at timestamptz) RETURNS void LANGUAGE sql VOLATILE AS $$
  INSERT INTO "event" ("id", "type", "resource_type", "resource_id", "resource_sequence", "resource", "change", "command", "caller", "cause", "customer_id", "occurred_at", "recorded_at")
  VALUES (p_id, p_type, p_resource_type, p_resource_id, p_sequence, p_resource, p_change, current_setting('airtime.command'), current_setting('airtime.caller')::jsonb, p_cause, p_customer_id, p_occurred_at, clock_timestamp())
$$;
