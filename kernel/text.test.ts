import fc from 'fast-check';
import { expect, test } from 'vitest';
import { cutText, keepableText } from './text.ts';

test('a cut parts no character', () => {
  expect(cutText('ab😀', 4)).toBe('ab😀');
  expect(cutText('ab😀', 3)).toBe('ab');
  expect(cutText('ab😀c', 4)).toBe('ab😀');
  expect(cutText('😀', 0)).toBe('');
  const sound = (text: string) => Buffer.from(text).toString() === text;
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.nat(20), (text, max) => {
      const cut = cutText(text, max);
      return sound(cut) && text.startsWith(cut) && cut.length <= max && cut.length >= Math.min(text.length, max) - 1;
    }),
  );
});

test('what no database keeps is replaced', () => {
  expect(keepableText('a\0b')).toBe('a b');
  expect(keepableText('a\ud83d')).toBe('a\ufffd');
  expect(keepableText('ab😀')).toBe('ab😀');
});
