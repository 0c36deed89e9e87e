import type { RuleList } from '../../../tools/rules.ts';
import { paintOf } from './paint.ts';
import { type Style, wrap } from './text.ts';

/** Each rule with its sentence and the commands it judges. */
export function drawRules(view: RuleList, style: Style): string {
  const paint = paintOf(style.color);
  if (view.items.length === 0) return `${paint.quiet('No such rule.')}\n`;
  const lines = view.items.flatMap((rule) => [
    paint.accent(rule.code),
    ...wrap(rule.sentence, style.width - 2).map((line) => `  ${line}`),
    ...wrap(rule.commands.join(', '), style.width - 2).map((line) => `  ${paint.quiet(line)}`),
  ]);
  return `${lines.join('\n')}\n${paint.quiet(`${view.items.length} rules`)}\n`;
}
