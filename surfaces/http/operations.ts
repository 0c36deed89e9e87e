import { createHash } from 'node:crypto';
import { OpenAPIBackend } from 'openapi-backend';
import type { Logger } from 'pino';
import { type Api, apis, type Operation, operations } from '../../generated/operations.ts';
import { loadValidators } from '../../generated/validators/index.ts';
import type { ApiValidators, OperationValidators } from '../../generated/validators/validator.ts';
import { answerOnce, type Keep } from '../../handlers/idempotency.ts';
import type { ApiHandlers, Handler, Wire, WireRequest, WireResponse } from '../../handlers/wire.ts';
import { invalid } from '../../kernel/error.ts';
import { canonicalJson } from '../../kernel/json.ts';
import { acceptsJson } from './accept.ts';
import { problemText, type TextAnswer, textAnswer, withLinks } from './answer.ts';
import { type Authenticate, allowApi, authenticated, type Rates, through } from './authorise.ts';
import { type BodyLimits, readBody } from './body.ts';
import { type Exchange, sendText } from './exchange.ts';
import { contractError } from './faults.ts';
import { matchPath } from './matcher.ts';
import { HttpProblem, problemAnswer } from './problem.ts';

export interface OperationsParts {
  readonly wire: Wire;
  readonly handlers: Readonly<Record<Api, ApiHandlers>>;
  readonly authenticate: Authenticate;
  readonly rates?: Rates | undefined;
  readonly log: Logger;
  readonly validateResponses: boolean;
  readonly limits: BodyLimits;
}

const json = 'application/json';
const patchTypes = [json, 'application/merge-patch+json', 'application/json-patch+json'];
/** APIs whose bodies are about paying, where a card number is refused in any attribute. */
const payingApis = new Set<string>(['TMF670', 'TMF676']);

const nameOf = (operation: Pick<Operation, 'api' | 'operationId'>) => `${operation.api}.${operation.operationId}`;

const served: readonly Operation[] = operations.filter((one) => one.served);

/**
 * The paths and operation ids of all APIs as one small document, made from the operation table. The full documents hold
 * 1.8 MB of schemas that nothing here reads: requests are judged by the generated validators.
 */
function definition() {
  const paths: Record<string, Record<string, { operationId: string; responses: Record<string, never> }>> = {};
  for (const operation of served) {
    const basePath = apis.find((one) => one.api === operation.api)?.basePaths[0];
    const path = `${basePath}${operation.path}`;
    paths[path] = { ...paths[path], [operation.method]: { operationId: nameOf(operation), responses: {} } };
  }
  return {
    openapi: '3.0.3',
    info: { title: 'Airtime', version: '1' },
    paths,
    components: { securitySchemes: { bearerToken: { type: 'http' as const, scheme: 'bearer' } } },
    security: [{ bearerToken: [] }],
  };
}

/**
 * Makes the TMF door: operations by their id, who may call them, what is read, validated, answered.
 * @returns a function that answers one request, and throws what the caller is to be told.
 */
