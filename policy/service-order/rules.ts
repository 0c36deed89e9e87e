import type { JsonObject } from '../../kernel/json.ts';
import { leads } from '../core/machine.ts';
import { objects, text } from '../core/party.ts';
import type { ResourceFacts } from '../core/resource.ts';
import { rule } from '../core/rule.ts';
import { serviceOrderMachine } from './machine.ts';

export interface ServiceOrderFacts extends ResourceFacts {
  /** The product order that the house made this one for; undefined when a client made it. */
  productOrderId: string | undefined;
}

export const madeByClient = rule<ServiceOrderFacts>({
  code: 'service_order.belongs_to_product_order',
  sentence: 'This service order is the work of a product order: it is moved by that order, not by a client.',
  status: 409,
  kept: (facts) => facts.productOrderId === undefined,
  shown: (facts) => ({ productOrder: facts.productOrderId }),
});

/** Items at every depth by their ids. */
function itemStates(document: JsonObject, found = new Map<string, string>()): Map<string, string> {
  for (const item of objects(document.serviceOrderItem)) {
    const id = text(item.id);
    const state = text(item.state);
    if (id !== undefined && state !== undefined) found.set(id, state);
    itemStates(item, found);
  }
  return found;
}

function illegalItems({ before, document }: ResourceFacts): { item: string; from: string; to: string }[] {
  if (!before) return [];
  const states = itemStates(before);
  return [...itemStates(document)].flatMap(([item, to]) => {
    const from = states.get(item);
    return from === undefined || from === to || leads(serviceOrderMachine, from, to) ? [] : [{ item, from, to }];
  });
}

export const itemLegalTransition = rule<ServiceOrderFacts>({
  code: 'service_order.item_legal_transition',
  sentence: 'An item of a service order moves only along its states; this step is not among them.',
  status: 409,
  kept: (facts) => illegalItems(facts).length === 0,
  shown: (facts) => ({ items: illegalItems(facts) }),
});
