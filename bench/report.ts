import { z } from 'zod';
import { databaseKinds } from './house.ts';
import { type Figure, type Part, type Promised, partResult, type Table } from './part.ts';
import { busyMin } from './processes.ts';

// The report: what each part measured, the promises that were kept and missed, and what became slower since the release
// before. It is kept beside the program, as text for people and as JSON for the release after.

const entry = z.union([
  /** `busy` is how many cores had other work before it began. */
  z.object({ commit: z.string(), busy: z.number(), result: partResult }),
  z.object({ commit: z.string(), notMeasured: z.string() }),
]);

export const reportShape = z.object({
  version: z.string(),
  seed: z.number(),
  idleMinutes: z.number(),
  machine: z.object({ cores: z.number(), memoryGb: z.number(), system: z.string(), node: z.string() }),
  postgres: z.partialRecord(z.enum(databaseKinds), z.string()),
  /** By part, then by database; `any` where the database makes no difference. */
  parts: z.record(z.string(), z.record(z.string(), entry)),
});
export type Report = z.infer<typeof reportShape>;
export type Entry = z.infer<typeof entry>;

export interface Judgement {
  what: string;
  verdict: 'kept' | 'MISSED' | 'SAYS NOTHING' | 'NOT MEASURED';
  measured: string;
}

export const judgementOf = ({ what, measured, isKept, saysNothing }: Promised): Judgement => ({
  what,
  verdict: saysNothing ? 'SAYS NOTHING' : isKept ? 'kept' : 'MISSED',
  measured,
});

/** What ends a run with 1. A comparison that says nothing has not shown that the promise is kept. */
export const fails = ({ verdict }: Judgement): boolean => verdict === 'MISSED' || verdict === 'SAYS NOTHING';

export const columnsOf = (part: Pick<Part, 'isByDatabase'>): readonly string[] =>
  part.isByDatabase ? databaseKinds : ['any'];

export const notRun = 'it was not run';

/**
 * Every promise on every database, and what stands in the way of judging it.
 * @param onlyRatios what a machine can judge that does other things beside.
 */
export function judge(
  report: Report,
  parts: readonly Pick<Part, 'name' | 'title' | 'isByDatabase'>[],
  onlyRatios = false,
): Judgement[] {
  return parts.flatMap((part) =>
    columnsOf(part).flatMap((column): Judgement[] => {
      const found = report.parts[part.name]?.[column];
      const on = column === 'any' ? '' : `, ${column} PostgreSQL`;
      if (!found) return [{ what: `${part.title}${on}`, verdict: 'NOT MEASURED', measured: notRun }];
      if ('notMeasured' in found)
        return [{ what: `${part.title}${on}`, verdict: 'NOT MEASURED', measured: found.notMeasured }];
      const judged = found.result.promises.filter(({ isRatio }) => isRatio || !onlyRatios);
      return judged.map((one) => judgementOf({ ...one, what: `${one.what}${on}` }));
    }),
  );
}

export const slowerMax = 0.1;

export interface Change {
  key: string;
  before: number;
  after: number;
  unit: Figure['unit'];
  /** How much worse it is, as a part of what it was. */
  worse: number;
  reason: string | undefined;
}

const figuresOf = (report: Report): Map<string, Figure> =>
  new Map(
    Object.values(report.parts).flatMap((columns) =>
      Object.entries(columns).flatMap(([column, found]) =>
        'result' in found
          ? found.result.figures.map((figure): [string, Figure] => [`${column}.${figure.key}`, figure])
          : [],
      ),
    ),
  );

/**
 * What is worse by more than a tenth. On another machine only ratios and sizes of what is installed are compared, for they
 * alone are the program's.
 * @param reasons by the key of the figure.
 */
