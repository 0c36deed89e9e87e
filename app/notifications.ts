import { randomBytes, randomUUID } from 'node:crypto';
import { existsSync, linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type Callbacks, httpCallbacks } from '../adapters/callback.ts';
import { addressPolicy } from '../adapters/callback-address.ts';
import type { MachineClock } from '../kernel/clock.ts';
import type { Policy } from '../policy/core/command.ts';
import type { Subscriptions } from '../policy/notification/subscriptions.ts';
import { makeDeliveries } from '../workers/deliveries.ts';
import { makeHousekeeping } from '../workers/housekeeping.ts';
import { makeRelay } from '../workers/relay.ts';
import { checkSubscriptionQuery } from '../workers/subscription-query.ts';
import type { WorkerLog } from '../workers/worker.ts';

/** What notifications need of the world, before there is a policy. */
export function openCallbacks(allow: readonly string[]): { callbacks: Callbacks; subscriptions: Subscriptions } {
  const callbacks = httpCallbacks({ addresses: addressPolicy(allow) });
  return {
    callbacks,
    subscriptions: { callbackRefusal: callbacks.refusal, checkQuery: checkSubscriptionQuery },
  };
}

export interface Notifications {
  /** Something was written: events may have to go out. */
  wake(): void;
  start(): void;
  stop(): Promise<void>;
}

export function makeNotifications(parts: {
  policy: Policy;
  callbacks: Callbacks;
  clock: MachineClock;
  log: WorkerLog;
  publicUrl: string;
  signingSecret: string;
}): Notifications {
  const { policy, clock, log, callbacks } = parts;
  const deliveries = makeDeliveries(parts);
  const relay = makeRelay({ ...parts, wakeDeliveries: deliveries.wake });
  const housekeeping = makeHousekeeping(policy, clock, log);
  return {
    wake: relay.wake,
    start() {
      relay.start();
      deliveries.start();
      housekeeping.start();
    },
    async stop() {
      await Promise.all([relay.stop(), deliveries.stop(), housekeeping.stop()]);
      callbacks.close();
    },
  };
}

/**
 * The secret that notifications are signed with. Replicas with homes of their own need it in their configuration, or each
 * would sign with another.
 */
export function signingSecretOf(given: string | undefined, file: string): string {
  if (given !== undefined) return given;
  if (!existsSync(file)) {
    // Whole before it has its name: who is killed in the middle leaves no empty secret behind.
    // Processes of two containers over one home may have the same number.
    const beside = `${file}.${randomUUID()}`;
    try {
      writeFileSync(beside, `${randomBytes(32).toString('hex')}\n`, { mode: 0o600 });
      linkSync(beside, file);
    } catch (error) {
      // Another process of this home was first: its secret is the one.
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
    } finally {
      rmSync(beside, { force: true });
    }
  }
  return readFileSync(file, 'utf8').trim();
}
