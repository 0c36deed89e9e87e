import { createHash } from 'node:crypto';
import { z } from 'zod';

// What a statement would mean to a database that is spread by customer and whose usage is partitioned by time, read from
// the plan that PostgreSQL made for it: which tables it looks at, and by what it finds their rows.

/** How rows of a table are found, from what needs no change to what asks every part of a spread database. */
export const keys = ['customer', 'line', 'number', 'id', 'none'] as const;
export type Key = (typeof keys)[number];

export interface Access {
  table: string;
  key: Key;
  isWrite: boolean;
  /** Whether rows of usage are looked for within a time; undefined for other tables. */
  isTimed?: boolean;
}

export interface Statement {
  hash: string;
  text: string;
  accesses: Access[];
}

const baseNode = z.looseObject({
  'Node Type': z.string(),
  'Relation Name': z.string().optional(),
  Alias: z.string().optional(),
  Operation: z.string().optional(),
});
type Node = z.infer<typeof baseNode> & { Plans?: Node[] | undefined };
const node: z.ZodType<Node> = baseNode.extend({
  get Plans() {
    return z.array(node).optional();
  },
});
const explained = z.looseObject({ 'Query Text': z.string(), Plan: node });

const ownConditions = ['Index Cond', 'Recheck Cond', 'Filter', 'TID Cond'];
const joinConditions = ['Hash Cond', 'Merge Cond', 'Join Filter'];

const textsOf = (one: Node, names: readonly string[]): string[] =>
  names.flatMap((name) => {
    const value = one[name];
    return typeof value === 'string' ? [value] : [];
  });

const nodesOf = (one: Node): Node[] => [one, ...(one.Plans ?? []).flatMap(nodesOf)];

/** @param name of a column, or several, with or without the alias of their table. */
const comparesWith = (name: string): RegExp => {
  const column = `(?:\\w+\\.)?"?(?:${name})"?\\)?(?:::text)?`;
  return new RegExp(`(?:^|[(\\s])${column} = |= \\(?${column}(?:[)\\s]|$)`);
};
const byCustomer = comparesWith('customer_id');
const byLine = comparesWith('subscription_id|subject');
const byNumber = comparesWith('msisdn|iccid|email');
const byId = comparesWith('\\w*id|key|hash|fact_key|record_id|gateway_reference|position');

function keyOf(table: string, conditions: readonly string[]): Key {
  const has = (pattern: RegExp) => conditions.some((condition) => pattern.test(condition));
  if (has(byCustomer) || (table === 'customer' && has(comparesWith('id')))) return 'customer';
  if (has(byLine) || (table === 'subscription' && has(comparesWith('id')))) return 'line';
  if (has(byNumber)) return 'number';
  return has(byId) ? 'id' : 'none';
}

const inserted = /insert\s+into\s+"?(\w+)"?\s*\(([^)]*)\)/gi;

function insertKey(table: string, text: string): Key {
  for (const [, name, columns = ''] of text.matchAll(inserted)) {
    if (name !== table) continue;
    const has = (column: RegExp) => column.test(columns);
    if (has(/\bcustomer_id\b/) || (table === 'customer' && has(/\bid\b/))) return 'customer';
    if (has(/\bsubscription_id\b|\bsubject\b/) || (table === 'subscription' && has(/\bid\b/))) return 'line';
    if (has(/\b(?:msisdn|iccid|email)\b/)) return 'number';
    return has(/\b(?:\w*id|key|hash)\b/) ? 'id' : 'none';
  }
  return 'none';
}

/** The text without what differs from call to call: values that were written into it, and how it is laid out. */
export function plainText(text: string): string {
  // A transaction is begun the same way by every command, and its name is what differs.
  const keeps = text.startsWith('BEGIN') ? /^''$/ : /^'[a-z_. -]{0,40}'$/;
  return text
    .replace(/'(?:[^']|'')*'/g, (quoted) => (keeps.test(quoted) ? quoted : "'…'"))
    .replace(/\s+/g, ' ')
    .trim();
}

/** Reads what auto_explain tells of a statement. */
export function readStatement(json: string): Statement {
  const { 'Query Text': query, Plan: plan } = explained.parse(JSON.parse(json));
  const text = plainText(query);
  const nodes = nodesOf(plan);
  const joins = nodes.flatMap((one) => textsOf(one, joinConditions));
  const found = new Map<string, Access>();
  const keep = (access: Access) => {
    const name = `${access.table} ${access.isWrite}`;
    const before = found.get(name);
    // Looked at twice: the way that costs more counts.
    if (before && keys.indexOf(before.key) >= keys.indexOf(access.key) && !(before.isTimed && !access.isTimed)) return;
    found.set(name, access);
  };
  for (const one of nodes) {
    const table = one['Relation Name'];
    if (table === undefined) continue;
    if (one['Node Type'] === 'ModifyTable') {
      if (one.Operation === 'Insert') keep({ table, key: insertKey(table, text), isWrite: true });
      continue;
    }
    const alias = one.Alias ?? table;
    const conditions = [
      ...textsOf(one, ownConditions),
      ...joins.flatMap((text) => text.match(new RegExp(`[^()]*\\b${alias}\\.[^()]*`, 'g')) ?? []),
      // An index scan of bitmaps keeps its condition in a node of its own.
      ...nodesOf(one).flatMap((below) => (below === one ? [] : textsOf(below, ['Index Cond']))),
    ];
    keep({
      table,
      key: keyOf(table, conditions),
      isWrite: false,
      ...(table === 'usage' ? { isTimed: conditions.some((condition) => /usage_date/.test(condition)) } : {}),
    });
  }
  const hash = createHash('sha256').update(text).digest('hex').slice(0, 10);
  return { hash, text, accesses: [...found.values()].sort((a, b) => (a.table < b.table ? -1 : 1)) };
}

/** What every part of a spread database would hold a copy of, or only its first: catalogue, settings, the house itself. */
export const isReference = (table: string): boolean =>
  /^(catalog|category|product_|setting|hub|relay_cursor|held_event|delivery|delivery_queue|access_token|stock_alarm|usage_specification|import_job|export_job|business_clock|_prisma)/.test(
    table,
  ) && table !== 'product_order';

/** By what the whole statement is found: the worst of its tables. Undefined when it looks at none that is spread. */
export function worstKey({ accesses }: Pick<Statement, 'accesses'>): Key | undefined {
  const places = accesses.filter(({ table }) => !isReference(table)).map(({ key }) => keys.indexOf(key));
  return places.length === 0 ? undefined : keys[Math.max(...places)];
}

/** Whether it looks for usage in all of time. */
export const isUntimed = ({ accesses }: Pick<Statement, 'accesses'>): boolean =>
  accesses.some(({ isTimed }) => isTimed === false);
