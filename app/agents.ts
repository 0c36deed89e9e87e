import type { Logger } from 'pino';
import type { JsonObject } from '../kernel/json.ts';
import program from '../package.json' with { type: 'json' };
import { agentOf } from '../surfaces/http/agents.ts';
import type { Guard } from '../surfaces/http/authorise.ts';
import { judgeValue } from '../surfaces/http/body.ts';
import { type HttpServer, httpLimits } from '../surfaces/http/server.ts';
import { mcpHandler } from '../surfaces/mcp/http.ts';
import { localDoor } from '../tools/agent-door.ts';
import type { ToolDoor } from '../tools/registry.ts';

export interface AgentPagesParts extends Guard {
  readonly tools: ToolDoor;
  readonly rulesOff: ReadonlySet<string>;
  readonly publicUrl: string;
  readonly log: Pick<Logger, 'warn' | 'error'>;
}

/** `/mcp`: the tools of a caller for agents, let in by the rules of the HTTP door. */
export function agentPages({
  tools,
  rulesOff,
  authenticate,
  rates,
  publicUrl,
  log,
}: AgentPagesParts): Parameters<HttpServer['mount']>[1] {
  const handle = mcpHandler({
    open: async (request) => {
      const { caller, secret, allows } = await agentOf(request, { authenticate, rates });
      const onDefect = (error: unknown) => log.error({ requestId: caller.requestId, err: error }, 'tool failed');
      const judge = (input: JsonObject) => judgeValue(input, httpLimits, { aboutPaying: false, rulesOff });
      return { door: localDoor({ tools, caller, allows, judge, onDefect }), secret };
    },
    publicUrl,
    version: program.version,
    bodyBytesMax: httpLimits.bodyBytesMax,
    // A request that the protocol refuses is the caller's business, and may quote what it sent.
    onError: (error) => log.warn({ name: error.name }, 'an agent was not answered'),
  });
  return (request, response, next) => {
    handle(request, response).catch(next);
  };
}
