-- A stream of usage costs half: records come as arrays, a column each, instead of objects to be taken apart; judging keeps
-- its outcome by place and builds nothing; documents, rows and events are made by one statement in the end.

DROP FUNCTION record_usage_batch;
DROP FUNCTION store_usage;
DROP TYPE "usage_input";

-- Each entry of an index is paid for with every record, and nobody asks for these: usage is found by its line, and an
-- event by its position or its resource. Ids are unique by how they are made.
DROP INDEX "usage_customer_id_id_idx";
DROP INDEX "event_id_key";

-- The document of a record as it is kept. What was sent comes as the inside of its JSON text, and text is put around it: one
-- reading makes the whole. Of a name that is there twice the last counts, so a date that was sent wins over that of now,
-- and nothing that was sent over what is judged.
CREATE FUNCTION usage_document(p_inside text, p_id text, p_now text, p_reason text, p_sentence text, p_line_id text, p_buckets text,
  p_charged bigint, p_excess bigint, p_unit text, p_unit_size bigint) RETURNS jsonb LANGUAGE plpgsql STABLE AS $$
DECLARE
  v_unit text;
BEGIN
  IF p_reason IS NOT NULL THEN
    RETURN ('{"usageDate":"' || p_now || '",' || p_inside || ',"id":"' || p_id || '","status":"rejected","statusReason":'
      || to_json(p_reason || ': ' || coalesce(p_sentence, ''))::text || '}')::jsonb;
  END IF;
  v_unit := ',"units":' || to_json(p_unit)::text || '}';
  RETURN ('{"usageDate":"' || p_now || '",' || p_inside || ',"id":"' || p_id || '","status":"rated","ratedProductUsage":[{"ratingDate":"' || p_now
    || '","usageRatingTag":"included","isBilled":true,"ratingAmountType":"Total","productRef":{"id":"' || p_line_id
    || '","href":"airtime:/tmf-api/productInventory/v4/product/' || p_line_id || '","@referredType":"Product"},"bucket":[' || coalesce(p_buckets, '')
    || '],"chargedQuantity":{"amount":'
    || CASE WHEN p_charged % p_unit_size = 0 THEN (p_charged / p_unit_size)::text ELSE round(p_charged::numeric / p_unit_size, 6)::float8::text END
    || v_unit || ',"excessQuantity":{"amount":'
    || CASE WHEN p_excess % p_unit_size = 0 THEN (p_excess / p_unit_size)::text ELSE round(p_excess::numeric / p_unit_size, 6)::float8::text END
    || v_unit || '}]}')::jsonb;
END $$;

-- Records usage: dedupe, find, lock, judge, spend the bucket that expires first, stop what is empty, record. One record
-- or hundreds: each line sees its records one after another in the order they came, as if each had come alone.
-- Keys are taken in their order and lines locked in the order of their ids, so that calls cannot block each other.
-- A record is its place in the arrays, as a caller was understood. Its kind is null when it is not one we know, its quantity
-- when it is no amount; a fault is there when it could not be read at all. `p_insides` are documents without the braces
-- around them. `p_caller_places` says which of the callers sent it, from 0; null when there is one for all.
-- Quantities are base units: bytes, seconds, messages. `repeated`: the same record of the same source was here before,
-- and what is answered is what became of it then. `place` counts from 0.
-- Plans are made once for a connection and kept, often while tables are small: each thing that is looked up has an index,
-- and what it finds comes in the order that is asked for.
-- With `p_command` null the transaction has its name and its caller already, and what is given are records of the
-- quarantine: those that still are in it are judged anew. `p_even_old` charges what is older than the retention, unless
-- it was counted.
CREATE FUNCTION record_usage_batch(p_command text, p_callers jsonb, p_caller_places int[], p_ids text[], p_event_ids text[], p_insides text[],
  p_sources text[], p_record_ids text[], p_msisdns text[], p_kinds text[], p_quantities bigint[], p_usage_dates timestamptz[], p_units text[],
  p_unit_sizes bigint[], p_faults text[], p_retention interval, p_rules_off text[], p_sentences jsonb, p_is_whole boolean, p_even_old boolean DEFAULT false)
