import type { Pool } from 'pg';
import { z } from 'zod';
import { notFound } from '../../kernel/error.ts';
import { query, readOne, readView } from './query.ts';
import { arraySql, instant, moneyShape, page, readAt, readAtSql } from './shapes.ts';

export const eventShape = z.object({
  position: z.number().int(),
  id: z.string(),
  type: z.string(),
  resourceType: z.string(),
  resourceId: z.string(),
  at: instant,
  command: z.string(),
  by: z.object({ name: z.string(), surface: z.string() }),
  from: z.string().nullable().describe('The state before'),
  to: z.string().nullable().describe('The state after'),
  changed: z.array(z.string()).describe('Attributes that changed'),
  amount: moneyShape.nullable(),
  reason: z.string().nullable(),
  cause: z.record(z.string(), z.string()),
});
export type EventView = z.infer<typeof eventShape>;

const stringsSql = (json: string) =>
  `(SELECT coalesce(json_object_agg(c.key, c.value), '{}'::json) FROM jsonb_each_text(CASE jsonb_typeof(${json}) WHEN 'object' THEN ${json} ELSE '{}' END) c)`;

export const eventSql = `json_build_object('position', e."position", 'id', e."id", 'type', e."type", 'resourceType', e."resource_type", 'resourceId', e."resource_id",
  'at', wire_time(e."occurred_at"), 'command', e."command",
  'by', json_build_object('name', coalesce(e."caller" ->> 'name', e."caller" ->> 'id', ''), 'surface', coalesce(e."caller" ->> 'surface', e."caller" ->> 'audience', '')),
  'from', e."change" ->> 'from',
  'to', coalesce(e."change" ->> 'to', e."resource" ->> 'state', e."resource" ->> 'status', e."resource" ->> 'lifecycleStatus'),
  'changed', CASE jsonb_typeof(e."change" -> 'changed') WHEN 'array' THEN (e."change" -> 'changed')::json ELSE '[]'::json END,
  'amount', CASE WHEN e."resource_type" = 'payment' THEN (SELECT json_build_object('amountMinor', p."amount_minor", 'currency', p."currency")
      FROM "payment" p WHERE p."id" = e."resource_id" AND p."amount_minor" IS NOT NULL AND p."currency" IS NOT NULL)
    WHEN e."resource_type" = 'refund' THEN (SELECT json_build_object('amountMinor', r."amount_minor", 'currency', r."currency")
      FROM "refund" r WHERE r."id" = e."resource_id" AND r."amount_minor" IS NOT NULL AND r."currency" IS NOT NULL) END,
  'reason', e."resource" ->> 'statusReason', 'cause', ${stringsSql('e."cause"')})`;

// ---- a list ----

const eventList = z.object({
  ...readAt,
  items: z.array(eventShape),
  next: z.number().int().nullable().describe('Give it as `before` for older ones'),
});
export type EventList = z.infer<typeof eventList>;

export const listEvents = query({
  name: 'event.list',
  summary: 'List what was recorded, newest first',
  audience: ['operator'],
  input: z.strictObject({
    customerId: z.string().optional().describe('What concerns this customer'),
    resourceId: z.string().optional().describe('What happened to this resource'),
    resourceType: z.string().optional().describe('What happened to resources of this type: payment, productOrder'),
    type: z.string().optional().describe('Events of this type: PaymentStateChangeEvent'),
    command: z.string().optional().describe('What this command wrote: usage.record'),
    limit: page.limit,
    before: z.number().int().optional().describe('Older than this position'),
  }),
  output: eventList,
  examples: ['bss event list', 'bss event list --command payment.record_capture'],
  view: 'event-list',
  run: (database, input) =>
    readOne(
      database,
      eventList,
      'event',
      'any',
      `WITH found AS MATERIALIZED (SELECT e.* FROM "event" e
        WHERE ($2::text IS NULL OR e."customer_id" = $2) AND ($3::text IS NULL OR e."resource_id" = $3) AND ($4::text IS NULL OR e."resource_type" = $4)
          AND ($5::text IS NULL OR e."type" = $5) AND ($6::text IS NULL OR e."command" = $6) AND ($7::bigint IS NULL OR e."position" < $7)
        ORDER BY e."position" DESC LIMIT $1)
      SELECT json_build_object(${readAtSql},
        'items', ${arraySql(`SELECT ${eventSql} AS item FROM found e ORDER BY e."position" DESC`)},
        'next', CASE WHEN (SELECT count(*) FROM found) = $1 THEN (SELECT min("position") FROM found) END) AS view`,
      [
        input.limit,
        input.customerId ?? null,
        input.resourceId ?? null,
        input.resourceType ?? null,
        input.type ?? null,
        input.command ?? null,
        input.before ?? null,
      ],
    ),
});

