import { afterAll, beforeAll, expect, it } from 'vitest';
import { connect, type Database } from '../../app/database/connect.ts';
import { withClient } from '../../app/database/roles.ts';
import { type TestDatabase, testDatabase } from '../../app/database/testing.ts';
import { type Policy, transaction } from './command.ts';
import { findRow } from './table.ts';
import { type TestPolicy, testOperator, testPolicy } from './testing.ts';
import { isStalePlan, runStatement } from './transaction.ts';

let given: TestDatabase;
let database: Database;
let house: TestPolicy;
let policy: Policy;

beforeAll(async () => {
  given = await testDatabase();
  database = await connect({ url: given.serverUrl, max: 8, statementTimeoutMs: 5000, log: () => undefined });
  house = await testPolicy();
  policy = { ...house.policy, pool: database.pool };
});
afterAll(async () => {
  await database.close();
  await house.close();
  await given.drop();
});

const read = () =>
  transaction(policy, 'test.read', testOperator, {}, (tx) => findRow(tx, 'customer', { id: 'cus_nobody' }));
const readAlone = () => runStatement(database.pool, 'SELECT * FROM "customer" WHERE "id" = $1', ['cus_nobody']);
const migrated = (column: string) =>
  withClient(given.ownerUrl, (owner) => owner.query(`ALTER TABLE "customer" ADD COLUMN "${column}" TEXT`));

/** Has each connection of the pool prepare what it will be asked again. */
async function warm(): Promise<void> {
  const held = await Promise.all(Array.from({ length: 8 }, () => database.pool.connect()));
  for (const client of held) await runStatement(client, 'SELECT * FROM "customer" WHERE "id" = $1', ['cus_nobody']);
  for (const client of held) client.release();
  await Promise.all(Array.from({ length: 8 }, read));
}

it('serves on when a newer version beside it adds a column, whatever its connections had prepared', async () => {
  await warm();
  await migrated('one');
  // More connections are stale than a conflict is tried again.
  expect(await Promise.all(Array.from({ length: 8 }, read))).toEqual(Array.from({ length: 8 }, () => undefined));

  await warm();
  await migrated('two');
  expect(await Promise.all(Array.from({ length: 8 }, readAlone))).toEqual(Array.from({ length: 8 }, () => []));
});

it('is what PostgreSQL says of such a statement, and leaves other errors alone', async () => {
  const client = await database.pool.connect();
  try {
    const ask = () => runStatement(client, 'SELECT * FROM "customer" WHERE "id" = $1 AND true', ['cus_nobody']);
    await ask();
    await migrated('three');
    // Somebody's own connection: they are told, and begin anew.
    expect(isStalePlan(await ask().catch((error: unknown) => error))).toBe(true);
  } finally {
    client.release(true);
  }
  const other = await runStatement(database.pool, 'SELECT 1 / 0 AS one', []).catch((error: unknown) => error);
  expect(isStalePlan(other)).toBe(false);
});
