import { type ChildProcess, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { closeSync, existsSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { paths } from '../app/configuration.ts';
import { isEmbeddedRunning, stopEmbedded } from '../app/database/embedded-postgres.ts';
import { processIsAlive } from '../app/database/processes.ts';
import { databaseName, serverRole, withClient } from '../app/database/roles.ts';
import { nodeOptions } from '../app/node-options.ts';

export const victims = ['server', 'database', 'gateway', 'server and database'] as const;
export type Victim = (typeof victims)[number];

export interface Memory {
  /** Which server it is, from 0. */
  readonly life: number;
  /** Proportional set size, in KB. */
  readonly server: number;
  readonly database: number;
}

/** Server, PostgreSQL and the sandboxes of card gateway and network, each a process of its own, on folders that outlive them. */
export interface Stack {
  readonly folder: string;
  readonly gatewayUrl: string;
  readonly secret: string;
  readonly url: string;
  token(): string;
  /** Starts whatever does not run, with a language model or without. @returns milliseconds until the server answered */
  start(withModel: boolean): Promise<number>;
  /** `kill -9`. A server that lost its database is told to stop: its keeper starts both again. */
  kill(victim: Victim): Promise<void>;
  /** Where the database itself is reached, whoever else is alive. */
  databaseUrl(): string | undefined;
  ask<Row extends object>(sql: string, values?: readonly unknown[]): Promise<Row[]>;
  memory(): Memory;
  /** Runs the terminal as a process of its own. */
  bss(args: readonly string[], token?: string): Promise<{ code: number; out: string; error: string }>;
  logEnd(): string;
  remove(): Promise<void>;
}

export interface StackOptions {
  /** The folder of the build under test: it holds airtime.js, sandbox.js and bss.js. */
  readonly dist: string;
  readonly historyDays: number;
  readonly smtpUrl: string;
  readonly modelUrl: string;
  readonly modelName: string;
}

const startMsMax = 60_000;
const connection = z.object({ url: z.string(), token: z.string() });
const credentials = z.object({ server: z.string() });

export const pause = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds));

/** A port that no system hands out by itself: while a process is dead nobody else may get it. Two runs of one seed differ. */
async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(20_000, 32_000);
    const isFree = await new Promise<boolean>((resolve) => {
      const probe = createServer();
      probe.once('error', () => resolve(false));
      probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
    });
    if (isFree) return port;
  }
}

const exited = (child: ChildProcess): Promise<void> =>
  new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve();
    else child.once('exit', () => resolve());
  });
const isAlive = (child: ChildProcess | undefined): child is ChildProcess =>
  child !== undefined && child.exitCode === null && child.signalCode === null;

