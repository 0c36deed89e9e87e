import { systemCaller } from '../../kernel/caller.ts';
import { type Policy, transaction } from '../core/command.ts';
import { runStatement, type Tx } from '../core/transaction.ts';
import { contractEvent, observedResources } from './contract-events.ts';

/** What the relay is given by whoever runs it. */
export interface RelayParts {
  readonly policy: Policy;
  /** The statement that finds, among the events `$1` named `$2`, those that a subscription's query lets through. */
  readonly matching: (query: string) => { text: string; values: readonly unknown[] };
  readonly warn: (facts: object, message: string) => void;
  /** Events that one transaction relays at most. */
  readonly batch: number;
}

export interface RelayedBatch {
  readonly deliveries: number;
  /** As many events as a batch holds were there: there may be more. */
  readonly full: boolean;
  readonly moved: boolean;
  /** Nobody has subscribed to anything: there is no hurry. */
  readonly unheard?: boolean;
}

interface EventRow {
  position: bigint;
  transactionId: bigint;
  type: string;
  resourceType: string;
  resourceId: string;
  resourceSequence: bigint;
}

interface HubRow {
  id: string;
  api: string;
  query: string | null;
  registeredSnapshot: string | null;
}

interface CursorRow {
  transactionId: bigint;
  position: bigint;
  floorPosition: bigint;
}

const columns = `e."position", e."transaction_id", e."type", e."resource_type", e."resource_id", e."resource_sequence"`;
const oldestRunning = '(pg_snapshot_xmin(pg_current_snapshot()))::text::bigint';

/**
 * Asked without a transaction of its own and without a lock, so that an idle relay costs one small read. The order names
 * the index: asked only whether there is any, the planner reads the table from its beginning, past all that was relayed.
 */
const hasWork = `SELECT EXISTS (SELECT FROM (SELECT e."transaction_id" FROM "event" e WHERE (e."transaction_id", e."position") > (c."transaction_id", c."position")
      AND e."position" > c."floor_position" AND e."transaction_id" < ${oldestRunning} ORDER BY e."transaction_id", e."position" LIMIT 1) next)
    OR EXISTS (SELECT FROM "held_event") OR EXISTS (SELECT FROM "event_replay")
    OR c."transaction_id" >= (pg_snapshot_xmax(pg_current_snapshot()))::text::bigint AS work
  FROM "relay_cursor" c`;

/**
 * Turns committed events into deliveries, one for each hub that wants it.
 *
 * It reads in the order of transaction ids, and only those below the oldest transaction that still runs: nothing can
 * appear later behind the cursor. Ids do not tell who committed first, so an event may be readable while an earlier event
 * of the same resource, written by a younger transaction, is not. Such an event is held until the earlier one was relayed.
 * One process at a time relays: whoever holds the cursor's row. Cursor and deliveries move in one transaction.
 */
export async function relayEvents(parts: RelayParts): Promise<RelayedBatch> {
  const [state] = await runStatement<{ work: boolean }>(parts.policy.pool, hasWork, []);
  if (!state?.work) return { deliveries: 0, full: false, moved: false };
  return transaction(parts.policy, 'notification.relay', systemCaller('relay'), {}, (tx) => relayBatch(parts, tx));
}

