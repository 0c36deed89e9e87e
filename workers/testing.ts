import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { MachineClock } from '../kernel/clock.ts';

/** One request as a listener got it. */
export interface Received {
  path: string;
  headers: Record<string, string>;
  body: string;
  /** What it answered. */
  status: number;
}

export interface ListenerProcess {
  readonly port: number;
  readonly received: Received[];
  /** Answers this status from now on, after so many milliseconds. */
  answer(status: number, delayMs?: number): Promise<void>;
  /** Goes away at once, connections and all. */
  kill(): Promise<void>;
}

/** A subscriber in a process of its own, at a port or at any free one. */
export async function startListener(port = 0): Promise<ListenerProcess> {
  const script = fileURLToPath(new URL('./testing-listener.ts', import.meta.url));
  const child = spawn(process.execPath, ['--import', 'tsx', script, String(port)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const received: Received[] = [];
  const acknowledged: (() => void)[] = [];
  const listening = await new Promise<number>((done, fail) => {
    child.once('exit', (code) => fail(new Error(`the listener ended with ${code}`)));
    createInterface({ input: child.stdout }).on('line', (line) => {
      const told: unknown = JSON.parse(line);
      if (isListening(told)) done(told.port);
      else if (isReceived(told)) received.push(told);
      else acknowledged.shift()?.();
    });
  });
  return {
    port: listening,
    received,
    answer: (status, delayMs = 0) =>
      new Promise((done) => {
        acknowledged.push(done);
        child.stdin.write(`${JSON.stringify({ status, delayMs })}\n`);
      }),
    kill: () => ended(child),
  };
}

export function ended(child: ChildProcess): Promise<void> {
  return new Promise((done) => {
    if (child.exitCode !== null || child.signalCode !== null) return done();
    child.once('exit', () => done());
    child.kill('SIGKILL');
  });
}

function isListening(told: unknown): told is { port: number } {
  return typeof told === 'object' && told !== null && 'port' in told && typeof told.port === 'number';
}

function isReceived(told: unknown): told is Received {
  return typeof told === 'object' && told !== null && 'path' in told && 'body' in told;
}

export const realClock: MachineClock = {
  now: () => new Date(),
  sleep: (milliseconds, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const timer = setTimeout(resolve, milliseconds);
      signal?.addEventListener('abort', () => {
        clearTimeout(timer);
        resolve();
      });
    }),
};

/** Waits until something is so; fails with what is so instead. */
export async function eventually<T>(
  read: () => T | Promise<T>,
  isSo: (value: T) => boolean,
  withinMs = 60_000,
): Promise<T> {
  const deadline = Date.now() + withinMs;
  for (;;) {
    const value = await read();
    if (isSo(value)) return value;
    if (Date.now() > deadline)
      throw new Error(`not so within ${withinMs} ms: ${JSON.stringify(value)?.slice(0, 2000)}`);
    await realClock.sleep(10);
  }
}
