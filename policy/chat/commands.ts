import { createHash } from 'node:crypto';
import { z } from 'zod';
import { notFound } from '../../kernel/error.ts';
import { canonicalJson } from '../../kernel/json.ts';
import { cutText } from '../../kernel/text.ts';
import { command } from '../core/command.ts';
import { refs } from '../core/party.ts';
import { updateRows } from '../core/table.ts';
import type { Tx } from '../core/transaction.ts';
import { logInteraction } from '../interaction/commands.ts';
import { openTicket } from '../ticket/commands.ts';
import { type Escalation, escalations } from './escalation.ts';
import { oneTurnAtATime, type TurnFacts, turnSecondsMax, turnsPerHour } from './rules.ts';

/** How long what a person says may be, in characters. */
export const chatTextMax = 4000;
/** How long what is answered may be. */
export const chatReplyMax = 8000;
/** Earlier turns that a model is given. */
const historyMax = 12;

/** Who owns a conversation. A customer's is theirs with whatever token; others have those of their token. */
const owned = { owner: z.string().min(1).max(200), customerId: z.string().max(120).nullable() };

const startInput = z.object(owned);

export const startChat = command<z.infer<typeof startInput>, object, { id: string }>({
  name: 'chat.start',
  summary: 'Begin a conversation with the assistant',
  input: startInput,
  audience: ['system'],
  effect: 'write',
  rules: [],
  facts: async () => ({}),
  async apply(tx, _facts, { owner, customerId }) {
    const id = tx.newId('chs');
    await tx.sql`INSERT INTO "chat_session" ("id", "owner", "customer_id", "started_at", "last_at", "created_at")
      VALUES (${id}, ${owner}, ${customerId}, ${tx.now}, ${tx.now}, clock_timestamp())`;
    return { id };
  },
});

const beginInput = z.object({
  ...owned,
  sessionId: z.string(),
  /** Only whose conversation it is may go on with it. */
  onlyOwner: z.boolean(),
  text: z.string().min(1).max(chatTextMax),
});

export interface SaidBefore {
  role: 'person' | 'assistant';
  text: string;
}

export interface BegunTurn {
  id: string;
  isFirst: boolean;
  /** Whether the month's conversations have cost less than they may. */
  mayUseModel: boolean;
  /** What was said before, oldest first, and not the whole of a long conversation. */
  before: SaidBefore[];
}

/** Writes down what a person said, before anybody is asked for an answer: a failure of the model loses nothing. */
export const beginTurn = command<z.infer<typeof beginInput>, TurnFacts, BegunTurn>({
  name: 'chat.begin_turn',
  summary: 'Say something to the assistant',
  input: beginInput,
  audience: ['system'],
  effect: 'write',
  rules: [oneTurnAtATime, turnsPerHour],
  async facts(tx, { owner, customerId, sessionId, onlyOwner }) {
    // Turns of one owner are counted one after the other, in whichever conversation they are.
    await tx.sql`SELECT pg_advisory_xact_lock(hashtextextended(${`chat ${owner}`}, 0))`;
    const [session] = await tx.sql<{ id: string; next: number; isWaited: boolean }>`SELECT s."id",
        (SELECT coalesce(max(t."position"), 0)::int + 1 FROM "chat_turn" t WHERE t."session_id" = s."id") AS next,
        EXISTS (SELECT 1 FROM "chat_turn" t WHERE t."session_id" = s."id" AND t."state" = 'running'
          AND t."created_at" > clock_timestamp() - make_interval(secs => ${turnSecondsMax})) AS is_waited
      FROM "chat_session" s WHERE s."id" = ${sessionId} AND (s."owner" = ${owner} OR NOT ${onlyOwner}) FOR UPDATE`;
    if (!session) throw notFound('conversation', sessionId);
    const [used] = await tx.sql<{ turns: bigint; retry: number | null; spent: bigint }>`SELECT
        count(*) FILTER (WHERE "created_at" > clock_timestamp() - interval '1 hour') AS turns,
        ceil(extract(epoch FROM min("created_at") FILTER (WHERE "created_at" > clock_timestamp() - interval '1 hour') + interval '1 hour' - clock_timestamp()))::int AS retry,
        coalesce(sum("cost_micros") FILTER (WHERE "created_at" >= date_trunc('month', clock_timestamp())), 0)::bigint AS spent
      FROM "chat_turn" WHERE "owner" = ${owner} AND "created_at" > clock_timestamp() - interval '32 days'`;
    return {
      sessionId,
      position: session.next,
      isWaited: session.isWaited,
      turnsInHour: customerId === null ? undefined : Number(used?.turns ?? 0),
      retryAfterSeconds: used?.retry ?? 0,
      spentMicros: customerId === null ? 0n : (used?.spent ?? 0n),
    };
  },
  async apply(tx, { position, spentMicros }, { owner, customerId, sessionId, text }) {
    const before = await tx.sql<{ personText: string; replyText: string | null }>`SELECT "person_text", "reply_text"
      FROM "chat_turn" WHERE "session_id" = ${sessionId} ORDER BY "position" DESC LIMIT ${historyMax}`;
    const [cap] = await tx.sql<{
      isLeft: boolean;
    }>`SELECT ${String(spentMicros)}::bigint < ${tx.settings.chatCostPerMonth}::bigint * 1000000 AS is_left`;
    const id = tx.newId('cht');
    await tx.sql`INSERT INTO "chat_turn" ("id", "session_id", "position", "owner", "customer_id", "state", "person_text", "person_at", "created_at")
      VALUES (${id}, ${sessionId}, ${position}, ${owner}, ${customerId}, 'running', ${text}, ${tx.now}, clock_timestamp())`;
    await tx.sql`UPDATE "chat_session" SET "last_at" = ${tx.now}, "title" = coalesce("title", ${cutText(text, 80)}) WHERE "id" = ${sessionId}`;
    return {
      id,
      isFirst: position === 1,
      mayUseModel: cap?.isLeft === true || customerId === null,
      before: before
        .reverse()
        .flatMap(({ personText, replyText }) => [
          { role: 'person' as const, text: personText },
          ...(replyText === null ? [] : [{ role: 'assistant' as const, text: replyText }]),
        ]),
    };
  },
});

