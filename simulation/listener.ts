import type { CallbackOutcome } from '../adapters/callback.ts';
import { isJsonObject } from '../kernel/json.ts';
import { execute, type Policy } from '../policy/core/command.ts';
import { runStatement } from '../policy/core/transaction.ts';
import { contractEvent } from '../policy/notification/contract-events.ts';
import { registerHub } from '../policy/notification/hub.ts';
import { type Deliveries, makeDeliveries } from '../workers/deliveries.ts';
import { makeRelay } from '../workers/relay.ts';
import { Violation } from './checks.ts';
import type { FaultPlan } from './faults.ts';
import { operator } from './operator.ts';
import type { Random } from './random.ts';

/** Somebody who listens to the house, and the relay and the deliveries that tell them. */
export interface Listener {
  open(): Promise<void>;
  /** Relays and delivers what is there, through whatever happens on the way. */
  turn(): Promise<void>;
  /** Everything that is owed arrives; then nothing is missing, and each resource was told in order. */
  comeToRest(): Promise<void>;
}

export interface ListenerParts {
  /** Over one connection, so that what the deliveries do at once is done in one order. */
  readonly policy: Policy;
  readonly random: Random;
  readonly faults: FaultPlan;
  now(): Date;
  setClock(ms: number): Promise<void>;
  say(line: string): void;
  delivered(): void;
}

const apis = ['TMF622', 'TMF676'] as const;
const roundsMax = 400;

interface Heard {
  eventId: string;
  resourceId: string;
}

