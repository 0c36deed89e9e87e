import { z } from 'zod';
import { invalid, notFound } from '../../kernel/error.ts';
import type { JsonObject } from '../../kernel/json.ts';
import { command, type Policy } from '../core/command.ts';
import type { Tx } from '../core/transaction.ts';
import { type RecordedUsage, recordEntries, type UsageEntry } from './charging.ts';
import { givenPart } from './commands.ts';
import { usageCountedOnce, usageReadable, usageRules } from './rules.ts';
import { readUsage } from './units.ts';

/** Why a record cannot be placed yet. Any other refusal is a judgement, and final. */
export const quarantineReasons = [
  'usage.readable',
  'usage.not_in_future',
  'usage.within_retention',
  'usage.number_known',
] as const;

interface Waiting {
  id: string;
  document: JsonObject;
  reason: string;
  source: string | null;
  recordId: string | null;
}

const replayInput = z.object({
  usageId: z.string().optional().describe('One record of the quarantine'),
  reason: z.enum(quarantineReasons).optional().describe('All records that wait for this reason'),
  evenOld: z
    .boolean()
    .default(false)
    .describe('Charge what is older than the retention too, unless the line was charged for it'),
  after: z.string().optional().describe('Go on after this record: the `next` of the answer before'),
  limit: z.int().min(1).max(5000).default(1000).describe('How many at most in this call'),
});
type ReplayInput = z.infer<typeof replayInput>;

const replayOutput = z.object({
  judged: z.int().describe('Records that were judged anew'),
  rated: z.int().describe('Charged now'),
  rejected: z.int().describe('Placed, and refused for good'),
  waiting: z.int().describe('Still in the quarantine'),
  next: z.string().nullable().describe('Where to go on; null when all were judged'),
  items: z.array(z.object({ id: z.string(), status: z.string(), reason: z.string().nullable() })),
});

/**
 * Judges records of the quarantine anew, by what is so now at their usage date. Each is charged once however often this
 * is asked: what left the quarantine is passed over, and what stays in it is left as it is.
 */
export const replayUsage = command<ReplayInput, Waiting[], z.infer<typeof replayOutput>>({
  name: 'usage.replay',
  summary: 'Have quarantined usage judged anew: one record, or all of a reason',
  input: replayInput,
  output: replayOutput,
  audience: ['operator'],
  effect: 'write',
  positional: ['usageId'],
  examples: ['bss usage replay usg_01k9', 'bss usage replay --reason usage.number_known'],
  rules: [...usageRules, usageCountedOnce],
  async facts(tx, { usageId, reason, after, limit }) {
    if ((usageId === undefined) === (reason === undefined)) {
      throw invalid('usage.replay: name one record, or a reason.', [
        { field: 'usageId', rule: 'one of usageId and reason is needed', remedy: 'Give one of the two.' },
      ]);
    }
    if (usageId !== undefined) {
      const [known] = await tx.sql<{ id: string }>`SELECT "id" FROM "usage" WHERE "id" = ${usageId}`;
      if (!known) throw notFound('usage', usageId);
    }
    return tx.sql<Waiting>`SELECT "id", "document", "reason", "source", "record_id" FROM "usage"
      WHERE "quarantined_at" IS NOT NULL AND (${usageId ?? null}::text IS NULL OR "id" = ${usageId ?? null})
        AND (${reason ?? null}::text IS NULL OR "reason" = ${reason ?? null}) AND "id" > ${after ?? ''} ORDER BY "id" LIMIT ${limit}`;
  },
  async apply(tx, waiting, { evenOld, limit }) {
    const answers = await recordEntries(policyOf(tx), waiting.map(entryOf), tx.caller, {
      whole: false,
      inside: tx,
      evenOld,
    });
    // A record that somebody else placed at this moment has no answer here.
    const items = answers.flatMap((one) => (one ? [itemOf(one)] : []));
    const isWaiting = (reason: string | null) => quarantineReasons.some((one) => one === reason);
    const rated = items.filter((one) => one.status === 'rated').length;
    const still = items.filter((one) => isWaiting(one.reason)).length;
    return {
      judged: items.length,
      rated,
      rejected: items.length - rated - still,
      waiting: still,
      next: waiting.length === limit ? (waiting.at(-1)?.id ?? null) : null,
      items,
    };
  },
});

const policyOf = (tx: Tx): Pick<Policy, 'newId' | 'settings' | 'rulesOff' | 'pool'> => ({
  newId: tx.newId,
  settings: tx.settings,
  rulesOff: tx.rulesOff,
  get pool(): never {
    throw new Error('a replay runs inside its transaction');
  },
});

const itemOf = ({ id, status, refusedBy }: RecordedUsage) => ({ id, status, reason: refusedBy });

/** The record as it was sent, with its key as it was kept. */
function entryOf({ id, document, reason, source, recordId }: Waiting): UsageEntry {
  const given = givenPart(document);
  const read = { ...readUsage(given), source: source ?? undefined, recordId: recordId ?? undefined };
  const isUnreadable = reason === usageReadable && given.usageType === 'unreadable';
  return { id, document: given, read, ...(isUnreadable ? { fault: usageReadable } : {}) };
}

/** Forgets the record ids whose retention is over, oldest first. What is dated before it is quarantined instead. */
export const forgetUsageKeys = command({
  name: 'usage.forget_keys',
  summary: 'Forget source record ids that are older than the retention',
  input: z.object({ limit: z.int().min(1).max(100_000).default(10_000) }),
  audience: ['system'],
  effect: 'write',
  rules: [],
  facts: async () => ({}),
  async apply(tx, _facts, input) {
    const gone = await tx.sql`
      DELETE FROM "usage_key" WHERE ctid IN (
        SELECT ctid FROM "usage_key" WHERE "expires_at" <= ${tx.now} ORDER BY "expires_at" LIMIT ${input.limit} FOR UPDATE SKIP LOCKED)
      RETURNING "usage_id"`;
    return { forgotten: gone.length };
  },
});
