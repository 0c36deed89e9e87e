import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type House, operator } from '../../doctrine/house.ts';
import { isJsonObject, type Json, type JsonObject } from '../../kernel/json.ts';
import { addCard } from '../../policy/card/commands.ts';
import { execute, transaction } from '../../policy/core/command.ts';
import { objects } from '../../policy/core/party.ts';
import { terminateLine } from '../../policy/subscription/line.ts';
import { type HouseDoor, houseDoor, moveTo, openShop, orderBody, type Shop, type ShopLine } from './testing-house.ts';

// Business time only goes forward, so the stories follow one another. Each has a line of its own.

let shop: Shop;
let house: House;
let door: HouseDoor;
beforeAll(async () => {
  shop = await openShop();
  ({ house, door } = shop);
});
afterAll(() => shop.close());

const activeLine = (card?: string, plan?: string): Promise<ShopLine> => shop.line(card, plan);
const offering = (code: string): string => shop.offering(code);
const change = (line: ShopLine, plan: string, id?: string): JsonObject => shop.change(line, plan, id);
const add = (id: string, code: string, line?: ShopLine): JsonObject => shop.add(id, code, line);
const order = (customer: string, items: JsonObject[]): Promise<JsonObject> => shop.order(customer, items);
const orderNow = (id: Json | undefined): Promise<JsonObject> => shop.orderNow(id);
const billed = (line: ShopLine): Promise<Json[]> => shop.billed(line.customer);

const show = async (line: ShopLine): Promise<JsonObject> =>
  (await door.tool('subscription.show', { subscriptionId: line.id })).body;
const product = async (line: ShopLine): Promise<JsonObject> =>
  (await door.http('GET', `TMF637 product/${line.id}`)).body;
const pricesOf = (body: JsonObject): Json[] =>
  objects(body.productPrice).map((one) =>
    isJsonObject(one.price) && isJsonObject(one.price.taxIncludedAmount)
      ? (one.price.taxIncludedAmount.value ?? null)
      : null,
  );
const boundary = (line: ShopLine): Promise<Date> => shop.boundary(line.id);

async function end(line: ShopLine): Promise<void> {
  await transaction(house.policy, 'test.terminate', operator, {}, (tx) =>
    terminateLine(tx, line.id, { flow: 'line', subject: line.id, confirmed: 'release', refused: 'release' }),
  );
  await house.settle();
}

const giveCard = (line: ShopLine, token: string) =>
  execute(house.policy, addCard, { customerId: line.customer, token, isPreferred: true }, operator);

