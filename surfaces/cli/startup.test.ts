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
/** What is ours of a front page beside Node itself, in time of the processor; it takes some 12 ms. */
const frontPageMs = 40;
/** And of the help of a verb, or the words behind a tab key. */
const verbMs = 100;

/** A process says at its end how long the processors worked for it: that hardly depends on what runs beside it. */
const saysItsTime = `data:text/javascript,${encodeURIComponent(
  `process.on('exit', () => { const { user, system } = process.cpuUsage(); process.stderr.write(' cpu ' + (user + system)); });`,
)}`;

interface Taken {
  readonly wallMs: number;
  readonly cpuMs: number;
}

/** Each of some command lines some times; alternating, so that each meets the same machine. */
function measure(lines: Readonly<Record<string, readonly string[]>>): Record<string, Taken[]> {
  const taken: Record<string, Taken[]> = {};
  for (let count = 0; count < times; count += 1) {
    for (const [name, line] of Object.entries(lines)) {
      const began = performance.now();
      const { status, stderr } = spawnSync(process.execPath, ['--import', saysItsTime, ...line], {
        env: { PATH: process.env.PATH, COLUMNS: '80' },
        encoding: 'utf8',
      });
      const wallMs = performance.now() - began;
      expect([name, status]).toEqual([name, 0]);
      taken[name] = [...(taken[name] ?? []), { wallMs, cpuMs: Number(/ cpu (\d+)$/.exec(stderr)?.[1]) / 1000 }];
    }
  }
  return taken;
}

test.skipIf(!existsSync(program))('bss --help answers at once', () => {
  const frontPages = {
    'bss --help': [program, '--help'],
    'bss help': [program, 'help'],
    'bss --version': [program, '--version'],
  };
  const verbs = {
    'bss order place --help': [program, 'order', 'place', '--help'],
    'bss complete order': [program, 'complete', '--', 'order', ''],
  };
  const taken = measure({ 'node alone': ['-e', '0'], ...frontPages, ...verbs });
  const sorted = (name: string, of: keyof Taken) => (taken[name] ?? []).map((one) => one[of]).sort((a, b) => a - b);
  const least = (name: string, of: keyof Taken) => sorted(name, of)[0] ?? Number.NaN;
  for (const name of Object.keys(taken)) {
    const [wall, cpu] = [sorted(name, 'wallMs'), sorted(name, 'cpuMs')].map((all) => [all[0], all[times >> 1]]);
    process.stdout.write(
      `${name}: least ${wall?.[0]?.toFixed(0)} ms, p50 ${wall?.[1]?.toFixed(0)} ms of ${times}; processor ${cpu?.[0]?.toFixed(0)} and ${cpu?.[1]?.toFixed(0)} ms\n`,
    );
  }
  for (const [names, oursMs] of [
    [Object.keys(frontPages), frontPageMs],
    [Object.keys(verbs), verbMs],
  ] as const) {
    for (const name of names) {
      expect(least(name, 'wallMs')).toBeLessThan(wantedMs + busyMs);
      // What is ours of it, whatever Node takes on this machine.
      expect(least(name, 'cpuMs') - least('node alone', 'cpuMs')).toBeLessThan(oursMs);
    }
  }
});
