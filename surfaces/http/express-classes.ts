import { IncomingMessage, type ServerOptions, ServerResponse } from 'node:http';
import type { Express } from 'express';

/**
 * Classes for `createServer` whose instances are from birth what Express makes of each request and response it is given.
 * Express sets the prototype of every one. V8 gives an object whose prototype is changed a shape of its own, and all that
 * is added to it later another: 11 KB a request that only a major collection finds. Here the change finds nothing to
 * change. Source: docs/decisions/0029-requests-born-as-those-of-express.md.
 */
export function expressClasses(app: Express): Required<Pick<ServerOptions, 'IncomingMessage' | 'ServerResponse'>> {
  class ExpressRequest extends IncomingMessage {}
  class ExpressResponse<Asked extends IncomingMessage = IncomingMessage> extends ServerResponse<Asked> {}
  app.request = Object.setPrototypeOf(ExpressRequest.prototype, app.request);
  app.response = Object.setPrototypeOf(ExpressResponse.prototype, app.response);
  return { IncomingMessage: ExpressRequest, ServerResponse: ExpressResponse };
}
