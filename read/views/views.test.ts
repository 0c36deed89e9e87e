import { afterAll, beforeAll, expect, test } from 'vitest';
import { listBills, showBill } from './bill.ts';
import { showClock } from './clock.ts';
import { listCustomers, showCustomer } from './customer.ts';
import { listEvents, traceEvents } from './event.ts';
import { listSteps } from './flow.ts';
import { alarmsOf, showHealth } from './health.ts';
import { listInteractions } from './interaction.ts';
import { listOrders, showOrder } from './order.ts';
import { queries } from './queries.ts';
import { listEsims, listNumbers } from './stock.ts';
import { listSubscriptions, showSubscription } from './subscription.ts';
import {
  bucket,
  card,
  customer,
  customerCaller,
  event,
  gigabyte,
  id,
  line,
  now,
  operator,
  order,
  orderItem,
  payment,
  step,
  type TestBusiness,
  testBusiness,
  writtenAt,
} from './testing.ts';
import { showTicket } from './ticket.ts';
import { listUsage } from './usage.ts';

// One small business: Ada has a line with add-ons, an order that went through, and usage; Ben's line is blocked and his
// order failed at the capture; Cyd has nothing.

let business: TestBusiness;
const [ada, ben, cyd] = ['ada', 'ben', 'cyd'].map((name) => id('cus', name));
const stamps = { created_at: writtenAt, updated_at: writtenAt };
const earlier = (minutes: number) => new Date(Date.parse(writtenAt) + minutes * 60_000).toISOString();