export function makeListener(parts: ListenerParts): Listener {
  const { policy, random, faults, now, say } = parts;
  const hubs = new Map<string, string>();
  /** What each hub was told, in order, repetitions included. */
  const heard = new Map<string, Heard[]>();
  const log = { warn: () => undefined };
  const shared = { policy, log, publicUrl: 'https://airtime.example', signingSecret: 'simulated' };

  let lives = 0;
  let deliveries: Deliveries | undefined;
  let isResting = false;
  let told = 0;

  /** Time stands still while something is told; only what is resting waits for it. */
  const clockOf = (life: number) => ({
    now,
    sleep: (_: number, signal?: AbortSignal) =>
      new Promise<void>((resolve) => {
        if (life !== lives) return;
        isResting = true;
        signal?.addEventListener('abort', () => {
          isResting = false;
          resolve();
        });
      }),
  });

  function begin(): Deliveries {
    lives += 1;
    isResting = false;
    const made = makeDeliveries({
      ...shared,
      clock: clockOf(lives),
      callbacks: { refusal: async () => undefined, close: () => undefined, post: (request) => post(lives, request) },
    });
    made.start();
    return made;
  }

  async function post(
    life: number,
    request: { url: string; body: string; headers: Readonly<Record<string, string>> },
  ): Promise<CallbackOutcome> {
    if (life !== lives) return new Promise(() => undefined);
    told += 1;
    const hub = request.headers['x-airtime-hub'] ?? '';
    const fault = faults.draw(['listener away', 'listener refuses', 'listener answers into the void']);
    if (fault === 'listener away') return { kind: 'unreachable', reason: 'simulated: nobody is there' };
    if (fault === 'listener refuses') return { kind: 'refused', status: 500 };
    const body: unknown = JSON.parse(request.body);
    const event = isJsonObject(body) && isJsonObject(body.event) ? Object.values(body.event)[0] : undefined;
    if (!isJsonObject(body) || !isJsonObject(event))
      throw new Violation('hub: what is told is an event', { body: request.body });
    heard.get(hub)?.push({ eventId: String(body.eventId), resourceId: String(event.id) });
    parts.delivered();
    if (fault === 'listener answers into the void')
      return { kind: 'unreachable', reason: 'simulated: the answer was lost' };
    if (!faults.calm && random.chance(0.02)) {
      // The process that delivers dies with its post sent and not written down.
      say('the deliveries die');
      lives += 1;
      return new Promise(() => undefined);
    }
    return { kind: 'delivered', status: 204 };
  }

  const relay = makeRelay({ ...shared, clock: clockOf(0), wakeDeliveries: () => undefined });

  /** Until the deliveries rest and no statement of theirs is under way. */
  async function untilResting(life: number): Promise<void> {
    for (let calm = 0; calm < 3; ) {
      await new Promise((resolve) => setTimeout(resolve, calm > 0 ? 0 : 1));
      const { totalCount, idleCount, waitingCount } = policy.pool;
      const isCalm = waitingCount === 0 && idleCount === totalCount && (isResting || life !== lives);
      calm = isCalm ? calm + 1 : 0;
    }
  }

  async function tell(): Promise<void> {
    for (let round = 0; round < 20 && (await relay.round()); round += 1);
    if (deliveries === undefined) deliveries = begin();
    else deliveries.wake();
    const life = lives;
    await untilResting(life);
    if (life !== lives) deliveries = undefined;
  }

  const hubOf = (api: string): string => hubs.get(api) ?? '';

  /** Everything the contract has an event for was told at least once, each resource's events first in their order. */
  async function judge(): Promise<void> {
    for (const api of apis) {
      const events = await runStatement<{ id: string; type: string; resourceType: string; resourceId: string }>(
        policy.pool,
        `SELECT "id", "type", "resource_type", "resource_id" FROM "event" WHERE "resource" IS NOT NULL
          AND "position" > (SELECT "position" FROM "event" WHERE "type" = 'HubCreateEvent' AND "resource_id" = $1)
          ORDER BY "resource_id", "resource_sequence", "position"`,
        [hubOf(api)],
      );
      const owed = new Map<string, string[]>();
      for (const event of events) {
        if (contractEvent(api, event.resourceType, event.type) === undefined) continue;
        owed.set(event.resourceId, [...(owed.get(event.resourceId) ?? []), event.id]);
      }
      const got = new Map<string, string[]>();
      for (const { eventId, resourceId } of heard.get(hubOf(api)) ?? []) {
        const list = got.get(resourceId) ?? [];
        if (!list.includes(eventId)) got.set(resourceId, [...list, eventId]);
      }
      for (const [resourceId, ids] of owed) {
        const arrived = got.get(resourceId) ?? [];
        if (arrived.join() !== ids.join())
          throw new Violation('hub: each event is told at least once, and those of a resource in order', {
            api,
            resourceId,
            ids,
            arrived,
          });
      }
    }
  }

  return {
    async open() {
      for (const api of apis) {
        const made = await execute(policy, registerHub, { api, callback: 'https://listener.example/hub' }, operator);
        hubs.set(api, made.id);
        heard.set(made.id, []);
      }
    },
    async turn() {
      const before = told;
      await tell();
      say(`told ${told - before}`);
    },
    async comeToRest() {
      for (let round = 0; round < roundsMax; round += 1) {
        await tell();
        const [left] = await runStatement<{ at: Date | null; left: bigint; owed: bigint }>(
          policy.pool,
          `SELECT count(*) AS left, min(greatest(q."not_before", q."leased_until", h."paused_until")) AS at,
             (SELECT count(*) FROM "hub" WHERE "parked_at" IS NOT NULL) + (SELECT count(*) FROM "delivery_queue" WHERE "parked_at" IS NOT NULL) AS owed
           FROM "delivery_queue" q JOIN "hub" h ON h."id" = q."hub_id"`,
          [],
        );
        if (left && Number(left.owed) > 0)
          throw new Violation('hub: nobody who answers is given up', { parked: left.owed });
        if (Number(left?.left ?? 0) === 0) return judge();
        if (left?.at) await parts.setClock(Math.max(now().getTime() + 1, left.at.getTime() + 1));
      }
      throw new Violation('hub: everything that is owed arrives', {});
    },
  };
}
