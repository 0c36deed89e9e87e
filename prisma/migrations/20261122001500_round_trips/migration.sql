-- What happens to one line is several transactions of many small statements; a third of the time of a renewal went into
-- asking for things one by one.

-- Names the command of a flow step and takes hold of the step in the same call: `held` is false when another worker has
-- taken it over. With `p_ends` the step is done with whatever this transaction writes.
CREATE FUNCTION begin_step(p_command text, p_caller jsonb, p_step text, p_worker text, p_ends boolean, OUT at timestamptz, OUT held boolean)
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  at := begin_command(p_command, p_caller);
  IF p_ends THEN
    UPDATE "flow_step" SET "state" = 'done', "finished_at" = clock_timestamp(), "last_error" = NULL
      WHERE "id" = p_step AND "leased_by" = p_worker AND "state" = 'waiting';
  ELSE
    PERFORM FROM "flow_step" WHERE "id" = p_step AND "leased_by" = p_worker AND "state" = 'waiting' FOR UPDATE;
  END IF;
  held := FOUND;
END $$;

-- The events of a transaction, in the order in which they were appended.
CREATE FUNCTION append_events(p_events json, p_cause jsonb) RETURNS void LANGUAGE sql VOLATILE AS $$
  INSERT INTO "event" ("id", "type", "resource_type", "resource_id", "resource_sequence", "resource", "change", "command", "caller", "cause", "customer_id", "occurred_at", "recorded_at")
  SELECT e."id", e."type", e."resource_type", e."resource_id", e."resource_sequence", e."resource", e."change", current_setting('airtime.command'),
    current_setting('airtime.caller')::jsonb, p_cause, e."customer_id", e."occurred_at", clock_timestamp()
  FROM ROWS FROM (json_to_recordset(p_events) AS ("id" text, "type" text, "resource_type" text, "resource_id" text, "resource_sequence" bigint,
    "resource" jsonb, "change" jsonb, "customer_id" text, "occurred_at" timestamptz)) WITH ORDINALITY e
  ORDER BY e.ordinality
$$;

-- Steps are claimed in the order of this index. Without the id those of one instant, thousands at a boundary, were sorted
-- anew for each claim.
DROP INDEX "flow_step_due";
CREATE INDEX "flow_step_due" ON "flow_step" ("due_at", "not_before", "id") WHERE "state" = 'waiting';

-- A plan is made once for a connection, often while the tables are small, and kept: planned early, each claim of eight sorted
-- every step that was due. It has an index to follow, and nothing else is ever better.
-- Steps of one flow alone may be claimed, or of all but one: what waits for a slow mail server has a lane of its own.
DROP FUNCTION claim_steps(text, int, interval);
CREATE FUNCTION claim_steps(p_worker text, p_limit int, p_lease interval, p_only text DEFAULT NULL, p_except text DEFAULT NULL) RETURNS SETOF "flow_step"
LANGUAGE plpgsql VOLATILE SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
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
      AND (p_only IS NULL OR c."flow" = p_only) AND (p_except IS NULL OR c."flow" <> p_except)
    ORDER BY c."due_at", c."not_before", c."id" LIMIT p_limit FOR UPDATE SKIP LOCKED)
  RETURNING f.*;
END $$;

-- Work that was given up after so many tries and waits for an operator.
CREATE INDEX "flow_step_parked" ON "flow_step" ("id") WHERE "state" = 'parked';
