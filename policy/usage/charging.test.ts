import type { Pool, QueryConfig } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type House, openHouse } from '../../doctrine/house.ts';
import type { Caller } from '../../kernel/caller.ts';
import type { JsonObject } from '../../kernel/json.ts';
import { runStatement } from '../core/transaction.ts';
import { readRecord, recordBatch, usageLanes } from './batch.ts';
import { recordEntries, recordTogether, type UsageEntry } from './charging.ts';
import { flatDocument, givenPart } from './commands.ts';
import { readUsage } from './units.ts';

let house: House;
let msisdn: string;

beforeAll(async () => {
  house = await openHouse();
  const order = await house.order(await house.customer());
  await house.settle();
  const [line] = await runStatement<{ msisdn: string }>(
    house.pool,
    'SELECT "msisdn" FROM "subscription" WHERE "id" = $1',
    [(await house.state(order)).subscriptionId],
  );
  msisdn = line?.msisdn ?? '';
});
afterAll(() => house.close());

const entryOf = (recordId: string, description = 'data'): UsageEntry => {
  const document = {
    ...flatDocument({ msisdn, kind: 'data', amount: 1, unit: 'KB', source: 's', recordId }),
    description,
  };
  return { document: givenPart(document), read: readUsage(document) };
};
const callerOf = (id: string): Caller => ({ ...house.caller, id, requestId: `request-${id}` });

interface Told {
  recordId: string;
  caller: Caller;
  transactionId: bigint;
}

const toldOf = (prefix: string) =>
  runStatement<Told>(
    house.pool,
    `SELECT u."record_id", e."caller", e."transaction_id" FROM "event" e JOIN "usage" u ON u."id" = e."resource_id"
      WHERE e."type" = 'UsageCreateEvent' AND u."record_id" LIKE $1 ORDER BY u."record_id"`,
    [`${prefix}%`],
  );

it('given records of many callers at once, when they share calls, then each is its own caller’s and charged once', async () => {
  const names = Array.from({ length: 40 }, (_, place) => `together-${String(place).padStart(2, '0')}`);
  const answers = await Promise.all(names.map((name) => recordTogether(house.policy, entryOf(name), callerOf(name))));
  expect(answers.map(({ status, charged, document }) => [status, charged, document?.status])).toEqual(
    names.map(() => ['rated', 1024n, 'rated']),
  );
  const told = await toldOf('together-');
  expect(told.map(({ recordId, caller }) => [recordId, caller.id, caller.requestId])).toEqual(
    names.map((name) => [name, name, `request-${name}`]),
  );
  // The first two go at once, and what came meanwhile goes with the next calls.
  expect(new Set(told.map(({ transactionId }) => transactionId)).size).toBeLessThanOrEqual(4);
  const again = await Promise.all(names.map((name) => recordTogether(house.policy, entryOf(name), callerOf('other'))));
  expect(again.map(({ repeated, id }) => [repeated, id])).toEqual(answers.map(({ id }) => [true, id]));
});

it('given one record that the database cannot hold, then it alone fails', async () => {
  const names = ['poison-0', 'poison-1', 'poison-2', 'poison-3', 'poison-4'];
  const outcomes = await Promise.allSettled(
    names.map((name, place) =>
      recordTogether(house.policy, entryOf(name, place === 3 ? 'a\0b' : 'data'), house.caller),
    ),
  );
  expect(outcomes.map(({ status }) => status)).toEqual([
    'fulfilled',
    'fulfilled',
    'fulfilled',
    'rejected',
    'fulfilled',
  ]);
  expect((await toldOf('poison-')).map(({ recordId }) => recordId)).toEqual([
    'poison-0',
    'poison-1',
    'poison-2',
    'poison-4',
  ]);
});

