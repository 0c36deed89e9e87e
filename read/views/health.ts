import type { Pool } from 'pg';
import { z } from 'zod';
import { query, readOne } from './query.ts';
import { instant, readAt, readAtSql, stockLowSql } from './shapes.ts';

const networkLagSecondsMax = 60;
const stepLagSecondsMax = 60;

const machineryFacts = z.object({
  steps: z.object({
    due: z.number().int(),
    retrying: z.number().int(),
    // Servers before this one did not tell.
    parked: z.number().int().optional().describe('Given up after many tries, until an operator has them tried again'),
    oldestDueSeconds: z.number().describe('Machine seconds that the oldest due step has waited'),
  }),
  network: z.object({ pending: z.number().int(), oldestSeconds: z.number() }),
  notifications: z.object({ parkedHubs: z.number().int(), parkedResources: z.number().int() }),
  stock: z.object({
    numbers: z.number().int(),
    esims: z.number().int(),
    low: z.number().int().describe('Fewer than so many of either raise an alarm: the setting stockLow'),
  }),
});

const healthFacts = machineryFacts.extend({
  ...readAt,
  clock: z.enum(['wall', 'frozen']),
  customers: z.number().int(),
  lines: z.object({
    pending: z.number().int(),
    active: z.number().int(),
    blocked: z.number().int(),
    terminated: z.number().int(),
  }),
  orders: z.object({ open: z.number().int(), failedLastDay: z.number().int() }),
  lastEventAt: instant.nullable(),
  databaseBytes: z.number(),
});

const alarm = z.object({ code: z.string(), sentence: z.string(), command: z.string().describe('What to type next') });

export const healthShape = healthFacts.extend({ alarms: z.array(alarm) });
export type HealthView = z.infer<typeof healthShape>;

/** What of these facts a person should act on. */
export function alarmsOf(facts: z.infer<typeof machineryFacts>): z.infer<typeof alarm>[] {
  const { steps, network, notifications, stock } = facts;
  const parked = steps.parked ?? 0;
  const alarms: (z.infer<typeof alarm> | undefined)[] = [
    stock.numbers < stock.low
      ? {
          code: 'number.stock_low',
          sentence: `Only ${stock.numbers} numbers are left to sell.`,
          command: 'bss number load <first> <count>',
        }
      : undefined,
    stock.esims < stock.low
      ? {
          code: 'esim.stock_low',
          sentence: `Only ${stock.esims} eSIM profiles are left to sell.`,
          command: 'bss esim load --profiles @batch.json',
        }
      : undefined,
    steps.oldestDueSeconds > stepLagSecondsMax
      ? {
          code: 'flow.late',
          sentence: `Work has waited ${steps.oldestDueSeconds} s: no worker takes it.`,
          command: 'bss flow list --condition due',
        }
      : undefined,
    steps.retrying > 0
      ? {
          code: 'flow.retrying',
          sentence: `${steps.retrying === 1 ? 'A step' : `${steps.retrying} steps`} failed and will be tried again.`,
          command: 'bss flow list --condition retrying',
        }
      : undefined,
    parked > 0
      ? {
          code: 'flow.parked',
          sentence: `${parked === 1 ? 'A step was' : `${parked} steps were`} given up after many tries.`,
          command: 'bss flow list --condition parked',
        }
      : undefined,
    network.oldestSeconds > networkLagSecondsMax
      ? {
          code: 'network.late',
          sentence: `The network has not confirmed ${network.pending === 1 ? 'a task' : `${network.pending} tasks, the oldest`} for ${network.oldestSeconds} s.`,
          command: 'bss flow list --flow network',
        }
      : undefined,
    notifications.parkedHubs + notifications.parkedResources > 0
      ? {
          code: 'notification.parked',
          sentence: `Notifications are parked: ${notifications.parkedHubs} subscribers do not answer, ${notifications.parkedResources} resources were refused.`,
          command: 'bss notification parked',
        }
      : undefined,
  ];
  return alarms.filter((one) => one !== undefined);
}

