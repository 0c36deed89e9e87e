import type { Attack } from '../hostile/attack.ts';
import { crossing, entering, heading, leading, persuading, writing } from './forging.ts';
import { naming, owning } from './ownership.ts';
import { personOf } from './person.ts';

/** Both have signed in before anything is looked at, whichever probe is the first to be played. */
const signedIn = (attack: Attack): Attack => ({
  ...attack,
  async prepare(scene) {
    await personOf(scene.world, scene.attacker);
    await personOf(scene.world, scene.victim);
    await attack.prepare?.(scene);
  },
});

const all: readonly Attack[] = [
  ...owning,
  ...naming,
  ...crossing,
  ...entering,
  ...leading,
  ...heading,
  ...writing,
  ...persuading,
];

/** Everything that is tried at the pages for people. */
export const probes: readonly Attack[] = all.map(signedIn);
