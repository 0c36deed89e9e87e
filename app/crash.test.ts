import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { openSandboxCardGateway } from '../adapters/sandbox/card-gateway/sandbox-card-gateway.ts';
import { openSandboxNetwork } from '../adapters/sandbox/network/sandbox-network.ts';
import { breaches } from '../doctrine/invariants.ts';
import { isJsonObject, type JsonObject } from '../kernel/json.ts';
import { runStatement } from '../policy/core/transaction.ts';
import { paths } from './configuration.ts';
import { connect } from './database/connect.ts';
import { isEmbeddedRunning, startEmbedded, stopEmbedded } from './database/embedded-postgres.ts';
import { processIsAlive } from './database/processes.ts';
import { databaseName, serverRole, withClient } from './database/roles.ts';

/**
 * The real server as a process, driven over HTTP while it, its database or both are killed at random instants. What was
 * acknowledged is kept here, in another process, and must be there after every start.
 * AIRTIME_CRASH_ROUNDS and AIRTIME_CRASH_SEED make it longer, or the same again.
 */
const rounds = Number(process.env.AIRTIME_CRASH_ROUNDS ?? 3);
const seed = Number(process.env.AIRTIME_CRASH_SEED ?? Date.now() % 1_000_000);
const victims = ['server', 'database', 'both'] as const;
type Victim = (typeof victims)[number];

const startMsMax = 60_000;
const ordersEndMsMax = 60_000;
const retryMs = 50;

/** A small generator that repeats itself for a seed (mulberry32). */
function randomOf(start: number): () => number {
  let state = start | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const pause = (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds));
const root = fileURLToPath(new URL('..', import.meta.url));
const connection = z.object({ url: z.string(), token: z.string() });

let home: string;
let port: number;
let server: ChildProcess | undefined;
let token = '';
const starts: number[] = [];

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'airtime-crash-'));
  port = await freePort();
});
afterAll(async () => {
  if (server?.pid !== undefined && server.exitCode === null) server.kill('SIGKILL');
  await stopEmbedded(paths(home).postgres);
  rmSync(home, { recursive: true, force: true });
});

/** A port that no system hands out by itself: while the server is dead nobody else may get it. */
async function freePort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    const isFree = await new Promise<boolean>((resolve) => {
      const probe = createServer();
      probe.once('error', () => resolve(false));
      probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
    });
    if (isFree) return port;
  }
}

const logFile = () => join(home, 'server.log');
const logTail = () => readFileSync(logFile(), 'utf8').split('\n').slice(-12).join('\n');

async function start(): Promise<void> {
  const output = openSync(logFile(), 'a', 0o600);
  const began = Date.now();
  const child = spawn(process.execPath, ['--import', 'tsx', join(root, 'app/main.ts'), 'serve'], {
    cwd: root,
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      TMPDIR: process.env.TMPDIR,
      AIRTIME_HOME: home,
      AIRTIME_PORT: String(port),
      AIRTIME_LOG_LEVEL: 'warn',
    },
    stdio: ['ignore', output, output],
  });
  server = child;
  while (!(await isReady())) {
    if (child.exitCode !== null || Date.now() - began > startMsMax) {
      throw new Error(`the server did not start:\n${logTail()}`);
    }
    await pause(20);
  }
  starts.push(Date.now() - began);
  token = connection.parse(JSON.parse(readFileSync(paths(home).cli, 'utf8'))).token;
}

async function isReady(): Promise<boolean> {
  if (!existsSync(paths(home).cli)) return false;
  try {
    return (await fetch(`http://127.0.0.1:${port}/ready`, { signal: AbortSignal.timeout(1000) })).ok;
  } catch {
    return false;
  }
}

const exited = (child: ChildProcess): Promise<void> =>
  new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve();
    else child.once('exit', () => resolve());
  });

async function killAt(victim: Victim): Promise<void> {
  const child = server;
  const database = isEmbeddedRunning(paths(home).postgres);
  if (!child || !database) throw new Error('there is nothing to kill');
  if (victim !== 'database') child.kill('SIGKILL');
  if (victim !== 'server') process.kill(database.pid, 'SIGKILL');
  // A server that lost its database is told to stop, and does.
  if (victim === 'database') {
    await pause(100);
    child.kill('SIGTERM');
  }
  await exited(child);
  const deadline = Date.now() + 10_000;
  while (victim !== 'server' && processIsAlive(database.pid) && Date.now() < deadline) await pause(10);
}

// ---- the load, and what was acknowledged ----

