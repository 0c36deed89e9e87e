import { afterAll, beforeAll, expect, test } from 'vitest';
import { type House, openHouse, operator } from '../../doctrine/house.ts';
import { createHandlers } from '../../handlers/index.ts';
import { isJsonObject, type JsonObject } from '../../kernel/json.ts';
import { topupBalanceCommands, topupRules } from '../../policy/balance/topup.ts';
import { execute, type Policy } from '../../policy/core/command.ts';
import { objects } from '../../policy/core/party.ts';
import type { Stored } from '../../policy/core/resource.ts';
import { runStatement } from '../../policy/core/transaction.ts';
import { resourceCommandsFor } from '../../policy/resources.ts';
import { reportUsage } from '../../policy/usage/commands.ts';
import { objectOf, type TestDoor, testDoor } from './testing.ts';

const publicUrl = 'https://bss.example.com/air';
const balance = '/tmf-api/prepayBalanceManagement/v4';
const consumption = '/tmf-api/usageConsumption/v4';
let house: House;
let door: TestDoor;

beforeAll(async () => {
  house = await openHouse();
  door = await testDoor({
    wire: { policy: house.policy, pool: house.pool, publicUrl, wake: () => undefined },
    handlers: createHandlers(resourceCommandsFor),
  });
});
afterAll(async () => {
  await door.server.close(1000);
  await house.close();
});