beforeAll(async () => {
  business = await testBusiness();
  await business.write([
    ['setting', { name: 'timeZone', value: JSON.stringify('Asia/Singapore') }],
    customer('ada'),
    customer('ben'),
    customer('cyd', { contactMedium: 'not a list' }),
    card('ada', 'old', { expires_at: '2026-12-31T15:59:59.999Z', is_preferred: false }),
    card('ada', 'new'),
    [
      'product_offering',
      {
        id: 'ofr_m',
        state: 'Active',
        code: 'PLAN_M',
        kind: 'plan',
        document: { id: 'ofr_m', name: 'Standard' },
        ...stamps,
      },
    ],
    [
      'esim_profile',
      {
        id: id('esm', 'ada'),
        iccid: '8965011234567894321',
        activation_code: 'LPA:1$sm.example$SECRET',
        state: 'enabled',
        subscription_id: id('sub', 'ada'),
        changed_at: writtenAt,
      },
    ],
    [
      'esim_profile',
      {
        id: id('esm', 'free'),
        iccid: '8965011234567890000',
        activation_code: 'LPA:1$sm.example$OTHER',
        state: 'available',
        changed_at: writtenAt,
      },
    ],
    [
      'phone_number',
      { msisdn: '6581000001', state: 'assigned', subscription_id: id('sub', 'ada'), changed_at: writtenAt },
    ],
    ['phone_number', { msisdn: '6581000002', state: 'available', changed_at: writtenAt }],
    ['phone_number', { msisdn: '6591000003', state: 'available', changed_at: writtenAt }],
    line('ada', 'ada', { msisdn: '6581000001', service_id: id('svc', 'ada'), esim_id: id('esm', 'ada') }),
    line('ben', 'ben', {
      state: 'blocked',
      block_reasons: ['exhausted', 'unpaid'],
      stopped_kinds: ['voice'],
      blocked_at: writtenAt,
      pending_change: { terms: { name: 'Max' } },
    }),
    bucket('ada', 'ada', 'plandata', {
      kind: 'data',
      granted: 30 * gigabyte,
      remaining: 10 * gigabyte,
      used: 20 * gigabyte,
    }),
    bucket('ada', 'ada', 'vasdata', {
      kind: 'data',
      source: 'vas',
      granted: gigabyte,
      remaining: gigabyte,
      expires_at: '2027-04-01T00:00:00Z',
    }),
    bucket('ada', 'ada', 'gone', {
      kind: 'data',
      source: 'vas',
      period_number: 0,
      state: 'expired',
      granted: gigabyte,
      remaining: 0,
      used: 1000,
      expired: gigabyte - 1000,
      expires_at: '2027-03-01T00:00:00Z',
    }),
    // Still `active`, but its time is over: it counts for nothing.
    bucket('ada', 'ada', 'late', { kind: 'sms', granted: 50, remaining: 50, expires_at: '2027-03-15T00:00:00Z' }),
    bucket('ada', 'ada', 'voice', { kind: 'voice', granted: null, remaining: null, used: 5430 }),
    [
      'service',
      {
        id: id('svc', 'ada'),
        state: 'active',
        subscription_id: id('sub', 'ada'),
        document: {},
        created_at: earlier(2),
        updated_at: writtenAt,
      },
    ],
    [
      'monitor',
      {
        id: id('mon', 'one'),
        state: 'Completed',
        service_id: id('svc', 'ada'),
        sequence: 1,
        desired: { state: 'inactive' },
        confirmed_at: earlier(3),
        document: {},
        ...stamps,
      },
    ],
    [
      'monitor',
      {
        id: id('mon', 'two'),
        state: 'Completed',
        service_id: id('svc', 'ada'),
        sequence: 2,
        desired: { state: 'active' },
        confirmed_at: earlier(5),
        document: {},
        ...stamps,
      },
    ],
    payment('ada', 'ada', {
      authorised_at: earlier(1),
      captured_at: earlier(4),
      product_order_id: id('ord', 'ada'),
      subscription_id: id('sub', 'ada'),
      payment_method_id: id('pme', 'new'),
    }),
    order('ada', 'ada', 'completed', { completionDate: earlier(6) }),
    orderItem('ada', 'ada', 'ada', {
      state: 'completed',
      subscription_id: id('sub', 'ada'),
      payment_id: id('pay', 'ada'),
      service_id: id('svc', 'ada'),
      msisdn: '6581000001',
      esim_id: id('esm', 'ada'),
    }),
    payment('ben', 'ben', {
      state: 'failed',
      authorised_at: earlier(1),
      failure_reason: 'capture_declined',
      product_order_id: id('ord', 'ben'),
    }),
    order('ben', 'ben', 'failed', { note: [{ text: 'payment.capture_failed: no', date: writtenAt }] }),
    orderItem('ben', 'ben', 'ben', {
      state: 'failed',
      payment_id: id('pay', 'ben'),
      terms: { code: 'VAS_X', name: 'Add-on', kind: 'vas' },
    }),
    [
      'customer_bill',
      {
        id: id('bil', 'ada'),
        state: 'settled',
        customer_id: ada,
        payment_id: id('pay', 'ada'),
        bill_no: '00000007',
        amount_minor: 2500,
        tax_minor: 206,
        currency: 'SGD',
        document: { category: 'receipt', billDate: earlier(4) },
        ...stamps,
      },
    ],
    [
      'applied_customer_billing_rate',
      {
        id: id('rat', 'ada'),
        customer_bill_id: id('bil', 'ada'),
        customer_id: ada,
        subscription_id: id('sub', 'ada'),
        document: { name: 'Standard', periodCoverage: { startDateTime: writtenAt, endDateTime: now } },
        ...stamps,
      },
    ],
    [
      'trouble_ticket',
      {
        id: id('tck', 'open'),
        state: 'inProgress',
        customer_id: ada,
        document: { name: 'No signal', severity: 'minor' },
        ...stamps,
      },
    ],
    [
      'trouble_ticket',
      { id: id('tck', 'shut'), state: 'closed', customer_id: ada, document: { name: 'Old' }, ...stamps },
    ],
    [
      'party_interaction',
      {
        id: id('int', 'one'),
        state: 'completed',
        customer_id: ada,
        document: {
          direction: 'inbound',
          reason: 'order created',
          description: 'Place an order, by Ada.',
          channel: [{ id: 'portal', name: 'portal' }],
          interactionDate: { startDateTime: earlier(5) },
          interactionItem: [{ id: '1', item: { id: id('ord', 'ada') } }],
        },
        ...stamps,
      },
    ],
    // As a foreign client may leave it.
    [
      'party_interaction',
      { id: id('int', 'two'), state: 'open', customer_id: ben, document: { channel: 'x' }, ...stamps },
    ],
    ...usageRow('u1', {
      usage_date: '2027-03-19T15:59:00Z',
      quantity: 2 * gigabyte,
      charged: gigabyte,
      excess: gigabyte,
    }),
    // One minute later it is another day in Singapore.
    ...usageRow('u2', { usage_date: '2027-03-19T16:00:00Z', quantity: gigabyte, charged: gigabyte, excess: 0 }),
    ...usageRow('u3', {
      usage_date: '2027-03-19T17:00:00Z',
      quantity: gigabyte,
      charged: 0,
      state: 'rejected',
      reason: 'usage.line_active',
    }),
    ...usageRow('u4', { usage_date: '2027-03-20T01:00:00Z', kind: null, quantity: 1 }),
    step('later', { flow: 'renewal', subject: id('sub', 'ada'), step: 'charge', due_at: '2027-03-20T20:00:00Z' }),
    step('due', { due_at: writtenAt }),
    step('trouble', {
      flow: 'network',
      subject: id('svc', 'ada'),
      step: 'deliver',
      attempts: 4,
      last_error: 'The network said no.',
      not_before: '2099-01-01T00:00:00Z',
    }),
    step('held', { leased_by: 'w', leased_until: '2099-01-01T00:00:00Z' }),
    step('over', { state: 'done', subject: id('sub', 'ada'), finished_at: writtenAt }),
    event('productOrder', id('ord', 'ada'), { customer_id: ada, resource: { state: 'acknowledged' } }),
    event('payment', id('pay', 'ada'), {
      customer_id: ada,
      change: { from: 'authorized', to: 'captured', changed: ['status'] },
      command: 'payment.record_capture',
    }),
    event('monitor', id('mon', 'one'), { customer_id: ada, resource_sequence: 1, cause: { order: id('itm', 'ada') } }),
    event('product', id('sub', 'ada'), { customer_id: ada, cause: { order: id('itm', 'ada') } }),
    event('product', id('sub', 'ada'), {
      customer_id: ada,
      cause: { renewal: id('sub', 'ada') },
      command: 'renewal.charge',
    }),
    event('customerBill', id('bil', 'ada'), { customer_id: ada }),
    event('usage', id('usg', 'u1'), { customer_id: ada }),
    event('product', id('sub', 'ada'), {
      customer_id: ada,
      cause: { usage: id('usg', 'u1') },
      command: 'usage.record',
    }),
    event('productOrder', id('ord', 'ben'), { customer_id: ben }),
    event('troubleTicket', id('tck', 'open')),
  ]);
});
afterAll(() => business.close());

