import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { paths } from '../../app/configuration.ts';
import { withClient } from '../../app/database/roles.ts';
import { nodeOptions } from '../../app/node-options.ts';
import { isJsonObject } from '../../kernel/json.ts';
import type { Told } from '../../simulation/crash/load.ts';
import { pause } from '../../simulation/crash/stack.ts';

export const root = fileURLToPath(new URL('../..', import.meta.url));
export const customersPath = '/tmf-api/customerManagement/v4/customer';
const startMsMax = 90_000;

/** Something that the machine must have and has not: the run did not take place. */
export class MeansMissing extends Error {
  override readonly name = 'MeansMissing';
}

/** Where a program is, by its name or path. */
export function findProgram(name: string): string | undefined {
  const places = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin', '/usr/bin'];
  const paths = name.includes('/') ? [name] : places.map((place) => join(place, name));
  return paths.find((path) => existsSync(path));
}

/** The same. @throws MeansMissing with what to do. */
export function program(name: string, remedy: string): string {
  const found = findProgram(name);
  if (found === undefined) throw new MeansMissing(`${name} is missing: ${remedy}`);
  return found;
}

export const isAlive = (child: ChildProcess): boolean => child.exitCode === null && child.signalCode === null;

export const exited = (child: ChildProcess): Promise<void> =>
  new Promise((resolve) => {
    if (!isAlive(child)) resolve();
    else child.once('exit', () => resolve());
  });

/** Processes of a run, with one log; all that are left are killed at its end. */
export class Processes {
  private readonly all: ChildProcess[] = [];
  constructor(readonly directory: string) {}

  launch(name: string, command: readonly string[], env: NodeJS.ProcessEnv = {}): ChildProcess {
    const [file = '', ...args] = command;
    const output = openSync(join(this.directory, `${name}.log`), 'a', 0o600);
    const child = spawn(file, args, {
      cwd: this.directory,
      env: { PATH: process.env.PATH, HOME: this.directory, LANG: 'C.UTF-8', ...env },
      stdio: ['ignore', output, output],
    });
    closeSync(output);
    this.all.push(child);
    return child;
  }

  tail(name: string): string {
    return readFileSync(join(this.directory, `${name}.log`), 'utf8')
      .split('\n')
      .slice(-15)
      .join('\n');
  }

  async killAll(): Promise<void> {
    for (const child of this.all) if (isAlive(child)) child.kill('SIGKILL');
    await Promise.all(this.all.map(exited));
  }
}

export async function answers(url: string, init?: RequestInit): Promise<boolean> {
  try {
    const response = await fetch(url, { ...init, signal: AbortSignal.timeout(2000) });
    await response.arrayBuffer();
    return response.ok;
  } catch {
    return false;
  }
}

/** Waits until it is so. @throws Error when it takes too long. */
export async function until(
  what: string,
  isSo: () => Promise<boolean>,
  options: { msMax?: number; everyMs?: number; told?: () => string } = {},
): Promise<number> {
  const began = Date.now();
  while (!(await isSo())) {
    if (Date.now() - began > (options.msMax ?? startMsMax))
      throw new Error(`${what}: not so after ${Date.now() - began} ms\n${options.told?.() ?? ''}`);
    await pause(options.everyMs ?? 100);
  }
  return Date.now() - began;
}

/** A template of this folder with its {{names}} filled in. */
export function fill(template: string, values: Readonly<Record<string, string | number>>): string {
  const text = readFileSync(new URL(template, import.meta.url), 'utf8');
  return text.replace(/\{\{(\w+)\}\}/g, (_, name: string) => {
    const value = values[name];
    if (value === undefined) throw new Error(`${template} asks for ${name}`);
    return String(value);
  });
}

export interface Gateway {
  readonly url: string;
  readonly secret: string;
}