const send = (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) =>
  fetch(door.url + path, {
    method,
    headers: { Authorization: 'Bearer air_operator', 'Content-Type': 'application/json', ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });

const get = async (path: string): Promise<JsonObject> => {
  const response = await send('GET', path);
  expect([path, response.status]).toEqual([path, 200]);
  return objectOf(response);
};

const list = async (path: string): Promise<JsonObject[]> => {
  const response = await send('GET', path);
  expect([path, response.status]).toEqual([path, 200]);
  const body: unknown = await response.json();
  if (!Array.isArray(body)) throw new Error('a list is an array');
  return body.filter(isJsonObject);
};

interface Line {
  id: string;
  customer: string;
  msisdn: string;
}

async function activeLine(plan = 'PLAN_S', token = 'tok_visa'): Promise<Line> {
  const customer = await house.customer(token);
  const order = await house.order(customer, plan);
  await house.settle();
  const { subscriptionId } = await house.state(order);
  const [row] = await runStatement<{ msisdn: string }>(
    house.pool,
    'SELECT "msisdn" FROM "subscription" WHERE "id" = $1',
    [subscriptionId],
  );
  if (!subscriptionId || !row) throw new Error('the line was not made');
  return { id: subscriptionId, customer, msisdn: row.msisdn };
}

let records = 0;
function use(line: Line, kind: 'data' | 'voice', amount: number, unit: 'GB' | 'MB' | 'min' | 's'): Promise<Stored> {
  records += 1;
  const input = { msisdn: line.msisdn, kind, amount, unit, source: 'test', recordId: `balance-${records}` };
  return reportUsage.single(house.policy, input, operator);
}

const bucketsOf = (line: Line, more = '') => list(`${balance}/bucket?product.id=${line.id}${more}`);

async function bucketOf(line: Line, allowance: string): Promise<JsonObject> {
  const [bucket] = await bucketsOf(line, `&allowance=${allowance}&sort=id`);
  if (!bucket) throw new Error(`the line has no bucket of ${allowance}`);
  return bucket;
}

async function bodyFor(line: Line, more: JsonObject = {}): Promise<JsonObject> {
  const bucket = await bucketOf(line, 'data');
  return {
    amount: { amount: 1, units: 'GB' },
    usageType: 'data',
    bucket: { id: bucket.id ?? '' },
    partyAccount: isJsonObject(bucket.partyAccount) ? bucket.partyAccount : {},
    ...more,
  };
}

const captured = async (line: Line): Promise<bigint> => {
  const rows = await runStatement<{ total: bigint | null }>(
    house.pool,
    `SELECT sum("amount_minor")::bigint AS total FROM "payment" WHERE "customer_id" = $1 AND "state" IN ('captured', 'done')`,
    [line.customer],
  );
  return BigInt(rows[0]?.total ?? 0);
};

test('a bucket is told as it is spent, with an ETag that changes with it', async () => {
  const line = await activeLine();
  const data = await bucketOf(line, 'data');
  expect(data).toMatchObject({
    '@type': 'Bucket',
    href: `${publicUrl}${balance}/bucket/${data.id}`,
    name: 'Data',
    usageType: 'data',
    status: 'active',
    isShared: false,
    isUnlimited: false,
    remainingValue: { amount: 5120, units: 'MB' },
    remainingValueName: '5120 MB',
    reservedValue: { amount: 0, units: 'MB' },
    product: [{ id: line.id, href: `${publicUrl}/tmf-api/productInventory/v4/product/${line.id}` }],
    logicalResource: [{ id: line.msisdn }],
    relatedParty: [{ id: line.customer, '@referredType': 'Customer' }],
  });
  expect(objects(data.validFor)[0]).toMatchObject({
    startDateTime: expect.stringMatching(/Z$/),
    endDateTime: expect.stringMatching(/Z$/),
  });
  const before = (await send('GET', `${balance}/bucket/${data.id}`)).headers.get('etag');
  await use(line, 'data', 100.5, 'MB');
  await use(line, 'voice', 90, 's');
  const after = await send('GET', `${balance}/bucket/${data.id}`);
  expect(after.headers.get('etag')).not.toBe(before);
  expect(await objectOf(after)).toMatchObject({ remainingValue: { amount: 5019.5, units: 'MB' } });
  expect(await bucketOf(line, 'voice')).toMatchObject({ remainingValue: { amount: 98.5, units: 'min' } });
  expect(await bucketOf(line, 'sms')).toMatchObject({ remainingValue: { amount: 100, units: 'SMS' } });
  expect(await bucketsOf(line, '&remainingValue.amount.gt=5000')).toHaveLength(1);
  expect(await bucketsOf(line, '&fields=none')).toHaveLength(3);
  expect((await send('GET', `${balance}/bucket?product.id=${line.id}&limit=2`)).status).toBe(206);
  expect(await list(`${balance}/bucket?product.id=sub_none`)).toEqual([]);
  expect((await send('GET', `${balance}/bucket/none`)).status).toBe(404);
});

test('what is unlimited has no amount, and says so', async () => {
  const line = await activeLine('PLAN_M');
  const voice = await bucketOf(line, 'voice');
  expect(voice).toMatchObject({ isUnlimited: true, remainingValueName: 'unlimited' });
  expect(voice).not.toHaveProperty('remainingValue');
  expect(await bucketOf(line, 'roaming_data')).toMatchObject({
    name: 'Roaming data',
    usageType: 'data',
    remainingValue: { amount: 500, units: 'MB' },
  });
  const sum = await get(`${balance}/accumulatedBalance/${line.id}.voice`);
  expect(sum).toMatchObject({ isUnlimited: true, totalBalance: { units: 'min' }, description: 'unlimited left' });
  expect(sum.totalBalance).not.toHaveProperty('amount');
});

test('a top-up is an order: charged once, told from beginning to end, and added to the sum', async () => {
  const line = await activeLine();
  const sums = `${balance}/accumulatedBalance?product.id=${line.id}`;
  expect((await list(sums)).map((one) => one.name).sort()).toEqual(['Data', 'SMS', 'Voice']);
  await use(line, 'data', 5120, 'MB');
  expect((await house.pool.query('SELECT "state" FROM "subscription" WHERE "id" = $1', [line.id])).rows).toEqual([
    { state: 'blocked' },
  ]);
  const paid = await captured(line);
  const body = await bodyFor(line, { description: 'A gigabyte', status: 'completed', statusReason: 'mine' });
  const key = { 'Idempotency-Key': `topup-${line.id}` };
  const response = await send('POST', `${balance}/topupBalance`, body, key);
  const made = await objectOf(response);
  expect([response.status, response.headers.get('location')]).toEqual([201, made.href]);
  expect(made).toMatchObject({
    id: expect.stringMatching(/^top_/),
    '@type': 'TopupBalance',
    status: 'created',
    description: 'A gigabyte',
    amount: { amount: 1, units: 'GB' },
    requestedDate: expect.any(String),
    product: [{ id: line.id }],
    relatedParty: [{ id: line.customer }],
    productOffering: { name: expect.any(String) },
  });
  expect(made).not.toHaveProperty('statusReason');
  const again = await objectOf(await send('POST', `${balance}/topupBalance`, body, key));
  expect(again.id).toBe(made.id);
  // Nothing is given before it is paid for.
  expect(await get(`${balance}/accumulatedBalance/${line.id}.data`)).toMatchObject({ totalBalance: { amount: 0 } });
  await house.settle();
  expect((await captured(line)) - paid).toBe(300n);
  const path = `${balance}/topupBalance/${made.id}`;
  expect(await get(path)).toMatchObject({ status: 'completed', confirmationDate: expect.any(String) });
  const total = await get(`${balance}/accumulatedBalance/${line.id}.data`);
  expect(total).toMatchObject({
    href: `${publicUrl}${balance}/accumulatedBalance/${line.id}.data`,
    name: 'Data',
    totalBalance: { amount: 1024, units: 'MB' },
    product: [{ id: line.id }],
  });
  expect(objects(total.bucket)).toHaveLength(2);
  expect(await list(`${balance}/topupBalance?product.id=${line.id}&status=completed`)).toHaveLength(1);
  expect((await house.pool.query('SELECT "state" FROM "subscription" WHERE "id" = $1', [line.id])).rows).toEqual([
    { state: 'active' },
  ]);
  expect(await house.breaches()).toEqual([]);
});

test('an add-on that no amount describes is bought by its offering', async () => {
  const line = await activeLine();
  const { rows } = await house.pool.query<{ id: string }>(
    `SELECT "id" FROM "product_offering" WHERE "code" = 'VAS_DAY_PASS'`,
  );
  const body = await bodyFor(line, { productOffering: { id: rows[0]?.id ?? '' }, amount: { units: 'MB' } });
  const made = await objectOf(await send('POST', `${balance}/topupBalance`, body));
  await house.settle();
  expect(await get(`${balance}/topupBalance/${made.id}`)).toMatchObject({ status: 'completed' });
  expect(await get(`${balance}/accumulatedBalance/${line.id}.data`)).toMatchObject({ isUnlimited: true });
});

test('a declined card fails the top-up, gives nothing and tells who listens', async () => {
  const line = await activeLine();
  const body = await bodyFor(line);
  await house.gateway.plan({ mode: 'decline_authorisation', times: 1 });
  const made = await objectOf(await send('POST', `${balance}/topupBalance`, body));
  await house.settle();
  expect(await get(`${balance}/topupBalance/${made.id}`)).toMatchObject({
    status: 'failed',
    statusReason: expect.stringContaining('payment.declined'),
  });
  expect(await get(`${balance}/accumulatedBalance/${line.id}.data`)).toMatchObject({ totalBalance: { amount: 5120 } });
  const events = await house.pool.query<{ type: string }>(
    'SELECT "type" FROM "event" WHERE "resource_id" = $1 ORDER BY "position"',
    [made.id],
  );
  expect(events.rows.map((one) => one.type)).toEqual(['TopupBalanceCreateEvent', 'TopupBalanceFailureEvent']);
});

test('each rule of a top-up refuses by itself: it is kept as failed, and nothing is charged', async () => {
  const line = await activeLine();
  const other = await activeLine();
  const account = async (of: Line) => (await bodyFor(of)).partyAccount ?? {};
  const broken: Record<string, JsonObject> = {
    'top_up.bucket_known': await bodyFor(line, { bucket: { id: 'bkt_none' } }),
    'top_up.product_is_line_of_bucket': await bodyFor(line, { product: [{ id: other.id }] }),
    'top_up.account_is_of_line': await bodyFor(line, { partyAccount: await account(other) }),
    'top_up.once_and_by_card': await bodyFor(line, { voucher: '1234' }),
    'top_up.amount_is_on_sale': await bodyFor(line, { amount: { amount: 2, units: 'GB' } }),
  };
  expect(Object.keys(broken).sort()).toEqual(topupRules.map((one) => one.code).sort());
  const paid = await captured(line);
  const create = topupBalanceCommands.create;
  if (!create) throw new Error('there is no create');
  for (const [code, body] of Object.entries(broken)) {
    const response = await send('POST', `${balance}/topupBalance`, body);
    expect([code, response.status]).toEqual([code, 201]);
    expect(await objectOf(response)).toMatchObject({ status: 'failed', statusReason: expect.stringContaining(code) });
    const off: Policy = { ...house.policy, rulesOff: new Set([code]) };
    // Without its rule, another one or none speaks: never this one.
    const answer = await execute(off, create, { document: body }, operator).then(
      () => 'carried out',
      (error: unknown) => (error instanceof Error && 'code' in error ? String(error.code) : String(error)),
    );
    expect(answer).not.toBe(code);
  }
  for (const more of [{ isAutoTopup: true }, { recurringPeriod: 'monthly' }, { numberOfPeriods: 3 }]) {
    const made = await objectOf(await send('POST', `${balance}/topupBalance`, await bodyFor(line, more)));
    expect(made).toMatchObject({ status: 'failed', statusReason: expect.stringContaining('top_up.once_and_by_card') });
  }
  expect(await captured(line)).toBe(paid);
});

test('what could give quota away is offered by nobody', async () => {
  const line = await activeLine();
  const body = await bodyFor(line);
  for (const resource of ['adjustBalance', 'transferBalance', 'reserveBalance', 'balanceActionHistory']) {
    for (const [method, path] of [
      ['GET', ''],
      ['POST', ''],
      ['PATCH', '/x'],
      ['DELETE', '/x'],
    ] as const) {
      const response = await send(method, `${balance}/${resource}${path}`, method === 'GET' ? undefined : body);
      expect([resource, method, response.status]).toEqual([resource, method, 404]);
      expect(await objectOf(response)).toMatchObject({ status: '404' });
    }
  }
  const made = await objectOf(await send('POST', `${balance}/topupBalance`, body));
  for (const [method, path, allow] of [
    ['PATCH', `/topupBalance/${made.id}`, 'GET, HEAD, OPTIONS'],
    ['DELETE', `/topupBalance/${made.id}`, 'GET, HEAD, OPTIONS'],
    ['POST', '/bucket', 'GET, HEAD, OPTIONS'],
    ['PATCH', `/bucket/${objects(body.bucket)[0]?.id}`, 'GET, HEAD, OPTIONS'],
    ['POST', '/accumulatedBalance', 'GET, HEAD, OPTIONS'],
  ] as const) {
    const response = await send(method, balance + path, method === 'DELETE' ? undefined : body);
    expect([method, path, response.status, response.headers.get('allow')]).toEqual([method, path, 405, allow]);
  }
});

test('a question about use is answered line by line, kept as it was answered, and deleted', async () => {
  const line = await activeLine('PLAN_M');
  await use(line, 'data', 720, 'MB');
  await use(line, 'voice', 120, 's');
  const response = await send('POST', `${consumption}/queryUsageConsumption`, {
    searchCriteria: { logicalResource: [{ id: `+${line.msisdn}` }] },
    'x-unknown': 1,
  });
  const made = await objectOf(response);
  expect([response.status, response.headers.get('location')]).toEqual([201, made.href]);
  expect(made).toMatchObject({ id: expect.stringMatching(/^quc_/), 'x-unknown': 1 });
  const [answer, ...others] = objects(made.usageConsumption);
  expect(others).toEqual([]);
  expect(answer).toMatchObject({
    state: 'done',
    product: [{ id: line.id }],
    logicalResource: [{ id: line.msisdn }],
    relatedParty: [{ id: line.customer }],
  });
  const buckets = objects(answer?.bucketRefOrValue);
  expect(buckets).toHaveLength(4);
  const data = buckets.find((one) => one.allowance === 'data');
  expect(data).toMatchObject({
    href: `${publicUrl}${balance}/bucket/${data?.id}`,
    remainingValue: { amount: 30000, units: 'MB' },
    bucketCounter: [
      { counterType: 'granted', value: { amount: 30720, units: 'MB' } },
      { counterType: 'used', value: { amount: 720, units: 'MB' }, valueName: '720 MB' },
      { counterType: 'remaining', value: { amount: 30000, units: 'MB' } },
    ],
  });
  const voice = objects(buckets.find((one) => one.allowance === 'voice')?.bucketCounter);
  expect(voice.map((one) => [one.counterType, one.valueName, one.value])).toEqual([
    ['granted', 'unlimited', undefined],
    ['used', '2 min', { amount: 2, units: 'min' }],
    ['remaining', 'unlimited', undefined],
  ]);
  await use(line, 'data', 100, 'MB');
  const path = `${consumption}/queryUsageConsumption/${made.id}`;
  expect(await get(path)).toEqual(made);
  expect((await list(`${consumption}/queryUsageConsumption?fields=none`)).map((one) => one.id)).toContain(made.id);
  expect((await send('PATCH', path, {})).status).toBe(405);
  expect((await send('DELETE', path)).status).toBe(204);
  expect((await send('GET', path)).status).toBe(404);
});

test('lines are found by every kind of reference, together they narrow, and none is a question about nobody', async () => {
  const line = await activeLine();
  const other = await activeLine();
  const ask = async (searchCriteria: JsonObject): Promise<string[]> => {
    const made = await objectOf(await send('POST', `${consumption}/queryUsageConsumption`, { searchCriteria }));
    return objects(made.usageConsumption).map((one) =>
      one.state === 'done' ? String(one.id) : String(one.description),
    );
  };
  const [service] = (
    await house.pool.query<{ id: string }>('SELECT "service_id" AS id FROM "subscription" WHERE "id" = $1', [line.id])
  ).rows;
  const customer = [{ id: line.customer, '@referredType': 'Customer' }];
  expect(await ask({ product: [{ id: line.id }] })).toEqual([line.id]);
  expect(await ask({ service: [{ id: service?.id ?? '' }] })).toEqual([line.id]);
  expect(await ask({ bucketRefOrValue: [{ id: (await bucketOf(line, 'sms')).id ?? '' }] })).toEqual([line.id]);
  expect(await ask({ relatedParty: customer })).toEqual([line.id]);
  expect((await ask({ product: [{ id: line.id }, { id: other.id }] })).sort()).toEqual([line.id, other.id].sort());
  expect(await ask({ product: [{ id: other.id }], relatedParty: customer })).toEqual([]);
  expect(await ask({ product: [{ id: 'sub_none' }] })).toEqual([]);
  expect(await ask({ description: 'everything' })).toEqual([expect.stringContaining('usage_consumption.names_whose')]);
  const early = { validPeriod: { endDateTime: '2020-01-01T00:00:00Z' }, product: [{ id: line.id }] };
  const made = await objectOf(await send('POST', `${consumption}/queryUsageConsumption`, { searchCriteria: early }));
  expect(objects(objects(made.usageConsumption)[0]?.bucketRefOrValue)).toEqual([]);
});
