import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { migrate } from './migrate.ts';
import { sleep } from './processes.ts';
import { withClient } from './roles.ts';
import { emptyTestDatabase, type TestDatabase } from './testing.ts';

let database: TestDatabase;
let directory: string;

beforeEach(async () => {
  database = await emptyTestDatabase();
  directory = mkdtempSync(join(tmpdir(), 'airtime-migrations-'));
});
afterEach(async () => {
  await database.drop();
  rmSync(directory, { recursive: true, force: true });
});

function write(name: string, sql: string): void {
  mkdirSync(join(directory, name), { recursive: true });
  writeFileSync(join(directory, name, 'migration.sql'), sql);
}

it('gives way to those who work on the table it needs, and has it in the end', async () => {
  write('20260101000000_first', 'CREATE TABLE one (id int PRIMARY KEY);');
  await migrate(database.ownerUrl, directory);
  write('20260102000000_second', 'ALTER TABLE one ADD COLUMN name text;');

  // A report that reads for four seconds; the migration behind it; and callers, who would queue behind the migration.
  const reading = withClient(database.ownerUrl, async (client) => {
    await client.query('BEGIN; SELECT count(*) FROM one');
    await sleep(4000);
    await client.query('COMMIT');
  });
  await sleep(100);
  const migrating = migrate(database.ownerUrl, directory);
  let isOver = false;
  void migrating.finally(() => {
    isOver = true;
  });
  const waits: number[] = [];
  await withClient(database.ownerUrl, async (client) => {
    while (!isOver) {
      const began = performance.now();
      await client.query('SELECT id FROM one');
      waits.push(performance.now() - began);
      await sleep(20);
    }
  });
  expect(await migrating).toEqual({ applied: ['20260102000000_second'] });
  await reading;
  expect(waits.length).toBeGreaterThan(20);
  expect(Math.max(...waits)).toBeLessThan(2000);
});
