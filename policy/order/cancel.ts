import { z } from 'zod';
import type { Refusal } from '../../kernel/error.ts';
import { isJsonObject, type JsonObject } from '../../kernel/json.ts';
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
import { firstBroken, type Rule, rule } from '../core/rule.ts';
import { findRow, findRows, type Tables, updateRows } from '../core/table.ts';
import type { Tx } from '../core/transaction.ts';
import { logInteraction } from '../interaction/commands.ts';
import { withdrawEnd } from '../subscription/end.ts';
import {
  dropPlanChange,
  isPeriodCharged,
  lockLine,
  planChangeOf,
  terminateLine,
  termsOf,
} from '../subscription/line.ts';
import { endServiceOrder } from '../subscription/provision.ts';
import { isEnded } from './completion.ts';
import { finalItemStates, type Item, moveItem, refusalNote } from './progress.ts';
import { productOrderResource } from './resource.ts';

/** TMF622. The task that cancels an order: in progress while held money and reserved stock are on their way back. */
export const cancelProductOrderMachine = machine({
  name: 'cancelProductOrder',
  initial: ['acknowledged'],
  table: {
    acknowledged: { begin: 'inProgress', refuse: 'terminatedWithError' },
    inProgress: { finish: 'done' },
    done: {},
    terminatedWithError: {},
  },
});

const orderIdOf = (document: JsonObject): string | undefined =>
  isJsonObject(document.productOrder) ? text(document.productOrder.id) : undefined;

export const cancelProductOrderResource: ResourceDefinition<'cancelProductOrder'> = {
  resource: 'cancelProductOrder',
  api: 'TMF622',
  table: 'cancelProductOrder',
  prefix: 'can',
  machine: cancelProductOrderMachine,
  clientEvents: [],
  columns: (document) => ({ productOrderId: orderIdOf(document) ?? null }),
};

export interface CancelFacts {
  document: JsonObject;
  order: Tables['productOrder'] | undefined;
  items: readonly Item[];
  /** Items whose money was taken, or is being taken, and changes of plan that began or are being paid for. */
  begun: readonly string[];
  /** Items whose line has ended. */
  ended: readonly string[];
  /**
   * Steps of open items that no worker has claimed yet. They are locked, so none will before we commit. What waits for an
   * item that has ended gives something back, and is left to do so.
   */
  unclaimed: readonly string[];
}

const isOpen = (item: Item) => !finalItemStates.includes(item.state);

export const cancelKnown = rule<CancelFacts>({
  code: 'order.cancel_names_our_order',
  sentence: 'A cancellation names one of our product orders.',
  kept: (facts) => facts.order !== undefined,
  shown: (facts) => ({ order: orderIdOf(facts.document) ?? null }),
});

export const cancelBeforeActivation = rule<CancelFacts>({
  code: 'order.cancel_before_activation',
  sentence: 'An order can be cancelled until its activation begins, which is when its money is taken.',
  status: 409,
  kept: (facts) => facts.begun.length === 0,
  shown: (facts) => ({ items: facts.begun }),
});

export const cancelOpenOrder = rule<CancelFacts>({
  code: 'order.cancel_needs_open_order',
  sentence: 'This order has come to its end: there is nothing left of it to cancel.',
  status: 409,
  kept: (facts) => facts.items.some(isOpen),
  shown: (facts) => ({ state: facts.order?.state ?? null }),
});

export const cancelBeforeLineEnded = rule<CancelFacts>({
  code: 'order.cancel_before_line_ended',
  sentence: 'The line has ended: that cannot be called off any more.',
  status: 409,
  kept: (facts) => facts.ended.length === 0,
  shown: (facts) => ({ items: facts.ended }),
});

const rules: readonly Rule<CancelFacts>[] = [
  cancelKnown,
  cancelBeforeActivation,
  cancelOpenOrder,
  cancelBeforeLineEnded,
];

/**
 * Locks the order, as every step of it does first, and reads how far it is. The capture is made outside of any
 * transaction, so what counts is whether a worker has claimed its step: `attempts` goes up when it does and never down.
 */
