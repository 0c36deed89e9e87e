import type { IncomingMessage } from 'node:http';
import type { Caller, Surface } from '../../kernel/caller.ts';
import { authenticated, type Guard, hasScope, through } from './authorise.ts';
import { requestIdFor, setCaller } from './server.ts';

/** An agent that was let in by this door's rules: who it acts for, and which tools its token opens. */
export interface Agent {
  readonly caller: Caller;
  /** The access token itself. */
  readonly secret: string;
  allows(tool: string): boolean;
}

/** Lets in whoever calls a surface for agents that is mounted at this door. @throws HttpProblem 401, 429 */
export async function agentOf(request: IncomingMessage, guard: Guard, surface: Surface = 'mcp'): Promise<Agent> {
  let secret = '';
  const token = await authenticated(request, {
    ...guard,
    authenticate: (given) => {
      secret = given;
      return guard.authenticate(given);
    },
  });
  const caller = through(token, surface, requestIdFor(request));
  setCaller(request, caller);
  return { caller, secret, allows: (tool) => hasScope(caller, 'tools', tool) };
}
