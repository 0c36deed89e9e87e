import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import type { Caller } from '../kernel/caller.ts';
import { type AnyDefinition, command } from '../policy/core/command.ts';
import { rule } from '../policy/core/rule.ts';
import { type TestPolicy, testPolicy } from '../policy/core/testing.ts';
import { query } from '../read/views/query.ts';
import { bindExtra, type ExtraTool } from './extra.ts';
import { queriesFor } from './queries.ts';
import { describeTools, jsonSchema, makeTools, type OwnershipTrip, type ToolDoor } from './registry.ts';

let house: TestPolicy;
let door: ToolDoor;
const trips: OwnershipTrip[] = [];
let written = 0;

const ada = `cus_${'a'.repeat(26)}`;
const ben = `cus_${'b'.repeat(26)}`;
const operator: Caller = { audience: 'operator', id: 'opr', name: 'Operator', surface: 'tools', scopes: ['*'] };
const integrator: Caller = { ...operator, audience: 'integrator' };
const customer: Caller = { ...operator, audience: 'customer', customerId: ada };

/** Keeps a setting of that name and answers with whatever owner it was told. */
const remember = command<
  { name: string; customerId?: string | undefined; tells: string },
  { name: string },
  { owner: string; size: bigint; at: Date }
>({
  name: 'test.remember',
  summary: 'Remember something',
  input: z.object({ name: z.string(), customerId: z.string().optional(), tells: z.string() }),
  audience: ['operator', 'customer'],
  effect: 'write',
  positional: ['customerId', 'name'],
  rules: [
    rule({
      code: 'test.name_fits',
      sentence: 'A name has at most eight letters.',
      kept: (facts: { name: string }) => facts.name.length <= 8,
    }),
  ],
  facts: async (_tx, input) => ({ name: input.name }),
  async apply(tx, _facts, input) {
    await tx.sql`INSERT INTO "setting" ("name", "value") VALUES (${input.name}, ${JSON.stringify(input.customerId ?? null)}::jsonb)`;
    return { owner: input.tells, size: 2n ** 40n, at: new Date('2027-01-01T00:00:00Z') };
  },
});

const housekeeping = command<object, object, object>({
  name: 'test.sweep',
  summary: 'Sweep',
  input: z.object({}),
  audience: ['system'],
  effect: 'write',
  rules: [],
  facts: async () => ({}),
  apply: async () => ({}),
});

const who = query({
  name: 'test.who',
  summary: 'Say who asks',
  audience: ['customer', 'integrator'],
  input: z.strictObject({ customerId: z.string().optional(), other: z.string().optional() }),
  output: z.object({ asked: z.string().nullable(), other: z.string().nullable() }),
  run: async (_database, input) => ({ asked: input.customerId ?? null, other: input.other ?? null }),
});

const extra: ExtraTool<{ by: number }, { moved: number }> = {
  name: 'test.move',
  summary: 'Move',
  audience: ['operator'],
  effect: 'write',
  input: z.strictObject({ by: z.number().int() }),
  output: z.object({ moved: z.number() }),
};

const commands: readonly AnyDefinition[] = [remember, housekeeping];

beforeAll(async () => {
  house = await testPolicy();
  door = makeTools({
    policy: house.policy,
    pool: house.policy.pool,
    commands,
    queries: [...queriesFor(commands), who],
    extra: [bindExtra(extra, async ({ by }) => ({ moved: by }))],
    onOwnershipTrip: async (trip) => {
      trips.push(trip);
    },
    onWritten: () => {
      written += 1;
    },
  });
});
afterAll(() => house.close());

async function remembered(name: string): Promise<unknown[]> {
  return (await house.policy.pool.query('SELECT "value" FROM "setting" WHERE "name" = $1', [name])).rows.map(
    (row) => row.value,
  );
}

test('each caller has the tools of their audience, in order of name, and the house none', () => {
  const names = (caller: Caller) =>
    door
      .list(caller)
      .map((tool) => tool.name)
      .filter((name) => name.startsWith('test.'));
  expect(names(operator)).toEqual(['test.move', 'test.remember']);
  expect(names(integrator)).toEqual(['test.who']);
  expect(names(customer)).toEqual(['test.remember', 'test.who']);
  expect(names({ ...operator, audience: 'system' })).toEqual([]);
  const all = door.list(operator).map((tool) => tool.name);
  expect(all).toEqual([...all].sort());
});

test("another audience's tool is answered like one that does not exist", async () => {
  const asked: [string, Caller][] = [
    ['test.who', operator],
    ['test.nothing', operator],
    ['test.sweep', operator],
    ['test.sweep', { ...operator, audience: 'system' }],
    ['toString', operator],
  ];
  const answers = await Promise.all(
    asked.map(([name, caller]) => door.run(name, {}, caller).catch((error: unknown) => error)),
  );
  for (const answer of answers) expect(answer).toMatchObject({ status: 404, reason: 'notFound' });
});

test('input is checked, and each fault named', async () => {
  await expect(door.run('test.who', { other: 1, more: true }, integrator)).rejects.toMatchObject({
    status: 400,
    faults: expect.arrayContaining([expect.objectContaining({ field: 'other' })]),
  });
  await expect(door.run('test.remember', { name: 'x' }, operator)).rejects.toMatchObject({ status: 400 });
  await expect(door.run('test.move', { by: 1.5 }, operator)).rejects.toMatchObject({ status: 400 });
  await expect(door.run('test.who', undefined, integrator)).resolves.toEqual({ asked: null, other: null });
});

