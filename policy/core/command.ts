import type { Pool, PoolClient, QueryResult } from 'pg';
import type { z } from 'zod';
import type { CardGateway } from '../../adapters/card-gateway.ts';
import type { Mail } from '../../adapters/mail.ts';
import type { Network } from '../../adapters/network.ts';
import type { Audience, Caller } from '../../kernel/caller.ts';
import { explainAway, isConnectionLost } from '../../kernel/database-away.ts';
import { AirtimeError, invalid, Refusal } from '../../kernel/error.ts';
import type { IdSource } from '../../kernel/id.ts';
import type { Money } from '../../kernel/money.ts';
import type { Watch } from '../../kernel/watch.ts';
import type { Subscriptions } from '../notification/subscriptions.ts';
import { writeEvents } from './event.ts';
import { firstBroken, type Rule } from './rule.ts';
import { isStalePlan, literal, type Settings, stalePlansMax, statements, type Tx } from './transaction.ts';

/** `money` and `destructive` need a person's confirmation on every surface but the TMF door. */
export const effects = ['read', 'write', 'money', 'destructive'] as const;
export type Effect = (typeof effects)[number];

/** What a person is shown before they say yes: what would happen, to whom, at what price. */
export interface Preview {
  /** One sentence. */
  readonly what: string;
  /** Whom it happens to, when that is a customer of ours. */
  readonly customer?: { readonly id: string; readonly name: string | null };
  /** What is taken, or given back, tax included. */
  readonly amount?: Money;
  /** What else to know, a line each. */
  readonly details?: readonly string[];
}

/**
 * A command, defined once. From it come the CLI verb and its help, the tool, the confirmation, the audit record and the
 * reference page. It reads top to bottom: what it is, what it takes, the rules in order, what it does.
 */
export interface Command<Input, Facts, Output> {
  /** `noun.verb`, in the words of TM Forum. It is written into every event of its transaction. */
  readonly name: string;
  readonly summary: string;
  readonly input: z.ZodType<Input>;
  readonly audience: readonly Audience[];
  readonly effect: Effect;
  readonly rules: readonly Rule<Facts>[];
  /** Examples of its verb, for help and the reference. */
  readonly examples?: readonly string[];
  /** What it answers; an open object when not given. */
  readonly output?: z.ZodType<Output>;
  /** Inputs that the terminal takes by place. */
  readonly positional?: readonly string[];
  /** What must be asked of the outside (a card's facts) before the transaction opens. Its answer reaches `facts`. */
  ask?(outside: Outside, input: Input): Promise<unknown>;
  /** Locks what the command touches and reads what its rules judge. */
  facts(tx: Tx, input: Input, asked: unknown): Promise<Facts>;
  /** What would happen, for the person who confirms it; the rules are kept. Without it the summary has to do. */
  preview?(facts: Facts, input: Input, tx: Pick<Tx, 'now' | 'settings'>): Preview;
  /** What the command does, once every rule is kept. */
  apply(tx: Tx, facts: Facts, input: Input): Promise<Output>;
  /**
   * How a refusal is kept instead of thrown, for a caller whose standard wants the body stored with a state that says
   * what became of it. Used only when the caller asks for it.
   */
  keepRefused?(tx: Tx, facts: Facts, input: Input, refusal: Refusal): Promise<Output>;
}

/**
 * A command that is one call of a database function, because it runs thousands of times a second. The function names
 * the command, locks, judges the same rules and records by itself.
 */
export interface SingleCall<Input, Output>
  extends Pick<
    Command<Input, unknown, Output>,
    'name' | 'summary' | 'input' | 'output' | 'audience' | 'effect' | 'examples' | 'positional'
  > {
  readonly rules: readonly Rule<never>[];
  single(policy: Policy, input: Input, caller: Caller): Promise<Output>;
}

// Facts and input belong together inside one definition; a list of commands does not look into them.
// biome-ignore lint/suspicious/noExplicitAny: a heterogeneous list has no common type but this
export type AnyCommand = Command<any, any, any>;
// biome-ignore lint/suspicious/noExplicitAny: as above
export type AnyDefinition = AnyCommand | SingleCall<any, any>;

export function command<Input, Facts, Output>(
  definition: Command<Input, Facts, Output>,
): Command<Input, Facts, Output> {
  return definition;
}

/** What the policy layer needs to run commands; made once by the start of the program. */
export interface Policy {
  readonly pool: Pool;
  readonly newId: IdSource;
  readonly settings: Settings;
  readonly rulesOff: ReadonlySet<string>;
  readonly outside: Outside;
  /** Measures and traces, where somebody looks. */
  readonly watch?: Watch | undefined;
  /** Called last in each command, within its transaction: the contact with a customer that it was is written down. */
  readonly recordContact: (tx: Tx, summary: string, refusal: Refusal | undefined) => Promise<void>;
}

