import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CardGateway } from '../../adapters/card-gateway.ts';
import { remoteCardGateway } from '../../adapters/sandbox/remote.ts';
import { isEmbeddedRunning, stopEmbedded } from '../../app/database/embedded-postgres.ts';
import { isJsonObject, type JsonObject } from '../../kernel/json.ts';
import { activeLine, beginLoad, type Door, findLost, type Line, type Load, type Told, tool } from '../load.ts';
import { freePort, pause, type Running, startSandbox, startServer, tokenIn } from '../processes.ts';
import { findTools, openExternal } from './external.ts';

// The drill of an operator's worst day: a server at work, a backup, more work, everything of it lost, the backup put back.
// What was acknowledged before the backup must be there, the books must be even with the card gateway's own, which lost
// nothing, and what was charged after the backup must not be charged again when the work that is due goes on.

const linesCount = 3;
const loadMs = 2500;
const quietMsMax = 60_000;

/** One kind of database, and how it is saved, lost and brought back. */
interface Kind {
  readonly name: string;
  /** What the server is started with, beside the sandboxes. */
  readonly environment: Readonly<Record<string, string>>;
  begin(): Promise<void>;
  /** Saves all; `server` may have to stand still meanwhile. @returns the server, as it runs afterwards. */
  save(server: Running, start: () => Promise<Running>): Promise<Running>;
  destroy(): Promise<void>;
  restore(): Promise<void>;
  end(): Promise<void>;
}

/** The copy that the handbook describes: stop, copy the folder, start. */
function embedded(home: string, backup: string): Kind {
  const postgres = join(home, 'postgres');
  return {
    name: 'embedded PostgreSQL, stopped and copied',
    environment: {},
    begin: async () => undefined,
    async save(server, start) {
      const code = await server.stop();
      if (code !== 0) throw new Error(`the server ended with ${code}`);
      if (isEmbeddedRunning(postgres)) throw new Error('the database still runs: its files cannot be copied');
      cpSync(home, backup, { recursive: true, preserveTimestamps: true });
      return start();
    },
    async destroy() {
      const running = isEmbeddedRunning(postgres);
      if (running) process.kill(running.pid, 'SIGKILL');
      while (isEmbeddedRunning(postgres)) await pause(10);
      rmSync(home, { recursive: true, force: true });
    },
    restore: async () => cpSync(backup, home, { recursive: true, preserveTimestamps: true }),
    end: async () => {
      await stopEmbedded(postgres);
    },
  };
}

/** A dump taken while everybody works; restored into a PostgreSQL that has never seen it. */
async function external(bin: string, folder: string): Promise<Kind> {
  const database = await openExternal(bin, join(folder, 'postgres'));
  const file = join(folder, 'airtime.dump');
  return {
    name: `${database.version}, dumped at work`,
    environment: { DATABASE_URL: database.serverUrl, MIGRATION_DATABASE_URL: database.ownerUrl },
    begin: database.start,
    async save(server) {
      await database.dump(file);
      return server;
    },
    destroy: database.destroy,
    async restore() {
      await database.start();
      await database.restore(file);
    },
    end: database.destroy,
  };
}

function row(name: string, value: number | string): void {
  process.stdout.write(`  ${name.padEnd(58)}${String(value).padStart(8)}\n`);
}

async function quiet(door: Door): Promise<void> {
  for (const deadline = Date.now() + quietMsMax; ; await pause(100)) {
    const { steps } = await tool(door, 'health.show', {});
    const { due, retrying } = typeof steps === 'object' && steps !== null && !Array.isArray(steps) ? steps : {};
    if (due === 0 && retrying === 0) return;
    if (Date.now() > deadline) throw new Error(`work is left after a minute: ${JSON.stringify(steps)}`);
  }
}

async function differencesOf(door: Door): Promise<JsonObject[]> {
  const books = await tool(door, 'books.check', {});
  const { differences, payments } = books;
  if (!Array.isArray(differences) || typeof payments !== 'number' || payments === 0)
    throw new Error(`the books say nothing: ${JSON.stringify(books).slice(0, 200)}`);
  return differences.filter(isJsonObject);
}

async function judgeBooks(door: Door, faults: string[], when: string): Promise<void> {
  for (const one of await differencesOf(door)) faults.push(`${when}: books: ${JSON.stringify(one).slice(0, 300)}`);
}

const unknownCharge = 'every charge is one of our payments';

/**
 * What was bought after the backup was paid for and is forgotten, with what became of it: it does not come due again, so
 * its money is owed. The
 * books must name each such charge, and no other, and what they lack must be the sum of these. Then the operator gives it
 * back where it was taken, in the gateway, and the books must be even.
 * @returns how many charges were given back
 */
