import { z } from 'zod';
import { notFound } from '../../kernel/error.ts';
import { command } from '../core/command.ts';
import { belongsToCaller } from '../core/ownership.ts';
import { lockResource, type Stored, storedShape } from '../core/resource.ts';
import { rule } from '../core/rule.ts';
import { findRow } from '../core/table.ts';
import { logInteraction } from '../interaction/commands.ts';
import { productOrderResource } from '../order/resource.ts';
import { isPeriodCharged, type Line, lockLineAndChange, planChangeOf, withdrawPlanChange } from './line.ts';

interface WithdrawFacts {
  /** Undefined only where a customer named a line that there is not: that is judged, and not told apart. */
  line: Line | undefined;
  isPeriodCharged: boolean;
}

export const changeIsPending = rule<WithdrawFacts>({
  code: 'subscription.no_plan_change_pending',
  sentence: 'No change of plan waits for this line: there is nothing to withdraw.',
  status: 409,
  kept: ({ line }) => line !== undefined && planChangeOf(line) !== undefined,
  shown: ({ line }) => ({ line: line?.id ?? null, plan: line?.planCode ?? null }),
});

export const withdrawnBeforeCharge = rule<WithdrawFacts>({
  code: 'subscription.plan_change_is_being_charged',
  sentence: 'The first period of the new plan is being paid for at this moment: it is too late to withdraw.',
  status: 409,
  kept: (facts) => !facts.isPeriodCharged,
  shown: ({ line }) => ({ line: line?.id ?? null, plan: line ? (planChangeOf(line)?.terms.code ?? null) : null }),
});

const input = z.object({ subscriptionId: z.string().describe('The line') });

export const withdrawPlanChangeCommand = command<z.infer<typeof input>, WithdrawFacts, Stored>({
  name: 'subscription.withdraw_plan_change',
  summary: 'Keep the plan of a line: call off the change that waits for its renewal',
  input,
  output: storedShape(productOrderResource),
  audience: ['operator', 'customer', 'integrator'],
  effect: 'write',
  positional: ['subscriptionId'],
  examples: ['bss subscription withdraw-plan-change sub_…'],
  rules: [belongsToCaller<WithdrawFacts>(({ line }) => line?.customerId), changeIsPending, withdrawnBeforeCharge],
  async facts(tx, { subscriptionId }) {
    if (!(await findRow(tx, 'subscription', { id: subscriptionId }))) {
      if (tx.caller.audience === 'customer') return { line: undefined, isPeriodCharged: false };
      throw notFound('subscription', subscriptionId);
    }
    const { line } = await lockLineAndChange(tx, subscriptionId);
    return { line, isPeriodCharged: await isPeriodCharged(tx, line.id) };
  },
  async apply(tx, { line }) {
    const change = line && planChangeOf(line);
    // Only a test that switches the first rule off comes here without one.
    if (!line || !change) throw notFound('change of plan for', line?.id ?? 'this line');
    await withdrawPlanChange(tx, line.id, 'subscription.plan_change_withdrawn', 'The change of plan was withdrawn.');
    await logInteraction(tx, {
      customerId: line.customerId,
      direction: 'inbound',
      reason: 'plan change withdrawn',
      description: `${line.msisdn} keeps its plan: the change to ${change.terms.name} was withdrawn`,
    });
    const { id, document, version } = await lockResource(tx, productOrderResource, change.productOrderId);
    return { id, document, version };
  },
});
