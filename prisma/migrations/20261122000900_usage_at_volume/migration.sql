-- Usage at volume: one record or hundreds in one call, judged by what was so at the usage date, and what cannot be
-- placed kept aside until the operator has it judged anew.

-- AlterTable
ALTER TABLE "line_state" ADD COLUMN "stopped_kinds" TEXT[] NOT NULL DEFAULT ARRAY[]::TEXT[];

-- AlterTable
ALTER TABLE "subscription" ADD COLUMN "kinds_since" TIMESTAMPTZ(3);

-- AlterTable
ALTER TABLE "usage" ADD COLUMN "quarantined_at" TIMESTAMPTZ(3);

-- What each line's services are stopped for is known from here on; before, nobody wrote down when they were stopped.
SELECT begin_command('migration.usage_at_volume', '{"audience": "system", "id": "system", "name": "migration"}');
UPDATE "line_state" h SET "stopped_kinds" = s."stopped_kinds" FROM "subscription" s
  WHERE s."id" = h."subscription_id" AND h."position" = (SELECT max("position") FROM "line_state" l WHERE l."subscription_id" = s."id");
UPDATE "usage" SET "quarantined_at" = "created_at" WHERE "state" = 'rejected' AND "reason" = 'usage.number_known';

-- Only what waits is looked for.
CREATE INDEX "usage_quarantine" ON "usage" ("reason", "id") WHERE "quarantined_at" IS NOT NULL;

-- Writes one change of a line: its row, its document, its history and its event. The caller holds the line's lock.
-- The history holds the stopped services as well: late usage is judged by both.
CREATE OR REPLACE FUNCTION change_line(p_subscription_id text, p_state text, p_block_reasons text[], p_stopped_kinds text[], p_since timestamptz, p_cause jsonb)
RETURNS "subscription" LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  before "subscription";
  line "subscription";
  v_now timestamptz := business_now();
  v_wire text := line_wire_status(p_state);
  v_is_moved boolean;
  v_is_stopped_otherwise boolean;
BEGIN
  SELECT * INTO STRICT before FROM "subscription" WHERE "id" = p_subscription_id;
  v_is_moved := before."state" <> p_state;
  v_is_stopped_otherwise := NOT (before."stopped_kinds" @> p_stopped_kinds AND before."stopped_kinds" <@ p_stopped_kinds);
  UPDATE "subscription" SET
    "state" = p_state, "block_reasons" = p_block_reasons, "stopped_kinds" = p_stopped_kinds, "enabling" = before."enabling" AND p_state = 'pending',
    "state_since" = CASE WHEN v_is_moved THEN p_since ELSE before."state_since" END,
    "kinds_since" = CASE WHEN v_is_stopped_otherwise THEN p_since ELSE before."kinds_since" END,
    "blocked_at" = CASE WHEN p_state <> 'blocked' THEN NULL WHEN before."state" = 'blocked' THEN before."blocked_at" ELSE p_since END,
    "terminated_at" = CASE WHEN p_state = 'terminated' THEN coalesce(before."terminated_at", p_since) END,
    "document" = jsonb_set(before."document", '{status}', to_jsonb(v_wire))
      || CASE WHEN p_state = 'terminated' THEN jsonb_build_object('terminationDate', wire_time(p_since)) ELSE '{}' END
      || jsonb_build_object('blockReason', to_jsonb(p_block_reasons)),
    "version" = before."version" + 1, "updated_at" = v_now
  WHERE "id" = p_subscription_id RETURNING * INTO line;
  IF v_is_moved OR v_is_stopped_otherwise THEN
    INSERT INTO "line_state" ("subscription_id", "from_at", "state", "stopped_kinds") VALUES (p_subscription_id, p_since, p_state, p_stopped_kinds);
  END IF;
  IF v_is_moved THEN
    PERFORM append_event(new_id('evt'), 'ProductStateChangeEvent', 'product', line."id", line."version", line."document",
      jsonb_build_object('from', before."state", 'to', p_state, 'blockReasons', to_jsonb(p_block_reasons)), p_cause, line."customer_id", v_now);
  ELSE
    PERFORM append_event(new_id('evt'), 'ProductAttributeValueChangeEvent', 'product', line."id", line."version", line."document",
      jsonb_build_object('blockReasons', to_jsonb(p_block_reasons), 'stoppedKinds', to_jsonb(p_stopped_kinds)), p_cause, line."customer_id", v_now);
  END IF;
  RETURN line;
