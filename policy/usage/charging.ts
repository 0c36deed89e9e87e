import type { Caller } from '../../kernel/caller.ts';
import type { JsonObject } from '../../kernel/json.ts';
import type { Watch } from '../../kernel/watch.ts';
import type { Policy } from '../core/command.ts';
import { writeEvents } from '../core/event.ts';
import { runStatement, type Tx } from '../core/transaction.ts';
import { usageReadable, usageSentences } from './rules.ts';
import type { ReadUsage } from './units.ts';

/** One record on its way into the database. */
export interface UsageEntry {
  document: JsonObject;
  read: ReadUsage;
  /** The code of the rule that refuses it unread. */
  fault?: string;
  /** That of a record which is in the database already. */
  id?: string;
}

/** What became of a record. Quantities are base units: bytes, seconds, messages. */
export interface RecordedUsage {
  id: string;
  status: string;
  /** The code of the rule that refused it. */
  refusedBy: string | null;
  charged: bigint | null;
  excess: bigint | null;
  /** The same record of the same source was here before; this says what became of it then. */
  repeated: boolean;
  version: bigint;
  /** Null unless the whole was asked for. */
  document: JsonObject | null;
}

interface Recording {
  whole: boolean;
  inside?: Tx;
  evenOld?: boolean;
  /** What the call waits for when all is ready for it. */
  turn?: Promise<unknown> | undefined;
}

type RecordingPolicy = Pick<Policy, 'pool' | 'newId' | 'settings' | 'rulesOff' | 'watch'>;

const text = `SELECT place, usage_id AS id, status, refused_by AS "refusedBy", charged, excess, repeated, usage_version AS version, usage_document AS document FROM
  record_usage_batch($1, $2::jsonb, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, make_interval(days => $16), $17, $18::jsonb, $19, $20)`;

/**
 * Records usage in one call: found, locked, judged, spent, and stopped when nothing is left. Each line sees its records
 * in the order they came. Answers in the order of the entries.
 * @param as.inside the open transaction of a command that has entries of the quarantine judged anew; without one the
 *   call is a transaction of its own.
 */
export async function recordEntries(
  policy: RecordingPolicy,
  entries: readonly UsageEntry[],
  caller: Caller,
  as: Recording,
): Promise<RecordedUsage[]> {
  return recordOf(
    policy,
    entries.map((entry) => ({ entry, caller })),
    as,
  );
}

interface Asked {
  entry: UsageEntry;
  caller: Caller;
}

async function recordOf(policy: RecordingPolicy, asked: readonly Asked[], as: Recording): Promise<RecordedUsage[]> {
  const answers = await recordOnce(policy, asked, as);
  // The key of a record that was here before may be forgotten between two statements: then it is asked once more.
  const unanswered = asked.flatMap((one, place) => (answers[place] === undefined ? [{ one, place }] : []));
  if (as.inside || unanswered.length === 0) return answers;
  const second = await recordOnce(
    policy,
    unanswered.map(({ one }) => one),
    as,
  ).catch((error: unknown) => {
    // The others are charged and durable: theirs is not lost with it.
    if (unanswered.length === asked.length) throw error;
    return [];
  });
  for (const [index, { place }] of unanswered.entries()) {
    const answer = second[index];
    if (answer) answers[place] = answer;
  }
  return answers;
}

async function recordOnce(policy: RecordingPolicy, asked: readonly Asked[], as: Recording): Promise<RecordedUsage[]> {
  const callers = [...new Set(asked.map(({ caller }) => caller))];
  const columns = columnsOf(policy, asked);
  const values = [
    as.inside ? null : 'usage.record',
    JSON.stringify(callers),
    callers.length === 1 ? null : asked.map(({ caller }) => callers.indexOf(caller)),
    ...columns.map((column) => `{${column.join(',')}}`),
    policy.settings.usageRetentionDays,
    [...policy.rulesOff],
    usageSentences,
    as.whole,
    as.evenOld === true,
  ];
  await as.turn;
  // The function appends events of its own, when a record of the quarantine ends a line's quota.
  if (as.inside) await writeEvents(as.inside);
  type Row = RecordedUsage & { place: number };
  const rows = as.inside
    ? await as.inside.run<Row>(text, values)
    : await again(() => runStatement<Row>(policy.pool, text, values));
  const answers: RecordedUsage[] = [];
  for (const row of rows) answers[row.place] = row;
  if (policy.watch) told(policy.watch, rows);
  return answers;
}

/** Counted by what became of them: one word for each outcome, however many the records are. */
function told(watch: Watch, rows: readonly RecordedUsage[]): void {
  const counts = new Map<string, number>();
  for (const { repeated, status } of rows) {
    const outcome = repeated ? 'repeated' : status;
    counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
  }
  for (const [outcome, count] of counts) watch.usage(outcome, count);
}

/**
 * The records by columns, each cell as it stands in the text of an array of PostgreSQL. There are a dozen cells to a record
 * and ten thousand records in a second: the driver's own way with arrays takes longer than all the rest.
 */
