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

/**
 * Charges a batch and answers in its order. What is of one number is charged in one transaction, in the order in which
 * it came. When the database refuses a transaction as a whole, each of its records is tried by itself, so that one does
 * not lose the others; when only one of two transactions could be tried, the records of the other are answered `failed`.
 * @throws what the database threw, when nothing of the batch could be tried
 */
export async function recordBatch(
  policy: Policy,
  records: readonly BatchRecord[],
  caller: Caller,
): Promise<BatchResult[]> {
  const parts = partsOf(records);
  const outcomes = await Promise.allSettled(
    parts.map((places) =>
      recordPart(
        policy,
        places.flatMap((place) => records[place]?.entry ?? []),
        caller,
      ),
    ),
  );
  const failed = outcomes.find((outcome) => outcome.status === 'rejected');
  if (failed && !outcomes.some((outcome) => outcome.status === 'fulfilled')) throw failed.reason;
  const results: BatchResult[] = [];
  for (const [part, places] of parts.entries()) {
    const outcome = outcomes[part];
    for (const [index, place] of places.entries()) {
      const record = records[place];
      if (!record) continue;
      results[place] =
        outcome?.status === 'fulfilled' ? resultOf(record, outcome.value[index]) : failedOf(record, untried);
    }
  }
  return results;
}

/** The places of the records that each call charges. */
function partsOf(records: readonly BatchRecord[]): number[][] {
  const all = [...records.keys()];
  if (records.length < sharedMin) return [all];
  const partOf = new Map<string, number>();
  const parts: number[][] = Array.from({ length: calls }, () => []);
  for (const [place, { entry }] of records.entries()) {
    const { msisdn, source, recordId } = entry.read;
    const part = lastDigit(msisdn) % calls;
    if (recordId !== undefined) {
      const key = `${source ?? ''} ${recordId}`;
      // Of records with one key the first counts: which one that is, two calls could not tell.
      if ((partOf.get(key) ?? part) !== part) return [all];
      partOf.set(key, part);
    }
    parts[part]?.push(place);
  }
  return parts.filter((places) => places.length > 0);
}

const lastDigit = (msisdn: string | undefined) => msisdn?.charCodeAt(msisdn.length - 1) ?? 0;

async function recordPart(
  policy: Policy,
  entries: readonly UsageEntry[],
  caller: Caller,
): Promise<(RecordedUsage | undefined)[]> {
  try {
    return await recordEntries(policy, entries, caller, { whole: false });
  } catch (error) {
    if (entries.length === 1 || !isAboutData(error)) throw error;
    const answers: (RecordedUsage | undefined)[] = [];
    for (const [place, entry] of entries.entries()) {
      answers[place] = await recordEntries(policy, [entry], caller, { whole: false }).then(
        ([one]) => one,
        (alone: unknown) => {
          if (isAboutData(alone)) return undefined;
          throw alone;
        },
      );
    }
    return answers;
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

function resultOf(record: BatchRecord, answer: RecordedUsage | undefined): BatchResult {
  if (!answer) return failedOf(record, unkept);
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
