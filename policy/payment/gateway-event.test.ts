import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type House, openHouse, operator } from '../../doctrine/house.ts';
import { systemCaller } from '../../kernel/caller.ts';
import type { JsonObject } from '../../kernel/json.ts';
import { execute, transaction } from '../core/command.ts';
import { getRow } from '../core/table.ts';
import { runStatement } from '../core/transaction.ts';
import { gatewayEventSteps, receiveGatewayEvent } from './gateway-event.ts';
import { askRefund } from './payment.ts';
import { refundPayment } from './refund.ts';

let house: House;
beforeAll(async () => {
  house = await openHouse();
});
afterAll(() => house.close());

const rows = <T extends object>(sql: string, ...values: unknown[]) => runStatement<T>(house.pool, sql, values);

interface Paid {
  line: string;
  payment: string;
  gatewayReference: string;
}

/** A line that was paid for: 10 SGD, tax included. */
async function paid(): Promise<Paid> {
  const order = await house.order(await house.customer());
  await house.settle();
  const [row] = await rows<Paid>(
    `SELECT i."subscription_id" AS line, p."id" AS payment, p."gateway_reference" FROM "order_item" i
       JOIN "payment" p ON p."id" = i."payment_id" WHERE i."product_order_id" = $1`,
    order,
  );
  if (!row) throw new Error('the line was not paid for');
  return row;
}

let notices = 0;
async function notice(gatewayReference: string | undefined, given?: string): Promise<boolean> {
  notices += 1;
  const id = given ?? `evt_${notices}`;
  const input = { id, type: 'charge.dispute.created', ...(gatewayReference ? { gatewayReference } : {}) };
  const { isNew } = await execute(house.policy, receiveGatewayEvent, input, systemCaller('test gateway'));
  await house.settle();
  return isNew;
}

const lineState = async (id: string) =>
  (
    await rows<{ state: string; blockReasons: string[] }>(
      'SELECT "state", "block_reasons" FROM "subscription" WHERE "id" = $1',
      id,
    )
  )[0];
const bills = async (payment: string) =>
  (
    await rows<{ amountMinor: number }>(
      'SELECT "amount_minor" FROM "customer_bill" WHERE "payment_id" = $1 ORDER BY "id"',
      payment,
    )
  ).map((bill) => bill.amountMinor);
const cases = async (payment: string) =>
  (
    await rows<{ document: JsonObject }>(
      `SELECT "document" FROM "trouble_ticket" WHERE "document" @> $1::jsonb ORDER BY "id"`,
      JSON.stringify({ relatedEntity: [{ id: payment }] }),
    )
  ).map(({ document }) => document);

