import type { Pool } from 'pg';
import { z } from 'zod';
import { timeZoneSql } from '../views/shapes.ts';

const money = z.looseObject({ unit: z.string(), value: z.number() });
const period = z.looseObject({ startDateTime: z.string(), endDateTime: z.string() });

const line = z.looseObject({
  name: z.string().optional(),
  periodCoverage: period.optional(),
  appliedTax: z.array(
    z.looseObject({ taxCategory: z.string().optional(), taxRate: z.number().optional(), taxAmount: money }),
  ),
  taxExcludedAmount: money,
  taxIncludedAmount: money,
});

const item = z.looseObject({
  date: z.string(),
  billNo: z.string(),
  name: z.string().nullish(),
  taxAmount: money,
  taxIncludedAmount: money,
});

const printable = z.object({
  timeZone: z.string(),
  customer: z.string().nullable(),
  card: z.object({ brand: z.string().nullable(), lastFour: z.string() }).nullable(),
  /** The number of the receipt that a credit note takes back. */
  receiptNo: z.string().nullable(),
  bill: z.looseObject({
    billNo: z.string(),
    billDate: z.string(),
    category: z.enum(['receipt', 'creditNote', 'statement']),
    billingPeriod: period.optional(),
    taxExcludedAmount: money.optional(),
    taxIncludedAmount: money.optional(),
    taxItem: z
      .array(z.looseObject({ taxCategory: z.string().optional(), taxRate: z.number(), taxAmount: money }))
      .optional(),
    statement: z
      .looseObject({ taxExcludedAmount: money, taxAmount: money, taxIncludedAmount: money, item: z.array(item) })
      .optional(),
  }),
  lines: z.array(line),
});

/** All that is printed on a bill: the bill and its rates as they are on the wire, and the names beside their ids. */
export type PrintableBill = z.infer<typeof printable>;

/** Reads what is printed on a bill; undefined when there is no such bill. */
export async function readPrintableBill(database: Pool, billId: string): Promise<PrintableBill | undefined> {
  const answer = await database.query<{ view: unknown }>(
    `SELECT json_build_object('timeZone', ${timeZoneSql}, 'customer', c."name", 'bill', b."document",
       'receiptNo', CASE WHEN b."refund_id" IS NOT NULL THEN
         (SELECT o."bill_no" FROM "customer_bill" o WHERE o."payment_id" = b."payment_id" AND o."refund_id" IS NULL) END,
       'card', CASE WHEN m."document" ->> 'lastFourDigits' IS NOT NULL
         THEN json_build_object('brand', m."document" ->> 'brand', 'lastFour', m."document" ->> 'lastFourDigits') END,
       'lines', coalesce((SELECT json_agg(r."document" ORDER BY r."id") FROM "applied_customer_billing_rate" r
         WHERE r."customer_bill_id" = b."id"), '[]'::json)) AS view
     FROM "customer_bill" b LEFT JOIN "customer" c ON c."id" = b."customer_id"
       LEFT JOIN "payment" p ON p."id" = b."payment_id" LEFT JOIN "payment_method" m ON m."id" = p."payment_method_id"
     WHERE b."id" = $1`,
    [billId],
  );
  const view = answer.rows[0]?.view;
  return view === undefined ? undefined : printable.parse(view);
}
