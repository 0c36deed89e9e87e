import { createHash } from 'node:crypto';
import type { Pool, PoolClient, QueryConfig, QueryResult } from 'pg';
import { escapeLiteral, types } from 'pg';
import type { Caller } from '../../kernel/caller.ts';
import type { IdSource } from '../../kernel/id.ts';

/** An event of this transaction on its way to the table. */
export interface PendingEvent {
  readonly type: string;
  readonly resourceType: string;
  readonly resourceId: string;
  readonly customerId: string | null;
  /** The whole, as JSON. */
  readonly text: string;
}

/** Everything a command's code may use while its transaction is open. Nothing outside the database is called in it. */
export interface Tx {
  /** Business time, one instant for the whole transaction. */
  readonly now: Date;
  readonly caller: Caller;
  readonly command: string;
  readonly newId: IdSource;
  readonly settings: Settings;
  /** Rules switched off by a test of the rules themselves. Always empty in production. */
  readonly rulesOff: ReadonlySet<string>;
  /** Why this happens: the order, usage or step behind the command. Kept with each event. */
  readonly cause: Record<string, string> | undefined;
  /** Events that were appended and are not written yet: see `writeEvents`. */
  readonly events: PendingEvent[];
  /** Whether `events` is no longer all: some are in the table, or a function of the database appended its own. */
  hasWritten: boolean;
  /** Statements whose answers nobody waits for before the commit: see `unawaited`. */
  readonly sent: Promise<unknown>[];
  /** Runs one statement; values become parameters. Column names come back in camelCase, int8 as bigint. */
  sql<Row extends object>(strings: TemplateStringsArray, ...values: unknown[]): Promise<Row[]>;
  /** The same for text made from fixed parts. */
  run<Row extends object>(text: string, values: readonly unknown[]): Promise<Row[]>;
}

/** What an installation decides once. Read from the database, so that every copy of the server agrees. */
export interface Settings {
  currency: string;
  timeZone: string;
  /** Tax in hundredths of a percent that an offering carries when it names none. */
  taxRate: number;
  numberQuarantineDays: number;
  /** How few free numbers, or free eSIM profiles, are few enough for people to be told. */
  stockLow: number;
  unpaidTerminationDays: number;
  usageRetentionDays: number;
  vasValidityDays: number;
  renewalNoticeDays: number;
  actionTimeoutMinutes: number;
  /** How long refused requests are remembered. */
  auditRetentionDays: number;
  /** How often a customer may write to the assistant in an hour. */
  chatTurnsPerHour: number;
  /** What a customer's conversations may cost in a month, in minor units of the currency. */
  chatCostPerMonth: number;
  /** How long conversations are kept. */
  chatRetentionDays: number;
  /** An order waits until somebody has seen who the customer is. */
  orderRequiresVerifiedIdentity: boolean;
}

// int8 holds bytes and versions: as bigint it cannot lose a digit in silence.
const exactTypes: NonNullable<QueryConfig['types']> = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') =>
    oid === 20
      ? (value: string) => BigInt(value)
      : types.getTypeParser(oid, format === 'binary' ? 'text' : format)) as typeof types.getTypeParser,
};

const camelNames = new Map<string, string>();
function camel(name: string): string {
  let found = camelNames.get(name);
  if (found === undefined) {
    found = name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
    camelNames.set(name, found);
  }
  return found;
}

function camelRow(row: Record<string, unknown>): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const key in row) out[camel(key)] = row[key];
  return out;
}

// A statement whose text recurs is prepared once a connection.
const statementNames = new Map<string, string>();
function statementName(text: string): string {
  let name = statementNames.get(text);
  if (name === undefined) {
    name = `a_${createHash('sha1').update(text).digest('base64url').slice(0, 20)}`;
    statementNames.set(text, name);
  }
  return name;
}

/** A value as it is written into a text that has no parameters, because it holds more than one statement. */
export const literal = (value: string): string => escapeLiteral(value);

const templateTexts = new WeakMap<TemplateStringsArray, string>();

export async function runStatement<Row extends object>(
  client: Pick<PoolClient, 'query'> | Pool,
  text: string,
  values: readonly unknown[],
): Promise<Row[]> {
  const result = await freshlyPlanned(client, {
    name: statementName(text),
    text,
    values: [...values],
    types: exactTypes,
  });
  // The row's shape is the statement's; the caller names it beside the text it wrote. Names that are as they should be
  // cost nothing: of a stream of usage there are ten thousand rows a second.
  const isCamel = result.fields?.every(({ name }) => camel(name) === name) ?? false;
  return (isCamel ? result.rows : result.rows.map(camelRow)) as Row[];
}

/** More connections than a pool has: each stale one is met once, and closed. */
export const stalePlansMax = 1000;

/**
 * A statement that was prepared before a migration added a column to what it selects: PostgreSQL refuses it on that
 * connection from then on (0A000). Nothing was done, and on a new connection it is prepared anew. It happens to a server
 * that goes on working while a newer one beside it has migrated.
 */
export function isStalePlan(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === '0A000' && /cached plan/.test(error.message);
}

/** A pool closes the connection on which a statement failed, so the next try is on another. */
async function freshlyPlanned(
  client: Pick<PoolClient, 'query'> | Pool,
  config: QueryConfig,
): Promise<QueryResult<Record<string, unknown>>> {
  for (let met = 0; ; met += 1) {
    try {
      return await client.query<Record<string, unknown>>(config);
    } catch (error) {
      // On a connection that somebody holds, their transaction is lost: they begin it again on another.
      if (!isStalePlan(error) || !('totalCount' in client) || met >= stalePlansMax) throw error;
    }
  }
}

export function templateText(strings: TemplateStringsArray): string {
  let text = templateTexts.get(strings);
  if (text === undefined) {
    text = strings.reduce((all, part, index) => `${all}$${index}${part}`);
    templateTexts.set(strings, text);
  }
  return text;
}

/**
 * For a statement that nothing later in the command depends on: it is on its way, behind those before it, and the commit
 * waits for its answer. One that is refused spoils the transaction, and its error is the command's.
 */
export function unawaited(tx: Pick<Tx, 'sent'>, statement: Promise<unknown>): void {
  // Whoever waits for it hears of it; until then it must not count as an error that nobody handles.
  statement.catch(() => undefined);
  tx.sent.push(statement);
}

/** Binds the statement runners of a transaction to its connection. */
export function statements(client: PoolClient): Pick<Tx, 'sql' | 'run'> {
  return {
    sql: (strings, ...values) => runStatement(client, templateText(strings), values),
    run: (text, values) => runStatement(client, text, values),
  };
}
