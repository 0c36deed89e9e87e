import type { PoolClient } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CardGateway, GatewayOperation } from '../adapters/card-gateway.ts';
import type { Network } from '../adapters/network.ts';
import { withClient } from '../app/database/roles.ts';
import { run } from '../policy/core/command.ts';
import { runStatement } from '../policy/core/transaction.ts';
import { reportUsage } from '../policy/usage/commands.ts';
import { type House, openHouse } from './house.ts';
import { type Breach, breaches, invariants } from './invariants.ts';

let house: House;
let line: string;
let order: string;
let failed: string;

/** A house in which everything happened once: a sale, usage, a top-up, a failure with its refund. */
beforeAll(async () => {
  house = await openHouse();
  order = await house.order(await house.customer());
  await house.settle();
  line = (await house.state(order)).subscriptionId ?? '';
  const [row] = await runStatement<{ msisdn: string }>(
    house.pool,
    'SELECT "msisdn" FROM "subscription" WHERE "id" = $1',
    [line],
  );
  await run(house.policy, reportUsage, { msisdn: row?.msisdn, kind: 'data', amount: 1, unit: 'GB' }, house.caller);
  await house.topUp(line, 'VAS_DATA_1GB');
  await house.network.plan({ mode: 'refuse', permanent: true, when: 'active', times: 1 });
  failed = await house.order(await house.customer());
  await house.settle();
  expect([(await house.state(order)).order, (await house.state(failed)).order]).toEqual(['completed', 'failed']);
  // What the database itself forbids is planted all the same: the invariants do not lean on it.
  await withClient(house.database.ownerUrl, async (owner) => {
    const { rows } = await owner.query<{ drop: string }>(
      `SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname) AS drop FROM pg_constraint WHERE contype = 'c' AND connamespace = 'public'::regnamespace`,
    );
    for (const { drop } of rows) await owner.query(drop);
    await owner.query('DROP INDEX "subscription_live_msisdn", "number_assignment_open", "customer_bill_bill_no_key"');
  });
});
afterAll(() => house.close());

/** Does the damage in a transaction, looks, and undoes it. */
async function whatIsFound(
  damage: string,
  parts: { gateway?: Pick<CardGateway, 'book'>; network?: Pick<Network, 'line'> } = {},
): Promise<string[]> {
  const client: PoolClient = await house.pool.connect();
  try {
    await client.query('BEGIN');
    await client.query(`SELECT begin_command('test.damage', '{}')`);
    await client.query(damage);
    return names(
      await breaches({ pool: client, gateway: house.gateway, network: house.network, ...parts }, { quiet: true }),
    );
  } finally {
    await client.query('ROLLBACK');
    client.release();
  }
}

const names = (found: readonly Breach[]): string[] => [...new Set(found.map(({ invariant }) => invariant))].sort();

it('finds nothing where nothing is wrong', async () => {
  expect(await house.breaches()).toEqual([]);
});

