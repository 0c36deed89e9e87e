import { z } from 'zod';
import { lineFieldsSql, lineShape } from './line.ts';
import { ownerOf, prepared, query, readList, readOne } from './query.ts';
import {
  arraySql,
  instant,
  listShape,
  moneyShape,
  moneySql,
  page,
  personShape,
  quantityShape,
  quantitySql,
  readAt,
  readAtSql,
} from './shapes.ts';

export const cardShape = z.object({
  id: z.string(),
  brand: z.string().nullable(),
  lastFour: z.string().nullable(),
  expiresAt: instant.nullable(),
  isPreferred: z.boolean(),
  state: z.string().nullable(),
});
export type CardView = z.infer<typeof cardShape>;

/** A card on file by brand and last four digits; nothing else of its number is known here. */
export function cardSql(p: string): string {
  return `json_build_object('id', ${p}."id", 'brand', coalesce(${p}."document" ->> 'brand', ${p}."document" -> 'details' ->> 'brand'),
    'lastFour', coalesce(${p}."document" ->> 'lastFourDigits', ${p}."document" -> 'details' ->> 'lastFourDigits'),
    'expiresAt', wire_time(${p}."expires_at"), 'isPreferred', ${p}."is_preferred", 'state', ${p}."state")`;
}

export const bucketShape = z.object({
  id: z.string(),
  kind: z.string(),
  source: z.string(),
  offering: z.string(),
  state: z.string(),
  granted: quantityShape,
  remaining: quantityShape,
  used: quantityShape,
  expired: quantityShape,
  validFrom: instant,
  expiresAt: instant.nullable(),
});
export type BucketView = z.infer<typeof bucketShape>;

const esimShape = z.object({ id: z.string(), state: z.string(), iccidLastFour: z.string() });

export const subscriptionShape = z.object({
  ...readAt,
  ...lineShape.shape,
  customer: personShape,
  stateSince: instant,
  blockedAt: instant.nullable(),
  terminatedAt: instant.nullable(),
  isRoamingEnabled: z.boolean(),
  end: z
    .object({ at: instant, orderId: z.string().nullable() })
    .nullable()
    .describe('When the line ends instead of being renewed, by which order; null when it goes on'),
  pendingChange: z
    .object({
      offering: z.string(),
      code: z.string().nullable(),
      price: moneyShape.nullable().describe('What that renewal charges'),
      orderId: z.string().nullable(),
    })
    .nullable()
    .describe('The plan that the next renewal begins'),
  card: cardShape.nullable().describe('The card that the next renewal charges'),
  network: z.object({
    state: z.enum(['none', 'pending', 'confirmed']).describe('Whether the network has done what it was last told'),
    since: instant.nullable(),
  }),
  esim: esimShape.nullable(),
  nextEsim: esimShape.nullable().describe('The profile that takes its place once the network has confirmed it'),
  buckets: z.array(bucketShape),
});
export type SubscriptionView = z.infer<typeof subscriptionShape>;

/** The profile in row `e`, by the last digits of its ICCID; the whole of it is never shown. */
function esimSql(e: string): string {
  return `CASE WHEN ${e}."id" IS NULL THEN NULL ELSE json_build_object('id', ${e}."id", 'state', ${e}."state", 'iccidLastFour', right(${e}."iccid", 4)) END`;
}

