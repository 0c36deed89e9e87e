import { isJsonObject, type JsonObject } from '../kernel/json.ts';
import { faultsLeft } from './books.ts';
import { markerOf } from './model.ts';
import { canaryOf, endOf, knowIds, mendCard, spoilCard, terminal } from './people.ts';
import type { Random } from './random.ts';
import {
  agentCall,
  alone,
  anybody,
  ask,
  bases,
  browserOf,
  codeFor,
  insist,
  mustTool,
  type Subscriber,
  textOf,
  tool,
  visit,
  type World,
} from './world.ts';

/** What people and machines do in an hour. Each does one thing, once, and counts it when it was answered. */

interface Sent {
  readonly record: JsonObject;
  readonly id: string;
}

const sent: Sent[] = [];
const hourMs = 3_600_000;

/** A record of usage: mostly of now, some late, some seen before. */
function recordOf(world: World, who: Subscriber): JsonObject {
  const { random } = world;
  world.tally.records += 1;
  const isLate = random.chance(0.15);
  const anchor = who.anchor?.getTime() ?? world.now.getTime();
  const latest = world.now.getTime();
  const at = isLate ? Math.max(anchor, latest - random.int(2, 60) * hourMs) : latest;
  if (isLate) world.counts.lateUsages += 1;
  const kind = random.pick(['data', 'data', 'data', 'data', 'voice', 'sms', 'roamingData']);
  const amount = kind === 'data' ? random.int(5, 70) : kind === 'voice' ? random.int(1, 5) : random.int(1, 3);
  return {
    msisdn: random.chance(0.01) ? '6599999999' : who.msisdn,
    kind,
    amount,
    source: 'soak',
    recordId: `r${world.seed}-${world.tally.records}`,
    usageDate: new Date(at).toISOString(),
  };
}

const units: Readonly<Record<string, string>> = { data: 'MB', roamingData: 'MB', voice: 'min', sms: 'SMS' };

function wireOf(record: JsonObject): JsonObject {
  return {
    usageType: record.kind ?? 'data',
    usageDate: record.usageDate ?? '',
    usageCharacteristic: [
      { name: 'msisdn', value: record.msisdn ?? '' },
      { name: 'volume', value: record.amount ?? 0 },
      { name: 'unit', value: units[String(record.kind)] ?? 'MB' },
      { name: 'source', value: record.source ?? '' },
      { name: 'recordId', value: record.recordId ?? '' },
    ],
  };
}

/** One record by TMF635. */
export async function useOnce(world: World): Promise<void> {
  const who = anybody(world);
  if (!who) return;
  const old = world.random.chance(0.1) ? world.random.any(sent) : undefined;
  const record = old?.record ?? recordOf(world, who);
  const answer = await insist(world, {
    surface: 'tmf',
    path: bases.usage,
    token: world.stack.token(),
    body: wireOf(record),
  });
  if (answer.status !== 201 || !isJsonObject(answer.body))
    throw new Error(`usage answered ${answer.status}: ${answer.text.slice(0, 300)}`);
  told(world, record, answer.body, old);
}

function told(world: World, record: JsonObject, document: JsonObject, old: Sent | undefined): void {
  const id = textOf(document, 'id');
  if (old !== undefined) {
    world.counts.duplicates += 1;
    // Under another id it counted twice: what the first was told is not so any more.
    if (id !== old.id) world.ledger.add(bases.usage, { id: `${old.id}-twice` }, ['id']);
    return;
  }
  world.counts.usages += 1;
  world.ledger.add(bases.usage, document, ['id', 'status']);
  sent.push({ record, id });
}

