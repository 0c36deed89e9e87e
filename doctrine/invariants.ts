import type { CardGateway } from '../adapters/card-gateway.ts';
import type { DesiredLine, Network, networkStates } from '../adapters/network.ts';
import { isJsonObject } from '../kernel/json.ts';
import { runStatement } from '../policy/core/transaction.ts';
import { bookStatements, compareBooks, type Queries } from '../read/views/books.ts';

/** Something that must never be, found: which invariant it breaks, and the rows that show it. */
export interface Breach {
  readonly invariant: string;
  readonly facts: Readonly<Record<string, unknown>>;
}

interface Invariant {
  readonly name: string;
  /** Holds only once nothing that is due waits any more. */
  readonly whenQuiet: boolean;
  /** Finds the rows that break it. */
  readonly sql: string;
}

const always = (name: string, sql: string): Invariant => ({ name, whenQuiet: false, sql });
const quiet = (name: string, sql: string): Invariant => ({ name, whenQuiet: true, sql });

/**
 * What holds at every instant, seen from any snapshot of the database, and what holds once the work that is due is done.
 * Each statement selects what breaks its invariant, so an empty answer is a good one.
 */
export const invariants: readonly Invariant[] = [
  // ---- quota and money, in our own books: the statements that operators ask too ----
  ...bookStatements.map(({ name, sql }) => always(name, sql)),
  // ---- quota ----
  always(
    'quota: what usage records charged is what buckets lost',
    `SELECT * FROM
       (SELECT "subscription_id", "kind", sum("used") AS used FROM "bucket" GROUP BY 1, 2) b
       FULL JOIN (SELECT "subscription_id", "kind", sum("charged") AS charged FROM "usage" WHERE "state" = 'rated' AND "subscription_id" IS NOT NULL GROUP BY 1, 2) u
         USING ("subscription_id", "kind")
      WHERE coalesce(b.used, 0) <> coalesce(u.charged, 0)`,
  ),
  always(
    'usage: a rated record is charged and excess, a rejected one neither',
    `SELECT "id", "state", "quantity", "charged", "excess" FROM "usage"
      WHERE ("state" = 'rated' AND "quantity" <> "charged" + "excess") OR ("state" = 'rejected' AND coalesce("charged", 0) <> 0)`,
  ),
  quiet(
    'block on exhaust: an active line has data left',
    `SELECT s."id" FROM "subscription" s WHERE s."state" = 'active' AND NOT EXISTS (
       SELECT 1 FROM "bucket" b WHERE b."subscription_id" = s."id" AND b."kind" = 'data' AND b."state" = 'active'
         AND (b."remaining" IS NULL OR b."remaining" > 0) AND (b."expires_at" IS NULL OR b."expires_at" > business_now()))`,
  ),
  always(
    'alerts: an open bucket knows whether its line asked to be told',
    `SELECT b."id", b."alerted" FROM "bucket" b WHERE b."state" = 'active' AND b."alerted" <> EXISTS (
       SELECT 1 FROM "balance_alert" a WHERE a."subscription_id" = b."subscription_id" AND a."kind" = b."kind")`,
  ),
  // ---- no money without service, no service without money ----
  always(
    'service: a live line was paid for',
    `SELECT s."id", s."state" FROM "subscription" s
      WHERE s."state" IN ('active', 'blocked') AND NOT EXISTS (
        SELECT 1 FROM "order_item" i JOIN "payment" p ON p."id" = i."payment_id"
         WHERE i."subscription_id" = s."id" AND i."action" = 'add' AND p."state" IN ('captured', 'done'))`,
  ),
  always(
    'service: quota was paid for',
    `SELECT b."id", b."payment_id" FROM "bucket" b LEFT JOIN "payment" p ON p."id" = b."payment_id"
      WHERE p."state" IS DISTINCT FROM 'captured' AND NOT (p."state" = 'done' AND b."state" = 'expired')`,
  ),
  quiet(
    'money: what was taken for an order was delivered or given back',
    `SELECT i."id", i."state" AS item, p."state" AS payment FROM "order_item" i LEFT JOIN "payment" p ON p."id" = i."payment_id"
      WHERE (i."state" = 'completed' AND i."action" = 'add' AND p."state" IS DISTINCT FROM 'captured' AND p."state" IS DISTINCT FROM 'done')
         OR (i."state" IN ('failed', 'cancelled') AND p."state" NOT IN ('denied', 'failed', 'canceled', 'done'))`,
  ),
  quiet(
    'money: what was taken for a renewal opened a period',
    `SELECT p."id", p."period_number" FROM "payment" p
      WHERE p."purpose" = 'renewal' AND ((p."state" = 'captured' AND NOT EXISTS (
        SELECT 1 FROM "bucket" b WHERE b."payment_id" = p."id" AND b."source" = 'plan'))
        OR p."state" IN ('pendingAuthorization', 'authorized'))`,
  ),
  // A change of plan or the end of a line is pending until the boundary: so is its item, and an order that has nothing
  // else to wait for.
  quiet(
    'orders: every order has come to an end, and its items with it, but for what waits for a renewal',
    `SELECT o."id", o."state", i."item_id", i."state" AS item FROM "product_order" o LEFT JOIN "order_item" i ON i."product_order_id" = o."id"
      WHERE (o."state" NOT IN ('completed', 'failed', 'partial', 'rejected', 'cancelled') AND NOT (o."state" = 'pending' AND EXISTS (
          SELECT 1 FROM "order_item" w WHERE w."product_order_id" = o."id" AND w."action" IN ('modify', 'delete') AND w."state" = 'pending')))
         OR (i."id" IS NOT NULL AND i."state" NOT IN ('completed', 'failed', 'cancelled', 'rejected') AND NOT (i."action" IN ('modify', 'delete') AND i."state" = 'pending'))`,
  ),
  always(
    'orders: the end of a line that is open is known to its line',
    `SELECT i."id", i."state", s."id" AS line, s."state" AS line_state FROM "order_item" i JOIN "subscription" s ON s."id" = i."subscription_id"
      WHERE i."action" = 'delete' AND i."state" NOT IN ('completed', 'failed', 'cancelled', 'rejected') AND (s."end_item_id" IS DISTINCT FROM i."id" OR s."ends_at" IS NULL)
    UNION ALL SELECT i."id", i."state", s."id", s."state" FROM "subscription" s LEFT JOIN "order_item" i ON i."id" = s."end_item_id"
      WHERE s."end_item_id" IS NOT NULL AND s."state" <> 'terminated' AND (i."id" IS NULL OR i."state" IN ('completed', 'failed', 'cancelled', 'rejected'))`,
  ),
  always(
    'orders: a change of plan that is open waits for one live line, and the line for it',
    `SELECT i."id", i."state", s."id" AS line, s."state" AS line_state, s."pending_change" FROM
       (SELECT * FROM "order_item" WHERE "action" = 'modify' AND "state" NOT IN ('completed', 'failed', 'cancelled', 'rejected')) i
       FULL JOIN (SELECT * FROM "subscription" WHERE "pending_change" IS NOT NULL) s
         ON s."id" = i."subscription_id" AND s."pending_change" ->> 'orderItemId' = i."id"
      WHERE i."id" IS NULL OR s."id" IS NULL OR s."state" NOT IN ('active', 'blocked') OR s."document" -> 'pendingChange' IS NULL`,
  ),
  always(
    'orders: plan, price and allowances of a line are of one offering, and its product says so',
    `SELECT "id", "plan_code", "price_minor", "terms" FROM "subscription"
      WHERE ("terms" ->> 'offeringId', "terms" ->> 'code', ("terms" ->> 'amountMinor')::int, ("terms" ->> 'taxRate')::int)
          IS DISTINCT FROM ("offering_id", "plan_code", "price_minor", "tax_rate")
        OR "document" -> 'productOffering' ->> 'id' IS DISTINCT FROM "offering_id"`,
  ),
  always(
    'money: the period that runs was paid for at the price of its plan',
    `SELECT b."subscription_id", b."period_number", p."id", p."amount_minor", s."price_minor" FROM "bucket" b
       JOIN "payment" p ON p."id" = b."payment_id" JOIN "subscription" s ON s."id" = b."subscription_id"
      WHERE b."source" = 'plan' AND b."period_number" = s."period_number"
        AND (p."amount_minor" IS DISTINCT FROM s."price_minor" OR b."offering_id" <> s."offering_id")`,
  ),
  quiet(
    'orders: service orders have come to an end',
    `SELECT "id", "state" FROM "service_order" WHERE "product_order_id" IS NOT NULL AND "state" NOT IN ('completed', 'failed', 'cancelled')`,
  ),
  quiet(
    'orders: a failed item leaves no live line',
    `SELECT i."id", s."id" AS subscription, s."state" FROM "order_item" i JOIN "subscription" s ON s."id" = i."subscription_id"
      WHERE i."state" = 'failed' AND i."service_order_id" IS NOT NULL AND s."state" <> 'terminated'`,
  ),
  // ---- numbers and eSIM profiles ----
  quiet(
    'stock: nothing is left reserved',
    `SELECT "msisdn" AS id, "state" FROM "phone_number" WHERE "state" = 'reserved' UNION ALL
     SELECT "id", "state" FROM "esim_profile" WHERE "state" = 'reserved'`,
  ),
  always(
    'stock: a number that is assigned serves its line, and a live line has its number',
    `SELECT n."msisdn", n."subscription_id", s."id" AS line, s."state" FROM
       (SELECT * FROM "phone_number" WHERE "state" = 'assigned') n
       FULL JOIN (SELECT * FROM "subscription" WHERE "state" IN ('active', 'blocked')) s ON s."id" = n."subscription_id" AND s."msisdn" = n."msisdn"
      WHERE n."msisdn" IS NULL OR (s."id" IS NULL AND NOT EXISTS (
        SELECT 1 FROM "subscription" t WHERE t."id" = n."subscription_id" AND t."state" = 'terminated'))`,
  ),
  quiet(
    'stock: an ended line holds neither number nor profile',
    `SELECT s."id", h.held, h."state" FROM (
       SELECT unnest(ARRAY["subscription_id", "held_for"]) AS line, "msisdn" AS held, "state" FROM "phone_number"
       UNION ALL SELECT unnest(ARRAY["subscription_id", "held_for"]), "id", "state" FROM "esim_profile" WHERE "state" <> 'deleted') h
       JOIN "subscription" s ON s."id" = h.line AND s."state" = 'terminated'`,
  ),
  always(
    'stock: a profile that was handed out serves a line, and a live line has its profile',
    `SELECT e."id", s."id" AS line FROM
       (SELECT * FROM "esim_profile" WHERE "state" IN ('released', 'downloaded', 'installed', 'enabled', 'disabled')) e
       FULL JOIN (SELECT * FROM "subscription" WHERE "state" IN ('active', 'blocked')) s ON s."id" = e."subscription_id" AND s."esim_id" = e."id"
      WHERE e."id" IS NULL OR (s."id" IS NULL AND NOT EXISTS (
        SELECT 1 FROM "subscription" t WHERE t."id" = e."subscription_id" AND t."state" = 'terminated'))`,
  ),
  always(
    'stock: a live line has one open assignment of its number',
    `SELECT s."id", count(a."id") AS open FROM "subscription" s
       LEFT JOIN "number_assignment" a ON a."subscription_id" = s."id" AND a."msisdn" = s."msisdn" AND a."released_at" IS NULL
      WHERE s."state" IN ('active', 'blocked') GROUP BY s."id" HAVING count(a."id") <> 1`,
  ),
  // ---- flow steps ----
  quiet(
    'work: nothing that is due is left',
    `SELECT "id", "flow", "step", "attempts", "last_error" FROM "flow_step" WHERE "state" = 'waiting' AND "due_at" <= business_now()`,
  ),
  quiet(
    'network: every task it was given is answered',
    `SELECT "id", "state" FROM "monitor" WHERE "service_id" IS NOT NULL AND "state" = 'InProgress'`,
  ),
];

