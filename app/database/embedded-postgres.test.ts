import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { chooseLauncher, copyBinaries, findBinaries, linkLibraries, openCache, runToEnd } from './embedded-binaries.ts';
import { isEmbeddedRunning, startEmbedded, stopEmbedded } from './embedded-postgres.ts';
import { commandLine, hasCode, processesIn, processIsAlive, processStamp, sleep, stampIsAlive } from './processes.ts';
import { withClient } from './roles.ts';

const module = new URL('./embedded-postgres.ts', import.meta.url).href;
const asRoot = process.getuid?.() === 0;
const onLinux = process.platform === 'linux';

/** Whether somebody else of this machine may read what is there. */
function othersReach(folder: string): boolean {
  return spawnSync('/bin/sh', ['-c', 'cd "$1"', 'sh', folder], { uid: 65534, gid: 65534, cwd: '/' }).status === 0;
}

let parent: string;
let directory: string;
const children: ChildProcess[] = [];
const said: string[] = [];
const log = (message: string) => said.push(message);

beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'airtime-embedded-'));
  chmodSync(parent, 0o755);
  directory = join(parent, 'postgres');
  said.length = 0;
});

afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await stopEmbedded(directory);
  rmSync(parent, { recursive: true, force: true });
});

/** Runs a script in a process of its own; resolves with its first line of output. */
async function inProcess(
  script: string,
  identity: { uid?: number; gid?: number; detached?: boolean } = {},
): Promise<{ child: ChildProcess; line: string }> {
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
    ...identity,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  const [chunk] = (await Promise.race([
    once(child.stdout, 'data'),
    once(child, 'exit').then(() => ['ended without a word']),
  ])) as unknown[];
  return { child, line: String(chunk).trim() };
}

const startScript = (after: string) => `
  import { startEmbedded } from ${JSON.stringify(module)};
  const running = await startEmbedded({ directory: ${JSON.stringify(directory)}, log: () => undefined });
  console.log(running.port);
  ${after}`;

const value = (url: string, sql: string) =>
  withClient(url, async (client) => {
    const answer = await client.query<unknown[]>({ text: sql, rowMode: 'array' });
    return answer.rows[0]?.[0];
  });