interface Ledger {
  usage: Map<string, JsonObject>;
  orders: Map<string, JsonObject>;
  customers: Map<string, JsonObject>;
  /** Every record that was sent, acknowledged or not. */
  records: Set<string>;
  refusals: string[];
}
const ledger: Ledger = { usage: new Map(), orders: new Map(), customers: new Map(), records: new Set(), refusals: [] };
let isOver = false;
let unanswered = 0;

/** Sends until it is answered. The same key each time, so that a request whose answer was lost has one effect. */
async function post(path: string, body: JsonObject): Promise<JsonObject | undefined> {
  const key = randomUUID();
  while (!isOver) {
    try {
      const response = await fetch(`http://127.0.0.1:${port}${path}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', 'idempotency-key': key },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(10_000),
      });
      const answer: unknown = await response.json();
      if (response.status === 201 && isJsonObject(answer)) return answer;
      if (response.status < 500 && response.status !== 409) {
        ledger.refusals.push(`${path} ${response.status} ${JSON.stringify(answer)}`);
        return undefined;
      }
    } catch {
      unanswered += 1;
    }
    await pause(retryMs);
  }
  return undefined;
}

/** Asks until it is answered by the service: a server that is short of something just after a start is asked again. */
async function get(path: string): Promise<JsonObject> {
  const deadline = Date.now() + 30_000;
  for (;;) {
    let seen: string;
    try {
      const response = await fetch(`http://127.0.0.1:${port}${path}`, {
        headers: { authorization: `Bearer ${token}` },
        signal: AbortSignal.timeout(10_000),
      });
      const answer: unknown = await response.json();
      if (response.ok && isJsonObject(answer)) return answer;
      seen = `answered ${response.status}: ${JSON.stringify(answer)}`;
      if (response.status < 500) throw new Error(`${path} ${seen}`);
    } catch (error) {
      if (error instanceof Error && error.message.startsWith(path)) throw error;
      seen = String(error);
    }
    if (Date.now() > deadline) throw new Error(`${path} ${seen}`);
    await pause(retryMs);
  }
}

const customers = '/tmf-api/customerManagement/v4/customer';
const orders = '/tmf-api/productOrderingManagement/v4/productOrder';
const usages = '/tmf-api/usageManagement/v4/usage';
const finalStates = ['completed', 'failed', 'partial', 'rejected', 'cancelled'];
const idOf = (document: JsonObject): string => (typeof document.id === 'string' ? document.id : '');

async function offeringId(code: string): Promise<string> {
  const response = await fetch(
    `http://127.0.0.1:${port}/tmf-api/productCatalogManagement/v4/productOffering?code=${code}`,
    {
      headers: { authorization: `Bearer ${token}` },
    },
  );
  const [found] = z.array(z.looseObject({ id: z.string() })).parse(await response.json());
  if (!found) throw new Error(`there is no offering ${code}`);
  return found.id;
}

async function newCustomer(cardToken: string): Promise<string | undefined> {
  const made = await post(customers, {
    name: 'Ada Lim',
    engagedParty: { id: 'p1', name: 'Ada Lim', '@referredType': 'Individual' },
    contactMedium: [{ mediumType: 'email', characteristic: { emailAddress: `${randomUUID()}@example.com` } }],
  });
  if (!made) return undefined;
  ledger.customers.set(idOf(made), made);
  await post('/tmf-api/paymentMethod/v4/paymentMethod', {
    '@type': 'tokenizedCard',
    name: 'Card',
    token: cardToken,
    relatedParty: { id: idOf(made), '@referredType': 'Customer', role: 'customer' },
  });
  return idOf(made);
}

async function order(customer: string, item: JsonObject): Promise<string | undefined> {
  const made = await post(orders, {
    relatedParty: [{ id: customer, role: 'customer', '@referredType': 'Customer' }],
    productOrderItem: [{ id: '1', action: 'add', quantity: 1, ...item }],
  });
  if (!made) return undefined;
  ledger.orders.set(idOf(made), made);
  return idOf(made);
}

interface Line {
  customer: string;
  id: string;
  msisdn: string;
}

async function activeLine(plan: string): Promise<Line> {
  const customer = await newCustomer('tok_visa');
  const placed = customer && (await order(customer, { productOffering: { id: plan } }));
  if (!customer || !placed) throw new Error(`there is no line: ${ledger.refusals.join(', ')}`);
  const deadline = Date.now() + 20_000;
  for (;;) {
    const seen = await get(`${orders}/${placed}`);
    if (seen.state === 'completed') break;
    if (Date.now() > deadline) throw new Error(`order ${placed} is ${JSON.stringify(seen.state)}`);
    await pause(50);
  }
  const response = await fetch(
    `http://127.0.0.1:${port}/tmf-api/productInventory/v4/product?relatedParty.id=${customer}`,
    {
      headers: { authorization: `Bearer ${token}` },
    },
  );
  const [product] = z
    .array(z.looseObject({ id: z.string(), productSerialNumber: z.string() }))
    .parse(await response.json());
  if (!product) throw new Error('there is no line');
  return { customer, id: product.id, msisdn: product.productSerialNumber };
}

