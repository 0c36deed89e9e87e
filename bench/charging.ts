import { randomUUID } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { z } from 'zod';
import { isEmbeddedRunning, startEmbedded } from '../app/database/embedded-postgres.ts';
import { prepareExternal } from '../app/database/roles.ts';
import { copyLines, makeLine, numbersOf } from './lines.ts';
import type { Promised } from './part.ts';
import { fails, judgementOf } from './report.ts';
import { type RunningServer, startServer, workFolder } from './server.ts';
import { findPgbench, ratioToSql, underDriver, underPgbench } from './sql-call.ts';

// What a charging decision costs: one usage record, judged, spent and durable before it is answered. The server runs as
// a user starts it, with the database that comes with it; client, server and database share this machine. Beside the
// HTTP door stands the same SQL call under pgbench in the same run, so that a slow machine is seen for what it is.

const usage = `Measures charging: single records over HTTP, the same SQL call beside it, and a stream of records.

  npx tsx bench/charging.ts [--seconds N] [--lines N] [--clients N] [--short]

  --seconds N   how long each measurement lasts, after 3 s of the SQL alone that do not count (default 10)
  --lines N     active lines that are charged in turn at random (default 2000)
  --clients N   connections that ask at once (default 48)
  --short       two seconds each and 200 lines; only the ratios are judged, for a machine that does other things
  --json FILE   write what was measured there as well

The bounds are 1,000 single records and 10,000 streamed ones a second. AIRTIME_BENCH_LENIENT=1 prints and judges nothing.
`;

const { values } = parseArgs({
  options: {
    seconds: { type: 'string' },
    lines: { type: 'string' },
    clients: { type: 'string', default: '48' },
    short: { type: 'boolean', default: false },
    json: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});
const seconds = Number(values.seconds ?? (values.short ? 2 : 10));
const lineCount = Number(values.lines ?? (values.short ? 200 : 2000));
const clients = Number(values.clients);
const isLenient = (process.env.AIRTIME_BENCH_LENIENT ?? '') !== '';

/** A PostgreSQL that somebody else runs, empty; without it the one that comes with the program. */
const external = process.env.AIRTIME_BENCH_DATABASE
  ? z
      .object({ databaseUrl: z.string(), migrationUrl: z.string(), postmaster: z.number() })
      .parse(JSON.parse(process.env.AIRTIME_BENCH_DATABASE))
  : undefined;

const singlePerSecondMin = 1000;
const streamedPerSecondMin = 10_000;
/** A stream must be worth its while. */
const streamRatioMin = 2;

interface Figures {
  perSecond: number;
  /** How many there were, where that was not the same rate from beginning to end. */
  count?: number;
  p50?: number;
  p99?: number;
}

/** Milliseconds of processor time a record costs: what a machine with other work to do does not change. */
interface Costs {
  client: number;
  server: number;
  database: number;
}

const ticksPerSecond = 100;

function processorMs(pid: number | undefined, isWithEnded = false): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]?.split(' ') ?? [];
    const ticks = fields.slice(11, isWithEnded ? 15 : 13).reduce((sum, one) => sum + Number(one), 0);
    return (ticks * 1000) / ticksPerSecond;
  } catch {
    return 0;
  }
}

/** The whole family of the database: those that ended are counted by their parent. */
function databaseMs(postmaster: number): number {
  const children = existsSync('/proc')
    ? readdirSync('/proc').filter((name) => /^\d+$/.test(name) && parentOf(name) === postmaster)
    : [];
  return children.reduce((sum, child) => sum + processorMs(Number(child)), processorMs(postmaster, true));
}

function parentOf(pid: string): number {
  try {
    return Number(readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]?.split(' ')[1]);
  } catch {
    return 0;
  }
}

/** What a measurement cost, by record. The client of pgbench is another process and is not counted. */
async function costing<F extends Figures>(
  server: RunningServer,
  home: string,
  work: () => Promise<F>,
): Promise<F & { costs: Costs }> {
  const postmaster = external?.postmaster ?? isEmbeddedRunning(join(home, 'postgres'))?.pid ?? 0;
  const spent = (): number[] => {
    const { user, system } = process.cpuUsage();
    return [(user + system) / 1000, processorMs(server.process.pid), databaseMs(postmaster)];
  };
  const before = spent();
  const begun = performance.now();
  const figures = await work();
  const count = figures.count ?? (figures.perSecond * (performance.now() - begun)) / 1000;
  const [client = 0, program = 0, database = 0] = spent().map((value, index) => (value - (before[index] ?? 0)) / count);
  return { ...figures, costs: { client, server: program, database } };
}

