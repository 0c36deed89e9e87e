/**
 * `npx tsx conformance/prism.ts [--api TMF622]` puts Prism, a validating proxy that others wrote, between a client and the
 * server, and calls every operation of every API once through it: Prism judges each request and answer by our documents.
 * npx fetches Prism when it is first asked for, as `make mock` does; `AIRTIME_PRISM` names a program that is there already.
 * Where it cannot be fetched the run fails; with `--when-at-hand` it says NOT RUN and ends well.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Operation, operations } from '../generated/operations.ts';
import { isJsonObject, type Json, type JsonObject } from '../kernel/json.ts';
import { type Answer, basePathOf, makeClient } from './client.ts';
import { fixtureOf } from './fixtures/index.ts';
import { pause, type ServerProcess, startServerProcess } from './server-process.ts';
import { apiOrder } from './session.ts';
import { makeWorld, type World } from './world.ts';

const { values: given } = parseArgs({
  options: { api: { type: 'string', multiple: true }, 'when-at-hand': { type: 'boolean', default: false } },
});
const chosen = apiOrder.filter((api) => given.api === undefined || given.api.includes(api));

/** The program, fetched into the package manager's cache on first use: 90 MB that no installation needs. */
function prismProgram(): string {
  if (process.env.AIRTIME_PRISM) return process.env.AIRTIME_PRISM;
  const found = execFileSync('npx', ['--yes', '--package=@stoplight/prism-cli@5.14.2', '-c', 'command -v prism'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: 180_000,
  });
  return realpathSync(found.trim());
}

/**
 * A copy that Prism can judge by: it compares media types without their prefix, so that merge patch, JSON patch and JSON
 * are one to it, and would judge each by the first. The served operations only: it answers none of the subscriber’s.
 */
function copyFor(api: string): JsonObject {
  const document: Json = JSON.parse(readFileSync(new URL(`../generated/openapi/${api}.json`, import.meta.url), 'utf8'));
  if (!isJsonObject(document) || !isJsonObject(document.paths)) throw new Error(`${api} has no paths`);
  const paths = Object.entries(document.paths).filter(([path]) => !path.startsWith('/listener/'));
  for (const [, item] of paths) {
    if (isJsonObject(item) && isJsonObject(item.patch))
      item.patch.requestBody = { content: { 'application/json': { schema: {} } } };
  }
  return { ...document, servers: [{ url: '/' }], paths: Object.fromEntries(paths) };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port is free');
  return address.port;
}

const startsMax = 3;

interface Prism {
  url: string;
  stop(): void;
}

/** A port that was free a moment ago may be taken where much goes on: then Prism ends at once, and another is tried. */
async function startPrism(command: string, folder: string, api: string, upstream: string): Promise<Prism> {
  const file = join(folder, `${api}.json`);
  writeFileSync(file, JSON.stringify(copyFor(api)));
  const said: string[] = [];
  while (said.length < startsMax) {
    const started = await prismOn(await freePort(), command, file, `${upstream}${basePathOf(api)}`);
    if (typeof started !== 'string') return started;
    said.push(started);
  }
  throw new Error(`Prism does not start: ${said.join('\n')}`);
}