RETURNS TABLE (place int, usage_id text, status text, refused_by text, charged bigint, excess bigint, repeated boolean, usage_version bigint, usage_document jsonb)
LANGUAGE plpgsql VOLATILE SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off AS $$
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
  v_keys int;
  v_new text[];
  -- By place: whether it is to be judged now. Null when all are.
  v_is_new boolean[];
  v_line_of text[];
  v_order int[];
  v_next int := 1;
  v_count int;
  i int;
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
  v_kind text;
  v_quantity bigint;
  v_at timestamptz;
  v_reason text;
  v_left bigint;
  v_take bigint;
  v_taken bigint;
  v_from text;
  v_is_left boolean;
  v_is_current boolean;
  v_is_placed boolean;
  v_is_stopping boolean;
  -- What was judged and is not written yet.
  v_done int[] := '{}';
  v_done_customers text[] := '{}';
  v_done_reasons text[] := '{}';
  v_done_charged bigint[] := '{}';
  v_done_excess bigint[] := '{}';
  v_done_buckets text[] := '{}';
  v_done_placed boolean[] := '{}';
  v_spent_ids text[] := '{}';
  v_spent bigint[] := '{}';
BEGIN
  -- Whose number it was when it was used, so a number that has moved on charges nobody else.
  SELECT array_agg(CASE WHEN r.fault IS NULL THEN
      (SELECT a."subscription_id" FROM "number_assignment" a WHERE a."msisdn" = r.msisdn AND a."assigned_at" <= coalesce(r.usage_date, v_now)
         AND (a."released_at" IS NULL OR a."released_at" > coalesce(r.usage_date, v_now)) ORDER BY a."assigned_at" DESC LIMIT 1) END ORDER BY r.at)
    INTO v_line_of FROM unnest(p_msisdns, p_usage_dates, p_faults) WITH ORDINALITY r(msisdn, usage_date, fault, at);

  IF v_replays THEN
    SELECT coalesce(array_agg(w."id"), '{}') INTO v_new FROM (
      SELECT u."id" FROM "usage" u WHERE u."id" = ANY (p_ids) AND u."quarantined_at" IS NOT NULL ORDER BY u."id" FOR UPDATE) w;
    SELECT array_agg(r.id = ANY (v_new) ORDER BY r.at) INTO v_is_new FROM unnest(p_ids) WITH ORDINALITY r(id, at);
  ELSE
    INSERT INTO "usage_key" ("source", "record_id", "usage_id", "expires_at")
      SELECT coalesce(r.source, ''), r.record_id, r.id, v_now + p_retention FROM unnest(p_sources, p_record_ids, p_ids) WITH ORDINALITY r(source, record_id, id, at)
      WHERE r.record_id IS NOT NULL ORDER BY coalesce(r.source, ''), r.record_id, r.at
      ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS v_keys = ROW_COUNT;
    IF v_keys < cardinality(array_remove(p_record_ids, NULL)) THEN
      SELECT array_agg(r.record_id IS NULL OR EXISTS (SELECT FROM "usage_key" k
          WHERE k."source" = coalesce(r.source, '') AND k."record_id" = r.record_id AND k."usage_id" = r.id) ORDER BY r.at)
        INTO v_is_new FROM unnest(p_sources, p_record_ids, p_ids) WITH ORDINALITY r(source, record_id, id, at);
    END IF;
  END IF;

  SELECT array_agg(DISTINCT l.id) INTO v_lines FROM unnest(v_line_of) l(id) WHERE l.id IS NOT NULL;
  SELECT array_agg(DISTINCT k.name) INTO v_kinds FROM unnest(p_kinds) k(name);
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

  SELECT coalesce(array_agg(r.at::int ORDER BY r.line_id NULLS FIRST, r.at), '{}') INTO v_order FROM unnest(v_line_of) WITH ORDINALITY r(line_id, at)
    WHERE v_is_new IS NULL OR v_is_new[r.at::int];
  v_count := cardinality(v_order);

  LOOP
    v_is_stopping := false;
    WHILE v_next <= v_count AND NOT v_is_stopping LOOP
      i := v_order[v_next];
      v_next := v_next + 1;
      IF v_line_of[i] IS DISTINCT FROM v_line_id THEN
        v_line_id := v_line_of[i];
        WHILE v_line_ids[v_place] < v_line_id LOOP
          v_place := v_place + 1;
        END LOOP;
        IF v_line_ids[v_place] IS DISTINCT FROM v_line_id THEN
          RAISE EXCEPTION 'the line % of number % is not there', v_line_id, p_msisdns[i];
        END IF;
        v_customer_id := v_customer_ids[v_place];
        v_state := v_states[v_place];
        v_block_reasons := string_to_array(v_block_reasons_of[v_place], ' ');
        v_stopped := string_to_array(v_stopped_of[v_place], ' ');
        v_since := v_sinces[v_place];
        WHILE v_first <= v_buckets AND v_bucket_line[v_first] < v_line_id LOOP
          v_first := v_first + 1;
        END LOOP;
      END IF;
      v_kind := p_kinds[i];
      v_quantity := p_quantities[i];
      v_at := coalesce(p_usage_dates[i], v_now);
      v_left := greatest(coalesce(v_quantity, 0), 0);
      v_taken := 0;
      v_from := NULL;
      v_is_current := v_line_id IS NOT NULL AND v_at >= v_since;
      -- What nothing can speak against is not judged rule by rule; whatever else, or when in doubt, is.
      IF NOT v_judges_all AND v_is_current AND v_state = 'active' AND v_kind IN ('data', 'voice', 'sms') AND v_quantity > 0
        AND v_at <= v_latest AND v_at >= v_oldest AND cardinality(v_stopped) = 0 THEN
        v_reason := NULL;
      ELSE
        v_reason := coalesce(p_faults[i], usage_refusal(v_line_id, v_state, v_stopped, v_since, v_kind, v_quantity, v_at, v_now, v_oldest, p_rules_off));
        IF v_reason IS NULL AND p_even_old AND v_at < v_now - p_retention AND NOT 'usage.counted_before' = ANY (p_rules_off) AND EXISTS (
            SELECT 1 FROM "usage" u WHERE u."subscription_id" = v_line_id AND u."usage_date" = v_at
              AND u."state" = 'rated' AND u."record_id" = p_record_ids[i] AND coalesce(u."source", '') = coalesce(p_sources[i], '')) THEN
          v_reason := 'usage.counted_before';
        END IF;
      END IF;
      IF v_reason IS NULL THEN
        v_is_left := false;
        n := v_first;
        WHILE n <= v_buckets AND v_bucket_line[n] = v_line_id LOOP
          IF v_bucket_kind[n] = v_kind AND (v_remaining[n] IS NULL OR v_remaining[n] > 0) THEN
            IF v_left > 0 AND v_valid_from[n] <= v_at AND (v_expires_at[n] IS NULL OR v_expires_at[n] > v_at) THEN
              v_take := least(coalesce(v_remaining[n], v_left), v_left);
              v_remaining[n] := v_remaining[n] - v_take;
              v_spent_ids := array_append(v_spent_ids, v_bucket_id[n]);
              v_spent := array_append(v_spent, v_take);
              v_left := v_left - v_take;
              v_taken := v_taken + v_take;
              v_from := coalesce(v_from || ',', '') || '"' || v_bucket_id[n] || '"';
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
        END IF;
        v_is_placed := true;
      ELSE
        v_is_left := true;
        v_is_placed := v_reason NOT IN ('usage.readable', 'usage.not_in_future', 'usage.within_retention', 'usage.number_known');
      END IF;

      -- What still cannot be placed stays in the quarantine as it is. Asked by itself: a condition that holds a query is costly
      -- even where the rest of it says no.
      IF v_replays AND NOT v_is_placed THEN
        IF EXISTS (SELECT 1 FROM "usage" u WHERE u."id" = p_ids[i] AND u."reason" = v_reason) THEN
          RETURN QUERY SELECT i - 1, p_ids[i], 'rejected'::text, v_reason, 0::bigint, NULL::bigint, false, 1::bigint, NULL::jsonb;
          CONTINUE;
        END IF;
      END IF;
      v_done := array_append(v_done, i);
      v_done_customers := array_append(v_done_customers, v_customer_id);
      v_done_reasons := array_append(v_done_reasons, v_reason);
      v_done_charged := array_append(v_done_charged, v_taken);
      v_done_excess := array_append(v_done_excess, CASE WHEN v_reason IS NULL THEN v_left END);
      v_done_buckets := array_append(v_done_buckets, v_from);
      v_done_placed := array_append(v_done_placed, v_is_placed);
      -- Nothing is left and the line does not know yet: what was judged so far is written first, for the stop reads it.
      v_is_stopping := v_replays OR (NOT v_is_left AND coalesce(v_state IN ('active', 'blocked') AND NOT v_kind = ANY (v_stopped)
        AND NOT (v_kind = 'data' AND 'exhausted' = ANY (v_block_reasons)), false));
    END LOOP;

    IF cardinality(v_spent_ids) > 0 THEN
      UPDATE "bucket" b SET "remaining" = b."remaining" - s.taken, "used" = b."used" + s.taken, "version" = b."version" + s.times, "updated_at" = v_now
        FROM (SELECT id, sum(quantity)::bigint AS taken, count(*) AS times FROM unnest(v_spent_ids, v_spent) t(id, quantity) GROUP BY id) s
        WHERE b."id" = s.id;
    END IF;
    IF cardinality(v_done) > 0 THEN
      RETURN QUERY
      WITH made AS MATERIALIZED (
        SELECT d.at, d.customer_id, d.reason, d.charged, d.excess, d.is_placed, CASE WHEN d.reason IS NULL THEN 'rated' ELSE 'rejected' END AS state,
          p_ids[d.at] AS id, v_line_of[d.at] AS line_id, usage_document(p_insides[d.at], p_ids[d.at], v_now_text, d.reason, p_sentences ->> d.reason, v_line_of[d.at],
            d.buckets, d.charged, d.excess, p_units[d.at], p_unit_sizes[d.at]) AS document
        FROM (SELECT * FROM unnest(v_done, v_done_customers, v_done_reasons, v_done_charged, v_done_excess, v_done_buckets, v_done_placed)
          d(at, customer_id, reason, charged, excess, buckets, is_placed) ORDER BY d.at) d),
      -- Records of the quarantine are there already and go on from `rejected` over `recycled`.
      judged_anew AS (
        UPDATE "usage" u SET "state" = m.state, "document" = m.document, "version" = u."version" + 2, "subscription_id" = m.line_id,
            "customer_id" = m.customer_id, "kind" = p_kinds[m.at], "quantity" = p_quantities[m.at], "charged" = m.charged, "excess" = m.excess, "reason" = m.reason,
            "quarantined_at" = CASE WHEN m.is_placed THEN NULL ELSE v_now END, "updated_at" = v_now
          FROM made m WHERE v_replays AND u."id" = m.id),
      told_anew AS (
        INSERT INTO "event" ("id", "type", "resource_type", "resource_id", "resource_sequence", "resource", "change", "command", "caller", "cause", "customer_id", "occurred_at", "recorded_at")
        SELECT new_id('evt'), 'UsageStateChangeEvent', 'usage', m.id, u."version" + s.step,
          CASE s.step WHEN 1 THEN (m.document - 'statusReason' - 'ratedProductUsage') || '{"status": "recycled"}' ELSE m.document END,
          CASE s.step WHEN 1 THEN '{"from": "rejected", "to": "recycled"}'::jsonb ELSE jsonb_build_object('from', 'recycled', 'to', m.state) END,
          current_setting('airtime.command'), current_setting('airtime.caller')::jsonb, NULL, m.customer_id, v_now, clock_timestamp()
        FROM made m JOIN "usage" u ON v_replays AND u."id" = m.id CROSS JOIN (VALUES (1), (2)) s(step) ORDER BY m.id, s.step),
      kept AS (
        INSERT INTO "usage" ("id", "state", "document", "version", "source", "record_id", "msisdn", "kind", "subscription_id", "customer_id", "quantity", "charged",
            "excess", "usage_date", "reason", "created_at", "updated_at", "quarantined_at")
        SELECT m.id, m.state, m.document, 1, p_sources[m.at], p_record_ids[m.at], p_msisdns[m.at], p_kinds[m.at], m.line_id, m.customer_id, p_quantities[m.at], m.charged,
          m.excess, coalesce(p_usage_dates[m.at], v_now), m.reason, v_now, v_now, CASE WHEN m.is_placed THEN NULL ELSE v_now END
        FROM made m WHERE NOT v_replays),
      told AS (
        INSERT INTO "event" ("id", "type", "resource_type", "resource_id", "resource_sequence", "resource", "change", "command", "caller", "cause", "customer_id", "occurred_at", "recorded_at")
        SELECT p_event_ids[m.at], 'UsageCreateEvent', 'usage', m.id, 1, m.document, NULL, p_command,
          CASE WHEN p_caller_places IS NULL THEN v_caller ELSE p_callers -> p_caller_places[m.at] END, NULL, m.customer_id, v_now, clock_timestamp()
        FROM made m WHERE NOT v_replays)
      SELECT m.at - 1, m.id, m.state, m.reason, m.charged, m.excess, false, 1::bigint, CASE WHEN p_is_whole THEN m.document END FROM made m;
    END IF;
    EXIT WHEN NOT v_is_stopping;
    v_done := '{}';
    v_done_customers := '{}';
    v_done_reasons := '{}';
    v_done_charged := '{}';
    v_done_excess := '{}';
    v_done_buckets := '{}';
    v_done_placed := '{}';
    v_spent_ids := '{}';
    v_spent := '{}';
    IF NOT v_is_left THEN
      IF NOT v_replays AND p_caller_places IS NOT NULL THEN
        PERFORM set_config('airtime.caller', (p_callers -> p_caller_places[i])::text, true);
      END IF;
      -- The quota ended when the last of it was used, so a record of a later instant is refused even if it arrives in
      -- this one; and what was used and charged later than this record was served.
      PERFORM stop_exhausted(v_line_id, v_kind, greatest(least(v_at, v_now), v_since, (SELECT max(u."usage_date") FROM "usage" u
        WHERE u."subscription_id" = v_line_id AND u."usage_date" > v_at AND u."usage_date" <= v_now AND u."kind" = v_kind AND u."charged" > 0)),
        jsonb_build_object('usage', p_ids[i]));
      IF NOT v_replays AND p_caller_places IS NOT NULL THEN
        PERFORM set_config('airtime.caller', v_caller::text, true);
      END IF;
      SELECT s."state", s."block_reasons", s."stopped_kinds", greatest(s."state_since", s."kinds_since")
        INTO v_state, v_block_reasons, v_stopped, v_since FROM "subscription" s WHERE s."id" = v_line_id;
    END IF;
  END LOOP;

  IF NOT v_replays AND v_is_new IS NOT NULL THEN
    RETURN QUERY SELECT r.at::int - 1, u."id", u."state", u."reason", u."charged", u."excess", true, u."version", CASE WHEN p_is_whole THEN u."document" END
      FROM unnest(p_sources, p_record_ids) WITH ORDINALITY r(source, record_id, at)
      JOIN "usage_key" k ON k."source" = coalesce(r.source, '') AND k."record_id" = r.record_id JOIN "usage" u ON u."id" = k."usage_id"
      WHERE NOT v_is_new[r.at::int];
  END IF;
END $$;
