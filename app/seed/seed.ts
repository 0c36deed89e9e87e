import { type Caller, systemCaller } from '../../kernel/caller.ts';
import { freezeClock } from '../../policy/clock/commands.ts';
import { execute, type Policy } from '../../policy/core/command.ts';
import { runStatement } from '../../policy/core/transaction.ts';
import { createAccessToken } from '../../policy/identity/access-token.ts';
import { loadEsims, loadNumbers } from '../../policy/inventory/commands.ts';
import { seedCatalogue } from './catalogue.ts';

const dayMs = 86_400_000;
/** Makes two copies that start on one empty database at once take turns. */
const seedLock = 72_707_370;

/**
 * Fills an empty database: what is sold, for the sandbox of the network its numbers and eSIM profiles as well, and the
 * operator's token. A list of commands, each of which can be given again. A real network knows nothing of such numbers:
 * there the operator loads what there is. Returns the token's text when it was made now; it is shown once.
 * With `historyDays` business time begins that long ago, so that a story can be told up to today.
 */
export async function seed(policy: Policy, options: { historyDays?: number }): Promise<string | undefined> {
  const client = await policy.pool.connect();
  try {
    await client.query('SELECT pg_advisory_lock($1)', [seedLock]);
    try {
      const [filled] = await runStatement<{ tokens: bigint }>(
        policy.pool,
        'SELECT count(*) AS tokens FROM "access_token"',
        [],
      );
      if (Number(filled?.tokens ?? 0) > 0) return undefined;
      return await fill(policy, options);
    } finally {
      await client.query('SELECT pg_advisory_unlock($1)', [seedLock]);
    }
  } finally {
    client.release();
  }
}

async function fill(policy: Policy, options: { historyDays?: number }): Promise<string> {
  const caller = { ...systemCaller('seed'), surface: 'start' as const };
  if (options.historyDays !== undefined) {
    const at = new Date(Date.now() - options.historyDays * dayMs);
    await execute(policy, freezeClock, { at: at.toISOString() }, caller);
  }
  await seedCatalogue(policy, caller);
  if (policy.outside.network.kind === 'sandbox') await loadSandboxStock(policy, caller);
  // The token comes last: a start that broke off before it is done again from the beginning.
  const made = await execute(
    policy,
    createAccessToken,
    { name: 'operator', audience: 'operator', scopes: ['*'] },
    caller,
  );
  return made.token;
}

async function loadSandboxStock(policy: Policy, caller: Caller): Promise<void> {
  await execute(policy, loadNumbers, { first: '6581000000', count: 1000 }, caller);
  const profiles = Array.from({ length: 1000 }, (_, index) => ({
    iccid: `8965${String(index).padStart(15, '0')}`,
    activationCode: `LPA:1$sandbox.example$AIRTIME-${String(index).padStart(4, '0')}`,
  }));
  await execute(policy, loadEsims, { profiles }, caller);
}
