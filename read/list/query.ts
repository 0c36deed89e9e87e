import { type Condition, isNumber, type Literal, type OrderOperator, type Step, type Test } from './condition.ts';
import { isInstant } from './instant.ts';
import { parseJsonPath } from './json-path.ts';
import { InvalidQuery, UnsupportedQuery } from './query-error.ts';
import { type Pattern, translatePattern } from './regular-expression.ts';

export interface SortKey {
  path: string[];
  descending: boolean;
}

/** What a query string asks for, checked, and independent of any resource. */
export interface QueryParameters {
  offset: number;
  limit: number;
  sort: SortKey[];
  /** The attributes to answer with; `id` and `href` always come. Undefined: all. */
  fields: string[][] | undefined;
  /** All of them must hold. */
  conditions: Condition[];
  /** The query string without offset and limit, fit for a Link header. */
  rest: string;
}

/** How much one query may ask for. */
export interface QueryLimits {
  /** Items in a page when `limit` is not given. */
  limitDefault: number;
  /** Items in a page at most; a larger `limit` is taken as this. */
  limitMax: number;
  /** Characters of the query string. */
  lengthMax: number;
  /** Filters, and terms of one JSONPath. */
  termsMax: number;
  /** Values that all filters together compare with. */
  valuesMax: number;
  /** Steps of one path. */
  depthMax: number;
  /** Levels of a JSONPath that lie in one another. */
  nestingMax: number;
  /** Characters of one regular expression. */
  patternLengthMax: number;
  sortKeysMax: number;
  fieldsMax: number;
}

export const queryLimits: QueryLimits = {
  limitDefault: 100,
  limitMax: 1000,
  lengthMax: 8192,
  termsMax: 50,
  valuesMax: 200,
  depthMax: 10,
  nestingMax: 10,
  patternLengthMax: 200,
  sortKeysMax: 5,
  fieldsMax: 200,
};

const directives = ['offset', 'limit', 'sort', 'fields', 'filter', 'depth', 'expand'] as const;
type Directive = (typeof directives)[number];
/** One parameter, still encoded. */
interface Parameter {
  directive: Directive | undefined;
  /** Everything, as it was sent. */
  raw: string;
  /** What follows the `=` of a directive. */
  value: string;
}

type Operator = 'eq' | 'ne' | 'gt' | 'gte' | 'lt' | 'lte' | 'regex';
const operators: readonly Operator[] = ['eq', 'ne', 'gt', 'gte', 'lt', 'lte', 'regex'];
const orderOperators: Partial<Record<Operator, OrderOperator>> = { gt: '>', gte: '>=', lt: '<', lte: '<=' };

/**
 * Reads a raw query string, without or with its `?`, by the rules of TMF630 part 1.
 *
 * `offset`, `limit`, `sort`, `fields` and `filter` are directives; every other parameter filters by an attribute:
 * `a.b=v`, `a.gt=v` (also gte, lt, lte, eq, ne, regex) or `a>v`, `a>=v`, `a<v`, `a<=v`, `a!=v`, `a*=v`, `a=~v`, each operator
 * plain or percent-encoded. Parameters are joined by and. The same attribute and operator again, `v,w` for eq and ne, and
 * parameters joined by `;` are or. A value that holds a comma is also compared whole, so an exact value finds itself.
 * A `+` stands for a space, or for itself where that is what the value needs: both readings are compared.
 * @throws InvalidQuery, UnsupportedQuery
 */