// Tables whose rows are events' resources: each change of a row is an event, and each event has its row. A view has none.
const tablesOfResources = `SELECT t.table_name AS name FROM information_schema.columns t
  WHERE t.table_schema = current_schema() AND t.column_name = 'version'
    AND EXISTS (SELECT 1 FROM information_schema.columns d WHERE d.table_schema = t.table_schema AND d.table_name = t.table_name AND d.column_name = 'document')
    AND EXISTS (SELECT 1 FROM pg_tables b WHERE b.schemaname = t.table_schema AND b.tablename = t.table_name)
  ORDER BY 1`;

// Rows and events are laid together and read in one sorted pass. A join of the two was planned while the tables were small,
// and the plan, kept with the prepared statement, looked through all events for each row once they had grown.
// A row comes after its events, so what stands before it is the newest. Some events announce a version that another wrote.
const announcements = '(InformationRequired|Resolved)Event$';
const eventsOf = (tables: readonly string[]) => `
  SELECT "table", "id", "version", events, newest, oldest, "type", "command", told IS NOT DISTINCT FROM "document" AS same FROM (
    SELECT "table", "id", "version", "document", count("sequence") OVER w AS events, min("sequence") OVER w AS oldest,
        lag("sequence") OVER w AS newest, lag("type") OVER w AS "type", lag("command") OVER w AS "command", lag("document") OVER w AS told FROM (
      SELECT NULL AS "table", "resource_id" AS "id", NULL::bigint AS "version", "resource" AS "document", "resource_sequence" AS "sequence", "type", "command"
        FROM "event" WHERE "type" !~ '${announcements}'
      ${tables.map((table) => `UNION ALL SELECT '${table}', "id", "version", "document", NULL, NULL, NULL FROM "${table}"`).join('\n      ')}) a
    WINDOW w AS (PARTITION BY "id" ORDER BY "sequence" NULLS LAST)) r
   WHERE "table" IS NOT NULL AND (events IS DISTINCT FROM "version" OR newest IS DISTINCT FROM "version" OR oldest IS DISTINCT FROM 1
     OR told IS DISTINCT FROM "document")`;

