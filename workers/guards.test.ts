import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemCaller } from '../kernel/caller.ts';
import type { MachineClock } from '../kernel/clock.ts';
import { forgetRefusals, recordOwnershipTrip } from '../policy/audit/commands.ts';
import { execute, transaction } from '../policy/core/command.ts';
import { type TestPolicy, testOperator, testPolicy } from '../policy/core/testing.ts';
import { runStatement } from '../policy/core/transaction.ts';
import { forgetRates } from '../policy/identity/rate.ts';
import { listAudit } from '../read/views/audit.ts';
import { makeRateLimiter } from './rate-limiter.ts';
import { makeRefusalRecorder, type RefusedRequest } from './refusal-recorder.ts';

let given: TestPolicy;
const log = { warn: () => undefined };

beforeAll(async () => {
  given = await testPolicy();
});
afterAll(() => given.close());

/** A clock that a test moves. */
function movable(at: string): MachineClock & { at: Date } {
  const clock = {
    at: new Date(at),
    now: () => clock.at,
    sleep: (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds)),
  };
  return clock;
}

const counted = async (subject: string) =>
  (
    await runStatement<{ count: number }>(given.policy.pool, 'SELECT "count" FROM "rate_count" WHERE "subject" = $1', [
      subject,
    ])
  ).map((row) => row.count);

test('two processes together let no more through than the limit', async () => {
  const clock = movable('2027-01-01T00:00:10Z');
  const processes = [makeRateLimiter(given.policy, clock, log), makeRateLimiter(given.policy, clock, log)];
  let allowed = 0;
  for (let round = 0; round < 30; round += 1) {
    const answers = await Promise.all(
      processes.flatMap((one) => Array.from({ length: 5 }, () => one.take('token two', 100))),
    );
    allowed += answers.filter((answer) => answer === undefined).length;
  }
  expect(allowed).toBe(100);
  for (const one of processes) expect(await one.take('token two', 100)).toBeGreaterThan(0);
  expect(await processes[0]?.take('token other', 100)).toBeUndefined();
});

test('far from a limit nothing is waited for, and a limit of 0 is none', async () => {
  const limiter = makeRateLimiter(given.policy, movable('2027-01-01T00:00:10Z'), log);
  for (let i = 0; i < 1000; i += 1) expect(limiter.take('token far', 300_000)).toBeUndefined();
  for (let i = 0; i < 1000; i += 1) expect(limiter.take('token none', 0)).toBeUndefined();
  await limiter.stop();
  expect(await counted('token far')).toEqual([1000]);
  expect(await counted('token none')).toEqual([]);
});

test('a window slides: what was used before counts for as long as it is within the minute', async () => {
  const clock = movable('2027-01-01T00:00:50Z');
  const limiter = makeRateLimiter(given.policy, clock, log);
  const taken = async () => {
    let count = 0;
    while ((await limiter.take('token slide', 10)) === undefined) count += 1;
    return count;
  };
  expect(await taken()).toBe(10);
  clock.at = new Date('2027-01-01T00:01:00.500Z');
  expect(await taken()).toBe(0);
  clock.at = new Date('2027-01-01T00:01:30Z');
  expect(await taken()).toBe(5);
  const wait = await limiter.take('token slide', 10);
  expect(wait).toBeGreaterThan(0);
  clock.at = new Date(clock.at.getTime() + Number(wait) * 1000);
  expect(await limiter.take('token slide', 10)).toBeUndefined();
  clock.at = new Date('2027-01-01T00:05:00Z');
  expect(await taken()).toBe(10);
});

test('what a stopped process counted is not lost, and one that starts later knows it', async () => {
  const clock = movable('2027-01-01T00:00:10Z');
  const first = makeRateLimiter(given.policy, clock, log);
  for (let i = 0; i < 9; i += 1) await first.take('token stop', 10);
  await first.stop();
  const second = makeRateLimiter(given.policy, clock, log);
  expect([await second.take('token stop', 10), typeof (await second.take('token stop', 10))]).toEqual([
    undefined,
    'number',
  ]);
});

test('a database that is away refuses nobody here', async () => {
  const pool = Object.create(given.policy.pool, { connect: { value: () => Promise.reject(new Error('away')) } });
  const limiter = makeRateLimiter({ ...given.policy, pool }, movable('2027-01-01T00:00:10Z'), log);
  expect(await Promise.all([1, 2, 3].map(() => limiter.take('token away', 5)))).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
});

test('old windows are forgotten', async () => {
  await transaction(
    given.policy,
    'test.old',
    testOperator,
    {},
    (tx) =>
      tx.sql`INSERT INTO "rate_count" ("subject", "window_at", "count") VALUES ('old', clock_timestamp() - interval '11 minutes', 3), ('new', clock_timestamp(), 4)`,
  );
  await execute(given.policy, forgetRates, {}, testOperator);
  expect([await counted('old'), await counted('new')]).toEqual([[], [4]]);
});

const refused = (more: Partial<RefusedRequest> = {}): RefusedRequest => ({
  door: 'TMF622',
  operation: 'createProductOrder',
  status: 403,
  code: 'forbidden',
  caller: { ...testOperator, id: 'tok_1', name: 'CRM', audience: 'integrator' },
  address: '192.0.2.1',
  requestId: 'req_1',
  ...more,
});

const listed = async (input: object = {}) =>
  (await listAudit.run(given.policy.pool, { limit: 100, ...input }, testOperator)).items;

