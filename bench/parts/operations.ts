import type { Pool } from 'pg';
import { whyNotExternal } from '../external.ts';
import { type House, openHouse } from '../house.ts';
import { copyLines, makeLine } from '../lines.ts';
import {
  fixedArrival,
  middleOf,
  openClient,
  percentile,
  requestOf,
  saturated,
  seeded,
  type Timing,
  timingOf,
} from '../load.ts';
import { type CollectionWatch, type DiskWatch, emptyNode, wakeUp, watchCollections, watchDisk } from '../machine.ts';
import { type Kind, mixOf, openKinds, whatFlowsDo } from '../operations.ts';
import { type Figure, milliseconds, NotMeasured, type Part, type Promised, whole } from '../part.ts';
import { familyOf, processorMs } from '../processes.ts';
import { pause } from '../server.ts';

const perSecond = 200;
const p99MsMax = 10;
const lineCount = 2000;
const callers = 32;
/** Everything at the fixed rate is measured so often, minutes apart: what holds the machine itself up is seldom in most of them. */
const rounds = 3;
/** Seconds of the mix before anything counts, and of each measurement: of the mix and of a kind at the fixed rate, in each round, and of a kind at saturation. */
const lengths = {
  whole: { warm: 30, mix: 20, alone: 8, most: 1.5 },
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
    let disk: DiskWatch | undefined;
    let collections: CollectionWatch | undefined;
    try {
      const pool = await house.pool();
      const server = house.server();
      await copyLines(pool, await makeLine(server, pool, 'PLAN_L'), isShort ? 200 : lineCount);
      await house.settle();
      const woken = await wakeUp();
      const empty = await emptyNode();
      const client = openClient(server);
      const kinds = await openKinds(client, pool, seeded(seed));
      const internal = kinds.filter(({ isFlow }) => !isFlow);
      await warm(kinds);
      await fixedArrival(perSecond, seconds.warm, mixOf(kinds, seeded(seed + 2)));
      await quiet(pool);
      process.stderr.write('\n  warm');

      /** By kind, and by request where a kind is several. */
      const mixed = new Map<string, number[]>();
      const mixes: Timing[] = [];
      const everythings: Timing[] = [];
      const alones = new Map(internal.map(({ name }) => [name, [] as Timing[]]));
      const overrun = new Set<string>();
      const late: number[] = [];
      disk = watchDisk(house.folder);
      collections = watchCollections();
      for (let round = 1; round <= rounds; round += 1) {
        await quiet(pool);
        const arrived = await fixedArrival(perSecond, seconds.mix, mixOf(kinds, seeded(seed + round)));
        for (const [name, times] of arrived.times) mixed.set(name, [...(mixed.get(name) ?? []), ...times]);
        late.push(...arrived.late);
        if (arrived.isOverrun) overrun.add(allKinds);
        const timesOfAll = (some: readonly Kind[]) => some.flatMap(({ name }) => arrived.times.get(name) ?? []);
        mixes.push(timingOf(timesOfAll(internal), arrived.seconds));
        everythings.push(timingOf(timesOfAll(kinds), arrived.seconds));
        process.stderr.write(
          `\n  round ${round}: mix ${timesOf(mixes.at(-1))}; with what begins a flow ${timesOf(everythings.at(-1))}\n`,
        );
        for (const { name, act } of internal) {
          await quiet(pool);
          const alone = await fixedArrival(perSecond, seconds.alone, () => ({ kind: name, act }));
          if (alone.isOverrun) overrun.add(name);
          const timing = timingOf(alone.times.get(name) ?? [], alone.seconds);
          alones.get(name)?.push(timing);
          process.stderr.write(`  ${name}: ${timesOf(timing)}${alone.isOverrun ? ', overrun' : ''}\n`);
        }
      }
      const collected = await collections.stop();
      const flushes = timingOf(await disk.stop(), rounds * (seconds.mix + internal.length * seconds.alone));
      process.stderr.write(
        `  the disk itself: ${timesOf(flushes)}, at most ${milliseconds(flushes.most)}; a thread is woken in ${(woken * 1000).toFixed(0)} µs; an empty Node takes ${milliseconds(empty)}; the client collected its heap ${times(collected)}\n`,
      );
      const all = middleOf(mixes);
      const everything = middleOf(everythings);
      const alone = new Map([...alones].map(([name, timings]) => [name, middleOf(timings)]));

      const most = new Map<string, Timing>();
      const cost = new Map<string, Spent>();
      for (const { name, act } of internal) {
        await quiet(pool);
        const before = spent(house);
        const top = await saturated(callers, seconds.most, act);
        most.set(name, top);
        const after = spent(house);
        cost.set(name, {
          server: (after.server - before.server) / top.count,
          database: (after.database - before.database) / top.count,
        });
        process.stderr.write(`  ${name}: at most ${whole(top.perSecond)}/s; CPU ${costCells(name, cost).join(', ')}\n`);
      }
      client.close();

      const cells = (timing: Timing | undefined) =>
        timing && timing.count > 0 ? [milliseconds(timing.p50), milliseconds(timing.p99)] : ['', ''];
      const mixCells = (name: string) => cells(timingOf(mixed.get(name) ?? [], rounds * seconds.mix));
      const worst = (timings: readonly Timing[] | undefined) =>
        timings && timings.length > 0 ? milliseconds(Math.max(...timings.map(({ p99 }) => p99))) : '';
      const aloneCells = (name: string) =>
        overrun.has(name) ? ['overrun', '', ''] : [...cells(alone.get(name)), worst(alones.get(name))];
      const flows = flowsOf(kinds);
      const figures: Figure[] = [];
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
              'worst round',
              `${callers} callers`,
              'p50',
              'p99',
              'CPU server',
              'database',
            ],
            rows: [
              ...kinds.flatMap(({ name, part }: Kind) => [
                [
                  name,
                  `${part} %`,
                  ...mixCells(name),
                  ...aloneCells(name),
                  most.has(name) ? `${whole(most.get(name)?.perSecond ?? 0)}/s` : '',
                  ...cells(most.get(name)),
                  ...costCells(name, cost),
                ],
                ...[...mixed.keys()]
                  .filter((key) => key.startsWith(requestOf(name, '')))
                  .map((key) => [key, '', ...mixCells(key), ...none]),
              ]),
              [`all but ${flows}, middle round`, '', ...cells(all), ...none],
              [`all but ${flows}, worst round`, '', '', worst(mixes), ...none],
              ['everything, middle round; not judged', '', ...cells(everything), ...none],
              ['everything, worst round; not judged', '', '', worst(everythings), ...none],
            ],
            note: `Fixed arrival: a request goes out when it is due and its time counts from then, whatever became of those before it. There were ${rounds} rounds, each of the mix for ${seconds.mix} s and then of each kind alone for ${seconds.alone} s; what is judged is the round whose p99 is in the middle, and the worst stands beside it. A kind's times in the mix are those of all rounds. Saturation came last, ${seconds.most} s of each kind. All over ${isShort ? 200 : lineCount} lines, vacuumed and analysed once they were loaded; the same mix went before it for ${seconds.warm} s, and what orders had begun was over before each kind came alone. Client, server and database share the machine; the client itself was late by up to ${milliseconds(
              percentile(
                late.sort((a, b) => a - b),
                0.99,
              ),
            )} (p99), and that is in the times; it collected its whole heap ${times(collected)} meanwhile. The disk itself, asked to keep 8 kB twenty times a second all the while, took ${milliseconds(flushes.p50)} (p50), ${milliseconds(flushes.p99)} (p99) and ${milliseconds(flushes.most)} at most; a thread that waited ran ${(woken * 1000).toFixed(0)} µs after it was woken; Node took ${milliseconds(empty)} for an empty program. CPU is processor time by request at saturation. Overrun: fewer are answered than come. Judged are all but ${flows}, ${whatFlowsDo}: they take longer, and because the flow goes on after the answer they come at their part of the load only. Their times are printed. A top-up is two requests, one after the other, timed as one act and each by itself.`,
          },
        ],
        promises: promisesOf(kinds, { all, everything, alone, overrun }),
      };
    } finally {
      // Whoever reads its figures is told of its failure.
      await collections?.stop();
      await disk?.stop().catch(() => undefined);
      await house.close();
    }
  },
};