const subscription = `"subscription" SET`;
const damages: Readonly<Record<string, readonly string[]>> = {
  'quota: what was granted is used, left or lapsed, and nothing is below zero': [
    `UPDATE "bucket" SET "remaining" = -60 WHERE "source" = 'vas'`,
    `UPDATE "bucket" SET "remaining" = "remaining" - 1`,
    `UPDATE "bucket" SET "granted" = NULL`,
  ],
  'quota: what usage records charged is what buckets lost': [
    `UPDATE "usage" SET "charged" = "charged" + 1`,
    `DELETE FROM "usage"`,
  ],
  'usage: a rated record is charged and excess, a rejected one neither': [
    `UPDATE "usage" SET "excess" = 5`,
    `UPDATE "usage" SET "state" = 'rejected'`,
  ],
  'alerts: an open bucket knows whether its line asked to be told': [
    `UPDATE "bucket" SET "alerted" = true`,
    `INSERT INTO "balance_alert" SELECT "id", 'data', 1024, NULL, now() FROM "subscription"`,
  ],
  'block on exhaust: an active line has data left': [`UPDATE "bucket" SET "state" = 'expired' WHERE "kind" = 'data'`],
  'money: a captured payment has one bill of its amount': [
    `DELETE FROM "customer_bill" WHERE "refund_id" IS NULL`,
    `UPDATE "customer_bill" SET "amount_minor" = "amount_minor" + 1 WHERE "refund_id" IS NULL`,
  ],
  'money: a refund has one credit note of its amount': [`DELETE FROM "customer_bill" WHERE "refund_id" IS NOT NULL`],
  'money: what was refunded of a payment is the sum of its refunds': [
    `UPDATE "payment" SET "refunded_minor" = 1 WHERE "state" = 'captured'`,
  ],
  'money: every bill has its rate, and its number is its own': [
    `DELETE FROM "applied_customer_billing_rate"`,
    `UPDATE "customer_bill" SET "bill_no" = '7'`,
  ],
  'service: a live line was paid for': [`UPDATE "payment" SET "state" = 'canceled' WHERE "purpose" = 'order_item'`],
  'service: quota was paid for': [`UPDATE "bucket" SET "payment_id" = NULL WHERE "source" = 'vas'`],
  'money: what was taken for an order was delivered or given back': [
    `UPDATE "payment" SET "state" = 'captured' WHERE "state" = 'done'`,
    `UPDATE "payment" SET "state" = 'authorized'`,
  ],
  'money: what was taken for a renewal opened a period': [
    `UPDATE "payment" SET "purpose" = 'renewal' WHERE "state" = 'captured' AND "id" IN (SELECT "payment_id" FROM "bucket" WHERE "source" = 'vas')`,
  ],
  'orders: every order has come to an end, and its items with it, but for what waits for a renewal': [
    `UPDATE "product_order" SET "state" = 'pending'`,
    `UPDATE "order_item" SET "state" = 'pending'`,
    `UPDATE "product_order" SET "state" = 'inProgress'`,
    `UPDATE "order_item" SET "state" = 'held'`,
  ],
  'orders: the end of a line that is open is known to its line': [
    `UPDATE "order_item" SET "action" = 'delete', "state" = 'pending' WHERE "state" = 'completed'`,
    `UPDATE "subscription" SET "end_item_id" = 'itm_none', "ends_at" = now() WHERE "state" = 'active'`,
  ],
  'orders: a change of plan that is open waits for one live line, and the line for it': [
    `UPDATE "order_item" SET "action" = 'modify', "state" = 'pending' WHERE "state" = 'completed'`,
    `UPDATE "subscription" SET "pending_change" = '{"orderItemId":"itm_none"}' WHERE "state" = 'active'`,
  ],
  'orders: plan, price and allowances of a line are of one offering, and its product says so': [
    `UPDATE "subscription" SET "price_minor" = 4500`,
    `UPDATE "subscription" SET "terms" = jsonb_set("terms", '{amountMinor}', '4500')`,
    `UPDATE "subscription" SET "plan_code" = 'PLAN_L'`,
    `UPDATE "subscription" SET "document" = "document" - 'productOffering'`,
  ],
  'money: the period that runs was paid for at the price of its plan': [
    `UPDATE "subscription" SET "price_minor" = 4500`,
    `UPDATE "bucket" SET "offering_id" = 'off_other' WHERE "source" = 'plan'`,
  ],
  'orders: service orders have come to an end': [`UPDATE "service_order" SET "state" = 'inProgress'`],
  'orders: a failed item leaves no live line': [
    `UPDATE "subscription" SET "state" = 'pending' WHERE "state" = 'terminated'`,
  ],
  'stock: nothing is left reserved': [
    `UPDATE "phone_number" SET "state" = 'reserved' WHERE "msisdn" = '6581000900'`,
    `UPDATE "esim_profile" SET "state" = 'reserved' WHERE "state" = 'available'`,
  ],
  'stock: a number that is assigned serves its line, and a live line has its number': [
    `UPDATE "phone_number" SET "state" = 'available', "subscription_id" = NULL WHERE "state" = 'assigned'`,
    `UPDATE "phone_number" SET "state" = 'assigned', "subscription_id" = 'sub_nobody' WHERE "msisdn" = '6581000900'`,
    `UPDATE ${subscription} "state" = 'active', "msisdn" = (SELECT "msisdn" FROM "phone_number" WHERE "state" = 'assigned') WHERE "state" = 'terminated'`,
  ],
  'stock: an ended line holds neither number nor profile': [
    `UPDATE "phone_number" SET "held_for" = (SELECT "id" FROM "subscription" WHERE "state" = 'terminated') WHERE "msisdn" = '6581000900'`,
    `UPDATE "esim_profile" SET "subscription_id" = (SELECT "id" FROM "subscription" WHERE "state" = 'terminated') WHERE "id" = (SELECT min("id") FROM "esim_profile" WHERE "state" = 'available')`,
  ],
  'stock: a profile that was handed out serves a line, and a live line has its profile': [
    `UPDATE "esim_profile" SET "state" = 'available', "subscription_id" = NULL WHERE "state" = 'released'`,
  ],
  'stock: a live line has one open assignment of its number': [
    `UPDATE "number_assignment" SET "released_at" = now()`,
    `INSERT INTO "number_assignment" SELECT 'asg_other', "msisdn", "subscription_id", "assigned_at" FROM "number_assignment"`,
  ],
  'work: nothing that is due is left': [
    `UPDATE "flow_step" SET "state" = 'waiting', "due_at" = business_now() WHERE "state" = 'done'`,
  ],
  'network: every task it was given is answered': [`UPDATE "monitor" SET "state" = 'InProgress'`],
  'events: each version of a row is one event, and the last is the row': [
    `UPDATE "service" SET "document" = "document" || '{"hasStarted": false}'`,
    `UPDATE "customer" SET "version" = "version" + 1`,
    `INSERT INTO "catalog" ("id", "document", "created_at", "updated_at") VALUES ('cat_silent', '{}', now(), now())`,
    `SELECT append_event('evt_' || "id", 'CustomerAttributeValueChangeEvent', 'customer', "id", "version" + 1, "document", NULL, NULL, NULL, now()) FROM "customer"`,
  ],
  'events: what was created is there': [
    `DELETE FROM "trouble_ticket"; DELETE FROM "payment_method" WHERE "id" = (SELECT min("id") FROM "payment_method")`,
  ],
  'network: a line is served as we say': [
    `UPDATE ${subscription} "state" = 'blocked', "block_reasons" = '{exhausted}' WHERE "state" = 'active'`,
  ],
  'book: captured minus refunded is the sum of bills': [`UPDATE "customer_bill" SET "amount_minor" = 1`],
  'book: each payment is what the gateway took and gave back': [
    `UPDATE "payment" SET "amount_minor" = "amount_minor" + 100 WHERE "state" = 'captured'`,
    `UPDATE "payment" SET "state" = 'failed' WHERE "state" = 'captured'`,
  ],
  'book: every charge is one of our payments': [`DELETE FROM "payment" WHERE "state" = 'captured'`],
};

