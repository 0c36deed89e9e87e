import { AirtimeError, conflict } from '../kernel/error.ts';
import {
  AlreadyAnswered,
  finish,
  type IdempotentCall,
  type KeptAnswer,
  keepAnswer,
  keptAnswer,
} from '../policy/core/idempotency.ts';
import type { Tx } from '../policy/core/transaction.ts';
import type { Wire } from './wire.ts';

export type { IdempotentCall, KeptAnswer };

/** Stores the answer inside the transaction that has the effect, as its last act. */
export type Keep = (tx: Tx, answer: KeptAnswer) => Promise<void>;

export interface OnceAnswer extends KeptAnswer {
  /** The request was here before and has changed nothing now. */
  readonly replayed: boolean;
}

// Requests with one key that reach one process wait for each other here; between processes the database decides.
const running = new Map<string, Promise<unknown>>();

// What a caller can mend and send again with the same key, or what says nothing about the request itself.
const notKept = new Set([400, 401, 403, 408, 413, 415, 429]);

/**
 * Answers a request with an Idempotency-Key: the first answer when it was made before, else what `work` answers.
 * An effect and its answer are stored in one transaction when `work` hands `keep` to its write. What `work` answers
 * without having called `keep` had no effect (a refusal, a read) and is stored afterwards.
 * @param refused turns a refusal into the answer that a repeat is to get.
 * @throws Refusal `idempotency.key_reused` when the key came with another body.
 */
export async function answerOnce(
  wire: Pick<Wire, 'policy' | 'pool'>,
  call: IdempotentCall,
  work: (keep: Keep) => Promise<KeptAnswer>,
  refused: (error: AirtimeError) => KeptAnswer,
): Promise<OnceAnswer> {
  const place = JSON.stringify([call.callerId, call.path, call.key]);
  for (let other = running.get(place); other !== undefined; other = running.get(place)) {
    await other.catch(() => undefined);
  }
  const mine = once(wire, call, work, refused);
  running.set(place, mine);
  try {
    return await mine;
  } finally {
    running.delete(place);
  }
}

async function once(
  wire: Pick<Wire, 'policy' | 'pool'>,
  call: IdempotentCall,
  work: (keep: Keep) => Promise<KeptAnswer>,
  refused: (error: AirtimeError) => KeptAnswer,
): Promise<OnceAnswer> {
  const store = { rulesOff: wire.policy.rulesOff, pool: wire.pool };
  const before = await keptAnswer(store, call);
  if (before) return { ...before, replayed: true };
  let isKept = false;
  try {
    const answer = await work(async (tx, first) => {
      await keepAnswer(tx, call, first);
      isKept = true;
    });
    if (!isKept) await finish(wire.policy, call, answer);
    return { ...answer, replayed: false };
  } catch (error) {
    if (error instanceof AlreadyAnswered) {
      const first = await keptAnswer(store, call);
      if (first) return { ...first, replayed: true };
      throw conflict('idempotencyKeyBusy', 'A request with this Idempotency-Key is being answered. Send it again.');
    }
    if (error instanceof AirtimeError && error.status >= 400 && error.status < 500 && !notKept.has(error.status)) {
      await finish(wire.policy, call, refused(error));
    }
    throw error;
  }
}