export async function startGateway(processes: Processes, port: number): Promise<Gateway> {
  const gateway = { url: `http://127.0.0.1:${port}`, secret: randomUUID() };
  const place = join(processes.directory, 'sandbox');
  mkdirSync(place, { recursive: true });
  processes.launch(
    'gateway',
    [
      process.execPath,
      join(root, 'dist/sandbox.js'),
      ...['--gateway', place, '--network', place, '--mail', place, '--port', String(port)],
    ],
    { SANDBOX_SECRET: gateway.secret },
  );
  await until('the sandbox gateway answers', () =>
    answers(`${gateway.url}/card-gateway/totals`, {
      method: 'POST',
      headers: { authorization: `Bearer ${gateway.secret}`, 'content-type': 'application/json' },
      body: '{}',
    }),
  );
  return gateway;
}

export interface Copy {
  readonly name: string;
  readonly url: string;
  readonly process: ChildProcess;
}

const connection = z.object({ url: z.string(), token: z.string() });

/** Copies of the server on one database; the first also makes the operator's token. */
export class Copies {
  readonly running: Copy[] = [];
  token = '';
  constructor(
    private readonly processes: Processes,
    private readonly settings: {
      databaseUrl: string;
      migrationUrl: string;
      gateway: Gateway;
      publicUrl: string;
      env?: NodeJS.ProcessEnv;
    },
  ) {}

  async start(name: string, port: number): Promise<Copy> {
    const home = join(this.processes.directory, name);
    mkdirSync(home, { recursive: true, mode: 0o700 });
    const { databaseUrl, migrationUrl, gateway, publicUrl, env } = this.settings;
    const child = this.processes.launch(
      name,
      [process.execPath, ...nodeOptions, join(root, 'dist/airtime.js'), 'serve'],
      {
        DATABASE_URL: databaseUrl,
        MIGRATION_DATABASE_URL: migrationUrl,
        SANDBOX_SECRET: gateway.secret,
        AIRTIME_SANDBOX_URL: gateway.url,
        AIRTIME_HOME: home,
        AIRTIME_PORT: String(port),
        AIRTIME_PUBLIC_URL: publicUrl,
        AIRTIME_TRUSTED_PROXIES: '1',
        // Made by one copy, read by another.
        AIRTIME_SIGNING_SECRET: `${gateway.secret}${gateway.secret}`,
        // Longer than the proxy takes to notice that a copy is not ready.
        AIRTIME_DRAIN_MS: '2500',
        AIRTIME_LOG_LEVEL: 'warn',
        ...env,
      },
    );
    const copy = { name, url: `http://127.0.0.1:${port}`, process: child };
    await until(
      `${name} is ready`,
      async () => {
        if (!isAlive(child)) throw new Error(`${name} did not start:\n${this.processes.tail(name)}`);
        return answers(`${copy.url}/ready`);
      },
      { told: () => this.processes.tail(name) },
    );
    const file = paths(home).cli;
    if (this.token === '' && existsSync(file))
      this.token = connection.parse(JSON.parse(readFileSync(file, 'utf8'))).token;
    this.running.push(copy);
    return copy;
  }
}

export interface Beat {
  readonly at: number;
  readonly endedAt: number;
  /** 0 when there was no answer. */
  readonly status: number;
  readonly retryAfter: boolean;
  readonly reason: string;
}

/** A write ten times a second, sent once and never again: how long there is no service is what it shows. */
export class Pulse {
  readonly beats: Beat[] = [];
  readonly told: Told[] = [];
  private timer: NodeJS.Timeout | undefined;
  private readonly inHand = new Map<Promise<void>, number>();
  constructor(
    private readonly url: string,
    private readonly token: string,
    private readonly everyMs = 100,
  ) {}

  start(): void {
    this.timer = setInterval(() => {
      const one = this.beat().finally(() => this.inHand.delete(one));
      this.inHand.set(one, Date.now());
    }, this.everyMs);
  }

  /** How long the oldest has waited for its answer. */
  waitingMs(): number {
    return Math.max(0, ...[...this.inHand.values()].map((at) => Date.now() - at));
  }

  async stop(): Promise<void> {
    clearInterval(this.timer);
    await Promise.all(this.inHand.keys());
  }