function usageRow(name: string, row: Record<string, unknown>): (readonly [string, Record<string, unknown>])[] {
  const about = {
    id: id('usg', name),
    state: 'rated',
    subscription_id: id('sub', 'ada'),
    customer_id: ada,
    msisdn: '6581000001',
    kind: 'data',
    document: {},
    ...stamps,
  };
  return [['usage', { ...about, ...row }]];
}

test('a line shows what is left, counting only what is live', async () => {
  const view = await showSubscription.run(business.pool, { subscriptionId: id('sub', 'ada') }, operator);
  expect(
    view.balances.map(({ kind, isUnlimited, remaining, granted, used }) => [
      kind,
      isUnlimited,
      remaining.text,
      granted.text,
      used.text,
    ]),
  ).toEqual([
    ['data', false, '11 GB', '31 GB', '20 GB'],
    ['voice', true, 'unlimited', 'unlimited', '90.5 min'],
  ]);
  expect(view.balances[0]?.nextExpiryAt).toBe('2027-04-01T00:00:00.000Z');
  expect(view.buckets.map((one) => one.id)).toEqual([
    id('bkt', 'vasdata'),
    id('bkt', 'plandata'),
    id('bkt', 'voice'),
    id('bkt', 'late'),
  ]);
  // 20 March 10:00 to 10 April 10:00 in Singapore.
  expect(view.period).toEqual({
    number: 1,
    startsAt: writtenAt,
    endsAt: '2027-04-10T02:00:00.000Z',
    daysToRenewal: 21,
  });
  expect(view.price.text).toBe('SGD 25.00');
  expect(view.card).toMatchObject({ id: id('pme', 'new'), lastFour: '4242' });
  expect(view.network).toEqual({ state: 'confirmed', since: earlier(5) });
  expect([view.now, view.timeZone]).toEqual([now, 'Asia/Singapore']);
});

test('of an ICCID only the last four digits are ever shown, of an activation code nothing', async () => {
  const answers = [
    await showSubscription.run(business.pool, { subscriptionId: id('sub', 'ada') }, operator),
    await listEsims.run(business.pool, { state: 'enabled', limit: 5 }, operator),
    await listEsims.run(business.pool, { subscriptionId: id('sub', 'ada'), limit: 5 }, operator),
    await showCustomer.run(business.pool, { customerId: ada ?? '' }, operator),
  ].map((answer) => JSON.stringify(answer));
  expect(answers[0]).toContain('"iccidLastFour":"4321"');
  expect(answers[1]).toContain('"iccidLastFour":"4321"');
  for (const answer of answers) expect(answer).not.toMatch(/89650112345678|LPA:|SECRET|tok_/);
});

