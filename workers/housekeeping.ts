import { systemCaller } from '../kernel/caller.ts';
import type { MachineClock } from '../kernel/clock.ts';
import { forgetRefusals } from '../policy/audit/commands.ts';
import { forgetChats } from '../policy/chat/commands.ts';
import { execute, type Policy } from '../policy/core/command.ts';
import { forgetConfirmations } from '../policy/core/confirmation.ts';
import { forgetIdempotency } from '../policy/core/idempotency.ts';
import { forgetRates } from '../policy/identity/rate.ts';
import { forgetSessions } from '../policy/session/forget.ts';
import { forgetUsageKeys } from '../policy/usage/quarantine.ts';
import { type Loop, makeLoop } from './loop.ts';
import type { WorkerLog } from './worker.ts';

const hourMs = 3_600_000;
const batch = 10_000;

/** What has its day and is then forgotten, a batch at a time. */
const forgetful = [
  forgetIdempotency,
  forgetConfirmations,
  forgetUsageKeys,
  forgetRefusals,
  forgetRates,
  forgetChats,
  forgetSessions,
];

/**
 * Forgets what has had its day: answers kept for repeated requests, stale proposals, record ids of usage that
 * are older than their retention, old refusals, counts of requests, old conversations, sessions of the pages. Once an hour; any number of processes may.
 */
export function makeHousekeeping(policy: Policy, clock: MachineClock, log: WorkerLog, everyMs = hourMs): Loop {
  return makeLoop(
    clock,
    everyMs,
    async () => {
      let isMore = false;
      for (const forget of forgetful) {
        const { forgotten } = await execute(policy, forget, { limit: batch }, systemCaller('housekeeping'));
        isMore ||= forgotten === batch;
      }
      return isMore;
    },
    (error) => log.warn({ reason: error instanceof Error ? error.message : String(error) }, 'housekeeping failed'),
  );
}
