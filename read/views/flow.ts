import { z } from 'zod';
import { query, readOne } from './query.ts';
import { arraySql, instant, page, readAt, readAtSql } from './shapes.ts';

const conditions = ['running', 'retrying', 'parked', 'due', 'waiting', 'done', 'cancelled'] as const;

const flowList = z.object({
  ...readAt,
  total: z.number().int().describe('How many there are; the list may show fewer'),
  items: z.array(
    z.object({
      id: z.string(),
      flow: z.string(),
      subject: z.string(),
      step: z.string(),
      condition: z.enum(conditions),
      dueAt: instant,
      attempts: z.number().int(),
      nextTrySeconds: z
        .number()
        .nullable()
        .describe('Machine seconds until it is tried again; null when it need not wait'),
      lastError: z.string().nullable(),
      startedBy: z.string().nullable(),
    }),
  ),
});
export type FlowList = z.infer<typeof flowList>;

// A step that is leased is in somebody's hands; one with an error was given back and is tried again, unless it is parked.
const conditionSql = `CASE WHEN f."state" <> 'waiting' THEN f."state"
  WHEN f."leased_until" > clock_timestamp() THEN 'running'
  WHEN f."last_error" IS NOT NULL THEN 'retrying'
  WHEN f."due_at" <= business_now() THEN 'due' ELSE 'waiting' END`;

export const listSteps = query({
  name: 'flow.list',
  summary: 'List steps of work: those in trouble first, then by when they are due',
  audience: ['operator'],
  input: z.strictObject({
    condition: z.enum(conditions).optional().describe('Only these; everything that is not over when not given'),
    flow: z.string().optional().describe('Steps of this flow only: order, network, renewal, bucket'),
    subject: z.string().optional().describe('Steps about this id only'),
    limit: page.limit,
  }),
  output: flowList,
  examples: ['bss flow list', 'bss flow list --condition retrying', 'bss flow list --subject sub_…'],
  view: 'step-list',
  run: (database, input) =>
    readOne(
      database,
      flowList,
      'flow',
      input.flow ?? 'any',
      `WITH found AS (SELECT * FROM (SELECT f.*, ${conditionSql} AS "condition" FROM "flow_step" f
          WHERE ($3::text IS NULL OR f."flow" = $3) AND ($4::text IS NULL OR f."subject" = $4)
            AND (f."state" IN ('waiting', 'parked') OR f."state" = $2 OR ($2::text IS NULL AND $4::text IS NOT NULL))) f
        WHERE $2::text IS NULL OR f."condition" = $2)
      SELECT json_build_object(${readAtSql}, 'total', (SELECT count(*) FROM found), 'items', ${arraySql(`
        SELECT json_build_object('id', f."id", 'flow', f."flow", 'subject', f."subject", 'step', f."step", 'condition', f."condition",
          'dueAt', wire_time(f."due_at"), 'attempts', f."attempts", 'lastError', f."last_error",
          'nextTrySeconds', CASE WHEN f."condition" = 'retrying' AND f."not_before" > clock_timestamp()
            THEN ceil(extract(epoch FROM f."not_before" - clock_timestamp()))::bigint END,
          'startedBy', coalesce(f."caller" ->> 'name', f."caller" ->> 'id')) AS item
        FROM found f ORDER BY f."condition" NOT IN ('retrying', 'parked'), f."due_at", f."id" LIMIT $1`)}) AS view`,
      [input.limit, input.condition ?? null, input.flow ?? null, input.subject ?? null],
    ),
});
