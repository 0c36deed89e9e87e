import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hurry } from '../../doctrine/house.ts';
import type { Json, JsonObject } from '../../kernel/json.ts';
import { objects } from '../../policy/core/party.ts';
import { moveTo, openShop, type Shop } from './testing-house.ts';

let shop: Shop;
beforeAll(async () => {
  shop = await openShop();
});
afterAll(() => shop.close());

const statesOf = (order: JsonObject): Json[] => [
  order.state ?? null,
  ...objects(order.productOrderItem).map((item) => item.state ?? null),
];
const now = async (order: JsonObject): Promise<Json[]> => statesOf(await shop.orderNow(order.id));
const quiet = async () => expect(await shop.house.breaches()).toEqual([]);

/** How many authorisations the gateway was asked for an order, by its own book, and what became of them. */
async function asked(order: JsonObject): Promise<string[]> {
  const payments = objects((await shop.orderNow(order.id)).payment).map((payment) => payment.id);
  const outcomes: string[] = [];
  for await (const operation of shop.house.gateway.book()) {
    if (operation.kind === 'authorise' && payments.includes(operation.reference))
      outcomes.push(`${operation.amountMinor} ${operation.answer.outcome}`);
  }
  return outcomes.sort();
}

const cancel = async (order: JsonObject): Promise<JsonObject> =>
  (await shop.door.http('POST', 'TMF622 cancelProductOrder', { productOrder: { id: String(order.id) } })).body;

describe('items of one order go their own ways, each with an authorisation of its own', () => {
  it('two plans, one of which is beyond the card: the other is served, and the order is partial', async () => {
    const customer = await shop.house.customer('tok_declined_above_30');
    const order = await shop.order(customer, [shop.add('lite', 'PLAN_S'), shop.add('max', 'PLAN_L')]);
    expect(statesOf(order)).toEqual(['acknowledged', 'acknowledged', 'acknowledged']);
    expect(order).toMatchObject({ orderTotalPrice: [{ price: { taxIncludedAmount: { value: 55 } } }] });
    await shop.house.settle();
    expect(await now(order)).toEqual(['partial', 'completed', 'failed']);
    const ended = await shop.orderNow(order.id);
    expect(ended).toMatchObject({ completionDate: expect.any(String), note: [{ id: 'payment.declined' }] });
    expect(await asked(order)).toEqual(['1000 authorised', '4500 declined']);
    const { body } = await shop.door.http('GET', `TMF637 product?relatedParty.id=${customer}&status=active`);
    expect(objects(body.items).map((line) => line.name)).toEqual(['Lite']);
    expect(await shop.billed(customer)).toEqual([10]);
    await quiet();
  });

  it('all of them fail: so does the order; all succeed: it completes', async () => {
    const poor = await shop.order(await shop.house.customer('tok_declined'), [
      shop.add('1', 'PLAN_S'),
      shop.add('2', 'PLAN_M'),
    ]);
    const rich = await shop.order(await shop.house.customer(), [shop.add('1', 'PLAN_S'), shop.add('2', 'PLAN_M')]);
    await shop.house.settle();
    expect([await now(poor), await now(rich)]).toEqual([
      ['failed', 'failed', 'failed'],
      ['completed', 'completed', 'completed'],
    ]);
    await quiet();
  });

  it('a plan that the network refuses and an add-on for another line', async () => {
    const line = await shop.line();
    await shop.house.network.plan({ mode: 'refuse', permanent: true, when: 'inactive', times: 1 });
    const order = await shop.order(line.customer, [shop.add('1', 'PLAN_M'), shop.add('2', 'VAS_DATA_1GB', line)]);
    await shop.house.settle();
    expect(await now(order)).toEqual(['partial', 'failed', 'completed']);
    expect(await shop.billed(line.customer)).toEqual([10, 3]);
    await quiet();
  });

  it('twenty of them: twenty lines, numbers and charges', { timeout: 60_000 }, async () => {
    const customer = await shop.house.customer();
    const items = Array.from({ length: 20 }, (_, index) => shop.add(String(index + 1), 'PLAN_S'));
    const order = await shop.order(customer, items);
    await shop.house.settle(shop.house.worker(), 80);
    expect(new Set(await now(order))).toEqual(new Set(['completed']));
    expect(await asked(order)).toEqual(Array.from({ length: 20 }, () => '1000 authorised'));
    const { body } = await shop.door.http('GET', `TMF637 product?relatedParty.id=${customer}&status=active&limit=50`);
    expect(new Set(objects(body.items).map((line) => line.productSerialNumber)).size).toBe(20);
    expect(await shop.billed(customer)).toHaveLength(20);
    await quiet();
  });

  it('with a change of plan: what is bought is served at once, the order waits for the renewal', async () => {
    const line = await shop.line();
    const served = await shop.order(line.customer, [
      shop.add('1', 'VAS_DATA_1GB', line),
      shop.change(line, 'PLAN_M', '2'),
    ]);
    await shop.house.settle();
    expect(await now(served)).toEqual(['pending', 'completed', 'pending']);
    expect(await shop.billed(line.customer)).toEqual([10, 3]);
    await quiet();
    await moveTo(shop.house, await shop.boundary(line.id));
    expect(await now(served)).toEqual(['completed', 'completed', 'completed']);
    expect(await shop.billed(line.customer)).toEqual([10, 3, 25]);
    await quiet();
  });

  it('with a change of plan that is withdrawn, or beside an item that fails: partial', async () => {
    const [one, two] = [await shop.line(), await shop.line('tok_declined_above_30')];
    const withdrawn = await shop.order(one.customer, [
      shop.add('1', 'VAS_DATA_1GB', one),
      shop.change(one, 'PLAN_M', '2'),
    ]);
    const beside = await shop.order(two.customer, [shop.add('1', 'PLAN_L'), shop.change(two, 'PLAN_M', '2')]);
    await shop.house.settle();
    expect([await now(withdrawn), await now(beside)]).toEqual([
      ['pending', 'completed', 'pending'],
      ['pending', 'failed', 'pending'],
    ]);
    await shop.door.tool('subscription.withdraw_plan_change', { subscriptionId: one.id });
    await moveTo(shop.house, await shop.boundary(two.id));
    expect([await now(withdrawn), await now(beside)]).toEqual([
      ['partial', 'completed', 'cancelled'],
      ['partial', 'failed', 'completed'],
    ]);
    await quiet();
  });
});

