import type { Refusal } from '../../kernel/error.ts';
import type { JsonObject } from '../../kernel/json.ts';
import { writeEvents } from '../core/event.ts';
import { reference, refs } from '../core/party.ts';
import type { Tx } from '../core/transaction.ts';
import { logInteraction } from './commands.ts';

/** What a customer's affairs are made of: a caller who has one of these written was in contact about it. */
const subjects: Readonly<Record<string, { words: string; about?: (id: string) => JsonObject }>> = {
  customer: { words: 'customer', about: (id) => refs.customer(id) },
  paymentMethod: { words: 'card', about: (id) => refs.paymentMethod(id) },
  productOrder: { words: 'order', about: (id) => refs.productOrder(id) },
  cancelProductOrder: { words: 'cancellation', about: (id) => reference('TMF622', 'cancelProductOrder', id) },
  product: { words: 'line', about: (id) => refs.product(id) },
  topupBalance: { words: 'top-up', about: (id) => reference('TMF654', 'topupBalance', id) },
  troubleTicket: { words: 'ticket', about: (id) => refs.ticket(id) },
  payment: { words: 'payment', about: (id) => refs.payment(id) },
  refund: { words: 'refund' },
  customerBillOnDemand: { words: 'statement' },
};
const told = [...Object.keys(subjects), 'partyInteraction'];

/** Work that nobody is waiting at a door for: what comes of it for the customer is told, or written down, by itself. */
const withoutCaller: ReadonlySet<string> = new Set(['worker', 'start']);

/** A file that is taken over is no contact with the people in it. */
const inBulk: ReadonlySet<string> = new Set(['customer.import']);

/**
 * Writes down that a caller was in contact for a customer, with the door it came through, as the last act of the command
 * itself. What the command was about is read from its events, so a command cannot forget to say. One that wrote the
 * interaction by itself, or that is about an interaction, adds none.
 */
export async function recordContact(tx: Tx, summary: string, refusal: Refusal | undefined): Promise<void> {
  if (tx.caller.audience === 'system' || withoutCaller.has(tx.caller.surface) || inBulk.has(tx.command)) return;
  const written = await (tx.hasWritten ? eventsInTable(tx) : eventsInHand(tx));
  const toldOf = new Set(
    written.filter((event) => event.resourceType === 'partyInteraction').map((event) => event.customerId),
  );
  for (const customerId of new Set(written.map((event) => event.customerId))) {
    const events = written.filter((event) => event.customerId === customerId && event.resourceType in subjects);
    const [first] = events;
    if (!first || toldOf.has(customerId)) continue;
    const resources = [...new Map(events.map((event) => [event.resourceId, event])).values()].slice(0, 10);
    await logInteraction(tx, {
      customerId,
      reason: `${subjects[first.resourceType]?.words} ${verbOf(first.type)}`,
      description: `${summary}, by ${tx.caller.name}.${refusal ? ` Refused: ${refusal.message}` : ''}`,
      direction: 'inbound',
      about: resources
        .map(({ resourceType, resourceId }) => subjects[resourceType]?.about?.(resourceId))
        .filter((reference) => reference !== undefined),
    });
  }
}

interface Told {
  type: string;
  resourceType: string;
  resourceId: string;
  customerId: string;
}

/** The events of this transaction about customers that there are, where functions of the database may have added theirs. */
async function eventsInTable(tx: Tx): Promise<Told[]> {
  // Sent together; what is read is read after what was written.
  const [, written] = await Promise.all([
    writeEvents(tx),
    tx.sql<Told>`
    SELECT e."type", e."resource_type", e."resource_id", e."customer_id" FROM "event" e
    JOIN "customer" c ON c."id" = e."customer_id"
    WHERE e."transaction_id" = (pg_current_xact_id()::text)::bigint AND e."resource_type" = ANY (${told}::text[])
    ORDER BY e."position" LIMIT 1000`,
  ]);
  return written;
}

/** The same where none is written yet: they go out with the commit, all at once. */
async function eventsInHand(tx: Tx): Promise<Told[]> {
  const events = tx.events.flatMap((event) =>
    event.customerId !== null && told.includes(event.resourceType) ? [{ ...event, customerId: event.customerId }] : [],
  );
  // A customer that this command wrote is there; of others, and of one that it removed, the table is asked.
  const removed = new Set(
    events.filter((event) => event.type === 'CustomerDeleteEvent').map((event) => event.resourceId),
  );
  const there = new Set(
    events
      .filter((event) => event.resourceType === 'customer' && !removed.has(event.resourceId))
      .map((event) => event.resourceId),
  );
  const others = [...new Set(events.map((event) => event.customerId))].filter((id) => !there.has(id));
  if (others.length > 0) {
    const found = await tx.sql<{ id: string }>`SELECT "id" FROM "customer" WHERE "id" = ANY (${others}::text[])`;
    for (const { id } of found) there.add(id);
  }
  return events.filter((event) => there.has(event.customerId));
}

function verbOf(eventType: string): string {
  if (eventType.endsWith('CreateEvent')) return 'created';
  return eventType.endsWith('DeleteEvent') ? 'removed' : 'changed';
}
