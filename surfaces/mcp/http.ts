import type { IncomingMessage, ServerResponse } from 'node:http';
import { AirtimeError } from '../../kernel/error.ts';
import type { AgentDoor } from '../../tools/agent-door.ts';
import { handbook } from './handbook.ts';
import { type AgentParts, agentServer } from './server.ts';

export interface McpParts {
  /** Who calls, judged before anything of the request is read. @throws AirtimeError 401 */
  open(request: IncomingMessage): Promise<{ door: AgentDoor; secret: string }>;
  /** A tool with every schema of it written out. */
  readonly whole?: AgentParts['whole'];
  /** The address that the operator configured. */
  readonly publicUrl: string;
  readonly version: string;
  readonly bodyBytesMax: number;
  onError(error: Error): void;
}

/**
 * Model Context Protocol over streamable HTTP, for `/mcp`: a handler and a server for each request, and no session. A
 * client of the protocol before is served by the same tools, also without one; it cannot be asked anything there.
 * @throws AirtimeError 401 without a token of ours, 403 for a page of another site.
 */
export function mcpHandler(parts: McpParts): (request: IncomingMessage, response: ServerResponse) => Promise<void> {
  const pages = handbook();
  return async (request, response) => {
    refuseForeignPage(request, parts.publicUrl);
    const { door, secret } = await parts.open(request);
    const [sdk, { toNodeHandler }] = await Promise.all([
      import('@modelcontextprotocol/server'),
      import('@modelcontextprotocol/node'),
    ]);
    const handler = sdk.createMcpHandler(
      () => agentServer(sdk, { door, secret, version: parts.version, pages, whole: parts.whole }),
      {
        maxRequestBodySize: parts.bodyBytesMax,
        // Nothing that is offered changes while a caller listens: a stream would hold a connection for nothing.
        maxSubscriptions: 0,
        onerror: (error) => parts.onError(error),
      },
    );
    await toNodeHandler(handler, { maxRequestBodySize: parts.bodyBytesMax })(request, response);
  };
}

// A browser says which page a request comes from; agents are no pages. The protocol asks for this check.
function refuseForeignPage(request: IncomingMessage, publicUrl: string): void {
  const { origin } = request.headers;
  // Not whatever Host the request names: a name that was turned to our address would name itself.
  if (origin === undefined || origin === new URL(publicUrl).origin) return;
  throw new AirtimeError(403, 'forbidden', 'A page of another site may not call this server. Call it from a program.');
}
