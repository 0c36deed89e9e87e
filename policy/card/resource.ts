import { machine } from '../core/machine.ts';
import { customerIdOf } from '../core/party.ts';
import type { ResourceDefinition } from '../core/resource.ts';

export const paymentMethodMachine = machine({
  name: 'paymentMethod',
  initial: ['active'],
  table: { active: { expire: 'expired', remove: 'removed' }, expired: { remove: 'removed' }, removed: {} },
});

export const paymentMethodResource: ResourceDefinition<'paymentMethod'> = {
  resource: 'paymentMethod',
  api: 'TMF670',
  table: 'paymentMethod',
  prefix: 'pme',
  machine: paymentMethodMachine,
  clientEvents: [],
  columns: (document) => ({ customerId: customerIdOf(document) ?? null, isPreferred: document.isPreferred === true }),
  customerOf: customerIdOf,
};
