import { createHash } from 'node:crypto';
import type { Caller } from '../../kernel/caller.ts';
import { findCardSecret } from '../../kernel/card-number.ts';
import { isJsonObject, type Json, type JsonObject } from '../../kernel/json.ts';
import { keepableText } from '../../kernel/text.ts';
import type { Policy } from '../core/command.ts';
import { isAboutData, type RecordedUsage, recordEntries, type UsageEntry } from './charging.ts';
import { flatDocument, givenPart } from './commands.ts';
import { usageReadable, usageSentence } from './rules.ts';
import { readUsage } from './units.ts';

/** One record of a batch, read or not; every one gets a result. */
export interface BatchRecord {
  /** Its place among the lines of its source, from 1. */
  line: number;
  entry: UsageEntry;
  /** What is wrong with it, for whoever sent it; undefined when it could be read. */
  flaw?: string;
}

/** What became of one record. A line that could not be read is kept as well, in the quarantine. */
export interface BatchResult extends JsonObject {
  line: number;
  status: string;
}

const fields = ['msisdn', 'kind', 'amount', 'unit', 'usageDate', 'source', 'recordId'] as const;
type Field = (typeof fields)[number];
const isField = (name: string): name is Field => fields.some((one) => one === name);
const keptCharactersMax = 2000;

/**
 * Reads one record: a TMF635 usage (it has `usageCharacteristic`), or a flat record of msisdn, kind, amount, unit,
 * usageDate, source and recordId.
 * @param flawOf says what the contract has against a TMF635 body; undefined when nothing.
 */
export function readRecord(
  line: number,
  value: Json,
  raw: string,
  flawOf: (document: JsonObject) => string | undefined = () => undefined,
): BatchRecord {
  if (!isJsonObject(value)) return unreadable(line, raw, 'a record is a JSON object');
  const isBody = Object.hasOwn(value, 'usageCharacteristic');
  const flaw = isBody ? flawOf(value) : flatFlaw(value);
  if (flaw !== undefined) return unreadable(line, raw, flaw);
  const document = givenPart(isBody ? value : flatDocument(value));
  return { line, entry: { document, read: readUsage(document) } };
}

function flatFlaw(record: JsonObject): string | undefined {
  for (const [name, value] of Object.entries(record)) {
    if (!isField(name)) return `there is no field ${name.slice(0, 40)}; there are ${fields.join(', ')}`;
    const isText = typeof value === 'string';
    const mayBeNumber = name === 'amount' || name === 'msisdn' || name === 'recordId';
    if (!isText && !(mayBeNumber && typeof value === 'number')) return `${name} is not a text`;
    if (isText && value.length > 200) return `${name} is longer than 200 characters`;
  }
  return undefined;
}

/**
 * A line that is no record. It is kept, shortened, so that the operator can see it; the same line counts once. One that
 * seems to hold a card number is kept without its text.
 */
export function unreadable(line: number, raw: string, flaw: string): BatchRecord {
  const shown = keepableText(raw.slice(0, keptCharactersMax));
  const isSecret = findCardSecret({ line: raw }, { aboutPaying: true }) !== undefined;
  const document: JsonObject = {
    '@type': 'Usage',
    usageType: 'unreadable',
    description: keepableText(flaw),
    usageCharacteristic: [{ name: 'line', value: isSecret ? 'not kept: it seems to hold a card number' : shown }],
  };
  const read = {
    ...readUsage(document),
    source: 'unreadable',
    recordId: createHash('sha256').update(raw).digest('base64url'),
  };
  return { line, entry: { document, read, fault: usageReadable }, flaw };
}

/** So many calls share a batch; a batch that is shorter is one call. */
const calls = 2;
const sharedMin = 50;

/** Charges batches in the order in which they are given, and answers each in its own order. */
export type ChargeBatch = (records: readonly BatchRecord[]) => Promise<BatchResult[]>;

/**
 * Charges batch after batch. What is of one number is charged in the order in which it came, for it always goes the same
 * lane; in another lane the next batch may have begun before the last one is over, so neither waits for the slower.
 * When the database refuses a transaction as a whole, each of its records is tried by itself, so that one does not lose
 * the others; what could not be tried after others were charged, in this transaction or in another, is answered `failed`.
 * What it gives throws what the database threw, when nothing of a batch could be tried.
 */
