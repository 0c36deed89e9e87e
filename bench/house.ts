import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { isEmbeddedRunning, startEmbedded } from '../app/database/embedded-postgres.ts';
import { type Cluster, findPostgres, runAs, startCluster } from './external.ts';
import { type RunningServer, startServer, workFolder } from './server.ts';

export const databaseKinds = ['embedded', 'external'] as const;
/** The PostgreSQL that comes with the program, or one of the machine. */
export type DatabaseKind = (typeof databaseKinds)[number];

/** A server as a user starts it, on a database of its own, with a way to look at that beside it. */
export interface House {
  readonly kind: DatabaseKind;
  readonly folder: string;
  readonly home: string;
  /** The environment that the server was started with. */
  readonly environment: Record<string, string>;
  server(): RunningServer;
  /** Connections of a user that may write rows within a named command, as what is measured needs them. */
  pool(): Promise<pg.Pool>;
  databaseUrl(): Promise<string>;
  /**
   * Vacuums and analyses what was copied in, as PostgreSQL wants after a bulk load, and keeps it: else it does that while
   * it is measured. From then on it has segments of its log to use again, as a database has that was not made a minute ago.
   */
  settle(): Promise<void>;
  /** The first process of the database, which all others of it descend from. */
  postmaster(): number;
  start(): Promise<RunningServer>;
  /** Ends the server; with it the database that it brought. */
  stop(): Promise<void>;
  close(): Promise<void>;
}

/** @returns undefined where this machine has no such database. */
export async function openHouse(
  kind: DatabaseKind,
  given: Record<string, string> = {},
  settings: Readonly<Record<string, string>> = {},
): Promise<House | undefined> {
  const bin = kind === 'external' ? findPostgres() : undefined;
  if (kind === 'external' && bin === undefined) return undefined;
  const place = workFolder();
  const home = join(place.folder, 'home');
  mkdirSync(home, { recursive: true, mode: 0o700 });
  let cluster: Cluster | undefined;
  let server: RunningServer | undefined;
  let pool: pg.Pool | undefined;
  const close = async () => {
    await pool?.end();
    await server?.stop();
    await cluster?.stop();
    await place.remove();
  };
  try {
    const environment = { ...given };
    if (bin !== undefined) {
      cluster = await startCluster(bin, place.folder, settings);
      const { databaseUrl, migrationUrl } = await cluster.database('airtime');
      environment.DATABASE_URL = databaseUrl;
      environment.MIGRATION_DATABASE_URL = migrationUrl;
    }
    const embeddedUrls = () => startEmbedded({ directory: join(home, 'postgres'), log: () => undefined });
    const databaseUrl = async () => environment.MIGRATION_DATABASE_URL ?? (await embeddedUrls()).serverUrl;
    const start = async () => {
      server = await startServer(home, environment);
      return server;
    };
    await start();
    return {
      kind,
      folder: place.folder,
      home,
      environment,
      server() {
        if (!server) throw new Error('the server was not started');
        return server;
      },
      async pool() {
        if (!pool) {
          pool = new pg.Pool({ connectionString: await databaseUrl(), max: 2 });
          // The database goes before its connections when a measurement fails.
          pool.on('error', () => undefined);
        }
        return pool;
      },
      databaseUrl,
      async settle() {
        const embedded = environment.MIGRATION_DATABASE_URL === undefined ? await embeddedUrls() : undefined;
        await runAs(environment.MIGRATION_DATABASE_URL ?? embedded?.ownerUrl ?? '', ['VACUUM (ANALYZE)']);
        await runAs(cluster?.adminUrl ?? embedded?.adminUrl ?? '', ['CHECKPOINT']);
      },
      postmaster: () => cluster?.postmaster ?? isEmbeddedRunning(join(home, 'postgres'))?.pid ?? 0,
      start,
      async stop() {
        await pool?.end();
        pool = undefined;
        await server?.stop();
        server = undefined;
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}
