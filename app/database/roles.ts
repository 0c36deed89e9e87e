import pg from 'pg';
import { hasCode } from './processes.ts';

/** Owns the database and its tables and runs migrations, where the database is the embedded one. */
export const ownerRole = 'airtime_owner';
/** What the server works as: reads and writes rows, owns nothing, is no superuser, cannot empty a table. */
export const serverRole = 'airtime_server';
export const databaseName = 'airtime';

/** PostgreSQL 15 is the oldest that is supported. */
const oldestVersion = 150_000;

/**
 * Makes the two roles and the database of the embedded PostgreSQL where they are missing. One round trip otherwise.
 * Safe when many processes do it at once.
 * @param adminUrl a superuser's address of database `postgres`.
 */
export async function ensureEmbeddedRoles(
  adminUrl: string,
  passwords: { owner: string; server: string },
): Promise<void> {
  await withClient(adminUrl, async (admin) => {
    const found = await admin.query<{ roles: number; databases: number }>(
      `SELECT (SELECT count(*)::int FROM pg_roles WHERE rolname = ANY($1)) AS roles,
              (SELECT count(*)::int FROM pg_database WHERE datname = $2) AS databases`,
      [[ownerRole, serverRole], databaseName],
    );
    if (found.rows[0]?.roles === 2 && found.rows[0].databases === 1) return;

    // A failing statement would otherwise be written to the log, password and all.
    await admin.query("SET log_min_error_statement = 'panic'");
    await admin.query('SELECT pg_advisory_lock(72707370)');
    for (const [role, password] of [
      [ownerRole, passwords.owner],
      [serverRole, passwords.server],
    ] as const) {
      const exists = await admin.query('SELECT FROM pg_roles WHERE rolname = $1', [role]);
      if (exists.rowCount === 0) {
        const secret = pg.escapeLiteral(password);
        await admin.query(`CREATE ROLE ${role} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD ${secret}`);
      }
    }
    const exists = await admin.query('SELECT FROM pg_database WHERE datname = $1', [databaseName]);
    if (exists.rowCount === 0) await admin.query(`CREATE DATABASE ${databaseName} OWNER ${ownerRole}`);
  });
}

/**
 * Prepares a PostgreSQL that somebody else runs, so that the server works there as `airtime_server` too.
 * @param urls `databaseUrl` is what the server signs in with. `migrationUrl` is the owner's; without it migrations run
 *   as the user of `databaseUrl`, and the server's connections put that user's rights aside.
 * @returns the owner's address, and the server's address with the switch to `airtime_server` in its options.
 * @throws Error with the SQL to run when the users may not do it themselves, or when PostgreSQL is older than 15.
 */
export async function prepareExternal(urls: {
  databaseUrl: string;
  migrationUrl?: string | undefined;
}): Promise<{ ownerUrl: string; serverUrl: string }> {
  const ownerUrl = urls.migrationUrl ?? urls.databaseUrl;
  const serverUser = await withClient(urls.databaseUrl, async (client) => {
    const answer = await client.query<{ name: string; version: string }>(
      "SELECT current_user::text AS name, current_setting('server_version_num') AS version",
    );
    const row = answer.rows[0];
    if (!row) throw new Error('PostgreSQL did not answer who the user is.');
    if (Number(row.version) < oldestVersion) {
      throw new Error(`PostgreSQL ${Number(row.version) / 10_000} is too old: version 15 or later is needed.`);
    }
    return row.name;
  });

  await withClient(ownerUrl, async (owner) => {
    const role = await owner.query<{ rolsuper: boolean }>('SELECT rolsuper FROM pg_roles WHERE rolname = $1', [
      serverRole,
    ]);
    const create = `CREATE ROLE ${serverRole} NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE`;
    if (role.rows[0]?.rolsuper) throw new Error(`Role ${serverRole} must not be a superuser.`);
    const grant = `GRANT ${serverRole} TO ${pg.escapeIdentifier(serverUser)}`;
    if (role.rowCount === 0) await runOrAsk(owner, [create, grant], ['42710', '23505']);

    // From version 16 on, being a member and being allowed to take the role are two rights.
    const able = await owner.query<{ able: boolean }>(
      `SELECT pg_has_role($1, $2,
         CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 'SET' ELSE 'MEMBER' END) AS able`,
      [serverUser, serverRole],
    );
    if (!able.rows[0]?.able) await runOrAsk(owner, [grant], []);
  });
  return { ownerUrl, serverUrl: withSessionOptions(urls.databaseUrl, { role: serverRole }) };
}

/** Runs the first statement. Where the user may not, the error names all that an administrator must run. */
async function runOrAsk(client: pg.Client, statements: [string, ...string[]], harmless: string[]): Promise<void> {
  try {
    await client.query(statements[0]);
  } catch (error) {
    if (harmless.some((code) => hasCode(error, code))) return;
    if (!hasCode(error, '42501')) throw error;
    throw new Error(
      'The user of the database may not prepare the role the server works as. Ask an administrator to run once:\n' +
        statements.map((statement) => `  ${statement};`).join('\n'),
    );
  }
}

/**
 * Lets the server's role work on the owner's tables: reading and writing rows and using sequences and functions, never
 * TRUNCATE, and nothing on the list of migrations. Done once, as default privileges for all that is made later, so a
 * migration may take a right away again (`REVOKE UPDATE, DELETE ON event FROM airtime_server`) and it stays away.
 * @param owner signed in as the role that owns, or will own, the tables in schema `public`.
 */
export async function grantServerRole(owner: pg.Client): Promise<void> {
  const granted = await owner.query(
    `SELECT FROM pg_default_acl d, aclexplode(d.defaclacl) a
      WHERE d.defaclrole = current_user::regrole AND d.defaclnamespace = 'public'::regnamespace
        AND d.defaclobjtype = 'r' AND a.grantee = $1::regrole`,
    [serverRole],
  );
  if (granted.rowCount !== 0) return;
  await owner.query(`
    BEGIN;
    SELECT pg_advisory_xact_lock(72707370);
    GRANT USAGE ON SCHEMA public TO ${serverRole};
    GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO ${serverRole};
    GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO ${serverRole};
    GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO ${serverRole};
    ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO ${serverRole};
    ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE ON SEQUENCES TO ${serverRole};
    ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT EXECUTE ON FUNCTIONS TO ${serverRole};
    DO $$ BEGIN
      IF to_regclass('public._prisma_migrations') IS NOT NULL THEN
        REVOKE ALL ON public._prisma_migrations FROM ${serverRole};
      END IF;
    END $$;
    COMMIT`);
}

/**
 * Adds settings to an address as PostgreSQL reads them at the start of a session, keeping those it has.
 * @param options setting to value, such as `{ TimeZone: 'UTC' }`.
 */
export function withSessionOptions(url: string, options: Record<string, string>): string {
  const address = new URL(url);
  const present = address.searchParams.get('options');
  const added = Object.entries(options).map(([name, value]) => `-c ${name}=${value.replace(/([\\\s])/g, '\\$1')}`);
  address.searchParams.set('options', [...(present ? [present] : []), ...added].join(' '));
  return address.toString();
}

/** Opens one connection in UTC, whatever the session's user or the server prefers, and closes it afterwards. */
export async function withClient<Result>(url: string, work: (client: pg.Client) => Promise<Result>): Promise<Result> {
  const client = new pg.Client({
    connectionString: withSessionOptions(url, { TimeZone: 'UTC' }),
    connectionTimeoutMillis: 15_000,
    application_name: 'airtime',
  });
  // A connection that breaks fails its query; without a listener it would also end the process.
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
