import { parseArgs } from 'node:util';
import { remoteCardGateway, remoteNetwork } from '../../adapters/sandbox/remote.ts';
import { paths } from '../../app/configuration.ts';
import { startEmbedded } from '../../app/database/embedded-postgres.ts';
import { randomOf } from '../random.ts';
import { judgeBooks } from './books.ts';
import { beginLoad, type Load, type Told } from './load.ts';
import { openStack, pause, type Stack, type Victim, victims } from './stack.ts';

/**
 * `kill -9` of the server, of PostgreSQL and of the gateway, again and again under load on the same folders. What was
 * acknowledged is kept here, in another process, and must be there after every start; what was in hand must come to its
 * end; money must have been taken once.
 */
const flowsEndMsMax = 60_000;
/** For so long a kill waits for the instant at which somebody is at work. */
const patienceMs = 3000;
/** So many of those that were there before are looked at again after each start; all of them at the end. */
const sample = 150;
/** The share of kills that must strike in the middle of a flow. */
const midFlowShare = 0.5;

interface Kill {
  victim: Victim;
  /** Steps that were leased when it struck. */
  steps: string[];
  startMs: number;
}

const leased = `SELECT "id" FROM "flow_step" WHERE "state" = 'waiting' AND "leased_by" IS NOT NULL AND "leased_until" > clock_timestamp()`;

/** What is due, or soon will be. */
const due = `SELECT "id", "step" FROM "flow_step" WHERE "state" = 'waiting' AND "due_at" <= business_now() + interval '5 minutes'`;

async function leasedSteps(stack: Stack): Promise<string[]> {
  return ((await stack.ask<{ id: string }>(leased)) ?? []).map(({ id }) => id);
}

/** Kills at an instant at which steps are in hand, if one comes soon. @returns those that were, seen by the dead's own rows. */
async function strike(stack: Stack, victim: Victim): Promise<string[]> {
  const deadline = Date.now() + patienceMs;
  let before: string[] = [];
  while (before.length === 0 && Date.now() < deadline) before = await leasedSteps(stack);
  await stack.kill(victim);
  // A lease of the dead stays in its row: what finished between our look and the kill is not counted.
  if (victim === 'server') return leasedSteps(stack);
  if (victim !== 'gateway') return before;
  const still = new Set(await leasedSteps(stack));
  return before.filter((step) => still.has(step));
}

async function judge(stack: Stack, load: Load): Promise<string[]> {
  const database = await startEmbedded({ directory: paths(stack.home).postgres, log: () => undefined });
  const { faults, captures } = await judgeBooks(
    { databaseUrl: database.serverUrl, gatewayUrl: stack.gatewayUrl, secret: stack.secret },
    load,
  );
  row('captures in the gateway’s book', captures);
  return faults;
}

function row(name: string, value: number | string, remark = ''): void {
  process.stdout.write(`  ${name.padEnd(48)}${String(value).padStart(10)}${remark === '' ? '' : `  ${remark}`}\n`);
}

function drawnFrom(all: readonly Told[], from: number, random: () => number): Told[] {
  const old = Array.from({ length: Math.min(sample, from) }, () => all[Math.floor(random() * from)]);
  return [...all.slice(from), ...old.filter((one) => one !== undefined)];
}

