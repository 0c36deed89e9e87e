import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { isSandboxNetwork } from '../../adapters/sandbox/network/sandbox-network.ts';
import { readConfiguration } from '../../app/configuration.ts';
import { type TestDatabase, testDatabase } from '../../app/database/testing.ts';
import { type Platform, startPlatform } from '../../app/platform.ts';
import { systemCaller } from '../../kernel/caller.ts';
import { isJsonObject, type JsonObject } from '../../kernel/json.ts';
import { execute } from '../../policy/core/command.ts';
import { runStatement } from '../../policy/core/transaction.ts';
import { createAccessToken } from '../../policy/identity/access-token.ts';

const catalogue = '/tmf-api/productCatalogManagement/v4';
const customers = '/tmf-api/customerManagement/v4/customer';
const methods = '/tmf-api/paymentMethod/v4/paymentMethod';
const orders = '/tmf-api/productOrderingManagement/v4/productOrder';
const usages = '/tmf-api/usageManagement/v4/usage';
const products = '/tmf-api/productInventory/v4/product';
const payments = '/payment/v4/payment';
const tickets = '/tmf-api/troubleTicket/v4/troubleTicket';
const services = '/tmf-api/serviceInventory/v4/service';

/** What there is before anything bad is sent: a customer with a card, an active line, an exhausted one, a ticket. */
interface World {
  customer: string;
  plan: string;
  addOn: string;
  order: string;
  active: { id: string; msisdn: string };
  blocked: { id: string; msisdn: string };
  ticket: string;
  service: string;
}

let database: TestDatabase;
let home: string;
let platform: Platform;
let token: string;
let catalogueOnly: string;
let world: World;

beforeAll(async () => {
  database = await testDatabase();
  home = mkdtempSync(join(tmpdir(), 'airtime-bad-input-'));
  const configuration = readConfiguration({
    AIRTIME_HOME: home,
    AIRTIME_PORT: '0',
    DATABASE_URL: database.serverUrl,
    MIGRATION_DATABASE_URL: database.ownerUrl,
    // Work runs when the clock is moved, so nothing changes by itself while input is judged.
    AIRTIME_WORKER: '0',
  });
  platform = await startPlatform(configuration, pino({ level: 'silent' }), { historyDays: 1 });
  token = platform.firstToken ?? '';
  const made = await execute(
    platform.policy,
    createAccessToken,
    { name: 'catalogue', audience: 'integrator', scopes: ['tmf:TMF620'] },
    { ...systemCaller('test'), surface: 'start' },
  );
  catalogueOnly = made.token;
  world = await settleIn();
});
afterAll(async () => {
  await platform.stop();
  await database.drop();
  rmSync(home, { recursive: true, force: true });
});

interface Sent {
  method?: string;
  path: string;
  body?: unknown;
  /** Sent as it is, in place of `body`. */
  raw?: string;
  type?: string;
  authorization?: string | null;
}

async function send(sent: Sent): Promise<{ status: number; type: string; text: string; body: JsonObject }> {
  const headers: Record<string, string> = {};
  if (sent.authorization !== null) headers.authorization = sent.authorization ?? `Bearer ${token}`;
  const text = sent.raw ?? (sent.body === undefined ? undefined : JSON.stringify(sent.body));
  if (text !== undefined) headers['content-type'] = sent.type ?? 'application/json';
  const response = await fetch(`${platform.url}${sent.path}`, {
    method: sent.method ?? 'POST',
    headers,
    ...(text === undefined ? {} : { body: text }),
  });
  const answer = await response.text();
  const parsed: unknown = answer === '' ? {} : JSON.parse(answer);
  return {
    status: response.status,
    type: response.headers.get('content-type') ?? '',
    text: answer,
    body: isJsonObject(parsed) ? parsed : {},
  };
}

async function sendWell(sent: Sent): Promise<JsonObject> {
  const { status, body, text } = await send(sent);
  if (status >= 300) throw new Error(`${sent.path} answered ${status}: ${text}`);
  return body;
}

