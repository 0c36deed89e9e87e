import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type House, openHouse } from '../../doctrine/house.ts';
import type { Json, JsonObject } from '../../kernel/json.ts';
import { freezeClock } from '../clock/commands.ts';
import { execute, type Policy, transaction } from '../core/command.ts';
import { deleteRows, findRows, insertRow } from '../core/table.ts';
import { runStatement } from '../core/transaction.ts';
import { type BatchResult, readRecord, recordBatch, unreadable } from './batch.ts';

import { forgetUsageKeys, replayUsage } from './quarantine.ts';
import { usageRules } from './rules.ts';

let house: House;
beforeAll(async () => {
  house = await openHouse();
});
afterAll(() => house.close());

const minute = 60_000;
const day = 86_400_000;
let now = 0;
beforeEach(async () => {
  const [row] = await runStatement<{ now: Date }>(house.pool, 'SELECT business_now() AS now', []);
  now = row?.now.getTime() ?? 0;
});
const at = (milliseconds: number) => new Date(now + milliseconds).toISOString();

// The stock of numbers is as a test needs it and not as a house would leave it.
const quotaBreaches = async () => (await house.breaches()).filter(({ invariant }) => !invariant.startsWith('stock:'));

interface Line {
  id: string;
  msisdn: string;
}

/** An active line whose plan holds so much data, in bytes. It has been so for a week, and its quota too. */
async function lineWith(data: number): Promise<Line> {
  const order = await house.order(await house.customer());
  await house.settle();
  const { subscriptionId } = await house.state(order);
  return transaction(house.policy, 'test.given', house.caller, {}, async (tx) => {
    const [line] = await findRows(tx, 'subscription', { id: subscriptionId ?? '' }, true);
    const [bucket] = await findRows(tx, 'bucket', { subscriptionId: line?.id ?? '', kind: 'data' });
    if (!line?.msisdn || !bucket) throw new Error('the line was not made');
    const week = new Date(tx.now.getTime() - 7 * day);
    await deleteRows(tx, 'bucket', { id: bucket.id });
    await insertRow(tx, 'bucket', { ...bucket, id: tx.newId('bkt'), granted: BigInt(data), remaining: BigInt(data) });
    await tx.sql`UPDATE "bucket" SET "valid_from" = ${week} WHERE "subscription_id" = ${line.id}`;
    await tx.sql`UPDATE "line_state" SET "from_at" = ${week} WHERE "subscription_id" = ${line.id}`;
    await tx.sql`UPDATE "subscription" SET "state_since" = ${week} WHERE "id" = ${line.id}`;
    await tx.sql`UPDATE "number_assignment" SET "assigned_at" = ${week} WHERE "subscription_id" = ${line.id}`;
    return { id: line.id, msisdn: line.msisdn };
  });
}

let records = 0;
const nextId = () => {
  records += 1;
  return `cdr-${records}`;
};

function charge(
  given: readonly Record<string, Json>[],
  policy: Policy = house.policy,
): Promise<(BatchResult & JsonObject)[]> {
  const lines = given.map((one, index) => readRecord(index + 1, { kind: 'data', unit: 'B', ...one }, ''));
  return recordBatch(policy, lines, house.caller);
}

const one = async (given: Record<string, Json>, policy?: Policy): Promise<JsonObject> => {
  const [result] = await charge([given], policy);
  return result ?? {};
};

