import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { startEmbedded } from '../../app/database/embedded-postgres.ts';
import { isJsonObject, type JsonObject } from '../../kernel/json.ts';
import { judgeBooks } from '../../simulation/crash/books.ts';
import { beginLoad } from '../../simulation/crash/load.ts';
import { freePort, pause } from '../../simulation/crash/stack.ts';
import { randomOf } from '../../simulation/random.ts';
import { type Arrival, judgeEvents, type OwedEvent } from './events.ts';
import {
  answers,
  ask,
  type Beat,
  booksCheck,
  byStatus,
  Copies,
  type Copy,
  dueSteps,
  exited,
  fill,
  findProgram,
  isAlive,
  Processes,
  Pulse,
  row,
  startGateway,
  until,
  write,
} from './parts.ts';

/**
 * Copies of the server behind one proxy on one PostgreSQL, under load: one is killed, one is stopped in order, one comes
 * along later. Nothing acknowledged is lost, nothing is done twice, and a caller cannot tell that there are many.
 */
const requestsPerMinute = 600;
const flowsEndMsMax = 60_000;
/** The lease of a delivery: what a dead copy had in hand is sent again after this. */
const deliveryLeaseMs = 30_000;

/** A process that is killed takes connections until the system has closed its sockets. */
const deadMs = 100;

const faults: string[] = [];

/** A subscriber that keeps every event in the order of its arrival. */
async function listen(): Promise<{ url: string; arrivals: Arrival[]; close(): void }> {
  const arrivals: Arrival[] = [];
  const shape = z.looseObject({ eventId: z.string() });
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const body: unknown = JSON.parse(Buffer.concat(parts).toString('utf8'));
      arrivals.push({ at: Date.now(), eventId: shape.parse(body).eventId });
      response.writeHead(201).end('{}');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  return { url: `http://127.0.0.1:${port}/events`, arrivals, close: () => server.close() };
}

async function main(directory: string): Promise<void> {
  const processes = new Processes(directory);
  const database = await startEmbedded({ directory: join(directory, 'postgres'), log: () => undefined });
  const listener = await listen();
  const interrupted = new Promise<never>((_, reject) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
      process.on(signal, () => reject(new Error('the run was interrupted')));
  });
  const play = async (): Promise<void> => {
    const gateway = await startGateway(processes, await freePort());
    const door = await freePort();
    const publicUrl = `http://127.0.0.1:${door}`;
    const copies = new Copies(processes, {
      databaseUrl: database.serverUrl,
      migrationUrl: database.ownerUrl,
      gateway,
      publicUrl,
      env: { AIRTIME_RATE_INTEGRATOR: String(requestsPerMinute), AIRTIME_CALLBACK_ALLOW: 'loopback' },
    });
    const ports = [await freePort(), await freePort(), await freePort(), await freePort(), await freePort()];
    // The first makes the tables and the token; three begin at once on what it made.
    const start = (number: number) => copies.start(`copy${number}`, ports[number - 1] ?? 0);
    await start(1);
    await Promise.all([start(2), start(3), start(4)]);
    const proxy = startProxy(processes, door, ports);
    await until('the door answers', () => answers(`${publicUrl}/ready`));
    process.stdout.write(`four copies of the server on one PostgreSQL, behind ${proxy}\n`);
    await run({ processes, copies, gateway, publicUrl, directory, listener, database, startLate: () => start(5) });
  };
  try {
    await Promise.race([interrupted, play()]);
  } finally {
    listener.close();
    await processes.killAll();
    await database.stop();
  }
}

/** @returns which it is: HAProxy where there is one. */
function startProxy(processes: Processes, door: number, ports: readonly number[]): string {
  const haproxy = findProgram('haproxy');
  if (haproxy === undefined || process.argv.includes('--own-proxy')) {
    const file = fileURLToPath(new URL('small-proxy.ts', import.meta.url));
    const urls = ports.map((port) => `http://127.0.0.1:${port}`);
    processes.launch('proxy', [process.execPath, ...process.execArgv, file, String(door), ...urls]);
    return 'the small proxy of this proof (HAProxy is preferred)';
  }
  const file = join(processes.directory, 'haproxy-servers.cfg');
  const servers = ports.map((port, index) => `    server copy${index + 1} 127.0.0.1:${port} check`).join('\n');
  write(file, fill('haproxy-servers.cfg', { address: '127.0.0.1', port: door, servers }));
  processes.launch('proxy', [haproxy, '-db', '-f', file]);
  return 'HAProxy';
}

