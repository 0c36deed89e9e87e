import { z } from 'zod';
import { ownerOf, query, readList, readOne } from './query.ts';
import { arraySql, instant, listShape, page, personShape, readAt, readAtSql } from './shapes.ts';

const ticketFields = {
  id: z.string(),
  state: z.string().nullable(),
  name: z.string(),
  type: z.string().nullable(),
  severity: z.string().nullable(),
  openedAt: instant,
  updatedAt: instant,
  customer: personShape.nullable(),
};

const ticketFieldsSql = `'id', t."id", 'state', t."state", 'name', coalesce(t."document" ->> 'name', t."document" ->> 'description', ''),
  'type', t."document" ->> 'ticketType', 'severity', t."document" ->> 'severity',
  'openedAt', wire_time(t."created_at"), 'updatedAt', wire_time(t."updated_at"),
  'customer', CASE WHEN t."customer_id" IS NULL THEN NULL ELSE json_build_object('id', t."customer_id", 'name', c."name") END`;

export const ticketShape = z.object({
  ...readAt,
  ...ticketFields,
  description: z.string(),
  notes: z.array(z.object({ at: instant.nullable(), author: z.string().nullable(), text: z.string() })),
  caseId: z.string().nullable().describe('The case it is part of'),
  tickets: z
    .array(z.object({ id: z.string(), state: z.string().nullable(), name: z.string() }))
    .describe('The tickets of a case'),
});
export type TicketView = z.infer<typeof ticketShape>;

export const showTicket = query({
  name: 'ticket.show',
  summary: 'Show a ticket: what it is about, its notes, its case',
  audience: ['operator', 'customer', 'integrator'],
  input: z.strictObject({ ticketId: z.string().describe('The ticket') }),
  output: ticketShape,
  positional: ['ticketId'],
  examples: ['bss ticket show tck_…'],
  run: (database, { ticketId }, caller) =>
    readOne(
      database,
      ticketShape,
      'ticket',
      ticketId,
      `SELECT json_build_object(${readAtSql}, ${ticketFieldsSql}, 'description', coalesce(t."document" ->> 'description', ''),
        'notes', ${arraySql(`SELECT json_build_object('at', n ->> 'date', 'author', n ->> 'author', 'text', coalesce(n ->> 'text', '')) AS item
          FROM jsonb_array_elements(CASE jsonb_typeof(t."document" -> 'note') WHEN 'array' THEN t."document" -> 'note' ELSE '[]' END) n`)},
        'caseId', t."parent_id",
        'tickets', ${arraySql(`SELECT json_build_object('id', k."id", 'state', k."state", 'name', coalesce(k."document" ->> 'name', '')) AS item
          FROM "trouble_ticket" k WHERE k."parent_id" = t."id" AND ($2::text IS NULL OR k."customer_id" = $2) ORDER BY k."id" LIMIT 50`)}
      ) AS view FROM "trouble_ticket" t LEFT JOIN "customer" c ON c."id" = t."customer_id"
      WHERE t."id" = $1 AND ($2::text IS NULL OR t."customer_id" = $2)`,
      [ticketId, ownerOf(caller)],
    ),
});

const ticketList = listShape(z.object(ticketFields));
export type TicketList = z.infer<typeof ticketList>;

export const listTickets = query({
  name: 'ticket.list',
  summary: 'List tickets, newest first',
  audience: ['operator', 'customer', 'integrator'],
  input: z.strictObject({
    customerId: z.string().optional().describe('Tickets of this customer only'),
    state: z.string().max(60).optional().describe('Tickets in this status only, as inProgress'),
    open: z.boolean().optional().describe('Only those on which work goes on'),
    ...page,
  }),
  output: ticketList,
  examples: ['bss ticket list --open', 'bss ticket list --customer-id cus_…'],
  run: (database, input) =>
    readList(
      database,
      ticketList,
      `SELECT json_build_object(${ticketFieldsSql}) AS item, t."id" AS "cursor"
      FROM "trouble_ticket" t LEFT JOIN "customer" c ON c."id" = t."customer_id"
      WHERE ($2::text IS NULL OR t."customer_id" = $2) AND ($3::text IS NULL OR lower(t."state") = lower($3))
        AND ($4::boolean IS NOT TRUE OR lower(t."state") NOT IN ('closed', 'resolved', 'cancelled', 'rejected'))
        AND ($5::text IS NULL OR t."id" < $5)
      ORDER BY t."id" DESC LIMIT $1 + 1`,
      input.limit,
      [input.customerId ?? null, input.state ?? null, input.open ?? null, input.after ?? null],
    ),
});
