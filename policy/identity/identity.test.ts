import { afterAll, beforeAll, expect, test } from 'vitest';
import { listTokens } from '../../read/views/token.ts';
import { execute, run, transaction } from '../core/command.ts';
import { insertRow } from '../core/table.ts';
import { type TestPolicy, testOperator, testPolicy } from '../core/testing.ts';
import { runStatement } from '../core/transaction.ts';
import { createAccessToken, revokeAccessToken, rotateAccessToken, tokenHash } from './access-token.ts';
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

test('token.customer_named', async () => {
  const code = 'token.customer_named';
  const wrong = { audience: 'integrator', customerId: 'cus_1' };
  await expect(make(wrong)).rejects.toMatchObject({ status: 422, reason: code });
  await expect(make({ audience: 'customer' })).rejects.toMatchObject({ reason: code });
  const input = { name: 'x', scopes: ['*'], ...wrong };
  await expect(run(given.without(code), createAccessToken, input, testOperator)).resolves.toBeDefined();
});

test('token.customer_known', async () => {
  const code = 'token.customer_known';
  const input = { name: 'x', scopes: ['*'], audience: 'customer', customerId: 'cus_none' };
  await expect(make(input)).rejects.toMatchObject({ status: 422, reason: code });
  await expect(run(given.without(code), createAccessToken, input, testOperator)).resolves.toBeDefined();
});

test('a scope that means nothing is refused', async () => {
  for (const scopes of [
    [],
    ['tmf'],
    ['tmf:'],
    ['TMF:*'],
    ['*:*'],
    ['tmf:* tools:*'],
    ['tmf:TMF1'],
    ['tmf:TMF620:write'],
    ['tools:*:read'],
    ['other:*'],
  ]) {
    await expect(make({ scopes })).rejects.toMatchObject({ status: 400 });
  }
});

const rotate = (input: Record<string, unknown>, policy = given.policy) =>
  execute(policy, rotateAccessToken, input, testOperator);

test('a rotated token has a successor with the same rights, and works until the overlap is over', async () => {
  const authenticate = authenticator({ pool: given.policy.pool, clock, cacheMs: 0 });
  const old = await make({ scopes: ['tmf:TMF620:read'], name: 'Shop', expiresInSeconds: 500_000 });
  const made = await rotate({ id: old.id });
  expect(made).toMatchObject({ replaces: old.id, token: expect.stringMatching(/^air_/) });
  expect(made.id).not.toBe(old.id);
  expect(await authenticate(old.token)).toMatchObject({ id: old.id });
  expect(await authenticate(made.token)).toMatchObject({ id: made.id, name: 'Shop', scopes: ['tmf:TMF620:read'] });
  const leftSeconds = (Date.parse(made.oldExpiresAt ?? '') - Date.now()) / 1000;
  expect(Math.abs(leftSeconds - 86_400)).toBeLessThan(30);
  expect(Math.abs((Date.parse(made.expiresAt ?? '') - Date.now()) / 1000 - 500_000)).toBeLessThan(30);
  const next = await rotate({ id: made.id, overlapSeconds: 0 });
  now = new Date(now.getTime() + 3000);
  expect(await authenticate(made.token)).toBeUndefined();
  expect(await authenticate(next.token)).toBeDefined();
  await expect(rotate({ id: 'tok_none' })).rejects.toMatchObject({ status: 404 });
  expect(
    JSON.stringify(await given.events(old.id), (_key, value) => (typeof value === 'bigint' ? `${value}` : value)),
  ).not.toContain(made.token);
});

test('a rotation never makes a token last longer than it was to', async () => {
  const old = await make({ expiresInSeconds: 60 });
  expect((await rotate({ id: old.id })).oldExpiresAt).toBe(old.expiresAt);
});

test('token.is_live', async () => {
  const { id } = await make({});
  await execute(given.policy, revokeAccessToken, { id }, testOperator);
  await expect(rotate({ id })).rejects.toMatchObject({ status: 409, reason: 'token.is_live' });
  await expect(rotate({ id }, given.without('token.is_live'))).resolves.toBeDefined();
});

test('token.rotated_once', async () => {
  const { id } = await make({});
  await rotate({ id });
  await expect(rotate({ id })).rejects.toMatchObject({ status: 409, reason: 'token.rotated_once' });
  await expect(rotate({ id }, given.without('token.rotated_once'))).resolves.toBeDefined();
});

test('the list says who may call, and no secret', async () => {
  const live = await make({ name: 'Listed' });
  const ended = await make({ name: 'Ended' });
  await execute(given.policy, revokeAccessToken, { id: ended.id }, testOperator);
  const list = (input: { all: boolean }) => listTokens.run(given.policy.pool, { ...input, limit: 100 }, testOperator);
  const { items } = await list({ all: false });
  expect(items.find((one) => one.id === live.id)).toMatchObject({
    name: 'Listed',
    state: 'live',
    audience: 'integrator',
  });
  expect(items.some((one) => one.id === ended.id)).toBe(false);
  const all = await list({ all: true });
  expect(all.items.find((one) => one.id === ended.id)).toMatchObject({ state: 'revoked' });
  expect(JSON.stringify(all)).not.toContain(live.token);
  expect(JSON.stringify(all)).not.toContain(tokenHash(live.token).toString('hex'));
});
