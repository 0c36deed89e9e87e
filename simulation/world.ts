import { OutcomeUnknown } from '../adapters/outcome.ts';
import { AirtimeError } from '../kernel/error.ts';
import { idSource } from '../kernel/id.ts';
import { catalogueJobSteps } from '../policy/catalogue/jobs.ts';
import type { AnyDefinition, ExecuteOptions, Policy } from '../policy/core/command.ts';
import { run } from '../policy/core/command.ts';
import {
  type ClaimedStep,
  claimSteps,
  LeaseLost,
  putBack,
  type StepContext,
  type StepDefinition,
  stepContext,
  TryLater,
} from '../policy/core/flow.ts';
import { runStatement, type Tx } from '../policy/core/transaction.ts';
import { recordContact } from '../policy/interaction/contact.ts';
import { settingsSchema } from '../policy/setting/settings.ts';
import { steps } from '../policy/steps.ts';
import { makeAlertWitness } from './alerts.ts';
import { checkAll, checkInstant, makeWitness, Violation, type Witness } from './checks.ts';
import type { SimulatedDatabase } from './database.ts';
import { count, drawFaultPlan, type FaultKind, type FaultPlan, type Tally } from './faults.ts';
import { type Listener, makeListener } from './listener.ts';
import { stepNames } from './names.ts';
import { operator } from './operator.ts';
import {
  type Calling,
  filesFor,
  type GatewayNotice,
  NoAnswer,
  type OtherSides,
  openOtherSides,
  outsideFor,
} from './outside.ts';
import { type Random, randomOf } from './random.ts';
import { makeTurns, type Task } from './turns.ts';

const named = (of: readonly StepDefinition[]) => new Map(of.map((step) => [`${step.flow}.${step.step}`, step]));
const definitions = named(steps);
const publicUrl = 'https://bss.example';

const leaseSeconds = 15;
/** So many points a step passes in one run, more or less. */
const pointsOfStep = 6;
const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;

/** What a run of one seed went through. */
export interface Tallies {
  turns: number;
  stepsRun: Tally;
  actions: Tally;
  refusals: Tally;
  faults: Tally<FaultKind>;
  /** By step. */
  crashes: Tally;
  /** The same by step and point: `order.capture, before gateway.capture`. */
  crashPoints: Tally;
  deliveries: number;
  simulatedMs: number;
}

/** One simulated house: its database, its clock, its processes, and everything that happens to it, one turn at a time. */
export interface World {
  readonly random: Random;
  readonly policy: Policy;
  readonly sides: OtherSides;
  readonly faults: FaultPlan;
  readonly tallies: Tallies;
  /** What happened, a line for each thing. */
  readonly trace: string[];
  now(): Date;
  say(line: string): void;
  /** Reads the database; nothing moves. */
  read<Row extends object>(sql: string, ...values: readonly unknown[]): Promise<Row[]>;
  /** Does one thing as a client: a task of its own, which may be interrupted wherever it asks somebody. */
  act(name: string, work: (client: Client) => Promise<string | undefined>): Promise<void>;
  /** One turn of chance: something goes on, begins, breaks, or time passes. Without `begins` nobody asks for more. */
  turn(begins: boolean): Promise<void>;
  /** Whether anything that is due is left to do. */
  hasWork(): Promise<boolean>;
  /** Without faults, until nothing that is due is left; then everything must be in order. */
  comeToRest(): Promise<void>;
  /** Moves time. */
  pass(milliseconds: number): Promise<void>;
  /** To the next instant at which something falls due; just before it, or a little late, as a worker may be. */
  passToDue(): Promise<void>;
}

/** Whoever asks the house for something. */
export interface Client {
  readonly policy: Policy;
  /** The command's answer, or the code of the rule that refused it. Anything else is a defect and ends the seed. */
  do(definition: AnyDefinition, input: unknown, options?: ExecuteOptions): Promise<Answered>;
}

export interface Answered {
  /** `done`, `unknown` when no answer came, or the code of a refusal. */
  outcome: string;
  answer: unknown;
}

interface Process {
  name: string;
  resting: Task[];
  alive: boolean;
}

