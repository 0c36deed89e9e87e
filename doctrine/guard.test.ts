import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type TestDatabase, testDatabase } from '../app/database/testing.ts';
import { guardExceptions, tryToWrite } from './guard.ts';

let database: TestDatabase;
let server: pg.Client;
let owner: pg.Client;

beforeAll(async () => {
  database = await testDatabase();
  server = new pg.Client({ connectionString: database.serverUrl });
  owner = new pg.Client({ connectionString: database.ownerUrl });
  await Promise.all([server.connect(), owner.connect()]);
});
afterAll(async () => {
  await Promise.all([server.end(), owner.end()]);
  await database.drop();
});

const refused = { code: '42501' };
const begin = `SELECT begin_command('doctrine.guard', '{}')`;

/** Runs statements in one transaction and rolls back. */
async function within(client: pg.Client, statements: readonly string[]): Promise<void> {
  await client.query('BEGIN');
  try {
    for (const statement of statements) await client.query(statement);
  } finally {
    await client.query('ROLLBACK');
  }
}

const event = `SELECT append_event('evt_doctrine', 'Event', 'thing', 'thing', 1, '{}', NULL, NULL, NULL, now())`;

describe('no table is written outside a named command', () => {
  it('INSERT, UPDATE, DELETE and TRUNCATE are refused everywhere, to the server and to the owner', async () => {
    const report = await tryToWrite(server, owner);
    expect(report.gaps).toEqual([]);
    const tables = report.relations.length - report.exceptions.length - report.views.length;
    expect(report.views).toEqual(['public.accumulated_balance_wire', 'public.bucket_wire']);
    expect(tables).toBeGreaterThan(40);
    // Four writes by two roles on each table, three on each view; five on the list of migrations, one on each sequence.
    expect(report.refused).toBe(tables * 8 + report.views.length * 6 + 5 + (report.exceptions.length - 1));
    expect([...report.exceptions].sort()).toEqual(Object.keys(guardExceptions).sort());
  });

  it('other ways to write are the same ways', async () => {
    for (const client of [server, owner]) {
      await expect(
        client.query(
          `MERGE INTO "setting" s USING (SELECT 'x' AS n) x ON s."name" = x.n WHEN NOT MATCHED THEN INSERT ("name", "value") VALUES (x.n, '1')`,
        ),
      ).rejects.toMatchObject(refused);
      await expect(
        client.query(
          `INSERT INTO "setting" ("name", "value") VALUES ('x', '1') ON CONFLICT ("name") DO UPDATE SET "value" = '2'`,
        ),
      ).rejects.toMatchObject(refused);
      await expect(
        client.query(
          `WITH w AS (INSERT INTO "setting" ("name", "value") VALUES ('x', '1') RETURNING 1) SELECT * FROM w`,
        ),
      ).rejects.toMatchObject(refused);
      await expect(
        client.query(`DO $$ BEGIN INSERT INTO "setting" ("name", "value") VALUES ('x', '1'); END $$`),
      ).rejects.toMatchObject(refused);
      // Without a command there is no name to record either.
      await expect(client.query(event)).rejects.toMatchObject({ code: expect.stringMatching(/^(42501|42704|22P02)$/) });
      expect((await client.query(`SELECT FROM "setting" WHERE "name" = 'x'`)).rowCount).toBe(0);
    }
  });

  it('a command’s name ends with its transaction, so the next user of the connection has none', async () => {
    await server.query('BEGIN');
    await server.query(begin);
    await server.query(`INSERT INTO "setting" ("name", "value") VALUES ('kept', '1')`);
    await server.query('COMMIT');
    await expect(server.query(`UPDATE "setting" SET "value" = '2' WHERE "name" = 'kept'`)).rejects.toMatchObject(
      refused,
    );
    // Called alone, a function that names a command is a transaction of its own.
    await server.query(begin);
    await expect(server.query(`DELETE FROM "setting" WHERE "name" = 'kept'`)).rejects.toMatchObject(refused);
    expect((await server.query(`SELECT "value" FROM "setting" WHERE "name" = 'kept'`)).rows).toEqual([{ value: 1 }]);
  });

  it('a command has a name of the form noun.verb', async () => {
    for (const name of ['', 'x', 'Order.place', 'order.', 'a b.c', "x'; --.y"]) {
      await expect(server.query('SELECT begin_command($1, $2)', [name, '{}'])).rejects.toMatchObject({ code: '22023' });
    }
  });
});

describe('events are appended and never changed, inside a command too', () => {
  it.each(['UPDATE "event" SET "type" = \'Other\'', 'DELETE FROM "event"', 'TRUNCATE "event"'])('%s', async (write) => {
    for (const client of [server, owner])
      await expect(within(client, [begin, event, write])).rejects.toMatchObject(refused);
  });

  it('TRUNCATE is never part of a command', async () => {
    for (const client of [server, owner])
      await expect(within(client, [begin, 'TRUNCATE "setting"'])).rejects.toMatchObject(refused);
  });
});

