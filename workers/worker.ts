import { randomUUID } from 'node:crypto';
import type { MachineClock } from '../kernel/clock.ts';
import type { Policy } from '../policy/core/command.ts';
import {
  type ClaimedStep,
  claimSteps,
  extendLease,
  LeaseLost,
  putBack,
  type StepDefinition,
  stepContext,
  TryLater,
} from '../policy/core/flow.ts';

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
const tickMs = 250;
/** Between looks that found nothing: thousands of requests a second wake us, and few of them leave work. */
const gatherMs = 20;

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
  let running: Promise<void> | undefined;
  let woken: (() => void) | undefined;
  let isWoken = false;

  async function runStep(step: ClaimedStep): Promise<void> {
    const definition = definitions.get(`${step.flow}.${step.step}`);
    const heartbeat = setInterval(
      () => {
        extendLease(policy, name, step.id, leaseSeconds).catch(() => undefined);
      },
      (leaseSeconds * 1000) / 3,
    );
    try {
      if (!definition) throw new TryLater(`no step ${step.flow}.${step.step} in this version`);
      await definition.run(stepContext(policy, step, name));
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
      await putBack(policy, name, step, message).catch(() => undefined);
    } finally {
      clearInterval(heartbeat);
    }
  }

  async function round(): Promise<number> {
    const claimed = await claimSteps(policy, name, batch, leaseSeconds);
    await Promise.all(claimed.map(runStep));
    return claimed.length;
  }

  async function loop(): Promise<void> {
    while (!stopping) {
      isWoken = false;
      let count = 0;
      try {
        count = await round();
      } catch (error) {
        log.warn({ reason: error instanceof Error ? error.message : String(error) }, 'no work could be claimed');
      }
      if (count > 0 || stopping) continue;
      if (isWoken) {
        await clock.sleep(gatherMs);
        continue;
      }
      const pause = new AbortController();
      woken = () => pause.abort();
      await clock.sleep(tickMs, pause.signal);
      woken = undefined;
    }
  }

  return {
    wake() {
      isWoken = true;
      woken?.();
    },
    async drain() {
      let total = 0;
      for (;;) {
        const count = await round();
        if (count === 0) return total;
        total += count;
      }
    },
    start() {
      running ??= loop();
    },
    async stop() {
      stopping = true;
      woken?.();
      await running;
    },
  };
}
