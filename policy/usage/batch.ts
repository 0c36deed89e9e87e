import { createHash } from 'node:crypto';
import type { Caller } from '../../kernel/caller.ts';
import { findCardSecret } from '../../kernel/card-number.ts';
import { isJsonObject, type Json, type JsonObject } from '../../kernel/json.ts';
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
  const shown = keepable(raw.slice(0, keptCharactersMax));
  const isSecret = findCardSecret({ line: raw }, { aboutPaying: true }) !== undefined;
  const document: JsonObject = {
    '@type': 'Usage',
    usageType: 'unreadable',
    description: keepable(flaw),
    usageCharacteristic: [{ name: 'line', value: isSecret ? 'not kept: it seems to hold a card number' : shown }],
  };
  const read = {
    ...readUsage(document),
    source: 'unreadable',
    recordId: createHash('sha256').update(raw).digest('base64url'),
  };
  return { line, entry: { document, read, fault: usageReadable }, flaw };
}

// PostgreSQL keeps no NUL, and no half of a surrogate pair.
function keepable(text: string): string {
  return Buffer.from(text.replaceAll('\0', ' ')).toString();
}

/** So many calls share a batch; a batch that is shorter is one call. */
const calls = 2;
const sharedMin = 50;

/**
 * Charges a batch and answers in its order. What is of one number is charged in one transaction, in the order in which
 * it came. When the database refuses a transaction as a whole, each of its records is tried by itself, so that one does
 * not lose the others.
 * @throws what the database threw, when not even one record alone could be tried
 */
export async function recordBatch(
  policy: Policy,
  records: readonly BatchRecord[],
  caller: Caller,
): Promise<BatchResult[]> {
  const parts: number[][] = Array.from({ length: records.length < sharedMin ? 1 : calls }, () => []);
  for (const [place, { entry }] of records.entries()) parts[lastDigit(entry.read.msisdn) % parts.length]?.push(place);
  const answers: (RecordedUsage | undefined)[] = [];
  await Promise.all(
    parts.map(async (places) => {
      const entries = places.flatMap((place) => records[place]?.entry ?? []);
      const answered = await recordPart(policy, entries, caller);
      for (const [index, place] of places.entries()) answers[place] = answered[index];
    }),
  );
  return records.map((record, place) => resultOf(record, answers[place]));
}

const lastDigit = (msisdn: string | undefined) => msisdn?.charCodeAt(msisdn.length - 1) ?? 0;

async function recordPart(
  policy: Policy,
  entries: readonly UsageEntry[],
  caller: Caller,
): Promise<(RecordedUsage | undefined)[]> {
  if (entries.length === 0) return [];
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

function resultOf({ line, entry, flaw }: BatchRecord, answer: RecordedUsage | undefined): BatchResult {
  const { read } = entry;
  const named: JsonObject = {
    ...(flaw !== undefined || read.source === undefined ? {} : { source: read.source }),
    ...(flaw !== undefined || read.recordId === undefined ? {} : { recordId: read.recordId }),
  };
  if (!answer) return { line, ...named, status: 'failed', reason: 'notKept', message: 'The record cannot be stored.' };
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
