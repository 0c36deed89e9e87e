import type { ResourceDefinition } from '../core/resource.ts';
import { lifecycleMachine } from './machine.ts';
import { offeringCode, offeringKind } from './offering-terms.ts';

export const catalogResource: ResourceDefinition<'catalog'> = {
  resource: 'catalog',
  api: 'TMF620',
  table: 'catalog',
  prefix: 'cat',
  machine: lifecycleMachine,
};

export const categoryResource: ResourceDefinition<'category'> = {
  resource: 'category',
  api: 'TMF620',
  table: 'category',
  prefix: 'cgy',
  machine: lifecycleMachine,
};

export const productSpecificationResource: ResourceDefinition<'productSpecification'> = {
  resource: 'productSpecification',
  api: 'TMF620',
  table: 'productSpecification',
  prefix: 'spc',
  machine: lifecycleMachine,
};

export const productOfferingResource: ResourceDefinition<'productOffering'> = {
  resource: 'productOffering',
  api: 'TMF620',
  table: 'productOffering',
  prefix: 'ofr',
  machine: lifecycleMachine,
  columns: (document) => ({ code: offeringCode(document) ?? null, kind: offeringKind(document) ?? null }),
};

export const productOfferingPriceResource: ResourceDefinition<'productOfferingPrice'> = {
  resource: 'productOfferingPrice',
  api: 'TMF620',
  table: 'productOfferingPrice',
  prefix: 'prc',
  machine: lifecycleMachine,
};
