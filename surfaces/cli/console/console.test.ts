import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import tools from '../../../generated/tools.json' with { type: 'json' };
import { readVerbs } from '../descriptors.ts';
import { run } from '../program.ts';
import type { Editing, Terminal } from '../terminal.ts';
import { isVerbLine } from './console.ts';

// The console against a double of the server's doors, over real HTTP: tools, and the assistant's conversations.

const verbs = readVerbs(tools);
const proposal = {
  tool: 'subscription.top_up',
  effect: 'money',
  what: 'Order Data 1 GB for Ada Lim.',
  amount: { amountMinor: 300, currency: 'SGD', text: 'SGD 3.00' },
  details: [],
  arguments: { subscriptionId: 'sub_1', offering: 'VAS_DATA_1GB' },
};

interface Asked {
  method: string;
  path: string;
  body: unknown;
  headers: IncomingHttpHeaders;
}

interface Answer {
  status?: number;
  body: unknown;
  headers?: Record<string, string>;
}

/** Answers of the double, by what is asked; a function sees the body. */
type Doors = Record<string, Answer | ((body: unknown) => Answer)>;

let root: string;
let server: Server | undefined;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'airtime-console-'));
});
afterEach(async () => {
  server?.closeAllConnections();
  await new Promise((resolve) => (server ? server.close(resolve) : resolve(undefined)));
  rmSync(root, { recursive: true });
});

async function serve(doors: Doors): Promise<{ url: string; asked: Asked[] }> {
  const asked: Asked[] = [];
  server = createServer(async (request, response) => {
    let text = '';
    for await (const part of request) text += part;
    const path = request.url ?? '';
    const body: unknown = text === '' ? undefined : JSON.parse(text);
    asked.push({ method: request.method ?? '', path, body, headers: request.headers });
    const found = doors[`${request.method} ${path}`];
    const answer = typeof found === 'function' ? found(body) : found;
    const {
      status = 200,
      body: answered,
      headers = {},
    }: Answer = answer ?? {
      status: 404,
      body: { code: '404', reason: 'notFound', message: 'There is nothing here.' },
    };
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(answered));
  });
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

interface Seen {
  code: number;
  out: string;
  error: string;
  prompts: string[];
  questions: string[];
  completed: [string[], string][];
}

/** Opens the console and types these lines; a line that begins with a tab is only completed. */
async function typed(
  url: string,
  lines: readonly string[],
  options: { answers?: string[]; args?: string[]; env?: Record<string, string> } = {},
): Promise<Seen> {
  const seen: Seen = { code: 0, out: '', error: '', prompts: [], questions: [], completed: [] };
  const left = [...lines];
  const answers = [...(options.answers ?? [])];
  const next = async (editing: Editing): Promise<string | undefined> => {
    const line = left.shift();
    if (!line?.startsWith('\t')) return line;
    seen.completed.push(await editing.complete(line.slice(1)));
    return next(editing);
  };
  const terminal: Terminal = {
    folder: '/',
    env: { AIRTIME_URL: url, AIRTIME_TOKEN: 'air_me', XDG_CONFIG_HOME: root, NO_COLOR: '1', ...options.env },
    isInputTty: true,
    isOutputTty: true,
    isErrorTty: true,
    columns: () => 80,
    out: (text) => {
      seen.out += text;
    },
    error: (text) => {
      seen.error += text;
    },
    readFile: () => '',
    readLines: async function* () {},
    ask: async (question) => {
      seen.questions.push(question);
      return answers.shift();
    },
    pause: async () => false,
    fetch,
    editLine: async (prompt, editing) => {
      seen.prompts.push(prompt);
      return next(editing);
    },
  };
  seen.code = await run(options.args ?? [], verbs, '0', terminal);
  return seen;
}