// ---- the story of anything ----

const traceShape = z.object({
  ...readAt,
  id: z.string(),
  root: z.string().describe('The order, line or customer whose story it is'),
  total: z.number().int().describe('How many events there are; the list may show fewer'),
  events: z.array(eventShape).describe('Oldest first'),
  open: z
    .array(
      z.object({
        flow: z.string(),
        step: z.string(),
        subject: z.string(),
        dueAt: instant,
        attempts: z.number().int(),
        lastError: z.string().nullable(),
      }),
    )
    .describe('Steps that are not over'),
});
export type TraceView = z.infer<typeof traceShape>;

/** Whose story an id belongs to: an order's, a line's, a customer's, or only its own. */
const rootSql = `SELECT json_build_object('order', f."order", 'line', f."line", 'customer', f."customer") AS view FROM (
  SELECT "id" AS "order", NULL AS "line", NULL AS "customer" FROM "product_order" WHERE "id" = $1
  UNION ALL SELECT "product_order_id", NULL, NULL FROM "order_item" WHERE "id" = $1
  UNION ALL SELECT "product_order_id", NULL, NULL FROM "service_order" WHERE "id" = $1
  UNION ALL SELECT "product_order_id", NULL, NULL FROM "cancel_product_order" WHERE "id" = $1
  UNION ALL SELECT NULL, "id", NULL FROM "subscription" WHERE "id" = $1
  UNION ALL SELECT NULL, "subscription_id", NULL FROM "service" WHERE "id" = $1
  UNION ALL SELECT NULL, "subscription_id", NULL FROM "bucket" WHERE "id" = $1
  UNION ALL SELECT NULL, v."subscription_id", NULL FROM "monitor" m JOIN "service" v ON v."id" = m."service_id" WHERE m."id" = $1
  UNION ALL SELECT "product_order_id", CASE WHEN "product_order_id" IS NULL THEN "subscription_id" END, NULL FROM "payment" WHERE "id" = $1
  UNION ALL SELECT p."product_order_id", CASE WHEN p."product_order_id" IS NULL THEN p."subscription_id" END, NULL
    FROM "refund" r JOIN "payment" p ON p."id" = r."payment_id" WHERE r."id" = $1
  UNION ALL SELECT p."product_order_id", CASE WHEN p."product_order_id" IS NULL THEN p."subscription_id" END, NULL
    FROM "customer_bill" b JOIN "payment" p ON p."id" = b."payment_id" WHERE b."id" = $1 OR b."bill_no" = $1
  UNION ALL SELECT NULL, "subscription_id", NULL FROM "phone_number" WHERE "msisdn" = ltrim($1, '+')
  UNION ALL SELECT NULL, "subscription_id", NULL FROM "esim_profile" WHERE "id" = $1
  UNION ALL SELECT NULL, NULL, "id" FROM "customer" WHERE "id" = $1) f LIMIT 1`;

const rootShape = z.object({
  order: z.string().nullable(),
  line: z.string().nullable(),
  customer: z.string().nullable(),
});

