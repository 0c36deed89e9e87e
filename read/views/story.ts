import type { EventView } from './event.ts';

// How the events of a thing are told, whatever draws them: which lanes there are, what happened, and what is one line.

/** Lanes in the order in which a story crosses them. */
const lanes: readonly (readonly [resourceType: string, name: string])[] = [
  ['customer', 'customer'],
  ['paymentMethod', 'card'],
  ['productOrder', 'order'],
  ['cancelProductOrder', 'cancellation'],
  ['payment', 'payment'],
  ['refund', 'refund'],
  ['serviceOrder', 'service order'],
  ['number', 'number'],
  ['esim', 'eSIM'],
  ['service', 'service'],
  ['monitor', 'network'],
  ['product', 'line'],
  ['bucket', 'quota'],
  ['usage', 'usage'],
  ['customerBill', 'bill'],
  ['appliedCustomerBillingRate', 'rate'],
  ['partyInteraction', 'interaction'],
  ['troubleTicket', 'ticket'],
];

export function laneName(resourceType: string): string {
  return lanes.find(([type]) => type === resourceType)?.[1] ?? resourceType;
}

function laneRank(resourceType: string): number {
  const found = lanes.findIndex(([type]) => type === resourceType);
  return found === -1 ? lanes.length : found;
}

/**
 * What happened, in a few words: the states it went between, or what about it changed.
 * @param word says a state as its readers call it
 */
export function happened(event: EventView, word: (state: string) => string = (state) => state): string {
  const { from, to, type } = event;
  if (from !== null && to !== null && from !== to) return `${word(from)} → ${word(to)}`;
  if (type.endsWith('DeleteEvent')) return 'deleted';
  if (type.endsWith('CreateEvent')) return to === null ? 'created' : word(to);
  const changed = event.changed.filter((name) => name !== 'statusDate' && name !== 'lastUpdate');
  if (changed.length > 0) return `changed ${changed.join(', ')}`;
  return to === null ? type.replace(/Event$/, '') : word(to);
}

/** An id by its prefix and its end: enough to tell it from its neighbours. */
export function shortId(id: string): string {
  return id.length > 16 ? `${id.slice(0, id.indexOf('_') + 1)}…${id.slice(-5)}` : id;
}

/** Events that follow each other and differ only in which of several like resources they are about: one line. */
export interface Beat {
  event: EventView;
  count: number;
}

export function beats(events: readonly EventView[]): Beat[] {
  const told: Beat[] = [];
  for (const event of events) {
    const last = told.at(-1);
    const isLike =
      last !== undefined &&
      last.event.resourceType === event.resourceType &&
      last.event.at === event.at &&
      last.event.command === event.command &&
      last.event.resourceId !== event.resourceId &&
      happened(last.event) === happened(event);
    if (isLike) last.count += 1;
    else told.push({ event, count: 1 });
  }
  return told;
}

/** A story, oldest first, with its lanes: where each thing is first and last spoken of. */
export interface Story {
  readonly types: readonly string[];
  readonly told: readonly Beat[];
  /** Of each lane, the places of its first and its last line. */
  readonly spans: readonly (readonly [first: number, last: number])[];
}

export function storyOf(events: readonly EventView[]): Story {
  const types = [...new Set(events.map((event) => event.resourceType))].sort((a, b) => laneRank(a) - laneRank(b));
  const told = beats(events);
  const spans = types.map((type) => {
    const isOf = ({ event }: Beat) => event.resourceType === type;
    return [told.findIndex(isOf), told.findLastIndex(isOf)] as const;
  });
  return { types, told, spans };
}