export function regressions(before: Report, after: Report, reasons: ReadonlyMap<string, string>): Change[] {
  const isSameMachine = JSON.stringify(before.machine) === JSON.stringify(after.machine);
  const known = figuresOf(before);
  return [...figuresOf(after)].flatMap(([key, figure]): Change[] => {
    const was = known.get(key);
    if (!was || was.value === 0) return [];
    if (!isSameMachine && figure.unit !== 'ratio' && !figure.key.startsWith('install-size.')) return [];
    const difference = figure.better === 'less' ? figure.value - was.value : was.value - figure.value;
    const worse = difference / was.value;
    if (worse <= slowerMax || difference < (figure.floor ?? 0)) return [];
    return [{ key, before: was.value, after: figure.value, unit: figure.unit, worse, reason: reasons.get(key) }];
  });
}

/** Reads `reasons.md`: a line of a list for each figure, ``- `key`: why``. */
export function reasonsOf(text: string): Map<string, string> {
  return new Map(
    text.split('\n').flatMap((line): [string, string][] => {
      const [, key, reason] = /^- `([^`]+)`: *(\S.*)$/.exec(line) ?? [];
      return key && reason ? [[key, reason]] : [];
    }),
  );
}

export function drawTable({ title, head, rows, note }: Table): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |\n`;
  const under = head.map((_, place) => (place === 0 ? '---' : '---:'));
  return `### ${title}\n\n${line(head)}${line(under)}${rows.map(line).join('')}${note ? `\n${note}\n` : ''}`;
}

/** @param compared is what the comparison found, or a sentence where there is nothing to compare with. */
export function drawReport(
  report: Report,
  parts: readonly Pick<Part, 'name' | 'title' | 'isByDatabase'>[],
  commit: string,
  judgements: readonly Judgement[],
  compared: { with: string; changes: readonly Change[] } | string,
): string {
  const { machine, postgres, seed } = report;
  const versions = Object.entries(postgres).map(([kind, version]) => `${kind} ${version}`);
  const out = [
    `# Bench of ${report.version}\n`,
    `Written by \`make bench\` at commit ${commit}, seed ${seed}. Machine: ${machine.cores} cores, ${machine.memoryGb} GB, ${machine.system}, Node ${machine.node}.`,
    `PostgreSQL: ${versions.join('; ')}.\n`,
    '## Promises\n',
    '| promise | | measured |\n| --- | --- | --- |',
    ...judgements.map(({ what, verdict, measured }) => `| ${what} | ${verdict} | ${measured} |`),
    '\n## Since the last release\n',
    ...(typeof compared === 'string' ? [compared] : drawChanges(compared.with, compared.changes)),
  ];
  for (const part of parts) {
    for (const column of columnsOf(part)) {
      out.push(`\n## ${part.title}${column === 'any' ? '' : `, ${column} PostgreSQL`}\n`);
      const found = report.parts[part.name]?.[column];
      if (!found) out.push(`NOT MEASURED: ${notRun}.`);
      else if ('notMeasured' in found) out.push(`NOT MEASURED: ${found.notMeasured}.`);
      else {
        if (found.commit !== commit) out.push(`Measured at commit ${found.commit}.\n`);
        if (found.busy > busyMin)
          out.push(`The machine did other things beside: ${found.busy.toFixed(1)} cores were busy when it began.\n`);
        out.push(found.result.tables.map(drawTable).join('\n').trimEnd());
      }
    }
  }
  return `${out.join('\n')}\n`;
}

function drawChanges(version: string, changes: readonly Change[]): string[] {
  if (changes.length === 0) return [`Nothing is worse than in ${version} by more than ${slowerMax * 100} %.`];
  return [
    `Worse than in ${version} by more than ${slowerMax * 100} %:\n`,
    '| figure | before | now | worse | reason |\n| --- | ---: | ---: | ---: | --- |',
    ...changes.map(
      ({ key, before, after, unit, worse, reason }) =>
        `| \`${key}\` | ${before.toFixed(2)} ${unit} | ${after.toFixed(2)} ${unit} | ${(worse * 100).toFixed(0)} % | ${reason ?? 'NONE'} |`,
    ),
  ];
}
