import { isJsonObject } from '../../kernel/json.ts';
import { cutText } from '../../kernel/text.ts';
import {
  type Answered,
  type BegunTurn,
  chatReplyMax,
  type Escalation,
  escalationIn,
  isEscalation,
} from '../../tools/conversations.ts';
import { answerByRules, selfDescription } from './assistant.ts';
import { askModel } from './model.ts';
import { outbound, withoutControls, withoutSecrets } from './outbound.ts';
import type { ChatGuard, ChatModel, ChatParts, Speaker } from './parts.ts';
import { type Proposed, type Toolbox, toolboxOf } from './toolbox.ts';

export interface TurnAnswer {
  reply: string;
  assistant: 'model' | 'rules';
  toolCalls: { tool: string }[];
  proposals: Proposed[];
  case?: { id: string };
}

const handedOver: Readonly<Record<Escalation, string>> = {
  fraud: 'This sounds like fraud, so a person takes over.',
  billingDispute: 'A charge that you do not agree with is looked at by a person.',
  regulatorComplaint: 'A complaint of this kind is answered by a person.',
  identityRecovery: 'Who you are is verified by a person, never by me.',
  bereavement: 'I am sorry. A person takes care of this with you.',
  person: 'A person takes over.',
};

const cut = (text: string, most: number): string => (text.length <= most ? text : `${cutText(text, most - 1)}…`);

/**
 * One turn: what was said is written down, a person is called where one is due, an assistant answers, and what leaves is
 * looked at a last time before it is kept and given out.
 */
export async function takeTurn(
  parts: ChatParts,
  speaker: Speaker,
  sessionId: string,
  said: string,
  onCall: (tool: string) => void = () => undefined,
): Promise<TurnAnswer> {
  const { caller } = speaker;
  const stands = (guard: ChatGuard): boolean => parts.guardsOff?.has(guard) !== true;
  const text = stands('chat.person_secrets') ? withoutSecrets(said) : said;
  const begun = await parts.conversations.begin(caller, sessionId, text);
  const began = parts.clock.now().getTime();
  const sinceMs = (): number => Math.max(0, Math.round(parts.clock.now().getTime() - began));
  const toolbox = toolboxOf(parts, speaker, onCall);
  let spent: Spent = { ...nothingSpent(begun), assistant: 'rules', model: null };
  try {
    return await answerTurn();
  } catch (error) {
    // A conversation that waits for nobody can be gone on with, and what was called before stays known.
    const last = { ...spent, reply: brokenOff, toolCalls: toolbox.calls, latencyMs: sinceMs() };
    await parts.conversations.finish(caller, last).catch((again: unknown) => parts.onFailure(caller, again));
    throw error;
  }

  async function answerTurn(): Promise<TurnAnswer> {
    const model = begun.mayUseModel || !stands('chat.cost_per_month') ? parts.model : undefined;
    if (parts.model && !model) parts.onAttempt(caller, { tool: 'chat', status: 429, code: 'chat.cost_per_month' });

    const due =
      caller.audience === 'customer' && stands('chat.escalation') ? escalationIn(text.normalize('NFKC')) : undefined;
    if (due !== undefined) return escalated(parts, speaker, due, { ...spent, toolCalls: [], latencyMs: sinceMs() });
    const answered = model
      ? await byModel(parts, model, speaker, begun, text, toolbox)
      : { ...nothingSpent(begun), ...(await byRules(parts, speaker, begun, text, toolbox)), failed: false };
    const { failed, ...kept } = answered;
    spent = kept;
    const done = { ...kept, toolCalls: toolbox.calls, latencyMs: sinceMs() };
    parts.onTurn?.({ assistant: done.assistant, model: done.model, failed, latencyMs: done.latencyMs });
    if (toolbox.escalation !== undefined) {
      const category = isEscalation(toolbox.escalation) ? toolbox.escalation : 'person';
      return escalated(parts, speaker, category, done);
    }
    const reply = await judged(parts, speaker, done.reply);
    const proposals = await allowed(parts, speaker, toolbox.proposals);
    await parts.conversations.finish(caller, { ...done, reply });
    return { reply, assistant: done.assistant, toolCalls: done.toolCalls.map(({ tool }) => ({ tool })), proposals };
  }
}

/** What stands in the conversation where an answer could not be given. */
const brokenOff = 'The answer could not be given: the server failed. Ask again, or ask for a person.';

type Spent = Omit<Answered, 'toolCalls' | 'latencyMs'>;

const nothingSpent = (begun: BegunTurn) => ({
  turnId: begun.id,
  reply: '',
  inputTokens: 0,
  outputTokens: 0,
  costMicros: 0n,
});

