import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join, resolve } from 'node:path';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { extraDefinitions } from '../app/extra-tools.ts';
import type { Audience, Caller } from '../kernel/caller.ts';
import { isJsonObject, type JsonObject } from '../kernel/json.ts';
import { commands } from '../policy/commands.ts';
import { readVerbs, type Verb } from '../surfaces/cli/descriptors.ts';
import { run } from '../surfaces/cli/program.ts';
import { mcpHandler } from '../surfaces/mcp/http.ts';
import { type AgentDoor, localDoor } from '../tools/agent-door.ts';
import { withContracts } from '../tools/contract.ts';
import { describeExtra } from '../tools/extra.ts';
import { profileOf } from '../tools/profile.ts';
import { queriesFor } from '../tools/queries.ts';
import { describeTools, type ToolDescriptor } from '../tools/registry.ts';
import type { AgentView, PageTool, ToolPlaces } from './compare-tools.ts';
import { profiles, weighedProfiles } from './tool-weight.ts';

const root = resolve(import.meta.dirname, '..');

/** Looks at the tools in all of their places: the sources, the registry, the real terminal, a real agent, the pages. */
export async function gatherTools(pages: { tools: string; rules: string }): Promise<ToolPlaces> {
  const extra = extraDefinitions.map(describeExtra).map((descriptor) => ({ descriptor }));
  const tools = describeTools(commands, queriesFor(commands), extra);
  const weights = weighedProfiles(tools);
  const agents = new Map<string, AgentView>();
  for (const profile of profiles) agents.set(profile, await askAgent(tools, profile));
  return {
    defined: definedNames(),
    registry: await withContracts(tools),
    terminal: await askTerminal(readVerbs(JSON.parse(JSON.stringify(tools)))),
    agents,
    pages: { tools: toolsOnPage(pages.tools), rules: new Set(idsOn(pages.rules)) },
    tokens: new Map(profiles.map((profile) => [profile, weights[profile].tokens])),
  };
}

// ---- the sources ----

/** Where commands, queries and the tools that are neither are defined. */
const definingRooms = ['policy', 'read/views', 'tools', 'app'];

function sourcesIn(directory: string): string[] {
  return readdirSync(join(root, directory), { withFileTypes: true }).flatMap((entry) => {
    const path = `${directory}/${entry.name}`;
    if (entry.isDirectory()) return sourcesIn(path);
    return /\.ts$/.test(path) && !/\.test\.ts$|testing/.test(path) ? [readFileSync(join(root, path), 'utf8')] : [];
  });
}

/**
 * The names in the text of the sources, so that a definition that nobody put into a list is seen: a name and, before the
 * next one, an audience of more than the house. Names that are made (`${noun}.create`) come from the registry's own lists.
 */
