import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readMigrations } from '../../app/database/migrate.ts';
import { root } from '../processes.ts';
import { judged, lastBeforeRules, migrationFaults } from './migration-rules.ts';
import { claimCalls, planted } from './versions.ts';

const migrations = readMigrations(join(root, 'prisma/migrations'));
const rulesOf = (sql: string): string[] => migrationFaults({ name: 'planted', sql }).map(({ rule }) => rule);
const takesIndex = 'a constraint on a table in use takes an index that is there';

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
    ['ALTER TABLE "ticket" ADD CHECK ("rank" > 0)', 'a constraint on a table in use is added NOT VALID'],
    [
      'ALTER TABLE "ticket" ADD FOREIGN KEY ("a") REFERENCES "b" ("id")',
      'a constraint on a table in use is added NOT VALID',
    ],
    ['ALTER TABLE "ticket" ADD CONSTRAINT "c" UNIQUE ("rank")', takesIndex],
    ['ALTER TABLE ONLY "ticket"\n  ADD CONSTRAINT "c" UNIQUE NULLS NOT DISTINCT ("rank", "note")', takesIndex],
    ['alter table ticket add unique (rank)', takesIndex],
    ['ALTER TABLE "ticket" ADD CONSTRAINT "c" PRIMARY KEY ("id")', takesIndex],
    ['ALTER TABLE "ticket" ADD PRIMARY KEY ("id")', takesIndex],
    ['ALTER TABLE "ticket" ADD CONSTRAINT "c" UNIQUE ("rank") USING INDEX TABLESPACE "quick"', takesIndex],
    ['ALTER TABLE "ticket" ADD CONSTRAINT "c" EXCLUDE USING gist ("line" WITH =, "during" WITH &&)', takesIndex],
    ['ALTER TABLE "ticket" ADD EXCLUDE ("line" WITH =)', takesIndex],
    ['ALTER TABLE "ticket" ADD COLUMN "code" TEXT UNIQUE', takesIndex],
    ['ALTER TABLE "ticket" ADD "rate" NUMERIC(10, 2) DEFAULT round(random() * (1 + 2), 2) UNIQUE', takesIndex],
    ['ALTER TABLE "ticket" ADD COLUMN "n" BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY', takesIndex],
    ['ALTER TABLE "ticket" ADD CONSTRAINT "a" UNIQUE USING INDEX "i", ADD CONSTRAINT "b" UNIQUE ("rank")', takesIndex],
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
        ALTER TABLE "fresh" ADD CONSTRAINT "fresh_key" PRIMARY KEY ("id"), ADD UNIQUE ("n"), ADD EXCLUDE ("n" WITH =);
        ALTER TABLE "ticket" ADD CONSTRAINT "ticket_code" UNIQUE USING INDEX "ticket_code_index";
        ALTER TABLE "ticket" ADD CONSTRAINT "ticket_key" PRIMARY KEY USING INDEX "ticket_key_index" DEFERRABLE;
        ALTER TABLE "ticket" ADD COLUMN "unique" TEXT, ADD COLUMN "is_unique" BOOLEAN, ADD COLUMN "exclude" TEXT DEFAULT 'UNIQUE';
        COMMENT ON TABLE "ticket" IS 'ADD CONSTRAINT UNIQUE (x)';
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
    expect(
      rulesOf(`${note}DROP INDEX "i"; TRUNCATE "ticket"; ALTER TABLE "ticket" ADD CONSTRAINT "c" UNIQUE ("rank");`),
    ).toEqual(['no index is dropped under a lock', 'nothing is emptied', takesIndex]);
  });
});

describe('the next release that the drill plants', () => {
  const added = planted.map(({ sql }) => sql).join('\n');

  it('brings columns, a table, an index beside the traffic, and a function with one more parameter', () => {
    for (const one of [/ADD COLUMN/, /CREATE TABLE/, /CREATE INDEX CONCURRENTLY/]) expect(added).toMatch(one);
    const made = [...added.matchAll(/CREATE (OR REPLACE )?FUNCTION (\w+)\(([^)]*)\)/g)].map(
      ([, replaces, name, parameters = '']) => ({
        name,
        replaces: replaces !== undefined,
        parameters: parameters.split(', '),
      }),
    );
    expect(made).toEqual([
      { name: 'claim_steps', replaces: false, parameters: expect.arrayContaining(['p_note text']) },
      { name: 'claim_steps', replaces: true, parameters: expect.any(Array) },
    ]);
    const [wider, kept] = made;
    expect(wider?.parameters).toHaveLength((kept?.parameters.length ?? 0) + 1);
    // A call fits one of the two: the wider one can leave nothing out.
    expect(wider?.parameters.filter((one) => /DEFAULT/.test(one))).toEqual([]);
  });

  it('leaves the signature that the version before calls as its last migration made it, and its work as it was', () => {
    const last = migrations
      .flatMap(({ sql }) => [
        ...sql.matchAll(/FUNCTION claim_steps(\([^)]*\) RETURNS[^\n]*)[\s\S]*?(\n {2}RETURN QUERY[\s\S]*?END) \$\$/g),
      ])
      .at(-1);
    const [, signature = 'none', work = 'none'] = last ?? [];
    expect(added).toContain(`CREATE OR REPLACE FUNCTION claim_steps${signature}`);
    expect(added).toContain(work);
  });

  it('calls it as the program does, but for the argument that is new', () => {
    expect(readFileSync(join(root, 'policy/core/flow.ts'), 'utf8')).toContain(claimCalls.old);
    expect(claimCalls.new).toBe(`${claimCalls.old.slice(0, -1)}, $1)`);
  });
});
