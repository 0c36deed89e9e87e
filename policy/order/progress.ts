import { isJsonObject, type JsonObject } from '../../kernel/json.ts';
import { appendEvent } from '../core/event.ts';
import { must, next } from '../core/machine.ts';
import { objects, text } from '../core/party.ts';
import { lockResource, saveResource } from '../core/resource.ts';
import { findRows, getRow, type Tables, updateRows } from '../core/table.ts';
import type { Tx } from '../core/transaction.ts';
import {
  type ItemEvent,
  type OrderEvent,
  orderItemMachine,
  productOrderMachine,
  productOrderResource,
} from './resource.ts';

export type Item = Tables['orderItem'];

/** Locks the order before its item: every step takes them in that order, so no two steps wait for each other. */
export async function lockItem(tx: Tx, itemId: string): Promise<Item> {
  const row = await getRow(tx, 'orderItem', { id: itemId });
  await getRow(tx, 'productOrder', { id: row.productOrderId }, true);
  return getRow(tx, 'orderItem', { id: itemId }, true);
}

export function refusalNote(tx: Tx, code: string, sentence: string): JsonObject {
  return { id: code, author: 'Airtime', date: tx.now.toISOString(), text: `${code}: ${sentence}` };
}

export const finalItemStates = ['completed', 'failed', 'cancelled', 'rejected'];

/** Moves one item and, with it, the order: what the order is follows from what its items are. */
export async function moveItem(
  tx: Tx,
  item: Item,
  event: ItemEvent,
  columns: Partial<Item> = {},
  detail: { note?: JsonObject; product?: JsonObject; payment?: JsonObject } = {},
): Promise<Item> {
  const state = must(orderItemMachine, item.state, event);
  const [moved] = await updateRows(tx, 'orderItem', { id: item.id }, { ...columns, state });
  if (!moved) throw new Error(`order item ${item.id} is gone`);
  const order = await lockResource(tx, productOrderResource, item.productOrderId);
  const states = (await findRows(tx, 'orderItem', { productOrderId: item.productOrderId })).map((one) => one.state);
  const orderState = orderStateOf(order.row.state ?? 'acknowledged', states);
  const isFinal = finalItemStates.includes(orderState) || orderState === 'partial';
  const saved = await saveResource(tx, productOrderResource, order, {
    ...order.document,
    state: orderState,
    ...(isFinal ? { completionDate: tx.now.toISOString() } : {}),
    ...(detail.note ? { note: [...objects(order.document.note), detail.note] } : {}),
    ...(detail.payment && !objects(order.document.payment).some((one) => one.id === detail.payment?.id)
      ? { payment: [...objects(order.document.payment), detail.payment] }
      : {}),
    productOrderItem: objects(order.document.productOrderItem).map((one) =>
      text(one.id) === item.itemId
        ? {
            ...one,
            state,
            ...(detail.product
              ? { product: { ...(isJsonObject(one.product) ? one.product : {}), ...detail.product } }
              : {}),
            ...(detail.payment ? { payment: [detail.payment] } : {}),
          }
        : one,
    ),
  });
  if (orderState === 'held' && order.row.state !== 'held') {
    await appendEvent(tx, {
      type: 'ProductOrderInformationRequiredEvent',
      resourceType: productOrderResource.resource,
      resourceId: saved.id,
      sequence: saved.version,
      resource: saved.document,
      customerId: item.customerId,
    });
  }
  return moved;
}

/** What an order is, from what it was and what its items are now. */
export function orderStateOf(current: string, items: readonly string[]): string {
  const to = (event: OrderEvent) => next(productOrderMachine, current, event) ?? current;
  const all = (state: string) => items.every((one) => one === state);
  if (items.every((one) => finalItemStates.includes(one))) {
    if (all('completed')) return to('complete');
    if (all('failed')) return to('fail');
    if (all('cancelled')) return to('cancel');
    // Nothing was delivered and the customer called it off: what failed before that does not make it partly done.
    if (items.includes('cancelled') && !items.includes('completed')) return to('cancel');
    return to('part');
  }
  if (items.some((one) => one === 'held')) return current === 'held' ? current : to('hold');
  if (items.some((one) => one === 'inProgress')) return current === 'inProgress' ? current : to('start');
  if (items.some((one) => one === 'pending')) return current === 'pending' ? current : to('wait');
  return current;
}
