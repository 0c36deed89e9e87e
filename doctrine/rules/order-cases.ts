import { randomUUID } from 'node:crypto';
import type { JsonObject } from '../../kernel/json.ts';
import type { Case } from './case.ts';
import type { Answer, Line, World } from './world.ts';

const customerRef = (id: string): JsonObject => ({
  id,
  href: `https://bss.example.com/tmf-api/customerManagement/v4/customer/${id}`,
  role: 'customer',
  '@referredType': 'Customer',
});
const offeringRef = (id: string): JsonObject => ({
  id,
  href: `urn:offering:${id}`,
  '@referredType': 'ProductOffering',
});

/** An order that would be taken, but for what is given. */
async function order(
  world: World,
  given: { customer?: string; code?: string; item?: JsonObject; items?: (item: JsonObject) => JsonObject[] } = {},
): Promise<Answer> {
  const customer = given.customer ?? (await world.customer());
  const item: JsonObject = {
    id: '1',
    action: 'add',
    quantity: 1,
    productOffering: offeringRef(await world.offering(given.code ?? 'PLAN_S')),
    ...given.item,
  };
  return world.tmf('POST', 'TMF622 productOrder', {
    relatedParty: [customerRef(customer)],
    productOrderItem: given.items?.(item) ?? [item],
  });
}

/** An offering of the catalogue that is on sale, but for what is given. @returns its id. */
async function offering(world: World, more: JsonObject): Promise<string> {
  const priceId = await world.made('TMF620 productOfferingPrice', {
    name: 'A price',
    lifecycleStatus: 'Active',
    priceType: 'recurring',
    recurringChargePeriodType: 'month',
    recurringChargePeriodLength: 1,
    price: { unit: 'SGD', value: 5 },
  });
  const use = (name: string, value: string | number, unitOfMeasure?: string): JsonObject => ({
    name,
    valueType: typeof value,
    productSpecCharacteristicValue: [
      { isDefault: true, valueType: typeof value, value, ...(unitOfMeasure ? { unitOfMeasure } : {}) },
    ],
  });
  return world.made('TMF620 productOffering', {
    name: 'A plan',
    code: `PLAN_${randomUUID()}`,
    isSellable: true,
    lifecycleStatus: 'Active',
    productOfferingPrice: [{ id: priceId, href: `urn:price:${priceId}`, '@referredType': 'ProductOfferingPrice' }],
    prodSpecCharValueUse: [use('kind', 'plan'), use('data', 1, 'GB')],
    ...more,
  });
}

const lineOf = (id: string): JsonObject => ({ product: { id } });
const cancel = (world: World, id: string) =>
  world.tmf('POST', 'TMF622 cancelProductOrder', {
    productOrder: { id, href: `urn:order:${id}`, '@referredType': 'ProductOrder' },
    cancellationReason: 'Changed their mind',
  });

async function inState(world: World, id: string, state: string, reasons: string): Promise<void> {
  await world.change(`UPDATE "subscription" SET "state" = $2, "block_reasons" = $3::text[] WHERE "id" = $1`, [
    id,
    state,
    reasons,
  ]);
}

/** Orders a change of plan of a line. */
const change = (world: World, line: { id: string; customer: string }, code: string) =>
  order(world, { customer: line.customer, code, item: { action: 'modify', ...lineOf(line.id) } });

async function unpaidLine(world: World): Promise<Line> {
  const line = await world.line();
  await inState(world, line.id, 'blocked', '{unpaid}');
  return line;
}

