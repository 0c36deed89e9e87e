import { isJsonObject, type Json, type JsonObject } from '../../kernel/json.ts';
import { objects } from '../core/party.ts';
import { isInOrder } from '../core/period.ts';
import type { ResourceFacts } from '../core/resource.ts';
import { rule } from '../core/rule.ts';
import { type OfferingTerms, offeringCode, offeringKind, type TermsFault } from './offering-terms.ts';

function isNegativeMoney(money: Json | undefined): boolean {
  return isJsonObject(money) && typeof money.value === 'number' && money.value < 0;
}

/** The amounts of a price, as the price resource has them and as an offering that holds its price by value has them. */
function hasNegativeAmount(holder: JsonObject): boolean {
  const price = holder.price;
  return isJsonObject(price) && [price, price.taxIncludedAmount, price.dutyFreeAmount].some(isNegativeMoney);
}

export const priceNotNegative = rule<ResourceFacts>({
  code: 'catalogue.price_not_negative',
  sentence: 'A price cannot be below zero.',
  kept: ({ document }) => ![document, ...objects(document.productOfferingPrice)].some(hasNegativeAmount),
});

export const windowInOrder = rule<ResourceFacts>({
  code: 'catalogue.window_in_order',
  sentence: 'A validity window begins before it ends.',
  kept: ({ document }) => isInOrder(document.validFor),
  shown: (facts) => ({ validFor: facts.document.validFor }),
});

export interface OfferingFacts extends ResourceFacts {
  /** Another offering that has the same code. */
  codeOwner: string | undefined;
  terms: OfferingTerms | TermsFault;
  /** What speaks of the offering: read only when it is to be deleted. */
  users: { lines: number; orderItems: number };
}

export const codeUnique = rule<OfferingFacts>({
  code: 'product_offering.code_unique',
  sentence: 'Another offering of the catalogue already has this code.',
  status: 409,
  kept: (facts) => facts.codeOwner === undefined,
  shown: (facts) => ({ code: offeringCode(facts.document), offering: facts.codeOwner }),
});

/** Only what says in words of the house that it is to be sold by the house; other offerings are kept as they are. */
export const onSaleNeedsTerms = rule<OfferingFacts>({
  code: 'product_offering.on_sale_needs_terms',
  sentence: 'An offering with a code and a kind needs one price and sound allowances before it goes on sale.',
  kept: ({ document, terms }) =>
    !(document.lifecycleStatus === 'Active' || document.lifecycleStatus === 'Launched') ||
    offeringCode(document) === undefined ||
    offeringKind(document) === undefined ||
    !('fault' in terms),
  shown: ({ terms }) => ('fault' in terms ? { fault: terms.fault } : {}),
});

export const offeringUnused = rule<OfferingFacts>({
  code: 'product_offering.delete_needs_no_use',
  sentence: 'An offering that a line or an order speaks of is retired, not deleted.',
  status: 409,
  kept: ({ users }) => users.lines === 0 && users.orderItems === 0,
  shown: ({ users }) => ({ ...users }),
});

export interface PriceFacts extends ResourceFacts {
  /** Offerings that are sold at this price. */
  offerings: readonly string[];
}

export const priceUnused = rule<PriceFacts>({
  code: 'product_offering_price.delete_needs_no_use',
  sentence: 'A price that an offering refers to cannot be deleted: take it out of the offering first.',
  status: 409,
  kept: (facts) => facts.offerings.length === 0,
  shown: (facts) => ({ offerings: facts.offerings }),
});
