import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { arch, cpus, platform, totalmem } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { findBinaries } from '../app/database/embedded-binaries.ts';
import program from '../package.json' with { type: 'json' };
import { findPostgres } from './external.ts';
import type { DatabaseKind } from './house.ts';
import { databaseKinds } from './house.ts';
import { NotMeasured, type Options, type Part } from './part.ts';
import { charging } from './parts/charging.ts';
import { coldStart } from './parts/cold-start.ts';
import { events } from './parts/events.ts';
import { installSize } from './parts/install-size.ts';
import { lists } from './parts/lists.ts';
import { memory } from './parts/memory.ts';
import { operations } from './parts/operations.ts';
import { busyCores } from './processes.ts';
import {
  columnsOf,
  drawReport,
  type Entry,
  fails,
  type Judgement,
  judge,
  notRun,
  type Report,
  reasonsOf,
  regressions,
  reportShape,
} from './report.ts';

// Measures the whole and writes the report of this release. Every part is measured on the database that comes with the
// program and on one of this machine, and can be run by itself; the others are then kept as they were.

const parts: readonly Part[] = [coldStart, memory, operations, charging, lists, events, installSize];

const usage = `Measures the whole and writes bench/report-vX.Y.md and .json.

  node --initial-heap-size=256 --v8-pool-size=1 --import tsx bench/main.ts
    [--only PART,PART] [--database embedded|external] [--idle-minutes N] [--seed N] [--short] [--into FOLDER]

  --only PART       ${parts.map(({ name }) => name).join(', ')}; the rest of the report stays as it was
  --database KIND   on one database only
  --idle-minutes N  how long it rests before its memory is judged (default 10)
  --seed N          what is drawn by chance is drawn by this (default 1)
  --short           charging and lists in a minute, on the embedded database: only ratios are judged, and nothing is kept
  --into FOLDER     where the report is written (default bench/)

Exit code 1: a promise of the README was missed or what was measured says nothing of it, or a figure is worse than in the last release by more than 10 % without a
reason in bench/reasons.md.
`;

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    database: { type: 'string' },
    'idle-minutes': { type: 'string' },
    seed: { type: 'string', default: '1' },
    short: { type: 'boolean', default: false },
    into: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

const root = fileURLToPath(new URL('..', import.meta.url));
const shortParts = new Set(['charging', 'lists']);

function git(...args: string[]): string {
  try {
    return execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return '';
  }
}

/** What is measured: the commit, and whether something of it was changed meanwhile. The report itself does not count. */
function commitOf(): string {
  const commit = git('rev-parse', '--short=12', 'HEAD');
  if (commit === '') return 'unknown';
  const changed = git('status', '--porcelain', '--', '.', ':!bench/report-*', ':!docs/growth-measured.md');
  return changed === '' ? commit : `${commit} with changes`;
}

function versionsOfPostgres(): Report['postgres'] {
  const bin = findPostgres();
  const told = bin && execFileSync(join(bin, 'postgres'), ['--version'], { encoding: 'utf8' });
  const external = told ? /\d+(\.\d+)*/.exec(told)?.[0] : undefined;
  return { embedded: findBinaries().version, ...(external ? { external } : {}) };
}

function chosen(): Part[] {
  const names = values.only?.split(',');
  const unknown = names?.find((name) => !parts.some((part) => part.name === name));
  if (unknown !== undefined)
    throw new Error(`--only: there is no part ${unknown}; there are ${parts.map(({ name }) => name).join(', ')}`);
  const isWanted = ({ name }: Part) => (names ? names.includes(name) : !values.short || shortParts.has(name));
  return parts.filter(isWanted);
}

