import { randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import type { Request, Response } from 'express';
import type { Operation } from '../../generated/operations.ts';
import type { Caller } from '../../kernel/caller.ts';
import { hasCheckDigit } from '../../kernel/card-number.ts';
import type { Match } from './matcher.ts';
import type { Headers } from './problem.ts';

/** One request and its answer, and what is known of it so far. */
export interface Exchange {
  readonly request: Request;
  readonly response: Response;
  readonly requestId: string;
  /** The request line's path and query, as they came. */
  readonly path: string;
  readonly search: string;
  /** For metrics and the log: never the raw path, which may hold what a person typed. */
  api: string;
  operationName: string;
  route: string;
  match: Match | undefined;
  operation: Operation | undefined;
  caller: Caller | undefined;
  /** Why it was refused, once it was: the code of a rule or the reason of an error. */
  reason: string | undefined;
  /** What a mounted surface refused, where its answer does not say so: a page that leads on, a stream that had begun. */
  refused: { readonly status: number; readonly reason: string } | undefined;
  /** A parsed and judged body; undefined where the method has none. */
  body: unknown;
  mediaType: string;
}

/** The caller's own id for the request when it is a plain word; one of ours otherwise. */
export function requestIdOf(given: string | string[] | undefined): string {
  return typeof given === 'string' && /^[\w.-]{1,128}$/.test(given) && !looksLikeCard(given)
    ? given
    : `req_${randomUUID()}`;
}

function looksLikeCard(text: string): boolean {
  const digits = text.replace(/\D/g, '');
  return digits.length >= 13 && digits.length <= 19 && hasCheckDigit(digits);
}

export function splitTarget(target: string): { path: string; search: string } {
  const whole = target.split('#', 1)[0] ?? '';
  // A proxy may send the absolute form (RFC 9112 3.2.2); its host is not believed.
  const local = whole.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?]*/i, '') || '/';
  const cut = local.indexOf('?');
  return cut < 0 ? { path: local, search: '' } : { path: local.slice(0, cut), search: local.slice(cut + 1) };
}

/** Sends a finished answer. A HEAD gets the headers of a GET, the length of its body among them. */
export function sendText(
  response: ServerResponse,
  method: string,
  answer: { status: number; headers: Headers; text: string | null },
): void {
  if (response.headersSent || response.writableEnded) return;
  response.statusCode = answer.status;
  for (const [name, value] of Object.entries(answer.headers)) response.setHeader(name, value);
  if (answer.text === null) {
    if (answer.status !== 204 && answer.status !== 304) response.setHeader('Content-Length', '0');
    response.end();
    return;
  }
  if (!response.hasHeader('Content-Type')) response.setHeader('Content-Type', 'application/json;charset=utf-8');
  response.setHeader('Content-Length', String(Buffer.byteLength(answer.text)));
  response.end(method === 'HEAD' ? undefined : answer.text);
}