describe('a chargeback', () => {
  it('takes back what was paid, ends what it paid for, and opens a case, once', async () => {
    const { line, payment, gatewayReference } = await paid();
    const { key } = await house.gateway.chargeback(gatewayReference);
    // The gateway tells it under two names, one of them twice.
    expect(await notice(gatewayReference, 'evt_twice')).toBe(true);
    expect(await notice(gatewayReference, 'evt_twice')).toBe(false);
    expect(await notice(gatewayReference)).toBe(true);
    expect(await bills(payment)).toEqual([1000, -1000]);
    expect(await lineState(line)).toEqual({ state: 'blocked', blockReasons: ['exhausted'] });
    const [opened, ...more] = await cases(payment);
    expect(more).toEqual([]);
    expect(opened).toMatchObject({ ticketType: 'case', severity: 'major', status: 'acknowledged' });
    expect(JSON.stringify(opened?.relatedEntity)).toContain(key);
    expect(await rows('SELECT "state" FROM "payment" WHERE "id" = $1', payment)).toEqual([{ state: 'done' }]);
    expect(await house.breaches()).toEqual([]);
  });

  it('after a part was given back takes no more than is left', async () => {
    const { payment, gatewayReference } = await paid();
    await execute(house.policy, refundPayment, { paymentId: payment, amount: 4 }, operator);
    await house.settle();
    await house.gateway.chargeback(gatewayReference);
    await notice(gatewayReference);
    expect(await bills(payment)).toEqual([1000, -400, -600]);
    expect(await house.breaches()).toEqual([]);
  });

  it('that overtakes a refund waits for its answer, and is recorded whole', async () => {
    const { payment, gatewayReference } = await paid();
    await execute(house.policy, refundPayment, { paymentId: payment, amount: 4 }, operator);
    await house.gateway.chargeback(gatewayReference);
    const input = { id: 'evt_overtakes', type: 'charge.dispute.created', gatewayReference };
    await execute(house.policy, receiveGatewayEvent, input, systemCaller('test gateway'));
    // The notice is looked at while nobody has asked the gateway for the refund yet, which it will refuse.
    await house.worker(gatewayEventSteps).drain();
    await house.settle();
    expect(await bills(payment)).toEqual([1000, -1000]);
    expect(await house.breaches()).toEqual([]);
  });

  it('of an order that is being given back leaves the order what is left, and neither waits for the other', async () => {
    await house.network.plan({ mode: 'refuse', permanent: true, when: 'active', times: 1 });
    await house.gateway.plan({ mode: 'unavailable', calls: ['refund'] });
    const order = await house.order(await house.customer());
    await expect(house.settle(undefined, 3)).rejects.toThrow(/work is left/);
    const [taken] = await rows<{ id: string; gatewayReference: string }>(
      `SELECT p."id", p."gateway_reference" FROM "order_item" i JOIN "payment" p ON p."id" = i."payment_id"
        WHERE i."product_order_id" = $1 AND p."state" = 'captured'`,
      order,
    );
    await house.gateway.chargeback(taken?.gatewayReference ?? '');
    await house.gateway.clearPlans();
    await notice(taken?.gatewayReference);
    expect((await house.state(order)).order).toBe('failed');
    expect(await bills(taken?.id ?? '')).toEqual([1000, -1000]);
    expect((await cases(taken?.id ?? '')).length).toBe(1);
    expect(await house.breaches()).toEqual([]);
  });

  it('of more than is left takes what is left and says so on the case', async () => {
    const { payment, gatewayReference } = await paid();
    await execute(house.policy, refundPayment, { paymentId: payment, amount: 4 }, operator);
    await house.settle();
    const { key } = await house.gateway.chargeback(gatewayReference);
    const real = house.gateway.operations;
    const greedy = {
      ...house.gateway,
      operations: async (reference: string) =>
        (await real(reference)).map((one) => (one.key === key ? { ...one, amountMinor: 1000 } : one)),
    };
    const policy = { ...house.policy, outside: { ...house.policy.outside, gateway: greedy } };
    await execute(policy, receiveGatewayEvent, { id: 'evt_greedy', type: 'd', gatewayReference }, systemCaller('test'));
    await house.settle(house.worker(undefined, policy));
    expect(await bills(payment)).toEqual([1000, -400, -600]);
    expect((await cases(payment))[0]?.description).toContain('only SGD 6.00 was left');
  });

  it('of a part leaves service as it is', async () => {
    const { line, payment, gatewayReference } = await paid();
    await house.gateway.chargeback(gatewayReference, 300);
    await notice(gatewayReference);
    expect(await bills(payment)).toEqual([1000, -300]);
    expect(await lineState(line)).toEqual({ state: 'active', blockReasons: [] });
    expect(await house.breaches()).toEqual([]);
  });

  it.each(['won', 'lost'] as const)('whose dispute is %s is noted on the case and nowhere else', async (ended) => {
    const { payment, gatewayReference } = await paid();
    const { key } = await house.gateway.chargeback(gatewayReference);
    await notice(gatewayReference);
    await house.gateway.closeChargeback(key, ended);
    await notice(gatewayReference);
    await notice(gatewayReference);
    expect(await bills(payment)).toEqual([1000, -1000]);
    const [opened, ...more] = await cases(payment);
    expect(more).toEqual([]);
    expect(opened?.note).toEqual([expect.objectContaining({ text: expect.stringContaining(`was ${ended}`) })]);
    expect(await house.breaches()).toEqual([]);
  });

  it('that is told only when its dispute has ended is recorded whole', async () => {
    const { payment, gatewayReference } = await paid();
    const { key } = await house.gateway.chargeback(gatewayReference);
    await house.gateway.closeChargeback(key, 'won');
    await notice(gatewayReference);
    await notice(gatewayReference);
    expect(await bills(payment)).toEqual([1000, -1000]);
    const [opened] = await cases(payment);
    expect(opened?.note).toEqual([expect.objectContaining({ text: expect.stringContaining('was won') })]);
  });
});

