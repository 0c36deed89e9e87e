import { createHash, randomUUID } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type pg from 'pg';
import { hasCode, sleep } from './processes.ts';
import { serverRole, withClient } from './roles.ts';

/** A migration as it lies on disk. */
export interface Migration {
  name: string;
  sql: string;
  /** sha256 of the file, hexadecimal: what Prisma writes, so its own tools agree. */
  checksum: string;
}

interface Recorded {
  migration_name: string;
  checksum: string;
  finished_at: Date | null;
  rolled_back_at: Date | null;
}

/** The number Prisma's engine locks, so that its tools and this program never migrate at the same time. */
const lockKey = 72707369;

/** The first line of a migration that cannot run inside a transaction, such as CREATE INDEX CONCURRENTLY. */
const noTransaction = /^\s*--\s*airtime:\s*no transaction\b/;

/**
 * Applies the migrations that the database has not seen, in order of name, each in its own transaction.
 * Safe when many processes start at once: one applies, the others wait and find it done.
 * When nothing is to be done it costs one connection and one query.
 * @param ownerUrl address of the role that owns the tables.
 * @param directory holds one folder for each migration, with `migration.sql` in it.
 * @throws Error when a migration fails, failed before, was edited after it was applied, or is unknown to this program.
 */
export function migrate(ownerUrl: string, directory: string): Promise<{ applied: string[] }> {
  return withClient(ownerUrl, (owner) => migrateOn(owner, directory));
}

/** As `migrate`, on an open connection whose session is in UTC. */
export async function migrateOn(owner: pg.Client, directory: string): Promise<{ applied: string[] }> {
  const migrations = readMigrations(directory);
  if (pending(migrations, await readRecorded(owner)).length === 0) return { applied: [] };

  await takeLock(owner);
  try {
    await createTable(owner);
    const applied: string[] = [];
    for (const migration of pending(migrations, await readRecorded(owner))) {
      if (noTransaction.test(migration.sql)) await applyAlone(owner, migration);
      else await applyInTransaction(owner, migration);
      applied.push(migration.name);
    }
    return { applied };
  } finally {
    await owner.query('SELECT pg_advisory_unlock($1)', [lockKey]);
  }
}

/** Reads the folder of migrations, in order of name. */
export function readMigrations(directory: string): Migration[] {
  if (!existsSync(directory)) throw new Error(`There is no folder of migrations at ${directory}.`);
  return readdirSync(directory, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && existsSync(join(directory, entry.name, 'migration.sql')))
    .map((entry) => entry.name)
    .sort()
    .map((name) => {
      const content = readFileSync(join(directory, name, 'migration.sql'));
      return { name, sql: content.toString('utf8'), checksum: createHash('sha256').update(content).digest('hex') };
    });
}

async function readRecorded(owner: pg.Client): Promise<Recorded[]> {
  try {
    const answer = await owner.query<Recorded>(
      'SELECT migration_name, checksum, finished_at, rolled_back_at FROM _prisma_migrations ORDER BY started_at',
    );
    return answer.rows;
  } catch (error) {
    // No such table: a database that was never migrated.
    if (hasCode(error, '42P01')) return [];
    throw error;
  }
}

/** Compares what lies on disk with what the database says, and refuses to go on where the two disagree. */
function pending(migrations: Migration[], recorded: Recorded[]): Migration[] {
  const standing = recorded.filter((record) => record.rolled_back_at === null);
  const failed = standing.find((record) => record.finished_at === null);
  if (failed) {
    throw new Error(
      `Migration ${failed.migration_name} began on this database and did not finish. Put right what it left behind ` +
        '(the column logs of _prisma_migrations says why it failed), then let it run again with:\n' +
        `  UPDATE _prisma_migrations SET rolled_back_at = now() WHERE migration_name = '${failed.migration_name}' AND finished_at IS NULL;`,
    );
  }
  const byName = new Map(migrations.map((migration) => [migration.name, migration]));
  const unknown = standing.filter((record) => !byName.has(record.migration_name));
  if (unknown.length > 0) {
    throw new Error(
      `The database is ahead of this program: it has ${unknown.map((record) => record.migration_name).join(', ')}, ` +
        'which this version does not know. Start the newer version, or point this one at another database.',
    );
  }
  const edited = standing.find((record) => byName.get(record.migration_name)?.checksum !== record.checksum);
  if (edited) {
    throw new Error(
      `Migration ${edited.migration_name} was edited after it had been applied to this database. ` +
        'Put the file back as it was, and write the change as a new migration.',
    );
  }
  const done = new Set(standing.map((record) => record.migration_name));
  return migrations.filter((migration) => !done.has(migration.name));
}

