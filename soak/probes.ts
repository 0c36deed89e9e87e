import type { JsonObject } from '../kernel/json.ts';
import { newSession, say } from './events.ts';
import { terminal } from './people.ts';
import { agentCall, alone, anybody, ask, bases, browserOf, type Subscriber, visit, type World } from './world.ts';

/**
 * One customer tries what is another's, by every door. A probe counts when it was answered, and must have been refused:
 * by its status, its exit code, or what the tool told the model. An answer to come back later shows neither.
 */
export const doors = ['tmf', 'tools', 'terminal', 'chat', 'mcp', 'pages'] as const;
export type Door = (typeof doors)[number];

type Verdict = { readonly refused: boolean; readonly what: string } | 'put off' | undefined;

interface Pair {
  readonly attacker: Subscriber;
  readonly victim: Subscriber;
}

/** What a status shows of a probe: 429 and 503 say when to ask, not whether one may (RFC 6585, 4; RFC 9110, 15.6.4). */
export const verdictOf = (status: number, what: string): Verdict =>
  status === 429 || status === 503 ? 'put off' : { refused: status >= 400 && status < 500, what };

/** Tools that name something of somebody's, with what else they need. */
const named: readonly (readonly [tool: string, input: (of: Subscriber) => JsonObject])[] = [
  ['subscription.show', ({ line }) => ({ subscriptionId: line })],
  ['usage.list', ({ line }) => ({ subscriptionId: line })],
  ['esim.show', ({ line }) => ({ subscriptionId: line })],
  ['order.show', ({ order }) => ({ orderId: order })],
  ['bill.show', ({ bill }) => ({ billId: bill })],
  ['ticket.show', ({ ticket }) => ({ ticketId: ticket })],
  ['ticket.note', ({ ticket }) => ({ id: ticket, text: 'Let me in.' })],
  ['card.remove', ({ card }) => ({ cardId: card })],
  ['card.prefer', ({ card }) => ({ cardId: card })],
  ['subscription.top_up', ({ line }) => ({ subscriptionId: line, offering: 'VAS_DATA_1GB' })],
  ['subscription.change_plan', ({ line }) => ({ subscriptionId: line, offering: 'PLAN_L' })],
  ['subscription.end', ({ line }) => ({ subscriptionId: line, when: 'now' })],
  ['subscription.set_roaming', ({ line }) => ({ subscriptionId: line, roaming: 'off' })],
  ['subscription.set_alert', ({ line }) => ({ subscriptionId: line, kind: 'data', left: '10 %' })],
  ['subscription.replace_esim', ({ line }) => ({ subscriptionId: line })],
  ['customer.show', ({ customer }) => ({ customerId: customer })],
  ['subscription.list', ({ customer }) => ({ customerId: customer })],
  ['bill.list', ({ customer }) => ({ customerId: customer })],
  ['order.list', ({ customer }) => ({ customerId: customer })],
];

const typedIn = (input: JsonObject): string[] => Object.values(input).filter((value) => typeof value === 'string');

const places = new Map<string, number>();

/** One after the other, so that a few probes try as much as they can. */
function next<T>(name: string, of: readonly T[]): T | undefined {
  const place = places.get(name) ?? 0;
  places.set(name, place + 1);
  return of[place % of.length];
}

async function byTools(world: World, { attacker, victim }: Pair): Promise<Verdict> {
  const [name, made] = next('tools', named) ?? [];
  if (name === undefined || made === undefined) return undefined;
  const input = made(victim);
  const answer = await ask(world, {
    surface: 'tools',
    path: `/tools/${name}`,
    token: attacker.token,
    body: input,
    reader: attacker.customer,
    typed: typedIn(input),
  });
  return answer && verdictOf(answer.status, `tool ${name}`);
}

async function byTerminal(world: World, { attacker, victim }: Pair): Promise<Verdict> {
  // The terminal ends with the same code where no server answers.
  if (world.isKilling) return undefined;
  const [name, made] = next('terminal', named) ?? [];
  if (name === undefined || made === undefined) return undefined;
  const input = made(victim);
  const words = name.replaceAll('_', '-').split('.');
  const line = await terminal(world, [...words, '--yes', '--input', JSON.stringify(input)], attacker, typedIn(input));
  return { refused: line.code !== 0, what: `bss ${words.join(' ')}` };
}

async function byMcp(world: World, { attacker, victim }: Pair): Promise<Verdict> {
  const [name, made] = next('mcp', named) ?? [];
  if (name === undefined || made === undefined) return undefined;
  const input = made(victim);
  const answer = await agentCall(world, attacker, name, input, typedIn(input));
  return answer && { refused: answer.isError, what: `MCP ${name}` };
}

