import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type House, openHouse, operator } from '../../doctrine/house.ts';
import type { JsonObject } from '../../kernel/json.ts';
import { type AnyCommand, execute, judge, type Policy, transaction } from '../core/command.ts';
import type { Stored } from '../core/resource.ts';
import { getRow } from '../core/table.ts';
import { runStatement } from '../core/transaction.ts';
import { cancelOrderCommand } from '../order/cancel.ts';
import { reportUsage } from '../usage/commands.ts';
import { productCommands } from './product-commands.ts';

let house: House;
beforeAll(async () => {
  house = await openHouse();
});
afterAll(() => house.close());
beforeEach(async () => {
  await house.gateway.clearPlans();
  await house.network.clearPlans();
});

function must(command: AnyCommand | undefined): AnyCommand {
  if (!command) throw new Error('there is no such command');
  return command;
}

const offering = async (code: string): Promise<string> =>
  (await runStatement<{ id: string }>(house.pool, 'SELECT "id" FROM "product_offering" WHERE "code" = $1', [code]))[0]
    ?.id ?? '';

const body = async (customer: string, more: JsonObject = {}, code = 'PLAN_S'): Promise<JsonObject> => ({
  status: 'created',
  relatedParty: [{ id: customer, role: 'customer', '@referredType': 'Customer' }],
  productOffering: { id: await offering(code) },
  ...more,
});

// Asked as the TMF door asks: this command keeps no refusal.
const create = async (document: JsonObject, policy: Policy = house.policy): Promise<Stored> => {
  const made: Stored = await execute(policy, must(productCommands.create), { document }, operator, {
    keepRefused: true,
  });
  return made;
};
const patch = async (id: string, value: JsonObject, policy: Policy = house.policy): Promise<Stored> => {
  const made: Stored = await execute(
    policy,
    must(productCommands.patch),
    { id, patch: { kind: 'merge', value } },
    operator,
  );
  return made;
};

const line = (id: string) =>
  transaction(house.policy, 'test.read', operator, {}, (tx) => getRow(tx, 'subscription', { id }));
const document = async (id: string): Promise<JsonObject> => {
  const [row] = await runStatement<{ document: JsonObject }>(
    house.pool,
    'SELECT "document" FROM "subscription" WHERE "id" = $1',
    [id],
  );
  if (!row) throw new Error(`there is no product ${id}`);
  return row.document;
};
const counts = () =>
  runStatement(
    house.pool,
    'SELECT (SELECT count(*) FROM "product_order") AS orders, (SELECT count(*) FROM "subscription") AS products, (SELECT count(*) FROM "payment") AS payments',
    [],
  );
const orderOf = async (id: string): Promise<string> =>
  (
    await runStatement<{ id: string }>(
      house.pool,
      'SELECT "product_order_id" AS id FROM "order_item" WHERE "subscription_id" = $1',
      [id],
    )
  )[0]?.id ?? '';

async function active(more: JsonObject = {}): Promise<string> {
  const made = await create(await body(await house.customer(), more));
  await house.settle();
  return made.id;
}

