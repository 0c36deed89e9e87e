import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { paths } from '../../app/configuration.ts';
import { isEmbeddedRunning, stopEmbedded } from '../../app/database/embedded-postgres.ts';
import { processIsAlive } from '../../app/database/processes.ts';
import { databaseName, serverRole, withClient } from '../../app/database/roles.ts';
import { nodeOptions } from '../../app/node-options.ts';

export const victims = ['server', 'database', 'gateway', 'server and database', 'all'] as const;
export type Victim = (typeof victims)[number];

/** Server, PostgreSQL and sandbox gateway, each a process of its own, on folders that outlive them. */
export interface Stack {
  readonly home: string;
  readonly gatewayUrl: string;
  readonly secret: string;
  url(): string;
  token(): string;
  /** Starts whatever does not run. @returns how long it took until the server answered, in milliseconds. */
  start(): Promise<number>;
  /** `kill -9`. What is killed beside the server takes the server with it only if that is a victim too. */
  kill(victim: Victim): Promise<void>;
  /** Asks the database itself, whoever else is alive. Undefined while it is not. */
  ask<Row extends object>(sql: string, values?: readonly unknown[]): Promise<Row[] | undefined>;
  /** Stops server and database in order. The gateway and the folders stay. */
  stopServer(): Promise<void>;
  remove(): Promise<void>;
}

const root = fileURLToPath(new URL('../..', import.meta.url));
const startMsMax = 60_000;
const connection = z.object({ url: z.string(), token: z.string() });
const credentials = z.object({ server: z.string() });

export const pause = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds));

/** A port that no system hands out by itself: while a process is dead nobody else may get it. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
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

export async function openStack(): Promise<Stack> {
  const home = mkdtempSync(join(tmpdir(), 'airtime-crash-'));
  const [port, gatewayPort] = [await freePort(), await freePort()];
  const secret = 'known to this run alone';
  const gatewayUrl = `http://127.0.0.1:${gatewayPort}`;
  const place = paths(home);
  const logFile = join(home, 'processes.log');
  let server: ChildProcess | undefined;
  let gateway: ChildProcess | undefined;
  let token = '';

  const env = {
    PATH: process.env.PATH,
    HOME: process.env.HOME,
    TMPDIR: process.env.TMPDIR,
    SANDBOX_SECRET: secret,
    AIRTIME_SANDBOX_URL: gatewayUrl,
    AIRTIME_HOME: home,
    AIRTIME_PORT: String(port),
    AIRTIME_LOG_LEVEL: 'warn',
  };
  function launch(args: readonly string[]): ChildProcess {
    const output = openSync(logFile, 'a', 0o600);
    const child = spawn(process.execPath, args, { cwd: home, env, stdio: ['ignore', output, output] });
    closeSync(output);
    return child;
  }

  async function answers(url: string, init?: RequestInit): Promise<boolean> {
    try {
      const response = await fetch(url, { ...init, signal: AbortSignal.timeout(1000) });
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
      if (!isAlive(child()) || Date.now() > deadline)
        throw new Error(`${what} did not start:\n${readFileSync(logFile, 'utf8').split('\n').slice(-12).join('\n')}`);
      await pause(15);
    }
  }

  async function start(): Promise<number> {
    const began = Date.now();
    if (!isAlive(gateway)) {
      const directory = place.sandbox;
      gateway = launch([
        join(root, 'dist/sandbox.js'),
        ...['--gateway', directory, '--network', directory, '--mail', directory, '--port', String(gatewayPort)],
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
    if (!isAlive(server)) server = launch([...nodeOptions, join(root, 'dist/airtime.js'), 'serve']);
    await until(
      'the server',
      () => server,
      async () => existsSync(place.cli) && answers(`http://127.0.0.1:${port}/ready`),
    );
    token = connection.parse(JSON.parse(readFileSync(place.cli, 'utf8'))).token;
    return Date.now() - began;
  }

  async function kill(victim: Victim): Promise<void> {
    const database = isEmbeddedRunning(place.postgres);
    const [takesServer, takesDatabase, takesGateway] = [
      victim.includes('server') || victim === 'all',
      victim.includes('database') || victim === 'all',
      victim === 'gateway' || victim === 'all',
    ];
    if (takesServer) server?.kill('SIGKILL');
    if (takesDatabase && database) process.kill(database.pid, 'SIGKILL');
    if (takesGateway) gateway?.kill('SIGKILL');
    if (takesGateway && gateway) await exited(gateway);
    if (takesServer && server) await exited(server);
    if (takesDatabase && database) {
      const deadline = Date.now() + 10_000;
      while (processIsAlive(database.pid) && Date.now() < deadline) await pause(5);
      // A server that lost its database is told to stop, and does; its keeper starts both again.
      if (!takesServer && isAlive(server)) {
        server.kill('SIGTERM');
        await exited(server);
      }
    }
  }

  async function ask<Row extends object>(sql: string, values: readonly unknown[] = []): Promise<Row[] | undefined> {
    const running = isEmbeddedRunning(place.postgres);
    if (!running) return undefined;
    const { server: password } = credentials.parse(
      JSON.parse(readFileSync(join(place.postgres, 'credentials.json'), 'utf8')),
    );
    const address = `postgresql://${serverRole}:${password}@127.0.0.1:${running.port}/${databaseName}`;
    try {
      return await withClient(address, async (client) => (await client.query<Row>(sql, [...values])).rows);
    } catch {
      return undefined;
    }
  }

  async function stopServer(): Promise<void> {
    if (!isAlive(server)) return;
    server.kill('SIGTERM');
    await exited(server);
  }

  return {
    home,
    gatewayUrl,
    secret,
    url: () => `http://127.0.0.1:${port}`,
    token: () => token,
    start,
    kill,
    ask,
    stopServer,
    async remove() {
      if (isAlive(server)) server.kill('SIGKILL');
      if (isAlive(gateway)) gateway.kill('SIGKILL');
      await stopEmbedded(place.postgres);
      rmSync(home, { recursive: true, force: true });
    },
  };
}
