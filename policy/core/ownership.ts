import type { Caller } from '../../kernel/caller.ts';
import { type Rule, rule } from './rule.ts';
import type { Tx } from './transaction.ts';

const code = 'ownership.is_callers';

/** Whether a caller may touch what belongs to this customer, or to nobody. */
const isCallers = (caller: Caller, owner: string | null | undefined): boolean =>
  caller.audience !== 'customer' || (owner ?? '') === (caller.customerId ?? null);

/** The same where the answer is that there is no such thing, so that facts must not even be read. */
export const isAnothers = (tx: Pick<Tx, 'caller' | 'rulesOff'>, owner: string | null | undefined): boolean =>
  !isCallers(tx.caller, owner) && !tx.rulesOff.has(code);

/**
 * A customer touches only what is theirs, and is told alike of what is another's and of what there is not. It is judged
 * before any other rule, so that none of those tells of somebody else either.
 */
export function belongsToCaller<Facts>(ownerOf: (facts: Facts) => string | null | undefined): Rule<Facts> {
  return rule<Facts>({
    code,
    sentence: 'There is nothing of that name among what is yours.',
    kept: (facts, { caller }) => isCallers(caller, ownerOf(facts)),
  });
}
