import { expect, test } from 'vitest';
import { readVerbs, type Verb } from './descriptors.ts';
import type { ExitCode } from './options.ts';
import { run } from './program.ts';
import type { Terminal } from './terminal.ts';

const verbs: Verb[] = readVerbs([
  {
    name: 'subscription.show',
    summary: 'Show a line',
    effect: 'read',
    input: {
      type: 'object',
      properties: { subscriptionId: { type: 'string', description: 'The line' } },
      required: ['subscriptionId'],
    },
    positional: ['subscriptionId'],
    examples: ['bss subscription show sub_…'],
  },
  {
    name: 'subscription.top_up',
    summary: 'Buy an add-on for a line',
    effect: 'money',
    input: {
      type: 'object',
      properties: {
        subscriptionId: { type: 'string' },
        offering: { type: 'string' },
        times: { type: 'integer' },
        tags: { type: 'array', items: { type: 'string' } },
        isLoud: { type: 'boolean' },
      },
      required: ['subscriptionId', 'offering'],
    },
    positional: ['subscriptionId', 'offering'],
    rules: [{ code: 'order.requires_card_on_file', sentence: 'A card on file comes before any order.' }],
  },
  {
    name: 'customer.delete',
    summary: 'Delete a customer',
    effect: 'destructive',
    input: { type: 'object', properties: { id: { type: 'string' } }, required: ['id'] },
    positional: ['id'],
  },
  {
    name: 'customer.create',
    summary: 'Create a customer',
    effect: 'write',
    input: { type: 'object', properties: { document: { type: 'object' } }, required: ['document'] },
  },
  {
    name: 'customer.list',
    summary: 'List customers',
    effect: 'read',
    input: { type: 'object', properties: { limit: { type: 'integer', default: 20 } } },
  },
  { name: 'card.add', summary: 'Add a card', effect: 'write', input: { type: 'object' } },
  { name: 'books.check', summary: 'Compare the books', effect: 'read', input: { type: 'object', properties: {} } },
  { name: 'dashboard.show', summary: 'Show the day', effect: 'read', input: { type: 'object' }, view: 'dashboard' },
  { name: 'clock.show', summary: 'Show business time', effect: 'read', input: { type: 'object', properties: {} } },
]);

interface Run {
  code: ExitCode;
  out: string;
  error: string;
  asked: string[];
  calls: { tool: string; input: unknown; token: string | null }[];
  /** What each call brought to confirm it. */
  confirmations: (string | null)[];
  /** What was done with a screen of its own. */
  screens: string[];
}

type Reply = { status?: number; body: unknown };

async function bss(
  line: string[],
  options: {
    replies?: Reply[];
    answers?: string[];
    tty?: boolean;
    env?: Record<string, string>;
    pauses?: number;
    columns?: number;
    files?: Record<string, string>;
    down?: string;
  } = {},
): Promise<Run> {
  const result: Run = { code: 0, out: '', error: '', asked: [], calls: [], confirmations: [], screens: [] };
  const replies = [...(options.replies ?? [])];
  const answers = [...(options.answers ?? [])];
  let pauses = options.pauses ?? 0;
  const terminal: Terminal = {
    folder: '/',
    env: { AIRTIME_URL: 'http://server', AIRTIME_TOKEN: 'token', ...options.env },
    isInputTty: options.tty === true,
    isOutputTty: options.tty === true,
    isErrorTty: options.tty === true,
    columns: () => options.columns ?? 80,
    out: (text) => {
      result.out += text;
    },
    error: (text) => {
      result.error += text;
    },
    readFile: (path) => options.files?.[path] ?? '',
    readLines: async function* (path) {
      yield* (options.files?.[path] ?? '').split('\n');
    },
    ask: async (question) => {
      result.asked.push(question);
      return answers.shift();
    },
    pause: async () => {
      pauses -= 1;
      return pauses >= 0;
    },
    openScreen: () => {
      result.screens.push('open');
      return {
        rows: () => 24,
        write: (text) => void result.screens.push(text),
        wait: async () => {
          pauses -= 1;
          return pauses >= 0;
        },
        close: () => void result.screens.push('closed'),
      };
    },
    fetch: async (url, request) => {
      if (options.down !== undefined)
        throw new TypeError('fetch failed', { cause: Object.assign(new Error('x'), { code: options.down }) });
      result.calls.push({
        tool: String(url).replace('http://server/tools/', ''),
        input: JSON.parse(String(request?.body)),
        token: new Headers(request?.headers).get('authorization'),
      });
      result.confirmations.push(new Headers(request?.headers).get('confirmation-token'));
      const { status = 200, body } =
        replies.length > 1 ? (replies.shift() ?? { body: null }) : (replies[0] ?? { body: { result: null } });
      return new Response(JSON.stringify(body), { status });
    },
  };
  result.code = await run(line, verbs, '1.2.3', terminal);
  return result;
}

