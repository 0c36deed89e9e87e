import type { MachineClock } from '../kernel/clock.ts';
import type { Policy } from '../policy/core/command.ts';
import { type RelayParts, relayEvents } from '../policy/notification/relay.ts';
import type { Condition } from '../read/list/condition.ts';
import { makeLoop } from './loop.ts';
import { matchingStatement, subscriptionConditions } from './subscription-query.ts';
import type { WorkerLog } from './worker.ts';

export interface Relay {
  wake(): void;
  /** Relays one batch, unless another process is at it. Whether there was anything to do. */
  round(): Promise<boolean>;
  start(): void;
  stop(): Promise<void>;
}

export interface RelayOptions {
  readonly policy: Policy;
  readonly clock: MachineClock;
  readonly log: WorkerLog;
  readonly publicUrl: string;
  /** Called after deliveries were written. */
  wakeDeliveries(): void;
  /** Events that one transaction relays at most. */
  batch?: number;
}

const pauseMs = 250;
/**
 * Between batches that did not come back full: a busy system is read in gulps, not in sips. Where nobody listens, so many
 * small statements would be the greater part of what the database does.
 */
const gatherMs = { heard: 30, unheard: pauseMs };
const batchDefault = 500;

/** Runs the relay of `policy/notification` again and again: what it writes is written there. */
export function makeRelay(options: RelayOptions): Relay {
  const { policy, clock, log, publicUrl, wakeDeliveries, batch = batchDefault } = options;
  let wasFull = false;
  let isHeard = true;

  // Parsed once: a busy hub is asked for thousands of times.
  const parsed = new Map<string, Condition[]>();
  function conditionsOf(query: string): Condition[] {
    let found = parsed.get(query);
    if (!found) {
      found = subscriptionConditions(query, publicUrl);
      if (parsed.size >= 1000) parsed.clear();
      parsed.set(query, found);
    }
    return found;
  }

  const parts: RelayParts = {
    policy,
    batch,
    warn: (facts, message) => log.warn(facts, message),
    matching: (query) => matchingStatement(conditionsOf(query), (id) => `${publicUrl}/${encodeURIComponent(id)}`),
  };

  async function round(): Promise<boolean> {
    const done = await relayEvents(parts);
    if (done.deliveries > 0) wakeDeliveries();
    wasFull = done.full;
    isHeard = done.unheard !== true;
    return done.full || done.moved;
  }

  const loop = makeLoop(
    clock,
    pauseMs,
    async () => {
      const found = await round();
      if (!wasFull) await clock.sleep(isHeard ? gatherMs.heard : gatherMs.unheard);
      return found;
    },
    (error) =>
      log.warn({ reason: error instanceof Error ? error.message : String(error) }, 'events could not be relayed'),
  );
  return { wake: loop.wake, round, start: loop.start, stop: loop.stop };
}
