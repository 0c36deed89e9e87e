import type { Caller } from '../kernel/caller.ts';
import {
  type BatchRecord,
  type BatchResult,
  type ChargeBatch,
  readRecord,
  unreadable,
  usageLanes,
} from '../policy/usage/batch.ts';
import type { Wire } from './wire.ts';

export { type BatchRecord, type BatchResult, readRecord, unreadable };

/** Charges the batches of a stream, each answered in its order; whoever delivers what follows is woken. */
export function chargeBatches(wire: Pick<Wire, 'policy' | 'wake'>, caller: Caller): ChargeBatch {
  const charge = usageLanes(wire.policy, caller);
  return async (records) => {
    const results = await charge(records);
    wire.wake();
    return results;
  };
}
