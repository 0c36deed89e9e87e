import { createServer, type ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { isJsonObject, type Json, type JsonObject } from '../../kernel/json.ts';

/** What a scripted model says when it is asked. */
export interface ModelStep {
  text?: string;
  /** Arguments that are text are sent as they are, JSON or not. */
  calls?: { name: string; arguments: JsonObject | string }[];
  /** An answer of HTTP that is none of a model. */
  status?: number;
  raw?: string;
  /** So many bytes of text. */
  bytes?: number;
  delayMs?: number;
  /** What it says that it counted; nothing for null. */
  usage?: { input: number; output: number } | null;
}

/** What a model was sent. */
export interface AskedModel {
  /** How often it was asked since it was given its script. */
  readonly step: number;
  readonly raw: string;
  /** What tools answered, oldest first. */
  readonly results: readonly string[];
  /** What people and tools said, without what the model said itself. */
  readonly heard: string;
  readonly tools: readonly string[];
}

export type Script = (asked: AskedModel) => ModelStep | Promise<ModelStep>;

export interface ScriptedModel {
  readonly url: string;
  play(script: Script): void;
  /** Everything that it was sent since it was given its script. */
  readonly asked: AskedModel[];
  /** Everything that it said since then. */
  readonly said: string[];
  /** Whether its last answer was read to the end. */
  readonly wasRead: boolean;
  /** The keys that it was called with. */
  readonly keys: (string | undefined)[];
  close(): Promise<void>;
}

const textsOf = (content: Json | undefined): string => {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return '';
  return content
    .map((part) => (isJsonObject(part) ? (typeof part.text === 'string' ? part.text : textsOf(part.content)) : ''))
    .join('\n');
};

function askedOf(raw: string, step: number): AskedModel {
  const body: unknown = JSON.parse(raw);
  const given = isJsonObject(body) ? body : {};
  const messages = (Array.isArray(given.messages) ? given.messages : []).filter(isJsonObject);
  const results = messages.flatMap((message) => {
    if (message.role === 'tool') return [textsOf(message.content)];
    const parts = Array.isArray(message.content) ? message.content.filter(isJsonObject) : [];
    return parts.filter(({ type }) => type === 'tool_result').map(({ content }) => textsOf(content));
  });
  const heard = [
    textsOf(given.system),
    ...messages.filter(({ role }) => role !== 'assistant').map(({ content }) => textsOf(content)),
  ].join('\n');
  const tools = (Array.isArray(given.tools) ? given.tools : []).filter(isJsonObject).flatMap((tool) => {
    const name = isJsonObject(tool.function) ? tool.function.name : tool.name;
    return typeof name === 'string' ? [name] : [];
  });
  return { step, raw, results, heard, tools };
}

const asText = (given: JsonObject | string): string => (typeof given === 'string' ? given : JSON.stringify(given));

function openAi(step: ModelStep): JsonObject {
  const { text = null, calls = [], usage = { input: 100, output: 20 } } = step;
  return {
    id: 'chatcmpl-1',
    object: 'chat.completion',
    created: 1,
    model: 'scripted',
    choices: [
      {
        index: 0,
        message: {
          role: 'assistant',
          content: text,
          ...(calls.length > 0
            ? {
                tool_calls: calls.map((call, index) => ({
                  id: `call_${index}`,
                  type: 'function',
                  function: { name: call.name, arguments: asText(call.arguments) },
                })),
              }
            : {}),
        },
        finish_reason: calls.length > 0 ? 'tool_calls' : 'stop',
      },
    ],
    ...(usage
      ? {
          usage: {
            prompt_tokens: usage.input,
            completion_tokens: usage.output,
            total_tokens: usage.input + usage.output,
          },
        }
      : {}),
  };
}

function anthropic(step: ModelStep): JsonObject {
  const { text, calls = [], usage = { input: 100, output: 20 } } = step;
  return {
    id: 'msg_1',
    type: 'message',
    role: 'assistant',
    model: 'scripted',
    content: [
      ...(text === undefined ? [] : [{ type: 'text', text }]),
      ...calls.map((call, index) => ({
        type: 'tool_use',
        id: `toolu_${index}`,
        name: call.name,
        input: typeof call.arguments === 'string' ? {} : call.arguments,
      })),
    ],
    stop_reason: calls.length > 0 ? 'tool_use' : 'end_turn',
    stop_sequence: null,
    usage: { input_tokens: usage?.input ?? 0, output_tokens: usage?.output ?? 0 },
  };
}

const pieceLength = 64 * 1024;

/** A model that says what a test tells it to, over HTTP as OpenAI's and Anthropic's endpoints do. */
export async function scriptedModel(): Promise<ScriptedModel> {
  let script: Script = () => ({ text: 'Hello.' });
  let wasRead = true;
  const asked: AskedModel[] = [];
  const said: string[] = [];
  const keys: (string | undefined)[] = [];

  async function send(response: ServerResponse, path: string, step: ModelStep): Promise<void> {
    if (step.delayMs !== undefined) await new Promise((resolve) => setTimeout(resolve, step.delayMs));
    wasRead = false;
    const whole = step.bytes === undefined ? step : { ...step, text: 'x'.repeat(step.bytes) };
    const text = step.raw ?? JSON.stringify(path.endsWith('/messages') ? anthropic(whole) : openAi(whole));
    if (step.bytes === undefined) said.push(text);
    response.writeHead(step.status ?? 200, { 'content-type': 'application/json' });
    // Piece by piece, as far as they are taken: what nobody reads is not sent.
    const pieces = Array.from({ length: Math.ceil(text.length / pieceLength) }, (_, index) =>
      text.slice(index * pieceLength, (index + 1) * pieceLength),
    );
    wasRead = await pipeline(Readable.from(pieces), response).then(
      () => true,
      () => false,
    );
  }

  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { authorization } = request.headers;
      const key = request.headers['x-api-key'] ?? authorization;
      keys.push(Array.isArray(key) ? key[0] : key);
      const one = askedOf(Buffer.concat(chunks).toString('utf8'), asked.length);
      asked.push(one);
      Promise.resolve(script(one))
        .then((step) => send(response, request.url ?? '', step))
        .catch((error: unknown) => {
          response.writeHead(500);
          response.end(String(error));
        });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the model has no address');
  return {
    url: `http://127.0.0.1:${address.port}/v1`,
    play(next) {
      script = next;
      asked.length = 0;
      said.length = 0;
      keys.length = 0;
      wasRead = true;
    },
    asked,
    said,
    keys,
    get wasRead() {
      return wasRead;
    },
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
