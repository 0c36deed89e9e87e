import { DateTime } from 'luxon';
import { remoteCardGateway, remoteNetwork } from '../adapters/sandbox/remote.ts';
import { withClient } from '../app/database/roles.ts';
import { breaches, invariants } from '../doctrine/invariants.ts';
import { compareBooks } from '../read/views/books.ts';
import type { Figures, MemorySample, TableSample } from './gates.ts';
import { turnIn } from './model.ts';
import { pause } from './stack.ts';
import type { World } from './world.ts';

/** What is read beside the public doors: the rows themselves, and the books of the outside, which nobody of ours writes. */

const gatewayOf = (world: World) => remoteCardGateway(world.stack.gatewayUrl, world.stack.secret);

function addressOf(world: World): string {
  const address = world.stack.databaseUrl();
  if (address === undefined) throw new Error('the database does not run');
  return address;
}

// One statement for all that holds at every instant.
const everyInstant = invariants
  .filter(({ whenQuiet }) => !whenQuiet)
  .map(({ name, sql }) => `SELECT '${name.replaceAll("'", "''")}' AS invariant, to_jsonb(b) AS facts FROM (${sql}) b`)
  .join('\nUNION ALL\n');

const inWords = (invariant: string, facts: unknown): string =>
  `${invariant}: ${JSON.stringify(facts, (_, value: unknown) => (typeof value === 'bigint' ? Number(value) : value))}`;

/** Money and quota at this instant: our rows, and ours beside the gateway's own book. */
export async function lookAtInstant(world: World): Promise<string[]> {
  return withClient(addressOf(world), async (client) => {
    const { rows } = await client.query<{ invariant: string; facts: unknown }>(everyInstant);
    const { differences } = await compareBooks(client, gatewayOf(world), { leaveOutUnderWay: true });
    return [
      ...rows.map(({ invariant, facts }) => inWords(invariant, facts)),
      ...differences.map(({ check, id, facts }) => inWords(`book: ${check}`, { id, ...facts })),
    ];
  });
}

const due = `SELECT "step" FROM "flow_step" WHERE "state" = 'waiting' AND "due_at" <= business_now()`;

/** Waits until nothing that is due is left: what the outside refused nine times waits for most of a minute. @returns what would not end */
export async function comeToRest(world: World, msMax = 180_000): Promise<string[]> {
  for (const deadline = Date.now() + msMax; ; await pause(50)) {
    const left = await world.stack.ask<{ step: string }>(due);
    if (left.length === 0) return [];
    if (Date.now() > deadline) return left.map(({ step }) => step);
  }
}

/** Everything that must hold once nothing is under way, the network's and the gateway's books among it. */
export async function lookAtWhole(world: World): Promise<string[]> {
  const left = await comeToRest(world);
  const found = await withClient(addressOf(world), (client) =>
    breaches(
      { pool: client, gateway: gatewayOf(world), network: remoteNetwork(world.stack.gatewayUrl, world.stack.secret) },
      { quiet: true },
    ),
  );
  return [
    ...left.map((step) => `work: ${step} has not ended`),
    ...found.map(({ invariant, facts }) => inWords(invariant, facts)),
  ];
}

/** Faults of gateway and network that were planned and have not struck. */
export async function faultsLeft(world: World): Promise<{ gateway: number; network: number }> {
  const sum = (plans: readonly { left?: number }[]) => plans.reduce((all, { left = 0 }) => all + left, 0);
  return {
    gateway: sum(await gatewayOf(world).plans()),
    network: sum(await remoteNetwork(world.stack.gatewayUrl, world.stack.secret).plans()),
  };
}

/** By which tools the check on the way out had to withhold something. */
export async function tripsOf(world: World): Promise<string[]> {
  const rows = await world.stack.ask<{ tool: string | null }>(
    `SELECT "resource" ->> 'tool' AS tool FROM "event" WHERE "type" = 'OwnershipTripEvent' ORDER BY "position"`,
  );
  return rows.map(({ tool }) => tool ?? 'unknown');
}

interface KeptTurn {
  text: string;
  input: number | null;
  output: number | null;
}

