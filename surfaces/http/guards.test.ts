import { connect } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type House, openHouse } from '../../doctrine/house.ts';
import type { Caller } from '../../kernel/caller.ts';
import { isJsonObject } from '../../kernel/json.ts';
import { commands } from '../../policy/commands.ts';
import { execute } from '../../policy/core/command.ts';
import { runStatement } from '../../policy/core/transaction.ts';
import { verifyIdentity } from '../../policy/customer/commands.ts';
import { queriesFor } from '../../tools/queries.ts';
import { makeTools, type OwnershipTrip } from '../../tools/registry.ts';
import { makeRateLimiter } from '../../workers/rate-limiter.ts';
import { addressOf } from './authorise.ts';
import type { Refused } from './server.ts';
import { objectOf, type TestDoor, testDoor, testTokens, testWire } from './testing.ts';

const clock = { now: () => new Date(), sleep: (ms: number) => new Promise<void>((done) => setTimeout(done, ms)) };
const refusals: Refused[] = [];
const trips: OwnershipTrip[] = [];
let house: House;
let door: TestDoor;
let ada: { customer: string; line: string; order: string; bill: string };
let ben: typeof ada;
const limits = { failed: 1000, slow: 5 };

async function subscriber(): Promise<typeof ada> {
  const customer = await house.customer();
  const order = await house.order(customer);
  await house.settle();
  const { subscriptionId } = await house.state(order);
  const [bill] = await runStatement<{ id: string }>(
    house.pool,
    'SELECT "id" FROM "customer_bill" WHERE "customer_id" = $1',
    [customer],
  );
  return { customer, order, line: subscriptionId ?? '', bill: bill?.id ?? '' };
}

beforeAll(async () => {
  house = await openHouse();
  ada = await subscriber();
  ben = await subscriber();
  const callers: Record<string, Caller> = {
    ...testTokens,
    air_ada: {
      audience: 'customer',
      id: 'tok_ada',
      name: 'Ada',
      surface: 'tmf',
      scopes: ['*'],
      customerId: ada.customer,
    },
    air_slow: { audience: 'integrator', id: 'tok_slow', name: 'Slow', surface: 'tmf', scopes: ['tools:*'] },
  };
  const limiter = makeRateLimiter(house.policy, clock, { warn: () => undefined });
  door = await testDoor({
    wire: { ...testWire(house.pool), policy: house.policy },
    tools: makeTools({
      policy: house.policy,
      pool: house.pool,
      commands,
      queries: queriesFor(commands),
      onOwnershipTrip: async (trip) => void trips.push(trip),
    }),
    authenticate: async (token) => (Object.hasOwn(callers, token) ? callers[token] : undefined),
    rates: {
      ofCaller: ({ id }) => (id === 'tok_slow' ? limiter.take(`token ${id}`, limits.slow) : undefined),
      ofFailure: (address) => limiter.take(`address ${address}`, limits.failed),
      trustedProxies: 1,
    },
    onRefused: (one) => refusals.push(one),
    limits: { requestTimeoutMs: 800, queryParametersMax: 20, arrayItemsMax: 50 },
  });
}, 120_000);
afterAll(async () => {
  await door.server.close(100);
  await house.close();
});

