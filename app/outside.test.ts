import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startSmtpServer } from '../adapters/testing-smtp-server.ts';
import { base, startForeign, token } from '../adapters/tmf640-network/testing-foreign.ts';
import { isJsonObject, type JsonObject } from '../kernel/json.ts';
import { readConfiguration } from './configuration.ts';
import { type TestDatabase, testDatabase } from './database/testing.ts';
import { type Platform, startPlatform } from './platform.ts';

let database: TestDatabase;
let home: string;
const closing: (() => Promise<unknown>)[] = [];

beforeEach(async () => {
  database = await testDatabase();
  home = mkdtempSync(join(tmpdir(), 'airtime-outside-'));
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  await database.drop();
  rmSync(home, { recursive: true, force: true });
});

async function start(environment: Record<string, string>): Promise<Platform> {
  const configuration = readConfiguration({
    AIRTIME_HOME: home,
    AIRTIME_PORT: '0',
    DATABASE_URL: database.serverUrl,
    MIGRATION_DATABASE_URL: database.ownerUrl,
    ...environment,
  });
  // Days of history as `make start` asks for them.
  const platform = await startPlatform(configuration, pino({ level: 'silent' }), { historyDays: 33 });
  closing.push(() => platform.stop());
  return platform;
}

/** A tool through the door, confirmed where it asks for it. */
async function tool(platform: Platform, name: string, input: object): Promise<{ status: number; body: JsonObject }> {
  const call = async (headers: Record<string, string>) => {
    const response = await fetch(`${platform.url}/tools/${name}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${platform.firstToken}`, 'content-type': 'application/json', ...headers },
      body: JSON.stringify(input),
    });
    const body: unknown = await response.json();
    return { status: response.status, body: isJsonObject(body) ? body : {} };
  };
  const first = await call({});
  const { confirmation } = first.body;
  if (!isJsonObject(confirmation)) return first;
  return call({ 'confirmation-token': String(confirmation.token) });
}

async function result(platform: Platform, name: string, input: object): Promise<JsonObject> {
  const { status, body } = await tool(platform, name, input);
  expect([name, status, body.message]).toEqual([name, 200, undefined]);
  return isJsonObject(body.result) ? body.result : {};
}

/** Signs somebody up and waits until their line is active. */
async function activeLine(platform: Platform): Promise<{ service: string; msisdn: string }> {
  const customer = await result(platform, 'customer.register', {
    givenName: 'Ada',
    familyName: 'Lim',
    email: 'ada@example.com',
  });
  await result(platform, 'card.add', { customerId: customer.id, token: 'tok_visa' });
  await result(platform, 'order.place', { customerId: customer.id, offering: 'PLAN_S' });
  const found = async () =>
    (
      await platform.policy.pool.query<{ service: string; msisdn: string }>(
        `SELECT "service_id" AS service, "msisdn" FROM "subscription" WHERE "state" = 'active'`,
      )
    ).rows[0];
  await expect.poll(found, { timeout: 20_000 }).toBeDefined();
  const line = await found();
  if (!line) throw new Error('the line is gone');
  return line;
}

test('by itself: sandboxes, and mail that the operator reads', async () => {
  const platform = await start({});
  await activeLine(platform);
  await expect
    .poll(async () => (await result(platform, 'mail.list', { to: 'ada@example.com' })).items, { timeout: 20_000 })
    .toMatchObject([{ subject: expect.stringMatching(/^Receipt .*SGD 10\.00$/) }]);
  const { items } = await result(platform, 'mail.list', {});
  const key = Array.isArray(items) && isJsonObject(items[0]) ? items[0].key : '';
  expect(await result(platform, 'mail.show', { key })).toMatchObject({
    to: 'ada@example.com',
    text: expect.stringContaining('Hello Ada Lim,'),
  });
  expect(await tool(platform, 'mail.show', { key: 'nothing' })).toMatchObject({ status: 404 });
});

