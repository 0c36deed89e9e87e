import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import program from '../package.json' with { type: 'json' };
import { type Judgement, kbPerWrite, kinds } from './gates.ts';
import type { Outcome } from './run.ts';
import type { Size } from './size.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
/** `0.1.0-dev` is on its way to v0.1. */
export const reportName = `report-v${program.version.split('.').slice(0, 2).join('.')}.md`;

export interface Told {
  readonly size: Size;
  readonly seed: number;
  /** What was run: a commit that came meanwhile is another. */
  readonly commit: string;
  readonly isPassed: boolean;
  readonly below: readonly string[];
  readonly gates: readonly Judgement[];
}

/** What is said of the machine: what a figure depends on, and nothing by which it could be found. */
export interface Machine {
  readonly cores: number;
  readonly model: string;
  readonly memoryGb: number;
  readonly node: string;
  readonly postgres: string;
}

function git(...args: string[]): string {
  try {
    return execFileSync('git', args, { cwd: root, stdio: ['ignore', 'pipe', 'ignore'] })
      .toString()
      .trim();
  } catch {
    return '';
  }
}

export function commitOf(): string {
  const commit = git('rev-parse', '--short=12', 'HEAD');
  if (commit === '') return 'unknown';
  // The report itself is what a run writes.
  const changed = git('status', '--porcelain', '--', '.', ':!soak/report-*.md', ':!bench/report-*.md');
  return changed === '' ? commit : `${commit} with changes that were not committed`;
}

/**
 * Writes the report: beside the soak when the whole size has passed all its minimums and gates, else to a place of which
 * git knows nothing. @returns where
 */
export async function write(outcome: Outcome, told: Told): Promise<string> {
  const machine: Machine = {
    cores: cpus().length,
    model: cpus()[0]?.model ?? 'unknown',
    memoryGb: Math.round(totalmem() / 2 ** 30),
    node: process.versions.node,
    postgres: outcome.postgres,
  };
  const known = canaries(told.commit);
  const isReport = told.isPassed && told.size.name === 'whole' && known?.includes(notCaught) !== true;
  const folder = join(root, 'soak', isReport ? '' : 'scratch');
  mkdirSync(folder, { recursive: true });
  const name = isReport ? reportName : `${told.size.name}-seed-${told.seed}.md`;
  writeFileSync(join(folder, name), reportOf(outcome, told, { machine, canaries: known }));
  return `soak/${isReport ? '' : 'scratch/'}${name}`;
}

/** What is written of a canary that its own gate did not fail alone: no report of such a commit is kept. */
export const notCaught = 'NOT CAUGHT';

/** What `make soak-canaries` left, when it was run on this commit. */
function canaries(commit: string): string | undefined {
  const file = join(root, 'soak/scratch/canaries.md');
  if (!existsSync(file)) return undefined;
  const text = readFileSync(file, 'utf8');
  return text.includes(`commit ${commit}.`) ? text : undefined;
}

const table = (head: readonly string[], rows: readonly (readonly (string | number)[])[]): string =>
  [
    `| ${head.join(' | ')} |`,
    `|${head.map((_, place) => (place === 0 ? '---' : '---:')).join('|')}|`,
    ...rows.map((row) => `| ${row.join(' | ')} |`),
  ].join('\n');

const ms = (value: number): string => (value < 10 ? value.toFixed(1) : String(Math.round(value)));

/** So many of a list, evenly, with the first and the last. */
export function thinned<T>(all: readonly T[], most: number): T[] {
  if (all.length <= most) return [...all];
  return Array.from({ length: most }, (_, place) => all[Math.round((place * (all.length - 1)) / (most - 1))]).filter(
    (one): one is T => one !== undefined,
  );
}

