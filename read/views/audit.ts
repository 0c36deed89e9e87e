import { z } from 'zod';
import { query, readOne } from './query.ts';
import { arraySql, instant, page, readAt, readAtSql } from './shapes.ts';

export const auditList = z.object({
  ...readAt,
  items: z.array(
    z.object({
      firstAt: instant,
      lastAt: instant,
      count: z.number().int().describe('How many alike in that minute'),
      status: z.number().int(),
      code: z.string().describe('The code of the rule, or the reason of the error'),
      door: z.string(),
      operation: z.string(),
      caller: z.object({ id: z.string(), name: z.string().nullable(), audience: z.string().nullable() }).nullable(),
      customerId: z.string().nullable(),
      address: z.string().nullable().describe('Only while nobody knows who asked'),
      requestId: z.string().nullable().describe('Of one of them, as the log knows it'),
    }),
  ),
});
export type AuditList = z.infer<typeof auditList>;

/** Refused requests. What was done is in the events; what was not is here. Machine time. */
export const listAudit = query({
  name: 'audit.list',
  summary: 'List refused requests, newest first: who, at which door, why',
  audience: ['operator'],
  input: z.strictObject({
    callerId: z.string().max(120).optional().describe('Of this token'),
    customerId: z.string().max(120).optional().describe('Of this customer'),
    address: z.string().max(64).optional().describe('From this address'),
    code: z.string().max(120).optional().describe('For this reason: order.requires_card_on_file'),
    status: z.number().int().min(400).max(599).optional().describe('With this status of HTTP'),
    door: z.string().max(40).optional().describe('At this door: TMF622, tools'),
    since: z.iso.datetime({ offset: true }).optional().describe('Not before this instant'),
    limit: page.limit,
  }),
  output: auditList,
  examples: [
    'bss audit list',
    'bss audit list --status 403 --limit 5',
    'bss audit list --code confirmation.same_caller',
  ],
  run: (database, input) =>
    readOne(
      database,
      auditList,
      'audit',
      'refusals',
      `SELECT json_build_object(${readAtSql}, 'items', ${arraySql(`SELECT json_build_object('firstAt', wire_time("first_at"), 'lastAt', wire_time("last_at"),
          'count', "count", 'status', "status", 'code', "code", 'door', "door", 'operation', "operation",
          'caller', CASE WHEN "caller_id" IS NOT NULL THEN json_build_object('id', "caller_id", 'name', "caller_name", 'audience', "audience") END,
          'customerId', "customer_id", 'address', "address", 'requestId', "request_id") AS item
        FROM "refusal" WHERE ($2::text IS NULL OR "caller_id" = $2) AND ($3::text IS NULL OR "customer_id" = $3) AND ($4::text IS NULL OR "address" = $4)
          AND ($5::text IS NULL OR "code" = $5) AND ($6::int IS NULL OR "status" = $6) AND ($7::text IS NULL OR "door" = $7)
          AND ($8::timestamptz IS NULL OR "last_at" >= $8)
        ORDER BY "last_at" DESC, "key" LIMIT $1`)}) AS view`,
      [
        input.limit,
        input.callerId ?? null,
        input.customerId ?? null,
        input.address ?? null,
        input.code ?? null,
        input.status ?? null,
        input.door ?? null,
        input.since ?? null,
      ],
    ),
});
