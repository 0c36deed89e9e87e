import { z } from 'zod';
import { formatInstant } from '../../kernel/calendar.ts';
import { notFound, type Refusal } from '../../kernel/error.ts';
import { isJsonObject, type Json, type JsonObject } from '../../kernel/json.ts';
import { formatMoney, splitTax, taxPercent, toWireMoney } from '../../kernel/money.ts';
import { chargeableCard } from '../card/commands.ts';
import { type OfferingTerms, readOffering } from '../catalogue/offering-terms.ts';
import { command, type Preview } from '../core/command.ts';
import { schedule } from '../core/flow.ts';
import { belongsToCaller } from '../core/ownership.ts';
import { customerIdOf, objects, refs, text } from '../core/party.ts';
import {
  type CreateInput,
  checkContract,
  createInput,
  createResource,
  documentOf,
  neverDeleted,
  type ResourceCommands,
  type ResourceFacts,
  resourceCommands,
  type Stored,
  storedShape,
} from '../core/resource.ts';
import { rule } from '../core/rule.ts';
import { findRow, findRows, insertRow } from '../core/table.ts';
import type { Tx } from '../core/transaction.ts';
import { isWantedByOther, wantForOrder } from '../inventory/wanted.ts';
import { nextBoundary, planEnd } from '../subscription/end.ts';
import { isPeriodCharged, keepPlanChange, lockLine, termsOf, termsOfNextPeriod } from '../subscription/line.ts';
import { refusalNote } from './progress.ts';
import { productOrderResource } from './resource.ts';
import { buyingRules, type OrderedItem, type OrderFacts } from './rules.ts';

function characteristic(product: JsonObject, name: string): Json | undefined {
  return objects(product.productCharacteristic).find((one) => text(one.name)?.toLowerCase() === name)?.value;
}

const chargeOf = ({ amountMinor, currency, taxRate }: OfferingTerms) => ({ amountMinor, currency, taxRate });

async function readItem(tx: Tx, item: JsonObject, customerId: string | undefined): Promise<OrderedItem> {
  const product = isJsonObject(item.product) ? item.product : {};
  const offeringId = text(
    (isJsonObject(item.productOffering)
      ? item.productOffering
      : isJsonObject(product.productOffering)
        ? product.productOffering
        : {}
    ).id,
  );
  const offering = offeringId === undefined ? undefined : await readOffering(tx, offeringId);
  const lineId = text(product.id);
  const line = lineId === undefined ? undefined : await findRow(tx, 'subscription', { id: lineId }, true);
  const wished = characteristic(product, 'msisdn');
  const wishedNumber = typeof wished === 'string' && lineId === undefined ? wished : undefined;
  // Two orders that wish for one number are judged one after the other.
  const number =
    wishedNumber === undefined ? undefined : await findRow(tx, 'phoneNumber', { msisdn: wishedNumber }, true);
  const isWanted = wishedNumber !== undefined && (await isWantedByOther(tx, wishedNumber, customerId));
  const terms = offering && !('fault' in offering.terms) ? offering.terms : undefined;
  // A new period costs what was agreed for the line, not what the catalogue says today.
  const priced: OfferingTerms | undefined =
    terms?.kind === 'period' && line ? { ...terms, ...chargeOf(termsOfNextPeriod(line)) } : terms;
  const action = text(item.action) ?? '';
  const own = line && line.customerId === customerId ? line : undefined;
  const wish = characteristic(product, 'end') ?? 'boundary';
  // The end of a line costs nothing and takes nothing from the catalogue.
  const ending = action === 'delete' && own ? { ...termsOf(own), amountMinor: 0 } : undefined;
  return {
    itemId: text(item.id) ?? '',
    action,
    quantity: typeof item.quantity === 'number' ? item.quantity : 1,
    offeringId,
    offering: offering?.document,
    terms: action === 'delete' ? ending : priced,
    termsFault: offering && 'fault' in offering.terms ? offering.terms.fault : undefined,
    lineId,
    line: own,
    isPeriodCharged: line !== undefined && (await isPeriodCharged(tx, line.id)),
    endWish: typeof wish === 'string' ? wish : undefined,
    endsAt: ending && own && wish !== 'now' ? await nextBoundary(tx, own) : undefined,
    wishedNumber,
    wishedNumberState: isWanted ? 'wanted' : number?.state,
  };
}

