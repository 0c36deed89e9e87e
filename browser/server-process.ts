import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { isJsonObject, type Json } from '../kernel/json.ts';

/** A server in a process of its own, with a home, a database and a port of its own. */
export interface ServerProcess {
  readonly url: string;
  readonly token: string;
  /** Runs a tool as the operator; what is proposed is confirmed. */
  tool(name: string, input: Json): Promise<Json>;
  /** A command line of the terminal. @returns what it printed */
  bss(args: readonly string[]): Promise<string>;
  /** All that it logged. */
  log(): string;
  /** Stops server and database and removes the folder. */
  stop(): Promise<void>;
}

const root = fileURLToPath(new URL('..', import.meta.url));
const connection = z.object({ url: z.string(), token: z.string() });
const startMsMax = 60_000;
const stopMsMax = 30_000;

/** Starts what `make build` made. Its business time begins `historyDays` ago and stands, so that there is a past to show. */
export async function startServerProcess(options: { historyDays: number }): Promise<ServerProcess> {
  const folder = mkdtempSync(join(tmpdir(), 'airtime-browser-'));
  const home = join(folder, 'home');
  const logFile = join(folder, 'server.log');
  const output = openSync(logFile, 'a', 0o600);
  const server = spawn(process.execPath, [join(root, 'dist', 'airtime.js'), 'serve'], {
    cwd: folder,
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      TMPDIR: process.env.TMPDIR,
      AIRTIME_HOME: home,
      AIRTIME_PORT: '0',
      AIRTIME_LOG_LEVEL: 'warn',
      AIRTIME_STORY_DAYS: String(options.historyDays),
      // A subscriber that nobody is, so that there is something to see among parked deliveries.
      AIRTIME_CALLBACK_ALLOW: '127.0.0.1/32',
    },
    stdio: ['ignore', output, output],
  });
  // Whoever is told to end takes the server along; without a listener a signal ends a process before it can tell.
  const orphan = () => server.kill('SIGTERM');
  const leave = () => process.exit(1);
  process.once('exit', orphan);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, leave);
  const log = () => readFileSync(logFile, 'utf8');
  const stop = async () => {
    process.off('exit', orphan);
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, leave);
    await end(server);
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const { url, token } = await ready(join(home, 'cli.json'), server);
    const tool = (name: string, input: Json) => runTool(url, token, name, input);
    return { url, token, tool, bss: (args) => terminal(args, { url, token }, folder), log, stop };
  } catch (error) {
    const told = log().split('\n').slice(-20).join('\n');
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

async function runTool(url: string, token: string, name: string, input: Json): Promise<Json> {
  const ask = async (confirmation?: string): Promise<Json> => {
    const response = await fetch(`${url}/tools/${name}`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        ...(confirmation === undefined ? {} : { 'confirmation-token': confirmation }),
      },
      body: JSON.stringify(input),
      signal: AbortSignal.timeout(60_000),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${name} was answered ${response.status}: ${text.slice(0, 500)}`);
    const answer: Json = JSON.parse(text);
    return answer;
  };
  const first = await ask();
  const confirmation = isJsonObject(first) && isJsonObject(first.confirmation) ? first.confirmation.token : undefined;
  const answer = typeof confirmation === 'string' ? await ask(confirmation) : first;
  return isJsonObject(answer) && answer.result !== undefined ? answer.result : null;
}

function terminal(args: readonly string[], server: { url: string; token: string }, cwd: string): Promise<string> {
  const child = spawn(process.execPath, [join(root, 'dist', 'bss.js'), ...args], {
    cwd,
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
    child.once('close', (code) => {
      if (code === 0) resolve(Buffer.concat(out).toString());
      else reject(new Error(`bss ${args.join(' ')} ended with ${code}: ${Buffer.concat(error).toString()}`));
    });
  });
}

export const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));
