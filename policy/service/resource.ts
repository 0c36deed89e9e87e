import { customerIdOf, text } from '../core/party.ts';
import type { ResourceDefinition } from '../core/resource.ts';
import { monitorMachine, serviceMachine } from './machine.ts';

/** A service as the inventory keeps it. */
export const serviceInventoryResource: ResourceDefinition<'service'> = {
  resource: 'service',
  api: 'TMF638',
  table: 'service',
  prefix: 'svc',
  machine: serviceMachine,
  columns: (document) => ({ category: text(document.category) ?? null }),
  customerOf: customerIdOf,
};

/** The same service by the door that activates it: one resource, two contracts. */
export const serviceActivationResource: ResourceDefinition<'service'> = { ...serviceInventoryResource, api: 'TMF640' };

export const monitorResource: ResourceDefinition<'monitor'> = {
  resource: 'monitor',
  api: 'TMF640',
  table: 'monitor',
  prefix: 'mon',
  machine: monitorMachine,
  clientEvents: [],
};
