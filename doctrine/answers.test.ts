import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { extraDefinitions } from '../app/extra-tools.ts';
import { isJsonObject, type Json, type JsonObject } from '../kernel/json.ts';
import { commands } from '../policy/commands.ts';
import { withContracts } from '../tools/contract.ts';
import { describeExtra } from '../tools/extra.ts';
import { queriesFor } from '../tools/queries.ts';
import { describeTools } from '../tools/registry.ts';
import { type Line, type OpenWorld, openWorld, type World } from './rules/world.ts';

// Whoever reads the list of tools is told what each answers, and whoever is asked to confirm is told what it would do.
// Here every command is called, by an operator over HTTP, and what comes back is held against what was promised.

let open: OpenWorld;
let world: World;
let line: Line;
const answers = new Map<string, ValidateFunction>();
const proposed = new Map<string, JsonObject>();
const called = new Set<string>();
const summaries = new Map<string, string>();

beforeAll(async () => {
  open = await openWorld();
  world = open.world;
  const ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true });
  const extra = extraDefinitions.map(describeExtra).map((descriptor) => ({ descriptor }));
  for (const tool of await withContracts(describeTools(commands, queriesFor(commands), extra))) {
    answers.set(tool.name, ajv.compile(tool.output));
    summaries.set(tool.name, tool.summary);
  }
  line = await world.line('PLAN_M');
});
afterAll(() => open.close());

/** Calls a tool, confirms what it proposes, and holds the answer against its schema. */
async function call(name: string, input: JsonObject): Promise<JsonObject> {
  let answer = await world.tool(name, input);
  if (isJsonObject(answer.body.proposal) && isJsonObject(answer.body.confirmation)) {
    proposed.set(name, answer.body.proposal);
    answer = await world.tool(name, input, { 'confirmation-token': String(answer.body.confirmation.token) });
  }
  expect([name, answer.status, answer.status === 200 ? '' : answer.text]).toEqual([name, 200, '']);
  const { result } = answer.body;
  const validate = answers.get(name);
  expect([name, validate?.(result), validate?.errors ?? []]).toEqual([name, true, []]);
  called.add(name);
  return isJsonObject(result) ? result : {};
}
const idOf = (answer: JsonObject): string => String(answer.id);
const owner = (id: string): JsonObject => ({ id, role: 'customer', '@referredType': 'Customer' });
const party = (id: string): Json => [owner(id)];

test('a line is sold and looked after: each answer is what its tool promises', async () => {
  const customer = await call('customer.register', {
    givenName: 'Ada',
    familyName: 'Lim',
    email: 'ada@answers.example',
  });
  const customerId = idOf(customer);
  await call('customer.verify_identity', { customerId, evidence: 'passport' });
  const card = await call('card.add', { customerId, token: 'tok_visa_answers' });
  const order = await call('order.place', { customerId, offering: 'PLAN_S' });
  expect(isJsonObject(order.document) && order.document.state).toBe('acknowledged');
  await world.settle();
  const subscriptionId = line.id;
  await call('subscription.top_up', { subscriptionId, offering: 'VAS_DATA_1GB' });
  await world.settle();
  await call('subscription.change_plan', { subscriptionId, offering: 'PLAN_L' });
  await world.settle();
  await call('subscription.withdraw_plan_change', { subscriptionId });
  await call('subscription.set_roaming', { subscriptionId, roaming: 'off' });
  const alerted = await call('subscription.set_alert', { subscriptionId, kind: 'data', left: '500 MB' });
  expect(JSON.stringify(alerted.document)).toContain('"balanceAlert.data"');
  await call('usage.record', { msisdn: line.msisdn, kind: 'data', amount: 1, unit: 'GB', source: 'a', recordId: '1' });
  const again = { msisdn: line.msisdn, kind: 'data', amount: 1, unit: 'GB', source: 'a', recordId: '1' };
  expect(await call('usage.record', again)).toMatchObject({ repeated: true });
  await call('subscription.replace_esim', { subscriptionId });
  await world.settle();
  await call('subscription.end', { subscriptionId });
  await world.settle();
  await call('subscription.withdraw_end', { subscriptionId });
  await call('bill.make_statement', { customerId: line.customer });
  await call('payment.refund', { paymentId: line.payment, amount: 1, reason: 'kindness' });
  await world.settle();
  const other = await call('order.place', { customerId, offering: 'PLAN_S' });
  await call('order.cancel', { orderId: idOf(other) });
  await call('payment_method.patch', { id: idOf(card), patch: { kind: 'merge', value: { name: 'Mine' } } });
  const spare = await call('card.add', { customerId, token: 'tok_mastercard_answers' });
  await call('card.prefer', { cardId: idOf(spare) });
  await call('payment_method.delete', { id: idOf(spare) });
  const old = await call('card.add', { customerId, token: 'tok_visa_old' });
  await call('card.remove', { cardId: idOf(old) });
  await call('customer.change_contact', { customerId, email: 'lim@answers.example', phone: '+6591234567' });
  const leaving = await world.line();
  await call('number.port_out', { msisdn: leaving.msisdn });
  await world.settle();
});

