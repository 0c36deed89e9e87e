/**
 * `npx tsx conformance/fuzz.ts --count 10000 [--seed 7]` sends requests made from the contracts, valid and broken, to a
 * server of its own. None may be answered 5xx (501 says "not offered"), none may break the server or make it grow.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { apis, type Operation, operations } from '../generated/operations.ts';
import { isJsonObject, type Json, type JsonObject } from '../kernel/json.ts';
import { type Answer, type Ask, type Client, keyOf, makeClient } from './client.ts';
import { type Random, seeded } from './contract/random.ts';
import { fixtures } from './fixtures/index.ts';
import { broken, generate, query, type Schemas } from './generator.ts';
import { startServerProcess } from './server-process.ts';
import { makeWorld, type World } from './world.ts';

const { values: given } = parseArgs({
  options: { count: { type: 'string', default: '10000' }, seed: { type: 'string', default: '20261122' } },
});
const count = Number(given.count);
const seed = Number(given.seed);
const inFlight = 8;
/** Live heap at the end against that after the first quarter: what a leak of one object per request would exceed. */
const growthMax = 1.15;
const growthBytesMax = 8 * 1024 * 1024;

function schemasOf(api: string): Schemas {
  const document: Json = JSON.parse(readFileSync(new URL(`../generated/openapi/${api}.json`, import.meta.url), 'utf8'));
  const components = isJsonObject(document) && isJsonObject(document.components) ? document.components : {};
  const schemas = isJsonObject(components.schemas) ? components.schemas : {};
  return Object.fromEntries(
    Object.entries(schemas).filter((entry): entry is [string, JsonObject] => isJsonObject(entry[1])),
  );
}

interface Made {
  operation: Operation;
  ask: Ask;
}

/** What the requests so far have taught: ids that exist. */
interface Known {
  ids: Map<string, string[]>;
}

const keyOfResource = (operation: Operation): string => `${operation.api} ${operation.resource ?? 'hub'}`;

function makeRequest(random: Random, schemas: ReadonlyMap<string, Schemas>, known: Known, world: World): Made {
  const served: readonly Operation[] = operations.filter((one) => one.served);
  const operation = random.pick(served);
  if (!operation) throw new Error('there are no operations');
  const own = schemas.get(operation.api) ?? {};
  const ids = known.ids.get(keyOfResource(operation)) ?? [];
  const id =
    random.below(4) === 0
      ? (random.pick(['nothing', '%', '..', 'a/b', '\u0001', 'x'.repeat(500), 'Ünï']) ?? 'x')
      : (random.pick(ids) ?? 'nothing');
  const schema = operation.schema ?? 'EventSubscriptionInput';
  const attributes = Object.keys(isJsonObject(own[schema]?.properties) ? own[schema].properties : {});
  const search = operation.method === 'get' ? query(attributes, random) : '';
  const ask: Ask = { id, ...(search === '' ? {} : { search }) };
  if (random.below(25) === 0)
    ask.headers = { Accept: random.pick(['text/html', '*/*;q=0', 'application/json;q=0.1, text/*']) ?? '' };
  if (operation.method === 'post' || operation.method === 'patch')
    Object.assign(ask, bodyOf(operation, own, random, world));
  return { operation, ask };
}

function bodyOf(operation: Operation, own: Schemas, random: Random, world: World): Partial<Ask> {
  const isPatch = operation.method === 'patch';
  const fixture = fixtures.find((one) => one.api === operation.api && one.resource === operation.resource)?.create;
  const name =
    operation.schema === null ? 'EventSubscriptionInput' : `${operation.schema}${isPatch ? '_Update' : '_Create'}`;
  const number = 10_000 + random.below(1_000_000);
  const valid: Json =
    operation.schema === null
      ? { callback: 'http://127.0.0.1:9/events' }
      : fixture && !isPatch && random.below(3) === 0
        ? fixture[random.below(2) === 0 ? 'minimal' : 'rich'](world, number)
        : generate(own[name] ?? own[operation.schema], own, random);
  const headers: Record<string, string> = {};
  if (random.below(12) === 0) headers['Idempotency-Key'] = `key-${random.below(40)}`;
  if (isPatch && random.below(6) === 0) headers['If-Match'] = random.pick(['*', '"1"', 'W/"2"', 'nonsense']) ?? '*';
  switch (random.below(10)) {
    case 0:
      return { text: JSON.stringify(valid).slice(0, random.below(60)), headers };
    case 1:
      return {
        body: valid,
        headers: {
          ...headers,
          'Content-Type':
            random.pick(['text/plain', 'application/json; charset=latin1', 'application/json-patch+json', '']) ?? '',
        },
      };
    case 2:
    case 3:
    case 4:
      return { body: broken(valid, random), headers };
    case 5:
      return isPatch
        ? { body: jsonPatch(valid, random), headers: { ...headers, 'Content-Type': 'application/json-patch+json' } }
        : { body: valid, headers };
    default:
      return { body: valid, headers };
  }
}

