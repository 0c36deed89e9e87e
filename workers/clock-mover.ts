import type { Caller } from '../kernel/caller.ts';
import type { MachineClock } from '../kernel/clock.ts';
import { AirtimeError } from '../kernel/error.ts';
import { freezeClock } from '../policy/clock/commands.ts';
import { execute, type Policy } from '../policy/core/command.ts';
import { runStatement } from '../policy/core/transaction.ts';
import type { Worker } from './worker.ts';

const settleMsMax = 30_000;
const pollMs = 5;

/**
 * Moves business time to an instant, stopping at each due instant on the way so that what falls due runs at its time
 * and in order. Work that the outside keeps refusing is left to its retries after a while: time does not wait for it.
 */
export async function advanceTo(
  policy: Policy,
  worker: Worker,
  clock: MachineClock,
  to: Date,
  caller: Caller,
): Promise<{ now: string; instants: number; steps: number }> {
  await execute(policy, freezeClock, {}, caller);
  let steps = await settle(policy, worker, clock);
  for (let instants = 0; ; instants += 1) {
    const [next] = await runStatement<{ at: Date | null }>(
      policy.pool,
      `SELECT min("due_at") AS at FROM "flow_step" WHERE "state" = 'waiting' AND "due_at" > business_now() AND "due_at" <= $1`,
      [to],
    );
    const at = next?.at ?? to;
    const moved = await execute(policy, freezeClock, { at: at.toISOString() }, caller);
    steps += await settle(policy, worker, clock);
    if (!next?.at) return { now: moved.now, instants, steps };
  }
}

/** Waits until nothing that is due is left to run, here or in another process. */
async function settle(policy: Policy, worker: Worker, clock: MachineClock): Promise<number> {
  let total = 0;
  const deadline = clock.now().getTime() + settleMsMax;
  for (;;) {
    const ran = await worker.drain();
    total += ran;
    // A step that was refused a few times is the outside's affair; its retries go on in machine time.
    const [open] = await runStatement<{ count: bigint }>(
      policy.pool,
      `SELECT count(*) AS count FROM "flow_step" WHERE "state" = 'waiting' AND "due_at" <= business_now() AND ("attempts" < 4 OR "leased_until" > clock_timestamp())`,
      [],
    );
    if (Number(open?.count ?? 0) === 0) return total;
    if (clock.now().getTime() > deadline) {
      throw new AirtimeError(
        503,
        'clock.work_unfinished',
        'Work that is due did not finish in time; business time stays where it is.',
        {
          facts: { open: Number(open?.count ?? 0) },
        },
      );
    }
    if (ran === 0) await clock.sleep(pollMs);
  }
}
