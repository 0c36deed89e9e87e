import { afterAll, beforeAll, expect, test } from 'vitest';
import { execute } from '../core/command.ts';
import { expectRule, type TestPolicy, testOperator, testPolicy } from '../core/testing.ts';
import { loadEsims, loadNumbers } from './commands.ts';

let house: TestPolicy;
beforeAll(async () => {
  house = await testPolicy();
});
afterAll(() => house.close());

const profile = (n: number) => ({ iccid: String(8965000000000000000n + BigInt(n)), activationCode: `LPA:1$smdp$${n}` });

test('profiles and numbers that are there already are left as they are', async () => {
  const load = (...numbers: number[]) =>
    execute(house.policy, loadEsims, { profiles: numbers.map(profile) }, testOperator);
  expect(await load(1, 2)).toEqual({ loaded: 2 });
  expect(await load(2, 3)).toEqual({ loaded: 1 });
  const range = (count: number) => execute(house.policy, loadNumbers, { first: '6599990000', count }, testOperator);
  expect(await range(5)).toEqual({ loaded: 5 });
  expect(await range(7)).toEqual({ loaded: 2 });
});

test('a batch names each profile once, and a range keeps the length of its numbers', async () => {
  await expectRule(house, 'esim.batch_has_no_doubles', 422, (policy) =>
    execute(policy, loadEsims, { profiles: [profile(10), profile(10)] }, testOperator),
  );
  await expectRule(house, 'number.range_fits', 422, (policy) =>
    execute(policy, loadNumbers, { first: '999999', count: 2 }, testOperator),
  );
});
