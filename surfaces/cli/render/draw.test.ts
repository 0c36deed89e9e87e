import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { dashboardShape } from '../../../read/views/dashboard.ts';
import { type ViewName, viewNames } from '../../../read/views/query.ts';
import { drawFailure } from '../failure.ts';
import { drawReply, drawSessions, drawTurns } from './conversation.ts';
import { dashboard } from './dashboard.ts';
import { draw } from './draw.ts';
import { schemaOf } from './fixtures/schemas.ts';
import { drawAnything } from './generic.ts';
import { drawProposal } from './proposal.ts';
import { stateLine } from './state-line.ts';
import { type Style, widthOf } from './text.ts';

// Each picture drawn at three widths, without colour and in colour with its escapes spelled out. Look at the files in
// `snapshots/` as one looks at a terminal.

const widths = [60, 80, 120];

const cases: readonly (readonly [fixture: string, view: ViewName])[] = [
  ['customer-card', 'customer-card'],
  ['customer-list', 'customer-list'],
  ['subscription-active', 'subscription-card'],
  ['subscription-blocked', 'subscription-card'],
  ['subscription-list', 'subscription-list'],
  ['order-completed', 'order-pipeline'],
  ['order-failed', 'order-pipeline'],
  ['order-running', 'order-pipeline'],
  ['order-list', 'order-list'],
  ['price-list', 'price-list'],
  ['usage-chart', 'usage-chart'],
  ['timeline', 'timeline'],
  ['event-list', 'event-list'],
  ['clock', 'clock'],
  ['step-list', 'step-list'],
  ['stock-numbers', 'stock'],
  ['stock-esims', 'stock'],
  ['bill', 'bill'],
  ['bill-list', 'bill-list'],
  ['rule-list', 'rule-list'],
  ['health', 'health'],
  ['dashboard', 'dashboard'],
  ['esim-card', 'esim-card'],
];

function fixture(name: string): unknown {
  return JSON.parse(readFileSync(new URL(`./fixtures/${name}.json`, import.meta.url), 'utf8'));
}

function drawn(view: ViewName, answer: unknown, width: number, color: boolean): string {
  return draw({ noun: 'a', verb: 'b', view }, answer, { width, color });
}

test('every picture has a case here', () => {
  expect([...viewNames].sort()).toEqual([...new Set(cases.map(([, view]) => view))].sort());
});

for (const [name, view] of cases) {
  test(`${name} is drawn as it was`, async () => {
    const answer = fixture(name);
    // The fixture is what the query answers today: a field that the schema lost or gained stops here.
    expect(schemaOf(view).parse(answer)).toEqual(answer);
    await kept(name, (style) => drawn(view, answer, style.width, style.color));
  });

  test(`${name} fits its terminal, and colour takes no room`, () => {
    const answer = fixture(name);
    fits((style) => drawn(view, answer, style.width, style.color));
  });
}

test('an address to open stands on a line of its own, whole', () => {
  const url = `https://bss.example.com/desk/sign-in?token=${'x'.repeat(43)}`;
  const text = draw(
    { noun: 'session', verb: 'open-desk', view: undefined },
    { url, expiresAt: '2026-11-28T00:00:00Z' },
    { width: 60, color: true },
  );
  expect(text.split('\n')).toContain(url);
  expect(text).toContain('2026');
});

async function kept(name: string, picture: (style: Style) => string): Promise<void> {
  const plain = widths.map((width) => `${'-'.repeat(width)}\n${picture({ width, color: false })}`);
  const color = widths.map(
    (width) => `${width} in colour\n${picture({ width, color: true }).replaceAll('\u001b', '␛')}`,
  );
  await expect([...plain, ...color].join('\n')).toMatchFileSnapshot(`./snapshots/${name}.txt`);
}

