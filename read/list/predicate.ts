import { type Condition, isNumber, type OrderOperator, type Step, type Test } from './condition.ts';
import { dateShape, daysAround, instantPattern, instantSql, isInstant, withZone } from './instant.ts';
import { UnsupportedQuery } from './query-error.ts';

export type ColumnType = 'text' | 'number' | 'timestamp' | 'boolean';

/** Columns that hold what a wire path holds, by that path: `{ usageDate: { column: 'usage_date', type: 'timestamp' } }`. */
export type Columns = Readonly<Record<string, { column: string; type: ColumnType }>>;

/** What a resource's table offers to a condition. */
export interface Subject {
  columns: Columns;
  /** The absolute link of an id. */
  href: (id: string) => string;
  /** The part of the document that its index holds, and the attributes that are not in it. All of it, when not given. */
  indexed?: { sql: string; without: readonly string[] };
}

/** SQL for one condition. */
export interface Predicate {
  sql: string;
  /** Then the planner cannot judge how many rows pass. */
  readsDocument: boolean;
  /** Then a plan for one value may be a bad plan for another. */
  readsColumns: boolean;
  /** Whether an index can find the rows, so that few of them cost little. */
  indexed: boolean;
}

/** Adds a value to the statement's parameters and answers with its placeholder. */
export type Bind = (value: unknown) => string;

interface Context {
  /** The SQL expression of the JSON that `@` means. */
  json: string;
  /** At the root, typed columns and `href` are known. */
  subject: Subject | undefined;
  /** Levels of `some` around, which give aliases their numbers. */
  level: number;
}

/** The names of the attributes that a condition on a document begins at; undefined for one that may be any. */
function rootsOf(condition: Condition): (string | undefined)[] {
  switch (condition.kind) {
    case 'all':
    case 'any':
      return condition.conditions.flatMap(rootsOf);
    case 'not':
      return rootsOf(condition.condition);
    case 'value':
    case 'some': {
      const [first] = condition.path;
      return [first?.kind === 'member' ? first.name : undefined];
    }
  }
}

/** Where a condition is asked: of what the index holds, wherever that is all that it is about. */
function placeOf(condition: Condition, context: Context): Context {
  const part = context.subject?.indexed;
  if (part === undefined) return context;
  const isInPart = rootsOf(condition).every((name) => name !== undefined && !part.without.includes(name));
  return isInPart ? { ...context, json: part.sql } : context;
}

const hasIndex = ({ json, subject }: Context) => subject?.indexed === undefined || json === subject.indexed.sql;

/**
 * Compiles the conditions to SQL on a table with a `document jsonb`, one predicate for each conjunct.
 * Whatever the client sent becomes a bound parameter: texts, numbers, and whole jsonpaths.
 * What an index on the document can answer is written so that a GIN index of jsonb_path_ops does.
 */
export function compileConditions(conditions: readonly Condition[], subject: Subject, bind: Bind): Predicate[] {
  const conjuncts = conditions.flatMap(function flatten(condition): Condition[] {
    return condition.kind === 'all' ? condition.conditions.flatMap(flatten) : [condition];
  });
  return predicatesOf(conjuncts, 'all', { json: 'document', subject, level: 0 }, bind);
}

/** The parts of an `all` or `any`: those that jsonpath can say become one jsonpath together. */
function predicatesOf(
  conditions: readonly Condition[],
  kind: 'all' | 'any',
  context: Context,
  bind: Bind,
): Predicate[] {
  const predicates: Predicate[] = [];
  const spoken = new Map<string, { place: Context; paths: string[]; conditions: Condition[] }>();
  for (const condition of conditions) {
    const path = toJsonPath(condition, '$', context.subject);
    if (path === undefined) {
      predicates.push(toSql(condition, context, bind));
      continue;
    }
    const place = placeOf(condition, context);
    const beside = spoken.get(place.json) ?? { place, paths: [], conditions: [] };
    spoken.set(place.json, beside);
    beside.paths.push(path);
    beside.conditions.push(condition);
  }
  for (const { place, paths, conditions: asked } of spoken.values()) {
    const path =
      paths.length === 1 ? paths.join('') : paths.map((part) => `(${part})`).join(kind === 'all' ? ' && ' : ' || ');
    const indexed = hasIndex(place) && isIndexed({ kind, conditions: asked });
    predicates.push(onDocument(`${place.json} @@ ${bind(path)}::jsonpath`, indexed));
  }
  return predicates;
}

/** Whether a jsonpath of this condition names values that a GIN index of jsonb_path_ops can look up. */
function isIndexed(condition: Condition): boolean {
  switch (condition.kind) {
    case 'all':
      return condition.conditions.some(isIndexed);
    case 'any':
      return condition.conditions.every(isIndexed);
    case 'not':
      return false;
    case 'some':
      return isIndexed(condition.condition);
    case 'value':
      return condition.test.kind === 'equal';
  }
}