describe('the server’s role cannot take the guard away', () => {
  it('it is no superuser, owns nothing and is a member of nobody', async () => {
    const { rows } = await owner.query(
      `SELECT rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication,
         (SELECT count(*)::int FROM pg_class WHERE relowner = r.oid) AS relations, (SELECT count(*)::int FROM pg_proc WHERE proowner = r.oid) AS functions,
         (SELECT count(*)::int FROM pg_auth_members WHERE member = r.oid) AS memberships FROM pg_roles r WHERE rolname = 'airtime_server'`,
    );
    expect(rows).toEqual([
      {
        rolsuper: false,
        rolbypassrls: false,
        rolcreaterole: false,
        rolcreatedb: false,
        rolreplication: false,
        relations: 0,
        functions: 0,
        memberships: 0,
      },
    ]);
  });

  it.each([
    'ALTER TABLE "setting" DISABLE TRIGGER ALL',
    'DROP TRIGGER guard_row ON "setting"',
    'CREATE OR REPLACE FUNCTION guard_row() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$',
    "SET session_replication_role = 'replica'",
    'CREATE TABLE "unguarded" ("id" text)',
    'DROP TABLE "setting"',
    'SET ROLE airtime_owner',
    "UPDATE pg_catalog.pg_trigger SET tgenabled = 'D'",
  ])('%s', async (attempt) => {
    await expect(within(server, [attempt])).rejects.toMatchObject(refused);
  });

  it('no function lends it the rights of another', async () => {
    const { rows } = await owner.query(
      `SELECT p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE p.prosecdef AND n.nspname NOT IN ('pg_catalog', 'information_schema')`,
    );
    expect(rows).toEqual([]);
  });
});

describe('a gap is found', () => {
  const gapsAfter = async (...statements: string[]) => {
    // The owner's own connection: planted in a transaction it would be invisible to the server.
    for (const statement of statements) await owner.query(statement);
    return (await tryToWrite(server, owner)).gaps;
  };

  it.each<{ planted: string; plant: string; undo: string; found: { relation: string; role: string; write: string }[] }>(
    [
      {
        planted: 'a new table without its guard',
        plant: 'CREATE TABLE "planted" ("id" text NOT NULL)',
        undo: 'DROP TABLE "planted"',
        found: ['server', 'owner'].flatMap((role) =>
          ['INSERT', 'UPDATE', 'DELETE'].map((write) => ({ relation: 'public.planted', role, write })),
        ),
      },
      {
        planted: 'a table in another schema',
        plant: 'CREATE SCHEMA other CREATE TABLE planted (id text NOT NULL)',
        undo: 'DROP SCHEMA other CASCADE',
        found: ['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE'].map((write) => ({
          relation: 'other.planted',
          role: 'owner',
          write,
        })),
      },
      {
        planted: 'a guard that was switched off',
        plant: 'ALTER TABLE "bucket" DISABLE TRIGGER guard_row',
        undo: 'ALTER TABLE "bucket" ENABLE TRIGGER guard_row',
        found: [{ relation: 'public.bucket', role: 'server', write: 'UPDATE' }],
      },
      {
        planted: 'a guard that does not see deletions',
        plant:
          'DROP TRIGGER guard_row ON "refund"; CREATE TRIGGER guard_row BEFORE INSERT OR UPDATE ON "refund" FOR EACH ROW EXECUTE FUNCTION guard_row()',
        undo: 'DROP TRIGGER guard_row ON "refund"; CREATE TRIGGER guard_row BEFORE INSERT OR UPDATE OR DELETE ON "refund" FOR EACH ROW EXECUTE FUNCTION guard_row()',
        found: [{ relation: 'public.refund', role: 'server', write: 'DELETE' }],
      },
      {
        planted: 'a table that can be emptied',
        plant: 'DROP TRIGGER guard_truncate ON "usage"',
        undo: 'CREATE TRIGGER guard_truncate BEFORE TRUNCATE ON "usage" FOR EACH STATEMENT EXECUTE FUNCTION guard_truncate()',
        found: [{ relation: 'public.usage', role: 'owner', write: 'TRUNCATE' }],
      },
      {
        planted: 'a view that is written through',
        plant: 'CREATE VIEW "shown" AS SELECT * FROM "setting"',
        undo: 'DROP VIEW "shown"',
        found: [
          { relation: 'public.shown', role: 'server', write: 'UPDATE' },
          { relation: 'public.shown', role: 'owner', write: 'UPDATE' },
        ],
      },
      {
        planted: 'a sequence that nobody listed',
        plant: 'CREATE SEQUENCE "planted_no"',
        undo: 'DROP SEQUENCE "planted_no"',
        found: [{ relation: 'public.planted_no', role: 'server', write: 'nextval' }],
      },
      {
        planted: 'a right of the server on the list of migrations',
        plant: 'GRANT SELECT, INSERT, UPDATE ON "_prisma_migrations" TO airtime_server',
        undo: 'REVOKE ALL ON "_prisma_migrations" FROM airtime_server',
        found: [{ relation: 'public._prisma_migrations', role: 'server', write: 'UPDATE' }],
      },
    ],
  )('$planted', async ({ plant, undo, found }) => {
    try {
      const gaps = (await gapsAfter(plant)).map(({ relation, role, write }) => ({
        relation,
        role,
        write: write.split(' ')[0],
      }));
      for (const one of found) expect(gaps).toContainEqual(one);
      expect(gaps.every((gap) => found.some(({ relation }) => relation === gap.relation))).toBe(true);
    } finally {
      await owner.query(undo);
    }
    expect((await tryToWrite(server, owner)).gaps).toEqual([]);
  });
});
