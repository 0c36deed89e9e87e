import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import express, { type RequestHandler } from 'express';

/** Beside the compiled program, or where the build leaves the pages for the sources. */
function docsDirectory(): string | undefined {
  return ['../docs', '../../dist/docs', './docs']
    .map((candidate) => fileURLToPath(new URL(candidate, import.meta.url)))
    .find((path) => existsSync(join(path, 'content-security-policy.txt')));
}

/**
 * The reference for integrators, to be mounted at `/docs`: files that `make build` has written, sent from disk, so that
 * they take no memory. Undefined where they were not built; then there are no such pages.
 *
 * This door is open, unlike every other: a page says only what the published contract, the rules and the examples say,
 * and nothing of this installation or its customers. Whoever is to learn how to get a token cannot have one yet.
 */
export function docsPages(directory: string | undefined = docsDirectory()): RequestHandler | undefined {
  if (directory === undefined) return undefined;
  // Read with each page, since a build may replace both under a running server.
  const policy = () => readFileSync(join(directory, 'content-security-policy.txt'), 'utf8').trim();
  const files = express.static(directory, {
    dotfiles: 'ignore',
    extensions: ['html'],
    // Nothing is taken from a cache unasked; an unchanged page is answered 304.
    cacheControl: false,
    setHeaders: (response, path) => {
      response.setHeader('Cache-Control', 'no-cache');
      if (path.endsWith('.html')) response.setHeader('Content-Security-Policy', policy());
      // A contract is read by tools in browsers too, from wherever they are served.
      if (path.includes('openapi')) {
        response.setHeader('Access-Control-Allow-Origin', '*');
        response.setHeader('Cross-Origin-Resource-Policy', 'cross-origin');
      }
    },
  });
  return (request, response, next) => files(request, response, next);
}
