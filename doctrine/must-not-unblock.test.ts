import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { isJsonObject, type Json, type JsonObject } from '../kernel/json.ts';
import { type Answer, type Line, type OpenWorld, openWorld, type World } from './rules/world.ts';

// The third principle: a line that is stopped comes back by its renewal or by a top-up the customer asks for, and by
// nothing else. Everything else that a caller could do to it is tried here, over HTTP, on a line that has used up its
// data and on one whose renewal was declined. After each the line is as it was: in the database, in its product, and in
// the network's own book; and usage of it is rejected.

let open: OpenWorld;
let world: World;
let unpaid: Line;
let exhausted: Line;
let before: Record<string, Blocked>;

interface Blocked {
  state: string;
  blockReasons: readonly string[];
  product: Json | undefined;
  network: Json | undefined;
  usage: string;
}

beforeAll(async () => {
  open = await openWorld();
  world = open.world;
  unpaid = await world.line('PLAN_S', 'tok_renewal_declines');
  const [period] = await world.rows<{ at: Date }>('SELECT "period_ends_at" AS at FROM "subscription" WHERE "id" = $1', [
    unpaid.id,
  ]);
  await world.tool('clock.freeze', { at: period?.at.toISOString() ?? '' });
  await world.settle();
  // Sold after the clock was moved: its renewal, which may bring it back, is a month away.
  exhausted = await world.line('PLAN_S');
  await use(exhausted, 'data', 5, 'GB');
  await world.settle();
  before = { unpaid: await read(unpaid), exhausted: await read(exhausted) };
  expect(before.unpaid).toMatchObject({ state: 'blocked', blockReasons: ['exhausted', 'unpaid'] });
  expect(before.exhausted).toMatchObject({ state: 'blocked', blockReasons: ['exhausted'] });
  for (const one of Object.values(before)) expect(one).toMatchObject({ product: 'suspended', network: 'inactive' });
}, 60_000);
afterAll(() => open.close());
beforeEach(() => world.tool('sandbox.clear_faults', {}));

function use(line: Line, usageType: string, volume: number, unit: string): Promise<Answer> {
  return world.tmf('POST', 'TMF635 usage', {
    usageType,
    usageCharacteristic: [
      { name: 'msisdn', value: line.msisdn },
      { name: 'volume', value: volume },
      { name: 'unit', value: unit },
    ],
  });
}

async function read(line: Line): Promise<Blocked> {
  const [row] = await world.rows<{ state: string; blockReasons: string[]; document: unknown }>(
    'SELECT "state", "block_reasons", "document" FROM "subscription" WHERE "id" = $1',
    [line.id],
  );
  const network = (await world.tool('network.line', { serviceId: line.service })).body.result;
  const believed = isJsonObject(network) ? network.line : undefined;
  return {
    state: row?.state ?? '',
    blockReasons: row?.blockReasons ?? [],
    product: isJsonObject(row?.document) ? row.document.status : undefined,
    network: isJsonObject(believed) ? believed.state : undefined,
    usage: String((await use(line, 'data', 1, 'MB')).body.statusReason).split(':')[0] ?? '',
  };
}

/** A tool whose proposal, if it makes one, is confirmed. */
async function tool(name: string, input: JsonObject): Promise<Answer> {
  const first = await world.tool(name, input);
  const { confirmation } = first.body;
  if (!isJsonObject(confirmation) || typeof confirmation.token !== 'string') return first;
  return world.tool(name, input, { 'confirmation-token': confirmation.token });
}

const customerRef = (id: string): JsonObject => ({
  id,
  href: `urn:customer:${id}`,
  role: 'customer',
  '@referredType': 'Customer',
});

async function offeringRef(code: string): Promise<JsonObject> {
  const id = await world.offering(code);
  return { id, href: `urn:offering:${id}`, '@referredType': 'ProductOffering' };
}