test('refusals that are alike are one row with their number; the rest are told apart', async () => {
  const clock = movable('2027-01-01T00:00:10Z');
  const recorder = makeRefusalRecorder(given.policy, clock, log);
  for (let i = 0; i < 500; i += 1) recorder.record(refused({ requestId: `req_${i}` }));
  recorder.record(refused({ caller: undefined, status: 401, code: 'tokenRefused' }));
  await recorder.stop();
  expect(await listed({ callerId: 'tok_1' })).toEqual([
    expect.objectContaining({
      count: 500,
      status: 403,
      code: 'forbidden',
      door: 'TMF622',
      caller: { id: 'tok_1', name: 'CRM', audience: 'integrator' },
      address: null,
      requestId: 'req_0',
    }),
  ]);
  expect(await listed({ address: '192.0.2.1' })).toMatchObject([{ caller: null, status: 401, count: 1 }]);
  clock.at = new Date('2027-01-01T00:00:40Z');
  const other = makeRefusalRecorder(given.policy, clock, log);
  other.record(refused());
  await other.stop();
  expect(await listed({ callerId: 'tok_1' })).toMatchObject([
    { count: 501, lastAt: expect.stringContaining('00:00:40') },
  ]);
  expect(await listed({ status: 401 })).toHaveLength(1);
  expect(await listed({ code: 'nothing' })).toEqual([]);
  expect(await listed({ since: '2027-01-01T00:00:20Z' })).toHaveLength(1);
});

test('a flood of refusals that differ stays bounded, and none is uncounted', async () => {
  const recorder = makeRefusalRecorder(given.policy, movable('2028-01-01T00:00:10Z'), log);
  for (let i = 0; i < 5000; i += 1) recorder.record(refused({ caller: undefined, address: `addr-${i}` }));
  await recorder.stop();
  const rows = await runStatement<{ count: number; operation: string }>(
    given.policy.pool,
    `SELECT "count", "operation" FROM "refusal" WHERE "window_at" >= '2028-01-01'`,
    [],
  );
  expect(rows).toHaveLength(1001);
  expect(rows.reduce((sum, row) => sum + row.count, 0)).toBe(5000);
});

test('what could not be written is written later', async () => {
  let isAway = true;
  const pool = Object.create(given.policy.pool, {
    connect: {
      value: () => (isAway ? Promise.reject(new Error('away')) : given.policy.pool.connect()),
    },
  });
  const recorder = makeRefusalRecorder({ ...given.policy, pool }, movable('2029-01-01T00:00:10Z'), log);
  recorder.record(refused({ code: 'late' }));
  await recorder.stop();
  expect(await listed({ code: 'late' })).toEqual([]);
  isAway = false;
  recorder.record(refused({ code: 'late' }));
  await recorder.stop();
  expect(await listed({ code: 'late' })).toMatchObject([{ count: 2 }]);
});

test('what somebody typed keeps nobody’s refusals from being written', async () => {
  const recorder = makeRefusalRecorder(given.policy, movable('2029-02-01T00:00:10Z'), log);
  for (const operation of ['nul\0', 'half \ud83d', `${'x'.repeat(119)}😀`]) recorder.record(refused({ operation }));
  recorder.record(refused({ code: 'beside' }));
  await recorder.stop();
  expect(await listed({ code: 'beside' })).toMatchObject([{ count: 1 }]);
  const operations = (await listed({ since: '2029-02-01T00:00:00Z' })).map(({ operation }) => operation);
  expect(operations).toEqual(expect.arrayContaining(['nul ', 'half \ufffd', `${'x'.repeat(119)}\ufffd`]));
});

test('a batch that the database refuses for its data is split, and only what it refuses is dropped', async () => {
  // A second lock on what no text of ours may be, as a column of the future would be.
  const refusing = Object.create(given.policy.pool, {
    connect: {
      value: async () => {
        const client = await given.policy.pool.connect();
        return Object.create(client, {
          query: {
            value: (...query: Parameters<typeof client.query>) =>
              JSON.stringify(query).includes('poison')
                ? Promise.reject(Object.assign(new Error('unsupported'), { code: '22P05' }))
                : client.query(...query),
          },
        });
      },
    },
  });
  const warned: string[] = [];
  const recorder = makeRefusalRecorder({ ...given.policy, pool: refusing }, movable('2029-03-01T00:00:10Z'), {
    warn: (_fields, message) => warned.push(message),
  });
  recorder.record(refused({ code: 'poison' }));
  recorder.record(refused({ code: 'sound' }));
  await recorder.stop();
  await recorder.stop();
  expect(warned).toEqual(['a refusal cannot be kept and was dropped']);
  expect(await listed({ code: 'sound' })).toMatchObject([{ count: 1 }]);
});

test('refusals are forgotten after the days that the installation keeps them', async () => {
  await transaction(
    given.policy,
    'test.age',
    testOperator,
    {},
    (tx) =>
      tx.sql`UPDATE "refusal" SET "last_at" = clock_timestamp() - CASE WHEN "code" = 'late' THEN interval '91 days' ELSE interval '89 days' END`,
  );
  await execute(given.policy, forgetRefusals, {}, systemCaller('housekeeping'));
  expect(await listed({ code: 'late' })).toEqual([]);
  expect((await listed()).length).toBeGreaterThan(0);
});

test('a trip of the second check of ownership is an event', async () => {
  const trip = { tool: 'order.show', customerId: 'cus_1', foreignCustomerId: 'cus_2' };
  const { id } = await execute(given.policy, recordOwnershipTrip, trip, systemCaller('ownership'));
  expect(await given.events(id)).toMatchObject([{ type: 'OwnershipTripEvent', resource: { tool: 'order.show' } }]);
});