/**
 * What belongs to an order. Its own resources with all that happened to them; those that outlive it (line, services,
 * quota, number, eSIM) only with what the order caused. `whole` says which.
 */
const ofOrder = `items AS (SELECT * FROM "order_item" WHERE "product_order_id" = $1),
  pays AS (SELECT "id" FROM "payment" WHERE "product_order_id" = $1 UNION SELECT "payment_id" FROM items WHERE "payment_id" IS NOT NULL),
  services AS (SELECT v."id" FROM "service" v JOIN items i ON v."id" = i."service_id" OR v."parent_id" = i."service_id"
    UNION SELECT v."id" FROM "service" v JOIN items i ON v."subscription_id" = i."subscription_id"),
  linked AS (
    SELECT 'productOrder' AS type, $1::text AS id, true AS whole
    UNION SELECT 'payment', "id", true FROM pays
    UNION SELECT 'refund', r."id", true FROM "refund" r JOIN pays p ON p."id" = r."payment_id"
    UNION SELECT 'customerBill', b."id", true FROM "customer_bill" b JOIN pays p ON p."id" = b."payment_id"
    UNION SELECT 'serviceOrder', "id", true FROM "service_order" WHERE "product_order_id" = $1
    UNION SELECT 'cancelProductOrder', "id", true FROM "cancel_product_order" WHERE "product_order_id" = $1
    UNION SELECT 'monitor', m."id", true FROM "monitor" m JOIN services v ON v."id" = m."service_id"
      JOIN "event" e ON e."resource_type" = 'monitor' AND e."resource_id" = m."id" AND e."resource_sequence" = 1 AND e."cause" ->> 'order' IN (SELECT "id" FROM items)
    UNION SELECT 'service', "id", false FROM services
    UNION SELECT 'product', "subscription_id", false FROM items WHERE "subscription_id" IS NOT NULL
    UNION SELECT 'bucket', k."id", false FROM "bucket" k JOIN items i ON i."subscription_id" = k."subscription_id"
    UNION SELECT 'number', "msisdn", false FROM items WHERE "msisdn" IS NOT NULL
    UNION SELECT 'esim', "esim_id", false FROM items WHERE "esim_id" IS NOT NULL),
  subjects AS (SELECT "id" FROM items UNION SELECT "id" FROM services)`;

const ofLine = `items AS (SELECT * FROM "order_item" WHERE "subscription_id" = $1),
  pays AS (SELECT "id" FROM "payment" WHERE "subscription_id" = $1 UNION SELECT "payment_id" FROM items WHERE "payment_id" IS NOT NULL),
  services AS (SELECT "id" FROM "service" WHERE "subscription_id" = $1
    UNION SELECT c."id" FROM "service" c JOIN "service" v ON v."id" = c."parent_id" WHERE v."subscription_id" = $1),
  linked AS (
    SELECT 'product' AS type, $1::text AS id, true AS whole
    UNION SELECT 'productOrder', "product_order_id", true FROM items
    UNION SELECT 'serviceOrder', s."id", true FROM "service_order" s JOIN items i ON i."product_order_id" = s."product_order_id"
    UNION SELECT 'payment', "id", true FROM pays
    UNION SELECT 'refund', r."id", true FROM "refund" r JOIN pays p ON p."id" = r."payment_id"
    UNION SELECT 'customerBill', b."id", true FROM "customer_bill" b JOIN pays p ON p."id" = b."payment_id"
    UNION SELECT 'service', "id", true FROM services
    UNION SELECT 'monitor', m."id", true FROM "monitor" m JOIN services v ON v."id" = m."service_id"
    UNION SELECT 'bucket', "id", true FROM "bucket" WHERE "subscription_id" = $1
    UNION SELECT 'number', "msisdn", false FROM items WHERE "msisdn" IS NOT NULL
    UNION SELECT 'esim', "esim_id", false FROM items WHERE "esim_id" IS NOT NULL),
  subjects AS (SELECT "id" FROM items UNION SELECT "id" FROM services UNION SELECT $1)`;

