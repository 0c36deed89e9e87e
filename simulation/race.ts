import { run } from '../policy/core/command.ts';
import { runStatement } from '../policy/core/transaction.ts';
import { reportUsage } from '../policy/usage/commands.ts';
import { operator } from './operator.ts';
import type { World } from './world.ts';

const waiting = `SELECT count(*) AS count FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`;
const blockedMsMax = 5000;

/**
 * Several records for one line at once, on connections of their own. A connection of ours holds the line while each of
 * them, one after the other, comes as far as it gets; then the line is let go. So all have read what they read before the
 * first of them writes, and who comes first is the same in every run.
 */
export async function usageRace(world: World): Promise<string | undefined> {
  const lines = await world.read<{ id: string; msisdn: string; remaining: bigint | null }>(
    `SELECT s."id", s."msisdn", (SELECT sum(b."remaining") FROM "bucket" b WHERE b."subscription_id" = s."id" AND b."kind" = 'data'
        AND b."state" = 'active')::bigint AS remaining FROM "subscription" s WHERE s."state" = 'active' ORDER BY s."id"`,
  );
  const line = lines[world.random.int(0, Math.max(0, lines.length - 1))];
  if (!line) return undefined;
  const racers = world.random.int(2, 3);
  const whole = Number(line.remaining ?? 0n);
  // Together they ask for about what there is: more or less.
  const amount = Math.max(
    1,
    Math.round((whole / racers) * (world.random.chance(0.3) ? 1.2 : 0.1 + 0.5 * world.random.next())),
  );
  const holder = await world.policy.pool.connect();
  const running: Promise<unknown>[] = [];
  try {
    await holder.query('BEGIN');
    await holder.query('SELECT FROM "subscription" WHERE "id" = $1 FOR UPDATE', [line.id]);
    for (let racer = 1; racer <= racers; racer += 1) {
      const input = {
        msisdn: line.msisdn,
        kind: 'data',
        amount,
        unit: 'B',
        source: 'race',
        recordId: world.policy.newId('req'),
      };
      // A copy of the server for each: those of one copy would share a call.
      running.push(run({ ...world.policy }, reportUsage, input, operator));
      await untilWaiting(world, racer);
    }
  } finally {
    await holder.query('ROLLBACK');
    holder.release();
  }
  const outcomes = await Promise.allSettled(running);
  const failed = outcomes.find((outcome) => outcome.status === 'rejected');
  if (failed?.status === 'rejected') throw failed.reason;
  return `${line.id} ${racers} times ${amount} of ${whole}`;
}

async function untilWaiting(world: World, count: number): Promise<void> {
  const deadline = performance.now() + blockedMsMax;
  for (;;) {
    const [row] = await runStatement<{ count: bigint }>(world.policy.pool, waiting, []);
    if (Number(row?.count ?? 0) >= count) return;
    if (performance.now() > deadline) throw new Error('a record did not wait for its line');
  }
}
