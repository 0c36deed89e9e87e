import { z } from 'zod';
import { apis } from '../../generated/operations.ts';
import { notFound } from '../../kernel/error.ts';
import { command } from '../core/command.ts';
import { appendEvent } from '../core/event.ts';
import { rule } from '../core/rule.ts';
import { deleteRows, findRow, insertRow } from '../core/table.ts';
import type { Tx } from '../core/transaction.ts';

function isCallback(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const url = new URL(text);
  // A name and password in the address would be stored and shown with it.
  return (url.protocol === 'http:' || url.protocol === 'https:') && url.username === '' && url.password === '';
}

const api = z.string().refine((name) => apis.some((one) => one.api === name), 'it is not an API of this server');

interface CallbackFacts {
  callback: string;
  refusal: string | undefined;
}

/** Judged again, by the address itself, whenever an event is sent. */
export const callbackAllowed = rule<CallbackFacts>({
  code: 'hub.callback_allowed',
  sentence: 'Events are sent only to addresses that this installation may call; the operator can allow more.',
  kept: (facts) => facts.refusal === undefined,
  shown: ({ callback, refusal }) => ({ callback, because: refusal }),
});

/** The number of the next event of a hub. The caller holds the hub's lock, or has just made it. */
export async function nextSequence(tx: Tx, hubId: string): Promise<bigint> {
  const [row] = await tx.sql<{ sequence: bigint | null }>`SELECT max("resource_sequence") AS sequence FROM "event"
    WHERE "resource_type" = 'hub' AND "resource_id" = ${hubId}`;
  return (row?.sequence ?? 0n) + 1n;
}

/** Stores a standing request to be told of events. */
export const registerHub = command({
  name: 'hub.register',
  summary: 'Tell an address of the events of an API from now on',
  input: z.object({
    api,
    callback: z
      .string()
      .max(2000)
      .refine(isCallback, 'it must be an absolute http or https address without a user name or password'),
    query: z.string().max(2000).optional().describe('Which events are wanted; without it, all.'),
  }),
  output: z.object({
    id: z.string(),
    document: z.looseObject({ id: z.string(), callback: z.string(), query: z.string().optional() }),
  }),
  audience: ['operator', 'integrator'],
  effect: 'write',
  rules: [callbackAllowed],
  positional: ['api', 'callback'],
  examples: [
    'bss hub register TMF622 https://crm.example.com/listener',
    'bss hub register TMF622 https://crm.example.com/listener --query eventType=ProductOrderStateChangeEvent',
  ],
  async ask({ subscriptions }, input) {
    if (input.query !== undefined) subscriptions.checkQuery(input.query);
    return subscriptions.callbackRefusal(input.callback);
  },
  facts: async (_tx, input, asked): Promise<CallbackFacts> => ({
    callback: input.callback,
    refusal: typeof asked === 'string' ? asked : undefined,
  }),
  async apply(tx, _facts, input) {
    const id = tx.newId('hub');
    const document = { id, callback: input.callback, ...(input.query === undefined ? {} : { query: input.query }) };
    await insertRow(tx, 'hub', { ...document, api: input.api, document, createdAt: tx.now });
    await appendEvent(tx, {
      type: 'HubCreateEvent',
      resourceType: 'hub',
      resourceId: id,
      sequence: 1n,
      resource: { ...document, api: input.api },
    });
    return { id, document };
  },
});

/** Nothing is sent to the address from now on: what it was still owed is dropped. */
export const unregisterHub = command({
  name: 'hub.unregister',
  summary: 'Stop telling an address of events',
  input: z.object({ api, id: z.string() }),
  output: z.object({ id: z.string() }),
  audience: ['operator', 'integrator'],
  effect: 'destructive',
  rules: [],
  positional: ['api', 'id'],
  examples: ['bss hub unregister TMF622 hub_01k9'],
  async facts(tx, input) {
    // The relay holds a lighter lock on the hubs it fans out to, so nothing is added for this one from here on.
    const row = await findRow(tx, 'hub', { id: input.id, api: input.api }, true);
    if (!row) throw notFound('hub', input.id);
    return row;
  },
  preview: (facts) => ({
    what: `Send no more ${facts.api} events to ${facts.callback}; what it is still owed is dropped.`,
  }),
  async apply(tx, facts) {
    const sequence = await nextSequence(tx, facts.id);
    await deleteRows(tx, 'deliveryQueue', { hubId: facts.id });
    await deleteRows(tx, 'delivery', { hubId: facts.id });
    await deleteRows(tx, 'eventReplay', { hubId: facts.id });
    await deleteRows(tx, 'hub', { id: facts.id });
    await appendEvent(tx, {
      type: 'HubDeleteEvent',
      resourceType: 'hub',
      resourceId: facts.id,
      sequence,
      resource: { id: facts.id, callback: facts.callback, api: facts.api },
    });
    return { id: facts.id };
  },
});
