import type { Pool } from 'pg';
import { z } from 'zod';
import { eventShape, eventSql } from './event.ts';
import { readMachinery } from './health.ts';
import { query, readOne } from './query.ts';
import {
  arraySql,
  moneyShape,
  moneySql,
  quantityShape,
  quantitySql,
  readAt,
  readAtSql,
  timeZoneSql,
} from './shapes.ts';

const takings = z.object({ count: z.number().int(), amount: moneyShape.nullable() });

const dayFacts = z.object({
  ...readAt,
  day: z.string().describe('The local day, YYYY-MM-DD'),
  customers: z.object({ total: z.number().int(), today: z.number().int() }),
  lines: z.object({
    pending: z.number().int(),
    active: z.number().int(),
    blocked: z.number().int(),
    unpaid: z.number().int().describe('Of the blocked: for want of a renewal'),
    terminated: z.number().int(),
  }),
  orders: z.object({
    open: z.number().int(),
    completed: z.number().int(),
    failed: z.number().int(),
    rejected: z.number().int(),
  }),
  money: z
    .object({
      orders: takings.describe('Plans and add-ons that were ordered'),
      renewals: takings,
      refunded: takings,
      declined: z.number().int().describe('Charges that the card’s bank declined'),
    })
    .describe('Today, by business time'),
  usage: z.object({
    records: z.number().int(),
    rejected: z.number().int(),
    data: quantityShape,
    hours: z
      .array(z.object({ data: z.number(), records: z.number().int() }))
      .describe('Twenty-four local hours: bytes that were charged, and records'),
  }),
  recent: z.array(eventShape).describe('What was recorded last, newest first; usage, its quota and the clock left out'),
});

const alarm = z.object({ code: z.string(), sentence: z.string(), command: z.string() });

export const dashboardShape = dayFacts.extend({
  work: z.object({ due: z.number().int(), retrying: z.number().int(), networkPending: z.number().int() }),
  alarms: z.array(alarm),
});
export type DashboardView = z.infer<typeof dashboardShape>;

const today = `(date_trunc('day', business_now() AT TIME ZONE ${timeZoneSql}) AT TIME ZONE ${timeZoneSql})`;
const taken = (filter: string) => `json_build_object('count', count(*) FILTER (WHERE ${filter}),
  'amount', ${moneySql(`sum("amount_minor") FILTER (WHERE ${filter})`, 'max("currency")')})`;

export const showDashboard = query({
  name: 'dashboard.show',
  summary: 'Show the day’s business at a glance',
  audience: ['operator'],
  input: z.strictObject({
    recent: z.number().int().min(0).max(100).default(10).describe('How many of the latest events'),
  }),
  output: dashboardShape,
  examples: ['bss top', 'bss dashboard --watch'],
  view: 'dashboard',
  run: (database, { recent }) => keptOrRead(database, recent),
});