describe('a change of plan', () => {
  it('takes no payment, waits for the renewal, and begins with the charge of the new price', async () => {
    const line = await activeLine();
    const placed = await order(line.customer, [change(line, 'PLAN_L')]);
    expect(placed).toMatchObject({
      state: 'acknowledged',
      productOrderItem: [{ state: 'acknowledged', itemPrice: [{ price: { taxIncludedAmount: { value: 45 } } }] }],
      orderTotalPrice: [{ price: { taxIncludedAmount: { value: 0 } } }],
    });
    await house.settle();
    expect(await orderNow(placed.id)).toMatchObject({ state: 'pending', productOrderItem: [{ state: 'pending' }] });
    const before = await product(line);
    expect(before).toMatchObject({
      name: 'Lite',
      productOffering: { id: offering('PLAN_S') },
      pendingChange: {
        productOffering: { id: offering('PLAN_L'), name: 'Max' },
        productPrice: [{ price: { taxIncludedAmount: { unit: 'SGD', value: 45 } } }],
        productOrderItem: [{ orderItemAction: 'modify', orderItemId: '1', productOrderId: placed.id }],
      },
    });
    expect(pricesOf(before)).toEqual([10]);
    expect(await show(line)).toMatchObject({
      plan: { code: 'PLAN_S' },
      price: { amountMinor: 1000 },
      pendingChange: { offering: 'Max', code: 'PLAN_L', price: { amountMinor: 4500 }, orderId: placed.id },
    });
    expect((await door.tool('order.show', { orderId: String(placed.id) })).body).toMatchObject({
      total: { amountMinor: 0 },
      items: [
        {
          action: 'modify',
          payment: null,
          stages: [
            { name: 'acknowledged', state: 'done' },
            { name: 'completed', state: 'running', reason: expect.stringMatching(/^waits for the renewal on \d{4}-/) },
          ],
        },
      ],
    });
    expect([await billed(line), await house.breaches()]).toEqual([[10], []]);

    await moveTo(house, await boundary(line));
    expect(await orderNow(placed.id)).toMatchObject({
      state: 'completed',
      productOrderItem: [{ state: 'completed', product: { id: line.id } }],
    });
    const after = await product(line);
    expect(after).toMatchObject({
      name: 'Max',
      description: expect.stringMatching(/^Max on \d+$/),
      productOffering: { id: offering('PLAN_L') },
      productOrderItem: [{ orderItemAction: 'add' }, { orderItemAction: 'modify', productOrderId: placed.id }],
    });
    expect(after).not.toHaveProperty('pendingChange');
    expect(pricesOf(after)).toEqual([45]);
    expect(await show(line)).toMatchObject({
      state: 'active',
      plan: { code: 'PLAN_L', name: 'Max' },
      price: { amountMinor: 4500 },
      pendingChange: null,
      stoppedKinds: [],
      period: { number: 2 },
      balances: [
        { kind: 'data', granted: { text: '150 GB' } },
        { kind: 'voice', isUnlimited: true },
        {},
        { kind: 'roaming_data' },
      ],
    });
    expect([await billed(line), await house.breaches()]).toEqual([[10, 45], []]);
    await moveTo(house, await boundary(line));
    expect(await billed(line)).toEqual([10, 45, 45]);
    await end(line);
  });

  it('to a smaller plan: what it does not hold is stopped from then on, and an add-on of it still serves', async () => {
    const [bare, helped] = [await activeLine('tok_visa', 'PLAN_M'), await activeLine('tok_visa', 'PLAN_M')];
    for (const line of [bare, helped]) {
      const { status, body } = await door.tool('subscription.change_plan', {
        subscriptionId: line.id,
        offering: 'PLAN_S',
      });
      expect([status, body.document]).toMatchObject([200, { state: 'acknowledged' }]);
    }
    const at = await boundary(helped);
    await moveTo(house, new Date(at.getTime() - 24 * 3600_000));
    await house.topUp(helped.id, 'VAS_ROAMING_1GB');
    await house.settle();
    await moveTo(house, at);
    expect(await show(bare)).toMatchObject({ plan: { code: 'PLAN_S' }, stoppedKinds: ['roaming_data'] });
    expect(await show(helped)).toMatchObject({ plan: { code: 'PLAN_S' }, stoppedKinds: [] });
    expect([await billed(bare), await billed(helped)]).toEqual([
      [25, 10],
      [25, 8, 10],
    ]);
    expect(await house.breaches()).toEqual([]);
    await end(bare);
    await end(helped);
  });

  it('is proposed before it is done: nothing is charged now, and what it costs from the renewal on', async () => {
    const line = await activeLine();
    const { body } = await door.proposal('subscription.change_plan', { subscriptionId: line.id, offering: 'PLAN_L' });
    expect(body).toMatchObject({
      proposal: {
        what: expect.stringMatching(/^Change \d+ to Max for /),
        customer: { id: line.customer },
        amount: { amountMinor: 0 },
        details: ['Nothing is charged for the change: from the next renewal on the line costs SGD 45.00.'],
      },
    });
    expect(await show(line)).toMatchObject({ pendingChange: null });
    await end(line);
  });

  it('is withdrawn by a tool: the order is cancelled, the renewal charges the old price', async () => {
    const line = await activeLine();
    const placed = await order(line.customer, [change(line, 'PLAN_M')]);
    await house.settle();
    const withdrawn = await door.tool('subscription.withdraw_plan_change', { subscriptionId: line.id });
    expect([withdrawn.status, withdrawn.body]).toMatchObject([
      200,
      { id: placed.id, document: { state: 'cancelled' } },
    ]);
    expect(await orderNow(placed.id)).toMatchObject({
      state: 'cancelled',
      note: [{ id: 'subscription.plan_change_withdrawn' }],
      productOrderItem: [{ state: 'cancelled' }],
    });
    expect(await product(line)).not.toHaveProperty('pendingChange');
    // Now there is room for another.
    const second = await order(line.customer, [change(line, 'PLAN_L')]);
    expect(second.state).toBe('acknowledged');
    expect((await door.tool('subscription.withdraw_plan_change', { subscriptionId: line.id })).status).toBe(200);
    await moveTo(house, await boundary(line));
    expect([await billed(line), (await show(line)).plan]).toMatchObject([[10, 10], { code: 'PLAN_S' }]);
    expect(await house.breaches()).toEqual([]);
    await end(line);
  });

  it('is withdrawn by cancelling its order, before and while it waits; once it has begun it is too late', async () => {
    const line = await activeLine();
    const cancel = (id: Json | undefined) =>
      door.http('POST', 'TMF622 cancelProductOrder', { productOrder: { id: String(id) }, cancellationReason: 'no' });
    for (const waits of [false, true]) {
      const placed = await order(line.customer, [change(line, 'PLAN_M')]);
      if (waits) await house.settle();
      expect((await cancel(placed.id)).body).toMatchObject({ state: 'done' });
      await house.settle();
      expect(await orderNow(placed.id)).toMatchObject({ state: 'cancelled', cancellationReason: 'no' });
      expect(await show(line)).toMatchObject({ pendingChange: null });
    }
    const placed = await order(line.customer, [change(line, 'PLAN_M')]);
    await moveTo(house, await boundary(line));
    expect((await cancel(placed.id)).body).toMatchObject({
      state: 'terminatedWithError',
      statusReason: expect.stringContaining('order.cancel_before_activation'),
    });
    expect([(await orderNow(placed.id)).state, await billed(line), await house.breaches()]).toEqual([
      'completed',
      [10, 25],
      [],
    ]);
    await end(line);
  });

  it('stays pending when its charge is declined, and begins with the first that is not', async () => {
    const line = await activeLine('tok_declined_above_30');
    const placed = await order(line.customer, [change(line, 'PLAN_L')]);
    const first = await boundary(line);
    await moveTo(house, first);
    expect(await show(line)).toMatchObject({
      state: 'blocked',
      blockReasons: ['exhausted', 'unpaid'],
      plan: { code: 'PLAN_S' },
      pendingChange: { code: 'PLAN_L' },
    });
    expect((await orderNow(placed.id)).state).toBe('pending');
    // The next boundary asks the new price again, once.
    await moveTo(house, await boundary(line));
    expect(await show(line)).toMatchObject({ state: 'blocked', pendingChange: { code: 'PLAN_L' } });
    await giveCard(line, 'tok_visa_better');
    await moveTo(house, await boundary(line));
    expect(await show(line)).toMatchObject({ state: 'active', plan: { code: 'PLAN_L' }, pendingChange: null });
    expect([(await orderNow(placed.id)).state, await billed(line), await house.breaches()]).toEqual([
      'completed',
      [10, 45],
      [],
    ]);
    await end(line);
  });

  it('begins with a new period that an unpaid line buys, at the price of the new plan', async () => {
    const line = await activeLine('tok_declined_above_30');
    const placed = await order(line.customer, [change(line, 'PLAN_L')]);
    await moveTo(house, await boundary(line));
    const declined = await order(line.customer, [add('1', 'VAS_PERIOD', line)]);
    expect(declined).toMatchObject({ orderTotalPrice: [{ price: { taxIncludedAmount: { value: 45 } } }] });
    await house.settle();
    expect((await orderNow(declined.id)).state).toBe('failed');
    expect(await show(line)).toMatchObject({
      state: 'blocked',
      plan: { code: 'PLAN_S' },
      pendingChange: { code: 'PLAN_L' },
    });
    // A smaller one is within the card's reach.
    await door.tool('subscription.withdraw_plan_change', { subscriptionId: line.id });
    const smaller = await order(line.customer, [change(line, 'PLAN_M')]);
    const bought = await order(line.customer, [add('1', 'VAS_PERIOD', line)]);
    await house.settle();
    expect([
      (await orderNow(bought.id)).state,
      (await orderNow(smaller.id)).state,
      (await orderNow(placed.id)).state,
    ]).toEqual(['completed', 'completed', 'cancelled']);
    expect(await show(line)).toMatchObject({
      state: 'active',
      plan: { code: 'PLAN_M' },
      period: { number: 2 },
      stoppedKinds: [],
      balances: [{ kind: 'data', granted: { text: '30 GB' } }, {}, {}, {}],
    });
    expect([await billed(line), await house.breaches()]).toEqual([[10, 25], []]);
    await moveTo(house, await boundary(line));
    expect(await billed(line)).toEqual([10, 25, 25]);
    await end(line);
  });

  it('ends with its line', async () => {
    const line = await activeLine();
    const placed = await order(line.customer, [change(line, 'PLAN_M')]);
    await house.settle();
    await end(line);
    expect(await orderNow(placed.id)).toMatchObject({ state: 'cancelled', note: [{ id: 'subscription.line_ended' }] });
    expect(await product(line)).not.toHaveProperty('pendingChange');
    expect(await house.breaches()).toEqual([]);
  });

  it('needs no card today: a customer whose cards have all expired may still ask for one', async () => {
    const line = await activeLine();
    await transaction(house.policy, 'test.expire', operator, {}, async (tx) => {
      await tx.sql`UPDATE "payment_method" SET "expires_at" = ${new Date(tx.now.getTime() - 1000)} WHERE "customer_id" = ${line.customer}`;
    });
    const placed = await order(line.customer, [change(line, 'PLAN_M')]);
    expect(placed.state).toBe('acknowledged');
    await end(line);
  });

  it('is not written by a PATCH of the product', async () => {
    const line = await activeLine();
    const answer = await door.http('PATCH', `TMF637 product/${line.id}`, {
      pendingChange: { productOffering: { id: offering('PLAN_L') } },
    });
    expect([answer.status, answer.body.reason]).toEqual([409, 'product.line_facts_are_fixed']);
    await end(line);
  });
});