test('care, catalogue, stock, tokens and notifications', async () => {
  const ticket = await call('ticket.open', { customerId: line.customer, name: 'No signal', description: 'Since noon' });
  await call('ticket.note', { id: idOf(ticket), text: 'Seen' });
  await call('ticket.move', { id: idOf(ticket), status: 'inProgress' });
  const offering = await world.offering('VAS_SMS_100');
  await call('product_offering.move', { offering, status: 'Retired' });
  await call('number.load', { first: '6599000000', count: 3 });
  await call('number.import', { rows: [{ msisdn: '6598000000' }, { msisdn: 'none' }, { msisdn: '6598000000' }] });
  const person = { givenName: 'Eve', familyName: 'Ng', email: 'eve@answers.example', key: '1' };
  const taken = await call('customer.import', { rows: [person, { ...person, key: '2' }, { key: '3' }, person] });
  expect(JSON.stringify(taken.results).match(/accepted|repeated|refused/g)).toEqual([
    'accepted',
    'refused',
    'refused',
    'repeated',
  ]);
  const profiles = [{ iccid: '8965000000000099999', activationCode: 'LPA:1$smdp.example.com$ABC' }];
  await call('esim.load', { profiles });
  const token = await call('token.create', { name: 'CRM', audience: 'integrator', scopes: ['tmf:TMF622'] });
  const next = await call('token.rotate', { id: idOf(token) });
  await call('token.revoke', { id: idOf(next) });
  const hub = await call('hub.register', { api: 'TMF622', callback: 'https://listener.example.com/x' });
  await call('notification.replay', { hub: idOf(hub) });
  await call('hub.unregister', { api: 'TMF622', id: idOf(hub) });
  await call('usage.replay', { reason: 'usage.number_known' });
  await call('clock.freeze', {});
});

/** Bodies of the standard: made, changed where that is allowed, and deleted where it is. */
test('what takes a body of the standard answers with its resource', async () => {
  const named = async (noun: string, document: JsonObject, change?: JsonObject) => {
    const made = await call(`${noun}.create`, { document });
    const id = idOf(made);
    if (change) await call(`${noun}.patch`, { id, patch: { kind: 'merge', value: change } });
    await call(`${noun}.delete`, { id });
  };
  const status = { lifecycleStatus: 'In study' };
  for (const noun of ['catalog', 'category', 'product_specification', 'product_offering_price'])
    await named(noun, { name: `A ${noun}`, ...status }, { description: 'Of use' });
  await named('product_offering', { name: 'An offering', ...status }, { description: 'Of use' });
  await named('usage_specification', { name: 'A specification' }, { description: 'Of use' });
  const complaint = { description: 'Slow', severity: 'minor', ticketType: 'problem', name: 'Slow' };
  await named('trouble_ticket', complaint, { externalId: '7' });
  await named(
    'party_interaction',
    { interactionDate: { startDateTime: '2026-03-01T09:00:00Z' }, status: 'open', reason: 'question' },
    { description: 'Called again' },
  );
  await named(
    'customer',
    { name: 'Nobody', engagedParty: { id: 'p', '@referredType': 'Individual' } },
    { statusReason: 'x' },
  );
  const service = { state: 'designed', serviceSpecification: { id: 'x', '@type': 'ServiceSpecificationRef' } };
  await named('service', service, { description: 'Of use' });
  const activated = await call('service.activation_create', { document: service });
  const activation = { id: idOf(activated) };
  await call('service.activation_patch', { ...activation, patch: { kind: 'merge', value: { description: 'y' } } });
  await call('service.activation_delete', activation);
  const document = { relatedParty: party(line.customer) };
  await named('query_usage_consumption', document);
  const serviceOrder = await call('service_order.create', {
    document: { serviceOrderItem: [{ id: '1', action: 'add', service: { name: 'A service' } }] },
  });
  await call('service_order.patch', { id: idOf(serviceOrder), patch: { kind: 'merge', value: { description: 'z' } } });
  await call('cancel_service_order.create', { document: { serviceOrder: { id: idOf(serviceOrder) } } });
  await call('customer_bill_on_demand.create', {
    document: { name: 'Statement', billingAccount: { id: line.account, '@referredType': 'BillingAccount' } },
  });
});