/** The world beyond the database, behind one small interface each. Never called while a transaction is open. */
export interface Outside {
  readonly gateway: CardGateway;
  readonly network: Network;
  readonly mail: Mail;
  readonly subscriptions: Subscriptions;
}

export interface ExecuteOptions {
  keepRefused?: boolean;
  cause?: Record<string, string>;
  /** Runs inside the transaction, before the command reads anything: a confirmation is used up here. */
  before?: (tx: Tx) => Promise<void>;
  /** Runs inside the transaction, after the command: a flow step closes itself here. */
  alongside?: (tx: Tx) => Promise<void>;
}

/**
 * Opens a transaction, names the command in it, lets it lock and read, judges its rules in order, applies it and
 * commits. A refusal rolls everything back. Transient conflicts of the database are tried again: nothing has left it.
 */
export async function execute<Input, Facts, Output>(
  policy: Policy,
  definition: Command<Input, Facts, Output>,
  rawInput: unknown,
  caller: Caller,
  options: ExecuteOptions = {},
): Promise<Output> {
  const input = parseInput(definition, rawInput);
  const asked = await definition.ask?.(policy.outside, input);
  return transaction(policy, definition.name, caller, options, async (tx) => {
    await options.before?.(tx);
    const facts = await definition.facts(tx, input, asked);
    const refusal = firstBroken(definition.rules, facts, tx);
    if (refusal && !(options.keepRefused && definition.keepRefused)) throw refusal;
    const output =
      refusal && definition.keepRefused
        ? await definition.keepRefused(tx, facts, input, refusal)
        : await definition.apply(tx, facts, input);
    await policy.recordContact(tx, definition.summary, refusal);
    await options.alongside?.(tx);
    return output;
  });
}

/**
 * Judges a command as it would be judged now and says what it would do, changing nothing.
 * @throws Refusal of the first rule that is broken
 */
export async function preview<Input, Facts, Output>(
  policy: Policy,
  definition: Command<Input, Facts, Output>,
  rawInput: unknown,
  caller: Caller,
): Promise<Preview> {
  const input = parseInput(definition, rawInput);
  const asked = await definition.ask?.(policy.outside, input);
  return transaction(policy, definition.name, caller, { rollback: true }, async (tx) => {
    const facts = await definition.facts(tx, input, asked);
    const refusal = firstBroken(definition.rules, facts, tx);
    if (refusal) throw refusal;
    return definition.preview?.(facts, input, tx) ?? { what: `${definition.summary}.` };
  });
}

/** The rule that would refuse the command now, if one would. Changes nothing. */
export async function judge<Input, Facts, Output>(
  policy: Policy,
  definition: Command<Input, Facts, Output>,
  rawInput: unknown,
  caller: Caller,
): Promise<Refusal | undefined> {
  try {
    await preview(policy, definition, rawInput, caller);
    return undefined;
  } catch (error) {
    if (error instanceof Refusal) return error;
    throw error;
  }
}

/** Runs a definition of either kind. */
export function run(
  policy: Policy,
  definition: AnyDefinition,
  rawInput: unknown,
  caller: Caller,
  options: ExecuteOptions = {},
): Promise<unknown> {
  if (!('single' in definition)) return execute(policy, definition, rawInput, caller, options);
  return definition.single(policy, parseInput(definition, rawInput), caller);
}

function parseInput<Input>(definition: { name: string; input: z.ZodType<Input> }, raw: unknown): Input {
  const parsed = definition.input.safeParse(raw);
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map((issue) => ({
    field: issue.path.join('.') || 'input',
    rule: issue.message,
    remedy: `See the input of ${definition.name}.`,
  }));
  throw invalid(`${definition.name}: ${faults.map((fault) => `${fault.field}: ${fault.rule}`).join('; ')}.`, faults);
}

const attemptsMax = 5;

export interface TransactionOptions {
  cause?: Record<string, string>;
  rollback?: boolean;
  /** The flow step that this is a transaction of, held by a lease; `ends` closes it with what is written. */
  step?: { id: string; worker: string; ends: boolean; lost: () => Error };
}

export function transaction<T>(
  policy: Policy,
  name: string,
  caller: Caller,
  options: TransactionOptions,
  work: (tx: Tx) => Promise<T>,
): Promise<T> {
  const { watch } = policy;
  if (watch === undefined) return attempts(policy, name, caller, options, work);
  return watch.work(options.rollback ? 'preview' : 'command', name, options.cause ?? {}, () =>
    attempts(policy, name, caller, options, work),
  );
}