async function readDashboard(database: Pool, recent: number): Promise<DashboardView> {
  const facts = await readOne(
    database,
    dayFacts,
    'dashboard',
    'today',
    `WITH day AS (SELECT ${today} AS begins),
      hourly AS (
        SELECT extract(hour FROM u."usage_date" AT TIME ZONE ${timeZoneSql})::int AS hour, count(*) AS records,
          count(*) FILTER (WHERE u."state" = 'rejected') AS rejected, coalesce(sum(u."charged") FILTER (WHERE u."kind" = 'data' AND u."state" <> 'rejected'), 0)::bigint AS data
        FROM "usage" u, day WHERE u."usage_date" >= day.begins AND u."usage_date" < day.begins + interval '25 hours' GROUP BY 1)
      SELECT json_build_object(${readAtSql}, 'day', to_char(business_now() AT TIME ZONE ${timeZoneSql}, 'YYYY-MM-DD'),
        'customers', json_build_object('total', (SELECT count(*) FROM "customer"), 'today', (SELECT count(*) FROM "customer", day WHERE "created_at" >= day.begins)),
        'lines', (SELECT json_build_object('pending', count(*) FILTER (WHERE "state" = 'pending'), 'active', count(*) FILTER (WHERE "state" = 'active'),
          'blocked', count(*) FILTER (WHERE "state" = 'blocked'), 'unpaid', count(*) FILTER (WHERE "state" = 'blocked' AND 'unpaid' = ANY ("block_reasons")),
          'terminated', count(*) FILTER (WHERE "state" = 'terminated')) FROM "subscription"),
        'orders', (SELECT json_build_object('open', count(*) FILTER (WHERE "state" IN ('acknowledged', 'pending', 'held', 'inProgress')),
          'completed', count(*) FILTER (WHERE "state" = 'completed'), 'failed', count(*) FILTER (WHERE "state" IN ('failed', 'partial')),
          'rejected', count(*) FILTER (WHERE "state" = 'rejected')) FROM "product_order", day WHERE "created_at" >= day.begins),
        'money', (SELECT json_build_object('orders', ${taken(`"captured_at" >= day.begins AND "purpose" IS DISTINCT FROM 'renewal'`)},
            'renewals', ${taken(`"captured_at" >= day.begins AND "purpose" = 'renewal'`)},
            'refunded', (SELECT json_build_object('count', count(*), 'amount', ${moneySql('sum(r."amount_minor")', 'max(r."currency")')})
              FROM "refund" r, day WHERE r."state" = 'done' AND r."created_at" >= day.begins),
            'declined', count(*) FILTER (WHERE "state" = 'denied' AND "payment"."created_at" >= day.begins AND "gateway_reference" IS NOT NULL))
          FROM "payment", day WHERE "created_at" >= day.begins - interval '7 days'),
        'usage', (SELECT json_build_object('records', coalesce(sum(records), 0), 'rejected', coalesce(sum(rejected), 0),
            'data', ${quantitySql(`'data'`, 'coalesce(sum(data), 0)::bigint')},
            'hours', ${arraySql(`SELECT json_build_object('data', coalesce(h.data, 0), 'records', coalesce(h.records, 0)) AS item
              FROM generate_series(0, 23) AS g(hour) LEFT JOIN hourly h USING (hour) ORDER BY g.hour`)}) FROM hourly),
        'recent', ${arraySql(`SELECT ${eventSql} AS item FROM (SELECT * FROM "event" WHERE "resource_type" NOT IN ('usage', 'bucket', 'step', 'clock')
          ORDER BY "position" DESC LIMIT $1) e ORDER BY e."position" DESC`)}) AS view`,
    [recent],
  );
  const { steps, network, alarms } = await readMachinery(database);
  return {
    ...facts,
    work: { due: steps.due, retrying: steps.retrying, networkPending: network.pending },
    alarms,
  };
}

/** So old may a day's figures be before they are read anew, in milliseconds; and so many times what reading them takes. */
const ageMsMin = 1000;
const ageByCost = 10;

interface Kept {
  view: DashboardView | undefined;
  readAtMs: number;
  ageMsMax: number;
  underWay: Promise<DashboardView> | undefined;
}

const kept = new WeakMap<Pool, Map<number, Kept>>();

/**
 * Counting a day takes the longer the more was done in it, so many who look share one look: figures that are a second old,
 * or ten times as old as it takes to read them, are read anew while they are given out a last time. `readAt` says of when
 * they are.
 */
async function keptOrRead(database: Pool, recent: number): Promise<DashboardView> {
  const byRecent = kept.get(database) ?? new Map<number, Kept>();
  kept.set(database, byRecent);
  const one: Kept = byRecent.get(recent) ?? { view: undefined, readAtMs: 0, ageMsMax: 0, underWay: undefined };
  byRecent.set(recent, one);
  const age = performance.now() - one.readAtMs;
  if (one.view && age < one.ageMsMax) return one.view;
  one.underWay ??= read(database, recent, one);
  if (!one.view || age >= 2 * one.ageMsMax) return one.underWay;
  // Whoever waits for it is told when it fails; the next who looks tries again.
  one.underWay.catch(() => undefined);
  return one.view;
}

async function read(database: Pool, recent: number, one: Kept): Promise<DashboardView> {
  const began = performance.now();
  try {
    one.view = await readDashboard(database, recent);
    one.readAtMs = began;
    one.ageMsMax = Math.max(ageMsMin, (performance.now() - began) * ageByCost);
    return one.view;
  } finally {
    one.underWay = undefined;
  }
}
