import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Condition } from './condition.ts';
import { parseQuery, queryLimits } from './query.ts';
import { InvalidQuery, UnsupportedQuery } from './query-error.ts';

const string = (text: string) => ({ kind: 'string', text });
const member = (name: string) => name.split('.').map((part) => ({ kind: 'member', name: part }));
const equal = (name: string, ...texts: string[]) => ({
  kind: 'value',
  path: member(name),
  test: { kind: 'equal', literals: texts.map(string) },
});
const order = (name: string, operator: string, text: string) => ({
  kind: 'any',
  conditions: [
    { kind: 'value', path: member(name), test: { kind: 'order', operator, operand: { kind: 'attribute', text } } },
  ],
});
const conditions = (raw: string): Condition[] => parseQuery(raw).conditions;

describe('paging', () => {
  it('gives a hundred from the start when nothing is asked', () => {
    expect(parseQuery('')).toEqual({ offset: 0, limit: 100, sort: [], fields: undefined, conditions: [], rest: '' });
  });

  it('takes a limit above the largest as the largest, and an endless offset as past the end', () => {
    expect(parseQuery('?limit=5000&offset=99999999999999999999')).toMatchObject({
      limit: 1000,
      offset: Number.MAX_SAFE_INTEGER,
    });
    expect(parseQuery('limit=30', { ...queryLimits, limitMax: 20 }).limit).toBe(20);
    expect(parseQuery('limit=0').limit).toBe(0);
  });

  it.each([
    'limit=-1',
    'limit=ten',
    'limit=',
    'limit=1.5',
    'limit=1e2',
    'limit=+1',
    'offset=-1',
    'offset=0x1',
    'limit=1&limit=2',
  ])('refuses %s', (raw) => {
    expect(() => parseQuery(raw)).toThrow(InvalidQuery);
    expect(() => parseQuery(raw)).toThrow(
      expect.objectContaining({ status: 400, parameter: raw.slice(0, raw.indexOf('=')) }),
    );
  });

  it('keeps the other parameters for links, safe between angle brackets', () => {
    expect(parseQuery('a=b%20c&limit=3&d>4&e="é"&offset=9').rest).toBe('a=b%20c&d%3E4&e=%22%C3%A9%22');
  });
});

describe('sort and fields', () => {
  it('reads several keys, signs, and paths', () => {
    expect(parseQuery('sort=-a,+b.c,d&sort=%2Be').sort).toEqual([
      { path: ['a'], descending: true },
      { path: ['b', 'c'], descending: false },
      { path: ['d'], descending: false },
      { path: ['e'], descending: false },
    ]);
  });

  it('selects nothing more than id and href with none', () => {
    expect(parseQuery('fields=none').fields).toEqual([]);
    expect(parseQuery('fields=a,b.c&fields=%40type').fields).toEqual([['a'], ['b', 'c'], ['@type']]);
    expect(parseQuery('fields=').fields).toBeUndefined();
  });

  it.each([
    'sort=a..b',
    'sort=-',
    'sort=a,b,c,d,e,f',
    'fields=.a',
    `fields=${'a,'.repeat(300)}b`,
    `sort=${'a.'.repeat(20)}b`,
  ])('refuses %s', (raw) => {
    expect(() => parseQuery(raw)).toThrow(InvalidQuery);
  });

  it.each(['fields=a[?(@.b==1)]', 'depth=1', 'expand=a'])('does not do %s', (raw) => {
    expect(() => parseQuery(raw)).toThrow(UnsupportedQuery);
    expect(() => parseQuery(raw)).toThrow(expect.objectContaining({ status: 501 }));
  });
});

