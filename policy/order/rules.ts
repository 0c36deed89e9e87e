import type { JsonObject } from '../../kernel/json.ts';
import { isSellable, type OfferingTerms } from '../catalogue/offering-terms.ts';
import { objects } from '../core/party.ts';
import { rule } from '../core/rule.ts';
import type { Tables } from '../core/table.ts';
import { isLive } from '../subscription/rules.ts';

export interface OrderedItem {
  itemId: string;
  action: string;
  quantity: number;
  offeringId: string | undefined;
  offering: JsonObject | undefined;
  terms: OfferingTerms | undefined;
  /** What keeps the offering from being priced, in a sentence. */
  termsFault: string | undefined;
  lineId: string | undefined;
  line: Tables['subscription'] | undefined;
  /** A new period of the line is being paid for: by an earlier order, by its renewal, or by another item of this order. */
  isPeriodCharged: boolean;
  /** When an item that ends a line is to end it, in the client's word. */
  endWish: string | undefined;
  /** When a line that is to end would, unless that is now. */
  endsAt: Date | undefined;
  wishedNumber: string | undefined;
  wishedNumberState: string | undefined;
}

export interface OrderFacts {
  document: JsonObject;
  customer: Tables['customer'] | undefined;
  customerDocument: JsonObject | undefined;
  customerId: string | undefined;
  cards: readonly Tables['paymentMethod'][];
  items: readonly OrderedItem[];
  freeNumbers: number;
  freeEsims: number;
}

// What is sold is judged by the rules of buying; what ends a line has its own, below.
const isSold = (item: OrderedItem) => item.action !== 'delete';
const each = (facts: OrderFacts, kept: (item: OrderedItem) => boolean) => facts.items.filter(isSold).every(kept);
const modifies = (facts: OrderFacts) => facts.items.filter((item) => item.action === 'modify');
const eachChange = (facts: OrderFacts, kept: (item: OrderedItem) => boolean) => modifies(facts).every(kept);
const ends = (facts: OrderFacts) => facts.items.filter((item) => item.action === 'delete');
const eachEnd = (facts: OrderFacts, kept: (item: OrderedItem) => boolean) => ends(facts).every(kept);
/** Whether the card is asked for money. A change of plan is paid for by the next renewal. */
const isCharged = (facts: OrderFacts) => facts.items.some((item) => item.action === 'add');
const plans = (facts: OrderFacts) => facts.items.filter((item) => item.action === 'add' && item.terms?.kind === 'plan');

export const customerKnown = rule<OrderFacts>({
  code: 'order.customer_known',
  sentence: 'An order is placed for one of our customers: name them as related party.',
  kept: (facts) => facts.customer !== undefined && facts.customer.state !== 'closed',
  shown: (facts) => ({ customer: facts.customerId ?? null }),
});

export const customerReachable = rule<OrderFacts>({
  code: 'order.customer_has_contact_medium',
  sentence: 'A customer needs a contact medium before buying.',
  kept: (facts) => objects(facts.customerDocument?.contactMedium).length > 0,
});

/** Off unless the installation asks for it: an operator whose regulator wants to know who has a line. */
export const identityVerified = rule<OrderFacts>({
  code: 'order.requires_verified_identity',
  sentence: 'This operator sells only to customers whose identity somebody has verified.',
  kept: (facts, tx) =>
    !tx.settings.orderRequiresVerifiedIdentity || (facts.customer?.identityVerifiedAt ?? null) !== null,
  shown: (facts) => ({ customer: facts.customerId ?? null }),
});

export const hasItems = rule<OrderFacts>({
  code: 'order.has_items',
  sentence: 'An order needs at least one item and at most twenty.',
  kept: (facts) => facts.items.length >= 1 && facts.items.length <= 20,
  shown: (facts) => ({ items: facts.items.length }),
});

export const itemIdsUnique = rule<OrderFacts>({
  code: 'order.item_ids_unique',
  sentence: 'Each item of an order has an id of its own.',
  kept: (facts) => new Set(facts.items.map((item) => item.itemId)).size === facts.items.length,
});

export const actionServed = rule<OrderFacts>({
  code: 'order.item_action_served',
  sentence: 'An item adds a plan or an add-on, modifies the plan of a line, or ends a line (delete); nothing else.',
  kept: (facts) => facts.items.every((item) => ['add', 'modify', 'delete'].includes(item.action)),
  shown: (facts) => ({ actions: facts.items.map((item) => item.action) }),
});

export const quantityOne = rule<OrderFacts>({
  code: 'order.quantity_is_one',
  sentence: 'An item orders one: use several items for several lines.',
  kept: (facts) => each(facts, (item) => item.quantity === 1),
});

export const offeringKnown = rule<OrderFacts>({
  code: 'order.offering_known',
  sentence: 'The item names no offering of the catalogue.',
  kept: (facts) => each(facts, (item) => item.offering !== undefined),
  shown: (facts) => ({ offerings: facts.items.map((item) => item.offeringId ?? null) }),
});