export async function openStack(options: StackOptions): Promise<Stack> {
  const folder = mkdtempSync(join(tmpdir(), 'airtime-soak-'));
  const home = join(folder, '.airtime');
  const [port, gatewayPort] = [await freePort(), await freePort()];
  const secret = 'known to this run alone';
  const gatewayUrl = `http://127.0.0.1:${gatewayPort}`;
  const url = `http://127.0.0.1:${port}`;
  const place = paths(home);
  const logFile = join(folder, 'processes.log');
  let server: ChildProcess | undefined;
  let gateway: ChildProcess | undefined;
  let token = '';
  let life = -1;

  const plain = { PATH: process.env.PATH, HOME: process.env.HOME, TMPDIR: process.env.TMPDIR };
  const env = {
    ...plain,
    SANDBOX_SECRET: secret,
    AIRTIME_SANDBOX_URL: gatewayUrl,
    AIRTIME_HOME: home,
    AIRTIME_PORT: String(port),
    AIRTIME_LOG_LEVEL: 'warn',
    AIRTIME_STORY_DAYS: String(options.historyDays),
    AIRTIME_SMTP_URL: options.smtpUrl,
    AIRTIME_MAIL_FROM: 'Airtime <soak@airtime.example>',
  };
  const model = { AIRTIME_MODEL_URL: options.modelUrl, AIRTIME_MODEL_NAME: options.modelName };

  function launch(args: readonly string[], more: Readonly<Record<string, string>> = {}): ChildProcess {
    const output = openSync(logFile, 'a', 0o600);
    const child = spawn(process.execPath, args, {
      cwd: folder,
      env: { ...env, ...more },
      stdio: ['ignore', output, output],
    });
    closeSync(output);
    return child;
  }

  const logEnd = (): string => readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-12).join('\n');

  async function answers(address: string, init?: RequestInit): Promise<boolean> {
    try {
      const response = await fetch(address, { ...init, signal: AbortSignal.timeout(1000) });
      await response.arrayBuffer();
      return response.ok;
    } catch {
      return false;
    }
  }

  async function until(
    what: string,
    child: () => ChildProcess | undefined,
    isSo: () => Promise<boolean>,
  ): Promise<void> {
    const deadline = Date.now() + startMsMax;
    while (!(await isSo())) {
      if (!isAlive(child()) || Date.now() > deadline) throw new Error(`${what} did not start:\n${logEnd()}`);
      await pause(15);
    }
  }

  async function start(withModel: boolean): Promise<number> {
    const began = Date.now();
    if (!isAlive(gateway)) {
      const directory = place.sandbox;
      gateway = launch([
        join(options.dist, 'sandbox.js'),
        ...['--gateway', directory, '--network', directory, '--port', String(gatewayPort)],
      ]);
    }
    const totals = {
      method: 'POST',
      headers: { authorization: `Bearer ${secret}`, 'content-type': 'application/json' },
      body: '{}',
    };
    await until(
      'the gateway',
      () => gateway,
      () => answers(`${gatewayUrl}/card-gateway/totals`, totals),
    );
    if (!isAlive(server)) {
      life += 1;
      server = launch([...nodeOptions, join(options.dist, 'airtime.js'), 'serve'], withModel ? model : {});
    }
    await until(
      'the server',
      () => server,
      async () => existsSync(place.cli) && answers(`${url}/ready`),
    );
    token = connection.parse(JSON.parse(readFileSync(place.cli, 'utf8'))).token;
    return Date.now() - began;
  }

  async function kill(victim: Victim): Promise<void> {
    const database = isEmbeddedRunning(place.postgres);
    const [takesServer, takesDatabase] = [victim.includes('server'), victim.includes('database')];
    if (takesServer) server?.kill('SIGKILL');
    if (takesDatabase && database) process.kill(database.pid, 'SIGKILL');
    if (victim === 'gateway') gateway?.kill('SIGKILL');
    if (victim === 'gateway' && gateway) await exited(gateway);
    if (takesServer && server) await exited(server);
    if (takesDatabase && database) {
      const deadline = Date.now() + 10_000;
      while (processIsAlive(database.pid) && Date.now() < deadline) await pause(5);
      if (!takesServer && isAlive(server)) {
        server.kill('SIGTERM');
        await exited(server);
      }
    }
  }

  function databaseUrl(): string | undefined {
    const running = isEmbeddedRunning(place.postgres);
    if (!running) return undefined;
    const { server: password } = credentials.parse(
      JSON.parse(readFileSync(join(place.postgres, 'credentials.json'), 'utf8')),
    );
    return `postgresql://${serverRole}:${password}@127.0.0.1:${running.port}/${databaseName}`;
  }

  function pssOf(pid: number): number {
    try {
      return Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1] ?? 0);
    } catch {
      return 0; // It ended meanwhile.
    }
  }

  /** The processes of PostgreSQL: the first and its children. */
  function family(parent: number): number[] {
    const children = readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .filter((name) => {
        try {
          return (
            Number(
              readFileSync(`/proc/${name}/stat`, 'utf8')
                .replace(/^.*\) /, '')
                .split(' ')[1],
            ) === parent
          );
        } catch {
          return false;
        }
      });
    return [parent, ...children.map(Number)];
  }

  return {
    folder,
    gatewayUrl,
    secret,
    url,
    token: () => token,
    start,
    kill,
    databaseUrl,
    async ask<Row extends object>(sql: string, values: readonly unknown[] = []) {
      const address = databaseUrl();
      if (address === undefined) throw new Error('the database does not run');
      return withClient(address, async (client) => (await client.query<Row>(sql, [...values])).rows);
    },
    memory() {
      const database = isEmbeddedRunning(place.postgres);
      return {
        life,
        server: server?.pid === undefined ? 0 : pssOf(server.pid),
        database: database ? family(database.pid).reduce((sum, pid) => sum + pssOf(pid), 0) : 0,
      };
    },
    bss(args, as = token) {
      const child = spawn(process.execPath, [join(options.dist, 'bss.js'), ...args], {
        cwd: folder,
        env: { ...plain, AIRTIME_URL: url, AIRTIME_TOKEN: as, NO_COLOR: '1' },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      return new Promise((resolve, reject) => {
        const out: Buffer[] = [];
        const error: Buffer[] = [];
        child.stdout.on('data', (data: Buffer) => out.push(data));
        child.stderr.on('data', (data: Buffer) => error.push(data));
        child.once('error', reject);
        child.once('close', (code) =>
          resolve({ code: code ?? 1, out: Buffer.concat(out).toString(), error: Buffer.concat(error).toString() }),
        );
      });
    },
    logEnd,
    async remove() {
      if (isAlive(server)) server.kill('SIGKILL');
      if (isAlive(gateway)) gateway.kill('SIGKILL');
      await stopEmbedded(place.postgres);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