const calledTool = z.object({
  tool: z.string().max(120),
  outcome: z.enum(['done', 'proposed', 'refused']),
  /** Of a refusal: the code of the rule, or the reason. */
  reason: z.string().max(120).optional(),
  arguments: z.string().max(2000),
});
export type CalledTool = z.infer<typeof calledTool>;

const answered = {
  turnId: z.string(),
  reply: z.string().max(chatReplyMax),
  assistant: z.enum(['model', 'rules']),
  model: z.string().max(200).nullable(),
  toolCalls: z.array(calledTool).max(200),
  inputTokens: z.int().min(0),
  outputTokens: z.int().min(0),
  costMicros: z.bigint().min(0n),
  latencyMs: z.int().min(0),
};

const finishInput = z.object(answered);

interface FinishFacts {
  turn: { id: string; sessionId: string; position: number; customerId: string | null; personText: string };
}

async function lockTurn(tx: Tx, id: string): Promise<FinishFacts> {
  const [turn] = await tx.sql<FinishFacts['turn']>`SELECT "id", "session_id", "position", "customer_id", "person_text"
    FROM "chat_turn" WHERE "id" = ${id} AND "state" = 'running' FOR UPDATE`;
  if (!turn) throw notFound('turn that waits for its answer', id);
  return { turn };
}

async function keepReply(
  tx: Tx,
  { turn }: FinishFacts,
  input: z.infer<typeof finishInput>,
  more: { reply: string; caseId?: string; transcriptHash?: string },
): Promise<void> {
  const { turnId: _, toolCalls, reply: __, ...rest } = input;
  const { reply, ...escalated } = more;
  await updateRows(
    tx,
    'chatTurn',
    { id: turn.id },
    { state: 'done', replyText: reply, replyAt: tx.now, ...rest, ...escalated },
  );
  await tx.sql`UPDATE "chat_turn" SET "tool_calls" = ${JSON.stringify(toolCalls)}::jsonb WHERE "id" = ${turn.id}`;
  await tx.sql`UPDATE "chat_session" SET "last_at" = ${tx.now} WHERE "id" = ${turn.sessionId}`;
  if (turn.customerId === null) return;
  const tools = [...new Set(toolCalls.map(({ tool }) => tool))].slice(0, 10);
  await logInteraction(tx, {
    customerId: turn.customerId,
    channel: 'chat',
    reason: escalated.caseId === undefined ? 'chat' : 'chat escalated',
    description: [
      `Asked: ${cutText(turn.personText, 200)}`,
      `Answered by ${input.assistant === 'model' ? 'a language model' : 'the built-in assistant'}${tools.length > 0 ? `, with ${tools.join(', ')}` : ''}.`,
    ].join('\n'),
    direction: 'inbound',
    about: [refs.chat(turn.sessionId), ...(escalated.caseId === undefined ? [] : [refs.ticket(escalated.caseId)])],
  });
}