function onDocument(sql: string, indexed = false): Predicate {
  return { sql, readsDocument: true, readsColumns: false, indexed };
}

function onColumn(sql: string): Predicate {
  return { sql, readsDocument: false, readsColumns: true, indexed: true };
}
const never = onColumn('FALSE');

function combine(predicates: readonly Predicate[], indexed: boolean, write: (parts: string[]) => string): Predicate {
  return {
    sql: write(predicates.map(({ sql }) => sql)),
    indexed,
    readsDocument: predicates.some(({ readsDocument }) => readsDocument),
    readsColumns: predicates.some(({ readsColumns }) => readsColumns),
  };
}

function toSql(condition: Condition, context: Context, bind: Bind): Predicate {
  switch (condition.kind) {
    case 'all':
    case 'any': {
      const parts = predicatesOf(condition.conditions, condition.kind, context, bind);
      return condition.kind === 'all'
        ? combine(
            parts,
            parts.some(({ indexed }) => indexed),
            (sql) => `(${sql.join(' AND ')})`,
          )
        : combine(
            parts,
            parts.every(({ indexed }) => indexed),
            (sql) => `(${sql.join(' OR ')})`,
          );
    }
    case 'not':
      // A column may be null, which is as good as false.
      return combine(
        predicatesOf([condition.condition], 'all', context, bind),
        false,
        ([sql]) => `(${sql}) IS NOT TRUE`,
      );
    case 'value':
      return valueSql(condition.path, condition.test, placeOf(condition, context), bind);
    case 'some':
      return someSql(condition.path, condition.condition, placeOf(condition, context), bind);
  }
}

function valueSql(path: readonly Step[], test: Test, context: Context, bind: Bind): Predicate {
  const { subject } = context;
  const name = subject === undefined ? undefined : nameOf(path);
  if (subject !== undefined && name === 'href') return hrefSql(test, subject, bind);
  const column = subject === undefined || name === undefined ? undefined : columnFor(name, test, subject.columns);
  if (column !== undefined) return columnSql(quoteName(column.column), column.type, test, bind);
  const whole = toJsonPath({ kind: 'value', path: [...path], test }, '$', undefined);
  if (whole !== undefined) {
    return onDocument(`${context.json} @@ ${bind(whole)}::jsonpath`, hasIndex(context) && test.kind === 'equal');
  }
  if (test.kind !== 'order') throw new Error(`A test '${test.kind}' has neither a jsonpath nor a column.`);
  return onDocument(instantOrderSql(pathText('$', path), test.operator, test.operand.text, context, bind));
}

/**
 * Compares instants. jsonpath cannot do it in every version of PostgreSQL from 15 on, and reading one costs 4
 * microseconds, so the text decides wherever it can and only those within a day of the operand are read.
 */
function instantOrderSql(path: string, operator: OrderOperator, operand: string, context: Context, bind: Bind): string {
  const days = daysAround(operand);
  const near = days === undefined ? '' : ` && @ >= "${days.from}" && @ < "${days.to}"`;
  const moments = `${path} ? (@.type() == "string"${near} && @ like_regex ${quoteText(instantPattern)})`;
  const alias = `moment${context.level}`;
  const exact =
    `EXISTS (SELECT FROM jsonb_path_query(${context.json}, ${bind(moments)}::jsonpath) AS ${alias} ` +
    `WHERE ${instantSql(`${alias} #>> '{}'`)} ${operator} ${bind(withZone(operand))}::timestamptz)`;
  if (days === undefined) return exact;
  const beyond = operator.startsWith('>') ? `@ >= "${days.to}"` : `@ < "${days.from}"`;
  const far = `exists(${path} ? (@.type() == "string" && ${beyond} && @ like_regex ${quoteText(dateShape)}))`;
  const maybe = `exists(${path} ? (@.type() == "string"${near}))`;
  const holds = (jsonPath: string): string => `${context.json} @@ ${bind(jsonPath)}::jsonpath`;
  return `(${holds(far)} OR (${holds(maybe)} AND ${exact}))`;
}

function someSql(path: readonly Step[], condition: Condition, context: Context, bind: Bind): Predicate {
  const alias = `element${context.level}`;
  const elements = pathText('$', [...path, { kind: 'elements' }]);
  const inner = predicatesOf([condition], 'all', { json: alias, subject: undefined, level: context.level + 1 }, bind);
  const exists = combine(
    inner,
    false,
    ([sql]) =>
      `EXISTS (SELECT FROM jsonb_path_query(${context.json}, ${bind(elements)}::jsonpath) AS ${alias} WHERE ${sql})`,
  );
  // The index cannot look into that; but it can find the documents whose elements pass the other parts.
  const weaker = weaken(condition);
  if (weaker === undefined) return exists;
  const before = `exists(${pathText('$', path)} ? (${weaker}))`;
  return {
    ...exists,
    sql: `(${context.json} @@ ${bind(before)}::jsonpath AND ${exists.sql})`,
    indexed: hasIndex(context) && isIndexed(condition),
  };
}

