import { z } from 'zod';
import { command } from '../core/command.ts';
import { appendEvent } from '../core/event.ts';
import { rule } from '../core/rule.ts';

/** Steps that one call tries again at most. */
const stepsMax = 1000;

interface FailedStep {
  id: string;
  flow: string;
  step: string;
  subject: string;
  attempts: number;
  lastError: string | null;
}

interface RetryFacts {
  asked: { id?: string | undefined; flow?: string | undefined; subject?: string | undefined };
  failed: readonly FailedStep[];
}

export const somethingFailed = rule<RetryFacts>({
  code: 'flow.needs_failed_step',
  sentence:
    'Only work that failed and waits for its next try, or is parked, can be tried again now: there is none of that name.',
  status: 409,
  kept: ({ failed }) => failed.length > 0,
  shown: ({ asked }) => ({ ...asked }),
});

/**
 * An operator's repair: what failed is tried at once instead of after its pause, and what was parked is tried again, as the same step under the same keys.
 * Nothing is skipped, and nothing is decided for it: the step asks the outside what became of its last attempt.
 */
export const retryFlow = command({
  name: 'flow.retry',
  summary: 'Try failed work again now',
  input: z
    .strictObject({
      id: z.string().optional().describe('This step only'),
      flow: z.string().optional().describe('All failed steps of this flow: order, network, renewal'),
      subject: z.string().optional().describe('All failed steps about this id'),
    })
    .refine(({ id, flow, subject }) => (id ?? flow ?? subject) !== undefined, {
      message: 'name a step, a flow or a subject',
      path: ['id'],
    }),
  output: z.object({
    retried: z.array(z.object({ id: z.string(), flow: z.string(), step: z.string(), subject: z.string() })),
  }),
  audience: ['operator'],
  effect: 'write',
  rules: [somethingFailed],
  positional: ['id'],
  examples: ['bss flow retry stp_…', 'bss flow retry --flow network'],
  async facts(tx, input): Promise<RetryFacts> {
    // A step in somebody's hands is being tried already.
    const failed =
      await tx.sql<FailedStep>`SELECT "id", "flow", "step", "subject", "attempts", "last_error" FROM "flow_step"
      WHERE (("state" = 'waiting' AND "last_error" IS NOT NULL AND ("leased_until" IS NULL OR "leased_until" < clock_timestamp())) OR "state" = 'parked')
        AND (${input.id ?? null}::text IS NULL OR "id" = ${input.id ?? null}) AND (${input.flow ?? null}::text IS NULL OR "flow" = ${input.flow ?? null})
        AND (${input.subject ?? null}::text IS NULL OR "subject" = ${input.subject ?? null})
      ORDER BY "due_at", "id" LIMIT ${stepsMax} FOR UPDATE SKIP LOCKED`;
    return { asked: input, failed };
  },
  async apply(tx, { failed }) {
    // What was parked has all its tries again, and is still one that was tried: it asks before it tries.
    await tx.sql`UPDATE "flow_step" SET "not_before" = clock_timestamp(), "attempts" = CASE "state" WHEN 'parked' THEN 1 ELSE "attempts" END,
      "state" = 'waiting' WHERE "id" = ANY (${failed.map(({ id }) => id)})`;
    for (const { id, flow, step, subject, attempts, lastError } of failed) {
      await appendEvent(tx, {
        type: 'FlowStepRetryEvent',
        resourceType: 'step',
        resourceId: id,
        sequence: BigInt(attempts),
        change: { flow, step, subject, attempts, lastError },
      });
    }
    return { retried: failed.map(({ id, flow, step, subject }) => ({ id, flow, step, subject })) };
  },
});
