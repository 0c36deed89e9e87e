import { machine } from '../core/machine.ts';

/** TMF641. The states of TMF622, moved by whoever made the order: the house works on none that a client made. */
export const serviceOrderMachine = machine({
  name: 'serviceOrder',
  initial: ['acknowledged'],
  table: {
    acknowledged: {
      reject: 'rejected',
      start: 'inProgress',
      wait: 'pending',
      hold: 'held',
      assess: 'assessingCancellation',
      cancel: 'cancelled',
    },
    pending: {
      start: 'inProgress',
      hold: 'held',
      fail: 'failed',
      assess: 'assessingCancellation',
      cancel: 'cancelled',
    },
    held: {
      start: 'inProgress',
      wait: 'pending',
      fail: 'failed',
      assess: 'assessingCancellation',
      cancel: 'cancelled',
    },
    inProgress: {
      wait: 'pending',
      hold: 'held',
      complete: 'completed',
      fail: 'failed',
      part: 'partial',
      assess: 'assessingCancellation',
      cancel: 'cancelled',
    },
    assessingCancellation: { agree: 'pendingCancellation', start: 'inProgress', cancel: 'cancelled' },
    pendingCancellation: { cancel: 'cancelled', fail: 'failed' },
    rejected: {},
    cancelled: {},
    completed: {},
    failed: {},
    partial: {},
  },
});

/** The task that cancels an order. One with a date waits for it; the others end at once. */
export const cancelServiceOrderMachine = machine({
  name: 'cancelServiceOrder',
  initial: ['accepted'],
  table: {
    accepted: { finish: 'done', fail: 'terminatedWithError' },
    done: {},
    terminatedWithError: {},
  },
});
