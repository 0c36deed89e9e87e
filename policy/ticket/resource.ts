import type { JsonObject } from '../../kernel/json.ts';
import { customerIdOf, objects, text } from '../core/party.ts';
import type { ResourceDefinition } from '../core/resource.ts';
import { ticketMachine } from './machine.ts';

function related(document: JsonObject, type: 'parent' | 'child'): string[] {
  return objects(document.troubleTicketRelationship)
    .filter((one) => text(one.relationshipType)?.toLowerCase() === type)
    .flatMap((one) => text(one.id) ?? []);
}

/** The case a ticket is part of: its relationship of type `parent`. */
export function caseOf(document: JsonObject): string | undefined {
  return related(document, 'parent')[0];
}

/** The tickets that a case names itself: its relationships of type `child`. */
export function namedTickets(document: JsonObject): string[] {
  return related(document, 'child');
}

export const ticketResource: ResourceDefinition<'troubleTicket'> = {
  resource: 'troubleTicket',
  api: 'TMF621',
  table: 'troubleTicket',
  prefix: 'tck',
  machine: ticketMachine,
  columns: (document) => ({ customerId: customerIdOf(document) ?? null, parentId: caseOf(document) ?? null }),
  customerOf: customerIdOf,
};
