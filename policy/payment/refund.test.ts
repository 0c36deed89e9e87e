import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type House, openHouse, operator } from '../../doctrine/house.ts';
import type { JsonObject } from '../../kernel/json.ts';
import { type AnyCommand, execute, type Policy, transaction } from '../core/command.ts';
import { claimSteps, stepContext } from '../core/flow.ts';
import { leads } from '../core/machine.ts';
import type { Stored } from '../core/resource.ts';
import { runStatement } from '../core/transaction.ts';
import { reportUsage } from '../usage/commands.ts';
import { refundCommands, refundMachine, refundPayment, refundSteps } from './refund.ts';

let house: House;
beforeAll(async () => {
  house = await openHouse();
});
afterAll(() => house.close());
beforeEach(() => house.gateway.clearPlans());

const create = (): AnyCommand => {
  if (!refundCommands.create) throw new Error('there is no create');
  return refundCommands.create;
};

const body = (paymentId: string, value: number, more: JsonObject = {}): JsonObject => ({
  account: { id: 'acc_any', name: 'Billing account' },
  paymentMethod: { '@type': 'tokenizedCard', name: 'the card that paid' },
  totalAmount: { unit: 'SGD', value },
  payment: { id: paymentId },
  ...more,
});

/** Asks as the TMF door does: a refusal is kept in the refund. */
async function ask(document: JsonObject, policy: Policy = house.policy): Promise<Stored> {
  const made: Stored = await execute(policy, create(), { document }, operator, { keepRefused: true });
  return made;
}

const without = (code: string): Policy => ({ ...house.policy, rulesOff: new Set([code]) });
const deniedBy = (code: string) => ({ status: 'denied', statusReason: expect.stringContaining(`${code}: `) });

interface Line {
  id: string;
  msisdn: string;
  customer: string;
  order: string;
  /** What the plan was paid with: 10 SGD, tax included. */
  payment: string;
}

async function activeLine(): Promise<Line> {
  const customer = await house.customer();
  const order = await house.order(customer);
  await house.settle();
  const [row] = await runStatement<{ id: string; msisdn: string; payment: string }>(
    house.pool,
    `SELECT s."id", s."msisdn", i."payment_id" AS payment FROM "order_item" i JOIN "subscription" s ON s."id" = i."subscription_id" WHERE i."product_order_id" = $1`,
    [order],
  );
  if (!row) throw new Error('the line was not made');
  return { ...row, customer, order };
}

async function paidBy(order: string): Promise<string> {
  const [row] = await runStatement<{ id: string }>(
    house.pool,
    'SELECT "payment_id" AS id FROM "order_item" WHERE "product_order_id" = $1',
    [order],
  );
  return row?.id ?? '';
}

async function refund(id: string): Promise<JsonObject> {
  const [row] = await runStatement<{ document: JsonObject }>(
    house.pool,
    'SELECT "document" FROM "refund" WHERE "id" = $1',
    [id],
  );
  if (!row) throw new Error(`there is no refund ${id}`);
  return row.document;
}

const payment = async (id: string) =>
  (
    await runStatement<{ state: string; refundedMinor: number; document: JsonObject }>(
      house.pool,
      'SELECT "state", "refunded_minor", "document" FROM "payment" WHERE "id" = $1',
      [id],
    )
  )[0];

const line = async (id: string) =>
  (
    await runStatement<{ state: string; blockReasons: string[] }>(
      house.pool,
      'SELECT "state", "block_reasons" FROM "subscription" WHERE "id" = $1',
      [id],
    )
  )[0];

const credits = (paymentId: string) =>
  runStatement<{ amountMinor: number; taxMinor: number; refundId: string | null; document: JsonObject }>(
    house.pool,
    'SELECT "amount_minor", "tax_minor", "refund_id", "document" FROM "customer_bill" WHERE "payment_id" = $1 ORDER BY "id"',
    [paymentId],
  );

