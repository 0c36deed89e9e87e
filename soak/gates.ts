import type { Leak } from './watch.ts';

/** What happens in a soak and is counted. Each has a minimum, below which the run says nothing. */
export const kinds = [
  'customers',
  'signUps',
  'declinedCards',
  'usages',
  'streamedUsages',
  'duplicates',
  'lateUsages',
  'outOfOrderUsages',
  'topUps',
  'renewals',
  'dashboards',
  'chats',
  'modelChats',
  'rulesChats',
  'escalations',
  'faults',
  'kills',
  'killsUnderWay',
  'probes',
  'probesTmf',
  'probesTools',
  'probesTerminal',
  'probesChat',
  'probesMcp',
  'probesPages',
  'answersScanned',
  'scannedTools',
  'scannedTerminal',
  'scannedChat',
  'scannedMcp',
  'scannedPages',
  'scannedMail',
  'ownSeen',
  'acknowledged',
  'readBack',
  'invariantLooks',
  'wholeLooks',
  'memorySamples',
] as const;
export type Kind = (typeof kinds)[number];
export type Counts = Record<Kind, number>;
export type Minimums = Readonly<Counts>;

export interface SurfaceTimes {
  readonly surface: string;
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  readonly longest: number;
}

export interface MemorySample {
  /** Hours of business time since the beginning. */
  readonly hour: number;
  /** Which server this is, from 0: one that was killed begins anew. */
  readonly life: number;
  readonly serverMb: number;
  readonly databaseMb: number;
}

export interface TableSample {
  readonly hour: number;
  /** Usage records, orders, turns and the like that were acknowledged up to here. */
  readonly acknowledged: number;
  readonly databaseMb: number;
  /** Rows of what must not pile up: work that waits, sessions, counters. */
  readonly passing: number;
  readonly largest: readonly { table: string; kb: number; rows: number }[];
}

/** All that the gates judge, as the run counted it. */
export interface Figures {
  readonly counts: Counts;
  /** The tools whose answers were withheld on the way out. */
  readonly trips: readonly string[];
  readonly refusals: number;
  /** Probes that were not refused, for whoever looks. */
  readonly notRefused: readonly string[];
  readonly leaks: readonly Leak[];
  readonly turns: {
    readonly sent: number;
    readonly answered: number;
    /** Answered and not recorded. */
    readonly missing: number;
    /** Recorded more than once, or never sent. */
    readonly surplus: number;
    /** Recorded with other tokens than the model counted. */
    readonly otherTokens: number;
  };
  readonly chat: readonly (SurfaceTimes & { readonly model: string })[];
  readonly lost: readonly string[];
  /** Errors of the server, and answers that did not come while nobody killed anything. */
  readonly errors: readonly string[];
  readonly breaches: readonly string[];
  readonly renewals: { readonly due: number; readonly once: number; readonly wrong: readonly string[] };
  readonly memory: readonly MemorySample[];
  readonly tables: readonly TableSample[];
  readonly times: readonly SurfaceTimes[];
}

export const limits = {
  chatAlarmMs: 5000,
  chatFailMs: 15_000,
  /** Any other surface; a machine of two cores that does everything else of the run as well. */
  surfaceMs: 5000,
  /** Server and database together, at any moment. */
  wholeMbMax: 450,
  /** How much more the server that lives longest may hold in the last third of its life than in the second, in MB. */
  serverGrowthMb: 60,
  databaseGrowthMb: 120,
  /** Samples of one life, below which growth says nothing. */
  lifeSamplesMin: 9,
  /** What one acknowledged write may add to the database with its events, indexes and work, in KB. */
  kbPerWrite: 40,
  /** Rows that wait or pass, for each acknowledged write: an answer is kept for a day of machine time under its key. */
  passingPerWrite: 2,
} as const;

export const gateNames = [
  'probes',
  'trips',
  'leaks',
  'drift',
  'chat p99',
  'lost writes',
  'errors',
  'invariants',
  'renewals',
  'memory',
  'tables',
  'p99',
] as const;
export type GateName = (typeof gateNames)[number];

export interface Judgement {
  readonly gate: GateName;
  readonly held: boolean;
  /** Not good, and not a failure. */
  readonly alarm: boolean;
  readonly says: string;
}

/** Kinds of which there was too little: then the run is void, whatever its gates say. */
export function belowMinimum(counts: Counts, minimums: Minimums): string[] {
  return kinds
    .filter((kind) => counts[kind] < minimums[kind])
    .map((kind) => `${kind}: ${counts[kind]} of at least ${minimums[kind]}`);
}

const middle = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
};

/** The median of the last third less that of the first, of samples in order. */
export function growth(values: readonly number[]): number {
  const third = Math.floor(values.length / 3);
  if (third === 0) return 0;
  return middle(values.slice(-third)) - middle(values.slice(0, third));
}

/** Samples of the server that lived longest, in order. A kill hides what it had gathered, so only one life is compared. */
export function longestLife(memory: readonly MemorySample[]): MemorySample[] {
  const lives = new Map<number, MemorySample[]>();
  for (const sample of memory) lives.set(sample.life, [...(lives.get(sample.life) ?? []), sample]);
  return [...lives.values()].reduce((longest, life) => (life.length > longest.length ? life : longest), []);
}

/** What a server gathers once it is warm: the median of the last third of its life less that of the second. */
export function growthInLife(values: readonly number[]): number {
  const third = Math.floor(values.length / 3);
  return middle(values.slice(-third)) - middle(values.slice(third, -third));
}

/** Chat-usage drift in percent of the turns that were answered. */
export function driftOf({ answered, missing, surplus, otherTokens }: Figures['turns']): number {
  return answered === 0 ? 100 : (100 * (missing + surplus + otherTokens)) / answered;
}

