import { z } from 'zod';
import { command } from '../core/command.ts';

/** How long a window of counting is. What is allowed slides: the window before counts by the part of it that is still within. */
export const rateWindowMs = 60_000;

const delta = z.object({
  subject: z.string().min(1).max(200),
  windowAt: z.date(),
  /** Below zero gives back what was counted and then refused. */
  count: z.int(),
});
export type RateDelta = z.infer<typeof delta>;

export interface RateCounted {
  subject: string;
  windowAt: Date;
  /** Of all processes together. */
  count: number;
  /** In the window before. */
  before: number;
}

/** Adds up what processes have counted, many subjects in one statement, and says what all of them have counted. */
export const countRequests = command({
  name: 'rate.count',
  summary: 'Count requests of callers',
  input: z.object({ deltas: z.array(delta).max(10_000) }),
  audience: ['system'],
  effect: 'write',
  rules: [],
  facts: async () => ({}),
  async apply(tx, _facts, { deltas }): Promise<{ counted: RateCounted[] }> {
    // A count that a crash loses is no loss; waiting for the disk at each would be.
    await tx.sql`SET LOCAL synchronous_commit = off`;
    const counted = await tx.sql<RateCounted>`WITH given AS (
        SELECT i."subject", i."windowAt", sum(i."count")::int AS "count" FROM jsonb_to_recordset(${JSON.stringify(deltas)}::jsonb) AS i("subject" text, "windowAt" timestamptz, "count" int)
        GROUP BY i."subject", i."windowAt" ORDER BY i."subject", i."windowAt"),
      added AS (INSERT INTO "rate_count" AS r ("subject", "window_at", "count")
        SELECT "subject", "windowAt", "count" FROM given
        ON CONFLICT ("subject", "window_at") DO UPDATE SET "count" = r."count" + excluded."count"
        RETURNING "subject", "window_at", "count")
      SELECT a."subject", a."window_at", greatest(0, a."count") AS "count",
        coalesce((SELECT greatest(0, p."count") FROM "rate_count" p WHERE p."subject" = a."subject" AND p."window_at" = a."window_at" - make_interval(secs => ${rateWindowMs / 1000})), 0) AS before
      FROM added a`;
    return { counted };
  },
});

/** Forgets windows that no longer count. */
export const forgetRates = command({
  name: 'rate.forget',
  summary: 'Forget counts of requests that no longer matter',
  input: z.object({ limit: z.int().min(1).max(100_000).default(10_000) }),
  audience: ['system'],
  effect: 'write',
  rules: [],
  facts: async () => ({}),
  async apply(tx, _facts, input) {
    const gone = await tx.sql`DELETE FROM "rate_count" WHERE ctid IN (
      SELECT ctid FROM "rate_count" WHERE "window_at" < clock_timestamp() - interval '10 minutes'
      ORDER BY "window_at" LIMIT ${input.limit} FOR UPDATE SKIP LOCKED) RETURNING "subject"`;
    return { forgotten: gone.length };
  },
});