async function relayBatch(parts: RelayParts, tx: Tx): Promise<RelayedBatch> {
  const { batch } = parts;
  const [cursor] = await tx.sql<CursorRow>`SELECT * FROM "relay_cursor" FOR UPDATE SKIP LOCKED`;
  if (!cursor) return { deliveries: 0, full: false, moved: false };
  // Lost at a crash, cursor and deliveries are lost together and made again.
  await tx.sql`SELECT set_config('synchronous_commit', 'off', true)`;
  if (await beginAgainAfterRestore(parts, tx)) return { deliveries: 0, full: true, moved: true };

  const passed = await passUnheard(tx, cursor);
  if (passed) return passed;
  const held = await tx.run<EventRow>(
    `SELECT ${columns} FROM "held_event" h JOIN "event" e ON e."position" = h."position" ORDER BY h."position" LIMIT ${batch}`,
    [],
  );
  const fresh = await tx.run<EventRow>(
    `SELECT ${columns} FROM "event" e WHERE (e."transaction_id", e."position") > ($1, $2) AND e."position" > $3
      AND e."transaction_id" < ${oldestRunning} ORDER BY e."transaction_id", e."position" LIMIT ${batch}`,
    [cursor.transactionId, cursor.position, cursor.floorPosition],
  );
  // Read after the events: who was registered before an event committed is seen here. The lock keeps them until commit.
  const hubs = await tx.run<HubRow>(
    'SELECT "id", "api", "query", "registered_snapshot" FROM "hub" ORDER BY "id" FOR KEY SHARE',
    [],
  );
  // All events of a resource that anybody hears of, told or not: those that are told keep their place among the others.
  const observed = new Set(hubs.flatMap(({ api }) => observedResources(api)));
  const seen = [...held, ...fresh].filter(({ resourceType }) => observed.has(resourceType));
  const { released, kept } = await sortOut(tx, cursor, seen);
  await hold(tx, held, kept);
  let deliveries = await fanOut(parts, tx, hubs, released, (hub, event) => !wasCommitted(hub, event.transactionId));

  const last = fresh.at(-1);
  const next = last ? { ...cursor, transactionId: last.transactionId, position: last.position } : cursor;
  if (last) {
    await tx.sql`UPDATE "relay_cursor" SET "transaction_id" = ${last.transactionId}, "position" = ${last.position}`;
  }
  const replayed = await replay(parts, tx, hubs, next);
  deliveries += replayed.deliveries;
  return {
    deliveries,
    full: fresh.length === batch || held.length === batch || replayed.moved,
    moved: fresh.length > 0 || released.length > 0,
  };
}

const noHub = `SELECT NOT EXISTS (SELECT FROM "hub") AND NOT EXISTS (SELECT FROM "held_event") AS unheard`;

/** Where nobody listens, nothing is told: the cursor goes past all that can be read at once. */
async function passUnheard(tx: Tx, cursor: CursorRow): Promise<RelayedBatch | undefined> {
  const [before] = await tx.run<{ unheard: boolean }>(noHub, []);
  if (!before?.unheard) return undefined;
  const [last] = await tx.run<Pick<CursorRow, 'transactionId' | 'position'>>(
    `SELECT e."transaction_id", e."position" FROM "event" e WHERE (e."transaction_id", e."position") > ($1, $2)
      AND e."transaction_id" < ${oldestRunning} ORDER BY e."transaction_id" DESC, e."position" DESC LIMIT 1`,
    [cursor.transactionId, cursor.position],
  );
  // Asked again after the events were read: who was registered before one of them committed is seen here.
  const [after] = await tx.run<{ unheard: boolean }>(noHub, []);
  if (!after?.unheard) return undefined;
  if (last) {
    await tx.sql`UPDATE "relay_cursor" SET "transaction_id" = ${last.transactionId}, "position" = ${last.position}`;
  }
  return { deliveries: 0, full: false, moved: last !== undefined, unheard: true };
}

/**
 * A copy restored into another cluster brings transaction ids from a future that never was here. What came with it is
 * then told by position, and what it had not relayed yet is relayed from the shelf of held events.
 */
async function beginAgainAfterRestore({ warn }: RelayParts, tx: Tx): Promise<boolean> {
  const [foreign] =
    await tx.sql`SELECT FROM "relay_cursor" WHERE "transaction_id" >= (pg_snapshot_xmax(pg_current_snapshot()))::text::bigint`;
  if (!foreign) return false;
  await tx.sql`WITH copied AS (SELECT coalesce(max("position"), 0) AS last FROM "event" WHERE "transaction_id" >= (pg_snapshot_xmax(pg_current_snapshot()))::text::bigint)
    INSERT INTO "held_event" ("position") SELECT e."position" FROM "event" e, "relay_cursor" c, copied
      WHERE (e."transaction_id", e."position") > (c."transaction_id", c."position") AND e."position" > c."floor_position" AND e."position" <= copied.last
    ON CONFLICT DO NOTHING`;
  await tx.sql`UPDATE "relay_cursor" SET "transaction_id" = 0, "position" = 0, "floor_position" = greatest("floor_position",
    (SELECT coalesce(max("position"), 0) FROM "event" WHERE "transaction_id" >= (pg_snapshot_xmax(pg_current_snapshot()))::text::bigint))`;
  await tx.sql`UPDATE "hub" SET "registered_snapshot" = NULL`;
  warn({}, 'the database was restored from a copy: the relay began again behind what the copy held');
  return true;
}