END $$;

DROP FUNCTION record_usage;
DROP FUNCTION usage_refusal;

-- From when on the line is what it is now. What is dated before is judged by the line's history.
CREATE FUNCTION line_since(line "subscription") RETURNS timestamptz LANGUAGE sql IMMUTABLE AS $$
  SELECT greatest(line."state_since", line."kinds_since")
$$;

-- The reason a usage record is kept as rejected, as a rule's code; null when it can be charged.
-- Judged by the line as it was at the usage date. `p_rules_off` serves the test that switches each rule off.
-- `p_oldest` is where the retention begins: what is older may have been counted and forgotten.
CREATE FUNCTION usage_refusal(line "subscription", p_kind text, p_quantity bigint, p_usage_date timestamptz, p_now timestamptz, p_oldest timestamptz,
  p_rules_off text[]) RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE
  v_state text;
  v_stopped text[];
BEGIN
  IF p_kind IS NULL AND NOT 'usage.kind_known' = ANY (p_rules_off) THEN RETURN 'usage.kind_known'; END IF;
  IF p_kind = 'barred' AND NOT 'usage.not_barred' = ANY (p_rules_off) THEN RETURN 'usage.not_barred'; END IF;
  IF (p_quantity IS NULL OR p_quantity <= 0) AND NOT 'usage.quantity_positive' = ANY (p_rules_off) THEN RETURN 'usage.quantity_positive'; END IF;
  -- A minute for clocks that do not agree.
  IF p_usage_date > p_now + interval '1 minute' AND NOT 'usage.not_in_future' = ANY (p_rules_off) THEN RETURN 'usage.not_in_future'; END IF;
  IF p_usage_date < p_oldest AND NOT 'usage.within_retention' = ANY (p_rules_off) THEN RETURN 'usage.within_retention'; END IF;
  IF line."id" IS NULL THEN RETURN 'usage.number_known'; END IF;
  v_state := line."state";
  v_stopped := line."stopped_kinds";
  IF p_usage_date < line_since(line) THEN
    SELECT "state", "stopped_kinds" INTO v_state, v_stopped FROM "line_state"
      WHERE "subscription_id" = line."id" AND "from_at" <= p_usage_date ORDER BY "from_at" DESC, "position" DESC LIMIT 1;
    v_state := coalesce(v_state, 'pending');
  END IF;
  IF v_state <> 'active' AND NOT 'usage.line_active' = ANY (p_rules_off) THEN RETURN 'usage.line_active'; END IF;
  IF p_kind = ANY (v_stopped) AND NOT 'usage.allowance_left' = ANY (p_rules_off) THEN RETURN 'usage.allowance_left'; END IF;
  RETURN NULL;
END $$;

