import type { Hot } from './collect.ts';
import { isReference, isUntimed, type Key, keys, worstKey } from './statement.ts';

const says: Readonly<Record<Key, string>> = {
  customer: 'They carry the customer. Nothing changes.',
  line: 'They carry the line. Whoever calls has read the line and knows its customer: the customer is named beside it.',
  number: 'They go by a number, an eSIM or an address: a directory, spread by that, gives line and customer first.',
  id: 'They carry an id alone. The customer becomes part of the key and of the id that callers hold, or a directory of ids is asked.',
  none: 'They carry no key of ours. Each part of a spread database works through its own rows, or the statement is asked of all of them.',
};

/** The list, as it is kept in docs/growth-statements.md. */
export function drawDocument(statements: readonly Hot[]): string {
  const untimed = statements.filter(isUntimed);
  const groups = [...keys].reverse().map((key) => ({ key, found: statements.filter((one) => worstKey(one) === key) }));
  const rest = statements.filter((one) => worstKey(one) === undefined);
  const entry = (one: Hot) => {
    const tables = one.accesses
      .map(
        ({ table, key, isWrite }) =>
          `${table} ${isWrite ? 'written' : isReference(table) ? 'copied to all' : `by ${key}`}`,
      )
      .join(', ');
    return `- \`${one.hash}\` (${one.path}${isUntimed(one) ? '; **usage of all time**' : ''}) ${tables}\n\n      ${one.text}\n`;
  };
  return `# The hot statements

Written by \`make growth-statements\` from the plans that PostgreSQL made while the whole program ran: every statement
of charging, selling, looking, renewal and delivery, those inside functions of the database too. A test fails when a hot
statement is not in this list. \`growth.md\` says what it is for. A statement is known by the first letters of its hash,
and stands under the weakest key by which one of its tables is found.

| found by | statements |
| --- | ---: |
${groups.map(({ key, found }) => `| ${key} | ${found.length} |`).join('\n')}
| no table that is spread | ${rest.length} |
| usage without a bound in time | ${untimed.length} |

${groups
  .filter(({ found }) => found.length > 0)
  .map(({ key, found }) => `## Found by ${key}\n\n${says[key]}\n\n${found.map(entry).join('\n')}`)
  .join('\n')}
## No table that is spread

Calls of functions, whose own statements stand above, and tables that every part holds a copy of.

${rest.map(entry).join('\n')}`;
}

/** Which of them the document does not list. */
export const missingFrom = (document: string, statements: readonly Hot[]): Hot[] =>
  statements.filter(({ hash }) => !document.includes(`\`${hash}\``));
