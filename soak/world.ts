import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { type PageAnswer, Person } from '../doctrine/portal/person.ts';
import { isJsonObject, type Json, type JsonObject } from '../kernel/json.ts';
import { type Counts, kinds } from './gates.ts';
import { Ledger } from './ledger.ts';
import { codeIn, type PostOffice } from './mail.ts';
import type { TestModel } from './model.ts';
import type { Random } from './random.ts';
import type { Size } from './size.ts';
import { pause, type Stack } from './stack.ts';
import type { Surface, Watch } from './watch.ts';

/** Somebody who is a customer, with what they know of themselves. */
export interface Subscriber {
  readonly index: number;
  readonly givenName: string;
  readonly familyName: string;
  readonly email: string;
  /** Whose card pays always, never, or not at the first renewal. */
  readonly kind: 'steady' | 'declined' | 'unpaid';
  readonly plan: string;
  customer: string;
  token: string;
  line: string;
  msisdn: string;
  order: string;
  /** When the first period began, and what the line said of its end. */
  anchor: Date | undefined;
  card: string;
  bill: string;
  ticket: string;
  /** A conversation that has something in it. */
  session: string;
  browser: Person | undefined;
  agent: Client | undefined;
  /** Whether the line was last told to work abroad. */
  roams: boolean;
  /** What this person does in the browser now: one thing after the other. */
  atBrowser: Promise<unknown>;
  /** Whether the card was made one that is declined, and mended again. */
  troubles: 'none' | 'declining' | 'mended';
}

export interface Turn {
  readonly number: number;
  readonly customer: string;
  readonly withModel: boolean;
  answered: boolean;
}

export interface World {
  readonly stack: Stack;
  readonly watch: Watch;
  readonly ledger: Ledger;
  readonly post: PostOffice;
  readonly model: TestModel;
  readonly random: Random;
  readonly size: Size;
  readonly seed: number;
  readonly counts: Counts;
  readonly people: Subscriber[];
  readonly turns: Turn[];
  readonly notRefused: string[];
  readonly tally: {
    refusals: number;
    records: number;
    unanswered: number;
    putOff: number;
    chatTurns: number;
    /** Requests that are sent and have no answer yet. */
    underWay: number;
    /** Answers that named a later time instead (429, 503), outside of kills. */
    later: number;
  };
  /** What was answered with an error of the server (5xx but 503); what was not answered in time while nobody killed anything. */
  readonly errors: string[];
  /** Whether the server that runs has a language model. */
  withModel: boolean;
  /** Somebody kills in this hour: what cannot be sent again without harm is not begun. */
  isKilling: boolean;
  now: Date;
}

/** The same world with a stream of chance of its own: whatever else goes on at once moves none of its choices. */
export const withChance = (world: World, random: Random): World => Object.create(world, { random: { value: random } });

export const noCounts = (): Counts => {
  const counts: Partial<Counts> = {};
  for (const kind of kinds) counts[kind] = 0;
  return counts as Counts;
};

export interface Answer {
  readonly status: number;
  readonly text: string;
  readonly body: Json | undefined;
}

export interface Request {
  readonly surface: Surface;
  readonly method?: string;
  readonly path: string;
  readonly token: string;
  readonly body?: Json | string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Customer who reads the answer; an operator's answers are not looked through. */
  readonly reader?: string;
  readonly typed?: readonly string[];
}

const answerMsMax = 60_000;
const patienceMs = 120_000;

export const newLedger = (): Ledger => new Ledger();

function parsed(text: string): Json | undefined {
  try {
    const value: Json = JSON.parse(text);
    return value;
  } catch {
    return undefined;
  }
}

export const textOf = (value: Json | undefined, name: string): string =>
  isJsonObject(value) && typeof value[name] === 'string' ? value[name] : '';