async function first(path: string): Promise<string> {
  const response = await fetch(`${platform.url}${path}`, { headers: { authorization: `Bearer ${token}` } });
  const [found] = z
    .array(z.looseObject({ id: z.string() }))
    .min(1)
    .parse(await response.json());
  return found?.id ?? '';
}

const relatedParty = (id: string) => [{ id, role: 'customer', '@referredType': 'Customer' }];
const orderOf = (customer: string, item: JsonObject) => ({
  relatedParty: relatedParty(customer),
  productOrderItem: [{ id: '1', action: 'add', quantity: 1, ...item }],
});
const usageOf = (msisdn: string, volume: unknown, unit = 'GB') => ({
  usageType: 'data',
  usageCharacteristic: [
    { name: 'msisdn', value: msisdn },
    { name: 'volume', value: volume },
    { name: 'unit', value: unit },
  ],
});
const newCustomer = (email: string) => ({
  name: 'Ada Lim',
  engagedParty: { id: 'p1', name: 'Ada Lim', '@referredType': 'Individual' },
  contactMedium: [{ mediumType: 'email', characteristic: { emailAddress: email } }],
});
const card = (customer: string, cardToken: string) => ({
  '@type': 'tokenizedCard',
  name: 'Card',
  token: cardToken,
  relatedParty: { id: customer, '@referredType': 'Customer', role: 'customer' },
});
const text = (value: unknown): string => (typeof value === 'string' ? value : '');

async function settleIn(): Promise<World> {
  const customer = text((await sendWell({ path: customers, body: newCustomer('ada@example.com') })).id);
  await sendWell({ path: methods, body: card(customer, 'tok_visa') });
  const plan = await first(`${catalogue}/productOffering?code=PLAN_S`);
  const addOn = await first(`${catalogue}/productOffering?code=VAS_DATA_1GB`);
  const lines: { order: string; id: string; msisdn: string }[] = [];
  for (let line = 0; line < 2; line += 1) {
    const order = text(
      (await sendWell({ path: orders, body: orderOf(customer, { productOffering: { id: plan } }) })).id,
    );
    await sendWell({ path: '/tools/clock.advance', body: { hours: 1 } });
    const [row] = await runStatement<{ id: string; msisdn: string }>(
      platform.policy.pool,
      `SELECT s."id", s."msisdn" FROM "subscription" s JOIN "order_item" i ON i."subscription_id" = s."id" WHERE i."product_order_id" = $1 AND s."state" = 'active'`,
      [order],
    );
    if (!row) throw new Error('the line is not active');
    lines.push({ order, ...row });
  }
  const [active, blocked] = lines;
  if (!active || !blocked) throw new Error('two lines are needed');
  await sendWell({ path: usages, body: usageOf(blocked.msisdn, 5) });
  await sendWell({ path: '/tools/clock.advance', body: { hours: 1 } });
  const ticket = text(
    (
      await sendWell({
        path: tickets,
        body: {
          description: 'No signal',
          severity: 'Minor',
          ticketType: 'complaint',
          relatedParty: relatedParty(customer),
        },
      })
    ).id,
  );
  const service = await first(`${services}?category=CFS`);
  return { customer, plan, addOn, order: active.order, active, blocked, ticket, service };
}

/** Rows of every table by their text, and what is in both books of the outside; not what the doors note of who came. */
async function everything(): Promise<Map<string, string[]>> {
  const tables = await runStatement<{ name: string }>(
    platform.policy.pool,
    `SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public' AND tablename NOT IN ('_prisma_migrations', 'refusal', 'rate_count') ORDER BY 1`,
    [],
  );
  const all = new Map<string, string[]>();
  for (const { name } of tables) {
    const rows = await runStatement<{ row: string }>(
      platform.policy.pool,
      `SELECT t::text AS row FROM "${name}" t ORDER BY 1`,
      [],
    );
    all.set(
      name,
      rows.map(({ row }) => row),
    );
  }
  const { network } = platform;
  if (!isSandboxNetwork(network)) throw new Error('the network is no sandbox');
  const books = { 'book of the gateway': platform.gateway.book(), 'book of the network': network.book() };
  for (const [name, book] of Object.entries(books)) {
    const entries: string[] = [];
    for await (const entry of book) entries.push(JSON.stringify(entry));
    all.set(name, entries);
  }
  return all;
}