async function order(line: Line, offering: string, more: JsonObject = {}): Promise<Answer> {
  return world.tmf('POST', 'TMF622 productOrder', {
    relatedParty: [customerRef(line.customer)],
    productOrderItem: [
      {
        id: '1',
        action: 'add',
        quantity: 1,
        productOffering: await offeringRef(offering),
        product: { id: line.id },
        ...more,
      },
    ],
  });
}

const serviceOrder = (line: Line, action: string): JsonObject => ({
  serviceOrderItem: [{ id: '1', action, service: { id: line.service, state: 'active', '@type': 'Service' } }],
});
const specification = { id: 'mobile-line', '@referredType': 'ServiceSpecification' };

async function childOf(line: Line): Promise<string> {
  const [child] = await world.rows<{ id: string }>(
    `SELECT "id" FROM "service" WHERE "parent_id" = $1 AND "document" ->> 'serviceType' = 'data'`,
    [line.service],
  );
  return child?.id ?? '';
}

async function usageOf(line: Line): Promise<string> {
  const [usage] = await world.rows<{ id: string }>(
    `SELECT "id" FROM "usage" WHERE "subscription_id" = $1 ORDER BY "id" LIMIT 1`,
    [line.id],
  );
  return usage?.id ?? '';
}

async function productOrderId(line: Line): Promise<string> {
  const [found] = await world.rows<{ id: string }>('SELECT "id" FROM "service_order" WHERE "product_order_id" = $1', [
    line.order,
  ]);
  return found?.id ?? '';
}

async function card(line: Line, token: string): Promise<Answer> {
  return tool('card.add', {
    customerId: line.customer,
    token: `${token}_${line.msisdn}_${tokens++}`,
    isPreferred: true,
  });
}
let tokens = 0;

const quota = async (line: Line, kind: string): Promise<string> => {
  const [bucket] = await world.rows<{ id: string }>(
    'SELECT "id" FROM "bucket" WHERE "subscription_id" = $1 AND "kind" = $2 LIMIT 1',
    [line.id, kind],
  );
  return bucket?.id ?? '';
};

type Way = (line: Line) => Promise<Answer | readonly Answer[]>;

