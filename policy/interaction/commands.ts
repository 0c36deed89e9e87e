import type { JsonObject } from '../../kernel/json.ts';
import { refs, text } from '../core/party.ts';
import { createUnawaited, type ResourceCommands, resourceCommands } from '../core/resource.ts';
import type { Tx } from '../core/transaction.ts';
import { interactionResource } from './resource.ts';
import { interactionInOrder } from './rules.ts';

function withDefaults(document: JsonObject, tx: Pick<Tx, 'now'>): JsonObject {
  const at = tx.now.toISOString();
  return {
    '@type': 'PartyInteraction',
    interactionDate: { startDateTime: at },
    ...document,
    status: text(document.status) ?? 'open',
    creationDate: text(document.creationDate) ?? at,
    statusChangeDate: at,
  };
}

export const interactionCommands: ResourceCommands = resourceCommands(interactionResource, {
  defaults: withDefaults,
  touch: (document, before, tx) =>
    document.status === before.status ? document : { ...document, statusChangeDate: tx.now.toISOString() },
  createRules: [interactionInOrder],
  patchRules: [interactionInOrder],
});

export interface Contact {
  customerId: string;
  /** `portal`, `chat`, `mail`, `phone`: where it happened. The surface of the caller when not given. */
  channel?: string;
  /** In a few words: `top-up`. */
  reason: string;
  description: string;
  /** Seen from the operator: who spoke first. */
  direction: 'inbound' | 'outbound';
  /** What it was about: references that the house made. */
  about?: JsonObject[];
}

/** Writes a contact with a customer down, in the transaction of what came of it. It is over when it is written. */
export async function logInteraction(tx: Tx, contact: Contact): Promise<JsonObject & { id: string }> {
  const at = tx.now.toISOString();
  const channel = contact.channel ?? tx.caller.surface;
  return createUnawaited(
    tx,
    interactionResource,
    withDefaults(
      {
        status: 'completed',
        direction: contact.direction,
        reason: contact.reason,
        description: contact.description,
        interactionDate: { startDateTime: at, endDateTime: at },
        // A channel is no resource of ours: its link is a name.
        channel: [{ id: channel, name: channel, href: `urn:channel:${channel}`, '@referredType': 'Channel' }],
        relatedParty: [refs.customer(contact.customerId)],
        ...(contact.about?.length
          ? {
              interactionItem: contact.about.map((item, index) => ({
                id: String(index + 1),
                itemDate: { startDateTime: at, endDateTime: at },
                reason: contact.reason,
                item: { role: 'subject', ...item },
              })),
            }
          : {}),
      },
      tx,
    ),
  );
}