/** A failure that was planted, or that the house is made to live with. */
function isExpected(error: unknown): boolean {
  return (
    error instanceof OutcomeUnknown ||
    error instanceof NoAnswer ||
    error instanceof TryLater ||
    error instanceof LeaseLost ||
    (error instanceof AirtimeError && error.status === 503)
  );
}

const connectionLost = (): Error =>
  Object.assign(new Error('simulated: the connection to the database is gone'), { code: '57P01' });

/** What the seed does beside the chances of each turn. */
export interface Actor {
  /** Begins something: one of the seed's actions. */
  begin(world: World): Promise<void>;
  /** What the other sides tell until it is heard. */
  takeNotice(notice: GatewayNotice, client: Client): Promise<unknown>;
}

export async function openWorld(seed: number, database: SimulatedDatabase, actor: Actor): Promise<World> {
  const { pool } = database;
  const random = randomOf(seed).fork('turns');
  const crashing = randomOf(seed).fork('crashes');
  const faults = drawFaultPlan(randomOf(seed).fork('faults'));
  // Beginnings on the last days of a month, and at the turn of the local day, are where calendars go wrong.
  const startDay = random.chance(0.6) ? random.int(28, 31) : random.int(1, 27);
  let nowMs = Date.UTC(2027, random.int(0, 11), startDay, random.int(0, 23), random.int(0, 59), random.int(0, 59));
  const beginMs = nowMs;
  const now = (): Date => new Date(nowMs);
  const sides = await openOtherSides(now);
  const witness: Witness = makeWitness(pool, sides);
  const alerts = makeAlertWitness(pool);
  const trace: string[] = [];
  const tallies: Tallies = {
    turns: 0,
    stepsRun: new Map(),
    actions: new Map(),
    refusals: new Map(),
    faults: faults.struck,
    crashes: new Map(),
    crashPoints: new Map(),
    deliveries: 0,
    simulatedMs: 0,
  };
  const turns = makeTurns();
  const crashRate = crashing.pick([0.002, 0.01, 0.03]);
  // This seed dies more often in one step.
  const favourite = stepNames[seed % stepNames.length] ?? '';
  // Most seeds also die once in each step they meet, each time at another of its points: what is rarely run would else be
  // rarely died in, and what has many points mostly at its first.
  const planned = crashing.chance(0.75);
  const pointsLeft = new Map(stepNames.map((name) => [name, crashing.int(1, pointsOfStep)]));
  const settings = settingsSchema.parse({
    actionTimeoutMinutes: random.pick([1, 4]),
    numberQuarantineDays: random.pick([1, 3, 90]),
    unpaidTerminationDays: random.pick([2, 5, 35]),
  });
  const newId = idSource(() => nowMs, randomOf(seed).fork('ids').next);
  const bare = { pool, newId, settings, rulesOff: new Set<string>(), recordContact };

  let processes: Process[] = [];
  let started = 0;
  const late: { at: string; send: () => Promise<unknown> }[] = [];
  const stalled = new Map<Task, number>();
  let changed = true;

  const say = (line: string): void => {
    trace.push(`${((nowMs - beginMs) / second).toFixed(3)} ${line}`);
  };

  function startProcess(): Process {
    started += 1;
    const process: Process = { name: `p${started}`, resting: [], alive: true };
    processes.push(process);
    return process;
  }

  function kill(process: Process, why: string): void {
    say(`${process.name} dies ${why}`);
    process.alive = false;
    for (const task of process.resting) stalled.delete(task);
    processes = processes.filter((one) => one !== process);
    startProcess();
  }

  /** A task of a process. It rests at every point, and dies there when the process does. */
  async function begin(
    process: Process,
    name: string,
    work: (hand: Hand) => Promise<void>,
    stepName?: string,
  ): Promise<void> {
    const task = await turns.begin(name, (self) => work(handOf(process, self, stepName)));
    if (task.restsAt !== undefined && process.alive) process.resting.push(task);
  }

  interface Hand {
    readonly policy: Policy;
    /** The step of this name, whose files are those of this world. */
    definition(name: string): StepDefinition | undefined;
    point(at: string): Promise<void>;
    /** Whether the process is to die here, inside a transaction: then what is thrown rolls it back. */
    diesInside(): boolean;
    die(at: string): Promise<never>;
  }

  function crashes(stepName: string | undefined): boolean {
    if (faults.calm) return false;
    const strikes = crashing.chance(stepName === favourite ? 0.25 : crashRate);
    const left = stepName === undefined ? 0 : (pointsLeft.get(stepName) ?? 0);
    if (stepName === undefined || left === 0) return strikes;
    pointsLeft.set(stepName, left - 1);
    return strikes || (planned && left === 1);
  }

  function handOf(process: Process, task: Task, stepName: string | undefined): Hand {
    const die = (at: string): Promise<never> => {
      if (stepName !== undefined) {
        count(tallies.crashes, stepName);
        count(tallies.crashPoints, `${stepName}, ${at}`);
      }
      kill(process, `at ${task.name}, ${at}`);
      return task.vanish();
    };
    const point = async (at: string): Promise<void> => {
      if (crashes(stepName)) return die(at);
      await task.rest(at);
    };
    const calling: Calling = {
      faults,
      point,
      async stall(at) {
        stalled.set(task, nowMs + crashing.int(1, 40) * second);
        await task.rest(at);
      },
      later: (at, send) => late.push({ at, send }),
    };
    const policy: Policy = { ...bare, outside: outsideFor(sides, calling) };
    return {
      policy,
      definition: (name) =>
        definitions.get(name) ?? named(catalogueJobSteps({ files: filesFor(sides, calling), publicUrl })).get(name),
      point,
      diesInside: () => crashes(stepName),
      die,
    };
  }

  class DiesHere extends Error {}

  /** The same context, whose transactions are points, and whose connections break. */
  function interrupted(context: StepContext, hand: Hand): StepContext {
    const around =
      (kind: 'during' | 'finish') =>
      async <T>(command: string, work: (tx: Tx) => Promise<T>): Promise<T> => {
        await hand.point(`before ${command}`);
        const dies = hand.diesInside();
        const loses = !dies && faults.strikes('connection lost before commit');
        let made: T;
        try {
          made = await context[kind](command, async (tx) => {
            const result = await work(tx);
            if (dies) throw new DiesHere();
            if (loses) throw connectionLost();
            return result;
          });
        } catch (error) {
          if (error instanceof DiesHere) return hand.die(`before the commit of ${command}`);
          throw error;
        }
        changed = true;
        if (faults.strikes('answer to commit lost'))
          throw new AirtimeError(503, 'outcomeUnknown', 'simulated: the answer to COMMIT was lost');
        await hand.point(`after ${command}`);
        return made;
      };
    return {
      ...context,
      policy: hand.policy,
      outside: hand.policy.outside,
      during: around('during'),
      finish: around('finish'),
    };
  }

  async function runStep(process: Process, step: ClaimedStep): Promise<void> {
    const name = `${step.flow}.${step.step}`;
    await begin(
      process,
      `${name} ${step.subject}`,
      async (hand) => {
        count(tallies.stepsRun, name);
        try {
          const definition = hand.definition(name);
          if (!definition) throw new Violation('work: every step that is scheduled is known', { name });
          await hand.point('begin');
          await definition.run(interrupted(stepContext(hand.policy, step), hand));
          say(`${process.name} ${name} ${step.subject} done`);
        } catch (error) {
          if (error instanceof Violation) throw error;
          const reason = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
          if (!isExpected(error))
            throw new Violation('work: a step fails only for a reason that is known', { name, reason });
          say(`${process.name} ${name} ${step.subject} put back: ${reason}`);
          if (error instanceof LeaseLost) return;
          await hand.point('put back');
          await putBack(hand.policy, step, reason);
        }
      },
      name,
    );
  }

  async function claim(process: Process, limit: number): Promise<number> {
    const claimed = await claimSteps({ ...bare, outside: outsideOfNobody }, process.name, limit, leaseSeconds);
    for (const step of claimed) {
      if (!process.alive) return claimed.length;
      say(`${process.name} claims ${step.flow}.${step.step} ${step.subject} try ${step.attempts}`);
      await runStep(process, step);
    }
    return claimed.length;
  }

  const outsideOfNobody = outsideFor(sides, {
    faults,
    point: async () => undefined,
    stall: async () => undefined,
    later: () => undefined,
  });

  async function setClock(ms: number): Promise<void> {
    nowMs = ms;
    tallies.simulatedMs = nowMs - beginMs;
    await pool.query('UPDATE simulated.machine SET "at" = $1', [now()]);
  }

  const listener: Listener = makeListener({
    policy: { ...bare, pool: database.narrow, outside: outsideOfNobody },
    random: randomOf(seed).fork('listener'),
    faults,
    now,
    setClock,
    say,
    delivered: () => {
      tallies.deliveries += 1;
    },
  });

  async function goOn(process: Process, task: Task): Promise<void> {
    process.resting = process.resting.filter((one) => one !== task);
    stalled.delete(task);
    await turns.goOn(task);
    if (task.restsAt !== undefined && process.alive) process.resting.push(task);
  }

  const ready = (): [Process, Task][] =>
    processes.flatMap((process) =>
      process.resting
        .filter((task) => (stalled.get(task) ?? 0) <= nowMs)
        .map((task): [Process, Task] => [process, task]),
    );

  async function arrive(): Promise<void> {
    const next = late.shift();
    if (!next) return;
    const before = new Set<string>();
    for await (const operation of sides.gateway.book()) before.add(operation.gatewayReference);
    say(`late arrival: ${next.at}`);
    await next.send().catch(() => undefined);
    for await (const { kind, gatewayReference } of sides.gateway.book())
      if (kind === 'authorise' && !before.has(gatewayReference)) witness.unheard.add(gatewayReference);
  }

  async function nextDue(): Promise<Date | undefined> {
    const [row] = await world.read<{ at: Date | null }>(
      `SELECT min("due_at") AS at FROM "flow_step" WHERE "state" = 'waiting' AND "due_at" > $1`,
      now(),
    );
    return row?.at ?? undefined;
  }

  /** Days pass mostly while nobody is at work; a worker that sleeps for days in the middle of a step is rare. */
  async function passSome(isBusy: boolean): Promise<void> {
    const rarely = isBusy ? 0.03 : 1;
    const way = random.weighted<'moment' | 'seconds' | 'lease' | 'hours' | 'due' | 'days'>([
      [30, 'moment'],
      [20, 'seconds'],
      [8, 'lease'],
      [4 * rarely, 'hours'],
      [10 * rarely, 'due'],
      [3 * rarely, 'days'],
    ]);
    if (way === 'moment') return world.pass(random.int(1, 200));
    if (way === 'seconds') return world.pass(random.int(200, 5000));
    if (way === 'lease') return world.pass(random.int(10, 45) * second);
    if (way === 'hours') return world.pass(random.int(1, 30) * hour);
    if (way === 'days') return world.pass(random.int(1, 12) * day + random.int(0, day));
    return world.passToDue();
  }

  async function settle(check: () => Promise<void>): Promise<void> {
    while (late.length > 0) await arrive();
    for (const notice of sides.notices.splice(0)) {
      await world.act('notice of the gateway', async (client) => {
        await actor.takeNotice(notice, client);
        return notice.gatewayReference;
      });
    }
    const deadline = 6000;
    for (let round = 0; ; round += 1) {
      if (round > deadline) throw new Violation('work: every flow comes to an end', { rounds: round });
      const [next] = processes.flatMap((process) => process.resting.map((task): [Process, Task] => [process, task]));
      if (next) {
        const until = stalled.get(next[1]) ?? 0;
        if (until > nowMs) await setClock(until);
        await goOn(...next);
        await check();
        continue;
      }
      const [process] = processes;
      if (process && (await claim(process, 1)) > 0) {
        await check();
        continue;
      }
      // Work that waits out a pause, or a lease of a process that is gone.
      const [waiting] = await world.read<{ at: Date | null }>(
        `SELECT min(greatest("not_before", "leased_until")) AS at FROM "flow_step" WHERE "state" = 'waiting' AND "due_at" <= $1`,
        now(),
      );
      if (!waiting?.at) return;
      await setClock(Math.max(nowMs + 1, waiting.at.getTime() + 1));
    }
  }

  const check = async (): Promise<void> => {
    tallies.turns += 1;
    await witness.look();
    if (!changed) return;
    changed = false;
    await checkInstant(pool);
    await alerts.look();
  };

  const world: World = {
    random,
    policy: { ...bare, outside: outsideOfNobody },
    sides,
    faults,
    tallies,
    trace,
    now,
    say,
    read: (sql, ...values) => runStatement(pool, sql, values),

    async act(name, work) {
      const process = processes[random.int(0, processes.length - 1)];
      if (!process) throw new Error('there is always a process');
      await begin(process, name, async (hand) => {
        const client: Client = {
          policy: hand.policy,
          async do(definition, input, options = {}) {
            const loses = faults.strikes('connection lost before commit');
            try {
              const answer = await run(hand.policy, definition, input, operator, {
                ...options,
                ...(loses ? { alongside: async () => Promise.reject(connectionLost()) } : {}),
              });
              changed = true;
              if (faults.strikes('answer to commit lost')) return { outcome: 'unknown', answer: undefined };
              await hand.point(`after ${definition.name}`);
              return { outcome: 'done', answer };
            } catch (error) {
              if (error instanceof AirtimeError && error.status < 500) {
                count(tallies.refusals, error.reason);
                return { outcome: error.reason, answer: undefined };
              }
              if (isExpected(error)) return { outcome: 'unknown', answer: undefined };
              const reason = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
              throw new Violation('commands: a command fails only for a reason that is known', {
                command: definition.name,
                reason,
              });
            }
          },
        };
        const became = await work(client);
        if (became === undefined) return;
        // Not all of it went through `do`.
        changed = true;
        count(tallies.actions, name);
        say(`${process.name} ${name}: ${became}`);
      });
    },

    async turn(begins) {
      const going = ready();
      const what = random.weighted<'goOn' | 'claim' | 'act' | 'arrive' | 'pass' | 'tell' | 'die'>([
        [going.length > 0 ? 14 : 0, 'goOn'],
        [6, 'claim'],
        [!begins ? 0 : going.length < 10 ? 7 : 1, 'act'],
        [late.length > 0 ? 1 : 0, 'arrive'],
        [going.length > 0 ? 1.5 : 3, 'pass'],
        [0.5, 'tell'],
        [0.05, 'die'],
      ]);
      if (what === 'goOn') {
        const chosen = going[random.int(0, going.length - 1)];
        if (chosen) await goOn(...chosen);
      } else if (what === 'claim') {
        const process = processes[random.int(0, processes.length - 1)];
        if (process) await claim(process, random.int(1, 3));
      } else if (what === 'act') await actor.begin(world);
      else if (what === 'arrive') await arrive();
      else if (what === 'pass') await passSome(!begins || going.length > 0);
      else if (what === 'tell') await listener.turn();
      else if (what === 'die') {
        const process = processes[random.int(0, processes.length - 1)];
        if (process) kill(process, 'at rest');
      }
      await check();
      if (tallies.turns % 150 === 0) await checkAll(pool, sides, witness, { quiet: false });
    },

    async hasWork() {
      if (processes.some(({ resting }) => resting.length > 0)) return true;
      const [row] = await world.read<{ work: boolean }>(
        `SELECT EXISTS (SELECT FROM "flow_step" WHERE "state" = 'waiting' AND "due_at" <= $1) AS work`,
        now(),
      );
      return row?.work === true;
    },

    async comeToRest() {
      faults.calm = true;
      await settle(check);
      await checkAll(pool, sides, witness, { quiet: true });
      await listener.comeToRest();
      faults.calm = false;
      say('at rest');
    },

    pass: (milliseconds) => setClock(nowMs + milliseconds),
    async passToDue() {
      const due = await nextDue();
      if (due) await setClock(Math.max(nowMs, due.getTime() + random.pick([-1, 0, 0, 0, 1, 1700, 3 * hour])));
    },
  };
  startProcess();
  startProcess();
  await setClock(nowMs);
  await listener.open();
  return world;
}
