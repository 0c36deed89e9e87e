import { customerIdOf } from '../core/party.ts';
import type { ResourceDefinition } from '../core/resource.ts';
import { interactionMachine } from './machine.ts';

export const interactionResource: ResourceDefinition<'partyInteraction'> = {
  resource: 'partyInteraction',
  api: 'TMF683',
  table: 'partyInteraction',
  prefix: 'int',
  machine: interactionMachine,
  columns: (document) => ({ customerId: customerIdOf(document) ?? null }),
  customerOf: customerIdOf,
};