export async function tmfOperations(parts: OperationsParts): Promise<(exchange: Exchange) => Promise<void>> {
  const backend = new OpenAPIBackend({ definition: definition(), quick: true, validate: false, strict: true });
  await backend.init();

  const found = new Map(backend.router.getOperations().map((one) => [one.operationId, one] as const));
  // The router of openapi-backend rebuilds every pattern on every call; the matcher looks up twice at most.
  const match = (request: { method: string; path: string }) => {
    const place = matchPath(request.path)?.place;
    if (!place) throw new Error('404-notFound');
    const operation = place.operations.get(request.method.toLowerCase());
    const known = operation && found.get(nameOf(operation));
    if (!known) throw new Error('405-methodNotAllowed');
    return known;
  };
  backend.router.matchOperation = match;

  backend.registerSecurityHandler('bearerToken', async (_context, exchange: Exchange) => {
    const caller = await authenticated(exchange.request, parts);
    exchange.caller = through(caller, 'tmf', exchange.requestId);
    allowApi(caller, exchange.api, exchange.request.method);
    return exchange.caller;
  });
  backend.register({
    notFound: () => {
      throw new HttpProblem(404, 'notFound', 'There is nothing at this path.');
    },
    methodNotAllowed: (_context, exchange: Exchange) => {
      const allow = exchange.match?.place.allow ?? '';
      throw new HttpProblem(405, 'methodNotAllowed', `This path answers ${allow}.`, { headers: { Allow: allow } });
    },
    notImplemented: (context) => {
      throw new HttpProblem(501, 'notImplemented', `${context.operation.operationId} is not served.`);
    },
    unauthorizedHandler: (context) => {
      throw context.security.bearerToken?.error ?? new HttpProblem(401, 'unauthenticated', 'Say who you are.');
    },
    preOperationHandler: (_context, exchange: Exchange) => readRequest(parts, exchange),
    postResponseHandler: (context, exchange: Exchange) => respond(parts, exchange, context.response),
  });
  for (const operation of served) {
    const handler = handlerOf(parts.handlers, operation);
    if (handler)
      backend.register(nameOf(operation), (_context, exchange: Exchange) =>
        answer(parts, exchange, operation, handler),
      );
  }

  return async (exchange) => {
    const { request, path } = exchange;
    const method = request.method === 'HEAD' ? 'GET' : request.method;
    exchange.match = matchPath(path);
    exchange.operation = exchange.match?.place.operations.get(method.toLowerCase());
    if (exchange.match) {
      exchange.api = exchange.match.place.api;
      exchange.route = exchange.match.place.template;
      exchange.operationName = exchange.operation?.operationId ?? 'none';
      if (request.method === 'OPTIONS') {
        sendText(exchange.response, 'OPTIONS', {
          status: 204,
          headers: { Allow: exchange.match.place.allow },
          text: null,
        });
        return;
      }
    }
    await backend.handleRequest({ method, path, headers: {}, query: {} }, exchange);
  };
}

function handlerOf(handlers: OperationsParts['handlers'], operation: Operation): Handler | undefined {
  const ofApi = Object.entries(handlers).find(([api]) => api === operation.api)?.[1];
  return ofApi?.[operation.operationId];
}

const isApi = (name: string): name is Api => apis.some((one) => one.api === name);

// An import is looked up anew each time it is asked for, which costs more than judging the request.
const loaded = new Map<Api, Promise<ApiValidators>>();

async function validatorsOf(operation: Operation): Promise<OperationValidators> {
  const { api } = operation;
  if (!isApi(api)) throw new Error(`no validators for ${api}`);
  let validators = loaded.get(api);
  if (!validators) {
    validators = loadValidators[api]();
    loaded.set(api, validators);
  }
  const own = (await validators).operations[operation.operationId];
  if (!own) throw new Error(`no validators for ${nameOf(operation)}`);
  return own;
}

/** Judges what HTTP and the contract ask of a request before a handler sees it. */
async function readRequest(parts: OperationsParts, exchange: Exchange): Promise<void> {
  const { request, response, operation } = exchange;
  if (!operation) throw new Error('a matched request has an operation');
  if (!acceptsJson(request.headers.accept)) {
    throw new HttpProblem(406, 'notAcceptable', `Answers are ${json}; the Accept header of the request rules it out.`);
  }
  const own = await validatorsOf(operation);
  if (own.query) {
    const query = queryObject(exchange.search);
    if (!own.query(query)) throw contractError(own.query.errors, 'the query');
  }
  if (operation.method !== 'post' && operation.method !== 'patch') return;
  const { value, mediaType } = await readBody(request, response, parts.limits, {
    accepted: operation.method === 'patch' ? patchTypes : [json],
    aboutPaying: payingApis.has(operation.api),
    rulesOff: parts.wire.policy.rulesOff,
  });
  const validate = own.request?.[mediaType];
  if (validate && !validate(value)) throw contractError(validate.errors, 'the body');
  exchange.body = value;
  exchange.mediaType = mediaType;
}

