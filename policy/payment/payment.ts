import type { Authorisation, Capture, CardGateway, GatewayOperation, Refund } from '../../adapters/card-gateway.ts';
import type { JsonObject } from '../../kernel/json.ts';
import { splitTax, toWireMoney } from '../../kernel/money.ts';
import { issueBill } from '../bill/bill.ts';
import { chargeableCard } from '../card/commands.ts';
import { machine, must } from '../core/machine.ts';
import { customerIdOf, refs } from '../core/party.ts';
import {
  createResource,
  createRow,
  documentOf,
  type ResourceDefinition,
  saveResource,
  saveRow,
} from '../core/resource.ts';
import { findRow, findRows, getRow, type Tables } from '../core/table.ts';
import type { Tx } from '../core/transaction.ts';

export const paymentMachine = machine({
  name: 'payment',
  initial: ['pendingAuthorization', 'denied'],
  table: {
    pendingAuthorization: { authorise: 'authorized', deny: 'denied', fail: 'failed', cancel: 'canceled' },
    authorized: { capture: 'captured', cancel: 'canceled', fail: 'failed', reauthorise: 'pendingAuthorization' },
    captured: { refund_all: 'done' },
    canceled: {},
    denied: {},
    failed: {},
    done: {},
  },
});
type PaymentEvent = 'authorise' | 'deny' | 'fail' | 'capture' | 'cancel' | 'reauthorise' | 'refund_all';

export const paymentResource: ResourceDefinition<'payment'> = {
  resource: 'payment',
  api: 'TMF676',
  table: 'payment',
  prefix: 'pay',
  columns: (document) => ({ customerId: customerIdOf(document) ?? null }),
  customerOf: customerIdOf,
};

export const refundResource: ResourceDefinition<'refund'> = {
  resource: 'refund',
  api: 'TMF676',
  table: 'refund',
  prefix: 'ref',
  columns: (document) => ({ customerId: customerIdOf(document) ?? null }),
  customerOf: customerIdOf,
};

export type PaymentRow = Tables['payment'];

export interface Charge {
  /** The business fact that is paid for: one capture for it, ever. It is the root of the gateway's idempotency keys. */
  factKey: string;
  purpose: 'order_item' | 'renewal';
  customerId: string;
  amountMinor: number;
  currency: string;
  taxRate: number;
  name: string;
  productOrderId?: string;
  subscriptionId?: string;
  periodNumber?: number;
}

/**
 * Writes down that a charge will be tried, before anybody is asked for money. The same fact gives the same payment.
 * Without a usable card it is denied at once and the gateway is not asked.
 */
export async function attemptPayment(tx: Tx, charge: Charge): Promise<PaymentRow> {
  const existing = await findRow(tx, 'payment', { factKey: charge.factKey }, true);
  if (existing) return existing;
  const cards = await findRows(tx, 'paymentMethod', { customerId: charge.customerId, state: 'active' });
  const card = chargeableCard(cards, tx.now);
  const account = await findRow(tx, 'billingAccount', { customerId: charge.customerId });
  const money: JsonObject = { ...toWireMoney(charge) };
  const tax = splitTax(charge, charge.taxRate);
  const item = charge.productOrderId
    ? refs.productOrder(charge.productOrderId)
    : refs.product(charge.subscriptionId ?? '');
  return createRow(
    tx,
    paymentResource,
    {
      '@type': 'Payment',
      name: charge.name,
      status: card ? 'pendingAuthorization' : 'denied',
      statusDate: tx.now.toISOString(),
      ...(card ? {} : { statusReason: 'order.requires_card_on_file' }),
      paymentDate: tx.now.toISOString(),
      correlatorId: charge.factKey,
      account: account ? refs.account(account.id) : { id: charge.customerId, name: 'Billing account' },
      amount: money,
      totalAmount: money,
      taxAmount: { ...toWireMoney({ amountMinor: tax.taxMinor, currency: charge.currency }) },
      payer: refs.customer(charge.customerId),
      paymentMethod: card ? refs.paymentMethod(card.id) : { name: 'none', '@type': 'tokenizedCard' },
      paymentItem: [{ id: '1', amount: money, totalAmount: money, item }],
    },
    {
      paymentMethodId: card?.id ?? null,
      purpose: charge.purpose,
      factKey: charge.factKey,
      amountMinor: charge.amountMinor,
      taxRate: charge.taxRate,
      currency: charge.currency,
      productOrderId: charge.productOrderId ?? null,
      subscriptionId: charge.subscriptionId ?? null,
      periodNumber: charge.periodNumber ?? null,
      failureReason: card ? null : 'order.requires_card_on_file',
    },
  );
}

