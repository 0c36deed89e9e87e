import { z } from 'zod';
import { query, readOne } from './query.ts';
import { arraySql, instant, page, readAt, readAtSql } from './shapes.ts';

const quarantineList = z.object({
  ...readAt,
  total: z.number().int().describe('How many wait; the list may show fewer'),
  reasons: z.array(
    z.object({ reason: z.string(), count: z.number().int(), since: instant.describe('Since when the first waits') }),
  ),
  items: z.array(
    z.object({
      id: z.string(),
      reason: z.string(),
      message: z.string().nullable(),
      msisdn: z.string().nullable(),
      usageDate: instant.nullable(),
      source: z.string().nullable(),
      recordId: z.string().nullable(),
      quarantinedAt: instant,
    }),
  ),
});
export type QuarantineList = z.infer<typeof quarantineList>;

export const listQuarantine = query({
  name: 'usage.quarantine',
  summary: 'List usage that could not be placed, and why',
  audience: ['operator', 'integrator'],
  input: z.strictObject({
    reason: z.string().optional().describe('Only what waits for this reason'),
    limit: page.limit,
  }),
  output: quarantineList,
  examples: ['bss usage quarantine', 'bss usage quarantine --reason usage.number_known'],
  run: (database, input) =>
    readOne(
      database,
      quarantineList,
      'usage',
      'any',
      `WITH waiting AS (SELECT * FROM "usage" WHERE "quarantined_at" IS NOT NULL AND ($2::text IS NULL OR "reason" = $2))
      SELECT json_build_object(${readAtSql}, 'total', (SELECT count(*) FROM waiting),
        'reasons', ${arraySql(`SELECT json_build_object('reason', w."reason", 'count', count(*), 'since', wire_time(min(w."quarantined_at"))) AS item
          FROM waiting w GROUP BY w."reason" ORDER BY w."reason"`)},
        'items', ${arraySql(`SELECT json_build_object('id', w."id", 'reason', w."reason",
            'message', CASE WHEN w."reason" = 'usage.readable' THEN w."document" ->> 'description' ELSE w."document" ->> 'statusReason' END,
            'msisdn', w."msisdn", 'usageDate', wire_time(w."usage_date"), 'source', w."source", 'recordId', w."record_id",
            'quarantinedAt', wire_time(w."quarantined_at")) AS item
          FROM waiting w ORDER BY w."id" LIMIT $1`)}) AS view`,
      [input.limit, input.reason ?? null],
    ),
});