-- What one call has judged, written at once: quota that was spent, records, their events. When replaying, the records
-- are there already and go on from `rejected` over `recycled`.
CREATE FUNCTION store_usage(p_usages "usage"[], p_events text[], p_spent_ids text[], p_spent bigint[], p_now timestamptz, p_replays boolean)
RETURNS void LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  IF cardinality(p_spent_ids) > 0 THEN
    UPDATE "bucket" b SET "remaining" = b."remaining" - s.taken, "used" = b."used" + s.taken, "version" = b."version" + s.times, "updated_at" = p_now
      FROM (SELECT id, sum(quantity)::bigint AS taken, count(*) AS times FROM unnest(p_spent_ids, p_spent) t(id, quantity) GROUP BY id) s
      WHERE b."id" = s.id;
  END IF;
  IF p_replays THEN
    INSERT INTO "event" ("id", "type", "resource_type", "resource_id", "resource_sequence", "resource", "change", "command", "caller", "cause", "customer_id", "occurred_at", "recorded_at")
      SELECT new_id('evt'), 'UsageStateChangeEvent', 'usage', n."id", u."version" + s.step,
        CASE s.step WHEN 1 THEN (n."document" - 'statusReason' - 'ratedProductUsage') || '{"status": "recycled"}' ELSE n."document" END,
        CASE s.step WHEN 1 THEN '{"from": "rejected", "to": "recycled"}'::jsonb ELSE jsonb_build_object('from', 'recycled', 'to', n."state") END,
        current_setting('airtime.command'), current_setting('airtime.caller')::jsonb, NULL, n."customer_id", p_now, clock_timestamp()
      FROM unnest(p_usages) n JOIN "usage" u ON u."id" = n."id" CROSS JOIN (VALUES (1), (2)) s(step) ORDER BY n."id", s.step;
    UPDATE "usage" u SET "state" = n."state", "document" = n."document", "version" = u."version" + 2, "subscription_id" = n."subscription_id",
        "customer_id" = n."customer_id", "kind" = n."kind", "quantity" = n."quantity", "charged" = n."charged", "excess" = n."excess", "reason" = n."reason",
        "quarantined_at" = n."quarantined_at", "updated_at" = p_now
      FROM unnest(p_usages) n WHERE u."id" = n."id";
    RETURN;
  END IF;
  INSERT INTO "usage" SELECT n.* FROM unnest(p_usages) n;
  INSERT INTO "event" ("id", "type", "resource_type", "resource_id", "resource_sequence", "resource", "change", "command", "caller", "cause", "customer_id", "occurred_at", "recorded_at")
    SELECT e.id, 'UsageCreateEvent', 'usage', e.usage_id, 1, e.document, NULL, current_setting('airtime.command'), current_setting('airtime.caller')::jsonb, NULL,
      e.customer_id, p_now, clock_timestamp()
    FROM (SELECT t.id, (t.made)."id" AS usage_id, (t.made)."document" AS document, (t.made)."customer_id" AS customer_id
          FROM (SELECT p_events[i] AS id, p_usages[i] AS made FROM generate_subscripts(p_events, 1) i) t) e;
END $$;

-- One usage record as a caller was understood. `kind` is null when it is not one we know, `quantity` when it is no
-- amount; `fault` is set when the record could not be read at all. `subscription_id` is found by the function.
CREATE TYPE "usage_input" AS (
  place int, id text, event_id text, document jsonb, source text, record_id text, msisdn text, kind text, quantity bigint, usage_date timestamptz,
  unit text, unit_size bigint, fault text, subscription_id text
);

-- Records usage: dedupe, find, lock, judge, spend the bucket that expires first, stop what is empty, record. One record
-- or hundreds: each line sees its records one after another in the order they came, as if each had come alone.
-- Keys are taken in their order and lines locked in the order of their numbers, so that calls cannot block each other.
-- Quantities are base units: bytes, seconds, messages. `repeated`: the same record of the same source was here before,
-- and what is answered is what became of it then.
-- With `p_command` null the transaction has its name already, and what is given are records of the quarantine: those
-- that still are in it are judged anew. `p_even_old` charges what is older than the retention, unless it was counted.
CREATE FUNCTION record_usage_batch(p_command text, p_caller jsonb, p_records json, p_retention interval, p_rules_off text[], p_sentences jsonb,
  p_is_whole boolean, p_even_old boolean DEFAULT false)
