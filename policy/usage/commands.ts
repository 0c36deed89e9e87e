import { z } from 'zod';
import type { Caller } from '../../kernel/caller.ts';
import type { Json, JsonObject } from '../../kernel/json.ts';
import type { Policy, SingleCall } from '../core/command.ts';
import { customerIdOf } from '../core/party.ts';
import {
  type CreateInput,
  createInput,
  neverDeleted,
  type ResourceCommands,
  type ResourceDefinition,
  type ResourceFacts,
  resourceCommands,
  type Stored,
} from '../core/resource.ts';
import { type Rule, rule } from '../core/rule.ts';
import { runStatement, type Tx } from '../core/transaction.ts';
import { type ReadUsage, readUsage } from './units.ts';

export const usageResource: ResourceDefinition<'usage'> = {
  resource: 'usage',
  api: 'TMF635',
  table: 'usage',
  prefix: 'usg',
  clientEvents: [],
  customerOf: customerIdOf,
};

// Judged inside record_usage_batch, under the line's lock; here they have their names and sentences.
const judgedInDatabase = (code: string, sentence: string): Rule<never> => ({ code, sentence, kept: () => true });

export const usageRules: readonly Rule<never>[] = [
  judgedInDatabase('usage.readable', 'The record cannot be read as usage, or its usage date is none.'),
  judgedInDatabase('usage.kind_known', 'Usage is data, voice, SMS or roaming data.'),
  judgedInDatabase('usage.not_barred', 'International, premium and roaming calls and messages are barred.'),
  judgedInDatabase('usage.quantity_positive', 'Usage has an amount above zero in a known unit.'),
  judgedInDatabase('usage.not_in_future', 'The usage date has not come yet.'),
  judgedInDatabase(
    'usage.within_retention',
    'The usage date is older than source record ids are kept, so nobody can say that it was not counted before.',
  ),
  judgedInDatabase('usage.number_known', 'The number belongs to no line.'),
  judgedInDatabase('usage.line_active', 'The line was not active when this was used.'),
  judgedInDatabase('usage.roaming_on', 'Roaming of this line was switched off when this was used.'),
  judgedInDatabase('usage.allowance_left', 'This service of the line is stopped: its allowance is used up.'),
];

/** Set by who reads records: it is no JSON, no record, or has no usage date that is one. */
export const usageReadable = 'usage.readable';
/** Judged only when what is older than the retention is to be charged all the same. */
export const usageCountedOnce = judgedInDatabase('usage.counted_before', 'The same record was charged before.');

const sentences = Object.fromEntries([...usageRules, usageCountedOnce].map((one) => [one.code, one.sentence]));
const sentencesText = JSON.stringify(sentences);

/** What a reader sees of a rule that refused a record. */
export const usageSentence = (code: string): string => sentences[code] ?? '';

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

const text = `SELECT place, usage_id AS id, status, refused_by, charged, excess, repeated, usage_version AS version, usage_document AS document FROM
  record_usage_batch($1, $2::jsonb, $3::json, make_interval(days => $4), $5, $6::jsonb, $7, $8)`;

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
  const answers = await recordOnce(policy, entries, caller, as);
  // The key of a record that was here before may be forgotten between two statements: then it is asked once more.
  const unanswered = entries.flatMap((entry, place) => (answers[place] === undefined ? [{ entry, place }] : []));
  if (as.inside || unanswered.length === 0) return answers;
  const second = await recordOnce(
    policy,
    unanswered.map(({ entry }) => entry),
    caller,
    as,
  );
  for (const [index, { place }] of unanswered.entries()) {
    const answer = second[index];
    if (answer) answers[place] = answer;
  }
  return answers;
}

type RecordingPolicy = Pick<Policy, 'pool' | 'newId' | 'settings' | 'rulesOff'>;

interface Recording {
  whole: boolean;
  inside?: Tx;
  evenOld?: boolean;
}

