import { createServer, type IncomingMessage, STATUS_CODES } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import express, { type Express, type NextFunction, type Request, type RequestHandler, type Response } from 'express';
import helmet from 'helmet';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { Api } from '../../generated/operations.ts';
import type { ApiHandlers, Wire } from '../../handlers/wire.ts';
import type { Caller } from '../../kernel/caller.ts';
import { explainAway, isDatabaseAway } from '../../kernel/database-away.ts';
import { AirtimeError } from '../../kernel/error.ts';
import { problemText, withLinks } from './answer.ts';
import { addressOf, authenticated, hasScope, type Rates, TooMany } from './authorise.ts';
import { type Exchange, requestIdOf, sendText, splitTarget } from './exchange.ts';
import { expressClasses } from './express-classes.ts';
import { errorFields } from './log.ts';
import { httpMetrics } from './metrics.ts';
import { checkResponse, tmfOperations } from './operations.ts';
import { HttpProblem, problemAnswer } from './problem.ts';
import type { ToolDoor } from './tool-door.ts';
import { answerTools, toolsRoute } from './tools.ts';
import { type UsageStreamLimits, usageStream, usageStreamLimits, usageStreamPath } from './usage-stream.ts';

export interface HttpLimits {
  /** Bytes of a body, after decompression. */
  bodyBytesMax: number;
  /** Levels of arrays and objects in one another. */
  nestingMax: number;
  /** Bytes of a request's line and headers together. */
  headerBytesMax: number;
  /** Characters of path and query. */
  targetLengthMax: number;
  /** Parameters of a query. */
  queryParametersMax: number;
  /** Items of one array in a body. */
  arrayItemsMax: number;
  /** Requests that are answered at once; more are told to come again. */
  inFlightMax: number;
  /** Milliseconds in which a request must have arrived whole. */
  requestTimeoutMs: number;
}

export const httpLimits: HttpLimits = {
  bodyBytesMax: 1024 * 1024,
  nestingMax: 64,
  headerBytesMax: 32 * 1024,
  targetLengthMax: 16 * 1024,
  queryParametersMax: 100,
  arrayItemsMax: 20_000,
  inFlightMax: 1000,
  requestTimeoutMs: 30_000,
};

export interface Readiness {
  ok: boolean;
  /** What was looked at: `{ database: true, migrations: true }`. */
  checks: Record<string, boolean>;
}

/** A request that was refused: who, where, why; nothing of what was sent. */
export interface Refused {
  readonly door: string;
  readonly operation: string;
  readonly status: number;
  /** The code of the rule, or the reason of the error. */
  readonly code: string;
  readonly caller: Caller | undefined;
  readonly address: string;
  readonly requestId: string;
}

/** What the audit hears of. A 404 is told only of customers: it is how they are answered who ask for what is not theirs. */
const refusals = new Set([401, 403, 409, 412, 422, 429]);

export interface HttpDependencies {
  readonly wire: Wire;
  readonly handlers: Readonly<Record<Api, ApiHandlers>>;
  readonly tools: ToolDoor;
  authenticate(token: string): Promise<Caller | undefined>;
  /** No limits when not given. */
  readonly rates?: Rates;
  /** Hears of each request that was refused, for the audit. Must not throw, and is not waited for. */
  readonly onRefused?: (refused: Refused) => void;
  readonly log: Logger;
  /** Judge every answer by the contract; a violation is logged and answered 500. Off in production. */
  readonly validateResponses: boolean;
  readonly limits?: Partial<HttpLimits>;
  readonly streamLimits?: Partial<UsageStreamLimits>;
  ready(): Promise<Readiness>;
  /** Takes the measures of this door; one registry serves one door. */
  readonly metrics: Registry;
  /** Follows a request from here to its end; calls `next`, once and at once. Must not throw. */
  readonly trace?: ((exchange: Exchange, next: () => void) => void) | undefined;
}

export interface HttpServer {
  readonly app: Express;
  /** Adds another surface (portal, MCP) beside the APIs. It shares request ids, log, metrics and limits, not the errors. */
  mount(path: string, handler: RequestHandler): void;
  listen(host: string, port: number): Promise<AddressInfo>;
  /**
   * Says that it is not ready for `drainMs` while it goes on serving, so that a proxy finds another; then stops accepting,
   * lets running requests end for at most `graceMs`, and cuts what is left.
   */
  close(graceMs: number, drainMs?: number): Promise<void>;
}

const exchangeKey = Symbol('exchange');

/** A request with its exchange on it. In a `WeakMap` each would stay until a major collection. */
type Known = IncomingMessage & { [exchangeKey]?: Exchange };

