import { z } from 'zod';
import { query, readList, readOne } from './query.ts';
import { arraySql, instant, listShape, page, personShape, readAt, readAtSql } from './shapes.ts';

const conversationList = listShape(
  z.object({
    id: z.string(),
    title: z.string().nullable().describe('How it began'),
    customer: personShape.nullable().describe('Null for one of an operator'),
    startedAt: instant,
    lastAt: instant,
    turns: z.number().int(),
    cases: z.array(z.string()).describe('Tickets that it was handed over with'),
  }),
);
export type ConversationList = z.infer<typeof conversationList>;

const customerSql = `CASE WHEN s."customer_id" IS NULL THEN NULL ELSE json_build_object('id', s."customer_id", 'name', c."name") END`;

/** For who works on a case: what was said to the assistant, and what it did. */
export const listConversations = query({
  name: 'conversation.list',
  summary: 'List conversations with the assistant, newest first',
  audience: ['operator'],
  input: z.strictObject({
    customerId: z.string().optional().describe('Those of this customer only'),
    ...page,
  }),
  output: conversationList,
  examples: ['bss conversation list --customer-id cus_…'],
  run: (database, { limit, customerId, after }) =>
    readList(
      database,
      conversationList,
      `SELECT json_build_object('id', s."id", 'title', s."title", 'customer', ${customerSql},
        'startedAt', wire_time(s."started_at"), 'lastAt', wire_time(s."last_at"),
        'turns', (SELECT count(*) FROM "chat_turn" t WHERE t."session_id" = s."id"),
        'cases', ${arraySql(`SELECT t."case_id" AS item FROM "chat_turn" t WHERE t."session_id" = s."id" AND t."case_id" IS NOT NULL ORDER BY t."position" LIMIT 20`)}) AS item, s."id" AS "cursor"
      FROM "chat_session" s LEFT JOIN "customer" c ON c."id" = s."customer_id"
      WHERE ($2::text IS NULL OR s."customer_id" = $2) AND ($3::text IS NULL OR s."id" < $3)
      ORDER BY s."id" DESC LIMIT $1 + 1`,
      limit,
      [customerId ?? null, after ?? null],
    ),
});

const turnsMax = 200;

export const conversationShape = z.object({
  ...readAt,
  id: z.string(),
  title: z.string().nullable(),
  customer: personShape.nullable(),
  startedAt: instant,
  turns: z.array(
    z.object({
      person: z.string().describe('What the person said'),
      at: instant,
      reply: z.string().nullable(),
      replyAt: instant.nullable(),
      assistant: z.enum(['model', 'rules']).nullable().describe('A language model, or the built-in assistant'),
      model: z.string().nullable(),
      toolCalls: z.array(z.object({ tool: z.string(), outcome: z.string(), reason: z.string().optional() })),
      tokens: z.object({ input: z.number().int(), output: z.number().int() }),
      costMicros: z.number().int().describe('In millionths of a minor unit of the currency'),
      latencyMs: z.number().int().nullable(),
      caseId: z.string().nullable(),
      transcriptHash: z.string().nullable().describe('SHA-256 of what had been said when the case was opened'),
    }),
  ),
});
export type ConversationView = z.infer<typeof conversationShape>;

export const showConversation = query({
  name: 'conversation.show',
  summary: 'Show a conversation with the assistant: what was said, tools, cost and latency',
  audience: ['operator'],
  input: z.strictObject({
    conversationId: z.string().describe('The conversation'),
    last: z.number().int().min(1).max(turnsMax).default(50).describe('So many turns, up to the last one'),
  }),
  output: conversationShape,
  positional: ['conversationId'],
  examples: ['bss conversation show chs_…'],
  run: (database, { conversationId, last }) =>
    readOne(
      database,
      conversationShape,
      'conversation',
      conversationId,
      `SELECT json_build_object(${readAtSql}, 'id', s."id", 'title', s."title", 'customer', ${customerSql}, 'startedAt', wire_time(s."started_at"),
        'turns', ${arraySql(`SELECT json_build_object('person', t."person_text", 'at', wire_time(t."person_at"), 'reply', t."reply_text", 'replyAt', wire_time(t."reply_at"),
            'assistant', t."assistant", 'model', t."model", 'toolCalls', t."tool_calls",
            'tokens', json_build_object('input', t."input_tokens", 'output', t."output_tokens"),
            'costMicros', t."cost_micros", 'latencyMs', t."latency_ms", 'caseId', t."case_id", 'transcriptHash', t."transcript_hash") AS item
          FROM (SELECT * FROM "chat_turn" WHERE "session_id" = s."id" ORDER BY "position" DESC LIMIT $2) t ORDER BY t."position"`)}) AS view
      FROM "chat_session" s LEFT JOIN "customer" c ON c."id" = s."customer_id" WHERE s."id" = $1`,
      [conversationId, last],
    ),
});