async function giveBackForgotten(
  door: Door,
  gateway: CardGateway,
  since: Date,
  ordersLost: number,
  faults: string[],
): Promise<number> {
  const found = await differencesOf(door);
  const forgotten = found.filter(({ check }) => check === unknownCharge).map(({ id }) => String(id));
  let sum = 0;
  let orders = 0;
  const asked = new Map<string, BookedCharge>();
  for await (const entry of gateway.book())
    if (entry.kind === 'authorise') asked.set(entry.gatewayReference, { ...entry, fact: factOf(entry.key) });
    else if (entry.kind === 'capture' && entry.answer.outcome === 'captured') {
      const charge = asked.get(entry.gatewayReference);
      if (!charge || !forgotten.includes(charge.reference)) continue;
      if (entry.at < since || !(await isForgotten(door, charge.fact)))
        faults.push(`the books do not know a charge that they should: ${charge.fact} of ${entry.at.toISOString()}`);
      sum += entry.amountMinor;
      if (charge.fact.startsWith('order_item:')) orders += 1;
      const { gatewayReference, amountMinor, currency } = entry;
      const answer = await gateway.refund({ key: `drill:${charge.fact}`, gatewayReference, amountMinor, currency });
      if (answer.outcome !== 'refunded') faults.push(`the gateway would not give back: ${JSON.stringify(answer)}`);
    }
  if (orders !== ordersLost) faults.push(`${ordersLost} orders are gone, and the books name the charges of ${orders}`);
  for (const one of found.filter(({ check }) => check !== unknownCharge)) {
    const { capturedMinor, returnedMinor, billedMinor } = isJsonObject(one.facts) ? one.facts : {};
    const isTheirs =
      one.check === 'captured minus refunded is the sum of bills' &&
      Number(capturedMinor) - Number(returnedMinor) - Number(billedMinor) === sum;
    if (!isTheirs) faults.push(`a month after the restore: books: ${JSON.stringify(one).slice(0, 300)}`);
  }
  await judgeBooks(door, faults, 'when it was given back');
  return forgotten.length;
}

/** An order, or a line, that the restored system has not: nothing of it comes due again. */
async function isForgotten(door: Door, fact: string): Promise<boolean> {
  const [kind, id = ''] = fact.split(':');
  if (kind === 'order_item') return true;
  const path = `/tmf-api/productInventory/v4/product/${id}`;
  const answer = await fetch(`${door.url}${path}`, { headers: { authorization: `Bearer ${door.token}` } });
  return kind === 'renewal' && answer.status === 404;
}

interface BookedCharge {
  readonly reference: string;
  readonly fact: string;
}

const factOf = (key: string): string => key.replace(/:authorise:\d+$/, '');

/** How often each payment was taken, by the gateway's own book. */
async function captures(url: string, secret: string): Promise<Map<string, number>> {
  const taken = new Map<string, number>();
  const names = new Map<string, string>();
  for await (const operation of remoteCardGateway(url, secret).book()) {
    if (operation.kind === 'authorise') names.set(operation.gatewayReference, factOf(operation.key));
    if (operation.kind !== 'capture' || operation.answer.outcome !== 'captured') continue;
    const fact = names.get(operation.gatewayReference) ?? operation.gatewayReference;
    taken.set(fact, (taken.get(fact) ?? 0) + 1);
  }
  return taken;
}

