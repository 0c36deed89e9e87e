import { z } from 'zod';
import { conflict } from '../../kernel/error.ts';
import { command } from '../core/command.ts';
import { rule } from '../core/rule.ts';
import { findRow, type Tables } from '../core/table.ts';
import type { Tx } from '../core/transaction.ts';
import { sessionInput, theSession } from '../session/session.ts';

// A number that somebody has chosen and not yet bought. It stays available, and nobody else is given it meanwhile. This is
// a lease of whoever sits at a page, so it ends in machine time, by itself: moving the business clock neither ends nor
// prolongs it. An order that names the number wants it as long as it is under way.

/** Minutes of machine time. */
const wantedMinutes = 15;

/** Whether the number in row `n` is wanted by somebody. */
export const isWantedSql = (n: string): string =>
  `(${n}."wanted_until" > clock_timestamp() OR EXISTS (SELECT 1 FROM "order_item" i WHERE i."id" = ${n}."wanted_for"
    AND i."state" NOT IN ('completed', 'failed', 'cancelled', 'rejected')))`;

/** Whether somebody else wants the number: neither this customer, nor an order of theirs that is under way already. */
export async function isWantedByOther(tx: Tx, msisdn: string, by: string | undefined): Promise<boolean> {
  const [row] = await tx.run<{ isTaken: boolean }>(
    `SELECT ("wanted_by" IS DISTINCT FROM $2 OR EXISTS (SELECT 1 FROM "order_item" i WHERE i."id" = n."wanted_for"
        AND i."state" NOT IN ('completed', 'failed', 'cancelled', 'rejected'))) AND ${isWantedSql('n')} AS is_taken
      FROM "phone_number" n WHERE "msisdn" = $1`,
    [msisdn, by ?? null],
  );
  return row?.isTaken === true;
}

/**
 * An order was placed that names the number. After it fails, a customer who had chosen it at a page has as long as before to
 * try again; a number that was only named by an order is free again.
 */
export async function wantForOrder(tx: Tx, msisdn: string, customerId: string, orderItemId: string): Promise<void> {
  await tx.sql`UPDATE "phone_number" SET "wanted_by" = ${customerId}, "wanted_for" = ${orderItemId},
    "wanted_until" = clock_timestamp() + CASE WHEN "wanted_by" = ${customerId} AND "wanted_until" > clock_timestamp()
      THEN make_interval(mins => ${wantedMinutes}) ELSE interval '0' END WHERE "msisdn" = ${msisdn}`;
}

/**
 * The order of the sign-up in row `u` that is under way or through: the one that was recorded, or, when that was lost, one of
 * its customer for its number. Null before there is a customer.
 */
export const liveOrderSql = (u: string): string =>
  `CASE WHEN ${u}."customer_id" IS NOT NULL THEN (SELECT i."product_order_id" FROM "product_order" o
      JOIN "order_item" i ON i."product_order_id" = o."id" WHERE o."customer_id" = ${u}."customer_id" AND (i."msisdn" = ${u}."msisdn" OR o."id" = ${u}."product_order_id")
      AND i."action" = 'add' AND i."state" NOT IN ('failed', 'cancelled', 'rejected') ORDER BY i."id" LIMIT 1) END`;

/** Who chose a number before there was a customer. */
export async function wantAs(tx: Tx, before: string, customerId: string): Promise<void> {
  await tx.sql`UPDATE "phone_number" SET "wanted_by" = ${customerId} WHERE "wanted_by" = ${before} AND "wanted_until" > clock_timestamp()`;
}

/** Clears what was chosen and whose time is over, a batch at a time. */
export async function clearEndedWishes(tx: Tx, limit: number): Promise<number> {
  const cleared = await tx.run(
    `UPDATE "phone_number" SET "wanted_by" = NULL, "wanted_for" = NULL, "wanted_until" = NULL WHERE "msisdn" IN (
      SELECT n."msisdn" FROM "phone_number" n WHERE n."wanted_by" IS NOT NULL AND NOT (${isWantedSql('n')})
      LIMIT $1 FOR UPDATE SKIP LOCKED) RETURNING "msisdn"`,
    [limit],
  );
  return cleared.length;
}

