import { directoryVariable, openTestDirectory } from '../../app/database/testing.ts';
import type { Attack } from './attack.ts';
import { newPeople, type Played, playGuarded, playWithout, records } from './run.ts';
import { openHostileWorld } from './world.ts';

/**
 * Plays every attack against the whole house, and again without the guard that it aims at, and prints what came of it.
 * @returns the exit code
 */
export async function playAll(attacks: readonly Attack[]): Promise<number> {
  const { directory, remove } = await openTestDirectory();
  process.env[directoryVariable] = directory;
  const began = performance.now();
  const faults: string[] = [];
  const recorded = new Map<Played['record'], number>();
  const families = new Map<string, { attacks: number; held: number; succeeded: number; guards: Set<string> }>();
  try {
    const world = await openHostileWorld();
    try {
      const people = await newPeople(world);
      for (const attack of attacks) {
        const family = families.get(attack.family) ?? { attacks: 0, held: 0, succeeded: 0, guards: new Set() };
        families.set(attack.family, family);
        family.attacks += 1;
        for (const guard of attack.aims) family.guards.add(guard);
        const { faults: broken, record } = await playGuarded(world, attack, people);
        if (broken.length === 0) family.held += 1;
        recorded.set(record, (recorded.get(record) ?? 0) + 1);
        const isWon = await playWithout(world, attack);
        if (isWon) family.succeeded += 1;
        for (const what of [
          ...broken,
          ...(isWon ? [] : [`it fails without ${attack.aims.join(', ')} too, and proves nothing`]),
        ])
          faults.push(`${attack.family}: ${attack.name}: ${what}`);
      }
    } finally {
      await world.close();
    }
  } finally {
    await remove();
  }
  const wide = Math.max(...[...families.keys()].map((name) => name.length));
  console.log(`${'family'.padEnd(wide)}  attacks  held  succeed without  guards that they aim at`);
  for (const [name, { attacks: count, held, succeeded, guards }] of families) {
    console.log(
      `${name.padEnd(wide)}  ${String(count).padStart(7)}  ${String(held).padStart(4)}  ${String(succeeded).padStart(15)}  ${[...guards].sort().join(', ')}`,
    );
  }
  const sum = (pick: (one: { attacks: number; held: number; succeeded: number }) => number): number =>
    [...families.values()].reduce((all, one) => all + pick(one), 0);
  console.log(
    `${sum((one) => one.attacks)} attacks in ${families.size} families: ${sum((one) => one.held)} held (nothing changed, nothing of another left), ${sum((one) => one.succeeded)} succeed without their guard, ${((performance.now() - began) / 1000).toFixed(1)} s`,
  );
  const told = {
    audit: 'refusals in the audit',
    turn: 'turns in the record of a conversation',
    answered: 'answered as anybody is, and recorded nowhere',
  };
  console.log(records.map((one) => `${recorded.get(one) ?? 0} ${told[one]}`).join(', '));
  for (const fault of faults) console.error(`  ${fault}`);
  return faults.length === 0 ? 0 : 1;
}
