import { afterAll, beforeAll, expect, test } from 'vitest';
import { catalogCommands } from '../catalogue/commands.ts';
import { run, transaction } from './command.ts';
import {
  AlreadyAnswered,
  finish,
  forgetIdempotency,
  type IdempotentCall,
  keepAnswer,
  keptAnswer,
  keyReused,
  runKeeping,
} from './idempotency.ts';
import { type TestPolicy, testOperator, testPolicy } from './testing.ts';
import { runStatement } from './transaction.ts';

let given: TestPolicy;
beforeAll(async () => {
  given = await testPolicy();
});
afterAll(() => given.close());

const call = (key: string, body = 'body'): IdempotentCall => ({
  callerId: 'tok_1',
  path: 'TMF620 /catalog',
  key,
  bodyHash: Buffer.from(body),
});
const answer = { status: 201, text: '{"b":1.0,  "a":"x"}', headers: { ETag: '"1"' } };

async function catalogsNamed(name: string): Promise<number> {
  const rows = await runStatement(given.policy.pool, `SELECT id FROM catalog WHERE document ->> 'name' = $1`, [name]);
  return rows.length;
}

function createCatalog(name: string, first: IdempotentCall): Promise<unknown> {
  if (!catalogCommands.create) throw new Error('catalogues can be created');
  return runKeeping(given.policy, catalogCommands.create, { document: { name } }, testOperator, {}, (tx) =>
    keepAnswer(tx, first, answer),
  );
}

test('an effect and its answer are stored together, letter by letter', async () => {
  await createCatalog('together', call('together'));
  expect(await keptAnswer(given.policy, call('together'))).toEqual(answer);
  expect(await keptAnswer(given.policy, { ...call('together'), callerId: 'tok_2' })).toBeUndefined();
  expect(await keptAnswer(given.policy, { ...call('together'), path: 'TMF620 /category' })).toBeUndefined();
});

test('of many at once one has its effect, and the others change nothing', async () => {
  const all = await Promise.allSettled(Array.from({ length: 8 }, () => createCatalog('at once', call('at-once'))));
  const lost = all.flatMap((one) => (one.status === 'rejected' ? [one.reason] : []));
  expect(lost).toHaveLength(7);
  for (const reason of lost) expect(reason).toBeInstanceOf(AlreadyAnswered);
  expect(await catalogsNamed('at once')).toBe(1);
});

test('when the answer cannot be stored there is no effect', async () => {
  if (!catalogCommands.create) throw new Error('catalogues can be created');
  const failing = runKeeping(
    given.policy,
    catalogCommands.create,
    { document: { name: 'torn' } },
    testOperator,
    {},
    async () => {
      throw new Error('the power went');
    },
  );
  await expect(failing).rejects.toThrow('the power went');
  expect(await catalogsNamed('torn')).toBe(0);
});

test('a key with another body is refused, unless the rule is switched off', async () => {
  await finish(given.policy, call('reused'), answer);
  await expect(keptAnswer(given.policy, call('reused', 'other'))).rejects.toMatchObject({
    status: 422,
    reason: 'idempotency.key_reused',
  });
  expect(await keptAnswer(given.without(keyReused.code), call('reused', 'other'))).toEqual(answer);
});

test('the first answer stays when a later one comes', async () => {
  await finish(given.policy, call('later'), answer);
  await finish(given.policy, call('later'), { ...answer, text: '"second"' });
  await finish(given.policy, call('later', 'other'), { ...answer, text: '"third"' });
  expect(await keptAnswer(given.policy, call('later'))).toEqual(answer);
});

test('after a day a key is new again, and is forgotten', async () => {
  const age = (key: string, hours: number) =>
    transaction(given.policy, 'test.age', testOperator, {}, (tx) =>
      tx.run(`UPDATE idempotency_key SET created_at = clock_timestamp() - make_interval(hours => $2) WHERE key = $1`, [
        key,
        hours,
      ]),
    );
  await finish(given.policy, call('old'), answer);
  await age('old', 23);
  expect(await keptAnswer(given.policy, call('old'))).toEqual(answer);
  await age('old', 25);
  expect(await keptAnswer(given.policy, call('old', 'other'))).toBeUndefined();
  await createCatalog('old', call('old', 'other'));
  expect(await keptAnswer(given.policy, call('old', 'other'))).toEqual(answer);

  await age('old', 25);
  await finish(given.policy, call('young'), answer);
  expect(await run(given.policy, forgetIdempotency, {}, testOperator)).toEqual({ forgotten: 1 });
  expect(await keptAnswer(given.policy, call('young'))).toEqual(answer);
});
