import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import pino from 'pino';
import Stripe from 'stripe';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { openStripeDouble, type StripeDouble, stripeDoubleKey } from '../adapters/stripe/testing-stripe.ts';
import { isJsonObject, type JsonObject } from '../kernel/json.ts';
import { runStatement } from '../policy/core/transaction.ts';
import { logOptions } from '../surfaces/http/log.ts';
import { readConfiguration } from './configuration.ts';
import { type TestDatabase, testDatabase } from './database/testing.ts';
import { type Platform, startPlatform } from './platform.ts';

/** The whole house with Stripe for its cards, over HTTP, against a double that remembers. */
const webhookSecret = 'whsec_airtimetest';

let double: StripeDouble;
let database: TestDatabase;
let platform: Platform;
let home: string;
let token: string;
let log = '';

const environment = () => ({
  AIRTIME_HOME: home,
  AIRTIME_PORT: '0',
  DATABASE_URL: database.serverUrl,
  MIGRATION_DATABASE_URL: database.ownerUrl,
  AIRTIME_CARD_GATEWAY: 'stripe',
  AIRTIME_STRIPE_SECRET_KEY_FILE: join(home, 'stripe-key'),
  AIRTIME_STRIPE_WEBHOOK_SECRET: webhookSecret,
  AIRTIME_STRIPE_URL: double.url,
});
const logger = () =>
  pino(
    logOptions('trace'),
    new Writable({
      write(chunk, _encoding, done) {
        log += String(chunk);
        done();
      },
    }),
  );

beforeAll(async () => {
  double = await openStripeDouble();
  double.clock.second = Math.floor(Date.now() / 1000);
  database = await testDatabase();
  home = mkdtempSync(join(tmpdir(), 'airtime-stripe-'));
  writeFileSync(join(home, 'stripe-key'), `${stripeDoubleKey}\n`, { mode: 0o600 });
  platform = await startPlatform(readConfiguration(environment()), logger(), { historyDays: 33 });
  token = platform.firstToken ?? '';
});
afterAll(async () => {
  await platform.stop();
  await database.drop();
  await double.close();
  rmSync(home, { recursive: true, force: true });
});

const answerShape = z.looseObject({ result: z.unknown() });

