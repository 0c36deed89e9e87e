import { join } from 'node:path';
import { z } from 'zod';
import { judgeBooks } from '../../simulation/crash/books.ts';
import { beginLoad, type Load } from '../../simulation/crash/load.ts';
import { pause } from '../../simulation/crash/stack.ts';
import { randomOf } from '../../simulation/random.ts';
import { Cluster, type Node, type Said } from './cluster.ts';
import {
  answers,
  ask,
  type Beat,
  booksCheck,
  byStatus,
  Copies,
  dueSteps,
  fill,
  isAlive,
  Processes,
  Pulse,
  program,
  row,
  startGateway,
  until,
  write,
} from './parts.ts';

const backMsMax = 30_000;
const flowsEndMsMax = 60_000;
/** So many of each ledger are looked at after each blow. */
const sample = 40;
const quietMs = 3000;
const databasePort = 5000;
const doorPort = 8080;

const place = z
  .object({
    ip: z.string(),
    etcd: z.string(),
    haproxy: z.string(),
    setpriv: z.string(),
    patroni: z.string(),
    binaries: z.string(),
    user: z.string(),
    directory: z.string(),
    hub: z.string(),
    network: z.string(),
    spaces: z.array(z.string()),
    planted: z.boolean(),
  })
  .parse(JSON.parse(process.argv[2] ?? '{}'));

interface Event {
  readonly name: string;
  readonly from: string;
  readonly to: string;
  readonly backMs: number;
  readonly gapMs: number;
  readonly acknowledged: number;
  readonly lost: number;
  readonly failed: string;
  readonly wholeMs: number;
}

const processes = new Processes(place.directory);
const faults: string[] = [];
const events: Event[] = [];

async function startProxy(cluster: Cluster): Promise<void> {
  const haproxy = program(place.haproxy, '');
  const files = {
    'haproxy-database': fill('haproxy-database.cfg', {
      address: '127.0.0.1',
      port: databasePort,
      nodes: cluster.nodes.map(({ name, address }) => `    server ${name} ${address}:5432 check port 8008`).join('\n'),
    }),
    'haproxy-servers': fill('haproxy-servers.cfg', {
      address: '127.0.0.1',
      port: doorPort,
      servers: [1, 2].map((copy) => `    server copy${copy} 127.0.0.1:${doorPort + copy} check`).join('\n'),
    }),
  };
  for (const [name, text] of Object.entries(files)) {
    const file = join(place.directory, `${name}.cfg`);
    write(file, text);
    processes.launch(name, [haproxy, '-db', '-f', file]);
  }
}

/** Whatever is not done is answered with a word on when to come again; nothing hides behind 500, and nobody is left waiting. */
function judgeAnswers(what: string, beats: readonly Beat[]): void {
  for (const { status, retryAfter, reason } of beats)
    if (status !== 503 || !retryAfter) faults.push(`${what}: a write was answered ${status} ${reason}`);
}