/** What an order's rules judge, with its customer and lines locked. */
export async function orderFacts(tx: Tx, document: JsonObject): Promise<OrderFacts> {
  const customerId = customerIdOf(document);
  // The customer's row is the lock that keeps an order apart from the removal of a card.
  const customer = customerId === undefined ? undefined : await findRow(tx, 'customer', { id: customerId }, true);
  const items: OrderedItem[] = [];
  for (const item of objects(document.productOrderItem).slice(0, 21)) items.push(await readItem(tx, item, customerId));
  for (const item of items) {
    const others = items.filter((one) => one !== item && one.terms?.kind === 'period');
    item.isPeriodCharged ||= others.some((one) => one.line !== undefined && one.line.id === item.line?.id);
  }
  const [stock] = await tx.sql<{ numbers: bigint; esims: bigint }>`SELECT
    (SELECT count(*) FROM (SELECT 1 FROM "phone_number" WHERE "state" = 'available' LIMIT 21) n) AS numbers,
    (SELECT count(*) FROM (SELECT 1 FROM "esim_profile" WHERE "state" = 'available' LIMIT 21) e) AS esims`;
  return {
    document,
    customer,
    customerDocument: customer ? documentOf(customer) : undefined,
    customerId,
    cards: customer ? await findRows(tx, 'paymentMethod', { customerId: customer.id, state: 'active' }) : [],
    items,
    freeNumbers: Number(stock?.numbers ?? 0),
    freeEsims: Number(stock?.esims ?? 0),
  };
}

function orderPrice(terms: OfferingTerms): JsonObject {
  const tax = splitTax(terms, terms.taxRate);
  const money = (amountMinor: number): JsonObject => ({ ...toWireMoney({ amountMinor, currency: terms.currency }) });
  return {
    name: terms.name,
    priceType: terms.kind === 'plan' ? 'recurring' : 'oneTime',
    ...(terms.kind === 'plan' ? { recurringChargePeriod: 'month' } : {}),
    price: {
      taxRate: taxPercent(terms.taxRate),
      taxIncludedAmount: money(tax.taxIncludedMinor),
      dutyFreeAmount: money(tax.taxExcludedMinor),
    },
  };
}

function withStates(tx: Tx, document: JsonObject, state: string): JsonObject {
  return {
    '@type': 'ProductOrder',
    ...document,
    orderDate: tx.now.toISOString(),
    state,
    productOrderItem: objects(document.productOrderItem).map((item) => ({ ...item, state })),
  };
}

/** In minor units. A change of plan costs nothing today: the renewal that begins the plan charges its price. */
const chargedNow = (item: OrderedItem) => (item.action === 'modify' ? 0 : (item.terms?.amountMinor ?? 0));

/** The end of a line in a sentence, with its instant in the operator's time zone. */
function endSentence({ line, endsAt }: OrderedItem, timeZone: string): string {
  return `End the line ${line?.msisdn ?? ''} ${endsAt ? `on ${formatInstant(endsAt, timeZone)}` : 'now'}.`;
}

/** What an order would cost, whom and on which card; and what it ends. */
export function previewOrder(facts: OrderFacts, _input: unknown, tx: Pick<Tx, 'now' | 'settings'>): Preview {
  const names = (action: string) =>
    facts.items.filter((item) => item.action === action).map((item) => item.terms?.name);
  const [bought, changed] = [names('add'), facts.items.filter((item) => item.action === 'modify')];
  const ended = facts.items.filter((item) => item.action === 'delete');
  const card = bought.length === 0 ? undefined : chargeableCard(facts.cards, tx.now);
  const lastFour = card ? text(documentOf(card).lastFourDigits) : undefined;
  const isRenewing = facts.items.some((item) => item.action === 'add' && item.terms?.kind === 'plan');
  const forWhom = facts.customer?.name ? ` for ${facts.customer.name}` : '';
  return {
    what: [
      ...(bought.length === 0 ? [] : [`Order ${bought.join(', ')}${forWhom}.`]),
      ...changed.map((item) => `Change ${item.line?.msisdn ?? 'the line'} to ${item.terms?.name}${forWhom}.`),
      ...ended.map((item) => endSentence(item, tx.settings.timeZone)),
    ].join(' '),
    ...(facts.customer ? { customer: { id: facts.customer.id, name: facts.customer.name } } : {}),
    ...(ended.length === facts.items.length
      ? {}
      : {
          amount: {
            amountMinor: facts.items.reduce((sum, item) => sum + chargedNow(item), 0),
            currency: tx.settings.currency,
          },
        }),
    details: [
      ...(lastFour === undefined ? [] : [`Charged to the card ending in ${lastFour}.`]),
      ...(isRenewing ? ['It is charged again each month, until the line ends.'] : []),
      ...changed.flatMap(({ terms }) =>
        terms
          ? [`Nothing is charged for the change: from the next renewal on the line costs ${formatMoney(terms)}.`]
          : [],
      ),
      ...(ended.length === 0 ? [] : ['Nothing is given back, and what is left of an ended line’s quota is lost.']),
      ...(ended.some((item) => item.endsAt) ? ['Until then the end can be withdrawn.'] : []),
      ...(ended.some((item) => !item.endsAt) ? ['A number that is given back rests before it is sold again.'] : []),
    ],
  };
}