async function run(stack: Stack, crashes: number, seed: number): Promise<string[]> {
  const random = randomOf(seed);
  const faults: string[] = [];
  const kills: Kill[] = [];
  await stack.start();
  // Calls that take a moment: otherwise a flow is over before anybody can be killed in the middle of it.
  const slow = { mode: 'stall', stallMs: 60 } as const;
  await remoteCardGateway(stack.gatewayUrl, stack.secret).plan(slow);
  await remoteNetwork(stack.gatewayUrl, stack.secret).plan(slow);
  const load = await beginLoad(stack, random);
  let known = 0;
  /** Steps that were in hand at a kill and have not ended, and since which start. */
  const awaited = new Map<string, number>();
  let longestMs = 0;

  const lookAtAwaited = async (): Promise<void> => {
    if (awaited.size === 0) return;
    const open = await stack.ask<{ id: string }>(
      `SELECT "id" FROM "flow_step" WHERE "id" = ANY ($1) AND "state" = 'waiting'`,
      [[...awaited.keys()]],
    );
    if (!open) return;
    const still = new Set(open.map(({ id }) => id));
    for (const [id, since] of awaited) {
      if (still.has(id)) continue;
      longestMs = Math.max(longestMs, Date.now() - since);
      awaited.delete(id);
    }
  };

  for (let round = 0; round < crashes; round += 1) {
    const victim = victims[round % victims.length] ?? 'all';
    await pause(200 + random.int(0, 800));
    await lookAtAwaited();
    const acknowledged = load.told.length;
    const steps = await strike(stack, victim);
    const startMs = await stack.start();
    kills.push({ victim, steps, startMs });
    // A process that is killed again begins again: each start gives what is in hand another minute.
    for (const id of [...awaited.keys(), ...steps]) awaited.set(id, Date.now());
    const lost = await load.findLost(drawnFrom(load.told.slice(0, acknowledged), known, random.next));
    for (const one of lost) faults.push(`lost after kill ${round + 1} of the ${victim}: ${one}`);
    known = acknowledged;
    if ((round + 1) % 10 === 0) process.stdout.write(`${round + 1} kills, ${load.told.length} writes acknowledged\n`);
  }

  const restarted = Date.now();
  await pause(500);
  await load.stop();
  // An order may be at its end with letters and calls of the network still to go: the books are judged when all is done.
  const workLeft = async (): Promise<string[]> =>
    (
      (await stack.ask<{ id: string; step: string }>(due)) ?? [{ id: 'unknown', step: 'the database did not answer' }]
    ).map(({ id, step }) => `${id} (${step})`);
  let [open, left] = [await load.openOrders(), await workLeft()];
  while ((open.length > 0 || left.length > 0 || awaited.size > 0) && Date.now() - restarted < flowsEndMsMax) {
    await pause(100);
    await lookAtAwaited();
    [open, left] = [await load.openOrders(), await workLeft()];
  }
  const endedMs = Date.now() - restarted;
  for (const id of open) faults.push(`order ${id} has not ended a minute after the last start`);
  for (const step of left) faults.push(`step ${step} is still to do a minute after the last start`);
  for (const id of awaited.keys()) faults.push(`step ${id} has not ended a minute after the last start`);
  for (const one of await load.findLost(load.told)) faults.push(`lost at the end: ${one}`);
  faults.push(...load.refusals.map((one) => `refused: ${one}`));
  // What was told and is not so would have been found.
  const [one] = load.told;
  if (!one || (await load.findLost([{ ...one, document: { ...one.document, id: 'usg_never' } }])).length !== 1)
    faults.push('the ledger does not notice what is missing');

  const midFlow = kills.filter(({ steps }) => steps.length > 0).length;
  process.stdout.write(`\nCrashes (seed ${seed})\n`);
  row('kill -9', kills.length);
  for (const victim of victims) {
    const of = kills.filter((one) => one.victim === victim);
    row(`  of the ${victim}`, of.length, `${of.filter(({ steps }) => steps.length > 0).length} mid-flow`);
  }
  row(
    'mid-flow, steps leased at the kill',
    midFlow,
    `${kills.reduce((sum, { steps }) => sum + steps.length, 0)} steps`,
  );
  const starts = kills.map(({ startMs }) => startMs).sort((a, b) => a - b);
  row(
    'start after a kill, median and longest, ms',
    `${starts[Math.floor(starts.length / 2)] ?? 0}`,
    `${starts.at(-1) ?? 0}`,
  );
  row('acknowledged writes', load.told.length, `${load.orders.length} orders`);
  row('tries without an answer', load.unanswered());
  row('longest until a step in hand ended, ms', longestMs);
  row('until every flow had ended, ms', endedMs);
  if (midFlow < crashes * midFlowShare)
    faults.push(`only ${midFlow} of ${crashes} kills struck in the middle of a flow`);
  // The books are read with no server alive.
  await stack.stopServer();
  return [...faults, ...(await judge(stack, load))];
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { crashes: { type: 'string', default: '6' }, seed: { type: 'string', default: '1' } },
  });
  const began = Date.now();
  const stack = await openStack();
  try {
    const faults = await run(stack, Number(values.crashes), Number(values.seed));
    row('seconds', Math.round((Date.now() - began) / 1000));
    row('faults', faults.length);
    for (const fault of faults.slice(0, 20)) process.stdout.write(`  ${fault}\n`);
    process.exitCode = faults.length === 0 ? 0 : 1;
  } finally {
    await stack.remove();
  }
}

await main();
process.exit();
