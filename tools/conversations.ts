import type { Caller } from '../kernel/caller.ts';
import { notFound } from '../kernel/error.ts';
import {
  type BegunTurn,
  beginTurn,
  type CalledTool,
  chatReplyMax,
  chatTextMax,
  escalateTurn,
  finishTurn,
  type SaidBefore,
  startChat,
} from '../policy/chat/commands.ts';
import { type Escalation, escalationIn, escalations, isEscalation } from '../policy/chat/escalation.ts';
import { execute, type Policy } from '../policy/core/command.ts';
import { type Conversation, listConversations, readConversation, type Said } from '../read/chat/conversations.ts';
import { type Named, numberEnd, type Owned, readOwners } from '../read/chat/owners.ts';

export type { BegunTurn, CalledTool, Conversation, Escalation, Named, Owned, Said, SaidBefore };
export { chatReplyMax, chatTextMax, escalationIn, escalations, isEscalation, numberEnd };

/** What came of a turn, to be kept. */
export interface Answered {
  turnId: string;
  reply: string;
  assistant: 'model' | 'rules';
  model: string | null;
  toolCalls: CalledTool[];
  inputTokens: number;
  outputTokens: number;
  costMicros: bigint;
  latencyMs: number;
}

/** Conversations as a surface sees them: those of its caller. They are written by commands, like everything. */
export interface Conversations {
  start(caller: Caller): Promise<{ id: string }>;
  list(caller: Caller): Promise<Conversation[]>;
  /** @throws AirtimeError 404 for one that there is not, and for somebody else's */
  read(caller: Caller, id: string): Promise<{ id: string; turns: Said[] }>;
  /** @throws AirtimeError 404 likewise; Refusal `chat.…` */
  begin(caller: Caller, sessionId: string, text: string): Promise<BegunTurn>;
  finish(caller: Caller, answered: Answered): Promise<unknown>;
  escalate(caller: Caller, answered: Answered & { category: Escalation }): Promise<{ caseId: string; reply: string }>;
  /** Whose the things are that a text names. */
  owners(named: Named): Promise<Owned[]>;
}

/** A customer's conversations are theirs with whatever token; an operator's are those of the token. */
const ownerOf = (caller: Caller): string =>
  caller.audience === 'customer' ? `customer ${caller.customerId ?? ''}` : `${caller.audience} ${caller.id}`;

/** @param guardsOff as for the registry: for a proof of what a guard is good for. */
export function conversationsOf(policy: Policy, guardsOff?: ReadonlySet<string>): Conversations {
  const isOpen = (): boolean => guardsOff?.has('chat.session_owner') === true;
  const whose = (caller: Caller) => ({
    owner: ownerOf(caller),
    customerId: caller.audience === 'customer' ? (caller.customerId ?? null) : null,
  });
  return {
    start: (caller) => execute(policy, startChat, whose(caller), caller),
    list: (caller) => listConversations(policy.pool, ownerOf(caller)),
    async read(caller, id) {
      const found = await readConversation(policy.pool, id, isOpen() ? null : ownerOf(caller));
      if (!found) throw notFound('conversation', id);
      return found;
    },
    begin: (caller, sessionId, text) =>
      execute(policy, beginTurn, { ...whose(caller), sessionId, text, onlyOwner: !isOpen() }, caller),
    finish: (caller, answered) => execute(policy, finishTurn, answered, caller),
    escalate: (caller, answered) => execute(policy, escalateTurn, answered, caller),
    owners: (named) => readOwners(policy.pool, named),
  };
}
