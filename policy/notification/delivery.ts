import type { JsonObject } from '../../kernel/json.ts';
import type { Policy } from '../core/command.ts';
import { runStatement } from '../core/transaction.ts';

/** One event of a claimed queue. */
export interface DueEvent {
  position: number;
  sequence: number;
  /** How often it was asked for again while it was still owed. */
  repeats: number;
  id: string;
  type: string;
  occurredAt: string;
  requestId: string | null;
  changed: string[] | null;
  resource: JsonObject | null;
}

/** One resource of one hub, leased to a worker, with its first events in order. */
export interface ClaimedQueue {
  hubId: string;
  api: string;
  callback: string;
  /** How often in a row the hub could not be reached. */
  hubFailures: number;
  resourceType: string;
  resourceId: string;
  /** How often the first event was refused. */
  attempts: number;
  /** Null for a queue that was emptied by somebody else. */
  events: DueEvent[] | null;
}

/** What became of a claimed queue. */
export interface QueueResult {
  hubId: string;
  resourceType: string;
  resourceId: string;
  /** Position and repeats of each event that arrived. */
  sent: [position: number, repeats: number][];
  /** `event`: the subscriber refused one. `hub`: nobody was there. */
  failure: 'event' | 'hub' | null;
  error: string | null;
  /** How often the first unsent event was refused by now. */
  attempts: number;
  pauseMs: number;
  /** A hub that had failed answered again. */
  recovered: boolean;
}

export function claimDeliveries(
  policy: Pick<Policy, 'pool'>,
  worker: string,
  limits: { total: number; perHub: number; leaseSeconds: number },
  inHand: ReadonlyMap<string, number>,
): Promise<ClaimedQueue[]> {
  return runStatement<ClaimedQueue>(
    policy.pool,
    'SELECT * FROM claim_deliveries($1, $2, $3, $4::text[], $5::int[], make_interval(secs => $6))',
    [worker, limits.total, limits.perHub, [...inHand.keys()], [...inHand.values()], limits.leaseSeconds],
  );
}

/** Whether the next event of a queue may still be sent by this worker. */
export async function keepDeliveryQueue(
  policy: Pick<Policy, 'pool'>,
  worker: string,
  queue: ClaimedQueue,
  next: DueEvent,
  sent: QueueResult['sent'],
  leaseSeconds: number,
): Promise<boolean> {
  const [row] = await runStatement<{ kept: boolean }>(
    policy.pool,
    'SELECT keep_delivery_queue($1, $2, $3, $4, make_interval(secs => $5), $6, $7, $8::bigint[]) AS kept',
    [
      worker,
      queue.hubId,
      queue.resourceType,
      queue.resourceId,
      leaseSeconds,
      next.sequence,
      next.position,
      sent.map(([position]) => position),
    ],
  );
  return row?.kept === true;
}

export async function finishDeliveries(
  policy: Pick<Policy, 'pool'>,
  worker: string,
  results: readonly QueueResult[],
  attemptsMax: number,
): Promise<void> {
  await runStatement(policy.pool, 'SELECT finish_deliveries($1, $2::jsonb, $3)', [
    worker,
    JSON.stringify(results),
    attemptsMax,
  ]);
}