describe('an order of several items is called off as a whole, or not at all', () => {
  it('in time: every item, and what is held for each comes back', async () => {
    const line = await shop.line();
    const order = await shop.order(line.customer, [
      shop.add('1', 'PLAN_S'),
      shop.add('2', 'PLAN_M'),
      shop.add('3', 'VAS_DATA_1GB', line),
      shop.change(line, 'PLAN_L', '4'),
    ]);
    expect(await cancel(order)).toMatchObject({ state: 'done' });
    await shop.house.settle();
    expect(await now(order)).toEqual(['cancelled', 'cancelled', 'cancelled', 'cancelled', 'cancelled']);
    expect(await shop.billed(line.customer)).toEqual([10]);
    expect((await shop.door.tool('subscription.show', { subscriptionId: line.id })).body.pendingChange).toBeNull();
    await quiet();
  });

  it('while one waits for the customer and the money of another was taken it is too late: the order goes on', async () => {
    const line = await shop.line();
    const customer = line.customer;
    const order = await shop.order(customer, [shop.add('1', 'VAS_DATA_1GB', line), shop.change(line, 'PLAN_L', '2')]);
    await shop.house.settle();
    expect(await now(order)).toEqual(['pending', 'completed', 'pending']);
    expect(await cancel(order)).toMatchObject({
      state: 'terminatedWithError',
      statusReason: expect.stringContaining('order.cancel_before_activation'),
    });
    const tool = await shop.door.tool('order.cancel', { orderId: String(order.id) });
    expect([tool.status, tool.body.reason, tool.body.facts]).toEqual([
      409,
      'order.cancel_before_activation',
      { items: ['1'] },
    ]);
    expect(await now(order)).toEqual(['pending', 'completed', 'pending']);
    await moveTo(shop.house, await shop.boundary(line.id));
    expect(await now(order)).toEqual(['completed', 'completed', 'completed']);
    await quiet();
  });

  it('while all of them wait for the customer it is in time', async () => {
    const customer = await shop.house.customer('tok_requires_action');
    const order = await shop.order(customer, [shop.add('1', 'PLAN_S'), shop.add('2', 'PLAN_S')]);
    await shop.house.worker().drain();
    expect(await now(order)).toEqual(['held', 'held', 'held']);
    await cancel(order);
    await hurry(shop.house.policy);
    await shop.house.settle();
    expect(await now(order)).toEqual(['cancelled', 'cancelled', 'cancelled']);
    await quiet();
  });
});
