import fc from 'fast-check';
import { expect, it } from 'vitest';
import { next } from '../core/machine.ts';
import { finalItemStates, orderStateOf } from './progress.ts';
import { type ItemEvent, type OrderEvent, orderItemMachine, productOrderMachine } from './resource.ts';

const orderEvents: readonly OrderEvent[] = ['start', 'complete', 'fail', 'part', 'hold', 'wait', 'cancel'];
const events: readonly ItemEvent[] = ['start', 'complete', 'fail', 'hold', 'wait', 'cancel'];

/** What the states of items amount to, said without the machine; undefined while any of them is open. */
function endOf(items: readonly string[]): string | undefined {
  if (!items.every((state) => finalItemStates.includes(state))) return undefined;
  const [first] = items;
  if (items.every((state) => state === first)) return first;
  return items.includes('completed') ? 'partial' : 'cancelled';
}

it('whatever ways its items go, an order ends when the last of them does, as they ended, and not before', () => {
  const way = fc.record({ item: fc.nat(19), event: fc.constantFrom(...events) });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 20 }), fc.array(way, { maxLength: 200 }), (count, ways) => {
      const items: string[] = Array.from({ length: count }, () => 'acknowledged');
      let order = 'acknowledged';
      const move = (item: number, event: ItemEvent) => {
        const to = next(orderItemMachine, items[item] ?? null, event);
        if (to === undefined) return;
        items[item] = to;
        const before = order;
        order = orderStateOf(before, items);
        const open = endOf(items) === undefined;
        // What a person reads of the order is what keeps it: somebody who must act, work that goes on, or a wait.
        if (open && items.includes('held')) expect([items, order]).toEqual([items, 'held']);
        else if (open && items.includes('inProgress')) expect([items, order]).toEqual([items, 'inProgress']);
        const isOpen = orderEvents.some((one) => next(productOrderMachine, order, one) !== undefined);
        expect([items, order, isOpen]).toEqual([items, order, open]);
      };
      for (const { item, event } of ways) move(item % count, event);
      for (const [item, state] of items.entries()) {
        if (finalItemStates.includes(state)) continue;
        move(item, 'start');
        move(item, 'complete');
      }
      expect([items, order]).toEqual([items, endOf(items)]);
    }),
    { numRuns: 500 },
  );
});