const none = Array.from({ length: 8 }, () => '');

/** The kinds that are not judged, by name. */
const flowsOf = (kinds: readonly Kind[]): string =>
  kinds
    .filter(({ isFlow }) => isFlow)
    .map(({ name }) => name)
    .join(' and ');

/**
 * What is promised of the times.
 * @param measured `all` is the mix without what begins a flow, `everything` the mix with it, `alone` each other kind by itself;
 *   `overrun` names the kinds of which fewer were answered than came.
 */
export function promisesOf(
  kinds: readonly Kind[],
  measured: { all: Timing; everything: Timing; alone: ReadonlyMap<string, Timing>; overrun: ReadonlySet<string> },
): Promised[] {
  const { all, everything, alone, overrun } = measured;
  const internal = kinds.filter(({ isFlow }) => !isFlow);
  const slow = internal.filter(
    ({ name }) => overrun.has(name) || (alone.get(name)?.p99 ?? Number.POSITIVE_INFINITY) >= p99MsMax,
  );
  const but = `but ${flowsOf(kinds)}, ${whatFlowsDo},`;
  return [
    {
      what: `internal p99 under ${p99MsMax} ms of all kinds ${but} at ${perSecond} requests a second of them all`,
      measured: `${milliseconds(all.p99)}${overrun.has(allKinds) ? ', overrun' : ''}; of everything ${milliseconds(everything.p99)}, not judged`,
      isKept: all.p99 < p99MsMax && !overrun.has(allKinds),
    },
    {
      what: `internal p99 under ${p99MsMax} ms of each kind alone ${but} at ${perSecond} a second`,
      measured:
        slow.length === 0
          ? `all ${internal.length} of them`
          : slow
              .map(
                ({ name }) =>
                  `${name} ${overrun.has(name) ? 'overrun' : milliseconds(alone.get(name)?.p99 ?? Number.NaN)}`,
              )
              .join(', '),
      isKept: slow.length === 0,
    },
  ];
}

/** What the mix is called among the kinds that were overrun. */
const allKinds = 'all';

const timesOf = (timing: Timing | undefined): string =>
  timing ? `p50 ${milliseconds(timing.p50)}, p99 ${milliseconds(timing.p99)}` : '';

const times = (count: number): string => (count === 1 ? 'once' : `${count} times`);

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
