import { AsyncLocalStorage } from 'node:async_hooks';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Attributes, Context, Span, SpanContext, SpanKind, Tracer } from '@opentelemetry/api';
import type { PoolClient } from 'pg';
import { OutcomeUnknown } from '../adapters/outcome.ts';
import { AirtimeError } from '../kernel/error.ts';
import type { Watch } from '../kernel/watch.ts';
import type { Exchange } from '../surfaces/http/exchange.ts';
import type { WorkerLog } from '../workers/worker.ts';

/** Traces, as the house makes them. Nothing of this file's packages is loaded before `openTelemetry` is called. */
export interface Telemetry {
  /** Follows a request to its end, in the trace that its caller names, if it names one. */
  request(exchange: Exchange, next: () => void): void;
  /** The watch of the policy with a span around all that it sees. */
  around(watch: Watch): Watch;
  /** Puts a span around each statement of a connection that serves something that is traced. */
  connection(client: Pick<PoolClient, 'query'>): void;
  /** The header that carries the trace to another program; empty where nothing is traced. */
  headers(): Record<string, string>;
  /** Sends what is left, for some seconds at most. */
  stop(): Promise<void>;
}

export interface TelemetryOptions {
  /** The receiver, as OTEL_EXPORTER_OTLP_ENDPOINT names it: `/v1/traces` is added. */
  readonly endpoint: string;
  readonly serviceName: string;
  /** The share of the traces that begin here that is kept. One that a caller began is kept if the caller keeps it. */
  readonly share: number;
  readonly log: WorkerLog;
}

const exportMsMax = 3000;
/** A receiver that is away is told of once in so long. */
const complainMs = 60_000;
/** The calls that carry a trace to another program: servers of the operator. Stripe, mail and models are told nothing. */
const tracedDoors = /^(network|cards)\./;

/** Where a request or step stands: the span that is open, and whether what is sent now may name it. */
interface Place {
  readonly context: Context;
  readonly span: Span;
  readonly goesOut: boolean;
}