export function usageLanes(policy: Policy, caller: Caller): ChargeBatch {
  const ends: Promise<unknown>[] = Array.from({ length: calls }, () => Promise.resolve());
  const underWay = new Set<Keys>();
  return async (records) => {
    const { parts, keys } = partsOf(records, underWay);
    underWay.add(keys);
    const works = parts.map(({ places, lane }) => {
      const turn = lane === undefined ? Promise.all(ends) : ends[lane];
      const entries = places.flatMap((place) => records[place]?.entry ?? []);
      const work = recordPart(policy, entries, caller, turn);
      const end = work.catch(() => undefined);
      if (lane === undefined) ends.fill(end);
      else ends[lane] = end;
      return work;
    });
    const outcomes = await Promise.allSettled(works);
    underWay.delete(keys);
    const failed = outcomes.find((outcome) => outcome.status === 'rejected');
    if (failed && !outcomes.some((outcome) => outcome.status === 'fulfilled')) throw failed.reason;
    const results: BatchResult[] = [];
    for (const [part, { places }] of parts.entries()) {
      const outcome = outcomes[part];
      for (const [index, place] of places.entries()) {
        const record = records[place];
        if (!record) continue;
        results[place] =
          outcome?.status === 'fulfilled'
            ? resultOf(record, outcome.value[index] ?? 'untried')
            : failedOf(record, untried);
      }
    }
    return results;
  };
}

/** Charges one batch that stands by itself. */
export const recordBatch = (policy: Policy, records: readonly BatchRecord[], caller: Caller): Promise<BatchResult[]> =>
  usageLanes(policy, caller)(records);

/** The records that one call charges. */
interface Part {
  places: number[];
  /** Undefined: it has all lanes to itself. */
  lane: number | undefined;
}

/** Which lane the record of a key has gone. */
type Keys = ReadonlyMap<string, number>;

function partsOf(records: readonly BatchRecord[], underWay: ReadonlySet<Keys>): { parts: Part[]; keys: Keys } {
  const whole = { parts: [{ places: [...records.keys()], lane: undefined }], keys: new Map() };
  if (records.length < sharedMin) return whole;
  const known = [...underWay];
  const keys = new Map<string, number>();
  known.push(keys);
  const parts: Part[] = Array.from({ length: calls }, (_, lane) => ({ places: [], lane }));
  for (const [place, { entry }] of records.entries()) {
    const { msisdn, source, recordId } = entry.read;
    const lane = lastDigit(msisdn) % calls;
    if (recordId !== undefined) {
      const key = `${source ?? ''} ${recordId}`;
      // Of records with one key the first counts: which one that is, two calls could not tell.
      if (known.some((one) => (one.get(key) ?? lane) !== lane)) return whole;
      keys.set(key, lane);
    }
    parts[lane]?.places.push(place);
  }
  return { parts: parts.filter(({ places }) => places.length > 0), keys };
}

const lastDigit = (msisdn: string | undefined) => msisdn?.charCodeAt(msisdn.length - 1) ?? 0;

/** What became of each record of a part. */
type Outcome = RecordedUsage | 'unkept' | 'untried';

async function recordPart(
  policy: Policy,
  entries: readonly UsageEntry[],
  caller: Caller,
  turn: Promise<unknown> | undefined,
): Promise<Outcome[]> {
  try {
    return (await recordEntries(policy, entries, caller, { whole: false, turn })).map((one) => one ?? 'unkept');
  } catch (error) {
    if (entries.length === 1 || !isAboutData(error)) throw error;
    const outcomes: Outcome[] = [];
    for (const entry of entries) {
      try {
        const [one] = await recordEntries(policy, [entry], caller, { whole: false });
        outcomes.push(one ?? 'unkept');
      } catch (alone) {
        if (isAboutData(alone)) outcomes.push('unkept');
        // Nothing was charged before: then it is the failure of all.
        else if (outcomes.every((outcome) => typeof outcome === 'string')) throw alone;
        // Those before are charged and durable: their answers are not lost with those that come after.
        else break;
      }
    }
    return entries.map((_, place) => outcomes[place] ?? 'untried');
  }
}

const unkept = { reason: 'notKept', message: 'The record cannot be stored.' };
const untried = { reason: 'unavailable', message: 'The record could not be charged now. Send it again.' };

function failedOf(record: BatchRecord, why: { reason: string; message: string }): BatchResult {
  return { line: record.line, ...nameOf(record), status: 'failed', ...why };
}

/** What a result calls its record by, beside the line. */
function nameOf({ entry: { read }, flaw }: BatchRecord): JsonObject {
  if (flaw !== undefined) return {};
  return {
    ...(read.source === undefined ? {} : { source: read.source }),
    ...(read.recordId === undefined ? {} : { recordId: read.recordId }),
  };
}

function resultOf(record: BatchRecord, answer: Outcome): BatchResult {
  if (typeof answer === 'string') return failedOf(record, answer === 'unkept' ? unkept : untried);
  const { line, flaw } = record;
  const { read } = record.entry;
  const named = nameOf(record);
  const { id, status, refusedBy, charged, excess, repeated } = answer;
  const amount = (quantity: bigint | null): JsonObject => ({
    amount: Math.round((Number(quantity ?? 0) / read.unit.size) * 1e6) / 1e6,
    units: read.unit.name,
  });
  return {
    line,
    ...named,
    id,
    status,
    ...(repeated ? { repeated } : {}),
    ...(refusedBy === null
      ? { charged: amount(charged), excess: amount(excess) }
      : { reason: refusedBy, message: flaw ?? usageSentence(refusedBy) }),
  };
}