const done = (result: unknown): Reply => ({ body: { result } });
const proposed: Reply = {
  body: {
    proposal: {
      tool: 'subscription.top_up',
      effect: 'money',
      what: 'Order Data 1 GB for Ada Lim.',
      customer: { id: 'cus_1', name: 'Ada Lim' },
      amount: { amountMinor: 300, currency: 'SGD', text: 'SGD 3.00' },
      details: ['Charged to the card ending in 4242.'],
      arguments: { subscriptionId: 'sub_1', offering: 'VAS' },
    },
    confirmation: { token: 'cnf_secret', expiresAt: '2027-01-01T00:05:00Z' },
  },
};

test('a verb calls its tool, by place and by option', async () => {
  const { code, calls } = await bss(
    ['subscription', 'top-up', 'sub_1', 'VAS', '--times', '2', '--tags', 'a', '--tags', 'b', '--is-loud', '--yes'],
    { replies: [done({ loaded: 1 })] },
  );
  expect(code).toBe(0);
  expect(calls).toEqual([
    {
      tool: 'subscription.top_up',
      input: { subscriptionId: 'sub_1', offering: 'VAS', times: 2, tags: ['a', 'b'], isLoud: true },
      token: 'Bearer token',
    },
  ]);
});

test('--json prints the result exactly, and nothing that a terminal obeys', async () => {
  const value = { id: 'x', name: 'é\u009b2J\u202e', count: 1 };
  const { out } = await bss(['customer', 'list', '--json'], { replies: [done(value)] });
  expect(JSON.parse(out)).toEqual(value);
  expect(out).toContain('\\u009b2J\\u202e');
  expect(out).not.toContain('\u009b');
});

test('a global option may stand anywhere', async () => {
  const first = await bss(['--json', 'customer', 'list'], { replies: [done([1])] });
  const last = await bss(['customer', 'list', '--json'], { replies: [done([1])] });
  expect(first.out).toBe(last.out);
});

test('--input gives the whole input; options change it', async () => {
  const { calls } = await bss(['subscription', 'top-up', '--input', '@a.json', '--times', '3', '-y'], {
    files: { 'a.json': '{"subscriptionId":"sub_1","offering":"VAS","times":1}' },
  });
  expect(calls[0]?.input).toEqual({ subscriptionId: 'sub_1', offering: 'VAS', times: 3 });
  expect((await bss(['customer', 'list', '--input', '[1]'])).code).toBe(2);
});

test('wrong usage is 2, and the server is not asked', async () => {
  for (const line of [
    ['subscription', 'top-up', 'sub_1'],
    ['subscription', 'top-up', 'sub_1', 'VAS', 'more'],
    ['customer', 'list', '--limit', 'many'],
    ['customer', 'list', '--nothing'],
    ['customer', 'nothing'],
    ['nothing'],
    ['customer'],
    ['subscription', 'top-up', 'sub_1', 'VAS', '--watch', '--yes'],
    ['customer', 'list', '--watch', 'soon'],
    ['completion', 'csh'],
  ]) {
    const { code, calls, error } = await bss(line, { tty: true, answers: ['y'] });
    expect([line.join(' '), code]).toEqual([line.join(' '), 2]);
    expect(error).not.toBe('');
    expect(calls).toEqual([]);
  }
});

