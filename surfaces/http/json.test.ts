import fc from 'fast-check';
import { expect, test } from 'vitest';
import { canonicalJson } from '../../kernel/json.ts';
import { findJsonFlaw, findUnfit } from './json.ts';

const isJson = (text: string): boolean => {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
};

test('a flaw is found in exactly the texts that are not JSON', () => {
  const almost = fc
    .tuple(fc.json(), fc.nat(), fc.constantFrom('', ',', '}', ']', '"', '\\', ':', '01', 'tru', '\n', '\u0001', '-'))
    .map(([text, at, what]) => {
      const place = at % (text.length + 1);
      return text.slice(0, place) + what + text.slice(place + (at % 2));
    });
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json(), almost), (text) => {
      expect(findJsonFlaw(text) === undefined).toBe(isJson(text));
    }),
    { numRuns: 3000 },
  );
});

test('the place is where the parser stopped', () => {
  for (const text of ['{"a":1,}', '{"a" 1}', '[1,2', '{"a":"b" x}', '"a\u0001"', '[1 2]', '{"a":1}}', '["\\x"]']) {
    let message = '';
    try {
      JSON.parse(text);
    } catch (error) {
      message = error instanceof Error ? error.message : '';
    }
    const position = /position (\d+)/.exec(message)?.[1];
    expect(position).toBeDefined();
    const offset = findJsonFlaw(text)?.offset ?? -10;
    // Within an escape the parser counts one further.
    expect(Math.abs(offset - Number(position))).toBeLessThanOrEqual(1);
  }
  expect(findJsonFlaw('{\n "a": 1,\n b')).toMatchObject({ line: 3, column: 2, expected: 'a name in double quotes' });
  expect(findJsonFlaw('')).toMatchObject({ line: 1, column: 1, expected: 'a value' });
});

test('a long text without its end, and deep nesting, are judged without running out of stack', () => {
  expect(findJsonFlaw(`"${'a'.repeat(1_000_000)}`)).toBeDefined();
  expect(findJsonFlaw('['.repeat(1_000_000))).toBeDefined();
  expect(findUnfit(JSON.parse('['.repeat(100_000) + ']'.repeat(100_000)), 64)?.rule).toContain('deeper than 64');
});

test('nesting up to the limit is kept, one more is not', () => {
  const nested = (levels: number) => JSON.parse('['.repeat(levels) + ']'.repeat(levels));
  expect(findUnfit(nested(64), 64)).toBeUndefined();
  expect(findUnfit(nested(65), 64)).toBeDefined();
});

test('bodies that say the same have one spelling, others have another', () => {
  expect(canonicalJson({ b: [1, { d: null, c: 'x' }], a: true })).toBe('{"a":true,"b":[1,{"c":"x","d":null}]}');
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)));
    }),
  );
});
