import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isEmbeddedRunning, stopEmbedded } from './embedded-postgres.ts';
import { withClient } from './roles.ts';
import { startDatabase } from './start.ts';
import { emptyTestDatabase } from './testing.ts';

let parent: string;
let directory: string;
let migrations: string;
const log = () => undefined;

beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'airtime-start-'));
  directory = join(parent, 'postgres');
  migrations = join(parent, 'migrations');
  mkdirSync(join(migrations, '20260101000000_first'), { recursive: true });
  write('CREATE TABLE line (id bigserial PRIMARY KEY);');
});
afterEach(async () => {
  await stopEmbedded(directory);
  rmSync(parent, { recursive: true, force: true });
});

const write = (sql: string) => writeFileSync(join(migrations, '20260101000000_first', 'migration.sql'), sql);

describe('starting the database', { timeout: 30_000 }, () => {
  it('brings its own, migrated, and finds it so the next time', async () => {
    const first = await startDatabase({ directory, migrations, log });
    expect(first).toMatchObject({ embedded: true, applied: ['20260101000000_first'] });
    await withClient(first.serverUrl, (client) => client.query('INSERT INTO line DEFAULT VALUES'));
    await first.stop();
    const second = await startDatabase({ directory, migrations, log });
    expect(second.applied).toEqual([]);
    const lines = await withClient(second.serverUrl, (client) => client.query('SELECT id FROM line'));
    expect(lines.rowCount).toBe(1);
    await expect(withClient(second.serverUrl, (client) => client.query('TRUNCATE line'))).rejects.toThrow(/permission/);
    await second.stop();
  });

  it('does not leave its own running when a migration fails', async () => {
    write('CREATE TABLE line (id nonsense);');
    await expect(startDatabase({ directory, migrations, log })).rejects.toThrow(/nonsense/);
    expect(isEmbeddedRunning(directory)).toBeUndefined();
  });

  it('uses another PostgreSQL when it is given one, and leaves it running', async () => {
    const other = await emptyTestDatabase();
    const started = await startDatabase({
      databaseUrl: other.serverUrl,
      migrationUrl: other.ownerUrl,
      directory,
      migrations,
      log,
    });
    expect(started.embedded).toBe(false);
    await started.stop();
    const lines = await withClient(started.serverUrl, (client) => client.query('SELECT id FROM line'));
    expect(lines.rowCount).toBe(0);
    expect(isEmbeddedRunning(directory)).toBeUndefined();
    await other.drop();
  });
});
