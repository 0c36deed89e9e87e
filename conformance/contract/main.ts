/**
 * `npx tsx conformance/contract/main.ts` proves that the contracts say what the official documents say, and tries the
 * comparer itself. With `--lock` it first writes `specs/official.lock.json` anew from the official files.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Json } from './json.ts';
import { fingerprints, type Lock, sha256 } from './lock.ts';
import { normalForm } from './normal-form.ts';
import { type Case, gather, idleDeviations, officialDirectory, proveByLock, proveByOfficial } from './proof.ts';
import { contractSubjects, officialSubjects, type Trial, tryMutations, tryRewrites } from './trial.ts';

const MUTATIONS_PER_KIND = 25;
const REWRITES = 200;
const SEED = 20260728;

const root = resolve(import.meta.dirname, '../..');
const officialFiles = officialDirectory(root);
const problems: string[] = [];

function row(...cells: (string | number)[]): void {
  const widths = [20, 14, 14, 14, 40];
  console.log(
    cells
      .map((cell, index) => String(cell).padEnd(widths[index] ?? 0))
      .join('')
      .trimEnd(),
  );
}

/** The official v4 file of each contract: a Swagger 2 file whose name begins with the API's. */
function writeLock(): void {
  const files = ['v4', 'neighbours'].flatMap((directory) =>
    readdirSync(join(officialFiles, directory)).map((name) => `${directory}/${name}`),
  );
  const apis = readdirSync(join(root, 'generated/openapi')).map((name) => name.slice(0, 6));
  const entries = apis.sort().map((api) => {
    const file = files.find((name) => name.includes(`/${api}`) && name.endsWith('swagger.json'));
    if (file === undefined) throw new Error(`there is no official file of ${api} in ${officialFiles}`);
    const text = readFileSync(join(officialFiles, file), 'utf8');
    const document: Json = JSON.parse(text);
    return [api, { file, sha256: sha256(text), fingerprints: fingerprints(normalForm(document)) }] as const;
  });
  const lock: Lock = Object.fromEntries(entries);
  writeFileSync(join(root, 'specs/official.lock.json'), `${JSON.stringify(lock, null, 2)}\n`);
}

/** The parts of a contract that equal the official document, of how many. */
function score({ locked }: Case, findings: string[], prefix: string): string {
  const units = Object.keys(locked.fingerprints).filter((unit) => unit.startsWith(prefix));
  return `${units.filter((unit) => !findings.some((finding) => finding.startsWith(`${unit} `))).length}/${units.length}`;
}

const noted = (api: string, findings: string[]): void => {
  problems.push(...findings.map((finding) => `${api} ${finding}`));
};

function prove(): void {
  const { cases, deviations } = gather(root, officialFiles);
  const uses: Map<string, number>[] = [];
  row('API', 'operations', 'schemas', 'deviations', 'official file');
  for (const one of cases) {
    const { api, contract, locked, official } = one;
    const { findings, used } = proveByLock(api, contract, locked, deviations);
    uses.push(used);
    noted(api, findings);
    const full = official === null ? null : proveByOfficial({ ...one, official }, deviations).findings;
    noted(api, full ?? []);
    const verdict = full === null ? 'NOT RUN: not at hand' : full.length === 0 ? 'equal' : `${full.length} differences`;
    const places = [...used.values()].reduce((sum, count) => sum + count, 0);
    row(api, score(one, findings, 'operations/'), score(one, findings, 'schemas/'), places, verdict);
  }
  for (const id of idleDeviations(deviations, uses))
    problems.push(`${id} is declared in specs/deviations.yaml and holds nowhere`);
  const totals = [...new Set(deviations.map(({ id }) => id))].map(
    (id) => [id, uses.reduce((sum, used) => sum + (used.get(id) ?? 0), 0)] as const,
  );
  console.log('\nDeviations, and the places where each holds');
  for (const [id, places] of totals) console.log(`  ${id.padEnd(26)}${places}`);
  const officials = officialSubjects(cases, deviations);
  const contracts = contractSubjects(cases, deviations);
  report(
    officials.length === 0
      ? null
      : [...tryMutations(officials, MUTATIONS_PER_KIND, SEED), tryRewrites(officials, REWRITES, SEED)],
    [...tryMutations(contracts, MUTATIONS_PER_KIND, SEED), tryRewrites(contracts, REWRITES, SEED)],
  );
}

function report(onOfficial: Trial[] | null, onContract: Trial[]): void {
  console.log('\nThe comparer: faults caught of planted, and harmless rewrites reported of made');
  row('', 'official', 'contract');
  const shown = (trial: Trial | undefined): string => {
    if (!trial) return 'NOT RUN';
    const isRewrite = trial.kind === 'rewrite';
    if (trial.planted < (isRewrite ? REWRITES : 20))
      problems.push(`only ${trial.planted} of the kind ${trial.kind} could be planted`);
    problems.push(
      ...trial.missed.map(
        (what) => `${isRewrite ? 'a harmless rewrite is reported' : `a fault is missed (${trial.kind})`}: ${what}`,
      ),
    );
    return `${isRewrite ? trial.missed.length : trial.planted - trial.missed.length}/${trial.planted}`;
  };
  for (const [index, trial] of onContract.entries()) row(trial.kind, shown(onOfficial?.[index]), shown(trial));
}

if (process.argv.includes('--lock')) writeLock();
prove();
for (const problem of problems) console.error(problem);
console.log(
  problems.length === 0
    ? '\nThe contracts equal the official documents but for the declared deviations.'
    : `\n${problems.length} problems.`,
);
process.exitCode = problems.length === 0 ? 0 : 1;
