/** An event row of the database that a subscription was owed. */
export interface OwedEvent {
  readonly id: string;
  /** What it is about; the events of one resource are told in the order of `position`. */
  readonly resourceId: string;
  readonly position: bigint;
}

/** An event as the subscriber got it; `at` in milliseconds since 1970. */
export interface Arrival {
  readonly at: number;
  readonly eventId: string;
}

export interface EventsJudged {
  readonly owed: number;
  /** Of what was owed, what came at least once. */
  readonly delivered: number;
  /** Arrivals of an event that had come before. */
  readonly twice: number;
  /** Of what was owed, what never came. */
  readonly missing: readonly OwedEvent[];
  /** One sentence each. */
  readonly faults: readonly string[];
}

const namedMax = 20;

/**
 * Holds what came to a subscriber against what the database owed it: every event row once, in the order of its resource;
 * what a dead copy had in hand may come again, and nothing else.
 * @param given.owed every event row that the subscription was owed, in any order.
 * @param given.arrivals in the order in which they came.
 * @param given.orders ids of resources that were acknowledged: each is owed one event at least.
 * @param given.again from when to when an event may come again, in milliseconds since 1970.
 */
export function judgeEvents(given: {
  readonly owed: readonly OwedEvent[];
  readonly arrivals: readonly Arrival[];
  readonly orders: readonly string[];
  readonly again: { readonly from: number; readonly to: number };
}): EventsJudged {
  const { owed, arrivals, orders, again } = given;
  const faults: string[] = [];
  const events = new Map(owed.map((event) => [event.id, event]));
  const come = new Set<string>();
  const last = new Map<string, bigint>();
  let twice = 0;
  for (const { at, eventId } of arrivals) {
    const event = events.get(eventId);
    if (!event) {
      faults.push(`event ${eventId} came and was not owed`);
      continue;
    }
    if (come.has(eventId)) {
      twice += 1;
      if (at < again.from || at > again.to) faults.push(`event ${eventId} came twice, and nobody had died`);
      continue;
    }
    come.add(eventId);
    if ((last.get(event.resourceId) ?? -1n) > event.position) faults.push(`event ${eventId} came too late`);
    last.set(event.resourceId, event.position);
  }
  const missing = owed.filter(({ id }) => !come.has(id));
  if (missing.length > 0) {
    const named = missing.slice(0, namedMax).map(({ id, resourceId }) => `${id} of ${resourceId}`);
    const more = missing.length > namedMax ? ` and ${missing.length - namedMax} more` : '';
    faults.push(`${missing.length} of ${owed.length} events that were owed never came: ${named.join(', ')}${more}`);
  }
  const written = new Set(owed.map(({ resourceId }) => resourceId));
  faults.push(...orders.filter((id) => !written.has(id)).map((id) => `of order ${id} no event was written`));
  return { owed: owed.length, delivered: come.size, twice, missing, faults };
}
