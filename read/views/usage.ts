import { z } from 'zod';
import { ownerOf, prepared, query, readOne } from './query.ts';
import { arraySql, instant, page, quantityShape, quantitySql, readAt, readAtSql, timeZoneSql } from './shapes.ts';

const daysMax = 92;

export const usageShape = z.object({
  ...readAt,
  subscriptionId: z.string(),
  customerId: z.string(),
  msisdn: z.string().nullable(),
  totals: z.array(quantityShape).describe('What was charged in these days, by kind'),
  days: z
    .array(z.object({ day: z.string(), charged: z.array(quantityShape) }))
    .describe('Local days, oldest first; a day without usage is empty'),
  items: z.array(
    z.object({
      id: z.string(),
      at: instant.nullable(),
      kind: z.string().nullable(),
      state: z.string().nullable(),
      quantity: quantityShape.nullable(),
      charged: quantityShape.nullable(),
      excess: quantityShape.nullable().describe('What was beyond the quota; never charged'),
      reason: z.string().nullable().describe('The rule that refused it'),
    }),
  ),
});
export type UsageView = z.infer<typeof usageShape>;

const quantity = (column: string) =>
  `CASE WHEN u."kind" IS NULL OR u."${column}" IS NULL THEN NULL ELSE ${quantitySql('u."kind"', `u."${column}"`)} END`;

const local = (instantSql: string) => `(${instantSql} AT TIME ZONE ${timeZoneSql})::date`;

const kindOrder = (kind: string) => `array_position(ARRAY['data', 'voice', 'sms', 'roaming_data'], ${kind})`;

export const listUsage = query({
  name: 'usage.list',
  summary: 'Show what a line has used, by day and by record',
  audience: ['operator', 'customer', 'integrator'],
  input: z.strictObject({
    subscriptionId: z.string().describe('The line'),
    days: z.number().int().min(1).max(daysMax).default(14).describe('How many local days back, today included'),
    limit: page.limit,
  }),
  output: usageShape,
  positional: ['subscriptionId'],
  examples: ['bss usage list sub_…', 'bss usage list sub_… --days 30'],
  view: 'usage-chart',
  run: (database, { subscriptionId, days, limit }, caller) =>
    readOne(
      database,
      usageShape,
      'subscription',
      subscriptionId,
      prepared(`WITH line AS (SELECT * FROM "subscription" WHERE "id" = $1 AND ($2::text IS NULL OR "customer_id" = $2)),
      spent AS (
        SELECT ${local('u."usage_date"')} AS day, u."kind", sum(u."charged")::bigint AS charged
        FROM "usage" u JOIN line ON line."id" = u."subscription_id"
        WHERE u."kind" IS NOT NULL AND u."charged" IS NOT NULL AND u."state" <> 'rejected'
          AND u."usage_date" >= (${local('business_now()')} - ($3::int - 1))::timestamp AT TIME ZONE ${timeZoneSql}
        GROUP BY 1, 2)
      SELECT json_build_object(${readAtSql}, 'subscriptionId', line."id", 'customerId', line."customer_id", 'msisdn', line."msisdn",
        'totals', ${arraySql(`SELECT ${quantitySql('t."kind"', 'sum(t.charged)::bigint')} AS item FROM spent t GROUP BY t."kind" ORDER BY ${kindOrder('t."kind"')}`)},
        'days', ${arraySql(`SELECT json_build_object('day', d.day::date::text,
            'charged', ${arraySql(`SELECT ${quantitySql('t."kind"', 't.charged')} AS item FROM spent t WHERE t.day = d.day::date ORDER BY ${kindOrder('t."kind"')}`)}) AS item
          FROM generate_series((${local('business_now()')} - ($3::int - 1))::timestamp, ${local('business_now()')}::timestamp, interval '1 day') d(day) ORDER BY d.day`)},
        'items', ${arraySql(`SELECT json_build_object('id', u."id", 'at', wire_time(u."usage_date"), 'kind', u."kind", 'state', u."state",
            'quantity', ${quantity('quantity')}, 'charged', ${quantity('charged')}, 'excess', ${quantity('excess')}, 'reason', u."reason") AS item
          FROM "usage" u WHERE u."subscription_id" = line."id" ORDER BY u."usage_date" DESC, u."id" DESC LIMIT $4`)}
      ) AS view FROM line`),
      [subscriptionId, ownerOf(caller), days, limit],
    ),
});
