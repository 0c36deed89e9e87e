import { z } from 'zod';
import { type AnyCommand, command } from '../core/command.ts';
import type { StepDefinition } from '../core/flow.ts';
import { belongsToCaller } from '../core/ownership.ts';
import { refs } from '../core/party.ts';
import { documentOf, type Stored, storedShape } from '../core/resource.ts';
import { rule } from '../core/rule.ts';
import { findRow, getRow, type Tables } from '../core/table.ts';
import { logInteraction } from '../interaction/commands.ts';
import { endLine as endLineNow, isEndAhead, withdrawEnd } from '../subscription/end.ts';
import { lockLine, productResource } from '../subscription/line.ts';
import { afterCancel } from './cancel.ts';
import { acknowledge, lineIsCallers, orderFacts, previewOrder } from './commands.ts';
import { finalItemStates, type Item, lockItem, moveItem, refusalNote } from './progress.ts';
import { productOrderResource } from './resource.ts';
import { buyingRules, type OrderFacts } from './rules.ts';

const endInput = z.object({
  subscriptionId: z.string().describe('The line'),
  when: z
    .enum(['boundary', 'now'])
    .default('boundary')
    .describe('At the end of its period, instead of the renewal; or now. Nothing is given back'),
});

/** TMF622 calls it an order item with the action delete; this is that order. */
export const endLine: AnyCommand = command<z.infer<typeof endInput>, OrderFacts, Stored>({
  name: 'subscription.end',
  summary: 'End a line, at the end of its period or now; nothing is given back',
  input: endInput,
  output: storedShape(productOrderResource),
  audience: ['operator', 'customer', 'integrator'],
  effect: 'destructive',
  positional: ['subscriptionId'],
  examples: ['bss subscription end sub_…', 'bss subscription end sub_… --when now'],
  rules: [lineIsCallers, ...buyingRules],
  async facts(tx, input) {
    const line = await findRow(tx, 'subscription', { id: input.subscriptionId });
    return orderFacts(tx, {
      category: 'mobile',
      relatedParty: line ? [refs.customer(line.customerId)] : [],
      productOrderItem: [
        {
          id: '1',
          action: 'delete',
          quantity: 1,
          product: {
            ...refs.product(input.subscriptionId),
            productCharacteristic: [{ name: 'end', value: input.when }],
          },
        },
      ],
    });
  },
  preview: previewOrder,
  apply: acknowledge,
});

interface WithdrawFacts {
  line: Tables['subscription'] | undefined;
  item: Item | undefined;
}

export const endWaits = rule<WithdrawFacts>({
  code: 'subscription.withdraw_needs_waiting_end',
  sentence:
    'Only the end of a line that still waits can be withdrawn: nothing ends this line, its boundary has come, or it has ended.',
  status: 409,
  kept: ({ line, item }, { now }) =>
    line !== undefined && isEndAhead(line, now) && item !== undefined && !finalItemStates.includes(item.state),
  shown: ({ line }) => ({ state: line?.state ?? null, endsAt: line?.endsAt?.toISOString() ?? null }),
});

const withdrawInput = z.object({ subscriptionId: z.string().describe('The line') });

export const withdrawLineEnd: AnyCommand = command<z.infer<typeof withdrawInput>, WithdrawFacts, Stored>({
  name: 'subscription.withdraw_end',
  summary: 'Withdraw the end of a line that waits for the end of its period: it renews as ever',
  input: withdrawInput,
  output: storedShape(productResource),
  audience: ['operator', 'customer', 'integrator'],
  effect: 'write',
  positional: ['subscriptionId'],
  examples: ['bss subscription withdraw-end sub_…'],
  rules: [belongsToCaller<WithdrawFacts>(({ line }) => line?.customerId), endWaits],
  async facts(tx, input) {
    const known = await findRow(tx, 'subscription', { id: input.subscriptionId });
    if (!known) return { line: undefined, item: undefined };
    // An order is locked before its line.
    const item = known.endItemId === null ? undefined : await lockItem(tx, known.endItemId);
    const line = await lockLine(tx, known.id);
    return { line, item: line.endItemId === item?.id ? item : undefined };
  },
  async apply(tx, { line, item }) {
    if (!line || !item) throw new Error('an end that waits has a line and an order item');
    await moveItem(
      tx,
      item,
      'cancel',
      {},
      { note: refusalNote(tx, 'order.cancelled', 'The end of the line was withdrawn.') },
    );
    await withdrawEnd(tx, line.id, item.id);
    await logInteraction(tx, {
      customerId: line.customerId,
      direction: 'inbound',
      reason: 'end withdrawn',
      description: `The line ${line.msisdn} goes on`,
      about: [refs.product(line.id)],
    });
    const now = await getRow(tx, 'subscription', { id: line.id });
    return { id: now.id, document: documentOf(now), version: now.version };
  },
});

/** At the boundary the renewal ends the line, so until then the item only waits; now is now. */
const end: StepDefinition = {
  flow: 'order',
  step: 'end',
  summary: 'End the line, or wait for its boundary',
  async run(context) {
    await context.finish('subscription.end', async (tx) => {
      const item = await lockItem(tx, context.step.subject);
      if (finalItemStates.includes(item.state)) {
        if (item.state === 'cancelled') await afterCancel(tx, item);
        return;
      }
      if (context.step.input.isNow !== true) {
        await moveItem(tx, item, 'wait');
        return;
      }
      await moveItem(tx, item, 'start');
      await endLineNow(tx, item.subscriptionId ?? '');
    });
  },
};

export const endSteps: readonly StepDefinition[] = [end];
