import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

// What is shipped answers at once: `make build` comes before the tests.

const program = fileURLToPath(new URL('../../dist/bss.js', import.meta.url));
const times = 15;
const wantedMs = 200;
/** A machine that runs other tests beside this one takes longer for everything: so much is added for it. */
const busyMs = 600;

/** Milliseconds of each of some runs, from the least; alternating, so that each meets the same machine. */
function measure(lines: Readonly<Record<string, readonly string[]>>): Record<string, number[]> {
  const taken: Record<string, number[]> = {};
  for (let count = 0; count < times; count += 1) {
    for (const [name, line] of Object.entries(lines)) {
      const began = performance.now();
      const { status } = spawnSync(process.execPath, line, { env: { PATH: process.env.PATH, COLUMNS: '80' } });
      taken[name] = [...(taken[name] ?? []), performance.now() - began];
      expect([name, status]).toEqual([name, 0]);
    }
  }
  for (const all of Object.values(taken)) all.sort((a, b) => a - b);
  return taken;
}

test.skipIf(!existsSync(program))('bss --help answers at once', () => {
  const taken = measure({
    'node alone': ['-e', '0'],
    'bss --help': [program, '--help'],
    'bss order place --help': [program, 'order', 'place', '--help'],
    'bss complete order': [program, 'complete', '--', 'order', ''],
  });
  for (const [name, all] of Object.entries(taken)) {
    process.stdout.write(
      `${name}: least ${all[0]?.toFixed(0)} ms, p50 ${all[times >> 1]?.toFixed(0)} ms of ${times}\n`,
    );
  }
  const least = (name: string) => taken[name]?.[0] ?? Number.POSITIVE_INFINITY;
  for (const name of ['bss --help', 'bss order place --help', 'bss complete order']) {
    expect(least(name)).toBeLessThan(wantedMs + busyMs);
    // What is ours of it, whatever Node takes on this machine.
    expect(least(name) - least('node alone')).toBeLessThan(wantedMs);
  }
});