test('a blocked line says why, and what its next plan is', async () => {
  const view = await showSubscription.run(business.pool, { subscriptionId: id('sub', 'ben') }, operator);
  expect(view).toMatchObject({
    state: 'blocked',
    blockReasons: ['exhausted', 'unpaid'],
    stoppedKinds: ['voice'],
    pendingChange: { offering: 'Max' },
    balances: [],
    card: null,
    esim: null,
    network: { state: 'none', since: null },
  });
});

test('lists filter, and go on after the last one seen', async () => {
  const all = await listSubscriptions.run(business.pool, { limit: 20 }, operator);
  expect([all.items.map((one) => one.id), all.next]).toEqual([[id('sub', 'ben'), id('sub', 'ada')], null]);
  const first = await listSubscriptions.run(business.pool, { limit: 1 }, operator);
  expect([first.items.map((one) => one.id), first.next]).toEqual([[id('sub', 'ben')], id('sub', 'ben')]);
  const second = await listSubscriptions.run(business.pool, { limit: 1, after: first.next ?? '' }, operator);
  expect([second.items.map((one) => one.id), second.next]).toEqual([[id('sub', 'ada')], null]);
  for (const [input, found] of [
    [{ state: 'blocked' }, ['ben']],
    [{ customerId: ada }, ['ada']],
    [{ msisdn: '6581000001' }, ['ada']],
    [{ plan: 'PLAN_S' }, []],
  ] as const) {
    const list = await listSubscriptions.run(business.pool, { ...input, limit: 20 }, operator);
    expect(list.items.map((one) => one.id)).toEqual(found.map((name) => id('sub', name)));
  }
});

test('a customer shows contacts, cards, lines, orders, open tickets and bills', async () => {
  const view = await showCustomer.run(business.pool, { customerId: ada ?? '' }, operator);
  expect(view.contacts).toEqual([
    { medium: 'email', value: 'ada@example.com', isPreferred: true },
    { medium: 'postalAddress', value: '1 Raffles Place, Singapore', isPreferred: false },
  ]);
  expect(view.cards.map((one) => one.id)).toEqual([id('pme', 'new'), id('pme', 'old')]);
  expect(view.lines.map((one) => [one.id, one.balances[0]?.remaining.text])).toEqual([[id('sub', 'ada'), '11 GB']]);
  expect(view.orders).toEqual([
    {
      id: id('ord', 'ada'),
      state: 'completed',
      orderedAt: writtenAt,
      offerings: ['PLAN_M'],
      total: { amountMinor: 2500, currency: 'SGD', text: 'SGD 25.00' },
    },
  ]);
  expect(view.tickets.map((one) => one.name)).toEqual(['No signal']);
  expect(view.bills.map((one) => one.billNo)).toEqual(['00000007']);
  expect((await showCustomer.run(business.pool, { customerId: cyd ?? '' }, operator)).contacts).toEqual([]);
});

test('customers are found by part of a name or email, by number or by id', async () => {
  for (const [search, found] of [
    ['ADA', ['ada']],
    ['ben@', ['ben']],
    ['+6581000001', ['ada']],
    [cyd, ['cyd']],
    ['lim', ['cyd', 'ben', 'ada']],
    ['%', []],
  ] as const) {
    const list = await listCustomers.run(business.pool, { search, limit: 20 }, operator);
    expect([search, list.items.map((one) => one.id)]).toEqual([search, found.map((name) => id('cus', name))]);
  }
  expect((await listCustomers.run(business.pool, { limit: 20 }, operator)).items.map((one) => one.lines)).toEqual([
    0, 1, 1,
  ]);
});

test("an order's stages follow from what happened", async () => {
  const view = await showOrder.run(business.pool, { orderId: id('ord', 'ada') }, operator);
  expect(view.items[0]?.stages.map((stage) => [stage.name, stage.state, stage.at])).toEqual([
    ['acknowledged', 'done', writtenAt],
    ['authorised', 'done', earlier(1)],
    ['reserved', 'done', earlier(2)],
    ['provisioned', 'done', earlier(3)],
    ['captured', 'done', earlier(4)],
    ['enabled', 'done', earlier(5)],
    ['completed', 'done', earlier(6)],
  ]);
  expect(view.orderedBy).toBe('Operator (cli)');
});

