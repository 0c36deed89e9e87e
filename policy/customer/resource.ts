import { isJsonObject, type JsonObject } from '../../kernel/json.ts';
import { machine } from '../core/machine.ts';
import { objects, text } from '../core/party.ts';
import type { ResourceDefinition } from '../core/resource.ts';

export const customerMachine = machine({
  name: 'customer',
  initial: ['initialized'],
  table: {
    initialized: { activate: 'active', close: 'closed' },
    active: { deactivate: 'inactive', close: 'closed' },
    inactive: { activate: 'active', close: 'closed' },
    closed: {},
  },
});

/** The email a customer is known by: the preferred one, else the first. Lower case, for one email has one customer. */
export function emailOf(document: JsonObject): string | undefined {
  const emails = objects(document.contactMedium).filter(
    (medium) => isJsonObject(medium.characteristic) && text(medium.characteristic.emailAddress),
  );
  const chosen = emails.find((medium) => medium.preferred === true) ?? emails[0];
  const characteristic = chosen?.characteristic;
  return isJsonObject(characteristic) ? text(characteristic.emailAddress)?.trim().toLowerCase() : undefined;
}

export const customerResource: ResourceDefinition<'customer'> = {
  resource: 'customer',
  api: 'TMF629',
  table: 'customer',
  prefix: 'cus',
  machine: customerMachine,
  columns: (document) => ({ name: text(document.name) ?? null, email: emailOf(document) ?? null }),
  customerOf: (document) => text(document.id),
};
