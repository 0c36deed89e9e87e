import { refs } from '../core/party.ts';
import type { Tables } from '../core/table.ts';
import type { Tx } from '../core/transaction.ts';
import { logInteraction } from '../interaction/commands.ts';
import { isEndAhead } from '../subscription/end.ts';
import { lockLine } from '../subscription/line.ts';
import { finalItemStates, type Item, moveItem } from './progress.ts';

/** The order that ends a line has come to its end with it. Order and item are locked. */
export async function completeEnd(tx: Tx, item: Item, line: Tables['subscription']): Promise<void> {
  if (finalItemStates.includes(item.state)) return;
  const running = item.state === 'inProgress' ? item : await moveItem(tx, item, 'start');
  await moveItem(tx, running, 'complete', {}, { product: refs.product(line.id) });
  await logInteraction(tx, {
    customerId: line.customerId,
    channel: 'system',
    direction: 'outbound',
    reason: 'line ended',
    description: `The line ${line.msisdn} has ended`,
    about: [refs.product(line.id)],
  });
}

/** Whether an order item ended its line, or its boundary has come: then nothing of it can be called off. */
export async function isEnded(tx: Tx, item: Item): Promise<boolean> {
  if (item.action !== 'delete' || item.subscriptionId === null) return false;
  const line = await lockLine(tx, item.subscriptionId);
  return line.state === 'terminated' || (line.endItemId === item.id && !isEndAhead(line, tx.now));
}