function columnsOf(policy: RecordingPolicy, asked: readonly Asked[]): string[][] {
  const ids: string[] = [];
  const eventIds: string[] = [];
  const insides: string[] = [];
  const sources: string[] = [];
  const recordIds: string[] = [];
  const numbers: string[] = [];
  const kinds: string[] = [];
  const quantities: string[] = [];
  const dates: string[] = [];
  const units: string[] = [];
  const unitSizes: string[] = [];
  const faults: string[] = [];
  for (const { entry } of asked) {
    const { document, read, fault, id } = entry;
    const date = usageDateOf(document);
    ids.push(id ?? policy.newId('usg'));
    eventIds.push(policy.newId('evt'));
    // Within JSON only quotes and backslashes need an escape, and it is that of arrays.
    insides.push(JSON.stringify(insideOf(document)));
    sources.push(cell(read.source));
    recordIds.push(cell(read.recordId));
    numbers.push(cell(read.msisdn));
    kinds.push(read.kind ?? 'NULL');
    quantities.push(String(read.quantity ?? 'NULL'));
    dates.push(date === undefined ? 'NULL' : `"${date.toISOString()}"`);
    units.push(cell(read.unit.name));
    unitSizes.push(String(read.unit.size));
    faults.push(isReadable(policy, document.usageDate === undefined || date) ? (fault ?? 'NULL') : usageReadable);
  }
  return [ids, eventIds, insides, sources, recordIds, numbers, kinds, quantities, dates, units, unitSizes, faults];
}

function cell(text: string | undefined): string {
  if (text === undefined) return 'NULL';
  return `"${/["\\]/.test(text) ? text.replace(/["\\]/g, '\\$&') : text}"`;
}

/** The JSON of a document without its braces. A date that is null is none: the database then says when it was. */
function insideOf(document: JsonObject): string {
  const given = document.usageDate === null ? { ...document, usageDate: undefined } : document;
  return JSON.stringify(given).slice(1, -1);
}

function isReadable({ rulesOff }: Pick<Policy, 'rulesOff'>, date: unknown): boolean {
  return Boolean(date) || rulesOff.has(usageReadable);
}

// What the calendar of the database can hold.
const [firstInstant, lastInstant] = [Date.parse('0001-01-01T00:00:00Z'), Date.parse('9999-12-31T23:59:59Z')];

function usageDateOf({ usageDate }: JsonObject): Date | undefined {
  const at = typeof usageDate === 'string' ? Date.parse(usageDate) : Number.NaN;
  return at >= firstInstant && at <= lastInstant ? new Date(at) : undefined;
}

const triesMax = 5;

// 40001 and 40P01: the database undid everything and asks for another try.
async function again<T>(work: () => Promise<T>): Promise<T> {
  for (let tried = 1; ; tried += 1) {
    try {
      return await work();
    } catch (error) {
      const state = error instanceof Error && 'code' in error ? error.code : undefined;
      if (tried >= triesMax || (state !== '40001' && state !== '40P01')) throw error;
    }
  }
}

/** A record that waits for its call, and whoever waits for the answer. */
interface Waiting extends Asked {
  resolve(answer: RecordedUsage): void;
  reject(error: unknown): void;
}

/** What one policy has under way. */
interface Lane {
  waiting: Waiting[];
  calls: number;
}

const lanes = new WeakMap<RecordingPolicy, Lane>();
/** Calls under way at once: while one waits for the disk, the other is judged. */
const callsMax = 2;
const togetherMax = 100;

/**
 * Records one usage in a call that it shares with whatever else came in while the calls before it were under way. Alone
 * it does not wait. It is durable when this returns; what the database throws about another's record is not its own.
 */
export function recordTogether(policy: RecordingPolicy, entry: UsageEntry, caller: Caller): Promise<RecordedUsage> {
  const lane: Lane = lanes.get(policy) ?? { waiting: [], calls: 0 };
  lanes.set(policy, lane);
  return new Promise((resolve, reject) => {
    lane.waiting.push({ entry, caller, resolve, reject });
    if (lane.calls < callsMax) void serve(policy, lane);
  });
}

async function serve(policy: RecordingPolicy, lane: Lane): Promise<void> {
  lane.calls += 1;
  for (let taken = lane.waiting.splice(0, togetherMax); taken.length > 0; taken = lane.waiting.splice(0, togetherMax)) {
    await answer(policy, taken);
  }
  lane.calls -= 1;
}

async function answer(policy: RecordingPolicy, taken: readonly Waiting[]): Promise<void> {
  try {
    const answers = await recordOf(policy, taken, { whole: true });
    for (const [place, { resolve, reject }] of taken.entries()) {
      const one = answers[place];
      if (one) resolve(one);
      else reject(new Error('record_usage_batch gave no answer'));
    }
  } catch (error) {
    const [only, another] = taken;
    // What the database cannot hold of one record, or a line of one that somebody holds too long, undid them all: each is
    // asked by itself.
    if (only && another && (isAboutData(error) || isTimeout(error))) {
      await Promise.all(taken.map((one) => answer(policy, [one])));
    } else for (const { reject } of taken) reject(error);
  }
}

/** Classes 22 and 54: a value that the database cannot hold. Everything else would befall any record. */
export function isAboutData(error: unknown): boolean {
  return error instanceof Error && 'code' in error && /^(22|54)/.test(String(error.code));
}

function isTimeout(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === '57014';
}