describe('the embedded PostgreSQL', { timeout: 30_000 }, () => {
  it('is created once, keeps its data and its port, and tells nobody its passwords', async () => {
    const first = await startEmbedded({ directory, log });
    expect(first.adopted).toBe(false);
    await value(first.ownerUrl, 'CREATE TABLE kept AS SELECT 7 AS number');
    await first.stop();
    expect(isEmbeddedRunning(directory)).toBeUndefined();
    expect(existsSync(join(directory, 'data', 'postmaster.pid'))).toBe(false);

    const second = await startEmbedded({ directory, log });
    expect(second.port).toBe(first.port);
    expect(await value(second.ownerUrl, 'SELECT number FROM kept')).toBe(7);
    await second.stop();

    const credentials = join(directory, 'credentials.json');
    expect(statSync(credentials).mode & 0o777).toBe(0o600);
    const secrets = Object.values(JSON.parse(readFileSync(credentials, 'utf8')) as Record<string, string>);
    expect(new Set(secrets).size).toBe(3);
    const written = said.join('\n') + readFileSync(join(directory, 'postgres.log'), 'utf8');
    for (const secret of secrets) expect(written).not.toContain(secret);
  });

  it('listens on this machine only, in UTC, and writes to disk before it answers', async () => {
    const running = await startEmbedded({ directory, log });
    const setting = (name: string) => value(running.ownerUrl, `SHOW ${name}`);
    expect(await setting('listen_addresses')).toBe('127.0.0.1');
    expect(await value(running.adminUrl, 'SHOW unix_socket_directories')).toBe('');
    expect(await value(running.adminUrl, "SELECT reset_val FROM pg_settings WHERE name = 'log_timezone'")).toBe('UTC');
    expect(await setting('fsync')).toBe('on');
    expect(await setting('synchronous_commit')).toBe('on');
    expect(await value(running.ownerUrl, "SELECT lower('ÖÉ') || (SELECT min(x) FROM (VALUES ('b'), ('B')) v(x))")).toBe(
      'öéB',
    );
    await running.stop();
  });

  it('takes another port when its own is occupied', async () => {
    const first = await startEmbedded({ directory, log });
    await first.stop();
    const squatter = createServer().listen(first.port, '127.0.0.1');
    await once(squatter, 'listening');
    const second = await startEmbedded({ directory, log });
    expect(second.port).not.toBe(first.port);
    expect(await value(second.serverUrl, 'SELECT 1')).toBe(1);
    squatter.close();
    await second.stop();
  });

  it('is adopted when its process was killed, and stopped by the one that adopted it', async () => {
    const { child, line } = await inProcess(startScript("process.kill(process.pid, 'SIGKILL');"));
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    expect(isEmbeddedRunning(directory)?.port).toBe(Number(line));

    const adopted = await startEmbedded({ directory, log });
    expect(adopted.adopted).toBe(true);
    expect(adopted.port).toBe(Number(line));
    await adopted.stop();
    expect(isEmbeddedRunning(directory)).toBeUndefined();
  });

  it('is left alone by a guest while the process that keeps it lives', async () => {
    await inProcess(startScript('setInterval(() => undefined, 1000);'));
    const guest = await startEmbedded({ directory, log });
    expect(guest.adopted).toBe(true);
    await guest.stop();
    expect(await value(guest.serverUrl, 'SELECT 1')).toBe(1);
    expect(await stopEmbedded(directory)).toBe(true);
    expect(await stopEmbedded(directory)).toBe(false);
  });

  it('is one and the same for processes that start together on an empty folder', async () => {
    const stay = startScript('setInterval(() => undefined, 1000);');
    const started = await Promise.all([
      inProcess(stay),
      inProcess(stay),
      inProcess(stay),
      startEmbedded({ directory, log }).then(({ port }) => ({ line: String(port) })),
    ]);
    expect(new Set(started.map(({ line }) => line)).size).toBe(1);
    expect(readdirSync(directory).filter((name) => name.startsWith('new-data') || name.includes('json.'))).toEqual([]);
  });

  it.runIf(onLinux)('outlives a Ctrl-C meant for the program', async () => {
    const { child, line } = await inProcess(startScript('setInterval(() => undefined, 1000);'), { detached: true });
    process.kill(-(child.pid ?? 0), 'SIGINT');
    await once(child, 'exit');
    await sleep(100);
    expect(isEmbeddedRunning(directory)?.port).toBe(Number(line));
  });

  it('clears away a creation that was cut short', async () => {
    const { child } = await inProcess("console.log('gone')");
    if (child.exitCode === null) await once(child, 'exit');
    const leftover = join(directory, `new-data-${child.pid}`);
    mkdirSync(join(leftover, 'data'), { recursive: true });
    writeFileSync(join(leftover, 'data', 'PG_VERSION'), '18\n');
    const running = await startEmbedded({ directory, log });
    expect(existsSync(leftover)).toBe(false);
    await running.stop();
  });

  it('starts although postmaster.pid names a living process that is no PostgreSQL', async () => {
    const first = await startEmbedded({ directory, log });
    const pidFile = join(directory, 'data', 'postmaster.pid');
    const lines = readFileSync(pidFile, 'utf8').split('\n');
    killFamily();
    const stranger = spawn('sleep', ['60'], { stdio: 'ignore' });
    children.push(stranger);
    writeFileSync(pidFile, [String(stranger.pid), ...lines.slice(1)].join('\n'));
    expect(isEmbeddedRunning(directory)).toBeUndefined();
    const second = await startEmbedded({ directory, log });
    expect(await value(second.serverUrl, 'SELECT 1')).toBe(1);
    expect(processIsAlive(stranger.pid ?? 0)).toBe(true);
    expect(second.port).toBe(first.port);
    await second.stop();
  });

  it.runIf(onLinux)('starts although helpers of a killed PostgreSQL still run', async () => {
    const first = await startEmbedded({ directory, log });
    await value(first.ownerUrl, 'CREATE TABLE busy (id int)');
    const spinning = value(first.ownerUrl, 'DO $$ BEGIN LOOP PERFORM 1; END LOOP; END $$').catch(() => 'cut off');
    await sleep(100);
    const postmaster = isEmbeddedRunning(directory)?.pid ?? 0;
    process.kill(postmaster, 'SIGKILL');
    await sleep(50);
    expect(processesIn(realpathSync(join(directory, 'data'))).length).toBeGreaterThan(0);
    const second = await startEmbedded({ directory, log });
    expect(await spinning).toBe('cut off');
    expect(await value(second.ownerUrl, 'SELECT count(*)::int FROM busy')).toBe(0);
    await second.stop();
  });

  it('loses no acknowledged write when everything is killed, three times', { timeout: 60_000 }, async () => {
    const acknowledged: number[] = [];
    let next = 0;
    for (let round = 0; round < 3; round++) {
      const running = await startEmbedded({ directory, log });
      await value(running.ownerUrl, 'CREATE TABLE IF NOT EXISTS written (id int PRIMARY KEY)');
      const present = await withClient(running.ownerUrl, async (client) => {
        const answer = await client.query<{ id: number }>('SELECT id FROM written');
        return new Set(answer.rows.map(({ id }) => id));
      });
      expect(acknowledged.filter((id) => !present.has(id))).toEqual([]);
      const writers = Array.from({ length: 4 }, () =>
        withClient(running.ownerUrl, async (client) => {
          for (;;) {
            const id = next++;
            await client.query('INSERT INTO written VALUES ($1)', [id]);
            acknowledged.push(id);
          }
        }).catch((error: unknown) => error),
      );
      await sleep(200 + 50 * round);
      killFamily();
      await Promise.all(writers);
    }
    const last = await startEmbedded({ directory, log });
    const kept = await value(last.ownerUrl, `SELECT count(*)::int FROM written WHERE id = ANY('{${acknowledged}}')`);
    expect(acknowledged.length).toBeGreaterThan(100);
    expect(kept).toBe(acknowledged.length);
    await last.stop();
  });

  it('says what to do when the passwords are lost, and when the data is of another version', async () => {
    const first = await startEmbedded({ directory, log });
    await first.stop();
    const credentials = readFileSync(join(directory, 'credentials.json'), 'utf8');
    rmSync(join(directory, 'credentials.json'));
    await expect(startEmbedded({ directory, log })).rejects.toThrow(/credentials\.json is missing/);
    writeFileSync(join(directory, 'credentials.json'), credentials);
    writeFileSync(join(directory, 'data', 'PG_VERSION'), '14\n');
    await expect(startEmbedded({ directory, log })).rejects.toThrow(/made by PostgreSQL 14/);
  });

  it('quotes PostgreSQL when it refuses to start', async () => {
    const first = await startEmbedded({ directory, log });
    await first.stop();
    writeFileSync(join(directory, 'data', 'postgresql.conf'), 'no_such_setting = 1\n');
    await expect(startEmbedded({ directory, log })).rejects.toThrow(/no_such_setting/);
  });
});

