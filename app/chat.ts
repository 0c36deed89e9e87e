import type { Logger } from 'pino';
import { Histogram, type Registry } from 'prom-client';
import { openLanguageModel } from '../adapters/language-model.ts';
import type { Caller } from '../kernel/caller.ts';
import type { MachineClock } from '../kernel/clock.ts';
import { AirtimeError } from '../kernel/error.ts';
import type { JsonObject } from '../kernel/json.ts';
import type { Policy } from '../policy/core/command.ts';
import { allowChat, answerChat, chatRoute } from '../surfaces/chat/door.ts';
import type { ChatLimits, ChatModel, ChatParts, Speaker } from '../surfaces/chat/parts.ts';
import { type TurnAnswer, takeTurn } from '../surfaces/chat/turn.ts';
import { acceptsJson } from '../surfaces/http/accept.ts';
import { agentOf } from '../surfaces/http/agents.ts';
import type { Guard } from '../surfaces/http/authorise.ts';
import { judgeValue, readBody } from '../surfaces/http/body.ts';
import { sendText } from '../surfaces/http/exchange.ts';
import { HttpProblem, problemAnswer } from '../surfaces/http/problem.ts';
import { type HttpServer, httpLimits, setOperation } from '../surfaces/http/server.ts';
import { type AgentDoor, localDoor } from '../tools/agent-door.ts';
import { type Conversations, conversationsOf } from '../tools/conversations.ts';
import type { ToolDoor } from '../tools/registry.ts';
import type { Configuration } from './configuration.ts';

export interface ChatPagesParts extends Guard, Pick<ChatParts, 'onAttempt' | 'onForeign' | 'guardsOff'> {
  readonly tools: ToolDoor;
  readonly policy: Policy;
  readonly model: Configuration['model'];
  readonly clock: Pick<MachineClock, 'now'>;
  readonly log: Pick<Logger, 'warn' | 'error'>;
  readonly metrics: Registry;
  readonly limits?: Partial<ChatLimits>;
  /** Bytes that one answer of a model may have. */
  readonly answerBytesMax?: number;
  /** For a proof: what stands between an assistant and the tools, in place of the door of the house. */
  wrap?(door: AgentDoor, caller: Caller): AgentDoor;
}

/** A turn is a few lines of text: its body is small. */
const bodyBytesMax = 32 * 1024;
const answerBytesDefault = 2 * 1024 * 1024;

function modelOf(given: Configuration['model'], answerBytesMax: number): ChatModel | undefined {
  if (given === undefined) return undefined;
  // It is made once; when that failed, the next turn tries again.
  let opened: ReturnType<ChatModel['open']> | undefined;
  return {
    name: given.name,
    inputRate: given.inputRate,
    outputRate: given.outputRate,
    open: () => {
      opened ??= openLanguageModel({ ...given, answerBytesMax }).catch((error: unknown) => {
        opened = undefined;
        throw error;
      });
      return opened;
    },
  };
}

/** What may be said of a failure in the log: what a model was sent and what it answered are none of it. */
function failureOf(error: unknown): object {
  if (!(error instanceof Error)) return { name: 'unknown' };
  const status = 'statusCode' in error && typeof error.statusCode === 'number' ? { status: error.statusCode } : {};
  return { name: error.name, ...status };
}

/** The assistant with all that it needs: one for all surfaces that people talk to it by. */
export interface Assistant {
  readonly chat: ChatParts;
  readonly conversations: Conversations;
  /** Who speaks, with the tools that are theirs. */
  speaker(caller: Caller, allows: (tool: string) => boolean): Speaker;
  /** One turn. @throws AirtimeError as the chat door */
  say(speaker: Speaker, id: string, text: string, onTool: (tool: string) => void): Promise<TurnAnswer>;
}

