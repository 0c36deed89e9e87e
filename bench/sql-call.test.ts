import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { withClient } from '../app/database/roles.ts';
import { type TestDatabase, testDatabase } from '../app/database/testing.ts';
import { resultOf } from './parts/charging.ts';
import { fails, judgementOf } from './report.ts';
import { findPgbench, ratioToSql, sentAfter, underDriver, underPgbench } from './sql-call.ts';

const call = `INSERT INTO "seen" VALUES (current_setting('jit'), current_setting('TimeZone'), current_setting('statement_timeout'), current_user)`;
const asked = { clients: 2, seconds: 1 };
const program = findPgbench();

let database: TestDatabase;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'airtime-call-'));
  database = await testDatabase();
  await withClient(database.ownerUrl, async (owner) => {
    await owner.query('CREATE TABLE "seen" ("jit" text, "zone" text, "timeout" text, "user" text)');
    // As a PostgreSQL of somebody else has it, or worse.
    await owner.query(`ALTER DATABASE "${database.database}" SET jit = on`);
    await owner.query(`ALTER DATABASE "${database.database}" SET TimeZone = 'Asia/Tokyo'`);
  });
});
afterAll(async () => {
  await database?.drop();
  rmSync(folder, { recursive: true, force: true });
});

/** What the sessions were set to, and nothing is left of it. */
const seen = () =>
  withClient(database.ownerUrl, async (owner) => {
    const { rows } = await owner.query('SELECT DISTINCT * FROM "seen"');
    await owner.query('DELETE FROM "seen"');
    return rows;
  });

const ofServer = [{ jit: 'off', zone: 'UTC', timeout: '5s', user: 'airtime_server' }];

describe('the SQL beside the door is sent as the server sends it', () => {
  test.skipIf(program === undefined)('by pgbench', async () => {
    const { perSecond, count } = await underPgbench(program ?? '', database.serverUrl, `${call};\n`, folder, asked);
    expect(perSecond).toBeGreaterThan(0);
    expect(count).toBeGreaterThan(perSecond);
    expect(await seen()).toEqual(ofServer);
  });

  test('by the driver', async () => {
    const { perSecond, count } = await underDriver(database.serverUrl, call, () => [], asked);
    expect(perSecond).toBeGreaterThan(0);
    expect(count).toBeGreaterThan(perSecond);
    expect(await seen()).toEqual(ofServer);
  });

  test.skipIf(program === undefined)('and what the database refuses is no rate', async () => {
    const refused = underPgbench(program ?? '', database.serverUrl, 'SELECT 1/0;\n', folder, asked);
    await expect(refused).rejects.toThrow('division by zero');
  });
});

test('what new connections take for their first call is left out of the rate', () => {
  const progress = [
    'pgbench (15.18)',
    'progress: 1.0 s, 3.0 tps, lat 400.000 ms stddev 9.000, 0 failed',
    'progress: 3.1 s, 70.0 tps, lat 300.000 ms stddev 9.000, 0 failed',
    'progress: 4.0 s, 1000.0 tps, lat 40.000 ms stddev 9.000, 0 failed',
  ].join('\n');
  // 150 while it warmed, and 2,850 in 1.9 s.
  const result = 'number of transactions actually processed: 3000\ntps = 600.000000 (without initial connection time)';
  expect(sentAfter(3, progress, result).count).toBe(3000);
  expect(sentAfter(3, progress, result).perSecond).toBeCloseTo(1500, 6);
  expect(sentAfter(0, '', result).perSecond).toBe(600);
  expect(sentAfter(3, progress, 'number of transactions actually processed: 0\ntps = 0.000000').perSecond).toBe(0);
});

describe('HTTP beside its own SQL', () => {
  test('is kept, missed, or says nothing where HTTP would be far faster than what it waits for', () => {
    const verdicts = [200, 50_000, 68].map((sql) => judgementOf(ratioToSql(4135, sql)).verdict);
    expect(verdicts).toEqual(['SAYS NOTHING', 'MISSED', 'SAYS NOTHING']);
    expect(judgementOf(ratioToSql(4245, 2097))).toMatchObject({ verdict: 'kept', measured: '2.02' });
    // No call at all is no proof either.
    expect(judgementOf(ratioToSql(4135, 0)).verdict).toBe('SAYS NOTHING');
    expect(judgementOf(ratioToSql(0, 0)).verdict).toBe('SAYS NOTHING');
  });

  test('fails a run that says nothing, and a later release is not compared with it', () => {
    const costs = { client: 0, server: 0.2, database: 0.2 };
    const rates = { single: { perSecond: 4135, costs }, stream: { perSecond: 17_315, costs }, pgbench: true };
    const of = (sql: number) => resultOf({ ...rates, sql: { perSecond: sql, costs } });
    const keys = (sql: number) => of(sql).figures.map(({ key }) => key);
    expect(of(68).promises.map(judgementOf).some(fails)).toBe(true);
    expect(of(1200).promises.map(judgementOf).some(fails)).toBe(false);
    expect(keys(1200)).toContain('charging.single-to-sql');
    expect(keys(68)).not.toContain('charging.single-to-sql');
    expect(of(1200).tables[0]?.note).toContain('a ratio above 1 is possible');
  });
});