export const showSubscription = query({
  name: 'subscription.show',
  summary: 'Show a line: its state, period, quota and network',
  audience: ['operator', 'customer', 'integrator'],
  input: z.strictObject({ subscriptionId: z.string().describe('The line') }),
  output: subscriptionShape,
  positional: ['subscriptionId'],
  examples: ['bss subscription show sub_…', 'bss subscription show sub_… --watch'],
  view: 'subscription-card',
  run: (database, { subscriptionId }, caller) =>
    readOne(
      database,
      subscriptionShape,
      'subscription',
      subscriptionId,
      prepared(`SELECT json_build_object(${readAtSql}, ${lineFieldsSql('s')},
        'customer', json_build_object('id', s."customer_id", 'name', c."name"),
        'stateSince', wire_time(s."state_since"), 'blockedAt', wire_time(s."blocked_at"), 'terminatedAt', wire_time(s."terminated_at"),
        'isRoamingEnabled', s."roaming_enabled",
        'end', CASE WHEN s."ends_at" IS NULL THEN NULL ELSE json_build_object('at', wire_time(s."ends_at"),
          'orderId', (SELECT i."product_order_id" FROM "order_item" i WHERE i."id" = s."end_item_id")) END,
        'pendingChange', CASE WHEN s."pending_change" IS NULL THEN NULL ELSE json_build_object(
          'offering', coalesce(s."pending_change" -> 'terms' ->> 'name', 'another plan'), 'code', s."pending_change" -> 'terms' ->> 'code',
          'price', ${moneySql(`(s."pending_change" -> 'terms' ->> 'amountMinor')::bigint`, `(s."pending_change" -> 'terms' ->> 'currency')`)},
          'orderId', s."pending_change" ->> 'productOrderId') END,
        'card', (SELECT ${cardSql('p')} FROM "payment_method" p
          WHERE p."customer_id" = s."customer_id" AND p."state" = 'active' AND p."gateway_token" IS NOT NULL AND p."expires_at" >= business_now()
          ORDER BY p."is_preferred" DESC, p."id" LIMIT 1),
        'network', json_build_object(
          'state', CASE WHEN m."id" IS NULL THEN 'none' WHEN m."confirmed_at" IS NULL THEN 'pending' ELSE 'confirmed' END,
          'since', wire_time(coalesce(m."confirmed_at", m."created_at"))),
        'esim', ${esimSql('e')}, 'nextEsim', ${esimSql('x')},
        'buckets', ${arraySql(`SELECT json_build_object('id', b."id", 'kind', b."kind", 'source', b."source",
            'offering', coalesce(o."code", o."document" ->> 'name', b."offering_id"), 'state', b."state",
            'granted', ${quantitySql('b."kind"', 'b."granted"')}, 'remaining', ${quantitySql('b."kind"', 'b."remaining"')},
            'used', ${quantitySql('b."kind"', 'b."used"')}, 'expired', ${quantitySql('b."kind"', 'b."expired"')},
            'validFrom', wire_time(b."valid_from"), 'expiresAt', wire_time(b."expires_at")) AS item
          FROM "bucket" b LEFT JOIN "product_offering" o ON o."id" = b."offering_id"
          WHERE b."subscription_id" = s."id" AND (b."state" = 'active' OR b."period_number" = s."period_number")
          ORDER BY array_position(ARRAY['data', 'voice', 'sms', 'roaming_data'], b."kind"), b."expires_at" NULLS LAST, b."id"`)}
      ) AS view
      FROM "subscription" s
        LEFT JOIN "customer" c ON c."id" = s."customer_id"
        LEFT JOIN "esim_profile" e ON e."id" = s."esim_id"
        LEFT JOIN "esim_profile" x ON x."id" = s."next_esim_id"
        LEFT JOIN LATERAL (SELECT * FROM "monitor" WHERE "service_id" = s."service_id" ORDER BY "sequence" DESC LIMIT 1) m ON true
      WHERE s."id" = $1 AND ($2::text IS NULL OR s."customer_id" = $2)`),
      [subscriptionId, ownerOf(caller)],
    ),
});

const subscriptionList = listShape(z.object({ ...lineShape.shape, customer: personShape }));
export type SubscriptionList = z.infer<typeof subscriptionList>;

export const listSubscriptions = query({
  name: 'subscription.list',
  summary: 'List lines, newest first',
  audience: ['operator', 'customer', 'integrator'],
  input: z.strictObject({
    customerId: z.string().optional().describe('Lines of this customer only'),
    state: z.enum(['pending', 'active', 'blocked', 'terminated']).optional().describe('Lines in this state only'),
    plan: z.string().optional().describe('Lines on this plan only, by code'),
    msisdn: z.string().optional().describe('The line that has this number, or had it'),
    ...page,
  }),
  output: subscriptionList,
  examples: ['bss subscription list --state blocked', 'bss subscription list --customer-id cus_…'],
  view: 'subscription-list',
  run: (database, input) =>
    readList(
      database,
      subscriptionList,
      `SELECT json_build_object(${lineFieldsSql('s')}, 'customer', json_build_object('id', s."customer_id", 'name', c."name")) AS item, s."id" AS "cursor"
      FROM "subscription" s LEFT JOIN "customer" c ON c."id" = s."customer_id"
      WHERE ($2::text IS NULL OR s."customer_id" = $2) AND ($3::text IS NULL OR s."state" = $3)
        AND ($4::text IS NULL OR s."plan_code" = $4) AND ($5::text IS NULL OR s."msisdn" = $5) AND ($6::text IS NULL OR s."id" < $6)
      ORDER BY s."id" DESC LIMIT $1 + 1`,
      input.limit,
      [input.customerId ?? null, input.state ?? null, input.plan ?? null, input.msisdn ?? null, input.after ?? null],
    ),
});