test('a failed stage has its reason, and an add-on has no stages of a new line', async () => {
  const view = await showOrder.run(business.pool, { orderId: id('ord', 'ben') }, operator);
  expect(view.items[0]?.stages.map((stage) => [stage.name, stage.state, stage.reason])).toEqual([
    ['acknowledged', 'done', null],
    ['authorised', 'done', null],
    ['captured', 'failed', 'capture_declined'],
    ['completed', 'skipped', null],
  ]);
  expect(view.notes).toEqual([{ text: 'payment.capture_failed: no', at: writtenAt }]);
  const list = await listOrders.run(business.pool, { state: 'failed', limit: 5 }, operator);
  expect(list.items.map((one) => [one.id, one.note])).toEqual([[id('ord', 'ben'), 'payment.capture_failed: no']]);
});

test('usage is summed by the days of the operator, and what was refused is not', async () => {
  const view = await listUsage.run(business.pool, { subscriptionId: id('sub', 'ada'), days: 3, limit: 10 }, operator);
  expect(view.days.map((day) => [day.day, day.charged.map((one) => one.text)])).toEqual([
    ['2027-03-18', []],
    ['2027-03-19', ['1 GB']],
    ['2027-03-20', ['1 GB']],
  ]);
  expect(view.totals.map((one) => one.text)).toEqual(['2 GB']);
  expect(view.items.map((one) => [one.id, one.state, one.reason])).toEqual([
    [id('usg', 'u4'), 'rated', null],
    [id('usg', 'u3'), 'rejected', 'usage.line_active'],
    [id('usg', 'u2'), 'rated', null],
    [id('usg', 'u1'), 'rated', null],
  ]);
  expect(view.items.at(-1)?.excess?.text).toBe('1 GB');
});

test('contacts say when, by which way and about what; one without any of it is listed too', async () => {
  const all = await listInteractions.run(business.pool, { limit: 10 }, operator);
  expect(all.items).toHaveLength(2);
  const { items } = await listInteractions.run(business.pool, { customerId: ada, limit: 10 }, operator);
  expect(items).toMatchObject([
    {
      id: id('int', 'one'),
      at: earlier(5),
      customer: { id: ada },
      direction: 'inbound',
      channel: 'portal',
      reason: 'order created',
      about: [id('ord', 'ada')],
    },
  ]);
  expect(all.items.find((one) => one.id === id('int', 'two'))).toMatchObject({
    channel: null,
    about: [],
    reason: null,
  });
});

test('a bill is found by id or number, and its tax adds up', async () => {
  for (const billId of [id('bil', 'ada'), '00000007']) {
    const view = await showBill.run(business.pool, { billId }, operator);
    expect([view.taxExcluded?.amountMinor, view.tax?.amountMinor, view.amount?.amountMinor]).toEqual([2294, 206, 2500]);
    expect(view.card).toEqual({ brand: 'visa', lastFour: '4242' });
    expect(view.lines).toEqual([{ name: 'Standard', subscriptionId: id('sub', 'ada'), from: writtenAt, to: now }]);
  }
  expect((await listBills.run(business.pool, { customerId: ben, limit: 5 }, operator)).items).toEqual([]);
});

test('stocks are counted by state; numbers are listed only when asked for', async () => {
  const all = await listNumbers.run(business.pool, { limit: 5 }, operator);
  expect([all.summary, all.items]).toEqual([
    [
      { state: 'available', count: 2 },
      { state: 'assigned', count: 1 },
    ],
    [],
  ]);
  const some = await listNumbers.run(business.pool, { prefix: '6581', limit: 5 }, operator);
  expect(some.items.map((one) => one.msisdn)).toEqual(['6581000001', '6581000002']);
  expect(
    (await listNumbers.run(business.pool, { state: 'available', limit: 1 }, operator)).items.map((one) => one.msisdn),
  ).toEqual(['6581000002']);
});

