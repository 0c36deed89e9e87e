import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import pages from '../../generated/front-page.json' with { type: 'json' };
import program from '../../package.json' with { type: 'json' };
import { readVerbs } from './descriptors.ts';
import { frontPage } from './front-page.ts';
import { run } from './program.ts';
import type { Terminal } from './terminal.ts';

const tools = fileURLToPath(new URL('../../generated/tools.json', import.meta.url));
const verbs = readVerbs(JSON.parse(readFileSync(tools, 'utf8')));

type Reader = Pick<Terminal, 'env' | 'isInputTty' | 'isOutputTty'> & { width: number };
const pipe: Reader = { env: {}, isInputTty: false, isOutputTty: false, width: 80 };
const person: Reader = { ...pipe, isInputTty: true, isOutputTty: true };

const known = (args: readonly string[], { width, ...reader }: Reader) =>
  frontPage(pages, args, { ...reader, columns: () => width });

/** What the program itself prints when it is asked. */
async function asked(args: readonly string[], { width, ...reader }: Reader): Promise<string> {
  let text = '';
  const unused = (): never => {
    throw new Error('not of this test');
  };
  await run(args, verbs, program.version, {
    ...reader,
    folder: '/',
    isErrorTty: false,
    columns: () => width,
    out: (more) => {
      text += more;
    },
    error: unused,
    readFile: unused,
    readLines: unused,
    ask: unused,
    pause: unused,
    fetch: unused,
  });
  return text;
}

const widths = [1, 20, 39, 40, 41, 60, 66, 79, 80, 81, 95, 100, 103, 104, 120, 136, 137, 200, 500];

test.each([['--help'], ['-h'], ['help'], ['--version'], []])(
  'bss %s is what the program would print',
  async (...args) => {
    for (const width of widths) {
      const reader = { ...pipe, width };
      expect(known(args, reader)).toBe(await asked(args, reader));
    }
  },
);

test('colour is where a person looks who has not said no', async () => {
  for (const env of [{}, { NO_COLOR: '1' }, { NO_COLOR: '' }, { TERM: 'dumb' }]) {
    for (const args of [['--help'], ['help']]) {
      const reader = { ...person, env };
      expect(known(args, reader)).toBe(await asked(args, reader));
    }
  }
  expect(known(['help'], person)).toContain('\u001b[');
  expect(known(['help'], { ...person, env: { NO_COLOR: '1' } })).not.toContain('\u001b[');
});

test('whatever else is typed is left to the program', () => {
  expect(known([], person)).toBeUndefined();
  for (const line of ['order', 'order --help', '--help order', 'help selling', 'help --json', '--json', 'halp', '-w']) {
    expect([line, known(line.split(' '), pipe)]).toEqual([line, undefined]);
  }
});
