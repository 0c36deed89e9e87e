import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type House, hurry, openHouse } from '../doctrine/house.ts';
import type { MachineClock } from '../kernel/clock.ts';
import { freezeClock } from '../policy/clock/commands.ts';
import { execute, transaction } from '../policy/core/command.ts';
import {
  type ClaimedStep,
  claimSteps,
  LeaseLost,
  type StepDefinition,
  schedule,
  stepContext,
} from '../policy/core/flow.ts';
import { runStatement } from '../policy/core/transaction.ts';
import { retryFlow } from '../policy/flow/commands.ts';
import { noticeFlow } from '../policy/notice/notice.ts';
import { noticeSteps } from '../policy/notice/steps.ts';
import { listSteps } from '../read/views/flow.ts';
import { makeWorker } from './worker.ts';

let house: House;

beforeAll(async () => {
  house = await openHouse();
});
afterAll(() => house.close());

const give = (keys: readonly string[]) =>
  transaction(house.policy, 'test.schedule', house.caller, {}, async (tx) => {
    for (const key of keys) await schedule(tx, { flow: 'test', subject: key, step: 'run', key });
  });

const stepOf = (run: (step: ClaimedStep) => Promise<void>): StepDefinition => ({
  flow: 'test',
  step: 'run',
  summary: 'A step of a test',
  run: async (context) => {
    await run(context.step);
    await context.finish('test.finish', async () => undefined);
  },
});

const stateOf = async (key: string) => {
  const [row] = await runStatement<{ state: string; attempts: number; lastError: string | null; waits: number }>(
    house.pool,
    `SELECT "state", "attempts", "last_error", extract(epoch FROM "not_before" - clock_timestamp())::float8 AS waits FROM "flow_step" WHERE "key" = $1`,
    [key],
  );
  return row;
};

/** A clock that can be woken, as that of the program. */
const wakeable: MachineClock = {
  now: () => new Date(),
  sleep: (milliseconds, signal) =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      signal?.addEventListener('abort', () => {
        clearTimeout(timer);
        resolve();
      });
    }),
};

/** The lease of a worker that has died runs out. */
const expireLeases = () =>
  transaction(house.policy, 'test.expire', house.caller, {}, async (tx) => {
    await tx.sql`UPDATE "flow_step" SET "leased_until" = clock_timestamp() - interval '1 second' WHERE "leased_until" IS NOT NULL`;
  });

