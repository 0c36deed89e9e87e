-- Charging costs less: what a record is judged by is read column by column and not row by row, a record that nothing
-- speaks against is not judged twice, and records of several callers may share a call.

-- The guard asks before it calls: a write of a named command costs no function call. What it refuses is the same.
CREATE OR REPLACE FUNCTION guard_table(p_table text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('CREATE TRIGGER guard_row BEFORE INSERT OR UPDATE OR DELETE ON %I FOR EACH ROW
    WHEN (coalesce(current_setting(''airtime.command'', true), '''') = '''') EXECUTE FUNCTION guard_row()', p_table);
  EXECUTE format('CREATE TRIGGER guard_truncate BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION guard_truncate()', p_table);
END $$;

DO $$
DECLARE t name;
BEGIN
  FOR t IN SELECT c.relname FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid WHERE g.tgname = 'guard_row' AND c.relnamespace = current_schema()::regnamespace
  LOOP
    EXECUTE format('DROP TRIGGER guard_row ON %I', t);
    EXECUTE format('DROP TRIGGER guard_truncate ON %I', t);
    PERFORM guard_table(t);
  END LOOP;
END $$;

DROP FUNCTION record_usage_batch;
DROP FUNCTION store_usage;
DROP FUNCTION usage_refusal;
DROP FUNCTION line_since;
DROP TYPE "usage_input";

-- The reason a usage record is kept as rejected, as a rule's code; null when it can be charged.
-- Judged by the line as it was at the usage date: `p_since` is from when on it is what it is now. `p_rules_off` serves
-- the test that switches each rule off. `p_oldest` is where the retention begins: what is older may have been counted
-- and forgotten.
CREATE FUNCTION usage_refusal(p_line_id text, p_state text, p_stopped text[], p_since timestamptz, p_kind text, p_quantity bigint, p_usage_date timestamptz,
  p_now timestamptz, p_oldest timestamptz, p_rules_off text[]) RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE
  v_state text := p_state;
  v_stopped text[] := p_stopped;
  v_roams boolean;
BEGIN
  IF p_kind IS NULL AND NOT 'usage.kind_known' = ANY (p_rules_off) THEN RETURN 'usage.kind_known'; END IF;
  IF p_kind = 'barred' AND NOT 'usage.not_barred' = ANY (p_rules_off) THEN RETURN 'usage.not_barred'; END IF;
  IF (p_quantity IS NULL OR p_quantity <= 0) AND NOT 'usage.quantity_positive' = ANY (p_rules_off) THEN RETURN 'usage.quantity_positive'; END IF;
  -- A minute for clocks that do not agree.
  IF p_usage_date > p_now + interval '1 minute' AND NOT 'usage.not_in_future' = ANY (p_rules_off) THEN RETURN 'usage.not_in_future'; END IF;
  IF p_usage_date < p_oldest AND NOT 'usage.within_retention' = ANY (p_rules_off) THEN RETURN 'usage.within_retention'; END IF;
  IF p_line_id IS NULL THEN RETURN 'usage.number_known'; END IF;
  IF p_usage_date < p_since THEN
    SELECT "state", "stopped_kinds" INTO v_state, v_stopped FROM "line_state"
      WHERE "subscription_id" = p_line_id AND "from_at" <= p_usage_date ORDER BY "from_at" DESC, "position" DESC LIMIT 1;
    v_state := coalesce(v_state, 'pending');
  END IF;
  IF v_state <> 'active' AND NOT 'usage.line_active' = ANY (p_rules_off) THEN RETURN 'usage.line_active'; END IF;
  IF p_kind = 'roaming_data' AND NOT 'usage.roaming_on' = ANY (p_rules_off) THEN
    SELECT "is_enabled" INTO v_roams FROM "roaming_switch" WHERE "subscription_id" = p_line_id AND "from_at" <= p_usage_date ORDER BY "from_at" DESC, "position" DESC LIMIT 1;
    IF NOT coalesce(v_roams, true) THEN RETURN 'usage.roaming_on'; END IF;
  END IF;
  IF p_kind = ANY (v_stopped) AND NOT 'usage.allowance_left' = ANY (p_rules_off) THEN RETURN 'usage.allowance_left'; END IF;
  RETURN NULL;
END $$;

-- One usage record as a caller was understood. `kind` is null when it is not one we know, `quantity` when it is no
-- amount; `fault` is set when the record could not be read at all. `caller` is its place among the callers of the call,
-- from 0. `subscription_id` is found by the function.
CREATE TYPE "usage_input" AS (
  place int, id text, event_id text, caller int, document jsonb, source text, record_id text, msisdn text, kind text, quantity bigint, usage_date timestamptz,
  unit text, unit_size bigint, fault text, subscription_id text
);

-- What one call has judged, written at once: quota that was spent, records, their events. When replaying, the records
-- are there already and go on from `rejected` over `recycled`.
CREATE FUNCTION store_usage(p_usages "usage"[], p_events text[], p_callers jsonb[], p_spent_ids text[], p_spent bigint[], p_now timestamptz, p_replays boolean)
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
    SELECT e.id, 'UsageCreateEvent', 'usage', e.usage_id, 1, e.document, NULL, current_setting('airtime.command'), e.caller, NULL, e.customer_id, p_now, clock_timestamp()
    FROM ROWS FROM (unnest(p_usages), unnest(p_events), unnest(p_callers)) e(usage_id, state, document, version, source, record_id, msisdn, kind,
      subscription_id, customer_id, quantity, charged, excess, usage_date, reason, created_at, updated_at, quarantined_at, id, caller);
END $$;

-- Records usage: dedupe, find, lock, judge, spend the bucket that expires first, stop what is empty, record. One record
-- or hundreds: each line sees its records one after another in the order they came, as if each had come alone.
-- Keys are taken in their order and lines locked in the order of their ids, so that calls cannot block each other.
-- Quantities are base units: bytes, seconds, messages. `repeated`: the same record of the same source was here before,
-- and what is answered is what became of it then.
-- With `p_command` null the transaction has its name and its caller already, and what is given are records of the
-- quarantine: those that still are in it are judged anew. `p_even_old` charges what is older than the retention, unless
-- it was counted.
CREATE FUNCTION record_usage_batch(p_command text, p_callers jsonb, p_records json, p_retention interval, p_rules_off text[], p_sentences jsonb,
  p_is_whole boolean, p_even_old boolean DEFAULT false)
RETURNS TABLE (place int, usage_id text, status text, refused_by text, charged bigint, excess bigint, repeated boolean, usage_version bigint, usage_document jsonb)
LANGUAGE plpgsql VOLATILE SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
  -- What follows from the records of several callers together, news of quota that runs low, is nobody's alone.
  v_caller jsonb := CASE WHEN jsonb_array_length(p_callers) = 1 THEN p_callers -> 0
    ELSE '{"audience": "system", "id": "system", "name": "usage", "surface": "worker", "scopes": ["*"]}' END;
  v_now timestamptz := CASE WHEN p_command IS NULL THEN business_now() ELSE begin_command(p_command, v_caller) END;
  v_now_text text := wire_time(v_now);
  v_oldest timestamptz := CASE WHEN p_even_old THEN '-infinity' ELSE v_now - p_retention END;
  v_latest timestamptz := v_now + interval '1 minute';
  v_replays boolean := p_command IS NULL;
  v_judges_all boolean := cardinality(p_rules_off) > 0 OR p_even_old;
  v_in "usage_input"[];
  v_new text[];
  v_kept text[];
  v_is_all_new boolean;
  v_lines text[];
  v_kinds text[];
  -- The lines in the order of their ids.
  v_line_ids text[];
  v_customer_ids text[];
  v_states text[];
  v_block_reasons_of text[];
  v_stopped_of text[];
  v_sinces timestamptz[];
  v_place int := 1;
  r record;
  v_given_line text;
  v_line_id text;
  v_customer_id text;
  v_state text;
  v_block_reasons text[];
  v_stopped text[];
  v_since timestamptz;
  -- The buckets of all lines, those of a line together and in the order in which they are spent.
  v_bucket_line text[];
  v_bucket_id text[];
  v_bucket_kind text[];
  v_remaining bigint[];
  v_valid_from timestamptz[];
  v_expires_at timestamptz[];
  v_buckets int;
  v_first int := 1;
  n int;
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
  v_callers jsonb[] := '{}';
  v_spent_ids text[] := '{}';
  v_spent bigint[] := '{}';
BEGIN
  -- Whose number it was when it was used, so a number that has moved on charges nobody else.
  SELECT array_agg(ROW(i.place, i.id, i.event_id, i.caller, i.document, i.source, i.record_id, i.msisdn, i.kind, i.quantity, coalesce(i.usage_date, v_now), i.unit, i.unit_size, i.fault,
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

  v_is_all_new := cardinality(v_new) = cardinality(v_in);
  SELECT array_agg(DISTINCT i.subscription_id), array_agg(DISTINCT i.kind) INTO v_lines, v_kinds FROM unnest(v_in) i WHERE i.subscription_id IS NOT NULL AND i.fault IS NULL;
  -- What waited for a lock is given as it is after it.
  SELECT array_agg(l."id"), array_agg(l."customer_id"), array_agg(l."state"), array_agg(l.block_reasons), array_agg(l.stopped), array_agg(l.since)
    INTO v_line_ids, v_customer_ids, v_states, v_block_reasons_of, v_stopped_of, v_sinces
    FROM (SELECT s."id", s."customer_id", s."state", array_to_string(s."block_reasons", ' ') AS block_reasons, array_to_string(s."stopped_kinds", ' ') AS stopped,
        greatest(s."state_since", s."kinds_since") AS since
      FROM "subscription" s WHERE s."id" = ANY (v_lines) ORDER BY s."id" FOR UPDATE) l;

  -- Locked above, read here: a statement that does both sees the balances of before it waited.
  SELECT array_agg(b."subscription_id"), array_agg(b."id"), array_agg(b."kind"), array_agg(b."remaining"), array_agg(b."valid_from"), array_agg(b."expires_at")
    INTO v_bucket_line, v_bucket_id, v_bucket_kind, v_remaining, v_valid_from, v_expires_at
    FROM (SELECT b."subscription_id", b."id", b."kind", b."remaining", b."valid_from", b."expires_at" FROM "bucket" b
      WHERE b."subscription_id" = ANY (v_lines) AND b."kind" = ANY (v_kinds) AND b."state" = 'active' AND (b."remaining" IS NULL OR b."remaining" > 0)
      ORDER BY b."subscription_id", b."expires_at" NULLS LAST, b."id") b;
  v_buckets := coalesce(cardinality(v_bucket_id), 0);

  FOR r IN
    SELECT i.*, CASE WHEN i.fault IS NULL THEN i.subscription_id END AS line_id FROM unnest(v_in) i
    WHERE v_is_all_new OR i.id = ANY (v_new) ORDER BY line_id NULLS FIRST, i.place
  LOOP
    IF r.line_id IS NOT NULL AND (v_given_line IS NULL OR r.line_id <> v_given_line) THEN
      v_given_line := r.line_id;
      WHILE v_line_ids[v_place] < v_given_line LOOP
        v_place := v_place + 1;
      END LOOP;
      IF v_line_ids[v_place] IS DISTINCT FROM v_given_line THEN
        RAISE EXCEPTION 'the line % of number % is not there', v_given_line, r.msisdn;
      END IF;
      v_line_id := v_given_line;
      v_customer_id := v_customer_ids[v_place];
      v_state := v_states[v_place];
      v_block_reasons := string_to_array(v_block_reasons_of[v_place], ' ');
      v_stopped := string_to_array(v_stopped_of[v_place], ' ');
      v_since := v_sinces[v_place];
      WHILE v_first <= v_buckets AND v_bucket_line[v_first] < v_line_id LOOP
        v_first := v_first + 1;
      END LOOP;
    END IF;
    v_at := r.usage_date;
    v_left := greatest(coalesce(r.quantity, 0), 0);
    v_taken := 0;
    v_from := '{}';
    v_is_current := v_line_id IS NOT NULL AND v_at >= v_since;
    -- What nothing can speak against is not judged rule by rule; whatever else, or when in doubt, is.
    IF NOT v_judges_all AND v_is_current AND v_state = 'active' AND r.kind IN ('data', 'voice', 'sms') AND r.quantity > 0
      AND v_at <= v_latest AND v_at >= v_oldest AND cardinality(v_stopped) = 0 THEN
      v_reason := NULL;
    ELSE
      v_reason := coalesce(r.fault, usage_refusal(v_line_id, v_state, v_stopped, v_since, r.kind, r.quantity, v_at, v_now, v_oldest, p_rules_off));
      IF v_reason IS NULL AND p_even_old AND v_at < v_now - p_retention AND NOT 'usage.counted_before' = ANY (p_rules_off) AND EXISTS (SELECT 1 FROM "usage" u WHERE u."subscription_id" = v_line_id AND u."usage_date" = v_at
          AND u."state" = 'rated' AND u."record_id" = r.record_id AND coalesce(u."source", '') = coalesce(r.source, '')) THEN
        v_reason := 'usage.counted_before';
      END IF;
    END IF;
    v_is_left := false;
    IF v_reason IS NULL THEN
      n := v_first;
      WHILE n <= v_buckets AND v_bucket_line[n] = v_line_id LOOP
        IF v_bucket_kind[n] = r.kind AND (v_remaining[n] IS NULL OR v_remaining[n] > 0) THEN
          IF v_left > 0 AND v_valid_from[n] <= v_at AND (v_expires_at[n] IS NULL OR v_expires_at[n] > v_at) THEN
            v_take := least(coalesce(v_remaining[n], v_left), v_left);
            v_remaining[n] := v_remaining[n] - v_take;
            v_spent_ids := v_spent_ids || v_bucket_id[n];
            v_spent := v_spent || v_take;
            v_left := v_left - v_take;
            v_taken := v_taken + v_take;
            v_from := v_from || v_bucket_id[n];
          END IF;
          v_is_left := v_is_left OR ((v_remaining[n] IS NULL OR v_remaining[n] > 0) AND v_valid_from[n] <= v_now
            AND (v_expires_at[n] IS NULL OR v_expires_at[n] > v_now));
          EXIT WHEN v_is_left AND v_left = 0;
        END IF;
        n := n + 1;
      END LOOP;
      -- Quota that has run out unnoticed (its end has come and nobody has closed it yet): nothing is served from it.
      IF v_taken = 0 AND v_is_current AND NOT 'usage.allowance_left' = ANY (p_rules_off) THEN
        v_reason := 'usage.allowance_left';
        v_left := 0;
      END IF;
      v_is_placed := true;
    ELSE
      v_is_left := true;
      v_is_placed := v_reason NOT IN ('usage.readable', 'usage.not_in_future', 'usage.within_retention', 'usage.number_known');
    END IF;

    IF v_reason IS NULL THEN
      v_document := r.document || jsonb_build_object('id', r.id, 'usageDate', coalesce(r.document ->> 'usageDate', wire_time(v_at)), 'status', 'rated',
        'ratedProductUsage', jsonb_build_array(jsonb_build_object(
          'ratingDate', v_now_text, 'usageRatingTag', 'included', 'isBilled', true, 'ratingAmountType', 'Total',
          'productRef', jsonb_build_object('id', v_line_id, 'href', 'airtime:/tmf-api/productInventory/v4/product/' || v_line_id, '@referredType', 'Product'),
          'bucket', v_from,
          'chargedQuantity', jsonb_build_object('amount', round(v_taken::numeric / r.unit_size, 6)::float8, 'units', r.unit),
          'excessQuantity', jsonb_build_object('amount', round(v_left::numeric / r.unit_size, 6)::float8, 'units', r.unit))));
    ELSE
      v_document := r.document || jsonb_build_object('id', r.id, 'usageDate', coalesce(r.document ->> 'usageDate', wire_time(v_at)), 'status', 'rejected',
        'statusReason', v_reason || ': ' || coalesce(p_sentences ->> v_reason, ''));
    END IF;
    place := r.place;
    usage_id := r.id;
    status := CASE WHEN v_reason IS NULL THEN 'rated' ELSE 'rejected' END;
    refused_by := v_reason;
    charged := v_taken;
    excess := CASE WHEN v_reason IS NULL THEN v_left END;
    repeated := false;
    usage_version := 1;
    usage_document := CASE WHEN p_is_whole THEN v_document END;
    RETURN NEXT;
    -- What still cannot be placed stays in the quarantine as it is.
    CONTINUE WHEN v_replays AND NOT v_is_placed AND EXISTS (SELECT 1 FROM "usage" u WHERE u."id" = r.id AND u."reason" = v_reason);
    made := ROW(r.id, status, v_document, 1, r.source, r.record_id, r.msisdn, r.kind, v_line_id, v_customer_id, r.quantity, v_taken, excess, v_at, v_reason,
      v_now, v_now, CASE WHEN v_is_placed THEN NULL ELSE v_now END);
    v_usages := v_usages || made;
    v_events := v_events || r.event_id;
    IF NOT v_replays THEN
      v_callers := v_callers || (p_callers -> r.caller);
    END IF;

    -- Nothing is left and the line does not know yet: what was judged so far is written first, for the stop reads it.
    IF v_replays OR (NOT v_is_left AND v_state IN ('active', 'blocked') AND NOT r.kind = ANY (v_stopped)
        AND NOT (r.kind = 'data' AND 'exhausted' = ANY (v_block_reasons))) THEN
      PERFORM store_usage(v_usages, v_events, v_callers, v_spent_ids, v_spent, v_now, v_replays);
      v_usages := '{}';
      v_events := '{}';
      v_callers := '{}';
      v_spent_ids := '{}';
      v_spent := '{}';
      IF NOT v_is_left THEN
        IF NOT v_replays THEN
          PERFORM set_config('airtime.caller', (p_callers -> r.caller)::text, true);
        END IF;
        -- The quota ended when the last of it was used, so a record of a later instant is refused even if it arrives in
        -- this one; and what was used and charged later than this record was served.
        PERFORM stop_exhausted(v_line_id, r.kind, greatest(least(v_at, v_now), v_since, (SELECT max(u."usage_date") FROM "usage" u
          WHERE u."subscription_id" = v_line_id AND u."usage_date" > v_at AND u."usage_date" <= v_now AND u."kind" = r.kind AND u."charged" > 0)),
          jsonb_build_object('usage', r.id));
        IF NOT v_replays THEN
          PERFORM set_config('airtime.caller', v_caller::text, true);
        END IF;
        SELECT s."state", s."block_reasons", s."stopped_kinds", greatest(s."state_since", s."kinds_since")
          INTO v_state, v_block_reasons, v_stopped, v_since FROM "subscription" s WHERE s."id" = v_line_id;
      END IF;
    END IF;
  END LOOP;
  IF cardinality(v_usages) > 0 THEN
    PERFORM store_usage(v_usages, v_events, v_callers, v_spent_ids, v_spent, v_now, v_replays);
  END IF;

  IF NOT v_replays AND cardinality(v_new) < cardinality(v_in) THEN
    RETURN QUERY SELECT i.place, u."id", u."state", u."reason", u."charged", u."excess", true, u."version", CASE WHEN p_is_whole THEN u."document" END
      FROM unnest(v_in) i JOIN "usage_key" k ON k."source" = coalesce(i.source, '') AND k."record_id" = i.record_id JOIN "usage" u ON u."id" = k."usage_id"
      WHERE NOT i.id = ANY (v_new);
  END IF;
END $$;

-- Of usage there is more than of anything else, and each entry of its index is paid for with every record: what has a
-- column of its own is left out, and what rating says of nearly every record alike.
DROP INDEX "usage_document";
CREATE INDEX "usage_document" ON "usage" USING gin (("document" - '{id,usageDate,status,statusReason,ratedProductUsage,@type}'::text[]) jsonb_path_ops) WITH (fastupdate = on);