const tablesWithId = `SELECT table_name AS name FROM information_schema.columns
  WHERE table_schema = current_schema() AND column_name = 'id' AND data_type = 'text' AND table_name <> 'event'
    AND table_name IN (SELECT tablename FROM pg_tables WHERE schemaname = current_schema()) ORDER BY 1`;

// The same way: an id that was created, of which there is neither a row nor a deletion.
const orphanEvents = (tables: readonly string[]) => `
  SELECT "id" AS resource_id, max("type") AS "type" FROM (
    SELECT "resource_id" AS "id", "type", "type" LIKE '%DeleteEvent' AS is_accounted_for FROM "event"
     WHERE ("type" LIKE '%CreateEvent' AND "resource" IS NOT NULL) OR "type" LIKE '%DeleteEvent'
    ${tables.map((table) => `UNION ALL SELECT "id", NULL, true FROM "${table}"`).join('\n    ')}) a
   GROUP BY "id" HAVING NOT bool_or(is_accounted_for)`;

export interface InvariantParts {
  /** The database: a pool, or one connection whose open transaction is to be judged. */
  readonly pool: Queries;
  /** The gateway whose book is compared with ours. */
  readonly gateway?: Pick<CardGateway, 'book'>;
  /** The network that is asked what it believes of each line. */
  readonly network?: Pick<Network, 'line'>;
}