async function main(): Promise<void> {
  const cluster = new Cluster(place, processes);
  await cluster.start();
  const { owner, server } = await cluster.prepare();
  await startProxy(cluster);
  const through = (user: string, password: string) =>
    `postgresql://${user}:${password}@127.0.0.1:${databasePort}/airtime`;
  await until(
    'the proxy finds the primary',
    async () => (await ask(through('airtime', server), 'SELECT 1')) !== undefined,
  );
  const gateway = await startGateway(processes, 8090);
  const publicUrl = `http://127.0.0.1:${doorPort}`;
  const copies = new Copies(processes, {
    databaseUrl: through('airtime', server),
    migrationUrl: through('airtime_owner', owner),
    gateway,
    publicUrl,
  });
  await copies.start('copy1', doorPort + 1);
  await copies.start('copy2', doorPort + 2);
  await until('the door answers', () => answers(`${publicUrl}/ready`));
  process.stdout.write(
    `three nodes, two copies of the server${place.planted ? ', planted: answers before a second node has the write' : ''}\n`,
  );

  const asOwner = through('postgres', cluster.superuserPassword);
  const load = await beginLoad(
    { url: () => publicUrl, token: () => copies.token, ask: (sql, values) => ask(asOwner, sql, values) },
    randomOf(1),
  );
  const pulse = new Pulse(publicUrl, copies.token, 150);
  const [one] = copies.running;
  if (!one) throw new Error('there is no copy');
  const direct = new Pulse(one.url, copies.token, 400);
  const readiness: { at: number; ready: boolean }[] = [];
  let isWatching = true;
  const watching = (async () => {
    while (isWatching) {
      readiness.push({ at: Date.now(), ready: await answers(`${one.url}/ready`) });
      await pause(250);
    }
  })();
  pulse.start();
  direct.start();

  async function event(
    name: string,
    strike: (primary: Node) => Promise<number>,
    after?: (primary: Node) => Promise<void>,
    heal?: (primary: Node) => Promise<void>,
  ): Promise<void> {
    await cluster.untilWhole();
    await pause(quietMs);
    const primary = await cluster.leader();
    process.stdout.write(`${name}: ${primary.name}\n`);
    const before = load.told.length + pulse.told.length;
    const lastTold = [load.told, pulse.told, direct.told].flatMap((told) => told.slice(-sample));
    const at = await strike(primary);
    // Those that wait for an answer count too: a write on its way through a cut network is not refused for long.
    const isBack = async () =>
      (await cluster.withRole('leader'))?.name !== primary.name &&
      pulse.waitingMs() < 2000 &&
      pulse.beats.slice(-20).every((beat) => beat.status === 201 && beat.at > at);
    await until(`service is back after: ${name}`, isBack, { msMax: 90_000 });
    const seen = pulse.since(at);
    const leader = await cluster.leader();
    await after?.(primary);
    await heal?.(primary);
    const wholeMs = await cluster.untilWhole();
    // Those last acknowledged before the blow are the first to be lost. All of them are looked at in the end.
    const lost = await load.findLost([...lastTold, ...pulse.told.slice(-sample)]);
    faults.push(...lost.map((each) => `lost after ${name}: ${each}`));
    const directly = direct.since(at).failed;
    judgeAnswers(`${name}, through the proxy`, seen.failed);
    judgeAnswers(`${name}, asked directly`, directly);
    const wasNotReady = readiness.some((each) => each.at >= at && !each.ready);
    const backMs = seen.backAt === undefined ? Number.POSITIVE_INFINITY : seen.backAt - at;
    if (backMs > backMsMax) faults.push(`${name}: service was back after ${backMs} ms`);
    if (seen.failed.length > 0 && directly.length > 0 && !wasNotReady && backMs > 3000)
      faults.push(`${name}: /ready said yes all the time`);
    if (leader.name === primary.name) faults.push(`${name}: the primary is the same as before`);
    events.push({
      name,
      from: primary.name,
      to: leader.name,
      backMs,
      gapMs: seen.longestGapMs,
      acknowledged: before,
      lost: lost.length,
      failed: byStatus([...seen.failed, ...directly]),
      wholeMs,
    });
  }

  await event(
    'kill -9 of the primary',
    async (primary) => {
      const at = Date.now();
      await cluster.kill(primary);
      return at;
    },
    undefined,
    async (primary) => {
      cluster.startNode(primary);
    },
  );

  let split: { cutAt: number; said: readonly Said[] } | undefined;
  let probe: ReturnType<Cluster['probe']> | undefined;
  let cutAt = 0;
  await event(
    'the primary is cut off',
    async (primary) => {
      const begun = cluster.probe(primary, 1);
      probe = begun;
      await until('somebody writes to the primary itself', async () => begun.hasWritten());
      await pause(1000);
      cutAt = Date.now();
      cluster.setLink(primary, 'down');
      return cutAt;
    },
    async () => {
      split = { cutAt, said: (await probe?.stop()) ?? [] };
    },
    async (primary) => cluster.setLink(primary, 'up'),
  );

  await event('a switchover that was asked for', async (primary) => {
    const to = place.planted
      ? cluster.nodes.find(({ name }) => name !== primary.name)
      : await cluster.withRole('sync_standby');
    if (!to) throw new Error('there is nobody to switch to');
    const at = Date.now();
    await cluster.switchOver(primary, to);
    return at;
  });

  // ---- the end: everything that was begun ends, and all books are read ----
  const ended = Date.now();
  await Promise.all([pulse.stop(), direct.stop()]);
  isWatching = false;
  await watching;
  await load.stop();
  const left = async (): Promise<string[]> => [
    ...(await load.openOrders()).map((id) => `order ${id}`),
    ...(
      (await ask<{ id: string; step: string }>(through('airtime_owner', owner), dueSteps)) ?? [
        { id: 'unknown', step: 'no answer' },
      ]
    ).map(({ id, step }) => `step ${id} (${step})`),
  ];
  let open = await left();
  while (open.length > 0 && Date.now() - ended < flowsEndMsMax) {
    await pause(250);
    open = await left();
  }
  const endedMs = Date.now() - ended;
  faults.push(...open.map((each) => `${each} has not ended`));
  const all = [...load.told, ...pulse.told, ...direct.told];
  faults.push(...(await load.findLost(all)).map((each) => `lost at the end: ${each}`));
  faults.push(...load.refusals.map((each) => `refused: ${each}`));
  const [first] = load.told;
  if (!first || (await load.findLost([{ ...first, document: { ...first.document, id: 'usg_never' } }])).length !== 1)
    faults.push('the ledger does not notice what is missing');
  for (const copy of copies.running)
    if (!isAlive(copy.process)) faults.push(`${copy.name} ended:\n${processes.tail(copy.name)}`);
  const books = booksCheck(publicUrl, copies.token, place.directory);
  if (books !== undefined) faults.push(`bss books check: ${books}`);
  const judged = await judgeBooks(
    {
      databaseUrl: `${asOwner}?options=${encodeURIComponent('-c role=airtime_server')}`,
      gatewayUrl: gateway.url,
      secret: gateway.secret,
    },
    load,
  );
  faults.push(...judged.faults);
  await judgeSplit(cluster, split);
  report(load, [pulse, direct], judged.captures, endedMs, all.length);
}