async function movePayment(
  tx: Tx,
  row: PaymentRow,
  event: PaymentEvent,
  columns: Partial<PaymentRow>,
  document: JsonObject = {},
): Promise<PaymentRow> {
  const status = must(paymentMachine, row.state, event);
  const before = documentOf(row);
  return saveRow(
    tx,
    paymentResource,
    { ...row, document: before },
    { ...before, ...document, status, statusDate: tx.now.toISOString() },
    columns,
  );
}

export function lockPayment(tx: Tx, id: string): Promise<PaymentRow> {
  return getRow(tx, 'payment', { id }, true);
}

export async function recordAuthorisation(
  tx: Tx,
  paymentId: string,
  answer: Exclude<Authorisation, { outcome: 'requires_action' }>,
): Promise<PaymentRow> {
  const row = await lockPayment(tx, paymentId);
  if (row.state !== 'pendingAuthorization') return row;
  if (answer.outcome === 'authorised') {
    return movePayment(
      tx,
      row,
      'authorise',
      { gatewayReference: answer.gatewayReference, authorisedAt: tx.now },
      { authorizationCode: answer.gatewayReference },
    );
  }
  return movePayment(
    tx,
    row,
    'deny',
    { gatewayReference: answer.gatewayReference, failureReason: answer.code },
    { statusReason: `${answer.code}: ${answer.message}` },
  );
}

/** Money was taken: the payment is captured and its receipt written, together. */
export async function recordCapture(
  tx: Tx,
  paymentId: string,
  bill: { name: string; subscriptionId: string | null; period?: { from: Date; to: Date } },
): Promise<PaymentRow> {
  const row = await lockPayment(tx, paymentId);
  if (row.state !== 'authorized') return row;
  const captured = await movePayment(tx, row, 'capture', {
    capturedAt: tx.now,
    subscriptionId: bill.subscriptionId ?? row.subscriptionId,
  });
  if (row.customerId === null || row.amountMinor === null || row.currency === null)
    throw new Error(`payment ${row.id} has no payer or amount`);
  await issueBill(tx, {
    customerId: row.customerId,
    paymentId: row.id,
    paymentMethodId: row.paymentMethodId,
    amountMinor: row.amountMinor,
    currency: row.currency,
    taxRate: row.taxRate ?? 0,
    ...bill,
  });
  return captured;
}

export async function recordCaptureFailure(tx: Tx, paymentId: string, code: string, message: string): Promise<void> {
  const row = await lockPayment(tx, paymentId);
  if (row.state === 'authorized')
    await movePayment(tx, row, 'fail', { failureReason: code }, { statusReason: `${code}: ${message}` });
}

export async function recordReauthorisation(tx: Tx, paymentId: string): Promise<void> {
  const row = await lockPayment(tx, paymentId);
  if (row.state === 'authorized') await movePayment(tx, row, 'reauthorise', {});
}

export async function recordVoid(tx: Tx, paymentId: string, reason: string): Promise<void> {
  const row = await lockPayment(tx, paymentId);
  if (row.state === 'authorized' || row.state === 'pendingAuthorization')
    await movePayment(tx, row, 'cancel', { failureReason: reason }, { statusReason: reason });
}

