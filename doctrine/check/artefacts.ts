import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { isFresh } from '../../build/generate/stamp.ts';
import type { Finding, Judged } from './finding.ts';

function output(directory: string, args: readonly string[]): Promise<{ code: number; out: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [...args], { cwd: directory, maxBuffer: 256 * 1024 * 1024 }, (error, out, err) =>
      resolve({ code: error ? 1 : 0, out: out === '' ? err : out }),
    );
  });
}

const report = z.object({
  summary: z.object({
    violations: z.array(z.object({ from: z.string(), to: z.string(), rule: z.object({ name: z.string() }) })),
    totalCruised: z.number(),
  }),
});

async function cruise(
  root: string,
  directory: string,
  folders: readonly string[],
): Promise<z.infer<typeof report>['summary']> {
  const bin = join(root, 'node_modules/dependency-cruiser/bin/dependency-cruise.mjs');
  const { out } = await output(directory, [
    bin,
    '--config',
    join(root, '.dependency-cruiser.cjs'),
    '--output-type',
    'json',
    ...folders,
  ]);
  return report.parse(JSON.parse(out)).summary;
}

/** An import up, one sideways, and one by type alone: each in a file of its own. */
const crossings: Readonly<Record<string, string>> = {
  'kernel/reaches-up.ts': `import { command } from '../policy/core/command.ts';`,
  'surfaces/cli/reaches-sideways.ts': `import { door } from '../http/door.ts';`,
  'read/reaches-by-type.ts': `import type { command } from '../policy/core/command.ts';`,
  'policy/core/command.ts': '',
  'surfaces/http/door.ts': '',
};

export async function importsCheck(root: string, folders: readonly string[]): Promise<Judged> {
  const directory = mkdtempSync(join(tmpdir(), 'airtime-doctrine-'));
  try {
    for (const file of ['package.json', 'tsconfig.json']) cpSync(join(root, file), join(directory, file));
    symlinkSync(join(root, 'node_modules'), join(directory, 'node_modules'));
    for (const [file, line] of Object.entries(crossings)) {
      mkdirSync(join(directory, dirname(file)), { recursive: true });
      writeFileSync(join(directory, file), `${line}\nexport const marker = 1;\n`);
    }
    const [found, planted] = await Promise.all([
      cruise(root, root, folders),
      cruise(root, directory, ['kernel', 'policy', 'read', 'surfaces']),
    ]);
    const wanted = Object.keys(crossings).filter((file) => file.includes('reaches'));
    const missed = wanted.filter((file) => !planted.violations.some(({ from }) => from === file));
    return {
      check: 'imports',
      refuses: 'an import upwards or sideways between the rooms (.dependency-cruiser.cjs)',
      looked: found.totalCruised,
      unit: 'modules',
      violations: found.violations.map(
        ({ from, to, rule }): Finding => ({ file: from, line: 1, what: `${rule.name}: ${to}` }),
      ),
      planted: wanted.length,
      caught: wanted.length - missed.length,
      missed,
    };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** The files of `generated/` are what the contracts make: as the stamp of their making says, or made again to compare. */
export async function generatedCheck(root: string): Promise<Judged> {
  const stamp = readFileSync(join(root, 'generated/.stamp'), 'utf8').trimEnd().split('\n').slice(2);
  const violations: Finding[] = [];
  if (!isFresh(root)) {
    const { code, out } = await output(root, [
      '--import',
      import.meta.resolve('tsx'),
      'build/generate/main.ts',
      '--check',
    ]);
    if (code !== 0) violations.push({ file: 'generated', line: 0, what: out.trim() });
  }
  const missed: string[] = [];
  const directory = mkdtempSync(join(tmpdir(), 'airtime-generated-'));
  try {
    for (const name of ['specs', 'build', 'node_modules']) symlinkSync(join(root, name), join(directory, name));
    cpSync(join(root, 'generated'), join(directory, 'generated'), { recursive: true });
    const [first = '', ...others] = stamp.filter((path) => path.endsWith('.json') || path.endsWith('.ts'));
    const isWhole = isFresh(directory);
    for (const path of [first, others.at(-1) ?? first]) {
      const place = join(directory, path);
      const text = readFileSync(place, 'utf8');
      writeFileSync(place, `${text}\n`);
      if (isWhole && isFresh(directory)) missed.push(path);
      writeFileSync(place, text);
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
  return {
    check: 'generated files',
    refuses: 'an edited file under generated/',
    looked: stamp.length,
    unit: 'files',
    violations,
    planted: 2,
    caught: 2 - missed.length,
    missed,
  };
}
