import type { RequestHandler } from 'express';
import { addressOf, type Rates } from '../surfaces/http/authorise.ts';
import { type HttpServer, requestIdFor, setCaller, setOperation } from '../surfaces/http/server.ts';
import type { Hearing, PortalParts } from '../surfaces/portal/parts.ts';

/** Where pages for people are. */
export const portalPaths = ['/plans', '/sign-up', '/sign-in', '/sign-out', '/account', '/desk', '/assets'] as const;

/** What this door knows of a request that the pages answer. */
export function portalHearing(rates: Pick<Rates, 'trustedProxies'>): Hearing {
  return {
    requestId: requestIdFor,
    caller: setCaller,
    operation: setOperation,
    address: (request) => addressOf(request, rates.trustedProxies),
  };
}

/** The pages, loaded when somebody asks for the first: a server that only serves programs never holds them. */
export function mountPortal(server: Pick<HttpServer, 'mount'>, parts: PortalParts): void {
  let loading: Promise<RequestHandler> | undefined;
  const load = (): Promise<RequestHandler> => {
    loading ??= import('../surfaces/portal/portal.tsx').then(({ portalPages }) => portalPages(parts));
    return loading;
  };
  const handler: RequestHandler = (request, response, next) => {
    load().then((handle) => handle(request, response, next), next);
  };
  for (const path of portalPaths) server.mount(path, handler);
}