/** Loads OpenTelemetry and sends what it sees to a receiver of OTLP over HTTP, as JSON. */
export async function openTelemetry(options: TelemetryOptions): Promise<Telemetry> {
  const [api, core, resources, sdk, { OTLPTraceExporter }] = await Promise.all([
    import('@opentelemetry/api'),
    import('@opentelemetry/core'),
    import('@opentelemetry/resources'),
    import('@opentelemetry/sdk-trace'),
    import('@opentelemetry/exporter-trace-otlp-http'),
  ]);
  const { ROOT_CONTEXT, SpanStatusCode, trace } = api;
  const { CLIENT, INTERNAL, SERVER } = api.SpanKind;
  const exporter = new OTLPTraceExporter({
    url: `${options.endpoint.replace(/\/+$/, '')}/v1/traces`,
    timeoutMillis: exportMsMax,
  });
  let complainedAt = Number.NEGATIVE_INFINITY;
  const send: typeof exporter.export = (spans, done) =>
    exporter.export(spans, (result) => {
      if (result.error && performance.now() - complainedAt > complainMs) {
        complainedAt = performance.now();
        options.log.warn({ reason: result.error.message }, 'traces could not be sent');
      }
      done(result);
    });
  const provider = new sdk.TracerProvider({
    resource: resources.resourceFromAttributes({ 'service.name': options.serviceName }),
    sampler: new sdk.ParentBasedSampler({ root: new sdk.TraceIdRatioBasedSampler(options.share) }),
    spanProcessors: [
      new sdk.BatchSpanProcessor({
        exporter: { export: send, shutdown: () => exporter.shutdown() },
        exportTimeoutMillis: exportMsMax,
        scheduledDelayMillis: 1000,
      }),
    ],
  });
  const tracer: Tracer = provider.getTracer('airtime');
  // A storage of our own instead of the library's global one: two servers in one process do not share it.
  const places = new AsyncLocalStorage<Place>();

  const carried = (place: Place | undefined): Record<string, string> =>
    place === undefined ? {} : { traceparent: traceparent(place.span.spanContext()) };

  /** What the built-in fetch is about to send: it gets the header if it is sent to a server that may know. */
  const addHeader = (message: unknown): void => {
    const place = places.getStore();
    if (place?.goesOut !== true || !hasRequest(message)) return;
    for (const [name, value] of Object.entries(carried(place))) message.request.addHeader(name, value);
  };
  subscribe('undici:request:create', addHeader);

  function failed(span: Span, error: unknown): void {
    span.setStatus({ code: SpanStatusCode.ERROR, message: nameOf(error) });
  }

  async function inSpan<T>(
    { name, kind, attributes, goesOut }: { name: string; kind: SpanKind; attributes: Attributes; goesOut: boolean },
    work: () => Promise<T>,
  ): Promise<T> {
    const parent = places.getStore();
    const from = parent?.context ?? ROOT_CONTEXT;
    const span = tracer.startSpan(name, { kind, attributes }, from);
    try {
      return await places.run({ context: trace.setSpan(from, span), span, goesOut }, work);
    } catch (error) {
      // A refusal is an answer: it is named and is no fault of ours.
      if (error instanceof AirtimeError && error.status < 500) span.setAttribute('airtime.refused_by', error.reason);
      else failed(span, error);
      throw error;
    } finally {
      span.end();
    }
  }

  function query(run: (...given: unknown[]) => unknown, given: unknown[]): unknown {
    const parent = places.getStore();
    // Looking for work and keeping leases is nobody's request: without a span around it a statement has none.
    if (parent === undefined || !parent.span.isRecording()) return run(...given);
    const attributes = { 'db.system.name': 'postgresql', ...statementOf(given[0]) };
    const name = `postgresql ${attributes['db.operation.name']}`;
    const span = tracer.startSpan(name, { kind: CLIENT, attributes }, parent.context);
    const end = (error: unknown): void => {
      if (error) failed(span, error);
      span.end();
    };
    const callback = given.at(-1);
    if (typeof callback === 'function') {
      return run(...given.slice(0, -1), (...answer: unknown[]) => {
        end(answer[0]);
        Reflect.apply(callback, undefined, answer);
      });
    }
    const answer = run(...given);
    if (answer instanceof Promise) answer.then(() => end(undefined), end);
    else end(undefined);
    return answer;
  }

  return {
    request(exchange, next) {
      const parent = core.parseTraceParent(String(exchange.request.headers.traceparent ?? ''));
      const from = parent ? trace.setSpanContext(ROOT_CONTEXT, { ...parent, isRemote: true }) : ROOT_CONTEXT;
      const { method } = exchange.request;
      const span = tracer.startSpan(method, { kind: SERVER }, from);
      exchange.response.once('close', () => {
        const { statusCode, writableFinished } = exchange.response;
        span.updateName(`${method} ${exchange.route}`);
        span.setAttributes({
          'http.request.method': method,
          'http.route': exchange.route,
          'http.response.status_code': writableFinished ? statusCode : 499,
          'airtime.api': exchange.api,
          'airtime.operation': exchange.operationName,
          'airtime.request_id': exchange.requestId,
        });
        if (exchange.reason !== undefined) span.setAttribute('airtime.refused_by', exchange.reason);
        if (statusCode >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
        span.end();
      });
      places.run({ context: trace.setSpan(from, span), span, goesOut: false }, next);
    },
    around: (watch) => ({
      work: (kind, name, facts, work) =>
        inSpan(
          {
            name: `${kind} ${name}`,
            kind: kind === 'outside' ? CLIENT : INTERNAL,
            attributes: attributesOf(facts),
            goesOut: kind === 'outside' && tracedDoors.test(name),
          },
          () => watch.work(kind, name, facts, work),
        ),
      usage: watch.usage,
    }),
    connection(client) {
      const { query: own } = client;
      const run = (...given: unknown[]): unknown => Reflect.apply(own, client, given);
      Object.defineProperty(client, 'query', { value: (...given: unknown[]) => query(run, given) });
    },
    headers: () => carried(places.getStore()),
    async stop() {
      unsubscribe('undici:request:create', addHeader);
      await provider.shutdown().catch((error: unknown) => {
        options.log.warn({ reason: nameOf(error) }, 'tracing did not end in order');
      });
    },
  };
}

/** A watch that looks at the calls of something outside. Its answers and errors stay what they are. */
export function watched<Door extends object>(
  watch: Watch,
  name: string,
  door: Door,
  calls: readonly (keyof Door & string)[],
): Door {
  const known = new Set<string | symbol>(calls);
  return new Proxy(door, {
    get(target, key) {
      const found: unknown = Reflect.get(target, key);
      if (!known.has(key) || typeof found !== 'function') return found;
      return (...given: unknown[]) =>
        watch.work('outside', `${name}.${String(key)}`, {}, async () => {
          const answer: unknown = await Reflect.apply(found, target, given);
          return answer;
        });
    },
  });
}

/** W3C Trace Context, version 00. */
const traceparent = ({ traceId, spanId, traceFlags }: SpanContext): string =>
  `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`;

/** The name of an error, and of a broken rule; its message may hold what a person typed. */
function nameOf(error: unknown): string {
  if (error instanceof AirtimeError) return error.reason;
  if (error instanceof OutcomeUnknown) return error.name;
  return error instanceof Error ? ('code' in error ? `${error.name} ${String(error.code)}` : error.name) : 'unknown';
}

const attributesOf = (facts: Readonly<Record<string, string | number>>): Attributes =>
  Object.fromEntries(Object.entries(facts).map(([name, value]) => [`airtime.${name}`, value]));

/** The text of a statement that was prepared: its values are parameters. Any other text may hold them, and is not told. */
function statementOf(given: unknown): Attributes & { 'db.operation.name': string } {
  const text = typeof given === 'string' ? given : textIn(given);
  const operation = /^\s*([a-z]+)/i.exec(text)?.[1]?.toUpperCase() ?? 'statement';
  const isPrepared = typeof given === 'object' && given !== null && 'name' in given;
  return { 'db.operation.name': operation, ...(isPrepared ? { 'db.query.text': text.slice(0, 500) } : {}) };
}

function textIn(given: unknown): string {
  return typeof given === 'object' && given !== null && 'text' in given ? String(given.text) : '';
}

/** The message of Node's own channel: what it says of a request, as far as it is used here. */
function hasRequest(message: unknown): message is { request: { addHeader(name: string, value: string): void } } {
  if (typeof message !== 'object' || message === null || !('request' in message)) return false;
  const { request } = message;
  return (
    typeof request === 'object' && request !== null && 'addHeader' in request && typeof request.addHeader === 'function'
  );
}
