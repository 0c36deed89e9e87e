import type { Attack } from '../hostile/attack.ts';
import { crossing, entering, heading, leading, persuading, writing } from './forging.ts';
import { naming, owning } from './ownership.ts';

/** Everything that is tried at the pages for people. */
export const probes: readonly Attack[] = [
  ...owning,
  ...naming,
  ...crossing,
  ...entering,
  ...leading,
  ...heading,
  ...writing,
  ...persuading,
];
