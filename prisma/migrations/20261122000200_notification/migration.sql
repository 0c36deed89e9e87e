-- Notifications: a relay turns events into deliveries, workers carry them out, in order for each resource of each hub.

-- Which transactions had committed when the hub was registered: their events are not its affair.
ALTER TABLE "hub" ADD COLUMN "registered_snapshot" TEXT DEFAULT (pg_current_snapshot())::text,
  ADD COLUMN "failures" INTEGER NOT NULL DEFAULT 0,
  ADD COLUMN "paused_until" TIMESTAMPTZ(3),
  ADD COLUMN "parked_at" TIMESTAMPTZ(3),
  ADD COLUMN "last_error" TEXT;

-- CreateTable
CREATE TABLE "relay_cursor" (
    "id" INTEGER NOT NULL DEFAULT 1,
    "transaction_id" BIGINT NOT NULL,
    "position" BIGINT NOT NULL,
    "floor_position" BIGINT NOT NULL DEFAULT 0,

    CONSTRAINT "relay_cursor_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "held_event" (
    "position" BIGINT NOT NULL,

    CONSTRAINT "held_event_pkey" PRIMARY KEY ("position")
);

-- CreateTable
CREATE TABLE "delivery_queue" (
    "hub_id" TEXT NOT NULL,
    "resource_type" TEXT NOT NULL,
    "resource_id" TEXT NOT NULL,
    "attempts" INTEGER NOT NULL DEFAULT 0,
    "not_before" TIMESTAMPTZ(3) NOT NULL,
    "leased_by" TEXT,
    "leased_until" TIMESTAMPTZ(3),
    "parked_at" TIMESTAMPTZ(3),
    "last_error" TEXT,

    CONSTRAINT "delivery_queue_pkey" PRIMARY KEY ("hub_id","resource_type","resource_id")
);

-- CreateTable
CREATE TABLE "delivery" (
    "hub_id" TEXT NOT NULL,
    "resource_type" TEXT NOT NULL,
    "resource_id" TEXT NOT NULL,
    "resource_sequence" BIGINT NOT NULL,
    "position" BIGINT NOT NULL,
    "repeats" INTEGER NOT NULL DEFAULT 0,

    CONSTRAINT "delivery_pkey" PRIMARY KEY ("hub_id","resource_type","resource_id","resource_sequence","position")
);

