import { z } from 'zod';
import { query, readOne } from './query.ts';
import { arraySql, instant, page, readAt, readAtSql } from './shapes.ts';

// The queries of the two stocks that a line is made from: numbers and eSIM profiles.

const summary = z.array(z.object({ state: z.string(), count: z.number().int() }));

export const numberStock = z.object({
  ...readAt,
  summary,
  items: z.array(
    z.object({
      msisdn: z.string(),
      state: z.string(),
      subscriptionId: z.string().nullable(),
      quarantinedUntil: instant.nullable(),
      changedAt: instant,
    }),
  ),
});
export type NumberStock = z.infer<typeof numberStock>;

export const listNumbers = query({
  name: 'number.list',
  summary: 'Show the stock of numbers, and find some of them',
  audience: ['operator'],
  input: z.strictObject({
    state: z
      .enum(['available', 'reserved', 'assigned', 'quarantined', 'ported out'])
      .optional()
      .describe('Numbers in this state'),
    prefix: z
      .string()
      .regex(/^\d{1,15}$/)
      .optional()
      .describe('Numbers that begin with these digits'),
    limit: page.limit,
  }),
  output: numberStock,
  examples: ['bss number list', 'bss number list --state available --limit 5'],
  view: 'stock',
  run: (database, input) =>
    readOne(
      database,
      numberStock,
      'stock',
      'numbers',
      `SELECT json_build_object(${readAtSql},
        'summary', ${arraySql('SELECT json_build_object(\'state\', "state", \'count\', count(*)) AS item FROM "phone_number" GROUP BY "state" ORDER BY count(*) DESC, "state"')},
        'items', ${arraySql(`SELECT json_build_object('msisdn', "msisdn", 'state', "state", 'subscriptionId', "subscription_id",
            'quarantinedUntil', wire_time("quarantined_until"), 'changedAt', wire_time("changed_at")) AS item
          FROM "phone_number" WHERE ($2::text IS NOT NULL OR $3::text IS NOT NULL) AND ($2::text IS NULL OR "state" = $2) AND ($3::text IS NULL OR starts_with("msisdn", $3))
          ORDER BY "msisdn" LIMIT $1`)}) AS view`,
      [input.limit, input.state ?? null, input.prefix ?? null],
    ),
});

export const esimStock = z.object({
  ...readAt,
  summary,
  items: z.array(
    z.object({
      id: z.string(),
      state: z.string(),
      iccidLastFour: z.string().describe('The last four digits; the whole of it is never shown'),
      subscriptionId: z.string().nullable(),
      changedAt: instant,
    }),
  ),
});
export type EsimStock = z.infer<typeof esimStock>;

export const listEsims = query({
  name: 'esim.list',
  summary: 'Show the stock of eSIM profiles, and find some of them',
  audience: ['operator'],
  input: z.strictObject({
    state: z
      .enum(['available', 'reserved', 'released', 'downloaded', 'installed', 'enabled', 'disabled', 'deleted'])
      .optional()
      .describe('Profiles in this state'),
    subscriptionId: z.string().optional().describe('The profile of this line'),
    limit: page.limit,
  }),
  output: esimStock,
  examples: ['bss esim list', 'bss esim list --state installed'],
  view: 'stock',
  run: (database, input) =>
    readOne(
      database,
      esimStock,
      'stock',
      'esims',
      `SELECT json_build_object(${readAtSql},
        'summary', ${arraySql('SELECT json_build_object(\'state\', "state", \'count\', count(*)) AS item FROM "esim_profile" GROUP BY "state" ORDER BY count(*) DESC, "state"')},
        'items', ${arraySql(`SELECT json_build_object('id', "id", 'state', "state", 'iccidLastFour', right("iccid", 4), 'subscriptionId', "subscription_id",
            'changedAt', wire_time("changed_at")) AS item
          FROM "esim_profile" WHERE ($2::text IS NOT NULL OR $3::text IS NOT NULL) AND ($2::text IS NULL OR "state" = $2) AND ($3::text IS NULL OR "subscription_id" = $3)
          ORDER BY "id" LIMIT $1`)}) AS view`,
      [input.limit, input.state ?? null, input.subscriptionId ?? null],
    ),
});
