import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import type { Caller, Surface } from '../../kernel/caller.ts';
import { HttpProblem } from './problem.ts';

export type Authenticate = (token: string) => Promise<Caller | undefined>;

const challenge = { 'WWW-Authenticate': 'Bearer realm="airtime"' };

type Wait = number | undefined | Promise<number | undefined>;

/** How often callers may come. Each answers undefined, or the seconds after which to come again. */
export interface Rates {
  ofCaller(caller: Caller): Wait;
  /** Tries from an address that named nobody we know. */
  ofFailure(address: string): Wait;
  /** Proxies of ours in front of this server: as many entries of X-Forwarded-For, from its end, are believed. */
  readonly trustedProxies: number;
}

export interface Guard {
  readonly authenticate: Authenticate;
  /** No limits when not given. */
  readonly rates?: Rates | undefined;
}

type Asked = Pick<IncomingMessage, 'headers' | 'socket'>;

/** Where a request comes from. Of an IPv6 address the network is kept, for a household has all of it. */
export function addressOf({ headers, socket }: Asked, trustedProxies: number): string {
  const given = headers['x-forwarded-for'];
  const hops = (Array.isArray(given) ? given.join(',') : (given ?? '')).split(',').map((one) => one.trim());
  const named = trustedProxies > 0 ? hops.at(-Math.min(trustedProxies, hops.length)) : undefined;
  const address = (named !== undefined && isIP(named) ? named : (socket.remoteAddress ?? 'unknown')).replace(
    /^::ffff:(?=\d+\.)/i,
    '',
  );
  return isIP(address) === 6 && address !== '::1' ? networkOf(address) : address;
}

function networkOf(address: string): string {
  const [head = '', tail] = address.toLowerCase().split('%')[0]?.split('::') ?? [];
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros =
    tail === undefined ? [] : Array.from({ length: Math.max(0, 8 - left.length - right.length) }, () => '0');
  const groups = [...left, ...zeros, ...right].slice(0, 4);
  return `${groups.map((group) => group.replace(/^0+(?=.)/, '')).join(':')}::/64`;
}

/** Whoever came too often, and when to come again. */
export class TooMany extends HttpProblem {
  readonly caller: Caller | undefined;
  constructor(seconds: number, message: string, caller?: Caller) {
    super(429, 'rateLimited', `${message} Come again in ${seconds} s; nothing was changed.`, {
      headers: { 'Retry-After': String(seconds) },
      facts: { retryAfterSeconds: seconds },
    });
    this.caller = caller;
  }
}

/**
 * The caller behind a request's Authorization header (RFC 6750), who has not come too often.
 * A try that names nobody counts against its address. One that names somebody does not, even from an address that has
 * failed too often: whoever shares it with an attacker, behind one proxy, is still served.
 * @throws HttpProblem 401, 429
 */
export async function authenticated(request: Asked, { authenticate, rates }: Guard): Promise<Caller> {
  let caller: Caller;
  try {
    caller = await known(request.headers.authorization, authenticate);
  } catch (error) {
    if (!rates || !(error instanceof HttpProblem) || error.status !== 401) throw error;
    const seconds = await rates.ofFailure(addressOf(request, rates.trustedProxies));
    throw seconds === undefined
      ? error
      : new TooMany(seconds, 'Too many tries from this address named nobody we know.');
  }
  const wait = rates?.ofCaller(caller);
  // Far from a limit nothing is waited for.
  const seconds = wait instanceof Promise ? await wait : wait;
  if (seconds !== undefined)
    throw new TooMany(seconds, 'This token made more requests than it may in a minute.', caller);
  return caller;
}

async function known(authorization: string | undefined, authenticate: Authenticate): Promise<Caller> {
  const token = authorization === undefined ? undefined : /^Bearer +([\w.~+/-]+=*) *$/i.exec(authorization)?.[1];
  if (token === undefined) {
    throw new HttpProblem(
      401,
      'unauthenticated',
      'Say who you are: send `Authorization: Bearer` with an access token.',
      {
        headers: challenge,
      },
    );
  }
  const caller = await authenticate(token);
  if (!caller) {
    throw new HttpProblem(
      401,
      'tokenRefused',
      'The access token is unknown, revoked or expired. Ask the operator for another.',
      {
        headers: { 'WWW-Authenticate': `${challenge['WWW-Authenticate']}, error="invalid_token"` },
      },
    );
  }
  return caller;
}

/** Whether the scopes allow it: `*`, all of a door (`tmf:*`), one thing of it (`tmf:TMF620`), or to read it (`tmf:TMF620:read`). */
export function hasScope(
  caller: Caller,
  door: 'tmf' | 'tools' | 'metrics',
  thing: string,
  access: 'read' | 'write' = 'write',
): boolean {
  const allowed = ['*', `${door}:*`, `${door}:${thing}`];
  if (access === 'read') allowed.push(`${door}:*:read`, `${door}:${thing}:read`);
  return caller.scopes.some((scope) => allowed.includes(scope));
}

function forbidden(message: string, scope: string): HttpProblem {
  return new HttpProblem(403, 'forbidden', message, {
    headers: { 'WWW-Authenticate': `${challenge['WWW-Authenticate']}, error="insufficient_scope", scope="${scope}"` },
  });
}

/**
 * A customer has no TMF door: its lists and references tell of everybody, and what is a customer's own is served by tools.
 * @throws HttpProblem 403 unless the caller is an operator or integrator with a scope for the API, and for the method.
 */
export function allowApi(caller: Caller, api: string, method: string): void {
  if (caller.audience !== 'operator' && caller.audience !== 'integrator') {
    throw forbidden(
      'The TMF APIs are for operators and integrators. A customer is served by the portal and the tools.',
      `tmf:${api}`,
    );
  }
  if (hasScope(caller, 'tmf', api, method === 'GET' || method === 'HEAD' ? 'read' : 'write')) return;
  throw hasScope(caller, 'tmf', api, 'read')
    ? forbidden(
        `This token may read ${api} and not write to it. Ask the operator for one with tmf:${api}.`,
        `tmf:${api}`,
      )
    : forbidden(`This token has no scope for ${api}. Ask the operator for one with tmf:${api}.`, `tmf:${api}`);
}

/** @throws HttpProblem 403 unless a scope opens the tool door. Which tools there are is the registry's to say. */
export function allowTool(caller: Caller, tool: string): void {
  if (!hasScope(caller, 'tools', tool))
    throw forbidden('This token has no scope for that tool. Ask the operator for one that has.', `tools:${tool}`);
}

/** The caller as the rest of the house sees it: by which door, in which request. */
export function through(caller: Caller, surface: Surface, requestId: string): Caller {
  return { ...caller, surface, requestId };
}
