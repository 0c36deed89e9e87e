import { expect, test } from 'vitest';
import { placeOfFault } from './events.ts';
import { randomOf } from './random.ts';

test('of the faults of one place at most two wait, and none is planned where all places are full', () => {
  const random = randomOf(7);
  const waiting = { network: 0, gateway: 1, mail: 0 };
  const planned: string[] = [];
  for (;;) {
    const place = placeOfFault(waiting, random);
    if (place === undefined) break;
    waiting[place] += 1;
    planned.push(place);
  }
  expect(waiting).toEqual({ network: 2, gateway: 2, mail: 2 });
  expect(planned).toHaveLength(5);
  // One has struck: there is where the next is planned.
  waiting.mail -= 1;
  expect(placeOfFault(waiting, random)).toBe('mail');
});
