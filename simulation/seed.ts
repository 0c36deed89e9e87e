import { createHash } from 'node:crypto';
import { actions, beginAction, firstStock, takeNotice } from './actions.ts';
import { Violation } from './checks.ts';
import type { Cluster } from './database.ts';
import { openWorld, type Tallies, type World } from './world.ts';

export interface SeedResult {
  readonly seed: number;
  /** SHA-256 of everything that happened and everything that was recorded: the same for the same seed. */
  readonly hash: string;
  readonly trace: readonly string[];
  readonly tallies: Tallies;
  readonly violation?: { invariant: string; message: string };
}

const chapters = 2;
const turnsInChapter = 60;
const turnsAtDueInstant = 8;
/** So long is what was begun pushed on through its faults before it is left to come to rest without them. */
const turnsOfWork = 120;

/** Lives one seed from the first day to the last. A violation ends it; anything else that fails is thrown. */
export async function runSeed(cluster: Cluster, seed: number): Promise<SeedResult> {
  const database = await cluster.open();
  try {
    const world = await openWorld(seed, database, { begin: beginAction, takeNotice });
    let violation: SeedResult['violation'];
    try {
      await live(world);
    } catch (error) {
      violation = violationOf(error);
      world.say(`VIOLATION ${violation.message}`);
    }
    return {
      seed,
      hash: await hashOf(world),
      trace: world.trace,
      tallies: world.tallies,
      ...(violation === undefined ? {} : { violation }),
    };
  } finally {
    await database.close();
  }
}

async function live(world: World): Promise<void> {
  world.faults.calm = true;
  await firstStock(world);
  await begun(world);
  world.faults.calm = false;
  for (let chapter = 0; chapter < chapters; chapter += 1) {
    for (let turn = 0; turn < turnsInChapter; turn += 1) await world.turn(true);
    await work(world);
    // Then time goes on from one due instant to the next: boundaries, expiries, ends.
    for (let instant = world.random.int(0, 7); instant > 0; instant -= 1) {
      await world.passToDue();
      for (let turn = 0; turn < turnsAtDueInstant; turn += 1) await world.turn(true);
      await work(world);
    }
    await world.comeToRest();
  }
}

async function work(world: World): Promise<void> {
  for (let turn = 0; turn < turnsOfWork; turn += 1) {
    if (turn % 10 === 0 && !(await world.hasWork())) return;
    await world.turn(false);
  }
}

/** A first customer with a line, so that no seed is spent without one. */
async function begun(world: World): Promise<void> {
  const [signUp, order] = ['sign up', 'order a plan'].map((name) => actions.find((one) => one.name === name));
  for (const action of [signUp, order, signUp, order])
    if (action) await world.act(action.name, (client) => action.run(world, client));
}

function violationOf(error: unknown): { invariant: string; message: string } {
  if (error instanceof Violation) return { invariant: error.invariant, message: error.message };
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { invariant: 'the house does not break', message };
}

async function hashOf(world: World): Promise<string> {
  const hash = createHash('sha256').update(world.trace.join('\n'));
  const events = await world.read<{ digest: string | null }>(
    `SELECT md5(string_agg(concat_ws(' ', "id", "type", "resource_id", "command", "occurred_at", "resource"::text), '|' ORDER BY "position")) AS digest FROM "event"`,
  );
  return hash.update(events[0]?.digest ?? '').digest('hex');
}
