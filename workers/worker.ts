import { randomUUID } from 'node:crypto';
import type { MachineClock } from '../kernel/clock.ts';
import type { Policy } from '../policy/core/command.ts';
import {
  type ClaimedStep,
  claimSteps,
  extendLease,
  type Lane,
  LeaseLost,
  putBack,
  type StepDefinition,
  stepContext,
  TryLater,
} from '../policy/core/flow.ts';
import { noticeFlow } from '../policy/notice/notice.ts';

export interface Worker {
  /** Looks for due work at once. */
  wake(): void;
  /** Runs what is due until nothing more is claimed; the number of steps that were run. */
  drain(): Promise<number>;
  start(): void;
  /** Lets the steps in hand finish, and takes no new ones. */
  stop(): Promise<void>;
}

export interface WorkerLog {
  warn(fields: object, message: string): void;
}

const leaseSeconds = 15;
const batch = 8;
/**
 * A round ends with the slowest of its steps. A mail server that hangs delays other mail, and nothing that is paid for; and
 * nobody waits for mail by the quarter of a second.
 */
const lanes: readonly (Lane & { tickMs: number })[] = [
  { except: noticeFlow, tickMs: 250 },
  { only: noticeFlow, tickMs: 1000 },
];
/**
 * After a look that found nothing. Hundreds of requests a second wake us, and few of them leave work: each look that was in
 * vain doubles the pause before the next, and work that is found, or quiet, makes it short again.
 */
const gatherMs = { min: 20, max: 160 };
/** The same for letters. Nobody counts on those by the tenth of a second, and a look passes over all other work that is due. */
const lettersMs = 200;

/**
 * Claims due steps and runs them. Any number of workers, in any number of processes, share the rows: a step is leased
 * for seconds and kept by a heartbeat, so the work of one that dies is taken over by another.
 */
export function makeWorker(
  policy: Policy,
  steps: readonly StepDefinition[],
  clock: MachineClock,
  log: WorkerLog,
): Worker {
  const name = `worker-${randomUUID()}`;
  const definitions = new Map(steps.map((step) => [`${step.flow}.${step.step}`, step]));
  let stopping = false;
  let running: Promise<unknown> | undefined;
  const wakeLane = new Set<() => void>();

  async function runStep(step: ClaimedStep): Promise<void> {
    const definition = definitions.get(`${step.flow}.${step.step}`);
    const heartbeat = setInterval(
      () => {
        extendLease(policy, step, leaseSeconds).catch(() => undefined);
      },
      (leaseSeconds * 1000) / 3,
    );
    try {
      if (!definition) throw new TryLater(`no step ${step.flow}.${step.step} in this version`);
      const context = stepContext(policy, step);
      const { watch } = policy;
      if (watch === undefined) await definition.run(context);
      else {
        const { flow, subject, attempts, caller } = step;
        const facts = { step: step.id, [flow]: subject, attempts, requestId: caller.requestId ?? '' };
        await watch.work('step', `${flow}.${step.step}`, facts, () => definition.run(context));
      }
    } catch (error) {
      if (error instanceof LeaseLost) return;
      const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
      log.warn(
        {
          step: step.id,
          flow: step.flow,
          name: step.step,
          subject: step.subject,
          attempts: step.attempts,
          reason: message,
        },
        'step will be tried again',
      );
      // When the database is gone too, the lease runs out and the step is claimed again.
      await putBack(policy, step, message, definition?.attemptsMax).catch(() => undefined);
    } finally {
      clearInterval(heartbeat);
    }
  }

  async function round(lane: Lane = {}): Promise<number> {
    const claimed = await claimSteps(policy, name, batch, leaseSeconds, lane);
    await Promise.all(claimed.map(runStep));
    return claimed.length;
  }

  async function loop(lane: Lane & { tickMs: number }): Promise<void> {
    let isWoken = false;
    let pauseMs = gatherMs.min;
    let endPause: (() => void) | undefined;
    wakeLane.add(() => {
      isWoken = true;
      endPause?.();
    });
    while (!stopping) {
      isWoken = false;
      let count = 0;
      try {
        count = await round(lane);
      } catch (error) {
        log.warn({ reason: error instanceof Error ? error.message : String(error) }, 'no work could be claimed');
      }
      if (count > 0) {
        pauseMs = gatherMs.min;
        continue;
      }
      if (stopping) continue;
      await clock.sleep(lane.only === undefined ? pauseMs : lettersMs);
      pauseMs = isWoken ? Math.min(gatherMs.max, 2 * pauseMs) : gatherMs.min;
      if (isWoken) continue;
      const pause = new AbortController();
      endPause = () => pause.abort();
      await clock.sleep(lane.tickMs, pause.signal);
      endPause = undefined;
    }
  }

  const wake = (): void => {
    for (const one of wakeLane) one();
  };

  return {
    wake,
    async drain() {
      let total = 0;
      for (;;) {
        const count = await round();
        if (count === 0) return total;
        total += count;
      }
    },
    start() {
      running ??= Promise.all(lanes.map(loop));
    },
    async stop() {
      stopping = true;
      wake();
      await running;
    },
  };
}
