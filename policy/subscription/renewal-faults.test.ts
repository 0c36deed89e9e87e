import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type FaultMode, type Faults, makeFaults, modesAt } from '../../doctrine/faults.ts';
import { type House, openHouse } from '../../doctrine/house.ts';
import type { Worker } from '../../workers/worker.ts';
import { freezeClock } from '../clock/commands.ts';
import { execute, transaction } from '../core/command.ts';
import { runStatement } from '../core/transaction.ts';
import { changePlan } from '../order/commands.ts';
import { steps } from '../steps.ts';
import { terminateLine } from './line.ts';

let house: House;
let faults: Faults;
let faulty: Worker;

// A house for each: every renewal moves its clock by a month, and cards expire.
beforeEach(async () => {
  house = await openHouse();
  faults = makeFaults(house.gateway, house.network);
  faulty = house.worker(faults.steps(steps));
});
afterEach(() => house.close());

interface Renewed {
  state: string;
  periodNumber: number;
  reasons: string[];
  plan: string;
  /** The plan that waits for a period that is paid for. */
  change: string | null;
}

/** A line comes to its boundary while these points fail; it ends afterwards, so that it does not renew beside the next. */
async function renew(card: string, planted: ReadonlyMap<number, FaultMode>, to?: string): Promise<Renewed> {
  const order = await house.order(await house.customer(card));
  await house.settle();
  const line = (await house.state(order)).subscriptionId ?? '';
  if (to !== undefined) await execute(house.policy, changePlan, { subscriptionId: line, offering: to }, house.caller);
  await house.settle();
  const [period] = await runStatement<{ at: Date }>(
    house.pool,
    'SELECT "period_ends_at" AS at FROM "subscription" WHERE "id" = $1',
    [line],
  );
  if (!period) throw new Error('the line has no period');
  await execute(house.policy, freezeClock, { at: period.at.toISOString() }, house.caller);
  faults.begin(planted);
  await house.settle(faulty);
  const [row] = await runStatement<Renewed>(
    house.pool,
    `SELECT "state", "period_number", "block_reasons" AS reasons, "plan_code" AS plan, "pending_change" -> 'terms' ->> 'code' AS change FROM "subscription" WHERE "id" = $1`,
    [line],
  );
  const [service] = await runStatement<{ id: string }>(
    house.pool,
    'SELECT "service_id" AS id FROM "subscription" WHERE "id" = $1',
    [line],
  );
  const believed = await house.network.line(service?.id ?? '');
  expect([card, [...planted], believed?.state]).toEqual([
    card,
    [...planted],
    row?.state === 'active' ? 'active' : 'inactive',
  ]);
  await transaction(house.policy, 'test.terminate', house.caller, {}, (tx) =>
    terminateLine(tx, line, { flow: 'line', subject: line, confirmed: 'release', refused: 'release' }),
  );
  await house.settle();
  if (!row) throw new Error('the line is gone');
  return row;
}

const renewed: Renewed = { state: 'active', periodNumber: 2, reasons: [], plan: 'PLAN_S', change: null };
const unpaid: Renewed = {
  state: 'blocked',
  periodNumber: 1,
  reasons: ['exhausted', 'unpaid'],
  plan: 'PLAN_S',
  change: null,
};

/** `make faults` lets every point of every card fail in every way; else each card has every fifth point, in turn. */
const isWhole = process.env.AIRTIME_FAULTS === 'all';

describe('whatever fails at the boundary, a period is paid once or the line is stopped', () => {
  it.each([
    { card: 'tok_visa', ends: renewed },
    { card: 'tok_renewal_declines', ends: unpaid },
    { card: 'tok_timeout_after', ends: renewed },
    { card: 'tok_capture_timeout_after', ends: renewed },
    { card: 'tok_authorisation_expires', ends: renewed },
    // With another plan to begin. That what was charged is what began is among the invariants.
    { card: 'tok_visa', to: 'PLAN_M', ends: { ...renewed, plan: 'PLAN_M' } },
    { card: 'tok_declined_above_30', to: 'PLAN_L', ends: { ...unpaid, change: 'PLAN_L' } },
  ])('$card $to: points fail in turn', { timeout: 240_000 }, async ({ card, to, ends }) => {
    expect(await renew(card, new Map(), to)).toEqual(ends);
    const points = [...faults.passed];
    let struck = 0;
    const first = [...card].length % 5;
    const tried = [...points.entries()].filter(([index]) => isWhole || index % 5 === first);
    for (const [index, point] of tried) {
      for (const mode of modesAt(point)) {
        const end = await renew(card, new Map([[index, mode]]), to);
        struck += faults.struck();
        const where = `${card}: ${point} fails (${mode})`;
        const begun = to === undefined ? renewed : { ...renewed, plan: to };
        const stopped = to === undefined ? unpaid : { ...unpaid, change: to };
        if (mode === 'refused') expect([where, [begun, stopped]]).toEqual([where, expect.arrayContaining([end])]);
        else expect([where, end]).toEqual([where, ends]);
      }
    }
    // A fault may change what comes after it, so a late point is not always reached again.
    expect(tried.length).toBeGreaterThan(2);
    expect(struck).toBeGreaterThan(tried.length * 0.8);
    expect(await house.breaches()).toEqual([]);
  });

  it('while the gateway does not answer, the line is stopped; when it does, the period is paid once', {
    timeout: 60_000,
  }, async () => {
    const order = await house.order(await house.customer());
    await house.settle();
    const line = (await house.state(order)).subscriptionId ?? '';
    const [period] = await runStatement<{ at: Date }>(
      house.pool,
      'SELECT "period_ends_at" AS at FROM "subscription" WHERE "id" = $1',
      [line],
    );
    await house.gateway.plan({ mode: 'lose_answer', calls: ['authorise', 'capture'] });
    await house.gateway.plan({ mode: 'unavailable', calls: ['find'] });
    await execute(house.policy, freezeClock, { at: period?.at.toISOString() }, house.caller);
    await expect(house.settle(undefined, 4)).rejects.toThrow(/work is left/);
    const state = async () =>
      (
        await runStatement<Renewed>(
          house.pool,
          `SELECT "state", "period_number", "block_reasons" AS reasons, "plan_code" AS plan, "pending_change" -> 'terms' ->> 'code' AS change FROM "subscription" WHERE "id" = $1`,
          [line],
        )
      )[0];
    expect(await state()).toMatchObject({ state: 'blocked', periodNumber: 1, reasons: ['exhausted'] });
    expect(await house.breaches({ quiet: false })).toEqual([]);
    await house.gateway.clearPlans();
    await house.settle();
    expect(await state()).toEqual(renewed);
    expect(await house.breaches()).toEqual([]);
  });
});