const dashboard = {
  now: '2026-11-23T07:15:00Z',
  timeZone: 'Asia/Singapore',
  day: '2026-11-23',
  customers: { total: 1200, today: 3 },
  lines: { pending: 0, active: 1100, blocked: 7, unpaid: 1, terminated: 0 },
  orders: { open: 0, completed: 3, failed: 0, rejected: 0 },
  money: {
    orders: { count: 1, amount: { amountMinor: 1000, currency: 'SGD', text: 'SGD 10.00' } },
    renewals: { count: 0, amount: null },
    refunded: { count: 0, amount: null },
    declined: 0,
  },
  usage: { records: 0, rejected: 0, data: { kind: 'data', amount: 0, text: '0 MB' }, hours: [] },
  recent: [],
  work: { due: 0, retrying: 0, networkPending: 0 },
  alarms: [{ code: 'a', sentence: 'Few numbers are left.', command: 'bss number list' }],
};
const state: Doors = { 'POST /tools/dashboard.show': { body: { result: dashboard } } };
const begun: Doors = {
  'GET /chat/sessions': { body: { items: [] } },
  'POST /chat/sessions': { status: 201, body: { id: 'cha_1' } },
};
const reply = (text: string, more: object = {}) => ({
  body: { reply: text, assistant: 'model', toolCalls: [], proposals: [], ...more },
});

test('the state of the business stands above every prompt', async () => {
  const { url } = await serve({ ...state, ...begun });
  const { code, out, prompts } = await typed(url, ['', 'exit']);
  expect([code, prompts.length]).toEqual([0, 2]);
  expect(out).toContain('1,200 customers · 1,100 active · 7 blocked · sold SGD 10.00');
  expect(out).toContain('● 1 to act on');
  expect(out).toContain('Type a verb, or ask in plain words.');
});

test('a verb is typed without bss, with bss, and with quotations, and the end of the input leaves', async () => {
  const { url, asked } = await serve({
    ...state,
    ...begun,
    'POST /tools/customer.list': { body: { result: { ...dashboard, items: [], next: null } } },
  });
  const { code, out, error } = await typed(url, [
    'customer list',
    'bss customer list "Ada Lim" --limit 3',
    'customer shw',
    'customer list --limit many',
    'ticket open "No data',
  ]);
  expect(code).toBe(0);
  const calls = asked.filter(({ path }) => path === '/tools/customer.list');
  expect(calls.map(({ body }) => body)).toEqual([{}, { search: 'Ada Lim', limit: 3 }]);
  expect(out).toContain('No customers.');
  expect(error).toContain("Unknown command 'shw'. Did you mean show?");
  expect(error).toContain('"many" is not a whole number');
  expect(error).toContain('A quotation is not closed.');
  expect(asked.some(({ path }) => path.startsWith('/chat/sessions/'))).toBe(false);
});

test('what is no verb is asked of the assistant, in one conversation until another is begun', async () => {
  let count = 0;
  const { url, asked } = await serve({
    ...state,
    'GET /chat/sessions': { body: { items: [] } },
    'POST /chat/sessions': () => {
      count += 1;
      return { status: 201, body: { id: `cha_${count}` } };
    },
    'POST /chat/sessions/cha_1/turns': reply('Ada used up\u001b[2J her 5 GB.', {
      assistant: 'rules',
      toolCalls: [{ tool: 'subscription.show' }],
      case: { id: 'tck_1' },
    }),
    'POST /chat/sessions/cha_2/turns': reply('Good morning.'),
  });
  const { out } = await typed(url, [
    "why doesn't Ada's line work?",
    'order me a plan for Ada please',
    'new',
    'hello there',
  ]);
  expect(asked.filter(({ path }) => path.endsWith('/turns')).map(({ path, body }) => [path, body])).toEqual([
    ['/chat/sessions/cha_1/turns', { text: "why doesn't Ada's line work?" }],
    ['/chat/sessions/cha_1/turns', { text: 'order me a plan for Ada please' }],
    ['/chat/sessions/cha_2/turns', { text: 'hello there' }],
  ]);
  expect(asked.every(({ headers }) => headers.authorization === 'Bearer air_me')).toBe(true);
  expect(out).toContain('◆ Ada used up her 5 GB.');
  expect(out).toContain('answered by rules');
  expect(out).toContain('used subscription.show');
  expect(out).toContain('case tck_1');
  expect(out).not.toContain('\u001b[2J');
});

