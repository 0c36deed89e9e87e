import type { JsonObject } from '../../kernel/json.ts';
import type { Tx } from './transaction.ts';

export interface EventDraft {
  /** `ProductOrderStateChangeEvent`: the name of the official listener where there is one. */
  type: string;
  resourceType: string;
  resourceId: string;
  /** The version of the resource after the change. */
  sequence: bigint;
  resource?: JsonObject | undefined;
  change?: JsonObject | undefined;
  customerId?: string | null | undefined;
  /** Business time of the change, where it is not that of the transaction: a clock that is set. */
  occurredAt?: Date;
}

/**
 * Appends to audit, history and outbox, which are one table, in the transaction of the change itself. What is appended is
 * written with the next `writeEvents`, before the commit at the latest: a renewal has a dozen, and each alone would be a
 * round trip.
 */
export async function appendEvent(tx: Tx, event: EventDraft): Promise<void> {
  tx.events.push({
    type: event.type,
    resourceType: event.resourceType,
    resourceId: event.resourceId,
    customerId: event.customerId ?? null,
    text: JSON.stringify({
      id: tx.newId('evt'),
      type: event.type,
      resource_type: event.resourceType,
      resource_id: event.resourceId,
      resource_sequence: String(event.sequence),
      resource: event.resource,
      change: event.change,
      customer_id: event.customerId,
      occurred_at: event.occurredAt ?? tx.now,
    }),
  });
}

/**
 * Writes the events that were appended so far, in their order. Called before a function of the database that appends
 * events of its own, before events are read, and before the commit.
 */
export async function writeEvents(tx: Tx): Promise<void> {
  tx.hasWritten = true;
  const events = tx.events.splice(0);
  if (events.length === 0) return;
  await tx.sql`SELECT append_events(${`[${events.map(({ text }) => text).join(',')}]`}::json, ${tx.cause ? JSON.stringify(tx.cause) : null}::jsonb)`;
}