async function byRules(
  parts: ChatParts,
  { caller }: Speaker,
  begun: BegunTurn,
  text: string,
  toolbox: Toolbox,
): Promise<Pick<Spent, 'reply' | 'assistant' | 'model'>> {
  try {
    const words = await answerByRules(caller, text, toolbox);
    const reply = begun.isFirst && !words.startsWith(selfDescription) ? `${selfDescription} ${words}` : words;
    return { reply, assistant: 'rules', model: null };
  } catch (error) {
    parts.onFailure(caller, error);
    return {
      reply: `${selfDescription} I could not find that out. Ask again, or ask for a person.`,
      assistant: 'rules',
      model: null,
    };
  }
}

async function byModel(
  parts: ChatParts,
  model: ChatModel,
  speaker: Speaker,
  begun: BegunTurn,
  text: string,
  toolbox: Toolbox,
): Promise<Spent & { failed: boolean }> {
  const { reply, inputTokens, outputTokens } = await askModel(parts, model, speaker, begun, text, toolbox);
  const costMicros = BigInt(inputTokens) * BigInt(model.inputRate) + BigInt(outputTokens) * BigInt(model.outputRate);
  const spent = { ...nothingSpent(begun), inputTokens, outputTokens, costMicros, model: model.name };
  if (reply !== undefined) {
    const words =
      reply.trim() ||
      (toolbox.proposals.length > 0
        ? 'This waits for you to confirm it.'
        : 'I have no answer to that. Say it in other words, or ask for a person.');
    return { ...spent, reply: words, assistant: 'model', failed: false };
  }
  const failure = 'The language model does not answer at the moment.';
  // Once a tool was called, the same question asked anew by rules could do a thing twice.
  if (toolbox.calls.length > 0) {
    const done = toolbox.calls.filter(({ outcome }) => outcome === 'done').map(({ tool }) => tool);
    return {
      ...spent,
      reply: `${failure} ${done.length > 0 ? `Before that I had called ${[...new Set(done)].join(', ')}.` : 'Nothing was changed.'} ${toolbox.proposals.length > 0 ? 'What was proposed can still be confirmed. ' : ''}Ask again in a moment, or ask for a person.`,
      assistant: 'model',
      failed: true,
    };
  }
  const own = toolboxOf(parts, speaker);
  const rules = await byRules(parts, speaker, { ...begun, isFirst: true }, text, own);
  toolbox.calls.push(...own.calls);
  toolbox.proposals.push(...own.proposals);
  return { ...spent, reply: `${failure} ${rules.reply}`, assistant: 'rules', failed: true };
}

/** What leaves as text: no secrets for anybody, and for a customer nothing that is not theirs. */
async function judged(parts: ChatParts, speaker: Speaker, words: string): Promise<string> {
  const { caller } = speaker;
  const stands = (guard: ChatGuard): boolean => parts.guardsOff?.has(guard) !== true;
  const seen = stands('chat.reply_controls') ? withoutControls(words) : words;
  const open = stands('chat.reply_secrets') ? withoutSecrets(seen) : seen;
  if (open !== seen) parts.onAttempt(caller, { tool: 'chat', status: 422, code: 'chat.reply_holds_no_secret' });
  const short = cut(open, chatReplyMax - 200);
  if (caller.audience !== 'customer' || !stands('chat.reply_identifiers')) return short;
  const out = await outbound(short, caller, parts.conversations.owners);
  if (out.isChanged) parts.onAttempt(caller, { tool: 'chat', status: 422, code: 'chat.reply_names_own_things' });
  for (const customerId of out.foreign) await parts.onForeign(caller, customerId);
  return cut(out.text, chatReplyMax - 200);
}

/** A proposal that would name something which is not the customer's is not shown: its token is forgotten unused. */
async function allowed(parts: ChatParts, { caller }: Speaker, proposals: readonly Proposed[]): Promise<Proposed[]> {
  if (caller.audience !== 'customer' || parts.guardsOff?.has('chat.reply_identifiers') === true) return [...proposals];
  const shown: Proposed[] = [];
  for (const one of proposals) {
    const { tool, arguments: given, proposal } = one;
    const out = await outbound(stringsOf({ given, proposal }).join('\n'), caller, parts.conversations.owners);
    for (const customerId of out.foreign) await parts.onForeign(caller, customerId);
    if (out.isChanged) parts.onAttempt(caller, { tool, status: 422, code: 'chat.reply_names_own_things' });
    else shown.push(one);
  }
  return shown;
}

function stringsOf(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (Array.isArray(value)) return value.flatMap(stringsOf);
  return isJsonObject(value) ? Object.entries(value).flatMap(([name, inner]) => [name, ...stringsOf(inner)]) : [];
}

/** A case for people, and nothing else: what the turn had proposed is dropped with it. */
async function escalated(
  parts: ChatParts,
  { caller }: Speaker,
  category: Escalation,
  answered: Answered,
): Promise<TurnAnswer> {
  const { caseId, reply } = await parts.conversations.escalate(caller, {
    ...answered,
    category,
    reply: handedOver[category],
  });
  return {
    reply,
    assistant: answered.assistant,
    toolCalls: answered.toolCalls.map(({ tool }) => ({ tool })),
    proposals: [],
    case: { id: caseId },
  };
}
