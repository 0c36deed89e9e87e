import { machine } from '../core/machine.ts';

export const numberMachine = machine({
  name: 'number',
  initial: ['available'],
  table: {
    available: { reserve: 'reserved' },
    reserved: { release: 'available', assign: 'assigned', set_aside: 'quarantined' },
    assigned: { release: 'quarantined', port_out: 'ported out' },
    quarantined: { end_quarantine: 'available' },
    'ported out': {},
  },
});

export const esimMachine = machine({
  name: 'esim',
  initial: ['available'],
  table: {
    available: { reserve: 'reserved' },
    // A profile that no device fetched goes back to the shelf; once downloaded it is never used again.
    reserved: { unreserve: 'available', release: 'released', delete: 'deleted' },
    released: { download: 'downloaded', unreserve: 'available', delete: 'deleted' },
    downloaded: { install: 'installed', delete: 'deleted' },
    installed: { enable: 'enabled', delete: 'deleted' },
    enabled: { disable: 'disabled', delete: 'deleted' },
    disabled: { enable: 'enabled', delete: 'deleted' },
    deleted: {},
  },
});
