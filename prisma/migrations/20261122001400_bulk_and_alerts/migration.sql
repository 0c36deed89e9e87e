-- Rows of files that were taken over, by the key of the row: the same row sent again is known, and answered as it was.
-- Kept for as long as somebody may send the file again; the command that writes them forgets the oldest.
CREATE TABLE "import_row" (
  "kind" TEXT NOT NULL,
  "key" BYTEA NOT NULL,
  "content" BYTEA NOT NULL,
  "resource_id" TEXT NOT NULL,
  "created_at" TIMESTAMPTZ(3) NOT NULL,

  CONSTRAINT "import_row_pkey" PRIMARY KEY ("kind","key")
);
CREATE INDEX "import_row_created_at_idx" ON "import_row"("created_at");
SELECT guard_table('import_row');

-- What a customer wants to be told of a line, by kind: when so much is left, as an amount or as a part of what there is.
CREATE TABLE "balance_alert" (
  "subscription_id" TEXT NOT NULL,
  "kind" TEXT NOT NULL,
  "left_amount" BIGINT,
  "left_percent" INTEGER,
  "updated_at" TIMESTAMPTZ(3) NOT NULL,

  CONSTRAINT "balance_alert_pkey" PRIMARY KEY ("subscription_id","kind")
);
SELECT guard_table('balance_alert');

-- Charging looks no further than the bucket itself: only a line that has an alert pays for one.
ALTER TABLE "bucket" ADD COLUMN "alerted" BOOLEAN NOT NULL DEFAULT false;

CREATE FUNCTION bucket_takes_alert() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW."alerted" := EXISTS (SELECT 1 FROM "balance_alert" a WHERE a."subscription_id" = NEW."subscription_id" AND a."kind" = NEW."kind");
  RETURN NEW;
END $$;
CREATE TRIGGER bucket_takes_alert BEFORE INSERT ON "bucket" FOR EACH ROW EXECUTE FUNCTION bucket_takes_alert();

-- Once in a period of the line, over all that it has of the kind: the key of the news holds the period. What is empty or
-- has no end says so itself, or has nothing to say.
CREATE FUNCTION balance_passes_alert() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  v_alert "balance_alert"%ROWTYPE;
  v_left bigint;
  v_granted bigint;
  v_period integer;
BEGIN
  SELECT * INTO v_alert FROM "balance_alert" WHERE "subscription_id" = NEW."subscription_id" AND "kind" = NEW."kind";
  IF NOT FOUND THEN RETURN NULL; END IF;
  SELECT CASE WHEN bool_or("granted" IS NULL) THEN NULL ELSE sum("remaining") END, sum("granted") INTO v_left, v_granted FROM "bucket"
    WHERE "subscription_id" = NEW."subscription_id" AND "kind" = NEW."kind" AND "state" = 'active'
      AND ("expires_at" IS NULL OR "expires_at" > business_now());
  IF v_left IS NULL OR v_left = 0 OR v_left > coalesce(v_alert."left_amount", floor(v_granted::numeric * v_alert."left_percent" / 100), -1) THEN
    RETURN NULL;
  END IF;
  SELECT "period_number" INTO v_period FROM "subscription" WHERE "id" = NEW."subscription_id";
  PERFORM tell_customer('balance_alert', NEW."subscription_id", ':' || NEW."kind" || ':' || v_period, jsonb_build_object('kind', NEW."kind"));
  RETURN NULL;
END $$;
CREATE TRIGGER balance_passes_alert AFTER UPDATE OF "used" ON "bucket" FOR EACH ROW
  WHEN (NEW."alerted" AND NEW."remaining" < OLD."remaining")
  EXECUTE FUNCTION balance_passes_alert();
