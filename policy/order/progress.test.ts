import { expect, it } from 'vitest';
import { next } from '../core/machine.ts';
import { finalItemStates, orderStateOf } from './progress.ts';
import { type ItemEvent, type OrderEvent, orderItemMachine, productOrderMachine } from './resource.ts';

const orderEvents: readonly OrderEvent[] = ['start', 'complete', 'fail', 'part', 'hold', 'wait', 'cancel'];
const itemEvents: readonly ItemEvent[] = ['start', 'complete', 'fail', 'hold', 'wait', 'cancel'];

/** What the states of items amount to, said without the machine. */
function wordFor(items: readonly string[]): string | undefined {
  if (items.every((state) => finalItemStates.includes(state))) {
    const [first] = items;
    if (items.every((state) => state === first)) return first;
    return items.includes('completed') ? 'partial' : 'cancelled';
  }
  // Somebody who must act comes before work that goes on, and that before a wait. What has not begun says nothing.
  return ['held', 'inProgress', 'pending'].find((state) => items.includes(state));
}

it.each([1, 2, 3])(
  '%i items, whatever ways they go: an order is what they are, and ends when the last does',
  (count) => {
    const seen = new Set<string>();
    const ahead = [{ order: 'acknowledged', items: Array.from({ length: count }, () => 'acknowledged') }];
    for (let state = ahead.pop(); state; state = ahead.pop()) {
      const { items, order } = state;
      const key = [order, ...items].join();
      if (seen.has(key)) continue;
      seen.add(key);
      const isOpen = orderEvents.some((event) => next(productOrderMachine, order, event) !== undefined);
      expect([items, order, isOpen]).toEqual([
        items,
        wordFor(items) ?? order,
        items.some((item) => !finalItemStates.includes(item)),
      ]);
      for (const [place, item] of items.entries()) {
        for (const event of itemEvents) {
          const to = next(orderItemMachine, item, event);
          if (to === undefined) continue;
          const after = items.with(place, to);
          ahead.push({ order: orderStateOf(order, after), items: after });
        }
      }
    }
    expect(seen.size).toBeGreaterThan(6 ** count);
  },
);
