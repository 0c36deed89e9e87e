import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { nodeOptions } from '../app/node-options.ts';

// What the drills start: the compiled program and the sandboxes, each a process of its own, as an operator runs them.

export const root = fileURLToPath(new URL('..', import.meta.url));
const startMsMax = 60_000;
const connection = z.object({ url: z.string(), token: z.string() });

export const pause = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds));

export interface Running {
  readonly url: string;
  readonly child: ChildProcess;
  /** SIGTERM, as service managers do. @returns the code it ended with. */
  stop(): Promise<number | null>;
  kill(): Promise<void>;
}

/** A port that the system hands to nobody by itself, so that it stays ours between two starts. */
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

const exited = (child: ChildProcess): Promise<number | null> =>
  new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve(child.exitCode);
    else child.once('exit', (code) => resolve(code));
  });

export async function answers(url: string, init?: RequestInit): Promise<boolean> {
  try {
    const response = await fetch(url, { ...init, signal: AbortSignal.timeout(2000) });
    await response.arrayBuffer();
    return response.ok;
  } catch {
    return false;
  }
}

/** The end of a file, for a message about whoever wrote it. */
export const tail = (file: string, lines = 12): string =>
  existsSync(file) ? readFileSync(file, 'utf8').trimEnd().split('\n').slice(-lines).join('\n') : '';

async function launch(given: {
  name: string;
  args: readonly string[];
  environment: Readonly<Record<string, string>>;
  folder: string;
  log: string;
  url: string;
  isUp: () => Promise<boolean>;
}): Promise<Running> {
  const output = openSync(given.log, 'a', 0o600);
  const { PATH, HOME, TMPDIR } = process.env;
  const child = spawn(process.execPath, given.args, {
    cwd: given.folder,
    env: { PATH, HOME, TMPDIR, ...given.environment },
    stdio: ['ignore', output, output],
  });
  closeSync(output);
  const deadline = Date.now() + startMsMax;
  while (!(await given.isUp())) {
    if (child.exitCode !== null || child.signalCode !== null || Date.now() > deadline) {
      child.kill('SIGKILL');
      throw new Error(`${given.name} did not start:\n${tail(given.log)}`);
    }
    await pause(20);
  }
  return {
    url: given.url,
    child,
    stop: () => {
      child.kill('SIGTERM');
      return exited(child);
    },
    kill: async () => {
      child.kill('SIGKILL');
      await exited(child);
    },
  };
}

/** Card gateway, network and mailbox of the sandbox, with books that outlive them in `folder`. */
export async function startSandbox(folder: string, port: number, secret: string): Promise<Running> {
  const url = `http://127.0.0.1:${port}`;
  const headers = { authorization: `Bearer ${secret}`, 'content-type': 'application/json' };
  return launch({
    name: 'the sandbox',
    args: [
      join(root, 'dist/sandbox.js'),
      '--gateway',
      folder,
      '--network',
      folder,
      '--mail',
      folder,
      '--port',
      String(port),
    ],
    environment: { SANDBOX_SECRET: secret },
    folder,
    log: join(folder, 'sandbox.log'),
    url,
    isUp: () => answers(`${url}/card-gateway/totals`, { method: 'POST', headers, body: '{}' }),
  });
}

/** The server of the program in `program` (a folder with `dist/`), with its own home. */
export async function startServer(given: {
  program?: string;
  home: string;
  port: number;
  environment: Readonly<Record<string, string>>;
}): Promise<Running> {
  const url = `http://127.0.0.1:${given.port}`;
  return launch({
    name: 'the server',
    args: [...nodeOptions, join(given.program ?? root, 'dist/airtime.js'), 'serve'],
    environment: {
      AIRTIME_LOG_LEVEL: 'warn',
      ...given.environment,
      AIRTIME_HOME: given.home,
      AIRTIME_PORT: String(given.port),
    },
    folder: given.home,
    log: join(given.home, 'server.log'),
    url,
    isUp: () => answers(`${url}/ready`),
  });
}

export const tokenIn = (home: string): string =>
  connection.parse(JSON.parse(readFileSync(join(home, 'cli.json'), 'utf8'))).token;