async function cancelFacts(tx: Tx, document: JsonObject): Promise<CancelFacts> {
  const orderId = orderIdOf(document);
  const order = orderId === undefined ? undefined : await findRow(tx, 'productOrder', { id: orderId }, true);
  const items = order ? await findRows(tx, 'orderItem', { productOrderId: order.id }, true) : [];
  const subjects = items.map((item) => item.id);
  const open = items.filter(isOpen).map((item) => item.id);
  const unclaimed = await tx.sql<{ id: string }>`SELECT "id" FROM "flow_step"
    WHERE "flow" = 'order' AND "subject" = ANY(${open}) AND "state" = 'waiting' AND "attempts" = 0 FOR UPDATE`;
  const capturing = await tx.sql<{ subject: string }>`SELECT "subject" FROM "flow_step"
    WHERE "flow" = 'order' AND "step" = 'capture' AND "subject" = ANY(${subjects}) AND "state" = 'waiting' AND "attempts" > 0`;
  const captured = await tx.sql<{
    id: string;
  }>`SELECT i."id" FROM "order_item" i JOIN "payment" p ON p."id" = i."payment_id"
    WHERE i."id" = ANY(${subjects}) AND i."state" <> 'failed' AND p."state" IN ('captured', 'done')`;
  const ended: string[] = [];
  for (const item of items) if (await isEnded(tx, item)) ended.push(item.itemId);
  const changing = await findBegunChanges(tx, items);
  const begun = new Set([...capturing.map((step) => step.subject), ...captured.map((item) => item.id), ...changing]);
  return {
    document,
    order,
    items,
    begun: items.filter((item) => begun.has(item.id)).map((item) => item.itemId),
    ended,
    unclaimed: unclaimed.map((step) => step.id),
  };
}

/** Changes of plan that took effect, or whose first period is being paid for. Their lines are locked, as that is. */
async function findBegunChanges(tx: Tx, items: readonly Item[]): Promise<string[]> {
  const begun: string[] = [];
  for (const item of items.filter((one) => one.action === 'modify' && one.subscriptionId !== null)) {
    const line = await lockLine(tx, item.subscriptionId ?? '');
    const isWaiting = planChangeOf(line)?.orderItemId === item.id;
    if (item.state === 'completed' || (isWaiting && (await isPeriodCharged(tx, line.id)))) begun.push(item.id);
  }
  return begun;
}

function moved(task: JsonObject, event: 'begin' | 'refuse' | 'finish', more: JsonObject = {}): JsonObject {
  return { ...task, ...more, state: must(cancelProductOrderMachine, text(task.state) ?? null, event) };
}

/** Calls the order off, and gives back what was held and reserved for it; the task ends when all of it is back. */
async function cancelOrder(tx: Tx, facts: CancelFacts, task: Stored): Promise<Stored> {
  const begun = await saveResource(tx, cancelProductOrderResource, task, moved(task.document, 'begin'));
  await tx.sql`UPDATE "flow_step" SET "state" = 'cancelled', "finished_at" = clock_timestamp() WHERE "id" = ANY(${[...facts.unclaimed]})`;
  const reason = text(task.document.cancellationReason);
  for (const item of facts.items.filter(isOpen)) await cancelItem(tx, item, reason ?? 'cancelled');
  if (!facts.order) return begun;
  const order = await lockResource(tx, productOrderResource, facts.order.id);
  await saveResource(tx, productOrderResource, order, {
    ...order.document,
    cancellationDate: tx.now.toISOString(),
    ...(reason === undefined ? {} : { cancellationReason: reason }),
  });
  if (facts.order.customerId) {
    await logInteraction(tx, {
      customerId: facts.order.customerId,
      direction: 'inbound',
      reason: 'order cancelled',
      description: `Order ${facts.order.id} cancelled${reason === undefined ? '' : `: ${reason}`}`,
      about: [refs.productOrder(facts.order.id)],
    });
  }
  await endCancellation(tx, facts.order.id);
  const { id, document, version } = await lockResource(tx, cancelProductOrderResource, task.id);
  return { id, document, version };
}

