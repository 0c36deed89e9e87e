import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connect, type Database } from '../../app/database/connect.ts';
import { withClient } from '../../app/database/roles.ts';
import { type House, openHouse } from '../../doctrine/house.ts';
import { type Policy, run, transaction } from '../core/command.ts';
import { deleteRows, findRows, insertRow } from '../core/table.ts';
import { runStatement } from '../core/transaction.ts';
import { reportUsage } from './commands.ts';

const workerCount = 16;

interface Contenders {
  house: House;
  /** Sixteen policies, each with one connection of its own. */
  workers: Policy[];
  close(): Promise<void>;
}

async function openContenders(): Promise<Contenders> {
  const house = await openHouse();
  const databases: Database[] = [];
  const workers: Policy[] = [];
  for (let worker = 0; worker < workerCount; worker += 1) {
    const database = await connect({
      url: house.database.serverUrl,
      max: 1,
      statementTimeoutMs: 20_000,
      log: () => undefined,
    });
    // Connected before the race, so that all start together.
    await database.pool.query('SELECT 1');
    databases.push(database);
    workers.push({ ...house.policy, pool: database.pool });
  }
  return {
    house,
    workers,
    close: async () => {
      await Promise.all(databases.map((database) => database.close()));
      await house.close();
    },
  };
}

interface Line {
  id: string;
  msisdn: string;
}

/** An active line with two data buckets of these sizes, in bytes; the first expires first. */
async function lineWith(house: House, sizes: readonly [number, number]): Promise<Line> {
  const order = await house.order(await house.customer());
  await house.settle();
  const { subscriptionId } = await house.state(order);
  return transaction(house.policy, 'test.given', house.caller, {}, async (tx) => {
    const [line] = await findRows(tx, 'subscription', { id: subscriptionId ?? '' }, true);
    const [bucket] = await findRows(tx, 'bucket', { subscriptionId: line?.id ?? '', kind: 'data' });
    if (!line?.msisdn || !bucket) throw new Error('the line was not made');
    await deleteRows(tx, 'bucket', { id: bucket.id });
    for (const [place, size] of sizes.entries()) {
      await insertRow(tx, 'bucket', {
        ...bucket,
        id: tx.newId('bkt'),
        granted: BigInt(size),
        remaining: BigInt(size),
        expiresAt: new Date(tx.now.getTime() + (place + 1) * 86_400_000),
      });
    }
    return { id: line.id, msisdn: line.msisdn };
  });
}

interface Race {
  sizes: readonly [number, number];
  /** What each worker reports, one record after the other, in bytes. */
  records: readonly (readonly number[])[];
}

interface Outcome {
  failures: string[];
  granted: number;
  remaining: number[];
  used: number;
  charged: number;
  excess: number;
  reported: number;
  rejectedQuantity: number;
  state: string;
  blocks: number;
  networkTasks: number;
  next: string;
}

async function race({ house, workers }: Contenders, { sizes, records }: Race): Promise<Outcome> {
  const line = await lineWith(house, sizes);
  const results = await Promise.allSettled(
    workers.map(async (policy, worker) => {
      for (const amount of records[worker] ?? []) {
        await run(policy, reportUsage, { msisdn: line.msisdn, kind: 'data', amount, unit: 'B' }, house.caller);
      }
    }),
  );
  const read = <Row extends object>(sql: string) => runStatement<Row>(house.pool, sql, [line.id]);
  const buckets = await read<{ remaining: bigint; used: bigint }>(
    `SELECT "remaining", "used" FROM "bucket" WHERE "subscription_id" = $1 AND "kind" = 'data' ORDER BY "expires_at"`,
  );
  const [spent] = await read<{ charged: bigint; excess: bigint; rejected: bigint }>(
    `SELECT coalesce(sum("charged"), 0)::bigint AS charged, coalesce(sum("excess"), 0)::bigint AS excess,
       coalesce(sum("quantity") FILTER (WHERE "state" = 'rejected'), 0)::bigint AS rejected FROM "usage" WHERE "subscription_id" = $1`,
  );
  const [state] = await read<{ state: string; blocks: bigint; tasks: bigint }>(
    `SELECT "state", (SELECT count(*) FROM "line_state" WHERE "subscription_id" = $1 AND "state" = 'blocked') AS blocks,
       (SELECT count(*) FROM "flow_step" f WHERE f."flow" = 'network' AND f."subject" = s."service_id" AND f."state" = 'waiting') AS tasks FROM "subscription" s WHERE "id" = $1`,
  );
  const next = await run(
    house.policy,
    reportUsage,
    { msisdn: line.msisdn, kind: 'data', amount: 1, unit: 'B' },
    house.caller,
  );
  const document = typeof next === 'object' && next !== null && 'document' in next ? JSON.stringify(next.document) : '';
  await house.settle();
  return {
    failures: results.flatMap((result) => (result.status === 'rejected' ? [String(result.reason)] : [])),
    granted: sizes[0] + sizes[1],
    remaining: buckets.map((bucket) => Number(bucket.remaining)),
    used: buckets.reduce((sum, bucket) => sum + Number(bucket.used), 0),
    charged: Number(spent?.charged),
    excess: Number(spent?.excess),
    rejectedQuantity: Number(spent?.rejected),
    reported: records.flat().reduce((sum, amount) => sum + amount, 0),
    state: state?.state ?? '',
    blocks: Number(state?.blocks),
    networkTasks: Number(state?.tasks),
    next: /usage\.line_active/.test(document) ? 'usage.line_active' : document,
  };
}

