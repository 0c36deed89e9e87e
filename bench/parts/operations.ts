import type { Pool } from 'pg';
import { whyNotExternal } from '../external.ts';
import { type House, openHouse } from '../house.ts';
import { copyLines, makeLine } from '../lines.ts';
import { fixedArrival, openClient, percentile, saturated, seeded, type Timing, timingOf } from '../load.ts';
import { type Kind, mixOf, openKinds } from '../operations.ts';
import { type Figure, milliseconds, NotMeasured, type Part, whole } from '../part.ts';
import { familyOf, processorMs } from '../processes.ts';
import { pause } from '../server.ts';

const perSecond = 200;
const p99MsMax = 10;
const lineCount = 2000;
const callers = 32;
/** Seconds of the mix before anything counts, and of each measurement: of the mix, of a kind at the fixed rate, and of a kind at saturation. */
const lengths = {
  whole: { warm: 30, mix: 30, alone: 15, most: 1.5 },
  short: { warm: 3, mix: 5, alone: 1, most: 0.5 },
};

/** Every kind of operation: among the others, alone at a fixed rate, and as much of it as goes. */
export const operations: Part = {
  name: 'operations',
  title: 'Operations',
  isByDatabase: true,
  async measure(kind, { seed, isShort }) {
    const house = await openHouse(kind);
    if (!house) throw new NotMeasured(whyNotExternal);
    const seconds = isShort ? lengths.short : lengths.whole;
    try {
      const pool = await house.pool();
      const server = house.server();
      await copyLines(pool, await makeLine(server, pool, 'PLAN_L'), isShort ? 200 : lineCount);
      await house.settle();
      const client = openClient(server);
      const kinds = await openKinds(client, pool, seeded(seed));
      const internal = kinds.filter(({ isFlow }) => !isFlow);
      await warm(kinds);
      await fixedArrival(perSecond, seconds.warm, mixOf(kinds, seeded(seed + 2)));
      await quiet(pool);
      process.stderr.write('\n  warm');

      const mixed = await fixedArrival(perSecond, seconds.mix, mixOf(kinds, seeded(seed + 1)));
      const mix = new Map(kinds.map(({ name }) => [name, timingOf(mixed.times.get(name) ?? [], mixed.seconds)]));
      const all = timingOf(
        internal.flatMap(({ name }) => mixed.times.get(name) ?? []),
        mixed.seconds,
      );
      const late = percentile(
        [...mixed.late].sort((a, b) => a - b),
        0.99,
      );

      process.stderr.write(`\n  mix: p50 ${milliseconds(all.p50)}, p99 ${milliseconds(all.p99)}\n`);

      const alone = new Map<string, Timing>();
      const most = new Map<string, Timing>();
      const overrun = new Set<string>();
      const cost = new Map<string, Spent>();
      for (const { name, act } of internal) {
        await quiet(pool);
        const arrived = await fixedArrival(perSecond, seconds.alone, () => ({ kind: name, act }));
        const timing = timingOf(arrived.times.get(name) ?? [], arrived.seconds);
        alone.set(name, timing);
        if (arrived.isOverrun) overrun.add(name);
        const before = spent(house);
        const top = await saturated(callers, seconds.most, act);
        most.set(name, top);
        const after = spent(house);
        cost.set(name, {
          server: (after.server - before.server) / top.count,
          database: (after.database - before.database) / top.count,
        });
        process.stderr.write(
          `  ${name}: p50 ${milliseconds(timing.p50)}, p99 ${milliseconds(timing.p99)}${arrived.isOverrun ? ', overrun' : ''}; at most ${whole(top.perSecond)}/s; CPU ${costCells(name, cost).join(', ')}\n`,
        );
      }
      client.close();

      const cells = (timing: Timing | undefined) =>
        timing && timing.count > 0 ? [milliseconds(timing.p50), milliseconds(timing.p99)] : ['', ''];
      const figures: Figure[] = [];
      const aloneCells = (name: string) => (overrun.has(name) ? ['overrun', ''] : cells(alone.get(name)));
      const keep = (key: string, timing: Timing | undefined) => {
        if (!timing || timing.count === 0) return;
        figures.push({ key: `${key}.p50`, value: timing.p50, unit: 'ms', better: 'less', floor: 1 });
        figures.push({ key: `${key}.p99`, value: timing.p99, unit: 'ms', better: 'less', floor: 3 });
      };
      keep('operations.mix', all);
      for (const { name } of internal) {
        if (!overrun.has(name)) keep(`operations.${name}`, alone.get(name));
        const at = most.get(name);
        if (at) figures.push({ key: `operations.${name}.most`, value: at.perSecond, unit: '/s', better: 'more' });
      }
      const slow = internal.filter(({ name }) => overrun.has(name) || (alone.get(name)?.p99 ?? 0) >= p99MsMax);
      return {
        figures,
        tables: [
          {
            title: `Times at ${perSecond} requests a second and at saturation`,
            head: [
              '',
              'part of the mix',
              'mix p50',
              'p99',
              'alone p50',
              'p99',
              `${callers} callers`,
              'p50',
              'p99',
              'CPU server',
              'database',
            ],
            rows: [
              ...kinds.map(({ name, part }: Kind) => [
                name,
                `${part} %`,
                ...cells(mix.get(name)),
                ...aloneCells(name),
                most.has(name) ? `${whole(most.get(name)?.perSecond ?? 0)}/s` : '',
                ...cells(most.get(name)),
                ...costCells(name, cost),
              ]),
              ['all that is answered within', '', ...cells(all), '', '', '', '', '', '', ''],
            ],
            note: `Fixed arrival: a request goes out when it is due and its time counts from then, whatever became of those before it. The mix ran ${seconds.mix} s, each kind alone ${seconds.alone} s, at saturation ${seconds.most} s, over ${isShort ? 200 : lineCount} lines, vacuumed and analysed once they were loaded; the same mix went before it for ${seconds.warm} s, and what orders had begun was over before each kind came alone. Client, server and database share the machine; the client itself was late by up to ${milliseconds(late)} (p99), and that is in the times. CPU is processor time by request at saturation. Overrun: fewer are answered than come. Orders and top-ups begin a flow with card gateway and network and come at their part of the load alone.`,
          },
        ],
        promises: [
          {
            what: `internal p99 under ${p99MsMax} ms at ${perSecond} requests a second of all kinds`,
            measured: `${milliseconds(all.p99)}${mixed.isOverrun ? ', overrun' : ''}`,
            isKept: all.p99 < p99MsMax && !mixed.isOverrun,
          },
          {
            what: `internal p99 under ${p99MsMax} ms at ${perSecond} a second of each kind alone`,
            measured:
              slow.length === 0
                ? `all ${internal.length} kinds`
                : slow
                    .map(
                      ({ name }) =>
                        `${name} ${overrun.has(name) ? 'overrun' : milliseconds(alone.get(name)?.p99 ?? 0)}`,
                    )
                    .join(', '),
            isKept: slow.length === 0,
          },
        ],
      };
    } finally {
      await house.close();
    }
  },
};

