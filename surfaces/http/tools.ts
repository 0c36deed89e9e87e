import { createHash } from 'node:crypto';
import { answerOnce, type Keep } from '../../handlers/idempotency.ts';
import type { Wire } from '../../handlers/wire.ts';
import { acceptsJson } from './accept.ts';
import { problemText, type TextAnswer } from './answer.ts';
import { type Authenticate, allowTool, authenticated, hasScope, through } from './authorise.ts';
import { type BodyLimits, readBody } from './body.ts';
import { type Exchange, sendText } from './exchange.ts';
import { canonicalJson } from './json.ts';
import { idempotencyKeyOf, replayable } from './operations.ts';
import { HttpProblem, problemAnswer } from './problem.ts';
import type { ToolDoor } from './tool-door.ts';

export interface ToolParts {
  readonly wire: Pick<Wire, 'policy' | 'pool'>;
  readonly tools: ToolDoor;
  readonly authenticate: Authenticate;
  readonly limits: BodyLimits;
}

const json = 'application/json';

/** The tool door at `/tools`: the list of the caller's tools, and a POST to run one. Undefined for another path. */
export function toolsRoute(path: string): { name: string | undefined } | undefined {
  const found = /^\/tools(?:\/([^/]*))?\/?$/i.exec(path);
  if (!found) return undefined;
  const name = found[1];
  return { name: name === undefined || name === '' ? undefined : name };
}

/** Answers a request to the tool door, and throws what the caller is to be told. */
export async function answerTools(parts: ToolParts, exchange: Exchange, name: string | undefined): Promise<void> {
  const { request, response } = exchange;
  exchange.api = 'tools';
  exchange.route = name === undefined ? '/tools' : '/tools/{name}';
  exchange.operationName = name === undefined ? 'listTools' : 'runTool';
  const allow = name === undefined ? 'GET, HEAD, OPTIONS' : 'POST, OPTIONS';
  if (request.method === 'OPTIONS') {
    sendText(response, 'OPTIONS', { status: 204, headers: { Allow: allow }, text: null });
    return;
  }
  if (!allow.split(', ').includes(request.method)) {
    throw new HttpProblem(405, 'methodNotAllowed', `This path answers ${allow}.`, { headers: { Allow: allow } });
  }
  const token = await authenticated(request.headers.authorization, parts.authenticate);
  const caller = through(token, 'tools', exchange.requestId);
  exchange.caller = caller;
  if (!acceptsJson(request.headers.accept)) throw new HttpProblem(406, 'notAcceptable', `Answers are ${json}.`);
  if (name === undefined) {
    const tools = parts.tools.list(caller).filter((tool) => hasScope(caller, 'tools', tool.name));
    sendText(response, request.method, { status: 200, headers: {}, text: JSON.stringify(tools) });
    return;
  }
  const tool = decodedName(name);
  allowTool(caller, tool);
  const { value } = await readBody(request, response, parts.limits, {
    accepted: [json],
    aboutPaying: false,
    rulesOff: parts.wire.policy.rulesOff,
  });
  // A name is a label of the metrics only when it is a tool: the rest is whatever somebody typed.
  const run = async (keep?: Keep): Promise<TextAnswer> => {
    const result = await parts.tools.run(
      tool,
      value,
      caller,
      keep ? (tx, output) => keep(tx, storable(resultAnswer(output), exchange.requestId)) : undefined,
    );
    exchange.operationName = tool;
    return resultAnswer(result);
  };
  const key = idempotencyKeyOf(exchange);
  if (key === undefined) {
    sendText(response, request.method, await run());
    return;
  }
  const call = {
    callerId: caller.id,
    path: `tools ${tool}`,
    key,
    bodyHash: createHash('sha256').update(canonicalJson(value)).digest(),
  };
  let shown: TextAnswer | undefined;
  const once = await answerOnce(
    parts.wire,
    call,
    async (keep) => {
      shown = await run(keep);
      return storable(shown, exchange.requestId);
    },
    (error) => problemText(problemAnswer(error, exchange.requestId)),
  );
  sendText(response, request.method, once.replayed || !shown ? replayable(once) : shown);
}

function resultAnswer(result: unknown): TextAnswer {
  return { status: 200, headers: {}, text: JSON.stringify({ result: result ?? null }) };
}

/** A token is shown once and never stored, so a repeat cannot show it again; it is told so. */
function storable(answer: TextAnswer, requestId: string): TextAnswer {
  if (answer.text === null || !/\bair_[\w-]{20,}/.test(answer.text)) return answer;
  const gone = new HttpProblem(
    409,
    'answerNotKept',
    'This was done when it was first asked. Its answer held a secret and was not kept: revoke the token and make another.',
  );
  return problemText(problemAnswer(gone, requestId));
}

function decodedName(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    throw new HttpProblem(404, 'notFound', 'There is no tool of that name.');
  }
}
