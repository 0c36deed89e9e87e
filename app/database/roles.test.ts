import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type EmbeddedPostgres, startEmbedded } from './embedded-postgres.ts';
import { grantServerRole, prepareExternal, serverRole, withClient, withSessionOptions } from './roles.ts';

let parent: string;
let server: EmbeddedPostgres;
/** As administrators hand databases out: one user that may make roles, one that may not, one for the server alone. */
let ownerUrl: string;
let plainUrl: string;
let loginUrl: string;

const run = (url: string, ...statements: string[]) =>
  withClient(url, async (client) => {
    for (const statement of statements) await client.query(statement);
  });

beforeAll(async () => {
  parent = mkdtempSync(join(tmpdir(), 'airtime-roles-'));
  server = await startEmbedded({ directory: join(parent, 'postgres'), log: () => undefined });
  await run(
    server.adminUrl,
    'DROP DATABASE airtime',
    'DROP ROLE airtime_owner, airtime_server',
    "CREATE ROLE house LOGIN CREATEROLE PASSWORD 'house'",
    "CREATE ROLE plain LOGIN PASSWORD 'plain'",
    "CREATE ROLE door LOGIN PASSWORD 'door'",
    'CREATE DATABASE shop OWNER house',
    'CREATE DATABASE stall OWNER plain',
  );
  ownerUrl = `postgresql://house:house@127.0.0.1:${server.port}/shop`;
  plainUrl = `postgresql://plain:plain@127.0.0.1:${server.port}/stall`;
  loginUrl = `postgresql://door:door@127.0.0.1:${server.port}/shop`;
});

afterAll(async () => {
  await server.stop();
  rmSync(parent, { recursive: true, force: true });
});

describe('a database that somebody else runs', () => {
  it('is refused with the SQL to run when the user may not make the role', async () => {
    await expect(prepareExternal({ databaseUrl: plainUrl })).rejects.toThrow(
      /CREATE ROLE airtime_server NOLOGIN[^;]*;\n {2}GRANT airtime_server TO "plain";/,
    );
  });

  it('gives the server a role that reads and writes rows and does nothing else', async () => {
    await run(ownerUrl, 'CREATE TABLE before (id int)', 'CREATE TABLE _prisma_migrations (id int)');
    const { serverUrl } = await prepareExternal({ databaseUrl: ownerUrl });
    await withClient(ownerUrl, grantServerRole);
    await run(
      ownerUrl,
      'CREATE TABLE after (id bigserial PRIMARY KEY, note text)',
      'CREATE FUNCTION twice(n int) RETURNS int LANGUAGE sql AS $$ SELECT 2 * n $$',
      'CREATE TABLE trail (id int)',
      `REVOKE UPDATE, DELETE ON trail FROM ${serverRole}`,
    );
    // What a migration took away stays away, however often the program starts.
    await withClient(ownerUrl, grantServerRole);

    await withClient(serverUrl, async (client) => {
      const who = await client.query('SELECT current_user::text AS name, current_setting($1) AS zone', ['TimeZone']);
      expect(who.rows[0]).toEqual({ name: serverRole, zone: 'UTC' });
      await client.query("INSERT INTO after (note) VALUES ('a'), ('b')");
      await client.query("UPDATE after SET note = 'c' WHERE id = 1");
      await client.query('DELETE FROM after WHERE id = 2');
      await client.query('INSERT INTO before VALUES (1)');
      await client.query('INSERT INTO trail VALUES (1)');
      const answer = await client.query<{ note: string; four: number }>('SELECT note, twice(2) AS four FROM after');
      expect(answer.rows).toEqual([{ note: 'c', four: 4 }]);
      for (const forbidden of [
        'TRUNCATE after',
        'DROP TABLE after',
        'ALTER TABLE after ADD COLUMN x int',
        'ALTER TABLE after DISABLE TRIGGER ALL',
        'CREATE TABLE mine (id int)',
        'CREATE ROLE helper',
        'SELECT * FROM _prisma_migrations',
        'UPDATE trail SET id = 2',
      ]) {
        await expect(client.query(forbidden), forbidden).rejects.toThrow(/permission denied|must be owner/);
      }
    });
    const owns = await withClient(ownerUrl, (owner) =>
      owner.query('SELECT FROM pg_class WHERE relowner = $1::regrole', [serverRole]),
    );
    expect(owns.rowCount).toBe(0);
  });

  it('works with one user for migrations and another for the server', async () => {
    const { serverUrl, ownerUrl: used } = await prepareExternal({ databaseUrl: loginUrl, migrationUrl: ownerUrl });
    expect(used).toBe(ownerUrl);
    const answer = await withClient(serverUrl, (client) =>
      client.query('SELECT current_user::text AS current, session_user::text AS session'),
    );
    expect(answer.rows).toEqual([{ current: serverRole, session: 'door' }]);
  });

  it('names the grant that is missing when the role exists and the user may not take it', async () => {
    await expect(prepareExternal({ databaseUrl: plainUrl })).rejects.toThrow(/GRANT airtime_server TO "plain"/);
  });

  it('refuses a server role that is a superuser', async () => {
    await run(server.adminUrl, `ALTER ROLE ${serverRole} SUPERUSER`);
    await expect(prepareExternal({ databaseUrl: ownerUrl })).rejects.toThrow(/must not be a superuser/);
    await run(server.adminUrl, `ALTER ROLE ${serverRole} NOSUPERUSER`);
  });
});

describe('session options in an address', () => {
  it('are added to those it has, and survive spaces', async () => {
    const url = withSessionOptions(`${ownerUrl}?options=-c%20statement_timeout%3D1234`, {
      application_name: 'two words',
    });
    const answer = await withClient(withSessionOptions(url, { TimeZone: 'Asia/Tokyo' }), (client) =>
      client.query("SELECT current_setting('statement_timeout') AS timeout, current_setting('TimeZone') AS zone"),
    );
    // The last one wins: withClient always adds UTC.
    expect(answer.rows).toEqual([{ timeout: '1234ms', zone: 'UTC' }]);
    expect(new URL(url).searchParams.get('options')).toBe('-c statement_timeout=1234 -c application_name=two\\ words');
  });
});
