import { execFile, execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { readConfiguration } from '../app/configuration.ts';
import { connect, type Database } from '../app/database/connect.ts';
import type { Promised } from './part.ts';

// The SQL call that stands beside the HTTP door: by whom it is sent, and what may follow from how the two compare.

/** The server's own connections. None is made before the first query. */
const connectAsServer = (serverUrl: string, max: number): Promise<Database> =>
  connect({ url: serverUrl, max, statementTimeoutMs: readConfiguration({}).statementTimeoutMs, log: () => undefined });

/**
 * Where the server's own connections go, for a program that is no Node: what it measures is only worth something beside them
 * if its sessions are set as theirs are. Left as another PostgreSQL has it, `jit` made the call cost thirty times as much.
 */
export async function sessionOfServer(serverUrl: string): Promise<{ url: string; options: string }> {
  const { pool, close } = await connectAsServer(serverUrl, 1);
  const address = new URL(pool.options.connectionString ?? '');
  await close();
  // The library of PostgreSQL reads `+` in an address as it stands, where the driver sees a space: they go by themselves.
  const options = address.searchParams.get('options') ?? '';
  address.searchParams.delete('options');
  return { url: address.toString(), options };
}

export interface Asked {
  clients: number;
  /** Of what counts; what went before does not. */
  seconds: number;
}

export interface Sent {
  /** How many calls in all, and how many a second once they were warm. */
  count: number;
  perSecond: number;
}

/**
 * A new connection compiles the functions of its first call and plans their statements, some 15 ms of the processor. The
 * server's have done so by then, and on a machine with other work to do two seconds were gone before all of these had.
 */
const warmSeconds = 3;

/** Where pgbench is, if it is installed. */
export function findPgbench(): string | undefined {
  for (const name of ['pgbench', '/usr/lib/postgresql/18/bin/pgbench', '/usr/lib/postgresql/15/bin/pgbench']) {
    try {
      execFileSync(name, ['--version'], { stdio: 'ignore' });
      return name;
    } catch {}
  }
  return undefined;
}

/**
 * @param script what a client does over and over, in the words of pgbench.
 * @throws Error when one failed, or nothing was done in the seconds that count.
 */
export async function underPgbench(
  program: string,
  serverUrl: string,
  script: string,
  folder: string,
  { clients, seconds }: Asked,
): Promise<Sent> {
  const file = join(folder, 'call.sql');
  writeFileSync(file, script);
  const { url, options } = await sessionOfServer(serverUrl);
  const lasts = String(warmSeconds + seconds);
  const { stdout, stderr } = await promisify(execFile)(
    program,
    ['-n', '-f', file, '-c', String(clients), '-j', '2', '-T', lasts, '-P', '1', '-M', 'prepared', url],
    { maxBuffer: 1 << 24, env: { ...process.env, PGOPTIONS: options } },
  );
  const sent = sentAfter(warmSeconds, stderr, stdout);
  if (sent.perSecond === 0 || /number of failed transactions: [1-9]/.test(stdout))
    throw new Error(`${stdout}${stderr}`);
  return sent;
}

/**
 * What pgbench sent, and how much a second from so many seconds on, by what it wrote meanwhile and in the end: its last second
 * has no line of its own.
 */
export function sentAfter(seconds: number, progress: string, result: string): Sent {
  let from = 0;
  let before = 0;
  for (const [, to, rate] of progress.matchAll(/^progress: ([\d.]+) s, ([\d.]+) tps/gm)) {
    if (Number(to) > seconds + 0.5) break;
    before += (Number(to) - from) * Number(rate);
    from = Number(to);
  }
  const count = Number(/actually processed: (\d+)/.exec(result)?.[1] ?? 0);
  const onAverage = Number(/tps = ([\d.]+)/.exec(result)?.[1] ?? 0);
  const left = onAverage === 0 ? 0 : count / onAverage - from;
  return { count, perSecond: left <= 0 ? 0 : Math.max(0, count - before) / left };
}

/** Where there is no pgbench. @param values gives those of the next call. */
export async function underDriver(
  serverUrl: string,
  text: string,
  values: () => unknown[],
  { clients, seconds }: Asked,
): Promise<Sent> {
  const { pool, close } = await connectAsServer(serverUrl, clients);
  const from = performance.now() + warmSeconds * 1000;
  const until = from + seconds * 1000;
  let count = 0;
  let warm = 0;
  try {
    await Promise.all(
      Array.from({ length: clients }, async () => {
        while (performance.now() < until) {
          await pool.query({ name: 'call', text, values: values() });
          count += 1;
          if (performance.now() >= from) warm += 1;
        }
      }),
    );
  } finally {
    await close();
  }
  return { count, perSecond: warm / seconds };
}

/** Less means that the program and not the database is what a record waits for. */
const ratioMin = 0.1;
/**
 * More cannot be. A call of one record takes some 0.9 ms of the database's processor, and a record of a call of hundreds some
 * 0.07: a server that itself took nothing and shared its calls among hundreds would come to twelve times. Ours has at most as
 * many in a call as there are clients, and takes 0.2 ms for the request. What is beyond was not gained at the door: it was
 * lost by the SQL beside it.
 */
export const ratioMax = 10;

/** Single records over HTTP beside the same SQL: kept or missed, or that nothing follows from it. */
export function ratioToSql(httpPerSecond: number, sqlPerSecond: number): Promised {
  const ratio = httpPerSecond / sqlPerSecond;
  const saysNothing = !(ratio <= ratioMax);
  return {
    what: `single records over HTTP are at least ${ratioMin} of the same SQL`,
    measured: saysNothing
      ? `${ratio.toFixed(2)}; above ${ratioMax} it is the SQL beside it that was held up`
      : ratio.toFixed(2),
    isKept: !saysNothing && ratio >= ratioMin,
    isRatio: true,
    ...(saysNothing ? { saysNothing } : {}),
  };
}
