import type { Pool } from 'pg';

/** What a text names. */
export interface Named {
  /** Ids of the house. */
  readonly ids: readonly string[];
  /** Figures that may be the numbers of bills. */
  readonly figures: readonly string[];
  /** Eight figures each that may be the end of a line's number. */
  readonly ends: readonly string[];
  readonly emails: readonly string[];
}

export interface Owned {
  /** As it was asked for. */
  readonly value: string;
  /** Null for what is known and nobody's. */
  readonly customerId: string | null;
  /** The whole number of a line that was found by its end. */
  readonly msisdn: string | null;
}

/** How many figures of its end a line's number is found by. */
export const numberEnd = 8;

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

const sql = `${owned.map(([table, owner]) => `SELECT "id" AS value, ${owner} AS owner, NULL AS msisdn FROM "${table}" WHERE "id" = ANY ($1::text[])`).join(' UNION ALL ')}
  UNION ALL SELECT e."id", s."customer_id", NULL FROM "esim_profile" e LEFT JOIN "subscription" s ON s."id" = e."subscription_id" WHERE e."id" = ANY ($1::text[])
  UNION ALL SELECT f.figures, s."customer_id", n."msisdn" FROM unnest($4::text[]) AS f(figures) JOIN "phone_number" n ON right(n."msisdn", ${numberEnd}) = f.figures
    LEFT JOIN "subscription" s ON s."id" = n."subscription_id"
  UNION ALL SELECT b."bill_no", b."customer_id", NULL FROM "customer_bill" b WHERE b."bill_no" = ANY ($2::text[])
  UNION ALL SELECT d."email", d."customer_id", NULL FROM "email_directory" d WHERE d."email" = ANY ($3::text[])`;

/** Whose the things are that a text names. What is not known is not answered. */
export async function readOwners(database: Pool, named: Named): Promise<Owned[]> {
  if (named.ids.length + named.figures.length + named.ends.length + named.emails.length === 0) return [];
  const { rows } = await database.query<{ value: string; owner: string | null; msisdn: string | null }>(sql, [
    [...named.ids],
    [...named.figures],
    [...named.emails],
    [...named.ends],
  ]);
  return rows.map(({ value, owner, msisdn }) => ({ value, customerId: owner, msisdn }));
}
