import { execFileSync, spawn } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { gateNames } from './gates.ts';
import { commitOf, notCaught } from './report.ts';

/**
 * Builds the house once for each gate with one fault planted in it, runs the short soak on that build, and sees exactly
 * that gate fail. A gate that no canary fails, or a canary that another gate fails as well, is a fault of the soak.
 */
const root = fileURLToPath(new URL('..', import.meta.url));
const patches = join(root, 'soak/canaries');
const rooms = [
  'kernel',
  'policy',
  'read',
  'handlers',
  'tools',
  'surfaces',
  'adapters',
  'workers',
  'app',
  'doctrine',
  'build',
  'prisma',
];
const linked = ['node_modules', 'generated', 'package.json', 'tsconfig.json', 'docs', 'specs'];

export interface Canary {
  readonly name: string;
  readonly gate: string;
  readonly fault: string;
  readonly patch: string;
}

/** The first line of a patch says which gate it is for, and what is planted. */
export function readCanaries(): Canary[] {
  return readdirSync(patches)
    .filter((name) => name.endsWith('.patch'))
    .sort()
    .map((name) => {
      const patch = join(patches, name);
      const [, gate = '', fault = ''] = /^([^:]+): (.+)$/m.exec(readFileSync(patch, 'utf8')) ?? [];
      return { name: name.replace(/\.patch$/, ''), gate, fault, patch };
    });
}

/** A copy of the house with the fault in it, built. @throws Error when the patch does not fit the code any more. */
function buildWith({ patch }: Canary): string {
  const copy = mkdtempSync(join(tmpdir(), 'airtime-canary-'));
  try {
    for (const room of rooms) cpSync(join(root, room), join(copy, room), { recursive: true });
    for (const name of linked) if (existsSync(join(root, name))) symlinkSync(join(root, name), join(copy, name));
    // The copy is no repository: without this a repository above it would be asked which paths it knows.
    const env = { ...process.env, GIT_CEILING_DIRECTORIES: tmpdir() };
    execFileSync('git', ['apply', patch], { cwd: copy, stdio: 'pipe', env });
    execFileSync(process.execPath, ['--import', import.meta.resolve('tsx'), 'build/bundle.ts'], {
      cwd: copy,
      stdio: 'pipe',
    });
    cpSync(join(root, 'dist/docs'), join(copy, 'dist/docs'), { recursive: true });
    return copy;
  } catch (error) {
    rmSync(copy, { recursive: true, force: true });
    const said = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : String(error);
    throw new Error(`${patch} does not apply or build any more; plant the fault anew.\n${said}`);
  }
}

const answer = z.object({
  isPassed: z.boolean(),
  below: z.array(z.string()),
  gates: z.array(z.object({ gate: z.string(), held: z.boolean(), says: z.string() })),
  seconds: z.number(),
});

function run(dist: string, seed: number): Promise<z.infer<typeof answer>> {
  const child = spawn(
    process.execPath,
    [
      '--import',
      import.meta.resolve('tsx'),
      join(root, 'soak/main.ts'),
      '--short',
      '--json',
      '--seed',
      String(seed),
      '--dist',
      dist,
    ],
    { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  return new Promise((resolve, reject) => {
    let [out, error] = ['', ''];
    child.stdout.on('data', (data: Buffer) => {
      out += data.toString();
    });
    child.stderr.on('data', (data: Buffer) => {
      error += data.toString();
    });
    child.once('error', reject);
    child.once('close', () => {
      const line = out.trim().split('\n').at(-1) ?? '';
      if (line.startsWith('{')) resolve(answer.parse(JSON.parse(line)));
      else reject(new Error(error.trim().split('\n').slice(-6).join('\n')));
    });
  });
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { seed: { type: 'string', default: '1' }, only: { type: 'string' } } });
  const canaries = readCanaries().filter(({ name }) => values.only === undefined || name === values.only);
  const rows: string[] = [];
  let isCaught = true;
  const say = (line: string): void => void process.stdout.write(`${line}\n`);
  say(`\n  ${'canary'.padEnd(14)}${'seconds'.padStart(8)}  gates that failed`);
  for (const canary of canaries) {
    const copy = buildWith(canary);
    let failed: string[] = [];
    let [says, seconds] = ['', 0];
    try {
      const told = await run(join(copy, 'dist'), Number(values.seed));
      failed = [
        ...told.gates.filter(({ held }) => !held).map(({ gate }) => gate),
        ...told.below.map((one) => `void (${one})`),
      ];
      const own = told.gates.find(({ gate }) => gate === canary.gate)?.says ?? '';
      const others = told.gates.filter(({ gate, held }) => !held && gate !== canary.gate);
      says = [own, ...others.map((one) => `${one.gate} said ${one.says}`)].join('; ');
      seconds = told.seconds;
    } catch (error) {
      failed = [`the run broke: ${error instanceof Error ? error.message : String(error)}`];
    } finally {
      rmSync(copy, { recursive: true, force: true });
    }
    const isIts = failed.length === 1 && failed[0] === canary.gate;
    isCaught &&= isIts;
    say(
      `  ${canary.name.padEnd(14)}${String(seconds).padStart(8)}  ${isIts ? 'its own' : 'NOT ITS OWN ALONE'}: ${failed.join(', ') || 'none'}: ${says}`,
    );
    rows.push(
      `| ${canary.gate} | ${canary.fault} | ${isIts ? 'that gate alone' : `${notCaught}: ${failed.join(', ') || 'none'}`} | ${says.replaceAll('|', '/').replaceAll('\n', ' ')} |`,
    );
  }
  const without = gateNames.filter((gate) => !canaries.some((one) => one.gate === gate));
  if (values.only === undefined && without.length > 0) {
    isCaught = false;
    say(`  no canary for ${without.join(', ')}`);
  }
  if (values.only === undefined) {
    mkdirSync(join(root, 'soak/scratch'), { recursive: true });
    const head = `One build for each gate, with one fault planted in it, in the short size; seed ${values.seed}, commit ${commitOf()}.\n\n| Gate | Planted fault | Failed | What the gate said |\n|---|---|---|---|\n`;
    writeFileSync(join(root, 'soak/scratch/canaries.md'), `${head}${rows.join('\n')}\n`);
  }
  process.exitCode = isCaught ? 0 : 1;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await main();
  process.exit();
}
