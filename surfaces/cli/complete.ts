import { isJsonObject, type Json } from '../../kernel/json.ts';
import { callTool, connectionOf } from './connection.ts';
import { asksBefore, shortVerbs, type Verb } from './descriptors.ts';
import { type Field, fieldsOf } from './input.ts';
import { toolProfiles } from './options.ts';
import { readProfiles } from './profiles.ts';
import { plainText } from './render/plain.ts';
import type { Terminal } from './terminal.ts';

/** A word that may stand where one is being typed. `:files` stands for the names of files. */
export interface Candidate {
  value: string;
  about: string;
  /** It is there now, and its value alone says little: a list of such shows what each is. */
  isLive?: boolean;
}

/** Asks the server for what is there; undefined when it does not say. */
export type Live = (tool: string) => Promise<unknown>;

const own: readonly (readonly [flag: string, about: string, takes: 'nothing' | 'profile' | 'text'])[] = [
  ['--json', 'print the answer as JSON', 'nothing'],
  ['--profile', 'the server of that name', 'profile'],
  ['--server', 'where the server is', 'text'],
  ['--watch', 'show again as it changes', 'nothing'],
  ['--yes', 'do not ask before money moves or something is destroyed', 'nothing'],
  ['--input', 'the whole input as JSON, @file or -', 'text'],
  ['--no-color', 'no colour', 'nothing'],
  ['--help', 'show the help', 'nothing'],
];

const alone: readonly Candidate[] = [
  { value: 'preview', about: 'what a command that moves money or destroys would do' },
  { value: 'profile', about: 'keep servers by name' },
  { value: 'tools', about: 'every command and query of the system, as tools' },
  { value: 'help', about: 'the handbook, or what is found in it' },
  { value: 'doctor', about: 'say what is wrong with this installation' },
  { value: 'mcp', about: 'serve an agent on this machine' },
  { value: 'completion', about: 'print a completion script for a shell' },
];

// `bss tools` is no verb of a server: what it takes is not read from a schema.
const audienceFlag: Candidate = { value: '--audience', about: 'only what it has' };
const toolAudiences = toolProfiles.map((value) => ({ value, about: '' }));

const files: readonly Candidate[] = [{ value: ':files', about: '' }];

/**
 * What may stand for the last of the words, which may be empty. The words are those behind `bss`.
 * @param extra words that stand at the beginning beside the nouns: those of the console
 */
export async function candidates(
  words: readonly string[],
  verbs: readonly Verb[],
  live: Live,
  env: Terminal['env'],
  extra: readonly Candidate[] = [],
): Promise<Candidate[]> {
  const typed = words.slice(0, -1);
  const fragment = words.at(-1) ?? '';
  const matching = (all: readonly Candidate[]) =>
    all.filter(({ value }) => value.startsWith(fragment) || value === ':files');
  const { operands, open } = read(typed, verbs);
  if (open === 'text') return [];
  if (open === 'profile') return matching(profileNames(env));
  const isPreview = operands[0] === 'preview';
  const [noun, name, ...rest] = isPreview ? operands.slice(1) : operands;
  if (open !== undefined) return valuesOf(open, noun ?? '', fragment, live);
  if (noun === 'tools' && typed.at(-1) === audienceFlag.value) return matching(toolAudiences);
  const known = isPreview ? verbs.filter(asksBefore) : verbs;
  const found = verbOf(noun, name, known);
  if (noun === 'tools' && fragment.startsWith('-')) return matching([audienceFlag, ...ownFlags()]);
  if (fragment.startsWith('-')) return matching(found ? [...flagsOf(found.verb), ...ownFlags()] : ownFlags());
  if (noun === undefined) {
    const others = alone.filter(({ value }) => !extra.some((one) => one.value === value));
    return matching([...nounsOf(known), ...(isPreview ? [] : [...shorts(verbs), ...others, ...extra])]);
  }
  if (found) {
    const given = found.isShort ? operands.slice(1) : rest;
    const { positional } = fieldsOf(found.verb);
    const last = positional.at(-1);
    const field = positional[given.length] ?? (last?.repeated ? last : undefined);
    return field ? valuesOf(field, found.verb.noun, fragment, live) : [];
  }
  if (name !== undefined) {
    if (noun === 'usage' && name === 'import') return [...files];
    return noun === 'profile' && ['use', 'remove'].includes(name) ? matching(profileNames(env)) : [];
  }
  return matching(verbsOf(noun, known));
}

function ownFlags(): Candidate[] {
  return own.map(([value, about]) => ({ value, about }));
}