test('a refusal is 1, with what, which rule, on which facts, and what to type next', async () => {
  const { code, out, error } = await bss(['subscription', 'top-up', 'sub_1', 'VAS', '--yes'], {
    replies: [
      {
        status: 422,
        body: {
          reason: 'order.requires_card_on_file',
          message: 'A card on file comes before any order.',
          facts: { line: 'sub_1', cards: 0 },
        },
      },
    ],
  });
  expect(code).toBe(1);
  expect(out).toBe('');
  expect(error).toBe(
    [
      '✗ A card on file comes before any order.',
      '  rule  order.requires_card_on_file',
      '  fact  line: sub_1',
      '  fact  cards: 0',
      '  next  bss card add <customer-id> <token>',
      '  next  bss subscription show sub_1',
      '',
    ].join('\n'),
  );
});

test('with --json a refusal is the error as JSON, beside the answer', async () => {
  const body = { reason: 'a.b', message: 'No.', facts: {} };
  const { code, out, error } = await bss(['customer', 'list', '--json'], { replies: [{ status: 409, body }] });
  expect([code, out, JSON.parse(error)]).toEqual([1, '', body]);
});

test('an input that the server refuses is wrong usage', async () => {
  expect(
    (
      await bss(['customer', 'list'], {
        replies: [{ status: 400, body: { reason: 'invalid', message: 'limit: too big.' } }],
      })
    ).code,
  ).toBe(2);
});

test('without a server it says how to start one', async () => {
  const down = await bss(['customer', 'list'], { down: 'ECONNREFUSED' });
  expect([down.code, down.error]).toEqual([1, expect.stringContaining('next  make start')]);
  const unknown = await bss(['customer', 'list'], { env: { AIRTIME_URL: '' } });
  expect([unknown.code, unknown.error]).toEqual([1, expect.stringContaining('make start')]);
});

test('money and destruction ask a person, and do nothing without a yes', async () => {
  for (const line of [
    ['subscription', 'top-up', 'sub_1', 'VAS'],
    ['customer', 'delete', 'cus_1'],
  ]) {
    for (const [answers, confirmations] of [
      [['y'], [null, 'cnf_secret']],
      [['Yes'], [null, 'cnf_secret']],
      [['n'], [null]],
      [[''], [null]],
      [[], [null]],
      [['sure'], [null]],
    ] as const) {
      const result = await bss(line, { tty: true, answers: [...answers], replies: [proposed, done({ ok: 1 })] });
      expect([answers, result.confirmations, result.code, result.asked.length]).toEqual([
        answers,
        confirmations,
        confirmations.length === 2 ? 0 : 1,
        1,
      ]);
      const { error } = result;
      for (const told of ['Order Data 1 GB for Ada Lim.', 'SGD 3.00', 'Ada Lim, cus_1', 'ending in 4242'])
        expect(error).toContain(told);
      expect(result.out + error).not.toContain('cnf_secret');
      expect(result.calls.every((call) => JSON.stringify(call.input) === JSON.stringify(result.calls[0]?.input))).toBe(
        true,
      );
    }
  }
});

test('with --yes both calls are made and only what was done is printed', async () => {
  const { code, out, error, confirmations, asked } = await bss(
    ['subscription', 'top-up', 'sub_1', 'VAS', '--yes', '--json'],
    { replies: [proposed, done({ id: 'x' })] },
  );
  expect([code, JSON.parse(out), error, confirmations, asked]).toEqual([0, { id: 'x' }, '', [null, 'cnf_secret'], []]);
});

test('a proposal that a rule refuses asks nobody, and a confirmation that is refused has failed', async () => {
  const refusal: Reply = { status: 422, body: { reason: 'order.requires_card_on_file', message: 'No card.' } };
  const before = await bss(['subscription', 'top-up', 'sub_1', 'VAS'], { tty: true, replies: [refusal] });
  expect([before.code, before.asked, before.confirmations]).toEqual([1, [], [null]]);
  const stale: Reply = { status: 409, body: { reason: 'confirmation.not_stale', message: 'Too old.' } };
  const after = await bss(['subscription', 'top-up', 'sub_1', 'VAS'], {
    tty: true,
    answers: ['y'],
    replies: [proposed, stale],
  });
  expect([after.code, after.out, after.error.includes('confirmation.not_stale')]).toEqual([1, '', true]);
});