describe('a record is judged at its usage date', () => {
  it('dated before the block of an exhausted line it is rated with nothing taken; dated after, refused', async () => {
    const line = await lineWith(1000);
    expect(await one({ msisdn: line.msisdn, amount: 1500, usageDate: at(-10 * minute) })).toMatchObject({
      status: 'rated',
      charged: { amount: 1000 },
      excess: { amount: 500 },
    });
    expect(await one({ msisdn: line.msisdn, amount: 5, usageDate: at(-20 * minute) })).toMatchObject({
      status: 'rated',
      charged: { amount: 0 },
      excess: { amount: 5 },
    });
    expect(await one({ msisdn: line.msisdn, amount: 5, usageDate: at(-5 * minute) })).toMatchObject({
      status: 'rejected',
      reason: 'usage.line_active',
    });
  });

  it('a late record that takes the rest ends the quota where the last of it was used', async () => {
    const line = await lineWith(1000);
    await charge([
      { msisdn: line.msisdn, amount: 900, usageDate: at(-10 * minute) },
      { msisdn: line.msisdn, amount: 100, usageDate: at(-60 * minute) },
    ]);
    const results = await charge([
      { msisdn: line.msisdn, amount: 1, usageDate: at(-30 * minute) },
      { msisdn: line.msisdn, amount: 1, usageDate: at(-9 * minute) },
    ]);
    expect(results.map((result) => result.status)).toEqual(['rated', 'rejected']);
  });

  it('quota that came later is not spent on what was used before it', async () => {
    const line = await lineWith(1000);
    await one({ msisdn: line.msisdn, amount: 1000, usageDate: at(-10 * minute) });
    await house.topUp(line.id, 'VAS_DATA_1GB');
    await house.settle();
    expect(await one({ msisdn: line.msisdn, amount: 7, usageDate: at(-20 * minute) })).toMatchObject({
      charged: { amount: 0 },
      excess: { amount: 7 },
    });
    expect(await one({ msisdn: line.msisdn, amount: 7 })).toMatchObject({ charged: { amount: 7 } });
  });

  it('a service that stopped alone is judged by when it stopped', async () => {
    const line = await lineWith(1000);
    const voice = { msisdn: line.msisdn, kind: 'voice', unit: 'min' };
    await one({ ...voice, amount: 200, usageDate: at(-10 * minute) });
    expect(await one({ ...voice, amount: 1, usageDate: at(-20 * minute) })).toMatchObject({ status: 'rated' });
    expect(await one({ ...voice, amount: 1, usageDate: at(-5 * minute) })).toMatchObject({
      reason: 'usage.allowance_left',
    });
    await house.topUp(line.id, 'VAS_VOICE_100');
    await house.settle();
    expect(await one({ ...voice, amount: 1, usageDate: at(-5 * minute) })).toMatchObject({
      reason: 'usage.allowance_left',
    });
    expect(await one({ ...voice, amount: 1 })).toMatchObject({ charged: { amount: 1 } });
  });

  it('whoever held the number then is charged', async () => {
    const [before, after] = [await lineWith(1000), await lineWith(1000)];
    await transaction(house.policy, 'test.given', house.caller, {}, async (tx) => {
      const moved = new Date(now - 3 * day);
      await tx.sql`UPDATE "number_assignment" SET "released_at" = ${new Date(now - 4 * day)} WHERE "subscription_id" = ${before.id}`;
      await tx.sql`UPDATE "number_assignment" SET "msisdn" = ${before.msisdn}, "assigned_at" = ${moved} WHERE "subscription_id" = ${after.id}`;
    });
    const results = await charge([
      { msisdn: before.msisdn, amount: 1, usageDate: at(-5 * day) },
      { msisdn: before.msisdn, amount: 1, usageDate: at(-3.5 * day) },
      { msisdn: before.msisdn, amount: 1, usageDate: at(-1 * day) },
    ]);
    const owners = await runStatement<{ subscriptionId: string | null }>(
      house.pool,
      'SELECT u."subscription_id" FROM unnest($1::text[]) WITH ORDINALITY g(id, n) JOIN "usage" u ON u."id" = g.id ORDER BY g.n',
      [results.map((result) => result.id)],
    );
    expect(owners.map((owner) => owner.subscriptionId)).toEqual([before.id, null, after.id]);
    expect(results[1]).toMatchObject({ reason: 'usage.number_known' });
  });

  it.each([
    ['usage.not_in_future', { usageDate: 2 * minute }],
    ['usage.within_retention', { usageDate: -91 * day }],
  ])('%s refuses, and nothing else does', async (code, { usageDate }) => {
    const line = await lineWith(1000);
    const given = { msisdn: line.msisdn, amount: 1, usageDate: at(usageDate) };
    expect(await one(given)).toMatchObject({ status: 'rejected', reason: code });
    const off = await one(given, { ...house.policy, rulesOff: new Set([code]) });
    expect(off.reason).not.toBe(code);
  });
});

