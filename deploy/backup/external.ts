import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { withClient } from '../../app/database/roles.ts';
import { freePort, pause, tail } from '../processes.ts';

/** A PostgreSQL as an operator has one, with the tools of its own major version. */
export interface ExternalDatabase {
  readonly version: string;
  readonly ownerUrl: string;
  readonly serverUrl: string;
  readonly port: number;
  /** Of the superuser. */
  readonly password: string;
  /** Made and running, with nothing in it. */
  launch(): Promise<void>;
  /** The same, with the roles and the database that an administrator makes once. */
  start(): Promise<void>;
  /** Ends it at once, and removes all that it ever held. */
  destroy(): Promise<void>;
  dump(file: string): Promise<void>;
  restore(file: string): Promise<void>;
}

const needed = ['postgres', 'initdb', 'pg_dump', 'pg_restore'];
const place = '/usr/lib/postgresql';
const database = 'airtime';
const owner = 'airtime_owner';
const user = 'airtime_app';

/** Where Debian puts each major version, newest first; a folder of one's own by AIRTIME_POSTGRES_BIN. */
export function findTools(): string | undefined {
  const versions = existsSync(place) ? readdirSync(place).sort((a, b) => Number(b) - Number(a)) : [];
  const candidates = [process.env.AIRTIME_POSTGRES_BIN, ...versions.map((version) => join(place, version, 'bin'))];
  return candidates.find((bin) => bin !== undefined && needed.every((name) => existsSync(join(bin, name))));
}

/** PostgreSQL refuses to run as root: then it runs as nobody, in a folder that is nobody's. */
const nobody = 65_534;
const isRoot = process.getuid?.() === 0;
const identity = isRoot ? { uid: nobody, gid: nobody } : {};

export async function openExternal(bin: string, folder: string): Promise<ExternalDatabase> {
  const port = await freePort();
  const data = join(folder, 'data');
  const log = join(folder, 'postgres.log');
  const password = randomBytes(24).toString('base64url');
  const address = (name: string, base = database) => `postgresql://${name}:${password}@127.0.0.1:${port}/${base}`;
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  let running: ReturnType<typeof spawn> | undefined;

  async function run(tool: string, args: readonly string[]): Promise<string> {
    const env = { PATH: process.env.PATH, PGPASSWORD: password, LC_ALL: 'C' };
    const { stdout } = await promisify(execFile)(join(bin, tool), args, { ...identity, cwd: '/', env });
    return stdout;
  }

  async function launch(): Promise<void> {
    const output = openSync(log, 'a');
    running = spawn(join(bin, 'postgres'), ['-D', data, '-p', String(port), '-h', '127.0.0.1', '-k', ''], {
      ...identity,
      cwd: '/',
      stdio: ['ignore', output, output],
    });
    closeSync(output);
    for (const deadline = Date.now() + 20_000; ; await pause(30)) {
      try {
        return await withClient(address('postgres', 'postgres'), async () => undefined);
      } catch (error) {
        if (running.exitCode !== null || Date.now() > deadline)
          throw new Error(`PostgreSQL did not start (${String(error)}):\n${tail(log)}`);
      }
    }
  }

  async function create(): Promise<void> {
    const workshop = join(folder, 'password');
    writeFileSync(workshop, password);
    mkdirSync(data, { mode: 0o700 });
    if (isRoot) for (const path of [data, workshop]) chownSync(path, nobody, nobody);
    chmodSync(workshop, 0o400);
    await run('initdb', [
      '-D',
      data,
      '-U',
      'postgres',
      '--pwfile',
      workshop,
      '-A',
      'scram-sha-256',
      '--encoding',
      'UTF8',
      '--locale',
      'C',
    ]);
    rmSync(workshop);
    await launch();
  }

  return {
    version: (await run('postgres', ['--version'])).trim(),
    ownerUrl: address(owner),
    serverUrl: address(user),
    port,
    password,
    launch: create,
    async start() {
      await create();
      // What an administrator makes once, before the first start and before a restore: roles are in no dump.
      await withClient(address('postgres', 'postgres'), async (admin) => {
        await admin.query(`CREATE ROLE ${owner} LOGIN PASSWORD '${password}'`);
        await admin.query(`CREATE ROLE ${user} LOGIN PASSWORD '${password}'`);
        await admin.query(`CREATE ROLE airtime_server NOLOGIN`);
        await admin.query(`GRANT airtime_server TO ${user}`);
        await admin.query(`CREATE DATABASE ${database} OWNER ${owner}`);
      });
      await withClient(address('postgres'), async (admin) => {
        await admin.query(`ALTER SCHEMA public OWNER TO ${owner}`);
      });
    },
    async destroy() {
      const child = running;
      if (child && child.exitCode === null && child.signalCode === null) {
        const gone = new Promise((resolve) => child.once('exit', resolve));
        child.kill('SIGQUIT');
        await gone;
      }
      rmSync(data, { recursive: true, force: true });
    },
    async dump(file) {
      writeFileSync(file, '');
      if (isRoot) chownSync(file, nobody, nobody);
      await run('pg_dump', [
        '--format=custom',
        '--no-password',
        `--file=${file}`,
        address(owner).replace(`:${password}`, ''),
      ]);
    },
    async restore(file) {
      await run('pg_restore', [
        ...['--no-password', '--exit-on-error', '--single-transaction', '--no-comments'],
        `--dbname=${address(owner).replace(`:${password}`, '')}`,
        file,
      ]);
    },
  };
}
