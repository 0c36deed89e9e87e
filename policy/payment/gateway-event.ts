import { z } from 'zod';
import type { GatewayOperation } from '../../adapters/card-gateway.ts';
import type { JsonObject } from '../../kernel/json.ts';
import { formatMoney, toWireMoney } from '../../kernel/money.ts';
import { command } from '../core/command.ts';
import { appendEvent } from '../core/event.ts';
import { type StepDefinition, schedule, TryLater } from '../core/flow.ts';
import { objects, refs, text } from '../core/party.ts';
import { createResource, documentOf } from '../core/resource.ts';
import { findRow, updateRows } from '../core/table.ts';
import type { Tx } from '../core/transaction.ts';
import { logInteraction } from '../interaction/commands.ts';
import { noteOnTicket, openTicket } from '../ticket/commands.ts';
import { type PaymentRow, refundResource, returnMoney } from './payment.ts';
import { endQuota } from './refund.ts';

const eventInput = z.object({
  id: z.string().min(1).max(255),
  type: z.string().min(1).max(255),
  gatewayReference: z.string().min(1).max(255).optional(),
});
type EventInput = z.infer<typeof eventInput>;

/** Keeps a notice of the card gateway, once, and has what it is about reconciled. Nothing in it is believed. */
export const receiveGatewayEvent = command<EventInput, null, { id: string; isNew: boolean }>({
  name: 'gateway_event.receive',
  summary: 'Take a notice from the card gateway',
  input: eventInput,
  audience: ['system'],
  effect: 'write',
  rules: [],
  facts: async () => null,
  async apply(tx, _facts, { id, type, gatewayReference }) {
    const kept =
      await tx.sql`INSERT INTO "gateway_event" ("id", "type", "gateway_reference", "received_at", "reconciled_at")
        VALUES (${id}, ${type}, ${gatewayReference ?? null}, ${tx.now}, ${gatewayReference === undefined ? tx.now : null})
        ON CONFLICT ("id") DO NOTHING RETURNING "id"`;
    if (kept.length === 0) return { id, isNew: false };
    await appendEvent(tx, {
      type: 'GatewayEventReceiveEvent',
      resourceType: 'gatewayEvent',
      resourceId: id,
      sequence: 1n,
      change: { type, gatewayReference: gatewayReference ?? null },
    });
    if (gatewayReference !== undefined) {
      await schedule(tx, { flow: 'gateway_event', subject: id, step: 'reconcile', key: `gateway_event:${id}` });
    }
    return { id, isNew: true };
  },
});

/**
 * Asks the gateway what is so for the payment that a notice named, and records what nobody here asked for: chargebacks,
 * and refunds that were given at the gateway's own pages. What a flow of ours waits to hear, that flow asks itself; it
 * is only woken. So the order and the number of notices do not matter.
 */
const reconcile: StepDefinition = {
  flow: 'gateway_event',
  step: 'reconcile',
  summary: 'Reconcile what the card gateway gave notice of',
  async run(context) {
    const eventId = context.step.subject;
    const event = await context.during('gateway_event.read', (tx) => findRow(tx, 'gatewayEvent', { id: eventId }));
    const reference = event?.gatewayReference ?? '';
    const operations = reference === '' ? [] : await context.outside.gateway.operations(reference);
    await context.during('gateway_event.wake', async (tx) => {
      const payment = await findPayment(tx, reference, operations);
      if (payment) await wakeFlows(tx, payment);
    });
    await context.finish('gateway_event.reconcile', async (tx) => {
      const payment = await findPayment(tx, reference, operations);
      if (payment) for (const operation of operations) await record(tx, payment.id, operation);
      await updateRows(tx, 'gatewayEvent', { id: eventId }, { reconciledAt: tx.now });
    });
  },
};

/** A payment is known by the gateway's reference or, before that was recorded, by ours in the gateway's book. */
async function findPayment(
  tx: Tx,
  gatewayReference: string,
  operations: readonly GatewayOperation[],
): Promise<PaymentRow | undefined> {
  const known = await findRow(tx, 'payment', { gatewayReference });
  if (known) return known;
  const [own] = operations.flatMap((one) => (one.kind === 'authorise' ? [one.reference] : []));
  return own === undefined ? undefined : findRow(tx, 'payment', { id: own });
}

/** Steps that wait out a pause run now: there may be an answer for them. */
async function wakeFlows(tx: Tx, payment: PaymentRow): Promise<void> {
  await tx.sql`UPDATE "flow_step" SET "not_before" = clock_timestamp()
    WHERE "state" = 'waiting' AND "leased_by" IS NULL AND "due_at" <= business_now() AND (
      "subject" IN (SELECT "id" FROM "order_item" WHERE "payment_id" = ${payment.id})
      OR "subject" IN (SELECT "id" FROM "refund" WHERE "payment_id" = ${payment.id})
      OR ("flow" = 'renewal' AND "subject" = ${payment.subscriptionId}))`;
}

/** A refund of ours carries the id of its row, or the fact of its payment. */
function isAskedByUs(payment: PaymentRow, key: string): boolean {
  return key.startsWith('refund:ref_') || key.startsWith(`${payment.factKey}:refund:`);
}

async function record(tx: Tx, paymentId: string, operation: GatewayOperation): Promise<void> {
  const payment = await findRow(tx, 'payment', { id: paymentId }, true);
  if (!payment) return;
  if (operation.kind === 'chargeback') await recordChargeback(tx, payment, operation);
  else if (
    operation.kind === 'refund' &&
    operation.answer.outcome === 'refunded' &&
    !isAskedByUs(payment, operation.key)
  ) {
    if (await findRow(tx, 'refund', { factKey: `gateway:${operation.key}` })) return;
    await takeBack(tx, payment, operation, 'given at the card gateway');
  }
}

