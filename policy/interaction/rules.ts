import { isInOrder } from '../core/period.ts';
import type { ResourceFacts } from '../core/resource.ts';
import { rule } from '../core/rule.ts';

export const interactionInOrder = rule<ResourceFacts>({
  code: 'interaction.ends_after_it_begins',
  sentence: 'An interaction begins before it ends.',
  kept: ({ document }) => isInOrder(document.interactionDate),
  shown: (facts) => ({ interactionDate: facts.document.interactionDate }),
});
