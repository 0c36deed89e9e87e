import { afterAll, beforeAll, expect, test } from 'vitest';
import { type House, openHouse } from '../../doctrine/house.ts';
import { isJsonObject, type JsonObject } from '../../kernel/json.ts';
import { commands } from '../../policy/commands.ts';
import { runStatement } from '../../policy/core/transaction.ts';
import { queriesFor } from '../../tools/queries.ts';
import { makeTools } from '../../tools/registry.ts';
import { objectOf, type TestDoor, testDoor, testWire } from './testing.ts';

let house: House;
let door: TestDoor;

beforeAll(async () => {
  house = await openHouse();
  door = await testDoor({
    wire: { ...testWire(house.pool), policy: house.policy },
    tools: makeTools({ policy: house.policy, pool: house.pool, commands, queries: queriesFor(commands) }),
  });
});
afterAll(async () => {
  await door.server.close(100);
  await house.close();
});

async function post(path: string, body: unknown, headers: Record<string, string> = {}) {
  const response = await fetch(`${door.url}${path}`, {
    method: 'POST',
    headers: { authorization: 'Bearer air_operator', 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
  return { status: response.status, headers: response.headers, body: await objectOf(response) };
}

const inside = (value: unknown): JsonObject => (isJsonObject(value) ? value : {});
const tokenOf = (body: JsonObject) => String(inside(body.confirmation).token);

async function ordersOf(customer: string): Promise<number> {
  const sql = 'SELECT "id" FROM "product_order" WHERE "customer_id" = $1';
  return (await runStatement(house.pool, sql, [customer])).length;
}

test('an order is proposed with its price, confirmed, and placed once however often it is sent', async () => {
  const customerId = await house.customer();
  const input = { customerId, offering: 'PLAN_S' };
  const first = await post('/tools/order.place', input);
  expect(first).toMatchObject({
    status: 200,
    body: {
      proposal: {
        tool: 'order.place',
        effect: 'money',
        customer: { id: customerId },
        amount: { amountMinor: 1000, currency: 'SGD', text: 'SGD 10.00' },
        arguments: input,
      },
    },
  });
  expect(inside(first.body.proposal).details).toEqual([
    expect.stringMatching(/card ending in \d{4}/),
    expect.stringContaining('each month'),
  ]);
  expect(first.body).not.toHaveProperty('result');
  expect(await ordersOf(customerId)).toBe(0);
  const yes = { 'confirmation-token': tokenOf(first.body) };
  const second = await post('/tools/order.place', input, yes);
  expect([second.status, inside(second.body.result).id]).toEqual([200, expect.stringMatching(/^ord_/)]);
  const again = await post('/tools/order.place', input, yes);
  expect([again.status, again.body, again.headers.get('idempotency-replayed')]).toEqual([200, second.body, 'true']);
  expect(await ordersOf(customerId)).toBe(1);
  await house.settle();
  expect(
    await runStatement(house.pool, 'SELECT "id" FROM "payment" WHERE "customer_id" = $1', [customerId]),
  ).toHaveLength(1);
});

test('what is not confirmed as it was proposed is refused with its rule, and nothing is bought', async () => {
  const customerId = await house.customer();
  const input = { customerId, offering: 'PLAN_S' };
  const token = tokenOf((await post('/tools/order.place', input)).body);
  const stranger = { authorization: 'Bearer air_tools' };
  const tries: [Record<string, string>, unknown, string][] = [
    [{ 'confirmation-token': `${token}x` }, input, 'confirmation.known'],
    [{ 'confirmation-token': token }, { ...input, offering: 'PLAN_L' }, 'confirmation.same_arguments'],
    [{ 'confirmation-token': token, ...stranger }, input, 'confirmation.same_caller'],
  ];
  for (const [headers, body, reason] of tries) {
    const answer = await post('/tools/order.place', body, headers);
    expect([answer.status, answer.body.reason]).toEqual([422, reason]);
  }
  const elsewhere = await post('/tools/subscription.top_up', input, { 'confirmation-token': token });
  expect(elsewhere.body.reason).not.toBe(undefined);
  expect(elsewhere.status).toBeGreaterThanOrEqual(400);
  expect(await ordersOf(customerId)).toBe(0);
});

test('an Idempotency-Key does not keep a proposal, and does not stand in for a confirmation', async () => {
  const customerId = await house.customer();
  const input = { customerId, offering: 'PLAN_S' };
  const key = { 'idempotency-key': 'one' };
  const first = await post('/tools/order.place', input, key);
  const second = await post('/tools/order.place', input, key);
  expect([tokenOf(first.body) === tokenOf(second.body), await ordersOf(customerId)]).toEqual([false, 0]);
  const kept = await runStatement<{ answer: unknown }>(house.pool, 'SELECT "answer" FROM "idempotency_key"', []);
  expect(JSON.stringify(kept)).not.toContain('cnf_');
});

test('rules are judged before anything is proposed, and a preview gives no token', async () => {
  const refused = await post('/tools/order.place', { customerId: `cus_${'0'.repeat(26)}`, offering: 'PLAN_S' });
  expect([refused.status, refused.body.reason]).toEqual([422, 'order.customer_known']);
  const customerId = await house.customer();
  const preview = await post('/tools/order.place/preview', { customerId, offering: 'PLAN_S' });
  expect([preview.status, Object.keys(preview.body)]).toEqual([200, ['proposal']]);
  const write = await post('/tools/ticket.open/preview', {});
  expect([write.status, write.body.reason]).toEqual([422, 'notProposed']);
  const get = await fetch(`${door.url}/tools/order.place/preview`, {
    headers: { authorization: 'Bearer air_operator' },
  });
  expect([get.status, get.headers.get('allow')]).toEqual([405, 'POST, OPTIONS']);
});

test('no token of a confirmation reaches the log', () => {
  expect(door.lines.length).toBeGreaterThan(0);
  expect(door.lines.join('\n')).not.toMatch(/cnf_\w{8}/);
});