test('what the assistant proposes is shown, and a yes goes to the tool with the token, and to nobody else', async () => {
  const turn = reply('A top-up brings her back.', {
    proposals: [
      {
        tool: 'subscription.top_up',
        arguments: proposal.arguments,
        proposal,
        confirmation: { token: 'cnf_secret', expiresAt: '2027-01-01T00:00:00Z' },
      },
    ],
  });
  const doors: Doors = {
    ...state,
    ...begun,
    'POST /chat/sessions/cha_1/turns': turn,
    'POST /tools/subscription.top_up': { body: { result: { loaded: 'the top-up' } } },
  };
  for (const [answer, confirmed] of [
    ['y', 1],
    ['n', 0],
    ['', 0],
  ] as const) {
    const { url, asked } = await serve(doors);
    const { out, error, questions } = await typed(url, ['top Ada up with a gigabyte'], { answers: [answer] });
    expect(questions.length).toBe(1);
    for (const told of ['Order Data 1 GB for Ada Lim.', 'SGD 3.00', 'This moves money.']) expect(error).toContain(told);
    const acts = asked.filter(({ path }) => path === '/tools/subscription.top_up');
    expect(acts.map(({ body, headers }) => [body, headers['confirmation-token']])).toEqual(
      confirmed ? [[proposal.arguments, 'cnf_secret']] : [],
    );
    expect(out.includes('the top-up')).toBe(confirmed === 1);
    expect(out + error).not.toContain('cnf_secret');
    const others = asked.filter(({ path }) => path !== '/tools/subscription.top_up');
    expect(JSON.stringify(others)).not.toContain('cnf_secret');
    await new Promise((resolve) => server?.close(resolve));
  }
});

test('a server without an assistant says so, and verbs go on', async () => {
  const { url, asked } = await serve(state);
  const { code, out, error } = await typed(url, ['how are we doing today?', 'sessions', 'clock', 'exit']);
  expect(code).toBe(0);
  expect(out).toContain('Plain language is not available on this server.');
  expect(error).toContain('Plain language is not available on this server. Verbs are');
  expect(asked.some(({ path }) => path === '/tools/clock.show')).toBe(true);
});

test('a refusal of the assistant is told like every other, and the next line can be typed', async () => {
  const { url } = await serve({
    ...state,
    ...begun,
    'POST /chat/sessions/cha_1/turns': {
      status: 429,
      body: {
        code: '429',
        reason: 'chat.turns_per_hour',
        message: 'That were 60 turns within an hour.',
        facts: { turns: 60 },
      },
    },
  });
  const { code, error, prompts } = await typed(url, ['hello there', 'exit']);
  expect([code, prompts.length]).toEqual([0, 2]);
  for (const told of ['That were 60 turns', 'rule  chat.turns_per_hour', 'turns: 60']) expect(error).toContain(told);
});

test('conversations are kept by the server and gone on with', async () => {
  const doors: Doors = {
    ...state,
    'GET /chat/sessions': {
      body: {
        items: [
          { id: 'cha_old', startedAt: '2026-11-20T00:00:00Z', lastAt: '2026-11-20T01:00:00Z', title: 'Refunds' },
          { id: 'cha_new', startedAt: '2026-11-22T00:00:00Z', lastAt: '2026-11-22T01:00:00Z', title: 'Ada is blocked' },
        ],
      },
    },
    'GET /chat/sessions/cha_new': {
      body: {
        id: 'cha_new',
        turns: [
          { role: 'person', text: 'Why is Ada blocked?', at: '2026-11-22T00:00:00Z' },
          { role: 'assistant', text: 'She used up her quota.', at: '2026-11-22T00:00:01Z' },
        ],
      },
    },
    'GET /chat/sessions/cha_old': { body: { id: 'cha_old', turns: [] } },
    'POST /chat/sessions/cha_new/turns': reply('Then she is back.'),
    'POST /chat/sessions/cha_old/turns': reply('Which one?'),
  };
  const { url, asked } = await serve(doors);
  const resumed = await typed(url, ['and if she tops up?'], { args: ['--resume'] });
  expect(resumed.out).toContain('› Why is Ada blocked?');
  expect(resumed.out).toContain('◆ Then she is back.');
  const named = await typed(url, ['sessions', 'what of that refund?'], { args: ['--resume', 'cha_old'] });
  expect(named.out).toContain('Ada is blocked');
  expect(named.out).toContain('◆ Which one?');
  const inside = await typed(url, ['\tresume cha_n', 'resume cha_new', 'and then what happens?', 'resume cha_none']);
  expect(inside.completed).toEqual([[['cha_new '], 'cha_n']]);
  expect(inside.out).toContain('◆ Then she is back.');
  expect(inside.out).toContain('To go on with the last conversation, type resume');
  expect(inside.error).toContain('There is no conversation cha_none of yours.');
  expect(asked.some(({ method, path }) => method === 'POST' && path === '/chat/sessions')).toBe(false);
});