describe('many workers over the same rows', () => {
  it('run each step once between them', async () => {
    const keys = Array.from({ length: 60 }, (_, index) => `shared:${index}`);
    await give(keys);
    // The same work given again is the same work.
    await give(keys);
    const ran: string[] = [];
    const workers = Array.from({ length: 6 }, () =>
      house.worker([
        stepOf(async (step) => {
          ran.push(step.key);
        }),
      ]),
    );
    await Promise.all(workers.map((worker) => worker.drain()));
    expect([...ran].sort()).toEqual([...keys].sort());
  });

  it('take over from one that died, whose late answer changes nothing', async () => {
    await give(['orphan']);
    const [claimed] = await claimSteps(house.policy, 'the-dead', 1, 15);
    if (!claimed) throw new Error('nothing was claimed');
    const ran: number[] = [];
    const heir = house.worker([
      stepOf(async (step) => {
        ran.push(step.attempts);
      }),
    ]);
    // As long as the lease lasts, the step belongs to whoever holds it.
    expect(await heir.drain()).toBe(0);
    await expireLeases();
    expect(await heir.drain()).toBe(1);
    expect(ran).toEqual([2]);
    const late = stepContext(house.policy, claimed);
    await expect(late.finish('test.finish', async () => undefined)).rejects.toBeInstanceOf(LeaseLost);
    expect(await stateOf('orphan')).toMatchObject({ state: 'done', attempts: 2 });
  });

  it('put a step back that failed, for longer each time, with the reason', async () => {
    await give(['failing']);
    const worker = house.worker([
      stepOf(async () => {
        throw new Error('not yet');
      }),
    ]);
    const waits: number[] = [];
    for (let attempt = 0; attempt < 4; attempt += 1) {
      await worker.drain();
      waits.push((await stateOf('failing'))?.waits ?? 0);
      await hurry(house.policy);
    }
    expect(await stateOf('failing')).toMatchObject({ state: 'waiting', attempts: 4, lastError: 'Error: not yet' });
    expect(waits).toEqual([...waits].sort((a, b) => a - b));
    expect(waits[3]).toBeGreaterThan(0.8);
    expect(await house.worker([stepOf(async () => undefined)]).drain()).toBe(1);
    expect(await stateOf('failing')).toMatchObject({ state: 'done', lastError: null });
  });

  it('park a step that was tried as often as it may be, until an operator has it tried again', async () => {
    await give(['hopeless']);
    const failing = house.worker([
      {
        ...stepOf(async () => {
          throw new Error('not today');
        }),
        attemptsMax: 3,
      },
    ]);
    for (let attempt = 0; attempt < 5; attempt += 1) {
      await failing.drain();
      await hurry(house.policy);
    }
    expect(await stateOf('hopeless')).toMatchObject({
      state: 'parked',
      attempts: 3,
      lastError: 'Error: not today',
    });
    const parked = await listSteps.run(house.pool, { condition: 'parked', limit: 10 }, house.caller);
    expect(parked.items.map(({ subject }) => subject)).toEqual(['hopeless']);
    await execute(house.policy, retryFlow, { subject: 'hopeless' }, house.caller);
    const attempts: number[] = [];
    const able = house.worker([
      stepOf(async (step) => {
        attempts.push(step.attempts);
      }),
    ]);
    expect(await able.drain()).toBe(1);
    // It asks what became of the tries before.
    expect(attempts).toEqual([2]);
    expect(await stateOf('hopeless')).toMatchObject({ state: 'done' });
    expect(noticeSteps.every(({ attemptsMax }) => attemptsMax !== undefined)).toBe(true);
  });

  it('go on with everything else while mail hangs', async () => {
    let release = (): void => undefined;
    const hangs = new Promise<void>((resolve) => {
      release = resolve;
    });
    const letters = Array.from({ length: 20 }, (_, index) => `letter:${index}`);
    await transaction(house.policy, 'test.schedule', house.caller, {}, async (tx) => {
      for (const key of letters) await schedule(tx, { flow: noticeFlow, subject: key, step: 'hang', key });
    });
    const ran: string[] = [];
    const letter: StepDefinition = { ...stepOf(() => hangs), flow: noticeFlow, step: 'hang' };
    const worker = house.worker([
      letter,
      stepOf(async (step) => {
        ran.push(step.key);
      }),
    ]);
    worker.start();
    const keys = Array.from({ length: 20 }, (_, index) => `beside mail:${index}`);
    await give(keys);
    worker.wake();
    await expect.poll(() => ran.length, { timeout: 10_000 }).toBe(keys.length);
    expect(await stateOf('letter:0')).toMatchObject({ state: 'waiting' });
    release();
    await expect.poll(async () => (await stateOf('letter:19'))?.state, { timeout: 10_000 }).toBe('done');
    await worker.stop();
  });

  it('look ever less often while they are woken for nothing, and soon again after they found something', async () => {
    let looks = 0;
    const counted = new Proxy(house.pool, {
      get(pool, name) {
        if (name === 'query') looks += 1;
        const value: unknown = Reflect.get(pool, name, pool);
        return typeof value === 'function' ? value.bind(pool) : value;
      },
    });
    const ran: number[] = [];
    const step = stepOf(async () => {
      ran.push(performance.now());
    });
    const worker = makeWorker({ ...house.policy, pool: counted }, [step], wakeable, { warn: () => undefined });
    worker.start();
    const waking = setInterval(() => worker.wake(), 2);
    try {
      await new Promise((resolve) => setTimeout(resolve, 2000));
      // Both lanes: a dozen looks of the one and ten of the other, where each wake alone would make hundreds.
      expect(looks).toBeGreaterThan(8);
      expect(looks).toBeLessThan(40);
      const given = performance.now();
      await give(['woken:work']);
      await expect.poll(() => ran.length, { interval: 5, timeout: 5000 }).toBe(1);
      expect((ran[0] ?? 0) - given).toBeLessThan(1000);
    } finally {
      clearInterval(waking);
      await worker.stop();
    }
  });

  it('leave a step alone that this version does not know, for one that does', async () => {
    await give(['unknown']);
    await house.worker([]).drain();
    expect(await stateOf('unknown')).toMatchObject({
      state: 'waiting',
      lastError: expect.stringContaining('no step test.run'),
    });
    await hurry(house.policy);
    expect(await house.worker([stepOf(async () => undefined)]).drain()).toBe(1);
  });
});

describe('renewal at the boundary', () => {
  it('by many workers: once, paid once, and the line is not stopped between the two periods', {
    timeout: 60_000,
  }, async () => {
    const order = await house.order(await house.customer());
    await house.settle();
    const line = (await house.state(order)).subscriptionId ?? '';
    for (let month = 0; month < 2; month += 1) {
      const [next] = await runStatement<{ at: Date }>(
        house.pool,
        'SELECT "period_ends_at" AS at FROM "subscription" WHERE "id" = $1',
        [line],
      );
      if (!next) throw new Error('the line has no period');
      await execute(house.policy, freezeClock, { at: next.at.toISOString() }, house.caller);
      await Promise.all(Array.from({ length: 4 }, () => house.worker().drain()));
      await house.settle();
    }
    const [row] = await runStatement<{ state: string; periodNumber: number }>(
      house.pool,
      'SELECT "state", "period_number" FROM "subscription" WHERE "id" = $1',
      [line],
    );
    expect(row).toEqual({ state: 'active', periodNumber: 3 });
    const states = await runStatement<{ state: string }>(
      house.pool,
      'SELECT "state" FROM "line_state" WHERE "subscription_id" = $1 ORDER BY "position"',
      [line],
    );
    expect(states.map(({ state }) => state)).toEqual(['pending', 'active']);
    const paid = await runStatement(
      house.pool,
      `SELECT "id" FROM "payment" WHERE "subscription_id" = $1 AND "state" = 'captured'`,
      [line],
    );
    expect(paid).toHaveLength(3);
    expect(await house.breaches()).toEqual([]);
  });
});
