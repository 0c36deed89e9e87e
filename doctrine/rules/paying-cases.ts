import type { JsonObject } from '../../kernel/json.ts';
import type { Case } from './case.ts';
import type { Line, World } from './world.ts';

let cards = 0;
function token(): string {
  cards += 1;
  return `tok_visa_9${cards}`;
}
const add = (world: World, customerId: string, of = token()) => world.tool('card.add', { customerId, token: of });

const account = (id: string): JsonObject => ({ id, href: `urn:account:${id}`, '@referredType': 'BillingAccount' });
const method = (id: string): JsonObject => ({
  id,
  href: `urn:method:${id}`,
  '@type': 'PaymentMethodRef',
  '@referredType': 'PaymentMethod',
});

async function refund(world: World, line: Line, more: JsonObject) {
  return world.tmf('POST', 'TMF676 refund', {
    account: account(line.account),
    paymentMethod: method(line.card),
    totalAmount: { unit: 'SGD', value: 1 },
    payment: { id: line.payment, href: `urn:payment:${line.payment}`, '@referredType': 'Payment' },
    ...more,
  });
}

const statement = (world: World, more: JsonObject) =>
  world.tmf('POST', 'TMF678 customerBillOnDemand', { name: 'Statement', ...more });

export const payingCases: Readonly<Record<string, Case>> = {
  'card.customer_known': (world) => add(world, 'cus_none'),
  'card.token_known': async (world) => add(world, await world.customer(), 'tok_nobody'),
  'card.not_expired': async (world) => add(world, await world.customer(), 'tok_expired'),
  'card.at_most_five': async (world) => {
    const customer = await world.customer();
    for (let index = 0; index < 4; index += 1) await add(world, customer);
    return add(world, customer);
  },
  'card.not_last_of_live_line': async (world) =>
    world.tmf('DELETE', `TMF670 paymentMethod/${(await world.line()).card}`),
  'card.facts_come_from_gateway': (world) =>
    world.tmf('PATCH', `TMF670 paymentMethod/${world.shared.card}`, { brand: 'mine' }),
  'card.number_never_stored': (world) =>
    world.tmf('POST', 'TMF670 paymentMethod', { '@type': 'bankCard', name: 'Mine', cardNumber: '4242424242424242' }),
  'payment_method.legal_transition': async (world) => {
    const id = await world.made('TMF670 paymentMethod', { '@type': 'cash', name: 'Cash' });
    return world.tmf('PATCH', `TMF670 paymentMethod/${id}`, { status: 'expired' });
  },
  'payment.settles_an_open_order_or_bill': (world) =>
    world.tmf('POST', 'TMF676 payment', {
      account: account(world.shared.account),
      paymentMethod: method(world.shared.card),
      totalAmount: { unit: 'SGD', value: 1 },
    }),
  'refund.names_captured_payment': async (world) =>
    refund(world, await world.line(), {
      payment: { id: 'pay_none', href: 'urn:payment:none', '@referredType': 'Payment' },
    }),
  'refund.order_is_complete': async (world) => {
    const line = await world.line();
    await world.change(`UPDATE "order_item" SET "state" = 'inProgress' WHERE "product_order_id" = $1`, [line.order]);
    const answer = await refund(world, line, {});
    await world.change(`UPDATE "order_item" SET "state" = 'completed' WHERE "product_order_id" = $1`, [line.order]);
    return answer;
  },
  'refund.amount_positive': async (world) =>
    refund(world, await world.line(), { totalAmount: { unit: 'SGD', value: 0 } }),
  'refund.currency_of_payment': async (world) =>
    refund(world, await world.line(), { totalAmount: { unit: 'EUR', value: 1 } }),
  'refund.within_captured': async (world) =>
    refund(world, await world.line(), { totalAmount: { unit: 'SGD', value: 1000 } }),
  'refund.to_card_that_paid': async (world) =>
    refund(world, await world.line(), { paymentMethod: method(world.shared.card) }),
  'bill.contents_are_fixed': (world) =>
    world.tmf('PATCH', `TMF678 customerBill/${world.shared.bill}`, { 'x-note': `changed ${Date.now()}` }),
  'customer_bill.legal_transition': async (world) =>
    world.tmf('PATCH', `TMF678 customerBill/${(await world.line()).bill}`, { state: 'partiallyPaid' }),
  'bill.statement_for_our_customer': (world) => statement(world, { billingAccount: account('acc_none') }),
  'bill.statement_of_own_account': async (world) => {
    const customer = await world.customer();
    return statement(world, {
      billingAccount: account(world.shared.account),
      relatedParty: {
        id: customer,
        href: `https://bss.example.com/tmf-api/customerManagement/v4/customer/${customer}`,
        role: 'customer',
        '@referredType': 'Customer',
      },
    });
  },
  'bill.statement_period_in_order': (world) =>
    statement(world, {
      billingAccount: account(world.shared.account),
      billingPeriod: { startDateTime: '2026-03-01T00:00:00Z', endDateTime: '2026-02-01T00:00:00Z' },
    }),
};