interface Scene {
  readonly processes: Processes;
  readonly copies: Copies;
  readonly gateway: { url: string; secret: string };
  readonly publicUrl: string;
  readonly directory: string;
  readonly listener: { url: string; arrivals: Arrival[] };
  readonly database: { serverUrl: string; ownerUrl: string };
  startLate(): Promise<Copy>;
}

async function run(scene: Scene): Promise<void> {
  const { copies, publicUrl, listener, database, gateway, processes } = scene;
  const { token } = copies;
  await post(`${publicUrl}/tmf-api/productOrderingManagement/v4/hub`, token, { callback: listener.url });
  const load = await beginLoad(
    { url: () => publicUrl, token: () => token, ask: (sql, values) => ask(database.serverUrl, sql, values) },
    randomOf(1),
  );
  const pulse = new Pulse(publicUrl, token, 20);
  pulse.start();
  const [first, second, third, fourth] = copies.running;
  if (!first || !second || !third || !fourth) throw new Error('there are not four copies');

  await pause(4000);
  const calmUntil = Date.now();
  await sharedState([first, second, third], token);
  const limited = await rateLimit(publicUrl, token);

  const stoppedAt = Date.now();
  fourth.process.kill('SIGTERM');
  await exited(fourth.process);
  const stopMs = Date.now() - stoppedAt;
  await pause(3000);
  if (fourth.process.exitCode !== 0)
    faults.push(`the copy that was told to stop ended with ${fourth.process.exitCode}`);

  const killedAt = Date.now();
  third.process.kill('SIGKILL');
  await exited(third.process);
  await pause(4000);
  const lateAt = Date.now();
  const late = await scene.startLate();
  const lateMs = Date.now() - lateAt;
  await pause(5000);

  await pulse.stop();
  const ended = Date.now();
  await load.stop();
  const left = async (): Promise<string[]> => [
    ...(await load.openOrders()).map((id) => `order ${id}`),
    ...((await ask<{ id: string; step: string }>(database.serverUrl, dueSteps)) ?? []).map(
      ({ id, step }) => `step ${id} (${step})`,
    ),
    ...(
      (await ask<{ n: number }>(database.serverUrl, 'SELECT count(*)::int AS n FROM "delivery"')) ?? [{ n: -1 }]
    ).flatMap(({ n }) => (n === 0 ? [] : [`${n} deliveries`])),
  ];
  const told = async () =>
    judgeEvents({
      owed: await owedTo(database.serverUrl, listener.url),
      arrivals: listener.arrivals,
      orders: load.orders,
      again: { from: killedAt, to: killedAt + 2 * deliveryLeaseMs },
    });
  let open = await left();
  // What the relay has not read yet is no delivery yet, and is owed all the same.
  while ((open.length > 0 || (await told()).missing.length > 0) && Date.now() - ended < flowsEndMsMax) {
    await pause(250);
    open = await left();
  }
  const endedMs = Date.now() - ended;
  faults.push(...open.map((each) => `${each} has not ended`));

  // Failures are those of the kill alone, and no more than were in flight at it.
  const failed = pulse.beats.filter(({ status }) => status !== 201);
  const between = (from: number, to: number): Beat[] => failed.filter(({ endedAt }) => endedAt >= from && endedAt < to);
  const atStop = between(stoppedAt, killedAt);
  const atKill = between(killedAt, killedAt + 3000);
  const others = failed.filter((beat) => !atStop.includes(beat) && !atKill.includes(beat));
  const inFlight = pulse.beats.filter(({ at, endedAt }) => at <= killedAt + deadMs && endedAt >= killedAt).length;
  if (atStop.length > 0) faults.push(`the stop in order failed ${byStatus(atStop)}`);
  if (atKill.length > inFlight) faults.push(`${atKill.length} failed at the kill, and only ${inFlight} were in flight`);
  if (others.length > 0) faults.push(`without a cause failed ${byStatus(others)}`);
  if (!(await answers(`${late.url}/ready`))) faults.push('the copy that came later is not ready');
  for (const copy of [first, second, late])
    if (!isAlive(copy.process)) faults.push(`${copy.name} ended:\n${processes.tail(copy.name)}`);

  const all = [...load.told, ...pulse.told];
  const lost = await load.findLost(all);
  faults.push(...lost.map((each) => `lost: ${each}`));
  faults.push(...load.refusals.map((each) => `refused: ${each}`));
  const events = await told();
  faults.push(...events.faults);
  const books = booksCheck(publicUrl, token, scene.directory);
  if (books !== undefined) faults.push(`bss books check: ${books}`);
  const judged = await judgeBooks(
    { databaseUrl: database.serverUrl, gatewayUrl: gateway.url, secret: gateway.secret },
    load,
  );
  faults.push(...judged.faults);
  const workers = await ask<{ n: number }>(
    database.serverUrl,
    `SELECT count(DISTINCT split_part("leased_by", ' ', 1))::int AS n FROM "flow_step" WHERE "leased_by" IS NOT NULL`,
  );

  process.stdout.write('\nMany copies on one database\n');
  row('acknowledged writes, and lost', all.length, `${lost.length} lost, ${load.orders.length} orders`);
  row('writes that failed while nothing happened', others.length, `in ${pulse.beats.length}`);
  row('writes that failed at the stop in order', atStop.length, `it took ${stopMs} ms`);
  row('writes that failed at the kill', atKill.length, `${inFlight} were in flight: ${byStatus(atKill)}`);
  row('a copy that began under load was ready after, ms', lateMs);
  row('workers that held a step', workers?.[0]?.n ?? 0);
  row('requests let through of one token in a minute', limited, `the limit is ${requestsPerMinute}, on each and all`);
  row('event rows of orders since the subscription', events.owed, `${events.delivered} came, each in its order`);
  row('events that came again after the kill', events.twice);
  row('captures in the gateway’s book', judged.captures);
  row('until every flow had ended, ms', endedMs);
  row('seconds before the first disturbance', Math.round((calmUntil - (pulse.beats[0]?.at ?? calmUntil)) / 1000));
}