async function recordOnce(
  policy: RecordingPolicy,
  entries: readonly UsageEntry[],
  caller: Caller,
  as: Recording,
): Promise<RecordedUsage[]> {
  const records = entries.map(({ document, read, fault, id }, place) => {
    const usageDate = usageDateOf(document);
    return {
      place,
      id: id ?? policy.newId('usg'),
      event_id: policy.newId('evt'),
      document,
      source: read.source,
      record_id: read.recordId,
      msisdn: read.msisdn,
      kind: read.kind,
      quantity: read.quantity,
      usage_date: usageDate?.toISOString(),
      unit: read.unit.name,
      unit_size: read.unit.size,
      fault: isReadable(policy, document.usageDate === undefined || usageDate) ? fault : usageReadable,
    };
  });
  const values = [
    as.inside ? null : 'usage.record',
    JSON.stringify(caller),
    JSON.stringify(records),
    policy.settings.usageRetentionDays,
    [...policy.rulesOff],
    sentencesText,
    as.whole,
    as.evenOld === true,
  ];
  type Row = RecordedUsage & { place: number };
  const rows = as.inside
    ? await as.inside.run<Row>(text, values)
    : await again(() => runStatement<Row>(policy.pool, text, values));
  const answers: RecordedUsage[] = [];
  for (const { place, ...row } of rows) answers[place] = row;
  return answers;
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

/** A body as it is kept: without what only the house may say of it. */
export function givenPart(document: JsonObject): JsonObject {
  const { href: _, id: __, status: ___, statusReason: ____, ratedProductUsage: _____, ...given } = document;
  return { '@type': 'Usage', ...given };
}

/** Records one usage, and answers its document. */
export async function recordUsage(
  policy: Policy,
  document: JsonObject,
  caller: Caller,
): Promise<Stored & { repeated: boolean }> {
  const entry = { document: givenPart(document), read: readUsage(document) };
  const [made] = await recordEntries(policy, [entry], caller, { whole: true });
  if (!made?.document) throw new Error('record_usage_batch gave no answer');
  return { id: made.id, document: made.document, version: made.version, repeated: made.repeated };
}

const create: SingleCall<CreateInput, Stored> = {
  name: 'usage.create',
  summary: 'Charge a usage record from a TMF635 body',
  input: createInput,
  audience: ['operator', 'integrator'],
  effect: 'write',
  rules: usageRules,
  single: (policy, input, caller) => recordUsage(policy, input.document as JsonObject, caller),
};

const reportInput = z.object({
  msisdn: z.string().describe('The number that was used'),
  kind: z.enum(['data', 'voice', 'sms', 'roamingData']).describe('What was used'),
  amount: z.number().positive().describe('How much'),
  unit: z
    .enum(['B', 'KB', 'MB', 'GB', 's', 'min', 'SMS'])
    .optional()
    .describe('In which unit; MB, min or SMS when not given'),
  usageDate: z.iso.datetime({ offset: true }).optional().describe('When; now, when not given'),
  source: z.string().max(100).optional().describe('The system that wrote the record'),
  recordId: z.string().max(200).optional().describe('Its id there: the same record counts once'),
});

export const reportUsage: SingleCall<z.infer<typeof reportInput>, Stored> = {
  name: 'usage.record',
  summary: 'Record usage of a line',
  input: reportInput,
  audience: ['operator', 'integrator'],
  effect: 'write',
  positional: ['msisdn', 'kind', 'amount', 'unit'],
  examples: ['bss usage record 6581000000 data 500 MB'],
  rules: usageRules,
  single: (policy, input, caller) => recordUsage(policy, flatDocument(input), caller),
};

/** The TMF635 body of a record that says its parts by name, as the terminal and a stream do. */
export function flatDocument(record: Partial<Record<keyof z.infer<typeof reportInput>, Json | undefined>>): JsonObject {
  return {
    usageType: record.kind ?? 'unknown',
    ...(record.usageDate === undefined ? {} : { usageDate: record.usageDate }),
    usageCharacteristic: [
      { name: 'msisdn', value: record.msisdn ?? '' },
      { name: 'volume', value: record.amount ?? '' },
      ...(['unit', 'source', 'recordId'] as const).flatMap((name) => {
        const value = record[name];
        return value === undefined ? [] : [{ name, value }];
      }),
    ],
  };
}

const judged = ['status', 'statusReason', 'usageDate', 'usageType', 'usageCharacteristic', 'ratedProductUsage'];

const rest = resourceCommands(usageResource, {
  operations: ['patch', 'remove'],
  patchRules: [
    rule<ResourceFacts>({
      code: 'usage.judged_once',
      sentence: 'What was used, when, and what it cost is judged once: a usage record can be described, not changed.',
      status: 409,
      kept: (facts) =>
        judged.every((name) => JSON.stringify(facts.before?.[name]) === JSON.stringify(facts.document[name])),
    }),
  ],
  removeRules: [neverDeleted(usageResource, 'it is what quota was spent for')],
});

export const usageCommands: Omit<ResourceCommands, 'create'> & { create: typeof create } = { ...rest, create };