const tellSql = (parts: string) => `WITH ${parts},
  told AS MATERIALIZED (SELECT e.* FROM linked l JOIN "event" e ON e."resource_type" = l.type AND e."resource_id" = l.id
    WHERE l.whole OR e."cause" ->> 'order' IN (SELECT "id" FROM items)),
  shown AS (SELECT * FROM told ORDER BY "position" DESC LIMIT $2)
  SELECT json_build_object(${readAtSql}, 'id', $3::text, 'root', $1::text, 'total', (SELECT count(*) FROM told),
    'events', ${arraySql(`SELECT ${eventSql} AS item FROM shown e ORDER BY e."position"`)},
    'open', ${arraySql(`SELECT json_build_object('flow', f."flow", 'step', f."step", 'subject', f."subject", 'dueAt', wire_time(f."due_at"),
        'attempts', f."attempts", 'lastError', f."last_error") AS item
      FROM "flow_step" f WHERE f."state" = 'waiting' AND f."subject" IN (SELECT "id" FROM subjects) ORDER BY f."due_at", f."id"`)}) AS view`;

const ofCustomer = `WITH told AS MATERIALIZED (SELECT e.* FROM "event" e WHERE e."customer_id" = $1 AND e."resource_type" <> 'usage'),
  shown AS (SELECT * FROM told ORDER BY "position" DESC LIMIT $2)
  SELECT json_build_object(${readAtSql}, 'id', $3::text, 'root', $1::text, 'total', (SELECT count(*) FROM told),
    'events', ${arraySql(`SELECT ${eventSql} AS item FROM shown e ORDER BY e."position"`)}, 'open', '[]'::json) AS view`;

// Something that stands by itself: its own events, and those it caused.
const ofItself = `WITH own AS (SELECT DISTINCT "customer_id" FROM "event" WHERE "resource_id" = $1),
  told AS MATERIALIZED (SELECT e.* FROM "event" e WHERE e."resource_id" = $1
    UNION SELECT e.* FROM own JOIN "event" e ON e."customer_id" = own."customer_id" AND EXISTS (SELECT 1 FROM jsonb_each_text(e."cause") c WHERE c.value = $1)),
  shown AS (SELECT * FROM told ORDER BY "position" DESC LIMIT $2)
  SELECT json_build_object(${readAtSql}, 'id', $3::text, 'root', $1::text, 'total', (SELECT count(*) FROM told),
    'events', ${arraySql(`SELECT ${eventSql} AS item FROM shown e ORDER BY e."position"`)}, 'open', '[]'::json) AS view`;

async function tell(database: Pool, id: string, limit: number): Promise<TraceView> {
  const root = await readView(database, rootShape, rootSql, [id]);
  const [subject, text] = root?.order
    ? [root.order, tellSql(ofOrder)]
    : root?.line
      ? [root.line, tellSql(ofLine)]
      : root?.customer
        ? [root.customer, ofCustomer]
        : [id, ofItself];
  const story = await readOne(database, traceShape, 'event', id, text, [subject, limit, id]);
  if (story.total === 0 && !root) throw notFound('resource', id);
  return story;
}

export const traceEvents = query({
  name: 'event.trace',
  summary: 'Tell the story of anything: order, line, payment, bill, number or customer',
  audience: ['operator'],
  input: z.strictObject({
    id: z.string().min(1).max(200).describe('An id, a number or a bill number'),
    limit: z.number().int().min(1).max(500).default(100).describe('How many events, the newest of them'),
  }),
  output: traceShape,
  positional: ['id'],
  examples: ['bss trace ord_…', 'bss trace 6581000042'],
  view: 'timeline',
  run: (database, { id, limit }) => tell(database, id, limit),
});