async function tool(name: string, input: JsonObject): Promise<{ status: number; body: JsonObject }> {
  const send = (more: Record<string, string>) =>
    fetch(`${platform.url}/tools/${name}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...more },
      body: JSON.stringify(input),
    });
  let response = await send({});
  let body: unknown = await response.json();
  // Money is first proposed, then confirmed.
  const proposed = isJsonObject(body) && isJsonObject(body.confirmation) ? body.confirmation : undefined;
  const confirmation = proposed?.token;
  if (typeof confirmation === 'string') {
    response = await send({ 'confirmation-token': confirmation });
    body = await response.json();
  }
  if (!isJsonObject(body)) throw new Error('an answer is an object');
  return { status: response.status, body };
}

async function result<T>(name: string, input: JsonObject, shape: z.ZodType<T>): Promise<T> {
  const { status, body } = await tool(name, input);
  if (status !== 200) throw new Error(`${name}: ${status} ${JSON.stringify(body)}`);
  return shape.parse(answerShape.parse(body).result);
}

const stripe = new Stripe(stripeDoubleKey);
function deliver(event: JsonObject, options: { secret?: string; payload?: string } = {}): Promise<Response> {
  const payload = JSON.stringify(event);
  const signature = stripe.webhooks.generateTestHeaderString({ payload, secret: options.secret ?? webhookSecret });
  return fetch(`${platform.url}/webhooks/stripe`, {
    method: 'POST',
    headers: { 'stripe-signature': signature, 'content-type': 'application/json; charset=utf-8' },
    body: options.payload ?? payload,
  });
}

async function eventually<T>(read: () => Promise<T>, isSo: (value: T) => boolean): Promise<T> {
  const until = Date.now() + 30_000;
  for (;;) {
    const value = await read();
    if (isSo(value)) return value;
    if (Date.now() > until) throw new Error(`not so: ${JSON.stringify(value)}\n${log.slice(-2000)}`);
    await new Promise((done) => setTimeout(done, 50));
  }
}

const idShape = z.looseObject({ id: z.string() });

interface Paid {
  payment: string;
  gatewayReference: string;
  line: string;
}

async function order(card: string): Promise<string> {
  const customer = await result(
    'customer.register',
    { givenName: 'Ada', familyName: 'Stripe', email: `${randomUUID()}@example.com` },
    idShape,
  );
  await result('card.add', { customerId: customer.id, token: card }, idShape);
  return (await result('order.place', { customerId: customer.id, offering: 'PLAN_S' }, idShape)).id;
}

const stateOf = async (id: string) =>
  (
    await runStatement<{ state: string }>(platform.policy.pool, 'SELECT "state" FROM "product_order" WHERE "id" = $1', [
      id,
    ])
  )[0]?.state ?? '';

async function paid(): Promise<Paid> {
  const id = await order('pm_card_visa');
  await eventually(
    () => stateOf(id),
    (state) => state === 'completed',
  );
  const [row] = await runStatement<Paid>(
    platform.policy.pool,
    `SELECT p."id" AS payment, p."gateway_reference", i."subscription_id" AS line FROM "order_item" i JOIN "payment" p ON p."id" = i."payment_id" WHERE i."product_order_id" = $1`,
    [id],
  );
  if (!row) throw new Error('nothing was paid');
  return row;
}

const billsOf = async (payment: string) =>
  (
    await runStatement<{ amountMinor: number }>(
      platform.policy.pool,
      'SELECT "amount_minor" FROM "customer_bill" WHERE "payment_id" = $1 ORDER BY "id"',
      [payment],
    )
  ).map((bill) => bill.amountMinor);

const books = () =>
  result(
    'books.check',
    {},
    z.looseObject({ differences: z.array(z.looseObject({ check: z.string(), id: z.string().nullable() })) }),
  );
const newest = (type: string): JsonObject => {
  const event = double.events.findLast((one) => one.type === type);
  if (!event) throw new Error(`Stripe never said ${type}`);
  return event;
};

describe('with Stripe', () => {
  it('an order is held, captured, and the books are even', async () => {
    const { payment, gatewayReference } = await paid();
    expect(gatewayReference).toMatch(/^pi_/);
    expect(await billsOf(payment)).toEqual([1000]);
    expect((await books()).differences).toEqual([]);
  });

  it('a declined card fails its order and nothing is taken', async () => {
    const before = double.captured();
    const id = await order('pm_card_chargeDeclinedInsufficientFunds');
    expect(
      await eventually(
        () => stateOf(id),
        (state) => !['acknowledged', 'inProgress'].includes(state),
      ),
    ).toBe('failed');
    expect(double.captured()).toBe(before);
    expect((await books()).differences).toEqual([]);
  });

  it('an order that waits for its customer goes on when Stripe gives notice', async () => {
    const id = await order('pm_card_authenticationRequired');
    await eventually(
      () => stateOf(id),
      (state) => state === 'held',
    );
    const asked = newest('payment_intent.requires_action');
    const intent = z.looseObject({ data: z.object({ object: idShape }) }).parse(asked).data.object.id;
    double.completeAction(intent, 'approve');
    expect((await deliver(newest('payment_intent.amount_capturable_updated'))).status).toBe(200);
    await eventually(
      () => stateOf(id),
      (state) => state === 'completed',
    );
  });

  it('a capture whose answer was lost is found and never made again', async () => {
    const before = double.captured();
    double.lose('/capture', 'after', 4);
    const { payment } = await paid();
    expect(double.captured()).toBe(before + 1);
    expect(await billsOf(payment)).toEqual([1000]);
    expect((await books()).differences).toEqual([]);
  });

  it('a dispute is a chargeback, told twice and out of order, and its end is noted', async () => {
    const { payment, gatewayReference, line } = await paid();
    const dispute = double.dispute(gatewayReference);
    const created = newest('charge.dispute.created');
    double.closeDispute(dispute, 'lost');
    const closed = newest('charge.dispute.closed');
    for (const event of [closed, created, created, closed]) expect((await deliver(event)).status).toBe(200);
    await eventually(
      () => billsOf(payment),
      (bills) => bills.length > 1,
    );
    const [row] = await runStatement<{ state: string }>(
      platform.policy.pool,
      'SELECT "state" FROM "subscription" WHERE "id" = $1',
      [line],
    );
    expect(row?.state).toBe('blocked');
    const open = () =>
      runStatement<{ reconciled: boolean }>(
        platform.policy.pool,
        'SELECT "reconciled_at" IS NOT NULL AS reconciled FROM "gateway_event" WHERE "gateway_reference" = $1',
        [gatewayReference],
      );
    const kept = await eventually(open, (events) => events.every(({ reconciled }) => reconciled));
    expect(kept).toHaveLength(2);
    expect(await billsOf(payment)).toEqual([1000, -1000]);
    const cases = await runStatement<{ document: JsonObject }>(
      platform.policy.pool,
      `SELECT "document" FROM "trouble_ticket" WHERE "document" @> $1::jsonb`,
      [JSON.stringify({ ticketType: 'case', relatedEntity: [{ id: payment }] })],
    );
    expect(cases).toHaveLength(1);
    expect(cases[0]?.document.note).toEqual([expect.objectContaining({ text: expect.stringContaining('was lost') })]);
    expect((await books()).differences).toEqual([]);
  });

  it('a refund given at Stripe’s pages is a difference until Stripe gives notice of it', async () => {
    const { payment, gatewayReference } = await paid();
    double.refundByHand(gatewayReference, 300);
    expect((await books()).differences).toContainEqual(
      expect.objectContaining({ check: 'each payment is what the gateway took and gave back', id: payment }),
    );
    await deliver(newest('refund.created'));
    await eventually(
      () => billsOf(payment),
      (bills) => bills.length === 2,
    );
    expect((await books()).differences).toEqual([]);
  });

  it('what is not signed for us is refused with 400 and leaves nothing but a line in the log', async () => {
    const { payment, gatewayReference } = await paid();
    double.dispute(gatewayReference);
    const event = newest('charge.dispute.created');
    const count = async () => (await runStatement(platform.policy.pool, 'SELECT "id" FROM "gateway_event"', [])).length;
    const before = await count();
    const wrong = await deliver(event, { secret: 'whsec_another' });
    expect([wrong.status, await wrong.json()]).toEqual([400, expect.objectContaining({ reason: 'webhook.signature' })]);
    expect((await deliver(event, { payload: JSON.stringify({ ...event, id: 'evt_forged' }) })).status).toBe(400);
    expect(
      (await fetch(`${platform.url}/webhooks/stripe`, { method: 'POST', body: JSON.stringify(event) })).status,
    ).toBe(400);
    expect((await fetch(`${platform.url}/webhooks/stripe`)).status).toBe(405);
    expect((await fetch(`${platform.url}/webhooks/sandbox`, { method: 'POST', body: '{}' })).status).toBe(404);
    expect(await count()).toBe(before);
    expect(await billsOf(payment)).toEqual([1000]);
    expect(log).toContain('a notice was refused');
    expect((await deliver(event)).status).toBe(200);
    await eventually(
      () => billsOf(payment),
      (bills) => bills.length === 2,
    );
  });

  it('business time cannot be moved', async () => {
    for (const [name, input] of [
      ['clock.advance', { days: 1 }],
      ['clock.freeze', {}],
    ] as const) {
      expect(await tool(name, input)).toMatchObject({ status: 422, body: { reason: 'clock.needs_sandboxes' } });
    }
    // The story of the past that the sandbox begins with was not begun.
    expect(
      await runStatement(platform.policy.pool, `SELECT "mode" FROM "business_clock" WHERE "mode" <> 'wall'`, []),
    ).toEqual([]);
  });

  it('what only the sandbox can play is refused', async () => {
    const { payment } = await paid();
    expect(await tool('card_gateway.charge_back', { paymentId: payment })).toMatchObject({
      status: 409,
      body: { reason: 'card_gateway.not_a_sandbox' },
    });
  });

  it('no secret is in the log', () => {
    expect(log.length).toBeGreaterThan(1000);
    for (const secret of [stripeDoubleKey, webhookSecret]) expect(log).not.toContain(secret);
  });
});

it('a database whose clock was stopped is not served with real cards', async () => {
  const stopped = await testDatabase();
  const other = mkdtempSync(join(tmpdir(), 'airtime-stripe-'));
  const base = {
    ...environment(),
    AIRTIME_HOME: other,
    DATABASE_URL: stopped.serverUrl,
    MIGRATION_DATABASE_URL: stopped.ownerUrl,
  };
  const sandboxed = await startPlatform(readConfiguration({ ...base, AIRTIME_CARD_GATEWAY: 'sandbox' }), logger(), {
    historyDays: 1,
  });
  await sandboxed.stop();
  await expect(startPlatform(readConfiguration(base), logger())).rejects.toThrow(/movable clock/);
  await stopped.drop();
  rmSync(other, { recursive: true, force: true });
});

it.each([
  [{ AIRTIME_CARD_GATEWAY: 'stripe' }, 'AIRTIME_STRIPE_SECRET_KEY'],
  [{ AIRTIME_CARD_GATEWAY: 'stripe', AIRTIME_STRIPE_SECRET_KEY: 'not-a-key-but-secret' }, 'begins with sk_'],
  [
    {
      AIRTIME_CARD_GATEWAY: 'stripe',
      AIRTIME_STRIPE_SECRET_KEY: 'sk_test_1',
      AIRTIME_STRIPE_WEBHOOK_SECRET: 'not-a-key-but-secret',
    },
    'AIRTIME_STRIPE_WEBHOOK_SECRET',
  ],
  [{ AIRTIME_CARD_GATEWAY: 'paypal' }, 'AIRTIME_CARD_GATEWAY'],
])('a configuration that cannot work is refused by name, without its secrets: %o', (given, named) => {
  let told = '';
  try {
    readConfiguration(given);
  } catch (error) {
    told = String(error);
  }
  expect(told).toContain(named);
  expect(told).not.toContain('not-a-key-but-secret');
});
