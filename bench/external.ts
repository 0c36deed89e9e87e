import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import pg from 'pg';
import { runToEnd } from '../app/database/embedded-binaries.ts';
import { unprivilegedUser } from '../app/database/processes.ts';
import { pause } from './server.ts';

// A PostgreSQL that did not come with the program, as an operator has one: the binaries of the machine, with the settings
// they bring, on a folder of their own that is gone afterwards.

const startMsMax = 30_000;
/** Where distributions put the binaries of each version. */
const places = ['/usr/lib/postgresql', '/usr/local/lib/postgresql', '/opt/homebrew/opt'];

export interface Cluster {
  readonly postmaster: number;
  /** Address of the superuser. */
  readonly adminUrl: string;
  /** A new, empty database with an owner, and a user for the server who owns nothing. */
  database(name: string): Promise<{ databaseUrl: string; migrationUrl: string }>;
  stop(): Promise<void>;
}

/** The folder of initdb and postgres, the newest there is; `AIRTIME_BENCH_POSTGRES` names another. */
export function findPostgres(): string | undefined {
  const named = process.env.AIRTIME_BENCH_POSTGRES;
  if (named) return existsSync(join(named, 'initdb')) ? named : undefined;
  const found = places
    .filter((place) => existsSync(place))
    .flatMap((place) => readdirSync(place).map((name) => ({ bin: join(place, name, 'bin'), version: versionOf(name) })))
    .filter(({ bin, version }) => version >= 15 && existsSync(join(bin, 'initdb')))
    .sort((a, b) => b.version - a.version);
  return found[0]?.bin;
}

const versionOf = (name: string): number => Number(/(\d+)$/.exec(name)?.[1] ?? 0);

export const whyNotExternal =
  'no PostgreSQL 15 or later is installed on this machine (Debian: postgresql); AIRTIME_BENCH_POSTGRES names the folder of its binaries';

/** @param folder is closed to others until now: where the cluster runs as another user it may be passed through. */
export async function startCluster(
  bin: string,
  folder: string,
  settings: Readonly<Record<string, string>> = {},
): Promise<Cluster> {
  const user = process.getuid?.() === 0 ? unprivilegedUser() : undefined;
  const place = join(folder, 'cluster');
  mkdirSync(place, { recursive: true, mode: 0o700 });
  if (user) {
    chmodSync(folder, 0o711);
    chownSync(place, user.uid, user.gid);
  }
  const password = randomBytes(24).toString('base64url');
  const passwordFile = join(place, 'password');
  writeFileSync(passwordFile, `${password}\n`, { mode: 0o600 });
  if (user) chownSync(passwordFile, user.uid, user.gid);
  const data = join(place, 'data');
  const made = await runToEnd(
    join(bin, 'initdb'),
    [
      '-D',
      data,
      '-U',
      'postgres',
      '--pwfile',
      passwordFile,
      '--auth',
      'scram-sha-256',
      '--encoding',
      'UTF8',
      '--locale',
      'C',
    ],
    user,
  );
  if (made.reason !== undefined) throw new Error(`initdb: ${made.reason}`);

  const port = await freePort();
  const given = { port: String(port), listen_addresses: '127.0.0.1', unix_socket_directories: '', ...settings };
  const logFile = join(folder, 'cluster.log');
  const output = openSync(logFile, 'a', 0o600);
  const child = spawn(
    join(bin, 'postgres'),
    ['-D', data, ...Object.entries(given).flatMap(([name, value]) => ['-c', `${name}=${value}`])],
    { ...user, cwd: '/', env: { PATH: process.env.PATH, LC_ALL: 'C' }, stdio: ['ignore', output, output] },
  );
  // A measurement that is broken off leaves nothing running.
  const end = () => child.kill('SIGINT');
  process.once('exit', end);
  child.once('exit', () => process.off('exit', end));
  const url = (user: string, secret: string, database: string) =>
    `postgresql://${user}:${secret}@127.0.0.1:${port}/${database}`;
  const adminUrl = url('postgres', password, 'postgres');
  await answering(adminUrl, child, logFile);

  const [owner, server] = [randomBytes(24).toString('base64url'), randomBytes(24).toString('base64url')];
  await runAs(adminUrl, [
    `CREATE ROLE bench_owner LOGIN CREATEROLE PASSWORD '${owner}'`,
    `CREATE ROLE bench_server LOGIN PASSWORD '${server}'`,
  ]);
  return {
    postmaster: child.pid ?? 0,
    adminUrl,
    async database(name) {
      await runAs(adminUrl, [`CREATE DATABASE ${name} OWNER bench_owner`]);
      return { databaseUrl: url('bench_server', server, name), migrationUrl: url('bench_owner', owner, name) };
    },
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGINT');
      const late = setTimeout(() => child.kill('SIGQUIT'), 20_000);
      await ended;
      clearTimeout(late);
    },
  };
}

async function answering(url: string, child: ChildProcess, logFile: string): Promise<void> {
  const until = Date.now() + startMsMax;
  for (;;) {
    try {
      await runAs(url, ['SELECT 1']);
      return;
    } catch (error) {
      if (child.exitCode !== null) throw new Error(`PostgreSQL ended:\n${readFileSync(logFile, 'utf8')}`);
      if (Date.now() > until) throw error;
    }
    await pause(50);
  }
}

/** Runs statements one after the other, on a connection of their own. */
export async function runAs(url: string, statements: readonly string[]): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    for (const statement of statements) await client.query(statement);
  } finally {
    await client.end();
  }
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port is free');
  return address.port;
}
