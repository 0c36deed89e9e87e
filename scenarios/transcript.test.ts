import stringWidth from 'string-width';
import { expect, test } from 'vitest';
import { hasTmux, playTranscript } from './transcript.ts';

if (!hasTmux()) process.stdout.write('the session of make start: NOT RUN, tmux is not installed here\n');

for (const columns of [100, 72]) {
  test.skipIf(!hasTmux())(
    `the session that make start ends with can be typed as it is told, ${columns} columns`,
    async () => {
      const told = await playTranscript(columns);
      expect(told.length).toBe(14);
      // Each picture is whole: its edges stand under each other.
      const cards = told.flatMap((text) => text.split('\n')).filter((line) => /^[╭├╰]/.test(line));
      expect(cards.length).toBeGreaterThan(20);
      for (const line of cards) expect([line, stringWidth(line)]).toEqual([line, Math.min(columns, 96)]);
    },
  );
}
