import fc from 'fast-check';
import { expect, test } from 'vitest';
import { painter } from './frame.ts';
import { TestScreen } from './testing-screen.ts';

const size = { columns: 20, rows: 6 };

test('a frame writes what changed and nothing else', () => {
  const paint = painter();
  expect(paint('one\ntwo\n', size)).toBe(
    '\u001b[?2026h\u001b[1;1Hone\u001b[K\u001b[2;1Htwo\u001b[K\u001b[3;1H\u001b[J\u001b[?2026l',
  );
  expect(paint('one\ntwo\n', size)).toBe('');
  expect(paint('one\n2\n', size)).toBe('\u001b[?2026h\u001b[2;1H2\u001b[K\u001b[?2026l');
});

test('what is shorter leaves nothing below, and another size is drawn anew', () => {
  const screen = new TestScreen(size.rows, size.columns);
  const paint = painter();
  screen.write(paint('a\nb\nc\n', size));
  screen.write(paint('a\n', size));
  expect(screen.rows.filter(Boolean)).toEqual(['a']);
  expect(paint('a\n', { columns: 20, rows: 5 })).toContain('\u001b[1;1Ha');
});

test('what is higher than the terminal says so', () => {
  const screen = new TestScreen(size.rows, 60);
  screen.write(painter()('1\n2\n3\n4\n5\n6\n7\n8\n', { columns: 60, rows: 6 }));
  expect(screen.rows).toEqual(['1', '2', '3', '4', '5', '… 3 more lines: make the terminal higher']);
});

test('a line as wide as the terminal keeps its last letter', () => {
  const screen = new TestScreen(2, 5);
  const paint = painter();
  screen.write(paint('12345\nab\n', { columns: 5, rows: 2 }));
  screen.write(paint('67890\nab\n', { columns: 5, rows: 2 }));
  expect(screen.rows).toEqual(['67890', 'ab']);
});

// Whatever follows whatever: the screen shows the last picture, and at no moment is a row blank that is blank in neither.
test('no frame clears the screen', () => {
  const line = fc.string({ unit: fc.constantFrom('a', 'b', '│', ' '), maxLength: 20 });
  const picture = fc
    .array(line, { minLength: 1, maxLength: 6 })
    .filter((lines) => lines.some((one) => one.trim() !== ''));
  fc.assert(
    fc.property(fc.array(picture, { minLength: 2, maxLength: 5 }), (pictures) => {
      const screen = new TestScreen(size.rows, size.columns);
      const paint = painter();
      for (const lines of pictures) {
        const before = [...screen.rows];
        screen.write(paint(`${lines.join('\n')}\n`, size));
        expect(screen.rows.map((row) => row.trimEnd())).toEqual(
          Array.from({ length: size.rows }, (_, row) => (lines[row] ?? '').trimEnd()),
        );
        const isBlank = (row: string | undefined) => (row ?? '').trim() === '';
        const either = before.filter((row, place) => isBlank(row) || isBlank(screen.rows[place])).length;
        expect(screen.blankMost).toBeLessThanOrEqual(either);
        expect([screen.cleared, screen.isHeld]).toEqual([0, false]);
      }
    }),
  );
});
