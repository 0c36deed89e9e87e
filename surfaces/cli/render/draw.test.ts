import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { type ViewName, viewNames } from '../../../read/views/query.ts';
import { draw } from './draw.ts';
import { schemaOf } from './fixtures/schemas.ts';
import { widthOf } from './text.ts';

// Each picture drawn at three widths, and once in colour with its escapes spelled out. Look at the files in `snapshots/`
// as one looks at a terminal.

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
    const plain = widths.map((width) => `${'-'.repeat(width)}\n${drawn(view, answer, width, false)}`);
    const color = drawn(view, answer, 80, true).replaceAll('\u001b', '␛');
    await expect([...plain, `in colour\n${color}`].join('\n')).toMatchFileSnapshot(`./snapshots/${name}.txt`);
  });

  test(`${name} fits its terminal, and colour takes no room`, () => {
    const answer = fixture(name);
    for (const width of widths) {
      const plain = drawn(view, answer, width, false);
      for (const line of plain.split('\n'))
        expect(widthOf(line), line).toBeLessThanOrEqual(Math.max(width, commandWidth(line)));
      // biome-ignore lint/suspicious/noControlCharactersInRegex: colour is taken out
      expect(drawn(view, answer, width, true).replace(/\u001b\[\d+m/g, '')).toBe(plain);
    }
  });
}

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