/** The whole of what is left of a captured payment went back: refund, credit note, and the payment's own end. */
export async function recordRefund(
  tx: Tx,
  paymentId: string,
  given: { refundReference: string; amountMinor: number },
  reason: string,
): Promise<void> {
  const row = await lockPayment(tx, paymentId);
  const { customerId, amountMinor, currency } = row;
  if (row.state !== 'captured' || customerId === null || amountMinor === null || currency === null) return;
  const factKey = `${row.factKey}:refund`;
  const money: JsonObject = { ...toWireMoney({ amountMinor: given.amountMinor, currency }) };
  const document = documentOf(row);
  const refund = await createResource(
    tx,
    refundResource,
    {
      '@type': 'Refund',
      name: `Refund of ${typeof document.name === 'string' ? document.name : row.id}`,
      description: reason,
      status: 'done',
      statusDate: tx.now.toISOString(),
      refundDate: tx.now.toISOString(),
      correlatorId: factKey,
      account: document.account,
      amount: money,
      totalAmount: money,
      payment: refs.payment(row.id),
      paymentMethod: document.paymentMethod,
      requestor: refs.customer(customerId),
    },
    { paymentId: row.id, factKey, amountMinor: given.amountMinor, currency, gatewayReference: given.refundReference },
  );
  await returnMoney(tx, row, { refundId: refund.id, amountMinor: given.amountMinor, reason });
}

/**
 * Writes down that money of a captured payment went back: its sum on the payment, which ends when nothing is left, and
 * the credit note. The caller holds the payment's lock and has judged that so much is left.
 */
export async function returnMoney(
  tx: Tx,
  row: PaymentRow,
  returned: { refundId: string; amountMinor: number; reason: string },
): Promise<PaymentRow> {
  const { customerId, amountMinor, currency } = row;
  if (customerId === null || amountMinor === null || currency === null)
    throw new Error(`payment ${row.id} has no payer or amount`);
  const refundedMinor = row.refundedMinor + returned.amountMinor;
  const columns = { refundedMinor };
  const detail = { refundedAmount: { ...toWireMoney({ amountMinor: refundedMinor, currency }) } };
  const before = documentOf(row);
  if (refundedMinor === amountMinor) await movePayment(tx, row, 'refund_all', columns, detail);
  else await saveResource(tx, paymentResource, { ...row, document: before }, { ...before, ...detail }, columns);
  // Tax is split from the sums before and after, so that the credit notes of a payment add up to its receipt exactly.
  const taxRate = row.taxRate ?? 0;
  const taxUpTo = (sum: number) => splitTax({ amountMinor: sum, currency }, taxRate).taxMinor;
  await issueBill(tx, {
    customerId,
    paymentId: row.id,
    refundId: returned.refundId,
    paymentMethodId: row.paymentMethodId,
    amountMinor: -returned.amountMinor,
    taxMinor: taxUpTo(row.refundedMinor) - taxUpTo(refundedMinor),
    currency,
    taxRate,
    name: `Refund: ${returned.reason}`,
    subscriptionId: row.subscriptionId,
  });
  return getRow(tx, 'payment', { id: row.id });
}

// ---- asking the gateway, outside any transaction ----

/** An attempt is numbered: when an authorisation ran out, the next has a key of its own. */
async function answerOf<A>(
  gateway: CardGateway,
  key: string,
  isRetry: boolean,
  kind: GatewayOperation['kind'],
  gatewayReference: string | undefined,
  attempt: () => Promise<A>,
): Promise<A> {
  if (isRetry) {
    // A crash or time-out came between: ask what became of it before anything is tried.
    const found = await gateway.find(key, gatewayReference);
    if (found && found.kind === kind) return found.answer as A;
  }
  return attempt();
}

/** Without a token (the card was taken off file) only an attempt that was made before can still be answered. */
export async function askAuthorisation(
  gateway: CardGateway,
  payment: PaymentRow,
  token: string | undefined,
  round: number,
  isRetry: boolean,
): Promise<Authorisation> {
  const key = `${payment.factKey}:authorise:${round}`;
  return answerOf(gateway, key, isRetry, 'authorise', undefined, async () =>
    token === undefined
      ? { outcome: 'declined', gatewayReference: '', code: 'card_removed', message: 'The card was taken off file.' }
      : gateway.authorise({
          key,
          token,
          amountMinor: payment.amountMinor ?? 0,
          currency: payment.currency ?? '',
          reference: payment.id,
        }),
  );
}

export async function askCapture(
  gateway: CardGateway,
  payment: PaymentRow,
  round: number,
  isRetry: boolean,
): Promise<Capture> {
  const key = `${payment.factKey}:capture:${round}`;
  return answerOf(gateway, key, isRetry, 'capture', payment.gatewayReference ?? undefined, () =>
    gateway.capture({
      key,
      gatewayReference: payment.gatewayReference ?? '',
      amountMinor: payment.amountMinor ?? 0,
      currency: payment.currency ?? '',
    }),
  );
}

