import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';

/** A server in a process of its own, on an empty folder of its own. */
export interface ServerProcess {
  readonly url: string;
  readonly token: string;
  readonly publicUrl: string;
  readonly pid: number;
  /** All that it logged. */
  log(): string;
  isRunning(): boolean;
  /** Stops server and database and removes the folder. */
  stop(): Promise<void>;
}

const root = fileURLToPath(new URL('..', import.meta.url));
const connection = z.object({ url: z.string(), token: z.string() });
const startMsMax = 60_000;
const stopMsMax = 30_000;

/** Unlike the address it listens on, so that a link made from the Host header is seen to be wrong. */
const publicUrl = 'https://bss.example.com';

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port is free');
  return address.port;
}

/** Starts the program as it is built when `AIRTIME_SERVER` names it, else from its sources. */
export async function startServerProcess(options: { imports?: readonly string[] } = {}): Promise<ServerProcess> {
  const folder = mkdtempSync(join(tmpdir(), 'airtime-conformance-'));
  const home = join(folder, 'home');
  const logFile = join(folder, 'server.log');
  const output = openSync(logFile, 'a', 0o600);
  const program = process.env.AIRTIME_SERVER;
  const imports = (options.imports ?? []).flatMap((one) => ['--import', one]);
  const command = ['--import', 'tsx', ...imports, program ?? 'app/main.ts'];
  const server = spawn(process.execPath, [...command, 'serve'], {
    cwd: root,
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      TMPDIR: process.env.TMPDIR,
      AIRTIME_HOME: home,
      AIRTIME_PORT: String(await freePort()),
      AIRTIME_PUBLIC_URL: publicUrl,
      AIRTIME_LOG_LEVEL: 'warn',
      // Only the listener's own address: every other private one must still be refused.
      AIRTIME_CALLBACK_ALLOW: '127.0.0.1/32',
    },
    stdio: ['ignore', output, output],
  });
  // Whoever is told to end takes the server along.
  const orphan = () => server.kill('SIGTERM');
  process.once('exit', orphan);
  // Without a listener a signal ends a process before it can tell anybody.
  const leave = () => process.exit(1);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, leave);
  const log = () => readFileSync(logFile, 'utf8');
  const isRunning = () => server.exitCode === null && server.signalCode === null;
  const stop = async () => {
    process.off('exit', orphan);
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, leave);
    await end(server);
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const { url, token } = await ready(join(home, 'cli.json'), isRunning);
    return { url, token, publicUrl, pid: server.pid ?? 0, log, isRunning, stop };
  } catch (error) {
    const told = log().split('\n').slice(-20).join('\n');
    await stop();
    throw new Error(`the server did not start: ${error instanceof Error ? error.message : String(error)}\n${told}`);
  }
}

async function ready(file: string, isRunning: () => boolean): Promise<z.infer<typeof connection>> {
  const began = Date.now();
  while (Date.now() - began < startMsMax) {
    if (!isRunning()) throw new Error('it ended');
    const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
    // The file may be caught half written: then it is read again.
    const made = text.endsWith('}\n') ? connection.parse(JSON.parse(text)) : undefined;
    if (made && (await answers(made.url))) return made;
    await pause(30);
  }
  throw new Error(`it was not ready after ${startMsMax / 1000} s`);
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/ready`, { signal: AbortSignal.timeout(2000) })).ok;
  } catch {
    return false;
  }
}

async function end(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  const ended = new Promise((resolve) => server.once('exit', resolve));
  server.kill('SIGTERM');
  const late = setTimeout(() => server.kill('SIGKILL'), stopMsMax);
  await ended;
  clearTimeout(late);
}

export const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));