async function cancelItem(tx: Tx, item: Item, reason: string): Promise<void> {
  const cancelled = await moveItem(tx, item, 'cancel', {}, { note: refusalNote(tx, 'order.cancelled', reason) });
  await endServiceOrder(tx, item.serviceOrderId, 'cancelled', reason);
  if (item.subscriptionId && item.action === 'modify') {
    const line = await lockLine(tx, item.subscriptionId);
    if (planChangeOf(line)?.orderItemId === item.id) await dropPlanChange(tx, line);
  }
  if (item.action === 'delete' && item.subscriptionId) await withdrawEnd(tx, item.subscriptionId, item.id);
  if (item.subscriptionId && item.action === 'add' && termsOf(item).kind === 'plan') {
    await updateRows(tx, 'subscription', { id: item.subscriptionId }, { enabling: false });
    // Number and eSIM go back once the network has let go of them.
    await terminateLine(tx, item.subscriptionId, {
      flow: 'order',
      subject: item.id,
      confirmed: 'release',
      refused: 'release',
    });
  }
  // The card may be being asked at this instant: then the step that asks gives back what it gets. Work that waits out a
  // pause is not kept waiting.
  await tx.sql`UPDATE "flow_step" SET "not_before" = clock_timestamp() WHERE "id" IN (SELECT "id" FROM "flow_step"
    WHERE "flow" = 'order' AND "subject" = ${item.id} AND "state" = 'waiting' AND "leased_by" IS NULL FOR UPDATE SKIP LOCKED)`;
  const [asking] = await tx.sql`SELECT "id" FROM "flow_step"
    WHERE "flow" = 'order' AND "step" = 'authorise' AND "subject" = ${item.id} AND "state" = 'waiting'`;
  if (!asking) await letMoneyGo(tx, cancelled);
}

async function letMoneyGo(tx: Tx, item: Item): Promise<void> {
  const payment = item.paymentId === null ? undefined : await findRow(tx, 'payment', { id: item.paymentId }, true);
  if (payment?.state !== 'authorized' && payment?.state !== 'pendingAuthorization') return;
  await schedule(tx, {
    flow: 'order',
    subject: item.id,
    step: 'void',
    key: `order:${item.id}:void:cancelled`,
    input: { reason: 'the order was cancelled' },
  });
}

/** What a step does that finds its item cancelled: nothing but to give back what it may have held. */
export async function afterCancel(tx: Tx, item: Item): Promise<void> {
  await letMoneyGo(tx, item);
  await endCancellation(tx, item.productOrderId);
}

/** Ends the task that cancelled an order, once no money is held and nothing is reserved for it any more. */
export async function endCancellation(tx: Tx, productOrderId: string): Promise<void> {
  const tasks = await findRows(tx, 'cancelProductOrder', { productOrderId, state: 'inProgress' }, true);
  if (tasks.length === 0) return;
  const open = await tx.sql`SELECT i."id" FROM "order_item" i WHERE i."product_order_id" = ${productOrderId} AND (
      EXISTS (SELECT 1 FROM "flow_step" f WHERE f."flow" = 'order' AND f."subject" = i."id" AND f."state" = 'waiting')
      OR EXISTS (SELECT 1 FROM "payment" p WHERE p."id" = i."payment_id" AND p."state" IN ('pendingAuthorization', 'authorized'))
      OR EXISTS (SELECT 1 FROM "phone_number" n WHERE n."msisdn" = i."msisdn" AND n."held_for" = i."id")
      OR EXISTS (SELECT 1 FROM "esim_profile" e WHERE e."id" = i."esim_id" AND e."held_for" = i."id"))`;
  if (open.length > 0) return;
  for (const row of tasks) {
    const task = { ...row, document: documentOf(row) };
    const done = moved(task.document, 'finish', { effectiveCancellationDate: tx.now.toISOString() });
    await saveResource(tx, cancelProductOrderResource, task, done);
  }
}