export function parseQuery(raw: string, limits: QueryLimits = queryLimits): QueryParameters {
  const source = raw.startsWith('?') ? raw.slice(1) : raw;
  if (source.length > limits.lengthMax) {
    throw new InvalidQuery(
      'query',
      `A query string has at most ${limits.lengthMax} characters.`,
      'Ask for less at once.',
    );
  }
  const parameters = splitParameters(source);
  const oneOf = (directive: Directive): string | undefined => single(parameters, directive);
  const listOf = (directive: Directive): string[] =>
    parameters
      .filter((parameter) => parameter.directive === directive)
      .flatMap((parameter) => decode(directive, parameter.value).split(','))
      .filter((item) => item.trim() !== '');
  for (const name of ['depth', 'expand'] as const) {
    if (oneOf(name) !== undefined) {
      throw new UnsupportedQuery(name, 'References are not expanded.', 'Follow their href instead.');
    }
  }

  const offset = count('offset', oneOf('offset')) ?? 0;
  const limit = Math.min(count('limit', oneOf('limit')) ?? limits.limitDefault, limits.limitMax);
  const conditions = parameters
    .filter((parameter) => parameter.directive === 'filter')
    .map((parameter) => parseJsonPath(decode('filter', parameter.value), limits));
  conditions.push(...attributeConditions(parameters, limits));
  return {
    offset,
    limit,
    sort: parseSort(listOf('sort'), limits),
    fields: parseFields(listOf('fields'), limits),
    conditions,
    rest: parameters
      .filter(({ directive }) => directive !== 'offset' && directive !== 'limit')
      .map((parameter) => forHeader(parameter.raw))
      .join('&'),
  };
}

function splitParameters(source: string): Parameter[] {
  const parameters: Parameter[] = [];
  const pieces = source.split('&');
  for (let index = 0; index < pieces.length; index += 1) {
    let raw = pieces[index] ?? '';
    if (raw === '') continue;
    const name = /^[A-Za-z]+(?==|%3[Dd])/.exec(raw)?.[0];
    const directive = directives.find((known) => known === name);
    if (directive === 'filter') {
      // People send && in a JSONPath unencoded. Nothing else can be meant by an expression that breaks off there.
      while (index + 1 < pieces.length && isOpen(decodeIfPossible(raw))) {
        index += 1;
        raw += `&${pieces[index] ?? ''}`;
      }
    }
    parameters.push({
      directive,
      raw,
      value: directive === undefined ? '' : raw.slice(directive.length).replace(/^(?:=|%3[Dd])/, ''),
    });
  }
  return parameters;
}

