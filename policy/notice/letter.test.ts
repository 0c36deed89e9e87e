import fc from 'fast-check';
import { expect, test } from 'vitest';
import { oneLine, written } from './letter.ts';

test('whatever people call themselves, a subject is one line and a page shows text only', () => {
  const anything = fc.string({ unit: 'binary', maxLength: 80 });
  fc.assert(
    fc.property(anything, anything, anything, (name, subject, value) => {
      const letter = written({ subject, sentences: [value], table: [[value, value]] }, name);
      expect(letter.subject).toMatch(/^\P{Cc}*$/u);
      expect(oneLine(name)).toMatch(/^\P{Cc}*$/u);
      const tags = new Set(letter.html.match(/<\/?[a-z!][^>]*>/gi));
      expect([...tags].filter((tag) => !/^<\/?(!doctype html|html|body|p|table|tr|td|b)\b/.test(tag))).toEqual([]);
    }),
  );
  expect(written({ subject: 's', sentences: ['<img src=x onerror=alert(1)>'] }, '"A" & B').html).toContain(
    '<p>Hello &quot;A&quot; &amp; B,</p>\n<p>&lt;img src=x onerror=alert(1)&gt;</p>',
  );
});

test('a letter reads as one', () => {
  expect(
    written(
      {
        subject: 'Receipt',
        sentences: ['Thank you.'],
        table: [
          ['Paid', 'SGD 3.00'],
          ['Number', '6581000000'],
        ],
      },
      'Ada',
    ).text,
  ).toBe('Hello Ada,\n\nThank you.\n\nPaid:   SGD 3.00\nNumber: 6581000000\n');
});