describe('creating a product is placing an order', () => {
  it('with the same charge, and the product is the line', async () => {
    const given = {
      name: 'Grandmother',
      description: 'on her farm',
      'x-crm': { id: 7 },
      place: [{ id: 'farm', role: 'home', '@referredType': 'Place' }],
    };
    const made = await create(
      await body(await house.customer(), {
        ...given,
        status: 'active',
        startDate: '2001-01-01T00:00:00Z',
        productPrice: [],
      }),
    );
    expect(made.id).toMatch(/^sub_/);
    expect(made.document).toMatchObject({
      ...given,
      id: made.id,
      '@type': 'Product',
      status: 'pendingActive',
      productPrice: [{ price: { taxIncludedAmount: { unit: 'SGD', value: 10 } } }],
    });
    expect(made.document).not.toHaveProperty('startDate');
    expect(await document(made.id)).toEqual(made.document);
    await house.settle();
    const served = await line(made.id);
    expect(served).toMatchObject({ state: 'active', priceMinor: 1000 });
    expect(await document(made.id)).toMatchObject({
      ...given,
      status: 'active',
      productSerialNumber: served.msisdn,
      productCharacteristic: [{ name: 'msisdn', value: served.msisdn }],
      realizingService: [{ id: served.serviceId }],
    });
    expect(await house.state(await orderOf(made.id))).toMatchObject({
      order: 'completed',
      subscriptionId: made.id,
      payment: 'captured',
    });
    const types = await runStatement<{ type: string }>(
      house.pool,
      'SELECT "type" FROM "event" WHERE "resource_id" = $1 ORDER BY "position" LIMIT 1',
      [made.id],
    );
    expect(types).toEqual([{ type: 'ProductCreateEvent' }]);
    expect(await house.breaches()).toEqual([]);
  });

  it('with a number that is wished for', async () => {
    const [free] = await runStatement<{ msisdn: string }>(
      house.pool,
      `SELECT "msisdn" FROM "phone_number" WHERE "state" = 'available' ORDER BY 1 DESC LIMIT 1`,
      [],
    );
    const id = await active({
      productCharacteristic: [
        { name: 'msisdn', value: free?.msisdn ?? '' },
        { name: 'colour', value: 'red' },
      ],
    });
    expect((await line(id)).msisdn).toBe(free?.msisdn);
    expect((await document(id)).productCharacteristic).toEqual([
      { name: 'colour', value: 'red' },
      expect.objectContaining({ name: 'msisdn', value: free?.msisdn }),
    ]);
  });

  const noPlan = async (): Promise<unknown> => undefined;
  const refuse = (when: 'inactive' | 'active'): Promise<unknown> =>
    house.network.plan({ mode: 'refuse', permanent: true, when, times: 1 });
  it.each([
    ['the card is declined', 'tok_declined', noPlan],
    ['the capture fails', 'tok_authorises_capture_fails', noPlan],
    ['the network will not provision', 'tok_visa', () => refuse('inactive')],
    ['the network will not enable', 'tok_visa', () => refuse('active')],
  ] as const)('%s: the product ends, nothing is kept of it', async (_name, token, plan) => {
    await plan();
    const made = await create(await body(await house.customer(token)));
    await house.settle();
    expect((await document(made.id)).status).toBe('terminated');
    expect((await house.state(await orderOf(made.id))).order).toBe('failed');
    expect(await house.breaches()).toEqual([]);
  });

  it('it ends when its order is cancelled', async () => {
    for (const steps of [0, 1, 2]) {
      const made = await create(await body(await house.customer()));
      if (steps === 1) await house.gateway.plan({ mode: 'unavailable', calls: ['authorise'], times: 1 });
      if (steps === 2) await house.network.plan({ mode: 'unavailable', when: 'inactive', times: 1 });
      if (steps > 0) await house.worker().drain();
      await execute(house.policy, cancelOrderCommand, { orderId: await orderOf(made.id) }, operator);
      await house.settle();
      expect((await document(made.id)).status).toBe('terminated');
      expect(await house.breaches()).toEqual([]);
    }
  });

  it.each([
    ['order.customer_known', async () => body('cus_none')],
    ['order.offering_known', async () => body(await house.customer(), { productOffering: { id: 'ofr_none' } })],
    ['order.add_on_needs_line', async () => body(await house.customer(), {}, 'VAS_DATA_1GB')],
    [
      'order.wished_number_available',
      async () => body(await house.customer(), { productCharacteristic: [{ name: 'msisdn', value: '000000' }] }),
    ],
  ] as const)('%s: the same rules refuse it, and nothing is stored', async (code, given) => {
    const asked = await given();
    const before = await counts();
    await expect(create(asked)).rejects.toMatchObject({ code, status: 422 });
    expect(await counts()).toEqual(before);
    const off = { ...house.policy, rulesOff: new Set([code]) };
    expect((await judge(off, must(productCommands.create), { document: asked }, operator))?.code).not.toBe(code);
  });

  it('order.requires_card_on_file: no product without a card', async () => {
    const customer = await house.customer();
    const asked = await body(customer);
    await transaction(
      house.policy,
      'test.given',
      operator,
      {},
      (tx) => tx.sql`UPDATE "payment_method" SET "state" = 'removed' WHERE "customer_id" = ${customer}`,
    );
    await expect(create(asked)).rejects.toMatchObject({ code: 'order.requires_card_on_file', status: 422 });
  });

  it('a body that the contract refuses is refused', async () => {
    const { status: _, ...without } = await body(await house.customer());
    await expect(create(without)).rejects.toMatchObject({ status: 400 });
  });
});