export function assistantOf(parts: Omit<ChatPagesParts, keyof Guard>): Assistant {
  const { tools, policy, log, guardsOff } = parts;
  const latency = new Histogram({
    name: 'airtime_chat_turn_seconds',
    help: 'How long the assistant took to answer, by what answered.',
    labelNames: ['assistant', 'model', 'outcome'],
    buckets: [0.05, 0.25, 1, 2.5, 5, 10, 15, 30, 60],
    registers: [parts.metrics],
  });
  const chat: ChatParts = {
    conversations: conversationsOf(policy, guardsOff),
    model: modelOf(parts.model, parts.answerBytesMax ?? answerBytesDefault),
    clock: parts.clock,
    limits: { ...(parts.model ? { turnMsMax: parts.model.turnMsMax } : {}), ...parts.limits },
    ...(guardsOff ? { guardsOff } : {}),
    onAttempt: parts.onAttempt,
    onForeign: parts.onForeign,
    onTurn: ({ assistant, model, failed, latencyMs }) =>
      latency.observe({ assistant, model: model ?? 'none', outcome: failed ? 'failed' : 'answered' }, latencyMs / 1000),
    onFailure: ({ requestId }, error) => log.warn({ requestId, ...failureOf(error) }, 'the assistant failed'),
  };

  const rules = { aboutPaying: false, rulesOff: policy.rulesOff };
  return {
    chat,
    conversations: chat.conversations,
    speaker: (caller, allows) => {
      const door = localDoor({
        tools,
        caller,
        allows,
        judge: (input: JsonObject) => judgeValue(input, httpLimits, rules),
        onRefused: (tool, error) => parts.onAttempt(caller, { tool, status: error.status, code: error.reason }),
        onDefect: (error) => log.error({ requestId: caller.requestId, err: error }, 'tool failed'),
      });
      return { caller, door: parts.wrap?.(door, caller) ?? door };
    },
    say: (speaker, id, text, onTool) => takeTurn(chat, speaker, id, text, onTool),
  };
}

/** `/chat`: conversations with the assistant, let in by the rules of the HTTP door. */
export function chatPages(
  parts: ChatPagesParts,
  assistant: Assistant = assistantOf(parts),
): Parameters<HttpServer['mount']>[1] {
  const { policy, log } = parts;
  const rules = { aboutPaying: false, rulesOff: policy.rulesOff };

  async function answer(
    request: Parameters<Parameters<HttpServer['mount']>[1]>[0],
    response: Parameters<Parameters<HttpServer['mount']>[1]>[1],
  ): Promise<void> {
    const { operation, allow } = chatRoute(request.path);
    setOperation(request, operation);
    if (request.method === 'OPTIONS') {
      sendText(response, 'OPTIONS', { status: 204, headers: { Allow: allow }, text: null });
      return;
    }
    if (!allow.split(', ').includes(request.method)) {
      throw new HttpProblem(405, 'methodNotAllowed', `This path answers ${allow}.`, { headers: { Allow: allow } });
    }
    const { caller, allows } = await agentOf(request, parts, 'chat');
    const isStream = operation === 'chatTurns' && /\btext\/event-stream\b/i.test(request.headers.accept ?? '');
    if (!isStream && !acceptsJson(request.headers.accept)) {
      throw new HttpProblem(406, 'notAcceptable', 'Answers are application/json, or text/event-stream for a turn.');
    }
    const speaker = assistant.speaker(caller, allows);
    await allowChat(speaker);
    const send = (event: string, data: unknown): void => {
      response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
    };
    // The stream begins with the first that there is to say: what is refused before is answered as everywhere.
    const open = (): void => {
      if (response.headersSent) return;
      response.writeHead(200, { 'Content-Type': 'text/event-stream', 'X-Accel-Buffering': 'no' });
    };
    try {
      const told = await answerChat(assistant.chat, {
        method: request.method,
        path: request.path,
        speaker,
        body: async () =>
          (
            await readBody(
              request,
              response,
              { ...httpLimits, bodyBytesMax },
              { ...rules, accepted: ['application/json'] },
            )
          ).value,
        stream: isStream
          ? (event, data) => {
              open();
              send(event, data);
            }
          : undefined,
      });
      if (isStream) {
        open();
        send('turn', told.body);
        response.end();
        return;
      }
      sendText(response, request.method, { status: told.status, headers: {}, text: JSON.stringify(told.body) });
    } catch (error) {
      if (!response.headersSent) throw error;
      if (!(error instanceof AirtimeError)) log.error({ requestId: caller.requestId, err: error }, 'chat failed');
      send('error', problemAnswer(error, caller.requestId ?? '').error);
      response.end();
    }
  }
  return (request, response, next) => {
    answer(request, response).catch(next);
  };
}
