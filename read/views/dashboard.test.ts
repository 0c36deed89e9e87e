import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { type House, openHouse, operator } from '../../doctrine/house.ts';
import { showDashboard } from './dashboard.ts';

let house: House;
beforeAll(async () => {
  house = await openHouse();
});
afterAll(() => house.close());

const look = () => showDashboard.run(house.pool, { recent: 3 }, operator);

it('gives one look to all who look at once, and reads anew when that is old', { timeout: 60_000 }, async () => {
  const asked = vi.spyOn(house.pool, 'connect');
  const [first, ...others] = await Promise.all([look(), look(), look()]);
  expect(others).toEqual([first, first]);
  expect(first.customers.total).toBe(0);
  await house.customer();
  const before = asked.mock.calls.length;
  expect(before).toBeGreaterThan(0);
  expect(await look()).toBe(first);
  expect(asked.mock.calls.length).toBe(before);
  // What was read in two seconds, on a busy machine, is kept for twenty, and given out for as long again at most.
  const begun = Date.now();
  for (;;) {
    const seen = await look();
    if (seen.customers.total === 1) break;
    expect(Date.now() - begun).toBeLessThan(45_000);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
});
