import { randomUUID } from 'node:crypto';
import type { CallbackOutcome, Callbacks } from '../adapters/callback.ts';
import type { MachineClock } from '../kernel/clock.ts';
import type { Policy } from '../policy/core/command.ts';
import {
  type ClaimedQueue,
  claimDeliveries,
  type DueEvent,
  finishDeliveries,
  keepDeliveryQueue,
  type QueueResult,
} from '../policy/notification/delivery.ts';
import { hubSecret, signature } from '../policy/notification/signature.ts';
import { makeLoop } from './loop.ts';
import { type Notification, notificationOf } from './notification.ts';
import type { WorkerLog } from './worker.ts';

export interface Deliveries {
  /** Looks for due deliveries at once. */
  wake(): void;
  start(): void;
  /** Gives what is on its way a moment to arrive; what does not is sent again by the next worker. */
  stop(): Promise<void>;
}

export interface DeliveryLimits {
  /** Queues in hand, over all hubs and for one. */
  total: number;
  perHub: number;
  /** Longer than sending one event may take. */
  leaseSeconds: number;
  /** Failures in a row before a resource, or an unreachable hub, is parked. */
  attemptsMax: number;
  /** The first pause after a failure; each further one is twice as long, up to the most. */
  pauseMsMin: number;
  pauseMsMax: number;
}

/** Twelve attempts take a little over an hour. */
export const deliveryLimits: DeliveryLimits = {
  total: 128,
  perHub: 48,
  leaseSeconds: 30,
  attemptsMax: 12,
  pauseMsMin: 2000,
  pauseMsMax: 1_800_000,
};

export interface DeliveryOptions {
  readonly policy: Policy;
  readonly callbacks: Callbacks;
  readonly clock: MachineClock;
  readonly log: WorkerLog;
  readonly publicUrl: string;
  readonly signingSecret: string;
  readonly limits?: Partial<DeliveryLimits>;
}

const pauseMs = 500;
const stopMsMax = 2000;

/** Nobody was there to judge the event: a gateway in front says so, or it is asked to come later. */
const awayStatuses = new Set([429, 502, 503, 504]);
/** There is nothing at this path, or nothing that takes a POST. */
const wrongPathStatuses = new Set([404, 405]);

