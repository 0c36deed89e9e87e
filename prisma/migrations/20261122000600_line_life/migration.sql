-- The life of a line after its activation: its end, another eSIM profile, roaming switched on and off; and stocks that
-- say when they run low.

ALTER TABLE "subscription" ADD COLUMN "end_item_id" TEXT, ADD COLUMN "ends_at" TIMESTAMPTZ(3), ADD COLUMN "next_esim_id" TEXT;

CREATE TABLE "roaming_switch" (
    "subscription_id" TEXT NOT NULL,
    "from_at" TIMESTAMPTZ(3) NOT NULL,
    "position" BIGSERIAL NOT NULL,
    "is_enabled" BOOLEAN NOT NULL,

    CONSTRAINT "roaming_switch_pkey" PRIMARY KEY ("subscription_id","from_at","position")
);
SELECT guard_table('roaming_switch');

CREATE TABLE "stock_alarm" (
    "stock" TEXT NOT NULL,
    "raised_at" TIMESTAMPTZ(3),

    CONSTRAINT "stock_alarm_pkey" PRIMARY KEY ("stock")
);
INSERT INTO "stock_alarm" ("stock") VALUES ('number'), ('esim');
SELECT guard_table('stock_alarm');

-- The profile is part of what the network is told. While one is being replaced every task carries the new one, so that
-- whichever arrives last leaves the network where we are; should the network refuse it, a newer task carries the old.
CREATE OR REPLACE FUNCTION line_desired(s "subscription") RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
  SELECT jsonb_build_object(
    'state', CASE WHEN s."state" = 'active' OR s."enabling" THEN 'active' WHEN s."state" = 'terminated' THEN 'terminated' ELSE 'inactive' END,
    'esimId', coalesce(s."next_esim_id", s."esim_id"),
    'data', (s."state" = 'active' OR s."enabling") AND NOT 'data' = ANY (s."stopped_kinds"),
    'voice', (s."state" = 'active' OR s."enabling") AND NOT 'voice' = ANY (s."stopped_kinds"),
    'sms', (s."state" = 'active' OR s."enabling") AND NOT 'sms' = ANY (s."stopped_kinds"),
    'roamingData', (s."state" = 'active' OR s."enabling") AND s."roaming_enabled" AND NOT 'roaming_data' = ANY (s."stopped_kinds"))
$$;
