-- Balances as TMF654 and TMF677 tell of them: top-ups and questions are kept, what is left is read from the buckets.

-- CreateTable
CREATE TABLE "topup_balance" (
    "id" TEXT NOT NULL,
    "state" TEXT,
    "document" JSONB NOT NULL,
    "version" BIGINT NOT NULL DEFAULT 1,
    "customer_id" TEXT,
    "product_order_id" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "topup_balance_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "query_usage_consumption" (
    "id" TEXT NOT NULL,
    "state" TEXT,
    "document" JSONB NOT NULL,
    "version" BIGINT NOT NULL DEFAULT 1,
    "customer_id" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "query_usage_consumption_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE INDEX "topup_balance_product_order_id_idx" ON "topup_balance"("product_order_id");

-- CreateIndex
CREATE INDEX "topup_balance_customer_id_idx" ON "topup_balance"("customer_id");

-- CreateIndex
CREATE INDEX "query_usage_consumption_customer_id_idx" ON "query_usage_consumption"("customer_id");

SELECT guard_table('topup_balance');
SELECT guard_table('query_usage_consumption');
CREATE INDEX "topup_balance_document" ON "topup_balance" USING gin ("document" jsonb_path_ops) WITH (fastupdate = off);
CREATE INDEX "query_usage_consumption_document" ON "query_usage_consumption" USING gin ("document" jsonb_path_ops) WITH (fastupdate = off);
ALTER TABLE "topup_balance" ALTER COLUMN "document" SET STATISTICS 0;
ALTER TABLE "query_usage_consumption" ALTER COLUMN "document" SET STATISTICS 0;
-- One sum is looked up by its id.
CREATE INDEX "bucket_sum" ON "bucket" (("subscription_id" || '.' || "kind"));

-- A top-up is what its order is: it follows the order to its end, in the transaction that ends it. An item of an order
-- is never given up halfway, so `partial` does not occur with one item.
CREATE FUNCTION topup_follows_order() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  topup "topup_balance";
  v_now timestamptz := business_now();
  v_reason text := NEW."document" #>> '{note,-1,text}';
BEGIN
  UPDATE "topup_balance" SET "state" = NEW."state", "version" = "version" + 1, "updated_at" = v_now,
    "document" = "document" || jsonb_build_object('status', NEW."state")
      || CASE WHEN NEW."state" = 'completed' THEN jsonb_build_object('confirmationDate', wire_time(v_now))
           WHEN v_reason IS NULL THEN '{}' ELSE jsonb_build_object('statusReason', v_reason) END
  WHERE "product_order_id" = NEW."id" AND "state" = 'created' RETURNING * INTO topup;
  IF FOUND THEN
    PERFORM append_event(new_id('evt'),
      CASE NEW."state" WHEN 'failed' THEN 'TopupBalanceFailureEvent' WHEN 'cancelled' THEN 'TopupBalanceCancelEvent' ELSE 'TopupBalanceStateChangeEvent' END,
      'topupBalance', topup."id", topup."version", topup."document", jsonb_build_object('from', 'created', 'to', topup."state"), NULL,
      topup."customer_id", v_now);
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER topup_follows_order AFTER UPDATE OF "state" ON "product_order" FOR EACH ROW
  WHEN (NEW."state" IS DISTINCT FROM OLD."state" AND NEW."state" IN ('completed', 'failed', 'cancelled'))
  EXECUTE FUNCTION topup_follows_order();

-- Base units to the unit of the offer: bytes to MB, seconds to min, messages as they are. Null is unlimited, and has no
-- amount: one that is left out cannot be taken for a number.
CREATE FUNCTION wire_amount(p_kind text, p_base numeric) RETURNS numeric LANGUAGE sql IMMUTABLE AS $$
  SELECT trim_scale(round(p_base / CASE WHEN p_kind IN ('data', 'roaming_data') THEN 1048576 WHEN p_kind = 'voice' THEN 60 ELSE 1 END, 6))
$$;
CREATE FUNCTION wire_unit(p_kind text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE p_kind WHEN 'voice' THEN 'min' WHEN 'sms' THEN 'SMS' ELSE 'MB' END
$$;
CREATE FUNCTION wire_quantity(p_kind text, p_base numeric) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN p_base IS NULL THEN jsonb_build_object('units', wire_unit(p_kind))
    ELSE jsonb_build_object('amount', wire_amount(p_kind, p_base), 'units', wire_unit(p_kind)) END
$$;
CREATE FUNCTION wire_quantity_name(p_kind text, p_base numeric) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN p_base IS NULL THEN 'unlimited' ELSE wire_amount(p_kind, p_base) || ' ' || wire_unit(p_kind) END
$$;
CREATE FUNCTION wire_usage_type(p_kind text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE p_kind WHEN 'roaming_data' THEN 'data' ELSE p_kind END
$$;
CREATE FUNCTION wire_kind_name(p_kind text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE p_kind WHEN 'roaming_data' THEN 'Roaming data' WHEN 'sms' THEN 'SMS' ELSE initcap(p_kind) END
$$;

-- Whose a bucket is, as the references that every balance carries.
CREATE FUNCTION balance_owner(p_customer_id text, p_account_id text) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
  SELECT jsonb_build_object('relatedParty', jsonb_build_array(jsonb_build_object('id', p_customer_id,
      'href', 'airtime:/tmf-api/customerManagement/v4/customer/' || p_customer_id, 'role', 'customer', '@referredType', 'Customer')))
    || CASE WHEN p_account_id IS NULL THEN '{}' ELSE jsonb_build_object('partyAccount', jsonb_build_object('id', p_account_id,
      'href', 'urn:airtime:BillingAccount:' || p_account_id, 'name', 'Billing account', '@referredType', 'BillingAccount')) END
$$;
CREATE FUNCTION balance_product(p_subscription_id text, p_name text) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
  SELECT jsonb_build_array(jsonb_strip_nulls(jsonb_build_object('id', p_subscription_id,
    'href', 'airtime:/tmf-api/productInventory/v4/product/' || p_subscription_id, 'name', p_name, '@referredType', 'Product')))
$$;
CREATE FUNCTION balance_number(p_msisdn text) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
  SELECT jsonb_build_object('id', p_msisdn, 'href', 'urn:airtime:LogicalResource:' || p_msisdn, 'name', 'MSISDN', '@referredType', 'LogicalResource')
$$;

-- TMF654 bucket. Both views join, so that nothing can be written through them.
CREATE VIEW "bucket_wire" AS
SELECT b."id", b."version", b."created_at", b."updated_at", b."customer_id", b."subscription_id", b."state", b."kind",
  jsonb_build_object('id', b."id", '@type', 'Bucket', 'name', wire_kind_name(b."kind"),
    'description', wire_kind_name(b."kind") || CASE b."source" WHEN 'plan' THEN ' of the plan' ELSE ' of an add-on' END,
    'allowance', b."kind", 'usageType', wire_usage_type(b."kind"), 'status', b."state", 'isShared', false,
    'isUnlimited', b."granted" IS NULL, 'remainingValueName', wire_quantity_name(b."kind", b."remaining"),
    'reservedValue', wire_quantity(b."kind", 0),
    'requestedDate', wire_time(b."created_at"), 'confirmationDate', wire_time(b."created_at"),
    'validFor', jsonb_strip_nulls(jsonb_build_object('startDateTime', wire_time(b."valid_from"), 'endDateTime', wire_time(b."expires_at"))),
    'product', balance_product(b."subscription_id", s."document" ->> 'name'))
  || CASE WHEN b."remaining" IS NULL THEN '{}' ELSE jsonb_build_object('remainingValue', wire_quantity(b."kind", b."remaining")) END
  || CASE WHEN s."msisdn" IS NULL THEN '{}' ELSE jsonb_build_object('logicalResource', jsonb_build_array(balance_number(s."msisdn"))) END
  || balance_owner(b."customer_id", a."id") AS "document"
FROM "bucket" b JOIN "subscription" s ON s."id" = b."subscription_id" LEFT JOIN "billing_account" a ON a."customer_id" = b."customer_id";

-- TMF654 accumulatedBalance: the active buckets of one kind on one line together. Its version counts the changes of all
-- buckets that there ever were, so that it only grows.
CREATE VIEW "accumulated_balance_wire" AS
SELECT b."subscription_id" || '.' || b."kind" AS "id", sum(b."version")::bigint AS "version", min(b."created_at") AS "created_at",
  max(b."updated_at") AS "updated_at", s."customer_id", b."subscription_id", b."kind",
  jsonb_build_object('id', b."subscription_id" || '.' || b."kind", '@type', 'AccumulatedBalance', 'name', wire_kind_name(b."kind"),
    'description', wire_quantity_name(b."kind", CASE WHEN bool_or(b."remaining" IS NULL) FILTER (WHERE b."state" = 'active') THEN NULL
      ELSE sum(b."remaining") FILTER (WHERE b."state" = 'active') END) || ' left',
    'allowance', b."kind", 'usageType', wire_usage_type(b."kind"),
    'isUnlimited', bool_or(b."remaining" IS NULL) FILTER (WHERE b."state" = 'active'),
    'totalBalance', wire_quantity(b."kind", CASE WHEN bool_or(b."remaining" IS NULL) FILTER (WHERE b."state" = 'active') THEN NULL
      ELSE sum(b."remaining") FILTER (WHERE b."state" = 'active') END),
    'bucket', jsonb_agg(jsonb_build_object('id', b."id", 'href', 'airtime:/tmf-api/prepayBalanceManagement/v4/bucket/' || b."id",
      '@referredType', 'Bucket') ORDER BY b."id") FILTER (WHERE b."state" = 'active'),
    'product', balance_product(b."subscription_id", s."document" ->> 'name'))
  || CASE WHEN s."msisdn" IS NULL THEN '{}' ELSE jsonb_build_object('logicalResource', balance_number(s."msisdn")) END
  || balance_owner(s."customer_id", a."id") AS "document"
FROM "bucket" b JOIN "subscription" s ON s."id" = b."subscription_id" LEFT JOIN "billing_account" a ON a."customer_id" = s."customer_id"
GROUP BY b."subscription_id", b."kind", s."id", a."id"
HAVING count(*) FILTER (WHERE b."state" = 'active') > 0;
REVOKE INSERT, UPDATE, DELETE ON "bucket_wire", "accumulated_balance_wire" FROM airtime_server;