describe('the ways to run it', { timeout: 30_000 }, () => {
  it('makes the library links itself where install scripts were refused', async () => {
    const native = copyBinaries(findBinaries(), directory);
    const library = join(native, 'lib');
    const links = readdirSync(library, { withFileTypes: true }).filter((entry) => entry.isSymbolicLink());
    if (onLinux) expect(links.length).toBeGreaterThan(0);
    for (const link of links) rmSync(join(library, link.name));
    linkLibraries(native);
    const { output, reason } = await runToEnd(join(native, 'bin', 'postgres'), ['--version']);
    expect(reason).toBeUndefined();
    expect(output).toContain('PostgreSQL');
    expect(copyBinaries(findBinaries(), directory)).toBe(native);
  });

  it.runIf(asRoot && onLinux)('serves root inside a home that is closed to others', async () => {
    chmodSync(parent, 0o700);
    const running = await startEmbedded({ directory, log });
    expect(await value(running.serverUrl, 'SELECT 1')).toBe(1);
    await running.stop();
  });

  it.runIf(asRoot && onLinux)(
    'serves root where user namespaces are refused, and goes back when they return',
    async () => {
      await withOnlyTools([], async () => {
        const running = await startEmbedded({ directory, log });
        expect(await value(running.ownerUrl, 'SELECT 1')).toBe(1);
        expect(statSync(join(directory, 'data')).uid).not.toBe(0);
        expect(statSync(join(directory, 'credentials.json')).uid).toBe(0);
        await running.stop();
      });
      const again = await startEmbedded({ directory, log });
      expect(await value(again.ownerUrl, 'SELECT 1')).toBe(1);
      expect(statSync(join(directory, 'data')).uid).toBe(0);
      await again.stop();
    },
  );

  it.runIf(asRoot && onLinux)('serves root without namespaces inside a closed home', async () => {
    chmodSync(parent, 0o700);
    await withOnlyTools(['setpriv'], async () => {
      const running = await startEmbedded({ directory, log });
      expect(said.join()).toContain('closed folders');
      expect(await value(running.ownerUrl, 'SELECT 1')).toBe(1);
      await running.stop();
    });
  });

  it.runIf(asRoot && onLinux)(
    'serves root without namespaces when the program itself is inside a closed home',
    async () => {
      const native = copyBinaries(findBinaries(), join(parent, 'program'));
      mkdirSync(directory, { recursive: true });
      chmodSync(parent, 0o700);
      await withOnlyTools(['setpriv'], async () => {
        const launcher = await chooseLauncher({ ...findBinaries(), native }, directory);
        if (!launcher.dataOwner) throw new Error('PostgreSQL runs as somebody');
        const data = join(directory, 'fresh');
        mkdirSync(data);
        chownSync(data, launcher.dataOwner.uid, launcher.dataOwner.gid);
        const { file, args } = launcher.command('initdb', ['-D', data, '-U', 'postgres', '--auth', 'trust']);
        expect(args.join(' ')).toContain(openCache);
        expect((await runToEnd(file, args, launcher.identity)).reason).toBeUndefined();
      });
    },
  );

  it.runIf(asRoot && onLinux)('names every way it tried when none works', async () => {
    chmodSync(parent, 0o700);
    await withOnlyTools([], async () => {
      await expect(startEmbedded({ directory, log })).rejects.toThrow(
        /user namespace[\s\S]*cannot enter[\s\S]*setpriv[\s\S]*DATABASE_URL/,
      );
    });
  });

  // Where the sources are inside a closed home there is no ordinary user of them.
  it.runIf(asRoot && onLinux && othersReach(import.meta.dirname))('serves an ordinary user', async () => {
    chmodSync(parent, 0o777);
    const { line } = await inProcess(startScript('await running.stop();'), { uid: 65534, gid: 65534 });
    expect(Number(line)).toBeGreaterThan(0);
    expect(statSync(join(directory, 'data')).uid).toBe(65534);
  });
});