/** Parameters by name; one that comes twice is an array, as the validators expect. */
function queryObject(search: string): Record<string, unknown> {
  const query: Record<string, unknown> = Object.create(null);
  for (const [name, value] of new URLSearchParams(search)) {
    const before = query[name];
    query[name] = before === undefined ? value : Array.isArray(before) ? [...before, value] : [before, value];
  }
  return query;
}

interface Answered {
  answer: TextAnswer;
  partial: boolean;
}

async function answer(
  parts: OperationsParts,
  exchange: Exchange,
  operation: Operation,
  handler: Handler,
): Promise<Answered> {
  const { caller } = exchange;
  if (!caller) throw new Error('an authorised request has a caller');
  const wireRequest: WireRequest = {
    operation,
    id: exchange.match?.id,
    search: exchange.search,
    body: exchange.body,
    mediaType: exchange.mediaType,
    ifMatch: headerOf(exchange, 'if-match'),
    caller,
  };
  const key = operation.method === 'post' ? idempotencyKeyOf(exchange) : undefined;
  if (key === undefined) {
    const given = await handler(parts.wire, wireRequest);
    return { answer: textAnswer(given), partial: given.partial ?? false };
  }
  const call = {
    callerId: caller.id,
    path: `${operation.api} ${operation.path}`,
    key,
    bodyHash: createHash('sha256').update(canonicalJson(exchange.body)).digest(),
  };
  const work = async (keep: Keep) => {
    const keepAnswer = (tx: Parameters<Keep>[0], given: WireResponse) => keep(tx, textAnswer(given));
    return textAnswer(await handler(parts.wire, { ...wireRequest, keepAnswer }));
  };
  const once = await answerOnce(parts.wire, call, work, (error) =>
    problemText(problemAnswer(error, exchange.requestId)),
  );
  return { answer: replayable(once), partial: false };
}

export function replayable(once: TextAnswerOnce): TextAnswer {
  const { status, text, headers, replayed } = once;
  return { status, text, headers: { ...headers, ...(replayed ? { 'Idempotency-Replayed': 'true' } : {}) } };
}

type TextAnswerOnce = Awaited<ReturnType<typeof answerOnce>>;

/** @throws AirtimeError 400 for a key that cannot be one */
export function idempotencyKeyOf(exchange: Exchange): string | undefined {
  const key = headerOf(exchange, 'idempotency-key');
  if (key === undefined) return undefined;
  if (!/^[\x21-\x7e]{1,255}$/.test(key)) {
    throw invalid('The Idempotency-Key is malformed.', [
      { field: 'Idempotency-Key', rule: 'has 1 to 255 visible ASCII characters', remedy: 'Send a UUID, for example.' },
    ]);
  }
  return key;
}

function headerOf(exchange: Exchange, name: string): string | undefined {
  const value = exchange.request.headers[name];
  return Array.isArray(value) ? value.join(', ') : value;
}

async function respond(parts: OperationsParts, exchange: Exchange, given: Answered): Promise<void> {
  const whole = withLinks(given.answer, parts.wire.publicUrl);
  if (parts.validateResponses && exchange.operation) {
    await checkResponse(parts.log, exchange, exchange.operation, whole, given.partial);
  }
  sendText(exchange.response, exchange.request.method, whole);
}

/** Judges an answer of ours by the contract. A violation is a defect: logged, and answered 500 so that a test sees it. */
export async function checkResponse(
  log: Logger,
  exchange: Pick<Exchange, 'requestId'>,
  operation: Operation,
  sent: TextAnswer,
  partial: boolean,
): Promise<void> {
  const own = await validatorsOf(operation);
  const checks = partial ? own.responsePartial : own.response;
  const status = String(sent.status);
  const check = Object.hasOwn(checks, status) ? checks[status] : checks.default;
  const body: unknown = sent.text === null ? undefined : JSON.parse(sent.text);
  const isRight = check ? body !== undefined && check(body) : body === undefined;
  if (isRight) return;
  log.error(
    {
      requestId: exchange.requestId,
      operation: nameOf(operation),
      status: sent.status,
      errors: (check?.errors ?? []).slice(0, 10),
    },
    'an answer breaks the contract',
  );
  throw new Error(`the answer ${status} of ${nameOf(operation)} breaks the contract`);
}