async function attempts<T>(
  policy: Policy,
  name: string,
  caller: Caller,
  options: TransactionOptions,
  work: (tx: Tx) => Promise<T>,
): Promise<T> {
  let stalePlans = 0;
  for (let attempt = 1; ; attempt += 1) {
    const client = await policy.pool.connect().catch((error: unknown) => {
      throw explainAway(error);
    });
    let broken: Error | undefined;
    try {
      const result = await once(client, policy, name, caller, options, work);
      return result;
    } catch (error) {
      if (error instanceof Error && isStalePlan(error) && stalePlans < stalePlansMax) {
        // No conflict with anybody, and over with this connection: it does not count as a try.
        broken = error;
        stalePlans += 1;
        attempt -= 1;
        continue;
      }
      if (error instanceof Error && hasBroken(error)) broken = error;
      if (attempt < attemptsMax && isTransient(error)) continue;
      throw explainAway(error);
    } finally {
      client.release(broken);
    }
  }
}

async function once<T>(
  client: PoolClient,
  policy: Policy,
  name: string,
  caller: Caller,
  options: TransactionOptions,
  work: (tx: Tx) => Promise<T>,
): Promise<T> {
  const { sql, run } = statements(client);
  const sent: Promise<unknown>[] = [];
  try {
    const tx: Tx = {
      sql,
      run,
      now: await begin(client, name, caller, options.step),
      caller,
      command: name,
      newId: policy.newId,
      settings: policy.settings,
      rulesOff: policy.rulesOff,
      cause: options.cause,
      events: [],
      hasWritten: false,
      sent,
    };
    const result = await work(tx);
    if (options.rollback) await client.query('ROLLBACK');
    else await end(tx, client);
    return result;
  } catch (thrown) {
    const error = isOfSpoiled(thrown) ? ((await firstRefused(sent)) ?? thrown) : thrown;
    // Nobody is there to be told, and a connection that has fallen silent would be waited for once more.
    if (!hasBroken(error)) await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}

/**
 * Opens the transaction, names the command in it and takes hold of the step it belongs to, in one round trip: there are
 * several transactions to each thing that happens.
 * @returns the transaction's instant of business time.
 */
async function begin(
  client: PoolClient,
  name: string,
  caller: Caller,
  step: TransactionOptions['step'],
): Promise<Date> {
  const named = `${literal(name)}, ${literal(JSON.stringify(caller))}::jsonb`;
  const held = step && `${literal(step.id)}, ${literal(step.worker)}, ${step.ends}`;
  // Two statements in one text have two results, which the types of the driver do not say.
  const results: unknown = await client.query(
    `BEGIN; ${held ? `SELECT "at", "held" FROM begin_step(${named}, ${held})` : `SELECT begin_command(${named}) AS at, true AS held`}`,
  );
  const [, begun] = results as QueryResult<{ at: Date; held: boolean }>[];
  const [row] = begun?.rows ?? [];
  if (!row) throw new Error('the command was given no time');
  if (step && !row.held) throw step.lost();
  return row.at;
}

/** The connection is of no more use, whether that is what the error says or what is behind it. */
const hasBroken = (error: unknown): boolean =>
  isConnectionLost(error) || (error instanceof Error && isConnectionLost(error.cause));

/**
 * Writes the last events and commits, sent together, and waits for all that is on its way. A statement that is refused is
 * the error of those behind it: PostgreSQL has given up the transaction then, and answers the commit with a rollback. When
 * the connection dies nobody can say whether the commit took effect, and nothing may claim either.
 */
async function end(tx: Tx, client: PoolClient): Promise<void> {
  const before = [...tx.sent, writeEvents(tx)];
  const ended = await Promise.allSettled([...before, client.query('COMMIT')]);
  const refused = await firstRefused(before);
  if (refused !== undefined) throw refused;
  const failed = ended.find((one) => one.status === 'rejected');
  if (failed === undefined) return;
  if (!isConnectionLost(failed.reason)) throw failed.reason;
  const unknown = new AirtimeError(
    503,
    'outcomeUnknown',
    'The connection to the database broke at the last moment, so the outcome is not known. Read before you retry, or retry with the same Idempotency-Key.',
  );
  unknown.cause = failed.reason;
  throw unknown;
}

/** The error of the first of these statements, in the order they were sent, that PostgreSQL refused. */
async function firstRefused(sent: readonly Promise<unknown>[]): Promise<unknown> {
  const ended = await Promise.allSettled(sent);
  return ended.flatMap((one) =>
    one.status === 'rejected' && sqlState(one.reason) !== undefined ? [one.reason] : [],
  )[0];
}

// 25P02: a statement before it was refused, and PostgreSQL takes no more until the transaction ends.
const isOfSpoiled = (error: unknown): boolean => sqlState(error) === '25P02';

/** The code that PostgreSQL itself gave the error. What the driver or the system says has no severity. */
function sqlState(error: unknown): string | undefined {
  if (!(error instanceof Error && 'severity' in error && 'code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

// 40001 serialization failure, 40P01 deadlock: the database undid everything and asks for another try.
function isTransient(error: unknown): boolean {
  const state = sqlState(error);
  return state === '40001' || state === '40P01';
}
