import { httpCallbacks } from '../adapters/callback.ts';
import { addressPolicy } from '../adapters/callback-address.ts';
import { connect } from '../app/database/connect.ts';
import { idSource } from '../kernel/id.ts';
import type { Policy } from '../policy/core/command.ts';
import { recordContact } from '../policy/interaction/contact.ts';
import { settingsSchema } from '../policy/setting/settings.ts';
import { makeDeliveries } from './deliveries.ts';
import { makeRelay } from './relay.ts';
import { realClock } from './testing.ts';

// Relay and deliveries in a process of their own, as a second copy of the server has them. Ends with its standard input.

const never = (): never => {
  throw new Error('notifications ask no outside');
};
const log = {
  warn: (fields: object, message: string) => process.stderr.write(`${message} ${JSON.stringify(fields)}\n`),
};
const { pool } = await connect({ url: process.argv[2] ?? '', max: 3, statementTimeoutMs: 5000, log: () => undefined });
const policy: Policy = {
  pool,
  newId: idSource(Date.now, Math.random),
  settings: settingsSchema.parse({}),
  rulesOff: new Set(),
  recordContact,
  outside: {
    gateway: {
      kind: 'sandbox',
      describeCard: never,
      authorise: never,
      capture: never,
      void: never,
      refund: never,
      find: never,
      operations: never,
      book: never,
    },
    network: { kind: 'sandbox', apply: never, find: never, line: never },
    mail: { kind: 'mailbox', send: never },
    subscriptions: { callbackRefusal: never, checkQuery: never },
  },
};
const parts = { policy, clock: realClock, log, publicUrl: 'https://bss.example.com' };
const deliveries = makeDeliveries({
  ...parts,
  callbacks: httpCallbacks({ addresses: addressPolicy(['loopback']), timeoutMs: 500 }),
  signingSecret: 'a secret of the installation, for tests',
  limits: { leaseSeconds: 2, pauseMsMin: 40, pauseMsMax: 200 },
});
makeRelay({ ...parts, wakeDeliveries: deliveries.wake, batch: 20 }).start();
deliveries.start();
process.stdin.on('close', () => process.exit(0)).resume();
process.stdout.write('ready\n');
