import { z } from 'zod';
import { ownerOf, query, readList, readOne } from './query.ts';
import {
  arraySql,
  instant,
  listShape,
  moneyShape,
  moneySql,
  page,
  personShape,
  readAt,
  readAtSql,
  timeZoneSql,
} from './shapes.ts';

/**
 * The stages from click to coverage. An add-on to a live line skips those that make a line; the end of a line skips
 * those that take money too.
 */
export const orderStages = [
  'acknowledged',
  'authorised',
  'reserved',
  'provisioned',
  'captured',
  'enabled',
  'completed',
] as const;
export type OrderStage = (typeof orderStages)[number];

const stageShape = z.object({
  name: z.enum(orderStages),
  state: z.enum(['done', 'running', 'waiting', 'failed', 'skipped']),
  at: instant.nullable().describe('When it was reached, in business time'),
  reason: z.string().nullable().describe('Why it failed, or why it is tried again'),
});

const itemShape = z.object({
  id: z.string(),
  itemId: z.string(),
  action: z.string(),
  state: z.string(),
  offering: z.object({ code: z.string(), name: z.string() }),
  price: moneyShape,
  subscriptionId: z.string().nullable(),
  msisdn: z.string().nullable(),
  payment: z
    .object({
      id: z.string(),
      state: z.string().nullable(),
      amount: moneyShape.nullable(),
      refunded: moneyShape.nullable(),
      reason: z.string().nullable(),
    })
    .nullable(),
  serviceOrder: z.object({ id: z.string(), state: z.string().nullable() }).nullable(),
  stages: z.array(stageShape),
});

export const orderShape = z.object({
  ...readAt,
  id: z.string(),
  state: z.string().nullable(),
  customer: personShape.nullable(),
  orderedAt: instant,
  completedAt: instant.nullable(),
  orderedBy: z.string().nullable().describe('Who placed it, by which door'),
  total: moneyShape.nullable(),
  notes: z.array(z.object({ text: z.string(), at: instant.nullable() })),
  items: z.array(itemShape),
});
export type OrderView = z.infer<typeof orderShape>;
export type OrderItemView = z.infer<typeof itemShape>;

// What is known of one item, from which its stages follow.
const itemRow = z.object({
  ...itemShape.omit({ stages: true }).shape,
  makesLine: z.boolean(),
  /** Whether it waits for a renewal, as a change of plan and the end of a line do. */
  waitsForRenewal: z.boolean(),
  acknowledgedAt: instant,
  authorisedAt: instant.nullable(),
  reservedAt: instant.nullable(),
  provisionedAt: instant.nullable(),
  capturedAt: instant.nullable(),
  enabledAt: instant.nullable(),
  completedAt: instant.nullable(),
  trouble: z.string().nullable(),
  failure: z.string().nullable(),
});
const orderRow = z.object({ ...orderShape.shape, items: z.array(itemRow) });

/**
 * The pipeline of one item, from what happened: a stage is done when its fact is there. The first one without its fact
 * is where the item stands: running, or failed when the item has ended.
 */
export function stagesOf(item: z.infer<typeof itemRow>): z.infer<typeof stageShape>[] {
  const facts: Readonly<Record<OrderStage, string | null>> = {
    acknowledged: item.acknowledgedAt,
    authorised: item.authorisedAt,
    reserved: item.reservedAt,
    provisioned: item.provisionedAt,
    captured: item.capturedAt,
    enabled: item.enabledAt,
    completed: item.completedAt,
  };
  const ofLine: readonly OrderStage[] = ['reserved', 'provisioned', 'enabled'];
  // What waits for a renewal asks no card and makes no line: the renewal completes it.
  const ofWaiting: readonly OrderStage[] = ['acknowledged', 'completed'];
  const applying = orderStages.filter((name) =>
    item.waitsForRenewal ? ofWaiting.includes(name) : item.makesLine || !ofLine.includes(name),
  );
  const isOver = ['failed', 'cancelled', 'rejected'].includes(item.state);
  const standsAt = item.state === 'completed' ? undefined : applying.find((name) => facts[name] === null);
  return applying.map((name) => {
    const at = facts[name];
    if (at !== null) return { name, state: 'done', at, reason: null };
    if (item.state === 'completed') return { name, state: 'done', at: null, reason: null };
    if (name !== standsAt) return { name, state: isOver ? 'skipped' : 'waiting', at: null, reason: null };
    return isOver
      ? { name, state: 'failed', at: null, reason: item.failure }
      : { name, state: 'running', at: null, reason: item.trouble };
  });
}