/** Keeps what was answered, with the tools that were called, what it cost and how long it took. */
export const finishTurn = command<z.infer<typeof finishInput>, FinishFacts, { id: string }>({
  name: 'chat.finish_turn',
  summary: 'Keep the answer of the assistant',
  input: finishInput,
  audience: ['system'],
  effect: 'write',
  rules: [],
  facts: (tx, { turnId }) => lockTurn(tx, turnId),
  async apply(tx, facts, input) {
    await keepReply(tx, facts, input, { reply: input.reply });
    return { id: facts.turn.id };
  },
});

/** One turn as it counts for the hash of a transcript. */
export interface TranscriptEntry {
  role: 'person' | 'assistant';
  text: string;
  at: string;
}

/** The SHA-256 of a transcript: of its entries as canonical JSON, names in order and no white space. */
export function transcriptHash(entries: readonly TranscriptEntry[]): string {
  const plain = entries.map(({ role, text, at }) => ({ role, text, at }));
  return createHash('sha256').update(canonicalJson(plain), 'utf8').digest('hex');
}

/** Turns that a transcript is hashed with at most, and that are read back at most: the last of them. */
const transcriptMax = 1000;

async function transcriptUpTo(tx: Tx, { turn }: FinishFacts): Promise<TranscriptEntry[]> {
  const rows = await tx.sql<{ personText: string; personAt: Date; replyText: string | null; replyAt: Date | null }>`
    SELECT "person_text", "person_at", "reply_text", "reply_at" FROM "chat_turn"
    WHERE "session_id" = ${turn.sessionId} AND "position" <= ${turn.position} ORDER BY "position" DESC LIMIT ${transcriptMax}`;
  return rows
    .reverse()
    .flatMap(({ personText, personAt, replyText, replyAt }) => [
      { role: 'person' as const, text: personText, at: personAt.toISOString() },
      ...(replyText === null || replyAt === null
        ? []
        : [{ role: 'assistant' as const, text: replyText, at: replyAt.toISOString() }]),
    ]);
}

const escalateInput = z.object({
  ...answered,
  category: z.enum(Object.keys(escalations) as [Escalation, ...Escalation[]]),
});

/**
 * Hands a customer over to people: a case with the hash of what was said up to now, so that nobody can say later that
 * something else was. The assistant does nothing more in this turn.
 */
export const escalateTurn = command<
  z.infer<typeof escalateInput>,
  FinishFacts,
  { caseId: string; transcriptHash: string; reply: string }
>({
  name: 'chat.escalate',
  summary: 'Hand a conversation over to a person',
  input: escalateInput,
  audience: ['system'],
  effect: 'write',
  rules: [],
  facts: (tx, { turnId }) => lockTurn(tx, turnId),
  async apply(tx, facts, { category, ...input }) {
    const { turn } = facts;
    const hash = transcriptHash(await transcriptUpTo(tx, facts));
    const made = await openTicket(tx, {
      ...(turn.customerId === null ? {} : { customerId: turn.customerId }),
      name: `Chat: ${escalations[category]}`,
      description: `A conversation was handed over. Conversation ${turn.sessionId}, transcript SHA-256 ${hash}. Last said: ${cutText(turn.personText, 1000)}`,
      severity: category === 'person' ? 'minor' : 'major',
      ticketType: 'case',
      relatedEntity: [refs.chat(turn.sessionId)],
    });
    const reply = `${input.reply} Your case is ${made.id}.`;
    await keepReply(tx, facts, input, { reply, caseId: made.id, transcriptHash: hash });
    return { caseId: made.id, transcriptHash: hash, reply };
  },
});

/** Forgets conversations that are older than the installation keeps them. */
export const forgetChats = command({
  name: 'chat.forget',
  summary: 'Forget conversations that are older than they are kept',
  input: z.object({ limit: z.int().min(1).max(100_000).default(10_000) }),
  audience: ['system'],
  effect: 'write',
  rules: [],
  facts: async () => ({}),
  async apply(tx, _facts, input) {
    const gone = await tx.sql<{ id: string }>`DELETE FROM "chat_session" WHERE "id" IN (
      SELECT "id" FROM "chat_session" WHERE "last_at" < ${tx.now}::timestamptz - make_interval(days => ${tx.settings.chatRetentionDays})
      ORDER BY "last_at" LIMIT ${input.limit} FOR UPDATE SKIP LOCKED) RETURNING "id"`;
    await tx.sql`DELETE FROM "chat_turn" WHERE "session_id" = ANY (${gone.map(({ id }) => id)})`;
    return { forgotten: gone.length };
  },
});
