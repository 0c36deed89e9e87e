import { afterAll, beforeAll, expect, test } from 'vitest';
import { transaction } from '../policy/core/command.ts';
import { type TestPolicy, testOperator, testPolicy } from '../policy/core/testing.ts';
import { runStatement } from '../policy/core/transaction.ts';
import { makeHousekeeping } from './housekeeping.ts';
import { eventually, realClock } from './testing.ts';

let house: TestPolicy;
beforeAll(async () => {
  house = await testPolicy();
});
afterAll(() => house.close());

test('keys older than a day are forgotten, younger ones are kept', async () => {
  const insert = (key: string, age: string) =>
    transaction(house.policy, 'test.insert', testOperator, {}, async (tx) => {
      await tx.sql`INSERT INTO "idempotency_key" ("caller_id", "path", "key", "body_hash", "status", "created_at")
        VALUES ('c', '/p', ${key}, ''::bytea, 201, clock_timestamp() - ${age}::interval)`;
    });
  await insert('old', '25 hours');
  await insert('young', '23 hours');
  const keys = async () =>
    (await runStatement<{ key: string }>(house.policy.pool, 'SELECT "key" FROM "idempotency_key" ORDER BY 1', [])).map(
      ({ key }) => key,
    );
  const warnings: object[] = [];
  const housekeeping = makeHousekeeping(house.policy, realClock, { warn: (fields) => warnings.push(fields) }, 50);
  housekeeping.start();
  await eventually(keys, (all) => all.length === 1);
  expect(await keys()).toEqual(['young']);
  // It comes again by itself.
  await insert('old too', '25 hours');
  await eventually(keys, (all) => all.length === 1);
  await housekeeping.stop();
  expect(warnings).toEqual([]);
});
