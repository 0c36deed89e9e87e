import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import pino from 'pino';
import { z } from 'zod';
import { readConfiguration } from '../../app/configuration.ts';
import { startEmbedded } from '../../app/database/embedded-postgres.ts';
import { withClient } from '../../app/database/roles.ts';
import { directoryVariable, testDatabase } from '../../app/database/testing.ts';
import { type Platform, startPlatform } from '../../app/platform.ts';
import { readStatement, type Statement } from './statement.ts';

// Every statement of the hot paths, as PostgreSQL itself saw them: the whole program runs, subscribers live through a
// month of it, and the database tells each plan that it makes, those inside its functions too.

export interface Hot extends Statement {
  /** What was going on when it was first seen. */
  path: string;
}

const settings: Readonly<Record<string, string>> = {
  session_preload_libraries: 'auto_explain',
  'auto_explain.log_min_duration': '0',
  'auto_explain.log_nested_statements': 'on',
  'auto_explain.log_format': 'json',
  'auto_explain.log_level': 'notice',
};

const slowCallback = '/orders';

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/**
 * @param beside is done as one more path, with the running program: a test plants a statement there.
 * @throws Error where something of the story was not answered as it should be.
 */
export async function collectHotStatements(beside?: (platform: Platform) => Promise<void>): Promise<Hot[]> {
  const directory = process.env[directoryVariable];
  if (!directory) throw new Error(`${directoryVariable} names the folder of the database`);
  const database = await testDatabase();
  const { adminUrl } = await startEmbedded({ directory, log: () => undefined });
  const home = mkdtempSync(join(tmpdir(), 'airtime-growth-'));
  const listener = createServer((request, response) => {
    request.resume();
    // While news of an order is taken in slowly, more of it waits: what several events of one resource ask is asked each time.
    const afterMs = request.url === slowCallback ? 600 : 0;
    request.on('end', () => setTimeout(() => response.writeHead(201).end(), afterMs));
  });
  const found = new Map<string, Hot>();
  let path = '';
  let platform: Platform | undefined;
  const unhear = hearConnections((message) => {
    const json = /^duration: .*?plan:\s*(\{.*\})\s*$/s.exec(message)?.[1];
    // What the start asks once is not hot.
    if (json === undefined || path === '') return;
    const statement = readStatement(json);
    if (!found.has(statement.hash)) found.set(statement.hash, { ...statement, path });
  });
  try {
    await withClient(adminUrl, async (admin) => {
      for (const [name, value] of Object.entries(settings))
        await admin.query(`ALTER DATABASE ${database.database} SET ${name} = '${value}'`);
    });
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
    platform = await startPlatform(
      readConfiguration({
        AIRTIME_HOME: home,
        AIRTIME_PORT: '0',
        AIRTIME_CALLBACK_ALLOW: 'loopback',
        DATABASE_URL: database.serverUrl,
        MIGRATION_DATABASE_URL: database.ownerUrl,
      }),
      pino({ level: 'silent' }),
      { historyDays: 0 },
    );
    path = 'workers';
    await pause(1500);
    const address = listener.address();
    const port = address !== null && typeof address === 'object' ? address.port : 0;
    await story(platform, `http://127.0.0.1:${port}/`, (now) => {
      path = now;
    });
    path = 'beside';
    await beside?.(platform);
    return [...found.values()].sort((a, b) => (a.text < b.text ? -1 : 1));
  } finally {
    unhear();
    await platform?.stop();
    listener.closeAllConnections();
    listener.close();
    await database.drop();
    rmSync(home, { recursive: true, force: true });
  }
}

/** Hears what the database tells every connection that this process makes from now on. @returns how to stop. */
function hearConnections(hear: (message: string) => void): () => void {
  const { prototype } = pg.Client;
  const original = prototype.connect;
  const connect = function (this: pg.Client, ...args: unknown[]): unknown {
    this.on('notice', ({ message }) => hear(message ?? ''));
    return Reflect.apply(original, this, args);
  };
  Object.assign(prototype, { connect });
  return () => {
    Object.assign(prototype, { connect: original });
  };
}

const withId = z.looseObject({ id: z.string() });

