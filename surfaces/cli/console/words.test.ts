import { expect, test } from 'vitest';
import { splitWords, wordsUpTo } from './words.ts';

test('words are those that a shell would make', () => {
  expect(splitWords('order place cus_1  PLAN_S')).toEqual(['order', 'place', 'cus_1', 'PLAN_S']);
  expect(splitWords(`ticket open "No data" 'since noon' --customer-id cus_1`)).toEqual([
    'ticket',
    'open',
    'No data',
    'since noon',
    '--customer-id',
    'cus_1',
  ]);
  expect(splitWords(`a "b \\" c" d\\ e '' "x"y`)).toEqual(['a', 'b " c', 'd e', '', 'xy']);
  expect(splitWords(`--patch '{"a": "b"}'`)).toEqual(['--patch', '{"a": "b"}']);
  expect(splitWords('')).toEqual([]);
});

test('an apostrophe within a word is one, and a quotation that stays open is told', () => {
  expect(splitWords("why doesn't Ada's line work")).toEqual(['why', "doesn't", "Ada's", 'line', 'work']);
  expect(splitWords('ticket open "No data')).toBeUndefined();
});

test('behind a space another word begins', () => {
  expect(wordsUpTo('')).toEqual(['']);
  expect(wordsUpTo('order')).toEqual(['order']);
  expect(wordsUpTo('order ')).toEqual(['order', '']);
  expect(wordsUpTo('order pl')).toEqual(['order', 'pl']);
});
