import { encode } from 'uqr';
import { expect, test } from 'vitest';
import { qrLines } from './qr.ts';

const code = 'LPA:1$rsp.example.com$04386-AGYFT-A74Y8-3F815';

/** The modules as a camera sees them: light where the drawing is, dark where it is not. */
function seen(lines: readonly string[]): boolean[][] {
  return lines.flatMap((line) => [
    [...line].map((cell) => cell === ' ' || cell === '▄'),
    [...line].map((cell) => cell === ' ' || cell === '▀'),
  ]);
}

test('what is drawn is the code, with light around it', () => {
  const { data, size } = encode(code, { ecc: 'M', border: 2 });
  const rows = seen(qrLines(code, false));
  expect(rows.slice(0, size)).toEqual(data);
  expect(rows[0]?.every((isDark) => !isDark)).toBe(true);
});

test('in colour light is white and dark is black, whatever the terminal has', () => {
  for (const line of qrLines(code, true)) {
    expect(line.startsWith('\u001b[97m\u001b[40m')).toBe(true);
    expect(line.endsWith('\u001b[0m')).toBe(true);
  }
});