interface HoldFacts {
  /** The session, or the customer whose it is. */
  by: string;
  sessionId: string;
  number: Tables['phoneNumber'] | undefined;
  isTaken: boolean;
  wanted: number;
  free: number;
}

export const holdIsFree = rule<HoldFacts>({
  code: 'number.hold_is_free',
  sentence: 'Somebody else has this number, or has just chosen it: choose another.',
  status: 409,
  kept: ({ number, isTaken }) => number?.state === 'available' && !isTaken,
});

export const holdsLeaveStock = rule<HoldFacts>({
  code: 'number.holds_leave_stock',
  sentence:
    'So many numbers are being chosen at this moment that the rest is kept for orders: try again in some minutes.',
  status: 409,
  kept: ({ wanted, free }) => wanted * 2 < free,
  shown: ({ wanted }) => ({ chosen: wanted }),
});

const holdInput = z.object({ session: sessionInput, msisdn: z.string().regex(/^\d{6,15}$/) });

/** One number at a time: the one that was chosen before is let go. */
export const holdNumber = command<z.infer<typeof holdInput>, HoldFacts, { msisdn: string; heldUntil: string }>({
  name: 'number.hold',
  summary: 'Keep a free number for whoever chooses it',
  input: holdInput,
  audience: ['system'],
  effect: 'write',
  rules: [holdIsFree, holdsLeaveStock],
  async facts(tx, { session, msisdn }) {
    const row = await theSession(tx, session, ['visitor', 'customer']);
    const by = row.customerId ?? row.id;
    const number = await findRow(tx, 'phoneNumber', { msisdn }, true);
    const [counted] = await tx.sql<{ wanted: bigint }>`SELECT count(*) AS wanted FROM "phone_number"
      WHERE "wanted_by" IS NOT NULL AND "wanted_by" <> ${by} AND "wanted_until" > clock_timestamp() AND "state" = 'available'`;
    const wanted = Number(counted?.wanted ?? 0);
    const [stock] = await tx.sql<{ free: bigint }>`SELECT count(*) AS free FROM
      (SELECT 1 FROM "phone_number" WHERE "state" = 'available' LIMIT ${wanted * 2 + 1}) n`;
    return {
      by,
      sessionId: row.id,
      number,
      isTaken: await isWantedByOther(tx, msisdn, by),
      wanted,
      free: Number(stock?.free ?? 0),
    };
  },
  async apply(tx, { by, sessionId }, { msisdn }) {
    await tx.sql`UPDATE "phone_number" SET "wanted_by" = NULL, "wanted_for" = NULL, "wanted_until" = NULL
      WHERE "wanted_by" = ${by} AND "msisdn" <> ${msisdn} AND NOT EXISTS (SELECT 1 FROM "order_item" i WHERE i."id" = "wanted_for"
        AND i."state" NOT IN ('completed', 'failed', 'cancelled', 'rejected'))`;
    const [held] = await tx.sql<{ heldUntil: Date }>`UPDATE "phone_number" SET "wanted_by" = ${by}, "wanted_for" = NULL,
      "wanted_until" = clock_timestamp() + make_interval(mins => ${wantedMinutes}) WHERE "msisdn" = ${msisdn} RETURNING "wanted_until" AS held_until`;
    if (!held) throw conflict('number.gone', 'This number is gone: choose another.');
    // A sign-up whose order failed may take another number; one that has its line is over.
    await tx.run(`UPDATE "sign_up" u SET "msisdn" = $1 WHERE "session_id" = $2 AND ${liveOrderSql('u')} IS NULL`, [
      msisdn,
      sessionId,
    ]);
    return { msisdn, heldUntil: held.heldUntil.toISOString() };
  },
});
