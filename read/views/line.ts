import { z } from 'zod';
import { arraySql, instant, moneyShape, moneySql, quantityShape, quantitySql, timeZoneSql } from './shapes.ts';

/** What is left of one kind, over all live buckets of it. */
export const balanceShape = z.object({
  kind: z.string(),
  isUnlimited: z.boolean(),
  granted: quantityShape,
  remaining: quantityShape,
  used: quantityShape,
  nextExpiryAt: instant.nullable(),
});
export type Balance = z.infer<typeof balanceShape>;

/** A line as lists and cards show it. */
export const lineShape = z.object({
  id: z.string(),
  customerId: z.string(),
  state: z.string(),
  blockReasons: z.array(z.string()),
  stoppedKinds: z.array(z.string()),
  msisdn: z.string().nullable(),
  plan: z.object({ code: z.string(), name: z.string() }),
  price: moneyShape,
  period: z
    .object({ number: z.number(), startsAt: instant, endsAt: instant, daysToRenewal: z.number().int() })
    .nullable(),
  balances: z.array(balanceShape),
});
export type LineView = z.infer<typeof lineShape>;

const kindOrder = `array_position(ARRAY['data', 'voice', 'sms', 'roaming_data'], b."kind")`;

const live = `b."state" = 'active' AND b."valid_from" <= business_now() AND (b."expires_at" IS NULL OR b."expires_at" > business_now())`;

/** The fields of `lineShape`, from a row of subscription named by `s`. */
export function lineFieldsSql(s: string): string {
  const unlimited = (column: string) =>
    `CASE WHEN bool_or(b."granted" IS NULL) THEN NULL ELSE sum(b."${column}")::bigint END`;
  const balances = arraySql(`SELECT json_build_object(
      'kind', b."kind", 'isUnlimited', bool_or(b."granted" IS NULL),
      'granted', ${quantitySql('b."kind"', unlimited('granted'))},
      'remaining', ${quantitySql('b."kind"', unlimited('remaining'))},
      'used', ${quantitySql('b."kind"', 'sum(b."used")::bigint')},
      'nextExpiryAt', wire_time(min(b."expires_at"))) AS item
    FROM "bucket" b WHERE b."subscription_id" = ${s}."id" AND ${live} GROUP BY b."kind" ORDER BY ${kindOrder}`);
  return `'id', ${s}."id", 'customerId', ${s}."customer_id", 'state', ${s}."state", 'blockReasons', ${s}."block_reasons",
    'stoppedKinds', ${s}."stopped_kinds", 'msisdn', ${s}."msisdn",
    'plan', json_build_object('code', ${s}."plan_code", 'name', coalesce(${s}."terms" ->> 'name', ${s}."plan_code")),
    'price', ${moneySql(`${s}."price_minor"`, `${s}."currency"`)},
    'period', CASE WHEN ${s}."period_starts_at" IS NULL OR ${s}."period_ends_at" IS NULL THEN NULL ELSE json_build_object(
      'number', ${s}."period_number", 'startsAt', wire_time(${s}."period_starts_at"), 'endsAt', wire_time(${s}."period_ends_at"),
      'daysToRenewal', greatest(0, (${s}."period_ends_at" AT TIME ZONE ${timeZoneSql})::date - (business_now() AT TIME ZONE ${timeZoneSql})::date)) END,
    'balances', ${balances}`;
}