interface Spent {
  server: number;
  database: number;
}

/** Processor time until now. A database that the server brought may be its child, and is counted once. */
function spent(house: House): Spent {
  const database = processorMs(house.postmaster());
  const server = house.server().process.pid ?? 0;
  const isWithin = familyOf(server).includes(house.postmaster());
  return { server: processorMs(server) - (isWithin ? database : 0), database };
}

const costCells = (name: string, cost: ReadonlyMap<string, Spent>): string[] => {
  const of = cost.get(name);
  return of ? [of.server, of.database].map((value) => `${value.toFixed(2)} ms`) : ['', ''];
};

/** Prepared statements, compiled functions, warm pages: a few of each kind, some at once. */
async function warm(kinds: readonly Kind[]): Promise<void> {
  for (const { act, isFlow } of kinds) {
    for (let round = 0; round < (isFlow ? 1 : 10); round += 1)
      await Promise.all(Array.from({ length: isFlow ? 1 : 8 }, () => act()));
  }
}

const quietMsMax = 60_000;

/** Waits for what orders have begun: a kind that is measured alone is alone. */
async function quiet(pool: Pool): Promise<void> {
  const until = performance.now() + quietMsMax;
  const isOver = async () => {
    const { rows } = await pool.query(
      `SELECT 1 FROM "flow_step" WHERE "state" = 'waiting' AND "due_at" <= business_now() AND "not_before" <= clock_timestamp() LIMIT 1`,
    );
    return rows.length === 0;
  };
  while (!(await isOver())) {
    if (performance.now() > until) throw new Error(`orders were not over after ${quietMsMax / 1000} s`);
    await pause(100);
  }
}