/** A jsonpath that holds wherever the condition does. Undefined when none is known. */
function weaken(condition: Condition): string | undefined {
  const whole = toJsonPath(condition, '@', undefined);
  if (whole !== undefined) return whole;
  if (condition.kind === 'all') {
    const parts = condition.conditions.map(weaken).filter((part) => part !== undefined);
    return parts.length === 0 ? undefined : parts.map((part) => `(${part})`).join(' && ');
  }
  return undefined;
}

/** The dotted name of a path that has members only. */
function nameOf(path: readonly Step[]): string | undefined {
  const names = path.map((step) => (step.kind === 'member' ? step.name : undefined));
  return names.includes(undefined) ? undefined : names.join('.');
}

const idColumn = { column: 'id', type: 'text' } as const;

/** The typed column that holds an attribute, by its dotted name. */
export function columnOf(name: string, columns: Columns): { column: string; type: ColumnType } | undefined {
  if (Object.hasOwn(columns, name)) return columns[name];
  return name === 'id' ? idColumn : undefined;
}

/** The column that can answer a test: presence, nulls, and expressions on what is not text are asked of the document. */
function columnFor(name: string, test: Test, columns: Columns): { column: string; type: ColumnType } | undefined {
  const column = columnOf(name, columns);
  if (column === undefined || test.kind === 'exists') return undefined;
  if (test.kind === 'equal' && test.literals.some((literal) => literal.kind === 'null')) return undefined;
  if (test.kind === 'match' && column.type !== 'text') return undefined;
  return column;
}

function columnSql(column: string, type: ColumnType, test: Test, bind: Bind): Predicate {
  switch (test.kind) {
    case 'equal':
      return columnEquals(column, type, test, bind);
    case 'order':
      return columnOrder(column, type, test, bind);
    case 'match':
      return onColumn(`${column} ~ ${bind(test.ignoreCase ? `(?i)${test.pattern}` : test.pattern)}::text`);
    case 'exists':
      return onColumn(`${column} IS NOT NULL`);
  }
}

function columnEquals(column: string, type: ColumnType, test: Extract<Test, { kind: 'equal' }>, bind: Bind): Predicate {
  const texts = test.literals.flatMap((literal) => (literal.kind === 'string' ? [literal.text] : []));
  const numbers = test.literals.flatMap((literal) => (literal.kind === 'number' ? [literal.text] : []));
  const booleans = test.literals.flatMap((literal) => (literal.kind === 'boolean' ? [literal.value] : []));
  switch (type) {
    case 'text':
      return isOneOf(column, texts, 'text', bind);
    case 'number':
      return isOneOf(column, numbers, numberType(numbers), bind);
    case 'timestamp':
      return isOneOf(column, texts.filter(isInstant).map(withZone), 'timestamptz', bind);
    case 'boolean':
      return isOneOf(column, booleans, 'boolean', bind);
  }
}

function isOneOf(column: string, values: readonly (string | boolean)[], type: string, bind: Bind): Predicate {
  const [first] = values;
  if (first === undefined) return never;
  // A plain equality also lets an index on (column, id) give the rows in order.
  if (values.length === 1) {
    const equality = onColumn(`${column} = ${bind(first)}::${type}`);
    // One id is like any other: whose column it is, its values are not skewed.
    return isReference(column) ? { ...equality, readsColumns: false } : equality;
  }
  return onColumn(`${column} = ANY(${bind(values)}::${type}[])`);
}

const isReference = (column: string) => /_id"?$/.test(column);

/** An integer column is compared with integers, or its index is of no use. */
function numberType(numbers: readonly string[]): 'bigint' | 'numeric' {
  return numbers.every((text) => /^-?[0-9]{1,18}$/.test(text)) ? 'bigint' : 'numeric';
}

function columnOrder(column: string, type: ColumnType, test: Extract<Test, { kind: 'order' }>, bind: Bind): Predicate {
  const { kind, text } = test.operand;
  const compare = (value: string, cast: string): Predicate =>
    onColumn(`${column} ${test.operator} ${bind(value)}::${cast}`);
  switch (type) {
    case 'text':
      return kind === 'number' ? never : compare(text, 'text');
    case 'number':
      return kind === 'string' || !isNumber(text) ? never : compare(text, numberType([text]));
    case 'timestamp':
      return kind === 'number' || !isInstant(text) ? never : compare(withZone(text), 'timestamptz');
    case 'boolean':
      return never;
  }
}