/** What must be so after any race that asks for at least what there is. */
function judge(outcome: Outcome): void {
  const { granted, remaining, used, charged } = outcome;
  const left = remaining.reduce((sum, one) => sum + one, 0);
  if (outcome.failures.length > 0) throw new Error(`${outcome.failures.length} workers failed: ${outcome.failures[0]}`);
  expect(Math.min(...remaining)).toBeGreaterThanOrEqual(0);
  expect(charged).toBeLessThanOrEqual(granted);
  expect(charged).toBe(granted - left);
  expect(used).toBe(charged);
  // Every byte that was reported is charged, excess, or refused.
  expect(charged + outcome.excess + outcome.rejectedQuantity).toBe(outcome.reported);
  expect(left).toBe(0);
  expect([outcome.state, outcome.blocks, outcome.networkTasks]).toEqual(['blocked', 1, 1]);
  expect(outcome.next).toBe('usage.line_active');
}

const amounts = fc.integer({ min: 1, max: 60 });
const races: fc.Arbitrary<Race> = fc
  .record({
    sizes: fc.tuple(fc.integer({ min: 1, max: 200 }), fc.integer({ min: 1, max: 200 })),
    records: fc.array(fc.array(amounts, { minLength: 1, maxLength: 4 }), {
      minLength: workerCount,
      maxLength: workerCount,
    }),
  })
  // Only what asks for all there is can be judged by the block.
  .filter(({ sizes, records }) => records.flat().reduce((sum, amount) => sum + amount, 0) >= sizes[0] + sizes[1]);

const neverOverspends = (contenders: () => Contenders) =>
  fc.assert(
    fc.asyncProperty(races, async (given) => judge(await race(contenders(), given))),
    { numRuns: Number(process.env.AIRTIME_CONTENTION_RUNS ?? 12), endOnFailure: true, includeErrorInReport: true },
  );

describe('sixteen workers on one line across two buckets', () => {
  let contenders: Contenders;
  beforeAll(async () => {
    contenders = await openContenders();
  });
  afterAll(() => contenders.close());

  it('never overspend, block once, and the next request is refused', { timeout: 180_000 }, async () => {
    await neverOverspends(() => contenders);
    expect(await contenders.house.breaches()).toEqual([]);
  });

  it('count the same record once', async () => {
    const { house, workers } = contenders;
    const line = await lineWith(house, [1000, 1000]);
    const answers = await Promise.all(
      workers.map((policy) =>
        run(
          policy,
          reportUsage,
          { msisdn: line.msisdn, kind: 'data', amount: 10, unit: 'B', source: 'switch', recordId: line.id },
          house.caller,
        ),
      ),
    );
    const ids = answers.map((answer) =>
      typeof answer === 'object' && answer !== null && 'id' in answer ? answer.id : undefined,
    );
    expect(new Set(ids).size).toBe(1);
    const rows = await runStatement<{ charged: bigint }>(
      house.pool,
      'SELECT "charged" FROM "usage" WHERE "subscription_id" = $1',
      [line.id],
    );
    expect(rows).toEqual([{ charged: 10n }]);
    expect(await house.breaches()).toEqual([]);
  });

  it('while the line is topped up, quota and records still add up', { timeout: 60_000 }, async () => {
    const { house, workers } = contenders;
    const megabyte = 1024 ** 2;
    for (let round = 0; round < 3; round += 1) {
      const line = await lineWith(house, [400 * megabyte, 300 * megabyte]);
      await Promise.all([
        ...workers.map(async (policy) => {
          for (let record = 0; record < 6; record += 1) {
            await run(policy, reportUsage, { msisdn: line.msisdn, kind: 'data', amount: 30, unit: 'MB' }, house.caller);
          }
        }),
        (async () => {
          await house.topUp(line.id, 'VAS_DATA_1GB');
          await house.settle();
        })(),
      ]);
      await house.settle();
      expect(await house.breaches()).toEqual([]);
    }
  });
});

