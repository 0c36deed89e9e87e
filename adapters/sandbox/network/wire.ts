import { z } from 'zod';
import { type NetworkAnswer, type NetworkLine, networkStates } from '../../network.ts';
import { desiredLine, iccid, lineId, msisdn, networkTask, taskKey, taskSequence } from '../../network-task.ts';

/** Shapes that cross a boundary of the network sandbox: its book on disk, and its door as a process of its own. */

const [key, line, sequence] = [taskKey, lineId, taskSequence];

export { networkTask };

export const networkAnswer = z.discriminatedUnion('outcome', [
  z.object({
    outcome: z.literal('confirmed'),
    line,
    sequence,
    receivedAt: z.coerce.date(),
    confirmedAt: z.coerce.date(),
  }),
  z.object({ outcome: z.literal('superseded'), line, sequence, newestSequence: sequence }),
  z.object({
    outcome: z.literal('refused'),
    line,
    sequence,
    code: z.string(),
    message: z.string(),
    permanent: z.boolean(),
  }),
]) satisfies z.ZodType<NetworkAnswer>;

export const networkLine = desiredLine.extend({
  line,
  msisdn,
  iccid,
  sequence,
  changedAt: z.coerce.date(),
}) satisfies z.ZodType<NetworkLine>;

export const networkCalls = ['apply', 'find', 'line'] as const;

export const networkPlan = z.object({
  mode: z.enum(['refuse', 'unavailable', 'stall', 'lose_answer']),
  calls: z.array(z.enum(networkCalls)).min(1).max(networkCalls.length).optional(),
  line: line.optional(),
  msisdn: msisdn.optional(),
  when: z.enum(networkStates).optional(),
  times: z.int().positive().optional(),
  stallMs: z.int().nonnegative().optional(),
  code: z.string().min(1).max(100).optional(),
  permanent: z.boolean().optional(),
});

export const plannedNetworkFault = networkPlan.extend({ id: z.string(), left: z.int().positive().optional() });

export const findRequest = z.object({ key });
export const lineRequest = z.object({ line: z.string() });
export const bookRequest = z.object({ after: z.string().optional(), limit: z.int().min(1).max(1000) });

const bookedTask = z.object({
  task: networkTask,
  receivedAt: z.coerce.date(),
  at: z.coerce.date(),
  answer: networkAnswer,
});

/** One answered task of the book, as `book` gives it. */
export const networkEntry = bookedTask.extend({ cursor: z.string() });

/** One line of the book. */
export const bookRecord = z.discriminatedUnion('type', [
  bookedTask.extend({ type: z.literal('task') }),
  z.object({ type: z.literal('plan'), id: z.string(), plan: networkPlan }),
  z.object({ type: z.literal('plan_used'), id: z.string() }),
  z.object({ type: z.literal('plans_cleared') }),
]);
export type BookRecord = z.output<typeof bookRecord>;
