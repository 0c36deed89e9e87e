import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { belowMinimum, judge, kinds } from './gates.ts';
import { commitOf, write } from './report.ts';
import { soak } from './run.ts';
import { sizeOf } from './size.ts';

const usage = `Runs Airtime for weeks of business time in minutes, with everything that people and machines do to it.

  main.ts [--customers N] [--seed N] [--short] [--dist DIR] [--json]

  --customers N  who pay (default 30; 4 with --short)
  --seed N       what chooses (default 1)
  --short        one month, a few customers, a minute; judged by minimums of its own
  --dist DIR     the build under test (default dist/)
  --json         print the judgement as one line of JSON, and write no report
`;

const { values } = parseArgs({
  options: {
    customers: { type: 'string' },
    seed: { type: 'string', default: '1' },
    short: { type: 'boolean', default: false },
    dist: { type: 'string' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

const whole = (name: string, text: string): number => {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1) return value;
  process.stderr.write(`--${name}: "${text}" is no whole number from 1 up. Give one.\n${usage}`);
  process.exit(2);
};

async function main(): Promise<void> {
  if (values.help) {
    process.stdout.write(usage);
    return;
  }
  const seed = whole('seed', values.seed);
  const customers = values.customers === undefined ? undefined : whole('customers', values.customers);
  const size = sizeOf({ short: values.short, customers });
  const dist = resolve(values.dist ?? join(fileURLToPath(new URL('..', import.meta.url)), 'dist'));
  const tell = (line: string): void => void process.stderr.write(`  ${line}\n`);
  const commit = commitOf();
  const outcome = await soak(size, { seed, dist, tell });
  const { figures } = outcome;
  const below = belowMinimum(figures.counts, size.minimums);
  const gates = judge(figures);
  const isPassed = below.length === 0 && gates.every(({ held }) => held);
  process.exitCode = isPassed ? 0 : 1;
  if (values.json) {
    process.stdout.write(`${JSON.stringify({ isPassed, below, gates, seconds: outcome.seconds })}\n`);
    return;
  }
  const out = (line: string): void => void process.stdout.write(`${line}\n`);
  out(`\nSoak (seed ${seed}, ${size.name}): ${outcome.days} days, ${outcome.steps} steps, ${outcome.seconds} s`);
  for (const kind of kinds)
    out(`  ${kind.padEnd(20)}${String(figures.counts[kind]).padStart(8)}  at least ${size.minimums[kind]}`);
  for (const { gate, held, alarm, says } of gates)
    out(`  ${held ? (alarm ? 'alarm ' : 'held  ') : 'FAILED'} ${gate.padEnd(12)} ${says}`);
  for (const one of below) out(`  VOID   ${one}`);
  out(`  report: ${await write(outcome, { size, seed, commit, isPassed, below, gates })}`);
}

await main();
process.exit();