interface Instant {
  minutesAgo: number;
  amount: number;
}

describe('a history of one line', () => {
  // The model: quota in the order of arrival; the block where the last charged use was; everything by its date.
  const model = (granted: number, given: readonly Instant[]) => {
    let left = granted;
    let blockedAgo = -1;
    let latest = Number.POSITIVE_INFINITY;
    return given.map(({ minutesAgo, amount }) => {
      if (blockedAgo >= 0 && minutesAgo <= blockedAgo) return 'rejected';
      const taken = Math.min(left, amount);
      left -= taken;
      if (taken > 0) latest = Math.min(latest, minutesAgo);
      if (left === 0 && blockedAgo < 0) blockedAgo = latest;
      return `${taken}+${amount - taken}`;
    });
  };
  const seen = (result: JsonObject): string => {
    const amountOf = (value: Json | undefined) =>
      typeof value === 'object' && value !== null && !Array.isArray(value) ? String(value.amount) : '';
    return result.status === 'rated' ? `${amountOf(result.charged)}+${amountOf(result.excess)}` : String(result.status);
  };
  const histories = fc.record({
    granted: fc.integer({ min: 1, max: 100 }),
    records: fc.array(
      fc.record({ minutesAgo: fc.integer({ min: 0, max: 9 }), amount: fc.integer({ min: 1, max: 40 }) }),
      { minLength: 1, maxLength: 12 },
    ),
    cuts: fc.array(fc.integer({ min: 1, max: 5 }), { maxLength: 6 }),
    repeats: fc.array(fc.nat(11), { maxLength: 4 }),
  });

  it('is what the model says, in batches and one by one, with repeats', { timeout: 120_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(histories, async ({ granted, records, cuts, repeats }) => {
        const [together, alone] = [await lineWith(granted), await lineWith(granted)];
        const sent = (line: Line) =>
          records.map(({ minutesAgo, amount }, index) => ({
            msisdn: line.msisdn,
            amount,
            usageDate: at(-minutesAgo * minute),
            source: line.id,
            recordId: String(index),
          }));
        const withRepeats = (all: Record<string, Json>[]) => [
          ...all,
          ...repeats.flatMap((index) => (all[index] ? [all[index]] : [])),
        ];
        const batched: JsonObject[] = [];
        const waiting = withRepeats(sent(together));
        for (let cut = 0; waiting.length > 0; cut += 1)
          batched.push(...(await charge(waiting.splice(0, cuts[cut] ?? 20))));
        const single: JsonObject[] = [];
        for (const record of withRepeats(sent(alone))) single.push(await one(record));
        const said = model(granted, records);
        expect(batched.slice(0, records.length).map(seen)).toEqual(said);
        expect(batched.map(seen)).toEqual(single.map(seen));
        expect(batched.map((result) => result.repeated ?? false)).toEqual(
          single.map((result) => result.repeated ?? false),
        );
        const rows = (line: Line) =>
          runStatement<object>(
            house.pool,
            `SELECT "remaining", "used", b."version", s."state", s."block_reasons", s."state_since", s."version" AS line_version,
               (SELECT array_agg(h."state" || h."from_at" ORDER BY h."position") FROM "line_state" h WHERE h."subscription_id" = s."id" AND h."state" = 'blocked') AS blocks,
               (SELECT count(*) FROM "event" e JOIN "usage" u ON u."id" = e."resource_id" WHERE u."subscription_id" = s."id") AS events
             FROM "bucket" b JOIN "subscription" s ON s."id" = b."subscription_id" WHERE s."id" = $1 AND b."kind" = 'data'`,
            [line.id],
          );
        expect(await rows(together)).toEqual(await rows(alone));
      }),
      { numRuns: Number(process.env.AIRTIME_HISTORY_RUNS ?? 20), endOnFailure: true },
    );
    await house.settle();
    expect(await quotaBreaches()).toEqual([]);
  });
});