/** One try. Undefined when no answer came. */
export async function ask(world: World, request: Request): Promise<Answer | undefined> {
  const { surface, method = request.body === undefined ? 'GET' : 'POST', path, token, body, headers = {} } = request;
  const began = performance.now();
  const named = `${method} ${path.split('?')[0]}`;
  world.tally.underWay += 1;
  try {
    const response = await fetch(`${world.stack.url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        accept: 'application/json',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      signal: AbortSignal.timeout(answerMsMax),
    });
    const text = await response.text();
    world.watch.took(surface, performance.now() - began);
    noteStatus(world, named, response.status, text);
    if (request.reader !== undefined) world.watch.saw(surface, named, request.reader, text, request.typed);
    return { status: response.status, text, body: parsed(text) };
  } catch (error) {
    noteSilence(world, surface, named, error, performance.now() - began);
    return undefined;
  } finally {
    world.tally.underWay -= 1;
  }
}

/**
 * Who is asked again after an error of the server sees no fault of it; so each is kept. A server whose database was killed
 * says 503, and one that was killed says nothing: neither is an excuse for another error.
 */
export function noteStatus(
  world: Pick<World, 'isKilling' | 'errors'> & { readonly tally: Pick<World['tally'], 'later'> },
  named: string,
  status: number,
  text: string,
): void {
  if (status === 429 || status === 503) world.tally.later += world.isKilling ? 0 : 1;
  else if (status >= 500) world.errors.push(`${named} ${status}: ${text.slice(0, 200)}`);
}

/** No answer came. One that was waited for in vain counts with the time it was waited for. */
function noteSilence(world: World, surface: string, named: string, error: unknown, milliseconds: number): void {
  world.tally.unanswered += 1;
  if (error instanceof Error && error.name === 'TimeoutError') world.watch.took(surface, milliseconds);
  if (world.isKilling) return;
  world.errors.push(`${named} no answer: ${error instanceof Error ? error.message : String(error)}`);
}

const isForNow = ({ status, body }: Answer): boolean =>
  status >= 500 || status === 429 || (status === 409 && /^idempotency\./.test(textOf(body, 'reason')));

/** Sends the same until it is answered for good, under one key, so that a request whose answer was lost has one effect. */
export async function insist(world: World, request: Request): Promise<Answer> {
  const key = `soak-${world.seed}-${world.random.int(0, 2 ** 31 - 1)}-${world.random.int(0, 2 ** 31 - 1)}`;
  const headers = request.body === undefined ? request.headers : { 'idempotency-key': key, ...request.headers };
  const sent: Request = headers === undefined ? request : { ...request, headers };
  for (const deadline = Date.now() + patienceMs; ; ) {
    const answer = await ask(world, sent);
    if (answer && !isForNow(answer)) return answer;
    if (Date.now() > deadline)
      throw new Error(`${request.path} was not answered: ${answer?.status ?? 0} ${answer?.text.slice(0, 300) ?? ''}`);
    await pause(50);
  }
}

export interface Done {
  readonly status: number;
  readonly result: JsonObject;
  readonly text: string;
}

/** A tool by its door over HTTP. What is proposed is confirmed, and confirmed again while no answer comes. */
export async function tool(
  world: World,
  name: string,
  input: JsonObject,
  as?: Subscriber,
  typed: readonly string[] = [],
): Promise<Done> {
  const request: Request = {
    surface: 'tools',
    path: `/tools/${name}`,
    token: as?.token ?? world.stack.token(),
    body: input,
    ...(as === undefined ? {} : { reader: as.customer, typed }),
  };
  const first = await insist(world, request);
  const confirmation = isJsonObject(first.body) ? first.body.confirmation : undefined;
  const token = isJsonObject(confirmation) ? confirmation.token : undefined;
  const answer =
    typeof token === 'string' ? await insist(world, { ...request, headers: { 'confirmation-token': token } }) : first;
  const result = isJsonObject(answer.body) && isJsonObject(answer.body.result) ? answer.body.result : {};
  return { status: answer.status, result, text: answer.text };
}

/** The same, where anything but success is a fault of the run. */
export async function mustTool(world: World, name: string, input: JsonObject, as?: Subscriber): Promise<JsonObject> {
  const { status, result, text } = await tool(world, name, input, as);
  if (status >= 300) throw new Error(`${name} answered ${status}: ${text.slice(0, 400)}`);
  return result;
}

/** An operator's reading of the standard APIs. */
export async function read(world: World, path: string): Promise<Json | undefined> {
  const answer = await insist(world, { surface: 'tmf', path, token: world.stack.token() });
  return answer.status < 300 ? answer.body : undefined;
}

export const bases = {
  customer: '/tmf-api/customerManagement/v4/customer',
  order: '/tmf-api/productOrderingManagement/v4/productOrder',
  usage: '/tmf-api/usageManagement/v4/usage',
  product: '/tmf-api/productInventory/v4/product',
  card: '/tmf-api/paymentMethod/v4/paymentMethod',
  ticket: '/tmf-api/troubleTicket/v4/troubleTicket',
  bill: '/tmf-api/customerBillManagement/v4/customerBill',
  offering: '/tmf-api/productCatalogManagement/v4/productOffering',
} as const;

/**
 * A page, by somebody's browser. Undefined when no answer came.
 * @param timed what its time is judged as: a page that waits for an assistant is as slow as the assistant may be
 */
export async function visit(
  world: World,
  who: Pick<Subscriber, 'customer'>,
  browser: Person,
  path: string,
  fields?: Record<string, string>,
  typed: readonly string[] = [],
  timed = 'pages',
): Promise<PageAnswer | undefined> {
  const began = performance.now();
  const where = `${fields === undefined ? 'GET' : 'POST'} ${path.split('?')[0]}`;
  world.tally.underWay += 1;
  try {
    const answer = fields === undefined ? await browser.get(path) : await browser.post(path, fields);
    world.watch.took(timed, performance.now() - began);
    noteStatus(world, where, answer.status, answer.text);
    if (who.customer !== '') world.watch.saw('pages', where, who.customer, answer.text, typed);
    return answer;
  } catch (error) {
    noteSilence(world, timed, where, error, performance.now() - began);
    return undefined;
  } finally {
    world.tally.underWay -= 1;
  }
}

/** A worker that was killed holds its step for fifteen seconds, and each try that fails waits longer than the last. */
const letterMsMax = 75_000;

/** The next code that an address is mailed, after so many letters. */
export async function codeFor(world: World, email: string, after: number): Promise<string> {
  for (const deadline = Date.now() + letterMsMax; Date.now() < deadline; await pause(15)) {
    const letter = world.post.letters.slice(after).findLast((one) => one.to === email && codeIn(one) !== undefined);
    const code = codeIn(letter);
    if (code !== undefined) return code;
  }
  throw new Error('a code that somebody waits for was not mailed');
}

/** The browser in which somebody is signed in. */
export async function browserOf(world: World, who: Subscriber): Promise<Person | undefined> {
  if (who.browser) return who.browser;
  const browser = new Person(world.stack);
  const after = world.post.letters.length;
  if (!(await visit(world, who, browser, '/sign-in'))) return undefined;
  const asked = await visit(world, who, browser, '/sign-in', { email: who.email });
  if (asked === undefined || asked.status >= 400) return undefined;
  const code = await codeFor(world, who.email, after);
  const entered = await visit(world, who, browser, '/sign-in/code', { code, email: who.email });
  if (entered?.status !== 303) return undefined;
  await visit(world, who, browser, '/account');
  who.browser = browser;
  return browser;
}

/** The agent that somebody uses over MCP. Its person says yes. */
export async function agentOf(world: World, who: Subscriber): Promise<Client> {
  if (who.agent) return who.agent;
  const client = new Client(
    { name: 'soak', version: '1' },
    { capabilities: { elicitation: { form: {} } }, versionNegotiation: { mode: { pin: '2026-07-28' } } },
  );
  client.setRequestHandler('elicitation/create', async () => ({ action: 'accept', content: { confirm: true } }));
  await client.connect(
    new StreamableHTTPClientTransport(new URL(`${world.stack.url}/mcp`), {
      requestInit: { headers: { authorization: `Bearer ${who.token}` } },
    }),
  );
  who.agent = client;
  return client;
}

export interface AgentAnswer {
  readonly isError: boolean;
  readonly text: string;
  readonly data: JsonObject;
}

/** A tool over MCP. Undefined when no answer came. */
export async function agentCall(
  world: World,
  who: Subscriber,
  name: string,
  input: JsonObject,
  typed: readonly string[] = [],
): Promise<AgentAnswer | undefined> {
  const began = performance.now();
  world.tally.underWay += 1;
  try {
    const client = await agentOf(world, who);
    const answer = await client.callTool({ name, arguments: input });
    world.watch.took('mcp', performance.now() - began);
    const text = JSON.stringify(answer);
    world.watch.saw('mcp', name, who.customer, text, typed);
    const data = isJsonObject(answer.structuredContent) ? answer.structuredContent : {};
    return { isError: answer.isError === true, text, data };
  } catch (error) {
    // A refusal of the protocol itself is an answer too; a connection that broke is none.
    const said = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    if (/fetch failed|terminated|ECONN|socket|SocketError|HTTP 5\d\d|50[0-9]|timed out/i.test(said)) {
      noteSilence(world, 'mcp', `MCP ${name}`, error, performance.now() - began);
      return undefined;
    }
    world.watch.took('mcp', performance.now() - began);
    world.watch.saw('mcp', name, who.customer, said, typed);
    return { isError: true, text: said, data: {} };
  } finally {
    world.tally.underWay -= 1;
  }
}

/** Somebody who has a line that lives, drawn by chance. */
export function anybody(world: World, but?: Subscriber): Subscriber | undefined {
  return world.random.any(world.people.filter((one) => one.line !== '' && one !== but));
}

/** A person does one thing at a time in a browser, as people do. */
export function alone<T>(who: Subscriber, work: () => Promise<T>): Promise<T> {
  const mine = who.atBrowser.then(work, work);
  who.atBrowser = mine.catch(() => undefined);
  return mine;
}