async function ask(path: string, token: string | undefined, body?: unknown, headers: Record<string, string> = {}) {
  const response = await fetch(door.url + path, {
    method: body === undefined ? 'GET' : 'POST',
    headers: {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, headers: response.headers, body: await objectOf(response) };
}

/** What the audit heard of one request. */
async function heard(work: () => Promise<unknown>): Promise<Refused[]> {
  refusals.length = 0;
  await work();
  // The audit hears of a request when its answer is through.
  for (let tries = 0; tries < 50 && refusals.length === 0; tries += 1) await clock.sleep(5);
  return [...refusals];
}

test('a token that comes too often is told when to come again, and the audit hears who', async () => {
  const answers: Awaited<ReturnType<typeof ask>>[] = [];
  const told = await heard(async () => {
    for (let i = 0; i < 7; i += 1) answers.push(await ask('/tools/offering.list', 'air_slow', {}));
  });
  expect(answers.map((one) => one.status)).toEqual([200, 200, 200, 200, 200, 429, 429]);
  const last = answers.at(-1);
  expect(Number(last?.headers.get('retry-after'))).toBeGreaterThan(0);
  expect(last?.body).toMatchObject({ '@type': 'Error', code: '429', reason: 'rateLimited', status: '429' });
  expect(told).toHaveLength(2);
  expect(told[0]).toMatchObject({ status: 429, code: 'rateLimited', caller: { id: 'tok_slow' }, door: 'tools' });
  expect((await ask('/tools/offering.list', 'air_tools', {})).status).toBe(200);
});

test('an address that names nobody too often is limited; who is known there is still served', async () => {
  limits.failed = 3;
  const from = { 'x-forwarded-for': '203.0.113.9, 198.51.100.7' };
  const statuses: number[] = [];
  for (let i = 0; i < 5; i += 1) statuses.push((await ask('/tools', `air_guess${i}`, undefined, from)).status);
  expect(statuses).toEqual([401, 401, 401, 429, 429]);
  const list = await fetch(`${door.url}/tools`, { headers: { authorization: 'Bearer air_tools', ...from } });
  expect(list.status).toBe(200);
  expect((await ask('/tools', undefined, undefined, { 'x-forwarded-for': '198.51.100.8' })).status).toBe(401);
  limits.failed = 1000;
});

test('an address is what a proxy of ours says it is, and nothing that a caller can say', () => {
  const of = (remoteAddress: string, forwarded?: string) => {
    const socket = Object.assign(Object.create(null), { remoteAddress });
    return { socket, headers: forwarded === undefined ? {} : { 'x-forwarded-for': forwarded } };
  };
  expect(addressOf(of('::ffff:192.0.2.1', '9.9.9.9'), 0)).toBe('192.0.2.1');
  expect(addressOf(of('127.0.0.1', 'made up, 9.9.9.9'), 1)).toBe('9.9.9.9');
  expect(addressOf(of('127.0.0.1', '8.8.8.8, 9.9.9.9'), 2)).toBe('8.8.8.8');
  expect(addressOf(of('127.0.0.1', 'nonsense'), 1)).toBe('127.0.0.1');
  expect(addressOf(of('2001:db8:0:1::5'), 0)).toBe('2001:db8:0:1::/64');
  expect(addressOf(of('2001:0db8:0000:0001:ffff:ffff:ffff:ffff'), 0)).toBe('2001:db8:0:1::/64');
  expect(addressOf(of('2001:db8::1'), 0)).toBe('2001:db8:0:0::/64');
  expect(addressOf(of('::1'), 0)).toBe('::1');
});

test('the audit hears of each refusal: who, which door, which code; never what was sent', async () => {
  const secret = 'tok_visa_secret_of_ada';
  const place = { customerId: `cus_${'0'.repeat(26)}`, offering: secret };
  const tries: [() => Promise<unknown>, Partial<Refused>][] = [
    [
      () => ask('/tools', undefined),
      { status: 401, code: 'unauthenticated', caller: undefined, operation: 'listTools' },
    ],
    [() => ask('/tools', 'air_unknown'), { status: 401, code: 'tokenRefused', caller: undefined }],
    [
      () => ask('/tools/customer.list', 'air_catalogue', {}),
      { status: 403, code: 'forbidden', operation: 'customer.list' },
    ],
    [() => ask('/tmf-api/troubleTicket/v4/troubleTicket', 'air_catalogue'), { status: 403, door: 'TMF621' }],
    [
      () => ask('/tools/order.place', 'air_operator', place),
      { status: 422, code: 'order.customer_known', operation: 'order.place' },
    ],
    [
      () => ask('/tools/order.place', 'air_operator', place, { 'confirmation-token': 'cnf_madeupmadeup' }),
      { status: 422, code: 'confirmation.known' },
    ],
  ];
  for (const [work, expected] of tries) {
    const told = await heard(work);
    expect(told).toHaveLength(1);
    expect(told[0]).toMatchObject(expected);
    expect(JSON.stringify(told)).not.toMatch(/tok_visa|cnf_|air_unknown/);
  }
  refusals.length = 0;
  await ask('/tools/offering.list', 'air_operator', {});
  await ask('/tools/no.such_tool', 'air_operator', {});
  await clock.sleep(30);
  expect(refusals).toEqual([]);
  expect(door.lines.join('\n')).not.toMatch(/tok_visa_secret|cnf_madeup|air_unknown/);
});

test('whatever of another customer a customer names is not there, in every tool, and the audit hears of it', async () => {
  const listed = await fetch(`${door.url}/tools`, { headers: { authorization: 'Bearer air_ada' } });
  const tools: unknown = await listed.json();
  if (!Array.isArray(tools)) throw new Error('the tools are a list');
  const foreign = [ben.line, ben.order, ben.bill, ben.customer];
  let probes = 0;
  for (const tool of tools.filter(isJsonObject)) {
    const properties = isJsonObject(tool.input) && isJsonObject(tool.input.properties) ? tool.input.properties : {};
    const names = Object.keys(properties).filter((name) => /id$/i.test(name));
    for (const name of names) {
      for (const id of foreign) {
        trips.length = 0;
        const first = await heard(() => ask(`/tools/${String(tool.name)}`, 'air_ada', { [name]: id }));
        const answer = await ask(`/tools/${String(tool.name)}`, 'air_ada', { [name]: id });
        const text = JSON.stringify(answer.body);
        const isEmpty = isJsonObject(answer.body.result) && JSON.stringify(answer.body.result.items) === '[]';
        // A query finds nothing; a command is refused by the rule that is judged first, whatever there is.
        const isRefused = answer.status === 404 || answer.body.reason === 'ownership.is_callers';
        // Another required input may be missing beside it: then nothing was looked up at all.
        expect([tool.name, name, isRefused || answer.status === 400 || isEmpty]).toEqual([tool.name, name, true]);
        if (isRefused) {
          const { status } = answer;
          expect(first[0]).toMatchObject({ status, operation: tool.name, caller: { customerId: ada.customer } });
          // The same as for what nobody has.
          const never = await ask(`/tools/${String(tool.name)}`, 'air_ada', {
            [name]: `${id.slice(0, 4)}${'0'.repeat(26)}`,
          });
          expect([never.status, never.body.reason]).toEqual([status, answer.body.reason]);
          probes += 1;
        }
        expect(text.replaceAll(id, '')).not.toContain(ben.customer);
        expect(trips).toEqual([]);
      }
    }
  }
  expect(probes).toBeGreaterThanOrEqual(3 * foreign.length);
  const own = { 'subscription.show': ada.line, 'order.show': ada.order, 'bill.show': ada.bill };
  for (const [name, id] of Object.entries(own)) {
    const input = { [`${name.split('.')[0]}Id`]: id };
    expect([name, (await ask(`/tools/${name}`, 'air_ada', input)).status]).toEqual([name, 200]);
  }
});

test('a customer has no TMF door', async () => {
  const answer = await ask(`/tmf-api/customerManagement/v4/customer/${ada.customer}`, 'air_ada');
  expect([answer.status, answer.body.reason]).toEqual([403, 'forbidden']);
});

test('queries of too many parameters and arrays of too many items are refused with what to do', async () => {
  const many = Array.from({ length: 21 }, (_, index) => `a${index}=1`).join('&');
  const query = await ask(`/tmf-api/customerManagement/v4/customer?${many}`, 'air_operator');
  expect([query.status, query.body.reason]).toEqual([400, 'tooManyParameters']);
  const items = Array.from({ length: 51 }, () => 1);
  const array = await ask('/tools/ticket.open', 'air_operator', { name: { deep: items } });
  expect(array).toMatchObject({
    status: 400,
    body: { fault: [{ field: 'name.deep', rule: 'has more than 50 items' }] },
  });
  expect((await ask('/tools/offering.list', 'air_operator', {})).status).toBe(200);
});

test.each([
  ['headers', 'GET /health HTTP/1.1\r\nHost: x\r\n'],
  [
    'a body',
    'POST /tools/offering.list HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer air_operator\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{',
  ],
])('%s that drip in are cut off, and others are served meanwhile', async (_what, start) => {
  const socket = connect(door.port, '127.0.0.1');
  let text = '';
  const ended = new Promise<number>((resolve) => {
    const began = Date.now();
    socket.on('data', (data) => {
      text += String(data);
    });
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(Date.now() - began));
  });
  socket.write(start);
  const drip = setInterval(() => socket.writable && socket.write('x'), 100);
  expect((await fetch(`${door.url}/health`)).status).toBe(200);
  const ms = await ended;
  clearInterval(drip);
  expect(ms).toBeLessThan(5000);
  expect(text).toMatch(/^HTTP\/1\.1 408 /);
  expect(text).toContain('requestTimeout');
});

test('where the operator asks for it, an order waits until an identity was seen', async () => {
  const policy = { ...house.policy, settings: { ...house.policy.settings, orderRequiresVerifiedIdentity: true } };
  const strict = makeTools({ policy, pool: house.pool, commands, queries: [] });
  const customerId = await house.customer();
  const input = { customerId, offering: 'PLAN_S' };
  const caller = house.caller;
  await expect(strict.propose('order.place', input, caller)).rejects.toMatchObject({
    status: 422,
    reason: 'order.requires_verified_identity',
  });
  const off = makeTools({
    policy: { ...policy, rulesOff: new Set(['order.requires_verified_identity']) },
    pool: house.pool,
    commands,
    queries: [],
  });
  expect(await off.propose('order.place', input, caller)).toMatchObject({ proposal: { tool: 'order.place' } });
  await execute(policy, verifyIdentity, { customerId, evidence: 'passport' }, caller);
  expect(await strict.propose('order.place', input, caller)).toMatchObject({ proposal: { tool: 'order.place' } });
  expect((await ask('/tools/order.place', 'air_operator', { ...input, customerId: ada.customer })).status).toBe(200);
});
