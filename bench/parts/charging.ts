import { mkdirSync } from 'node:fs';
import { cpus } from 'node:os';
import { z } from 'zod';
import { findPostgres, startCluster, whyNotExternal } from '../external.ts';
import { type Figure, milliseconds, NotMeasured, type Part, type PartResult, whole } from '../part.ts';
import { runScript } from '../script.ts';
import { workFolder } from '../server.ts';
import { ratioMax, ratioToSql } from '../sql-call.ts';

const rate = z.object({
  perSecond: z.number(),
  p50: z.number().optional(),
  p99: z.number().optional(),
  costs: z.object({ client: z.number(), server: z.number(), database: z.number() }),
});
const measured = z.object({ single: rate, sql: rate, stream: rate, pgbench: z.boolean() });
type Rate = z.infer<typeof rate>;

/** A stream must be worth its while. */
const streamRatioMin = 2;

/** Charging decisions beside the same SQL under pgbench: `charging.ts`, on either database. */
export const charging: Part = {
  name: 'charging',
  title: 'Charging',
  isByDatabase: true,
  async measure(kind, { isShort }) {
    const args = isShort ? ['--short'] : ['--seconds', '10'];
    return resultOf(measured.parse(await (kind === 'embedded' ? runScript('charging.ts', args) : external(args))));
  },
};

/** What is reported of what was measured. */
export function resultOf({ single, sql, stream, pgbench }: z.infer<typeof measured>): PartResult {
  const cores = cpus().length;
  const ratio = single.perSecond / sql.perSecond;
  const gain = stream.perSecond / single.perSecond;
  const toSql = ratioToSql(single.perSecond, sql.perSecond);
  const row = (what: string, one: Rate) => [
    what,
    `${whole(one.perSecond)}/s`,
    `${whole(one.perSecond / cores)}/s`,
    one.p50 === undefined ? '' : milliseconds(one.p50),
    one.p99 === undefined ? '' : milliseconds(one.p99),
    ...[one.costs.client, one.costs.server, one.costs.database].map((value) => `${value.toFixed(3)} ms`),
  ];
  const figures: Figure[] = [
    { key: 'charging.single', value: single.perSecond, unit: '/s', better: 'more' },
    { key: 'charging.stream', value: stream.perSecond, unit: '/s', better: 'more' },
    { key: 'charging.stream-to-single', value: gain, unit: 'ratio', better: 'more' },
  ];
  // A later release is not measured by a comparison that was none.
  if (!toSql.saysNothing) figures.push({ key: 'charging.single-to-sql', value: ratio, unit: 'ratio', better: 'more' });
  return {
    figures,
    tables: [
      {
        title: 'Charging decisions, durable before they are answered',
        head: ['', 'records', 'a core', 'p50', 'p99', 'CPU client', 'server', 'database'],
        rows: [
          row('POST /usage, one record a request', single),
          row(
            pgbench
              ? 'the same SQL call under pgbench'
              : 'the same SQL call from a driver (pgbench: NOT RUN, it is not installed)',
            sql,
          ),
          row('POST /usage/stream, one stream', stream),
        ],
        note: `HTTP to SQL ${ratio.toFixed(2)}, stream to single ${gain.toFixed(1)}. The SQL beside it has the user and the settings of the server's own connections, and one record in each call; the server puts records that come together into one call, so a ratio above 1 is possible. Above ${ratioMax} it would say nothing: sharing calls saves no more than that, and the SQL was held up by something else. Client, server and database share ${cores} cores; CPU is processor time by record.`,
      },
    ],
    promises: [
      toSql,
      {
        what: `a stream is at least ${streamRatioMin} times single records`,
        measured: gain.toFixed(1),
        isKept: gain >= streamRatioMin,
        isRatio: true,
      },
    ],
  };
}

async function external(args: readonly string[]): Promise<unknown> {
  const bin = findPostgres();
  if (bin === undefined) throw new NotMeasured(whyNotExternal);
  const place = workFolder();
  try {
    mkdirSync(place.folder, { recursive: true });
    const cluster = await startCluster(bin, place.folder);
    try {
      const { databaseUrl, migrationUrl } = await cluster.database('airtime');
      return await runScript('charging.ts', args, {
        AIRTIME_BENCH_DATABASE: JSON.stringify({ databaseUrl, migrationUrl, postmaster: cluster.postmaster }),
      });
    } finally {
      await cluster.stop();
    }
  } finally {
    await place.remove();
  }
}
