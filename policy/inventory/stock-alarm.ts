import { appendEvent } from '../core/event.ts';
import type { Tx } from '../core/transaction.ts';

export type Stock = 'number' | 'esim';

/** How many are free, counted no further than the alarm needs to know. */
async function freeUpTo(tx: Tx, stock: Stock, most: number): Promise<number> {
  const [row] = await (stock === 'number'
    ? tx.sql<{
        free: bigint;
      }>`SELECT count(*) AS free FROM (SELECT 1 FROM "phone_number" WHERE "state" = 'available' LIMIT ${most}) s`
    : tx.sql<{
        free: bigint;
      }>`SELECT count(*) AS free FROM (SELECT 1 FROM "esim_profile" WHERE "state" = 'available' LIMIT ${most}) s`);
  return Number(row?.free ?? 0);
}

/**
 * Tells once when a stock falls below the setting `stockLow`, and once when it is filled up again. Called after what
 * takes from a stock or adds to it. Two that take at the same instant may each miss what the other took; then the next
 * one tells.
 */
export async function watchStock(tx: Tx, stock: Stock): Promise<void> {
  const threshold = tx.settings.stockLow;
  const free = await freeUpTo(tx, stock, threshold);
  const isLow = free < threshold;
  // The condition is on the row itself: of two that cross together, the second waits for the first and finds it told.
  const crossed = isLow
    ? await tx.sql<{
        at: Date;
      }>`UPDATE "stock_alarm" SET "raised_at" = ${tx.now} WHERE "stock" = ${stock} AND "raised_at" IS NULL RETURNING "raised_at" AS at`
    : await tx.sql<{
        at: Date;
      }>`UPDATE "stock_alarm" SET "raised_at" = NULL WHERE "stock" = ${stock} AND "raised_at" IS NOT NULL RETURNING ${tx.now}::timestamptz AS at`;
  if (crossed.length === 0) return;
  const name = stock === 'number' ? 'NumberStock' : 'EsimStock';
  await appendEvent(tx, {
    type: `${name}${isLow ? 'Low' : 'Refilled'}Event`,
    resourceType: `${stock}Stock`,
    resourceId: stock,
    sequence: BigInt(tx.now.getTime()),
    change: isLow ? { free, threshold } : { threshold },
  });
}