  private async beat(): Promise<void> {
    const at = Date.now();
    let [status, retryAfter, reason] = [0, false, ''];
    try {
      const response = await fetch(`${this.url}${customersPath}`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${this.token}`,
          'content-type': 'application/json',
          'idempotency-key': randomUUID(),
        },
        body: JSON.stringify({
          name: 'Grace Tan',
          engagedParty: { id: 'p1', name: 'Grace Tan', '@referredType': 'Individual' },
          contactMedium: [{ mediumType: 'email', characteristic: { emailAddress: `${randomUUID()}@example.com` } }],
        }),
        signal: AbortSignal.timeout(30_000),
      });
      status = response.status;
      retryAfter = response.headers.has('retry-after');
      const text = await response.text();
      // A proxy that answers by itself may do so in another language.
      const isJson = response.headers.get('content-type')?.startsWith('application/json') ?? false;
      const document: unknown = isJson ? JSON.parse(text) : undefined;
      if (isJsonObject(document)) {
        reason = typeof document.reason === 'string' ? document.reason : '';
        if (status === 201)
          this.told.push({
            path: customersPath,
            document,
            attributes: ['id', 'name', 'contactMedium', 'engagedParty'],
          });
      }
    } catch (error) {
      status = 0;
      reason = error instanceof Error ? `${error.message} ${String(error.cause ?? '')}` : String(error);
    }
    this.beats.push({ at, endedAt: Date.now(), status, retryAfter, reason });
  }

  /** What was answered since then, by status. */
  since(from: number): { failed: Beat[]; good: number; longestGapMs: number; backAt: number | undefined } {
    const later = this.beats.filter(({ endedAt }) => endedAt >= from);
    const good = later
      .filter(({ status }) => status === 201)
      .map(({ endedAt }) => endedAt)
      .sort((a, b) => a - b);
    const failed = later.filter(({ status }) => status !== 201);
    // Whoever was told no after a yes is counted too: service is back at the first good write after the last failed one.
    const lastFailed = Math.max(from, ...failed.map(({ at }) => at));
    const longestGapMs = good.reduce((gap, at, index) => Math.max(gap, at - (good[index - 1] ?? from)), 0);
    return {
      failed,
      good: good.length,
      longestGapMs: good.length === 0 ? Number.POSITIVE_INFINITY : longestGapMs,
      backAt: failed.length === 0 ? from : good.find((at) => at > lastFailed),
    };
  }
}

export const byStatus = (beats: readonly Beat[]): string => {
  const counts = new Map<string, number>();
  for (const { status, reason } of beats) {
    const key = status === 0 ? 'none' : `${status}${reason === '' ? '' : ` ${reason}`}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return [...counts].map(([key, count]) => `${count} x ${key}`).join(', ') || 'none';
};

/** Asks the database itself. Undefined while it is away. */
export async function ask<Row extends object>(
  url: string,
  sql: string,
  values: readonly unknown[] = [],
): Promise<Row[] | undefined> {
  try {
    return await withClient(url, async (client) => (await client.query<Row>(sql, [...values])).rows);
  } catch {
    return undefined;
  }
}

/** What is due, or soon will be. */
export const dueSteps = `SELECT "id", "step" FROM "flow_step" WHERE "state" = 'waiting' AND "due_at" <= business_now() + interval '5 minutes'`;

/** `bss books check`, as an operator types it. @returns what it said when it found something. */
export function booksCheck(url: string, token: string, home: string): string | undefined {
  try {
    execFileSync(process.execPath, [join(root, 'dist/bss.js'), 'books', 'check'], {
      env: { PATH: process.env.PATH, HOME: home, AIRTIME_HOME: home, AIRTIME_URL: url, AIRTIME_TOKEN: token },
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: 60_000,
    });
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

export function row(name: string, value: number | string, remark = ''): void {
  process.stdout.write(`  ${name.padEnd(52)}${String(value).padStart(9)}${remark === '' ? '' : `  ${remark}`}\n`);
}

export function write(path: string, text: string, mode = 0o600): void {
  writeFileSync(path, text, { mode });
}
