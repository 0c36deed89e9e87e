import type { ResourceFacts } from '../core/resource.ts';
import { rule } from '../core/rule.ts';

export interface ServiceFacts extends ResourceFacts {
  /** The line that the service belongs to; undefined for a service that stands by itself. */
  subscriptionId: string | undefined;
}

/** What a client may write about the service of a line: words, nothing that the network or the line goes by. */
const attributesForClients: ReadonlySet<string> = new Set(['name', 'description', 'note', 'place']);

function changed(facts: ResourceFacts): string[] {
  const before = facts.before ?? {};
  const names = new Set([...Object.keys(before), ...Object.keys(facts.document)]);
  return [...names].filter((name) => JSON.stringify(before[name]) !== JSON.stringify(facts.document[name]));
}

/** Block-on-exhaust: a line is switched by its quota and its payments, never by a write to its service. */
export const lineServicePatch = rule<ServiceFacts>({
  code: 'service.belongs_to_line',
  sentence:
    'This service belongs to a line: it is switched by the quota and the payments of the line, not by a client.',
  status: 409,
  kept: (facts) => facts.subscriptionId === undefined || changed(facts).every((name) => attributesForClients.has(name)),
  shown: (facts) => ({ subscription: facts.subscriptionId, changed: changed(facts) }),
});

export const lineServiceDelete = rule<ServiceFacts>({
  code: 'service.belongs_to_line',
  sentence: 'This service belongs to a line: it ends with the line, and is not deleted.',
  status: 409,
  kept: (facts) => facts.subscriptionId === undefined,
  shown: (facts) => ({ subscription: facts.subscriptionId }),
});
