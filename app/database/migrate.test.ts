import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { migrate } from './migrate.ts';
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

const rows = (sql: string) =>
  withClient(database.ownerUrl, async (client) => (await client.query<Record<string, unknown>>(sql)).rows);

const withFunction = `
  CREATE TABLE one (id int PRIMARY KEY, at timestamptz NOT NULL DEFAULT now());
  CREATE FUNCTION semicolons() RETURNS text LANGUAGE plpgsql AS $$ BEGIN PERFORM 1; RETURN 'a;b'; END $$;
  INSERT INTO one VALUES (1, '2026-01-01 00:00:00');`;

describe('migrate', () => {
  it('applies what is new, in order, once, in UTC', async () => {
    write('20260102000000_second', 'ALTER TABLE one ADD COLUMN name text;');
    write('20260101000000_first', withFunction);
    expect(await migrate(database.ownerUrl, directory)).toEqual({
      applied: ['20260101000000_first', '20260102000000_second'],
    });
    expect(await migrate(database.ownerUrl, directory)).toEqual({ applied: [] });
    write('20260103000000_third', 'INSERT INTO one (id) VALUES (3);');
    expect(await migrate(database.ownerUrl, directory)).toEqual({ applied: ['20260103000000_third'] });
    expect(await rows('SELECT id, semicolons() AS text FROM one ORDER BY id')).toEqual([
      { id: 1, text: 'a;b' },
      { id: 3, text: 'a;b' },
    ]);
    expect(await rows("SELECT at = '2026-01-01T00:00:00Z' AS utc FROM one WHERE id = 1")).toEqual([{ utc: true }]);
    const records = await rows('SELECT * FROM _prisma_migrations ORDER BY migration_name');
    expect(records).toHaveLength(3);
    expect(records[0]).toMatchObject({ rolled_back_at: null, applied_steps_count: 1 });
    expect(records[0]?.checksum).toMatch(/^[0-9a-f]{64}$/);
  });

  it('costs little when there is nothing to do', async () => {
    write('20260101000000_first', withFunction);
    await migrate(database.ownerUrl, directory);
    const times: number[] = [];
    for (let turn = 0; turn < 5; turn++) {
      const began = performance.now();
      await migrate(database.ownerUrl, directory);
      times.push(performance.now() - began);
    }
    // Under 10 ms on an idle machine, connection included; the best of five with room for a busy one.
    expect(Math.min(...times)).toBeLessThan(40);
  });

  it('applies once when four processes start at the same time, index without transaction included', async () => {
    write('20260101000000_first', `${withFunction} SELECT pg_sleep(0.3);`);
    write('20260102000000_index', '-- airtime: no transaction\nCREATE INDEX CONCURRENTLY one_at ON one (at);');
    const module = JSON.stringify(new URL('./migrate.ts', import.meta.url).href);
    const script = `import { migrate } from ${module};
      const { applied } = await migrate(${JSON.stringify(database.ownerUrl)}, ${JSON.stringify(directory)});
      console.log(applied.length);`;
    const counts = await Promise.all(
      Array.from({ length: 4 }, async () => {
        const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
          stdio: ['ignore', 'pipe', 'inherit'],
        });
        let output = '';
        for await (const chunk of child.stdout) output += String(chunk);
        return Number(output);
      }),
    );
    expect(counts.sort()).toEqual([0, 0, 0, 2]);
    expect(await rows("SELECT indisvalid FROM pg_index WHERE indexrelid = 'one_at'::regclass")).toEqual([
      { indisvalid: true },
    ]);
    expect(await rows('SELECT count(*)::int AS n FROM _prisma_migrations')).toEqual([{ n: 2 }]);
  });

  it('refuses a migration that was edited after it was applied', async () => {
    write('20260101000000_first', withFunction);
    await migrate(database.ownerUrl, directory);
    write('20260101000000_first', `${withFunction} -- and one more thought`);
    await expect(migrate(database.ownerUrl, directory)).rejects.toThrow(/20260101000000_first was edited/);
  });

  it('refuses a database that is ahead of the program', async () => {
    write('20260101000000_first', withFunction);
    write('20260102000000_second', 'SELECT 1;');
    await migrate(database.ownerUrl, directory);
    rmSync(join(directory, '20260102000000_second'), { recursive: true });
    await expect(migrate(database.ownerUrl, directory)).rejects.toThrow(/ahead of this program.*20260102000000_second/);
  });

  it('leaves nothing of a migration that fails, and says where it failed', async () => {
    write('20260101000000_first', withFunction);
    write('20260102000000_second', 'CREATE TABLE two (id int);\nALTER TABLE two\n  ADD COLUMN x nonsense;');
    await expect(migrate(database.ownerUrl, directory)).rejects.toThrow(
      /20260102000000_second failed.*line 3.*type "nonsense" does not exist/,
    );
    expect(await rows("SELECT to_regclass('two') AS two, to_regclass('one')::text AS one")).toEqual([
      { two: null, one: 'one' },
    ]);
    write('20260102000000_second', 'CREATE TABLE two (id int);');
    expect(await migrate(database.ownerUrl, directory)).toEqual({ applied: ['20260102000000_second'] });
  });

  it('refuses to go on after a failure outside a transaction until somebody has looked', async () => {
    write('20260101000000_first', `${withFunction} INSERT INTO one VALUES (2);`);
    write(
      '20260102000000_unique',
      '-- airtime: no transaction\nCREATE UNIQUE INDEX CONCURRENTLY one_true ON one ((true));',
    );
    await expect(migrate(database.ownerUrl, directory)).rejects.toThrow(/could not create unique index/);
    await expect(migrate(database.ownerUrl, directory)).rejects.toThrow(/did not finish.*/);
    const remedy = await migrate(database.ownerUrl, directory).catch((error: Error) => error.message.split('\n')[1]);
    await rows('DROP INDEX one_true');
    await rows('DELETE FROM one WHERE id = 2');
    await rows(String(remedy));
    expect(await migrate(database.ownerUrl, directory)).toEqual({ applied: ['20260102000000_unique'] });
  });

  it('takes one statement only where there is no transaction', async () => {
    write('20260101000000_two', '-- airtime: no transaction\nCREATE TABLE a (id int); CREATE TABLE b (id int);');
    await expect(migrate(database.ownerUrl, directory)).rejects.toThrow(/multiple commands/);
    expect(await rows("SELECT to_regclass('a') AS a")).toEqual([{ a: null }]);
  });

  it('says so when the folder is missing', async () => {
    await expect(migrate(database.ownerUrl, join(directory, 'nowhere'))).rejects.toThrow(/no folder of migrations/);
  });
});
