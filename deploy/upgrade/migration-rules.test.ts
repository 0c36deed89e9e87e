import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readMigrations } from '../../app/database/migrate.ts';
import { root } from '../processes.ts';
import { judged, lastBeforeRules, migrationFaults } from './migration-rules.ts';
import { planted } from './versions.ts';

const migrations = readMigrations(join(root, 'prisma/migrations'));
const rulesOf = (sql: string): string[] => migrationFaults({ name: 'planted', sql }).map(({ rule }) => rule);

describe('what a migration may do while the version before it serves', () => {
  it('is kept by every migration from 0.1 on', () => {
    expect(migrations.map(({ name }) => name)).toContain(lastBeforeRules);
    expect(judged(migrations).flatMap(migrationFaults)).toEqual([]);
  });

  it('was not kept before: the function that the older version calls was dropped', () => {
    const found = migrations.filter(({ name }) => name === '20261128000100_usage_by_arrays').flatMap(migrationFaults);
    expect(found).toContainEqual(
      expect.objectContaining({ line: 4, rule: 'no function, procedure or type is dropped', found: 'DROP FUNCTION' }),
    );
    expect(found.map(({ rule }) => rule)).toContain('no index is dropped under a lock');
  });

  it.each([
    ['ALTER TABLE "customer" DROP COLUMN "name"', 'no column is dropped'],
    ['ALTER TABLE "customer"\n  DROP "name"', 'no column is dropped'],
    ['ALTER TABLE "customer" ALTER COLUMN "version" TYPE integer', 'no column changes its type'],
    ['ALTER TABLE "customer" ALTER "version" SET DATA TYPE integer', 'no column changes its type'],
    ['DROP FUNCTION claim_steps', 'no function, procedure or type is dropped'],
    ['drop type "usage_input"', 'no function, procedure or type is dropped'],
    ['DROP TABLE "ticket"', 'no table is dropped or renamed'],
    ['ALTER TABLE "ticket" RENAME COLUMN "a" TO "b"', 'no table is dropped or renamed'],
    ['ALTER TABLE "ticket" ADD COLUMN "rank" INTEGER NOT NULL', 'a new column may be left out'],
    ['ALTER TABLE "ticket" ALTER COLUMN "rank" SET NOT NULL', 'no column becomes NOT NULL'],
    ['ALTER TABLE "ticket" ADD CONSTRAINT "c" CHECK ("rank" > 0)', 'a constraint on a table in use is added NOT VALID'],
    ['CREATE INDEX "i" ON "ticket" ("rank")', 'an index on a table in use is built concurrently'],
    ['DROP INDEX "i"', 'no index is dropped under a lock'],
    ['UPDATE "ticket" SET "rank" = 1', 'rows are not rewritten in bulk'],
    ['TRUNCATE "ticket"', 'nothing is emptied'],
    ['LOCK TABLE "ticket"', 'no lock is taken by hand'],
  ])('%s', (sql, rule) => {
    expect(rulesOf(`SELECT 1;\n${sql};`)).toEqual([rule]);
  });

  it('lets through what only adds, and what nobody else knows yet', () => {
    for (const { sql } of planted) expect(rulesOf(sql)).toEqual([]);
    expect(
      rulesOf(`CREATE TABLE "fresh" ("id" TEXT NOT NULL, "n" INTEGER);
        ALTER TABLE "fresh" ADD CONSTRAINT "fresh_n" CHECK ("n" > 0);
        CREATE INDEX "fresh_index" ON "fresh" ("n");
        ALTER TABLE "ticket" ADD COLUMN "rank" INTEGER NOT NULL DEFAULT 0, ADD COLUMN "note" TEXT;
        ALTER TABLE "ticket" ADD CONSTRAINT "c" CHECK ("rank" > 0) NOT VALID;
        CREATE OR REPLACE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$ BEGIN DELETE FROM x; TRUNCATE x; DROP TABLE x; END $$;
        -- DROP TABLE "ticket"; says a comment
        INSERT INTO "setting" VALUES ('DROP TABLE "ticket"');`),
    ).toEqual([]);
  });

  it('takes a note that says why for a contraction, and none for a lock', () => {
    const note = '-- airtime: contract: 0.2 does not read it, and 0.1 is no longer run\n';
    expect(rulesOf(`${note}ALTER TABLE "customer" DROP COLUMN "name";`)).toEqual([]);
    expect(rulesOf('-- airtime: contract:\nALTER TABLE "customer" DROP COLUMN "name";')).toEqual([
      'no column is dropped',
    ]);
    expect(rulesOf(`${note}DROP INDEX "i"; TRUNCATE "ticket";`)).toEqual([
      'no index is dropped under a lock',
      'nothing is emptied',
    ]);
  });
});
