import { createHash } from 'node:crypto';
import type { Request } from 'express';
import { answerOnce, type Keep } from '../../handlers/idempotency.ts';
import type { Wire } from '../../handlers/wire.ts';
import type { Caller, Surface } from '../../kernel/caller.ts';
import { canonicalJson } from '../../kernel/json.ts';
import { withContracts } from '../../tools/contract.ts';
import { acceptsJson } from './accept.ts';
import { problemText, type TextAnswer } from './answer.ts';
import { type Authenticate, allowTool, authenticated, hasScope, type Rates, through } from './authorise.ts';
import { type BodyLimits, readBody } from './body.ts';
import { type Exchange, sendText } from './exchange.ts';
import { idempotencyKeyOf, replayable } from './operations.ts';
import { HttpProblem, problemAnswer } from './problem.ts';
import type { ToolDoor } from './tool-door.ts';

export interface ToolParts {
  readonly wire: Pick<Wire, 'policy' | 'pool'>;
  readonly tools: ToolDoor;
  readonly authenticate: Authenticate;
  readonly rates?: Rates | undefined;
  readonly limits: BodyLimits;
}

const json = 'application/json';

export interface ToolsRoute {
  readonly name: string | undefined;
  /** `/tools/{name}/preview`: say what would happen, and keep nothing. */
  readonly isPreview: boolean;
}

/** The tool door at `/tools`: the list of the caller's tools, and a POST to run one. Undefined for another path. */
export function toolsRoute(path: string): ToolsRoute | undefined {
  const found = /^\/tools(?:\/([^/]*))?\/?$/i.exec(path) ?? /^\/tools\/([^/]+)\/preview\/?$/i.exec(path);
  if (!found) return undefined;
  const name = found[1];
  return {
    name: name === undefined || name === '' ? undefined : name,
    isPreview: /^\/tools\/[^/]+\/preview\/?$/i.test(path),
  };
}

/** Carries the token of a proposal in the call that confirms it; what the body holds are the arguments and no more. */
const confirmationHeader = 'confirmation-token';

/** Answers a request to the tool door, and throws what the caller is to be told. */
export async function answerTools(parts: ToolParts, exchange: Exchange, route: ToolsRoute): Promise<void> {
  const { request, response } = exchange;
  const { name, isPreview } = route;
  exchange.api = 'tools';
  exchange.route = name === undefined ? '/tools' : isPreview ? '/tools/{name}/preview' : '/tools/{name}';
  exchange.operationName = name === undefined ? 'listTools' : isPreview ? 'previewTool' : 'runTool';
  const allow = name === undefined ? 'GET, HEAD, OPTIONS' : 'POST, OPTIONS';
  if (request.method === 'OPTIONS') {
    sendText(response, 'OPTIONS', { status: 204, headers: { Allow: allow }, text: null });
    return;
  }
  if (!allow.split(', ').includes(request.method)) {
    throw new HttpProblem(405, 'methodNotAllowed', `This path answers ${allow}.`, { headers: { Allow: allow } });
  }
  const token = await authenticated(request, parts);
  // What the terminal calls itself decides nothing: it is the channel that an interaction names.
  const caller = through(token, channelOf(request.headers['user-agent']), exchange.requestId);
  exchange.caller = caller;
  if (!acceptsJson(request.headers.accept)) throw new HttpProblem(406, 'notAcceptable', `Answers are ${json}.`);
  if (name === undefined) {
    const own = parts.tools.list(caller).filter((tool) => hasScope(caller, 'tools', tool.name));
    const tools = await withContracts(own);
    // A tool may have several audiences; whose list this is tells an agent's surface which of them it serves.
    const headers = { 'Airtime-Audience': caller.audience };
    sendText(response, request.method, { status: 200, headers, text: JSON.stringify(tools) });
    return;
  }
  const tool = decodedName(name);
  try {
    await answerTool(parts, exchange, caller, tool, isPreview);
  } catch (error) {
    // A name is a label of metrics and audit only when it is a tool of the caller: the rest is whatever somebody typed.
    if (parts.tools.list(caller).some((one) => one.name === tool)) exchange.operationName = tool;
    throw error;
  }
}

async function answerTool(
  parts: ToolParts,
  exchange: Exchange,
  caller: Caller,
  tool: string,
  isPreview: boolean,
): Promise<void> {
  const { request, response } = exchange;
  allowTool(caller, tool);
  const { value } = await readBody(request, response, parts.limits, {
    accepted: [json],
    aboutPaying: false,
    rulesOff: parts.wire.policy.rulesOff,
  });
  if (isPreview) {
    const proposal = await parts.tools.preview(tool, value, caller);
    exchange.operationName = tool;
    sendText(response, request.method, { status: 200, headers: {}, text: JSON.stringify({ proposal }) });
    return;
  }
  if (parts.tools.needsConfirmation(tool, caller)) {
    exchange.operationName = tool;
    // The confirmation is the key under which the answer is kept: an Idempotency-Key beside it has nothing to do.
    sendText(response, request.method, await proposedOrDone(parts.tools, tool, value, caller, tokenIn(request)));
    return;
  }
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

function channelOf(userAgent: string | undefined): Surface {
  if (userAgent === 'bss mcp') return 'mcp';
  return userAgent === 'bss' ? 'cli' : 'tools';
}

/** The first of the two calls is answered with a proposal and its token, the second with what was done. */
async function proposedOrDone(
  tools: ToolDoor,
  tool: string,
  input: unknown,
  caller: Caller,
  token: string | undefined,
): Promise<TextAnswer> {
  if (token === undefined) {
    return { status: 200, headers: {}, text: JSON.stringify(await tools.propose(tool, input, caller)) };
  }
  const { result, replayed } = await tools.confirm(tool, input, caller, token);
  return { ...resultAnswer(result), headers: replayed ? { 'Idempotency-Replayed': 'true' } : {} };
}

function tokenIn(request: Request): string | undefined {
  const given = request.headers[confirmationHeader];
  return Array.isArray(given) ? given.join(',') : given;
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
