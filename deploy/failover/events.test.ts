import { describe, expect, it } from 'vitest';
import { type Arrival, judgeEvents, type OwedEvent } from './events.ts';

const orders = ['ord_1', 'ord_2', 'ord_3'];
/** Four events for each order, in turn: as orders that are placed together write them. */
const owed: readonly OwedEvent[] = [1, 2, 3, 4].flatMap((step) =>
  orders.map((resourceId, index) => ({
    id: `evt_${index + 1}${step}`,
    resourceId,
    position: BigInt(step * 10 + index),
  })),
);
const all: readonly Arrival[] = owed.map(({ id }, index) => ({ at: 1000 + index, eventId: id }));
const again = { from: 5000, to: 6000 };
const judge = (arrivals: readonly Arrival[], more: Partial<Parameters<typeof judgeEvents>[0]> = {}) =>
  judgeEvents({ owed, arrivals, orders, again, ...more });
const without = (...ids: string[]): Arrival[] => all.filter(({ eventId }) => !ids.includes(eventId));

describe('what a subscriber was told, against what the database owed it', () => {
  it('is whole when every event row came once, in the order of its resource', () => {
    expect(judge(all)).toEqual({ owed: 12, delivered: 12, twice: 0, missing: [], faults: [] });
  });

  it.each([...owed])('misses event $id of $resourceId, whichever it is', ({ id, resourceId }) => {
    const judged = judge(without(id));
    expect(judged).toMatchObject({ owed: 12, delivered: 11, missing: [{ id }] });
    expect(judged.faults).toEqual([`1 of 12 events that were owed never came: ${id} of ${resourceId}`]);
  });

  it('misses three events of an order of which one came', () => {
    expect(judge(without('evt_21', 'evt_22', 'evt_23')).faults).toEqual([
      '3 of 12 events that were owed never came: evt_21 of ord_2, evt_22 of ord_2, evt_23 of ord_2',
    ]);
  });

  it('names the first of many, and counts the others', () => {
    const many = Array.from({ length: 30 }, (_, n) => ({ id: `evt_${n}`, resourceId: 'ord_1', position: BigInt(n) }));
    const { faults, missing } = judge([], { owed: many, orders: [] });
    expect(missing).toHaveLength(30);
    expect(faults).toEqual([expect.stringMatching(/^30 of 30 .*evt_0 of ord_1, .*evt_19 of ord_1 and 10 more$/)]);
  });

  it('notices an event that nobody owed, and an order of which nothing was written', () => {
    expect(judge([...all, { at: 1, eventId: 'evt_before' }]).faults).toEqual([
      'event evt_before came and was not owed',
    ]);
    expect(judge(all, { orders: [...orders, 'ord_4'] }).faults).toEqual(['of order ord_4 no event was written']);
  });

  it('notices events of a resource that change places, and not those of two', () => {
    const swapped = (one: number, two: number) =>
      all.map((arrival, index) => all[index === one ? two : index === two ? one : index] ?? arrival);
    // Neighbours are of two orders; three further on is the next of the same.
    expect(judge(swapped(0, 1)).faults).toEqual([]);
    expect(judge(swapped(0, 3)).faults).toEqual(['event evt_11 came too late']);
  });

  it('lets an event come again after the death of a copy, and at no other time', () => {
    const repeated = (at: number) => judge([...all, { at, eventId: 'evt_11' }]);
    expect(repeated(5500)).toMatchObject({ twice: 1, faults: [] });
    for (const at of [4999, 6001])
      expect(repeated(at)).toMatchObject({ twice: 1, faults: ['event evt_11 came twice, and nobody had died'] });
  });
});
