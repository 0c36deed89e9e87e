import type { Refusal } from '../../kernel/error.ts';
import { isJsonObject, type JsonObject } from '../../kernel/json.ts';
import { isSellable, readOffering } from '../catalogue/offering-terms.ts';
import { command } from '../core/command.ts';
import { appendEvent } from '../core/event.ts';
import { machine, must } from '../core/machine.ts';
import { customerIdOf, objects, refs, text } from '../core/party.ts';
import {
  type CreateInput,
  checkContract,
  checkRequired,
  createInput,
  createResource,
  type ResourceCommands,
  type ResourceDefinition,
  type Stored,
} from '../core/resource.ts';
import { rule } from '../core/rule.ts';
import { findRow, type Tables, updateRows } from '../core/table.ts';
import type { Tx } from '../core/transaction.ts';
import { acknowledge, orderFacts, previewOrder } from '../order/commands.ts';
import { buyingRules, type OrderFacts } from '../order/rules.ts';
import { readUsage } from '../usage/units.ts';

/** TMF654. A top-up follows its order; the database moves it in the transaction that ends the order. */
export const topupBalanceMachine = machine({
  name: 'topupBalance',
  initial: ['created'],
  table: {
    created: { complete: 'completed', fail: 'failed', cancel: 'cancelled' },
    failed: {},
    cancelled: {},
    completed: {},
  },
});

export const topupBalanceResource: ResourceDefinition<'topupBalance'> = {
  resource: 'topupBalance',
  api: 'TMF654',
  table: 'topupBalance',
  prefix: 'top',
  machine: topupBalanceMachine,
  clientEvents: [],
  columns: (document) => ({ customerId: customerIdOf(document) ?? null }),
  customerOf: customerIdOf,
};

export interface TopupFacts extends OrderFacts {
  topup: JsonObject;
  /** The bucket that the body names, which says which line is meant. */
  bucket: Tables['bucket'] | undefined;
  account: Tables['billingAccount'] | undefined;
  /** The add-on that is to be bought, whether or not it is on sale. */
  wanted: string | undefined;
}

const idAt = (document: JsonObject, name: string): string | undefined => {
  const value = document[name];
  return isJsonObject(value) ? text(value.id) : undefined;
};

export const bucketKnown = rule<TopupFacts>({
  code: 'top_up.bucket_known',
  sentence: 'A top-up is for a line of ours: name one of its buckets.',
  kept: (facts) => facts.bucket !== undefined,
  shown: (facts) => ({ bucket: idAt(facts.topup, 'bucket') ?? null }),
});

export const sameLine = rule<TopupFacts>({
  code: 'top_up.product_is_line_of_bucket',
  sentence: 'The product that is named is not the line of the bucket that is named.',
  kept: (facts) =>
    facts.bucket === undefined ||
    objects(facts.topup.product).every((product) => text(product.id) === facts.bucket?.subscriptionId),
});

export const sameAccount = rule<TopupFacts>({
  code: 'top_up.account_is_of_line',
  sentence: 'The account that is named is that of another customer than the line’s.',
  kept: (facts) =>
    facts.account === undefined || facts.bucket === undefined || facts.account.customerId === facts.bucket.customerId,
});

export const onceByCard = rule<TopupFacts>({
  code: 'top_up.once_and_by_card',
  sentence: 'A top-up is bought once and charged to the card on file: no vouchers, and none that repeats by itself.',
  kept: ({ topup }) =>
    topup.voucher === undefined &&
    topup.isAutoTopup !== true &&
    topup.recurringPeriod === undefined &&
    (topup.numberOfPeriods === undefined || topup.numberOfPeriods === 1),
});

export const amountOnSale = rule<TopupFacts>({
  code: 'top_up.amount_is_on_sale',
  sentence:
    'No add-on of this amount and kind is on sale: ask for what an add-on holds, or name it as productOffering.',
  kept: (facts) => facts.wanted !== undefined,
  shown: ({ topup }) => ({ amount: topup.amount, usageType: topup.usageType }),
});

export const topupRules = [bucketKnown, sameLine, sameAccount, onceByCard, amountOnSale];

/** What is asked for in base units of its kind: roaming data where the bucket holds that. */
function askedOf(topup: JsonObject, bucket: Tables['bucket'] | undefined) {
  const usageType = text(topup.usageType) ?? '';
  const kind = usageType === 'data' && bucket?.kind === 'roaming_data' ? bucket.kind : usageType;
  const amount = isJsonObject(topup.amount) ? topup.amount : {};
  return readUsage({
    usageType: kind,
    usageCharacteristic: [
      ...(amount.amount === undefined ? [] : [{ name: 'amount', value: amount.amount }]),
      ...(amount.units === undefined ? [] : [{ name: 'units', value: amount.units }]),
    ],
  });
}

