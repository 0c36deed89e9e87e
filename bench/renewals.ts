import { randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { z } from 'zod';
import { remoteCardGateway } from '../adapters/sandbox/remote.ts';
import { startEmbedded } from '../app/database/embedded-postgres.ts';
import { monthsAfter } from '../kernel/calendar.ts';
import { copyLines, makeLine } from './lines.ts';
import {
  callTool,
  pause,
  type RunningServer,
  type Started,
  startSandbox,
  startServer,
  startWorker,
  workFolder,
} from './server.ts';

// Many lines renewed at one boundary: four server processes work on one database, the sandbox is a process of its own,
// and one of the four is killed midway. The lines were activated on 29, 30 and 31 January, so their first months end
// together on the last of February and their second each on a day of its own. It was half past midnight where the operator
// is and still the day before in UTC, so a calendar that counted in another zone would end them elsewhere. Afterwards our
// books, the gateway's own and every line are compared: each was renewed once, and none was missed.

const usage = `Renews many lines at one boundary with four worker processes, one of which is killed midway.

  npx tsx bench/renewals.ts [--lines N]

  --lines N   how many lines (default 10000, or LINES)
`;

const { values } = parseArgs({
  options: {
    lines: { type: 'string', default: process.env.LINES ?? '10000' },
    help: { type: 'boolean', default: false },
  },
});
const lineCount = Number(values.lines);
const workerCount = 4;
const timeZone = 'Asia/Singapore';
/** One line in so many has a card that is declined. */
const declinedEvery = 50;
const minutesMax = 30;
const dayMs = 86_400_000;
const hourMs = 3_600_000;

/** Day and time of day where the operator is, told by the runtime's own calendar: `2027-02-28 00:30`. */
function localTime(at: Date): string {
  const told = new Intl.DateTimeFormat('en-CA', { timeZone, dateStyle: 'short', timeStyle: 'short', hourCycle: 'h23' });
  return told.format(at).replace(', ', ' ');
}

/** The last half hour past midnight of a 31 January, where the operator is, that is at least two days past. */
function lastOfJanuary(now: Date): Date {
  const halfHour = Math.floor(now.getTime() / (hourMs / 2)) * (hourMs / 2);
  for (let at = halfHour - 2 * dayMs; at > halfHour - 800 * dayMs; at -= hourMs / 2) {
    if (localTime(new Date(at)).endsWith('-01-31 00:30')) return new Date(at);
  }
  throw new Error('there was no 31 January');
}

interface Progress {
  renewed: number;
  declined: number;
  waiting: number;
}

async function progressOf(pool: pg.Pool): Promise<Progress> {
  const { rows } = await pool.query(
    `SELECT (SELECT count(*)::int FROM "subscription" WHERE "period_number" = 2) AS renewed,
       (SELECT count(*)::int FROM "subscription" WHERE 'unpaid' = ANY ("block_reasons")) AS declined,
       (SELECT count(*)::int FROM "flow_step" WHERE "state" = 'waiting' AND "due_at" <= business_now()) AS waiting`,
  );
  return z.object({ renewed: z.number(), declined: z.number(), waiting: z.number() }).parse(rows[0]);
}

/** What must be so afterwards; each statement counts what breaks it. */
const checks: readonly (readonly [what: string, text: string])[] = [
  [
    'each line has a second period, or is unpaid because its card was declined',
    `SELECT count(*) FROM "subscription" s JOIN "payment_method" m ON m."customer_id" = s."customer_id"
      WHERE NOT CASE WHEN m."gateway_token" LIKE 'tok_declined%' THEN s."period_number" = 1 AND s."state" = 'blocked' AND 'unpaid' = ANY (s."block_reasons")
        ELSE s."period_number" = 2 AND s."state" = 'active' END`,
  ],
  [
    'each line was charged for it once, and a declined one not at all',
    `SELECT count(*) FROM "subscription" s JOIN "payment_method" m ON m."customer_id" = s."customer_id"
       LEFT JOIN (SELECT "subscription_id", count(*) AS tries, count(*) FILTER (WHERE "state" IN ('captured', 'done')) AS taken
         FROM "payment" WHERE "purpose" = 'renewal' GROUP BY 1) p ON p."subscription_id" = s."id"
      WHERE coalesce(p.tries, 0) <> 1 OR p.taken <> CASE WHEN m."gateway_token" LIKE 'tok_declined%' THEN 0 ELSE 1 END`,
  ],
  [
    'each charge has one bill of its amount',
    `SELECT count(*) FROM "payment" p LEFT JOIN (SELECT "payment_id", count(*) AS bills, sum("amount_minor") AS amount FROM "customer_bill" GROUP BY 1) b
       ON b."payment_id" = p."id" WHERE p."purpose" = 'renewal' AND (p."state" IN ('captured', 'done')) <> (coalesce(b.bills, 0) = 1 AND b.amount = p."amount_minor")`,
  ],
  [
    'each renewed line has the quota of one new period and none of the old',
    `SELECT count(*) FROM "subscription" s JOIN (SELECT "subscription_id", count(*) FILTER (WHERE "period_number" = 2 AND "state" = 'active') AS fresh,
         count(*) FILTER (WHERE "period_number" = 1 AND "state" = 'active') AS stale, count(*) FILTER (WHERE "period_number" = 1) AS before FROM "bucket" GROUP BY 1) b
       ON b."subscription_id" = s."id" WHERE s."period_number" = 2 AND (b.fresh <> b.before OR b.stale <> 0)`,
  ],
  [
    'each line has one renewal ahead, at the end of its period or at the next boundary',
    `SELECT count(*) FROM "subscription" s
       LEFT JOIN (SELECT "subject", count(*) AS steps, min("due_at") AS due FROM "flow_step" WHERE "flow" = 'renewal' AND "state" = 'waiting' GROUP BY 1) f ON f."subject" = s."id"
      WHERE coalesce(f.steps, 0) <> 1 OR (s."period_number" = 2 AND f.due <> s."period_ends_at")`,
  ],
];

async function main(): Promise<number> {
  const place = workFolder();
  const processes: Started[] = [];
  let pool: pg.Pool | undefined;
  try {
    const home = join(place.folder, 'home');
    mkdirSync(home, { recursive: true, mode: 0o700 });
    const database = await startEmbedded({ directory: join(home, 'postgres'), log: () => undefined });
    const secret = randomUUID();
    const sandbox = await startSandbox(join(place.folder, 'sandbox'), secret);
    processes.push(sandbox);
    const environment = {
      DATABASE_URL: database.serverUrl,
      MIGRATION_DATABASE_URL: database.ownerUrl,
      AIRTIME_SANDBOX_URL: sandbox.url,
      SANDBOX_SECRET: secret,
    };
    const activation = lastOfJanuary(new Date());
    // The story begins on the day before, and time goes forward to the activation.
    const storyDays = String(Math.ceil((Date.now() - activation.getTime()) / dayMs));
    const first = await startServer(home, { ...environment, AIRTIME_STORY_DAYS: storyDays });
    processes.push(first);
    pool = new pg.Pool({ connectionString: database.serverUrl, max: 2, statement_timeout: 60_000 });
    // The database goes before its connections when something fails.
    pool.on('error', () => undefined);

    const began = Date.now();
    await callTool(first, 'clock.freeze', { at: activation.toISOString() });
    const line = await makeLine(first, pool, 'PLAN_S');
    await copyLines(pool, line, lineCount - 1);
    const boundary = await spreadAnchors(pool, line);
    said(`${lineCount} lines in ${seconds(began)} s, activated on 29, 30 and 31 January; ${workerCount} workers`);
    for (let index = 2; index <= workerCount; index += 1) {
      processes.push(await startWorker(join(place.folder, `worker-${index}`), environment));
    }
    const renewing = await renew(first, pool, boundary, processes);
    said(
      `boundary ${boundary.toISOString()}: ${lineCount} renewals in ${renewing.toFixed(1)} s, ${(lineCount / renewing).toFixed(0)} a second`,
    );
    return await judge(pool, sandbox.url, secret, boundary);
  } finally {
    await pool?.end();
    for (const one of processes.reverse()) await one.stop();
    await place.remove();
  }
}

/** Gives a third of the lines each day of January, and some a card that is declined. @returns the boundary they share. */
async function spreadAnchors(pool: pg.Pool, line: string): Promise<Date> {
  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    await client.query(
      `SELECT begin_command('bench.anchors', '{"audience": "system", "id": "system", "name": "bench"}')`,
    );
    await client.query(
      `UPDATE "subscription" s SET "anchor_at" = s."anchor_at" - make_interval(days => (o.place % 3)::int)
       FROM (SELECT "id", row_number() OVER (ORDER BY "id") AS place FROM "subscription") o WHERE o."id" = s."id" AND s."id" <> $1`,
      [line],
    );
    await client.query(
      `UPDATE "payment_method" m SET "gateway_token" = 'tok_declined_' || o.place
       FROM (SELECT "id", row_number() OVER (ORDER BY "id") AS place FROM "payment_method") o WHERE o."id" = m."id" AND o.place % $1 = 0`,
      [declinedEvery],
    );
    await client.query('COMMIT');
    const { rows } = await client.query<{ at: Date }>(`SELECT DISTINCT "period_ends_at" AS at FROM "subscription"`);
    const [only] = rows;
    if (!only || rows.length !== 1) throw new Error('the lines have no boundary in common');
    return only.at;
  } finally {
    client.release();
  }
}

