import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import type { Caller } from '../../kernel/caller.ts';
import { makeTools, type ToolDoor } from '../../tools/registry.ts';
import { command, execute, type Policy, transaction } from './command.ts';
import { forgetConfirmations } from './confirmation.ts';
import { rule } from './rule.ts';
import { type TestPolicy, testOperator, testPolicy } from './testing.ts';

let house: TestPolicy;
const ada = `cus_${'a'.repeat(26)}`;
const ben = `cus_${'b'.repeat(26)}`;
const other: Caller = { ...testOperator, id: 'tok_other' };
const customer: Caller = { ...testOperator, audience: 'customer', id: 'tok_ada', customerId: ada };

/** Keeps a setting, so that what was done can be counted, and answers with whom it was told. */
const pay = command<{ name: string; by?: number | undefined; tells?: string | undefined }, { name: string }, object>({
  name: 'test.pay',
  summary: 'Pay something',
  input: z.object({ name: z.string(), by: z.number().optional(), tells: z.string().optional() }),
  audience: ['operator', 'customer'],
  effect: 'money',
  rules: [
    rule({
      code: 'test.short',
      sentence: 'Names are short.',
      kept: (facts: { name: string }) => facts.name.length < 50,
    }),
  ],
  facts: async (_tx, input) => ({ name: input.name }),
  preview: (_facts, input) => ({
    what: `Pay ${input.name}.`,
    amount: { amountMinor: 300, currency: 'SGD' },
    ...(input.tells ? { customer: { id: input.tells, name: null } } : {}),
  }),
  async apply(tx, _facts, input) {
    await tx.sql`INSERT INTO "setting" ("name", "value") VALUES (${`${input.name}:${tx.newId('evt')}`}, '1'::jsonb)`;
    return { paid: input.name, owner: input.tells ?? null };
  },
});
const end = command<{ name: string }, object, object>({
  ...pay,
  name: 'test.end',
  effect: 'destructive',
  input: z.object({ name: z.string() }),
  rules: [],
  facts: async () => ({}),
  apply: async () => ({ ended: true }),
});

const doorOf = (policy: Policy): ToolDoor =>
  makeTools({ policy, pool: policy.pool, commands: [pay, end], queries: [] });
let door: ToolDoor;

beforeAll(async () => {
  house = await testPolicy();
  door = doorOf(house.policy);
});
afterAll(() => house.close());

const paid = async (name: string): Promise<number> =>
  (await house.policy.pool.query('SELECT 1 FROM "setting" WHERE "name" LIKE $1', [`${name}:%`])).rows.length;
const named = () => randomUUID().slice(0, 8);

async function token(name: string, caller = testOperator): Promise<string> {
  return (await door.propose('test.pay', { name }, caller)).confirmation.token;
}

test('the first call proposes: what, at what price, and does nothing', async () => {
  const name = named();
  const { proposal, confirmation } = await door.propose('test.pay', { name, by: 2 }, testOperator);
  expect(proposal).toEqual({
    tool: 'test.pay',
    effect: 'money',
    what: `Pay ${name}.`,
    customer: null,
    amount: { amountMinor: 300, currency: 'SGD', text: 'SGD 3.00' },
    details: [],
    arguments: { name, by: 2 },
  });
  expect(confirmation.token).toMatch(/^cnf_[\w-]{43}$/);
  const leftMs = Date.parse(confirmation.expiresAt) - Date.now();
  expect(leftMs).toBeGreaterThan(290_000);
  expect(leftMs).toBeLessThan(310_000);
  expect(await paid(name)).toBe(0);
  const stored = await house.policy.pool.query('SELECT * FROM "confirmation"');
  expect(JSON.stringify(stored.rows)).not.toContain(confirmation.token);
});

test('the token does it once, whatever the order of the arguments; again it gets the first answer', async () => {
  const name = named();
  const { confirmation } = await door.propose('test.pay', { name, by: 2 }, testOperator);
  expect(await door.confirm('test.pay', { by: 2, name }, testOperator, confirmation.token)).toEqual({
    result: { paid: name, owner: null },
    replayed: false,
  });
  expect(await door.confirm('test.pay', { name, by: 2 }, testOperator, confirmation.token)).toEqual({
    result: { paid: name, owner: null },
    replayed: true,
  });
  expect(await paid(name)).toBe(1);
});

test('eight at once do it once, and all get the same answer', async () => {
  const name = named();
  const yes = await token(name);
  const answers = await Promise.all(
    Array.from({ length: 8 }, () => door.confirm('test.pay', { name }, testOperator, yes)),
  );
  expect(answers.map(({ result }) => result)).toEqual(answers.map(() => ({ paid: name, owner: null })));
  expect([await paid(name), answers.filter((one) => !one.replayed).length]).toEqual([1, 1]);
});

test('a rule that breaks meanwhile leaves the token unused; it is judged before the proposal too', async () => {
  const long = 'x'.repeat(60);
  await expect(door.propose('test.pay', { name: long }, testOperator)).rejects.toMatchObject({ reason: 'test.short' });
  const off = doorOf(house.without('test.short'));
  const { confirmation } = await off.propose('test.pay', { name: long }, testOperator);
  await expect(door.confirm('test.pay', { name: long }, testOperator, confirmation.token)).rejects.toMatchObject({
    reason: 'test.short',
  });
  expect(await off.confirm('test.pay', { name: long }, testOperator, confirmation.token)).toMatchObject({
    replayed: false,
  });
});