/** Acknowledges an order: its items are written down with a copy of price and allowances, and their work begins. */
export async function acknowledge(tx: Tx, facts: OrderFacts): Promise<Stored> {
  const document = withStates(tx, facts.document, 'acknowledged');
  const total = facts.items.reduce((sum, item) => sum + chargedNow(item), 0);
  const currency = tx.settings.currency;
  const stored = await createResource(tx, productOrderResource, {
    ...document,
    productOrderItem: objects(document.productOrderItem).map((item, index) => {
      const own = facts.items[index]?.terms;
      return own && item.action !== 'delete'
        ? { ...item, itemPrice: [orderPrice(own)], itemTotalPrice: [orderPrice(own)] }
        : item;
    }),
    orderTotalPrice: [
      {
        name: 'total',
        priceType: 'oneTime',
        price: { taxIncludedAmount: { ...toWireMoney({ amountMinor: total, currency }) } },
      },
    ],
  });
  for (const item of facts.items) {
    if (!item.terms || !facts.customerId) throw new Error('an acknowledged item has terms and a customer');
    const id = tx.newId('itm');
    await insertRow(tx, 'orderItem', {
      id,
      productOrderId: stored.id,
      itemId: item.itemId,
      action: item.action,
      state: 'acknowledged',
      offeringId: item.terms.offeringId,
      subscriptionId: item.line?.id ?? null,
      customerId: facts.customerId,
      amountMinor: chargedNow(item),
      taxRate: item.terms.taxRate,
      currency: item.terms.currency,
      terms: item.terms,
      msisdn: item.wishedNumber ?? null,
    });
    const { itemId, terms, line } = item;
    if (item.wishedNumber !== undefined) await wantForOrder(tx, item.wishedNumber, facts.customerId, id);
    if (item.action === 'delete') {
      await acknowledgeEnd(tx, item, id, stored.id);
      continue;
    }
    // Another item of this order may have written on the line since it was read.
    if (item.action === 'modify' && line)
      await keepPlanChange(tx, await lockLine(tx, line.id), {
        orderItemId: id,
        productOrderId: stored.id,
        itemId,
        terms,
      });
    const step = item.action === 'modify' ? 'await_renewal' : 'authorise';
    await schedule(tx, { flow: 'order', subject: id, step, key: `order:${id}:${step}` });
  }
  return stored;
}

/** The line is marked at once, so that no second order ends it too and its renewal knows. */
async function acknowledgeEnd(tx: Tx, item: OrderedItem, orderItemId: string, productOrderId: string): Promise<void> {
  if (!item.line) throw new Error('an item that ends a line has a line');
  const isNow = item.endWish === 'now';
  const line = await lockLine(tx, item.line.id);
  const at = item.endsAt ?? tx.now;
  await planEnd(tx, line, { orderItemId, itemId: item.itemId, productOrderId, at });
  await schedule(tx, {
    flow: 'order',
    subject: orderItemId,
    step: 'end',
    key: `order:${orderItemId}:end`,
    input: { isNow },
  });
}

/** An order that breaks a buying rule is kept and answered `rejected`, with the rule's code and sentence as a note. */
async function keepRejected(tx: Tx, facts: OrderFacts, refusal: Refusal): Promise<Stored> {
  const document = withStates(tx, facts.document, 'rejected');
  return createResource(tx, productOrderResource, {
    ...document,
    note: [...objects(document.note), refusalNote(tx, refusal.code, refusal.message)],
  });
}

const create = command<CreateInput, OrderFacts, Stored>({
  name: 'product_order.create',
  summary: 'Place an order from a TMF622 body',
  input: createInput,
  audience: ['operator', 'integrator'],
  effect: 'money',
  rules: buyingRules,
  async facts(tx, input) {
    await checkContract(productOrderResource, { id: 'new', ...(input.document as JsonObject) });
    return orderFacts(tx, input.document as JsonObject);
  },
  preview: previewOrder,
  apply: acknowledge,
  keepRefused: (tx, facts, _input, refusal) => keepRejected(tx, facts, refusal),
});

/** Offerings are named to people by their code; programs name them by id. */
async function offeringIdOf(tx: Tx, codeOrId: string): Promise<string> {
  return (await findRow(tx, 'productOffering', { code: codeOrId }))?.id ?? codeOrId;
}