describe('what was agreed is charged', () => {
  it('a price that rises and an offering that is retired do not reach a line, nor a change that waits', async () => {
    const [kept, changing] = [await activeLine('tok_visa', 'PLAN_M'), await activeLine()];
    await order(changing.customer, [change(changing, 'PLAN_M')]);
    const { body } = await door.http('GET', `TMF620 productOffering/${offering('PLAN_M')}`);
    const price = objects(body.productOfferingPrice)[0]?.id;
    const raised = await door.http('PATCH', `TMF620 productOfferingPrice/${String(price)}`, {
      price: { unit: 'SGD', value: 99 },
    });
    expect(raised.status).toBe(200);
    expect(await order((await activeLine()).customer, [add('1', 'PLAN_M')])).toMatchObject({
      orderTotalPrice: [{ price: { taxIncludedAmount: { value: 99 } } }],
    });
    const retired = await door.http('PATCH', `TMF620 productOffering/${offering('PLAN_M')}`, {
      lifecycleStatus: 'Retired',
    });
    expect(retired.status).toBe(200);
    await moveTo(house, await boundary(changing));
    await moveTo(house, await boundary(changing));
    expect([await billed(kept), await billed(changing)]).toEqual([
      [25, 25, 25],
      [10, 25, 25],
    ]);
    expect(await house.breaches()).toEqual([]);
    await door.http('PATCH', `TMF620 productOfferingPrice/${String(price)}`, { price: { unit: 'SGD', value: 25 } });
    await end(kept);
    await end(changing);
    // Unpaid on a retired plan: the new period costs what the line costs.
    const poor = await activeLine('tok_renewal_declines_p', 'PLAN_L');
    await moveTo(house, await boundary(poor));
    const priceOfL = objects(
      (await door.http('GET', `TMF620 productOffering/${offering('PLAN_L')}`)).body.productOfferingPrice,
    )[0]?.id;
    await door.http('PATCH', `TMF620 productOfferingPrice/${String(priceOfL)}`, { price: { unit: 'SGD', value: 99 } });
    await giveCard(poor, 'tok_visa_p');
    const period = await order(poor.customer, [add('1', 'VAS_PERIOD', poor)]);
    await house.settle();
    expect([(await orderNow(period.id)).state, await billed(poor)]).toEqual(['completed', [45, 45]]);
    await door.http('PATCH', `TMF620 productOfferingPrice/${String(priceOfL)}`, { price: { unit: 'SGD', value: 45 } });
    await end(poor);
  });
});

