import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { stopEmbedded } from '../app/database/embedded-postgres.ts';
import { nodeOptions } from '../app/node-options.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const startMsMax = 60_000;
const connection = z.object({ url: z.string(), token: z.string() });

/** A program that was started for a measurement, as a process of its own. */
export interface Started {
  readonly process: ChildProcess;
  /** Ends it as a user would and waits; a second signal does not wait for what is in hand. */
  stop(signal?: NodeJS.Signals): Promise<void>;
}

export interface RunningServer extends Started {
  readonly url: string;
  readonly token: string;
}

export const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** A folder that is gone afterwards, with the database in it stopped. */
export function workFolder(): { folder: string; remove(): Promise<void> } {
  const folder = mkdtempSync(join(tmpdir(), 'airtime-bench-'));
  return {
    folder,
    async remove() {
      await stopEmbedded(join(folder, 'home', 'postgres'));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Starts the shipped server on a home of its own, as a user does. It is ready when this returns. */
export async function startServer(home: string, environment: Record<string, string> = {}): Promise<RunningServer> {
  mkdirSync(home, { recursive: true, mode: 0o700 });
  const log = join(home, 'bench.log');
  const started = run(
    [...nodeOptions, join(root, 'dist', 'airtime.js'), 'serve'],
    { AIRTIME_HOME: home, AIRTIME_PORT: '0', AIRTIME_LOG_LEVEL: 'warn', ...environment },
    log,
  );
  const file = join(home, 'cli.json');
  const until = Date.now() + startMsMax;
  while (Date.now() < until) {
    if (started.process.exitCode !== null) throw new Error(`the server ended:\n${readFileSync(log, 'utf8')}`);
    const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
    const made = text.endsWith('}\n') ? connection.parse(JSON.parse(text)) : undefined;
    if (made && (await isReady(made.url))) return { ...started, ...made };
    await pause(50);
  }
  await started.stop('SIGKILL');
  throw new Error(`the server was not ready after ${startMsMax / 1000} s:\n${readFileSync(log, 'utf8')}`);
}

/**
 * Starts one more server with its worker on a database that others use too. It writes no connection file, for the token
 * is known already; where it listens is read from its log.
 */
export async function startWorker(home: string, environment: Record<string, string>): Promise<Started> {
  mkdirSync(home, { recursive: true, mode: 0o700 });
  const log = join(home, 'bench.log');
  const started = run(
    [...nodeOptions, join(root, 'dist', 'airtime.js'), 'serve'],
    { AIRTIME_HOME: home, AIRTIME_PORT: '0', AIRTIME_LOG_LEVEL: 'info', ...environment },
    log,
  );
  const until = Date.now() + startMsMax;
  while (Date.now() < until) {
    const text = readFileSync(log, 'utf8');
    if (started.process.exitCode !== null) throw new Error(`the worker ended:\n${text}`);
    if (text.includes('"airtime serves"')) return started;
    await pause(50);
  }
  await started.stop('SIGKILL');
  throw new Error(`the worker was not ready after ${startMsMax / 1000} s:\n${readFileSync(log, 'utf8')}`);
}

/** Starts the sandboxes of card gateway and network as one process of their own, their books in a folder. */
export async function startSandbox(folder: string, secret: string): Promise<Started & { url: string }> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const log = join(folder, 'bench.log');
  const places = ['gateway', 'network', 'mail'].flatMap((name) => [`--${name}`, join(folder, name)]);
  const started = run(
    ['--import', import.meta.resolve('tsx'), join(root, 'adapters', 'sandbox', 'main.ts'), ...places],
    { SANDBOX_SECRET: secret },
    log,
  );
  const until = Date.now() + startMsMax;
  while (Date.now() < until) {
    const url = /\{"url":"([^"]+)"\}/.exec(readFileSync(log, 'utf8'))?.[1];
    if (url !== undefined) return { ...started, url };
    if (started.process.exitCode !== null) throw new Error(`the sandbox ended:\n${readFileSync(log, 'utf8')}`);
    await pause(50);
  }
  await started.stop('SIGKILL');
  throw new Error('the sandbox was not ready in time');
}

async function isReady(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/ready`, { signal: AbortSignal.timeout(2000) })).ok;
  } catch {
    return false;
  }
}

/** Runs a program of Node with nothing of this environment but where things are. */
export function run(args: readonly string[], environment: Record<string, string>, log: string): Started {
  const output = openSync(log, 'a', 0o600);
  const child = spawn(process.execPath, [...args], {
    env: { PATH: process.env.PATH, HOME: process.env.HOME, TMPDIR: process.env.TMPDIR, ...environment },
    stdio: ['ignore', output, output],
  });
  // A measurement that is broken off leaves nothing running.
  const end = () => child.kill();
  process.once('exit', end);
  child.once('exit', () => process.off('exit', end));
  return {
    process: child,
    async stop(signal = 'SIGTERM') {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill(signal);
      const late = setTimeout(() => child.kill('SIGKILL'), 20_000);
      await ended;
      clearTimeout(late);
    },
  };
}

/** Runs a tool; what is proposed is confirmed. */
export async function callTool(
  server: { url: string; token: string },
  tool: string,
  input: object,
): Promise<Record<string, unknown>> {
  const post = async (headers: Record<string, string>) => {
    const response = await fetch(`${server.url}/tools/${tool}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${server.token}`, 'content-type': 'application/json', ...headers },
      body: JSON.stringify(input),
    });
    const body = z.record(z.string(), z.unknown()).parse(await response.json());
    if (!response.ok) throw new Error(`${tool} answered ${response.status}: ${JSON.stringify(body)}`);
    return body;
  };
  const first = await post({});
  const proposed = z.object({ confirmation: z.object({ token: z.string() }) }).safeParse(first);
  const body = proposed.success ? await post({ 'confirmation-token': proposed.data.confirmation.token }) : first;
  return z.object({ result: z.record(z.string(), z.unknown()) }).parse(body).result;
}