interface Planted {
  name: string;
  /** Pieces of a function's source, each replaced once. */
  replace: readonly (readonly [name: string, from: string, to: string])[];
  /** Constraints that stand behind the lock and are taken away as well. */
  drop: readonly string[];
  /** What the property then says is wrong. */
  seen: RegExp;
}

const lock = ['record_usage_batch', 'ORDER BY s."id" FOR UPDATE) l;', 'ORDER BY s."id") l;'] as const;

/** How the charging function can be wrong without its lock, and what is seen of it. */
const plantedFaults: readonly Planted[] = [
  {
    // The CHECK stands behind the lock: nothing is overspent, but records are lost to its error.
    name: 'the lock is taken out: the database’s CHECK refuses what would be overspent, and records fail',
    replace: [lock],
    drop: [],
    seen: /bucket_remaining_not_negative/,
  },
  {
    name: 'the lock and the CHECK are taken out: a bucket goes below zero',
    replace: [lock],
    drop: ['bucket_remaining_not_negative'],
    seen: /to be greater than or equal to 0/,
  },
  {
    // Absolute values instead of differences: each row keeps every CHECK and more is charged than was granted.
    name: 'the lock is taken out and balances are written as they were read: spending is lost',
    replace: [
      lock,
      [
        'record_usage_batch',
        'SET "remaining" = b."remaining" - s.taken, "used" = b."used" + s.taken',
        'SET "remaining" = greatest(s.had - s.taken, 0), "used" = b."granted" - greatest(s.had - s.taken, 0)',
      ],
      [
        'record_usage_batch',
        'count(*) AS times FROM',
        'count(*) AS times, (SELECT k."remaining" FROM "bucket" k WHERE k."id" = t.id) AS had FROM',
      ],
    ],
    drop: [],
    seen: /expected \d+ to be (less than or equal to )?\d+/,
  },
  {
    // The statement that locks reads its buckets in the snapshot it took before it waited.
    name: 'line and buckets are read by the statement that locks: a bucket goes below zero',
    replace: [
      lock,
      [
        'record_usage_batch',
        'FROM "bucket" b\n      WHERE b."subscription_id"',
        'FROM "bucket" b JOIN "subscription" s ON s."id" = b."subscription_id"\n      WHERE b."subscription_id"',
      ],
      [
        'record_usage_batch',
        'b."expires_at" NULLS LAST, b."id") b;',
        'b."expires_at" NULLS LAST, b."id" FOR UPDATE OF s) b;',
      ],
    ],
    drop: ['bucket_remaining_not_negative'],
    seen: /to be greater than or equal to 0/,
  },
];

describe('the same property fails when', () => {
  it.each(plantedFaults)('$name', { timeout: 120_000 }, async ({ replace, drop, seen }) => {
    const contenders = await openContenders();
    try {
      await withClient(contenders.house.database.ownerUrl, async (owner) => {
        for (const [name, from, to] of replace) {
          const { rows } = await owner.query<{ source: string }>('SELECT pg_get_functiondef($1::regproc) AS source', [
            name,
          ]);
          const source = rows[0]?.source ?? '';
          expect([from, source.split(from).length - 1]).toEqual([from, 1]);
          await owner.query(source.replace(from, () => to));
        }
        for (const name of drop) await owner.query(`ALTER TABLE "bucket" DROP CONSTRAINT "${name}"`);
      });
      await expect(neverOverspends(() => contenders)).rejects.toThrow(seen);
    } finally {
      await contenders.close();
    }
  });
});