export async function askVoid(gateway: CardGateway, payment: PaymentRow): Promise<void> {
  if (payment.gatewayReference) {
    await gateway.void({
      key: `${payment.factKey}:void:${payment.gatewayReference}`,
      gatewayReference: payment.gatewayReference,
    });
  }
}

/** Lets go of whatever is held for a payment, also of an authorisation whose answer was never recorded. */
export async function askRelease(gateway: CardGateway, payment: PaymentRow): Promise<void> {
  if (payment.state === 'authorized') await askVoid(gateway, payment);
  if (payment.state !== 'pendingAuthorization') return;
  for (let round = 1; ; round += 1) {
    const found = await gateway.find(`${payment.factKey}:authorise:${round}`);
    if (!found) return;
    if (found.kind === 'authorise' && found.answer.outcome !== 'declined')
      await askVoid(gateway, { ...payment, gatewayReference: found.gatewayReference });
  }
}

/** The gateway's reference of the capture that was made for a payment, also one whose answer was never recorded. */
export async function capturedReference(gateway: CardGateway, payment: PaymentRow): Promise<string | undefined> {
  for (let round = 1; ; round += 1) {
    const found = await gateway.find(`${payment.factKey}:capture:${round}`, payment.gatewayReference ?? undefined);
    if (!found) return undefined;
    if (found.kind === 'capture' && found.answer.outcome === 'captured') return found.gatewayReference;
  }
}

/** What a refund of ours gave back: less than all when the card's bank, or somebody at the gateway, was there before. */
export type GivenBack =
  | { outcome: 'refunded'; refundReference: string; amountMinor: number }
  | { outcome: 'nothing_left' }
  | Extract<Refund, { outcome: 'failed' }>;

/**
 * Gives back what the gateway still holds of a captured payment, once. A key keeps its answer for ever, a refusal too, so
 * each try after a refusal has a key of its own; while the answer to one is not known, no other is tried. What the card's bank took back meanwhile is not
 * there to be given: it is recorded from the gateway's notice, when the order that waited for this has ended.
 */
export async function askRefund(gateway: CardGateway, payment: PaymentRow): Promise<GivenBack> {
  const gatewayReference = payment.gatewayReference ?? '';
  for (let round = 1; ; round += 1) {
    const key = `${payment.factKey}:refund:${round}`;
    const known = await gateway.find(key, payment.gatewayReference ?? undefined);
    const operations = known ? [] : await gateway.operations(gatewayReference);
    // A request of ours that was on its way all the time may have landed between the two looks.
    const found = known ?? operations.find((one) => one.kind === 'refund' && one.key === key);
    if (found?.kind === 'refund' && found.answer.outcome === 'failed') continue;
    if (found?.kind === 'refund' && found.answer.outcome === 'refunded') {
      return { outcome: 'refunded', refundReference: found.answer.refundReference, amountMinor: found.amountMinor };
    }
    const amountMinor = (payment.amountMinor ?? 0) - goneBack(operations);
    if (amountMinor <= 0) return { outcome: 'nothing_left' };
    const answer = await gateway.refund({ key, gatewayReference, amountMinor, currency: payment.currency ?? '' });
    return answer.outcome === 'failed' ? answer : { ...answer, amountMinor };
  }
}

/** In minor units: what of a payment went back, whoever asked for it. What a dispute that was won brought is ours again. */
function goneBack(operations: readonly GatewayOperation[]): number {
  const isGone = ({ answer }: GatewayOperation) =>
    answer.outcome === 'refunded' || (answer.outcome === 'charged_back' && answer.ended !== 'won');
  return operations.filter(isGone).reduce((sum, { amountMinor }) => sum + amountMinor, 0);
}

/** The token a payment is charged to. A card that was taken off file since then cannot be charged. */
export async function tokenOf(tx: Tx, payment: PaymentRow): Promise<string | undefined> {
  if (!payment.paymentMethodId) return undefined;
  const card = await findRow(tx, 'paymentMethod', { id: payment.paymentMethodId });
  return card?.gatewayToken ?? undefined;
}
