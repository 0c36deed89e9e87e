import type { AnyDefinition } from '../policy/core/command.ts';
import { queries as views } from '../read/views/queries.ts';
import type { AnyQuery } from '../read/views/query.ts';
import { listOfferings } from './offering-list.ts';
import { listRules } from './rules.ts';

/** Every query that is a tool; the list of rules is made from the commands. */
export function queriesFor(commands: readonly AnyDefinition[]): readonly AnyQuery[] {
  return [...views, listOfferings, listRules(commands)];
}