export const orderCases: Readonly<Record<string, Case>> = {
  'order.requires_verified_identity': (world) =>
    world.withSettings({ orderRequiresVerifiedIdentity: true }, () => order(world)),
  'order.has_items': (world) =>
    order(world, { items: (item) => Array.from({ length: 21 }, (_, index) => ({ ...item, id: String(index) })) }),
  'order.item_ids_unique': (world) => order(world, { items: (item) => [item, item] }),
  'order.customer_known': (world) => order(world, { customer: 'cus_none' }),
  'order.customer_has_contact_medium': async (world) => {
    const customer = await world.customer();
    await world.change(`UPDATE "customer" SET "document" = "document" - 'contactMedium' WHERE "id" = $1`, [customer]);
    return order(world, { customer });
  },
  'order.item_action_served': (world) => order(world, { item: { action: 'noChange' } }),
  'order.quantity_is_one': (world) => order(world, { item: { quantity: 2 } }),
  'order.offering_known': (world) => order(world, { item: { productOffering: offeringRef('ofr_none') } }),
  'order.offering_sellable': async (world) =>
    order(world, { item: { productOffering: offeringRef(await offering(world, { lifecycleStatus: 'In Test' })) } }),
  'order.offering_has_terms': async (world) =>
    order(world, {
      item: { productOffering: offeringRef(await offering(world, { code: '', productOfferingPrice: [] })) },
    }),
  // No offering in another currency can be sold, so what is left is a line that was sold in one.
  'order.currency_is_ours': async (world) => {
    const line = await world.line();
    await inState(world, line.id, 'blocked', '{unpaid}');
    await world.change(`UPDATE "subscription" SET "currency" = 'EUR' WHERE "id" = $1`, [line.id]);
    return world.tool('subscription.top_up', { subscriptionId: line.id, offering: 'VAS_PERIOD' });
  },
  'order.add_on_needs_line': (world) => order(world, { code: 'VAS_DATA_1GB' }),
  'order.plan_makes_new_line': (world) =>
    order(world, { customer: world.shared.customer, item: lineOf(world.shared.id) }),
  'subscription.top_up_needs_live_line': async (world) => {
    const line = await world.line();
    await inState(world, line.id, 'terminated', '{}');
    return world.tool('subscription.top_up', { subscriptionId: line.id, offering: 'VAS_DATA_1GB' });
  },
  'subscription.unpaid_needs_period': async (world) => {
    const line = await world.line();
    await inState(world, line.id, 'blocked', '{unpaid}');
    return world.tool('subscription.top_up', { subscriptionId: line.id, offering: 'VAS_DATA_1GB' });
  },
  'subscription.period_needs_unpaid_line': async (world) =>
    world.tool('subscription.top_up', { subscriptionId: (await world.line()).id, offering: 'VAS_PERIOD' }),
  'subscription.one_period_at_a_time': async (world) => {
    const line = await unpaidLine(world);
    const period = { customer: line.customer, code: 'VAS_PERIOD', item: lineOf(line.id) };
    return order(world, { ...period, items: (item) => [item, { ...item, id: '2' }] });
  },
  'subscription.plan_change_names_plan': async (world) => change(world, await world.line(), 'VAS_DATA_1GB'),
  'subscription.plan_change_names_line': async (world) =>
    change(world, { id: world.shared.id, customer: await world.customer() }, 'PLAN_L'),
  'subscription.plan_change_needs_live_line': async (world) => {
    const line = await world.line();
    await inState(world, line.id, 'terminated', '{}');
    return change(world, line, 'PLAN_L');
  },
  'subscription.plan_change_to_other_plan': async (world) => change(world, await world.line(), 'PLAN_S'),
  'subscription.one_plan_change_at_a_time': async (world) => {
    const line = await world.line();
    await change(world, line, 'PLAN_L');
    return change(world, line, 'PLAN_L');
  },
  'subscription.plan_change_not_while_charged': async (world) => {
    const line = await unpaidLine(world);
    await order(world, { customer: line.customer, code: 'VAS_PERIOD', item: lineOf(line.id) });
    return change(world, line, 'PLAN_L');
  },
  'subscription.no_plan_change_pending': async (world) =>
    world.tool('subscription.withdraw_plan_change', { subscriptionId: (await world.line()).id }),
  'subscription.plan_change_is_being_charged': async (world) => {
    const line = await unpaidLine(world);
    await change(world, line, 'PLAN_L');
    await order(world, { customer: line.customer, code: 'VAS_PERIOD', item: lineOf(line.id) });
    return world.tool('subscription.withdraw_plan_change', { subscriptionId: line.id });
  },
  'order.wished_number_available': (world) =>
    order(world, {
      item: {
        product: { productCharacteristic: [{ name: 'msisdn', valueType: 'string', value: world.shared.msisdn }] },
      },
    }),
  'order.number_and_esim_in_stock': async (world) => {
    await world.change(`UPDATE "phone_number" SET "state" = 'ported out' WHERE "state" = 'available'`);
    const answer = await order(world);
    await world.change(`UPDATE "phone_number" SET "state" = 'available' WHERE "state" = 'ported out'`);
    return answer;
  },
  'order.requires_card_on_file': async (world) => {
    const customer = await world.customer();
    await world.change('DELETE FROM "payment_method" WHERE "customer_id" = $1', [customer]);
    return order(world, { customer });
  },
  'order.card_not_expired': async (world) => {
    const customer = await world.customer();
    await world.change(`UPDATE "payment_method" SET "expires_at" = '2001-01-01' WHERE "customer_id" = $1`, [customer]);
    return order(world, { customer });
  },
  'order.terms_are_fixed': (world) =>
    world.tmf('PATCH', `TMF622 productOrder/${world.shared.order}`, { cancellationDate: '2026-01-01T00:00:00Z' }),
  'product_order.kept_for_good': async (world) =>
    world.tmf('DELETE', `TMF622 productOrder/${(await world.line()).order}`),
  'product_order.legal_transition': async (world) =>
    world.tmf('PATCH', `TMF622 productOrder/${(await world.line()).order}`, { state: 'cancelled' }),
  'order.cancel_names_our_order': (world) => cancel(world, 'ord_none'),
  'order.cancel_before_activation': async (world) => cancel(world, (await world.line()).order),
  'order.cancel_needs_open_order': async (world) => {
    const answer = await order(world, { item: { quantity: 2 } });
    return cancel(world, String(answer.body.id));
  },
};