/** Moves business time to the boundary, kills one worker midway, and waits until nothing is left. @returns seconds. */
async function renew(
  first: RunningServer,
  pool: pg.Pool,
  boundary: Date,
  processes: readonly Started[],
): Promise<number> {
  const began = Date.now();
  await callTool(first, 'clock.freeze', { at: boundary.toISOString() });
  let killed: number | undefined;
  for (let told = 0; ; ) {
    const { renewed, declined, waiting } = await progressOf(pool);
    const done = renewed + declined;
    if (killed === undefined && done >= lineCount * 0.4) {
      const victim = processes.at(-1);
      victim?.process.kill('SIGKILL');
      killed = done;
      const { rows } = await pool.query(
        `SELECT count(*)::int AS held FROM "flow_step" WHERE "state" = 'waiting' AND "leased_until" > clock_timestamp()`,
      );
      said(
        `killed one worker after ${done} renewals, ${seconds(began)} s; ${JSON.stringify(rows[0])} steps were in hand`,
      );
    }
    if (Date.now() - told > 10_000) {
      told = Date.now();
      said(`  ${seconds(began)} s: ${renewed} renewed, ${declined} declined, ${waiting} steps left`);
    }
    if (waiting === 0 && done >= lineCount) {
      if (killed === undefined) throw new Error('all was over before a worker could be killed: use more lines');
      return (Date.now() - began) / 1000;
    }
    if (Date.now() - began > minutesMax * 60_000)
      throw new Error(`not over after ${minutesMax} minutes: ${waiting} steps left`);
    // Each look reads every line, on the cores that the renewals need.
    await pause(500);
  }
}