/** KB that the database grew for each acknowledged write, from the first sample to the last. */
export function kbPerWrite(tables: readonly TableSample[]): number {
  const [first, last] = [tables[0], tables.at(-1)];
  if (!first || !last || last.acknowledged <= first.acknowledged) return Number.POSITIVE_INFINITY;
  return ((last.databaseMb - first.databaseMb) * 1024) / (last.acknowledged - first.acknowledged);
}

const some = (all: readonly string[]): string => all.slice(0, 3).join('; ');

/** The judgement of every gate, from figures alone. */
export function judge(figures: Figures): Judgement[] {
  const { counts, turns, memory, tables } = figures;
  const told: Judgement[] = [];
  const gate = (name: GateName, held: boolean, says: string, alarm = false): void => {
    told.push({ gate: name, held, alarm, says });
  };
  gate(
    'probes',
    figures.refusals === counts.probes && figures.notRefused.length === 0,
    `${figures.refusals} refusals of ${counts.probes} probes${figures.notRefused.length > 0 ? `; answered: ${some(figures.notRefused)}` : ''}`,
  );
  gate(
    'trips',
    figures.trips.length === 0,
    `${figures.trips.length} times the check on the way out had to withhold an answer${figures.trips.length > 0 ? `: ${some(figures.trips)}` : ''}`,
  );
  const leaks = figures.leaks.map(
    ({ surface, where, found }) => `${surface} ${where} told ${found.slice(0, 12)}… of another customer`,
  );
  gate(
    'leaks',
    leaks.length === 0,
    leaks.length === 0
      ? `0 in ${counts.answersScanned} answers; of what was the reader’s own ${counts.ownSeen} things were seen`
      : `${leaks.length}: ${some(leaks)}`,
  );
  const drift = driftOf(turns);
  gate(
    'drift',
    drift === 0,
    `${drift.toFixed(2)} %: ${turns.sent} turns sent, ${turns.answered} answered, ${turns.missing} not recorded, ${turns.surplus} recorded too often, ${turns.otherTokens} with other tokens`,
  );
  const slowest = [...figures.chat].sort((a, b) => b.p99 - a.p99)[0];
  gate(
    'chat p99',
    slowest !== undefined && slowest.p99 < limits.chatFailMs,
    slowest === undefined
      ? 'nobody chatted'
      : figures.chat.map(({ model, p99, count }) => `${model}: ${Math.round(p99)} ms over ${count} turns`).join(', '),
    slowest !== undefined && slowest.p99 >= limits.chatAlarmMs,
  );
  gate(
    'lost writes',
    figures.lost.length === 0,
    figures.lost.length === 0
      ? `0 of ${counts.acknowledged} acknowledged; ${counts.readBack} were read back`
      : `${figures.lost.length}: ${some(figures.lost)}`,
  );
  gate(
    'errors',
    figures.errors.length === 0,
    figures.errors.length === 0
      ? 'no 5xx but 503; every answer came, but where something was killed'
      : `${figures.errors.length}: ${some(figures.errors)}`,
  );
  gate(
    'invariants',
    figures.breaches.length === 0,
    figures.breaches.length === 0
      ? `held at ${counts.invariantLooks} instants, the whole of them with the outside’s own books at ${counts.wholeLooks}`
      : `${figures.breaches.length}: ${some(figures.breaches)}`,
  );
  const { due, once, wrong } = figures.renewals;
  gate(
    'renewals',
    wrong.length === 0 && due === once,
    `${once} of ${due} boundaries charged once${wrong.length > 0 ? `; ${some(wrong)}` : ''}`,
  );
  const life = longestLife(memory);
  const server = growthInLife(life.map(({ serverMb }) => serverMb));
  const database = growth(memory.map(({ databaseMb }) => databaseMb));
  const peak = Math.max(0, ...memory.map(({ serverMb, databaseMb }) => serverMb + databaseMb));
  gate(
    'memory',
    life.length >= limits.lifeSamplesMin &&
      peak <= limits.wholeMbMax &&
      server <= limits.serverGrowthMb &&
      database <= limits.databaseGrowthMb,
    `at most ${Math.round(peak)} MB (bound ${limits.wholeMbMax}); the server that lived longest, ${life.length} samples, once warm: ${signed(server)} MB (bound ${limits.serverGrowthMb}); the database from first third to last: ${signed(database)} MB (bound ${limits.databaseGrowthMb})`,
  );
  const cost = kbPerWrite(tables);
  const passing = (tables.at(-1)?.passing ?? 0) / Math.max(1, counts.acknowledged);
  gate(
    'tables',
    cost <= limits.kbPerWrite && passing <= limits.passingPerWrite,
    `${cost.toFixed(1)} KB an acknowledged write (bound ${limits.kbPerWrite}); ${passing.toFixed(1)} passing rows a write (bound ${limits.passingPerWrite})`,
  );
  // Moving time is no answer to anybody who waits: hours of work are done in it.
  const slow = figures.times.filter(({ surface, p99 }) => surface !== 'clock' && p99 >= limits.surfaceMs);
  gate(
    'p99',
    figures.times.length > 0 && slow.length === 0,
    slow.length === 0
      ? `every surface below ${limits.surfaceMs} ms`
      : slow.map(({ surface, p99 }) => `${surface}: ${Math.round(p99)} ms`).join(', '),
  );
  return told;
}

const signed = (value: number): string => `${value < 0 ? '' : '+'}${Math.round(value)}`;

/** Whether a report may be written: every minimum was reached, and every gate held. */
export function passed(figures: Figures, minimums: Minimums): boolean {
  return belowMinimum(figures.counts, minimums).length === 0 && judge(figures).every(({ held }) => held);
}