const ways: Readonly<Record<string, Way>> = {
  // ---- TMF637, 638, 640, 641 ----
  'TMF637: the product is written active': (line) =>
    world.tmf('PATCH', `TMF637 product/${line.id}`, { status: 'active' }),
  'TMF637: its block reasons are taken away': (line) =>
    world.tmf('PATCH', `TMF637 product/${line.id}`, { blockReason: [] }),
  'TMF637: its price or its term is written anew': (line) =>
    world.tmf('PATCH', `TMF637 product/${line.id}`, { productTerm: [], productPrice: [] }),
  'TMF637: its description is written': (line) =>
    world.tmf('PATCH', `TMF637 product/${line.id}`, { description: 'A line that should work' }),
  'TMF637: it is deleted': (line) => world.tmf('DELETE', `TMF637 product/${line.id}`),
  'TMF637: another product is made for its number': async (line) =>
    world.tmf('POST', 'TMF637 product', {
      name: 'The same line',
      productOffering: await offeringRef('PLAN_S'),
      status: 'active',
      productSerialNumber: line.msisdn,
      productCharacteristic: [{ name: 'msisdn', value: line.msisdn }],
      relatedParty: [customerRef(line.customer)],
    }),
  'TMF638: its service is written active': (line) =>
    world.tmf('PATCH', `TMF638 service/${line.service}`, { state: 'active', isServiceEnabled: true }),
  'TMF638: the data service below it is written active': async (line) =>
    world.tmf('PATCH', `TMF638 service/${await childOf(line)}`, { state: 'active' }),
  'TMF638: its service is deleted': (line) => world.tmf('DELETE', `TMF638 service/${line.service}`),
  'TMF638: another service is made for its number': (line) =>
    world.tmf('POST', 'TMF638 service', {
      state: 'active',
      serviceSpecification: specification,
      serviceCharacteristic: [{ name: 'msisdn', valueType: 'string', value: line.msisdn }],
      relatedParty: [customerRef(line.customer)],
    }),
  'TMF640: its service is activated': (line) =>
    world.tmf('PATCH', `TMF640 service/${line.service}`, { state: 'active' }),
  'TMF640: another service is activated for its number': (line) =>
    world.tmf('POST', 'TMF640 service', {
      state: 'active',
      serviceSpecification: specification,
      serviceCharacteristic: [{ name: 'msisdn', valueType: 'string', value: line.msisdn }],
    }),
  'TMF640: its service is deleted': (line) => world.tmf('DELETE', `TMF640 service/${line.service}`),
  'TMF641: a service order adds its service': (line) =>
    world.tmf('POST', 'TMF641 serviceOrder', serviceOrder(line, 'add')),
  'TMF641: a service order changes its service, and is carried to its end': async (line) => {
    const id = await world.made('TMF641 serviceOrder', serviceOrder(line, 'modify'));
    const states = ['inProgress', 'completed'];
    const answers: Answer[] = [];
    for (const state of states) answers.push(await world.tmf('PATCH', `TMF641 serviceOrder/${id}`, { state }));
    return answers;
  },
  'TMF641: the service order it came from is completed again': async (line) =>
    world.tmf('PATCH', `TMF641 serviceOrder/${await productOrderId(line)}`, { state: 'completed' }),
  // ---- money that moves the other way, or not at all ----
  'TMF676: half of its payment is refunded': (line) => tool('payment.refund', { paymentId: line.payment, amount: 5 }),
  'TMF676: all of its payment is refunded': (line) => tool('payment.refund', { paymentId: line.payment }),
  'TMF676: its payment is written captured': (line) =>
    world.tmf('PATCH', `TMF676 payment/${line.payment}`, { status: 'captured' }),
  'TMF678: its bill is written settled': (line) =>
    world.tmf('PATCH', `TMF678 customerBill/${line.bill}`, { state: 'settled' }),
  'a card is added': (line) => card(line, 'tok_mastercard'),
  'a card is described anew': async (line) =>
    world.tmf('PATCH', `TMF670 paymentMethod/${await world.cardOf(line.customer)}`, { name: 'My best card' }),
  'a top-up is declined': async (line) => [
    await card(line, 'tok_declined'),
    await order(line, line === unpaid ? 'VAS_PERIOD' : 'VAS_DATA_1GB'),
  ],
  'a top-up is rejected': (line) => order(line, 'VAS_DATA_1GB', { quantity: 2 }),
  'more minutes are bought': async (line) => [await card(line, 'tok_visa'), await order(line, 'VAS_VOICE_100')],
  'more messages are bought': async (line) => order(line, 'VAS_SMS_100'),
  'roaming data is bought': async (line) => order(line, 'VAS_ROAMING_1GB'),
  'TMF654: a top-up of an amount that is not sold': async (line) => {
    const id = await quota(line, 'data');
    return world.tmf('POST', 'TMF654 topupBalance', {
      amount: { amount: 2, units: 'GB' },
      usageType: 'data',
      bucket: { id, href: `urn:bucket:${id}`, '@referredType': 'Bucket' },
      partyAccount: {
        id: line.account,
        href: `urn:account:${line.account}`,
        name: 'Account',
        '@referredType': 'BillingAccount',
      },
    });
  },
  // ---- usage ----
  'TMF635: what it used is rated anew': async (line) =>
    world.tmf('PATCH', `TMF635 usage/${await usageOf(line)}`, { status: 'rerated', ratedProductUsage: [] }),
  'TMF635: what it used is recycled': async (line) =>
    world.tmf('PATCH', `TMF635 usage/${await usageOf(line)}`, { status: 'recycled' }),
  'TMF635: what it used is deleted': async (line) => world.tmf('DELETE', `TMF635 usage/${await usageOf(line)}`),
  'usage of it that was rejected is judged again': async (line) => {
    const [rejected] = await world.rows<{ id: string }>(
      `SELECT "id" FROM "usage" WHERE "subscription_id" = $1 AND "state" = 'rejected' LIMIT 1`,
      [line.id],
    );
    return tool('usage.replay', { usageId: rejected?.id ?? '' });
  },
  // ---- an operator’s repairs ----
  'failed work of the network is tried again': async (line) => {
    await world.tool('network.plan_fault', { mode: 'unavailable', line: line.service });
    await tool('subscription.replace_esim', { subscriptionId: line.id });
    await expect(world.settle()).rejects.toThrow(/work is left/);
    await world.tool('sandbox.clear_faults', {});
    const retried = await tool('flow.retry', { flow: 'network' });
    expect(retried.status).toBe(200);
    return retried;
  },
  'its renewal is tried again': (line) => tool('flow.retry', { subject: line.id }),
  'its eSIM is replaced': (line) => tool('subscription.replace_esim', { subscriptionId: line.id }),
  'its eSIM is not replaced, since the network refuses': async (line) => {
    await world.tool('network.plan_fault', { mode: 'refuse', permanent: true, line: line.service, times: 1 });
    return tool('subscription.replace_esim', { subscriptionId: line.id });
  },
  'roaming is switched off and on': async (line) => [
    await tool('subscription.set_roaming', { subscriptionId: line.id, roaming: 'off' }),
    await tool('subscription.set_roaming', { subscriptionId: line.id, roaming: 'on' }),
  ],
  // ---- what becomes of the line later ----
  'another plan is chosen, and the old one kept': async (line) => [
    await tool('subscription.change_plan', { subscriptionId: line.id, offering: 'PLAN_L' }),
    await tool('subscription.withdraw_plan_change', { subscriptionId: line.id }),
  ],
  'its end is asked for, and withdrawn': async (line) => [
    await tool('subscription.end', { subscriptionId: line.id }),
    await tool('subscription.withdraw_end', { subscriptionId: line.id }),
  ],
  'the order it came from is cancelled': (line) =>
    world.tmf('POST', 'TMF622 cancelProductOrder', {
      productOrder: { id: line.order, href: `urn:order:${line.order}`, '@referredType': 'ProductOrder' },
    }),
  'its customer is written anew': (line) =>
    world.tmf('PATCH', `TMF629 customer/${line.customer}`, { status: 'active', statusReason: 'All is well' }),
};