test('steps in trouble come first, and each says how it stands', async () => {
  const list = await listSteps.run(business.pool, { limit: 10 }, operator);
  expect(list.items.map((one) => [one.id, one.condition])).toEqual([
    [id('stp', 'trouble'), 'retrying'],
    [id('stp', 'due'), 'due'],
    [id('stp', 'held'), 'running'],
    [id('stp', 'later'), 'waiting'],
  ]);
  expect(list.items[0]).toMatchObject({ lastError: 'The network said no.', attempts: 4, startedBy: 'Operator' });
  const short = await listSteps.run(business.pool, { limit: 1, condition: 'waiting' }, operator);
  expect([short.total, short.items.map((one) => one.id)]).toEqual([1, [id('stp', 'later')]]);
  const ofLine = await listSteps.run(business.pool, { limit: 10, subject: id('sub', 'ada') }, operator);
  expect(ofLine.items.map((one) => one.condition)).toEqual(['done', 'waiting']);
});

test('the clock says where business time stands and what falls due', async () => {
  const view = await showClock.run(business.pool, {}, operator);
  expect(view).toMatchObject({
    mode: 'frozen',
    now,
    due: { now: 3, nextDay: 1, next: { at: '2027-03-20T20:00:00.000Z', flow: 'renewal', step: 'charge' } },
  });
  expect(Math.abs(view.aheadSeconds - (Date.parse(now) - Date.now()) / 1000)).toBeLessThan(60);
});

test('health counts, and rings for what a person should act on', async () => {
  const view = await showHealth.run(business.pool, {}, operator);
  expect(view).toMatchObject({
    customers: 3,
    lines: { active: 1, blocked: 1, pending: 0, terminated: 0 },
    orders: { open: 0 },
    stock: { numbers: 2, esims: 1, low: 50 },
    clock: 'frozen',
    steps: { retrying: 1 },
  });
  expect(view.alarms.map((one) => one.code)).toEqual(
    expect.arrayContaining(['number.stock_low', 'esim.stock_low', 'flow.retrying']),
  );
  const quiet = {
    ...view,
    steps: { due: 0, retrying: 0, parked: 0, oldestDueSeconds: 0 },
    network: { pending: 0, oldestSeconds: 0 },
    stock: { numbers: 900, esims: 900, low: 50 },
  };
  expect(alarmsOf(quiet)).toEqual([]);
  expect(alarmsOf({ ...quiet, network: { pending: 2, oldestSeconds: 61 } }).map((one) => one.code)).toEqual([
    'network.late',
  ]);
  const alarmsWith = (steps: Partial<typeof quiet.steps>) =>
    alarmsOf({ ...quiet, steps: { ...quiet.steps, ...steps } }).map((one) => one.code);
  expect(alarmsWith({ due: 1, oldestDueSeconds: 61 })).toEqual(['flow.late']);
  expect(alarmsWith({ parked: 1 })).toEqual(['flow.parked']);
});

test('events are listed newest first, and filtered', async () => {
  const list = await listEvents.run(business.pool, { limit: 2, customerId: ada }, operator);
  expect(list.items.map((one) => one.command)).toEqual(['usage.record', 'test.fixture']);
  const older = await listEvents.run(business.pool, { limit: 20, customerId: ada, before: list.next ?? 0 }, operator);
  expect(older.items).toHaveLength(6);
  const captured = await listEvents.run(business.pool, { limit: 5, command: 'payment.record_capture' }, operator);
  expect(captured.items).toMatchObject([
    {
      from: 'authorized',
      to: 'captured',
      changed: ['status'],
      amount: { text: 'SGD 25.00' },
      by: { name: 'Operator', surface: 'cli' },
    },
  ]);
});

