import { describe, expect, it } from 'vitest';
import { parseJsonPath } from './json-path.ts';
import { queryLimits } from './query.ts';
import { InvalidQuery, UnsupportedQuery } from './query-error.ts';

const parse = (source: string) => parseJsonPath(source, queryLimits);
const member = (name: string) => ({ kind: 'member', name });
const equal = (name: string, text: string) => ({
  kind: 'value',
  path: [member(name)],
  test: { kind: 'equal', literals: [{ kind: 'string', text }] },
});

describe('what is understood', () => {
  it.each([
    "$[?(@.a=='x')]",
    "[?(@.a=='x')]",
    "@.a=='x'",
    "$.a == 'x'",
    "a=='x'",
    '$[*][?(@["a"]=="x")]',
    "$[?@.a=='x']",
    "($[?('x'==@.a)])",
  ])('reads %s as a condition on the resource', (source) => {
    expect(parse(source)).toEqual(equal('a', 'x'));
  });

  it('asks the elements of an array', () => {
    const some = { kind: 'some', path: [member('note')], condition: equal('author', 'x') };
    for (const source of ["note[?(@.author=='x')]", "$.note[?(@.author=='x')]", "$[?(@.note[?(@.author=='x')])]"]) {
      expect(parse(source)).toEqual(some);
    }
    expect(parse("note[?(@.author=='x')].text == 'y'")).toEqual({
      kind: 'some',
      path: [member('note')],
      condition: { kind: 'all', conditions: [equal('author', 'x'), equal('text', 'y')] },
    });
  });

  it('binds && before || and ! before both', () => {
    expect(parse("$[?(@.a=='1' || @.b=='2' && !@.c)]")).toEqual({
      kind: 'any',
      conditions: [
        equal('a', '1'),
        {
          kind: 'all',
          conditions: [
            equal('b', '2'),
            { kind: 'not', condition: { kind: 'value', path: [member('c')], test: { kind: 'exists' } } },
          ],
        },
      ],
    });
  });

  it('turns a comparison that begins with its constant', () => {
    expect(parse('$[?(5 < @.a)]')).toEqual(parse('$[?(@.a > 5)]'));
    expect(parse("$[?('x' != @.a)]")).toEqual({ kind: 'not', condition: equal('a', 'x') });
  });

  it('reads constants, lists, expressions, places and names with signs', () => {
    expect(parse('$[?(@.a in [1, true, null])]')).toMatchObject({
      test: { literals: [{ kind: 'number', text: '1' }, { kind: 'boolean', value: true }, { kind: 'null' }] },
    });
    expect(parse('$[?(@.a =~ /^x\\/\\d/i)]')).toMatchObject({
      test: { kind: 'match', pattern: '^x\\/[0-9]', ignoreCase: true },
    });
    expect(parse("$[?(@.a[0].@type == 'é\\u0041\\'')]")).toMatchObject({
      path: [member('a'), { kind: 'index', index: 0 }, member('@type')],
      test: { literals: [{ kind: 'string', text: "éA'" }] },
    });
  });
});

describe('what is refused', () => {
  it.each([
    '',
    '$[?(',
    '$[?()]',
    "$[?(@.a='x')]",
    "$[?(@.a=='x'",
    "$[?(@.a==='x')]",
    '$[?(@.a==x)]',
    '@.a ==',
    '$[?(@.a==1)] x',
    '@.',
    "@['a",
    "@.a == 'x\\q'",
    "@.a == '\\u0000'",
    "@.a == '\\ud800'",
    '@.a =~ /(/',
    '@.a =~ 5',
    '@.a == /x/',
    '@.a > true',
    '@.a == 1e999',
    '@.a == 01',
    '$[?(a == 1)]',
    '@.a in []',
    '@.a and @.b',
    '"; DROP TABLE x; --',
    `${'('.repeat(30)}@.a`,
    `${'!'.repeat(30)}@.a`,
    `@${'.a'.repeat(30)}`,
    Array(60).fill('@.a').join('||'),
  ])('%s is no JSONPath of ours', (source) => {
    expect(() => parse(source)).toThrow(InvalidQuery);
  });

  it.each([
    '$..a',
    '@.*',
    '@[-1]',
    '@.a[0:2]',
    '@.a[0,1]',
    "@['a','b']",
    '@.a.length()',
    'length(@.a) > 1',
    '@.a == @.b',
    '1 == 1',
    '@.a + 1 > 2',
    '@[(@.length-1)]',
    '@.a nin [1]',
    '$[0]',
    '@.a =~ /x/g',
    '@.a =~ /(?=x)/',
    '$[?(@.a[?($.b)])]',
    '@.a size 2',
  ])('%s is beyond us', (source) => {
    expect(() => parse(source)).toThrow(UnsupportedQuery);
  });
});
