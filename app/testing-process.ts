import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';

/** What a program printed, and how it ended. */
export interface Ended {
  code: number;
  out: string;
  error: string;
}

/** A server in a process of its own, on an empty folder of its own: proofs come to it by its public doors. */
export interface ServerProcess {
  readonly url: string;
  readonly token: string;
  readonly pid: number;
  /** The folder that holds `.airtime`; whoever stands in it is known to `bss`. */
  readonly folder: string;
  /** Runs the terminal as a process of its own. */
  bss(args: readonly string[]): Promise<Ended>;
  /** All that it logged. */
  log(): string;
  isRunning(): boolean;
  /** Stops server and database and removes the folder. */
  stop(): Promise<void>;
}

export interface ServerOptions {
  /** Runs `dist/` as it is shipped, and not the sources. */
  readonly built?: boolean;
  /** Another program than those two. */
  readonly program?: string | undefined;
  /** Modules that it loads before it starts. */
  readonly imports?: readonly string[];
  /** Its business clock begins that many days ago and stands. */
  readonly historyDays?: number | undefined;
  readonly env?: Readonly<Record<string, string>>;
}

const root = fileURLToPath(new URL('..', import.meta.url));
const connection = z.object({ url: z.string(), token: z.string() });
const startMsMax = 60_000;
const stopMsMax = 30_000;
const logLinesMax = 20;

/** Nothing else of the environment reaches what is tried: a token or a database of somebody's own stays theirs. */
const environment = (more: Readonly<Record<string, string>>) => ({
  PATH: process.env.PATH,
  HOME: process.env.HOME,
  TMPDIR: process.env.TMPDIR,
  // From a folder of its own it would not find how pages are compiled.
  TSX_TSCONFIG_PATH: join(root, 'tsconfig.json'),
  ...more,
});

/** @throws when it was not ready in time, with the end of its log */
export async function startServerProcess(options: ServerOptions = {}): Promise<ServerProcess> {
  const folder = mkdtempSync(join(tmpdir(), 'airtime-proof-'));
  const logFile = join(folder, 'server.log');
  const output = openSync(logFile, 'a', 0o600);
  const isShipped = options.built === true && options.program === undefined;
  const loaded = (imports: readonly string[] = []) =>
    [...(isShipped ? [] : [import.meta.resolve('tsx')]), ...imports].flatMap((one) => ['--import', one]);
  const served = resolve(root, options.program ?? (isShipped ? 'dist/airtime.js' : 'app/main.ts'));
  const terminal = join(root, isShipped ? 'dist/bss.js' : 'surfaces/cli/main.ts');
  const server = spawn(process.execPath, [...loaded(options.imports), served, 'serve'], {
    cwd: folder,
    env: environment({
      AIRTIME_HOME: join(folder, '.airtime'),
      AIRTIME_PORT: '0',
      AIRTIME_LOG_LEVEL: 'warn',
      ...(options.historyDays === undefined ? {} : { AIRTIME_STORY_DAYS: String(options.historyDays) }),
      ...options.env,
    }),
    stdio: ['ignore', output, output],
  });
  // Whoever is told to end takes the server along; without a listener a signal ends a process before it can tell.
  const orphan = () => server.kill('SIGTERM');
  const leave = () => void stop().finally(() => process.exit(1));
  process.once('exit', orphan);
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
    const { url, token } = await ready(join(folder, '.airtime', 'cli.json'), isRunning);
    return {
      url,
      token,
      pid: server.pid ?? 0,
      folder,
      log,
      isRunning,
      stop,
      bss: (args) =>
        runProgram(process.execPath, [...loaded(), terminal, ...args], {
          cwd: folder,
          env: environment({ AIRTIME_URL: url, AIRTIME_TOKEN: token, NO_COLOR: '1' }),
        }),
    };
  } catch (error) {
    const told = log().split('\n').slice(-logLinesMax).join('\n');
    await stop();
    throw new Error(`the server did not start: ${error instanceof Error ? error.message : String(error)}\n${told}`);
  }
}

/** Runs a program to its end. What it is given on its input is all that it can read. */
export function runProgram(
  program: string,
  args: readonly string[],
  options: { cwd: string; env: NodeJS.ProcessEnv; input?: string; msMax?: number },
): Promise<Ended> {
  const { cwd, env, input = '', msMax } = options;
  const child = spawn(program, args, {
    cwd,
    env,
    stdio: ['pipe', 'pipe', 'pipe'],
    ...(msMax === undefined ? {} : { timeout: msMax }),
  });
  return new Promise((done, fail) => {
    const out: Buffer[] = [];
    const error: Buffer[] = [];
    child.stdout.on('data', (data: Buffer) => out.push(data));
    child.stderr.on('data', (data: Buffer) => error.push(data));
    // It may end before it has read all: then how it ended says more.
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
    child.once('error', fail);
    child.once('close', (code) =>
      done({ code: code ?? 1, out: Buffer.concat(out).toString(), error: Buffer.concat(error).toString() }),
    );
  });
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
  const ended = new Promise((done) => server.once('exit', done));
  server.kill('SIGTERM');
  const late = setTimeout(() => server.kill('SIGKILL'), stopMsMax);
  await ended;
  clearTimeout(late);
}

export const pause = (milliseconds: number) => new Promise<void>((done) => setTimeout(done, milliseconds));