RETURNS TABLE (place int, usage_id text, status text, refused_by text, charged bigint, excess bigint, repeated boolean, usage_version bigint, usage_document jsonb)
LANGUAGE plpgsql VOLATILE AS $$
#variable_conflict use_column
DECLARE
  v_now timestamptz := CASE WHEN p_command IS NULL THEN business_now() ELSE begin_command(p_command, p_caller) END;
  v_oldest timestamptz := v_now - p_retention;
  v_replays boolean := p_command IS NULL;
  v_in "usage_input"[];
  v_new text[];
  v_kept text[];
  v_lines text[];
  r record;
  v_line_id text;
  line "subscription";
  no_line "subscription";
  v_buckets "bucket"[];
  v_remaining bigint[];
  v_at timestamptz;
  v_reason text;
  v_left bigint;
  v_take bigint;
  v_taken bigint;
  v_from text[];
  v_is_left boolean;
  v_is_current boolean;
  v_is_placed boolean;
  v_document jsonb;
  made "usage";
  v_usages "usage"[] := '{}';
  v_events text[] := '{}';
  v_spent_ids text[] := '{}';
  v_spent bigint[] := '{}';
BEGIN
  -- Whose number it was when it was used, so a number that has moved on charges nobody else.
  SELECT array_agg(ROW(i.place, i.id, i.event_id, i.document, i.source, i.record_id, i.msisdn, i.kind, i.quantity, coalesce(i.usage_date, v_now), i.unit, i.unit_size, i.fault,
      (SELECT a."subscription_id" FROM "number_assignment" a WHERE a."msisdn" = i.msisdn AND a."assigned_at" <= coalesce(i.usage_date, v_now)
         AND (a."released_at" IS NULL OR a."released_at" > coalesce(i.usage_date, v_now)) ORDER BY a."assigned_at" DESC LIMIT 1))::"usage_input" ORDER BY i.place)
    INTO v_in FROM json_populate_recordset(NULL::"usage_input", p_records) i;

  IF v_replays THEN
    SELECT coalesce(array_agg(w."id"), '{}') INTO v_new FROM (
      SELECT u."id" FROM "usage" u WHERE u."id" IN (SELECT i.id FROM unnest(v_in) i) AND u."quarantined_at" IS NOT NULL ORDER BY u."id" FOR UPDATE) w;
  ELSE
    SELECT coalesce(array_agg(i.id), '{}') INTO v_new FROM unnest(v_in) i WHERE i.record_id IS NULL;
    IF cardinality(v_new) < cardinality(v_in) THEN
      WITH kept AS (
        INSERT INTO "usage_key" ("source", "record_id", "usage_id", "expires_at")
        SELECT DISTINCT ON (coalesce(i.source, ''), i.record_id) coalesce(i.source, ''), i.record_id, i.id, v_now + p_retention
          FROM unnest(v_in) i WHERE i.record_id IS NOT NULL ORDER BY coalesce(i.source, ''), i.record_id, i.place
        ON CONFLICT DO NOTHING RETURNING "usage_id")
      SELECT coalesce(array_agg("usage_id"), '{}') INTO v_kept FROM kept;
      v_new := v_new || v_kept;
    END IF;
  END IF;

  SELECT array_agg(DISTINCT i.subscription_id) INTO v_lines FROM unnest(v_in) i WHERE i.subscription_id IS NOT NULL AND i.fault IS NULL;
  PERFORM 1 FROM (SELECT s."id" FROM "subscription" s WHERE s."id" = ANY (v_lines) ORDER BY s."msisdn", s."id" FOR UPDATE) locked;

  -- Locked above, read here: a statement that does both sees the balances of before it waited.
  FOR r IN
    WITH lines AS MATERIALIZED (
      SELECT s."id" AS line_id, s AS line, ARRAY(SELECT b FROM "bucket" b WHERE b."subscription_id" = s."id" AND b."state" = 'active'
          AND (b."remaining" IS NULL OR b."remaining" > 0) ORDER BY b."expires_at" NULLS LAST, b."id") AS buckets
      FROM "subscription" s WHERE s."id" = ANY (v_lines))
    SELECT i.*, l.line, l.buckets FROM unnest(v_in) i LEFT JOIN lines l ON l.line_id = i.subscription_id
    WHERE i.id = ANY (v_new) ORDER BY i.subscription_id NULLS FIRST, i.place
  LOOP
    IF r.subscription_id IS NULL OR r.fault IS NOT NULL THEN
      line := no_line;
      v_buckets := '{}';
      v_line_id := NULL;
    ELSIF r.subscription_id IS DISTINCT FROM v_line_id THEN
      line := r.line;
      v_buckets := r.buckets;
      v_line_id := r.subscription_id;
      v_remaining := '{}';
      FOR i IN 1 .. cardinality(v_buckets) LOOP
        v_remaining[i] := v_buckets[i]."remaining";
      END LOOP;
    END IF;
    v_at := r.usage_date;
    v_left := greatest(coalesce(r.quantity, 0), 0);
    v_taken := 0;
    v_from := '{}';
    v_reason := coalesce(r.fault, usage_refusal(line, r.kind, r.quantity, v_at, v_now, CASE WHEN p_even_old THEN '-infinity' ELSE v_oldest END, p_rules_off));
    IF v_reason IS NULL AND p_even_old AND v_at < v_oldest AND NOT 'usage.counted_before' = ANY (p_rules_off) AND EXISTS (SELECT 1 FROM "usage" u WHERE u."subscription_id" = line."id" AND u."usage_date" = v_at
        AND u."state" = 'rated' AND u."record_id" = r.record_id AND coalesce(u."source", '') = coalesce(r.source, '')) THEN
      v_reason := 'usage.counted_before';
    END IF;
    v_is_current := line."id" IS NOT NULL AND v_at >= line_since(line);
    v_is_left := false;
    IF v_reason IS NULL THEN
      FOR i IN 1 .. cardinality(v_buckets) LOOP
        CONTINUE WHEN v_buckets[i]."kind" <> r.kind OR v_remaining[i] = 0;
        IF v_left > 0 AND v_buckets[i]."valid_from" <= v_at AND (v_buckets[i]."expires_at" IS NULL OR v_buckets[i]."expires_at" > v_at) THEN
          v_take := least(coalesce(v_remaining[i], v_left), v_left);
          v_remaining[i] := v_remaining[i] - v_take;
          v_spent_ids := v_spent_ids || v_buckets[i]."id";
          v_spent := v_spent || v_take;
          v_left := v_left - v_take;
          v_taken := v_taken + v_take;
          v_from := v_from || v_buckets[i]."id";
        END IF;
        v_is_left := v_is_left OR ((v_remaining[i] IS NULL OR v_remaining[i] > 0) AND v_buckets[i]."valid_from" <= v_now
          AND (v_buckets[i]."expires_at" IS NULL OR v_buckets[i]."expires_at" > v_now));
      END LOOP;
      -- Quota that has run out unnoticed (its end has come and nobody has closed it yet): nothing is served from it.
      IF v_taken = 0 AND v_is_current AND NOT 'usage.allowance_left' = ANY (p_rules_off) THEN
        v_reason := 'usage.allowance_left';
        v_left := 0;
      END IF;
    ELSE
      v_is_left := true;
    END IF;

    v_is_placed := v_reason IS NULL OR v_reason NOT IN ('usage.readable', 'usage.not_in_future', 'usage.within_retention', 'usage.number_known');
    v_document := r.document || jsonb_build_object('id', r.id, 'usageDate', coalesce(r.document ->> 'usageDate', wire_time(v_at)),
      'status', CASE WHEN v_reason IS NULL THEN 'rated' ELSE 'rejected' END);
    IF v_reason IS NOT NULL THEN
      v_document := v_document || jsonb_build_object('statusReason', v_reason || ': ' || coalesce(p_sentences ->> v_reason, ''));
    ELSE
      v_document := v_document || jsonb_build_object('ratedProductUsage', jsonb_build_array(jsonb_build_object(
        'ratingDate', wire_time(v_now), 'usageRatingTag', 'included', 'isBilled', true, 'ratingAmountType', 'Total',
        'productRef', jsonb_build_object('id', line."id", 'href', 'airtime:/tmf-api/productInventory/v4/product/' || line."id", '@referredType', 'Product'),
        'bucket', to_jsonb(v_from),
        'chargedQuantity', jsonb_build_object('amount', round(v_taken::numeric / r.unit_size, 6)::float8, 'units', r.unit),
        'excessQuantity', jsonb_build_object('amount', round(v_left::numeric / r.unit_size, 6)::float8, 'units', r.unit))));
    END IF;
    made."id" := r.id;
    made."state" := CASE WHEN v_reason IS NULL THEN 'rated' ELSE 'rejected' END;
    made."document" := v_document;
    made."version" := 1;
    made."source" := r.source;
    made."record_id" := r.record_id;
    made."msisdn" := r.msisdn;
    made."kind" := r.kind;
    made."subscription_id" := line."id";
    made."customer_id" := line."customer_id";
    made."quantity" := r.quantity;
    made."charged" := v_taken;
    made."excess" := CASE WHEN v_reason IS NULL THEN v_left END;
    made."usage_date" := v_at;
    made."reason" := v_reason;
    made."created_at" := v_now;
    made."updated_at" := v_now;
    made."quarantined_at" := CASE WHEN v_is_placed THEN NULL ELSE v_now END;
    place := r.place;
    usage_id := r.id;
    status := made."state";
    refused_by := v_reason;
    charged := v_taken;
    excess := made."excess";
    repeated := false;
    usage_version := 1;
    usage_document := CASE WHEN p_is_whole THEN v_document END;
    RETURN NEXT;
    -- What still cannot be placed stays in the quarantine as it is.
    CONTINUE WHEN v_replays AND NOT v_is_placed AND EXISTS (SELECT 1 FROM "usage" u WHERE u."id" = r.id AND u."reason" = v_reason);
    v_usages := v_usages || made;
    v_events := v_events || r.event_id;

    -- Nothing is left and the line does not know yet: what was judged so far is written first, for the stop reads it.
    IF v_replays OR (NOT v_is_left AND line."state" IN ('active', 'blocked') AND NOT r.kind = ANY (line."stopped_kinds")
        AND NOT (r.kind = 'data' AND 'exhausted' = ANY (line."block_reasons"))) THEN
      PERFORM store_usage(v_usages, v_events, v_spent_ids, v_spent, v_now, v_replays);
      v_usages := '{}';
      v_events := '{}';
      v_spent_ids := '{}';
      v_spent := '{}';
      IF NOT v_is_left THEN
        -- The quota ended when the last of it was used, so a record of a later instant is refused even if it arrives in
        -- this one; and what was used and charged later than this record was served.
        PERFORM stop_exhausted(line."id", r.kind, greatest(least(v_at, v_now), line_since(line), (SELECT max(u."usage_date") FROM "usage" u
          WHERE u."subscription_id" = line."id" AND u."usage_date" > v_at AND u."usage_date" <= v_now AND u."kind" = r.kind AND u."charged" > 0)),
          jsonb_build_object('usage', r.id));
        SELECT * INTO line FROM "subscription" WHERE "id" = v_line_id;
      END IF;
    END IF;
  END LOOP;
  IF cardinality(v_usages) > 0 THEN
    PERFORM store_usage(v_usages, v_events, v_spent_ids, v_spent, v_now, v_replays);
  END IF;

  IF NOT v_replays AND cardinality(v_new) < cardinality(v_in) THEN
    RETURN QUERY SELECT i.place, u."id", u."state", u."reason", u."charged", u."excess", true, u."version", CASE WHEN p_is_whole THEN u."document" END
      FROM unnest(v_in) i JOIN "usage_key" k ON k."source" = coalesce(i.source, '') AND k."record_id" = i.record_id JOIN "usage" u ON u."id" = k."usage_id"
      WHERE NOT i.id = ANY (v_new);
  END IF;
END $$;