it('the same record twice at once counts once, whoever sends it', async () => {
  const twice = await Promise.all(
    ['a', 'b', 'c', 'd'].map((name) => recordTogether(house.policy, entryOf('same-record'), callerOf(name))),
  );
  expect(twice.map(({ repeated }) => repeated).sort()).toEqual([false, true, true, true]);
  expect(new Set(twice.map(({ id }) => id)).size).toBe(1);
});

/** Two numbers that different calls charge. */
async function twoNumbers(): Promise<[string, string]> {
  for (let tried = 0; tried < 20; tried += 1) {
    const order = await house.order(await house.customer());
    await house.settle();
    const [line] = await runStatement<{ msisdn: string }>(
      house.pool,
      'SELECT "msisdn" FROM "subscription" WHERE "id" = $1',
      [(await house.state(order)).subscriptionId],
    );
    const other = line?.msisdn ?? '';
    if (Number(other.at(-1)) % 2 !== Number(msisdn.at(-1)) % 2) return [msisdn, other];
  }
  throw new Error('no two numbers differ');
}

const batchOf = (numbers: readonly string[], prefix: string) =>
  Array.from({ length: 60 }, (_, place) =>
    readRecord(
      place + 1,
      {
        msisdn: numbers[place % numbers.length] ?? '',
        kind: 'data',
        amount: 1,
        unit: 'KB',
        source: 's',
        recordId: `${prefix}${place}`,
      },
      '',
    ),
  );

it('given a batch of two calls, when one of them fails, then the records of the other keep their answers', async () => {
  const [one, other] = await twoNumbers();
  const pool: Pool = Object.create(house.pool, {
    query: {
      value: (statement: QueryConfig) =>
        JSON.stringify(statement.values).includes(other)
          ? Promise.reject(Object.assign(new Error('too slow'), { code: '57014' }))
          : house.pool.query(statement),
    },
  });
  const results = await recordBatch({ ...house.policy, pool }, batchOf([one, other], 'half-'), house.caller);
  expect(results.map(({ line, status, reason }) => [line, status, reason])).toEqual(
    results.map((_, place) =>
      place % 2 === 0 ? [place + 1, 'rated', undefined] : [place + 1, 'failed', 'unavailable'],
    ),
  );
  expect(await toldOf('half-')).toHaveLength(30);
  await expect(recordBatch({ ...house.policy, pool }, batchOf([other], 'none-'), house.caller)).rejects.toThrow('slow');
});

it('given a part that is tried record by record, when the database goes midway, then those before keep their answers', async () => {
  const [one] = await twoNumbers();
  let calls = 0;
  const fail = (code: string) => Promise.reject(Object.assign(new Error(`failed by ${code}`), { code }));
  const pool: Pool = Object.create(house.pool, {
    query: {
      value: (statement: QueryConfig) => {
        calls += 1;
        if (calls === 1) return fail('22P05');
        return calls > 4 ? fail('57P01') : house.pool.query(statement);
      },
    },
  });
  const records = batchOf([one], 'midway-').slice(0, 6);
  const results = await recordBatch({ ...house.policy, pool }, records, house.caller);
  expect(results.map(({ status, reason }) => reason ?? status)).toEqual([
    ...['rated', 'rated', 'rated'],
    ...['unavailable', 'unavailable', 'unavailable'],
  ]);
  expect(await toldOf('midway-')).toHaveLength(3);
});

it('of two records with one key and different numbers the first counts', async () => {
  const [one, other] = await twoNumbers();
  const records = batchOf([one, other], 'twin-');
  const [first] = records;
  const twin = readRecord(
    2,
    { msisdn: other, kind: 'data', amount: 1, unit: 'KB', source: 's', recordId: 'twin-0' },
    '',
  );
  if (first) records.splice(1, 1, twin);
  const results = await recordBatch(house.policy, records, house.caller);
  expect([results[0]?.repeated, results[1]?.repeated, results[1]?.id]).toEqual([undefined, true, results[0]?.id]);
});