/** @returns what it said when it did not start. */
async function prismOn(port: number, command: string, file: string, upstream: string): Promise<Prism | string> {
  const child: ChildProcess = spawn(
    process.execPath,
    [command, 'proxy', file, upstream, '--errors', '--port', String(port), '--host', '127.0.0.1'],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let told = '';
  child.stdout?.on('data', (data: Buffer) => {
    told += data.toString();
  });
  for (let waited = 0; !told.includes('is listening'); waited += 50) {
    if (child.exitCode !== null || waited > 60_000) {
      child.kill();
      return told.slice(-400);
    }
    await pause(50);
  }
  return { url: `http://127.0.0.1:${port}`, stop: () => child.kill() };
}

interface Walked {
  operation: Operation;
  answer: Answer;
  flaw: string | undefined;
}

/** Every operation of an API, called as its contract has it. */
async function walk(api: string, prism: Prism, server: ServerProcess, world: World): Promise<Walked[]> {
  const client = makeClient({ ...server, url: prism.url });
  const walked: Walked[] = [];
  const call = async (operation: Operation, id: string, search: string, body: Json | undefined): Promise<Answer> => {
    const path = `${operation.path.replace('{id}', encodeURIComponent(id))}${search}`;
    const answer = await client.raw({
      method: operation.method.toUpperCase(),
      path,
      headers: {
        Accept: 'application/json',
        Authorization: `Bearer ${server.token}`,
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
      },
      ...(body === undefined ? {} : { text: JSON.stringify(body) }),
    });
    // A rule of the house may refuse: that is an answer of the contract too. What Prism says itself names Prism.
    const isRefusal = answer.status === 409 && operation.kind !== 'create';
    const isOk = operation.successStatuses.includes(answer.status) || isRefusal;
    const flaw =
      answer.text.includes('stoplight.io/prism') || !isOk ? `${answer.status} ${answer.text.slice(0, 300)}` : undefined;
    walked.push({ operation, answer, flaw });
    return answer;
  };
  const idIn = (answer: Answer): string =>
    isJsonObject(answer.body) && typeof answer.body.id === 'string' ? answer.body.id : 'nothing';
  const served: readonly Operation[] = operations.filter((one) => one.api === api && one.served);
  const of = (resource: string | null, kind: Operation['kind']) =>
    served.find((one) => one.resource === resource && one.kind === kind);
  try {
    for (const resource of new Set(served.map((one) => one.resource))) {
      const fixture = resource === null ? undefined : fixtureOf(api, resource);
      const list = of(resource, 'list');
      const listed = list ? await call(list, '', '?limit=3&offset=0', undefined) : undefined;
      const first =
        Array.isArray(listed?.body) && isJsonObject(listed.body[0]) && typeof listed.body[0].id === 'string'
          ? listed.body[0].id
          : 'nothing';
      const create = of(resource, 'create');
      const made =
        create && fixture?.create
          ? idIn(await call(create, '', '', fixture.create.rich(world, 900_000)))
          : (fixture?.made?.(world) ?? first);
      const id = made === 'nothing' ? first : made;
      const retrieve = of(resource, 'retrieve');
      // A task of TMF640 answers with its monitor, which has an id of its own.
      if (retrieve) await call(retrieve, id, '', undefined);
      const patch = of(resource, 'patch');
      if (patch && fixture?.patch)
        await call(patch, id, '', { [fixture.patch.attribute]: fixture.patch.turns?.[0] ?? 'through Prism' });
      const remove = of(resource, 'delete');
      if (remove) await call(remove, id, '', undefined);
    }
    const [register, unregister] = [of(null, 'registerListener'), of(null, 'unregisterListener')];
    const hub = register ? idIn(await call(register, '', '', { callback: 'https://listener.example.com/events' })) : '';
    if (unregister) await call(unregister, hub, '', undefined);
    return walked;
  } finally {
    client.close();
  }
}

async function main(): Promise<number> {
  let program: string;
  try {
    program = prismProgram();
  } catch (error) {
    console.log(`Prism NOT RUN: it could not be fetched (${error instanceof Error ? error.message : String(error)}).`);
    return given['when-at-hand'] ? 0 : 1;
  }
  const folder = mkdtempSync(join(tmpdir(), 'airtime-prism-'));
  const server = await startServerProcess();
  const honest = makeClient(server);
  let flaws = 0;
  try {
    const world = await makeWorld(honest, 'quick');
    await world.settled();
    for (const api of chosen) {
      const prism = await startPrism(program, folder, api, server.url);
      try {
        const walked = await walk(api, prism, server, world);
        const bad = walked.filter(({ flaw }) => flaw !== undefined);
        const called = new Set(walked.map(({ operation }) => operation.operationId)).size;
        const offered = operations.filter((one) => one.api === api && one.served).length;
        console.log(`${api}  ${called} of ${offered} operations through Prism, ${bad.length} objections`);
        for (const { operation, flaw } of bad) console.log(`  ${operation.operationId}: ${flaw}`);
        flaws += bad.length + (offered - called);
      } finally {
        prism.stop();
      }
    }
    return flaws === 0 ? 0 : 1;
  } finally {
    honest.close();
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

process.exitCode = await main();
