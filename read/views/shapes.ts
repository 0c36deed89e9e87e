import { z } from 'zod';
import { formatMoney, isCurrency } from '../../kernel/money.ts';
import { formatQuantity } from '../../kernel/quantity.ts';

// What several views have in common: the schema of each shape beside the SQL that makes it.

/** An instant of business time, ISO 8601 in UTC. */
export const instant = z.string();

export const moneyShape = z.object({
  amountMinor: z.number().int().describe('In minor units of the currency'),
  currency: z.string(),
  text: z.string().describe('As people read it'),
});
export type MoneyShape = z.infer<typeof moneyShape>;

export const quantityShape = z.object({
  kind: z.string(),
  amount: z.number().nullable().describe('In bytes, seconds or messages; null is unlimited'),
  text: z.string().describe('As people read it; 1 GB is 1024 MB'),
});
export type QuantityShape = z.infer<typeof quantityShape>;

export const personShape = z.object({ id: z.string(), name: z.string().nullable() });

/** When the answer was read, in business time, and the zone that times are shown in. */
export const readAt = { now: instant, timeZone: z.string() };

// The zone that a new installation has; what is stored wins.
const timeZoneDefault = 'Asia/Singapore';
export const timeZoneSql = `coalesce((SELECT "value" #>> '{}' FROM "setting" WHERE "name" = 'timeZone'), '${timeZoneDefault}')`;

// The threshold that a new installation has; what is stored wins.
const stockLowDefault = 50;
export const stockLowSql = `coalesce((SELECT ("value" #>> '{}')::int FROM "setting" WHERE "name" = 'stockLow'), ${stockLowDefault})`;

export const readAtSql = `'now', wire_time(business_now()), 'timeZone', ${timeZoneSql}`;

export function moneySql(amountMinor: string, currency: string): string {
  return `CASE WHEN ${amountMinor} IS NULL OR ${currency} IS NULL THEN NULL ELSE json_build_object('amountMinor', ${amountMinor}, 'currency', ${currency}) END`;
}

export function quantitySql(kind: string, amount: string): string {
  return `json_build_object('kind', ${kind}, 'amount', ${amount})`;
}

/** A JSON array of what a subquery selects as `item`, in its own order; empty when it selects nothing. */
export function arraySql(subquery: string): string {
  return `(SELECT coalesce(json_agg(l.item), '[]'::json) FROM (${subquery}) l)`;
}

/** Adds to every amount and quantity in an answer the text that people read. */
export function withTexts(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withTexts);
  if (typeof value !== 'object' || value === null) return value;
  const part: Record<string, unknown> = Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [name, withTexts(inner)]),
  );
  const { amountMinor, currency, kind, amount } = part;
  const size = Object.keys(part).length;
  if (size === 2 && typeof amountMinor === 'number' && typeof currency === 'string') {
    return {
      ...part,
      text: isCurrency(currency) ? formatMoney({ amountMinor, currency }) : `${currency} ${amountMinor}`,
    };
  }
  if (size === 2 && typeof kind === 'string' && (typeof amount === 'number' || amount === null)) {
    return { ...part, text: formatQuantity(kind, amount) };
  }
  return part;
}

// ---- lists ----

const pageMax = 200;
const pageDefault = 20;

/** How a list is asked for: so many, after the last one seen. */
export const page = {
  limit: z.number().int().min(1).max(pageMax).default(pageDefault).describe(`How many, at most ${pageMax}`),
  after: z.string().optional().describe('The `next` of the page before'),
};

export function listShape<Item extends z.ZodType>(item: Item) {
  return z.object({
    ...readAt,
    items: z.array(item),
    next: z.string().nullable().describe('Give it as `after` for more; null at the end'),
  });
}

/** A page of rows as a view; see `readList`. One row more than the page is asked for, to know whether there is another. */
export function listSql(rows: string): string {
  return `WITH found AS MATERIALIZED (SELECT r.*, row_number() OVER () AS place FROM (${rows}) r)
    SELECT json_build_object(${readAtSql},
      'items', coalesce((SELECT json_agg("item" ORDER BY place) FROM found WHERE place <= $1), '[]'::json),
      'next', CASE WHEN (SELECT count(*) FROM found) > $1 THEN (SELECT "cursor" FROM found WHERE place = $1) END) AS view`;
}