describe.each(['exhausted', 'unpaid'] as const)('a line that is %s stays blocked when', (which) => {
  test.each(Object.keys(ways))('%s', async (name) => {
    const line = which === 'unpaid' ? unpaid : exhausted;
    const given = await ways[name]?.(line);
    const answers = given === undefined ? [] : 'status' in given ? [given] : given;
    expect(answers.length).toBeGreaterThan(0);
    // Judged, or no write that is offered; not turned away for a body that says nothing.
    for (const { status, text } of answers)
      expect([status, [200, 201, 204, 405, 409, 422].includes(status) || text]).toEqual([status, true]);
    await world.settle();
    expect(await read(line)).toEqual(before[which]);
  });
});

describe('and comes back', () => {
  test('an exhausted one by a top-up of what ran out', async () => {
    await card(exhausted, 'tok_visa');
    await order(exhausted, 'VAS_DATA_1GB');
    await world.settle();
    expect(await read(exhausted)).toMatchObject({
      state: 'active',
      blockReasons: [],
      product: 'active',
      network: 'active',
    });
  });

  test('an unpaid one by a new period that the customer buys', async () => {
    await card(unpaid, 'tok_visa');
    await order(unpaid, 'VAS_PERIOD');
    await world.settle();
    expect(await read(unpaid)).toMatchObject({
      state: 'active',
      blockReasons: [],
      product: 'active',
      network: 'active',
    });
  });
});
