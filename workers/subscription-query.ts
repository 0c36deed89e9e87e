import type { Condition } from '../read/list/condition.ts';
import { withStoredLinks } from '../read/list/condition.ts';
import { compileConditions } from '../read/list/predicate.ts';
import { parseQuery } from '../read/list/query.ts';

/**
 * The `query` of a subscription as a condition on an event: the operators of lists, on the event as it is sent
 * (`eventType`, `event.productOrder.state`), on the resource by its name (`productOrder.state`), or on the resource itself
 * (`state`). Spaces around an operator are forgiven.
 * @throws InvalidQuery, UnsupportedQuery
 */
export function subscriptionConditions(query: string, publicUrl: string): Condition[] {
  const tidy = query
    .split('&')
    .map((part) => part.trim().replace(/^([^\s=<>!*~]+)\s*([=<>!*~]+)\s*/, '$1$2'))
    .join('&');
  const stored = (text: string): string | undefined =>
    text.startsWith(`${publicUrl}/`) ? `airtime:${text.slice(publicUrl.length)}` : undefined;
  return parseQuery(tidy).conditions.map((condition) => withStoredLinks(condition, stored));
}

/** @throws InvalidQuery, UnsupportedQuery */
export function checkSubscriptionQuery(query: string): void {
  // What the conditions compile to decides too: some can be said and not be done.
  compileConditions(subscriptionConditions(query, ''), { columns: {}, href: (id) => id }, () => '$1');
}

/**
 * SQL that selects the `position` of those events, of the positions `$1` with their names on the wire `$2`, that a
 * subscription wants. A large event weighs a few kilobytes, so each is looked at without an index.
 */
export function matchingStatement(
  conditions: readonly Condition[],
  href: (id: string) => string,
): { text: string; values: unknown[] } {
  const values: unknown[] = [];
  const predicates = compileConditions(conditions, { columns: {}, href }, (value) => `$${values.push(value) + 2}`);
  const where = predicates.length === 0 ? 'TRUE' : predicates.map(({ sql }) => sql).join(' AND ');
  return {
    text: `SELECT "position" FROM (
      SELECT f."position", e."resource_id" AS id, e."resource" || jsonb_build_object(e."resource_type", e."resource",
        'event', jsonb_build_object(e."resource_type", e."resource"), 'eventId', e."id", 'eventType', f."name",
        'eventTime', wire_time(e."occurred_at")) AS document
      FROM unnest($1::bigint[], $2::text[]) AS f("position", "name") JOIN "event" e ON e."position" = f."position") told
    WHERE ${where}`,
    values,
  };
}
