import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { attacks, newPeople, type People, playGuarded, playWithout } from './hostile/run.ts';
import { type HostileWorld, openHostileWorld } from './hostile/world.ts';

let world: HostileWorld;
let people: People;
beforeAll(async () => {
  world = await openHostileWorld();
  people = await newPeople(world);
});
afterAll(() => world.close());

test('there are at least forty attacks in at least eight families, each of its own name', () => {
  expect(attacks.length).toBeGreaterThanOrEqual(40);
  expect(new Set(attacks.map(({ family }) => family)).size).toBeGreaterThanOrEqual(8);
  expect(new Set(attacks.map(({ family, name }) => `${family}: ${name}`)).size).toBe(attacks.length);
});

describe('an attack comes to nothing, and succeeds where the guard that it aims at is taken away', () => {
  test.each(attacks.map((attack) => [`${attack.family}: ${attack.name}`, attack] as const))(
    '%s',
    async (_name, attack) => {
      expect((await playGuarded(world, attack, people)).faults).toEqual([]);
      // `make hostile` takes each guard away; a gate has little time, and takes every second one.
      if (attacks.indexOf(attack) % 2 === 0)
        expect([attack.aims, await playWithout(world, attack)]).toEqual([attack.aims, true]);
    },
  );
});