async function post(
  url: string,
  token: string,
  body: JsonObject,
  headers: Readonly<Record<string, string>> = {},
): Promise<JsonObject> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
  const answer: unknown = await response.json();
  if (!response.ok || !isJsonObject(answer))
    throw new Error(`${url} answered ${response.status}: ${JSON.stringify(answer).slice(0, 300)}`);
  return answer;
}

const confirmation = z.looseObject({ confirmation: z.looseObject({ token: z.string() }) });

/** What one copy made is good at another: a confirmation, a form, a session. */
async function sharedState(of: readonly [Copy, Copy, Copy], token: string): Promise<void> {
  const [one, two, three] = of;
  const found = await fetch(`${one.url}/tmf-api/productInventory/v4/product?limit=1`, {
    headers: { authorization: `Bearer ${token}` },
  });
  const [line] = z.array(z.looseObject({ id: z.string() })).parse(await found.json());
  const input = { subscriptionId: line?.id ?? '', offering: 'VAS_DATA_1GB' };
  const proposed = confirmation.parse(await post(`${one.url}/tools/subscription.top_up`, token, input));
  const yes = { 'confirmation-token': proposed.confirmation.token };
  const done = await post(`${two.url}/tools/subscription.top_up`, token, input, yes);
  const again = await post(`${three.url}/tools/subscription.top_up`, token, input, yes);
  if (JSON.stringify(done) !== JSON.stringify(again)) faults.push('a confirmation was carried out twice');

  const cookieOf = (response: Response): string | undefined => response.headers.get('set-cookie')?.split(';')[0];
  const form = await fetch(`${one.url}/desk/sign-in`);
  const page = await form.text();
  const hidden = [...page.matchAll(/<input[^>]*type="hidden"[^>]*>/g)].flatMap(([tag]) => {
    const [name, value] = [/name="([^"]*)"/.exec(tag)?.[1], /value="([^"]*)"/.exec(tag)?.[1]];
    return name === undefined ? [] : [[name, value ?? '']];
  });
  const entered = await fetch(`${two.url}/desk/sign-in`, {
    method: 'POST',
    redirect: 'manual',
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      ...(cookieOf(form) === undefined ? {} : { cookie: cookieOf(form) }),
    },
    body: new URLSearchParams([...hidden, ['token', token]]).toString(),
  });
  const cookie = cookieOf(entered) ?? cookieOf(form) ?? '';
  const desk = await fetch(`${three.url}/desk`, { redirect: 'manual', headers: { cookie } });
  const text = await desk.text();
  const stranger = await fetch(`${three.url}/desk`, { redirect: 'manual' });
  if (entered.status !== 303 || desk.status !== 200 || !text.includes('</html>'))
    faults.push(`a session of one copy is not known at another: ${entered.status}, ${desk.status}`);
  if (stranger.status === 200) faults.push('the desk lets in whoever comes');
}

