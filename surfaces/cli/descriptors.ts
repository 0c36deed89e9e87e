import { isJsonObject, type JsonObject } from '../../kernel/json.ts';

/** What the terminal needs to know of a tool. It is a part of the registry's descriptor, made at build time. */
export interface Verb {
  /** The tool: `subscription.top_up`. */
  name: string;
  /** As typed: `subscription`. */
  noun: string;
  /** As typed: `top-up`. */
  verb: string;
  summary: string;
  audience: readonly string[];
  effect: 'read' | 'write' | 'money' | 'destructive';
  input: JsonObject;
  rules: readonly { code: string; sentence: string }[];
  positional: readonly string[];
  examples: readonly string[];
  view: string | undefined;
}

/** Verbs that are typed without their noun, for they are typed often. */
export const shortVerbs: Readonly<Record<string, string>> = {
  trace: 'event.trace',
  rules: 'rule.list',
  top: 'dashboard.show',
  desk: 'session.open_desk',
};

/** Money and what ends for good: it is proposed first, and a person says yes. */
export const asksBefore = (verb: Pick<Verb, 'effect'>): boolean =>
  verb.effect === 'money' || verb.effect === 'destructive';

const effects = ['read', 'write', 'money', 'destructive'] as const;

/** Reads the list of tools; a list that a build did not make is a broken installation, said at once. */
export function readVerbs(list: unknown): Verb[] {
  if (!Array.isArray(list)) throw new Error('the list of tools is not a list; build the program again');
  return list.map(readVerb);
}

function readVerb(one: unknown): Verb {
  if (!isJsonObject(one) || typeof one.name !== 'string' || !isJsonObject(one.input)) {
    throw new Error('the list of tools holds something that is no tool; build the program again');
  }
  const effect = effects.find((known) => known === one.effect);
  if (!effect) throw new Error(`the tool ${one.name} has no known effect; build the program again`);
  return {
    name: one.name,
    ...spoken(one.name),
    summary: typeof one.summary === 'string' ? one.summary : '',
    audience: texts(one.audience),
    effect,
    input: one.input,
    rules: Array.isArray(one.rules) ? one.rules.flatMap(readRule) : [],
    positional: texts(one.positional),
    examples: texts(one.examples),
    view: typeof one.view === 'string' ? one.view : undefined,
  };
}

function readRule(one: unknown): { code: string; sentence: string }[] {
  return isJsonObject(one) && typeof one.code === 'string' && typeof one.sentence === 'string'
    ? [{ code: one.code, sentence: one.sentence }]
    : [];
}

function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === 'string') : [];
}

/** `subscription.top_up` is typed `subscription top-up`. */
export function spoken(tool: string): { noun: string; verb: string } {
  const [noun = '', ...rest] = tool.split('.');
  return { noun: kebab(noun), verb: kebab(rest.join('-')) };
}

/** `givenName`, `given_name` -> `given-name`. */
export function kebab(name: string): string {
  return name
    .replaceAll('_', '-')
    .replace(/([a-z0-9])([A-Z])/g, '$1-$2')
    .toLowerCase();
}
