import type { Pool } from 'pg';

/** What a text names: ids of the house, figures that may be numbers of lines or bills, and addresses. */
export interface Named {
  readonly ids: readonly string[];
  readonly figures: readonly string[];
  readonly emails: readonly string[];
}

export interface Owned {
  /** As it was asked for. */
  readonly value: string;
  /** Null for what is known and nobody's. */
  readonly customerId: string | null;
}

// Where ids of one customer's affairs stand, with the column that says whose they are.
const owned: readonly (readonly [string, string])[] = [
  ['customer', '"id"'],
  ['billing_account', '"customer_id"'],
  ['payment_method', '"customer_id"'],
  ['product_order', '"customer_id"'],
  ['order_item', '"customer_id"'],
  ['subscription', '"customer_id"'],
  ['bucket', '"customer_id"'],
  ['topup_balance', '"customer_id"'],
  ['usage', '"customer_id"'],
  ['payment', '"customer_id"'],
  ['refund', '"customer_id"'],
  ['customer_bill', '"customer_id"'],
  ['applied_customer_billing_rate', '"customer_id"'],
  ['customer_bill_on_demand', '"customer_id"'],
  ['trouble_ticket', '"customer_id"'],
  ['party_interaction', '"customer_id"'],
  ['chat_session', '"customer_id"'],
];

const sql = `${owned.map(([table, owner]) => `SELECT "id" AS value, ${owner} AS owner FROM "${table}" WHERE "id" = ANY ($1::text[])`).join(' UNION ALL ')}
  UNION ALL SELECT e."id", s."customer_id" FROM "esim_profile" e LEFT JOIN "subscription" s ON s."id" = e."subscription_id" WHERE e."id" = ANY ($1::text[])
  UNION ALL SELECT f.figure, s."customer_id" FROM unnest($2::text[]) AS f(figure) JOIN "phone_number" n ON right(n."msisdn", 8) = right(f.figure, 8)
    LEFT JOIN "subscription" s ON s."id" = n."subscription_id"
  UNION ALL SELECT b."bill_no", b."customer_id" FROM "customer_bill" b WHERE b."bill_no" = ANY ($2::text[])
  UNION ALL SELECT d."email", d."customer_id" FROM "email_directory" d WHERE d."email" = ANY ($3::text[])`;

/** Whose the things are that a text names. What is not known is not answered. */
export async function readOwners(database: Pool, named: Named): Promise<Owned[]> {
  if (named.ids.length + named.figures.length + named.emails.length === 0) return [];
  const { rows } = await database.query<{ value: string; owner: string | null }>(sql, [
    [...named.ids],
    [...named.figures],
    [...named.emails],
  ]);
  return rows.map(({ value, owner }) => ({ value, customerId: owner }));
}
