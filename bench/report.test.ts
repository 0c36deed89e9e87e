import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { fixedArrival, middleOf, percentile, saturated, seeded, timingOf } from './load.ts';
import { emptyNode, wakeUp, watchCollections, watchDisk } from './machine.ts';
import type { Figure } from './part.ts';
import { drawReport, fails, judge, type Report, reasonsOf, regressions, reportShape } from './report.ts';

const parts = [
  { name: 'speed', title: 'Speed', isByDatabase: true },
  { name: 'size', title: 'Size', isByDatabase: false },
];

const figure = (value: number, more: Partial<Figure> = {}): Figure => ({
  key: 'speed.p99',
  value,
  unit: 'ms',
  better: 'less',
  ...more,
});

function report(figures: Figure[], isKept = true, more: Partial<Report> = {}): Report {
  const result = { figures, tables: [], promises: [{ what: 'it is quick', measured: '4 ms', isKept }] };
  return {
    version: 'v0.1',
    seed: 1,
    idleMinutes: 10,
    machine: { cores: 2, memoryGb: 8, system: 'linux x64', node: '20.0.0' },
    postgres: { embedded: '18.4' },
    parts: {
      speed: {
        embedded: { commit: 'abc', busy: 1.4, result },
        external: { commit: 'abc', notMeasured: 'there is none' },
      },
      size: { any: { commit: 'abc', busy: 0, result: { figures: [], tables: [], promises: [] } } },
    },
    ...more,
  };
}

test('a promise is kept or missed, and what was not measured says why', () => {
  expect(judge(report([]), parts)).toEqual([
    { what: 'it is quick, embedded PostgreSQL', verdict: 'kept', measured: '4 ms' },
    { what: 'Speed, external PostgreSQL', verdict: 'NOT MEASURED', measured: 'there is none' },
  ]);
  expect(judge(report([], false), parts)[0]?.verdict).toBe('MISSED');
  expect(judge(report([], true, { parts: {} }), parts).map(({ measured }) => measured)).toEqual(
    Array.from({ length: 3 }, () => 'it was not run'),
  );
});

test('what says nothing is told apart, and fails the run as a promise that was missed does', () => {
  const nothing = report([], false);
  const found = nothing.parts.speed?.embedded;
  if (!found || !('result' in found)) throw new Error('there is no result');
  found.result.promises = found.result.promises.map((one) => ({ ...one, saysNothing: true }));
  expect(reportShape.parse(JSON.parse(JSON.stringify(nothing)))).toEqual(nothing);
  const [judged] = judge(nothing, parts);
  expect(judged).toMatchObject({ what: 'it is quick, embedded PostgreSQL', verdict: 'SAYS NOTHING' });
  const text = drawReport(nothing, parts, 'def', judge(nothing, parts), 'nothing before');
  expect(text).toContain('| it is quick, embedded PostgreSQL | SAYS NOTHING | 4 ms |');
  expect(judge(nothing, parts).map(fails)).toEqual([true, false]);
  expect(judge(report([], false), parts).map(fails)).toEqual([true, false]);
  expect(judge(report([]), parts).map(fails)).toEqual([false, false]);
});

test('the reports that are kept are read and compared with', () => {
  const folder = new URL('.', import.meta.url);
  const names = readdirSync(folder).filter((name) => /^report-v\d+\.\d+\.json$/.test(name));
  expect(names).toContain('report-v0.1.json');
  for (const name of names) {
    const kept = reportShape.parse(JSON.parse(readFileSync(new URL(name, folder), 'utf8')));
    expect(regressions(kept, kept, new Map())).toEqual([]);
  }
});

test('a figure that is worse by more than a tenth is a regression, and its reason goes with it', () => {
  const keys = (before: Figure, after: Figure) =>
    regressions(report([before]), report([after]), new Map()).map(({ key }) => key);
  expect(keys(figure(100), figure(112))).toEqual(['embedded.speed.p99']);
  expect(keys(figure(100), figure(109))).toEqual([]);
  expect(keys(figure(100), figure(50))).toEqual([]);
  const rate: Partial<Figure> = { unit: '/s', better: 'more' };
  expect(keys(figure(100, rate), figure(80, rate))).toEqual(['embedded.speed.p99']);
  expect(keys(figure(100, rate), figure(130, rate))).toEqual([]);
  // Two milliseconds more are the clock's where it says so.
  expect(keys(figure(4), figure(6, { floor: 3 }))).toEqual([]);
  const reasons = reasonsOf('# Why\n\n- `embedded.speed.p99`: it does more\n- `other`:\n');
  expect(reasons).toEqual(new Map([['embedded.speed.p99', 'it does more']]));
  expect(regressions(report([figure(100)]), report([figure(200)]), reasons)[0]).toMatchObject({
    worse: 1,
    reason: 'it does more',
  });
});

test('another machine is compared by ratios alone', () => {
  const elsewhere = { machine: { cores: 64, memoryGb: 256, system: 'linux x64', node: '22.0.0' } };
  const ratio: Partial<Figure> = { key: 'speed.to-sql', unit: 'ratio', better: 'more' };
  const found = regressions(
    report([figure(100), figure(0.5, ratio)], true, elsewhere),
    report([figure(200), figure(0.2, ratio)]),
    new Map(),
  );
  expect(found.map(({ key }) => key)).toEqual(['embedded.speed.to-sql']);
});

