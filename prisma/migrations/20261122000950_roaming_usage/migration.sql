-- Data abroad is judged by the line's roaming switch as well, as it stood at the usage date.

-- The reason a usage record is kept as rejected, as a rule's code; null when it can be charged.
-- Judged by the line as it was at the usage date. `p_rules_off` serves the test that switches each rule off.
-- `p_oldest` is where the retention begins: what is older may have been counted and forgotten.
CREATE OR REPLACE FUNCTION usage_refusal(line "subscription", p_kind text, p_quantity bigint, p_usage_date timestamptz, p_now timestamptz, p_oldest timestamptz,
  p_rules_off text[]) RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE
  v_state text;
  v_stopped text[];
  v_roams boolean;
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
  IF p_kind = 'roaming_data' AND NOT 'usage.roaming_on' = ANY (p_rules_off) THEN
    SELECT "is_enabled" INTO v_roams FROM "roaming_switch" WHERE "subscription_id" = line."id" AND "from_at" <= p_usage_date ORDER BY "from_at" DESC, "position" DESC LIMIT 1;
    IF NOT coalesce(v_roams, true) THEN RETURN 'usage.roaming_on'; END IF;
  END IF;
  IF p_kind = ANY (v_stopped) AND NOT 'usage.allowance_left' = ANY (p_rules_off) THEN RETURN 'usage.allowance_left'; END IF;
  RETURN NULL;
END $$;