async function judge(pool: pg.Pool, url: string, secret: string, boundary: Date): Promise<number> {
  const faults: string[] = [];
  const judged = (what: string, broken: number) => {
    said(`${broken === 0 ? 'kept  ' : 'BROKEN'}  ${what}${broken === 0 ? '' : `: ${broken}`}`);
    if (broken > 0) faults.push(what);
  };
  for (const [what, text] of checks) {
    const { rows } = await pool.query<{ count: string }>(text);
    judged(what, Number(rows[0]?.count ?? 1));
  }
  const year = localTime(boundary).slice(0, 4);
  const dayAfter = localTime(new Date(boundary.getTime() + dayMs));
  judged(
    `first months end at ${localTime(boundary)}, the last of February, which in UTC is ${boundary.toISOString().slice(0, 16)}`,
    dayAfter === `${year}-03-01 00:30` && boundary.toISOString().slice(0, 10) < localTime(boundary).slice(0, 10)
      ? 0
      : 1,
  );
  const { rows: ends } = await pool.query<{ anchor: Date; ends: Date; count: number }>(
    `SELECT "anchor_at" AS anchor, "period_ends_at" AS ends, count(*)::int AS count FROM "subscription" WHERE "period_number" = 2 GROUP BY 1, 2 ORDER BY 2`,
  );
  // Kernel and runtime tell months apart by themselves: what was stored must agree with both.
  const wrong = ends.filter(
    (one) =>
      monthsAfter(one.anchor, 2, timeZone).getTime() !== one.ends.getTime() ||
      localTime(one.ends) !== localTime(one.anchor).replace('-01-', '-03-'),
  );
  judged(
    `second months end at ${ends.map((one) => `${localTime(one.ends)} (${one.count})`).join(', ')}`,
    wrong.length + Math.abs(ends.length - 3),
  );

  const { rows: own } = await pool.query<{ fact: string; amount: number }>(
    `SELECT "fact_key" AS fact, "amount_minor" AS amount FROM "payment" WHERE "purpose" = 'renewal' AND "state" IN ('captured', 'done')`,
  );
  const captured = new Map<string, number[]>();
  for await (const operation of remoteCardGateway(url, secret).book()) {
    const fact = /^(renewal:.*):capture:\d+$/.exec(operation.key)?.[1];
    if (fact === undefined || operation.answer.outcome !== 'captured') continue;
    captured.set(fact, [...(captured.get(fact) ?? []), operation.amountMinor ?? 0]);
  }
  const unmatched = own.filter(({ fact, amount }) => JSON.stringify(captured.get(fact)) !== JSON.stringify([amount]));
  judged('the gateway took each of our charges once, and of its amount', unmatched.length);
  judged('and nothing that we do not know of', Math.abs(captured.size - own.length));
  const atBoundary = own.filter(({ fact }) => fact.endsWith(boundary.toISOString()));
  judged('all at this boundary', own.length - atBoundary.length);
  const { rows: taken } = await pool.query<{ count: number }>(
    `SELECT count(*)::int AS count FROM "flow_step" WHERE "flow" = 'renewal' AND "state" = 'done' AND "attempts" > 1`,
  );
  said(
    `${own.length} charged, ${lineCount - own.length} declined; ${taken[0]?.count} renewals were taken over or tried again`,
  );
  return faults.length === 0 ? 0 : 1;
}

function said(text: string): void {
  process.stdout.write(`${text}\n`);
}

function seconds(began: number): string {
  return ((Date.now() - began) / 1000).toFixed(1);
}

if (values.help) process.stdout.write(usage);
else process.exitCode = await main();
