import type { Caller } from '../kernel/caller.ts';

/** Who does everything in a simulated world. */
export const operator: Caller = {
  audience: 'operator',
  id: 'opr_simulated',
  name: 'Operator',
  surface: 'tools',
  scopes: ['*'],
};
