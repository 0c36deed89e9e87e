import { z } from 'zod';
import { findPostgres, startCluster, whyNotExternal } from '../external.ts';
import { type Figure, NotMeasured, type Part, type PartResult } from '../part.ts';
import { runScript } from '../script.ts';
import { workFolder } from '../server.ts';

const measured = z.object({
  statementTimeoutMs: z.number(),
  sizes: z.array(z.number()),
  lists: z.array(
    z.object({
      label: z.string(),
      cells: z.array(z.object({ p50: z.number(), p99: z.number(), total: z.string() })),
    }),
  ),
});

const growthMax = 2;
/** Below this a ratio is the clock's and the machine's, not the engine's. */
const judgedFromMs = 2;

/** What lists and filters cost as a table grows: `lists.ts`, on either database. */
export const lists: Part = {
  name: 'lists',
  title: 'Lists and filters',
  isByDatabase: true,
  async measure(kind, { isShort }) {
    const args = isShort ? ['--sizes', '1000,20000', '--seconds', '0.5'] : ['--sizes', '1000,10000,100000,1000000'];
    return resultOf(measured.parse(await (kind === 'embedded' ? runScript('lists.ts', args) : external(args))));
  },
};

/** What is reported of what was measured. */
export function resultOf({ sizes, lists, statementTimeoutMs }: z.infer<typeof measured>): PartResult {
  const figures: Figure[] = lists.flatMap(({ label, cells }) =>
    cells.flatMap(({ p50, total }, place) =>
      total.startsWith('refused')
        ? []
        : [
            {
              key: `lists.${label.replace(/[^a-z0-9]+/g, '-')}.${sizes[place]}`,
              value: p50,
              unit: 'ms' as const,
              better: 'less' as const,
              floor: 2,
            },
          ],
    ),
  );
  const fifty = lists.find(({ label }) => label === 'fifty rows')?.cells;
  const before = fifty?.[0]?.p50 ?? 0;
  const after = fifty?.at(-1)?.p50 ?? Number.POSITIVE_INFINITY;
  const times = after / before;
  const isJudged = after >= judgedFromMs;
  return {
    figures,
    tables: [
      {
        title: 'Usage, the first page of what matches: p50 / p99 (matching rows)',
        head: ['', ...sizes.map((size) => `${size.toLocaleString('en')} rows`)],
        rows: lists.map(({ label, cells }) => [
          label,
          ...cells.map(({ p50, p99, total }) =>
            total.startsWith('refused') ? total : `${p50.toFixed(1)} / ${p99.toFixed(1)} ms (${total})`,
          ),
        ]),
        note: `Each statement under a timeout of ${statementTimeoutMs} ms, the server's own; what is refused exceeded it, or asks for what no index serves. One caller on one connection, without the HTTP door. Fifty rows in the largest table cost ${times.toFixed(2)} times what they cost in the smallest (p50). Where they take less than ${judgedFromMs} ms there, the ratio is not judged: it is the clock's and the machine's.`,
      },
    ],
    promises: [
      {
        what: `fifty rows cost at most ${growthMax} times as much in the largest table as in the smallest, or less than ${judgedFromMs} ms`,
        measured: `${times.toFixed(2)} times, ${before.toFixed(2)} and ${after.toFixed(2)} ms${isJudged ? '' : `: under ${judgedFromMs} ms, so the ratio is not judged`}`,
        isKept: !isJudged || times <= growthMax,
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
    const cluster = await startCluster(bin, place.folder);
    try {
      const urls = [];
      for (const size of (args[1] ?? '').split(',')) urls.push(await cluster.database(`lists_${size}`));
      return await runScript('lists.ts', args, { AIRTIME_BENCH_DATABASES: JSON.stringify(urls) });
    } finally {
      await cluster.stop();
    }
  } finally {
    await place.remove();
  }
}