function flagsOf(verb: Verb): Candidate[] {
  return fieldsOf(verb).options.map((field) => ({ value: `--${field.flag}`, about: field.description }));
}

/** What stands there already: words by place, and an option that still waits for its value. */
function read(
  typed: readonly string[],
  verbs: readonly Verb[],
): { operands: string[]; open: Field | 'profile' | 'text' | undefined } {
  const operands: string[] = [];
  let open: Field | 'profile' | 'text' | undefined;
  for (const word of typed) {
    if (open !== undefined) {
      open = undefined;
      continue;
    }
    if (!word.startsWith('-')) {
      operands.push(word);
      continue;
    }
    const takes = own.find(([flag]) => flag === word)?.[2];
    if (takes === 'profile' || takes === 'text') open = takes;
    if (takes !== undefined) continue;
    const [noun, name] = operands[0] === 'preview' ? operands.slice(1) : operands;
    const verb = verbOf(noun, name, verbs)?.verb;
    const field = verb && fieldsOf(verb).options.find((one) => `--${one.flag}` === word);
    if (field && (field.kind !== 'boolean' || field.repeated)) open = field;
  }
  return { operands, open };
}

function verbOf(
  noun: string | undefined,
  name: string | undefined,
  verbs: readonly Verb[],
): { verb: Verb; isShort: boolean } | undefined {
  const tool = noun === undefined ? undefined : shortVerbs[noun];
  const short = tool === undefined ? undefined : verbs.find((one) => one.name === tool);
  if (short) return { verb: short, isShort: true };
  const verb = verbs.find((one) => one.noun === dashed(noun) && one.verb === dashed(name));
  return verb && { verb, isShort: false };
}

const dashed = (word: string | undefined): string | undefined => word?.replaceAll('_', '-');

function nounsOf(verbs: readonly Verb[]): Candidate[] {
  const nouns = new Map<string, string[]>();
  for (const { noun, verb } of verbs) nouns.set(noun, [...(nouns.get(noun) ?? []), verb]);
  return [...nouns].map(([value, names]) => ({ value, about: names.join(', ') }));
}

function verbsOf(noun: string, verbs: readonly Verb[]): Candidate[] {
  if (noun === 'completion') return ['bash', 'zsh', 'fish'].map((value) => ({ value, about: '' }));
  if (noun === 'help') return [{ value: 'search', about: 'search the handbook' }];
  if (noun === 'profile') {
    return [
      { value: 'list', about: 'list the servers you know by name' },
      { value: 'add', about: 'keep a server by name' },
      { value: 'use', about: 'work with a server from now on' },
      { value: 'remove', about: 'forget a server and its token' },
    ];
  }
  const found = verbs.filter((one) => one.noun === dashed(noun));
  const more =
    noun === 'usage' && found.length > 0 ? [{ value: 'import', about: 'Charge a file of usage records' }] : [];
  return [...found.map(({ verb, summary }) => ({ value: verb, about: summary })), ...more];
}

function shorts(verbs: readonly Verb[]): Candidate[] {
  return Object.entries(shortVerbs).map(([value, tool]) => ({
    value,
    about: verbs.find((one) => one.name === tool)?.summary ?? '',
  }));
}

function profileNames(env: Terminal['env']): Candidate[] {
  return [...readProfiles(env).named].map(([value, { url }]) => ({ value, about: url }));
}

// ---- values ----

/** Where the ids of a kind are listed, and what of a row is typed and what tells it from its neighbours. */
interface Listing {
  tool: string;
  value: (row: Row) => Json | undefined;
  about: (row: Row) => (Json | undefined)[];
}

type Row = { [name: string]: Json | undefined };

const nameIn = (value: Json | undefined): Json | undefined =>
  isJsonObject(value) ? (value.name ?? value.code) : undefined;

const customers: Listing = {
  tool: 'customer.list',
  value: (row) => row.id,
  about: (row) => [row.name, row.email],
};
const lines: Listing = {
  tool: 'subscription.list',
  value: (row) => row.id,
  about: (row) => [row.msisdn, nameIn(row.customer), isJsonObject(row.plan) ? row.plan.code : undefined, row.state],
};
const orders: Listing = {
  tool: 'order.list',
  value: (row) => row.id,
  about: (row) => [nameIn(row.customer), Array.isArray(row.offerings) ? row.offerings.join(' ') : undefined, row.state],
};
const bills: Listing = {
  tool: 'bill.list',
  value: (row) => row.id,
  about: (row) => [row.billNo, nameIn(row.customer)],
};
const numbers: Listing = { ...lines, value: (row) => row.msisdn, about: (row) => [row.id, nameIn(row.customer)] };
const offerings: Listing = {
  tool: 'offering.list',
  value: (row) => row.code,
  about: (row) => [row.name, isJsonObject(row.price) ? row.price.text : undefined],
};

