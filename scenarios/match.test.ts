import { describe, expect, test } from 'vitest';
import { fault, faultsOf, readPath } from './match.ts';

const answer = {
  state: 'active',
  'odd.key': 1,
  balances: [
    { kind: 'data', remaining: { text: '2 GB', amount: 2 } },
    { kind: 'voice', remaining: { text: '0 min', amount: 0 } },
  ],
  note: [{ text: 'declined: no funds' }, {}],
  nothing: null,
};

describe('a path', () => {
  test.each([
    ['state', 'active'],
    ['balances[1].kind', 'voice'],
    ['balances[kind=data].remaining.text', '2 GB'],
    ['balances[kind=sms].remaining.text', undefined],
    ['balances[*].kind', ['data', 'voice']],
    ['note[*].text', ['declined: no funds']],
    ['state.deeper', undefined],
    ['answer', answer],
  ])('%s', (path, found) => {
    expect(readPath(answer, path)).toEqual(found);
  });

  test('reads a list that is the whole answer', () => {
    expect(readPath([{ id: 'a' }], '[0].id')).toBe('a');
  });

  test('that is none is refused, not taken for one that finds nothing', () => {
    expect(() => readPath(answer, 'balances[')).toThrow('is not a path');
  });
});

describe('an expectation', () => {
  test.each([
    ['active', 'active'],
    [2, 2],
    [['a'], ['a']],
    [
      { a: 1, b: 2 },
      { b: 2, a: 1 },
    ],
    ['active', { in: ['active', 'blocked'] }],
    ['active', { not: 'blocked' }],
    ['declined: no funds', { contains: 'funds' }],
    [['order failed: x'], { contains: 'order failed' }],
    [['a'], { contains: 'a', lacks: 'b' }],
    ['2027-02-28', { matches: '-02-2[89]$' }],
    [3, { above: 2, below: 4 }],
    [2, { at_least: 2, at_most: 2 }],
    [[1, 2], { count: 2 }],
    ['x', { exists: true }],
    [undefined, { exists: false }],
    [null, { exists: false }],
  ])('%j keeps %j', (value, wanted) => {
    expect(fault('it', value, wanted)).toBeUndefined();
  });

  test.each([
    ['blocked', 'active'],
    ['2', 2],
    [undefined, null],
    [undefined, { not: 'blocked' }],
    ['active', { not: 'active' }],
    ['active', { in: ['blocked'] }],
    [['a'], { contains: 'b' }],
    [undefined, { contains: '' }],
    [['a'], { lacks: 'a' }],
    [undefined, { lacks: 'a' }],
    [3, { above: 3 }],
    ['3', { above: 2 }],
    [2, { at_least: 1, below: 2 }],
    [[1], { count: 2 }],
    ['x', { exists: false }],
    [{ a: 1, b: 2 }, { a: 1 }],
  ])('%j breaks %j', (value, wanted) => {
    expect(fault('it', value, wanted)).toContain('it: expected');
  });

  test('all that is wrong is said', () => {
    expect(faultsOf(answer, { state: 'blocked', 'balances[kind=voice].remaining.amount': 0, nothing: 1 })).toEqual([
      'state: expected "blocked", found "active"',
      'nothing: expected 1, found null',
    ]);
  });
});