describe('batches of a stream that are charged at once', () => {
  /** The database, with whatever concerns a number coming late. What it says is in the order in which calls began and ended. */
  function slowFor(number: string): { pool: Pool; said: string[] } {
    const said: string[] = [];
    const pool: Pool = Object.create(house.pool, {
      query: {
        value: async (statement: QueryConfig) => {
          const text = JSON.stringify(statement.values);
          const name = `${text.includes(number) ? 'slow' : 'quick'} ${/lane-\d/.exec(text)?.[0]}`;
          said.push(`begin ${name}`);
          if (text.includes(number)) await new Promise((resolve) => setTimeout(resolve, 300));
          try {
            return await house.pool.query(statement);
          } finally {
            said.push(`end ${name}`);
          }
        },
      },
    });
    return { pool, said };
  }

  it.each([0, 1])('a lane goes on without the other, and charges one batch after another: %i is slow', async (slow) => {
    const numbers = await twoNumbers();
    const { pool, said } = slowFor(numbers[slow] ?? '');
    const charge = usageLanes({ ...house.policy, pool }, house.caller);
    const names = [1, 2].map((batch) => `lane-${batch}${slow}-`);
    const answers = await Promise.all(names.map((name) => charge(batchOf(numbers, name))));
    expect(answers.flat().every(({ status, repeated }) => status === 'rated' && repeated === undefined)).toBe(true);
    const of = (pace: string) => said.filter((line) => line.includes(pace));
    const inTurn = (pace: string) =>
      ['1', '2'].flatMap((batch) => [`begin ${pace} lane-${batch}`, `end ${pace} lane-${batch}`]);
    expect([of('slow'), of('quick')]).toEqual([inTurn('slow'), inTurn('quick')]);
    // The quick lane was through with both before the slow one was with its first.
    expect(said.indexOf('end quick lane-2')).toBeLessThan(said.indexOf('end slow lane-1'));
  });

  it('of two records with one key in two batches the first counts, whichever lane is slow', async () => {
    const [one, other] = await twoNumbers();
    const { pool } = slowFor(one);
    const charge = usageLanes({ ...house.policy, pool }, house.caller);
    const [first, second] = await Promise.all([
      charge(batchOf([one, other], 'lane-3-')),
      charge(batchOf([other, one], 'lane-3-')),
    ]);
    expect(first?.map(({ repeated }) => repeated)).toEqual(first?.map(() => undefined));
    expect(second?.map(({ repeated, id }) => [repeated, id])).toEqual(first?.map(({ id }) => [true, id]));
  });
});

it('what a record says is kept letter by letter, and the house has the last word on what is its own', async () => {
  const odd = 'a "quoted" \\ {back,slash}\n, NULL \u007f\u2028 é 😀';
  const document: JsonObject = {
    '@type': 'Usage',
    usageType: 'data',
    description: odd,
    usageDate: null,
    usageCharacteristic: [
      { name: 'msisdn', value: msisdn },
      { name: 'volume', value: 1.5 },
      { name: 'unit', value: 'B' },
      { name: 'source', value: odd },
      { name: 'recordId', value: 'NULL' },
    ],
  };
  const [made] = await recordEntries(house.policy, [{ document, read: readUsage(document) }], house.caller, {
    whole: true,
  });
  expect(made).toMatchObject({ charged: 0n, refusedBy: 'usage.readable' });
  const { usageDate: _, ...rest } = document;
  const [kept] = await recordEntries(house.policy, [{ document: rest, read: readUsage(rest) }], house.caller, {
    whole: true,
  });
  expect(kept).toMatchObject({ repeated: true, id: made?.id });
  expect(kept?.document).toMatchObject({ ...rest, id: made?.id, status: 'rejected' });
  expect(typeof kept?.document?.usageDate).toBe('string');
  const [row] = await runStatement<{ source: string; recordId: string }>(
    house.pool,
    'SELECT "source", "record_id" FROM "usage" WHERE "id" = $1',
    [made?.id],
  );
  expect(row).toEqual({ source: odd, recordId: 'NULL' });
});