describe('attribute filters', () => {
  it('joins parameters by and, repeats and commas by or', () => {
    expect(conditions('a=x&b.c=y&a=z')).toEqual([equal('a', 'x', 'z'), equal('b.c', 'y')]);
    expect(conditions('a=x,y')).toEqual([equal('a', 'x,y', 'x', 'y')]);
    expect(conditions('a.eq=x&a=y')).toEqual([equal('a', 'x', 'y')]);
  });

  it('joins by or what a semicolon separates', () => {
    expect(conditions('a=x;b=y&c=z')).toEqual([
      equal('c', 'z'),
      { kind: 'any', conditions: [equal('a', 'x'), equal('b', 'y')] },
    ]);
    expect(conditions('a=x;y')).toEqual([equal('a', 'x;y', 'x', 'y')]);
  });

  it.each([
    ['>', ['a.gt=5', 'a>5', 'a%3E5', 'a%3e5', 'a.gt%3D5']],
    ['>=', ['a.gte=5', 'a>=5', 'a%3E%3D5', 'a%3E=5']],
    ['<', ['a.lt=5', 'a<5', 'a%3C5']],
    ['<=', ['a.lte=5', 'a<=5', 'a%3C%3D5']],
  ])('knows every spelling of %s', (operator, spellings) => {
    for (const raw of spellings) expect(conditions(raw)).toEqual([order('a', operator, '5')]);
  });

  it('knows every spelling of not equal and of a regular expression', () => {
    for (const raw of ['a.ne=x', 'a!=x', 'a%21%3Dx']) {
      expect(conditions(raw)).toEqual([{ kind: 'not', condition: equal('a', 'x') }]);
    }
    for (const raw of ['a.regex=^x', 'a*=^x', 'a%2A%3D%5Ex', 'a=~^x', 'a%3D~^x']) {
      expect(conditions(raw)).toEqual([
        {
          kind: 'any',
          conditions: [{ kind: 'value', path: member('a'), test: { kind: 'match', pattern: '^x', ignoreCase: false } }],
        },
      ]);
    }
  });

  it('leaves operators inside a value alone', () => {
    expect(conditions('a=>5')).toEqual([equal('a', '>5')]);
    expect(conditions('a=x=y')).toEqual([equal('a', 'x=y')]);
    expect(conditions('a.eq=~x')).toEqual([equal('a', '~x')]);
    expect(conditions('%40type=Usage')).toEqual([equal('@type', 'Usage')]);
    expect(conditions('gt=1')).toMatchObject([{ path: member('gt') }]);
  });

  it('equals the number, boolean and null that read the same', () => {
    expect(conditions('a=5')).toMatchObject([{ test: { literals: [string('5'), { kind: 'number', text: '5' }] } }]);
    expect(conditions('a=true')).toMatchObject([
      { test: { literals: [string('true'), { kind: 'boolean', value: true }] } },
    ]);
    expect(conditions('a=null')).toMatchObject([{ test: { literals: [string('null'), { kind: 'null' }] } }]);
  });

  it('reads a plus both ways, and in a time as the sign it is', () => {
    expect(conditions('a=b+c')).toEqual([equal('a', 'b c', 'b+c')]);
    expect(conditions('a.gt=2026-01-01T00:00:00+08:00')).toEqual([order('a', '>', '2026-01-01T00:00:00+08:00')]);
    expect(conditions('a.regex=b*+c')).toHaveLength(1);
  });

  it.each([
    'a',
    'a..b=1',
    '=x',
    '.a=1',
    'a[]=1',
    'a.gt>1',
    'a=%ZZ',
    'a=%00',
    'a=%ED%A0%80',
    '%E0=1',
    'a.regex=(',
    `a=${Array.from({ length: 250 }, (_, index) => index).join(',')}`,
  ])('refuses %s', (raw) => {
    expect(() => parseQuery(raw)).toThrow(InvalidQuery);
  });

  it('bounds length, terms and depth', () => {
    expect(() => parseQuery(`a=${'x'.repeat(9000)}`)).toThrow(/at most 8192/);
    expect(() => parseQuery(Array.from({ length: 60 }, (_, index) => `a${index}=1`).join('&'))).toThrow(
      /At most 50 filters/,
    );
    expect(() => parseQuery(`${'a.'.repeat(11)}b=1`)).toThrow(/levels deep/);
  });
});

describe('filter', () => {
  it('may send && unencoded', () => {
    const encoded = conditions(`filter=${encodeURIComponent("$[?(@.a=='x' && @.b=='y&z')]")}&c=1`);
    expect(conditions("filter=$[?(@.a=='x'%20&&%20@.b=='y&z')]&c=1")).toEqual(encoded);
    expect(encoded).toHaveLength(2);
  });
});

it('answers anything at all, or says what is wrong with it', () => {
  const alphabet = [
    ...`abc.,;&=<>!*~+%-[]()?@$'"\\/ 0123456789`,
    '%3E',
    '%3D',
    '%00',
    'filter=',
    'sort=',
    'fields=',
    'limit=',
    '.gt',
    '.regex',
    '\u{1F600}',
    '\uD800',
    '\0',
    '__proto__',
    'constructor',
  ];
  fc.assert(
    fc.property(
      fc.oneof(fc.string({ unit: fc.constantFrom(...alphabet), maxLength: 60 }), fc.string({ unit: 'binary' })),
      (raw) => {
        try {
          parseQuery(raw);
        } catch (error) {
          expect(error instanceof InvalidQuery || error instanceof UnsupportedQuery).toBe(true);
        }
      },
    ),
    { numRuns: 5000 },
  );
});