/** Refused with this code and nothing done; with the rule switched off, done. */
async function expectRefused(code: string, status: number, act: (door: ToolDoor) => Promise<unknown>, name: string) {
  await expect(act(door)).rejects.toMatchObject({ reason: code, status });
  expect(await paid(name)).toBe(0);
  await act(doorOf(house.without(code)));
  expect(await paid(name)).toBe(1);
}

test('confirmation.required', async () => {
  const name = named();
  await expectRefused('confirmation.required', 422, (on) => on.run('test.pay', { name }, testOperator), name);
  await expect(door.run('test.end', { name }, testOperator)).rejects.toMatchObject({ reason: 'confirmation.required' });
});

test('confirmation.known: a token that was altered or made up', async () => {
  const name = named();
  const yes = await token(name);
  for (const wrong of ['', 'cnf_', `${yes}x`, yes.slice(0, -1), yes.toUpperCase(), "cnf_' OR 1=1"]) {
    await expect(door.confirm('test.pay', { name }, testOperator, wrong)).rejects.toMatchObject({
      reason: 'confirmation.known',
    });
  }
  await expectRefused('confirmation.known', 422, (on) => on.confirm('test.pay', { name }, testOperator, 'cnf_x'), name);
});

test('confirmation.same_caller', async () => {
  const name = named();
  const yes = await token(name);
  await expect(door.confirm('test.pay', { name }, customer, yes)).rejects.toMatchObject({
    reason: 'confirmation.same_caller',
  });
  await expectRefused('confirmation.same_caller', 422, (on) => on.confirm('test.pay', { name }, other, yes), name);
});

test('confirmation.same_tool', async () => {
  const name = named();
  const { confirmation } = await door.propose('test.end', { name }, testOperator);
  const act = (on: ToolDoor) => on.confirm('test.pay', { name }, testOperator, confirmation.token);
  await expectRefused('confirmation.same_tool', 422, act, name);
});

test('confirmation.same_arguments: before it was used and after', async () => {
  const name = named();
  const yes = await token(named());
  await expectRefused(
    'confirmation.same_arguments',
    422,
    (on) => on.confirm('test.pay', { name }, testOperator, yes),
    name,
  );
  const done = named();
  const used = await token(done);
  await door.confirm('test.pay', { name: done }, testOperator, used);
  await expect(door.confirm('test.pay', { name: done, by: 1 }, testOperator, used)).rejects.toMatchObject({
    reason: 'confirmation.same_arguments',
  });
});

const age = (column: string) =>
  transaction(house.policy, 'test.age', testOperator, {}, (tx) => tx.run(`UPDATE "confirmation" SET ${column}`, []));

test('confirmation.not_stale, in machine time', async () => {
  const name = named();
  const yes = await token(name);
  await age(`"expires_at" = clock_timestamp()`);
  await expectRefused('confirmation.not_stale', 409, (on) => on.confirm('test.pay', { name }, testOperator, yes), name);
});

test('confirmation.used_once: when its answer is no longer kept', async () => {
  const name = named();
  const yes = await token(name);
  await age(`"used_at" = clock_timestamp() WHERE "used_at" IS NULL`);
  await expectRefused('confirmation.used_once', 409, (on) => on.confirm('test.pay', { name }, testOperator, yes), name);
});

test('a preview keeps nothing, and only what is confirmed has one', async () => {
  const count = async () => (await house.policy.pool.query('SELECT 1 FROM "confirmation"')).rows.length;
  const before = await count();
  expect(await door.preview('test.pay', { name: 'x' }, testOperator)).toMatchObject({ what: 'Pay x.' });
  expect(await count()).toBe(before);
  await expect(door.preview('test.none', {}, testOperator)).rejects.toMatchObject({ status: 404 });
  await expect(door.propose('test.pay', { name: 1 }, testOperator)).rejects.toMatchObject({ status: 400 });
});

test('a customer is told of nobody else by a proposal, nor by what was done', async () => {
  const about = { name: named(), tells: ben };
  await expect(door.preview('test.pay', about, customer)).rejects.toMatchObject({ status: 404 });
  await expect(door.propose('test.pay', about, customer)).rejects.toMatchObject({ status: 404 });
  const mine = { name: named(), tells: ada };
  const { confirmation } = await door.propose('test.pay', mine, customer);
  expect(await door.confirm('test.pay', mine, customer, confirmation.token)).toMatchObject({
    result: { owner: ada },
  });
});

test('long stale proposals are forgotten, and no others', async () => {
  const name = named();
  await token(name);
  await age(`"expires_at" = clock_timestamp() - interval '25 hours'`);
  const fresh = await token(name);
  await execute(house.policy, forgetConfirmations, {}, testOperator);
  expect((await house.policy.pool.query('SELECT 1 FROM "confirmation"')).rows).toHaveLength(1);
  expect(await door.confirm('test.pay', { name }, testOperator, fresh)).toMatchObject({ replayed: false });
});
