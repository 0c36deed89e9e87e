import { rule } from '../core/rule.ts';

/** A turn that has not ended by then never will: its server is gone. */
export const turnSecondsMax = 180;

export interface TurnFacts {
  sessionId: string;
  /** The position that the turn takes in its conversation. */
  position: number;
  isWaited: boolean;
  /** Undefined for who is no customer. */
  turnsInHour: number | undefined;
  /** Seconds until the oldest turn of the last hour no longer counts. */
  retryAfterSeconds: number;
  /** What the month's conversations have cost, in millionths of a minor unit. */
  spentMicros: bigint;
}

export const oneTurnAtATime = rule<TurnFacts>({
  code: 'chat.one_turn_at_a_time',
  sentence: 'The assistant still answers what was said before in this conversation: wait for that.',
  status: 409,
  kept: (facts) => !facts.isWaited,
  shown: (facts) => ({ session: facts.sessionId }),
});

export const turnsPerHour = rule<TurnFacts>({
  code: 'chat.turns_per_hour',
  sentence: 'The assistant was written to as often as it may be in an hour: come again later, or ask for a person.',
  status: 409,
  kept: (facts, { settings }) => (facts.turnsInHour ?? 0) < settings.chatTurnsPerHour,
  shown: (facts) => ({ turns: facts.turnsInHour ?? 0, retryAfterSeconds: facts.retryAfterSeconds }),
});