describe('exactly once', () => {
  const counted = async (recordId: string) => {
    const rows = await runStatement<{ state: string; charged: bigint }>(
      house.pool,
      'SELECT "state", "charged" FROM "usage" WHERE "record_id" = $1 ORDER BY "created_at"',
      [recordId],
    );
    return rows.map((row) => [row.state, Number(row.charged)]);
  };

  it('across batches at once, whatever order they come in', async () => {
    const lines = [await lineWith(100_000), await lineWith(100_000)];
    const sent = Array.from({ length: 40 }, (_, index) => ({
      msisdn: lines[index % 2]?.msisdn ?? '',
      amount: 1,
      source: 'race',
      recordId: nextId(),
    }));
    await Promise.all([charge(sent), charge(sent.toReversed()), ...sent.slice(0, 10).map((record) => one(record))]);
    for (const { recordId } of sent) expect(await counted(recordId)).toEqual([['rated', 1]]);
  });

  it('within the retention and after it: forgotten ids are quarantined by their date', async () => {
    const line = await lineWith(1000);
    const recordId = nextId();
    const record = { msisdn: line.msisdn, amount: 10, source: 'late', recordId, usageDate: at(-minute) };
    await one(record);
    await execute(house.policy, freezeClock, { at: at(89 * day) }, house.caller);
    await execute(house.policy, forgetUsageKeys, { limit: 1000 }, house.caller);
    expect(await one(record)).toMatchObject({ repeated: true, status: 'rated' });
    await execute(house.policy, freezeClock, { at: at(90 * day) }, house.caller);
    expect(await execute(house.policy, forgetUsageKeys, { limit: 1000 }, house.caller)).not.toEqual({ forgotten: 0 });
    const late = await one(record);
    expect(late).toMatchObject({ status: 'rejected', reason: 'usage.within_retention' });
    expect(await counted(recordId)).toEqual([
      ['rated', 10],
      ['rejected', 0],
    ]);
    // The operator may have old records charged all the same, and then this one is known to have been.
    const replayed = await execute(
      house.policy,
      replayUsage,
      { usageId: String(late.id), evenOld: true },
      house.caller,
    );
    expect(replayed.items).toEqual([{ id: late.id, status: 'rejected', reason: 'usage.counted_before' }]);
    const other = await one({ ...record, recordId: nextId() });
    expect(
      (await execute(house.policy, replayUsage, { usageId: String(other.id), evenOld: true }, house.caller)).items,
    ).toMatchObject([{ status: 'rated' }]);
  });
});

