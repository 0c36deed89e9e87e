import fc from 'fast-check';
import { expect, test } from 'vitest';
import { plainText, plainValue } from './plain.ts';
import { pad, shorten, widthOf, wrap } from './text.ts';

// biome-ignore lint/suspicious/noControlCharactersInRegex: the test looks for them
const obeyed = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/;

const anything = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc
    .array(
      fc.constantFrom(
        '\u001b[31m',
        '\u001b]0;title\u0007',
        '\u009b2J',
        '\u202e',
        '\n',
        'a',
        '山',
        '👩‍👩‍👧',
        'é',
        '\ud800',
      ),
    )
    .map((parts) => parts.join('')),
);

test('nothing that a terminal obeys survives, whatever people wrote', () => {
  fc.assert(fc.property(anything, (text) => !obeyed.test(plainText(text))));
});

test('names keep what belongs to them', () => {
  for (const name of ['Ada Lim', 'José Ångström', '山田 太郎', 'أحمد', '👩‍👩‍👧 family'])
    expect(plainText(name)).toBe(name);
});

test('an escape sequence goes with its parameters, a title with its text', () => {
  expect(plainText('Mal\u001b[31mlory')).toBe('Mallory');
  expect(plainText('a\u001b]0;root@bank\u0007b')).toBe('ab');
  expect(plainText('one\ntwo\r\nthree')).toBe('one two three');
});

test('every string in an answer is made harmless, keys too', () => {
  expect(plainValue({ 'a\u001b[1m': ['x\u0007', { name: 'y\u202e', count: 1, none: null }] })).toEqual({
    a: ['x', { name: 'y', count: 1, none: null }],
  });
});

test('widths are those of a terminal', () => {
  expect(widthOf('山田')).toBe(4);
  expect(widthOf('e\u0301')).toBe(1);
  expect(widthOf('👩‍👩‍👧')).toBe(2);
  expect(widthOf('\u001b[31mred\u001b[39m')).toBe(3);
});

test('a shortened text is never too wide and says that it was cut', () => {
  fc.assert(
    fc.property(anything.map(plainText), fc.integer({ min: 1, max: 40 }), (text, width) => {
      const short = shorten(text, width);
      expect(widthOf(short)).toBeLessThanOrEqual(width);
      expect(short === text || short.endsWith('…')).toBe(true);
    }),
  );
  expect(shorten('山田太郎', 5)).toBe('山田…');
});

test('padding fills to the width on either side', () => {
  expect(pad('山', 4)).toBe('山  ');
  expect(pad('7', 3, 'right')).toBe('  7');
  expect(pad('too long', 3)).toBe('too long');
});

test('wrapped lines fit, and lose no word', () => {
  fc.assert(
    fc.property(fc.array(fc.stringMatching(/^[a-z山]{1,30}$/)), fc.integer({ min: 4, max: 40 }), (words, width) => {
      const lines = wrap(words.join(' '), width);
      for (const line of lines) expect(widthOf(line)).toBeLessThanOrEqual(width);
      expect(lines.join('').replaceAll(' ', '')).toBe(words.join(''));
    }),
  );
});
