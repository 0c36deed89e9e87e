import type { Caller } from '../kernel/caller.ts';
import { type BatchRecord, type BatchResult, readRecord, recordBatch, unreadable } from '../policy/usage/batch.ts';
import type { Wire } from './wire.ts';

export { type BatchRecord, type BatchResult, readRecord, unreadable };

/** Charges a batch of usage, and answers in its order; whoever delivers what follows is woken. */
export async function chargeBatch(
  wire: Pick<Wire, 'policy' | 'wake'>,
  records: readonly BatchRecord[],
  caller: Caller,
): Promise<BatchResult[]> {
  const results = await recordBatch(wire.policy, records, caller);
  wire.wake();
  return results;
}