/** One token asks all copies as fast as it can: together they let through what one would. */
async function rateLimit(url: string, operator: string): Promise<number> {
  const made = z
    .looseObject({ result: z.looseObject({ token: z.string() }) })
    .parse(await post(`${url}/tools/token.create`, operator, { name: 'hasty', audience: 'integrator', scopes: ['*'] }));
  let through = 0;
  let refused = 0;
  const hasty = async (): Promise<void> => {
    for (let count = 0; count < 100; count += 1) {
      const response = await fetch(`${url}/tmf-api/productCatalogManagement/v4/productOffering?limit=1`, {
        headers: { authorization: `Bearer ${made.result.token}` },
      });
      await response.arrayBuffer();
      if (response.ok) through += 1;
      else if (response.status === 429 && response.headers.has('retry-after')) refused += 1;
      else faults.push(`a hasty token was answered ${response.status}`);
    }
  };
  const began = Date.now();
  await Promise.all(Array.from({ length: 10 }, hasty));
  // A window that slides lets a share of the old one go by meanwhile.
  const most = requestsPerMinute * (1 + (Date.now() - began) / 60_000);
  if (through > most || through < requestsPerMinute * 0.9 || refused === 0)
    faults.push(`the limit of ${requestsPerMinute} let ${through} through, and refused ${refused}`);
  return through;
}

/** The resources of the API that the hub subscribes to. */
const orderResources = ['productOrder', 'cancelProductOrder'];

/**
 * Every event row of orders that a subscriber to `callback` is owed: all that had not committed when it was registered.
 * The rows alone say so, and not the list of the contract by which the server chooses what it tells.
 */
async function owedTo(url: string, callback: string): Promise<OwedEvent[]> {
  const rows = await ask<{ id: string; resource_id: string; position: string }>(
    url,
    `SELECT e."id", e."resource_id", e."position"::text AS position FROM "hub" h JOIN "event" e ON e."resource_type" = ANY ($2)
      AND NOT pg_visible_in_snapshot(e."transaction_id"::text::xid8, h."registered_snapshot"::pg_snapshot)
      WHERE h."callback" = $1 ORDER BY e."position"`,
    [callback, orderResources],
  );
  if (!rows) throw new Error('the database did not answer');
  return rows.map((row) => ({ id: row.id, resourceId: row.resource_id, position: BigInt(row.position) }));
}

const directory = mkdtempSync(join(tmpdir(), `airtime-replicas-${randomUUID().slice(0, 4)}-`));
const began = Date.now();
try {
  await main(directory);
} catch (error) {
  faults.push(error instanceof Error ? (error.stack ?? error.message) : String(error));
}
if (process.env.AIRTIME_FAILOVER_KEEP) process.stdout.write(`kept: ${directory}\n`);
else rmSync(directory, { recursive: true, force: true });
row('seconds', Math.round((Date.now() - began) / 1000));
row('faults', faults.length);
for (const fault of faults.slice(0, 25)) process.stdout.write(`  ${fault}\n`);
process.exit(faults.length === 0 ? 0 : 1);
