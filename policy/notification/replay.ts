import { z } from 'zod';
import { notFound } from '../../kernel/error.ts';
import { command } from '../core/command.ts';
import { appendEvent } from '../core/event.ts';
import { findRows, insertRow } from '../core/table.ts';
import type { Tx } from '../core/transaction.ts';
import { nextSequence } from './hub.ts';

interface ReplayFacts {
  hubs: string[];
}

async function hubsNamed(tx: Tx, hub: string | undefined): Promise<string[]> {
  if (hub === undefined) {
    const rows = await tx.sql<{
      id: string;
    }>`SELECT h."id" FROM "hub" h WHERE h."parked_at" IS NOT NULL OR h."failures" > 0
      OR EXISTS (SELECT 1 FROM "delivery_queue" q WHERE q."hub_id" = h."id" AND q."parked_at" IS NOT NULL) ORDER BY h."id" FOR NO KEY UPDATE`;
    return rows.map(({ id }) => id);
  }
  const rows = await findRows(tx, 'hub', { id: hub }, true);
  if (rows.length === 0) throw notFound('hub', hub);
  return [hub];
}

/**
 * Sends parked events again, of one hub or of all; or everything a hub was owed in a range of business time, in the old
 * order, whether it arrived then or not.
 */
export const replayNotifications = command({
  name: 'notification.replay',
  summary: 'Send parked events again, or all events of a time',
  input: z
    .strictObject({
      hub: z.string().optional().describe('Only to this hub; to all that have something parked, when not given'),
      from: z.iso
        .datetime({ offset: true })
        .optional()
        .describe('Everything that happened from here on, not only what is parked'),
      to: z.iso.datetime({ offset: true }).optional().describe('Up to here, not included; now, when not given'),
    })
    .refine(({ hub, from }) => from === undefined || hub !== undefined, {
      message: 'a range is replayed to one hub: name it',
      path: ['hub'],
    })
    .refine(({ from, to }) => to === undefined || from !== undefined, {
      message: 'a range needs its beginning',
      path: ['from'],
    }),
  output: z.object({
    hubs: z.array(z.string()),
    resumed: z.number().int().describe('Resources whose events were parked'),
    replay: z.string().nullable().describe('The replay of a range, which the relay now works through'),
  }),
  audience: ['operator'],
  effect: 'write',
  rules: [],
  positional: ['hub'],
  examples: ['bss notification replay', 'bss notification replay hub_01k9 --from 2026-11-20T00:00:00+08:00'],
  facts: async (tx, input): Promise<ReplayFacts> => ({ hubs: await hubsNamed(tx, input.hub) }),
  async apply(tx, { hubs }, input) {
    await tx.sql`UPDATE "hub" SET "failures" = 0, "paused_until" = NULL, "parked_at" = NULL WHERE "id" = ANY (${hubs})`;
    const resumed =
      await tx.sql`UPDATE "delivery_queue" SET "attempts" = 0, "parked_at" = NULL, "not_before" = clock_timestamp()
      WHERE "hub_id" = ANY (${hubs}) AND "parked_at" IS NOT NULL RETURNING "hub_id"`;
    const replay = input.hub === undefined || input.from === undefined ? null : tx.newId('req');
    if (replay !== null && input.hub !== undefined && input.from !== undefined) {
      const [last] = await tx.sql<{ position: bigint | null }>`SELECT max("position") AS position FROM "event"`;
      await insertRow(tx, 'eventReplay', {
        id: replay,
        hubId: input.hub,
        fromAt: new Date(input.from),
        toAt: input.to === undefined ? new Date(tx.now.getTime() + 1) : new Date(input.to),
        toPosition: last?.position ?? 0n,
      });
    }
    for (const hub of hubs) {
      await appendEvent(tx, {
        type: 'HubReplayEvent',
        resourceType: 'hub',
        resourceId: hub,
        sequence: await nextSequence(tx, hub),
        change: { from: input.from ?? null, to: input.to ?? null },
      });
    }
    return { hubs, resumed: resumed.length, replay };
  },
});
