/**
 * Machine time: leases, backoff, sessions, tokens, rate limits. Business time is not here: it lives in the database,
 * so that every replica agrees on it, and reaches business code as the `now` of its transaction.
 */
export interface MachineClock {
  now(): Date;
  sleep(milliseconds: number, signal?: AbortSignal): Promise<void>;
}
