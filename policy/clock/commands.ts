import { z } from 'zod';
import { command } from '../core/command.ts';
import { appendEvent } from '../core/event.ts';
import { rule } from '../core/rule.ts';
import { findRow, insertRow, updateRows } from '../core/table.ts';
import type { Tx } from '../core/transaction.ts';

interface ClockFacts {
  sandboxed: boolean;
  to: Date | undefined;
  /** The instant that something was last recorded at; none in an empty database, which may begin in the past. */
  recorded: Date | undefined;
}

async function lastRecorded(tx: Tx): Promise<Date | undefined> {
  const [row] = await tx.sql<{
    at: Date | null;
  }>`SELECT greatest((SELECT max("occurred_at") FROM (SELECT "occurred_at" FROM "event" ORDER BY "position" DESC LIMIT 1000) e),
    (SELECT "frozen_at" FROM "business_clock")) AS at`;
  return row?.at ?? undefined;
}

export const clockNeedsSandboxes = rule<ClockFacts>({
  code: 'clock.needs_sandboxes',
  sentence:
    'Business time can be moved only while card gateway and network are sandboxes: a movable clock never meets a real card.',
  kept: (facts) => facts.sandboxed,
});

export const clockNeverGoesBack = rule<ClockFacts>({
  code: 'clock.never_goes_back',
  sentence: 'Business time never goes behind what has been recorded.',
  status: 409,
  kept: (facts) => facts.to === undefined || facts.recorded === undefined || facts.to >= facts.recorded,
  shown: (facts) => ({ to: facts.to?.toISOString() ?? null, recorded: facts.recorded?.toISOString() ?? null }),
});

async function setClock(
  tx: Tx,
  mode: 'wall' | 'frozen',
  frozenAt: Date | null,
): Promise<{ mode: string; now: string }> {
  const row = await findRow(tx, 'businessClock', { id: 1 }, true);
  const columns = { mode, frozenAt, movedAt: frozenAt ?? tx.now };
  if (row) await updateRows(tx, 'businessClock', { id: 1 }, columns);
  else await insertRow(tx, 'businessClock', { id: 1, ...columns });
  await appendEvent(tx, {
    type: 'ClockChangeEvent',
    resourceType: 'clock',
    resourceId: 'business',
    sequence: BigInt((frozenAt ?? tx.now).getTime()),
    occurredAt: frozenAt ?? tx.now,
    change: { mode, from: tx.now.toISOString(), ...(frozenAt ? { to: frozenAt.toISOString() } : {}) },
  });
  return { mode, now: (frozenAt ?? tx.now).toISOString() };
}

const clockOutput = z.object({ mode: z.string(), now: z.string() });
const sandboxes = (outside: { gateway: { kind: string }; network: { kind: string } }) =>
  Promise.resolve(outside.gateway.kind === 'sandbox' && outside.network.kind === 'sandbox');

/** Stops business time at this instant, or at a later one. What falls due between is not run: `clock.advance` does that. */
export const freezeClock = command<{ at?: string | undefined }, ClockFacts, { mode: string; now: string }>({
  name: 'clock.freeze',
  summary: 'Stop business time',
  input: z.object({
    at: z.iso.datetime({ offset: true }).optional().describe('The instant to stop at; now, when not given'),
  }),
  output: clockOutput,
  audience: ['operator'],
  effect: 'write',
  examples: ['bss clock freeze'],
  rules: [clockNeedsSandboxes, clockNeverGoesBack],
  ask: sandboxes,
  facts: async (tx, input, asked) => ({
    sandboxed: asked === true,
    to: new Date(input.at ?? tx.now),
    recorded: await lastRecorded(tx),
  }),
  apply: (tx, facts) => setClock(tx, 'frozen', facts.to ?? tx.now),
});

/** Lets business time run with the wall clock again, which must not be behind it. */
export const thawClock = command<Record<string, never>, ClockFacts, { mode: string; now: string }>({
  name: 'clock.thaw',
  summary: 'Let business time run with the wall clock',
  input: z.object({}),
  output: clockOutput,
  audience: ['operator'],
  effect: 'write',
  examples: ['bss clock thaw'],
  rules: [clockNeedsSandboxes, clockNeverGoesBack],
  ask: sandboxes,
  async facts(tx, _input, asked) {
    const [wall] = await tx.sql<{ now: Date }>`SELECT clock_timestamp() AS now`;
    return { sandboxed: asked === true, to: wall?.now, recorded: await lastRecorded(tx) };
  },
  apply: (tx) => setClock(tx, 'wall', null),
});
