import { z } from 'zod';
import type { AnyDefinition } from '../policy/core/command.ts';
import { type AnyQuery, query } from '../read/views/query.ts';

export const ruleList = z.object({
  items: z.array(
    z.object({
      code: z.string(),
      sentence: z.string(),
      commands: z.array(z.string()).describe('The commands it judges'),
    }),
  ),
});
export type RuleList = z.infer<typeof ruleList>;

/** Every rule of the house, made from the commands that carry them. */
export function listRules(commands: readonly AnyDefinition[]): AnyQuery {
  const rules = new Map<string, { code: string; sentence: string; commands: string[] }>();
  for (const command of commands) {
    for (const { code, sentence } of command.rules) {
      const known = rules.get(code) ?? { code, sentence, commands: [] };
      known.commands.push(command.name);
      rules.set(code, known);
    }
  }
  const items = [...rules.values()].sort((a, b) => (a.code < b.code ? -1 : 1));
  return query({
    name: 'rule.list',
    summary: 'List the rules of the house',
    audience: ['operator', 'integrator'],
    input: z.strictObject({
      search: z.string().optional().describe('Part of a code, of a sentence, or of a command’s name'),
    }),
    output: ruleList,
    positional: ['search'],
    examples: ['bss rules', 'bss rules top_up'],
    view: 'rule-list',
    run: async (_database, { search }) => {
      const wanted = search?.toLowerCase() ?? '';
      return {
        items: items.filter((rule) =>
          [rule.code, rule.sentence, ...rule.commands].some((text) => text.toLowerCase().includes(wanted)),
        ),
      };
    },
  });
}
