import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connect, type Database } from './connect.ts';
import { withClient } from './roles.ts';
import { type TestDatabase, testDatabase } from './testing.ts';

let test: TestDatabase;
let database: Database;
const said: string[] = [];

beforeAll(async () => {
  test = await testDatabase();
  database = await connect({ url: test.serverUrl, max: 3, statementTimeoutMs: 400, log: (text) => said.push(text) });
});
afterAll(async () => {
  await database.close();
  await test.drop();
});

const one = async (sql: string, values: unknown[] = []) => {
  const answer = await database.pool.query<{ value: unknown }>(sql, values);
  return answer.rows[0]?.value;
};

describe('the pool', () => {
  it('works as the server role, in UTC', async () => {
    expect(await one('SELECT current_user::text AS value')).toBe('airtime_server');
    expect(await one("SELECT current_setting('TimeZone') AS value")).toBe('UTC');
  });

  it('reads whole numbers exactly or not at all', async () => {
    expect(await one('SELECT 9007199254740991::bigint AS value')).toBe(Number.MAX_SAFE_INTEGER);
    await expect(one('SELECT 9007199254740992::bigint AS value')).rejects.toThrow(/too large to be read exactly/);
    expect(await one('SELECT count(*) AS value FROM generate_series(1, 5)')).toBe(5);
    expect(await one('SELECT array_agg(x::int) AS value FROM generate_series(1, 2) x')).toEqual([1, 2]);
  });

  it('reads days as days and times as moments, whatever zone this machine is in', async () => {
    expect(await one("SELECT date '2026-03-29' AS value")).toBe('2026-03-29');
    expect(await one("SELECT timestamp '2026-03-29 02:30:00' AS value")).toEqual(new Date('2026-03-29T02:30:00Z'));
    expect(await one("SELECT timestamptz '2026-03-29 02:30:00' AS value")).toEqual(new Date('2026-03-29T02:30:00Z'));
    const moment = new Date('2026-10-25T01:30:00.123Z');
    expect(await one('SELECT $1::timestamptz AS value', [moment])).toEqual(moment);
  });

  it('ends a statement that runs too long, and a transaction that lies idle', async () => {
    await expect(one('SELECT pg_sleep(5) AS value')).rejects.toThrow(/statement timeout/);
    const client = await database.pool.connect();
    const broken = new Promise((resolve) => client.once('error', resolve));
    await client.query('BEGIN');
    await broken;
    client.release(true);
    expect(await one('SELECT 1 AS value')).toBe(1);
  });

  it('survives the loss of its idle connections', async () => {
    await one('SELECT 1 AS value');
    await withClient(test.serverUrl, (client) =>
      client.query(
        'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = current_user AND datname = current_database() AND pid <> pg_backend_pid()',
      ),
    );
    await expect.poll(() => said.join()).toContain('broke');
    expect(await one('SELECT 1 AS value')).toBe(1);
  });
});