describe('a refund', () => {
  it('of a part is asked of the gateway after it was written, and leaves service as it is', async () => {
    const { payment: paid, id, customer } = await activeLine();
    const before = await house.gateway.totals();
    const made = await ask(body(paid, 4, { description: 'a day without service', correlatorId: 'crm-7' }));
    expect(made.document).toMatchObject({
      '@type': 'Refund',
      status: 'pendingAuthorization',
      correlatorId: 'crm-7',
      amount: { unit: 'SGD', value: 4 },
      requestor: { id: customer },
    });
    expect(await house.gateway.totals()).toEqual(before);
    await house.settle();
    expect(await refund(made.id)).toMatchObject({ status: 'done', payment: { id: paid } });
    expect(await payment(paid)).toMatchObject({
      state: 'captured',
      refundedMinor: 400,
      document: { refundedAmount: { unit: 'SGD', value: 4 } },
    });
    expect(await line(id)).toEqual({ state: 'active', blockReasons: [] });
    expect((await credits(paid)).map((bill) => [bill.amountMinor, bill.refundId, bill.document.category])).toEqual([
      [1000, null, 'receipt'],
      [-400, made.id, 'creditNote'],
    ]);
    expect(await house.breaches()).toEqual([]);
  });

  it('of parts adds up to the cent, tax too, and the last one ends the payment', async () => {
    const { payment: paid } = await activeLine();
    for (const value of [3.33, 3.33, 3.34]) {
      const made = await ask(body(paid, value));
      await house.settle();
      expect((await refund(made.id)).status).toBe('done');
    }
    const bills = await credits(paid);
    expect(bills.reduce((sum, bill) => sum + bill.amountMinor, 0)).toBe(0);
    expect(bills.reduce((sum, bill) => sum + bill.taxMinor, 0)).toBe(0);
    expect((await payment(paid))?.state).toBe('done');
    expect(await house.breaches()).toEqual([]);
  });

  it('of all ends the quota that was paid for, which blocks the line', async () => {
    const { payment: paid, id, msisdn } = await activeLine();
    await execute(house.policy, refundPayment, { paymentId: paid, reason: 'never worked' }, operator);
    await house.settle();
    expect((await payment(paid))?.state).toBe('done');
    expect(await line(id)).toEqual({ state: 'blocked', blockReasons: ['exhausted'] });
    const buckets = await runStatement<{ state: string; remaining: bigint | null }>(
      house.pool,
      'SELECT "state", "remaining" FROM "bucket" WHERE "payment_id" = $1',
      [paid],
    );
    expect(buckets.length).toBeGreaterThan(0);
    for (const bucket of buckets)
      expect([bucket.state, bucket.remaining === null || bucket.remaining === 0n]).toEqual(['expired', true]);
    const usage = await reportUsage.single(house.policy, { msisdn, kind: 'data', amount: 1, unit: 'MB' }, operator);
    expect(usage.document.status).toBe('rejected');
    expect(await house.breaches()).toEqual([]);
  });

  it('of an add-on ends that add-on only', async () => {
    const { id } = await activeLine();
    const topUp = await house.topUp(id, 'VAS_DATA_1GB');
    await house.settle();
    await execute(house.policy, refundPayment, { paymentId: await paidBy(topUp) }, operator);
    await house.settle();
    expect(await line(id)).toEqual({ state: 'active', blockReasons: [] });
    expect(await house.breaches()).toEqual([]);
  });

  it('unblocks nothing, of a part or of all', async () => {
    const { id, msisdn, payment: paid } = await activeLine();
    await reportUsage.single(house.policy, { msisdn, kind: 'data', amount: 6, unit: 'GB' }, operator);
    expect(await line(id)).toEqual({ state: 'blocked', blockReasons: ['exhausted'] });
    for (const amount of [1, undefined]) {
      await execute(
        house.policy,
        refundPayment,
        { paymentId: paid, ...(amount === undefined ? {} : { amount }) },
        operator,
      );
      await house.settle();
      expect(await line(id)).toEqual({ state: 'blocked', blockReasons: ['exhausted'] });
    }
    expect((await payment(paid))?.state).toBe('done');
    expect(await house.breaches()).toEqual([]);
  });

  it('that the gateway refuses has failed, moves nothing, and can be asked for again', async () => {
    const { payment: paid, id } = await activeLine();
    await house.gateway.plan({ mode: 'decline_refund', times: 1 });
    const made = await ask(body(paid, 10));
    await house.settle();
    expect(await refund(made.id)).toMatchObject({ status: 'failed', statusReason: expect.any(String) });
    expect(await payment(paid)).toMatchObject({ state: 'captured', refundedMinor: 0 });
    expect((await line(id))?.state).toBe('active');
    const again = await ask(body(paid, 10));
    await house.settle();
    expect((await refund(again.id)).status).toBe('done');
    expect(await house.breaches()).toEqual([]);
  });

  it.each(['unavailable', 'lose_answer'] as const)('is given once when the gateway is %s', async (mode) => {
    const { payment: paid } = await activeLine();
    await house.gateway.plan({ mode, calls: ['refund'], times: 2 });
    const made = await ask(body(paid, 2.5));
    await house.settle();
    expect((await refund(made.id)).status).toBe('done');
    expect((await payment(paid))?.refundedMinor).toBe(250);
    expect(await house.breaches()).toEqual([]);
  });

  it('is given once by a step that runs twice', async () => {
    const { payment: paid } = await activeLine();
    const made = await ask(body(paid, 2.5));
    const [give] = refundSteps;
    const [claimed] = await claimSteps(house.policy, 'one', 1, 60);
    if (!give || !claimed) throw new Error('there is no step to run');
    expect([claimed.flow, claimed.step, claimed.subject]).toEqual([give.flow, give.step, made.id]);
    const context = stepContext(house.policy, claimed);
    await expect(give.run({ ...context, finish: () => Promise.reject(new Error('the worker died')) })).rejects.toThrow(
      'the worker died',
    );
    await give.run({ ...context, step: { ...claimed, attempts: 2 } });
    expect((await payment(paid))?.refundedMinor).toBe(250);
    await house.settle();
    expect(await house.breaches()).toEqual([]);
  });

  it('writes its events and an interaction', async () => {
    const { payment: paid, customer } = await activeLine();
    const made = await ask(body(paid, 1));
    await house.settle();
    const events = await runStatement<{ type: string; customerId: string }>(
      house.pool,
      'SELECT "type", "customer_id" FROM "event" WHERE "resource_id" = $1 ORDER BY "position"',
      [made.id],
    );
    expect(events).toEqual([
      { type: 'RefundCreateEvent', customerId: customer },
      { type: 'RefundStateChangeEvent', customerId: customer },
    ]);
    const [seen] = await runStatement<{ count: bigint }>(
      house.pool,
      `SELECT count(*) FROM "party_interaction" WHERE "customer_id" = $1 AND "document" ->> 'reason' = 'refund'`,
      [customer],
    );
    expect(seen?.count).toBe(1n);
  });
});

