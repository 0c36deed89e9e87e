import { faultsLeft, lookAtInstant, lookAtWhole, memoryOf, renewalsOf, tablesOf, tripsOf, turnsOf } from './books.ts';
import { chat, dashboard, noteOnTicket, planFault, switchRoaming, topUp, trouble, useMany, useOnce } from './events.ts';
import type { Figures, Kind, MemorySample, SurfaceTimes, TableSample } from './gates.ts';
import { openPostOffice } from './mail.ts';
import { modelName, openTestModel } from './model.ts';
import { knowIds, loadStock, peopleOf, signUp, waysIn } from './people.ts';
import { doors, probe } from './probes.ts';
import { randomOf } from './random.ts';
import type { Size } from './size.ts';
import { openStack, pause, type Victim } from './stack.ts';
import { percentile, type Surface, Watch } from './watch.ts';
import { insist, mustTool, newLedger, noCounts, read, textOf, type World, withChance } from './world.ts';

export interface Kill {
  readonly hour: number;
  readonly victim: Victim;
  readonly startMs: number;
  /** Requests that were sent and had no answer yet at that instant. */
  readonly underWay: number;
  /** Tries that no answer came to. */
  readonly unanswered: number;
}

export interface Outcome {
  readonly figures: Figures;
  readonly kills: readonly Kill[];
  readonly faults: { readonly outside: number; readonly mail: number; readonly model: number };
  readonly days: number;
  readonly steps: number;
  readonly seconds: number;
  readonly unanswered: number;
  /** Answers that named a later time instead, outside of kills. */
  readonly later: number;
  /** Probes that were told to come back later: no refusal, and not counted. */
  readonly putOff: number;
  readonly postgres: string;
}

const hourMs = 3_600_000;
const timeZone = 'Asia/Singapore';
/** Two months are at most 62 days; then what fell due at the last boundary has its day too. */
const monthDays = 31;
const atOnce = 4;
/** The part of the run in which things are killed. */
const killedShare = 2 / 3;

const scannedKinds = [
  ['tools', 'scannedTools'],
  ['terminal', 'scannedTerminal'],
  ['chat', 'scannedChat'],
  ['mcp', 'scannedMcp'],
  ['pages', 'scannedPages'],
  ['mail', 'scannedMail'],
] as const satisfies readonly (readonly [Surface, Kind])[];

interface Step {
  readonly index: number;
  /** Hours since the beginning at which it ends. */
  readonly hour: number;
  readonly isHourly: boolean;
}

function stepsOf(size: Size): Step[] {
  const steps: Step[] = [];
  const end = (size.signUpDays + size.renewals * monthDays + 1) * 24;
  for (let hour = 0; hour < end; ) {
    const isHourly = hour < size.hourlyDays * 24;
    hour += isHourly ? 1 : size.laterHours;
    steps.push({ index: steps.length, hour, isHourly });
  }
  return steps;
}

/** How many of so many are due in this step: most of them come in the days that are stepped hour by hour. */
function share(total: number, steps: readonly Step[], step: Step, hourly = 0.8): number {
  const mine = steps.filter(({ isHourly }) => isHourly === step.isHourly);
  const place = mine.indexOf(step);
  const whole = total * (step.isHourly ? hourly : 1 - hourly);
  return Math.round(((place + 1) * whole) / mine.length) - Math.round((place * whole) / mine.length);
}