const knownOf = (request: Known): Exchange | undefined => request[exchangeKey];

/** Who a mounted surface found its caller to be, for the log. */
export function setCaller(request: IncomingMessage, caller: Caller): void {
  const exchange = knownOf(request);
  if (exchange) exchange.caller = caller;
}

/** What a mounted surface was asked, for log, measures and audit: a word of its own, never what was typed. */
export function setOperation(request: IncomingMessage, operation: string): void {
  const exchange = knownOf(request);
  if (exchange) exchange.operationName = operation;
}

/** What a mounted surface refused and why, for the audit: its answer may be a page that leads on, or a stream. */
export function setRefused(request: IncomingMessage, refused: { status: number; reason: string }): void {
  const exchange = knownOf(request);
  if (exchange) exchange.refused = { status: refused.status, reason: refused.reason };
}

/** The id of a request, for a mounted surface. */
export function requestIdFor(request: IncomingMessage): string {
  return knownOf(request)?.requestId ?? requestIdOf(undefined);
}

/** Makes the HTTP door: TMF APIs, tools, health, metrics, and whatever is mounted beside them. */
export async function createHttpServer(dependencies: HttpDependencies): Promise<HttpServer> {
  const { wire, log } = dependencies;
  const limits = { ...httpLimits, ...dependencies.limits };
  const metrics = httpMetrics(dependencies.metrics);
  const answerTmf = await tmfOperations({ ...dependencies, limits });
  const toolParts = {
    wire,
    tools: dependencies.tools,
    authenticate: dependencies.authenticate,
    rates: dependencies.rates,
    limits,
  };
  const answerUsageStream = usageStream({
    ...toolParts,
    limits: { ...usageStreamLimits, ...dependencies.streamLimits, nestingMax: limits.nestingMax },
  });
  let isClosing = false;

  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.set('query parser', false);

  app.use((request, response, next) => {
    const exchange: Exchange = {
      request,
      response,
      requestId: requestIdOf(request.headers['x-request-id']),
      ...splitTarget(request.url),
      api: 'none',
      operationName: 'none',
      route: 'unmatched',
      match: undefined,
      operation: undefined,
      caller: undefined,
      reason: undefined,
      refused: undefined,
      body: undefined,
      mediaType: '',
    };
    (request as Known)[exchangeKey] = exchange;
    response.setHeader('X-Request-Id', exchange.requestId);
    if (isClosing) response.setHeader('Connection', 'close');
    record(exchange);
    if (metrics.inFlight > limits.inFlightMax) {
      throw new HttpProblem(503, 'busy', 'The server has all the work it can take. Nothing was changed; try again.');
    }
    if (request.url.length > limits.targetLengthMax) {
      throw new HttpProblem(414, 'targetTooLong', `Path and query have at most ${limits.targetLengthMax} characters.`);
    }
    if (exchange.search.split('&', limits.queryParametersMax + 1).length > limits.queryParametersMax) {
      throw new HttpProblem(
        400,
        'tooManyParameters',
        `A query has at most ${limits.queryParametersMax} parameters. Name values of one attribute in one, with commas.`,
      );
    }
    limitArrival(exchange);
    if (dependencies.trace) dependencies.trace(exchange, next);
    else next();
  });
  app.use(
    helmet({
      // Answers are data and are never shown as pages; a mounted surface sets its own policy.
      contentSecurityPolicy: { useDefaults: false, directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] } },
    }),
  );
  app.use((_request, response, next) => {
    response.setHeader('Cache-Control', 'no-store');
    next();
  });

  function record(exchange: Exchange): void {
    const started = process.hrtime.bigint();
    metrics.begin();
    exchange.response.once('close', () => {
      const ms = Number(process.hrtime.bigint() - started) / 1e6;
      // A caller that went away before the end got no status; 499 is what such a line is commonly given.
      const status = exchange.response.writableFinished ? exchange.response.statusCode : 499;
      const refused = exchange.refused ?? { status, reason: exchange.reason ?? String(status) };
      if (refusals.has(refused.status) || (refused.status === 404 && exchange.caller?.audience === 'customer')) {
        dependencies.onRefused?.({
          door: exchange.api,
          operation: exchange.operationName,
          status: refused.status,
          code: refused.reason,
          caller: exchange.caller,
          address: addressOf(exchange.request, dependencies.rates?.trustedProxies ?? 0),
          requestId: exchange.requestId,
        });
      }
      metrics.end({ api: exchange.api, operation: exchange.operationName, status: String(status) }, ms / 1000);
      log.info(
        {
          requestId: exchange.requestId,
          method: exchange.request.method,
          route: exchange.route,
          status,
          ms: Math.round(ms * 1000) / 1000,
          callerId: exchange.caller?.id,
        },
        'request',
      );
    });
  }

  // Node has one limit for all requests; a stream of usage may take longer than a body.
  function limitArrival(exchange: Exchange): void {
    const { request, response } = exchange;
    if (request.complete || usageStreamPath.test(exchange.path)) return;
    const late = setTimeout(() => {
      if (request.complete || response.headersSent) return;
      const headers = { Connection: 'close' };
      const problem = new HttpProblem(408, 'requestTimeout', 'The request did not arrive in time.', { headers });
      response.once('finish', () => request.destroy());
      void sendProblem(exchange, problem);
    }, limits.requestTimeoutMs);
    late.unref();
    response.once('close', () => clearTimeout(late));
  }

  const mounted = express.Router();
  app.use(mounted);

  app.use(async (request: Request, _response: Response) => {
    const exchange = exchangeOf(request);
    const tool = toolsRoute(exchange.path);
    if (tool) return answerTools(toolParts, exchange, tool);
    const watch = watchers.get(exchange.path.toLowerCase().replace(/(?<=.)\/$/, ''));
    if (watch) return answerWatch(exchange, watch);
    if (usageStreamPath.test(exchange.path)) return answerUsageStream(exchange);
    return answerTmf(exchange);
  });

  // Express knows an error handler by its four parameters.
  app.use((error: unknown, request: Request, _response: Response, _next: NextFunction) =>
    sendProblem(exchangeOf(request), error),
  );

  async function sendProblem(exchange: Exchange, error: unknown): Promise<void> {
    const { response, requestId, operation } = exchange;
    const known = error instanceof AirtimeError ? error : explainFramework(error);
    if (!(known instanceof AirtimeError)) log.error({ requestId, route: exchange.route, err: known }, 'request failed');
    else if (known.status === 503) log.warn({ requestId, route: exchange.route, err: error }, 'request put off');
    if (known instanceof AirtimeError) exchange.reason = known.reason;
    if (known instanceof TooMany) exchange.caller ??= known.caller;
    let answer = withLinks(problemText(problemAnswer(known, requestId)), wire.publicUrl);
    if (dependencies.validateResponses && operation) {
      try {
        await checkResponse(log, exchange, operation, answer, false);
      } catch (violation) {
        answer = problemText(problemAnswer(violation, requestId));
      }
    }
    if (response.headersSent) response.destroy();
    else sendText(response, exchange.request.method, answer);
  }

  // ---- what an operator's machines ask ----
  // Health and readiness are open: a load balancer has no token, and they say nothing of any customer. Metrics hold
  // figures of the business, so they are open only to this machine itself, asked directly; others need a token.
  const watchers = new Map<string, (exchange: Exchange) => Promise<{ status: number; text: string; type?: string }>>([
    ['/health', async () => ({ status: 200, text: JSON.stringify({ status: 'pass' }) })],
    [
      '/ready',
      async () => {
        const { ok, checks } = isClosing
          ? { ok: false, checks: { accepting: false } }
          : await dependencies.ready().catch(notReady);
        return { status: ok ? 200 : 503, text: JSON.stringify({ status: ok ? 'pass' : 'fail', checks }) };
      },
    ],
    [
      '/metrics',
      async (exchange) => {
        if (!isLocal(exchange.request)) {
          const caller = await authenticated(exchange.request, dependencies);
          exchange.caller = caller;
          if (caller.audience === 'customer' || !hasScope(caller, 'metrics', 'read')) {
            throw new HttpProblem(403, 'forbidden', 'This token has no scope for metrics.');
          }
        }
        return { status: 200, text: await metrics.text(), type: metrics.contentType };
      },
    ],
  ]);

  const notReady = (error: unknown): Readiness => {
    log.error({ err: error }, 'readiness could not be judged');
    return { ok: false, checks: { judged: false } };
  };

  async function answerWatch(
    exchange: Exchange,
    watch: (exchange: Exchange) => Promise<{ status: number; text: string; type?: string }>,
  ): Promise<void> {
    const { request, response } = exchange;
    exchange.api = 'watch';
    exchange.route = exchange.path.toLowerCase();
    exchange.operationName = exchange.route.replaceAll('/', '');
    const allow = 'GET, HEAD, OPTIONS';
    if (request.method === 'OPTIONS')
      return sendText(response, 'OPTIONS', { status: 204, headers: { Allow: allow }, text: null });
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      throw new HttpProblem(405, 'methodNotAllowed', `This path answers ${allow}.`, { headers: { Allow: allow } });
    }
    const { status, text, type } = await watch(exchange);
    sendText(response, request.method, { status, text, headers: type === undefined ? {} : { 'Content-Type': type } });
  }

  const server = createServer(
    {
      ...expressClasses(app),
      maxHeaderSize: limits.headerBytesMax,
      requestTimeout: 0,
      headersTimeout: Math.min(10_000, limits.requestTimeoutMs),
      // Longer than the usual minute of a load balancer, so that it is the one to close.
      keepAliveTimeout: 65_000,
      connectionsCheckingInterval: Math.min(5000, limits.requestTimeoutMs),
    },
    app,
  );
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => answerBrokenRequest(error, socket, log));
  server.on('checkExpectation', (request: IncomingMessage, response) => {
    const problem = new HttpProblem(417, 'expectationFailed', 'Only Expect: 100-continue is understood.', {
      headers: { Connection: 'close' },
    });
    sendText(response, request.method ?? 'GET', problemText(problemAnswer(problem, requestIdOf(undefined))));
  });

  return {
    app,
    mount: (path, handler) => {
      mounted.use(path, (request: Request, response: Response, next: NextFunction) => {
        const exchange = knownOf(request);
        if (exchange) {
          exchange.api = path.replaceAll('/', '') || 'pages';
          exchange.route = `${path}/…`;
        }
        handler(request, response, (error?: unknown) => {
          if (exchange && error === undefined) {
            exchange.api = 'none';
            exchange.route = 'unmatched';
          }
          next(error);
        });
      });
    },
    listen: (host, port) =>
      new Promise((resolve, reject) => {
        server.once('error', reject);
        server.listen(port, host, () => {
          server.off('error', reject);
          const address = server.address();
          if (address === null || typeof address === 'string') reject(new Error('the server has no address'));
          else resolve(address);
        });
      }),
    close: async (graceMs, drainMs = 0) => {
      isClosing = true;
      if (drainMs > 0) await new Promise((resolve) => setTimeout(resolve, drainMs));
      await new Promise<void>((resolve) => {
        const cut = setTimeout(() => server.closeAllConnections(), graceMs);
        server.close(() => {
          clearTimeout(cut);
          resolve();
        });
        server.closeIdleConnections();
      });
    },
  };
}

