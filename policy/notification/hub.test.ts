import { afterAll, beforeAll, expect, test } from 'vitest';
import { invalid } from '../../kernel/error.ts';
import { execute, type Policy } from '../core/command.ts';
import { expectRule, type TestPolicy, testOperator, testPolicy } from '../core/testing.ts';
import { runStatement } from '../core/transaction.ts';
import { registerHub, unregisterHub } from './hub.ts';

let given: TestPolicy;
beforeAll(async () => {
  given = await testPolicy();
});
afterAll(() => given.close());

const register = (input: Record<string, unknown>) =>
  execute(
    given.policy,
    registerHub,
    { api: 'TMF622', callback: 'https://crm.example.com/events', ...input },
    testOperator,
  );
const rows = (id: string) =>
  runStatement<{ api: string; query: string | null }>(given.policy.pool, 'SELECT * FROM hub WHERE id = $1', [id]);

test('a subscription is stored as it was asked for', async () => {
  const { id, document } = await register({ query: 'eventType=ProductOrderStateChangeEvent' });
  expect(document).toEqual({
    id,
    callback: 'https://crm.example.com/events',
    query: 'eventType=ProductOrderStateChangeEvent',
  });
  expect(await rows(id)).toMatchObject([{ api: 'TMF622', ...document }]);
  const plain = await register({});
  expect(plain.document).toEqual({ id: plain.id, callback: 'https://crm.example.com/events' });
});

test('a callback is an absolute http or https address', async () => {
  const wrong = [
    '',
    'crm',
    '/events',
    'ftp://a.example',
    'javascript:alert(1)',
    'file:///etc/passwd',
    'https://',
    'https://a:b@c.example',
  ];
  for (const callback of [...wrong, `https://a.example/${'x'.repeat(2000)}`, 7]) {
    await expect(register({ callback })).rejects.toMatchObject({ status: 400, faults: [{ field: 'callback' }] });
  }
  await expect(register({ api: 'TMF999' })).rejects.toMatchObject({ status: 400, faults: [{ field: 'api' }] });
});

test('a subscription ends once, and only at its own API', async () => {
  const { id } = await register({});
  await expect(execute(given.policy, unregisterHub, { api: 'TMF620', id }, testOperator)).rejects.toMatchObject({
    status: 404,
  });
  expect(await rows(id)).toHaveLength(1);
  await execute(given.policy, unregisterHub, { api: 'TMF622', id }, testOperator);
  expect(await rows(id)).toHaveLength(0);
  await expect(execute(given.policy, unregisterHub, { api: 'TMF622', id }, testOperator)).rejects.toMatchObject({
    status: 404,
  });
  expect((await given.events(id)).map((event) => event.type)).toEqual(['HubCreateEvent', 'HubDeleteEvent']);
});

test('an address that may not be called is refused, and nothing is stored', async () => {
  const refusing = (policy: Policy): Policy => ({
    ...policy,
    outside: {
      ...policy.outside,
      subscriptions: {
        callbackRefusal: async (callback) =>
          callback.includes('inside') ? 'inside.example is a private address' : undefined,
        checkQuery: () => undefined,
      },
    },
  });
  const at = (policy: Policy, callback: string) =>
    execute(refusing(policy), registerHub, { api: 'TMF622', callback }, testOperator);
  await expect(at(given.policy, 'http://inside.example/')).rejects.toMatchObject({
    status: 422,
    code: 'hub.callback_allowed',
    facts: { callback: 'http://inside.example/', because: 'inside.example is a private address' },
  });
  const stored = await runStatement(given.policy.pool, "SELECT 1 FROM hub WHERE callback LIKE '%inside%'", []);
  expect(stored).toEqual([]);
  await expect(at(given.policy, 'http://outside.example/')).resolves.toBeDefined();
  await expectRule(given, 'hub.callback_allowed', 422, (policy) => at(policy, 'http://inside.example/'));
});

test('a query is judged before anything is stored', async () => {
  const policy: Policy = {
    ...given.policy,
    outside: {
      ...given.policy.outside,
      subscriptions: {
        callbackRefusal: async () => undefined,
        checkQuery: (query) => {
          throw invalid(`no sense in ${query}`);
        },
      },
    },
  };
  const input = { api: 'TMF622', callback: 'https://crm.example.com/judged' };
  await expect(execute(policy, registerHub, { ...input, query: 'x' }, testOperator)).rejects.toMatchObject({
    status: 400,
  });
  await expect(execute(policy, registerHub, input, testOperator)).resolves.toBeDefined();
});
