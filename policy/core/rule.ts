import { Refusal } from '../../kernel/error.ts';
import type { Tx } from './transaction.ts';

/**
 * A named rule: a dotted code, one sentence a person understands, and a judgement over the facts. The facts it was
 * judged on go into the refusal, so they hold no secret.
 */
export interface Rule<Facts> {
  readonly code: string;
  readonly sentence: string;
  /** 409 where the state of what is written stands in the way; 422 otherwise. */
  readonly status?: 409 | 422;
  /** True when the rule is kept. */
  kept(facts: Facts, tx: Pick<Tx, 'now' | 'caller' | 'settings'>): boolean;
  /** What a person should see of the facts when it is broken. */
  shown?(facts: Facts): Record<string, unknown>;
}

export function rule<Facts>(definition: Rule<Facts>): Rule<Facts> {
  if (!/^[a-z_]+(\.[a-z_]+)+$/.test(definition.code)) throw new Error(`rule code ${definition.code} is not dotted`);
  return definition;
}

/** The first broken rule in order, as the refusal it becomes. */
export function firstBroken<Facts>(rules: readonly Rule<Facts>[], facts: Facts, tx: Tx): Refusal | undefined {
  for (const one of rules) {
    if (tx.rulesOff.has(one.code)) continue;
    if (!one.kept(facts, tx)) return new Refusal(one.code, one.sentence, one.shown?.(facts) ?? {}, one.status);
  }
  return undefined;
}
