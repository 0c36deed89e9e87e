import type { Request, RequestHandler, Response } from 'express';
import { bytesOf } from './body.ts';
import { sendText } from './exchange.ts';
import { HttpProblem } from './problem.ts';
import { requestIdFor } from './server.ts';

export interface WebhookParts {
  /** Who may give notice: the last part of the path. */
  readonly name: string;
  /**
   * Checks the signature over the very bytes that came, and keeps the notice. @returns false when it was known.
   * @throws AirtimeError 400 for a signature that is wrong, with nothing kept
   */
  receive(
    body: Uint8Array,
    headers: Readonly<Record<string, string | string[] | undefined>>,
    requestId: string,
  ): Promise<boolean>;
}

/** A notice is small; more is somebody else's. */
const bodyBytesMax = 512 * 1024;
const allow = 'POST, OPTIONS';

/**
 * `POST /{name}` for whoever gives notice with a signature in place of a token. It is answered as soon as the notice is
 * kept: what it means is found out afterwards, by asking.
 */
export function webhookDoor(parts: WebhookParts): RequestHandler {
  async function answer(request: Request, response: Response): Promise<void> {
    if (request.path.toLowerCase().replace(/\/$/, '') !== `/${parts.name}`) {
      throw new HttpProblem(404, 'notFound', 'There is nothing at this path.');
    }
    if (request.method === 'OPTIONS') {
      sendText(response, 'OPTIONS', { status: 204, headers: { Allow: allow }, text: null });
      return;
    }
    if (request.method !== 'POST') {
      throw new HttpProblem(405, 'methodNotAllowed', `This path answers ${allow}.`, { headers: { Allow: allow } });
    }
    const body = await bytesOf(request, response, bodyBytesMax);
    const isNew = await parts.receive(body, request.headers, requestIdFor(request));
    sendText(response, 'POST', { status: 200, headers: {}, text: JSON.stringify({ received: true, isNew }) });
  }
  return (request, response, next) => {
    answer(request, response).catch(next);
  };
}