const byField: Readonly<Record<string, readonly Listing[]>> = {
  'customer-id': [customers],
  'subscription-id': [lines],
  'order-id': [orders],
  'bill-id': [bills],
  msisdn: [numbers],
  offering: [offerings],
  plan: [offerings],
};

/** An input that is called only `id` is an id of what its noun names. */
const byNoun: Readonly<Record<string, readonly Listing[]>> = {
  customer: [customers],
  subscription: [lines],
  product: [lines],
  order: [orders],
  'product-order': [orders],
  bill: [bills],
  event: [orders, lines, customers],
  hub: [{ tool: 'hub.list', value: (row) => row.id, about: (row) => [row.api, row.callback] }],
  token: [{ tool: 'token.list', value: (row) => row.id, about: (row) => [row.name, row.audience] }],
  flow: [{ tool: 'flow.list', value: (row) => row.id, about: (row) => [row.flow, row.step, row.subject] }],
  mail: [{ tool: 'mail.list', value: (row) => row.key ?? row.id, about: (row) => [row.to, row.subject] }],
};

/**
 * Values that begin with what was typed. When no id does, a name may have been typed: the one thing of that name is meant,
 * for nobody knows ids by heart.
 */
async function valuesOf(field: Field, noun: string, fragment: string, live: Live): Promise<Candidate[]> {
  const begins = ({ value }: Candidate) => value.startsWith(fragment);
  if (field.choices.length > 0) return field.choices.map((value) => ({ value, about: '' })).filter(begins);
  if (field.kind === 'boolean') return ['true', 'false'].map((value) => ({ value, about: '' })).filter(begins);
  const name = field.path.at(-1) ?? '';
  const listings = byField[field.flag] ?? (/^(id|key)$/.test(name) ? (byNoun[noun] ?? []) : []);
  const lists = await Promise.all(
    listings.map(async (listing) => rowsOf(await live(listing.tool)).flatMap(told(listing))),
  );
  const found = lists.flat().filter(begins);
  if (found.length > 0 || fragment.length < nameMin) return found;
  const isMeant = ({ about }: Candidate) => about.toLowerCase().includes(fragment.toLowerCase());
  return lists.map((list) => list.filter(isMeant)).find((named) => named.length === 1) ?? [];
}

const nameMin = 2;

function rowsOf(answer: unknown): Row[] {
  const items = typeof answer === 'object' && answer !== null && 'items' in answer ? answer.items : answer;
  return Array.isArray(items) ? items.filter((one): one is Row => isJsonObject(one)) : [];
}

function told(listing: Listing): (row: Row) => Candidate[] {
  return (row) => {
    const value = listing.value(row);
    if (typeof value !== 'string' || value === '') return [];
    const about = listing.about(row).filter((part) => typeof part === 'string' && part !== '');
    return [{ value: plainText(value), about: plainText(about.join(', ')), isLive: true }];
  };
}

const answerMsMax = 1500;

/** What the server of this call lists. A tab key waits for nobody: no answer, or a late one, is none. */
export function liveOf(given: { server?: string; profile?: string }, terminal: Terminal): Live {
  return async (tool) => {
    const connection = connectionOf(given, terminal.env, terminal.folder);
    if (!connection) return undefined;
    const answer = await callTool(connection, tool, {}, terminal.fetch, { answerMs: answerMsMax });
    return answer.outcome === 'done' ? answer.result : undefined;
  };
}

/** `bss complete -- order sh`: a line for each word, with what it is behind a tab; for the scripts of shells. */
export async function printCandidates(
  words: readonly string[],
  verbs: readonly Verb[],
  terminal: Terminal,
): Promise<void> {
  const behind = (flag: string) => {
    const at = words.indexOf(flag);
    return at === -1 || at === words.length - 1 ? undefined : words[at + 1];
  };
  const server = behind('--server');
  const profile = behind('--profile');
  const given = { ...(server === undefined ? {} : { server }), ...(profile === undefined ? {} : { profile }) };
  try {
    const found = await candidates(words, verbs, liveOf(given, terminal), terminal.env);
    for (const { value, about } of found) terminal.out(about === '' ? `${value}\n` : `${value}\t${about}\n`);
  } catch {
    // Nothing is completed, and nothing is printed into the middle of a line.
  }
}