test('preview says what would happen and confirms nothing', async () => {
  const replies: Reply[] = [{ body: { proposal: (proposed.body as { proposal: unknown }).proposal } }];
  const { code, out, calls, confirmations } = await bss(['preview', 'subscription', 'top-up', 'sub_1', 'VAS'], {
    replies,
  });
  expect([code, calls.map((call) => call.tool), confirmations]).toEqual([0, ['subscription.top_up/preview'], [null]]);
  expect(out).toContain('SGD 3.00');
  const asJson = await bss(['preview', 'subscription', 'top-up', 'sub_1', 'VAS', '--json'], { replies });
  expect(JSON.parse(asJson.out)).toMatchObject({ what: 'Order Data 1 GB for Ada Lim.' });
  expect((await bss(['preview', 'customer', 'list'])).code).toBe(2);
});

test('a token is never taken from the arguments', async () => {
  for (const line of [
    ['customer', 'list', '--token', 'air_secret'],
    ['--token', 'air_secret', 'customer', 'list'],
    ['customer', 'list', '--token=air_secret'],
    ['doctor', '--token', 'air_secret'],
  ]) {
    const { code, calls, error, out } = await bss(line);
    expect([line.join(' '), code, calls]).toEqual([line.join(' '), 2, []]);
    expect(error).toContain('AIRTIME_TOKEN');
    expect(error + out).not.toContain('air_secret');
  }
});

test('in a pipe they need --yes, and say so', async () => {
  const piped = await bss(['customer', 'delete', 'cus_1']);
  expect([piped.code, piped.calls, piped.error]).toEqual([2, [], expect.stringContaining('--yes')]);
  expect((await bss(['customer', 'delete', 'cus_1', '--yes'])).calls).toHaveLength(1);
});

test('reads and plain writes ask nobody', async () => {
  expect((await bss(['clock', 'show'], { tty: true })).asked).toEqual([]);
  expect((await bss(['customer', 'create', '--document', '{}'], { tty: true })).asked).toEqual([]);
});

test('colour only where a person looks and has not said no', async () => {
  const reply = { replies: [{ status: 409, body: { reason: 'a.b', message: 'No.' } }] };
  expect((await bss(['clock'], { ...reply, tty: true })).error).toContain('\u001b[');
  for (const [line, options] of [
    [['clock'], { tty: false }],
    [['clock'], { tty: true, env: { NO_COLOR: '1' } }],
    [['clock'], { tty: true, env: { TERM: 'dumb' } }],
    [['clock', '--no-color'], { tty: true }],
  ] as const) {
    expect((await bss([...line], { ...reply, ...options })).error).not.toContain('\u001b[');
  }
});

test('a noun that can be shown by itself is', async () => {
  expect((await bss(['clock'])).calls.map((call) => call.tool)).toEqual(['clock.show']);
});

test('a tool may be typed as it is written in events', async () => {
  expect((await bss(['subscription', 'top_up', 'sub_1', 'VAS', '--yes'])).calls.map((call) => call.tool)).toEqual([
    'subscription.top_up',
  ]);
});

test('--watch shows again when something changed, until it is stopped or refused', async () => {
  const watched = await bss(['customer', 'list', '--watch', '0.5'], {
    replies: [done([1]), done([1]), done([2])],
    pauses: 3,
  });
  expect([watched.code, watched.calls.length, watched.out]).toEqual([0, 4, '1\n2\n']);
  const refused = await bss(['customer', 'list', '--watch'], {
    replies: [done([1]), { status: 404, body: { message: 'Gone.' } }],
    pauses: 9,
  });
  expect([refused.code, refused.calls.length]).toEqual([1, 2]);
});

test('on a terminal a watched picture has a screen of its own and leaves the last one behind', async () => {
  const { out, screens } = await bss(['customer', 'list', '--watch'], {
    replies: [done([1]), done([2])],
    pauses: 1,
    tty: true,
  });
  expect(out).toBe('2\n');
  expect(screens).toEqual(['open', expect.stringContaining('1'), expect.stringContaining('2'), 'closed']);
});