async function documentFor(
  tx: Tx,
  customerId: string,
  offering: string,
  lineId: string | undefined,
  msisdn: string | undefined,
  action: 'add' | 'modify' = 'add',
): Promise<JsonObject> {
  return {
    category: 'mobile',
    relatedParty: [refs.customer(customerId)],
    productOrderItem: [
      {
        id: '1',
        action,
        quantity: 1,
        productOffering: refs.offering(await offeringIdOf(tx, offering)),
        ...(lineId ? { product: refs.product(lineId) } : {}),
        ...(msisdn ? { product: { productCharacteristic: [{ name: 'msisdn', value: msisdn }] } } : {}),
      },
    ],
  };
}

/** For orders that a customer may place: they are for that customer, and of a line of theirs. */
export const lineIsCallers = belongsToCaller<OrderFacts>((facts) => facts.customerId);

const placeInput = z.object({
  customerId: z.string().describe('Who buys'),
  offering: z.string().describe('The plan, by code or id'),
  msisdn: z
    .string()
    .regex(/^\d{6,15}$/)
    .optional()
    .describe('A number wished for'),
});

export const placeOrder = command<z.infer<typeof placeInput>, OrderFacts, Stored>({
  name: 'order.place',
  summary: 'Order a plan for a customer: a new line',
  input: placeInput,
  output: storedShape(productOrderResource),
  audience: ['operator', 'customer', 'integrator'],
  effect: 'money',
  positional: ['customerId', 'offering'],
  examples: ['bss order place cus_… PLAN_M'],
  rules: [lineIsCallers, ...buyingRules],
  facts: async (tx, input) =>
    orderFacts(tx, await documentFor(tx, input.customerId, input.offering, undefined, input.msisdn)),
  preview: previewOrder,
  apply: acknowledge,
});

const topUpInput = z.object({
  subscriptionId: z.string().describe('The line'),
  offering: z.string().describe('The add-on, by code or id'),
});

export const topUp = command<z.infer<typeof topUpInput>, OrderFacts, Stored>({
  name: 'subscription.top_up',
  summary: 'Buy an add-on for a line',
  input: topUpInput,
  output: storedShape(productOrderResource),
  audience: ['operator', 'customer', 'integrator'],
  effect: 'money',
  positional: ['subscriptionId', 'offering'],
  examples: ['bss subscription top-up sub_… VAS_DATA_1GB'],
  rules: [lineIsCallers, ...buyingRules],
  async facts(tx, input) {
    const line = await findRow(tx, 'subscription', { id: input.subscriptionId });
    const document = await documentFor(tx, line?.customerId ?? '', input.offering, input.subscriptionId, undefined);
    return orderFacts(tx, line ? document : { ...document, relatedParty: [] });
  },
  preview: previewOrder,
  apply: acknowledge,
});

const changePlanInput = z.object({
  subscriptionId: z.string().describe('The line'),
  offering: z.string().describe('The plan it changes to, by code or id'),
});

export const changePlan = command<z.infer<typeof changePlanInput>, OrderFacts, Stored>({
  name: 'subscription.change_plan',
  summary: 'Change a line to another plan at its next renewal, which charges the new price',
  input: changePlanInput,
  output: storedShape(productOrderResource),
  audience: ['operator', 'customer', 'integrator'],
  effect: 'money',
  positional: ['subscriptionId', 'offering'],
  examples: ['bss subscription change-plan sub_… PLAN_L'],
  rules: [lineIsCallers, ...buyingRules],
  async facts(tx, { subscriptionId, offering }) {
    const line = await findRow(tx, 'subscription', { id: subscriptionId });
    if (!line && tx.caller.audience !== 'customer') throw notFound('subscription', subscriptionId);
    const document = await documentFor(tx, line?.customerId ?? '', offering, subscriptionId, undefined, 'modify');
    return orderFacts(tx, line ? document : { ...document, relatedParty: [] });
  },
  preview: previewOrder,
  apply: acknowledge,
});

const sold = [
  'productOrderItem',
  'relatedParty',
  'orderTotalPrice',
  'billingAccount',
  'payment',
  'cancellationDate',
  'completionDate',
];

const termsAreFixed = rule<ResourceFacts>({
  code: 'order.terms_are_fixed',
  sentence: 'What was ordered, by whom and at what price does not change: cancel the order and place another.',
  status: 409,
  kept: (facts) => sold.every((name) => JSON.stringify(facts.before?.[name]) === JSON.stringify(facts.document[name])),
  shown: (facts) => ({
    attributes: sold.filter((name) => JSON.stringify(facts.before?.[name]) !== JSON.stringify(facts.document[name])),
  }),
});

const freeStanding = resourceCommands(productOrderResource, {
  operations: ['patch', 'remove'],
  patchRules: [termsAreFixed],
  removeRules: [neverDeleted(productOrderResource, 'it is the record of what was sold')],
});

export const productOrderCommands: ResourceCommands = { create, ...freeStanding };