/**
 * Looks for everything that must not be. With `quiet` also for what may only be under way.
 * Money is compared with the gateway's own book, and lines with what the network believes, only when quiet.
 */
export async function breaches(parts: InvariantParts, options: { quiet: boolean }): Promise<Breach[]> {
  const found: Breach[] = [];
  for (const { name, whenQuiet, sql } of invariants) {
    if (whenQuiet && !options.quiet) continue;
    for (const facts of await rows(parts.pool, sql)) found.push({ invariant: name, facts });
  }
  found.push(...(await eventBreaches(parts.pool)));
  if (!options.quiet) return found;
  if (parts.gateway) found.push(...(await bookBreaches(parts.pool, parts.gateway)));
  if (parts.network) found.push(...(await networkBreaches(parts.pool, parts.network)));
  return found;
}

const rows = (pool: Queries, sql: string) => runStatement<Record<string, unknown>>(pool, sql, []);

async function eventBreaches(pool: Queries): Promise<Breach[]> {
  const tables = (await runStatement<{ name: string }>(pool, tablesOfResources, [])).map(({ name }) => name);
  const found: Breach[] = [];
  for (const facts of await rows(pool, eventsOf(tables))) {
    found.push({ invariant: 'events: each version of a row is one event, and the last is the row', facts });
  }
  const named = (await runStatement<{ name: string }>(pool, tablesWithId, [])).map(({ name }) => name);
  for (const facts of await rows(pool, orphanEvents(named)))
    found.push({ invariant: 'events: what was created is there', facts });
  return found;
}

/** Our books beside the gateway's, when nothing is under way. */
async function bookBreaches(pool: Queries, gateway: Pick<CardGateway, 'book'>): Promise<Breach[]> {
  const { differences } = await compareBooks(pool, gateway, { leaveOutUnderWay: false });
  return differences.map(({ check, id, facts }) => ({ invariant: `book: ${check}`, facts: { id, ...facts } }));
}

const linesOfServices = `SELECT v."id" AS service, v."desired", s."id", s."state" FROM "service" v JOIN "subscription" s ON s."service_id" = v."id"`;

/** The network serves a line exactly when and as far as we say so. */
async function networkBreaches(pool: Queries, network: Pick<Network, 'line'>): Promise<Breach[]> {
  const found: Breach[] = [];
  const lines = await runStatement<{ service: string; desired: unknown; id: string; state: string }>(
    pool,
    linesOfServices,
    [],
  );
  for (const { service, desired, id, state } of lines) {
    const believed = await network.line(service);
    const wanted = state === 'active' ? 'active' : state === 'terminated' ? 'terminated' : 'inactive';
    const switches = (['data', 'voice', 'sms', 'roamingData'] as const).filter(
      (name) => isJsonObject(desired) && believed?.state === 'active' && believed[name] !== desired[name],
    );
    if (!isSame(believed, wanted) || switches.length > 0) {
      found.push({
        invariant: 'network: a line is served as we say',
        facts: { id, state, desired, believed, switches },
      });
    }
  }
  return found;
}

function isSame(believed: DesiredLine | undefined, wanted: (typeof networkStates)[number]): boolean {
  // A line that the network never had serves nobody.
  return believed === undefined ? wanted !== 'active' : believed.state === wanted;
}
