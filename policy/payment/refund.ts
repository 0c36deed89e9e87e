import { z } from 'zod';
import type { Refusal } from '../../kernel/error.ts';
import { isJsonObject, type Json, type JsonObject } from '../../kernel/json.ts';
import { formatMoney, fromWireMoney, type Money, toWireMoney } from '../../kernel/money.ts';
import { command, type Preview } from '../core/command.ts';
import { type StepDefinition, schedule } from '../core/flow.ts';
import { machine, must } from '../core/machine.ts';
import { refs, text } from '../core/party.ts';
import {
  type CreateInput,
  checkContract,
  checkRequired,
  createInput,
  createResource,
  documentOf,
  lockResource,
  type ResourceCommands,
  type ResourceDefinition,
  type Stored,
  saveResource,
  storedShape,
} from '../core/resource.ts';
import { rule } from '../core/rule.ts';
import { findRow, getRow } from '../core/table.ts';
import type { Tx } from '../core/transaction.ts';
import { logInteraction } from '../interaction/commands.ts';
import { expirePaidBuckets, lockLine } from '../subscription/line.ts';
import { type PaymentRow, refundResource, returnMoney } from './payment.ts';

/** TMF676. A refund is pending while the gateway is asked. One that it refuses has failed; another may be asked for. */
export const refundMachine = machine({
  name: 'refund',
  initial: ['pendingAuthorization', 'denied', 'done'],
  table: {
    pendingAuthorization: { give: 'done', fail: 'failed' },
    denied: {},
    failed: {},
    done: {},
  },
});

export interface RefundFacts {
  document: JsonObject;
  payment: PaymentRow | undefined;
  /** Undefined when the body has no amount that can be money. */
  amount: Money | undefined;
  /** Minor units that other refunds of the payment have asked for and the gateway has not answered. */
  underWayMinor: number;
  /** Items of orders that this payment pays for and that are not completed. */
  unfinishedItems: number;
}

const leftOf = (facts: RefundFacts): number =>
  (facts.payment?.amountMinor ?? 0) - (facts.payment?.refundedMinor ?? 0) - facts.underWayMinor;

function idIn(value: Json | undefined): string | undefined {
  return isJsonObject(value) ? text(value.id) : undefined;
}

export const namesCapturedPayment = rule<RefundFacts>({
  code: 'refund.names_captured_payment',
  sentence: 'A refund names a payment of ours whose money was taken and is not given back yet.',
  kept: (facts) => facts.payment?.state === 'captured',
  shown: (facts) => ({ payment: idIn(facts.document.payment) ?? null, state: facts.payment?.state ?? null }),
});

export const orderIsComplete = rule<RefundFacts>({
  code: 'refund.order_is_complete',
  sentence: 'While an order is under way it gives its own money back if it must: refund it once it is completed.',
  kept: (facts) => facts.unfinishedItems === 0,
});

export const amountPositive = rule<RefundFacts>({
  code: 'refund.amount_positive',
  sentence: 'A refund is an amount above zero that the currency can express.',
  kept: (facts) => facts.amount !== undefined && facts.amount.amountMinor > 0,
});

export const currencyOfPayment = rule<RefundFacts>({
  code: 'refund.currency_of_payment',
  sentence: 'Money is given back in the currency it was taken in.',
  kept: (facts) => facts.amount?.currency === facts.payment?.currency,
  shown: (facts) => ({ currency: facts.amount?.currency ?? null, paid: facts.payment?.currency ?? null }),
});

export const withinCaptured = rule<RefundFacts>({
  code: 'refund.within_captured',
  sentence: 'No more is given back than was taken: this refund exceeds what is left of the payment.',
  kept: (facts) => (facts.amount?.amountMinor ?? 0) <= leftOf(facts),
  shown: (facts) => ({ askedMinor: facts.amount?.amountMinor ?? null, leftMinor: leftOf(facts) }),
});

export const toCardThatPaid = rule<RefundFacts>({
  code: 'refund.to_card_that_paid',
  sentence: 'Money goes back to the card that paid: this refund names another.',
  kept: (facts) => {
    const named = idIn(facts.document.paymentMethod);
    return named === undefined || named === facts.payment?.paymentMethodId;
  },
  shown: (facts) => ({
    named: idIn(facts.document.paymentMethod) ?? null,
    paid: facts.payment?.paymentMethodId ?? null,
  }),
});

const rules = [
  namesCapturedPayment,
  orderIsComplete,
  amountPositive,
  currencyOfPayment,
  withinCaptured,
  toCardThatPaid,
];

function moneyOf(value: Json | undefined): Money | undefined {
  return isJsonObject(value) && typeof value.unit === 'string' && typeof value.value === 'number'
    ? fromWireMoney({ unit: value.unit, value: value.value })
    : undefined;
}

