import { type ResourceCommands, resourceCommands } from '../core/resource.ts';
import { usageSpecificationResource } from './resource.ts';
import { specificationWindowInOrder } from './rules.ts';

export const usageSpecificationCommands: ResourceCommands = resourceCommands(usageSpecificationResource, {
  defaults: (document, tx) => ({
    '@type': 'UsageSpecification',
    lifecycleStatus: 'Active',
    version: '1.0',
    isBundle: false,
    ...document,
    lastUpdate: tx.now.toISOString(),
  }),
  touch: (document, _, tx) => ({ ...document, lastUpdate: tx.now.toISOString() }),
  createRules: [specificationWindowInOrder],
  patchRules: [specificationWindowInOrder],
});