/** Turns that were sent beside those that were recorded, and the tokens that the model counted beside those kept. */
export async function turnsOf(world: World): Promise<Figures['turns']> {
  const kept = await world.stack.ask<KeptTurn>(
    `SELECT "person_text" AS text, "input_tokens" AS input, "output_tokens" AS output FROM "chat_turn" WHERE "state" = 'done'`,
  );
  const byNumber = new Map<number, KeptTurn[]>();
  let surplus = 0;
  for (const one of kept) {
    const number = turnIn(one.text);
    if (number === undefined || number > world.turns.length) surplus += 1;
    else byNumber.set(number, [...(byNumber.get(number) ?? []), one]);
  }
  let [missing, otherTokens] = [0, 0];
  for (const { number, answered } of world.turns) {
    const rows = byNumber.get(number) ?? [];
    if (answered && rows.length === 0) missing += 1;
    surplus += Math.max(0, rows.length - 1);
    const [row] = rows;
    if (!answered || !row) continue;
    const spent = world.model.spentIn(number) ?? { input: 0, output: 0 };
    if ((row.input ?? 0) !== spent.input || (row.output ?? 0) !== spent.output) otherTokens += 1;
  }
  return {
    sent: world.turns.length,
    answered: world.turns.filter(({ answered }) => answered).length,
    missing,
    surplus,
    otherTokens,
  };
}

/**
 * Renewals by the gateway's own book: each boundary of each line that pays, counted here from the day on which its first
 * period began, was charged once; and nothing else was.
 */
export async function renewalsOf(world: World, timeZone: string): Promise<Figures['renewals']> {
  const payments = await world.stack.ask<{ id: string; line: string; fact: string }>(
    `SELECT "id", "subscription_id" AS line, "fact_key" AS fact FROM "payment" WHERE "purpose" = 'renewal'`,
  );
  const references = new Map<string, string>();
  const captures = new Map<string, number>();
  for await (const operation of gatewayOf(world).book()) {
    if (operation.kind === 'authorise') references.set(operation.gatewayReference, operation.reference);
    if (operation.kind !== 'capture' || operation.answer.outcome !== 'captured') continue;
    const payment = references.get(operation.gatewayReference) ?? '';
    captures.set(payment, (captures.get(payment) ?? 0) + 1);
  }
  const charged = new Map<string, number>();
  for (const { id, line, fact } of payments) {
    const times = captures.get(id) ?? 0;
    const boundary = fact.slice(`renewal:${line}:`.length);
    charged.set(`${line} ${boundary}`, (charged.get(`${line} ${boundary}`) ?? 0) + times);
  }
  const wrong: string[] = [];
  let [dueCount, once] = [0, 0];
  for (const who of world.people) {
    if (who.anchor === undefined || who.line === '') continue;
    const anchor = DateTime.fromJSDate(who.anchor, { zone: timeZone });
    if (who.kind === 'unpaid') {
      for (const [key, times] of charged)
        if (key.startsWith(who.line) && times > 1) wrong.push(`${key} was charged ${times} times`);
      continue;
    }
    const expected = new Set<string>();
    for (let months = 1; ; months += 1) {
      const boundary = anchor.plus({ months }).toJSDate();
      if (boundary > world.now) break;
      expected.add(boundary.toISOString());
    }
    dueCount += expected.size;
    for (const boundary of expected) {
      const times = charged.get(`${who.line} ${boundary}`) ?? 0;
      if (times === 1) once += 1;
      else wrong.push(`${who.line} was charged ${times} times at ${boundary}`);
    }
    for (const [key, times] of charged)
      if (key.startsWith(who.line) && times > 0 && !expected.has(key.slice(who.line.length + 1)))
        wrong.push(`${key} is no boundary, and was charged`);
  }
  return { due: dueCount, once, wrong };
}

export function memoryOf(world: World, hour: number): MemorySample {
  const { life, server, database } = world.stack.memory();
  return { hour, life, serverMb: server / 1024, databaseMb: database / 1024 };
}

/** What is there for a while: work that waits, answers that are kept for a day, sessions, counters. */
const passing = [
  'idempotency_key',
  'confirmation',
  'portal_session',
  'one_time_code',
  'rate_count',
  'refusal',
  'sign_up',
];

const sizes = `SELECT c.relname AS table, pg_total_relation_size(c.oid)::bigint / 1024 AS kb FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') ORDER BY 2 DESC`;

export async function tablesOf(world: World, hour: number): Promise<TableSample> {
  const tables = await world.stack.ask<{ table: string; kb: string }>(sizes);
  const largest: { table: string; kb: number; rows: number }[] = [];
  const count = async (table: string, where = ''): Promise<number> =>
    Number((await world.stack.ask<{ rows: string }>(`SELECT count(*) AS rows FROM "${table}" ${where}`))[0]?.rows ?? 0);
  for (const { table, kb } of tables.slice(0, 6)) largest.push({ table, kb: Number(kb), rows: await count(table) });
  let passes = await count('flow_step', `WHERE "state" = 'waiting'`);
  for (const table of passing) passes += await count(table);
  return {
    hour,
    acknowledged: world.ledger.size + world.counts.chats + world.counts.topUps,
    databaseMb: tables.reduce((sum, { kb }) => sum + Number(kb), 0) / 1024,
    passing: passes,
    largest,
  };
}
