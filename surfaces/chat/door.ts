import type { Caller } from '../../kernel/caller.ts';
import { AirtimeError, invalid } from '../../kernel/error.ts';
import { isJsonObject, type JsonObject } from '../../kernel/json.ts';
import { chatTextMax } from '../../tools/conversations.ts';
import type { ChatParts, Speaker } from './parts.ts';
import { takeTurn } from './turn.ts';

/** What this door is asked. How it came here, who may come and how bodies are read is the HTTP door's. */
export interface ChatRequest {
  readonly method: string;
  /** Below `/chat`: `/sessions/chs_…`. */
  readonly path: string;
  readonly speaker: Speaker;
  body(): Promise<unknown>;
  /** Sends a part of a turn as it goes; undefined for who wants the whole of it at the end. */
  readonly stream: ((event: string, data: JsonObject) => void) | undefined;
}

export interface ChatAnswer {
  status: number;
  body: unknown;
  /** Methods of the path, where the answer is about them. */
  allow?: string;
}

/** How the log and the measures call a path. */
export type ChatOperation = 'chatSessions' | 'chatSession' | 'chatTurns';

const sessionPath = /^\/sessions\/([\w-]{1,100})\/?$/;
const turnsPath = /^\/sessions\/([\w-]{1,100})\/turns\/?$/;

/** The path as one of ours, with the methods that it takes. @throws AirtimeError 404 */
export function chatRoute(path: string): { operation: ChatOperation; allow: string; id: string } {
  if (/^\/sessions\/?$/.test(path)) return { operation: 'chatSessions', allow: 'GET, POST, OPTIONS', id: '' };
  const turns = turnsPath.exec(path)?.[1];
  if (turns !== undefined) return { operation: 'chatTurns', allow: 'POST, OPTIONS', id: turns };
  const session = sessionPath.exec(path)?.[1];
  if (session !== undefined) return { operation: 'chatSession', allow: 'GET, OPTIONS', id: session };
  throw new AirtimeError(404, 'notFound', 'There is nothing at this path.');
}

/**
 * Conversations with the assistant: begin one, look at one's own, say something.
 * @throws AirtimeError as every door of the house
 */
export async function answerChat(parts: ChatParts, request: ChatRequest): Promise<ChatAnswer> {
  const { speaker } = request;
  const { operation, id } = chatRoute(request.path);
  switch (operation) {
    case 'chatSessions':
      if (request.method === 'GET')
        return { status: 200, body: { items: await parts.conversations.list(speaker.caller) } };
      noBody(await request.body());
      return { status: 201, body: await parts.conversations.start(speaker.caller) };
    case 'chatSession':
      return { status: 200, body: await parts.conversations.read(speaker.caller, id) };
    case 'chatTurns': {
      const text = textIn(await request.body());
      const answer = await takeTurn(parts, speaker, id, text, (tool) => request.stream?.('tool', { tool }));
      return { status: 200, body: answer };
    }
  }
}

function noBody(body: unknown): void {
  if (isJsonObject(body) && Object.keys(body).length === 0) return;
  throw invalid('A conversation begins with an empty object.', [
    { field: 'the body', rule: 'is not {}', remedy: 'Send {}, and then a turn.' },
  ]);
}

function textIn(body: unknown): string {
  const { text, ...more } = isJsonObject(body) ? body : {};
  const [unknown] = Object.keys(more);
  const wrong = (field: string, rule: string) =>
    invalid(`A turn is {"text": "…"}: ${field} ${rule}.`, [
      { field, rule, remedy: 'Send what the person says as text.' },
    ]);
  if (unknown !== undefined) throw wrong(unknown.slice(0, 60), 'is not an attribute of a turn');
  if (typeof text !== 'string' || text.trim() === '') throw wrong('text', 'is missing or empty');
  if (text.length > chatTextMax) throw wrong('text', `has more than ${chatTextMax} characters`);
  return text;
}

/** Whether a token opens this door at all: one that opens no tool has nothing to talk about. @throws AirtimeError 403 */
export async function allowChat(speaker: Speaker): Promise<Caller> {
  const { tools } = await speaker.door.list();
  if (tools.length > 0) return speaker.caller;
  throw new AirtimeError(
    403,
    'forbidden',
    'This token opens no tool, and the assistant has no others. Ask the operator for one with tools:*.',
  );
}
