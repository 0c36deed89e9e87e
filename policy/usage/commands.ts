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
  storedShape,
} from '../core/resource.ts';
import { rule } from '../core/rule.ts';
import { recordTogether } from './charging.ts';
import { usageRules } from './rules.ts';
import { readUsage } from './units.ts';

export const usageResource: ResourceDefinition<'usage'> = {
  resource: 'usage',
  api: 'TMF635',
  table: 'usage',
  prefix: 'usg',
  clientEvents: [],
  customerOf: customerIdOf,
};

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
  const made = await recordTogether(policy, { document: givenPart(document), read: readUsage(document) }, caller);
  if (!made.document) throw new Error('record_usage_batch gave no document');
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
  output: storedShape(usageResource).extend({
    repeated: z.boolean().optional().describe('It was recorded before, and counted then'),
  }),
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
