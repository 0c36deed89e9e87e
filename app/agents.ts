import type { Logger } from 'pino';
import type { Caller } from '../kernel/caller.ts';
import type { AirtimeError } from '../kernel/error.ts';
import type { JsonObject } from '../kernel/json.ts';
import program from '../package.json' with { type: 'json' };
import { agentOf } from '../surfaces/http/agents.ts';
import type { Guard } from '../surfaces/http/authorise.ts';
import { judgeValue } from '../surfaces/http/body.ts';
import { type HttpServer, httpLimits } from '../surfaces/http/server.ts';
import { mcpHandler } from '../surfaces/mcp/http.ts';
import { localDoor } from '../tools/agent-door.ts';
import { withContracts } from '../tools/contract.ts';
import type { ToolDoor } from '../tools/registry.ts';

export interface AgentPagesParts extends Guard {
  readonly tools: ToolDoor;
  readonly rulesOff: ReadonlySet<string>;
  readonly publicUrl: string;
  readonly log: Pick<Logger, 'warn' | 'error'>;
  /** Hears of what this door refuses before the tools do, for the audit. */
  readonly onRefused?: ((refused: { tool: string; caller: Caller; error: AirtimeError }) => void) | undefined;
}

/** `/mcp`: the tools of a caller for agents, let in by the rules of the HTTP door. */
export function agentPages({
  tools,
  rulesOff,
  authenticate,
  rates,
  publicUrl,
  log,
  onRefused,
}: AgentPagesParts): Parameters<HttpServer['mount']>[1] {
  const handle = mcpHandler({
    open: async (request) => {
      const { caller, secret, allows } = await agentOf(request, { authenticate, rates });
      const onDefect = (error: unknown) => log.error({ requestId: caller.requestId, err: error }, 'tool failed');
      const judge = (input: JsonObject) => judgeValue(input, httpLimits, { aboutPaying: false, rulesOff });
      const told = (tool: string, error: AirtimeError) => onRefused?.({ tool, caller, error });
      return { door: localDoor({ tools, caller, allows, judge, onDefect, onRefused: told }), secret };
    },
    whole: async (tool) => (await withContracts([tool]))[0] ?? tool,
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
