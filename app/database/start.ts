import { type Log, startEmbedded } from './embedded-postgres.ts';
import { migrateOn } from './migrate.ts';
import { grantServerRole, prepareExternal, withClient } from './roles.ts';

export interface StartedDatabase {
  /** Role that owns the tables. For migrations only. */
  ownerUrl: string;
  /** Role the server works as. */
  serverUrl: string;
  /** Names of the migrations this start applied. */
  applied: string[];
  /** True when the program brought its own PostgreSQL. */
  embedded: boolean;
  /** Ends the embedded PostgreSQL, if this process keeps it. Close the connections first. */
  stop(): Promise<void>;
}

/**
 * Brings a database to the state the program needs: running, with its roles, migrated.
 * @param options without `databaseUrl` the embedded PostgreSQL serves, with its data in `directory`. `migrationUrl` is
 *   the owner's address of an external database; without it migrations run as the user of `databaseUrl`.
 */
export async function startDatabase(options: {
  databaseUrl?: string | undefined;
  migrationUrl?: string | undefined;
  directory: string;
  migrations: string;
  log: Log;
}): Promise<StartedDatabase> {
  const { databaseUrl, migrationUrl, log } = options;
  const own = databaseUrl ? undefined : await startEmbedded({ directory: options.directory, log });
  try {
    const urls = own ?? (await prepareExternal({ databaseUrl: databaseUrl ?? '', migrationUrl }));
    const applied = await prepareTables(urls.ownerUrl, options.migrations);
    if (applied.length > 0) log(`Applied ${applied.length} migrations, up to ${applied.at(-1)}.`);
    return {
      ownerUrl: urls.ownerUrl,
      serverUrl: urls.serverUrl,
      applied,
      embedded: own !== undefined,
      stop: async () => own?.stop(),
    };
  } catch (error) {
    await own?.stop();
    throw error;
  }
}

/** Grants and migrations, on one connection. @returns the migrations applied now. */
export function prepareTables(ownerUrl: string, migrations: string): Promise<string[]> {
  return withClient(ownerUrl, async (owner) => {
    await grantServerRole(owner);
    const { applied } = await migrateOn(owner, migrations);
    return applied;
  });
}
