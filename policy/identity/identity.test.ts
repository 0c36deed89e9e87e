import { afterAll, beforeAll, expect, test } from 'vitest';
import { execute, run, transaction } from '../core/command.ts';
import { insertRow } from '../core/table.ts';
import { type TestPolicy, testOperator, testPolicy } from '../core/testing.ts';
import { runStatement } from '../core/transaction.ts';
import { createAccessToken, revokeAccessToken, tokenHash } from './access-token.ts';
import { authenticator } from './authenticate.ts';

let given: TestPolicy;
let now = new Date('2026-01-01T00:00:00Z');
const clock = { now: () => now };

beforeAll(async () => {
  given = await testPolicy();
  await transaction(given.policy, 'test.customer', testOperator, {}, (tx) =>
    insertRow(tx, 'customer', { id: 'cus_1', document: { id: 'cus_1' }, createdAt: tx.now, updatedAt: tx.now }),
  );
});
afterAll(() => given.close());

const make = (input: Record<string, unknown>) =>
  execute(
    given.policy,
    createAccessToken,
    { name: 'CRM', audience: 'integrator', scopes: ['tmf:*'], ...input },
    testOperator,
  );

test('a token is shown once: what is stored and recorded is its digest and its name', async () => {
  const { id, token } = await make({});
  expect(token).toMatch(/^air_[\w-]{43}$/);
  const [row] = await runStatement<{ hash: Buffer }>(given.policy.pool, 'SELECT * FROM access_token WHERE id = $1', [
    id,
  ]);
  expect(row?.hash.equals(tokenHash(token))).toBe(true);
  const events = await given.events(id);
  expect(events).toMatchObject([{ type: 'AccessTokenCreateEvent', resource: { name: 'CRM', scopes: ['tmf:*'] } }]);
  const everything = JSON.stringify([row, events], (_key, value) =>
    typeof value === 'bigint' ? String(value) : value,
  );
  expect(everything).not.toContain(token);
});

test('a token is known, and its caller is what was given', async () => {
  const authenticate = authenticator({ pool: given.policy.pool, clock });
  const { id, token } = await make({ audience: 'customer', customerId: 'cus_1', scopes: ['tools:*'], name: 'Ann' });
  const expected = { id, name: 'Ann', audience: 'customer', customerId: 'cus_1', scopes: ['tools:*'], surface: 'tmf' };
  expect(await authenticate(token)).toEqual(expected);
  for (const other of [
    '',
    'air_',
    `${token}x`,
    token.slice(0, -1),
    token.toUpperCase(),
    `air_${'x'.repeat(500)}`,
    "air_' OR 1=1",
  ]) {
    expect(await authenticate(other)).toBeUndefined();
  }
});

test('a revoked token ends within the time that answers are kept', async () => {
  const authenticate = authenticator({ pool: given.policy.pool, clock, cacheMs: 2000 });
  const { id, token } = await make({});
  expect(await authenticate(token)).toBeDefined();
  const first = await execute(given.policy, revokeAccessToken, { id }, testOperator);
  now = new Date(now.getTime() + 2001);
  expect(await authenticate(token)).toBeUndefined();
  expect(await execute(given.policy, revokeAccessToken, { id }, testOperator)).toEqual(first);
  expect((await given.events(id)).map((event) => event.type)).toEqual([
    'AccessTokenCreateEvent',
    'AccessTokenRevokeEvent',
  ]);
  await expect(execute(given.policy, revokeAccessToken, { id: 'tok_none' }, testOperator)).rejects.toMatchObject({
    status: 404,
  });
});

test('an expired token is unknown, in machine time', async () => {
  const authenticate = authenticator({ pool: given.policy.pool, clock });
  const { id, token, expiresAt } = await make({ expiresInSeconds: 3600 });
  expect(Date.parse(expiresAt ?? '') - Date.now()).toBeGreaterThan(3_500_000);
  expect(await authenticate(token)).toBeDefined();
  await transaction(given.policy, 'test.expire', testOperator, {}, (tx) =>
    tx.run(`UPDATE access_token SET expires_at = clock_timestamp() WHERE id = $1`, [id]),
  );
  now = new Date(now.getTime() + 3000);
  expect(await authenticate(token)).toBeUndefined();
});

test('a database that does not answer is not remembered as an answer', async () => {
  const { token } = await make({});
  let isAway = true;
  const pool = Object.create(given.policy.pool, {
    query: {
      value: (...parameters: unknown[]) => {
        if (isAway) return Promise.reject(new Error('away'));
        return Reflect.apply(given.policy.pool.query, given.policy.pool, parameters);
      },
    },
  });
  const authenticate = authenticator({ pool, clock });
  await expect(authenticate(token)).rejects.toThrow('away');
  isAway = false;
  expect(await authenticate(token)).toBeDefined();
});

test('access_token.customer_named', async () => {
  const code = 'access_token.customer_named';
  const wrong = { audience: 'integrator', customerId: 'cus_1' };
  await expect(make(wrong)).rejects.toMatchObject({ status: 422, reason: code });
  await expect(make({ audience: 'customer' })).rejects.toMatchObject({ reason: code });
  const input = { name: 'x', scopes: ['*'], ...wrong };
  await expect(run(given.without(code), createAccessToken, input, testOperator)).resolves.toBeDefined();
});

test('access_token.customer_known', async () => {
  const code = 'access_token.customer_known';
  const input = { name: 'x', scopes: ['*'], audience: 'customer', customerId: 'cus_none' };
  await expect(make(input)).rejects.toMatchObject({ status: 422, reason: code });
  await expect(run(given.without(code), createAccessToken, input, testOperator)).resolves.toBeDefined();
});

test('a scope that means nothing is refused', async () => {
  for (const scopes of [[], ['tmf'], ['tmf:'], ['TMF:*'], ['*:*'], ['tmf:* tools:*']]) {
    await expect(make({ scopes })).rejects.toMatchObject({ status: 400 });
  }
});