describe('a process stamp', () => {
  it.runIf(onLinux)('tells two processes with one number apart', () => {
    expect(processStamp(process.pid)).toMatch(/^\d+ \d+$/);
    expect(processIsAlive(2 ** 22 + 1)).toBe(false);
    expect(stampIsAlive(processStamp(process.pid))).toBe(true);
    expect(stampIsAlive(`${process.pid} 1`)).toBe(false);
  });

  it.skipIf(process.platform === 'win32')('goes with the words the process was started with', () => {
    expect(commandLine(process.pid)).toContain('node');
    expect(commandLine(2 ** 22 + 1)).toBeUndefined();
  });
});

/** Kills the first process and all its helpers at once, as a power cut would. */
function killFamily(): void {
  const pid = isEmbeddedRunning(directory)?.pid;
  const family = processesIn(realpathSync(join(directory, 'data')));
  for (const member of new Set([...(pid ? [pid] : []), ...family])) {
    try {
      process.kill(member, 'SIGKILL');
    } catch (error) {
      if (!hasCode(error, 'ESRCH')) throw error;
    }
  }
}

/** Leaves only the named programs to be found, as on a machine that lacks the others. */
async function withOnlyTools(names: string[], work: () => Promise<void>): Promise<void> {
  const path = process.env.PATH;
  const tools = join(parent, 'tools');
  mkdirSync(tools);
  for (const name of names) symlinkSync(`/usr/bin/${name}`, join(tools, name));
  process.env.PATH = tools;
  try {
    await work();
  } finally {
    process.env.PATH = path;
  }
}