-- CreateTable
CREATE TABLE "event_replay" (
    "id" TEXT NOT NULL,
    "hub_id" TEXT NOT NULL,
    "from_at" TIMESTAMPTZ(3) NOT NULL,
    "to_at" TIMESTAMPTZ(3) NOT NULL,
    "after_position" BIGINT NOT NULL DEFAULT 0,
    "to_position" BIGINT NOT NULL,

    CONSTRAINT "event_replay_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE INDEX "event_replay_hub_id_idx" ON "event_replay"("hub_id");

ALTER TABLE "relay_cursor" ADD CONSTRAINT "relay_cursor_one_row" CHECK ("id" = 1);
CREATE INDEX "delivery_queue_due" ON "delivery_queue" ("hub_id", "not_before") WHERE "parked_at" IS NULL;
CREATE INDEX "delivery_queue_parked" ON "delivery_queue" ("hub_id", "parked_at") WHERE "parked_at" IS NOT NULL;

-- Nobody was told of anything before this migration, and nobody is owed it.
INSERT INTO "relay_cursor" ("transaction_id", "position") VALUES ((pg_snapshot_xmin(pg_current_snapshot()))::text::bigint - 1, 9223372036854775807);

DO $$
DECLARE t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['relay_cursor', 'held_event', 'delivery_queue', 'delivery', 'event_replay']
  LOOP PERFORM guard_table(t); END LOOP;
END $$;

-- These tables are now empty and now full, faster than statistics follow, and a plan is kept for as long as a connection:
-- the functions below name the plan that is right for either, the indexes.

-- Claims what is due for each hub that is not paused or parked, and answers the first events of each queue, in order.
-- A queue is one resource of one hub: it is leased whole, so its events go out one after another. `p_hubs` and `p_counts`
-- say how many queues of each hub the worker has in hand. A hub that failed is tried with one queue only.
-- Of one queue at most eight events and about 64 KB are answered.
CREATE FUNCTION claim_deliveries(p_worker text, p_limit int, p_hub_limit int, p_hubs text[], p_counts int[], p_lease interval)
RETURNS TABLE ("hub_id" text, "api" text, "callback" text, "hub_failures" int, "resource_type" text, "resource_id" text, "attempts" int, "events" json)
LANGUAGE plpgsql VOLATILE SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off AS $$
#variable_conflict use_column
BEGIN
  PERFORM begin_command('notification.claim', jsonb_build_object('audience', 'system', 'id', p_worker, 'name', 'deliveries')),
    set_config('synchronous_commit', 'off', true);
  RETURN QUERY
  WITH room AS MATERIALIZED (
    SELECT h."id", h."api", h."callback", h."failures", CASE WHEN h."failures" > 0 THEN 1 ELSE p_hub_limit END - coalesce(b."count", 0) AS "free"
    FROM "hub" h LEFT JOIN unnest(p_hubs, p_counts) AS b("hub_id", "count") ON b."hub_id" = h."id"
    WHERE h."parked_at" IS NULL AND (h."paused_until" IS NULL OR h."paused_until" <= clock_timestamp())
    ORDER BY random()
  ), due AS MATERIALIZED (
    SELECT q.* FROM room r CROSS JOIN LATERAL (
      SELECT w."hub_id", w."resource_type", w."resource_id" FROM "delivery_queue" w
      WHERE w."hub_id" = r."id" AND w."parked_at" IS NULL AND w."not_before" <= clock_timestamp()
        AND (w."leased_until" IS NULL OR w."leased_until" < clock_timestamp())
      ORDER BY w."not_before" LIMIT greatest(r."free", 0) FOR UPDATE SKIP LOCKED) q
    LIMIT p_limit
  ), claimed AS (
    UPDATE "delivery_queue" q SET "leased_by" = p_worker, "leased_until" = clock_timestamp() + p_lease
    FROM due WHERE q."hub_id" = due."hub_id" AND q."resource_type" = due."resource_type" AND q."resource_id" = due."resource_id"
    RETURNING q.*)
  SELECT c."hub_id", r."api", r."callback", r."failures", c."resource_type", c."resource_id", c."attempts", (
    SELECT json_agg(json_build_object('position', f."position", 'sequence', f."resource_sequence", 'repeats', f."repeats", 'id', f."id", 'type', f."type",
        'occurredAt', wire_time(f."occurred_at"), 'requestId', f."caller" ->> 'requestId', 'changed', f."change" -> 'changed', 'resource', f."resource")
        ORDER BY f."resource_sequence", f."position")
    FROM (
      SELECT d."position", d."resource_sequence", d."repeats", e."id", e."type", e."occurred_at", e."caller", e."change", e."resource",
        sum(pg_column_size(e."resource")) OVER (ORDER BY d."resource_sequence", d."position" ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
      FROM (SELECT * FROM "delivery" w WHERE w."hub_id" = c."hub_id" AND w."resource_type" = c."resource_type" AND w."resource_id" = c."resource_id"
        ORDER BY w."resource_sequence", w."position" LIMIT 8) d JOIN "event" e ON e."position" = d."position") f
    WHERE coalesce(f.before, 0) < 65536)
  FROM claimed c JOIN room r ON r."id" = c."hub_id";
END $$;

-- Keeps a queue in hand before its next event is sent. False when it is no longer this worker's, the hub was unregistered,
-- or an earlier event came in meanwhile (a replay): then nothing more of it may be sent.
CREATE FUNCTION keep_delivery_queue(p_worker text, p_hub_id text, p_resource_type text, p_resource_id text, p_lease interval,
  p_sequence bigint, p_position bigint, p_sent bigint[]) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_until timestamptz;
BEGIN
  SELECT "leased_until" INTO v_until FROM "delivery_queue"
    WHERE "hub_id" = p_hub_id AND "resource_type" = p_resource_type AND "resource_id" = p_resource_id
      AND "leased_by" = p_worker AND "leased_until" > clock_timestamp();
  IF NOT FOUND THEN RETURN false; END IF;
  IF v_until < clock_timestamp() + p_lease / 2 THEN
    PERFORM begin_command('notification.keep', jsonb_build_object('audience', 'system', 'id', p_worker, 'name', 'deliveries')),
      set_config('synchronous_commit', 'off', true);
    UPDATE "delivery_queue" SET "leased_until" = clock_timestamp() + p_lease
      WHERE "hub_id" = p_hub_id AND "resource_type" = p_resource_type AND "resource_id" = p_resource_id
        AND "leased_by" = p_worker AND "leased_until" > clock_timestamp();
    IF NOT FOUND THEN RETURN false; END IF;
  END IF;
  RETURN NOT EXISTS (SELECT 1 FROM "delivery" d
    WHERE d."hub_id" = p_hub_id AND d."resource_type" = p_resource_type AND d."resource_id" = p_resource_id
      AND (d."resource_sequence", d."position") < (p_sequence, p_position) AND d."position" <> ALL (p_sent));
END $$;

-- Records what became of claimed queues. Each result: hubId, resourceType, resourceId; sent, an array of [position, repeats]
-- that arrived; failure, `event` when the subscriber refused one, `hub` when nobody was there, else null; error; attempts,
-- how often the first unsent event was refused by now; pauseMs; recovered, when a hub that had failed answered again.
-- Locks are taken in one order, hubs before queues, as the relay and the commands take them.
CREATE FUNCTION finish_deliveries(p_worker text, p_results jsonb, p_attempts_max int) RETURNS void LANGUAGE plpgsql VOLATILE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off AS $$
BEGIN
  PERFORM begin_command('notification.finish', jsonb_build_object('audience', 'system', 'id', p_worker, 'name', 'deliveries')),
    set_config('synchronous_commit', 'off', true);
  PERFORM 1 FROM "hub" WHERE "id" IN (SELECT r ->> 'hubId' FROM jsonb_array_elements(p_results) r WHERE r ->> 'failure' = 'hub' OR (r ->> 'recovered')::boolean)
    ORDER BY "id" FOR NO KEY UPDATE;
  PERFORM 1 FROM jsonb_to_recordset(p_results) AS r("hubId" text, "resourceType" text, "resourceId" text)
    JOIN "delivery_queue" q ON q."hub_id" = r."hubId" AND q."resource_type" = r."resourceType" AND q."resource_id" = r."resourceId"
    ORDER BY q."hub_id", q."resource_type", q."resource_id" FOR UPDATE OF q;
  -- What was asked for again while it was on its way stays.
  DELETE FROM "delivery" d USING jsonb_to_recordset(p_results) AS r("hubId" text, "resourceType" text, "resourceId" text, "sent" jsonb), jsonb_array_elements(r."sent") s
    WHERE d."hub_id" = r."hubId" AND d."resource_type" = r."resourceType" AND d."resource_id" = r."resourceId"
      AND d."position" = (s ->> 0)::bigint AND d."repeats" = (s ->> 1)::int;
  UPDATE "delivery_queue" q SET "leased_by" = NULL, "leased_until" = NULL, "last_error" = r."error",
      "attempts" = CASE WHEN r."failure" = 'event' THEN r."attempts" WHEN jsonb_array_length(r."sent") > 0 THEN 0 ELSE q."attempts" END,
      "not_before" = CASE WHEN r."failure" = 'event' THEN clock_timestamp() + make_interval(secs => r."pauseMs" / 1000) ELSE q."not_before" END,
      "parked_at" = CASE WHEN r."failure" = 'event' AND r."attempts" >= p_attempts_max THEN clock_timestamp() END
    FROM jsonb_to_recordset(p_results) AS r("hubId" text, "resourceType" text, "resourceId" text, "sent" jsonb, "failure" text, "error" text,
      "attempts" int, "pauseMs" float8)
    WHERE q."hub_id" = r."hubId" AND q."resource_type" = r."resourceType" AND q."resource_id" = r."resourceId" AND q."leased_by" = p_worker;
  DELETE FROM "delivery_queue" q USING jsonb_to_recordset(p_results) AS r("hubId" text, "resourceType" text, "resourceId" text)
    WHERE q."hub_id" = r."hubId" AND q."resource_type" = r."resourceType" AND q."resource_id" = r."resourceId"
      AND NOT EXISTS (SELECT 1 FROM "delivery" d WHERE d."hub_id" = q."hub_id" AND d."resource_type" = q."resource_type" AND d."resource_id" = q."resource_id");
  UPDATE "hub" h SET "failures" = 0, "paused_until" = NULL, "last_error" = NULL
    WHERE h."failures" > 0 AND h."id" IN (SELECT r ->> 'hubId' FROM jsonb_array_elements(p_results) r WHERE (r ->> 'recovered')::boolean);
  -- Several sendings fail together when a subscriber goes away: that is one failure.
  UPDATE "hub" h SET "failures" = h."failures" + 1, "last_error" = r."error",
      "paused_until" = clock_timestamp() + make_interval(secs => r."pauseMs" / 1000),
      "parked_at" = CASE WHEN h."failures" + 1 >= p_attempts_max THEN clock_timestamp() END
    FROM (SELECT DISTINCT ON (x."hubId") * FROM jsonb_to_recordset(p_results) AS x("hubId" text, "failure" text, "error" text, "pauseMs" float8)
      WHERE x."failure" = 'hub' ORDER BY x."hubId") r
    WHERE h."id" = r."hubId" AND h."parked_at" IS NULL AND (h."paused_until" IS NULL OR h."paused_until" <= clock_timestamp());
END $$;
