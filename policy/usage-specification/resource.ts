import { lifecycleMachine } from '../catalogue/machine.ts';
import type { ResourceDefinition } from '../core/resource.ts';

export const usageSpecificationResource: ResourceDefinition<'usageSpecification'> = {
  resource: 'usageSpecification',
  api: 'TMF635',
  table: 'usageSpecification',
  prefix: 'usp',
  // A description of usage lives as an entry of the catalogue does.
  machine: lifecycleMachine,
};