describe('rules', () => {
  /** What is ordered is rejected by this rule, and by no rule when it is off. */
  async function expectRejected(
    code: string,
    attempt: () => Promise<{ customer: string; items: JsonObject[] }>,
  ): Promise<void> {
    const { customer, items } = await attempt();
    const rejected = await order(customer, items);
    expect([rejected.state, objects(rejected.note)[0]?.id]).toEqual(['rejected', code]);
    const open = await houseDoor(house, [code]);
    const again = await attempt();
    const answer = await open.http('POST', 'TMF622 productOrder', orderBody(again.customer, again.items));
    await open.close();
    expect([code, answer.body.state]).not.toEqual([code, 'rejected']);
  }

  it('subscription.plan_change_names_plan', () =>
    expectRejected('subscription.plan_change_names_plan', async () => {
      const line = await activeLine();
      return { customer: line.customer, items: [change(line, 'VAS_DATA_1GB')] };
    }));

  it('subscription.plan_change_names_line: one of this customer', () =>
    expectRejected('subscription.plan_change_names_line', async () => {
      const [line, other] = [await activeLine(), await activeLine()];
      return { customer: other.customer, items: [change(line, 'PLAN_L')] };
    }));

  it('subscription.plan_change_needs_live_line', () =>
    expectRejected('subscription.plan_change_needs_live_line', async () => {
      const line = await activeLine();
      await end(line);
      return { customer: line.customer, items: [change(line, 'PLAN_L')] };
    }));

  it('subscription.plan_change_to_other_plan', () =>
    expectRejected('subscription.plan_change_to_other_plan', async () => {
      const line = await activeLine();
      return { customer: line.customer, items: [change(line, 'PLAN_S')] };
    }));

  it('subscription.one_plan_change_at_a_time', () =>
    expectRejected('subscription.one_plan_change_at_a_time', async () => {
      const line = await activeLine();
      await order(line.customer, [change(line, 'PLAN_L')]);
      return { customer: line.customer, items: [change(line, 'PLAN_L')] };
    }));

  it('subscription.one_plan_change_at_a_time: not two in one order either', () =>
    expectRejected('subscription.one_plan_change_at_a_time', async () => {
      const line = await activeLine();
      return { customer: line.customer, items: [change(line, 'PLAN_L'), change(line, 'PLAN_L', '2')] };
    }));

  /** A line that is unpaid, and a good card. What is ordered for it is not worked on before somebody settles. */
  let unpaid = 0;
  async function unpaidLine(): Promise<ShopLine> {
    unpaid += 1;
    const line = await activeLine(`tok_renewal_declines_u${unpaid}`);
    await moveTo(house, await boundary(line));
    await giveCard(line, `tok_visa_u${unpaid}`);
    return line;
  }

  it('subscription.one_period_at_a_time', () =>
    expectRejected('subscription.one_period_at_a_time', async () => {
      const line = await unpaidLine();
      await order(line.customer, [add('1', 'VAS_PERIOD', line)]);
      return { customer: line.customer, items: [add('1', 'VAS_PERIOD', line)] };
    }));

  it('subscription.one_period_at_a_time: not two in one order either', () =>
    expectRejected('subscription.one_period_at_a_time', async () => {
      const line = await unpaidLine();
      return { customer: line.customer, items: [add('1', 'VAS_PERIOD', line), add('2', 'VAS_PERIOD', line)] };
    }));

  it('subscription.plan_change_not_while_charged', () =>
    expectRejected('subscription.plan_change_not_while_charged', async () => {
      const line = await unpaidLine();
      await order(line.customer, [add('1', 'VAS_PERIOD', line)]);
      return { customer: line.customer, items: [change(line, 'PLAN_L')] };
    }));

  it('subscription.plan_change_not_while_charged: nor beside it in one order', () =>
    expectRejected('subscription.plan_change_not_while_charged', async () => {
      const line = await unpaidLine();
      return { customer: line.customer, items: [change(line, 'PLAN_L'), add('2', 'VAS_PERIOD', line)] };
    }));

  it('subscription.plan_change_is_being_charged: too late to withdraw, by tool and by TMF622', async () => {
    const line = await unpaidLine();
    const placed = await order(line.customer, [change(line, 'PLAN_L')]);
    await order(line.customer, [add('1', 'VAS_PERIOD', line)]);
    const input = { subscriptionId: line.id };
    const refused = await door.tool('subscription.withdraw_plan_change', input);
    expect([refused.status, refused.body.reason]).toEqual([409, 'subscription.plan_change_is_being_charged']);
    const cancelled = await door.http('POST', 'TMF622 cancelProductOrder', { productOrder: { id: String(placed.id) } });
    expect(cancelled.body).toMatchObject({
      state: 'terminatedWithError',
      statusReason: expect.stringContaining('order.cancel_before_activation'),
    });
    const open = await houseDoor(house, ['subscription.plan_change_is_being_charged']);
    expect((await open.tool('subscription.withdraw_plan_change', input)).status).toBe(200);
    await open.close();
  });

  it('subscription.no_plan_change_pending', async () => {
    const line = await activeLine();
    const input = { subscriptionId: line.id };
    const refused = await door.tool('subscription.withdraw_plan_change', input);
    expect([refused.status, refused.body.reason]).toEqual([409, 'subscription.no_plan_change_pending']);
    const open = await houseDoor(house, ['subscription.no_plan_change_pending']);
    expect((await open.tool('subscription.withdraw_plan_change', input)).body.reason).not.toBe(
      'subscription.no_plan_change_pending',
    );
    await open.close();
    expect((await door.tool('subscription.withdraw_plan_change', { subscriptionId: 'sub_none' })).status).toBe(404);
    expect(
      (await door.tool('subscription.change_plan', { subscriptionId: 'sub_none', offering: 'PLAN_L' })).status,
    ).toBe(404);
  });
});
