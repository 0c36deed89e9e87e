import { fileURLToPath } from 'node:url';
import { connect, type Database } from '../app/database/connect.ts';
import { startEmbedded } from '../app/database/embedded-postgres.ts';
import { ownerRole, serverRole, withClient } from '../app/database/roles.ts';
import { prepareTables } from '../app/database/start.ts';
import { openTestDirectory } from '../app/database/testing.ts';
import { seedCatalogue } from '../app/seed/catalogue.ts';
import { systemCaller } from '../kernel/caller.ts';
import { idSource } from '../kernel/id.ts';
import type { Policy } from '../policy/core/command.ts';
import { recordContact } from '../policy/interaction/contact.ts';
import { settingsSchema } from '../policy/setting/settings.ts';
import { randomOf } from './random.ts';

const migrations = fileURLToPath(new URL('../prisma/migrations', import.meta.url));
const template = 'simulation';

/**
 * Time and chance of the database itself. The role of the server finds these before those of PostgreSQL, so the code
 * under test runs as it is and still knows no other clock.
 */
const doubles = `
  CREATE SCHEMA simulated;
  CREATE TABLE simulated.machine ("at" timestamptz NOT NULL);
  INSERT INTO simulated.machine VALUES ('2027-01-01T00:00:00Z');
  CREATE SEQUENCE simulated.draw;
  CREATE FUNCTION simulated.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS 'SELECT "at" FROM simulated.machine';
  CREATE FUNCTION simulated.random() RETURNS double precision LANGUAGE sql VOLATILE AS $$ SELECT (nextval('simulated.draw') * 7919 % 10007)::float8 / 10007 $$;
  CREATE FUNCTION simulated.gen_random_uuid() RETURNS uuid LANGUAGE sql VOLATILE AS $$ SELECT md5(nextval('simulated.draw')::text)::uuid $$;
  GRANT USAGE ON SCHEMA simulated TO ${serverRole};
  GRANT SELECT, UPDATE ON simulated.machine TO ${serverRole};
  GRANT USAGE ON SEQUENCE simulated.draw TO ${serverRole};
`;

/** A PostgreSQL of this process alone: what runs in another database of a cluster is seen by the relay. */
export interface Cluster {
  /** A database with the catalogue and nothing else. */
  open(): Promise<SimulatedDatabase>;
  close(): Promise<void>;
}

export interface SimulatedDatabase {
  readonly pool: Policy['pool'];
  /** One connection alone, for what would otherwise use several at once and in no order. */
  readonly narrow: Policy['pool'];
  close(): Promise<void>;
}

const onServer = (url: string, database: string): string => {
  const address = new URL(url);
  address.pathname = `/${database}`;
  return address.toString();
};

const open = (url: string, max: number): Promise<Database> =>
  connect({ url, max, statementTimeoutMs: 30_000, log: () => undefined });

export async function openCluster(): Promise<Cluster> {
  const { directory, remove } = await openTestDirectory();
  try {
    // What is simulated does not outlive the run: nothing has to reach a disk.
    const server = await startEmbedded({ directory, log: () => undefined, throwaway: true });
    await withClient(server.adminUrl, async (admin) => {
      await admin.query(`ALTER ROLE ${serverRole} SET search_path TO public, simulated, pg_catalog`);
      await admin.query(`CREATE DATABASE ${template} OWNER ${ownerRole}`);
    });
    await prepareTables(onServer(server.ownerUrl, template), migrations);
    await withClient(onServer(server.ownerUrl, template), (owner) => owner.query(doubles));
    await fill(onServer(server.serverUrl, template));
    let count = 0;
    return {
      async open() {
        count += 1;
        const name = `seed_${count}`;
        await withClient(server.adminUrl, (admin) =>
          admin.query(`CREATE DATABASE ${name} TEMPLATE ${template} OWNER ${ownerRole} STRATEGY file_copy`),
        );
        const database = await open(onServer(server.serverUrl, name), 6);
        const narrow = await open(onServer(server.serverUrl, name), 1);
        return {
          pool: database.pool,
          narrow: narrow.pool,
          async close() {
            await narrow.close();
            await database.close();
            await withClient(server.adminUrl, (admin) => admin.query(`DROP DATABASE ${name} WITH (FORCE)`));
          },
        };
      },
      close: remove,
    };
  } catch (error) {
    await remove();
    throw error;
  }
}

async function fill(url: string): Promise<void> {
  const database = await open(url, 1);
  const nothing = (): never => {
    throw new Error('filling the catalogue asks nobody');
  };
  const policy: Policy = {
    pool: database.pool,
    newId: idSource(() => Date.UTC(2027, 0, 1), randomOf(1).next),
    settings: settingsSchema.parse({}),
    rulesOff: new Set(),
    recordContact,
    outside: {
      gateway: {
        kind: 'sandbox',
        describeCard: nothing,
        authorise: nothing,
        capture: nothing,
        void: nothing,
        refund: nothing,
        find: nothing,
        operations: nothing,
        book: nothing,
      },
      network: { kind: 'sandbox', apply: nothing, find: nothing, line: nothing },
      mail: { kind: 'mailbox', send: nothing },
      subscriptions: { callbackRefusal: async () => undefined, checkQuery: () => undefined },
    },
  };
  await seedCatalogue(policy, { ...systemCaller('seed'), surface: 'start' });
  await database.close();
}