test('the story of an order is its own events and, of what outlives it, what it caused', async () => {
  const told = (view: { events: { resourceType: string; command: string }[] }) =>
    view.events.map((one) => `${one.resourceType} ${one.command}`);
  const ofOrder = [
    'productOrder test.fixture',
    'payment payment.record_capture',
    'monitor test.fixture',
    'product test.fixture',
    'customerBill test.fixture',
  ];
  for (const one of [id('ord', 'ada'), id('itm', 'ada'), id('pay', 'ada'), id('bil', 'ada'), '00000007']) {
    const view = await traceEvents.run(business.pool, { id: one, limit: 50 }, operator);
    expect([one, view.root, told(view)]).toEqual([one, id('ord', 'ada'), ofOrder]);
  }
  const ofLine = [
    ...ofOrder.slice(0, 4),
    'product renewal.charge',
    'customerBill test.fixture',
    'product usage.record',
  ];
  for (const one of [
    id('sub', 'ada'),
    id('svc', 'ada'),
    id('bkt', 'plandata'),
    id('mon', 'two'),
    id('esm', 'ada'),
    '6581000001',
    '+6581000001',
  ]) {
    const view = await traceEvents.run(business.pool, { id: one, limit: 50 }, operator);
    expect([one, view.root, told(view)]).toEqual([one, id('sub', 'ada'), ofLine]);
  }
  const ofCustomer = await traceEvents.run(business.pool, { id: ada ?? '', limit: 3 }, operator);
  expect([ofCustomer.total, ofCustomer.events.length]).toEqual([7, 3]);
  const ofUsage = await traceEvents.run(business.pool, { id: id('usg', 'u1'), limit: 9 }, operator);
  expect(told(ofUsage)).toEqual(['usage test.fixture', 'product usage.record']);
  const ofTicket = await traceEvents.run(business.pool, { id: id('tck', 'open'), limit: 9 }, operator);
  expect(told(ofTicket)).toEqual(['troubleTicket test.fixture']);
  await expect(traceEvents.run(business.pool, { id: 'nothing', limit: 9 }, operator)).rejects.toMatchObject({
    status: 404,
  });
});

test('what is still to come stands in the story', async () => {
  const view = await traceEvents.run(business.pool, { id: id('sub', 'ada'), limit: 50 }, operator);
  expect(view.open.map((one) => [one.flow, one.step, one.lastError])).toEqual([
    ['network', 'deliver', 'The network said no.'],
    ['renewal', 'charge', null],
  ]);
});

test('a customer sees what is theirs, and of the rest not even that it is there', async () => {
  const own = customerCaller(ada ?? '');
  expect((await showSubscription.run(business.pool, { subscriptionId: id('sub', 'ada') }, own)).id).toBe(
    id('sub', 'ada'),
  );
  expect((await showOrder.run(business.pool, { orderId: id('ord', 'ada') }, own)).orderedBy).toBeNull();
  const nameless = { ...own, customerId: undefined };
  for (const caller of [customerCaller(ben ?? ''), nameless]) {
    for (const refused of [
      () => showSubscription.run(business.pool, { subscriptionId: id('sub', 'ada') }, caller),
      () => showOrder.run(business.pool, { orderId: id('ord', 'ada') }, caller),
      () => showBill.run(business.pool, { billId: '00000007' }, caller),
      () => listUsage.run(business.pool, { subscriptionId: id('sub', 'ada'), days: 3, limit: 3 }, caller),
      () => showCustomer.run(business.pool, { customerId: ada ?? '' }, caller),
      () => showTicket.run(business.pool, { ticketId: id('tck', 'open') }, caller),
    ]) {
      await expect(refused()).rejects.toMatchObject({ status: 404 });
    }
  }
});

test('what is not there is a 404 that names it', async () => {
  await expect(showSubscription.run(business.pool, { subscriptionId: 'sub_none' }, operator)).rejects.toMatchObject({
    status: 404,
    facts: { resource: 'subscription', id: 'sub_none' },
  });
});

test('every query a customer may ask knows whose the answer is', () => {
  const offered = queries
    .filter((query) => query.audience.includes('customer'))
    .map((query) => query.name)
    .sort();
  expect(offered).toEqual([
    'bill.list',
    'bill.show',
    'customer.show',
    'esim.show',
    'handbook.search',
    'order.list',
    'order.show',
    'subscription.list',
    'subscription.show',
    'ticket.list',
    'ticket.show',
    'usage.list',
  ]);
});

test('what is read by its key is planned once a connection, and a list for what it was asked', async () => {
  // A custom plan is made five times before PostgreSQL keeps one for every value.
  for (let time = 0; time < 8; time += 1) {
    await showSubscription.run(business.pool, { subscriptionId: id('sub', 'ada') }, operator);
    await listUsage.run(business.pool, { subscriptionId: id('sub', 'ada'), days: 14, limit: 20 }, operator);
    await showCustomer.run(business.pool, { customerId: ada ?? '' }, operator);
    await listSubscriptions.run(business.pool, { limit: 20 }, operator);
  }
  const { rows } = await business.pool.query(
    `SELECT "custom_plans"::int AS custom, "generic_plans"::int AS generic FROM pg_prepared_statements WHERE "name" ~ '^view'`,
  );
  expect(rows).toHaveLength(3);
  for (const { custom, generic } of rows) {
    expect(custom).toBe(5);
    expect(generic).toBeGreaterThanOrEqual(3);
  }
});