async function useLine(line: Line): Promise<void> {
  while (!isOver) {
    const recordId = randomUUID();
    ledger.records.add(recordId);
    const made = await post(usages, {
      usageType: 'data',
      usageCharacteristic: [
        { name: 'msisdn', value: line.msisdn },
        { name: 'volume', value: 100 },
        { name: 'unit', value: 'MB' },
        { name: 'source', value: 'crash' },
        { name: 'recordId', value: recordId },
      ],
    });
    if (made) ledger.usage.set(idOf(made), made);
    await pause(20);
  }
}

async function topUpLine(line: Line, addOn: string): Promise<void> {
  while (!isOver) {
    await order(line.customer, { productOffering: { id: addOn }, product: { id: line.id } });
    await pause(150);
  }
}

const cards = [
  'tok_visa',
  'tok_declined',
  'tok_visa',
  'tok_authorises_capture_fails',
  'tok_timeout_after',
  'tok_capture_timeout_after',
  'tok_authorisation_expires',
  'tok_timeout_before',
];

async function signUp(plan: string, random: () => number): Promise<void> {
  while (!isOver) {
    const customer = await newCustomer(cards[Math.floor(random() * cards.length)] ?? 'tok_visa');
    if (customer) await order(customer, { productOffering: { id: plan } });
    await pause(50);
  }
}

// ---- what must be so after a start ----

/** All that was acknowledged up to now, while the load goes on. */
const told = (): { path: string; document: JsonObject; attributes: readonly string[] }[] => [
  ...[...ledger.usage.values()].map((document) => ({ path: usages, document, attributes: Object.keys(document) })),
  ...[...ledger.customers.values()].map((document) => ({
    path: customers,
    document,
    attributes: ['id', 'name', 'contactMedium', 'engagedParty'],
  })),
  // An order has gone on meanwhile, but it is what was ordered.
  ...[...ledger.orders.values()].map((document) => ({
    path: orders,
    document,
    attributes: ['id', 'orderDate', 'relatedParty', 'orderTotalPrice'],
  })),
];

/** What a client was told and is not so any more. */
async function findLost(all: ReturnType<typeof told>): Promise<string[]> {
  const missing: string[] = [];
  const waiting = [...all];
  const look = async () => {
    for (let one = waiting.pop(); one !== undefined; one = waiting.pop()) {
      const { path, document, attributes } = one;
      const found = await get(`${path}/${idOf(document)}`).catch(
        (error: unknown): JsonObject => ({ missing: String(error) }),
      );
      const faults = attributes.filter((name) => !isDeepStrictEqual(document[name], found[name]));
      if (faults.length > 0)
        missing.push(`${path}/${idOf(document)}: ${faults.join(', ')} ${JSON.stringify(found).slice(0, 300)}`);
    }
  };
  await Promise.all([look(), look(), look(), look()]);
  return missing;
}

async function ordersEnd(): Promise<string[]> {
  const deadline = Date.now() + ordersEndMsMax;
  const open = new Set(ledger.orders.keys());
  while (open.size > 0 && Date.now() < deadline) {
    for (const id of open) {
      if (finalStates.includes(String((await get(`${orders}/${id}`)).state))) open.delete(id);
    }
    if (open.size > 0) await pause(100);
  }
  return [...open];
}

const credentials = z.object({ server: z.string() });

/** Steps that are due, or soon will be, when a minute has passed. */
async function workLeft(): Promise<object[]> {
  const database = isEmbeddedRunning(paths(home).postgres);
  if (!database) throw new Error('there is no database');
  const known = readFileSync(join(paths(home).postgres, 'credentials.json'), 'utf8');
  const { server: password } = credentials.parse(JSON.parse(known));
  const address = `postgresql://${serverRole}:${password}@127.0.0.1:${database.port}/${databaseName}`;
  const deadline = Date.now() + ordersEndMsMax;
  return withClient(address, async (client) => {
    for (;;) {
      const { rows } = await client.query<object>(
        `SELECT "id", "flow", "step", "attempts", "last_error" FROM "flow_step"
          WHERE "state" = 'waiting' AND "due_at" <= business_now() + interval '5 minutes'`,
      );
      if (rows.length === 0 || Date.now() > deadline) return rows;
      await pause(100);
    }
  });
}

