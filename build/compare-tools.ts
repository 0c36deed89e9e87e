import { canonicalJson, isJsonObject, type Json, type JsonObject } from '../kernel/json.ts';
import type { ToolDescriptor } from '../tools/registry.ts';

/** The four places where a tool is met, as each of them shows it. */
export interface ToolPlaces {
  /** What the sources define for anybody but the house itself, by name. */
  readonly defined: readonly string[];
  /** The registry, with whole schemas. */
  readonly registry: readonly ToolDescriptor[];
  /** By tool: the help that its verb prints, or why there is none. */
  readonly terminal: ReadonlyMap<string, { code: number; help: string }>;
  /** By profile: what an agent is listed and finds, is told of each, and what became of calling each. */
  readonly agents: ReadonlyMap<string, AgentView>;
  /** The pages of the reference: the tools with their rules, and every rule. */
  readonly pages: { readonly tools: ReadonlyMap<string, PageTool>; readonly rules: ReadonlySet<string> };
  /** Tokens of what each profile's agent is listed. */
  readonly tokens: ReadonlyMap<string, number>;
}

export interface AgentView {
  /** As the registry has them for this profile. */
  readonly expected: readonly ToolDescriptor[];
  readonly listed: ReadonlySet<string>;
  readonly found: ReadonlySet<string>;
  readonly described: ReadonlyMap<string, JsonObject>;
  /** Tools whose call got through to the tool. */
  readonly called: ReadonlySet<string>;
  /** Names that nobody is to see but that the agent does all the same. */
  readonly strangers: readonly string[];
}

export interface PageTool {
  readonly effect: string;
  readonly rules: readonly string[];
  readonly inputs: readonly string[];
}

export const tokensMax = 8000;

/** Every place where the four do not say the same, in words; none where they agree. */
export function toolDifferences(places: ToolPlaces): string[] {
  const { registry } = places;
  const names = registry.map(({ name }) => name);
  const differences = [
    ...missing(places.defined, names, 'is defined and not in the registry'),
    ...missing(names, places.defined, 'is in the registry and nowhere defined'),
    ...missing([...places.terminal.keys()], names, 'is a verb of no tool'),
    ...missing([...places.pages.tools.keys()], names, 'is in the reference and no tool'),
  ];
  for (const tool of registry) {
    const say = (what: string) => differences.push(`${tool.name}: ${what}`);
    for (const side of ['input', 'output'] as const) for (const fault of schemaFaults(tool[side], side)) say(fault);
    const verb = places.terminal.get(tool.name);
    if (verb === undefined || verb.code !== 0) say('the terminal has no verb for it');
    else {
      const said = words(verb.help);
      if (!said.includes(words(tool.summary))) say('the help of its verb says something else');
      for (const { code } of tool.rules) if (!said.includes(code)) say(`the help of its verb lacks the rule ${code}`);
    }
    const page = places.pages.tools.get(tool.name);
    if (page === undefined) say('the reference lacks it');
    else {
      if (page.effect !== tool.effect) say(`the reference has its effect as ${page.effect}`);
      const codes = tool.rules.map(({ code }) => code);
      if (!same(page.rules, codes)) say('the reference has other rules');
      if (!same(page.inputs, propertiesOf(tool.input))) say('the reference has other inputs');
      for (const code of codes) if (!places.pages.rules.has(code)) say(`the page of rules lacks ${code}`);
    }
  }
  for (const [profile, view] of places.agents) differences.push(...agentDifferences(profile, view));
  for (const profile of ['operator', 'customer', 'integrator']) {
    const tokens = places.tokens.get(profile);
    if (tokens === undefined) differences.push(`${profile}: nobody weighed what its agent is listed`);
    else if (tokens >= tokensMax)
      differences.push(`${profile}: its agent is listed ${tokens} tokens, and ${tokensMax} are too many`);
  }
  return differences;
}

function agentDifferences(profile: string, view: AgentView): string[] {
  const differences: string[] = view.strangers.map((name) => `${name}: an agent of the profile ${profile} sees it`);
  for (const tool of view.expected) {
    const say = (what: string) => differences.push(`${tool.name}: an agent of the profile ${profile} ${what}`);
    if (!view.listed.has(tool.name) && !view.found.has(tool.name)) say('cannot find it');
    if (!view.called.has(tool.name)) say('cannot call it');
    const described = view.described.get(tool.name);
    if (described === undefined) say('is not told what it takes');
    else {
      for (const side of ['input', 'output'] as const) {
        if (canonicalJson(described[side]) !== canonicalJson(tool[side])) say(`is told of another ${side}`);
      }
    }
  }
  return differences;
}

/** A real schema names an object and what is in it; a body that may hold anything says so in words. */
export function schemaFaults(schema: JsonObject, side: string): string[] {
  const faults: string[] = [];
  if (schema.type !== 'object') faults.push(`its ${side} is not the schema of an object`);
  // A command that takes nothing has no property to name.
  const isNothing = side === 'input' && isJsonObject(schema.properties);
  if (propertiesOf(schema).length === 0 && !isNothing) {
    faults.push(`its ${side} says nothing of what is in it`);
  }
  const definitions = isJsonObject(schema.$defs) ? schema.$defs : {};
  for (const reference of referencesIn(schema)) {
    const name = /^#\/\$defs\/(.+)$/.exec(reference)?.[1];
    if (name === undefined || definitions[name] === undefined)
      faults.push(`its ${side} leads to ${reference}, which is not in it`);
  }
  return faults;
}

function* referencesIn(value: Json | undefined): Generator<string> {
  if (Array.isArray(value)) for (const one of value) yield* referencesIn(one);
  if (!isJsonObject(value)) return;
  if (typeof value.$ref === 'string') yield value.$ref;
  for (const [name, inner] of Object.entries(value)) if (name !== '$ref') yield* referencesIn(inner);
}

const propertiesOf = (schema: JsonObject): string[] =>
  isJsonObject(schema.properties) ? Object.keys(schema.properties) : [];

const words = (text: string): string => text.replace(/\s+/g, ' ').trim();
const same = (a: readonly string[], b: readonly string[]): boolean => a.join('\n') === b.join('\n');
const missing = (from: readonly string[], among: readonly string[], what: string): string[] =>
  from.filter((name) => !among.includes(name)).map((name) => `${name}: ${what}`);