/**
 * Waits for the lock by asking again and again. A session that waits inside PostgreSQL is a running transaction, and
 * CREATE INDEX CONCURRENTLY waits for those: the two would wait for each other.
 */
async function takeLock(owner: pg.Client): Promise<void> {
  for (;;) {
    const answer = await owner.query<{ taken: boolean }>('SELECT pg_try_advisory_lock($1) AS taken', [lockKey]);
    if (answer.rows[0]?.taken) return;
    await sleep(25);
  }
}

/** The table as Prisma makes it. The server has no business with it. */
async function createTable(owner: pg.Client): Promise<void> {
  await owner.query(`
    CREATE TABLE IF NOT EXISTS _prisma_migrations (
      id varchar(36) PRIMARY KEY NOT NULL,
      checksum varchar(64) NOT NULL,
      finished_at timestamptz,
      migration_name varchar(255) NOT NULL,
      logs text,
      rolled_back_at timestamptz,
      started_at timestamptz NOT NULL DEFAULT now(),
      applied_steps_count integer NOT NULL DEFAULT 0
    );
    DO $$ BEGIN
      IF EXISTS (SELECT FROM pg_roles WHERE rolname = '${serverRole}') THEN
        REVOKE ALL ON _prisma_migrations FROM ${serverRole};
      END IF;
    END $$`);
}

/** For so long a migration waits for a table. Whoever comes after it waits behind it, so it is less than a caller's patience. */
const lockTimeoutMs = 1000;
/** Between two tries, so that those who waited behind it are served. */
const lockPauseMs = 500;
const lockTriesMax = 120;

/**
 * Applies one migration while the version before it goes on serving. It needs a table for a moment that others are using:
 * it asks for it briefly, gives way to those who came after, and asks again.
 */
async function applyInTransaction(owner: pg.Client, migration: Migration): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await applyOnce(owner, migration);
    } catch (error) {
      const cause = error instanceof Error ? error.cause : undefined;
      if (attempt === lockTriesMax || !hasCode(cause, '55P03')) throw error;
      await sleep(lockPauseMs);
    }
  }
}

async function applyOnce(owner: pg.Client, migration: Migration): Promise<void> {
  try {
    await owner.query(`BEGIN; SET LOCAL lock_timeout = ${lockTimeoutMs}`);
    // Sent as one script: PostgreSQL itself tells statements apart, function bodies included.
    await owner.query(migration.sql);
    await owner.query(
      `INSERT INTO _prisma_migrations (id, checksum, migration_name, started_at, finished_at, applied_steps_count)
       VALUES ($1, $2, $3, now(), clock_timestamp(), 1)`,
      [randomUUID(), migration.checksum, migration.name],
    );
    await owner.query('COMMIT');
  } catch (error) {
    await owner.query('ROLLBACK').catch(() => undefined);
    throw new Error(`Migration ${migration.name} failed and left nothing behind${explain(error, migration.sql)}`, {
      cause: error,
    });
  }
}

/** One statement outside a transaction. It may leave something behind when it fails, so its beginning is recorded. */
async function applyAlone(owner: pg.Client, migration: Migration): Promise<void> {
  const id = randomUUID();
  await owner.query('INSERT INTO _prisma_migrations (id, checksum, migration_name) VALUES ($1, $2, $3)', [
    id,
    migration.checksum,
    migration.name,
  ]);
  try {
    // As a named statement PostgreSQL takes exactly one, and so opens no transaction around several.
    await owner.query({ name: id, text: migration.sql });
  } catch (error) {
    const reason = explain(error, migration.sql);
    await owner.query('UPDATE _prisma_migrations SET logs = $2 WHERE id = $1', [id, reason]);
    throw new Error(`Migration ${migration.name} (without a transaction) failed${reason}`, { cause: error });
  }
  await owner.query('UPDATE _prisma_migrations SET finished_at = now(), applied_steps_count = 1 WHERE id = $1', [id]);
}

/** PostgreSQL's sentence, with the line of the file it points at. */
function explain(error: unknown, sql: string): string {
  if (!(error instanceof Error)) return `: ${String(error)}`;
  const position = 'position' in error ? Number(error.position) : Number.NaN;
  const line = Number.isNaN(position) ? '' : ` (line ${sql.slice(0, position).split('\n').length})`;
  const detail = 'detail' in error && typeof error.detail === 'string' ? ` ${error.detail}` : '';
  return `${line}: ${error.message}.${detail}`;
}
