import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runSeeds, type ToldSeed } from './run.ts';

/** What the simulation needs of the house; the rest of it is not copied. */
const rooms = ['kernel', 'policy', 'read', 'adapters', 'workers', 'app', 'doctrine', 'prisma', 'simulation'];
const linked = ['node_modules', 'generated', 'package.json', 'tsconfig.json'];
const seedsMax = 200;
const jobs = 2;

const root = fileURLToPath(new URL('..', import.meta.url));
const patches = join(root, 'simulation/planted');

interface Found {
  bug: string;
  told: ToldSeed;
}

/** A copy of the house with one bug in it. @throws Error when the patch does not fit the code any more. */
function copyWith(patch: string): string {
  const copy = mkdtempSync(join(tmpdir(), 'airtime-planted-'));
  for (const room of rooms) cpSync(join(root, room), join(copy, room), { recursive: true });
  for (const name of linked) if (existsSync(join(root, name))) symlinkSync(join(root, name), join(copy, name));
  try {
    // The copy is no repository: without this a repository above it would be asked which paths it knows.
    execFileSync('git', ['apply', patch], {
      cwd: copy,
      stdio: 'pipe',
      env: { ...process.env, GIT_CEILING_DIRECTORIES: tmpdir() },
    });
  } catch (error) {
    rmSync(copy, { recursive: true, force: true });
    const said = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : String(error);
    throw new Error(`${patch} does not apply any more; plant the bug anew.\n${said}`);
  }
  return copy;
}

/** The lowest seed that finds the bug, and finds the same when it is played again. */
async function find(bug: string, copy: string): Promise<Found> {
  const results = await runSeeds({ root: copy, first: 1, seeds: seedsMax, jobs, stopAtFirst: true });
  const told = results.find(({ violation }) => violation !== undefined);
  if (told?.violation === undefined) throw new Error(`${bug}: ${seedsMax} seeds did not find it.`);
  const [again] = await runSeeds({ root: copy, first: told.seed, seeds: 1, jobs: 1 });
  if (again?.violation?.invariant !== told.violation.invariant || again.hash !== told.hash)
    throw new Error(`${bug}: seed ${told.seed} does not find the same when it is played again.`);
  return { bug, told };
}

async function main(): Promise<void> {
  const names = readdirSync(patches)
    .filter((name) => name.endsWith('.patch'))
    .sort();
  if (names.length === 0) throw new Error('there is no patch to plant');
  const found: Found[] = [];
  for (const name of names) {
    const bug = (readFileSync(join(patches, name), 'utf8').split(/[:\n]/)[0] ?? name).trim();
    const copy = copyWith(join(patches, name));
    try {
      found.push(await find(bug, copy));
    } finally {
      rmSync(copy, { recursive: true, force: true });
    }
  }
  const last = Math.max(...found.map(({ told }) => told.seed));
  const clean = await runSeeds({ first: 1, seeds: last, jobs });
  process.stdout.write(`\n  ${'planted bug'.padEnd(30)}${'seed'.padStart(6)}  invariant that broke\n`);
  for (const { bug, told } of found)
    process.stdout.write(`  ${bug.padEnd(30)}${String(told.seed).padStart(6)}  ${told.violation?.invariant ?? ''}\n`);
  const broken = clean.filter(({ violation }) => violation !== undefined);
  process.stdout.write(
    `  ${'none, the same seeds'.padEnd(30)}${`1-${last}`.padStart(6)}  ${broken.length} violations\n`,
  );
  for (const { seed, violation } of broken) process.stdout.write(`  seed ${seed}: ${violation?.message ?? ''}\n`);
  process.exitCode = broken.length === 0 ? 0 : 1;
}

await main();
process.exit();