async function drill(kind: Kind, place: { home: string; sandbox: string }): Promise<string[]> {
  const faults: string[] = [];
  const [port, sandboxPort] = [await freePort(), await freePort()];
  const secret = 'known to this drill alone';
  const loads: Load[] = [];
  mkdirSync(place.sandbox, { recursive: true });
  const sandbox = await startSandbox(place.sandbox, sandboxPort, secret);
  const start = (): Promise<Running> => {
    mkdirSync(place.home, { recursive: true, mode: 0o700 });
    return startServer({
      home: place.home,
      port,
      environment: { ...kind.environment, AIRTIME_SANDBOX_URL: sandbox.url, SANDBOX_SECRET: secret },
    });
  };
  let server: Running | undefined;
  try {
    await kind.begin();
    server = await start();
    const door: Door = { url: server.url, token: tokenIn(place.home) };
    const lines: Line[] = [];
    for (let n = 0; n < linesCount; n += 1) lines.push(await activeLine(door));
    await tool(door, 'clock.freeze', {});

    // ---- before the backup: people buy, use and join ----
    const before = await beginLoad(door, lines, { orders: true });
    loads.push(before);
    await pause(loadMs);
    // A dump is taken in the middle of it; for a copy all stands still. What was told until now must come back.
    const isAtWork = kind.environment.DATABASE_URL !== undefined;
    if (!isAtWork) await before.stop();
    const kept: Told[] = before.told.slice();
    const saved = new Date();
    server = await kind.save(server, start);
    if (isAtWork) await pause(loadMs);
    await before.stop();
    faults.push(...before.failures.map((one) => `before: ${one}`));
    const orders = before.told.filter(({ path }) => path.includes('productOrder')).length;
    row('writes acknowledged before the backup', `${kept.length}`);
    row('  orders among them', orders);
    await quiet(door);

    // ---- after it: a month passes, lines are renewed and charged, people use and join; all of it will be lost ----
    const after = await beginLoad(door, lines, { orders: false });
    loads.push(after);
    const chargedBefore = await captures(sandbox.url, secret);
    await tool(door, 'clock.advance', { days: 31 });
    await pause(loadMs);
    await after.stop();
    await quiet(door);
    faults.push(...after.failures.map((one) => `after: ${one}`));
    const chargedAfter = await captures(sandbox.url, secret);
    const renewed = chargedAfter.size - chargedBefore.size;
    row('writes acknowledged after it', after.told.length);
    row('charges after it that a restore forgets', renewed);
    if (renewed < linesCount) faults.push('too little was charged after the backup: the run says nothing');

    // ---- all is lost, and brought back ----
    await server.kill();
    await kind.destroy();
    const began = Date.now();
    await kind.restore();
    server = await start();
    row('from nothing to ready, ms', Date.now() - began);
    const again: Door = { url: server.url, token: isAtWork ? door.token : tokenIn(place.home) };
    const lost = await findLost(again, kept);
    faults.push(...lost.map((one) => `lost: ${one}`));
    const sinceSaved = before.told.slice(kept.length).filter(({ path }) => path.includes('productOrder'));
    const ordersLost = await findLost(again, sinceSaved);
    const forgotten = await findLost(again, after.told);
    row('writes that came back', kept.length - lost.length);
    row('writes after the backup that are gone, as they must be', forgotten.length);
    if (forgotten.length !== after.told.length)
      faults.push('something of after the backup is there: nothing was destroyed');
    const frozen = await tool(again, 'clock.show', {});
    if (frozen.mode !== 'frozen') faults.push(`business time: ${JSON.stringify(frozen)}`);

    // ---- the same month passes again ----
    await tool(again, 'clock.advance', { days: 31 });
    await quiet(again);
    const gateway = remoteCardGateway(sandbox.url, secret);
    const givenBack = await giveBackForgotten(again, gateway, saved, ordersLost.length, faults);
    row('charges that the books named, given back', givenBack);
    if (isAtWork && givenBack === 0) faults.push('nothing was bought after the dump: the run says nothing about it');
    if (!isAtWork && givenBack > 0) faults.push('nothing was bought after the copy, and the books name charges');
    const chargedAgain = await captures(sandbox.url, secret);
    for (const [fact, times] of chargedAgain) if (times > 1) faults.push(`charged ${times} times: ${fact}`);
    const fresh = [...chargedAgain.keys()].filter((fact) => !chargedAfter.has(fact));
    row('charges of the month, lived twice, taken twice', fresh.length);
    faults.push(...fresh.map((fact) => `charged again: ${fact}`));

    // ---- and work goes on ----
    const later = await beginLoad(again, lines, { orders: true });
    loads.push(later);
    await pause(1000);
    await later.stop();
    await quiet(again);
    await judgeBooks(again, faults, 'at the end');
    faults.push(...later.failures.map((one) => `later: ${one}`));
    row('writes acknowledged after the restore', later.told.length);
    if (later.told.length === 0) faults.push('nothing was written after the restore');
  } finally {
    for (const load of loads) await load.stop();
    await server?.kill().catch(() => undefined);
    await sandbox.kill();
    await kind.end();
  }
  return faults;
}

async function main(): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'airtime-drill-'));
  // PostgreSQL may run as another user: it passes through here, and sees nothing.
  chmodSync(folder, 0o711);
  let found = 0;
  const play = async (make: (place: string) => Promise<Kind>, place: string): Promise<void> => {
    const kind = await make(place);
    process.stdout.write(`\nBackup and restore: ${kind.name}\n`);
    const began = Date.now();
    const faults = await drill(kind, { home: join(place, 'home'), sandbox: join(place, 'sandbox') });
    row('seconds', Math.round((Date.now() - began) / 1000));
    row('faults', faults.length);
    for (const fault of faults.slice(0, 20)) process.stdout.write(`  ${fault}\n`);
    found += faults.length;
  };
  try {
    await play(async (place) => embedded(join(place, 'home'), join(place, 'backup')), join(folder, 'embedded'));
    const bin = findTools();
    if (bin === undefined)
      process.stdout.write(
        '\nBackup and restore of a PostgreSQL of your own: not run, there is no postgres with pg_dump here.\n' +
          'Install postgresql, or name the folder of its programs in AIRTIME_POSTGRES_BIN.\n',
      );
    else await play((place) => external(bin, place), join(folder, 'external'));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return found === 0 ? 0 : 1;
}

process.exit(await main());