function jsonPatch(valid: Json, random: Random): Json {
  const names = isJsonObject(valid) ? Object.keys(valid) : [];
  return Array.from({ length: random.below(4) }, () => ({
    op: random.pick(['add', 'remove', 'replace', 'move', 'copy', 'test', 'explode']) ?? 'add',
    path: `/${random.pick([...names, 'id', '-', 'a/b/c', '__proto__/x', '']) ?? ''}`,
    from: `/${random.pick([...names, 'nothing']) ?? ''}`,
    value: isJsonObject(valid) ? (valid[random.pick(names) ?? ''] ?? 'text') : 'text',
  }));
}

function learn(known: Known, { operation }: Made, answer: Answer): void {
  const found = Array.isArray(answer.body) ? answer.body : [answer.body];
  const key = keyOfResource(operation);
  const ids = known.ids.get(key) ?? [];
  for (const one of found) if (answer.status < 300 && isJsonObject(one) && typeof one.id === 'string') ids.push(one.id);
  known.ids.set(key, ids.slice(-60));
}

/** What is alive in the server, after a collection that its hook makes. */
async function heapBytes(client: Client, pid: number): Promise<number> {
  process.kill(pid, 'SIGUSR2');
  // The signal and this request race to the server: the second answer comes after the collection.
  await client.raw({ method: 'GET', path: '/health' });
  const { text } = await client.raw({ method: 'GET', path: '/metrics' });
  const found = /^nodejs_heap_size_used_bytes (\d+(?:\.\d+)?(?:e\+?\d+)?)/m.exec(text)?.[1];
  if (found === undefined) throw new Error('the server tells no heap size');
  return Number(found);
}

async function main(): Promise<number> {
  const server = await startServerProcess({ imports: [new URL('./heap-hook.ts', import.meta.url).href] });
  const client = makeClient(server);
  try {
    const world = await makeWorld(client, 'quick');
    await world.settled();
    const schemas = new Map(apis.map(({ api }) => [api as string, schemasOf(api)] as const));
    const known: Known = { ids: new Map() };
    const random = seeded(seed);
    const statuses = new Map<number, number>();
    const failures: string[] = [];
    const heap: number[] = [];
    let sent = 0;

    const worker = async (): Promise<void> => {
      while (sent < count && server.isRunning()) {
        sent += 1;
        const number = sent;
        const made = makeRequest(random, schemas, known, world);
        try {
          const answer = await client.ask(made.operation, made.ask);
          statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
          learn(known, made, answer);
          if (answer.status >= 500 && answer.status !== 501)
            failures.push(
              `request ${number} ${keyOf(made.operation)} ${JSON.stringify(made.ask).slice(0, 1500)} -> ${answer.status} ${answer.text.slice(0, 200)}`,
            );
        } catch (error) {
          failures.push(
            `request ${number} ${keyOf(made.operation)} was not answered: ${error instanceof Error ? error.message : String(error)}`,
          );
        }
        if (number % Math.ceil(count / 40) === 0) heap.push(await heapBytes(client, server.pid));
      }
    };
    await Promise.all(Array.from({ length: inFlight }, worker));

    const quarter = Math.floor(heap.length / 4);
    const early = Math.min(...heap.slice(quarter, 2 * quarter));
    const late = Math.min(...heap.slice(-quarter));
    const grows = late > early * growthMax && late - early > growthBytesMax;
    const log = server.log();
    const rejections = log.split('\n').filter((line) => /a promise was left alone|unhandled/i.test(line));
    const violations = [...new Map(client.violations.map((one) => [`${one.operation}: ${one.what}`, one] as const))];
    const mb = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MB`;
    console.log(`${sent} generated requests, seed ${seed}`);
    console.log(
      `statuses: ${[...statuses]
        .sort((a, b) => a[0] - b[0])
        .map(([status, times]) => `${status} ${times}`)
        .join(', ')}`,
    );
    console.log(`live heap by time: ${heap.map((bytes) => Math.round(bytes / 2 ** 20)).join(' ')} MB`);
    console.log(`live heap: ${mb(early)} in the second quarter, ${mb(late)} in the last`);
    console.log(
      `5xx or unanswered ${failures.length}, unhandled rejections ${rejections.length}, response violations ${violations.length}, server ${server.isRunning() ? 'runs' : 'ended'}`,
    );
    for (const line of failures.slice(0, 30)) console.log(`  ${line}`);
    for (const [what, one] of violations.slice(0, 30)) console.log(`  ${what} (${one.request.slice(0, 160)})`);
    if (failures.length > 0)
      for (const line of new Set(
        log
          .split('\n')
          .filter((one) => one.includes('"level":"error"'))
          .map((one) => /"message":"((?:[^"\\]|\\.)*)"/.exec(one)?.[1] ?? ''),
      ))
        console.log(`  logged: ${line}`);
    return failures.length + rejections.length + violations.length === 0 && !grows && server.isRunning() ? 0 : 1;
  } finally {
    client.close();
    await server.stop();
  }
}

process.exitCode = await main();
