import { machine } from '../core/machine.ts';

/** TMF621. A resolved ticket is opened again by working on it; closed, rejected and cancelled are for good. */
export const ticketMachine = machine({
  name: 'troubleTicket',
  initial: ['acknowledged'],
  table: {
    acknowledged: { start: 'inProgress', wait: 'pending', hold: 'held', reject: 'rejected', cancel: 'cancelled' },
    inProgress: { wait: 'pending', hold: 'held', resolve: 'resolved', cancel: 'cancelled' },
    pending: { start: 'inProgress', hold: 'held', cancel: 'cancelled' },
    held: { start: 'inProgress', wait: 'pending', cancel: 'cancelled' },
    resolved: { close: 'closed', start: 'inProgress' },
    closed: {},
    rejected: {},
    cancelled: {},
  },
});

/** States in which nobody works on a ticket any more. */
export const endedTicketStates: readonly string[] = ['closed', 'rejected', 'cancelled'];
