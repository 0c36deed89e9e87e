import { machine } from '../core/machine.ts';

export const interactionMachine = machine({
  name: 'partyInteraction',
  initial: ['open'],
  table: {
    open: { start: 'inProgress', complete: 'completed' },
    inProgress: { complete: 'completed' },
    completed: {},
  },
});
