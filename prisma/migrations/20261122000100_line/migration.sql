-- The line in the database: what blocks it, what the network must know of it, and the charging of usage in one call.
-- Each function that charges locks the line first and reads its buckets in a later statement: a statement that does
-- both in one snapshot overspends under contention.

-- What the network should do for a line, whole, from the line's own state. A line that is paid for and not yet active is
-- `enabling`: the network goes first, the line follows its confirmation.
CREATE FUNCTION line_desired(s "subscription") RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
  SELECT jsonb_build_object(
    'state', CASE WHEN s."state" = 'active' OR s."enabling" THEN 'active' WHEN s."state" = 'terminated' THEN 'terminated' ELSE 'inactive' END,
    'data', (s."state" = 'active' OR s."enabling") AND NOT 'data' = ANY (s."stopped_kinds"),
    'voice', (s."state" = 'active' OR s."enabling") AND NOT 'voice' = ANY (s."stopped_kinds"),
    'sms', (s."state" = 'active' OR s."enabling") AND NOT 'sms' = ANY (s."stopped_kinds"),
    'roamingData', (s."state" = 'active' OR s."enabling") AND s."roaming_enabled" AND NOT 'roaming_data' = ANY (s."stopped_kinds"))
$$;

CREATE FUNCTION line_wire_status(p_state text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE p_state WHEN 'pending' THEN 'pendingActive' WHEN 'blocked' THEN 'suspended' ELSE p_state END
$$;

-- Writes one change of a line: its row, its document, its history and its event. The caller holds the line's lock.
CREATE FUNCTION change_line(p_subscription_id text, p_state text, p_block_reasons text[], p_stopped_kinds text[], p_since timestamptz, p_cause jsonb)
RETURNS "subscription" LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  before "subscription";
  line "subscription";
  v_now timestamptz := business_now();
  v_wire text := line_wire_status(p_state);
BEGIN
  SELECT * INTO STRICT before FROM "subscription" WHERE "id" = p_subscription_id;
  UPDATE "subscription" SET
    "state" = p_state, "block_reasons" = p_block_reasons, "stopped_kinds" = p_stopped_kinds, "enabling" = before."enabling" AND p_state = 'pending',
    "state_since" = CASE WHEN before."state" = p_state THEN before."state_since" ELSE p_since END,
    "blocked_at" = CASE WHEN p_state <> 'blocked' THEN NULL WHEN before."state" = 'blocked' THEN before."blocked_at" ELSE p_since END,
    "terminated_at" = CASE WHEN p_state = 'terminated' THEN coalesce(before."terminated_at", p_since) END,
    "document" = jsonb_set(before."document", '{status}', to_jsonb(v_wire))
      || CASE WHEN p_state = 'terminated' THEN jsonb_build_object('terminationDate', wire_time(p_since)) ELSE '{}' END
      || jsonb_build_object('blockReason', to_jsonb(p_block_reasons)),
    "version" = before."version" + 1, "updated_at" = v_now
  WHERE "id" = p_subscription_id RETURNING * INTO line;
  IF before."state" <> p_state THEN
    INSERT INTO "line_state" ("subscription_id", "from_at", "state") VALUES (p_subscription_id, p_since, p_state);
    PERFORM append_event(new_id('evt'), 'ProductStateChangeEvent', 'product', line."id", line."version", line."document",
      jsonb_build_object('from', before."state", 'to', p_state, 'blockReasons', to_jsonb(p_block_reasons)), p_cause, line."customer_id", v_now);
  ELSE
    PERFORM append_event(new_id('evt'), 'ProductAttributeValueChangeEvent', 'product', line."id", line."version", line."document",
      jsonb_build_object('blockReasons', to_jsonb(p_block_reasons), 'stoppedKinds', to_jsonb(p_stopped_kinds)), p_cause, line."customer_id", v_now);
  END IF;
  RETURN line;
END $$;

CREATE FUNCTION wire_time(p_at timestamptz) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT to_char(p_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
$$;

-- Tells the network what the line now is: the service, a monitor (TMF640) and the step that delivers it, in the same
-- transaction as the cause. Nothing is written when the network was already told the same. Returns the monitor's id.
-- `p_then` names the step of another flow that waits for the network's answer.
CREATE FUNCTION order_network(p_subscription_id text, p_cause jsonb, p_then jsonb DEFAULT NULL) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  line "subscription";
  svc "service";
  child "service";
  v_desired jsonb;
  v_state text;
  v_now timestamptz := business_now();
  v_monitor text;
  v_document jsonb;
  v_body text;
BEGIN
  SELECT * INTO STRICT line FROM "subscription" WHERE "id" = p_subscription_id;
  SELECT * INTO svc FROM "service" WHERE "id" = line."service_id" FOR UPDATE;
  IF NOT FOUND THEN RETURN NULL; END IF;
  v_desired := line_desired(line);
  IF svc."desired" = v_desired THEN RETURN NULL; END IF;
  v_state := v_desired ->> 'state';
  UPDATE "service" SET "desired" = v_desired, "network_sequence" = svc."network_sequence" + 1, "state" = v_state, "version" = svc."version" + 1,
    "updated_at" = v_now,
    "document" = svc."document" || jsonb_build_object('state', v_state, 'isServiceEnabled', v_state = 'active')
      || CASE WHEN v_state = 'terminated' THEN jsonb_build_object('endDate', wire_time(v_now)) ELSE '{}' END
  WHERE "id" = svc."id" RETURNING * INTO svc;
  PERFORM append_event(new_id('evt'), 'ServiceStateChangeEvent', 'service', svc."id", svc."version", svc."document",
    jsonb_build_object('desired', v_desired), p_cause, line."customer_id", v_now);
  -- Data, voice and SMS are services of their own under the line.
  FOR child IN SELECT * FROM "service" WHERE "parent_id" = svc."id" ORDER BY "id" FOR UPDATE LOOP
    v_state := CASE WHEN v_desired ->> 'state' = 'terminated' THEN 'terminated' WHEN (v_desired ->> (child."document" ->> 'serviceType'))::boolean THEN 'active' ELSE 'inactive' END;
    CONTINUE WHEN child."state" = v_state;
    UPDATE "service" SET "state" = v_state, "version" = child."version" + 1, "updated_at" = v_now,
      "document" = child."document" || jsonb_build_object('state', v_state, 'isServiceEnabled', v_state = 'active')
        || CASE WHEN v_state = 'terminated' THEN jsonb_build_object('endDate', wire_time(v_now)) ELSE '{}' END
    WHERE "id" = child."id" RETURNING * INTO child;
    PERFORM append_event(new_id('evt'), 'ServiceStateChangeEvent', 'service', child."id", child."version", child."document", NULL, p_cause, line."customer_id", v_now);
  END LOOP;
  v_monitor := new_id('mon');
  v_body := jsonb_build_object('service', svc."id", 'sequence', svc."network_sequence", 'desired', v_desired)::text;
  v_document := jsonb_build_object('id', v_monitor, '@type', 'Monitor', 'state', 'InProgress',
    'sourceHref', 'airtime:/tmf-api/ServiceActivationAndConfiguration/v4/service/' || svc."id",
    'request', jsonb_build_object('method', 'PATCH', 'to', 'airtime:/tmf-api/ServiceActivationAndConfiguration/v4/service/' || svc."id", 'body', v_body,
      'header', jsonb_build_array(jsonb_build_object('name', 'Content-Type', 'value', 'application/json'))));
  INSERT INTO "monitor" ("id", "state", "document", "version", "service_id", "sequence", "desired", "created_at", "updated_at")
  VALUES (v_monitor, 'InProgress', v_document, 1, svc."id", svc."network_sequence", v_desired, v_now, v_now);
  PERFORM append_event(new_id('evt'), 'MonitorCreateEvent', 'monitor', v_monitor, 1, v_document, NULL, p_cause, line."customer_id", v_now);
  INSERT INTO "flow_step" ("id", "key", "flow", "subject", "step", "state", "due_at", "not_before", "caller", "input", "created_at")
  VALUES (new_id('stp'), 'network:' || svc."id" || ':' || svc."network_sequence", 'network', svc."id", 'deliver', 'waiting', v_now, clock_timestamp(),
    current_setting('airtime.caller')::jsonb, jsonb_build_object('monitorId', v_monitor, 'then', p_then), clock_timestamp());
  RETURN v_monitor;
END $$;

-- Stops what has nothing left, now. Data at zero blocks the whole line; voice, SMS and roaming data stop alone.
-- The caller holds the line's lock. Returns whether anything changed.
CREATE FUNCTION stop_exhausted(p_subscription_id text, p_kind text, p_since timestamptz, p_cause jsonb) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  line "subscription";
  v_now timestamptz := business_now();
BEGIN
  SELECT * INTO STRICT line FROM "subscription" WHERE "id" = p_subscription_id;
  IF line."state" NOT IN ('active', 'blocked') OR p_kind = ANY (line."stopped_kinds") THEN RETURN false; END IF;
  IF EXISTS (SELECT 1 FROM "bucket" WHERE "subscription_id" = p_subscription_id AND "kind" = p_kind AND "state" = 'active'
      AND "valid_from" <= v_now AND ("expires_at" IS NULL OR "expires_at" > v_now) AND ("remaining" IS NULL OR "remaining" > 0)) THEN
    RETURN false;
  END IF;
  IF p_kind = 'data' THEN
    IF 'exhausted' = ANY (line."block_reasons") THEN RETURN false; END IF;
    PERFORM change_line(p_subscription_id, 'blocked', line."block_reasons" || 'exhausted'::text, line."stopped_kinds", p_since, p_cause);
  ELSE
    PERFORM change_line(p_subscription_id, line."state", line."block_reasons", line."stopped_kinds" || p_kind, p_since, p_cause);
  END IF;
  PERFORM order_network(p_subscription_id, p_cause);
  RETURN true;
END $$;

-- The reason a usage record is kept as rejected, as a rule's code; null when it can be charged.
-- Judged by the line as it was at the usage date. `p_rules_off` serves the test that switches each rule off.
CREATE FUNCTION usage_refusal(line "subscription", p_kind text, p_quantity bigint, p_usage_date timestamptz, p_rules_off text[]) RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE
  v_state text;
BEGIN
  IF p_kind IS NULL AND NOT 'usage.kind_known' = ANY (p_rules_off) THEN RETURN 'usage.kind_known'; END IF;
  IF p_kind = 'barred' AND NOT 'usage.not_barred' = ANY (p_rules_off) THEN RETURN 'usage.not_barred'; END IF;
  IF (p_quantity IS NULL OR p_quantity <= 0) AND NOT 'usage.quantity_positive' = ANY (p_rules_off) THEN RETURN 'usage.quantity_positive'; END IF;
  IF line."id" IS NULL THEN RETURN 'usage.number_known'; END IF;
  v_state := line."state";
  IF p_usage_date < line."state_since" THEN
    SELECT "state" INTO v_state FROM "line_state" WHERE "subscription_id" = line."id" AND "from_at" <= p_usage_date ORDER BY "from_at" DESC, "position" DESC LIMIT 1;
    v_state := coalesce(v_state, 'pending');
  END IF;
  IF v_state <> 'active' AND NOT 'usage.line_active' = ANY (p_rules_off) THEN RETURN 'usage.line_active'; END IF;
  IF p_usage_date >= line."state_since" AND p_kind = ANY (line."stopped_kinds") AND NOT 'usage.allowance_left' = ANY (p_rules_off) THEN RETURN 'usage.allowance_left'; END IF;
  RETURN NULL;
END $$;

-- One usage record: dedupe, find, lock, judge, spend the bucket that expires first, stop what is empty, record.
-- Quantities are base units: bytes, seconds, messages. Returns the stored document; `repeated` when the same record of
-- the same source was here before.
CREATE FUNCTION record_usage(p_usage_id text, p_event_id text, p_caller jsonb, p_document jsonb, p_source text, p_record_id text, p_msisdn text,
  p_kind text, p_quantity bigint, p_usage_date timestamptz, p_unit text, p_unit_size bigint, p_retention interval, p_rules_off text[], p_sentences text,
  OUT usage_document jsonb, OUT usage_version bigint, OUT repeated boolean)
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_now timestamptz;
  v_at timestamptz;
  line "subscription";
  b "bucket";
  v_subscription_id text;
  v_reason text;
  v_left bigint := greatest(coalesce(p_quantity, 0), 0);
  v_take bigint;
  v_taken bigint := 0;
  v_from text[] := '{}';
  v_state text;
  v_cause jsonb := jsonb_build_object('usage', p_usage_id);
BEGIN
  v_now := begin_command('usage.record', p_caller);
  v_at := coalesce(p_usage_date, v_now);
  repeated := false;
  IF p_record_id IS NOT NULL THEN
    INSERT INTO "usage_key" ("source", "record_id", "usage_id", "expires_at") VALUES (coalesce(p_source, ''), p_record_id, p_usage_id, v_now + p_retention)
      ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
      SELECT u."document", u."version", true INTO usage_document, usage_version, repeated
        FROM "usage_key" k JOIN "usage" u ON u."id" = k."usage_id" WHERE k."source" = coalesce(p_source, '') AND k."record_id" = p_record_id;
      RETURN;
    END IF;
  END IF;
  -- Whose number it was when it was used, so a number that has moved on charges nobody else.
  SELECT "subscription_id" INTO v_subscription_id FROM "number_assignment"
    WHERE "msisdn" = p_msisdn AND "assigned_at" <= v_at AND ("released_at" IS NULL OR "released_at" > v_at) ORDER BY "assigned_at" DESC LIMIT 1;
  IF v_subscription_id IS NOT NULL THEN
    SELECT * INTO line FROM "subscription" WHERE "id" = v_subscription_id FOR UPDATE;
  END IF;
  v_reason := usage_refusal(line, p_kind, p_quantity, v_at, p_rules_off);
  IF v_reason IS NULL AND line."id" IS NOT NULL THEN
    FOR b IN SELECT * FROM "bucket" WHERE "subscription_id" = line."id" AND "kind" = p_kind AND "state" = 'active'
        AND "valid_from" <= v_at AND ("expires_at" IS NULL OR "expires_at" > v_at) AND ("remaining" IS NULL OR "remaining" > 0)
        ORDER BY "expires_at" NULLS LAST, "id" LOOP
      EXIT WHEN v_left = 0;
      v_take := CASE WHEN b."remaining" IS NULL THEN v_left ELSE least(b."remaining", v_left) END;
      UPDATE "bucket" SET "remaining" = "remaining" - v_take, "used" = "used" + v_take, "version" = "version" + 1, "updated_at" = v_now WHERE "id" = b."id";
      v_left := v_left - v_take;
      v_taken := v_taken + v_take;
      v_from := v_from || b."id";
    END LOOP;
  END IF;
  -- Quota that has run out unnoticed (its end has come and nobody has closed it yet): nothing is served from it.
  IF v_reason IS NULL AND v_taken = 0 AND v_at >= line."state_since" AND NOT 'usage.allowance_left' = ANY (p_rules_off) THEN
    v_reason := 'usage.allowance_left';
    v_left := 0;
    PERFORM stop_exhausted(line."id", p_kind, greatest(least(v_at, v_now), line."state_since"), v_cause);
  END IF;
  v_state := CASE WHEN v_reason IS NULL THEN 'rated' ELSE 'rejected' END;
  usage_version := 1;
  usage_document := p_document || jsonb_build_object('id', p_usage_id, 'usageDate', coalesce(p_document ->> 'usageDate', wire_time(v_at)), 'status', v_state);
  IF v_reason IS NOT NULL THEN
    usage_document := usage_document || jsonb_build_object('statusReason', v_reason || ': ' || coalesce(p_sentences::jsonb ->> v_reason, ''));
  ELSE
    usage_document := usage_document || jsonb_build_object('ratedProductUsage', jsonb_build_array(jsonb_build_object(
      'ratingDate', wire_time(v_now), 'usageRatingTag', 'included', 'isBilled', true, 'ratingAmountType', 'Total',
      'productRef', jsonb_build_object('id', line."id", 'href', 'airtime:/tmf-api/productInventory/v4/product/' || line."id", '@referredType', 'Product'),
      'bucket', to_jsonb(v_from),
      'chargedQuantity', jsonb_build_object('amount', round(v_taken::numeric / p_unit_size, 6)::float8, 'units', p_unit),
      'excessQuantity', jsonb_build_object('amount', round(v_left::numeric / p_unit_size, 6)::float8, 'units', p_unit))));
  END IF;
  INSERT INTO "usage" ("id", "state", "document", "version", "source", "record_id", "msisdn", "kind", "subscription_id", "customer_id", "quantity", "charged", "excess", "usage_date", "reason", "created_at", "updated_at")
  VALUES (p_usage_id, v_state, usage_document, 1, p_source, p_record_id, p_msisdn, p_kind, line."id", line."customer_id", p_quantity, v_taken,
    CASE WHEN v_reason IS NULL THEN v_left END, v_at, v_reason, v_now, v_now);
  PERFORM append_event(p_event_id, 'UsageCreateEvent', 'usage', p_usage_id, 1, usage_document, NULL, NULL, line."customer_id", v_now);
  IF v_reason IS NULL AND line."id" IS NOT NULL THEN
    -- The quota ended when it was used, so a record of a later instant is refused even if it arrives in this one.
    PERFORM stop_exhausted(line."id", p_kind, greatest(least(v_at, v_now), line."state_since"), v_cause);
  END IF;
END $$;

-- Claims due steps for a worker. Business time says what is due; machine time says who holds it and for how long.
-- A step whose lease ran out belongs to nobody and is claimed again. Steps that must not meet take the lock of their order or line.
CREATE FUNCTION claim_steps(p_worker text, p_limit int, p_lease interval) RETURNS SETOF "flow_step" LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_now timestamptz;
BEGIN
  v_now := begin_command('flow.claim', jsonb_build_object('audience', 'system', 'id', p_worker, 'name', 'worker'));
  RETURN QUERY
  UPDATE "flow_step" f SET "leased_by" = p_worker, "leased_until" = clock_timestamp() + p_lease, "attempts" = f."attempts" + 1
  WHERE f."id" IN (
    SELECT c."id" FROM "flow_step" c
    WHERE c."state" = 'waiting' AND c."due_at" <= v_now AND c."not_before" <= clock_timestamp()
      AND (c."leased_until" IS NULL OR c."leased_until" < clock_timestamp())
    ORDER BY c."due_at", c."not_before", c."id" LIMIT p_limit FOR UPDATE SKIP LOCKED)
  RETURNING f.*;
END $$;

CREATE FUNCTION extend_lease(p_step text, p_worker text, p_lease interval) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  PERFORM begin_command('flow.heartbeat', jsonb_build_object('audience', 'system', 'id', p_worker, 'name', 'worker'));
  UPDATE "flow_step" SET "leased_until" = clock_timestamp() + p_lease WHERE "id" = p_step AND "leased_by" = p_worker AND "state" = 'waiting';
  RETURN FOUND;
END $$;