describe('the quarantine', () => {
  const replay = (input: object) => execute(house.policy, replayUsage, input, house.caller);

  it('gives back what can be placed by then, once, over recycled', async () => {
    const line = await lineWith(1000);
    const early = await one({ msisdn: line.msisdn, amount: 30, usageDate: at(5 * minute) });
    expect(early).toMatchObject({ status: 'rejected', reason: 'usage.not_in_future' });
    expect(await replay({ usageId: early.id })).toMatchObject({ judged: 1, waiting: 1, rated: 0 });
    await execute(house.policy, freezeClock, { at: at(5 * minute) }, house.caller);
    const [first, second] = await Promise.all([replay({ usageId: early.id }), replay({ usageId: early.id })]);
    expect([first.rated + second.rated, first.judged + second.judged]).toEqual([1, 1]);
    expect(await replay({ usageId: early.id })).toMatchObject({ judged: 0 });
    const events = await runStatement<{ type: string; version: bigint; status: string }>(
      house.pool,
      `SELECT "type", "resource_sequence" AS version, "resource" ->> 'status' AS status FROM "event" WHERE "resource_id" = $1 ORDER BY "position"`,
      [early.id],
    );
    expect(events.map((event) => [event.type, Number(event.version), event.status])).toEqual([
      ['UsageCreateEvent', 1, 'rejected'],
      ['UsageStateChangeEvent', 2, 'recycled'],
      ['UsageStateChangeEvent', 3, 'rated'],
    ]);
    const [stored] = await runStatement<{ document: JsonObject; charged: bigint; version: bigint }>(
      house.pool,
      'SELECT "document", "charged", "version" FROM "usage" WHERE "id" = $1',
      [early.id],
    );
    expect(stored).toMatchObject({ charged: 30n, version: 3n, document: { status: 'rated' } });
    expect(stored?.document.statusReason).toBeUndefined();
    await house.settle();
    expect(await quotaBreaches()).toEqual([]);
  });

  it('judges all of a reason, in pages, and leaves what still cannot be placed', async () => {
    const line = await lineWith(1000);
    const waiting = await charge(
      Array.from({ length: 5 }, (_, index) => ({
        msisdn: index < 3 ? '6599999999' : line.msisdn,
        amount: 1,
        usageDate: at(-30 * day),
      })),
    );
    expect(waiting.every((result) => result.reason === 'usage.number_known')).toBe(true);
    await transaction(house.policy, 'test.given', house.caller, {}, async (tx) => {
      // The operator corrects since when the line had its number.
      await tx.sql`UPDATE "number_assignment" SET "assigned_at" = ${new Date(now - 31 * day)} WHERE "subscription_id" = ${line.id}`;
    });
    const totals = { rated: 0, rejected: 0, waiting: 0 };
    for (let after: string | null = ''; after !== null; ) {
      const page: Awaited<ReturnType<typeof replay>> = await replay({ reason: 'usage.number_known', limit: 2, after });
      totals.rated += page.rated;
      totals.rejected += page.rejected;
      totals.waiting += page.waiting;
      after = page.next;
    }
    // The line was not active yet at that date, so what is placed is refused for good.
    expect(totals.rejected).toBe(2);
    expect(totals.waiting).toBeGreaterThanOrEqual(3);
  });

  it('keeps a line that cannot be read, once, and never a card number', async () => {
    const broken = [unreadable(1, '{"msisdn": 65', 'no JSON'), unreadable(2, '{"msisdn": 65', 'no JSON')];
    const [first, second] = await recordBatch(house.policy, broken, house.caller);
    expect(first).toMatchObject({ status: 'rejected', reason: 'usage.readable', message: 'no JSON' });
    expect(second).toMatchObject({ id: first?.id, repeated: true });
    const [secret] = await recordBatch(
      house.policy,
      [unreadable(1, 'pan=4111 1111 1111 1111', 'no JSON')],
      house.caller,
    );
    const [row] = await runStatement<{ document: JsonObject }>(
      house.pool,
      'SELECT "document" FROM "usage" WHERE "id" = $1',
      [secret?.id],
    );
    expect(JSON.stringify(row?.document)).not.toContain('4111');
    expect(await replay({ usageId: first?.id })).toMatchObject({ judged: 1, waiting: 1 });
  });
});

it('every rule of usage is one that the database judges', async () => {
  const [row] = await runStatement<{ source: string }>(
    house.pool,
    `SELECT pg_get_functiondef('usage_refusal'::regproc) AS source`,
    [],
  );
  const judged = usageRules.filter(({ code }) => code !== 'usage.readable');
  for (const { code } of judged) expect(row?.source).toContain(`RETURN '${code}'`);
});