/** Who asks: picks a line at random. Kilobytes, so that nobody runs out of quota. */
const record = (numbers: readonly string[]) => ({
  msisdn: numbers[Math.floor(Math.random() * numbers.length)] ?? '',
  recordId: randomUUID(),
});

// ---- one record, one request ----

const usagePath = '/tmf-api/usageManagement/v4/usage';

async function single(server: RunningServer, numbers: readonly string[]): Promise<Figures> {
  const { hostname, port } = new URL(server.url);
  const times: number[] = [];
  const until = performance.now() + seconds * 1000;
  const begun = performance.now();
  await Promise.all(
    Array.from({ length: clients }, async () => {
      const connection = await openConnection(hostname, Number(port));
      while (performance.now() < until) {
        const { msisdn, recordId } = record(numbers);
        const body = JSON.stringify({
          usageDate: new Date().toISOString(),
          usageType: 'data',
          usageCharacteristic: [
            { name: 'msisdn', value: msisdn },
            { name: 'volume', value: 1 },
            { name: 'unit', value: 'KB' },
            { name: 'source', value: 'bench' },
            { name: 'recordId', value: recordId },
          ],
        });
        const sent = performance.now();
        const status = await connection.ask(
          `POST ${usagePath} HTTP/1.1\r\nHost: ${hostname}\r\nAuthorization: Bearer ${server.token}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
        );
        times.push(performance.now() - sent);
        if (status !== 201) throw new Error(`a record was answered ${status}`);
      }
      connection.close();
    }),
  );
  const perSecond = times.length / ((performance.now() - begun) / 1000);
  times.sort((a, b) => a - b);
  const at = (share: number) => times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? 0;
  return { perSecond, p50: at(0.5), p99: at(0.99) };
}

/** A kept connection that sends one request at a time. It reads no more of HTTP than it must: the client shares the machine. */
async function openConnection(
  host: string,
  port: number,
): Promise<{ ask(text: string): Promise<number>; close(): void }> {
  const socket = net.connect({ host, port, noDelay: true });
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
  });
  let heard: Buffer = Buffer.alloc(0);
  let answer: { resolve(status: number): void; reject(error: Error): void } | undefined;
  socket.on('data', (data: Buffer) => {
    heard = heard.length === 0 ? data : Buffer.concat([heard, data]);
    const end = heard.indexOf('\r\n\r\n');
    if (end < 0) return;
    const head = heard.toString('latin1', 0, end);
    const length = Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? 0);
    if (heard.length < end + 4 + length) return;
    heard = heard.subarray(end + 4 + length);
    answer?.resolve(Number(head.slice(9, 12)));
  });
  const lost = (error?: Error) => answer?.reject(error ?? new Error('the server closed the connection'));
  socket.on('error', lost);
  socket.on('close', () => lost());
  return {
    ask: (text) =>
      new Promise((resolve, reject) => {
        answer = { resolve, reject };
        socket.write(text);
      }),
    close: () => {
      answer = undefined;
      socket.destroy();
    },
  };
}

// ---- the same SQL call ----

const callSql = `SELECT * FROM record_usage_batch('usage.record', '[{"audience": "system", "id": "bench", "name": "bench"}]'::jsonb, NULL,
  ARRAY['usg_' || gen_random_uuid()], ARRAY['evt_' || gen_random_uuid()],
  ARRAY['"@type":"Usage","usageType":"data","usageDate":"' || wire_time(clock_timestamp()) || '","usageCharacteristic":[{"name":"msisdn","value":"' || $1
    || '"},{"name":"volume","value": 1},{"name":"unit","value":"KB"},{"name":"source","value":"bench-sql"},{"name":"recordId","value":"' || $2 || '"}]'],
  ARRAY['bench-sql'], ARRAY[$2], ARRAY[$1], ARRAY['data'], ARRAY[1024::bigint], ARRAY[clock_timestamp()], ARRAY['KB'], ARRAY[1024::bigint], NULL,
  interval '90 days', '{}', '{}'::jsonb, true)`;

/** The call as pgbench draws it: a random number and record. */
function scriptOf(numbers: readonly string[]): string {
  // Numbers of the copies are consecutive; the first line's is left out.
  const copies = numbers.filter((number) => number.startsWith('659'));
  const first = Number(copies[0] ?? 0);
  const sql = callSql.replaceAll('$1', ':number::text').replaceAll('$2', ':record::text').replace(/\s+/g, ' ');
  return `\\set number random(${first}, ${first + copies.length - 1})\n\\set record random(1, 9223372036854775806)\n${sql};\n`;
}

/** @param program is pgbench; without it a loop of the driver stands in. */
async function sameSql(
  program: string | undefined,
  serverUrl: string,
  numbers: readonly string[],
  folder: string,
): Promise<Figures> {
  const asked = { clients, seconds };
  if (program) return underPgbench(program, serverUrl, scriptOf(numbers), folder, asked);
  const values = () => {
    const { msisdn, recordId } = record(numbers);
    return [msisdn, recordId];
  };
  const text = callSql.replaceAll('$1', '$1::text').replaceAll('$2', '$2::text');
  return underDriver(serverUrl, text, values, asked);
}

// ---- a stream of records ----

async function streamed(server: RunningServer, numbers: readonly string[]): Promise<Figures & { charged: number }> {
  const { hostname, port } = new URL(server.url);
  let answered = 0;
  let charged = 0;
  const begun = performance.now();
  const until = begun + seconds * 1000;
  await new Promise<void>((resolve, reject) => {
    const request = http.request(
      {
        host: hostname,
        port,
        path: '/usage/stream',
        method: 'POST',
        headers: { authorization: `Bearer ${server.token}`, 'content-type': 'application/x-ndjson' },
      },
      (response) => {
        let rest = '';
        response.setEncoding('latin1');
        response.on('data', (text: string) => {
          const lines = (rest + text).split('\n');
          rest = lines.pop() ?? '';
          answered += lines.length;
          for (const line of lines) if (line.includes('"status":"rated"')) charged += 1;
        });
        response.on('end', resolve);
        response.on('error', reject);
      },
    );
    request.on('error', reject);
    let name = 0;
    const run = randomUUID();
    const send = (): void => {
      while (performance.now() < until) {
        let text = '';
        const usageDate = new Date().toISOString();
        for (let index = 0; index < 200; index += 1) {
          name += 1;
          const msisdn = numbers[Math.floor(Math.random() * numbers.length)];
          text += `{"msisdn":"${msisdn}","kind":"data","amount":1,"unit":"KB","usageDate":"${usageDate}","source":"${run}","recordId":"${name}"}\n`;
        }
        if (!request.write(text)) {
          request.once('drain', send);
          return;
        }
      }
      request.end();
    };
    send();
  });
  return { perSecond: answered / ((performance.now() - begun) / 1000), charged: charged / Math.max(1, answered) };
}

// ---- the table, and the judgement ----

if (values.help) {
  process.stdout.write(usage);
} else {
  process.exitCode = await measure();
}

async function measure(): Promise<number> {
  const place = workFolder();
  const home = join(place.folder, 'home');
  let server: RunningServer | undefined;
  let pool: pg.Pool | undefined;
  try {
    server = await startServer(
      home,
      external ? { DATABASE_URL: external.databaseUrl, MIGRATION_DATABASE_URL: external.migrationUrl } : {},
    );
    // As the server finds its database: the user who works on it is the same.
    const { serverUrl } = external
      ? await prepareExternal(external)
      : await startEmbedded({ directory: join(home, 'postgres'), log: () => undefined });
    pool = new pg.Pool({ connectionString: external?.migrationUrl ?? serverUrl, max: 2 });
    // The database goes before its connections when a measurement fails.
    pool.on('error', () => undefined);
    // Lines of a plan with much data, so that charging is what is measured and not the stop.
    const line = await makeLine(server, pool, 'PLAN_L');
    await copyLines(pool, line, lineCount);
    const numbers = await numbersOf(pool);
    process.stdout.write(
      `${cpus().length} cores, ${numbers.length} lines, ${clients} clients, ${seconds} s each, all on this machine\n\n`,
    );
    // A first short round: prepared statements, compiled functions, warm pages.
    await warm(server, numbers);
    const running = server;
    const http = await costing(running, home, () => single(running, numbers));
    const program = findPgbench();
    const sql = await costing(running, home, () => sameSql(program, serverUrl, numbers, place.folder));
    const stream = await costing(running, home, () => streamed(running, numbers));
    const [durable] = (
      await pool.query<{ fsync: string; commit: string }>(
        `SELECT current_setting('fsync') AS fsync, current_setting('synchronous_commit') AS commit`,
      )
    ).rows;
    const name = program ? 'the same SQL call under pgbench' : 'the same SQL call from a driver';
    if (!program)
      process.stdout.write(
        'pgbench: NOT RUN, it is not installed (Debian: postgresql-contrib); a loop of the driver stands in\n\n',
      );
    const lines = [
      ['', 'records/s', 'p50', 'p99', 'CPU client', 'server', 'database'],
      ['POST /usage, one record a request', shown(http.perSecond), ms(http.p50), ms(http.p99), ...costs(http)],
      [name, shown(sql.perSecond), '', '', ...costs(sql)],
      ['POST /usage/stream, one stream', shown(stream.perSecond), '', '', ...costs(stream)],
    ];
    for (const [label = '', ...cells] of lines) {
      process.stdout.write(`${label.padEnd(36)}${cells.map((cell) => cell.padStart(11)).join('')}\n`);
    }
    if (values.json)
      writeFileSync(values.json, JSON.stringify({ single: http, sql, stream, pgbench: program !== undefined }));
    const ratio = http.perSecond / sql.perSecond;
    const gain = stream.perSecond / http.perSecond;
    process.stdout.write(
      `\nHTTP to SQL ${ratio.toFixed(2)}, stream to single ${gain.toFixed(1)}; ${(stream.charged * 100).toFixed(1)} % of the stream rated; fsync ${durable?.fsync}, synchronous_commit ${durable?.commit}\n`,
    );
    return verdict([
      kept('every streamed record was rated', stream.charged === 1),
      kept('commits are durable', durable?.fsync === 'on' && durable.commit === 'on'),
      ratioToSql(http.perSecond, sql.perSecond),
      kept(`a stream is at least ${streamRatioMin} times single records`, gain >= streamRatioMin),
      ...(values.short ? [] : bounds(http, stream)),
    ]);
  } finally {
    await pool?.end();
    await server?.stop();
    await place.remove();
  }
}

function kept(what: string, isKept: boolean): Promised {
  return { what, measured: '', isKept };
}

function bounds(http: Figures, stream: Figures): Promised[] {
  return [
    kept(`single records: at least ${singlePerSecondMin} a second`, http.perSecond >= singlePerSecondMin),
    kept(`streamed records: at least ${streamedPerSecondMin} a second`, stream.perSecond >= streamedPerSecondMin),
  ];
}

async function warm(server: RunningServer, numbers: readonly string[]): Promise<void> {
  const body = numbers
    .slice(0, 500)
    .map((msisdn) => `${JSON.stringify({ msisdn, kind: 'data', amount: 1, unit: 'KB' })}\n`);
  for (let round = 0; round < 4; round += 1) {
    const response = await fetch(`${server.url}/usage/stream`, {
      method: 'POST',
      headers: { authorization: `Bearer ${server.token}`, 'content-type': 'application/x-ndjson' },
      body: body.join(''),
    });
    await response.text();
  }
}

function verdict(promises: readonly Promised[]): number {
  const judged = promises.map(judgementOf);
  for (const { verdict, what, measured } of judged)
    process.stdout.write(`${verdict.padEnd(13)} ${what}${measured === '' ? '' : `: ${measured}`}\n`);
  const isMissed = judged.some(fails);
  if (isMissed && isLenient) process.stdout.write('AIRTIME_BENCH_LENIENT is set: nothing is judged\n');
  return isMissed && !isLenient ? 1 : 0;
}

function costs({ costs }: { costs: Costs }): string[] {
  return [costs.client, costs.server, costs.database].map((value) => `${value.toFixed(3)} ms`);
}

function shown(value: number): string {
  return Math.round(value).toLocaleString('en');
}
function ms(value: number | undefined): string {
  return value === undefined ? '' : `${value.toFixed(1)} ms`;
}