/** Many records at once, out of order, with some that came before among them. What has no result is sent again. */
export async function useMany(world: World, count: number): Promise<void> {
  const { random } = world;
  const batch: { record: JsonObject; old: Sent | undefined }[] = [];
  for (let made = 0; made < count; made += 1) {
    const who = anybody(world);
    if (!who) return;
    const old = random.chance(0.05) ? random.any(sent) : undefined;
    batch.push({ record: old?.record ?? recordOf(world, who), old });
  }
  let waiting = random.shuffled(batch);
  const dates = waiting.map(({ record }) => String(record.usageDate));
  world.counts.outOfOrderUsages += dates.filter((date, place) => place > 0 && date < (dates[place - 1] ?? '')).length;
  for (let round = 0; waiting.length > 0; round += 1) {
    if (round > 50) throw new Error('a stream of usage was not answered');
    const answer = await insist(world, {
      surface: 'usage',
      method: 'POST',
      path: '/usage/stream',
      token: world.stack.token(),
      body: waiting.map(({ record }) => JSON.stringify(record)).join('\n'),
      headers: { 'content-type': 'application/x-ndjson' },
    });
    const lines = answer.text.split('\n').filter((line) => line !== '');
    const results = new Map<number, JsonObject>();
    for (const line of lines) {
      const result: unknown = JSON.parse(line);
      if (isJsonObject(result) && typeof result.line === 'number' && typeof result.id === 'string')
        results.set(result.line, result);
    }
    waiting = waiting.filter(({ record, old }, place) => {
      const result = results.get(place + 1);
      if (result === undefined) return true;
      told(world, record, { id: result.id ?? '', status: result.status ?? '' }, old);
      if (old === undefined) world.counts.streamedUsages += 1;
      return false;
    });
  }
}

/** More quota, by one of the doors that a customer has. */
export async function topUp(world: World): Promise<void> {
  const blocked = world.people.filter((one) => one.line !== '' && one.troubles !== 'declining');
  const who = world.random.any(blocked);
  if (!who) return;
  const offering = world.random.pick(['VAS_DATA_1GB', 'VAS_DATA_1GB', 'VAS_SMS_100', 'VAS_VOICE_100']);
  const input = { subscriptionId: who.line, offering };
  const door = world.isKilling ? 'tools' : world.random.pick(['tools', 'mcp', 'pages']);
  let order = '';
  if (door === 'mcp') {
    const done = await agentCall(world, who, 'subscription.top_up', input);
    if (done?.isError) return refusedTopUp(done.text);
    order = textOf(done?.data, 'id');
  } else if (door === 'pages') {
    return alone(who, () => topUpByPages(world, who, offering));
  } else {
    const done = await tool(world, 'subscription.top_up', input, who);
    if (done.status >= 300) return refusedTopUp(done.text);
    order = textOf(done.result, 'id');
    if (isJsonObject(done.result.document)) world.ledger.add(bases.order, done.result.document, ['id', 'orderDate']);
  }
  if (order === '') return;
  world.counts.topUps += 1;
  if (!world.isKilling) await endOf(world, order);
}

/** A line that is unpaid needs a period first: any other refusal is a fault. */
function refusedTopUp(text: string): void {
  if (/subscription\.(unpaid_needs_period|top_up_needs_live_line)/.test(text)) return;
  throw new Error(`a top-up was refused: ${text.slice(0, 400)}`);
}

async function topUpByPages(world: World, who: Subscriber, offering: string): Promise<void> {
  const browser = await browserOf(world, who);
  if (!browser) return;
  const after = world.post.letters.length;
  const asked = await visit(world, who, browser, `/account/lines/${who.line}/top-up`, { offering });
  const confirmation = /name="confirmation" value="([^"]+)"/.exec(asked?.text ?? '')?.[1];
  const given = /name="arguments" value="([^"]+)"/.exec(asked?.text ?? '')?.[1];
  if (confirmation === undefined) return;
  const code = await codeFor(world, who.email, after);
  const done = await visit(world, who, browser, '/account/confirm', {
    tool: 'subscription.top_up',
    arguments: (given ?? '').replaceAll('&quot;', '"').replaceAll('&#34;', '"').replaceAll('&amp;', '&'),
    confirmation,
    code,
  });
  if (done?.status !== 303)
    throw new Error(`a top-up by pages answered ${done?.status ?? 0}: ${done?.text.slice(0, 300) ?? ''}`);
  world.counts.topUps += 1;
}

const customerPages = [
  '/account',
  '/account/receipts',
  '/account/cards',
  '/account/details',
  '/account/help',
  '/account/chat',
] as const;