describe('refunds never exceed captured minus refunded', () => {
  it('also when they are asked for at once', { timeout: 30_000 }, async () => {
    const { payment: paid } = await activeLine();
    const made = await Promise.all(Array.from({ length: 10 }, () => ask(body(paid, 3))));
    const statuses = made.map((one) => one.document.status);
    expect(statuses.filter((status) => status === 'pendingAuthorization')).toHaveLength(3);
    for (const one of made.filter((other) => other.document.status === 'denied'))
      expect(one.document).toMatchObject(deniedBy('refund.within_captured'));
    await house.settle();
    expect((await payment(paid))?.refundedMinor).toBe(900);
    expect(await house.breaches()).toEqual([]);
  });

  it('all that is left, when no amount is named, is less what is under way', async () => {
    const { payment: paid } = await activeLine();
    await ask(body(paid, 4));
    const rest = await execute(house.policy, refundPayment, { paymentId: paid }, operator);
    expect(rest.document.totalAmount).toEqual({ unit: 'SGD', value: 6 });
    await expect(execute(house.policy, refundPayment, { paymentId: paid }, operator)).rejects.toMatchObject({
      code: 'refund.amount_positive',
      status: 422,
    });
    await house.settle();
    expect((await payment(paid))?.state).toBe('done');
    expect(await house.breaches()).toEqual([]);
  });
});

