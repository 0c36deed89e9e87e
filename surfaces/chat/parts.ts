import type { LanguageModel } from 'ai';
import type { Caller } from '../../kernel/caller.ts';
import type { MachineClock } from '../../kernel/clock.ts';
import type { AgentDoor } from '../../tools/agent-door.ts';
import type { Conversations } from '../../tools/conversations.ts';

/**
 * What stands between a model and the house. All of it stands, always: only a proof that shows what each guard is good
 * for makes a chat without one.
 */
export const chatGuards = [
  'chat.escalation',
  'chat.escalation_ends',
  'chat.model_tools',
  'chat.known_arguments',
  'chat.steps',
  'chat.calls',
  'chat.proposals',
  'chat.timeout',
  'chat.cost_per_month',
  'chat.fence',
  'chat.person_secrets',
  'chat.reply_secrets',
  'chat.reply_identifiers',
  'chat.reply_controls',
] as const;
export type ChatGuard = (typeof chatGuards)[number];

export interface ChatLimits {
  /** How often a model is asked in one turn. */
  stepsMax: number;
  /** Tools that are called in one turn. */
  callsMax: number;
  /** Proposals that a person is shown in one turn. */
  proposalsMax: number;
  /** Milliseconds that a turn may take. */
  turnMsMax: number;
  /** Tokens of one answer of a model. */
  outputTokensMax: number;
  /** Characters of a tool's answer that a model is given. */
  toldMax: number;
}

export const chatLimits: ChatLimits = {
  stepsMax: 8,
  callsMax: 16,
  proposalsMax: 3,
  turnMsMax: 60_000,
  outputTokensMax: 1500,
  toldMax: 24_000,
};

/** A model that is asked, and what its tokens cost. */
export interface ChatModel {
  readonly name: string;
  /** In minor units of the currency for a million tokens, which is millionths of a minor unit for one. */
  readonly inputRate: number;
  readonly outputRate: number;
  open(): Promise<LanguageModel>;
}

/** Something that a model or a person tried and that came to nothing, for the audit. */
export interface Attempt {
  tool: string;
  status: number;
  code: string;
}

export interface ChatParts {
  readonly conversations: Conversations;
  /** The built-in assistant answers where there is none. */
  readonly model: ChatModel | undefined;
  readonly clock: Pick<MachineClock, 'now'>;
  readonly limits?: Partial<ChatLimits>;
  readonly guardsOff?: ReadonlySet<string>;
  onAttempt(caller: Caller, attempt: Attempt): void;
  /** An answer to a customer named something of another customer; it was taken out. */
  onForeign(caller: Caller, foreignCustomerId: string): Promise<void>;
  /** How a turn went, for the measures. */
  onTurn?(turn: { assistant: 'model' | 'rules'; model: string | null; failed: boolean; latencyMs: number }): void;
  /** A failure of ours or of the model: it is logged, and the person is told nothing of its cause. */
  onFailure(caller: Caller, error: unknown): void;
}

/** Who speaks: the caller, with the tools that their token opens. */
export interface Speaker {
  readonly caller: Caller;
  readonly door: AgentDoor;
}