/** The payment's lock keeps refunds of one payment apart: each counts those that are under way. */
async function refundFacts(
  tx: Tx,
  paymentId: string | undefined,
  of: (payment: PaymentRow | undefined, underWayMinor: number) => JsonObject,
): Promise<RefundFacts> {
  const payment = paymentId === undefined ? undefined : await findRow(tx, 'payment', { id: paymentId }, true);
  const id = payment?.id ?? '';
  const [sums] = await tx.sql<{ underWay: bigint; unfinished: bigint }>`SELECT
    (SELECT coalesce(sum("amount_minor"), 0) FROM "refund" WHERE "payment_id" = ${id} AND "state" = 'pendingAuthorization')::bigint AS under_way,
    (SELECT count(*) FROM "order_item" WHERE "payment_id" = ${id} AND "state" <> 'completed') AS unfinished`;
  const underWayMinor = Number(sums?.underWay ?? 0);
  const document = of(payment, underWayMinor);
  return {
    document,
    payment,
    amount: moneyOf(document.totalAmount),
    underWayMinor,
    unfinishedItems: Number(sums?.unfinished ?? 0),
  };
}

/** A refund is its payer's, whoever asks for it. */
const ofPayer = (payment: PaymentRow | undefined): ResourceDefinition<'refund'> =>
  payment?.customerId
    ? {
        ...refundResource,
        columns: () => ({ customerId: payment.customerId }),
        customerOf: () => payment.customerId ?? undefined,
      }
    : refundResource;

function withDefaults(tx: Tx, facts: RefundFacts, status: 'pendingAuthorization' | 'denied'): JsonObject {
  const at = tx.now.toISOString();
  const { payment } = facts;
  const paid = payment ? documentOf(payment) : {};
  return {
    '@type': 'Refund',
    name: `Refund of ${text(paid.name) ?? 'a payment'}`,
    amount: facts.document.totalAmount,
    ...(payment?.customerId ? { requestor: refs.customer(payment.customerId) } : {}),
    ...facts.document,
    ...(payment ? { payment: refs.payment(payment.id) } : {}),
    refundDate: at,
    status,
    statusDate: at,
  };
}

function previewRefund(facts: RefundFacts): Preview {
  const { payment, amount } = facts;
  return {
    what: `Give ${amount ? formatMoney(amount) : 'money'} back to the card that paid.`,
    ...(payment?.customerId ? { customer: { id: payment.customerId, name: null } } : {}),
    ...(amount ? { amount } : {}),
    ...(payment?.amountMinor && payment.currency
      ? {
          details: [
            `Taken: ${formatMoney({ amountMinor: payment.amountMinor, currency: payment.currency })}; given back before: ${formatMoney({ amountMinor: payment.refundedMinor, currency: payment.currency })}.`,
          ],
        }
      : {}),
  };
}

/** The attempt is written before the gateway is asked; its key is the refund's own id. */
async function ask(tx: Tx, facts: RefundFacts): Promise<Stored> {
  const { payment, amount } = facts;
  const refund = await createResource(tx, ofPayer(payment), withDefaults(tx, facts, 'pendingAuthorization'), {
    paymentId: payment?.id ?? null,
    amountMinor: amount?.amountMinor ?? null,
    currency: amount?.currency ?? null,
  });
  await schedule(tx, { flow: 'refund', subject: refund.id, step: 'give', key: `refund:${refund.id}:give` });
  return refund;
}

/** A refund that breaks a rule is kept, `denied`, and moves nothing. */
function keepDenied(tx: Tx, facts: RefundFacts, refusal: Refusal): Promise<Stored> {
  return createResource(
    tx,
    ofPayer(facts.payment),
    { ...withDefaults(tx, facts, 'denied'), statusReason: `${refusal.code}: ${refusal.message}` },
    { paymentId: facts.payment?.id ?? null },
  );
}

const create = command<CreateInput, RefundFacts, Stored>({
  name: 'refund.create',
  summary: 'Give money back by a TMF676 body',
  input: createInput,
  audience: ['operator', 'integrator'],
  effect: 'money',
  rules,
  async facts(tx, input) {
    const document = input.document as JsonObject;
    checkRequired(refundResource, document);
    await checkContract(refundResource, document);
    return refundFacts(tx, idIn(document.payment), () => document);
  },
  preview: previewRefund,
  apply: ask,
  keepRefused: (tx, facts, _input, refusal) => keepDenied(tx, facts, refusal),
});

const refundInput = z.object({
  paymentId: z.string().describe('The payment whose money goes back'),
  amount: z
    .number()
    .positive()
    .optional()
    .describe('How much, in units of its currency; all that is left, when not given'),
  reason: z.string().min(1).max(500).optional().describe('Why, in a sentence; it is printed on the credit note'),
});

