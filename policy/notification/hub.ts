import { z } from 'zod';
import { apis } from '../../generated/operations.ts';
import { notFound } from '../../kernel/error.ts';
import { command } from '../core/command.ts';
import { appendEvent } from '../core/event.ts';
import { deleteRows, findRow, insertRow } from '../core/table.ts';

function isCallback(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const url = new URL(text);
  // A name and password in the address would be stored and shown with it.
  return (url.protocol === 'http:' || url.protocol === 'https:') && url.username === '' && url.password === '';
}

const api = z.string().refine((name) => apis.some((one) => one.api === name), 'it is not an API of this server');

/** Stores a standing request to be told of events. Whether its address may be reached is judged at delivery. */
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
  audience: ['operator', 'integrator'],
  effect: 'write',
  rules: [],
  positional: ['api', 'callback'],
  examples: ['bss hub register TMF622 https://crm.example.com/events'],
  facts: async () => ({}),
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

/** Nothing is sent to the address from now on. */
export const unregisterHub = command({
  name: 'hub.unregister',
  summary: 'Stop telling an address of events',
  input: z.object({ api, id: z.string() }),
  audience: ['operator', 'integrator'],
  effect: 'destructive',
  rules: [],
  positional: ['api', 'id'],
  examples: ['bss hub unregister TMF622 hub_01k9'],
  async facts(tx, input) {
    const row = await findRow(tx, 'hub', { id: input.id, api: input.api }, true);
    if (!row) throw notFound('hub', input.id);
    return row;
  },
  async apply(tx, facts) {
    await deleteRows(tx, 'hub', { id: facts.id });
    await appendEvent(tx, {
      type: 'HubDeleteEvent',
      resourceType: 'hub',
      resourceId: facts.id,
      sequence: 2n,
      resource: { id: facts.id, callback: facts.callback, api: facts.api },
    });
    return { id: facts.id };
  },
});
