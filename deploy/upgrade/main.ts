import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startEmbedded } from '../../app/database/embedded-postgres.ts';
import { withClient } from '../../app/database/roles.ts';
import { activeLine, beginLoad, type Door, findLost, type Line, type Load, tool } from '../load.ts';
import { freePort, pause, type Running, startSandbox, startServer, tokenIn } from '../processes.ts';
import { openProxy } from './proxy.ts';
import { builtVersion, claimCounters, current, nextVersion, planted, type Version } from './versions.ts';

// A release without anybody noticing. Two servers of the old version work behind a proxy; the new version starts beside
// them on the same database, migrates it while they serve, and takes over; the old ones are told to stop, one after the
// other. Every request is sent once: one that fails, fails the drill.

const usage = `Upgrades under load, from the old version to the new one on one PostgreSQL.

  npx tsx deploy/upgrade/main.ts [--from COMMIT]

  --from COMMIT   the old version: a commit, checked out and built, and the working copy is the new one.
                  Without it the working copy is the old one, and the new one brings further migrations.
`;

const linesCount = 3;
const stageMs = 2500;
const drainMs = 1500;

function row(name: string, value: number | string): void {
  process.stdout.write(`  ${name.padEnd(58)}${String(value).padStart(8)}\n`);
}

/** How often the function that a planted migration changed was called, in its old form and in its new one. */
async function readClaims(ownerUrl: string): Promise<{ old: number; new: number }> {
  const count = (name: string) => `(SELECT CASE WHEN is_called THEN last_value::int ELSE 0 END FROM "${name}")`;
  const sql = `SELECT ${count(claimCounters.old)} AS old, ${count(claimCounters.new)} AS new`;
  const [row] = await withClient(
    ownerUrl,
    async (owner) => (await owner.query<{ old: number; new: number }>(sql)).rows,
  );
  if (!row) throw new Error('the database did not tell how often steps were claimed');
  return row;
}