test('a conversation that is gone is followed by another with the same words', async () => {
  let begunTimes = 0;
  const { url } = await serve({
    ...state,
    'GET /chat/sessions': { body: { items: [] } },
    'POST /chat/sessions': () => {
      begunTimes += 1;
      return { status: 201, body: { id: `cha_${begunTimes}` } };
    },
    'POST /chat/sessions/cha_2/turns': reply('Here I am.'),
  });
  const { out, error } = await typed(url, ['hello there']);
  expect([begunTimes, error]).toEqual([2, '']);
  expect(out).toContain('◆ Here I am.');
});

test('a card number is sent to nobody and remembered nowhere; other lines are remembered', async () => {
  const { url, asked } = await serve({ ...state, ...begun });
  const { error } = await typed(url, [
    'put 4242 4242 4242 4242 on file for Ada',
    'clock',
    'token is air_01k9abcdefghijk',
  ]);
  expect(error).toContain('it was sent to nobody');
  expect(JSON.stringify(asked)).not.toContain('4242');
  expect(readFileSync(join(root, 'airtime', 'history'), 'utf8')).toBe('clock\n');
});

test('nouns, verbs, live ids and the console’s own words are completed', async () => {
  const { url } = await serve({
    ...state,
    ...begun,
    'POST /tools/customer.list': { body: { result: { items: [{ id: 'cus_1', name: 'Ada' }, { id: 'cus_2' }] } } },
  });
  const { completed } = await typed(url, [
    '\tcust',
    '\tsess',
    '\tcustomer show cus_',
    '\tbss order pl',
    '\thelp ord',
    '\tclo',
  ]);
  expect(completed).toEqual([
    [expect.arrayContaining(['customer', 'customer-bill']), 'cust'],
    [['session', 'sessions'], 'sess'],
    [['cus_1  Ada', 'cus_2'], 'cus_'],
    [['place '], 'pl'],
    [['order '], 'ord'],
    [['clock '], 'clo'],
  ]);
});

test('help tells what can be typed, and of a verb how', async () => {
  const { url } = await serve({ ...state, ...begun });
  const { out } = await typed(url, ['help', 'help order place', 'help customer']);
  expect(out).toContain('anything else is asked of the assistant');
  expect(out).toContain('bss order place <customer-id> <offering>');
  expect(out).toContain('customer: what can be done with it');
});

test('a caller who may not see the business has a prompt all the same, and is offered their own verbs', async () => {
  const own = tools.filter(({ name }) => name.startsWith('subscription.'));
  const { url } = await serve({ ...begun, 'GET /tools': { body: own, headers: { 'airtime-audience': 'customer' } } });
  const { code, out, completed } = await typed(url, ['\tcust', '\tsubscription sh', 'help', 'exit']);
  expect([code, out]).toEqual([0, expect.stringContaining(url)]);
  expect(completed).toEqual([
    [[], 'cust'],
    [['show '], 'sh'],
  ]);
  expect(out).toContain('Nouns: subscription. ');
  const down = await typed('http://127.0.0.1:9', ['exit']);
  expect([down.code, down.error]).toEqual([0, expect.stringContaining('No server answers')]);
});

test('without a terminal nothing is opened', async () => {
  const unknown = await typed('', ['exit']);
  expect([unknown.code, unknown.error]).toEqual([1, expect.stringContaining('No server is known')]);
});

test('plain language is told from verbs', () => {
  const isVerb = (line: string) => isVerbLine(line.split(' '), verbs);
  for (const line of [
    'customer list',
    'customer',
    'order shw',
    'subscription topup',
    'customer registr',
    'order shw ord_01k9 --json',
    'subscription top_up sub_1 VAS_DATA_1GB',
    'usage import july.csv',
    'trace ord_01k9',
    'top',
    '--help',
    'rules',
    'preview order place cus_01k9 PLAN_S',
    'doctor',
    'tools',
    'tools ticket --audience customer',
    'help selling',
  ])
    expect([line, isVerb(line)]).toEqual([line, true]);
  for (const line of [
    'order me a plan for Ada',
    'customer ada',
    'customer Lim',
    'usage of Ada this month?',
    'top customers of this week',
    'why is Ada blocked?',
    'card of Ada was declined',
    'preview the next release for me',
    'tools of an agent are what?',
    'hello',
  ])
    expect([line, isVerb(line)]).toEqual([line, false]);
});