function exchangeOf(request: Request): Exchange {
  const exchange = knownOf(request);
  if (!exchange) throw new Error('a request is known from its first moment');
  return exchange;
}

/** Asked from this machine, and not on behalf of another by a proxy. */
function isLocal(request: Request): boolean {
  const address = request.socket.remoteAddress ?? '';
  const isLoopback = address === '::1' || address.startsWith('127.') || address.startsWith('::ffff:127.');
  return isLoopback && request.headers['x-forwarded-for'] === undefined && request.headers.forwarded === undefined;
}

/** What Express and its parts throw, in our words. What is not a client's fault stays what it is. */
function explainFramework(error: unknown): unknown {
  if (isDatabaseAway(error)) return explainAway(error);
  if (!(error instanceof Error) || !('status' in error) || typeof error.status !== 'number') return error;
  const { status } = error;
  return status >= 400 && status < 500
    ? new HttpProblem(status, 'badRequest', `The request cannot be understood (${STATUS_CODES[status] ?? status}).`)
    : error;
}

const brokenRequests: Readonly<Record<string, [status: number, reason: string, message: string]>> = {
  HPE_HEADER_OVERFLOW: [431, 'headersTooLarge', 'The request line and headers are too large.'],
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'requestTimeout', 'The request did not arrive in time.'],
};

/** Answers what never became a request: broken framing, headers too large, too slow. */
function answerBrokenRequest(error: NodeJS.ErrnoException, socket: Socket, log: Logger): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const [status, reason, message] = brokenRequests[error.code ?? ''] ?? [400, 'malformedRequest', 'This is not HTTP.'];
  const requestId = requestIdOf(undefined);
  const { text, headers } = problemText(problemAnswer(new HttpProblem(status, reason, message), requestId));
  const lines = {
    ...headers,
    'Content-Type': 'application/json;charset=utf-8',
    'Content-Length': String(Buffer.byteLength(text ?? '')),
    'X-Request-Id': requestId,
    Connection: 'close',
  };
  const head = Object.entries(lines).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${head.join('')}\r\n${text}`);
  log.info({ requestId, route: 'unmatched', status, ...errorCode(error) }, 'request');
}

function errorCode(error: NodeJS.ErrnoException): Record<string, unknown> {
  return { code: errorFields(error).code };
}
