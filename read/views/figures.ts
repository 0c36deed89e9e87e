import type { Pool } from 'pg';
import { z } from 'zod';
import { readOne } from './query.ts';

const figures = z.object({
  outbox: z.object({
    lagSeconds: z.number().describe('Machine seconds that the oldest event has waited for the relay'),
    queues: z.number().int().describe('Resources of subscribers that have something to be told'),
  }),
  payments: z.record(z.string(), z.number().int()).describe('Payments of the last day of business, by state'),
  databaseBytes: z.number(),
});

export type Figures = z.infer<typeof figures>;

// Asked by every scrape: each part reads an index or a table that is short while all is well. What costs by the number of
// customers (lines by state, say) is not here; `bss health` counts it when a person asks.
const sql = `SELECT json_build_object(
  'outbox', json_build_object(
    'lagSeconds', coalesce((SELECT greatest(0, extract(epoch FROM clock_timestamp() - e."recorded_at"))::float8
      FROM "relay_cursor" c CROSS JOIN LATERAL (SELECT "recorded_at" FROM "event" n
        WHERE (n."transaction_id", n."position") > (c."transaction_id", c."position") AND n."position" > c."floor_position"
        ORDER BY n."transaction_id", n."position" LIMIT 1) e), 0),
    'queues', (SELECT count(*) FROM "delivery_queue")),
  'payments', coalesce((SELECT json_object_agg(p."state", p.n) FROM (SELECT coalesce("state", 'unknown') AS "state", count(*) AS n FROM "payment"
    WHERE "created_at" > business_now() - interval '1 day' GROUP BY 1) p), '{}'::json),
  'databaseBytes', pg_database_size(current_database())) AS view`;

/** What the database alone knows of how the business does, for whoever scrapes: the same from every replica. */
export function readFigures(database: Pool): Promise<Figures> {
  return readOne(database, figures, 'figures', 'now', sql, []);
}
