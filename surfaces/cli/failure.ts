import { isJsonObject, type Json, type JsonObject } from '../../kernel/json.ts';
import { afterRefusal } from '../../tools/recovery.ts';
import type { Connection } from './connection.ts';
import type { Verb } from './descriptors.ts';
import { paintOf } from './render/paint.ts';
import { plainText } from './render/plain.ts';
import { type Style, wrap } from './render/text.ts';

/** What went wrong as a person reads it: what, which rule, on which facts, and what to type next. */
export interface Failure {
  what: string;
  rule?: string;
  facts: readonly (readonly [string, string])[];
  next: readonly string[];
}

/** The failure a server's error body tells. The body is a TMF Error: `reason`, `message`, and the facts of a rule. */
export function refusedFailure(verb: Verb, verbs: readonly Verb[], status: number, error: JsonObject): Failure {
  const reason = text(error.reason);
  const message = text(error.message) ?? reason ?? `The server answered ${status}.`;
  const facts = isJsonObject(error.facts)
    ? Object.entries(error.facts).map(([name, value]) => [name, shown(value)] as const)
    : [];
  const faults = Array.isArray(error.fault)
    ? error.fault.filter(isJsonObject).map((fault) => [text(fault.field) ?? 'input', text(fault.rule) ?? ''] as const)
    : [];
  const isRule = reason?.includes('.') === true;
  return {
    what: message,
    ...(isRule ? { rule: reason } : {}),
    // A message that already says what is wrong with each input is not followed by the same again.
    facts: [...facts, ...faults.filter(([, rule]) => rule === '' || !message.includes(rule))],
    next: nextCommands(verb, verbs, status, reason ?? '', facts),
  };
}

function nextCommands(
  verb: Verb,
  verbs: readonly Verb[],
  status: number,
  reason: string,
  facts: readonly (readonly [string, string])[],
): string[] {
  if (status === 401) return ['bss doctor'];
  if (status === 400) return [`bss ${verb.noun} ${verb.verb} --help`];
  const has = (line: string) => verbs.some((one) => line.startsWith(`bss ${one.noun} ${one.verb}`));
  const values = facts.map(([, value]) => value);
  const found = afterRefusal(status, reason, values, verb.noun).filter(has).slice(0, 2);
  if (found.length > 0) return found;
  if (status === 403 || status >= 500) return ['bss doctor'];
  // The help of a verb lists the rules that may refuse it.
  return has(`bss ${verb.noun} ${verb.verb}`) ? [`bss ${verb.noun} ${verb.verb} --help`] : [];
}

export function unreachableFailure(connection: Connection, message: string, isRefusedConnection: boolean): Failure {
  return {
    what: `No server answers at ${connection.url}: ${message}.`,
    facts: [['address from', connection.from]],
    next: isRefusedConnection ? ['make start'] : ['bss doctor'],
  };
}

export const unknownServer: Failure = {
  what: 'No server is known here: neither this folder nor one above it holds .airtime/cli.json, which a server writes when it starts.',
  facts: [],
  next: ['make start', 'AIRTIME_TOKEN=<token> bss --server <url> …'],
};

/** The failure as lines for standard error. */
export function drawFailure(failure: Failure, style: Style): string {
  const paint = paintOf(style.color);
  const lines = wrap(plainText(failure.what), style.width - 2).map((line, index) =>
    index === 0 ? `${paint.bad('✗')} ${paint.strong(line)}` : `  ${paint.strong(line)}`,
  );
  if (failure.rule !== undefined) lines.push(`  ${paint.quiet('rule')}  ${plainText(failure.rule)}`);
  for (const [name, value] of failure.facts) {
    for (const [index, line] of wrap(`${plainText(name)}: ${plainText(value)}`, style.width - 8).entries()) {
      lines.push(`  ${index === 0 ? paint.quiet('fact') : '    '}  ${line}`);
    }
  }
  for (const command of failure.next) lines.push(`  ${paint.quiet('next')}  ${paint.accent(plainText(command))}`);
  return `${lines.join('\n')}\n`;
}

function text(value: Json | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function shown(value: Json | undefined): string {
  if (typeof value === 'string') return value;
  return Array.isArray(value) ? value.map(shown).join(', ') : JSON.stringify(value ?? null);
}
