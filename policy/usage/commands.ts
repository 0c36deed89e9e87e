import { z } from 'zod';
import type { Caller } from '../../kernel/caller.ts';
import type { JsonObject } from '../../kernel/json.ts';
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
import { runStatement } from '../core/transaction.ts';
import { readUsage } from './units.ts';

export const usageResource: ResourceDefinition<'usage'> = {
  resource: 'usage',
  api: 'TMF635',
  table: 'usage',
  prefix: 'usg',
  clientEvents: [],
  customerOf: customerIdOf,
};

// Judged inside record_usage, under the line's lock; here they have their names and sentences.
const judgedInDatabase = (code: string, sentence: string): Rule<never> => ({ code, sentence, kept: () => true });

export const usageRules: readonly Rule<never>[] = [
  judgedInDatabase('usage.kind_known', 'Usage is data, voice, SMS or roaming data.'),
  judgedInDatabase('usage.not_barred', 'International, premium and roaming calls and messages are barred.'),
  judgedInDatabase('usage.quantity_positive', 'Usage has an amount above zero in a known unit.'),
  judgedInDatabase('usage.number_known', 'The number belongs to no line.'),
  judgedInDatabase('usage.line_active', 'The line was not active when this was used.'),
  judgedInDatabase('usage.allowance_left', 'This service of the line is stopped: its allowance is used up.'),
];
const sentences = JSON.stringify(Object.fromEntries(usageRules.map((one) => [one.code, one.sentence])));

const text = `SELECT usage_document AS document, usage_version AS version, repeated FROM
  record_usage($1, $2, $3::jsonb, $4::jsonb, $5, $6, $7, $8, $9, $10, $11, $12, make_interval(days => $13), $14, $15)`;

/** Records one usage in one call and one transaction: found, locked, judged, spent, and stopped when nothing is left. */
export async function recordUsage(
  policy: Policy,
  document: JsonObject,
  caller: Caller,
): Promise<Stored & { repeated: boolean }> {
  const usage = readUsage(document);
  const { href: _, id: __, status: ___, statusReason: ____, ratedProductUsage: _____, ...given } = document;
  const id = policy.newId('usg');
  const [row] = await runStatement<{ document: JsonObject; version: bigint; repeated: boolean }>(policy.pool, text, [
    id,
    policy.newId('evt'),
    JSON.stringify(caller),
    JSON.stringify({ '@type': 'Usage', ...given }),
    usage.source ?? null,
    usage.recordId ?? null,
    usage.msisdn ?? null,
    usage.kind ?? null,
    usage.quantity ?? null,
    typeof document.usageDate === 'string' ? document.usageDate : null,
    usage.unit.name,
    usage.unit.size,
    policy.settings.usageRetentionDays,
    [...policy.rulesOff],
    sentences,
  ]);
  if (!row) throw new Error('record_usage gave no answer');
  return { id: String(row.document.id), ...row };
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
  single: (policy, input, caller) =>
    recordUsage(
      policy,
      {
        usageType: input.kind,
        ...(input.usageDate ? { usageDate: input.usageDate } : {}),
        usageCharacteristic: [
          { name: 'msisdn', value: input.msisdn },
          { name: 'volume', value: input.amount },
          ...(input.unit ? [{ name: 'unit', value: input.unit }] : []),
          ...(input.source ? [{ name: 'source', value: input.source }] : []),
          ...(input.recordId ? [{ name: 'recordId', value: input.recordId }] : []),
        ],
      },
      caller,
    ),
};

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