async function main(): Promise<number> {
  const kind = values.database;
  if (kind !== undefined && !databaseKinds.some((one) => one === kind))
    throw new Error(`--database: give ${databaseKinds.join(' or ')}`);
  const options: Options = {
    seed: Number(values.seed),
    isShort: values.short,
    idleMinutes: Number(values['idle-minutes'] ?? (values.short ? 0.1 : 10)),
  };
  if (!(options.idleMinutes >= 0)) throw new Error('--idle-minutes: give a number of minutes');
  const version = `v${program.version.split('.').slice(0, 2).join('.')}`;
  const folder = values.into ?? join(root, 'bench');
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `report-${version}.json`);
  const commit = commitOf();
  const machine = {
    cores: cpus().length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    system: `${platform()} ${arch()}`,
    node: process.versions.node,
  };
  const kept =
    !values.short && existsSync(file) ? reportShape.parse(JSON.parse(readFileSync(file, 'utf8'))) : undefined;
  const isSameMachine = JSON.stringify(kept?.machine) === JSON.stringify(machine);
  const report: Report = {
    version,
    seed: options.seed,
    idleMinutes: options.idleMinutes,
    machine,
    postgres: versionsOfPostgres(),
    // What another machine measured does not belong into one report with this one.
    parts: (values.only || kind) && isSameMachine ? { ...kept?.parts } : {},
  };

  const ran = chosen();
  let isBroken = false;
  for (const part of ran) {
    for (const column of columnsOf(part)) {
      if (column !== 'any' && (kind ?? (values.short ? 'embedded' : column)) !== column) continue;
      const began = performance.now();
      process.stderr.write(`${part.title}${column === 'any' ? '' : `, ${column}`}…`);
      const { [column]: _, ...others } = report.parts[part.name] ?? {};
      report.parts[part.name] = others;
      try {
        const found = await measured(part, column === 'external' ? 'external' : 'embedded', options, commit);
        report.parts[part.name] = { ...others, [column]: found };
      } catch (error) {
        // The others are measured all the same: the whole takes long.
        isBroken = true;
        process.stderr.write(` BROKEN: ${error instanceof Error ? error.message : String(error)}\n`);
      }
      process.stderr.write(` ${Math.round((performance.now() - began) / 1000)} s\n`);
      if (!values.short) writeFileSync(file, `${JSON.stringify(report, undefined, 1)}\n`);
    }
  }

  const isWhole = !values.only && !values.short && !kind;
  const shown = values.short ? ran : parts;
  const isLeftOut = ({ verdict, measured: why }: Judgement) => verdict === 'NOT MEASURED' && why === notRun;
  const judgements = judge(report, isWhole ? parts : ran, values.short).filter((one) => isWhole || !isLeftOut(one));
  const before = lastRelease(folder, version);
  const reasons = reasonsOf(readFileSync(join(root, 'bench', 'reasons.md'), 'utf8'));
  const changes = before ? regressions(before, report, reasons) : [];
  const compared = before
    ? { with: before.version, changes }
    : 'There is no earlier release whose report it could be compared with.';
  const text = drawReport(report, shown, commit, judge(report, shown, values.short), compared);
  if (!values.short) writeFileSync(file.replace(/\.json$/, '.md'), text);
  process.stdout.write(values.short ? text : '');

  for (const { verdict, what, measured: how } of judgements)
    process.stdout.write(`${verdict.padEnd(13)} ${what}: ${how}\n`);
  for (const { key, worse, reason } of changes)
    process.stdout.write(
      `${reason ? 'worse        ' : 'REGRESSION   '} ${key}: ${(worse * 100).toFixed(0)} % worse than in ${before?.version}; ${reason ?? 'no reason in bench/reasons.md'}\n`,
    );
  // A part that this machine has no means for is shown; one that was left out of a whole run is a hole in the proof.
  const isMissed = judgements.some((one) => fails(one) || isLeftOut(one));
  return isBroken || isMissed || changes.some(({ reason }) => reason === undefined) ? 1 : 0;
}

async function measured(part: Part, kind: DatabaseKind, options: Options, commit: string): Promise<Entry> {
  const busy = await busyCores();
  try {
    return { commit, busy, result: await part.measure(kind, options) };
  } catch (error) {
    if (error instanceof NotMeasured) return { commit, notMeasured: error.message };
    throw error;
  }
}

/** The newest report of a version before this one. */
function lastRelease(folder: string, version: string): Report | undefined {
  const order = (name: string) =>
    (/v(\d+)\.(\d+)/.exec(name) ?? []).slice(1).reduce((sum, one) => sum * 1e6 + Number(one), 0);
  const name = readdirSync(folder)
    .filter((one) => /^report-v\d+\.\d+\.json$/.test(one) && order(one) < order(version))
    .sort((a, b) => order(a) - order(b))
    .at(-1);
  return name === undefined ? undefined : reportShape.parse(JSON.parse(readFileSync(join(folder, name), 'utf8')));
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
if (values.help) process.stdout.write(usage);
else process.exitCode = await main();