const itemsSql =
  arraySql(`SELECT json_build_object('id', i."id", 'itemId', i."item_id", 'action', i."action", 'state', i."state",
    'offering', json_build_object('code', coalesce(i."terms" ->> 'code', i."offering_id", ''), 'name', coalesce(i."terms" ->> 'name', i."offering_id", '')),
    'price', ${moneySql('i."amount_minor"', 'i."currency"')}, 'subscriptionId', i."subscription_id", 'msisdn', i."msisdn",
    'payment', CASE WHEN p."id" IS NULL THEN NULL ELSE json_build_object('id', p."id", 'state', p."state", 'amount', ${moneySql('p."amount_minor"', 'p."currency"')},
      'refunded', CASE WHEN p."refunded_minor" > 0 THEN ${moneySql('p."refunded_minor"', 'p."currency"')} END,
      'reason', coalesce(p."document" ->> 'statusReason', p."failure_reason")) END,
    'serviceOrder', CASE WHEN so."id" IS NULL THEN NULL ELSE json_build_object('id', so."id", 'state', so."state") END,
    'makesLine', coalesce(i."terms" ->> 'kind', 'plan') = 'plan' AND i."action" = 'add',
    'waitsForRenewal', i."action" IN ('modify', 'delete'),
    'acknowledgedAt', wire_time(o."created_at"), 'authorisedAt', wire_time(p."authorised_at"), 'reservedAt', wire_time(v."created_at"),
    'provisionedAt', wire_time(m."provisioned"), 'capturedAt', wire_time(p."captured_at"), 'enabledAt', wire_time(m."enabled"),
    'completedAt', CASE WHEN i."state" = 'completed' THEN coalesce(o."document" ->> 'completionDate', wire_time(o."updated_at")) END,
    'trouble', CASE WHEN i."action" = 'modify' THEN (SELECT 'waits for the renewal on ' || to_char(min(f."due_at") AT TIME ZONE ${timeZoneSql}, 'YYYY-MM-DD')
      FROM "flow_step" f WHERE f."flow" = 'renewal' AND f."subject" = i."subscription_id" AND f."state" = 'waiting') ELSE (SELECT f."last_error" FROM "flow_step" f WHERE f."subject" IN (i."id", i."service_id") AND f."state" = 'waiting' AND f."last_error" IS NOT NULL
      ORDER BY f."not_before" DESC LIMIT 1) END,
    'failure', CASE WHEN i."state" IN ('failed', 'cancelled', 'rejected') THEN
      coalesce(CASE WHEN p."state" IN ('denied', 'failed') THEN coalesce(p."document" ->> 'statusReason', p."failure_reason") END,
        o."document" -> 'note' -> -1 ->> 'text', p."document" ->> 'statusReason') END) AS item
  FROM "order_item" i
    LEFT JOIN "payment" p ON p."id" = i."payment_id"
    LEFT JOIN "service_order" so ON so."id" = i."service_order_id"
    LEFT JOIN "service" v ON v."id" = i."service_id"
    LEFT JOIN LATERAL (SELECT min(n."confirmed_at") FILTER (WHERE n."desired" ->> 'state' = 'inactive') AS "provisioned",
        min(n."confirmed_at") FILTER (WHERE n."desired" ->> 'state' = 'active') AS "enabled"
      FROM "monitor" n WHERE n."service_id" = i."service_id") m ON true
  WHERE i."product_order_id" = o."id" ORDER BY i."id"`);

const notesSql = arraySql(`SELECT json_build_object('text', coalesce(n ->> 'text', ''), 'at', n ->> 'date') AS item
  FROM jsonb_array_elements(CASE jsonb_typeof(o."document" -> 'note') WHEN 'array' THEN o."document" -> 'note' ELSE '[]' END) n`);