function fits(picture: (style: Style) => string): void {
  for (const width of [40, ...widths]) {
    const plain = picture({ width, color: false });
    for (const line of plain.split('\n'))
      expect(widthOf(line), line).toBeLessThanOrEqual(Math.max(width, commandWidth(line)));
    // biome-ignore lint/suspicious/noControlCharactersInRegex: colour is taken out
    const uncolored = picture({ width, color: true }).replace(/\u001b\[\d+m/g, '');
    // What is cut on a very narrow terminal may be cut between two colours.
    if (widths.includes(width)) expect(uncolored).toBe(plain);
    else
      for (const line of uncolored.split('\n'))
        expect(widthOf(line)).toBeLessThanOrEqual(Math.max(width, commandWidth(line)));
  }
}

// Pictures that are no view of a query: what is proposed, what went wrong, what stands above the console's prompt.

const proposal = {
  tool: 'subscription.top_up',
  effect: 'money',
  what: 'Order Data 1 GB for Ada Lim.',
  customer: { id: 'cus_01m82aygxzmavk0mk7m904cgsh', name: 'Ada Lim' },
  amount: { amountMinor: 300, currency: 'SGD', text: 'SGD 3.00' },
  details: ['Charged to the card ending in 4242.', 'The line is active again at once, for it was blocked as used up.'],
  arguments: { subscriptionId: 'sub_01m82aygxzmavk0mk7m904cgsh', offering: 'VAS_DATA_1GB' },
};
const failure = {
  what: 'A card on file comes before any order: the customer has none that is active and not expired.',
  rule: 'order.requires_card_on_file',
  facts: [
    ['customer', 'cus_01m82aygxzmavk0mk7m904cgsh'],
    ['cards', '0 active, 1 expired, and one that was removed by the customer in November of last year'],
  ],
  next: ['bss card add cus_01m82aygxzmavk0mk7m904cgsh <token>'],
} as const;
const reply = {
  text: 'Ada is blocked since yesterday evening, because all of her 5 GB are used up.\n\nA top-up brings her back.',
  assistant: 'rules',
  tools: ['customer.show', 'subscription.show'],
  caseId: 'tck_01m82aygxzmavk0mk7m904cgsh',
} as const;
const turns = [
  { role: 'person', text: 'Why is Ada blocked?' },
  { role: 'assistant', text: reply.text },
] as const;
const sessions = [
  { id: 'cha_01m82aygxzmavk0mk7m904cgsh', title: 'Why is Ada blocked?', lastAt: '2026-11-23T07:00:00Z' },
  { id: 'cha_01m82aygxzmavk0mk7m904cgsi', title: 'A very long question about many things', lastAt: null },
];
const generic = { id: 'x_1', loaded: 12, address: { city: 'Singapore', street: 'A road with a rather long name' } };

const others: readonly (readonly [name: string, picture: (style: Style) => string])[] = [
  ['proposal', (style) => drawProposal(proposal, style)],
  ['failure', (style) => drawFailure(failure, style)],
  ['state-line', (style) => stateLine(dashboardShape.parse(fixture('dashboard')), 'production', style)],
  ['reply', (style) => drawReply(reply, style)],
  ['turns', (style) => drawTurns(turns, style)],
  ['sessions', (style) => drawSessions(sessions, sessions[0]?.id, '2026-11-23T08:00:00Z', style)],
  ['generic', (style) => drawAnything({ noun: 'a', verb: 'b' }, generic, style)],
];

for (const [name, picture] of others) {
  test(`${name} is drawn as it was`, () => kept(name, picture));
  test(`${name} fits its terminal, and colour takes no room`, () => fits(picture));
}

test('a watched dashboard is as high as its terminal, and what is to be acted on stays', () => {
  const view = dashboardShape.parse(fixture('dashboard'));
  const alarmed = { ...view, alarms: [{ code: 'a', sentence: 'Few numbers are left.', command: 'bss number list' }] };
  for (const height of [20, 24, 40]) {
    const lines = dashboard(alarmed, { width: 80, color: false, height }).trimEnd().split('\n');
    expect(lines.length).toBeLessThanOrEqual(height);
    expect(lines.join('\n')).toContain('bss number list');
  }
});

// A command to type is never cut.
function commandWidth(line: string): number {
  return /\bbss /.test(line) ? widthOf(line) : 0;
}

test('a hostile name cannot draw outside its place', () => {
  const answer = JSON.parse(
    JSON.stringify(fixture('customer-card')).replaceAll('Ada Lim', 'Ada\\u001b[2J\\u001b]0;x\\u0007\\n╭─ fake\\u202e'),
  );
  const picture = drawn('customer-card', answer, 80, false);
  for (const mark of ['\u001b', '\u0007', '\u202e']) expect(picture).not.toContain(mark);
  expect(picture.split('\n')[0]).toMatch(/^╭─ Ada ╭─ fake ─+ active ─╮$/);
});

test('an answer of another version is drawn as it is', () => {
  expect(drawn('subscription-card', { id: 'sub_1', state: 'active', more: { of: 'it' } }, 80, false)).toContain(
    'sub_1',
  );
});

test('what has no picture is a table or a card', () => {
  const verb = { noun: 'thing', verb: 'list', view: undefined };
  const style = { width: 60, color: false };
  expect(
    draw(
      verb,
      {
        items: [
          { id: 'a', count: 12 },
          { id: 'bcd', count: 3 },
        ],
      },
      style,
    ),
  ).toBe('id   count\na       12\nbcd      3\n');
  expect(draw(verb, { loaded: 7 }, style)).toContain('loaded  7');
  expect(draw(verb, [], style)).toBe('None.\n');
  expect(draw(verb, null, style)).toBe('Done.\n');
  expect(
    draw(
      verb,
      {
        id: 'x_1',
        document: { id: 'x_1', status: 'active', '@type': 'X', price: { unit: 'SGD', value: 3 } },
        version: 1,
      },
      style,
    ),
  ).toContain('price  SGD 3');
});
