import { describe, expect, it } from 'vitest';
import { InvalidQuery, UnsupportedQuery } from './query-error.ts';
import { translatePattern } from './regular-expression.ts';

const translate = (source: string) => translatePattern('name.regex', source, 200).pattern;

describe('translatePattern', () => {
  it.each([
    ['^a.*z$', '^a.*z$'],
    ['(a|b)+?', '(?:a|b)+'],
    ['(?:a|)', '(?:a|)'],
    ['\\bx\\B', '\\yx\\Y'],
    ['\\d\\D\\w\\W\\s', '[0-9][^0-9][A-Za-z0-9_][^A-Za-z0-9_]\\s'],
    ['[a\\d\\]-][^x-z_[:]', '[a0-9\\]\\-][^x-z_\\[\\:]'],
    ['a{2}b{2,}c{2,3}', 'a{2}b{2,}c{2,3}'],
    ['\\x41\\u00e9\\.\\/-', 'Aé\\.\\/\\-'],
    ['é\u{1F600}', 'é\u{1F600}'],
    ['\\t\\n', '\t\n'],
    [']}', '\\]\\}'],
    ['', ''],
  ])('writes %j as %j', (source, pattern) => {
    expect(translate(source)).toBe(pattern);
  });

  it('takes a leading (?i) as the wish for either case', () => {
    expect(translatePattern('name.regex', '(?i)abc', 200)).toEqual({ pattern: 'abc', ignoreCase: true });
  });

  it.each([
    '(',
    ')',
    'a)',
    '[',
    '[]',
    '[z-a]',
    '*a',
    '+',
    'a**',
    'a{1}{2}',
    'a{',
    'a{2,1}',
    'a{256}',
    'a{x}',
    '^*',
    '\\',
    '\\x4',
    '\\u12',
    '\\u0000',
    '\\ud800',
    '(x{100}){11}',
    '(a?){101}',
    '(((a?){9}){9}){9}',
    '(a|b?|c*){40}',
    '('.repeat(30),
    'x'.repeat(201),
  ])('refuses %s', (source) => {
    expect(() => translate(source)).toThrow(InvalidQuery);
  });

  it.each(['(?=a)', '(?!a)', '(?<n>a)', '(?<=a)', 'a(?i)', '(a)\\1', '\\pL', '\\A', '\\0', '[\\D]', '[\\b]', '\\cA'])(
    'does not do %s',
    (source) => {
      expect(() => translate(source)).toThrow(UnsupportedQuery);
    },
  );
});