export const offeringSellable = rule<OrderFacts>({
  code: 'order.offering_sellable',
  sentence: 'This offering is not on sale: it is not launched, not sellable, or outside its window.',
  kept: (facts, tx) => each(facts, (item) => item.offering !== undefined && isSellable(item.offering, tx.now)),
  shown: (facts) => ({ offerings: facts.items.map((item) => item.offeringId ?? null) }),
});

export const offeringPriced = rule<OrderFacts>({
  code: 'order.offering_has_terms',
  sentence: 'This offering has no price or allowances that can be sold.',
  kept: (facts) => each(facts, (item) => item.terms !== undefined),
  shown: (facts) => ({ faults: facts.items.flatMap((item) => item.termsFault ?? []) }),
});

export const currencyOfInstallation = rule<OrderFacts>({
  code: 'order.currency_is_ours',
  sentence: 'An offering is sold in the currency of this installation only.',
  kept: (facts, tx) => each(facts, (item) => item.terms?.currency === tx.settings.currency),
});

export const addOnNeedsLine = rule<OrderFacts>({
  code: 'order.add_on_needs_line',
  sentence: 'An add-on is bought for a line of this customer: name it as the item’s product.',
  kept: (facts) =>
    each(facts, (item) => item.action !== 'add' || item.terms?.kind === 'plan' || item.line !== undefined),
  shown: (facts) => ({ lines: facts.items.map((item) => item.lineId ?? null) }),
});

export const planMakesNewLine = rule<OrderFacts>({
  code: 'order.plan_makes_new_line',
  sentence: 'Adding a plan makes a new line: leave the product’s id out.',
  kept: (facts) =>
    each(facts, (item) => item.action !== 'add' || item.terms?.kind !== 'plan' || item.lineId === undefined),
});

export const lineCanBeToppedUp = rule<OrderFacts>({
  code: 'subscription.top_up_needs_live_line',
  sentence: 'Only a live line can be topped up: this one has ended or is not active yet.',
  kept: (facts) => each(facts, (item) => item.action !== 'add' || item.line === undefined || isLive(item.line)),
  shown: (facts) => ({ states: facts.items.flatMap((item) => item.line?.state ?? []) }),
});

export const unpaidNeedsPeriod = rule<OrderFacts>({
  code: 'subscription.unpaid_needs_period',
  sentence: 'This line is unpaid: an add-on cannot bring it back, a new period can.',
  kept: (facts) => each(facts, (item) => item.terms?.kind !== 'vas' || !item.line?.blockReasons.includes('unpaid')),
});

export const periodOnlyWhenUnpaid = rule<OrderFacts>({
  code: 'subscription.period_needs_unpaid_line',
  sentence: 'A new period is bought only for a line whose renewal was declined.',
  kept: (facts) =>
    each(facts, (item) => item.terms?.kind !== 'period' || item.line?.blockReasons.includes('unpaid') === true),
});

export const onePeriodAtATime = rule<OrderFacts>({
  code: 'subscription.one_period_at_a_time',
  sentence: 'A new period of this line is being paid for already: wait until that is through.',
  status: 409,
  kept: (facts) => each(facts, (item) => item.terms?.kind !== 'period' || !item.isPeriodCharged),
  shown: (facts) => ({ lines: facts.items.filter((item) => item.isPeriodCharged).map((item) => item.lineId ?? null) }),
});

export const changeNamesPlan = rule<OrderFacts>({
  code: 'subscription.plan_change_names_plan',
  sentence: 'A line changes to a plan, and this offering is none: add-ons are added.',
  kept: (facts) => eachChange(facts, (item) => item.terms?.kind === 'plan'),
});

export const changeNeedsLine = rule<OrderFacts>({
  code: 'subscription.plan_change_names_line',
  sentence: 'A change of plan is of a line of this customer: name it as the item’s product.',
  kept: (facts) => eachChange(facts, (item) => item.line !== undefined),
  shown: (facts) => ({ lines: modifies(facts).map((item) => item.lineId ?? null) }),
});

export const changeNeedsLiveLine = rule<OrderFacts>({
  code: 'subscription.plan_change_needs_live_line',
  sentence: 'Only a live line changes its plan: this one has ended or is not active yet.',
  status: 409,
  kept: (facts) => eachChange(facts, (item) => item.line === undefined || isLive(item.line)),
  shown: (facts) => ({ states: modifies(facts).map((item) => item.line?.state ?? null) }),
});

export const changeToOtherPlan = rule<OrderFacts>({
  code: 'subscription.plan_change_to_other_plan',
  sentence: 'The line has this plan already: choose another.',
  kept: (facts) => eachChange(facts, (item) => item.offeringId !== item.line?.offeringId),
  shown: (facts) => ({ plans: modifies(facts).map((item) => item.line?.planCode ?? null) }),
});

