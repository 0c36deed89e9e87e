import stringWidth from 'string-width';
import { expect, test } from 'vitest';
import { hasTmux, playTranscript } from './transcript.ts';

if (!hasTmux()) process.stdout.write('the session of make start: NOT RUN, tmux is not installed here\n');

// One who waits for what Tab finds, and one who waits for nothing.
for (const [columns, isHurried] of [
  [100, false],
  [72, true],
] as const) {
  test.skipIf(!hasTmux())(
    `the session that make start ends with can be typed as it is told, ${columns} columns${isHurried ? ', in a hurry' : ''}`,
    async () => {
      const told = await playTranscript(columns, isHurried);
      expect(told.length).toBe(14);
      // Each picture is whole: its edges stand under each other.
      const cards = told.flatMap((text) => text.split('\n')).filter((line) => /^[╭├╰]/.test(line));
      expect(cards.length).toBeGreaterThan(20);
      for (const line of cards) expect([line, stringWidth(line)]).toEqual([line, Math.min(columns, 96)]);
    },
  );
}