/** @param isPlanted the new version brings what `planted` holds. @returns what was wrong, one sentence each. */
async function drill(folder: string, oldVersion: Version, newVersion: Version, isPlanted: boolean): Promise<string[]> {
  const faults: string[] = [];
  const secret = 'known to this drill alone';
  const sandboxFolder = join(folder, 'sandbox');
  mkdirSync(sandboxFolder, { recursive: true });
  const database = await startEmbedded({ directory: join(folder, 'postgres'), log: () => undefined });
  const sandbox = await startSandbox(sandboxFolder, await freePort(), secret);
  const proxy = await openProxy();
  const servers: Running[] = [];
  let load: Load | undefined;

  const environment = {
    DATABASE_URL: database.serverUrl,
    MIGRATION_DATABASE_URL: database.ownerUrl,
    AIRTIME_SANDBOX_URL: sandbox.url,
    SANDBOX_SECRET: secret,
    AIRTIME_PUBLIC_URL: proxy.url,
    AIRTIME_SIGNING_SECRET: 'known to this drill alone, and long enough',
    AIRTIME_DRAIN_MS: String(drainMs),
  };
  async function start(version: Version, name: string): Promise<Running> {
    const home = join(folder, name);
    mkdirSync(home, { recursive: true, mode: 0o700 });
    const server = await startServer({ program: version.folder, home, port: await freePort(), environment });
    servers.push(server);
    proxy.add(server.url);
    return server;
  }
  async function stop(server: Running): Promise<void> {
    const code = await server.stop();
    if (code !== 0) faults.push(`a server that was told to stop ended with ${code}`);
    proxy.remove(server.url);
  }
  const taken = (server: Running): number => proxy.served.get(server.url) ?? 0;
  const until = async (what: string, isSo: () => boolean): Promise<void> => {
    for (const deadline = Date.now() + 30_000; !isSo(); await pause(50))
      if (Date.now() > deadline) throw new Error(`waited in vain until ${what}`);
  };

  try {
    const one = await start(oldVersion, 'old-1');
    const two = await start(oldVersion, 'old-2');
    await until('both old servers are ready', () => proxy.ready().length === 2);
    const door: Door = { url: proxy.url, token: tokenIn(join(folder, 'old-1')) };
    const lines: Line[] = [];
    for (let n = 0; n < linesCount; n += 1) lines.push(await activeLine(door));
    load = await beginLoad(door, lines, { orders: true });
    await pause(stageMs);
    row('answered with the old version alone', load.answered());
    row('  the slowest, ms', Math.round(load.slowestMs()));

    const began = Date.now();
    const three = await start(newVersion, 'new-1');
    row('new version beside it, migrated and ready after, ms', Date.now() - began);
    await until('the new server takes requests', () => taken(three) > 0);
    const [oneThen, twoThen] = [taken(one), taken(two)];
    const claimsThen = isPlanted ? await readClaims(database.ownerUrl) : undefined;
    await pause(stageMs);
    row('answered by old beside new', taken(one) + taken(two) - oneThen - twoThen);
    row('answered by new beside old', taken(three));
    row('  the slowest since the new one was started, ms', Math.round(load.slowestMs()));
    if (taken(one) === oneThen || taken(two) === twoThen || taken(three) === 0)
      faults.push('old and new were not at work together: the run says nothing');
    if (claimsThen) {
      const claims = await readClaims(database.ownerUrl);
      const [byOld, byNew] = [claims.old - claimsThen.old, claims.new - claimsThen.new];
      row('claims of steps by the function as it was', byOld);
      row('claims of steps by that with one more parameter', byNew);
      if (byOld === 0 || byNew === 0)
        faults.push(`the function that changed was called ${byOld} times as it was and ${byNew} times as it is now`);
    }

    await stop(one);
    const four = await start(newVersion, 'new-2');
    await pause(500);
    await stop(two);
    await pause(stageMs);
    row('  the slowest while the old ones stopped, ms', Math.round(load.slowestMs()));

    // Whoever starts the old version now, by mistake or to go back, is told, and nothing is broken by it.
    const back = spawnSync(process.execPath, [join(oldVersion.folder, 'dist/airtime.js'), 'serve'], {
      env: { ...environment, PATH: process.env.PATH, AIRTIME_HOME: join(folder, 'old-1'), AIRTIME_PORT: '0' },
      encoding: 'utf8',
      timeout: 30_000,
    });
    const said = `${back.stderr}${back.stdout}`.split('\n').find((line) => line.includes('ahead of this program'));
    row('an old server started on the newer database', said === undefined ? 'serves' : 'refuses');
    if (back.status === 0 || said === undefined)
      faults.push(`an old server on a newer database: ${back.status} ${back.stderr}`);

    await load.stop();
    faults.push(...load.failures.map((failure) => `failed: ${failure}`));
    row('requests answered in all', load.answered());
    row('requests failed', load.failures.length);
    const lost = await findLost(door, load.told);
    row('writes acknowledged, each sought again at the new version', load.told.length);
    faults.push(...lost.map((failure) => `lost: ${failure}`));
    for (const deadline = Date.now() + 30_000; ; await pause(100)) {
      const { steps } = await tool(door, 'health.show', {});
      if (typeof steps === 'object' && steps !== null && 'due' in steps && steps.due === 0 && steps.retrying === 0)
        break;
      if (Date.now() > deadline) throw new Error(`work is left: ${JSON.stringify(steps)}`);
    }
    const books = await tool(door, 'books.check', {});
    if (!Array.isArray(books.differences) || books.differences.length > 0 || books.payments === 0)
      faults.push(`books: ${JSON.stringify(books).slice(0, 400)}`);
    await stop(three);
    await stop(four);
  } finally {
    await load?.stop();
    for (const server of servers) await server.kill().catch(() => undefined);
    await proxy.close();
    await sandbox.kill();
    await database.stop();
  }
  return faults;
}

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { from: { type: 'string' }, help: { type: 'boolean', default: false } } });
  if (values.help) {
    process.stdout.write(usage);
    return 0;
  }
  const folder = mkdtempSync(join(tmpdir(), 'airtime-upgrade-'));
  const built = values.from === undefined ? undefined : builtVersion(join(folder, 'old'), values.from);
  try {
    const oldVersion = built ?? current;
    const newVersion = built ? current : nextVersion(join(folder, 'new'), planted);
    process.stdout.write(`\nUpgrade: ${oldVersion.name} to ${newVersion.name}\n`);
    const began = Date.now();
    const faults = await drill(folder, oldVersion, newVersion, built === undefined);
    row('seconds', Math.round((Date.now() - began) / 1000));
    row('faults', faults.length);
    for (const fault of faults.slice(0, 20)) process.stdout.write(`  ${fault}\n`);
    return faults.length === 0 ? 0 : 1;
  } finally {
    built?.remove();
    rmSync(folder, { recursive: true, force: true });
  }
}

process.exit(await main());
