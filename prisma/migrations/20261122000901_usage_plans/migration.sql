-- One record is charged as often as hundreds together, and the plans of its statements are the same: made once a
-- session. For a short list of lines the planner would else make them anew at every call, which costs as much again as
-- the call itself.
ALTER FUNCTION record_usage_batch SET plan_cache_mode = force_generic_plan;
