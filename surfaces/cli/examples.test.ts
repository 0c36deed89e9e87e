import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { expect, test } from 'vitest';
import tools from '../../generated/tools.json' with { type: 'json' };
import { withContracts } from '../../tools/contract.ts';
import { readVerbs } from './descriptors.ts';
import { fieldsOf, ownOptions } from './input.ts';
import { run } from './program.ts';

// The tools that the build ships: every verb can be typed, and every example in the help is one that works.

const verbs = readVerbs(tools);

test('no two tools are typed alike', () => {
  const typed = verbs.map((verb) => `${verb.noun} ${verb.verb}`);
  expect(new Set(typed).size).toBe(typed.length);
});

test('every input of every tool can be typed, each by one option that is not the terminal’s own', () => {
  for (const verb of verbs) {
    const { positional, options } = fieldsOf(verb);
    const flags = [...positional, ...options].map((field) => field.flag);
    expect([verb.name, new Set(flags).size]).toEqual([verb.name, flags.length]);
    expect([verb.name, flags.filter((flag) => ownOptions.some((own) => own === flag))]).toEqual([verb.name, []]);
    expect([verb.name, positional.map((field) => field.path[0])]).toEqual([verb.name, [...verb.positional]]);
  }
});

test('every tool has a summary, and its schemas are schemas', async () => {
  const ajv = new Ajv2020({ strict: false });
  addFormats.default(ajv);
  for (const tool of await withContracts(tools)) {
    expect(tool.summary).toMatch(/^[A-Z].*[^.]$/);
    expect(() => ajv.compile(tool.input)).not.toThrow();
    expect(() => ajv.compile(tool.output)).not.toThrow();
  }
});

/** The words of a line as a shell would give them. */
function words(line: string): string[] {
  return [...line.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map(
    ([, single, double, bare]) => single ?? double ?? bare ?? '',
  );
}

test('the help of every verb has an example', () => {
  expect(verbs.filter((verb) => verb.examples.length === 0).map((verb) => verb.name)).toEqual([]);
});

for (const verb of verbs) {
  test(`the examples of ${verb.name} work`, async () => {
    for (const example of verb.examples) {
      const [program, ...args] = words(example);
      expect(program).toBe('bss');
      const called: string[] = [];
      let complaint = '';
      const code = await run(
        args.filter((arg) => arg !== '--watch'),
        verbs,
        '0',
        {
          folder: '/',
          env: { AIRTIME_URL: 'http://server', AIRTIME_TOKEN: 'token' },
          isInputTty: true,
          isOutputTty: false,
          isErrorTty: true,
          columns: () => 80,
          out: () => undefined,
          error: (text) => {
            complaint += text;
          },
          readFile: () => '[]',
          // A file of one row, for the verbs that take files.
          readLines: async function* () {
            yield 'givenName,familyName,email,msisdn';
            yield 'Ada,Lim,ada@example.com,6581000000';
          },
          ask: async () => 'y',
          pause: async () => false,
          fetch: async (url) => {
            called.push(String(url).replace('http://server/tools/', ''));
            const row = '{"results":[{"row":1,"outcome":"accepted"}]}';
            return new Response(`{"result":${verb.name.endsWith('.import') ? row : 'null'}}`);
          },
        },
      );
      expect([example, code, code === 0 ? '' : complaint]).toEqual([example, 0, '']);
      expect(called).toEqual([verb.name]);
    }
  });
}