/** Rows that came, went or changed, counted by table. */
function difference(
  before: Map<string, string[]>,
  after: Map<string, string[]>,
): Record<string, { came: number; went: number }> {
  const changed: Record<string, { came: number; went: number }> = {};
  for (const [name, rows] of after) {
    const was = new Set(before.get(name));
    const is = new Set(rows);
    const came = rows.filter((row) => !was.has(row)).length;
    const went = [...was].filter((row) => !is.has(row)).length;
    if (came > 0 || went > 0) changed[name] = { came, went };
  }
  return changed;
}

interface Bad {
  kind: string;
  what: string;
  send: (world: World) => Sent;
  /** An error of this status whose reason is this. */
  refused?: { status: number; reason: RegExp; message?: RegExp };
  /** Kept in this table in this state, saying this. */
  kept?: { table: string; state: string; says: RegExp; contact?: true };
}

const nobody = 'cus_01aaaaaaaaaaaaaaaaaaaaaaaa';

const cases: readonly Bad[] = [
  {
    kind: 'malformed',
    what: 'a body that ends too early',
    send: () => ({ path: customers, raw: '{"name": "Ada"' }),
    refused: { status: 400, reason: /^malformedJson$/, message: /line 1, column/ },
  },
  {
    kind: 'malformed',
    what: 'no body',
    send: () => ({ path: orders, raw: '' }),
    refused: { status: 400, reason: /^invalid$/, message: /body is missing/ },
  },
  {
    kind: 'malformed',
    what: 'a comma too many',
    send: () => ({ path: customers, raw: '{"name": "Ada",}' }),
    refused: { status: 400, reason: /^malformedJson$/, message: /line 1, column/ },
  },
  {
    kind: 'malformed',
    what: 'a filter without end',
    send: () => ({ method: 'GET', path: `${customers}?filter=$[?(@.name==` }),
    refused: { status: 400, reason: /^invalidQuery$/, message: /'filter'/ },
  },

  {
    kind: 'wrong type',
    what: 'a name that is a number',
    send: () => ({ path: customers, body: { ...newCustomer('type@example.com'), name: 42 } }),
    refused: { status: 400, reason: /^invalid$/, message: /name must be/ },
  },
  {
    kind: 'wrong type',
    what: 'items that are no list',
    send: (w) => ({ path: orders, body: { relatedParty: relatedParty(w.customer), productOrderItem: 'all' } }),
    refused: { status: 400, reason: /^invalid$/, message: /productOrderItem must be/ },
  },
  {
    kind: 'wrong type',
    what: 'a patch that is a list',
    send: (w) => ({ method: 'PATCH', path: `${customers}/${w.customer}`, body: [1] }),
    refused: { status: 400, reason: /^invalid$/, message: /must be an object/ },
  },
  {
    kind: 'wrong type',
    what: 'a volume that is a word',
    send: (w) => ({ path: usages, body: usageOf(w.active.msisdn, 'much') }),
    kept: { table: 'usage', state: 'rejected', says: /usage\.quantity_positive: / },
  },

  {
    kind: 'missing',
    what: 'a customer without a name',
    send: () => ({ path: customers, body: { engagedParty: { id: 'p1' } } }),
    refused: { status: 400, reason: /^invalid$/, message: /name is missing/ },
  },
  {
    kind: 'missing',
    what: 'an order without items',
    send: (w) => ({ path: orders, body: { relatedParty: relatedParty(w.customer) } }),
    refused: { status: 400, reason: /^invalid$/, message: /productOrderItem is missing/ },
  },
  {
    kind: 'missing',
    what: 'usage without a number',
    send: () => ({ path: usages, body: { usageType: 'data', usageCharacteristic: [{ name: 'volume', value: 1 }] } }),
    kept: { table: 'usage', state: 'rejected', says: /usage\.number_known: / },
  },

  {
    kind: 'unknown reference',
    what: 'an order for nobody we know',
    send: (w) => ({ path: orders, body: orderOf(nobody, { productOffering: { id: w.plan } }) }),
    kept: { table: 'product_order', state: 'rejected', says: /order\.customer_known: / },
  },
  {
    kind: 'unknown reference',
    what: 'an order of nothing we sell',
    send: (w) => ({ path: orders, body: orderOf(w.customer, { productOffering: { id: 'ofr_nothing' } }) }),
    kept: { table: 'product_order', state: 'rejected', says: /order\.offering_known: /, contact: true },
  },
  {
    kind: 'unknown reference',
    what: 'an add-on for a line that is not there',
    send: (w) => ({
      path: orders,
      body: orderOf(w.customer, { productOffering: { id: w.addOn }, product: { id: 'sub_nothing' } }),
    }),
    kept: { table: 'product_order', state: 'rejected', says: /order\.add_on_needs_line: /, contact: true },
  },
  {
    kind: 'unknown reference',
    what: 'usage of a number that nobody has',
    send: () => ({ path: usages, body: usageOf('6599999999', 1) }),
    kept: { table: 'usage', state: 'rejected', says: /usage\.number_known: / },
  },
  {
    kind: 'unknown reference',
    what: 'a card for nobody we know',
    send: () => ({ path: methods, body: card(nobody, 'tok_visa') }),
    refused: { status: 422, reason: /^card\.customer_known$/ },
  },
  {
    kind: 'unknown reference',
    what: 'a customer that is not there',
    send: () => ({ method: 'GET', path: `${customers}/${nobody}` }),
    refused: { status: 404, reason: /^notFound$/ },
  },
  {
    kind: 'unknown reference',
    what: 'a patch of a customer that is not there',
    send: () => ({ method: 'PATCH', path: `${customers}/${nobody}`, body: { name: 'Eve' } }),
    refused: { status: 404, reason: /^notFound$/ },
  },
  {
    kind: 'unknown reference',
    what: 'a payment for an order that is not there',
    send: (w) => ({
      path: payments,
      body: {
        name: 'Mine',
        account: { id: 'acc_x', name: 'mine' },
        amount: { unit: 'SGD', value: 10 },
        totalAmount: { unit: 'SGD', value: 10 },
        paymentMethod: { id: 'pme_x', '@type': 'tokenizedCard', name: 'card' },
        paymentItem: [
          {
            id: '1',
            amount: { unit: 'SGD', value: 10 },
            totalAmount: { unit: 'SGD', value: 10 },
            item: { id: 'ord_nothing', name: 'order' },
          },
        ],
        payer: { id: w.customer, name: 'Ada', '@referredType': 'Customer' },
      },
    }),
    kept: { table: 'payment', state: 'denied', says: /payment\.settles_an_open_order_or_bill: /, contact: true },
  },

  {
    kind: 'illegal state',
    what: 'a completed order is taken back',
    send: (w) => ({ method: 'PATCH', path: `${orders}/${w.order}`, body: { state: 'inProgress' } }),
    refused: { status: 409, reason: /^product_order\.legal_transition$/ },
  },
  {
    kind: 'illegal state',
    what: 'a state that there is not',
    send: (w) => ({ method: 'PATCH', path: `${tickets}/${w.ticket}`, body: { status: 'mended' } }),
    refused: { status: 400, reason: /^invalid$/, message: /status is not one of/ },
  },
  {
    kind: 'illegal state',
    what: 'a ticket is closed before it was looked at',
    send: (w) => ({ method: 'PATCH', path: `${tickets}/${w.ticket}`, body: { status: 'closed' } }),
    refused: { status: 409, reason: /^trouble_ticket\.legal_transition$/ },
  },
  {
    kind: 'illegal state',
    what: 'a blocked line is set active',
    send: (w) => ({ method: 'PATCH', path: `${products}/${w.blocked.id}`, body: { status: 'active' } }),
    refused: { status: 409, reason: /^product\.line_facts_are_fixed$/ },
  },
  {
    kind: 'illegal state',
    what: 'a service of a line is terminated',
    send: (w) => ({ method: 'PATCH', path: `${services}/${w.service}`, body: { state: 'terminated' } }),
    refused: { status: 409, reason: /^service\.belongs_to_line$/ },
  },
  {
    kind: 'illegal state',
    what: 'usage of a blocked line',
    send: (w) => ({ path: usages, body: usageOf(w.blocked.msisdn, 1) }),
    kept: { table: 'usage', state: 'rejected', says: /usage\.line_active: / },
  },
  {
    kind: 'illegal state',
    what: 'the last card of a live line is removed',
    send: () => ({ method: 'DELETE', path: `${methods}/{card}` }),
    refused: { status: 409, reason: /^card\.not_last_of_live_line$/ },
  },

  {
    kind: 'negative amount',
    what: 'usage below zero',
    send: (w) => ({ path: usages, body: usageOf(w.active.msisdn, -1) }),
    kept: { table: 'usage', state: 'rejected', says: /usage\.quantity_positive: / },
  },
  {
    kind: 'negative amount',
    what: 'a price below zero',
    send: () => ({
      path: `${catalogue}/productOfferingPrice`,
      body: { name: 'Gift', priceType: 'oneTime', price: { unit: 'SGD', value: -1 } },
    }),
    refused: { status: 422, reason: /^catalogue\.price_not_negative$/ },
  },
  {
    kind: 'negative amount',
    what: 'less than one of a plan',
    send: (w) => ({
      path: orders,
      body: {
        relatedParty: relatedParty(w.customer),
        productOrderItem: [{ id: '1', action: 'add', quantity: -1, productOffering: { id: w.plan } }],
      },
    }),
    kept: { table: 'product_order', state: 'rejected', says: /order\.quantity_is_one: /, contact: true },
  },

  {
    kind: 'expired card',
    what: 'a card past its date',
    send: (w) => ({ path: methods, body: card(w.customer, 'tok_expired') }),
    refused: { status: 422, reason: /^card\.not_expired$/ },
  },
  {
    kind: 'expired card',
    what: 'a card that nobody issued',
    send: (w) => ({ path: methods, body: card(w.customer, 'tok_nobody') }),
    refused: { status: 422, reason: /^card\.token_known$/ },
  },

  {
    kind: 'wrong token',
    what: 'none',
    send: () => ({ path: customers, body: newCustomer('none@example.com'), authorization: null }),
    refused: { status: 401, reason: /^unauthenticated$/ },
  },
  {
    kind: 'wrong token',
    what: 'one we never gave',
    send: () => ({ path: customers, body: newCustomer('wrong@example.com'), authorization: 'Bearer air_wrong' }),
    refused: { status: 401, reason: /^tokenRefused$/ },
  },
  {
    kind: 'wrong token',
    what: 'another scheme',
    send: () => ({ method: 'GET', path: customers, authorization: 'Basic YTpi' }),
    refused: { status: 401, reason: /^unauthenticated$/ },
  },
  {
    kind: 'wrong token',
    what: 'one for the catalogue alone',
    send: () => ({ path: customers, body: newCustomer('scope@example.com'), authorization: `Bearer ${catalogueOnly}` }),
    refused: { status: 403, reason: /^forbidden$/ },
  },

  {
    kind: 'oversized body',
    what: 'two megabytes of name',
    send: () => ({ path: customers, body: { ...newCustomer('big@example.com'), name: 'A'.repeat(2 * 1024 * 1024) } }),
    refused: { status: 413, reason: /^bodyTooLarge$/ },
  },
  {
    kind: 'oversized body',
    what: 'a thousand lists in one another',
    send: () => ({ path: customers, raw: `{"name":${'['.repeat(1000)}${']'.repeat(1000)}}` }),
    refused: { status: 400, reason: /^invalid$/, message: /nested/ },
  },
  {
    kind: 'oversized body',
    what: 'more items than an order has',
    send: (w) => ({
      path: orders,
      body: {
        relatedParty: relatedParty(w.customer),
        productOrderItem: Array.from({ length: 21 }, (_, index) => ({
          id: `${index}`,
          action: 'add',
          productOffering: { id: w.plan },
        })),
      },
    }),
    kept: { table: 'product_order', state: 'rejected', says: /order\.has_items: /, contact: true },
  },

  {
    kind: 'wrong media type',
    what: 'text',
    send: () => ({ path: customers, raw: 'name=Ada', type: 'text/plain' }),
    refused: { status: 415, reason: /^unsupportedMediaType$/ },
  },
  {
    kind: 'wrong media type',
    what: 'a form',
    send: () => ({ path: orders, raw: 'a=b', type: 'application/x-www-form-urlencoded' }),
    refused: { status: 415, reason: /^unsupportedMediaType$/ },
  },
  {
    kind: 'wrong media type',
    what: 'a patch’s type for a new customer',
    send: () => ({ path: customers, body: newCustomer('patch@example.com'), type: 'application/merge-patch+json' }),
    refused: { status: 415, reason: /^unsupportedMediaType$/ },
  },
  {
    kind: 'wrong media type',
    what: 'XML for a patch',
    send: (w) => ({
      method: 'PATCH',
      path: `${customers}/${w.customer}`,
      raw: '<name>Eve</name>',
      type: 'application/xml',
    }),
    refused: { status: 415, reason: /^unsupportedMediaType$/ },
  },
];