describe('every invariant finds what it is for', () => {
  it('and each has damage that shows it', () => {
    expect(invariants.map(({ name }) => name).filter((name) => damages[name] === undefined)).toEqual([]);
  });

  it.each(Object.entries(damages).flatMap(([name, list]) => list.map((damage) => ({ name, damage }))))(
    '$name: $damage',
    async ({ name, damage }) => {
      expect(await whatIsFound(damage)).toContain(name);
    },
  );
});

describe('the gateway’s own book', () => {
  const bookOf = (change: (book: GatewayOperation[]) => GatewayOperation[]): Pick<CardGateway, 'book'> => ({
    async *book() {
      const whole: GatewayOperation[] = [];
      for await (const operation of house.gateway.book()) whole.push(operation);
      yield* change(whole);
    },
  });
  const captures = (book: readonly GatewayOperation[]) => book.filter((one) => one.kind === 'capture');

  it.each<{ name: string; change: (book: GatewayOperation[]) => GatewayOperation[] }>([
    { name: 'book: one capture for one fact', change: (book) => [...book, ...captures(book)] },
    { name: 'book: each captured payment is in the book', change: () => [] },
    {
      name: 'book: no money is held that nobody will take',
      change: (book) => book.filter((one) => one.kind !== 'capture'),
    },
    {
      name: 'book: each payment is what the gateway took and gave back',
      change: (book) => book.filter((one) => one.kind !== 'refund'),
    },
  ])('$name', async ({ name, change }) => {
    const found = await breaches({ pool: house.pool, gateway: bookOf(change) }, { quiet: true });
    expect(names(found)).toContain(name);
  });
});

it('a network that serves on after the end is found', async () => {
  const network: Pick<Network, 'line'> = {
    line: async (id) => {
      const believed = await house.network.line(id);
      return believed && { ...believed, state: 'active', data: true };
    },
  };
  const found = await breaches({ pool: house.pool, network }, { quiet: true });
  expect(names(found)).toEqual(['network: a line is served as we say']);
});
