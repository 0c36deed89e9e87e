import type { Pool } from 'pg';
import type { z } from 'zod';
import type { Audience, Caller } from '../../kernel/caller.ts';
import { notFound } from '../../kernel/error.ts';
import { listSql, withTexts } from './shapes.ts';

/** The pictures a surface knows how to draw. A query without one is drawn as a table or a card of its fields. */
export const viewNames = [
  'customer-card',
  'customer-list',
  'subscription-card',
  'subscription-list',
  'order-pipeline',
  'order-list',
  'price-list',
  'usage-chart',
  'timeline',
  'event-list',
  'clock',
  'step-list',
  'stock',
  'bill',
  'bill-list',
  'rule-list',
  'health',
  'dashboard',
  'esim-card',
] as const;
export type ViewName = (typeof viewNames)[number];

/**
 * A query, defined once. From it come the CLI verb and its help, the tool and the reference page. It changes nothing,
 * and its answer is checked against `output`, so what the schema says is what a caller gets.
 */
export interface Query<Input, Output> {
  /** `noun.verb`, like a command's. */
  readonly name: string;
  readonly summary: string;
  readonly audience: readonly Audience[];
  readonly input: z.ZodType<Input>;
  readonly output: z.ZodType<Output>;
  /** Inputs that the terminal takes by place. */
  readonly positional?: readonly string[];
  /** Examples of its verb as one types them: `bss subscription show sub_…`. */
  readonly examples?: readonly string[];
  readonly view?: ViewName;
  run(database: Pool, input: Input, caller: Caller): Promise<Output>;
}

// Input and output belong together inside one definition; a list of queries does not look into them.
// biome-ignore lint/suspicious/noExplicitAny: a heterogeneous list has no common type but this
export type AnyQuery = Query<any, any>;

export function query<Input, Output>(definition: Query<Input, Output>): Query<Input, Output> {
  return definition;
}

/** A statement that PostgreSQL plans once a connection. */
export interface Prepared {
  readonly name: string;
  readonly text: string;
}

const statementNames = new Map<string, string>();

/**
 * For what is found by the key of its resource, where no plan is better than another for any value: planning costs more
 * than running for a statement as wide as these. A list whose filters may be absent is planned for what it was asked.
 * @param text the program's own, one for each call in it: every connection keeps its plan.
 */
export function prepared(text: string): Prepared {
  let name = statementNames.get(text);
  if (name === undefined) {
    name = `view${statementNames.size}`;
    statementNames.set(text, name);
  }
  return { name, text };
}

/**
 * Runs one statement that answers one row with one column, `view`, as JSON; the schema gives it its type,
 * and amounts and quantities get their texts. Undefined when there is no row or the view is null: there is nothing of that name for this caller.
 */
export async function readView<Output>(
  database: Pool,
  schema: z.ZodType<Output>,
  statement: string | Prepared,
  values: readonly unknown[],
): Promise<Output | undefined> {
  const { rows } = await database.query<{ view: unknown }>({
    ...(typeof statement === 'string' ? { text: statement } : statement),
    values: [...values],
  });
  const view = rows[0]?.view;
  return view === null || view === undefined ? undefined : schema.parse(withTexts(view));
}

/** The same for a view that must be there: 404 that names the resource when it is not, or is another customer's. */
export async function readOne<Output>(
  database: Pool,
  schema: z.ZodType<Output>,
  resource: string,
  id: string,
  statement: string | Prepared,
  values: readonly unknown[],
): Promise<Output> {
  const view = await readView(database, schema, statement, values);
  if (view === undefined) throw notFound(resource, id);
  return view;
}

/**
 * A page of a list. `rows` selects `item` and `cursor`, newest first, takes the page's size as `$1` and ends with
 * `LIMIT $1 + 1`; the other values follow.
 */
export async function readList<Output>(
  database: Pool,
  schema: z.ZodType<Output>,
  rows: string,
  limit: number,
  values: readonly unknown[],
): Promise<Output> {
  const list = await readView(database, schema, listSql(rows), [limit, ...values]);
  if (list === undefined) throw new Error('a list is answered by one row');
  return list;
}

/** The only customer this caller may see, or null for one who may see all. A customer without an id sees nobody. */
export function ownerOf(caller: Caller): string | null {
  return caller.audience === 'customer' ? (caller.customerId ?? '') : null;
}
