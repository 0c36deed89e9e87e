import { type Rule, rule } from './rule.ts';

/**
 * A customer touches only what is theirs, and is told alike of what is another's and of what there is not. It is judged
 * before any other rule, so that none of those tells of somebody else either.
 */
export function belongsToCaller<Facts>(ownerOf: (facts: Facts) => string | null | undefined): Rule<Facts> {
  return rule<Facts>({
    code: 'ownership.is_callers',
    sentence: 'There is nothing of that name among what is yours.',
    kept: (facts, { caller }) =>
      caller.audience !== 'customer' || (ownerOf(facts) ?? '') === (caller.customerId ?? null),
  });
}
