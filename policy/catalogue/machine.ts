import { machine } from '../core/machine.ts';

export const lifecycleStates = [
  'In Study',
  'In Design',
  'In Test',
  'Active',
  'Launched',
  'Retired',
  'Obsolete',
  'Rejected',
] as const;

/**
 * The life of whatever the catalogue holds. It moves forwards, and from test back to design; what was retired is never
 * sold again, because lines and receipts speak of it. Other words are free strings of the standard.
 */
export const lifecycleMachine = machine({
  name: 'lifecycle',
  initial: ['In Study'],
  table: {
    'In Study': { design: 'In Design', test: 'In Test', activate: 'Active', reject: 'Rejected' },
    'In Design': { test: 'In Test', activate: 'Active', reject: 'Rejected' },
    'In Test': { design: 'In Design', activate: 'Active', reject: 'Rejected' },
    Active: { launch: 'Launched', retire: 'Retired' },
    Launched: { retire: 'Retired' },
    Retired: { expire: 'Obsolete' },
    Obsolete: {},
    Rejected: {},
  },
});