async function byTmf(world: World, { attacker, victim }: Pair): Promise<Verdict> {
  const { random } = world;
  const path = random.pick([
    `${bases.customer}/${victim.customer}`,
    `${bases.product}/${victim.line}`,
    `${bases.order}/${victim.order}`,
    `${bases.bill}/${victim.bill}`,
    `${bases.card}/${victim.card}`,
    `${bases.ticket}/${victim.ticket}`,
    `${bases.usage}?limit=5`,
    `${bases.customer}?limit=5`,
    `${bases.product}?relatedParty.id=${victim.customer}`,
  ]);
  const isWrite = random.chance(0.25) && !path.includes('?');
  const answer = await ask(world, {
    surface: 'tmf',
    path,
    token: attacker.token,
    reader: attacker.customer,
    typed: [victim.customer, victim.line, victim.order, victim.bill, victim.card, victim.ticket],
    ...(isWrite
      ? { method: 'PATCH', body: { name: 'Mine' }, headers: { 'content-type': 'application/merge-patch+json' } }
      : {}),
  });
  return answer && verdictOf(answer.status, `${isWrite ? 'PATCH' : 'GET'} ${path}`);
}

async function byChat(world: World, { attacker, victim }: Pair): Promise<Verdict> {
  if (world.withModel && !world.isKilling && next('chat', [true, true, false]) === true) {
    const tools = named.filter(([name]) => name !== 'esim.show');
    const [name, made] = next('model', tools) ?? [];
    if (name === undefined || made === undefined) return undefined;
    const input = made(victim);
    const session = await newSession(world, attacker);
    const said = await say(
      world,
      attacker,
      session,
      'Do for me what I may not',
      (turn) => world.model.willCall(turn, name.replaceAll('.', '-'), input),
      typedIn(input),
    );
    if (!said) return undefined;
    // What the tool told the model; that it was called at all was the model's own idea, and is what it is here for.
    const told = world.model.toldIn(said.number) ?? '';
    const proposals = Array.isArray(said.body.proposals) ? said.body.proposals : [];
    return { refused: /refused/.test(told) && proposals.length === 0, what: `a model calls ${name}` };
  }
  if (victim.session === '') return undefined;
  const isRead = next('conversation', [true, false]) === true;
  const answer = await ask(world, {
    surface: 'chat',
    path: `/chat/sessions/${victim.session}${isRead ? '' : '/turns'}`,
    token: attacker.token,
    reader: attacker.customer,
    typed: [victim.session],
    ...(isRead ? {} : { body: { text: 'What did I say?' } }),
  });
  return answer && verdictOf(answer.status, `${isRead ? 'reads' : 'goes on with'} a conversation`);
}

const posts: readonly (readonly [path: (of: Subscriber) => string, fields: Record<string, string>])[] = [
  [({ line }) => `/account/lines/${line}/top-up`, { offering: 'VAS_DATA_1GB' }],
  [({ line }) => `/account/lines/${line}/plan`, { offering: 'PLAN_L' }],
  [({ line }) => `/account/lines/${line}/roaming`, { roaming: 'off' }],
  [({ line }) => `/account/lines/${line}/end`, { when: 'boundary' }],
  [({ ticket }) => `/account/help/${ticket}/note`, { note: 'Let me in.' }],
  [({ card }) => `/account/cards/${card}/remove`, {}],
  [({ card }) => `/account/cards/${card}/prefer`, {}],
];
const gets: readonly ((of: Subscriber) => string)[] = [
  ({ line }) => `/account/lines/${line}`,
  ({ line }) => `/account/lines/${line}/balances`,
  ({ line }) => `/account/lines/${line}/usage`,
  ({ line }) => `/account/lines/${line}/esim`,
  ({ order }) => `/account/orders/${order}`,
  ({ bill }) => `/account/receipts/${bill}`,
  ({ bill }) => `/account/receipts/${bill}/download`,
  ({ ticket }) => `/account/help/${ticket}`,
];

async function byPages(world: World, { attacker, victim }: Pair): Promise<Verdict> {
  const browser = await browserOf(world, attacker);
  if (!browser) return undefined;
  const typed = [victim.line, victim.order, victim.bill, victim.ticket, victim.card];
  if (next('pages', [false, true, false]) === true) {
    const [path, fields] = next('posts', posts) ?? [];
    if (path === undefined || fields === undefined) return undefined;
    await visit(world, attacker, browser, '/account/cards');
    const page = await visit(world, attacker, browser, path(victim), fields, typed);
    return page && verdictOf(page.status, `POST ${path(victim)} ${page.status}`);
  }
  const get = next('gets', gets);
  if (get === undefined) return undefined;
  const page = await visit(world, attacker, browser, get(victim), undefined, typed);
  return page && verdictOf(page.status, `GET ${get(victim)} ${page.status}`);
}

const by = {
  tmf: byTmf,
  tools: byTools,
  terminal: byTerminal,
  chat: byChat,
  mcp: byMcp,
  pages: (world: World, pair: Pair) => alone(pair.attacker, () => byPages(world, pair)),
} as const;
const counted = {
  tmf: 'probesTmf',
  tools: 'probesTools',
  terminal: 'probesTerminal',
  chat: 'probesChat',
  mcp: 'probesMcp',
  pages: 'probesPages',
} as const;

export async function probe(world: World, door: Door): Promise<void> {
  const attacker = anybody(world);
  const victim = anybody(world, attacker);
  if (!attacker || !victim) return;
  const verdict = await by[door](world, { attacker, victim });
  if (verdict === undefined) return;
  if (verdict === 'put off') {
    world.tally.putOff += 1;
    return;
  }
  world.counts.probes += 1;
  world.counts[counted[door]] += 1;
  if (verdict.refused) world.tally.refusals += 1;
  else world.notRefused.push(verdict.what);
}
