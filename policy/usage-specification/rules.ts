import { isInOrder } from '../core/period.ts';
import type { ResourceFacts } from '../core/resource.ts';
import { rule } from '../core/rule.ts';

export const specificationWindowInOrder = rule<ResourceFacts>({
  code: 'usage_specification.window_in_order',
  sentence: 'A validity window begins before it ends.',
  kept: ({ document }) => isInOrder(document.validFor),
  shown: (facts) => ({ validFor: facts.document.validFor }),
});
