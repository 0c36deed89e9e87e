import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openShop, type Shop } from '../surfaces/http/testing-house.ts';
import { fixedArrival, openClient, requestOf, seeded, type Timing, timingOf } from './load.ts';
import { type Kind, openKinds } from './operations.ts';
import { promisesOf } from './parts/operations.ts';

let shop: Shop;
let kinds: Kind[];

beforeAll(async () => {
  shop = await openShop();
  await shop.line();
  kinds = await openKinds(openClient({ url: shop.door.url, token: 'air_operator' }), shop.house.pool, seeded(1));
});
afterAll(() => shop?.close());

const flows = () => kinds.filter(({ isFlow }) => isFlow).map(({ name }) => name);
const took = (ms: number): Timing => timingOf([ms], 1);

function promises(given: { all?: number; everything?: number; slow?: Map<string, number>; overrun?: string[] }) {
  const { all = 5.8, everything = 11.4, slow, overrun = [] } = given;
  const alone = new Map(
    kinds.filter(({ isFlow }) => !isFlow).map(({ name }) => [name, took(slow?.get(name) ?? 4)] as const),
  );
  return promisesOf(kinds, { all: took(all), everything: took(everything), alone, overrun: new Set(overrun) });
}

test('what is promised of the mix names what is not judged, and prints the time of everything beside it', () => {
  const [mix, alone] = promises({});
  for (const name of [...flows(), 'a flow with card gateway and network']) {
    expect(mix?.what).toContain(name);
    expect(alone?.what).toContain(name);
  }
  expect(mix).toMatchObject({ measured: '5.8 ms; of everything 11.4 ms, not judged', isKept: true });
  expect(promises({ all: 10.1 })[0]?.isKept).toBe(false);
  expect(promises({ overrun: ['all'] })[0]?.isKept).toBe(false);
});

test('of the kinds alone a slow one is named, and one that was not measured is not kept', () => {
  expect(promises({})[1]).toMatchObject({ measured: 'all 15 of them', isKept: true });
  const slow = new Map([['line.show', 12.3]]);
  expect(promises({ slow, overrun: ['usage.charge'] })[1]).toMatchObject({
    measured: 'usage.charge overrun, line.show 12.3 ms',
    isKept: false,
  });
  const none = { all: took(1), everything: took(1), alone: new Map(), overrun: new Set<string>() };
  expect(promisesOf(kinds, none)[1]?.isKept).toBe(false);
});

test('the README makes the same exceptions', () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  const promised = readme.split('\n## ').find((section) => section.startsWith('What it weighs')) ?? '';
  expect(flows()).toEqual(['order.place', 'top-up']);
  for (const name of flows()) expect(promised).toContain(`\`${name}\``);
  expect(promised).toContain('not among what is promised');
  expect(kinds).toHaveLength(17);
  expect(promised).toContain('Two of the seventeen kinds');
});

test('the two requests of a top-up are timed by themselves, and together they are the whole', async () => {
  const kind = kinds.find(({ name }) => name === 'top-up');
  if (!kind) throw new Error('there is no top-up');
  const { times } = await fixedArrival(20, 0.2, () => ({ kind: kind.name, act: kind.act }));
  const [whole, proposed, confirmed] = ['', 'proposed', 'confirmed'].map(
    (request) => times.get(request === '' ? kind.name : requestOf(kind.name, request)) ?? [],
  );
  expect([whole?.length, proposed?.length, confirmed?.length]).toEqual([4, 4, 4]);
  const sum = (some: readonly number[] = []) => some.reduce((all, one) => all + one, 0);
  expect(Math.min(...(proposed ?? []), ...(confirmed ?? []))).toBeGreaterThan(0);
  expect(sum(proposed) + sum(confirmed)).toBeGreaterThan(sum(whole) / 2);
  expect(sum(proposed) + sum(confirmed)).toBeLessThanOrEqual(sum(whole) + 0.001);
});