/** Somebody looks at their account, or an operator at the day. */
export async function dashboard(world: World): Promise<void> {
  const { random } = world;
  const who = anybody(world);
  if (!who) return;
  const view = world.isKilling
    ? 'tools'
    : random.pick(['pages', 'pages', 'pages', 'tools', 'mcp', 'operator', 'terminal']);
  if (view === 'pages') {
    const path = random.pick([...customerPages, `/account/lines/${who.line}`, `/account/lines/${who.line}/usage`]);
    const page = await alone(who, async () => {
      const browser = await browserOf(world, who);
      return browser && visit(world, who, browser, path);
    });
    if (page === undefined) return;
    if (page.status !== 200) throw new Error(`${path} answered ${page.status}`);
  } else if (view === 'tools') {
    const [name, input] = random.pick(readsOf(who));
    await mustTool(world, name, input, who);
  } else if (view === 'mcp') {
    const [name, input] = random.pick(readsOf(who));
    const answer = await agentCall(world, who, name, input);
    if (answer === undefined) return;
    if (answer.isError) throw new Error(`${name} over MCP: ${answer.text.slice(0, 300)}`);
  } else if (view === 'operator') {
    await mustTool(world, 'dashboard.show', {});
  } else {
    const line = await terminal(world, ['subscription', 'show', who.line], who);
    if (line.code !== 0) throw new Error(`bss subscription show: ${line.error.slice(0, 300)}`);
  }
  world.counts.dashboards += 1;
}

type Read = readonly [name: string, input: JsonObject];
function readsOf(who: Subscriber): readonly [Read, ...Read[]] {
  return [
    ['subscription.show', { subscriptionId: who.line }],
    ['subscription.list', {}],
    ['usage.list', { subscriptionId: who.line }],
    ['bill.list', {}],
    ['order.list', {}],
    ['order.show', { orderId: who.order }],
    ['ticket.list', {}],
    ['customer.show', {}],
    ['offering.list', {}],
  ];
}

const questions = [
  'How much is left?',
  'When does my line renew?',
  'Which plans are there?',
  'Which add-ons are there?',
  'My receipts, please',
  'Hello',
] as const;
const calls: readonly [string, 'line' | 'none'][] = [
  ['subscription-list', 'none'],
  ['subscription-show', 'line'],
  ['bill-list', 'none'],
  ['offering-list', 'none'],
  ['usage-list', 'line'],
];
const handOver = [
  'I want to speak to a real person',
  'This is fraud: someone is using my line',
  'I dispute this charge and want my money back',
  'I will go to the regulator',
] as const;

/** A turn that is about to be said, with what the model does in it. */
export function newTurn(world: World, customer: string): { number: number; marker: string } {
  const number = world.turns.length + 1;
  world.turns.push({ number, customer, withModel: world.withModel, answered: false });
  return { number, marker: markerOf(number) };
}

export function wasAnswered(world: World, number: number): void {
  const turn = world.turns[number - 1];
  if (!turn) throw new Error(`there is no turn ${number}`);
  turn.answered = true;
  world.counts.chats += 1;
  if (turn.withModel) world.counts.modelChats += 1;
  else world.counts.rulesChats += 1;
}

export async function say(
  world: World,
  who: Subscriber,
  session: string,
  text: string,
  plan: (turn: number) => void = () => undefined,
  typed: readonly string[] = [],
): Promise<{ status: number; body: JsonObject; number: number } | undefined> {
  const { number, marker } = newTurn(world, who.customer);
  plan(number);
  const began = performance.now();
  const answer = await ask(world, {
    surface: 'chat',
    path: `/chat/sessions/${session}/turns`,
    token: who.token,
    body: { text: `${text} ${marker}` },
    reader: who.customer,
    typed,
  });
  if (answer === undefined || answer.status >= 500) return undefined;
  if (answer.status !== 200) throw new Error(`a turn answered ${answer.status}: ${answer.text.slice(0, 300)}`);
  wasAnswered(world, number);
  world.watch.took(world.withModel ? 'chat with a model' : 'chat by rules', performance.now() - began);
  return { status: answer.status, body: isJsonObject(answer.body) ? answer.body : {}, number };
}

export async function newSession(world: World, who: Subscriber): Promise<string> {
  const answer = await insist(world, {
    surface: 'chat',
    path: '/chat/sessions',
    token: who.token,
    body: {},
    reader: who.customer,
  });
  const id = textOf(answer.body, 'id');
  if (id === '') throw new Error(`no conversation began: ${answer.status} ${answer.text.slice(0, 200)}`);
  world.watch.owns(who.customer, [id]);
  return id;
}