/** The add-on that a top-up asks for: the one it names, else the cheapest on sale that holds just this amount. */
async function wantedOffering(tx: Tx, topup: JsonObject, bucket: Tables['bucket'] | undefined) {
  const named = idAt(topup, 'productOffering');
  if (named !== undefined) return named;
  const asked = askedOf(topup, bucket);
  if (asked.quantity === undefined || asked.quantity <= 0) return undefined;
  const rows = await tx.sql<{
    id: string;
  }>`SELECT "id" FROM "product_offering" WHERE "kind" = 'vas' ORDER BY "id" LIMIT 1000`;
  let best: { id: string; amountMinor: number } | undefined;
  for (const { id } of rows) {
    const offering = await readOffering(tx, id);
    if (!offering || 'fault' in offering.terms || !isSellable(offering.document, tx.now)) continue;
    const [allowance, ...others] = offering.terms.allowances;
    if (!allowance || others.length > 0) continue;
    if (allowance.kind !== asked.kind || allowance.quantity !== asked.quantity) continue;
    if (!best || offering.terms.amountMinor < best.amountMinor) best = { id, amountMinor: offering.terms.amountMinor };
  }
  return best?.id;
}

async function topupFacts(tx: Tx, topup: JsonObject): Promise<TopupFacts> {
  const bucketId = idAt(topup, 'bucket');
  const accountId = idAt(topup, 'partyAccount');
  const bucket = bucketId === undefined ? undefined : await findRow(tx, 'bucket', { id: bucketId });
  const account = accountId === undefined ? undefined : await findRow(tx, 'billingAccount', { id: accountId });
  const wanted = await wantedOffering(tx, topup, bucket);
  const order: JsonObject = {
    category: 'mobile',
    relatedParty: bucket ? [refs.customer(bucket.customerId)] : [],
    productOrderItem: [
      {
        id: '1',
        action: 'add',
        quantity: 1,
        ...(wanted === undefined ? {} : { productOffering: refs.offering(wanted) }),
        ...(bucket ? { product: refs.product(bucket.subscriptionId) } : {}),
      },
    ],
  };
  return { ...(await orderFacts(tx, order)), topup, bucket, account, wanted };
}

/** What the house knows of a top-up, over what the client said. */
function documentOf(tx: Tx, facts: TopupFacts): JsonObject {
  const { bucket, topup } = facts;
  const [item] = facts.items;
  return {
    '@type': 'TopupBalance',
    ...topup,
    status: 'created',
    requestedDate: tx.now.toISOString(),
    ...(bucket
      ? { product: [refs.product(bucket.subscriptionId)], relatedParty: [refs.customer(bucket.customerId)] }
      : {}),
    ...(item?.line?.msisdn ? { logicalResource: [refs.number(item.line.msisdn)] } : {}),
    ...(item?.terms ? { productOffering: refs.offering(item.terms.offeringId, item.terms.name) } : {}),
  };
}

/** A top-up that breaks a rule is kept and answered as failed, with the reason. Who listens is told that it failed. */
async function keepFailed(tx: Tx, facts: TopupFacts, _input: CreateInput, refusal: Refusal): Promise<Stored> {
  const made = await createResource(tx, topupBalanceResource, documentOf(tx, facts));
  const document: JsonObject = {
    ...made.document,
    status: must(topupBalanceMachine, 'created', 'fail'),
    statusReason: `${refusal.code}: ${refusal.message}`,
  };
  const version = made.version + 1n;
  await updateRows(tx, 'topupBalance', { id: made.id }, { state: 'failed', document, version, updatedAt: tx.now });
  await appendEvent(tx, {
    type: 'TopupBalanceFailureEvent',
    resourceType: 'topupBalance',
    resourceId: made.id,
    sequence: version,
    resource: document,
    change: { from: 'created', to: 'failed' },
    customerId: customerIdOf(document),
  });
  return { id: made.id, document, version };
}

const create = command<CreateInput, TopupFacts, Stored>({
  name: 'topup_balance.create',
  summary: 'Buy an add-on for a line by a TMF654 body',
  input: createInput,
  audience: ['operator', 'integrator'],
  effect: 'money',
  rules: [...topupRules, ...buyingRules],
  async facts(tx, input) {
    // The house says what became of it; what a client writes there is not kept.
    const { status: _, statusReason: __, confirmationDate: ___, ...topup } = input.document as JsonObject;
    checkRequired(topupBalanceResource, topup);
    await checkContract(topupBalanceResource, { ...topup, status: 'created' });
    return topupFacts(tx, topup);
  },
  preview: previewOrder,
  async apply(tx, facts) {
    const order = await acknowledge(tx, facts);
    return createResource(
      tx,
      topupBalanceResource,
      { ...documentOf(tx, facts), productOrder: refs.productOrder(order.id) },
      { productOrderId: order.id },
    );
  },
  keepRefused: keepFailed,
});

export const topupBalanceCommands: ResourceCommands = { create };