export async function soak(
  size: Size,
  options: { seed: number; dist: string; tell: (line: string) => void },
): Promise<Outcome> {
  const began = Date.now();
  const random = randomOf(options.seed);
  const watch = new Watch();
  const people = peopleOf({ random, size });
  const byEmail = new Map(people.map((who) => [who.email, who]));
  const post = await openPostOffice(({ to, source }) => {
    const reader = byEmail.get(to)?.customer;
    if (reader) watch.saw('mail', 'letter', reader, source, [to]);
  });
  const model = await openTestModel();
  const steps = stepsOf(size);
  const days = (steps.at(-1)?.hour ?? 0) / 24;
  const stack = await openStack({
    dist: options.dist,
    historyDays: Math.ceil(days) + 3,
    smtpUrl: post.url,
    modelUrl: model.url,
    modelName,
  });
  // Whoever is told to stop leaves nothing running.
  const stop = (): void => void stack.remove().finally(() => process.exit(130));
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, stop);
  const world: World = {
    stack,
    watch,
    ledger: newLedger(),
    post,
    model,
    random,
    size,
    seed: options.seed,
    counts: noCounts(),
    people,
    turns: [],
    notRefused: [],
    tally: { refusals: 0, records: 0, unanswered: 0, putOff: 0, chatTurns: 0, underWay: 0, later: 0 },
    errors: [],
    withModel: true,
    isKilling: false,
    now: new Date(),
  };
  const { counts } = world;
  const kills: Kill[] = [];
  const memory: MemorySample[] = [];
  const tables: TableSample[] = [];
  const lost: string[] = [];
  const breaches: string[] = [];
  const broken = new Set<string>();
  /** What stays broken is told once, with the hour at which it was first seen. */
  const keepBreaches = (hour: number, found: readonly string[]): void => {
    for (const one of found) {
      if (broken.has(one)) continue;
      broken.add(one);
      breaches.push(`hour ${hour}: ${one}`);
    }
  };
  let planned = 0;
  try {
    await stack.start(world.withModel);
    const [version] = await stack.ask<{ version: string }>(`SELECT current_setting('server_version') AS version`);
    const clock = await mustTool(world, 'clock.show', {});
    const start = new Date(textOf(clock, 'now'));
    world.now = start;
    const readTmf = (path: string) => read(world, path);

    await loadStock(world);

    // Everybody comes in their own hour, by one door after another.
    let arrived = 0;
    const victims: readonly [Victim, ...Victim[]] = ['server', 'database', 'server and database', 'server', 'gateway'];
    const target = (minimum: number) => Math.ceil(minimum * 1.15);
    const killSteps = new Map<number, Victim>();
    const killCount = Math.ceil(size.minimums.kills * 1.3) + 1;
    // The last third is one server's life: only there can be seen what it gathers.
    for (let kill = 0; kill < killCount; kill += 1) {
      const place = Math.floor(((kill + 0.7) * steps.length * killedShare) / killCount);
      killSteps.set(place, victims[kill % victims.length] ?? 'server');
    }
    let door = 0;
    const sampled = Math.max(1, Math.floor(steps.length / 40));

    for (const step of steps) {
      const victim = killSteps.get(step.index);
      world.isKilling = victim !== undefined;
      for (; arrived < people.length; arrived += 1) {
        const who = people[arrived];
        if (!who || (arrived * size.signUpDays * 24) / people.length >= step.hour) break;
        await signUp(world, who, waysIn[who.index % waysIn.length] ?? 'tmf');
      }
      const tasks: (() => Promise<unknown>)[] = [];
      const add = (count: number, task: (world: World) => Promise<unknown>): void => {
        for (let one = 0; one < count; one += 1) {
          const mine = withChance(world, randomOf(random.int(0, 2 ** 31 - 1)));
          tasks.push(() => task(mine));
        }
      };
      const due = (minimum: number, hourly?: number) => share(target(minimum), steps, step, hourly);
      const usages = due(size.minimums.usages);
      const singles = Math.max(1, Math.round(usages * 0.2));
      add(singles, useOnce);
      const streamed = Math.max(0, Math.round((usages - singles) * 1.05));
      if (streamed > 0) add(1, (mine) => useMany(mine, streamed));
      add(due(size.minimums.topUps * 1.6), topUp);
      add(due(size.minimums.dashboards * 1.3), dashboard);
      add(Math.ceil(due(size.minimums.chats) / 1.4), (mine) => chat(mine, mine.random.int(1, 2)));
      add(due(size.minimums.probes * 1.5), (mine) => {
        door += 1;
        return probe(mine, doors[door % doors.length] ?? 'tmf');
      });
      const faults = due(size.minimums.faults * 1.6);
      add(due(size.minimums.faults * 0.8), switchRoaming);
      if (random.chance(0.2)) add(1, noteOnTicket);
      // Faults are planned first, so that what follows meets them.
      if (!world.isKilling) for (let fault = 0; fault < faults; fault += 1) planned += await planFault(world);
      const shuffled = random.shuffled(tasks);
      if (victim === undefined) await together(shuffled);
      else {
        const unanswered = world.tally.unanswered;
        let isOver = false;
        // What was due may have been done by then: records of usage come until it has happened.
        const coming = async (mine: World): Promise<void> => {
          while (!isOver) await useOnce(mine);
        };
        const more = Array.from({ length: atOnce }, () => withChance(world, randomOf(random.int(0, 2 ** 31 - 1))));
        const working = Promise.all([together(shuffled), ...more.map(coming)]);
        // It may fail while the dead are raised: it is awaited after that.
        working.catch(() => undefined);
        // Something is under way at an instant like any other.
        await pause(random.int(20, 120));
        for (const deadline = Date.now() + 1000; world.tally.underWay === 0 && Date.now() < deadline; ) await pause(0);
        const { underWay } = world.tally;
        isOver = true;
        await stack.kill(victim);
        // The other half of the time the built-in assistant answers, for there is no model.
        if (victim !== 'gateway') world.withModel = !world.withModel;
        const startMs = await stack.start(world.withModel);
        await working;
        kills.push({ hour: step.hour, victim, startMs, underWay, unanswered: world.tally.unanswered - unanswered });
        if (victim !== 'gateway') {
          counts.kills += 1;
          if (underWay > 0) counts.killsUnderWay += 1;
        }
        const { looked, lost: missing } = await world.ledger.readLast(60, readTmf);
        counts.readBack += looked;
        lost.push(...missing.map((one) => `${one} after the kill of the ${victim}`));
        world.isKilling = false;
      }
      const to = new Date(start.getTime() + step.hour * hourMs);
      const moved = await insist(world, {
        surface: 'clock',
        path: '/tools/clock.advance',
        token: stack.token(),
        body: { to: to.toISOString() },
      });
      if (moved.status >= 300) throw new Error(`time did not move: ${moved.status} ${moved.text.slice(0, 300)}`);
      world.now = to;
      const found = await lookAtInstant(world);
      counts.invariantLooks += 1;
      keepBreaches(step.hour, found);
      const isDay = Math.floor(step.hour / 24) !== Math.floor((steps[step.index - 1]?.hour ?? 0) / 24);
      if (isDay) {
        await trouble(world);
        keepBreaches(step.hour, await lookAtWhole(world));
        counts.wholeLooks += 1;
        tables.push(await tablesOf(world, step.hour));
        options.tell(
          `day ${(step.hour / 24).toFixed(0).padStart(3)}  ${counts.usages} usages, ${counts.chats} turns, ${counts.probes} probes, ${kills.length} kills, ${Math.round((Date.now() - began) / 1000)} s`,
        );
      }
      if (step.index % sampled === sampled - 1) memory.push(memoryOf(world, step.hour));
    }

    // What was planned and has not struck is forgotten, and everything comes to its end.
    const left = await faultsLeft(world);
    await mustTool(world, 'sandbox.clear_faults', {});
    post.calm();
    const hours = steps.at(-1)?.hour ?? 0;
    keepBreaches(hours, await lookAtWhole(world));
    counts.wholeLooks += 1;
    tables.push(await tablesOf(world, hours));
    memory.push(memoryOf(world, hours));
    const all = await world.ledger.readAll(readTmf);
    counts.readBack += all.looked;
    lost.push(...all.lost);
    await knowIds(world);
    const faults = { outside: planned - left.gateway - left.network, mail: post.faults(), model: model.failures() };
    counts.faults = faults.outside + faults.mail + faults.model;
    counts.acknowledged = world.ledger.size;
    counts.answersScanned = watch.scanned;
    for (const [surface, kind] of scannedKinds) counts[kind] = watch.scannedBy.get(surface) ?? 0;
    counts.ownSeen = watch.ownSeen;
    counts.memorySamples = memory.length;
    const renewals = await renewalsOf(world, timeZone);
    // How many came due; whether each was charged once is the gate's to judge.
    counts.renewals = renewals.due;
    const figures: Figures = {
      counts,
      trips: await tripsOf(world),
      refusals: world.tally.refusals,
      notRefused: world.notRefused,
      leaks: watch.leaks,
      turns: await turnsOf(world),
      chat: [
        { model: modelName, ...timesOf(watch, 'chat with a model') },
        { model: 'built-in assistant', ...timesOf(watch, 'chat by rules') },
      ],
      lost,
      errors: world.errors,
      breaches,
      renewals,
      memory,
      tables,
      times: [...watch.times.keys()].filter((name) => !name.startsWith('chat')).map((name) => timesOf(watch, name)),
    };
    return {
      figures,
      kills,
      faults,
      days: hours / 24,
      steps: steps.length,
      seconds: Math.round((Date.now() - began) / 1000),
      unanswered: world.tally.unanswered,
      later: world.tally.later,
      putOff: world.tally.putOff,
      postgres: version?.version ?? '',
    };
  } catch (error) {
    throw new Error(`${error instanceof Error ? error.message : String(error)}\n${stack.logEnd()}`, { cause: error });
  } finally {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, stop);
    for (const { agent } of people) await agent?.close().catch(() => undefined);
    await stack.remove();
    await post.close();
    await model.close();
  }
}

function timesOf(watch: Watch, surface: string): SurfaceTimes {
  const values = watch.times.get(surface) ?? [];
  return {
    surface,
    count: values.length,
    p50: percentile(values, 50),
    p99: percentile(values, 99),
    longest: percentile(values, 100),
  };
}

/** Does them all, a few at a time. The first that fails is the fault of the run. */
async function together(tasks: readonly (() => Promise<unknown>)[]): Promise<void> {
  const waiting = [...tasks];
  const work = async (): Promise<void> => {
    for (let task = waiting.shift(); task !== undefined; task = waiting.shift()) await task();
  };
  await Promise.all(Array.from({ length: atOnce }, work));
}
