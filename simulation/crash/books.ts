import { remoteCardGateway, remoteNetwork } from '../../adapters/sandbox/remote.ts';
import { connect } from '../../app/database/connect.ts';
import { breaches } from '../../doctrine/invariants.ts';
import type { Load } from './load.ts';

/** Our books and those of the gateway, side by side, when all work is done: what is wrong, and how often money was taken. */
export async function judgeBooks(
  where: { databaseUrl: string; gatewayUrl: string; secret: string },
  load: Pick<Load, 'records'>,
): Promise<{ faults: string[]; captures: number }> {
  const connected = await connect({
    url: where.databaseUrl,
    max: 2,
    statementTimeoutMs: 30_000,
    log: () => undefined,
  });
  try {
    const gateway = remoteCardGateway(where.gatewayUrl, where.secret);
    const network = remoteNetwork(where.gatewayUrl, where.secret);
    const faults = (await breaches({ pool: connected.pool, gateway, network }, { quiet: true })).map(
      ({ invariant, facts }) =>
        `${invariant}: ${JSON.stringify(facts, (_, value: unknown) => (typeof value === 'bigint' ? Number(value) : value))}`,
    );
    const captures = new Map<string, number>();
    const references = new Map<string, string>();
    for await (const operation of gateway.book()) {
      if (operation.kind === 'authorise') references.set(operation.gatewayReference, operation.reference);
      if (operation.kind !== 'capture' || operation.answer.outcome !== 'captured') continue;
      const payment = references.get(operation.gatewayReference) ?? '';
      captures.set(payment, (captures.get(payment) ?? 0) + 1);
    }
    for (const [payment, times] of captures)
      if (times > 1) faults.push(`payment ${payment} was captured ${times} times`);
    if (captures.size === 0) faults.push('no money was taken at all: the run says nothing');
    const counted = await connected.pool.query<{ rows: number; records: number; unknown: number }>(
      `SELECT count(*)::int AS rows, count(DISTINCT "record_id")::int AS records, (count(*) FILTER (WHERE NOT "record_id" = ANY ($1)))::int AS unknown
         FROM "usage" WHERE "source" = 'crash'`,
      [[...load.records]],
    );
    const usage = counted.rows[0];
    if (usage?.rows !== usage?.records || usage?.unknown !== 0) faults.push(`usage: ${JSON.stringify(usage)}`);
    return { faults, captures: captures.size };
  } finally {
    await connected.close();
  }
}
