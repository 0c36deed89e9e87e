import { systemCaller } from '../kernel/caller.ts';
import type { MachineClock } from '../kernel/clock.ts';
import { execute, type Policy } from '../policy/core/command.ts';
import { forgetIdempotency } from '../policy/core/idempotency.ts';
import { type Loop, makeLoop } from './loop.ts';
import type { WorkerLog } from './worker.ts';

const hourMs = 3_600_000;
const batch = 10_000;

/** Forgets what has had its day: answers kept for repeated requests. Once an hour; any number of processes may. */
export function makeHousekeeping(policy: Policy, clock: MachineClock, log: WorkerLog, everyMs = hourMs): Loop {
  return makeLoop(
    clock,
    everyMs,
    async () => {
      const { forgotten } = await execute(policy, forgetIdempotency, { limit: batch }, systemCaller('housekeeping'));
      return forgotten === batch;
    },
    (error) => log.warn({ reason: error instanceof Error ? error.message : String(error) }, 'housekeeping failed'),
  );
}