/** Which events may go out now: those whose predecessor, if they have one, was relayed or goes out with them. */
async function sortOut(
  tx: Tx,
  cursor: CursorRow,
  seen: readonly EventRow[],
): Promise<{ released: EventRow[]; kept: EventRow[] }> {
  if (seen.length === 0) return { released: [], kept: [] };
  const before = await tx.run<{ position: bigint; before: bigint; isRelayed: boolean }>(
    `SELECT f."position", p."position" AS before,
        (p."position" <= $2 OR (p."transaction_id", p."position") <= ($3, $4)) AND NOT EXISTS (SELECT FROM "held_event" h WHERE h."position" = p."position") AS is_relayed
      FROM unnest($1::bigint[]) AS f("position") JOIN "event" e ON e."position" = f."position" CROSS JOIN LATERAL (
        SELECT b."position", b."transaction_id" FROM "event" b
        WHERE b."resource_type" = e."resource_type" AND b."resource_id" = e."resource_id"
          AND b."resource_sequence" <= e."resource_sequence" AND (b."resource_sequence", b."position") < (e."resource_sequence", e."position")
        ORDER BY b."resource_type" DESC, b."resource_id" DESC, b."resource_sequence" DESC, b."position" DESC LIMIT 1) p`,
    [seen.map(({ position }) => position), cursor.floorPosition, cursor.transactionId, cursor.position],
  );
  const predecessors = new Map(before.map((row) => [row.position, row]));
  const inOrder = [...seen].sort(
    (a, b) => compare(a.resourceSequence, b.resourceSequence) || compare(a.position, b.position),
  );
  const going = new Set<bigint>();
  const released: EventRow[] = [];
  const kept: EventRow[] = [];
  for (const event of inOrder) {
    const predecessor = predecessors.get(event.position);
    const isFree = predecessor === undefined || predecessor.isRelayed || going.has(predecessor.before);
    if (isFree) {
      going.add(event.position);
      released.push(event);
    } else kept.push(event);
  }
  return { released, kept };
}

async function hold(tx: Tx, held: readonly EventRow[], kept: readonly EventRow[]): Promise<void> {
  const staying = new Set(kept.map(({ position }) => position));
  const gone = held.filter(({ position }) => !staying.has(position)).map(({ position }) => position);
  if (gone.length > 0) await tx.sql`DELETE FROM "held_event" WHERE "position" = ANY (${gone})`;
  if (kept.length > 0) {
    await tx.sql`INSERT INTO "held_event" ("position") SELECT unnest(${[...staying]}::bigint[]) ON CONFLICT DO NOTHING`;
  }
}

/** Writes deliveries for every hub that wants an event. Locks are taken in the order in which the workers take them. */
async function fanOut(
  parts: RelayParts,
  tx: Tx,
  hubs: readonly HubRow[],
  events: readonly EventRow[],
  isOwed: (hub: HubRow, event: EventRow) => boolean,
): Promise<number> {
  const rows: { hub: string; event: EventRow }[] = [];
  for (const hub of hubs) {
    const told = events.filter((event) => isTold(hub, event) && isOwed(hub, event));
    for (const event of await wanted(parts, tx, hub, told)) rows.push({ hub: hub.id, event });
  }
  if (rows.length === 0) return 0;
  const values = [
    rows.map(({ hub }) => hub),
    rows.map(({ event }) => event.resourceType),
    rows.map(({ event }) => event.resourceId),
  ];
  // A queue that is there is locked by the same word that makes a new one, so no worker removes it as empty meanwhile.
  await tx.run(
    `INSERT INTO "delivery_queue" ("hub_id", "resource_type", "resource_id", "not_before")
      SELECT f.*, clock_timestamp() FROM (SELECT DISTINCT * FROM unnest($1::text[], $2::text[], $3::text[])) AS f("hub_id", "resource_type", "resource_id")
      ORDER BY 1, 2, 3 ON CONFLICT ("hub_id", "resource_type", "resource_id") DO UPDATE SET "hub_id" = excluded."hub_id"`,
    values,
  );
  await tx.run(
    `INSERT INTO "delivery" ("hub_id", "resource_type", "resource_id", "resource_sequence", "position")
      SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[])
      ON CONFLICT ("hub_id", "resource_type", "resource_id", "resource_sequence", "position") DO UPDATE SET "repeats" = "delivery"."repeats" + 1`,
    [...values, rows.map(({ event }) => event.resourceSequence), rows.map(({ event }) => event.position)],
  );
  return rows.length;
}

