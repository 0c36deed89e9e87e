import type { JsonObject } from '../../kernel/json.ts';
import { command } from '../core/command.ts';
import { appendEvent } from '../core/event.ts';
import { type StepDefinition, schedule } from '../core/flow.ts';
import { next } from '../core/machine.ts';
import { customerIdOf, objects, text } from '../core/party.ts';
import {
  type CreateInput,
  checkContract,
  checkRequired,
  createInput,
  createResource,
  lockResource,
  type ResourceCommands,
  type ResourceFacts,
  resourceCommands,
  type Stored,
  saveResource,
} from '../core/resource.ts';
import { findRow } from '../core/table.ts';
import type { Tx } from '../core/transaction.ts';
import { serviceOrderMachine } from './machine.ts';
import { cancelledOrderId, cancelServiceOrderResource, serviceOrderResource } from './resource.ts';
import { itemLegalTransition, madeByClient, type ServiceOrderFacts } from './rules.ts';

/** Rewrites each item, at every depth; an order that has none keeps having none. */
function eachItem(document: JsonObject, change: (item: JsonObject) => JsonObject): JsonObject {
  if (document.serviceOrderItem === undefined) return document;
  return {
    ...document,
    serviceOrderItem: objects(document.serviceOrderItem).map((item) => change(eachItem(item, change))),
  };
}

/** The states that nothing leads out of. */
const endedStates: ReadonlySet<unknown> = new Set(
  Object.entries(serviceOrderMachine.table)
    .filter(([, row]) => Object.keys(row).length === 0)
    .map(([state]) => state),
);

/** Writes when an order began and ended. Items that are still open end as their order does. */
function touched(document: JsonObject, before: JsonObject, tx: Pick<Tx, 'now'>): JsonObject {
  const at = tx.now.toISOString();
  const { state } = document;
  if (state === before.state) return document;
  if (state === 'inProgress') return { ...document, startDate: document.startDate ?? at };
  if (!endedStates.has(state)) return document;
  const ended: JsonObject = { ...document, completionDate: document.completionDate ?? at };
  // What a partial order came to is for its items to say.
  return state === 'partial'
    ? ended
    : eachItem(ended, (item) => (endedStates.has(item.state) ? item : { ...item, state }));
}

async function announce(tx: Tx, stored: Stored, before: JsonObject): Promise<Stored> {
  if (stored.document.state === 'pending' && before.state !== 'pending') {
    await appendEvent(tx, {
      type: 'ServiceOrderInformationRequiredEvent',
      resourceType: serviceOrderResource.resource,
      resourceId: stored.id,
      sequence: stored.version,
      resource: stored.document,
      customerId: customerIdOf(stored.document),
    });
  }
  return stored;
}

export const serviceOrderCommands: ResourceCommands = resourceCommands(serviceOrderResource, {
  defaults: (document, tx) =>
    eachItem(
      { '@type': 'ServiceOrder', ...document, state: 'acknowledged', orderDate: tx.now.toISOString() },
      (item) => ({ ...item, state: 'acknowledged' }),
    ),
  touch: touched,
  patchRules: [madeByClient, itemLegalTransition],
  removeRules: [madeByClient],
  async extraFacts(tx, document, before): Promise<Pick<ServiceOrderFacts, 'productOrderId'>> {
    const id = before === undefined ? undefined : text(document.id);
    const row = id === undefined ? undefined : await findRow(tx, 'serviceOrder', { id });
    return { productOrderId: row?.productOrderId ?? undefined };
  },
  afterPatch: announce,
});

/** Ends a cancellation: the order is cancelled, or the task says why it cannot be. Both rows are locked. */
async function cancel(tx: Tx, task: Stored): Promise<Stored> {
  const at = tx.now.toISOString();
  const orderId = cancelledOrderId(task.document);
  const exists = orderId !== undefined && (await findRow(tx, 'serviceOrder', { id: orderId }, true)) !== undefined;
  const order = exists ? await lockResource(tx, serviceOrderResource, orderId) : undefined;
  const state = text(order?.document.state) ?? '';
  const cancelled = order ? next(serviceOrderMachine, state, 'cancel') : undefined;
  if (!order || cancelled === undefined) {
    const reason = order ? `the order is ${state}` : 'there is no such order';
    return saveResource(tx, cancelServiceOrderResource, task, {
      ...task.document,
      state: 'terminatedWithError',
      completionMessage: `Not cancelled: ${reason}.`,
      errorMessage: {
        code: order ? '409' : '404',
        reason: 'service_order.cancellable',
        message: `Not cancelled: ${reason}.`,
      },
    });
  }
  const cancellationReason = text(task.document.cancellationReason);
  const document: JsonObject = {
    ...order.document,
    state: cancelled,
    cancellationDate: at,
    ...(cancellationReason === undefined ? {} : { cancellationReason }),
  };
  await saveResource(tx, serviceOrderResource, order, touched(document, order.document, tx));
  return saveResource(tx, cancelServiceOrderResource, task, {
    ...task.document,
    state: 'done',
    effectiveCancellationDate: at,
    completionMessage: 'The order is cancelled.',
  });
}

interface CancelFacts extends ResourceFacts {
  productOrderId: string | undefined;
}

export const cancelServiceOrder = command<CreateInput, CancelFacts, Stored>({
  name: 'cancel_service_order.create',
  summary: 'Cancel a service order',
  input: createInput,
  audience: ['operator', 'integrator'],
  effect: 'destructive',
  rules: [madeByClient],
  async facts(tx, input) {
    const given = input.document as JsonObject;
    const document: JsonObject = { '@type': 'CancelServiceOrder', ...given, state: 'accepted' };
    checkRequired(cancelServiceOrderResource, document);
    await checkContract(cancelServiceOrderResource, document);
    const orderId = cancelledOrderId(document);
    const row = orderId === undefined ? undefined : await findRow(tx, 'serviceOrder', { id: orderId }, true);
    return { id: '', document, version: 0n, before: undefined, productOrderId: row?.productOrderId ?? undefined };
  },
  preview: ({ document }) => ({
    what: `Cancel the service order ${cancelledOrderId(document) ?? ''}.`,
    details: [
      ...(text(document.requestedCancellationDate) ? [`Not before ${text(document.requestedCancellationDate)}.`] : []),
      'What it waited for is not begun.',
    ],
  }),
  async apply(tx, facts) {
    const task = await createResource(tx, cancelServiceOrderResource, facts.document);
    const requested = text(facts.document.requestedCancellationDate);
    const dueAt = requested === undefined ? undefined : new Date(requested);
    if (dueAt === undefined || dueAt.getTime() <= tx.now.getTime()) return cancel(tx, task);
    await schedule(tx, {
      flow: 'cancel_service_order',
      subject: task.id,
      step: 'cancel',
      key: `cancel:${task.id}`,
      dueAt,
    });
    return task;
  },
});

export const cancelServiceOrderCommands: ResourceCommands = { create: cancelServiceOrder };

/** Carries a cancellation out on the day it asks for. */
export const cancelServiceOrderStep: StepDefinition = {
  flow: 'cancel_service_order',
  step: 'cancel',
  summary: 'Cancel a service order on the day that was asked for',
  run: (context) =>
    context.finish('cancel_service_order.carry_out', async (tx) => {
      const task = await lockResource(tx, cancelServiceOrderResource, context.step.subject);
      if (task.document.state === 'accepted') await cancel(tx, task);
    }),
};