export function reportOf(
  outcome: Outcome,
  told: Told,
  given: { machine: Machine; canaries: string | undefined },
): string {
  const { figures, kills, faults } = outcome;
  const { machine } = given;
  const { size } = told;
  const starts = kills.map(({ startMs }) => startMs).sort((a, b) => a - b);
  return `${[
    `# Soak, ${program.version}`,
    '',
    `${told.isPassed ? 'Passed' : 'NOT passed'}: ${size.customers} customers who pay and ${outcome.figures.counts.signUps - size.customers} whose cards do not, over ${outcome.days} days of business time in ${outcome.steps} steps (the first ${size.hourlyDays} days hour by hour, then every ${size.laterHours} hours), in ${outcome.seconds} seconds. The server is the built one, with its embedded database; the sandboxes of card gateway and network run beside it; mail goes out by SMTP; everything comes in by the public doors.`,
    '',
    table(
      ['What', 'Is'],
      [
        ['Seed', told.seed],
        ['Commit', told.commit],
        ['Machine', `${machine.cores} cores (${machine.model}), ${machine.memoryGb} GB`],
        ['Node', machine.node],
        ['PostgreSQL', machine.postgres],
        ['Command', `make soak SEED=${told.seed}`],
      ],
    ),
    '',
    '## Gates',
    '',
    table(
      ['Gate', 'Judgement', 'Figures'],
      told.gates.map(({ gate, held, alarm, says }) => [gate, held ? (alarm ? 'alarm' : 'held') : 'FAILED', says]),
    ),
    '',
    ...told.below.map((one) => `VOID: ${one}\n`),
    '## What happened',
    '',
    table(
      ['Kind', 'Count', 'Minimum'],
      kinds.map((kind) => [kind, figures.counts[kind], size.minimums[kind]]),
    ),
    '',
    '## Answers, by surface',
    '',
    'In milliseconds, as the caller saw them, while the same machine ran the callers, the outside and the kills. Tries that died with the server are not among them.',
    '',
    table(
      ['Surface', 'Answers', 'p50', 'p99', 'Longest'],
      [
        ...figures.times.map(({ surface, count, p50, p99, longest }) => [
          surface,
          count,
          ms(p50),
          ms(p99),
          ms(longest),
        ]),
        ...figures.chat.map(({ model, count, p50, p99, longest }) => [
          `chat, ${model}`,
          count,
          ms(p50),
          ms(p99),
          ms(longest),
        ]),
      ],
    ),
    '',
    'A customer has no TMF door: probes by TMF show that it is closed to them, those by all others that what is another’s is.',
    '',
    '## Memory over time',
    '',
    'Proportional set size in MB. A server that was killed begins anew.',
    '',
    table(
      ['Day', 'Server', 'Database', 'Together'],
      thinned(figures.memory, 16).map(({ hour, serverMb, databaseMb }) => [
        (hour / 24).toFixed(1),
        Math.round(serverMb),
        Math.round(databaseMb),
        Math.round(serverMb + databaseMb),
      ]),
    ),
    '',
    '## Tables over time',
    '',
    `All tables with their indexes; ${kbPerWrite(figures.tables).toFixed(1)} KB for each acknowledged write. What passes are waiting steps, kept answers, confirmations, sessions, codes and counters.`,
    '',
    table(
      ['Day', 'Acknowledged', 'MB', 'Passing rows', 'Largest'],
      thinned(figures.tables, 12).map(({ hour, acknowledged, databaseMb, passing, largest }) => [
        (hour / 24).toFixed(0),
        acknowledged,
        databaseMb.toFixed(1),
        passing,
        largest
          .slice(0, 3)
          .map((one) => `${one.table} ${(one.kb / 1024).toFixed(1)} MB, ${one.rows} rows`)
          .join('; '),
      ]),
    ),
    '',
    '## What it survived',
    '',
    table(
      ['Failure', 'Times'],
      [
        ...[...new Set(kills.map(({ victim }) => victim))].map((victim) => [
          `kill -9 of ${victim === 'gateway' ? 'the sandboxes' : `the ${victim}`}`,
          kills.filter((one) => one.victim === victim).length,
        ]),
        ['calls to gateway and network that failed, hung or lost their answer', faults.outside],
        ['letters that the mail server refused for now, or took and said nothing', faults.mail],
        ['turns in which the language model was out of order', faults.model],
        ['requests that got no answer, and were sent again where that is safe', outcome.unanswered],
        ['answers that named a later time instead (429, 503), while nothing was killed', outcome.later],
        ['probes that were told to come back later, which no count holds', outcome.putOff],
        ['cards declined, at sign-up or renewal', figures.counts.declinedCards],
      ],
    ),
    '',
    `Requests under way when it was killed: ${kills.map(({ underWay }) => underWay).join(', ')}; tries without an answer: ${kills.map(({ unanswered }) => unanswered).join(', ')}.`,
    '',
    `From a kill to the first answer: ${starts[Math.floor(starts.length / 2)] ?? 0} ms in the median, ${starts.at(-1) ?? 0} ms at the longest.`,
    '',
    '## Canaries',
    '',
    given.canaries ?? 'Not run for this commit: `make soak-canaries`.',
  ].join('\n')}\n`;
}
