import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * Whether what is here may be released: both reports are of this program, and the soak's canaries were caught on the
 * commit of its report. `node_modules/.bin/tsx build/release-check.ts` ends with 1 and says what is missing.
 */
const root = fileURLToPath(new URL('..', import.meta.url));

/** What is shipped, and what decides what runs. Tests in it change nothing that is run. */
const shipped = [
  'adapters',
  'app',
  'handlers',
  'kernel',
  'policy',
  'prisma',
  'read',
  'specs',
  'surfaces',
  'tools',
  'workers',
  'package.json',
  'package-lock.json',
  ':!*.test.ts',
  ':!*.test.tsx',
  ':!*/testing.ts',
];

export interface Report {
  readonly name: string;
  readonly text: string;
}

/** The commits that a report names as those it was run at, each once. */
export function commitsIn(text: string): string[] {
  const named = text.matchAll(
    /(?:commit |Commit \| )([0-9a-f]{7,40}|unknown)( with changes that were not committed)?/g,
  );
  return [...new Set([...named].map(([, commit = '', changes = '']) => `${commit}${changes}`))];
}

/**
 * What stands against a release.
 * @param changedSince files of the program that differ between a commit and what is here; undefined for a commit that is not known
 */
export function missingIn(
  reports: readonly Report[],
  changedSince: (commit: string) => string[] | undefined,
): string[] {
  const missing: string[] = [];
  for (const { name, text } of reports) {
    const commits = commitsIn(text);
    if (commits.length === 0) missing.push(`${name} names no commit.`);
    for (const commit of commits) {
      const changed = commit.includes(' ') ? undefined : changedSince(commit);
      if (changed === undefined) missing.push(`${name} is of ${commit}, which is no commit of this history.`);
      else if (changed.length > 0)
        missing.push(
          `${name} is of ${commit}; since then ${changed.length} files of the program changed: ${changed[0]}.`,
        );
    }
    if (/NOT passed|NOT CAUGHT|FAILED|MISSED|SAYS NOTHING|NOT MEASURED|VOID:/.test(text))
      missing.push(`${name} tells of something that failed.`);
    if (/^Not run for this commit/m.test(text))
      missing.push(`${name} has no canaries: make soak-canaries, then make soak.`);
  }
  for (const wanted of ['soak', 'bench'])
    if (!reports.some(({ name }) => name.startsWith(`${wanted}/`)))
      missing.push(`There is no report of make ${wanted}.`);
  return missing;
}

function changedSince(commit: string): string[] | undefined {
  try {
    const out = execFileSync('git', ['diff', '--name-only', commit, '--', ...shipped], { cwd: root, stdio: 'pipe' });
    return out.toString().split('\n').filter(Boolean);
  } catch {
    return undefined;
  }
}

function reportsHere(version: string): Report[] {
  return ['soak', 'bench'].flatMap((folder) =>
    readdirSync(join(root, folder))
      .filter((name) => name === `report-v${version}.md`)
      .map((name) => ({ name: `${folder}/${name}`, text: readFileSync(join(root, folder, name), 'utf8') })),
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { version }: { version: string } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const missing = missingIn(reportsHere(version.split('.').slice(0, 2).join('.')), changedSince);
  for (const one of missing) process.stdout.write(`✗ ${one}\n`);
  if (missing.length === 0) process.stdout.write('✓ both reports are of this program, and every canary was caught\n');
  process.exitCode = missing.length === 0 ? 0 : 1;
}
