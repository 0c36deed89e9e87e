import { parseArgs } from 'node:util';
import { openCluster } from './database.ts';
import { faultKinds } from './faults.ts';
import { stepNames } from './names.ts';
import { runSeeds, type ToldSeed } from './run.ts';
import { runSeed } from './seed.ts';

const usage = `Plays the whole policy layer under a seeded scheduler, with faults and crashes of each seed's own.

  main.ts [--seeds N] [--first N] [--jobs N]     a run; fails if anything that must never be was seen
  main.ts --seed N                               one seed again, with everything that happened in it
`;

/** From this many seeds on, a run must have died in every step and met every fault. */
const seedsForCoverage = 500;
const dayMs = 86_400_000;

function row(name: string, value: number | string, remark = ''): void {
  process.stdout.write(`  ${name.padEnd(44)}${String(value).padStart(10)}${remark === '' ? '' : `  ${remark}`}\n`);
}

function sum(
  results: readonly ToldSeed[],
  of: 'stepsRun' | 'actions' | 'faults' | 'crashes' | 'crashPoints' | 'refusals',
): Map<string, number> {
  const all = new Map<string, number>();
  for (const result of results) for (const [name, times] of result[of]) all.set(name, (all.get(name) ?? 0) + times);
  return all;
}

const total = (tally: ReadonlyMap<string, number>): number => [...tally.values()].reduce((all, one) => all + one, 0);

/** Prints the table. @returns what the run lacks, a line each. */
function report(results: readonly ToldSeed[], seconds: number): string[] {
  const lacks: string[] = [];
  const [stepsRun, actions, faults, crashes, points, refusals] = [
    sum(results, 'stepsRun'),
    sum(results, 'actions'),
    sum(results, 'faults'),
    sum(results, 'crashes'),
    sum(results, 'crashPoints'),
    sum(results, 'refusals'),
  ];
  const days = results.reduce((all, { numbers }) => all + numbers.simulatedMs, 0) / dayMs;
  process.stdout.write(`\nSimulation\n`);
  row('seeds', results.length);
  row('simulated days', Math.round(days));
  row(
    'turns',
    results.reduce((all, { numbers }) => all + numbers.turns, 0),
  );
  row('steps run', total(stepsRun));
  row(
    'events delivered',
    results.reduce((all, { numbers }) => all + numbers.deliveries, 0),
  );
  row('seconds', Math.round(seconds));

  process.stdout.write('\nActions\n');
  for (const [name, times] of [...actions].sort()) row(name, times);
  row('refused by a rule', total(refusals), `${refusals.size} rules`);

  process.stdout.write('\nFaults\n');
  for (const kind of faultKinds) {
    row(kind, faults.get(kind) ?? 0);
    if (!faults.has(kind)) lacks.push(`the fault "${kind}" never occurred`);
  }

  process.stdout.write('\nSteps                                              run   crashes   at points\n');
  for (const name of stepNames) {
    const places = [...points.keys()].filter((point) => point.startsWith(`${name}, `)).length;
    row(name, stepsRun.get(name) ?? 0, `${String(crashes.get(name) ?? 0).padStart(8)}${String(places).padStart(12)}`);
    if (!crashes.has(name)) lacks.push(`no crash ever struck the step ${name}`);
  }
  row('crashes in steps', total(crashes));

  const violations = results.filter(({ violation }) => violation !== undefined);
  process.stdout.write('\n');
  row('violations', violations.length);
  return lacks;
}

function tellViolation(told: ToldSeed): void {
  if (told.violation === undefined) return;
  process.stdout.write(
    `\nSeed ${told.seed} found what must never be: ${told.violation.message}\n` +
      `The last of what happened:\n${told.trace
        .slice(-25)
        .map((line) => `  ${line}`)
        .join('\n')}\n` +
      `All of it again: make simulate SEED=${told.seed}\n`,
  );
}

async function replay(seed: number): Promise<void> {
  const cluster = await openCluster();
  try {
    const { trace, hash, violation } = await runSeed(cluster, seed);
    process.stdout.write(`${trace.join('\n')}\n\nseed ${seed}, trace ${hash}\n`);
    process.stdout.write(
      violation === undefined ? 'Nothing that must never be was seen.\n' : `Found: ${violation.message}\n`,
    );
    process.exitCode = violation === undefined ? 0 : 1;
  } finally {
    await cluster.close();
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      seeds: { type: 'string', default: '50' },
      first: { type: 'string', default: '1' },
      jobs: { type: 'string', default: '2' },
      seed: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(usage);
    return;
  }
  if (values.seed !== undefined) return replay(Number(values.seed));
  const began = performance.now();
  const seeds = Number(values.seeds);
  let ended = 0;
  const results = await runSeeds({
    first: Number(values.first),
    seeds,
    jobs: Number(values.jobs),
    told(result) {
      ended += 1;
      if (ended % 50 === 0) process.stdout.write(`${ended} of ${seeds} seeds\n`);
      tellViolation(result);
    },
  });
  const lacks = report(results, (performance.now() - began) / 1000);
  const isWhole = results.length >= seedsForCoverage;
  for (const lack of lacks) process.stdout.write(`  ${isWhole ? 'MISSING' : 'not met in so few seeds'}: ${lack}\n`);
  process.exitCode = (isWhole && lacks.length > 0) || results.some(({ violation }) => violation !== undefined) ? 1 : 0;
}

await main();
process.exit();