/** What the old primary acknowledged to whoever was cut off with it must be there still: best when it was nothing. */
async function judgeSplit(
  cluster: Cluster,
  split: { cutAt: number; said: readonly Said[] } | undefined,
): Promise<void> {
  const said = split?.said ?? [];
  const cutAt = split?.cutAt ?? 0;
  const acknowledged = said.flatMap(({ number }) => (number === undefined ? [] : [number]));
  const afterCut = said.filter(({ at, number }) => number !== undefined && at > cutAt + 500).length;
  const kept = await ask<{ number: string }>(
    cluster.urlOf(await cluster.leader()),
    'SELECT "number" FROM split_probe ORDER BY 1',
  );
  const there = new Set(kept?.map(({ number }) => Number(number)));
  const gone = acknowledged.filter((number) => !there.has(number));
  const lastWritable = said.filter(({ word }) => word === 'writable').at(-1)?.at ?? cutAt;
  if (acknowledged.length === 0) faults.push('nobody wrote to the primary before it was cut off: the run says nothing');
  if (!said.some(({ at, word }) => word === 'refused' && at > cutAt)) faults.push('the old primary refused nothing');
  faults.push(...gone.map((number) => `split brain: write ${number} was acknowledged by the old primary and is lost`));
  process.stdout.write('\nThe primary that was cut off, to those who were cut off with it\n');
  row('writes acknowledged before the cut', acknowledged.length - afterCut);
  row('writes acknowledged after it', afterCut);
  row('acknowledged and lost', gone.length);
  row('still took itself for the primary for, ms', Math.max(0, lastWritable - cutAt));
}

function report(load: Load, pulses: readonly Pulse[], captures: number, endedMs: number, acknowledged: number): void {
  process.stdout.write('\nFailover under load\n');
  for (const each of events) {
    process.stdout.write(`  ${each.name} (${each.from} to ${each.to})\n`);
    row('  service back after, ms', Math.round(each.backMs), `longest without a good write ${each.gapMs} ms`);
    row('  acknowledged before, and lost', each.acknowledged, `${each.lost} lost`);
    row('  until the cluster was whole after that, ms', each.wholeMs);
    process.stdout.write(`    refused or unanswered: ${each.failed}\n`);
  }
  row('acknowledged writes', acknowledged, `${load.orders.length} orders, ${load.records.size} usage records sent`);
  row('tries of the load without an answer', load.unanswered());
  row(
    'beats of the pulse',
    pulses.reduce((sum, { beats }) => sum + beats.length, 0),
  );
  row('captures in the gateway’s book', captures);
  row('until every flow had ended, ms', endedMs);
}

const began = Date.now();
try {
  await main();
} catch (error) {
  faults.push(error instanceof Error ? (error.stack ?? error.message) : String(error));
} finally {
  await processes.killAll();
}
row('seconds', Math.round((Date.now() - began) / 1000));
row('faults', faults.length);
for (const fault of faults.slice(0, 25)) process.stdout.write(`  ${fault}\n`);
process.exit(faults.length === 0 ? 0 : 1);