export const oneChangeAtATime = rule<OrderFacts>({
  code: 'subscription.one_plan_change_at_a_time',
  sentence: 'Another change of plan already waits for this line: withdraw it first.',
  status: 409,
  kept: (facts) =>
    eachChange(facts, ({ line }) => (line?.pendingChange ?? null) === null) &&
    new Set(modifies(facts).map((item) => item.lineId)).size === modifies(facts).length,
  shown: (facts) => ({ lines: modifies(facts).map((item) => item.lineId ?? null) }),
});

export const changeBeforeCharge = rule<OrderFacts>({
  code: 'subscription.plan_change_not_while_charged',
  sentence: 'The next period of this line is being paid for at this moment: try again when that is through.',
  status: 409,
  kept: (facts) => eachChange(facts, (item) => !item.isPeriodCharged),
  shown: (facts) => ({ lines: modifies(facts).map((item) => item.lineId ?? null) }),
});

export const cardOnFile = rule<OrderFacts>({
  code: 'order.requires_card_on_file',
  sentence: 'A card on file comes before any order.',
  kept: (facts) =>
    !isCharged(facts) || facts.cards.some((card) => card.gatewayToken !== null && card.state === 'active'),
  shown: (facts) => ({ cards: facts.cards.length }),
});

export const cardNotExpired = rule<OrderFacts>({
  code: 'order.card_not_expired',
  sentence: 'Every card on file has expired: add a valid one.',
  kept: (facts, tx) =>
    !isCharged(facts) ||
    facts.cards.some((card) => card.gatewayToken !== null && card.expiresAt !== null && card.expiresAt >= tx.now),
});

export const wishedNumberFree = rule<OrderFacts>({
  code: 'order.wished_number_available',
  sentence: 'The number that was wished for is not available.',
  kept: (facts) => each(facts, (item) => item.wishedNumber === undefined || item.wishedNumberState === 'available'),
  shown: (facts) => ({ numbers: facts.items.flatMap((item) => item.wishedNumber ?? []) }),
});

export const stockLeft = rule<OrderFacts>({
  code: 'order.number_and_esim_in_stock',
  sentence: 'No number or eSIM profile is left to sell: load a range or a batch.',
  kept: (facts) => facts.freeNumbers >= plans(facts).length && facts.freeEsims >= plans(facts).length,
  shown: (facts) => ({ numbers: facts.freeNumbers, esims: facts.freeEsims }),
});

export const endNamesLine = rule<OrderFacts>({
  code: 'order.end_names_line',
  sentence: 'An item that ends a line names a line of this customer as its product.',
  kept: (facts) => eachEnd(facts, (item) => item.line !== undefined),
  shown: (facts) => ({ lines: ends(facts).map((item) => item.lineId ?? null) }),
});

export const endNeedsLiveLine = rule<OrderFacts>({
  code: 'subscription.end_needs_live_line',
  sentence: 'Only a live line can be ended: this one has ended or is not active yet.',
  kept: (facts) => eachEnd(facts, (item) => !item.line || isLive(item.line)),
  shown: (facts) => ({ states: ends(facts).flatMap((item) => item.line?.state ?? []) }),
});

export const oneEndAtATime = rule<OrderFacts>({
  code: 'subscription.one_end_at_a_time',
  sentence: 'This line is being ended already: withdraw that first.',
  status: 409,
  kept: (facts) => {
    const lines = ends(facts).flatMap((item) => item.line ?? []);
    return (
      lines.every((line) => line.endItemId === null) && new Set(lines.map((line) => line.id)).size === lines.length
    );
  },
  shown: (facts) => ({ endsAt: ends(facts).flatMap((item) => item.line?.endsAt?.toISOString() ?? []) }),
});

export const endNowOrAtBoundary = rule<OrderFacts>({
  code: 'order.end_now_or_at_boundary',
  sentence: 'A line ends at the boundary of its period, or now: the characteristic end is boundary or now.',
  kept: (facts) => eachEnd(facts, (item) => item.endWish === 'now' || item.endWish === 'boundary'),
  shown: (facts) => ({ end: ends(facts).map((item) => item.endWish ?? null) }),
});

/** In the order in which a person would want to hear of them. */
export const buyingRules = [
  hasItems,
  itemIdsUnique,
  customerKnown,
  customerReachable,
  identityVerified,
  actionServed,
  quantityOne,
  endNamesLine,
  endNeedsLiveLine,
  oneEndAtATime,
  endNowOrAtBoundary,
  offeringKnown,
  offeringSellable,
  offeringPriced,
  currencyOfInstallation,
  addOnNeedsLine,
  planMakesNewLine,
  lineCanBeToppedUp,
  unpaidNeedsPeriod,
  periodOnlyWhenUnpaid,
  onePeriodAtATime,
  changeNamesPlan,
  changeNeedsLine,
  changeNeedsLiveLine,
  changeToOtherPlan,
  oneChangeAtATime,
  changeBeforeCharge,
  wishedNumberFree,
  stockLeft,
  cardOnFile,
  cardNotExpired,
];