type Returned = Extract<GatewayOperation, { kind: 'refund' | 'chargeback' }>;

/**
 * A chargeback is a refund that the gateway starts: once, never more than is left, and with a case for people. How its
 * dispute ended is written on the case and changes nothing: what a won dispute brought is settled with the customer.
 */
async function recordChargeback(
  tx: Tx,
  payment: PaymentRow,
  operation: Extract<GatewayOperation, { kind: 'chargeback' }>,
): Promise<void> {
  const { key, answer } = operation;
  const found = await tx.sql<{ id: string; document: JsonObject }>`SELECT "id", "document" FROM "trouble_ticket"
    WHERE "document" @> ${JSON.stringify({ relatedEntity: [{ id: key }] })}::jsonb ORDER BY "id" LIMIT 1`;
  const opened = found[0];
  const caseId = opened?.id ?? (await openCase(tx, payment, operation));
  if (answer.ended === undefined) return;
  const words =
    answer.ended === 'won'
      ? `The dispute ${key} was won: the gateway gives the money back to us. The refund to the customer stands.`
      : `The dispute ${key} was lost.`;
  if (!objects(opened?.document.note).some((note) => note.text === words)) await noteOnTicket(tx, caseId, words);
}

async function openCase(
  tx: Tx,
  payment: PaymentRow,
  operation: Extract<GatewayOperation, { kind: 'chargeback' }>,
): Promise<string> {
  const { key, answer, amountMinor } = operation;
  const takenMinor = await takeBack(tx, payment, operation, `charged back by the card's bank (${answer.code})`);
  const currency = payment.currency ?? operation.currency;
  const money = (minor: number) => formatMoney({ amountMinor: minor, currency });
  const beyond =
    takenMinor < amountMinor ? ` Of this only ${money(takenMinor)} was left of the payment; the rest is our loss.` : '';
  const made = await openTicket(tx, {
    ...(payment.customerId === null ? {} : { customerId: payment.customerId }),
    name: 'Chargeback',
    description: `The card's bank took back ${money(amountMinor)} of payment ${payment.id}: ${answer.message}${beyond}`,
    severity: 'major',
    ticketType: 'case',
    relatedEntity: [refs.payment(payment.id), refs.chargeback(key)],
  });
  return made.id;
}

/** Records money that went back without us: refund, credit note, and the end of what it paid for. @returns how much. */
async function takeBack(tx: Tx, payment: PaymentRow, operation: Returned, reason: string): Promise<number> {
  const { customerId, currency } = payment;
  if (payment.state === 'done') return 0;
  if (payment.state !== 'captured' || customerId === null || currency === null) {
    throw new TryLater(`payment ${payment.id} is ${payment.state}: what was taken is not recorded yet`);
  }
  const [open] = await tx.sql<{ unfinished: bigint; underWay: bigint }>`SELECT
    (SELECT count(*) FROM "order_item" WHERE "payment_id" = ${payment.id} AND "state" NOT IN ('completed', 'failed', 'cancelled', 'rejected')) AS unfinished,
    (SELECT coalesce(sum("amount_minor"), 0) FROM "refund" WHERE "payment_id" = ${payment.id} AND "state" = 'pendingAuthorization')::bigint AS under_way`;
  // An order under way grants or gives back by itself; what comes after it is judged by what it left.
  if (Number(open?.unfinished ?? 0) > 0) throw new TryLater(`the order of payment ${payment.id} is under way`);
  const underWay = Number(open?.underWay ?? 0);
  const left = (payment.amountMinor ?? 0) - payment.refundedMinor - underWay;
  // One of the two comes too late for the whole of the money, and the gateway is about to say which.
  if (underWay > 0 && operation.amountMinor > left) {
    throw new TryLater(`a refund of payment ${payment.id} is not answered yet`);
  }
  const takenMinor = Math.min(operation.amountMinor, left);
  if (takenMinor <= 0) return 0;
  const money: JsonObject = { ...toWireMoney({ amountMinor: takenMinor, currency }) };
  const paid = documentOf(payment);
  const refund = await createResource(
    tx,
    refundResource,
    {
      '@type': 'Refund',
      name: `Refund of ${text(paid.name) ?? payment.id}`,
      description: reason,
      status: 'done',
      statusDate: tx.now.toISOString(),
      refundDate: tx.now.toISOString(),
      correlatorId: operation.key,
      account: paid.account,
      amount: money,
      totalAmount: money,
      payment: refs.payment(payment.id),
      paymentMethod: paid.paymentMethod,
      requestor: refs.customer(customerId),
    },
    {
      paymentId: payment.id,
      factKey: `gateway:${operation.key}`,
      amountMinor: takenMinor,
      currency,
      gatewayReference: operation.key,
    },
  );
  const after = await returnMoney(tx, payment, { refundId: refund.id, amountMinor: takenMinor, reason });
  if (after.state === 'done') await endQuota(tx, payment.id);
  await logInteraction(tx, {
    customerId,
    channel: 'system',
    direction: 'inbound',
    reason: operation.kind,
    description: `Money went back: ${reason}`,
    about: [refs.payment(payment.id)],
  });
  return takenMinor;
}

export const gatewayEventSteps: readonly StepDefinition[] = [reconcile];