test('as the environment says: a foreign TMF640 network and SMTP; business time is not moved then', async () => {
  const foreign = await startForeign('async');
  closing.push(foreign.close);
  const smtp = await startSmtpServer();
  closing.push(smtp.close);
  writeFileSync(join(home, 'network-token'), `${token}\n`);
  writeFileSync(join(home, 'smtp-url'), `${smtp.url}\n`);
  const platform = await start({
    AIRTIME_NETWORK: 'tmf640',
    AIRTIME_NETWORK_URL: foreign.url + base,
    AIRTIME_NETWORK_TOKEN_FILE: join(home, 'network-token'),
    AIRTIME_SMTP_URL_FILE: join(home, 'smtp-url'),
    AIRTIME_MAIL_FROM: 'Airtime <no-reply@airtime.example>',
  });
  // What is made up for the sandbox exists in no other network.
  for (const stock of ['number.list', 'esim.list'])
    expect([stock, (await result(platform, stock, {})).items]).toEqual([stock, []]);
  await result(platform, 'number.load', { first: '6591000000', count: 1 });
  await result(platform, 'esim.load', {
    profiles: [{ iccid: '8965000000000009999', activationCode: 'LPA:1$smdp.example$A-1' }],
  });
  const { service, msisdn } = await activeLine(platform);
  expect(msisdn).toBe('6591000000');
  expect(await platform.network.line(service)).toMatchObject({ state: 'active', data: true, msisdn });
  await result(platform, 'usage.record', { msisdn, kind: 'data', amount: 6, unit: 'GB' });
  await expect
    .poll(() => platform.network.line(service), { timeout: 20_000 })
    .toMatchObject({ state: 'inactive', data: false });
  await expect
    .poll(() => smtp.taken.map(({ source }) => /^Subject: (\S+)/m.exec(source)?.[1]).sort(), { timeout: 20_000 })
    .toEqual([msisdn, 'Receipt']);
  expect(foreign.breaches).toEqual([]);
  for (const [name, input, reason] of [
    ['clock.freeze', {}, 'clock.needs_sandboxes'],
    ['clock.advance', { days: 31 }, 'clock.needs_sandboxes'],
    ['network.plan_fault', { mode: 'refuse' }, 'network.not_sandbox'],
    ['mail.list', {}, 'mail.not_kept'],
  ] as const)
    expect([name, (await tool(platform, name, input)).body.reason]).toEqual([name, reason]);
});

test('a server that is started elsewhere is known there, with the token it had', async () => {
  const first = await start({});
  const known = () => JSON.parse(readFileSync(join(home, 'cli.json'), 'utf8'));
  expect(known()).toEqual({ url: first.url, token: first.firstToken });
  await first.stop();
  const second = await start({});
  expect([second.firstToken, second.url === first.url]).toEqual([undefined, false]);
  expect(known()).toEqual({ url: second.url, token: first.firstToken });
});

test('what an environment must say whole', () => {
  for (const [environment, message] of [
    [{ AIRTIME_NETWORK: 'tmf640' }, /AIRTIME_NETWORK_URL/],
    [{ AIRTIME_NETWORK: 'other' }, /AIRTIME_NETWORK/],
    [{ AIRTIME_NETWORK: 'tmf640', AIRTIME_NETWORK_URL: 'file:///etc' }, /AIRTIME_NETWORK_URL/],
    [{ AIRTIME_SMTP_URL: 'smtp://mail.example' }, /AIRTIME_MAIL_FROM/],
    [
      { AIRTIME_SMTP_URL: 'http://secret@mail.example', AIRTIME_MAIL_FROM: 'a@b.example' },
      /^AIRTIME_SMTP_URL: give smtp/,
    ],
    [{ AIRTIME_SMTP_URL: 'smtp://mail.example', AIRTIME_MAIL_FROM: 'nobody' }, /AIRTIME_MAIL_FROM/],
  ] as const)
    expect(() => readConfiguration(environment)).toThrow(message);
});
