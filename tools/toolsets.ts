import type { Audience } from '../kernel/caller.ts';
import { isJsonObject, type Json, type JsonObject } from '../kernel/json.ts';
import type { AgentTool } from './agent-door.ts';

/** What operators and integrators both do every day. */
const ofBoth = [
  'customer.list',
  'customer.show',
  'customer.register',
  'card.add',
  'offering.list',
  'order.place',
  'order.list',
  'order.show',
  'order.cancel',
  'subscription.list',
  'subscription.show',
  'subscription.top_up',
  'subscription.change_plan',
  'usage.list',
  'bill.list',
  'ticket.open',
  'ticket.note',
  'handbook.search',
];

/**
 * What each profile is shown unasked: the work of every day, light enough to stand in a model's context all the time.
 * Everything else that the caller has is found with `tools.find`, read with `tools.describe` and run with `tools.call`.
 */
const everyday: Readonly<Record<Audience, readonly string[]>> = {
  operator: [...ofBoth, 'payment.refund', 'event.trace'],
  integrator: ofBoth,
  customer: [
    'customer.show',
    'subscription.list',
    'subscription.show',
    'usage.list',
    'offering.list',
    'order.list',
    'order.show',
    'bill.list',
    'bill.show',
    'esim.show',
    'handbook.search',
    'subscription.top_up',
    'subscription.change_plan',
    'subscription.withdraw_plan_change',
    'subscription.end',
    'subscription.withdraw_end',
    'subscription.set_roaming',
    'subscription.replace_esim',
    'order.place',
    'card.add',
    'card.remove',
    'customer.change_contact',
    'ticket.open',
    'ticket.list',
    'ticket.show',
    'ticket.note',
  ],
  system: [],
};

/** Their answers hold a secret, which belongs on a person's screen and in no model's context. */
const secret: ReadonlySet<string> = new Set(['token.create', 'token.rotate', 'hub.secret', 'session.open_desk']);

export const answersSecret = (tool: string): boolean => secret.has(tool);

export const everydayOf = (audience: Audience, tools: readonly AgentTool[]): AgentTool[] =>
  tools.filter((tool) => everyday[audience].includes(tool.name));

/** The entry of a tool in a list: what `tools/list` of the protocol holds. */
export interface ListedTool {
  name: string;
  description: string;
  inputSchema: JsonObject & { type: 'object' };
  outputSchema?: JsonObject & { type: 'object' };
  annotations: {
    readOnlyHint: boolean;
    destructiveHint: boolean;
    idempotentHint: boolean;
    openWorldHint: boolean;
  };
}

/** Said once in the instructions too; here for a model that reads only what a tool says of itself. */
const consequence: Readonly<Record<AgentTool['effect'], string>> = {
  read: '',
  write: '',
  money: ' Moves money: the person is asked first.',
  destructive: ' Ends something for good: the person is asked first.',
};

export function listed(tool: AgentTool): ListedTool {
  return {
    name: tool.name,
    description: `${tool.summary}.${consequence[tool.effect]}`,
    inputSchema: { ...lean(tool.input, false), type: 'object' },
    outputSchema: { ...lean(tool.output, true), type: 'object' },
    annotations: annotationsOf(tool.effect),
  };
}

export function annotationsOf(effect: AgentTool['effect']): ListedTool['annotations'] {
  return {
    readOnlyHint: effect === 'read',
    destructiveHint: effect === 'destructive' || effect === 'money',
    // What ended stays ended; money moves each time that a person says yes.
    idempotentHint: effect === 'read' || effect === 'destructive',
    // Beyond this house there is the card gateway alone.
    openWorldHint: effect === 'money',
  };
}

const searchInput: ListedTool['inputSchema'] = {
  type: 'object',
  properties: { search: { type: 'string', description: 'Part of a name or summary, as `ticket`; all without it' } },
  additionalProperties: false,
};
const nameInput: ListedTool['inputSchema'] = {
  type: 'object',
  properties: { name: { type: 'string' } },
  required: ['name'],
  additionalProperties: false,
};
const callInput: ListedTool['inputSchema'] = {
  type: 'object',
  properties: { name: { type: 'string' }, arguments: { type: 'object', additionalProperties: true } },
  required: ['name'],
  additionalProperties: false,
};

/** Tools whose name or summary holds the words, for `tools.find`. */
export function foundTools(tools: readonly AgentTool[], search: unknown) {
  const wanted = typeof search === 'string' ? search.toLowerCase() : '';
  return tools
    .filter(({ name, summary }) => name.includes(wanted) || summary.toLowerCase().includes(wanted))
    .map(({ name, summary, effect }) => ({ name, summary, effect }));
}

/** All that `tools.describe` tells of a tool. */
export function describedTool({ name, summary, effect, rules, examples, input, output }: AgentTool) {
  return { name, summary, effect, input, output, rules, examples };
}

/** How a model reaches the tools that are not listed. */
export const finders: readonly ListedTool[] = [
  {
    name: 'tools.find',
    description: 'Find more tools than are listed: names, summaries and effects.',
    inputSchema: searchInput,
    annotations: annotationsOf('read'),
  },
  {
    name: 'tools.describe',
    description: 'Describe a tool: its whole input and output, the rules that may refuse it, and examples.',
    inputSchema: nameInput,
    annotations: annotationsOf('read'),
  },
  {
    name: 'tools.call',
    description: 'Call a tool that is not listed. Where money moves or something ends, the person is asked first.',
    inputSchema: callInput,
    // It can do what any tool can.
    annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: false, openWorldHint: true },
  },
];

const exactMax = Number.MAX_SAFE_INTEGER;
const inAnswer: ReadonlySet<string> = new Set(['additionalProperties', 'description', 'required']);

/**
 * A schema without what a model has no use for, so that the list stays light: the pattern beside a format, bounds that
 * every exact number keeps, and of an answer its descriptions, what must be there and the ban on more. It allows what the whole one allows;
 * `tools.describe` shows that, and the server judges by that.
 */
export function lean(schema: JsonObject, isAnswer: boolean): JsonObject {
  const kept: JsonObject = {};
  for (const [name, value] of Object.entries(schema)) {
    // A body of the standard is an object here; what is in it stands in the contract, and in the whole description.
    if (name === '$ref') continue;
    if (name === 'pattern' && (isAnswer || typeof schema.format === 'string')) continue;
    if ((name === 'maximum' || name === 'minimum') && typeof value === 'number' && Math.abs(value) === exactMax)
      continue;
    if (isAnswer && inAnswer.has(name) && !isJsonObject(value)) continue;
    // Under `properties` stand names of ours, which may well be one of the words above.
    kept[name] = name === 'properties' && isJsonObject(value) ? eachLean(value, isAnswer) : leanValue(value, isAnswer);
  }
  return kept;
}

function leanValue(value: Json | undefined, isAnswer: boolean): Json {
  if (value === undefined) return null;
  if (Array.isArray(value)) return value.map((one) => leanValue(one, isAnswer));
  return isJsonObject(value) ? lean(value, isAnswer) : value;
}

function eachLean(properties: JsonObject, isAnswer: boolean): JsonObject {
  return Object.fromEntries(Object.entries(properties).map(([name, schema]) => [name, leanValue(schema, isAnswer)]));
}
