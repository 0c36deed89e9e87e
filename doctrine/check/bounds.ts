import ts from 'typescript';
import { finding, nodesOf, rooms, type SourceCheck, textsOf } from './source.ts';

const reads = /^\s*(?:with\b|select\b)/i;
const bounded = /\blimit\s+[$\d]|\bfetch\s+first\b/i;
/** Rows are found by what was asked: an id, a parent, a list of ids. */
const byKey = /=\s*(?:any\s*\()?\s*\$\d|\bin\s*\(\s*\$|=\s*any\s*\(|\bunnest\s*\(\s*\$/i;
const onlySums = /^\s*select\s+(?:exists\b|(?:coalesce\s*\(\s*)?(?:count|sum|max|min|bool_or|bool_and)\s*\()/i;

/** The tables that a text reads at its top, with what stands between their name and the end. */
function tablesIn(text: string, tables: readonly string[]): string[] {
  return [...text.matchAll(/\b(?:from|join)\s+"?(\w+)"?/gi)].flatMap(([, name = '']) =>
    tables.includes(name) ? [name] : [],
  );
}

/** Whether a text speaks of rows that it does not name itself: it is a part of another one, which bounds it. */
function isPart(text: string): boolean {
  // A table, a function or a subquery under a name of its own.
  const named = /(?:\b(?:from|join|lateral)\s+"?\w+"?|\))\s+(?:as\s+)?(\w+)/gi;
  const own = new Set([...text.matchAll(named), ...text.matchAll(/,\s*"?\w+"?\s+(\w+)/g)].map(([, alias]) => alias));
  return [...text.matchAll(/(?<![\w"])(\w+)\."/g)].some(([, alias]) => !own.has(alias));
}

/** @param tables those of the live database that grow. */
export const queriesCheck = (tables: readonly string[]): SourceCheck => ({
  name: 'unbounded lists and loops',
  refuses: 'a read of a table that grows with neither a key nor a LIMIT, and a loop over a body that asks the database',
  rooms,
  plants: [
    {
      file: 'read/views/plant-all.ts',
      text: `export const text = 'SELECT "id", "document" FROM "event" ORDER BY "position"';`,
    },
    {
      file: 'policy/usage/plant-filtered.ts',
      text: `import type { Tx } from '../core/transaction.ts';
export const read = (tx: Tx) => tx.sql\`SELECT * FROM "usage" WHERE "state" = 'rated'\`;`,
    },
    {
      file: 'read/views/plant-subquery.ts',
      text: `export const text = 'SELECT p."id", b."sum" FROM "payment" p JOIN (SELECT "payment_id", sum("amount_minor") FROM "refund" GROUP BY 1) b ON b."payment_id" = p."id"';`,
    },
    { file: 'tools/plant-select-all.ts', text: 'export const text = `select c.* from customer c order by c.id`;' },
    {
      file: 'policy/order/plant-loop.ts',
      text: `import { objects } from '../core/party.ts';
import { findRow } from '../core/table.ts';
import type { Tx } from '../core/transaction.ts';
export async function read(tx: Tx, document: { productOrderItem: never[] }): Promise<void> {
  for (const item of objects(document.productOrderItem)) await findRow(tx, 'customer', { id: String(item.id) });
}`,
    },
    {
      file: 'policy/order/plant-parallel.ts',
      text: `import { objects } from '../core/party.ts';
import { findRow } from '../core/table.ts';
import type { Tx } from '../core/transaction.ts';
export const read = (tx: Tx, document: { note: never[] }) =>
  Promise.all(objects(document.note).map(async (one) => findRow(tx, 'customer', { id: String(one.id) })));`,
    },
    {
      file: 'workers/plant-forever.ts',
      text: 'export async function spin(work: () => Promise<void>): Promise<void> {\n  while (true) await work();\n}',
    },
  ],
  judge(file) {
    const found = [];
    for (const { node, text } of textsOf(file.node)) {
      if (!reads.test(text) || bounded.test(text) || byKey.test(text) || onlySums.test(text) || isPart(text)) continue;
      const [table] = tablesIn(text, tables);
      if (table !== undefined) found.push(finding(file, node, `a read of ${table} without a key or a LIMIT`));
    }
    for (const node of nodesOf(file.node)) {
      if (ts.isForOfStatement(node) && isBodyList(node.expression) && asks(node.statement)) {
        found.push(finding(file, node, 'a loop over a body that asks in it'));
      }
      if (
        ts.isCallExpression(node) &&
        ts.isPropertyAccessExpression(node.expression) &&
        /^(map|flatMap|forEach)$/.test(node.expression.name.text) &&
        isBodyList(node.expression.expression) &&
        node.arguments.some((one) => asks(one) || (ts.isArrowFunction(one) && isAsync(one)))
      ) {
        found.push(finding(file, node, 'a loop over a body that asks in it'));
      }
      const isEndless =
        (ts.isWhileStatement(node) && node.expression.kind === ts.SyntaxKind.TrueKeyword) ||
        (ts.isForStatement(node) && node.condition === undefined);
      if (isEndless && !leaves(node.statement)) found.push(finding(file, node, 'a loop without an end'));
    }
    return found;
  },
});

/** `objects(document.x)` whole: a body decides how long it is. What is cut by `slice` has its bound. */
function isBodyList(node: ts.Expression): boolean {
  if (ts.isAwaitExpression(node) || ts.isParenthesizedExpression(node)) return isBodyList(node.expression);
  return ts.isCallExpression(node) && ts.isIdentifier(node.expression) && node.expression.text === 'objects';
}

const isAsync = (node: ts.ArrowFunction): boolean =>
  node.modifiers?.some((one) => one.kind === ts.SyntaxKind.AsyncKeyword) === true;

function asks(node: ts.Node): boolean {
  for (const one of nodesOf(node)) if (ts.isAwaitExpression(one)) return true;
  return false;
}

function leaves(node: ts.Node): boolean {
  for (const one of nodesOf(node)) {
    if (ts.isReturnStatement(one) || ts.isBreakStatement(one) || ts.isThrowStatement(one)) return true;
  }
  return false;
}