test('the report tells what was missed, what was not measured, and what is worse without a reason', () => {
  const before = report([figure(100)], true, { version: 'v0.0' });
  const after = report([figure(200)], false);
  expect(reportShape.parse(JSON.parse(JSON.stringify(after)))).toEqual(after);
  const changes = regressions(before, after, new Map());
  const text = drawReport(after, parts, 'def', judge(after, parts), { with: before.version, changes });
  expect(text).toContain('| it is quick, embedded PostgreSQL | MISSED | 4 ms |');
  expect(text).toContain('NOT MEASURED: there is none.');
  expect(text).toContain('| `embedded.speed.p99` | 100.00 ms | 200.00 ms | 100 % | NONE |');
  // What an earlier commit measured is said to be so.
  expect(text).toContain('Measured at commit abc.');
  expect(text.match(/did other things beside/g)).toHaveLength(1);
});

test('fixed arrival counts what waits behind a stall, which callers in turn would leave out', async () => {
  const stallMs = 300;
  const stalling = () => {
    let free = Promise.resolve();
    let asked = 0;
    // One at a time, as a single core: the twentieth holds up all that come while it lasts.
    return () => {
      asked += 1;
      const takes = asked === 20 ? stallMs : 0;
      free = free.then(() => new Promise<void>((resolve) => setTimeout(resolve, takes)));
      return free;
    };
  };
  const act = stalling();
  const { times, seconds } = await fixedArrival(200, 1, () => ({ kind: 'one', act }));
  const taken = [...(times.get('one') ?? [])].sort((a, b) => a - b);
  expect(taken.length).toBe(200);
  expect(seconds).toBeGreaterThan(0.9);
  // Some sixty of the two hundred were due while it stalled.
  expect(percentile(taken, 0.9)).toBeGreaterThan(stallMs / 4);
  const inTurn = stalling();
  const { p99, count } = await saturated(1, 2, inTurn);
  expect(count).toBeGreaterThan(100);
  expect(p99).toBeLessThan(stallMs / 4);
});

test('what is overrun is given up, and said to be so', async () => {
  const act = () => new Promise<void>((resolve) => setTimeout(resolve, 5000));
  const { isOverrun, seconds } = await fixedArrival(200, 20, () => ({ kind: 'one', act }));
  expect(isOverrun).toBe(true);
  expect(seconds).toBeLessThan(10);
});

test('an act that fails fails the measurement', async () => {
  const act = async () => {
    throw new Error('answered 500');
  };
  await expect(fixedArrival(100, 0.1, () => ({ kind: 'one', act }))).rejects.toThrow('answered 500');
});

test('percentiles, and chance that is the same for the same seed', () => {
  const hundred = Array.from({ length: 100 }, (_, index) => index + 1);
  expect([percentile(hundred, 0.5), percentile(hundred, 0.99), percentile([], 0.5)]).toEqual([50, 99, 0]);
  const drawn = (seed: number) => Array.from({ length: 5 }, seeded(seed));
  expect(drawn(7)).toEqual(drawn(7));
  expect(drawn(7)).not.toEqual(drawn(8));
});

test('of three rounds the one in the middle counts, whichever came first', () => {
  const rounds = [180, 5, 7].map((p99) => timingOf([1, p99], 1));
  expect(middleOf(rounds).p99).toBe(7);
  expect(middleOf([...rounds].reverse()).p99).toBe(7);
  expect(() => middleOf(rounds.slice(1))).toThrow('none of 2 measurements is in the middle');
});

test('the disk is asked until it is told to stop, and nothing of that is left', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'airtime-disk-'));
  try {
    let times: number[] = [];
    // A disk that others use may take a second for the first of them.
    for (let ms = 300; times.length < 2 && ms < 20_000; ms *= 3) {
      const disk = watchDisk(folder);
      await new Promise((resolve) => setTimeout(resolve, ms));
      times = await disk.stop();
    }
    expect(times.length).toBeGreaterThan(1);
    expect(Math.min(...times)).toBeGreaterThan(0);
    expect(readdirSync(folder)).toEqual([]);
    await expect(watchDisk(join(folder, 'none')).stop()).rejects.toThrow('ENOENT');
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('a thread that is woken takes its time, and no thread is left', async () => {
  const taken = await wakeUp();
  expect(taken).toBeGreaterThan(0);
  expect(taken).toBeLessThan(50);
});

test('an empty program takes as long as a process does, not as long as a call', async () => {
  const taken = await emptyNode();
  expect(taken).toBeGreaterThan(5);
  expect(taken).toBeLessThan(5000);
});

test('what the client collects of its own heap while it measures is counted', async () => {
  setFlagsFromString('--expose-gc');
  const collect: unknown = runInNewContext('gc');
  if (typeof collect !== 'function') throw new Error('there is no gc');
  const watch = watchCollections();
  collect();
  collect();
  await new Promise((resolve) => setTimeout(resolve, 50));
  collect();
  expect(await watch.stop()).toBeGreaterThanOrEqual(3);
  expect(await watchCollections().stop()).toBe(0);
});
