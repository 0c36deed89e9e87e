import { objects, refs } from '../core/party.ts';
import { findRow } from '../core/table.ts';
import type { Tx } from '../core/transaction.ts';
import { describeLine, endTerm, isEndTerm, type Line, lockLineAndChange, terminateLine } from './line.ts';

/** The boundary that a line waits for: the end of its period, or the next attempt of one that is unpaid. */
export async function nextBoundary(tx: Tx, line: Line): Promise<Date> {
  const [next] = await tx.sql<{
    at: Date | null;
  }>`SELECT min("due_at") AS at FROM "flow_step" WHERE "flow" = 'renewal' AND "subject" = ${line.id} AND "state" = 'waiting'`;
  return next?.at ?? line.periodEndsAt ?? tx.now;
}

/** Writes on a line that an order item ends it, and when. The caller holds the line's lock. */
export async function planEnd(
  tx: Tx,
  line: Line,
  by: { orderItemId: string; itemId: string; productOrderId: string; at: Date },
): Promise<Line> {
  return describeLine(
    tx,
    line,
    (document) => ({
      ...document,
      productTerm: [...objects(document.productTerm), endTerm(by.at)],
      productOrderItem: [
        ...objects(document.productOrderItem),
        {
          orderItemAction: 'delete',
          orderItemId: by.itemId,
          productOrderId: by.productOrderId,
          productOrderHref: refs.productOrder(by.productOrderId).href,
          '@referredType': 'ProductOrder',
        },
      ],
    }),
    { endItemId: by.orderItemId, endsAt: by.at },
  );
}

/** The line goes on as if its end had never been asked for. */
export async function withdrawEnd(tx: Tx, lineId: string, orderItemId: string): Promise<void> {
  const line = await findRow(tx, 'subscription', { id: lineId }, true);
  if (line?.endItemId !== orderItemId || line.state === 'terminated') return;
  await describeLine(
    tx,
    line,
    (document) => ({
      ...document,
      productTerm: objects(document.productTerm).filter((term) => !isEndTerm(term)),
      productOrderItem: objects(document.productOrderItem).filter((item) => item.orderItemAction !== 'delete'),
    }),
    { endItemId: null, endsAt: null },
  );
}

/** Whether an end is asked for and still waits. From its boundary on it is being carried out, and nothing calls it off. */
export function isEndAhead(line: Line, now: Date): boolean {
  return line.state !== 'terminated' && line.endItemId !== null && line.endsAt !== null && line.endsAt > now;
}

/** Whether the line ends at this boundary, so that nothing is charged for what would follow. */
export function endsBy(line: Line, boundary: Date): boolean {
  return line.endItemId !== null && line.endsAt !== null && line.endsAt <= boundary;
}

/** Number and profile are given back, and the order that ends the line completes, once the network has let go. */
export async function endLine(tx: Tx, lineId: string): Promise<void> {
  await terminateLine(tx, lineId, { flow: 'line', subject: lineId, confirmed: 'release', refused: 'release' });
}

/** At the boundary of a line that ends there. A line that goes on is left alone. */
export async function endAtBoundary(tx: Tx, lineId: string, boundary: Date): Promise<boolean> {
  const { line } = await lockLineAndChange(tx, lineId);
  if (!endsBy(line, boundary)) return false;
  await endLine(tx, lineId);
  return true;
}
