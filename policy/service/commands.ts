import { isJsonObject, type JsonObject } from '../../kernel/json.ts';
import { type AnyCommand, command } from '../core/command.ts';
import { objects, reference, text } from '../core/party.ts';
import {
  type ClientWrites,
  checkContract,
  createResource,
  type ResourceCommands,
  resourceCommands,
  type Stored,
} from '../core/resource.ts';
import { findRow } from '../core/table.ts';
import type { Tx } from '../core/transaction.ts';
import { monitorResource, serviceActivationResource, serviceInventoryResource } from './resource.ts';
import { lineServiceDelete, lineServicePatch, type ServiceFacts } from './rules.ts';

/** One service is served by two contracts, and TMF638 asks more of notes and features than TMF640 does. */
function completed(document: JsonObject, tx: Pick<Tx, 'now' | 'caller'>): JsonObject {
  return {
    ...document,
    ...(Array.isArray(document.note)
      ? {
          note: objects(document.note).map((note) => ({
            ...note,
            date: text(note.date) ?? tx.now.toISOString(),
            author: text(note.author) ?? tx.caller.name,
            text: text(note.text) ?? '',
          })),
        }
      : {}),
    ...(Array.isArray(document.feature)
      ? { feature: objects(document.feature).map((one, index) => ({ ...one, id: text(one.id) ?? String(index + 1) })) }
      : {}),
  };
}

const writes: ClientWrites = {
  defaults: (document, tx) => ({
    '@type': 'Service',
    ...completed(document, tx),
    state: text(document.state) ?? 'feasibilityChecked',
    serviceDate: text(document.serviceDate) ?? tx.now.toISOString(),
  }),
  touch: (given, before, tx) => {
    const document = completed(given, tx);
    const at = tx.now.toISOString();
    if (document.state === before.state) return document;
    if (document.state === 'active') return { ...document, startDate: document.startDate ?? at, hasStarted: true };
    return document.state === 'terminated' ? { ...document, endDate: document.endDate ?? at } : document;
  },
  patchRules: [lineServicePatch],
  removeRules: [lineServiceDelete],
  async extraFacts(tx, document, before): Promise<Pick<ServiceFacts, 'subscriptionId'>> {
    // What one contract takes must not break the answers of the other.
    const whole = completed({ ...document, id: text(document.id) ?? 'new' }, tx);
    await checkContract(serviceInventoryResource, whole);
    await checkContract(serviceActivationResource, whole);
    const id = before === undefined ? undefined : text(document.id);
    const row = id === undefined ? undefined : await findRow(tx, 'service', { id });
    return { subscriptionId: row?.subscriptionId ?? undefined };
  },
};

/** TMF638: writes to the inventory. */
export const serviceInventoryCommands: ResourceCommands = resourceCommands(serviceInventoryResource, writes);

interface Task {
  method: 'POST' | 'PATCH' | 'DELETE';
  path: string;
  body: unknown;
  statusCode: '201' | '200' | '204';
}

/** The link of a service by its activation door; of the collection, where no id is given. */
function serviceLink(id: string): string {
  return (text(reference('TMF640', 'service', id).href) ?? '').replace(/\/$/, '');
}

/**
 * Writes down a task of the activation API that ended within its own request. A service of no line reaches no
 * network, so the task is complete as soon as it is stored.
 */
async function recordMonitor(tx: Tx, serviceId: string, task: Task, answer: JsonObject | undefined): Promise<void> {
  const header = [{ name: 'Content-Type', value: 'application/json' }];
  await createResource(
    tx,
    monitorResource,
    {
      '@type': 'Monitor',
      state: 'Completed',
      sourceHref: serviceLink(serviceId),
      request: { method: task.method, to: task.path, body: JSON.stringify(task.body ?? {}), header },
      response: { statusCode: task.statusCode, body: answer ? JSON.stringify(answer) : '', header },
    },
    { serviceId, confirmedAt: tx.now },
  );
}

/** The same command, named as a task of the activation API, with a monitor written in its transaction. */
function watched(of: AnyCommand | undefined, name: string, task: (id: string, input: unknown) => Task): AnyCommand {
  if (!of) throw new Error(`${name} has nothing to watch`);
  return command({
    ...of,
    name,
    summary: `${of.summary} by an activation task`,
    async apply(tx: Tx, facts: ServiceFacts, input: unknown) {
      const output: Stored | { id: string } = await of.apply(tx, facts, input);
      await recordMonitor(tx, output.id, task(output.id, input), 'document' in output ? output.document : undefined);
      return output;
    },
  });
}

const direct = resourceCommands(serviceActivationResource, writes);
const part = (input: unknown, name: string): unknown => (isJsonObject(input) ? input[name] : undefined);

/** TMF640: the same writes as tasks; each leaves a monitor. */
export const serviceActivationCommands: ResourceCommands = {
  create: watched(direct.create, 'service.activation_create', (_, input) => ({
    method: 'POST',
    path: serviceLink(''),
    body: part(input, 'document'),
    statusCode: '201',
  })),
  patch: watched(direct.patch, 'service.activation_patch', (id, input) => ({
    method: 'PATCH',
    path: serviceLink(id),
    body: part(part(input, 'patch'), 'value'),
    statusCode: '200',
  })),
  remove: watched(direct.remove, 'service.activation_delete', (id) => ({
    method: 'DELETE',
    path: serviceLink(id),
    body: undefined,
    statusCode: '204',
  })),
};