export const refundPayment = command<z.infer<typeof refundInput>, RefundFacts, Stored>({
  name: 'payment.refund',
  summary: 'Give money of a payment back to the card that paid',
  input: refundInput,
  output: storedShape(refundResource),
  audience: ['operator', 'integrator'],
  effect: 'money',
  positional: ['paymentId', 'amount'],
  examples: ['bss payment refund pay_… 5 --reason "a day without service"', 'bss payment refund pay_…'],
  rules,
  facts: (tx, input) =>
    refundFacts(tx, input.paymentId, (payment, underWayMinor) => {
      const paid = payment ? documentOf(payment) : {};
      const currency = payment?.currency ?? tx.settings.currency;
      const left = (payment?.amountMinor ?? 0) - (payment?.refundedMinor ?? 0) - underWayMinor;
      return {
        account: paid.account,
        paymentMethod: paid.paymentMethod,
        payment: refs.payment(input.paymentId),
        totalAmount:
          input.amount === undefined
            ? { ...toWireMoney({ amountMinor: left, currency }) }
            : { unit: currency, value: input.amount },
        ...(input.reason === undefined ? {} : { description: input.reason }),
      };
    }),
  preview: previewRefund,
  apply: ask,
});

export const refundCommands: ResourceCommands = { create };

/** Asks the gateway, under a key that has one effect however often it is asked, and records what it answered. */
const give: StepDefinition = {
  flow: 'refund',
  step: 'give',
  summary: 'Give money back',
  async run(context) {
    const asked = await context.during('refund.read', async (tx) => {
      const refund = await getRow(tx, 'refund', { id: context.step.subject });
      const payment = await getRow(tx, 'payment', { id: refund.paymentId ?? '' });
      return refund.state === 'pendingAuthorization' ? { refund, payment } : undefined;
    });
    if (!asked) {
      await context.finish('refund.read', async () => undefined);
      return;
    }
    const { refund, payment } = asked;
    const key = `refund:${refund.id}`;
    const answer = await context.outside.gateway.refund({
      key,
      gatewayReference: payment.gatewayReference ?? '',
      amountMinor: refund.amountMinor ?? 0,
      currency: refund.currency ?? '',
    });
    if (answer.outcome === 'refunded') {
      await context.finish('payment.record_refund', (tx) => given(tx, refund.id, key, answer.refundReference));
      return;
    }
    await context.finish('payment.record_refund_failure', (tx) =>
      close(tx, refund.id, 'fail', {}, { statusReason: `${answer.code}: ${answer.message}` }),
    );
  },
};

async function close(
  tx: Tx,
  refundId: string,
  event: 'give' | 'fail',
  columns: { factKey?: string; gatewayReference?: string },
  detail: JsonObject = {},
): Promise<void> {
  const refund = await lockResource(tx, refundResource, refundId);
  const payment = await getRow(tx, 'payment', { id: refund.row.paymentId ?? '' });
  await saveResource(
    tx,
    ofPayer(payment),
    refund,
    {
      ...refund.document,
      ...detail,
      status: must(refundMachine, text(refund.document.status) ?? null, event),
      statusDate: tx.now.toISOString(),
    },
    columns,
  );
}

/** The money went back. When all of a payment did, the quota it paid for is over; nothing is unblocked by it. */
async function given(tx: Tx, refundId: string, factKey: string, gatewayReference: string): Promise<void> {
  const refund = await getRow(tx, 'refund', { id: refundId });
  const payment = await getRow(tx, 'payment', { id: refund.paymentId ?? '' }, true);
  await close(tx, refundId, 'give', { factKey, gatewayReference });
  const reason = text(documentOf(refund).description) ?? text(documentOf(refund).name) ?? 'refund';
  const after = await returnMoney(tx, payment, { refundId, amountMinor: refund.amountMinor ?? 0, reason });
  if (after.state === 'done') await endQuota(tx, payment.id);
  if (payment.customerId) {
    await logInteraction(tx, {
      customerId: payment.customerId,
      channel: 'system',
      direction: 'outbound',
      reason: 'refund',
      description: `Money given back: ${reason}`,
      about: [refs.payment(payment.id)],
    });
  }
}

/** The quota that a payment paid for ends, once all of its money went back. */
export async function endQuota(tx: Tx, paymentId: string): Promise<void> {
  const lines = await tx.sql<{ id: string }>`SELECT DISTINCT "subscription_id" AS id FROM "bucket"
    WHERE "payment_id" = ${paymentId} AND "state" = 'active' ORDER BY 1`;
  for (const { id } of lines) await expirePaidBuckets(tx, await lockLine(tx, id), paymentId);
}

export const refundSteps: readonly StepDefinition[] = [give];