describe('a product is described, not changed', () => {
  it('by name, description, visibility, place and what the contract does not know', async () => {
    const id = await active();
    const said = {
      name: 'Mother',
      description: 'her phone',
      isCustomerVisible: false,
      place: [{ id: 'p1', role: 'home', '@referredType': 'Place' }],
      'x-note': [1],
    };
    const before = await line(id);
    await patch(id, said);
    expect(await document(id)).toMatchObject({ ...said, status: 'active' });
    expect(await line(id)).toMatchObject({ state: 'active', version: before.version + 1n, blockReasons: [] });
    await patch(id, { 'x-note': null });
    expect(await document(id)).not.toHaveProperty('x-note');
    expect(await house.breaches()).toEqual([]);
  });

  const changes: JsonObject[] = [
    { status: 'terminated' },
    { status: 'suspended' },
    { productCharacteristic: [{ name: 'msisdn', value: '6599999999' }] },
    { productPrice: [] },
    { productTerm: null },
    { productOffering: { id: 'ofr_other' } },
    { productSerialNumber: '6599999999' },
    { relatedParty: [{ id: 'cus_other', role: 'customer', '@referredType': 'Customer' }] },
    { startDate: '2001-01-01T00:00:00Z' },
    { terminationDate: '2001-01-01T00:00:00Z' },
    { blockReason: ['unpaid'] },
    { realizingService: [] },
    { isBundle: true },
  ];
  it.each(changes)('product.line_facts_are_fixed: %j', async (change) => {
    const id = await active();
    const before = await line(id);
    await expect(patch(id, change)).rejects.toMatchObject({ code: 'product.line_facts_are_fixed', status: 409 });
    expect(await line(id)).toEqual(before);
  });

  it('product.line_facts_are_fixed is what refuses it', async () => {
    const id = await active();
    await expect(
      patch(id, { productPrice: [] }, { ...house.policy, rulesOff: new Set(['product.line_facts_are_fixed']) }),
    ).resolves.toBeDefined();
  });

  it('nothing that is written to it unblocks a line', async () => {
    const id = await active();
    const { msisdn } = await line(id);
    await reportUsage.single(house.policy, { msisdn: msisdn ?? '', kind: 'data', amount: 6, unit: 'GB' }, operator);
    for (const change of [
      { status: 'active' },
      { blockReason: [] },
      { blockReason: null },
      { status: 'active', blockReason: [] },
    ]) {
      await expect(patch(id, change)).rejects.toMatchObject({ code: 'product.line_facts_are_fixed' });
    }
    await patch(id, { description: 'still blocked' });
    await house.settle();
    expect(await line(id)).toMatchObject({ state: 'blocked', blockReasons: ['exhausted'] });
    expect(await document(id)).toMatchObject({ status: 'suspended', description: 'still blocked' });
    expect(await house.breaches()).toEqual([]);
  });

  it('product.kept_for_good: live or ended, it is never deleted', async () => {
    const live = await active();
    const ended = (await create(await body(await house.customer('tok_declined')))).id;
    await house.settle();
    const remove = (id: string, policy: Policy = house.policy) =>
      execute(policy, must(productCommands.remove), { id }, operator);
    for (const id of [live, ended]) {
      await expect(remove(id)).rejects.toMatchObject({ code: 'product.kept_for_good', status: 409 });
      expect((await document(id)).id).toBe(id);
    }
    await expect(remove('sub_none')).rejects.toMatchObject({ status: 404 });
    const off = { ...house.policy, rulesOff: new Set(['product.kept_for_good']) };
    await expect(remove(ended, off)).resolves.toEqual({ id: ended });
  });
});
