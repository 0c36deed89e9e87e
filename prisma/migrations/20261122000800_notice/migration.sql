-- What customers are told of comes from where it happens, in the same transaction, whatever function made the change.
-- The conditions are judged before anything is called, so charging pays for them only where there is news.

CREATE FUNCTION tell_customer(p_kind text, p_subject text, p_fact text, p_input jsonb) RETURNS void LANGUAGE sql VOLATILE AS $$
  INSERT INTO "flow_step" ("id", "key", "flow", "subject", "step", "state", "due_at", "not_before", "caller", "input", "created_at")
  VALUES (new_id('stp'), 'notice:' || p_kind || ':' || p_subject || p_fact, 'notice', p_subject, p_kind, 'waiting', business_now(), clock_timestamp(),
    current_setting('airtime.caller')::jsonb, p_input, clock_timestamp())
  ON CONFLICT ("key") DO NOTHING
$$;

-- Once per bucket, when four fifths of it are used and something is left. One record that empties it says so itself.
CREATE FUNCTION bucket_runs_low() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM tell_customer('quota_low', NEW."id", '', '{}');
  RETURN NULL;
END $$;
CREATE TRIGGER bucket_runs_low AFTER UPDATE OF "used" ON "bucket" FOR EACH ROW
  WHEN (NEW."remaining" > 0 AND NEW."used" * 5 >= NEW."granted" * 4 AND OLD."used" * 5 < OLD."granted" * 4)
  EXECUTE FUNCTION bucket_runs_low();

-- Once for each time that a service stops for want of quota: data stops the line, the others stop alone.
CREATE FUNCTION line_is_stopped() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  v_kind text;
BEGIN
  IF 'exhausted' = ANY (NEW."block_reasons") AND NOT 'exhausted' = ANY (OLD."block_reasons") THEN
    PERFORM tell_customer('exhausted', NEW."id", ':data:' || NEW."version", jsonb_build_object('kind', 'data'));
  END IF;
  FOREACH v_kind IN ARRAY NEW."stopped_kinds" LOOP
    CONTINUE WHEN v_kind = ANY (OLD."stopped_kinds");
    PERFORM tell_customer('exhausted', NEW."id", ':' || v_kind || ':' || NEW."version", jsonb_build_object('kind', v_kind));
  END LOOP;
  RETURN NULL;
END $$;
CREATE TRIGGER line_is_stopped AFTER UPDATE OF "block_reasons", "stopped_kinds" ON "subscription" FOR EACH ROW
  WHEN (NEW."state" IN ('active', 'blocked') AND (NEW."block_reasons" <> OLD."block_reasons" OR NEW."stopped_kinds" <> OLD."stopped_kinds"))
  EXECUTE FUNCTION line_is_stopped();
