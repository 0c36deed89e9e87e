import { type ResourceCommands, type ResourceFacts, resourceCommands } from '../core/resource.ts';
import { rule } from '../core/rule.ts';
import { customerBillResource } from './bill.ts';

/** A client may put a settled bill on hold and settle it again. */
const movable = ['state'];

const changedContents = (facts: ResourceFacts) =>
  [...new Set([...Object.keys(facts.before ?? {}), ...Object.keys(facts.document)])].filter(
    (name) => !movable.includes(name) && JSON.stringify(facts.before?.[name]) !== JSON.stringify(facts.document[name]),
  );

export const billContentsAreFixed = rule<ResourceFacts>({
  code: 'bill.contents_are_fixed',
  sentence: 'A bill says what was paid and for what, for good: only its state moves, between settled and on hold.',
  status: 409,
  kept: (facts) => changedContents(facts).length === 0,
  shown: (facts) => ({ attributes: changedContents(facts) }),
});

export const customerBillCommands: ResourceCommands = resourceCommands(customerBillResource, {
  operations: ['patch'],
  patchRules: [billContentsAreFixed],
  touch: (document, _before, tx) => ({ ...document, lastUpdate: tx.now.toISOString() }),
});
