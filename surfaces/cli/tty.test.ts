import { expect, test } from 'vitest';
import { typedOn, withFound } from './tty.ts';

const grace: [string[], string] = [['cus_1 '], 'grace'];

test('what is found goes where it was asked for, whatever was typed behind it', () => {
  const asked = 'order place grace';
  expect(typedOn(grace, asked, asked)).toEqual(grace);
  expect(typedOn(grace, asked, `${asked}PLAN_S`)).toEqual([['cus_1 PLAN_S'], 'gracePLAN_S']);
  expect(typedOn(grace, asked, `${asked} PLAN_S`)).toEqual([['cus_1 PLAN_S'], 'grace PLAN_S']);
  expect(typedOn([['cus_'], 'c'], 'order place c', 'order place cx')).toEqual([['cus_x'], 'cx']);
});

test('nothing is put in where several were found, or the line is another', () => {
  expect(typedOn([['cus_1', 'cus_2'], 'cus'], 'card add cus', 'card add cus tok')).toEqual([[], 'card add cus tok']);
  expect(typedOn([[], 'grace'], 'card add grace', 'card add grace tok')).toEqual([[], 'card add grace tok']);
  expect(typedOn(grace, 'card add grace', 'card add gra')).toEqual([[], 'card add gra']);
  expect(typedOn(grace, 'card add grace', '')).toEqual([[], '']);
});

test('a line that is sent before something is found is sent with it, where it is one alone', () => {
  expect(withFound(grace, 'customer show grace', 'customer show grace')).toBe('customer show cus_1');
  expect(withFound(grace, 'card add grace', 'card add grace tok')).toBe('card add cus_1 tok');
  for (const [found, asked, sent] of [
    [[['cus_1', 'cus_2'], 'gr'], 'customer show gr', 'customer show gr'],
    [[[], 'gr'], 'customer show gr', 'customer show gr'],
    [grace, 'customer show grace', 'customer list'],
  ] satisfies [[string[], string], string, string][]) {
    expect(withFound(found, asked, sent)).toBe(sent);
  }
});