/** A conversation of one to three turns, at the chat door or on the page. */
export async function chat(world: World, turns: number): Promise<void> {
  const { random } = world;
  const who = anybody(world);
  if (!who) return;
  if (!world.isKilling && random.chance(0.15)) return alone(who, () => chatByPages(world, who));
  const session = await newSession(world, who);
  for (let turn = 0; turn < turns; turn += 1) {
    world.tally.chatTurns += 1;
    const isFraught = world.tally.chatTurns % 7 === 3;
    const [name, needs] = random.any(calls) ?? ['offering-list', 'none'];
    const isBroken = world.withModel && random.chance(0.04);
    const text = isFraught
      ? random.pick(handOver)
      : turn === 0
        ? `${random.pick(questions)} I am ${canaryOf(who)}`
        : random.pick(questions);
    const answer = await say(world, who, session, text, (number) => {
      if (isBroken) world.model.willFail(number);
      else if (random.chance(0.8))
        world.model.willCall(number, name, needs === 'line' ? { subscriptionId: who.line } : {});
    });
    if (!answer) return;
    who.session = session;
    if (isJsonObject(answer.body.case)) {
      world.counts.escalations += 1;
      return;
    }
    if (isFraught) throw new Error(`"${text}" was not handed over: ${JSON.stringify(answer.body).slice(0, 300)}`);
  }
}

async function chatByPages(world: World, who: Subscriber): Promise<void> {
  const browser = await browserOf(world, who);
  if (!browser) return;
  await visit(world, who, browser, '/account/chat?new=1');
  const { number, marker } = newTurn(world, who.customer);
  const began = performance.now();
  const fields = { conversation: '', text: `${world.random.pick(questions)} ${marker}` };
  const page = await visit(world, who, browser, '/account/chat', fields, [], 'chat by pages');
  if (page === undefined || page.status >= 500) return;
  if (page.status >= 400) throw new Error(`a turn by pages answered ${page.status}`);
  wasAnswered(world, number);
  world.watch.took(world.withModel ? 'chat with a model' : 'chat by rules', performance.now() - began);
}

/** Roaming on and off in turns: a task for the network each time. */
export async function switchRoaming(world: World): Promise<void> {
  const who = anybody(world);
  if (!who) return;
  who.roams = !who.roams;
  const roaming = who.roams ? 'on' : 'off';
  await mustTool(world, 'subscription.set_roaming', { subscriptionId: who.line, roaming }, who);
}

/** A note on one’s own ticket. */
export async function noteOnTicket(world: World): Promise<void> {
  const who = anybody(world);
  if (!who || who.ticket === '') return;
  await mustTool(world, 'ticket.note', { id: who.ticket, text: `Still so, says ${canaryOf(who)}` }, who);
}

/**
 * So many faults of one place may wait to strike. More would strike whoever calls next one after the other, and its pauses
 * grow up to a minute: a run that waits for that shows nothing else meanwhile.
 */
const unstruckMax = 2;

const places = ['network', 'network', 'gateway', 'gateway', 'mail'] as const;

/** Where the next fault is planned; undefined where enough of them wait everywhere. @param left those that wait, by place */
export function placeOfFault(
  left: Readonly<Record<(typeof places)[number], number>>,
  random: Random,
): (typeof places)[number] | undefined {
  return random.any(places.filter((one) => left[one] < unstruckMax));
}

/** What gateway, network and mail are to do wrong, once each. @returns how many were planned of gateway and network */
export async function planFault(world: World): Promise<number> {
  const { random } = world;
  const place = placeOfFault({ ...(await faultsLeft(world)), mail: world.post.left() }, random);
  if (place === undefined) return 0;
  if (place === 'mail') {
    world.post.plan(random.chance(0.7) ? 'refuse' : 'hang up', 1);
    return 0;
  }
  if (place === 'network')
    await mustTool(world, 'network.plan_fault', {
      mode: random.pick(['unavailable', 'lose_answer', 'refuse', 'stall']),
      times: 1,
      stallMs: 200,
      permanent: false,
      calls: ['apply'],
    });
  else
    await mustTool(world, 'card_gateway.plan_fault', {
      mode: random.pick(['unavailable', 'lose_answer', 'stall']),
      times: 1,
      stallMs: 200,
      calls: ['authorise', 'capture'],
    });
  return 1;
}

/** Those whose renewal is to be declined get a bad card in time, and a good one when it has happened. */
export async function trouble(world: World): Promise<void> {
  for (const who of world.people) {
    if (who.kind !== 'unpaid' || who.anchor === undefined) continue;
    const days = (world.now.getTime() - who.anchor.getTime()) / 86_400_000;
    if (who.troubles === 'none' && days > 10) await spoilCard(world, who);
    else if (who.troubles === 'declining' && days > 31.2) await mendCard(world, who);
  }
  await knowIds(world);
}