/** Whether a bracket or a string is not closed yet. */
function isOpen(expression: string): boolean {
  const outsideStrings = expression.replace(/'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"/gs, '');
  if (/['"]/.test(outsideStrings)) return true;
  const many = (character: string): number => outsideStrings.split(character).length - 1;
  return many('[') > many(']') || many('(') > many(')');
}

function decodeIfPossible(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Percent-decodes. `+` becomes a space unless it is to be kept. */
function decode(parameter: string, text: string, keepPlus = false): string {
  let decoded: string;
  try {
    decoded = decodeURIComponent(keepPlus ? text : text.replaceAll('+', ' '));
  } catch {
    throw new InvalidQuery(
      parameter,
      'The percent-encoding is broken.',
      'Encode text as UTF-8, then each byte as %XX.',
    );
  }
  if (decoded.includes('\0') || /\p{Surrogate}/u.test(decoded)) {
    throw new InvalidQuery(parameter, 'It holds a character that no text can hold.', 'Send it without.');
  }
  return decoded;
}

/** What a Link header can carry between its angle brackets, meaning the same. */
function forHeader(raw: string): string {
  return raw.replace(/[^\x21-\x7e]+|[<>"\\^`{|}]+/gu, (characters) => encodeURIComponent(characters));
}

function single(parameters: readonly Parameter[], directive: Directive): string | undefined {
  const found = parameters.filter((parameter) => parameter.directive === directive);
  if (found.length > 1) throw new InvalidQuery(directive, 'It is given more than once.', 'Send it once.');
  const [parameter] = found;
  return parameter === undefined ? undefined : decode(directive, parameter.value);
}

function count(parameter: 'offset' | 'limit', text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^[0-9]+$/.test(text)) {
    throw new InvalidQuery(
      parameter,
      'It is a whole number that is not negative.',
      `Send for example ${parameter}=20.`,
    );
  }
  // Beyond this, an offset lies past every list and a limit above every page.
  return Math.min(Number(text), Number.MAX_SAFE_INTEGER);
}

function parseSort(items: readonly string[], limits: QueryLimits): SortKey[] {
  if (items.length > limits.sortKeysMax) {
    throw new InvalidQuery('sort', `A list is sorted by at most ${limits.sortKeysMax} attributes.`, 'Name fewer.');
  }
  const keys = new Map<string, SortKey>();
  for (const item of items) {
    // An unencoded + arrives as a space.
    const [, sign, name = ''] = /^\s*([+-]?)\s*(.*?)\s*$/s.exec(item) ?? [];
    // The second time an attribute decides nothing more.
    if (!keys.has(name)) keys.set(name, { path: splitPath('sort', name, limits), descending: sign === '-' });
  }
  return [...keys.values()];
}

function parseFields(items: readonly string[], limits: QueryLimits): string[][] | undefined {
  if (items.length === 0) return undefined;
  if (items.length > limits.fieldsMax) {
    throw new InvalidQuery(
      'fields',
      `At most ${limits.fieldsMax} attributes can be selected.`,
      'Leave it out for all.',
    );
  }
  const paths = items.map((item) => {
    if (/[[(]/.test(item)) {
      throw new UnsupportedQuery(
        'fields',
        'Attributes are selected by name only.',
        'Send for example fields=name,note.text.',
      );
    }
    return splitPath('fields', item.trim(), limits);
  });
  return paths.filter((path) => path.length > 1 || path[0] !== 'none');
}

function splitPath(parameter: string, name: string, limits: QueryLimits): string[] {
  const path = name.split('.');
  if (path.length > limits.depthMax) {
    throw new InvalidQuery(
      parameter,
      `An attribute lies at most ${limits.depthMax} levels deep.`,
      'Name one further up.',
    );
  }
  if (path.includes('') || /[[\]]/.test(name)) {
    throw new InvalidQuery(
      parameter === '' ? 'query' : parameter,
      'An attribute is named by words with one dot between them.',
      'Send for example relatedParty.id=42.',
    );
  }
  return path;
}

// A filter `name operator value`. The first operator counts: what follows belongs to the value.
const operatorPattern =
  /(?:!|%21)(?:=|%3D)|(?:\*|%2A)(?:=|%3D)|(?:=|%3D)(?:~|%7E)|(?:>|%3E)(?:=|%3D)?|(?:<|%3C)(?:=|%3D)?|=|%3D/i;
const symbols: Record<string, Operator> = {
  '=': 'eq',
  '!=': 'ne',
  '>': 'gt',
  '>=': 'gte',
  '<': 'lt',
  '<=': 'lte',
  '*=': 'regex',
  '=~': 'regex',
};

/** One filter with all values that were given for it. */
interface AttributeFilter {
  name: string;
  path: string[];
  operator: Operator;
  values: string[];
}

function attributeConditions(parameters: readonly Parameter[], limits: QueryLimits): Condition[] {
  const repeated = new Map<string, AttributeFilter>();
  const joined: AttributeFilter[][] = [];
  for (const parameter of parameters) {
    if (parameter.directive !== undefined) continue;
    const filters = splitAlternatives(parameter.raw).map((part) => readFilter(part, limits));
    const [first] = filters;
    if (first === undefined) continue;
    if (filters.length > 1) {
      joined.push(filters);
      continue;
    }
    const key = `${first.operator} ${first.name}`;
    const known = repeated.get(key);
    if (known === undefined) repeated.set(key, first);
    else known.values.push(...first.values);
  }
  const all = [...repeated.values(), ...joined.flat()];
  if (all.length > limits.termsMax) {
    throw new InvalidQuery('query', `At most ${limits.termsMax} filters can be given.`, 'Send fewer.');
  }
  if (all.reduce((sum, filter) => sum + filter.values.length, 0) > limits.valuesMax) {
    throw new InvalidQuery('query', `All filters together name at most ${limits.valuesMax} values.`, 'Send fewer.');
  }
  return [
    ...[...repeated.values()].map((filter) => toCondition(filter, limits)),
    ...joined.map(
      (filters): Condition => ({ kind: 'any', conditions: filters.map((filter) => toCondition(filter, limits)) }),
    ),
  ];
}

/** Splits at `;` where a filter follows. Otherwise what follows is one more value, or part of the value. */
function splitAlternatives(raw: string): string[] {
  const parts: string[] = [];
  for (const piece of raw.split(';')) {
    const last = parts.length - 1;
    if (last < 0 || operatorPattern.test(piece)) parts.push(piece);
    else parts[last] += `;${piece}`;
  }
  return parts;
}

function readFilter(raw: string, limits: QueryLimits): AttributeFilter {
  const found = operatorPattern.exec(raw);
  const written = decode('query', found === null ? raw : raw.slice(0, found.index));
  if (found === null) {
    throw new InvalidQuery(written.slice(0, 100), 'It has no value.', 'Send for example state=active.');
  }
  if (written === '') throw new InvalidQuery('query', 'A filter names no attribute.', 'Send for example state=active.');
  let symbol = decode('query', found[0]);
  let value = raw.slice(found.index + found[0].length);
  const dot = written.lastIndexOf('.');
  const suffix = dot > 0 ? operators.find((known) => known === written.slice(dot + 1)) : undefined;
  if (suffix !== undefined && symbol === '=~') {
    // The operator is named already: the tilde is the first character of the value.
    symbol = '=';
    value = `~${value}`;
  }
  if (suffix !== undefined && symbol !== '=') {
    throw new InvalidQuery(written.slice(0, 100), 'It has two operators.', "After an operator's name comes '='.");
  }
  const name = suffix === undefined ? written : written.slice(0, dot);
  const operator = suffix ?? (Object.hasOwn(symbols, symbol) ? symbols[symbol] : undefined) ?? 'eq';
  return {
    name,
    path: splitPath(name.slice(0, 100), name, limits),
    operator,
    values: readValues(name, operator, value),
  };
}

/** Every reading of a value that its sender may have meant. */
function readValues(name: string, operator: Operator, raw: string): string[] {
  const parameter = name.slice(0, 100);
  const spaced = decode(parameter, raw);
  const plus = raw.includes('+') ? decode(parameter, raw, true) : spaced;
  if (orderOperators[operator] !== undefined) return [isInstant(plus) ? plus : spaced];
  if (operator === 'regex') return [...new Set([spaced, plus])];
  const parts = (text: string): string[] => [...text.split(','), ...text.split(';')].filter((part) => part !== '');
  return [...new Set([spaced, plus].flatMap((text) => [text, ...parts(text)]))];
}

function toCondition({ name, path, operator, values }: AttributeFilter, limits: QueryLimits): Condition {
  const steps = path.map((member): Step => ({ kind: 'member', name: member }));
  const holds = (test: Test): Condition => ({ kind: 'value', path: steps, test });
  const order = orderOperators[operator];
  if (order !== undefined) {
    return anyOf(values.map((text) => holds({ kind: 'order', operator: order, operand: { kind: 'attribute', text } })));
  }
  if (operator === 'regex') {
    return anyOf(translateReadings(name, values, limits).map((pattern) => holds({ kind: 'match', ...pattern })));
  }
  const equal = holds({ kind: 'equal', literals: values.flatMap(literalsOf) });
  return operator === 'ne' ? { kind: 'not', condition: equal } : equal;
}

/** An expression with a `+` has two readings, and one of them may be no expression. */
function translateReadings(name: string, readings: readonly string[], limits: QueryLimits): Pattern[] {
  const patterns: Pattern[] = [];
  let failure: unknown;
  for (const reading of readings) {
    try {
      patterns.push(translatePattern(`${name.slice(0, 100)}.regex`, reading, limits.patternLengthMax));
    } catch (error) {
      failure = error;
    }
  }
  if (patterns.length === 0) throw failure;
  return patterns;
}

function anyOf(conditions: Condition[]): Condition {
  return { kind: 'any', conditions };
}

/** A value in a query string has no type: it equals the string, and the number, boolean or null that reads the same. */
function literalsOf(text: string): Literal[] {
  const literals: Literal[] = [{ kind: 'string', text }];
  if (isNumber(text)) literals.push({ kind: 'number', text });
  if (text === 'true' || text === 'false') literals.push({ kind: 'boolean', value: text === 'true' });
  if (text === 'null') literals.push({ kind: 'null' });
  return literals;
}