async function refuse(tx: Tx, task: Stored, refusal: Refusal): Promise<Stored> {
  const statusReason = `${refusal.code}: ${refusal.message}`;
  return saveResource(tx, cancelProductOrderResource, task, moved(task.document, 'refuse', { statusReason }));
}

async function taskFor(tx: Tx, document: JsonObject): Promise<Stored> {
  return createResource(tx, cancelProductOrderResource, document);
}

async function apply(tx: Tx, facts: CancelFacts): Promise<Stored> {
  const task = await taskFor(tx, facts.document);
  const wished = text(facts.document.requestedCancellationDate);
  const dueAt = wished === undefined ? undefined : new Date(wished);
  if (dueAt === undefined || dueAt.getTime() <= tx.now.getTime()) return cancelOrder(tx, facts, task);
  await schedule(tx, {
    flow: 'cancel_product_order',
    subject: task.id,
    step: 'cancel',
    key: `cancel:${task.id}`,
    dueAt,
  });
  return task;
}

function previewCancel(facts: CancelFacts): Preview {
  const customerId = facts.order?.customerId;
  return {
    what: `Cancel order ${facts.order?.id ?? ''}: what is held for it is given back.`,
    ...(customerId ? { customer: { id: customerId, name: null } } : {}),
  };
}

const create = command<CreateInput, CancelFacts, Stored>({
  name: 'cancel_product_order.create',
  summary: 'Cancel a product order by a TMF622 body',
  input: createInput,
  audience: ['operator', 'integrator'],
  effect: 'destructive',
  rules,
  async facts(tx, input) {
    const given = input.document as JsonObject;
    const document: JsonObject = { '@type': 'CancelProductOrder', ...given, state: 'acknowledged' };
    checkRequired(cancelProductOrderResource, document);
    await checkContract(cancelProductOrderResource, document);
    return cancelFacts(tx, document);
  },
  preview: previewCancel,
  apply,
  keepRefused: async (tx, facts, _input, refusal) => refuse(tx, await taskFor(tx, facts.document), refusal),
});

const cancelInput = z.object({
  orderId: z.string().describe('The product order'),
  reason: z.string().min(1).max(500).optional().describe('Why, in a sentence'),
});

export const cancelOrderCommand = command<z.infer<typeof cancelInput>, CancelFacts, Stored>({
  name: 'order.cancel',
  summary: 'Cancel an order before its activation begins',
  input: cancelInput,
  output: storedShape(cancelProductOrderResource),
  audience: ['operator', 'integrator'],
  effect: 'destructive',
  positional: ['orderId'],
  examples: ['bss order cancel ord_…'],
  rules,
  facts: (tx, input) =>
    cancelFacts(tx, {
      '@type': 'CancelProductOrder',
      productOrder: refs.productOrder(input.orderId),
      ...(input.reason === undefined ? {} : { cancellationReason: input.reason }),
      state: 'acknowledged',
    }),
  preview: previewCancel,
  apply,
});

export const cancelProductOrderCommands: ResourceCommands = { create };

/** Carries a cancellation out on the day it asks for, if the order may still be cancelled by then. */
export const cancelProductOrderStep: StepDefinition = {
  flow: 'cancel_product_order',
  step: 'cancel',
  summary: 'Cancel an order on the day that was asked for',
  run: (context) =>
    context.finish('cancel_product_order.carry_out', async (tx) => {
      // The order is locked before the task, as the steps that end a cancellation do.
      const found = await findRow(tx, 'cancelProductOrder', { id: context.step.subject });
      if (!found) return;
      const facts = await cancelFacts(tx, documentOf(found));
      const task = await lockResource(tx, cancelProductOrderResource, found.id);
      if (task.document.state !== 'acknowledged') return;
      const refusal = firstBroken(rules, facts, tx);
      if (refusal) await refuse(tx, task, refusal);
      else await cancelOrder(tx, facts, task);
    }),
};