function definedNames(): string[] {
  const named = sourcesIn('policy')
    .concat(...definingRooms.slice(1).map(sourcesIn))
    .flatMap((text) => text.split(/(?=\bname: ')/))
    .flatMap((text) => {
      const name = /^name: '([a-z_]+(?:\.[a-z_]+)+)'/.exec(text)?.[1];
      const audience = /\baudience: \[([^\]]*)\]/.exec(text)?.[1] ?? '';
      return name !== undefined && /operator|customer|integrator/.test(audience) ? [name] : [];
    });
  const made = commands
    .filter(
      (one) => /\.(create|patch|delete)$|activation_/.test(one.name) && one.audience.some((who) => who !== 'system'),
    )
    .map(({ name }) => name);
  return [...new Set([...named, ...made])].sort();
}

// ---- the terminal ----

async function askTerminal(verbs: readonly Verb[]): Promise<Map<string, { code: number; help: string }>> {
  const answers = new Map<string, { code: number; help: string }>();
  for (const verb of verbs) {
    let help = '';
    const never = () => {
      throw new Error('help asks nobody');
    };
    const code = await run([verb.noun, verb.verb, '--help'], verbs, '0', {
      folder: root,
      env: {},
      isInputTty: false,
      isOutputTty: false,
      isErrorTty: false,
      columns: () => 10_000,
      out: (text) => {
        help += text;
      },
      error: () => undefined,
      readFile: never,
      readLines: never,
      ask: never,
      pause: never,
      fetch: never,
    });
    answers.set(verb.name, { code, help });
  }
  return answers;
}

// ---- an agent ----

/** The official client at the real handler, over HTTP, with tools that only say that they were reached. */
async function askAgent(tools: readonly ToolDescriptor[], audience: Audience): Promise<AgentView> {
  const own = profileOf(tools, audience);
  const reached = new Set<string>();
  const caller: Caller = { audience, id: 'check', name: 'check', surface: 'mcp', scopes: ['*'] };
  const door: AgentDoor = localDoor({
    tools: {
      list: () => own,
      recorded: (name) => name,
      run: async (name) => {
        reached.add(name);
        return { reached: name };
      },
      needsConfirmation: () => false,
      propose: () => Promise.reject(new Error('nothing is proposed here')),
      confirm: () => Promise.reject(new Error('nothing is confirmed here')),
    },
    caller,
    allows: () => true,
    judge: () => undefined,
    onDefect: (error) => {
      throw error;
    },
  });
  const handler = mcpHandler({
    open: async () => ({ door, secret: 'check' }),
    whole: async (tool) => (await withContracts([tool]))[0] ?? tool,
    publicUrl: 'http://127.0.0.1',
    version: '0',
    bodyBytesMax: 1_000_000,
    onError: () => undefined,
  });
  const server = createServer((request, response) => {
    handler(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const client = new Client(
    { name: 'check', version: '0' },
    { capabilities: {}, versionNegotiation: { mode: { pin: '2026-07-28' } } },
  );
  try {
    await client.connect(new StreamableHTTPClientTransport(new URL(`http://127.0.0.1:${port}/mcp`)));
    return await seenBy(client, await withContracts(own), reached);
  } finally {
    await client.close();
    server.closeAllConnections();
    server.close();
  }
}

const finderNames = ['tools.find', 'tools.describe', 'tools.call'];
/** Their answers are for a person's eyes: an agent reaches them as far as being told what to type. */
const byHand = /answers with a secret/;

async function seenBy(client: Client, expected: readonly ToolDescriptor[], reached: Set<string>): Promise<AgentView> {
  const listed = new Set(
    (await client.listTools()).tools.map(({ name }) => name).filter((name) => !finderNames.includes(name)),
  );
  const found = new Set(namesIn((await client.callTool({ name: 'tools.find', arguments: {} })).structuredContent));
  const described = new Map<string, JsonObject>();
  const called = new Set<string>();
  for (const { name } of expected) {
    const told = (await client.callTool({ name: 'tools.describe', arguments: { name } })).structuredContent;
    if (isJsonObject(told) && told.name === name) described.set(name, told);
    const answer = await client.callTool({ name: 'tools.call', arguments: { name, arguments: {} } });
    if (reached.has(name) || byHand.test(JSON.stringify(answer.content))) called.add(name);
  }
  const names = new Set(expected.map(({ name }) => name));
  return {
    expected,
    listed,
    found,
    described,
    called,
    strangers: [...new Set([...listed, ...found])].filter((name) => !names.has(name)),
  };
}

function namesIn(structured: unknown): string[] {
  if (!isJsonObject(structured) || !Array.isArray(structured.items)) return [];
  return structured.items.flatMap((one) => (isJsonObject(one) && typeof one.name === 'string' ? [one.name] : []));
}

// ---- the pages ----

const idsOn = (page: string): string[] => [...page.matchAll(/ id="([^"]+)"/g)].map(([, id = '']) => id);

function toolsOnPage(page: string): Map<string, PageTool> {
  const articles = [...page.matchAll(/<article aria-labelledby="([^"]+)">([\s\S]*?)<\/article>/g)];
  return new Map(
    articles.map(([, name = '', text = '']) => [
      name,
      {
        effect: /<span class="verb (\w+)">/.exec(text)?.[1] ?? '',
        rules: [...text.matchAll(/<a href="rules\.html#([^"]+)">/g)].map(([, code = '']) => code),
        inputs: [...text.matchAll(/<tr><td><code>([^<]+)<\/code>/g)].map(([, input = '']) => input),
      },
    ]),
  );
}