async function story(platform: Platform, callback: string, at: (path: string) => void): Promise<void> {
  const { url, firstToken = '' } = platform;
  const send = async (method: string, path: string, body?: object, more: Record<string, string> = {}) => {
    const response = await fetch(url + path, {
      method,
      headers: { authorization: `Bearer ${firstToken}`, 'content-type': 'application/json', ...more },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path} was answered ${response.status}: ${text.slice(0, 300)}`);
    return text;
  };
  const tool = async (name: string, input: object) => {
    const first = await send('POST', `/tools/${name}`, input);
    const proposed = z.object({ confirmation: z.object({ token: z.string() }) }).safeParse(JSON.parse(first));
    const last = proposed.success
      ? await send('POST', `/tools/${name}`, input, { 'confirmation-token': proposed.data.confirmation.token })
      : first;
    return z.object({ result: z.looseObject({}) }).parse(JSON.parse(last)).result;
  };
  const tmf = (api: string) => `/tmf-api/${api}/v4`;

  at('events');
  await send('POST', `${tmf('usageManagement')}/hub`, { callback });
  await send('POST', `${tmf('productOrderingManagement')}/hub`, {
    callback: new URL(slowCallback, callback).href,
    query: 'eventType=ProductOrderCreateEvent,ProductOrderStateChangeEvent',
  });

  at('selling');
  const customer = withId.parse(
    await tool('customer.register', { givenName: 'Ada', familyName: 'Lim', email: 'ada@example.com' }),
  );
  await tool('card.add', { customerId: customer.id, token: 'tok_visa' });
  const order = withId.parse(await tool('order.place', { customerId: customer.id, offering: 'PLAN_S' }));
  const product = z.looseObject({ id: z.string(), status: z.string(), productSerialNumber: z.string().optional() });
  const lineNow = async () =>
    z
      .array(product)
      .parse(JSON.parse(await send('GET', `${tmf('productInventory')}/product?relatedParty.id=${customer.id}`)))[0];
  const until = Date.now() + 60_000;
  let line = await lineNow();
  while (line?.status !== 'active') {
    if (Date.now() > until) throw new Error('the line was not active in time');
    await pause(100);
    line = await lineNow();
  }
  const msisdn = line.productSerialNumber ?? '';

  at('charging');
  const record = (recordId: string, of = msisdn) => ({
    msisdn: of,
    kind: 'data',
    amount: 1,
    unit: 'KB',
    source: 'growth',
    recordId,
  });
  await tool('usage.record', record('1'));
  await tool('usage.record', record('1'));
  const records = [
    ...Array.from({ length: 60 }, (_, index) => record(`s${index}`)),
    ...Array.from({ length: 60 }, (_, index) => record(`s${index}`)),
    record('unknown', '6500000000'),
  ];
  const streamed = await fetch(`${url}/usage/stream`, {
    method: 'POST',
    headers: { authorization: `Bearer ${firstToken}`, 'content-type': 'application/x-ndjson' },
    body: records.map((one) => `${JSON.stringify(one)}\n`).join(''),
  });
  const rated = (await streamed.text()).split('"status":"rated"').length - 1;
  if (rated !== 120) throw new Error(`${rated} of 120 records were answered as rated`);
  const characteristics = Object.entries({ msisdn, volume: 1, unit: 'KB', source: 'growth', recordId: 'tmf' });
  await send('POST', `${tmf('usageManagement')}/usage`, {
    usageType: 'data',
    usageDate: new Date().toISOString(),
    usageCharacteristic: characteristics.map(([name, value]) => ({ name, value })),
  });

  at('looking');
  for (const path of [
    `${tmf('customerManagement')}/customer/${customer.id}`,
    `${tmf('productInventory')}/product/${line.id}`,
    `${tmf('productInventory')}/product?productSerialNumber=${msisdn}`,
    `${tmf('prepayBalanceManagement')}/bucket?product.id=${line.id}`,
    `${tmf('usageManagement')}/usage?usageCharacteristic.value=${msisdn}&limit=20`,
    `${tmf('customerBillManagement')}/customerBill?relatedParty.id=${customer.id}`,
    `${tmf('productOrderingManagement')}/productOrder/${order.id}`,
    '/plans',
  ])
    await send('GET', path);
  await tool('subscription.show', { subscriptionId: line.id });
  await tool('usage.list', { subscriptionId: line.id });
  await tool('customer.show', { customerId: customer.id });

  at('empty, and topped up');
  await tool('usage.record', { ...record('last'), amount: 500, unit: 'GB' });
  await tool('subscription.top_up', { subscriptionId: line.id, offering: 'VAS_DATA_1GB' });
  await pause(1500);

  at('renewal');
  await tool('clock.advance', { days: 31 });
  await pause(1500);
}
