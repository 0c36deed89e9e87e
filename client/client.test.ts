import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, expectTypeOf, test } from 'vitest';
import { readConfiguration } from '../app/configuration.ts';
import { testDatabase } from '../app/database/testing.ts';
import { type Platform, startPlatform } from '../app/platform.ts';
import { operations } from '../generated/operations.ts';
import { type Client, createClient } from './client.ts';
import { sellLine } from './example.ts';

// The client is used as a stranger would use it: over the network, against a whole server.

let platform: Platform;
let home: string;
let drop: () => Promise<void>;
let client: Client;
let token: string;
beforeAll(async () => {
  const database = await testDatabase();
  drop = database.drop;
  home = mkdtempSync(join(tmpdir(), 'airtime-client-'));
  const environment = {
    AIRTIME_HOME: home,
    AIRTIME_PORT: '0',
    DATABASE_URL: database.serverUrl,
    MIGRATION_DATABASE_URL: database.ownerUrl,
  };
  platform = await startPlatform(readConfiguration(environment), pino({ level: 'silent' }));
  token = platform.firstToken ?? '';
  client = createClient({ url: platform.url, token });
});
afterAll(async () => {
  await platform?.stop();
  await drop?.();
  rmSync(home, { recursive: true, force: true });
});

test('the example sells a line', async () => {
  expect(await sellLine(platform.url, token)).toBe('completed');
  const { data } = await client.TMF637.listProduct({ params: { query: { status: 'active' } } });
  expect(data).toHaveLength(1);
});

test('every served operation has its method, and no other', () => {
  for (const [api, calls] of Object.entries(client)) {
    const served = operations.filter((one) => one.api === api && one.served).map((one) => one.operationId);
    expect(Object.keys(calls).sort()).toEqual([...served].sort());
  }
});

test('a resource is created, read, listed, changed in both ways and deleted', async () => {
  const { TMF620 } = client;
  const made = await TMF620.createCategory({ body: { name: 'Client', description: 'one' } });
  expect(made.response.status).toBe(201);
  const id = made.data?.id ?? '';
  const path = { id };
  expect((await TMF620.retrieveCategory({ params: { path } })).data?.name).toBe('Client');
  const listed = await TMF620.listCategory({
    params: { query: { name: 'Client', fields: 'name', 'description.ne': 'x' } },
  });
  expect(listed.data?.map((one) => one.id)).toEqual([id]);
  const etag = made.response.headers.get('etag') ?? '';
  const merged = await TMF620.patchCategory({
    params: { path, header: { 'If-Match': etag } },
    body: { description: 'two' },
  });
  expect(merged.data?.description).toBe('two');
  const stale = await TMF620.patchCategory({
    params: { path, header: { 'If-Match': etag } },
    body: { description: 'no' },
  });
  expect([stale.response.status, stale.error?.reason]).toEqual([412, 'preconditionFailed']);
  const stepped = await TMF620.patchCategory({
    params: { path },
    body: [{ op: 'replace', path: '/description', value: 'three' }],
  });
  expect(stepped.data?.description).toBe('three');
  expect((await TMF620.deleteCategory({ params: { path } })).response.status).toBe(204);
  expect((await TMF620.retrieveCategory({ params: { path } })).error).toMatchObject({
    code: '404',
    reason: 'notFound',
  });
});

test('a refusal is an error with its reason, and another token is another caller', async () => {
  const refused = await createClient({ url: platform.url, token: 'air_unknown' }).TMF629.listCustomer();
  expect([refused.response.status, refused.error?.reason]).toEqual([401, 'tokenRefused']);
});

test('what is sent can be seen and replaced', async () => {
  const sent: Request[] = [];
  const seeing = createClient({
    url: 'https://bss.example.com/air',
    token: 'air_x',
    fetch: async (request) => {
      sent.push(request);
      return new Response('[]', { headers: { 'Content-Type': 'application/json' } });
    },
  });
  await seeing.TMF676.listPayment({ params: { query: { 'payer.id': 'cus_1', status: 'captured' } } });
  await seeing.TMF676.retrievePayment({ params: { path: { id: 'a/b' } } });
  expect(sent.map(({ url }) => url)).toEqual([
    'https://bss.example.com/air/payment/v4/payment?payer.id=cus_1&status=captured',
    'https://bss.example.com/air/payment/v4/payment/a%2Fb',
  ]);
  expect(sent[0]?.headers.get('authorization')).toBe('Bearer air_x');
});

test('the types are those of the contract', () => {
  const { TMF622, TMF629 } = client;
  expectTypeOf(TMF622.createProductOrder).parameter(0).toHaveProperty('body');
  expectTypeOf<Awaited<ReturnType<typeof TMF622.retrieveProductOrder>>['data']>()
    .extract<object>()
    .toHaveProperty('state');
  // @ts-expect-error a body is required
  const withoutBody = () => TMF622.createProductOrder({});
  // @ts-expect-error an order has items
  const withoutItems = () => TMF622.createProductOrder({ body: {} });
  // @ts-expect-error an item is named
  const withoutId = () => TMF629.retrieveCustomer();
  // @ts-expect-error the contract has no such attribute
  const misspelt = () => TMF629.createCustomer({ body: { name: 'A', engagedPartty: {} } });
  // @ts-expect-error listeners are offered by subscribers
  const listener = () => TMF622.listenToProductOrderCreateEvent;
  expect([withoutBody, withoutItems, withoutId, misspelt, listener]).toHaveLength(5);
});
