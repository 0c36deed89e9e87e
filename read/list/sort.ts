import { instantPattern, instantSql } from './instant.ts';
import { type Bind, type Columns, columnOf, pathText, quoteName } from './predicate.ts';
import type { SortKey } from './query.ts';

/** How a list is put in order, as parts of one statement. */
export interface Ordering {
  /** What ORDER BY names, the id last. */
  orderBy: string[];
  /** The same names but the id, to be selected beside it. */
  keys: string[];
  /** Joins that work the keys out of the document; empty when columns or the id suffice. */
  joins: string[];
}

/**
 * Compiles sort keys. A typed column is ordered as PostgreSQL orders it; an attribute of the document by kind first
 * (booleans, numbers, instants, other strings), then by value, strings by code point. Where a path leads to several values
 * the first counts. What is absent, null or an object comes last, and first when the order is descending. The id, in
 * the direction of the last key, makes the order total, so pages are disjoint and complete.
 */
export function compileSort(sort: readonly SortKey[], columns: Columns, bind: Bind): Ordering {
  const ordering: Ordering = { orderBy: [], keys: [], joins: [] };
  let idDirection = 'ASC';
  for (const [index, { path, descending }] of sort.entries()) {
    const direction = descending ? 'DESC' : 'ASC';
    const name = path.join('.');
    // Nothing can come after the id; following the last key lets one index serve both, whichever way it is read.
    idDirection = direction;
    const column = columnOf(name, columns);
    if (name === 'href' || column?.column === 'id') break;
    const keys = column === undefined ? [`kind${index}`, `number${index}`, `text${index}`] : [quoteName(column.column)];
    if (column === undefined) {
      const members = path.map((member) => ({ kind: 'member' as const, name: member }));
      ordering.joins.push(keysOfDocument(index, bind(pathText('$', [...members, { kind: 'elements' }]))));
    }
    // The same column by another name decides nothing more.
    if (ordering.keys.some((key) => keys.includes(key))) continue;
    ordering.keys.push(...keys);
    ordering.orderBy.push(...keys.map((key) => `${key} ${direction}`));
  }
  ordering.orderBy.push(`id ${idDirection}`);
  return ordering;
}

/** The value is taken out once (OFFSET 0 keeps the planner from repeating it), then sorted into kinds. */
function keysOfDocument(index: number, path: string): string {
  const text = `(value #>> '{}')`;
  return `CROSS JOIN LATERAL (
    SELECT kind AS kind${index},
      CASE kind
        WHEN 1 THEN value::boolean::integer
        WHEN 2 THEN value::numeric
        WHEN 3 THEN extract(epoch FROM ${instantSql(text)})
      END AS number${index},
      CASE kind WHEN 4 THEN ${text} END COLLATE "C" AS text${index}
    FROM (
      SELECT value, CASE jsonb_typeof(value)
        WHEN 'boolean' THEN 1
        WHEN 'number' THEN 2
        WHEN 'string' THEN CASE WHEN ${text} LIKE '____-__-__%' AND ${text} ~ '${instantPattern}' THEN 3 ELSE 4 END
      END AS kind
      FROM (SELECT jsonb_path_query_first(document, ${path}::jsonpath) AS value OFFSET 0) AS first
      OFFSET 0
    ) AS typed
    OFFSET 0
  ) AS sorted${index}`;
}