/** Links are made, not stored: a link is compared by the id at its end. */
function hrefSql(test: Test, subject: Subject, bind: Bind): Predicate {
  if (test.kind === 'exists') return onColumn('TRUE');
  if (test.kind !== 'equal') {
    throw new UnsupportedQuery(
      'href',
      "An href is only compared by '='.",
      'Filter by id, which orders and matches alike.',
    );
  }
  const ids = test.literals.flatMap((literal) => (literal.kind === 'string' ? idsOf(literal.text, subject.href) : []));
  return isOneOf('id', ids, 'text', bind);
}

function idsOf(href: string, make: Subject['href']): string[] {
  const last = href.slice(href.lastIndexOf('/') + 1);
  const candidates = [last];
  try {
    candidates.push(decodeURIComponent(last));
  } catch {
    // Then the id is what is written.
  }
  return [...new Set(candidates)].filter((id) => make(id) === href);
}

/**
 * The condition as a jsonpath predicate on `symbol`, or undefined when SQL has to help: for typed columns, `href` and times.
 * Each leaf is `exists(… ? (…))`, which is true or false and never unknown, so `!` is its exact opposite.
 */
function toJsonPath(condition: Condition, symbol: '$' | '@', subject: Subject | undefined): string | undefined {
  switch (condition.kind) {
    case 'all':
    case 'any': {
      const parts = condition.conditions.map((part) => toJsonPath(part, symbol, subject));
      if (parts.includes(undefined) || parts.length === 0) return undefined;
      return parts.map((part) => `(${part})`).join(condition.kind === 'all' ? ' && ' : ' || ');
    }
    case 'not': {
      const inner = toJsonPath(condition.condition, symbol, subject);
      return inner === undefined ? undefined : `!(${inner})`;
    }
    case 'some': {
      const inner = toJsonPath(condition.condition, '@', undefined);
      return inner === undefined ? undefined : `exists(${pathText(symbol, condition.path)} ? (${inner}))`;
    }
    case 'value': {
      const { path, test } = condition;
      const name = subject === undefined ? undefined : nameOf(path);
      if (subject !== undefined && name !== undefined) {
        if (name === 'href' || columnFor(name, test, subject.columns) !== undefined) return undefined;
      }
      return leaf(pathText(symbol, path), test);
    }
  }
}

function leaf(path: string, test: Test): string | undefined {
  switch (test.kind) {
    case 'exists':
      return `exists(${path})`;
    case 'match':
      // Flag s: the dot is any character, as with the operator ~ on a column.
      return filter(path, `@ like_regex ${quoteText(test.pattern)} flag "${test.ignoreCase ? 'is' : 's'}"`);
    case 'equal':
      return filter(path, test.literals.map((literal) => `@ == ${literalText(literal)}`).join(' || '));
    case 'order': {
      const { operator, operand } = test;
      if (operand.kind !== 'number' && isInstant(operand.text)) return undefined;
      if (operand.kind === 'string' || !isNumber(operand.text)) {
        return filter(path, `@ ${operator} ${quoteText(operand.text)}`);
      }
      if (operand.kind === 'number') return filter(path, `@ ${operator} ${operand.text}`);
      // What else consists of these characters, double() refuses. A stricter expression takes five times as long.
      const written = `@.type() == "string" && @ like_regex "^[-+.0-9Ee]+$"`;
      return filter(path, `@ ${operator} ${operand.text} || (${written} && @.double() ${operator} ${operand.text})`);
    }
  }
}

/** A filter looks into an array by itself; without the guard a comparison would look into an array of arrays too. */
function filter(path: string, predicate: string): string {
  return `exists(${path} ? (@.type() != "array" && (${predicate})))`;
}

function literalText(literal: Extract<Test, { kind: 'equal' }>['literals'][number]): string {
  switch (literal.kind) {
    case 'string':
      return quoteText(literal.text);
    case 'number':
      return literal.text;
    case 'boolean':
      return String(literal.value);
    case 'null':
      return 'null';
  }
}

/** A path in the language of jsonpath. */
export function pathText(symbol: '$' | '@', path: readonly Step[]): string {
  const steps = path.map((step) => {
    if (step.kind === 'member') return `.${quoteText(step.name)}`;
    return step.kind === 'index' ? `[${step.index}]` : '[*]';
  });
  return symbol + steps.join('');
}

/** A string in the language of jsonpath, whose escapes are those of JSON. */
function quoteText(text: string): string {
  return JSON.stringify(text);
}

/** A table or column that the program named. */
export function quoteName(name: string): string {
  if (!/^[a-z_][a-z0-9_]*$/.test(name)) throw new Error(`'${name}' is no name of a table or column of ours.`);
  return `"${name}"`;
}