async function wanted(
  { matching, warn }: RelayParts,
  tx: Tx,
  hub: HubRow,
  events: readonly EventRow[],
): Promise<readonly EventRow[]> {
  if (hub.query === null || events.length === 0) return events;
  const named = events.map((event) => contractEvent(hub.api, event.resourceType, event.type)?.name ?? event.type);
  // A filter that cannot be judged lets everything through: an event too many is noise, one too few is a loss.
  await tx.sql`SAVEPOINT judging`;
  try {
    const statement = matching(hub.query);
    const rows = await tx.run<{ position: bigint }>(statement.text, [
      events.map(({ position }) => position),
      named,
      ...statement.values,
    ]);
    await tx.sql`RELEASE SAVEPOINT judging`;
    const found = new Set(rows.map(({ position }) => position));
    return events.filter(({ position }) => found.has(position));
  } catch (error) {
    await tx.sql`ROLLBACK TO SAVEPOINT judging`;
    warn(
      { hub: hub.id, reason: error instanceof Error ? error.message : String(error) },
      'the query of a subscription could not be judged: it lets all events through',
    );
    return events;
  }
}

/** One batch of the oldest replay. Only what was relayed once is sent again: the rest is still to come. */
async function replay(
  { batch, ...parts }: RelayParts,
  tx: Tx,
  hubs: readonly HubRow[],
  cursor: CursorRow,
): Promise<{ deliveries: number; moved: boolean }> {
  const [asked] = await tx.sql<{
    id: string;
    hubId: string;
    fromAt: Date;
    toAt: Date;
    afterPosition: bigint;
    toPosition: bigint;
  }>`
    SELECT * FROM "event_replay" ORDER BY "id" LIMIT 1 FOR UPDATE`;
  if (!asked) return { deliveries: 0, moved: false };
  const hub = hubs.find(({ id }) => id === asked.hubId);
  const rows = hub
    ? await tx.run<EventRow & { isAsked: boolean }>(
        `SELECT ${columns}, e."occurred_at" >= $3 AND e."occurred_at" < $4
            AND (e."position" <= $5 OR (e."transaction_id", e."position") <= ($6, $7))
            AND NOT EXISTS (SELECT FROM "held_event" h WHERE h."position" = e."position") AS is_asked
          FROM "event" e WHERE e."position" > $1 AND e."position" <= $2 ORDER BY e."position" LIMIT ${batch}`,
        [
          asked.afterPosition,
          asked.toPosition,
          asked.fromAt,
          asked.toAt,
          cursor.floorPosition,
          cursor.transactionId,
          cursor.position,
        ],
      )
    : [];
  const last = rows.at(-1);
  if (hub === undefined || last === undefined) {
    await tx.sql`DELETE FROM "event_replay" WHERE "id" = ${asked.id}`;
    return { deliveries: 0, moved: true };
  }
  const owed = rows.filter(({ isAsked }) => isAsked);
  const deliveries = await fanOut({ batch, ...parts }, tx, [hub], owed, () => true);
  await tx.sql`UPDATE "event_replay" SET "after_position" = ${last.position} WHERE "id" = ${asked.id}`;
  return { deliveries, moved: true };
}

function isTold(hub: HubRow, event: EventRow): boolean {
  return contractEvent(hub.api, event.resourceType, event.type) !== undefined;
}

function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

const snapshots = new Map<string, { xmin: bigint; xmax: bigint; running: Set<string> }>();

/** Whether a transaction had committed when the hub was registered (PostgreSQL's text form of a snapshot). */
function wasCommitted({ registeredSnapshot }: HubRow, transactionId: bigint): boolean {
  if (registeredSnapshot === null) return false;
  let snapshot = snapshots.get(registeredSnapshot);
  if (!snapshot) {
    const [xmin = '0', xmax = '0', running = ''] = registeredSnapshot.split(':');
    snapshot = { xmin: BigInt(xmin), xmax: BigInt(xmax), running: new Set(running.split(',')) };
    if (snapshots.size >= 1000) snapshots.clear();
    snapshots.set(registeredSnapshot, snapshot);
  }
  if (transactionId < snapshot.xmin) return true;
  return transactionId < snapshot.xmax && !snapshot.running.has(String(transactionId));
}