export function makeDeliveries(options: DeliveryOptions): Deliveries {
  const { policy, callbacks, clock, log, publicUrl, signingSecret } = options;
  const limits = { ...deliveryLimits, ...options.limits };
  const worker = `deliveries-${randomUUID()}`;
  const inHand = new Map<string, number>();
  const stopping = new AbortController();
  let active = 0;
  let finished: QueueResult[] = [];
  /** How a subscriber wants to be called, where that was learned: at its callback, or at a path for each event below it. */
  const listensBelow = new Map<string, boolean>();

  async function round(): Promise<boolean> {
    await settle();
    const free = limits.total - active;
    if (free <= 0 || stopping.signal.aborted) return false;
    const claimed = await claimDeliveries(policy, worker, { ...limits, total: free }, inHand);
    for (const queue of claimed) begin(queue);
    return claimed.length > 0;
  }

  /** Writes down everything that came to an end meanwhile, together. */
  async function settle(): Promise<void> {
    if (finished.length === 0) return;
    const results = finished;
    finished = [];
    try {
      await finishDeliveries(policy, worker, results, limits.attemptsMax);
    } catch (error) {
      // Not written, these events would be sent again when the lease is over.
      finished = [...results, ...finished];
      throw error;
    }
  }

  function begin(queue: ClaimedQueue): void {
    active += 1;
    inHand.set(queue.hubId, (inHand.get(queue.hubId) ?? 0) + 1);
    const claimedAt = clock.now().getTime();
    deliver(queue, claimedAt)
      .then((result) => {
        if (result) finished.push(result);
      })
      .catch((error: unknown) => {
        // The lease runs out and the queue is claimed again.
        log.warn(
          { hub: queue.hubId, reason: error instanceof Error ? error.message : String(error) },
          'a delivery broke off',
        );
      })
      .finally(() => {
        active -= 1;
        const left = (inHand.get(queue.hubId) ?? 1) - 1;
        if (left > 0) inHand.set(queue.hubId, left);
        else inHand.delete(queue.hubId);
        loop.wake();
      });
  }

  /** Sends the events of a queue in order, until one does not arrive. */
  async function deliver(queue: ClaimedQueue, claimedAt: number): Promise<QueueResult | undefined> {
    const { hubId, resourceType, resourceId } = queue;
    const result: QueueResult = {
      hubId,
      resourceType,
      resourceId,
      sent: [],
      failure: null,
      error: null,
      attempts: queue.attempts,
      pauseMs: 0,
      recovered: false,
    };
    const events = queue.events ?? [];
    for (const [index, event] of events.entries()) {
      if (stopping.signal.aborted) break;
      // This process stood still for so long that another may have the queue by now.
      const isStale = index === 0 && clock.now().getTime() - claimedAt > (limits.leaseSeconds * 1000) / 2;
      if (isStale) return undefined;
      if (index > 0 && !(await mayGoOn(queue, event, result))) break;
      const notification = notificationOf(queue, event, publicUrl);
      if (!notification) {
        // What the contract does not have was never owed: a deployment that knew more events wrote it.
        result.sent.push([event.position, event.repeats]);
        continue;
      }
      const outcome = await send(queue, notification);
      if (outcome.kind === 'delivered') {
        result.recovered = queue.hubFailures > 0;
        result.sent.push([event.position, event.repeats]);
        continue;
      }
      if (stopping.signal.aborted) break;
      const isAway = outcome.kind === 'unreachable' || awayStatuses.has(outcome.status);
      result.error = outcome.kind === 'unreachable' ? outcome.reason : `answered ${outcome.status} to ${event.id}`;
      result.failure = isAway ? 'hub' : 'event';
      result.recovered = result.recovered || (!isAway && queue.hubFailures > 0);
      const before = isAway ? queue.hubFailures : result.sent.length > 0 ? 0 : queue.attempts;
      result.attempts = before + 1;
      result.pauseMs = Math.min(limits.pauseMsMax, limits.pauseMsMin * 2 ** Math.min(before, 40));
      log.warn({ hub: hubId, resource: resourceId, event: event.id, reason: result.error }, 'an event did not arrive');
      break;
    }
    return result;
  }

  // One after another: many resources at once must not take the connections that requests need.
  let asking: Promise<unknown> = Promise.resolve();
  function mayGoOn(queue: ClaimedQueue, next: DueEvent, { sent }: QueueResult): Promise<boolean> {
    const answer = asking.then(() => keepDeliveryQueue(policy, worker, queue, next, sent, limits.leaseSeconds));
    asking = answer.catch(() => undefined);
    return answer;
  }

  async function send({ hubId, callback }: ClaimedQueue, notification: Notification): Promise<CallbackOutcome> {
    const below = listensBelow.get(hubId) ?? false;
    const first = await post(hubId, below ? listenerUrl(callback, notification.listener) : callback, notification);
    if (first.kind !== 'refused' || !wrongPathStatuses.has(first.status)) return first;
    const other = await post(hubId, below ? callback : listenerUrl(callback, notification.listener), notification);
    if (other.kind !== 'delivered') return first;
    if (listensBelow.size >= 10_000) listensBelow.clear();
    listensBelow.set(hubId, !below);
    return other;
  }

  function post(hubId: string, url: string, { body, name }: Notification): Promise<CallbackOutcome> {
    const seconds = Math.floor(clock.now().getTime() / 1000);
    return callbacks.post({
      url,
      body,
      headers: {
        'x-airtime-event': name,
        'x-airtime-hub': hubId,
        'x-airtime-signature': signature(hubSecret(signingSecret, hubId), seconds, body),
      },
      signal: stopping.signal,
    });
  }

  const loop = makeLoop(clock, pauseMs, round, (error) =>
    log.warn({ reason: error instanceof Error ? error.message : String(error) }, 'no deliveries could be claimed'),
  );
  let started = false;
  return {
    wake: loop.wake,
    start() {
      started = true;
      loop.start();
    },
    async stop() {
      if (!started) return;
      await loop.stop();
      const deadline = clock.now().getTime() + stopMsMax;
      while (active > 0 && clock.now().getTime() < deadline) await clock.sleep(10);
      stopping.abort();
      while (active > 0) await clock.sleep(10);
      await settle().catch(() => undefined);
    },
  };
}

/** The official path for an event, below a callback that is a base address or already ends in `/listener`. */
export function listenerUrl(callback: string, listener: string): string {
  const url = new URL(callback);
  const base = url.pathname.replace(/\/+$/, '');
  url.pathname = `${base.endsWith('/listener') ? base : `${base}/listener`}/${listener}`;
  return url.href;
}
