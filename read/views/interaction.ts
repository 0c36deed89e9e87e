import { z } from 'zod';
import { query, readList } from './query.ts';
import { arraySql, instant, listShape, page, personShape } from './shapes.ts';

const interactionList = listShape(
  z.object({
    id: z.string(),
    state: z.string().nullable(),
    at: instant,
    customer: personShape.nullable(),
    direction: z.string().nullable().describe('inbound, or outbound for what was sent'),
    channel: z.string().nullable(),
    reason: z.string().nullable(),
    description: z.string().nullable(),
    about: z.array(z.string()).describe('Ids of what it was about'),
  }),
);
export type InteractionList = z.infer<typeof interactionList>;

const listOf = (document: string): string =>
  `jsonb_array_elements(CASE jsonb_typeof(${document}) WHEN 'array' THEN ${document} ELSE '[]' END)`;

export const listInteractions = query({
  name: 'interaction.list',
  summary: 'List contacts with customers, newest first',
  audience: ['operator'],
  input: z.strictObject({
    customerId: z.string().optional().describe('Those with this customer only'),
    ...page,
  }),
  output: interactionList,
  examples: ['bss interaction list', 'bss interaction list --customer-id cus_…'],
  run: (database, input) =>
    readList(
      database,
      interactionList,
      `SELECT json_build_object('id', i."id", 'state', i."state", 'at', coalesce(i."document" -> 'interactionDate' ->> 'startDateTime', wire_time(i."created_at")),
        'customer', CASE WHEN i."customer_id" IS NULL THEN NULL ELSE json_build_object('id', i."customer_id", 'name', c."name") END,
        'direction', i."document" ->> 'direction',
        'channel', (SELECT h ->> 'name' FROM ${listOf(`i."document" -> 'channel'`)} h LIMIT 1),
        'reason', i."document" ->> 'reason', 'description', i."document" ->> 'description',
        'about', ${arraySql(`SELECT t -> 'item' ->> 'id' AS item FROM ${listOf(`i."document" -> 'interactionItem'`)} t WHERE t -> 'item' ->> 'id' IS NOT NULL LIMIT 10`)}) AS item,
        i."id" AS "cursor"
      FROM "party_interaction" i LEFT JOIN "customer" c ON c."id" = i."customer_id"
      WHERE ($2::text IS NULL OR i."customer_id" = $2) AND ($3::text IS NULL OR i."id" < $3)
      ORDER BY i."id" DESC LIMIT $1 + 1`,
      input.limit,
      [input.customerId ?? null, input.after ?? null],
    ),
});
