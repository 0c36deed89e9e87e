import type { Audience, Caller } from '../kernel/caller.ts';
import { AirtimeError } from '../kernel/error.ts';
import { isJsonObject, type JsonObject } from '../kernel/json.ts';
import type { ToolDescriptor, ToolDoor } from './registry.ts';

/** What came of a call. Errors are answers here: an agent is told them, with what mends them. */
export type AgentAnswer =
  | { outcome: 'done'; result: unknown }
  /** Money or destruction: nothing was done yet, and `token` confirms it. */
  | { outcome: 'proposed'; proposal: JsonObject; token: string; expiresAt?: string }
  /** `error` is shaped as at the HTTP door: `reason`, `message`, `facts`, `fault`. */
  | { outcome: 'refused'; status: number; error: JsonObject }
  /** Nobody answered. What was sent may or may not have been done. */
  | { outcome: 'unreachable'; message: string };

export type AgentTool = Pick<ToolDescriptor, 'name' | 'summary' | 'effect' | 'input' | 'output' | 'rules' | 'examples'>;

/** The tools of one caller, as an agent's surface needs them: in this process, or at a server elsewhere. */
export interface AgentDoor {
  list(): Promise<{ audience: Audience; tools: readonly AgentTool[] }>;
  /** @param confirmation the token of a proposal for the same tool and arguments; never shown to a model. */
  call(name: string, input: JsonObject, confirmation?: string): Promise<AgentAnswer>;
}

export interface LocalParts {
  readonly tools: Pick<ToolDoor, 'list' | 'recorded' | 'run' | 'needsConfirmation' | 'propose' | 'confirm'>;
  readonly caller: Caller;
  /** Whether the caller's token has a scope for a tool. */
  allows(tool: string): boolean;
  /** Judges what an agent sent as every door does. @throws AirtimeError for what cannot be kept, or never is. */
  judge(input: JsonObject): void;
  /** Hears of what is refused here already, before the registry, which tells of its own refusals. */
  onRefused?(tool: string, error: AirtimeError): void;
  /** A failure that is no answer: it is logged, and the agent is told nothing of it. */
  onDefect(error: unknown): void;
}

/** The tools of a caller in this process. A tool outside its scopes or its profile does not exist for it. */
export function localDoor(parts: LocalParts): AgentDoor {
  const { tools, caller } = parts;
  const before = (name: string, look: () => void): void => {
    try {
      look();
    } catch (error) {
      if (error instanceof AirtimeError) parts.onRefused?.(tools.recorded(name), error);
      throw error;
    }
  };
  const answered = async (work: () => Promise<AgentAnswer>): Promise<AgentAnswer> => {
    try {
      return await work();
    } catch (error) {
      if (error instanceof AirtimeError) return { outcome: 'refused', status: error.status, error: told(error) };
      parts.onDefect(error);
      const requestId = caller.requestId ?? '';
      const message = `The server failed. The operator finds the cause under request ${requestId}.`;
      return { outcome: 'refused', status: 500, error: { reason: 'internalError', message } };
    }
  };
  return {
    list: async () => ({
      audience: caller.audience,
      tools: tools.list(caller).filter((tool) => parts.allows(tool.name)),
    }),
    call: (name, input, confirmation) =>
      answered(async () => {
        before(name, () => {
          if (!parts.allows(name)) throw new AirtimeError(404, 'notFound', `There is no tool ${name}.`);
          parts.judge(input);
        });
        if (!tools.needsConfirmation(name, caller)) {
          return { outcome: 'done', result: await tools.run(name, input, caller) };
        }
        if (confirmation === undefined) {
          const { proposal, confirmation: given } = await tools.propose(name, input, caller);
          return { outcome: 'proposed', proposal: asJson(proposal), token: given.token, expiresAt: given.expiresAt };
        }
        return { outcome: 'done', result: (await tools.confirm(name, input, caller, confirmation)).result };
      }),
  };
}

function told(error: AirtimeError): JsonObject {
  return asJson({
    reason: error.reason,
    message: error.message,
    ...(Object.keys(error.facts).length > 0 ? { facts: error.facts } : {}),
    ...(error.faults.length > 0 ? { fault: error.faults } : {}),
  });
}

function asJson(value: unknown): JsonObject {
  const text = JSON.stringify(value, (_key, part) => (typeof part === 'bigint' ? part.toString() : part));
  const plain: unknown = JSON.parse(text);
  if (!isJsonObject(plain)) throw new Error('an object was expected');
  return plain;
}
