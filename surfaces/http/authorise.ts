import type { Caller, Surface } from '../../kernel/caller.ts';
import { HttpProblem } from './problem.ts';

export type Authenticate = (token: string) => Promise<Caller | undefined>;

const challenge = { 'WWW-Authenticate': 'Bearer realm="airtime"' };

/** The caller behind an Authorization header (RFC 6750). @throws HttpProblem 401 */
export async function authenticated(authorization: string | undefined, authenticate: Authenticate): Promise<Caller> {
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