describe('each rule denies by itself: the refund is kept, and nothing moves', () => {
  const cases: { code: string; given(): Promise<JsonObject> }[] = [
    {
      code: 'refund.names_captured_payment',
      given: async () => {
        const order = await house.order(await house.customer('tok_declined'));
        await house.settle();
        // Its order is made to look complete, so that no other rule stands in the way.
        await transaction(
          house.policy,
          'test.given',
          operator,
          {},
          (tx) => tx.sql`UPDATE "order_item" SET "payment_id" = NULL WHERE "product_order_id" = ${order}`,
        );
        const [row] = await runStatement<{ id: string }>(
          house.pool,
          'SELECT "id" FROM "payment" WHERE "product_order_id" = $1',
          [order],
        );
        return body(row?.id ?? '', 1);
      },
    },
    {
      code: 'refund.order_is_complete',
      given: async () => {
        const { payment: paid, order } = await activeLine();
        await transaction(
          house.policy,
          'test.given',
          operator,
          {},
          (tx) => tx.sql`UPDATE "order_item" SET "state" = 'inProgress' WHERE "product_order_id" = ${order}`,
        );
        return body(paid, 1);
      },
    },
    { code: 'refund.amount_positive', given: async () => body((await activeLine()).payment, -1) },
    {
      code: 'refund.currency_of_payment',
      given: async () => body((await activeLine()).payment, 1, { totalAmount: { unit: 'EUR', value: 1 } }),
    },
    { code: 'refund.within_captured', given: async () => body((await activeLine()).payment, 10.01) },
    {
      code: 'refund.to_card_that_paid',
      given: async () => body((await activeLine()).payment, 1, { paymentMethod: { id: 'pme_other', name: 'another' } }),
    },
  ];

  it.each(cases)('$code', async ({ code, given }) => {
    const document = await given();
    const before = await house.gateway.totals();
    const denied = await ask(document);
    expect(denied.document).toMatchObject(deniedBy(code));
    await house.settle();
    expect(await refund(denied.id)).toMatchObject(deniedBy(code));
    expect(await house.gateway.totals()).toEqual(before);
    await expect(execute(house.policy, create(), { document }, operator)).rejects.toMatchObject({ code, status: 422 });
    const allowed = await ask(document, without(code));
    expect(allowed.document.status).toBe('pendingAuthorization');
    // What should not have been asked for is taken out again, for the tests that follow.
    await transaction(
      house.policy,
      'test.given',
      operator,
      {},
      (tx) => tx.sql`DELETE FROM "flow_step" WHERE "subject" = ${allowed.id}`,
    );
  });

  it('an amount finer than the currency, and a payment that is not ours', async () => {
    const { payment: paid } = await activeLine();
    expect((await ask(body(paid, 1.005))).document).toMatchObject(deniedBy('refund.amount_positive'));
    expect((await ask(body('pay_none', 1))).document).toMatchObject(deniedBy('refund.names_captured_payment'));
    const { payment: _, ...nameless } = body(paid, 1);
    expect((await ask(nameless)).document).toMatchObject(deniedBy('refund.names_captured_payment'));
  });

  it('a payment that all went back', async () => {
    const { payment: paid } = await activeLine();
    await ask(body(paid, 10));
    await house.settle();
    expect((await ask(body(paid, 1))).document).toMatchObject(deniedBy('refund.names_captured_payment'));
  });
});

it('a refund moves only along its table', () => {
  const states = ['pendingAuthorization', 'denied', 'failed', 'done'];
  const moves = states.flatMap((from) =>
    states.filter((to) => leads(refundMachine, from, to)).map((to) => `${from} ${to}`),
  );
  expect(moves).toEqual(['pendingAuthorization failed', 'pendingAuthorization done']);
  expect(Object.keys(refundCommands)).toEqual(['create']);
});
