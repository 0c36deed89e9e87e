import { systemCaller } from '../kernel/caller.ts';
import type { MachineClock } from '../kernel/clock.ts';
import { execute, type Policy } from '../policy/core/command.ts';
import { countRequests, type RateDelta, rateWindowMs } from '../policy/identity/rate.ts';
import { makeLoop } from './loop.ts';
import type { WorkerLog } from './worker.ts';

export interface RateLimiter {
  /**
   * Counts a request of a subject that may make `limit` a minute.
   * @returns undefined when it may go on, else the seconds after which to come again. A promise only near the limit.
   */
  take(subject: string, limit: number): number | undefined | Promise<number | undefined>;
  start(): void;
  stop(): Promise<void>;
}

interface Waiting {
  resolve(retrySeconds: number | undefined): void;
  limit: number;
}

interface Counter {
  /** Begin of the window, in milliseconds. */
  window: number;
  /** What all processes counted in the window before, and in this one, as last heard. */
  before: number;
  known: number;
  /** Counted here and not yet told. */
  untold: number;
  waiting: Waiting[];
}

/** From here on each request is counted by the database before it is answered. */
const nearShare = 0.8;
/** What a process may count by itself before it asks what the others have counted. */
const aloneShare = 0.05;
const everyMs = 1000;
const subjectsMax = 50_000;
/** Counts that one statement tells. */
const deltasMax = 5000;

/**
 * Limits that all processes agree on, kept in the database and out of the way of requests: each process counts in memory
 * and tells its counts once a second. Near a limit, or when it has counted much by itself, it asks first, and requests
 * that wait share one statement. With up to four processes a limit is not passed. While the database is away
 * nothing is refused here: nothing else works then either.
 */
export function makeRateLimiter(policy: Policy, clock: MachineClock, log: WorkerLog): RateLimiter {
  const counters = new Map<string, Counter>();
  /** Counts of windows that ended before they were told. */
  let late: RateDelta[] = [];
  let telling: Promise<void> | undefined;

  function counterOf(subject: string, now: number): Counter {
    const window = Math.floor(now / rateWindowMs) * rateWindowMs;
    let counter = counters.get(subject);
    if (!counter) {
      if (counters.size >= subjectsMax) sweep(window);
      counter = { window, before: 0, known: 0, untold: 0, waiting: [] };
      counters.set(subject, counter);
    } else if (counter.window !== window) {
      if (counter.untold !== 0) late.push({ subject, windowAt: new Date(counter.window), count: counter.untold });
      counter.before = counter.window === window - rateWindowMs ? counter.known + counter.untold : 0;
      counter.window = window;
      counter.known = 0;
      counter.untold = 0;
    }
    return counter;
  }

  function sweep(window: number): void {
    for (const [subject, one] of counters) {
      if (one.waiting.length === 0 && one.untold === 0 && one.window < window - rateWindowMs) counters.delete(subject);
    }
  }

  const sliding = (counter: Counter, now: number) =>
    counter.before * Math.max(0, 1 - (now - counter.window) / rateWindowMs);

  /** How long until one more fits, when nothing else comes: the old window goes by, or this one does. */
  function retryIn(counter: Counter, limit: number, now: number): number {
    const left = limit - 1 - counter.known - counter.untold;
    const passed = now - counter.window;
    const wait =
      left >= 0 && counter.before > 0
        ? rateWindowMs * (1 - left / counter.before) - passed
        : rateWindowMs -
          passed +
          Math.max(0, rateWindowMs * (1 - (limit - 1) / Math.max(1, counter.known + counter.untold)));
    return Math.max(1, Math.ceil(wait / 1000));
  }

  async function tell(): Promise<void> {
    const owed = late.slice(0, deltasMax);
    late = late.slice(deltasMax);
    const deltas: RateDelta[] = [...owed];
    const asked = new Map<string, { counter: Counter; window: number; told: number; waiting: Waiting[] }>();
    for (const [subject, counter] of counters) {
      if (counter.untold === 0 && counter.waiting.length === 0) continue;
      const { window, untold: told, waiting } = counter;
      deltas.push({ subject, windowAt: new Date(window), count: told });
      asked.set(subject, { counter, window, told, waiting });
      counter.known += told;
      counter.untold = 0;
      counter.waiting = [];
      if (deltas.length >= deltasMax) break;
    }
    if (deltas.length === 0) return;
    try {
      const { counted } = await execute(policy, countRequests, { deltas }, systemCaller('rate'));
      for (const { subject, windowAt, count, before } of counted) {
        const one = asked.get(subject);
        if (!one || one.window !== windowAt.getTime()) continue;
        const { counter, waiting } = one;
        if (counter.window === one.window) {
          counter.known = count;
          counter.before = before;
        }
        // Those that wait were counted last: the first of them was the count less all of them, plus one.
        let refused = 0;
        const now = clock.now().getTime();
        const base = sliding({ ...counter, before, window: one.window }, now) + count - waiting.length;
        waiting.forEach(({ resolve, limit }, index) => {
          if (base + index + 1 - refused <= limit) {
            resolve(undefined);
          } else {
            refused += 1;
            resolve(retryIn(counter, limit, now));
          }
        });
        if (counter.window === one.window) counter.untold -= refused;
        else if (refused > 0) late.push({ subject, windowAt, count: -refused });
      }
    } catch (error) {
      // What is still counted: this window and the one before. Older counts decide nothing any more.
      const oldest = clock.now().getTime() - 2 * rateWindowMs;
      late = [...owed, ...late].filter(({ windowAt }) => windowAt.getTime() >= oldest);
      for (const { counter, window, told, waiting } of asked.values()) {
        if (counter.window === window) {
          counter.known -= told;
          counter.untold += told;
        }
        for (const { resolve } of waiting) resolve(undefined);
      }
      throw error;
    }
  }

  const failed = (error: unknown) =>
    log.warn({ reason: error instanceof Error ? error.message : String(error) }, 'requests could not be counted');

  /** One at a time: what comes while one is under way is told by the next. */
  function tellSoon(): Promise<void> {
    telling ??= (async () => {
      try {
        do await tell();
        while ([...counters.values()].some((one) => one.waiting.length > 0));
      } catch (error) {
        failed(error);
      } finally {
        telling = undefined;
      }
    })();
    return telling;
  }

  const loop = makeLoop(
    clock,
    everyMs,
    async () => {
      await tellSoon();
      sweep(Math.floor(clock.now().getTime() / rateWindowMs) * rateWindowMs);
      return false;
    },
    failed,
  );

  return {
    take(subject, limit) {
      if (limit <= 0) return undefined;
      const now = clock.now().getTime();
      const counter = counterOf(subject, now);
      const used = sliding(counter, now) + counter.known + counter.untold + 1;
      if (used > limit && counter.waiting.length === 0) return retryIn(counter, limit, now);
      counter.untold += 1;
      if (used <= limit * nearShare && counter.untold <= Math.max(1, limit * aloneShare)) return undefined;
      return new Promise((resolve) => {
        counter.waiting.push({ resolve, limit });
        void tellSoon();
      });
    },
    start: () => loop.start(),
    async stop() {
      await loop.stop();
      await tellSoon();
    },
  };
}
