import { lookup as systemLookup } from 'node:dns';
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import type { AddressPolicy } from './callback-address.ts';
import { sharedLookup } from './shared-lookup.ts';

/** One event for one subscriber. `body` is JSON. */
export interface CallbackRequest {
  readonly url: string;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Ends the attempt early; its outcome is then `unreachable`. */
  readonly signal?: AbortSignal;
}

/**
 * What became of it. `delivered`: a 2xx answer. `refused`: any other answer. `unreachable`: none, or the address may not
 * be called. `reason` is for an operator.
 */
export type CallbackOutcome =
  | { readonly kind: 'delivered'; readonly status: number }
  | { readonly kind: 'refused'; readonly status: number }
  | { readonly kind: 'unreachable'; readonly reason: string };

/** Subscribers beyond our doors, reached by HTTP. */
export interface Callbacks {
  /** Why an address may not be called, as the end of a sentence; undefined when it may, or its name is not known now. */
  refusal(callback: string): Promise<string | undefined>;
  post(request: CallbackRequest): Promise<CallbackOutcome>;
  /** Closes idle connections. */
  close(): void;
}

export interface ResolvedAddress {
  address: string;
  family: number;
}
/** Finds all addresses of a host name. */
export type Resolve = (hostname: string) => Promise<ResolvedAddress[]>;

const resolveBySystem: Resolve = (hostname) =>
  new Promise((done, fail) => {
    systemLookup(hostname, { all: true }, (error, addresses) => (error ? fail(error) : done(addresses)));
  });

const timeoutMsDefault = 10_000;
const registrationTimeoutMs = 3000;
/** So much of an answer is read, and nothing of it kept, so that the connection can serve again. */
const answerBytesMax = 65_536;
const connectionsPerHost = 16;

class ForbiddenAddress extends Error {
  override readonly name = 'ForbiddenAddress';
}

/**
 * Posts events. A name is looked up here and the connection goes to an address that was judged, so a name that changes its
 * mind in between gains nothing. Redirects are not followed, certificates are verified, answers are thrown away.
 */
export function httpCallbacks(options: { addresses: AddressPolicy; timeoutMs?: number; resolve?: Resolve }): Callbacks {
  const { addresses, timeoutMs = timeoutMsDefault } = options;
  const resolve = sharedLookup(options.resolve ?? resolveBySystem);

  const judgedLookup: LookupFunction = (hostname, wanted, callback) => {
    resolve(hostname).then(
      (found) => {
        const allowed = found.filter(({ address }) => addresses.refusal(address) === undefined);
        const [first] = allowed;
        if (first === undefined) callback(new ForbiddenAddress(refusalOf(hostname, found)), []);
        else if (wanted.all) callback(null, allowed);
        else callback(null, first.address, first.family);
      },
      (error: NodeJS.ErrnoException) => callback(error, []),
    );
  };
  const shared = {
    keepAlive: true,
    keepAliveMsecs: 5000,
    maxSockets: connectionsPerHost,
    maxFreeSockets: 4,
    timeout: timeoutMs,
    lookup: judgedLookup,
  };
  const plainAgent = new HttpAgent(shared);
  const secureAgent = new HttpsAgent(shared);

  function refusalOf(hostname: string, found: readonly ResolvedAddress[]): string {
    const reasons = found.map(({ address }) => addresses.refusal(address)).filter((one) => one !== undefined);
    return `${hostname} ${reasons[0] ?? 'has no address'}`;
  }

  /** A host that is an address already is never looked up, so it is judged here. */
  function literalRefusal(url: URL): string | undefined {
    const host = url.hostname.replace(/^\[|\]$/g, '');
    if (isIP(host) === 0) return undefined;
    const reason = addresses.refusal(host);
    return reason === undefined ? undefined : `${host} ${reason}`;
  }

  function attempt(url: URL, { body, headers, signal }: CallbackRequest, mayRepeat: boolean): Promise<CallbackOutcome> {
    return new Promise((done) => {
      const secure = url.protocol === 'https:';
      const limit = AbortSignal.timeout(timeoutMs);
      const request = (secure ? httpsRequest : httpRequest)(url, {
        method: 'POST',
        agent: secure ? secureAgent : plainAgent,
        headers: {
          'content-type': 'application/json',
          accept: 'application/json',
          'user-agent': 'airtime',
          'content-length': Buffer.byteLength(body),
          ...headers,
        },
        signal: signal ? AbortSignal.any([limit, signal]) : limit,
      });
      request.on('response', (response) => {
        throwAway(response);
        const status = response.statusCode ?? 0;
        done({ kind: status >= 200 && status < 300 ? 'delivered' : 'refused', status });
      });
      request.on('error', (error) => {
        // The subscriber closed an idle connection in the moment we used it: it was there, so it is asked again at once.
        const isStale =
          request.reusedSocket && 'code' in error && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
        if (isStale && mayRepeat)
          done(attempt(url, { url: url.href, body, headers, ...(signal ? { signal } : {}) }, false));
        else done({ kind: 'unreachable', reason: reasonOf(error, limit.aborted, timeoutMs) });
      });
      request.end(body);
    });
  }

  return {
    async refusal(callback) {
      const url = new URL(callback);
      const literal = literalRefusal(url);
      if (literal !== undefined || isIP(url.hostname.replace(/^\[|\]$/g, '')) !== 0) return literal;
      const found = await within(registrationTimeoutMs, resolve(url.hostname));
      if (found === undefined) return undefined;
      return found.some(({ address }) => addresses.refusal(address) !== undefined)
        ? refusalOf(url.hostname, found)
        : undefined;
    },
    async post(request) {
      if (!URL.canParse(request.url)) return { kind: 'unreachable', reason: 'the callback is no address' };
      const url = new URL(request.url);
      const literal = literalRefusal(url);
      return literal === undefined ? attempt(url, request, true) : { kind: 'unreachable', reason: literal };
    },
    close() {
      plainAgent.destroy();
      secureAgent.destroy();
    },
  };
}

/** The answer, or undefined when it failed or did not come in time. */
async function within<T>(milliseconds: number, answer: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((done) => {
    timer = setTimeout(() => done(undefined), milliseconds);
  });
  try {
    return await Promise.race([answer.catch(() => undefined), late]);
  } finally {
    clearTimeout(timer);
  }
}

function throwAway(response: IncomingMessage): void {
  let bytes = 0;
  response.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > answerBytesMax) response.destroy();
  });
  response.on('error', () => undefined);
}

function reasonOf(error: Error, isLate: boolean, timeoutMs: number): string {
  if (isLate) return `no answer within ${timeoutMs / 1000} s`;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  return (error.message || code || error.name).slice(0, 300);
}
