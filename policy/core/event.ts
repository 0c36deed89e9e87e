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

/** Appends to audit, history and outbox, which are one table, in the transaction of the change itself. */
export async function appendEvent(tx: Tx, event: EventDraft): Promise<void> {
  await tx.sql`SELECT append_event(${tx.newId('evt')}, ${event.type}, ${event.resourceType}, ${event.resourceId}, ${event.sequence},
    ${event.resource ? JSON.stringify(event.resource) : null}::jsonb, ${event.change ? JSON.stringify(event.change) : null}::jsonb,
    ${tx.cause ? JSON.stringify(tx.cause) : null}::jsonb, ${event.customerId ?? null}, ${event.occurredAt ?? tx.now})`;
}