test('what is bought by a body of the standard', async () => {
  const { customer } = line;
  const plan = { id: await world.offering('PLAN_S') };
  const ordered = {
    relatedParty: party(customer),
    productOrderItem: [{ id: '1', action: 'add', productOffering: plan }],
  };
  const order = await call('product_order.create', { document: ordered });
  await call('product_order.patch', { id: idOf(order), patch: { kind: 'merge', value: { description: 'For Ada' } } });
  await call('cancel_product_order.create', { document: { productOrder: { id: idOf(order) } } });
  await call('product.create', {
    document: { status: 'created', relatedParty: party(customer), productOffering: plan },
  });
  await world.settle();
  await call('payment_method.create', {
    document: {
      '@type': 'tokenizedCard',
      name: 'Card',
      token: 'tok_visa_more',
      relatedParty: owner(customer),
    },
  });
  await call('usage.create', {
    document: {
      usageType: 'data',
      usageCharacteristic: [
        { name: 'msisdn', value: line.msisdn },
        { name: 'volume', value: 1 },
        { name: 'unit', value: 'MB' },
      ],
    },
  });
});

/** Where nothing can ever be proposed, for a rule refuses every call. */
const alwaysRefused = ['payment.create', 'product.delete', 'product_order.delete', 'usage.delete'];

test('whatever moves money or destroys says what it would do, to what and at what price', async () => {
  const asked = commands.filter(({ effect }) => effect === 'money' || effect === 'destructive');
  expect(asked.filter((one) => !('preview' in one) || one.preview === undefined).map(({ name }) => name)).toEqual([]);
  expect(asked.length).toBeGreaterThan(30);
  for (const [name, proposal] of proposed) {
    const { what, customer, amount, details } = proposal;
    expect([name, typeof what === 'string' && what !== `${summaries.get(name)}.`]).toEqual([name, true]);
    const isAbout =
      isJsonObject(customer) || isJsonObject(amount) || /\b[a-z]+_[0-9a-z]{26}\b|\d{6,}|https?:/.test(String(what));
    expect([name, what, isAbout]).toEqual([name, what, true]);
    expect([name, Array.isArray(details)]).toEqual([name, true]);
  }
  expect(
    asked
      .map(({ name }) => name)
      .filter((name) => !proposed.has(name) && !alwaysRefused.includes(name) && !others.includes(name)),
  ).toEqual([]);
});

/** Asked for in tests of their own, with an answer of the kind of others here. */
const others = [
  'refund.create',
  'topup_balance.create',
  'export_job.delete',
  'import_job.delete',
  'service_order.delete',
];

test('every command that people type was called', () => {
  const typed = commands.filter((one) => one.audience.some((who) => who !== 'system')).map(({ name }) => name);
  const byBody = /\.(create|patch|delete)$|activation_/;
  const missing = typed.filter((name) => !called.has(name) && !byBody.test(name));
  // Work that is stuck, and a clock that runs again, are made elsewhere.
  expect(missing).toEqual(['clock.thaw', 'flow.retry']);
});
