import { z } from 'zod';
import { lineFieldsSql, lineShape } from './line.ts';
import { ownerOf, prepared, query, readList, readOne } from './query.ts';
import { arraySql, instant, listShape, moneyShape, moneySql, page, readAt, readAtSql } from './shapes.ts';
import { cardShape, cardSql } from './subscription.ts';

const customerList = listShape(
  z.object({
    id: z.string(),
    name: z.string().nullable(),
    email: z.string().nullable(),
    state: z.string().nullable(),
    lines: z.number().int().describe('Lines that have not ended'),
    createdAt: instant,
  }),
);
export type CustomerList = z.infer<typeof customerList>;

export const listCustomers = query({
  name: 'customer.list',
  summary: 'Find customers, newest first',
  audience: ['operator', 'integrator'],
  input: z.strictObject({
    search: z.string().min(1).max(200).optional().describe('Part of a name or email, a phone number, or an id'),
    state: z.enum(['initialized', 'active', 'inactive', 'closed']).optional().describe('Customers in this state only'),
    ...page,
  }),
  output: customerList,
  positional: ['search'],
  examples: ['bss customer list', 'bss customer list ada@example.com', 'bss customer list 6581000042'],
  view: 'customer-list',
  run: (database, input) =>
    readList(
      database,
      customerList,
      `SELECT json_build_object('id', c."id", 'name', c."name", 'email', c."email", 'state', c."state", 'createdAt', wire_time(c."created_at"),
        'lines', (SELECT count(*) FROM "subscription" s WHERE s."customer_id" = c."id" AND s."state" <> 'terminated')) AS item, c."id" AS "cursor"
      FROM "customer" c
      WHERE ($2::text IS NULL OR c."id" = $2 OR position(lower($2) IN lower(c."name")) > 0 OR position(lower($2) IN c."email") > 0
          OR c."id" IN (SELECT "customer_id" FROM "subscription" WHERE "msisdn" = ltrim($2, '+')))
        AND ($3::text IS NULL OR c."state" = $3) AND ($4::text IS NULL OR c."id" < $4)
      ORDER BY c."id" DESC LIMIT $1 + 1`,
      input.limit,
      [input.search?.trim() ?? null, input.state ?? null, input.after ?? null],
    ),
});

export const customerShape = z.object({
  ...readAt,
  id: z.string(),
  name: z.string().nullable(),
  state: z.string().nullable(),
  createdAt: instant,
  contacts: z.array(z.object({ medium: z.string(), value: z.string(), isPreferred: z.boolean() })),
  cards: z.array(cardShape),
  lines: z.array(lineShape),
  orders: z.array(
    z.object({
      id: z.string(),
      state: z.string().nullable(),
      orderedAt: instant,
      offerings: z.array(z.string()),
      total: moneyShape.nullable(),
    }),
  ),
  tickets: z.array(
    z.object({
      id: z.string(),
      state: z.string().nullable(),
      name: z.string(),
      severity: z.string().nullable(),
      openedAt: instant,
    }),
  ),
  bills: z.array(
    z.object({
      id: z.string(),
      billNo: z.string().nullable(),
      state: z.string().nullable(),
      billedAt: instant,
      amount: moneyShape.nullable(),
    }),
  ),
});
export type CustomerView = z.infer<typeof customerShape>;

const contactsSql = arraySql(`SELECT json_build_object('medium', coalesce(m ->> 'mediumType', 'contact'),
    'value', coalesce(m -> 'characteristic' ->> 'emailAddress', m -> 'characteristic' ->> 'phoneNumber',
      concat_ws(', ', m -> 'characteristic' ->> 'street1', m -> 'characteristic' ->> 'city', m -> 'characteristic' ->> 'postCode', m -> 'characteristic' ->> 'country')),
    'isPreferred', coalesce(m ->> 'preferred', 'false') = 'true') AS item
  FROM jsonb_array_elements(CASE jsonb_typeof(c."document" -> 'contactMedium') WHEN 'array' THEN c."document" -> 'contactMedium' ELSE '[]' END) m`);

export const showCustomer = query({
  name: 'customer.show',
  summary: 'Show a customer: contacts, cards, lines, orders, tickets and bills',
  audience: ['operator', 'customer', 'integrator'],
  input: z.strictObject({ customerId: z.string().describe('The customer') }),
  output: customerShape,
  positional: ['customerId'],
  examples: ['bss customer show cus_…'],
  view: 'customer-card',
  run: (database, { customerId }, caller) =>
    readOne(
      database,
      customerShape,
      'customer',
      customerId,
      prepared(`SELECT json_build_object(${readAtSql}, 'id', c."id", 'name', c."name", 'state', c."state", 'createdAt', wire_time(c."created_at"),
        'contacts', ${contactsSql},
        'cards', ${arraySql(`SELECT ${cardSql('p')} AS item FROM "payment_method" p
          WHERE p."customer_id" = c."id" AND p."state" <> 'removed' ORDER BY p."is_preferred" DESC, p."id"`)},
        'lines', ${arraySql(`SELECT json_build_object(${lineFieldsSql('s')}) AS item FROM "subscription" s
          WHERE s."customer_id" = c."id" ORDER BY s."state" = 'terminated', s."id" DESC LIMIT 20`)},
        'orders', ${arraySql(`SELECT json_build_object('id', o."id", 'state', o."state", 'orderedAt', wire_time(o."created_at"),
            'offerings', ${arraySql(`SELECT coalesce(i."terms" ->> 'code', i."offering_id") AS item FROM "order_item" i WHERE i."product_order_id" = o."id" ORDER BY i."id"`)},
            'total', (SELECT ${moneySql('sum(i."amount_minor")', 'min(i."currency")')} FROM "order_item" i WHERE i."product_order_id" = o."id")) AS item
          FROM "product_order" o WHERE o."customer_id" = c."id" ORDER BY o."id" DESC LIMIT 5`)},
        'tickets', ${arraySql(`SELECT json_build_object('id', t."id", 'state', t."state", 'name', coalesce(t."document" ->> 'name', t."document" ->> 'description', ''),
            'severity', t."document" ->> 'severity', 'openedAt', wire_time(t."created_at")) AS item
          FROM "trouble_ticket" t WHERE t."customer_id" = c."id" AND lower(t."state") NOT IN ('closed', 'resolved', 'cancelled', 'rejected') ORDER BY t."id" DESC LIMIT 10`)},
        'bills', ${arraySql(`SELECT json_build_object('id', b."id", 'billNo', b."bill_no", 'state', b."state", 'billedAt', wire_time(b."created_at"),
            'amount', ${moneySql('b."amount_minor"', 'b."currency"')}) AS item
          FROM "customer_bill" b WHERE b."customer_id" = c."id" ORDER BY b."id" DESC LIMIT 5`)}
      ) AS view FROM "customer" c WHERE c."id" = $1 AND ($2::text IS NULL OR c."id" = $2)`),
      [customerId, ownerOf(caller)],
    ),
});
