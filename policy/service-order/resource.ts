import { isJsonObject, type JsonObject } from '../../kernel/json.ts';
import { customerIdOf, text } from '../core/party.ts';
import type { ResourceDefinition } from '../core/resource.ts';
import { cancelServiceOrderMachine, serviceOrderMachine } from './machine.ts';

export const serviceOrderResource: ResourceDefinition<'serviceOrder'> = {
  resource: 'serviceOrder',
  api: 'TMF641',
  table: 'serviceOrder',
  prefix: 'so',
  machine: serviceOrderMachine,
  columns: (document) => ({ externalId: text(document.externalId) ?? null }),
  customerOf: customerIdOf,
};

/** The order that a cancellation names. */
export function cancelledOrderId(document: JsonObject): string | undefined {
  return isJsonObject(document.serviceOrder) ? text(document.serviceOrder.id) : undefined;
}

export const cancelServiceOrderResource: ResourceDefinition<'cancelServiceOrder'> = {
  resource: 'cancelServiceOrder',
  api: 'TMF641',
  table: 'cancelServiceOrder',
  prefix: 'soc',
  machine: cancelServiceOrderMachine,
  clientEvents: [],
  columns: (document) => ({ serviceOrderId: cancelledOrderId(document) ?? null }),
};
