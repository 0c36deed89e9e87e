import { machine } from '../core/machine.ts';

/** TMF638 and TMF640. A terminated service is never brought back: a new one is made. */
export const serviceMachine = machine({
  name: 'service',
  initial: ['feasibilityChecked', 'designed', 'reserved', 'inactive', 'active'],
  table: {
    feasibilityChecked: { design: 'designed', terminate: 'terminated' },
    designed: { reserve: 'reserved', terminate: 'terminated' },
    reserved: { provision: 'inactive', activate: 'active', terminate: 'terminated' },
    inactive: { activate: 'active', terminate: 'terminated' },
    active: { deactivate: 'inactive', terminate: 'terminated' },
    terminated: {},
  },
});

/** TMF640: a task that the activation API was given, as it is watched. */
export const monitorMachine = machine({
  name: 'monitor',
  initial: ['InProgress', 'Completed'],
  table: {
    InProgress: { complete: 'Completed', fail: 'InError' },
    Completed: {},
    InError: { retry: 'InProgress', complete: 'Completed' },
  },
});
