import { machine } from '../core/machine.ts';
import { customerIdOf, text } from '../core/party.ts';
import type { ResourceDefinition } from '../core/resource.ts';

export const productOrderMachine = machine({
  name: 'productOrder',
  initial: ['acknowledged', 'rejected'],
  table: {
    acknowledged: { start: 'inProgress', cancel: 'cancelled', fail: 'failed', hold: 'held', wait: 'pending' },
    // Items go their own ways: what one of them waits for may end the order, or leave it to what another waits for.
    pending: { start: 'inProgress', cancel: 'cancelled', fail: 'failed', part: 'partial', hold: 'held' },
    held: { start: 'inProgress', cancel: 'cancelled', fail: 'failed', part: 'partial', wait: 'pending' },
    inProgress: {
      complete: 'completed',
      fail: 'failed',
      part: 'partial',
      hold: 'held',
      wait: 'pending',
      cancel: 'cancelled',
    },
    rejected: {},
    cancelled: {},
    completed: {},
    failed: {},
    partial: {},
  },
});

export type OrderEvent = 'start' | 'complete' | 'fail' | 'part' | 'hold' | 'wait' | 'cancel';

export const orderItemMachine = machine({
  name: 'productOrderItem',
  initial: ['acknowledged', 'rejected'],
  table: {
    // A change of plan, or the end of a line, waits from the start: there is nothing to do for it before the boundary.
    acknowledged: { start: 'inProgress', wait: 'pending', cancel: 'cancelled', fail: 'failed' },
    inProgress: { complete: 'completed', fail: 'failed', hold: 'held', wait: 'pending', cancel: 'cancelled' },
    held: { start: 'inProgress', fail: 'failed', cancel: 'cancelled' },
    pending: { start: 'inProgress', fail: 'failed', cancel: 'cancelled' },
    rejected: {},
    cancelled: {},
    completed: {},
    failed: {},
  },
});
export type ItemEvent = 'start' | 'complete' | 'fail' | 'hold' | 'wait' | 'cancel';

export const productOrderResource: ResourceDefinition<'productOrder'> = {
  resource: 'productOrder',
  api: 'TMF622',
  table: 'productOrder',
  prefix: 'ord',
  machine: productOrderMachine,
  // A client cancels by the cancel task; the other states are ours.
  clientEvents: [],
  columns: (document) => ({
    customerId: customerIdOf(document) ?? null,
    externalId: text(document.externalId) ?? null,
  }),
  customerOf: customerIdOf,
};