describe('a notice', () => {
  it('about nothing of ours is kept and moves nothing', async () => {
    expect(await notice(undefined, 'evt_payout')).toBe(true);
    expect(await notice('sbx_nobody', 'evt_stranger')).toBe(true);
    const kept = await rows<{ id: string; reconciledAt: Date | null }>(
      `SELECT "id", "reconciled_at" FROM "gateway_event" WHERE "id" IN ('evt_payout', 'evt_stranger') ORDER BY "id"`,
    );
    expect(kept.map(({ reconciledAt }) => reconciledAt instanceof Date)).toEqual([true, true]);
    expect(await house.breaches()).toEqual([]);
  });

  it('is told to the log of events, with its type', async () => {
    await notice(undefined, 'evt_logged');
    expect(await rows('SELECT "type", "change" FROM "event" WHERE "resource_id" = $1', 'evt_logged')).toEqual([
      { type: 'GatewayEventReceiveEvent', change: { type: 'charge.dispute.created', gatewayReference: null } },
    ]);
  });

  it('about a refund of ours records nothing of its own', async () => {
    const { payment, gatewayReference } = await paid();
    await execute(house.policy, refundPayment, { paymentId: payment, amount: 4 }, operator);
    // Before our own step has heard, and after.
    await notice(gatewayReference);
    await notice(gatewayReference);
    expect(await bills(payment)).toEqual([1000, -400]);
    expect(await house.breaches()).toEqual([]);
  });

  it('about a refund given at the gateway records it, once, and opens no case', async () => {
    const { line, payment, gatewayReference } = await paid();
    await house.gateway.refund({ key: 're_by_hand', gatewayReference, amountMinor: 1000, currency: 'SGD' });
    await notice(gatewayReference);
    await notice(gatewayReference);
    expect(await bills(payment)).toEqual([1000, -1000]);
    expect(await lineState(line)).toMatchObject({ state: 'blocked' });
    expect(await cases(payment)).toEqual([]);
    expect(await house.breaches()).toEqual([]);
  });

  it('that comes before the order is done is put off until it is', async () => {
    const order = await house.order(await house.customer());
    await house.network.plan({ mode: 'unavailable', times: 3 });
    const worker = house.worker();
    await worker.drain();
    const [row] = await rows<{ payment: string; gatewayReference: string }>(
      `SELECT p."id" AS payment, p."gateway_reference" FROM "order_item" i JOIN "payment" p ON p."id" = i."payment_id" WHERE i."product_order_id" = $1`,
      order,
    );
    await execute(
      house.policy,
      receiveGatewayEvent,
      { id: 'evt_early', type: 'payment_intent.succeeded', gatewayReference: row?.gatewayReference ?? '' },
      systemCaller('test'),
    );
    await house.settle();
    expect((await house.state(order)).order).toBe('completed');
    expect(await house.breaches()).toEqual([]);
  });

  it('wakes an order that waits for its customer', async () => {
    const order = await house.order(await house.customer('tok_requires_action'));
    const worker = house.worker();
    await worker.drain();
    expect((await house.state(order)).order).toBe('held');
    const [found] = await rows<{ payment: string }>(
      'SELECT "payment_id" AS payment FROM "order_item" WHERE "product_order_id" = $1',
      order,
    );
    let reference = '';
    for await (const one of house.gateway.book()) {
      if (one.kind === 'authorise' && one.reference === found?.payment) reference = one.gatewayReference;
    }
    await house.gateway.completeAction(reference, 'approve');
    await execute(
      house.policy,
      receiveGatewayEvent,
      { id: 'evt_confirmed', type: 'payment_intent.amount_capturable_updated', gatewayReference: reference },
      systemCaller('test'),
    );
    // Nobody waits out the pause between tries: the notice ended it.
    for (let n = 0; n < 6; n += 1) await worker.drain();
    expect((await house.state(order)).order).toBe('completed');
  });
});

// The last, for what it moves at the gateway is recorded nowhere.
it('a refund of ours that lands while it is looked for is found, and not taken for the bank’s', async () => {
  const { payment, gatewayReference } = await paid();
  const row = await transaction(house.policy, 'test.read', house.caller, {}, (tx) =>
    getRow(tx, 'payment', { id: payment }),
  );
  const key = `${row.factKey}:refund:1`;
  const landing = {
    ...house.gateway,
    find: async () => undefined,
    operations: async (reference: string) => {
      await house.gateway.refund({ key, gatewayReference, amountMinor: 1000, currency: 'SGD' });
      return house.gateway.operations(reference);
    },
  };
  expect(await askRefund(landing, row)).toMatchObject({ outcome: 'refunded', amountMinor: 1000 });
});