describe('bad input is told so and changes nothing else', () => {
  it('of ten kinds', () => {
    expect([...new Set(cases.map(({ kind }) => kind))].sort()).toEqual(
      [
        'expired card',
        'illegal state',
        'malformed',
        'missing',
        'negative amount',
        'oversized body',
        'unknown reference',
        'wrong media type',
        'wrong token',
        'wrong type',
      ].sort(),
    );
    expect(cases.every(({ refused, kept }) => (refused === undefined) !== (kept === undefined))).toBe(true);
  });

  it.each(cases)('$kind: $what', async ({ send: make, refused, kept }) => {
    const sent = make(world);
    if (sent.path.endsWith('{card}')) sent.path = sent.path.replace('{card}', await first(methods));
    const before = await everything();
    const answer = await send(sent);
    const changed = difference(before, await everything());

    expect(answer.type).toMatch(/^application\/json/);
    // Nothing of our insides is told.
    expect(answer.text).not.toMatch(/node_modules|\.ts:\d|SELECT |INSERT |pg_|at Object\./);
    if (refused) {
      expect([answer.status, answer.body.status, answer.text]).toEqual([
        refused.status,
        String(refused.status),
        answer.text,
      ]);
      expect(answer.body.reason).toMatch(refused.reason);
      if (refused.message) expect(answer.body.message).toMatch(refused.message);
      expect(answer.body.code).toMatch(/./);
      // A sentence that says what was wrong.
      expect(answer.body.message).toMatch(/^[A-Z0-9].{10,}\.$/s);
      expect(changed).toEqual({});
    }
    if (kept) {
      expect([answer.status, answer.text]).toEqual([201, answer.text]);
      expect(answer.body.state ?? answer.body.status).toBe(kept.state);
      expect(`${text(answer.body.statusReason)} ${JSON.stringify(answer.body.note ?? '')}`).toMatch(kept.says);
      // What a customer we know asked for is a contact with them, refused or not.
      const one = { came: 1, went: 0 };
      expect(changed).toEqual({
        [kept.table]: one,
        ...(kept.contact ? { party_interaction: one, event: { came: 2, went: 0 } } : { event: one }),
      });
    }
  });

  it('and good input is still taken afterwards', async () => {
    const before = await everything();
    const { status } = await send({ path: usages, body: usageOf(world.active.msisdn, 1) });
    expect(status).toBe(201);
    expect(difference(before, await everything())).toMatchObject({
      usage: { came: 1, went: 0 },
      bucket: { came: 1, went: 1 },
    });
  });
});
