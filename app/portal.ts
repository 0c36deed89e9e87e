import type { Logger } from 'pino';
import type { CardGateway } from '../adapters/card-gateway.ts';
import type { Caller } from '../kernel/caller.ts';
import { isJsonObject, type JsonObject } from '../kernel/json.ts';
import type { Policy } from '../policy/core/command.ts';
import { allowChat } from '../surfaces/chat/door.ts';
import { addressOf, allowTool, hasScope } from '../surfaces/http/authorise.ts';
import { judgeValue } from '../surfaces/http/body.ts';
import {
  type HttpServer,
  httpLimits,
  requestIdFor,
  setCaller,
  setOperation,
  setRefused,
} from '../surfaces/http/server.ts';
import type { CardEntry, ChatDoor, ChatTurn, PortalParts } from '../surfaces/portal/parts.ts';
import type { Said } from '../tools/conversations.ts';
import { type PortalDoor, portalOf } from '../tools/portal.ts';
import type { ToolDoor } from '../tools/registry.ts';
import type { Assistant } from './chat.ts';
import type { Configuration } from './configuration.ts';

type Handler = Parameters<HttpServer['mount']>[1];

/** Where pages for people are. */
export const portalPaths = ['/plans', '/sign-up', '/sign-in', '/sign-out', '/account', '/desk', '/assets'] as const;

/** The cards that the sandbox plays, by what they are good for here. */
const sandboxCards: CardEntry = {
  kind: 'sandbox',
  cards: [
    { token: 'tok_visa', label: 'Visa that works' },
    { token: 'tok_mastercard', label: 'Mastercard that works' },
    { token: 'tok_declined', label: 'Visa that is declined' },
    { token: 'tok_renewal_declines', label: 'Visa that pays once and is declined afterwards' },
  ],
};

function cardEntry(gateway: CardGateway, stripe: Configuration['stripe']): CardEntry {
  if (gateway.kind === 'sandbox') return sandboxCards;
  const { beginCard } = gateway;
  if (stripe?.publishableKey === undefined || beginCard === undefined) return { kind: 'none' };
  return { kind: 'stripe', publishableKey: stripe.publishableKey, begin: () => beginCard.call(gateway) };
}

/**
 * The tools as at every door: those that the scopes of the caller open, with what is typed judged; a card number in a
 * note is kept nowhere. A session of the desk opens what its token does, and no more.
 */
function judgedTools(tools: ToolDoor, judge: (input: JsonObject) => void): ToolDoor {
  const judged = (name: string, input: unknown, caller: Caller): unknown => {
    allowTool(caller, name);
    if (isJsonObject(input)) judge(input);
    return input;
  };
  return {
    ...tools,
    list: (caller) => tools.list(caller).filter(({ name }) => hasScope(caller, 'tools', name)),
    run: async (name, input, caller, keep) => tools.run(name, judged(name, input, caller), caller, keep),
    preview: async (name, input, caller) => tools.preview(name, judged(name, input, caller), caller),
    propose: async (name, input, caller) => tools.propose(name, judged(name, input, caller), caller),
    confirm: async (name, input, caller, token) => tools.confirm(name, judged(name, input, caller), caller, token),
  };
}

/** What was said, each answer beside its question. */
function turnsOf(said: readonly Said[]): ChatTurn[] {
  return said.flatMap(({ role, text, at }, index) => {
    if (role !== 'person') return [];
    const next = said[index + 1];
    return [{ said: text, reply: next?.role === 'assistant' ? next.text : null, at }];
  });
}

function chatDoor(assistant: Assistant): ChatDoor {
  const { conversations } = assistant;
  return {
    begin: (caller) => conversations.start(caller),
    list: (caller) => conversations.list(caller),
    read: async (caller, id) => ({ id, turns: turnsOf((await conversations.read(caller, id)).turns) }),
    say: async (caller, id, text, onTool) => {
      // What the assistant tries is told as of the chat: no answer of a page says it.
      const speaker = assistant.speaker({ ...caller, surface: 'chat' }, (tool) => hasScope(caller, 'tools', tool));
      await allowChat(speaker);
      const { reply, proposals } = await assistant.say(speaker, id, text, onTool);
      return {
        reply,
        proposals: proposals.map(({ tool, arguments: input, proposal }) => ({
          tool,
          arguments: input,
          what: typeof proposal.what === 'string' ? proposal.what : tool,
          amount: isJsonObject(proposal.amount) ? String(proposal.amount.text ?? '') : null,
        })),
      };
    },
  };
}

export interface PortalWiring {
  readonly policy: Policy;
  readonly tools: ToolDoor;
  readonly assistant: Assistant;
  readonly stripe: Configuration['stripe'];
  readonly publicUrl: string;
  readonly trustedProxies: number;
  limit: PortalParts['limit'];
  readonly log: Pick<Logger, 'warn' | 'error'>;
  /** A mail was asked for: it is not kept waiting for the next round. */
  wake(): void;
  /** For a proof of what each guard is good for. */
  readonly guardsOff?: ReadonlySet<string>;
  /** For a proof: what stands between the pages and sessions, in place of the door of the house. */
  wrap?(door: PortalDoor): PortalDoor;
}

/** The pages, loaded when somebody asks for the first: a server that only serves programs never holds them. */
export function mountPortal(server: Pick<HttpServer, 'mount'>, wiring: PortalWiring): void {
  const { policy, publicUrl, guardsOff, wake } = wiring;
  const judge = (input: JsonObject) => judgeValue(input, httpLimits, { aboutPaying: false, rulesOff: policy.rulesOff });
  const tools = judgedTools(wiring.tools, judge);
  const door = portalOf({ policy, tools, wake });
  const judgedDoor: PortalDoor = {
    ...door,
    startSignUp: async (secret, details) => {
      judge({ ...details, phone: details.phone ?? null });
      return door.startSignUp(secret, details);
    },
  };
  const parts: PortalParts = {
    tools,
    door: wiring.wrap?.(judgedDoor) ?? judgedDoor,
    chat: chatDoor(wiring.assistant),
    cards: cardEntry(policy.outside.gateway, wiring.stripe),
    publicUrl,
    hearing: {
      requestId: requestIdFor,
      caller: (request, caller: Caller) => setCaller(request, caller),
      operation: setOperation,
      refused: setRefused,
      address: (request) => addressOf(request, wiring.trustedProxies),
    },
    limit: wiring.limit,
    guardsOff,
    log: wiring.log,
  };
  let loading: Promise<Handler> | undefined;
  const load = (): Promise<Handler> => {
    loading ??= import('../surfaces/portal/portal.tsx').then(({ portalPages }) => portalPages(parts));
    return loading;
  };
  const handler: Handler = (request, response, next) => {
    load().then((handle) => handle(request, response, next), next);
  };
  for (const path of portalPaths) server.mount(path, handler);
}

/** How often people may come: whoever is signed in by their session, everybody else by their address. */
export function portalLimit(
  take: (who: string, perMinute: number) => ReturnType<PortalParts['limit']>,
  perMinute: Pick<Configuration, 'requestsPerMinute' | 'failuresPerMinute'>,
): PortalParts['limit'] {
  return (who, kind) =>
    take(`portal ${who}`, kind === 'visitor' ? perMinute.failuresPerMinute : perMinute.requestsPerMinute[kind]);
}