const orderedBySql = `(SELECT coalesce(e."caller" ->> 'name', e."caller" ->> 'id') || ' (' || coalesce(e."caller" ->> 'surface', e."caller" ->> 'audience', '') || ')'
  FROM "event" e WHERE e."resource_type" = 'productOrder' AND e."resource_id" = o."id" ORDER BY e."resource_sequence" LIMIT 1)`;

const totalSql = `(SELECT ${moneySql('sum(t."amount_minor")', 'min(t."currency")')} FROM "order_item" t WHERE t."product_order_id" = o."id")`;

export const showOrder = query({
  name: 'order.show',
  summary: 'Show an order: its items and how far each has come',
  audience: ['operator', 'customer', 'integrator'],
  input: z.strictObject({ orderId: z.string().describe('The product order') }),
  output: orderShape,
  positional: ['orderId'],
  examples: ['bss order show ord_…', 'bss order show ord_… --watch'],
  view: 'order-pipeline',
  run: async (database, { orderId }, caller) => {
    const row = await readOne(
      database,
      orderRow,
      'order',
      orderId,
      `SELECT json_build_object(${readAtSql}, 'id', o."id", 'state', o."state",
        'customer', CASE WHEN o."customer_id" IS NULL THEN NULL ELSE json_build_object('id', o."customer_id", 'name', c."name") END,
        'orderedAt', wire_time(o."created_at"), 'completedAt', o."document" ->> 'completionDate',
        'orderedBy', CASE WHEN $2::text IS NULL THEN ${orderedBySql} END,
        'total', ${totalSql}, 'notes', ${notesSql}, 'items', ${itemsSql}) AS view
      FROM "product_order" o LEFT JOIN "customer" c ON c."id" = o."customer_id"
      WHERE o."id" = $1 AND ($2::text IS NULL OR o."customer_id" = $2)`,
      [orderId, ownerOf(caller)],
    );
    return orderShape.parse({ ...row, items: row.items.map((item) => ({ ...item, stages: stagesOf(item) })) });
  },
});

const orderList = listShape(
  z.object({
    id: z.string(),
    state: z.string().nullable(),
    customer: personShape.nullable(),
    orderedAt: instant,
    offerings: z.array(z.string()),
    total: moneyShape.nullable(),
    note: z.string().nullable(),
  }),
);
export type OrderList = z.infer<typeof orderList>;

export const listOrders = query({
  name: 'order.list',
  summary: 'List orders, newest first',
  audience: ['operator', 'customer', 'integrator'],
  input: z.strictObject({
    customerId: z.string().optional().describe('Orders of this customer only'),
    state: z
      .enum([
        'acknowledged',
        'rejected',
        'pending',
        'held',
        'inProgress',
        'cancelled',
        'completed',
        'failed',
        'partial',
        'assessingCancellation',
        'pendingCancellation',
      ])
      .optional()
      .describe('Orders in this state only'),
    ...page,
  }),
  output: orderList,
  examples: ['bss order list --state failed', 'bss order list --customer-id cus_…'],
  view: 'order-list',
  run: (database, input) =>
    readList(
      database,
      orderList,
      `SELECT json_build_object('id', o."id", 'state', o."state", 'orderedAt', wire_time(o."created_at"),
        'customer', CASE WHEN o."customer_id" IS NULL THEN NULL ELSE json_build_object('id', o."customer_id", 'name', c."name") END,
        'offerings', ${arraySql(`SELECT coalesce(i."terms" ->> 'code', i."offering_id") AS item FROM "order_item" i WHERE i."product_order_id" = o."id" ORDER BY i."id"`)},
        'total', ${totalSql}, 'note', o."document" -> 'note' -> -1 ->> 'text') AS item, o."id" AS "cursor"
      FROM "product_order" o LEFT JOIN "customer" c ON c."id" = o."customer_id"
      WHERE ($2::text IS NULL OR o."customer_id" = $2) AND ($3::text IS NULL OR o."state" = $3) AND ($4::text IS NULL OR o."id" < $4)
      ORDER BY o."id" DESC LIMIT $1 + 1`,
      input.limit,
      [input.customerId ?? null, input.state ?? null, input.after ?? null],
    ),
});