// When, in machine time, business time reached the instant a step is due at: that instant itself, or the last move of a
// clock that stands.
const reachedSql = `CASE WHEN (SELECT "mode" FROM "business_clock") = 'frozen'
  THEN (SELECT max("recorded_at") FROM "event" WHERE "resource_type" = 'clock' AND "resource_id" = 'business') ELSE "due_at" END`;

const machinerySql = `'steps', (SELECT json_build_object('due', count(*),
    'retrying', (SELECT count(*) FROM "flow_step" WHERE "state" = 'waiting' AND "last_error" IS NOT NULL),
    'parked', (SELECT count(*) FROM "flow_step" WHERE "state" = 'parked'),
    'oldestDueSeconds', coalesce(greatest(0, floor(extract(epoch FROM clock_timestamp() - min(greatest("not_before", ${reachedSql}))))), 0)) FROM "flow_step"
    WHERE "state" = 'waiting' AND "due_at" <= business_now() AND "not_before" <= clock_timestamp()
      AND ("leased_until" IS NULL OR "leased_until" < clock_timestamp())),
  'network', (SELECT json_build_object('pending', count(*), 'oldestSeconds', coalesce(greatest(0, floor(extract(epoch FROM clock_timestamp() - min("created_at")))), 0))
    FROM "flow_step" WHERE "state" = 'waiting' AND "flow" = 'network' AND "due_at" <= business_now()),
  'notifications', json_build_object('parkedHubs', (SELECT count(*) FROM "hub" WHERE "parked_at" IS NOT NULL),
    'parkedResources', (SELECT count(*) FROM "delivery_queue" WHERE "parked_at" IS NOT NULL)),
  'stock', json_build_object('numbers', (SELECT count(*) FROM "phone_number" WHERE "state" = 'available'),
    'esims', (SELECT count(*) FROM "esim_profile" WHERE "state" = 'available'), 'low', ${stockLowSql})`;

/** What a watchdog looks at every few seconds: it costs by the work that is due and by the stock, not by the lines. */
export async function readMachinery(database: Pool): Promise<Machinery> {
  const facts = await readOne(
    database,
    machineryFacts,
    'health',
    'now',
    `SELECT json_build_object(${machinerySql}) AS view`,
    [],
  );
  return { ...facts, alarms: alarmsOf(facts) };
}
export type Machinery = z.infer<typeof machineryFacts> & { alarms: z.infer<typeof alarm>[] };

export const showHealth = query({
  name: 'health.show',
  summary: 'Show how the business and its machinery are doing',
  audience: ['operator'],
  input: z.strictObject({}),
  output: healthShape,
  examples: ['bss health', 'bss health --watch'],
  view: 'health',
  run: async (database) => {
    const facts = await readOne(
      database,
      healthFacts,
      'health',
      'now',
      `SELECT json_build_object(${readAtSql},
        'clock', coalesce((SELECT "mode" FROM "business_clock"), 'wall'),
        'customers', (SELECT count(*) FROM "customer"),
        'lines', (SELECT json_build_object('pending', count(*) FILTER (WHERE "state" = 'pending'), 'active', count(*) FILTER (WHERE "state" = 'active'),
          'blocked', count(*) FILTER (WHERE "state" = 'blocked'), 'terminated', count(*) FILTER (WHERE "state" = 'terminated')) FROM "subscription"),
        'orders', (SELECT json_build_object('open', count(*) FILTER (WHERE "state" IN ('acknowledged', 'pending', 'held', 'inProgress')),
          'failedLastDay', count(*) FILTER (WHERE "state" IN ('failed', 'partial') AND "updated_at" > business_now() - interval '24 hours')) FROM "product_order"),
        ${machinerySql},
        'lastEventAt', (SELECT wire_time("occurred_at") FROM "event" ORDER BY "position" DESC LIMIT 1),
        'databaseBytes', pg_database_size(current_database())) AS view`,
      [],
    );
    return { ...facts, alarms: alarmsOf(facts) };
  },
});
