import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, rmSync, statfsSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type EmbeddedPostgres, startEmbedded, stopEmbedded } from './embedded-postgres.ts';
import { readMigrations } from './migrate.ts';
import { processStamp, stampIsAlive } from './processes.ts';
import { ownerRole, withClient } from './roles.ts';
import { prepareTables } from './start.ts';

/** A database for one test file, with all migrations applied and no rows beyond what they insert. */
export interface TestDatabase {
  /** Its name. */
  database: string;
  /** Address of the role that owns the tables. */
  ownerUrl: string;
  /** Address of the role the server works as. */
  serverUrl: string;
  /** Removes the database, whoever is still connected. */
  drop(): Promise<void>;
}

/** One PostgreSQL that lives as long as a run of tests. It is started by the first test that asks for a database. */
export interface TestServer {
  testDatabase(): Promise<TestDatabase>;
  /** An empty database without roles' rights or migrations, owned by the owner role. */
  emptyDatabase(): Promise<TestDatabase>;
}

const prefix = 'airtime-test-';
/** The variable by which a run tells its worker processes where the server lives. */
export const directoryVariable = 'AIRTIME_TEST_DATABASE';
const ourMigrations = fileURLToPath(new URL('../../prisma/migrations', import.meta.url));

let shared: TestServer | undefined;

/**
 * Gives the calling test file a database of its own, cloned from a template that was migrated once, in about 0.1 s.
 * Needs `vitest-global-setup.ts` in the run.
 */
export function testDatabase(): Promise<TestDatabase> {
  return sharedServer().testDatabase();
}

/** The same with nothing in it: for tests of migrations and roles. */
export function emptyTestDatabase(): Promise<TestDatabase> {
  return sharedServer().emptyDatabase();
}

function sharedServer(): TestServer {
  const directory = process.env[directoryVariable];
  if (!directory) throw new Error('A test database needs app/database/vitest-global-setup.ts as vitest’s globalSetup.');
  shared ??= testServer(directory, ourMigrations);
  return shared;
}

/**
 * A server in `directory`, started when first asked for a database; call from as many processes as you like.
 * @param migrations the folder whose migrations every database begins with.
 */
export function testServer(directory: string, migrations: string): TestServer {
  let starting: Promise<EmbeddedPostgres> | undefined;
  let preparing: Promise<string> | undefined;
  const start = () => {
    starting ??= startEmbedded({ directory, log: () => undefined });
    return starting;
  };
  return {
    testDatabase: async () => {
      const server = await start();
      preparing ??= prepareTemplate(server, migrations);
      return createFrom(server, await preparing);
    },
    emptyDatabase: async () => createFrom(await start(), 'template1'),
  };
}

const onServer = (url: string, database: string): string => {
  const address = new URL(url);
  address.pathname = `/${database}`;
  return address.toString();
};

/** Migrates a template once for each state of the migrations folder. @returns its name. */
async function prepareTemplate(server: EmbeddedPostgres, migrations: string): Promise<string> {
  const state = createHash('sha256');
  for (const { name, checksum } of readMigrations(migrations)) state.update(`${name} ${checksum}\n`);
  const template = `template_${state.digest('hex').slice(0, 16)}`;
  await withClient(server.adminUrl, async (admin) => {
    await admin.query('SELECT pg_advisory_lock(72707371)');
    const ready = await admin.query('SELECT FROM pg_database WHERE datname = $1', [template]);
    if (ready.rowCount !== 0) return;
    // Built under another name: a template that failed half-way must not be cloned by the next file.
    await admin.query('DROP DATABASE IF EXISTS template_unfinished WITH (FORCE)');
    await admin.query(`CREATE DATABASE template_unfinished OWNER ${ownerRole}`);
    await prepareTables(onServer(server.ownerUrl, 'template_unfinished'), migrations);
    await admin.query(`ALTER DATABASE template_unfinished RENAME TO ${template}`);
  });
  return template;
}

async function createFrom(server: EmbeddedPostgres, template: string): Promise<TestDatabase> {
  const database = `test_${process.pid}_${randomBytes(4).toString('hex')}`;
  const asAdmin = (statement: string) =>
    withClient(server.adminUrl, async (admin) => {
      await admin.query(statement);
    });
  await asAdmin(`CREATE DATABASE ${database} TEMPLATE ${template} OWNER ${ownerRole}`);
  return {
    database,
    ownerUrl: onServer(server.ownerUrl, database),
    serverUrl: onServer(server.serverUrl, database),
    drop: () => asAdmin(`DROP DATABASE IF EXISTS ${database} WITH (FORCE)`),
  };
}

const inMemory = '/dev/shm';
/** Far more than the databases of a run ever hold, so that no run ends for want of memory. */
const roomBytes = 8 * 2 ** 30;

/**
 * Where a run's server lives. Each test file makes a database of a thousand files and removes it, and a disk without a
 * journal searches long for a place beside what was just removed: one eighth of a run's time, where memory has room.
 */
function testRoot(): string {
  if (!existsSync(inMemory) || process.availableMemory() < 2 * roomBytes) return tmpdir();
  const { bavail, bsize } = statfsSync(inMemory);
  return bavail * bsize < roomBytes ? tmpdir() : inMemory;
}

/**
 * Makes the folder for a run's server and clears away what runs that were interrupted left behind.
 * @param onDisk for what is measured: a disk, even where memory has room.
 * @returns the folder for `testServer`, and `remove`, which stops the server if one was started.
 */
export async function openTestDirectory({ onDisk = false } = {}): Promise<{
  directory: string;
  remove(): Promise<void>;
}> {
  for (const root of [tmpdir(), inMemory].filter(existsSync)) await clearAway(root);
  // The name says whose it is, so that a later run can tell whether its maker still lives.
  const [pid, started = ''] = processStamp(process.pid).split(' ');
  const root = onDisk ? tmpdir() : testRoot();
  const path = join(root, `${prefix}${pid}-${started}-${randomBytes(4).toString('hex')}`);
  mkdirSync(path, { mode: 0o700 });
  return { directory: join(path, 'postgres'), remove: () => removeTestDirectory(path) };
}

async function clearAway(root: string): Promise<void> {
  for (const name of readdirSync(root).filter((entry) => entry.startsWith(prefix))) {
    const [pid, started] = name.slice(prefix.length).split('-');
    const path = join(root, name);
    // What another user of the machine left behind is theirs to clear away. It may be gone between two looks.
    const owner = statSync(path, { throwIfNoEntry: false })?.uid;
    if (owner === process.getuid?.() && !stampIsAlive(`${pid} ${started}`)) await removeTestDirectory(path);
  }
}

async function removeTestDirectory(path: string): Promise<void> {
  await stopEmbedded(join(path, 'postgres'));
  rmSync(path, { recursive: true, force: true });
}
