import { z } from 'zod';
import { command } from '../core/command.ts';
import { appendEvent } from '../core/event.ts';
import { rule } from '../core/rule.ts';
import { watchStock } from './stock-alarm.ts';

const numbersMax = 100_000;

const numbersInput = z.object({
  first: z
    .string()
    .regex(/^\d{6,15}$/)
    .describe('The first number, digits with country code: 6581000000'),
  count: z.number().int().min(1).max(numbersMax).describe(`How many in a row, at most ${numbersMax}`),
});

/** Loads a range of numbers. Those that are there already are left as they are. */
export const loadNumbers = command<z.infer<typeof numbersInput>, { last: bigint; digits: number }, { loaded: number }>({
  name: 'number.load',
  summary: 'Load a range of numbers',
  input: numbersInput,
  output: z.object({ loaded: z.number() }),
  audience: ['operator'],
  effect: 'write',
  positional: ['first', 'count'],
  examples: ['bss number load 6581000000 1000'],
  rules: [
    rule({
      code: 'number.range_fits',
      sentence: 'The range must not outgrow the length of its first number.',
      kept: (facts: { last: bigint; digits: number }) => String(facts.last).length <= facts.digits,
    }),
  ],
  facts: async (_tx, input) => ({ last: BigInt(input.first) + BigInt(input.count - 1), digits: input.first.length }),
  async apply(tx, _facts, input) {
    const rows = await tx.sql<{ msisdn: string }>`INSERT INTO "phone_number" ("msisdn", "state", "changed_at")
      SELECT lpad((${input.first}::numeric + n)::text, ${input.first.length}, '0'), 'available', ${tx.now} FROM generate_series(0, ${input.count - 1}) n
      ON CONFLICT DO NOTHING RETURNING "msisdn"`;
    await appendEvent(tx, {
      type: 'NumberRangeLoadEvent',
      resourceType: 'numberRange',
      resourceId: input.first,
      sequence: BigInt(tx.now.getTime()),
      change: { first: input.first, count: input.count, loaded: rows.length },
    });
    await watchStock(tx, 'number');
    return { loaded: rows.length };
  },
});

const profilesInput = z.object({
  profiles: z
    .array(
      z.object({
        iccid: z
          .string()
          .regex(/^\d{18,20}$/)
          .describe('18 to 20 digits'),
        activationCode: z
          .string()
          .regex(/^LPA:1\$[^$]+\$[^$]+$/)
          .describe('LPA:1$server$matching-id'),
      }),
    )
    .min(1)
    .max(10_000)
    .describe('The profiles of a batch'),
});

export const loadEsims = command<z.infer<typeof profilesInput>, { doubled: boolean }, { loaded: number }>({
  name: 'esim.load',
  summary: 'Load a batch of eSIM profiles',
  input: profilesInput,
  output: z.object({ loaded: z.number() }),
  audience: ['operator'],
  effect: 'write',
  examples: ['bss esim load --profiles @batch.json'],
  rules: [
    rule({
      code: 'esim.batch_has_no_doubles',
      sentence: 'A batch names each profile once.',
      kept: (facts: { doubled: boolean }) => !facts.doubled,
    }),
  ],
  facts: async (_tx, input) => ({
    doubled: new Set(input.profiles.map((one) => one.iccid)).size !== input.profiles.length,
  }),
  async apply(tx, _facts, input) {
    const rows = await tx.sql<{
      id: string;
    }>`INSERT INTO "esim_profile" ("id", "iccid", "activation_code", "state", "changed_at")
      SELECT * FROM unnest(${input.profiles.map(() => tx.newId('esm'))}::text[], ${input.profiles.map((one) => one.iccid)}::text[], ${input.profiles.map((one) => one.activationCode)}::text[]) AS p(id, iccid, code),
        LATERAL (SELECT 'available'::text AS state, ${tx.now}::timestamptz AS changed) s
      ON CONFLICT DO NOTHING RETURNING "id"`;
    await appendEvent(tx, {
      type: 'EsimBatchLoadEvent',
      resourceType: 'esimBatch',
      resourceId: tx.newId('esm'),
      sequence: 1n,
      change: { count: input.profiles.length, loaded: rows.length },
    });
    await watchStock(tx, 'esim');
    return { loaded: rows.length };
  },
});