test('a rule refuses through the tool as anywhere else', async () => {
  await expect(door.run('test.remember', { name: 'much too long', tells: ada }, operator)).rejects.toMatchObject({
    status: 422,
    reason: 'test.name_fits',
  });
});

test('answers are plain JSON', async () => {
  const answer = await door.run('test.remember', { name: 'plain', tells: 'nobody' }, operator);
  expect(answer).toEqual({ owner: 'nobody', size: 2 ** 40, at: '2027-01-01T00:00:00.000Z' });
  expect(JSON.parse(JSON.stringify(answer))).toEqual(answer);
  await expect(door.run('test.move', { by: 3 }, operator)).resolves.toEqual({ moved: 3 });
});

test("a customer's tools take no customer id: the session says who", async () => {
  const own = door.list(customer).find((tool) => tool.name === 'test.remember');
  expect(own?.input.properties).not.toHaveProperty('customerId');
  expect(own?.positional).toEqual(['name']);
  expect(door.list(operator).find((tool) => tool.name === 'test.remember')?.input.properties).toHaveProperty(
    'customerId',
  );
  await expect(door.run('test.who', {}, customer)).resolves.toMatchObject({ asked: ada });
  for (const customerId of [ada, ben])
    await expect(door.run('test.who', { customerId }, customer)).rejects.toMatchObject({ status: 400 });
  await door.run('test.remember', { name: 'mine', tells: ada }, customer);
  expect(await remembered('mine')).toEqual([ada]);
});

test('an answer that names another customer is withheld, told of, and what it did is undone', async () => {
  trips.length = 0;
  await expect(door.run('test.who', { other: ben }, customer)).rejects.toMatchObject({ status: 404 });
  await expect(door.run('test.remember', { name: 'leak', tells: ben }, customer)).rejects.toMatchObject({
    status: 404,
  });
  expect(await remembered('leak')).toEqual([]);
  expect(trips.map((trip) => [trip.tool, trip.foreignCustomerId, trip.caller.customerId])).toEqual([
    ['test.who', ben, ada],
    ['test.remember', ben, ada],
  ]);
  await expect(door.run('test.remember', { name: 'free', tells: ben }, operator)).resolves.toMatchObject({
    owner: ben,
  });
});

test('keep gets the plain answer inside the transaction, and can undo it', async () => {
  const kept: unknown[] = [];
  await door.run('test.remember', { name: 'kept', tells: ada }, operator, async (_tx, output) => {
    kept.push(output);
  });
  expect(kept).toEqual([{ owner: ada, size: 2 ** 40, at: '2027-01-01T00:00:00.000Z' }]);
  const refused = door.run('test.remember', { name: 'undone', tells: ada }, customer, async () => {
    throw new Error('the key is taken');
  });
  await expect(refused).rejects.toThrow('the key is taken');
  expect([await remembered('kept'), await remembered('undone')]).toEqual([[null], []]);
});

test('two tools of one name stop the start', () => {
  expect(() =>
    makeTools({ policy: house.policy, pool: house.policy.pool, commands: [remember, remember], queries: [] }),
  ).toThrow('two tools are named test.remember');
});

test('a descriptor is made from the definition and nothing else', () => {
  const [described] = describeTools([remember, housekeeping], []);
  expect(described).toEqual({
    name: 'test.remember',
    summary: 'Remember something',
    audience: ['operator', 'customer'],
    effect: 'write',
    input: {
      type: 'object',
      properties: { name: { type: 'string' }, customerId: { type: 'string' }, tells: { type: 'string' } },
      required: ['name', 'tells'],
    },
    output: { type: 'object', additionalProperties: true },
    rules: [{ code: 'test.name_fits', sentence: 'A name has at most eight letters.' }],
    positional: ['customerId', 'name'],
    examples: [],
  });
});

test('a default makes an input optional to give and certain to be answered', () => {
  const schema = z.object({ limit: z.number().default(20) });
  expect(jsonSchema(schema, 'input').required).toBeUndefined();
  expect(jsonSchema(schema, 'output').required).toEqual(['limit']);
});

test('the rules are listed from the commands that carry them', async () => {
  await expect(door.run('rule.list', { search: 'eight' }, operator)).resolves.toEqual({
    items: [{ code: 'test.name_fits', sentence: 'A name has at most eight letters.', commands: ['test.remember'] }],
  });
});

test('the price list of an empty catalogue is empty', async () => {
  await expect(door.run('offering.list', {}, customer)).resolves.toMatchObject({ items: [] });
});

test('work that may have been left behind is told after a write, and not after a read or a refusal', async () => {
  written = 0;
  await door.run('test.who', {}, integrator);
  await expect(
    door.run('test.remember', { name: 'much too long', customerId: ada, tells: ada }, operator),
  ).rejects.toMatchObject({ reason: 'test.name_fits' });
  expect(written).toBe(0);
  await door.run('test.move', { by: 1 }, operator);
  await door.run('test.remember', { name: 'told', customerId: ada, tells: ada }, operator);
  expect(written).toBe(2);
});
