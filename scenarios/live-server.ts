import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, openSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import type { CommandLine } from './doors.ts';

/** A server that was started for a test, as a process of its own, on an empty folder of its own. */
export interface LiveServer {
  readonly url: string;
  readonly token: string;
  /** The folder that holds `.airtime`; whoever stands in it is known to `bss`. */
  readonly folder: string;
  /** Runs the terminal as a process of its own. */
  bss(args: readonly string[]): Promise<CommandLine>;
  /** How long the server's log is now, and its end from there on. */
  logMark(): number;
  logSince(mark: number): string;
  /** Stops server and database and removes the folder. */
  stop(): Promise<void>;
}

const root = fileURLToPath(new URL('..', import.meta.url));
const logLinesMax = 12;
const startMsMax = 60_000;
const stopMsMax = 30_000;
const connection = z.object({ url: z.string(), token: z.string() });

/**
 * Starts a server from the sources, or, when `built`, from `dist/` as it is shipped; `bss` likewise.
 * With `historyDays` its business clock begins that many days ago and stands.
 */
export async function startLiveServer(
  options: { historyDays?: number | undefined; built?: boolean } = {},
): Promise<LiveServer> {
  const folder = mkdtempSync(join(tmpdir(), 'airtime-scenario-'));
  const home = join(folder, '.airtime');
  const logFile = join(folder, 'server.log');
  const output = openSync(logFile, 'a', 0o600);
  const env = {
    PATH: process.env.PATH,
    HOME: process.env.HOME,
    TMPDIR: process.env.TMPDIR,
    AIRTIME_HOME: home,
    AIRTIME_PORT: '0',
    AIRTIME_LOG_LEVEL: 'warn',
    ...(options.historyDays === undefined ? {} : { AIRTIME_STORY_DAYS: String(options.historyDays) }),
  };
  const built = options.built === true;
  const server = spawn(process.execPath, [...programArguments(built, 'app/main.ts', 'dist/airtime.js'), 'serve'], {
    cwd: folder,
    env,
    stdio: ['ignore', output, output],
  });
  const logMark = () => statSync(logFile).size;
  const logSince = (mark: number) =>
    readFileSync(logFile).subarray(mark).toString().trimEnd().split('\n').slice(-logLinesMax).join('\n');
  const stop = async () => {
    await end(server);
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const { url, token } = await ready(join(home, 'cli.json'), server);
    return {
      url,
      token,
      folder,
      logMark,
      logSince,
      stop,
      bss: (args) => terminal(args, { url, token }, folder, built),
    };
  } catch (error) {
    const told = logSince(0);
    await stop();
    throw new Error(`the server did not start: ${error instanceof Error ? error.message : String(error)}\n${told}`);
  }
}

async function ready(file: string, server: ChildProcess): Promise<z.infer<typeof connection>> {
  const began = Date.now();
  while (Date.now() - began < startMsMax) {
    if (server.exitCode !== null) throw new Error(`it ended with exit code ${server.exitCode}`);
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

function programArguments(built: boolean, source: string, compiled: string): string[] {
  return built ? [join(root, compiled)] : ['--import', import.meta.resolve('tsx'), join(root, source)];
}

function terminal(
  args: readonly string[],
  server: { url: string; token: string },
  folder: string,
  built: boolean,
): Promise<CommandLine> {
  const child = spawn(process.execPath, [...programArguments(built, 'surfaces/cli/main.ts', 'dist/bss.js'), ...args], {
    cwd: folder,
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      AIRTIME_URL: server.url,
      AIRTIME_TOKEN: server.token,
      NO_COLOR: '1',
    },
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
}

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));