test('what goes wrong while a picture has the screen is told when it is gone', async () => {
  const { code, out, error, screens } = await bss(['customer', 'list', '--watch'], {
    replies: [done([1]), { status: 409, body: { reason: 'a.b', message: 'No more.' } }],
    pauses: 9,
    tty: true,
  });
  expect([code, out, screens.at(-1)]).toEqual([1, '1\n', 'closed']);
  expect(error).toContain('No more.');
});

test('top is watched without being asked to, and leaves nothing behind', async () => {
  const drawn = { replies: [done({ customers: 1 })], pauses: 1 };
  const onTerminal = await bss(['top'], { ...drawn, tty: true });
  expect([onTerminal.code, onTerminal.out, onTerminal.screens.length]).toEqual([0, '', 3]);
  const piped = await bss(['top'], drawn);
  expect([piped.code, piped.screens, piped.calls.length]).toEqual([0, [], 1]);
});

test('what a command made is shown as its own verb shows it', async () => {
  const made = await bss(['customer', 'create', '--document', '{}'], {
    replies: [done({ id: 'sub_1', document: {} }), done({ id: 'sub_1', state: 'shown' })],
  });
  expect(made.calls.map((call) => [call.tool, call.input])).toEqual([
    ['customer.create', { document: {} }],
    ['subscription.show', { subscriptionId: 'sub_1' }],
  ]);
  expect(made.out).toContain('shown');
});

test('help comes without a server: usage, rules, examples', async () => {
  const root = await bss([]);
  expect([root.code, root.calls]).toEqual([0, []]);
  expect(root.out).toContain('subscription');
  const help = await bss(['subscription', 'top-up', '--help']);
  expect(help.code).toBe(0);
  for (const text of [
    'bss subscription top-up <subscription-id> <offering>',
    'Money moves',
    'order.requires_card_on_file',
    '--is-loud',
  ])
    expect(help.out).toContain(text);
  expect((await bss(['subscription', 'show', '--help'])).out).toContain('bss subscription show sub_…');
  expect((await bss(['--version'])).out).toBe('1.2.3\n');
});

test('doctor finds what is wrong and says how to mend it', async () => {
  const well = await bss(['doctor'], { replies: [done({ alarms: [] })] });
  expect([well.code, well.out]).toEqual([0, expect.stringContaining('nothing wrong')]);
  const alarmed = await bss(['doctor'], {
    replies: [
      done({ alarms: [{ code: 'x', sentence: 'Only 3 numbers are left to sell.', command: 'bss number load' }] }),
    ],
  });
  expect([alarmed.code, alarmed.out]).toEqual([1, expect.stringContaining('mend  bss number load')]);
  const down = await bss(['doctor'], { down: 'ECONNREFUSED' });
  expect([down.code, down.out]).toEqual([1, expect.stringContaining('make start')]);
  const stranger = await bss(['doctor'], { replies: [{ status: 401, body: {} }] });
  expect([stranger.code, stranger.out]).toEqual([1, expect.stringContaining('does not take this token')]);
});

test('a list of tools that no build made stops the program at once', () => {
  for (const list of [null, {}, [null], [{ name: 'a.b' }], [{ name: 'a.b', input: {}, effect: 'odd' }]])
    expect(() => readVerbs(list)).toThrow('build the program again');
});

test('an answer that lists differences ends with 1, shown or as JSON', async () => {
  const answered = (differences: object[]) => [{ body: { result: { payments: 2, differences } } }];
  const uneven = [{ check: 'one capture for one fact', id: 'pay_1' }];
  expect((await bss(['books', 'check'], { replies: answered([]) })).code).toBe(0);
  const shown = await bss(['books', 'check'], { replies: answered(uneven) });
  expect([shown.code, shown.out]).toEqual([1, expect.stringContaining('pay_1')]);
  expect((await bss(['--json', 'books', 'check'], { replies: answered(uneven) })).code).toBe(1);
});
