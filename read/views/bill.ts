import { z } from 'zod';
import { ownerOf, query, readList, readOne } from './query.ts';
import { arraySql, instant, listShape, moneyShape, moneySql, page, personShape, readAt, readAtSql } from './shapes.ts';

const billFields = {
  id: z.string(),
  billNo: z.string().nullable(),
  category: z.string().nullable().describe('receipt, or creditNote'),
  state: z.string().nullable(),
  billedAt: instant,
  amount: moneyShape.nullable().describe('Tax included; negative for a credit note'),
  tax: moneyShape.nullable(),
};

const billFieldsSql = `'id', b."id", 'billNo', b."bill_no", 'category', b."document" ->> 'category', 'state', b."state",
  'billedAt', coalesce(b."document" ->> 'billDate', wire_time(b."created_at")),
  'amount', ${moneySql('b."amount_minor"', 'b."currency"')}, 'tax', ${moneySql('b."tax_minor"', 'b."currency"')}`;

export const billShape = z.object({
  ...readAt,
  ...billFields,
  customer: personShape.nullable(),
  taxExcluded: moneyShape.nullable(),
  paymentId: z.string().nullable(),
  refundId: z.string().nullable(),
  card: z.object({ brand: z.string().nullable(), lastFour: z.string().nullable() }).nullable(),
  lines: z.array(
    z.object({
      name: z.string(),
      subscriptionId: z.string().nullable(),
      from: instant.nullable(),
      to: instant.nullable(),
    }),
  ),
});
export type BillView = z.infer<typeof billShape>;

export const showBill = query({
  name: 'bill.show',
  summary: 'Show a bill: what was paid, for what',
  audience: ['operator', 'customer', 'integrator'],
  input: z.strictObject({ billId: z.string().describe('The bill, by id or number') }),
  output: billShape,
  positional: ['billId'],
  examples: ['bss bill show bil_…', 'bss bill show 00000042'],
  view: 'bill',
  run: (database, { billId }, caller) =>
    readOne(
      database,
      billShape,
      'bill',
      billId,
      `SELECT json_build_object(${readAtSql}, ${billFieldsSql},
        'taxExcluded', ${moneySql('b."amount_minor" - b."tax_minor"', 'b."currency"')},
        'customer', CASE WHEN b."customer_id" IS NULL THEN NULL ELSE json_build_object('id', b."customer_id", 'name', c."name") END,
        'paymentId', b."payment_id", 'refundId', b."refund_id",
        'card', CASE WHEN m."id" IS NULL THEN NULL ELSE json_build_object('brand', m."document" ->> 'brand', 'lastFour', m."document" ->> 'lastFourDigits') END,
        'lines', ${arraySql(`SELECT json_build_object('name', coalesce(r."document" ->> 'name', r."document" ->> 'description', ''), 'subscriptionId', r."subscription_id",
            'from', r."document" -> 'periodCoverage' ->> 'startDateTime', 'to', r."document" -> 'periodCoverage' ->> 'endDateTime') AS item
          FROM "applied_customer_billing_rate" r WHERE r."customer_bill_id" = b."id" ORDER BY r."id"`)}
      ) AS view
      FROM "customer_bill" b LEFT JOIN "customer" c ON c."id" = b."customer_id" LEFT JOIN "payment" p ON p."id" = b."payment_id"
        LEFT JOIN "payment_method" m ON m."id" = p."payment_method_id"
      WHERE (b."id" = $1 OR b."bill_no" = $1) AND ($2::text IS NULL OR b."customer_id" = $2)`,
      [billId, ownerOf(caller)],
    ),
});

const billList = listShape(z.object({ ...billFields, customer: personShape.nullable() }));
export type BillList = z.infer<typeof billList>;

export const listBills = query({
  name: 'bill.list',
  summary: 'List bills, newest first',
  audience: ['operator', 'customer', 'integrator'],
  input: z.strictObject({ customerId: z.string().optional().describe('Bills of this customer only'), ...page }),
  output: billList,
  examples: ['bss bill list --customer-id cus_…'],
  view: 'bill-list',
  run: (database, input) =>
    readList(
      database,
      billList,
      `SELECT json_build_object(${billFieldsSql},
        'customer', CASE WHEN b."customer_id" IS NULL THEN NULL ELSE json_build_object('id', b."customer_id", 'name', c."name") END) AS item, b."id" AS "cursor"
      FROM "customer_bill" b LEFT JOIN "customer" c ON c."id" = b."customer_id"
      WHERE ($2::text IS NULL OR b."customer_id" = $2) AND ($3::text IS NULL OR b."id" < $3)
      ORDER BY b."id" DESC LIMIT $1 + 1`,
      input.limit,
      [input.customerId ?? null, input.after ?? null],
    ),
});
