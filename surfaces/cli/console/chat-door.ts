import { isJsonObject, type Json, type JsonObject } from '../../../kernel/json.ts';
import type { Connection } from '../connection.ts';

/** A conversation with the assistant, as the server keeps it. */
export interface Session {
  id: string;
  title: string;
  lastAt: string | null;
}

export interface Turn {
  role: 'person' | 'assistant';
  text: string;
  at: string | null;
}

/** Something the assistant would have done, for a person to judge. The token confirms it and is shown to nobody. */
export interface Proposed {
  tool: string;
  input: JsonObject;
  proposal: JsonObject;
  token: string;
}

export interface Reply {
  text: string;
  /** By rules when no language model is configured on the server. */
  assistant: 'model' | 'rules';
  tools: readonly string[];
  proposals: readonly Proposed[];
  caseId: string | undefined;
}

export type Told<T> =
  | { outcome: 'done'; value: T }
  /** This server has no such door, or no such session. */
  | { outcome: 'absent' }
  | { outcome: 'refused'; status: number; error: JsonObject }
  | { outcome: 'unreachable'; message: string };

export interface ChatDoor {
  sessions(): Promise<Told<Session[]>>;
  turns(session: string): Promise<Told<Turn[]>>;
  start(): Promise<Told<string>>;
  say(session: string, text: string): Promise<Told<Reply>>;
}

const readMsMax = 5000;
/** A model may take its time over several tools. */
const replyMsMax = 180_000;

/** `/chat/sessions` of a running server, as the bearer of the connection's token. */
export function chatDoor(connection: Connection, send: typeof fetch): ChatDoor {
  async function ask<T>(
    method: 'GET' | 'POST',
    path: string,
    body: JsonObject | undefined,
    read: (answer: Json) => T | undefined,
    answerMs: number,
  ): Promise<Told<T>> {
    let response: Response;
    let text: string;
    try {
      response = await send(`${connection.url}/chat/sessions${path}`, {
        method,
        headers: {
          accept: 'application/json',
          'user-agent': 'bss',
          ...(connection.token === undefined ? {} : { authorization: `Bearer ${connection.token}` }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        // A token is sent to the server that was named, not to one that it points to.
        redirect: 'error',
        signal: AbortSignal.timeout(answerMs),
      });
      text = await response.text();
    } catch (error) {
      const isLate = error instanceof Error && error.name === 'TimeoutError';
      const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
      const why = cause instanceof Error ? cause.message : String(cause);
      return { outcome: 'unreachable', message: isLate ? `no answer within ${answerMs / 1000} s` : why };
    }
    if (response.status === 404) return { outcome: 'absent' };
    const answer = parsed(text);
    if (!response.ok) {
      const error = isJsonObject(answer) ? answer : { message: `The server answered ${response.status}.` };
      return { outcome: 'refused', status: response.status, error };
    }
    const value = answer === undefined ? undefined : read(answer);
    if (value === undefined) return { outcome: 'unreachable', message: 'what answers there is no assistant' };
    return { outcome: 'done', value };
  }

  return {
    sessions: () => ask('GET', '', undefined, readSessions, readMsMax),
    turns: (session) => ask('GET', `/${encodeURIComponent(session)}`, undefined, readTurns, readMsMax),
    start: () => ask('POST', '', {}, (answer) => (isJsonObject(answer) ? text(answer.id) : undefined), readMsMax),
    say: (session, said) => ask('POST', `/${encodeURIComponent(session)}/turns`, { text: said }, readReply, replyMsMax),
  };
}

function parsed(body: string): Json | undefined {
  try {
    const value: Json = JSON.parse(body);
    return value;
  } catch {
    return undefined;
  }
}

const text = (value: Json | undefined): string | undefined => (typeof value === 'string' ? value : undefined);
const objects = (value: Json | undefined): JsonObject[] => (Array.isArray(value) ? value.filter(isJsonObject) : []);

function readSessions(answer: Json): Session[] | undefined {
  if (!isJsonObject(answer) || !Array.isArray(answer.items)) return undefined;
  return objects(answer.items).flatMap((one) => {
    const id = text(one.id);
    const lastAt = text(one.lastAt) ?? text(one.startedAt) ?? null;
    return id === undefined ? [] : [{ id, title: text(one.title) ?? '', lastAt }];
  });
}

function readTurns(answer: Json): Turn[] | undefined {
  if (!isJsonObject(answer) || !Array.isArray(answer.turns)) return undefined;
  return objects(answer.turns).map((one) => ({
    role: one.role === 'assistant' ? 'assistant' : 'person',
    text: text(one.text) ?? '',
    at: text(one.at) ?? null,
  }));
}

function readReply(answer: Json): Reply | undefined {
  const reply = isJsonObject(answer) ? text(answer.reply) : undefined;
  if (!isJsonObject(answer) || reply === undefined) return undefined;
  return {
    text: reply,
    assistant: answer.assistant === 'rules' ? 'rules' : 'model',
    tools: objects(answer.toolCalls).flatMap((one) => text(one.tool) ?? []),
    proposals: objects(answer.proposals).flatMap((one) => {
      const tool = text(one.tool);
      const token = isJsonObject(one.confirmation) ? text(one.confirmation.token) : undefined;
      if (tool === undefined || token === undefined || !isJsonObject(one.proposal)) return [];
      return [{ tool, token, proposal: one.proposal, input: isJsonObject(one.arguments) ? one.arguments : {} }];
    }),
    caseId: isJsonObject(answer.case) ? text(answer.case.id) : undefined,
  };
}