it(`nothing acknowledged is lost (seed ${seed}, ${rounds} rounds)`, {
  timeout: 120_000 + rounds * 60_000,
  // What a crash shows once is shown: it is not tried away.
  retry: 0,
}, async () => {
  const random = randomOf(seed);
  await start();
  const [plan, addOn] = [await offeringId('PLAN_S'), await offeringId('VAS_DATA_1GB')];
  const lines = [await activeLine(plan), await activeLine(plan)];
  const load = [
    ...lines.flatMap((line) => [useLine(line), useLine(line), topUpLine(line, addOn)]),
    signUp(plan, random),
    signUp(plan, random),
  ];

  for (let round = 0; round < rounds; round += 1) {
    const victim = victims[round % victims.length] ?? 'both';
    await pause(300 + random() * 1500);
    const acknowledged = told();
    await killAt(victim);
    await start();
    expect([seed, round, victim, await findLost(acknowledged)]).toEqual([seed, round, victim, []]);
    expect(acknowledged.length).toBeGreaterThan(0);
  }
  await pause(500);
  isOver = true;
  await Promise.all(load);
  expect(ledger.refusals).toEqual([]);
  const open = await ordersEnd();
  const why = await Promise.all(open.map((id) => get(`${orders}/${id}`)));
  expect([seed, why, open.length > 0 ? logTail() : '']).toEqual([seed, [], '']);
  expect([seed, await findLost(told())]).toEqual([seed, []]);
  // What was told and is not there, or is something else, would have been found.
  const [one] = told();
  if (!one) throw new Error('nothing was acknowledged');
  const never = { ...one, document: { ...one.document, id: 'usg_never' } };
  const other = { ...one, document: { ...one.document, usageDate: 'another' }, attributes: ['usageDate'] };
  expect(await findLost([never, one, other])).toHaveLength(2);

  // An order may be at its end with letters and calls of the network still to go: the books are judged when all is done.
  expect([seed, await workLeft()]).toEqual([seed, []]);
  server?.kill('SIGTERM');
  if (server) await exited(server);
  expect(isEmbeddedRunning(paths(home).postgres)).toBeUndefined();
  await judgeBooks();
  const ends = [...ledger.orders.values()].length;
  process.stdout.write(
    `crash: seed ${seed}, ${rounds} kills, ${ledger.usage.size} records, ${ends} orders and ${ledger.customers.size} customers acknowledged, ${unanswered} tries without an answer, starts ${starts.join(' ')} ms\n`,
  );
});

/** Our books beside the gateway's journal and the network's, read from disk with nobody else alive. */
async function judgeBooks(): Promise<void> {
  const database = await startEmbedded({ directory: paths(home).postgres, log: () => undefined });
  const connected = await connect({
    url: database.serverUrl,
    max: 2,
    statementTimeoutMs: 30_000,
    log: () => undefined,
  });
  const sandbox = { directory: paths(home).sandbox, now: () => new Date(), id: randomUUID };
  const gateway = await openSandboxCardGateway(sandbox);
  const network = await openSandboxNetwork(sandbox);
  try {
    expect([seed, await breaches({ pool: connected.pool, gateway, network }, { quiet: true })]).toEqual([seed, []]);
    const [counted] = await runStatement<{ rows: bigint; records: bigint; unknown: bigint }>(
      connected.pool,
      `SELECT count(*) AS rows, count(DISTINCT "record_id") AS records, count(*) FILTER (WHERE NOT "record_id" = ANY ($1)) AS unknown FROM "usage" WHERE "source" = 'crash'`,
      [[...ledger.records]],
    );
    // However often it was sent, a record is there once.
    expect([seed, counted?.rows, counted?.unknown]).toEqual([seed, counted?.records, 0n]);
    expect(Number(counted?.rows)).toBeGreaterThanOrEqual(ledger.usage.size);
    const [totals] = await gateway.totals();
    const [bills] = await runStatement<{ sum: bigint; captured: bigint }>(
      connected.pool,
      `SELECT (SELECT sum("amount_minor") FROM "customer_bill" WHERE "payment_id" IS NOT NULL)::bigint AS sum,
         (SELECT sum("amount_minor" - "refunded_minor") FROM "payment" WHERE "state" IN ('captured', 'done'))::bigint AS captured`,
      [],
    );
    const net = BigInt((totals?.capturedMinor ?? 0) - (totals?.refundedMinor ?? 0));
    expect([seed, bills]).toEqual([seed, { sum: net, captured: net }]);
    expect(net).toBeGreaterThan(0n);
  } finally {
    await connected.close();
    await gateway.close();
    await network.close();
    await database.stop();
  }
}
