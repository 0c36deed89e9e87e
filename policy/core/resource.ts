import jsonPatch from 'fast-json-patch';
import mergePatch from 'json-merge-patch';
import { z } from 'zod';
import { type Api, resources } from '../../generated/operations.ts';
import { loadValidators } from '../../generated/validators/index.ts';
import type { ValidationError } from '../../generated/validators/validator.ts';
import type { Audience } from '../../kernel/caller.ts';
import { AirtimeError, type Fault, invalid, notFound } from '../../kernel/error.ts';
import type { Prefix } from '../../kernel/id.ts';
import { isJsonObject, type JsonObject } from '../../kernel/json.ts';
import { type AnyCommand, command } from './command.ts';
import { appendEvent } from './event.ts';
import { leads, type Machine } from './machine.ts';
import { type Rule, rule } from './rule.ts';
import {
  type Columns,
  deleteRows,
  findRow,
  insertRow,
  insertRows,
  insertUnawaited,
  type TableName,
  type Tables,
  updateRows,
} from './table.ts';
import type { Tx } from './transaction.ts';

/** A table that holds wire resources: the whole body in `document`, a version that is also the ETag. */
export type ResourceTable = {
  [T in TableName]: Tables[T] extends { id: string; state: string | null; document: unknown; version: bigint }
    ? T
    : never;
}[TableName];

export interface ResourceDefinition<T extends ResourceTable = ResourceTable> {
  /** The name on the wire: `troubleTicket`. */
  readonly resource: string;
  readonly api: Api;
  readonly table: T;
  readonly prefix: Prefix;
  /** The attribute that holds the state, and the machine that says how it moves. */
  readonly machine?: Machine<string, string>;
  /** The events of the machine that a client's PATCH may cause. All, when not given. */
  readonly clientEvents?: readonly string[];
  /** Columns that follow from the document, for indexes and lists. */
  columns?(document: JsonObject): Columns<T>;
  /** Whose it is, for events and ownership. */
  customerOf?(document: JsonObject): string | undefined;
}

export interface Stored {
  id: string;
  document: JsonObject;
  version: bigint;
}

export interface ResourceFacts extends Stored {
  before: JsonObject | undefined;
}

function contractOf(definition: Pick<ResourceDefinition, 'api' | 'resource'>) {
  const found = resources.find((one) => one.api === definition.api && one.resource === definition.resource);
  if (!found) throw new Error(`${definition.api} has no resource ${definition.resource}`);
  return found;
}

export function stateOf(definition: ResourceDefinition, document: JsonObject): string | undefined {
  const { stateProperty } = contractOf(definition);
  const state = stateProperty ? document[stateProperty] : undefined;
  return typeof state === 'string' ? state : undefined;
}

function derived<T extends ResourceTable>(definition: ResourceDefinition<T>, document: JsonObject): Columns<T> {
  return definition.columns?.(document) ?? {};
}

/** Stores a new resource and its Create event. The document is complete: state, dates and `@type` are in it. */
export async function createResource<T extends ResourceTable>(
  tx: Tx,
  definition: ResourceDefinition<T>,
  document: JsonObject,
  columns: Columns<T> = {},
  id: string = tx.newId(definition.prefix),
): Promise<Stored> {
  return storedOf(await createRow(tx, definition, document, columns, id));
}

const storedOf = (row: { id: string; document: unknown; version: bigint }): Stored => ({
  id: row.id,
  document: documentOf(row),
  version: row.version,
});

/** The same, for who goes on with the row. */
export async function createRow<T extends ResourceTable>(
  tx: Tx,
  definition: ResourceDefinition<T>,
  document: JsonObject,
  columns: Columns<T> = {},
  id: string = tx.newId(definition.prefix),
): Promise<Tables[T]> {
  const whole = wholeOf(document, id);
  const row = await insertRow(tx, definition.table, { ...newColumns(tx, definition, whole), ...columns });
  await appendCreated(tx, definition, whole);
  return row;
}

/** The same, for who needs nothing back of the database: the commit waits for it. Answers what is being stored. */
export async function createUnawaited<T extends ResourceTable>(
  tx: Tx,
  definition: ResourceDefinition<T>,
  document: JsonObject,
): Promise<JsonObject & { id: string }> {
  const whole = wholeOf(document, tx.newId(definition.prefix));
  insertUnawaited(tx, definition.table, newColumns(tx, definition, whole));
  await appendCreated(tx, definition, whole);
  return whole;
}

function wholeOf(document: JsonObject, id: string): JsonObject & { id: string } {
  const { id: _, ...others } = withoutHref(document);
  return { id, ...others };
}

function newColumns<T extends ResourceTable>(
  tx: Tx,
  definition: ResourceDefinition<T>,
  whole: JsonObject & { id: string },
): Columns<T> {
  return {
    state: stateOf(definition, whole) ?? null,
    ...derived(definition, whole),
    id: whole.id,
    document: whole,
    version: 1n,
    createdAt: tx.now,
    updatedAt: tx.now,
  } as Columns<T>;
}

async function appendCreated(
  tx: Tx,
  definition: ResourceDefinition,
  whole: JsonObject & { id: string },
): Promise<void> {
  await appendEvent(tx, {
    type: `${contractOf(definition).schema}CreateEvent`,
    resourceType: definition.resource,
    resourceId: whole.id,
    sequence: 1n,
    resource: whole,
    customerId: definition.customerOf?.(whole),
  });
}

/** Stores many new resources and their Create events, whole documents with ids of their own. */
export async function createResources<T extends ResourceTable>(
  tx: Tx,
  definition: ResourceDefinition<T>,
  documents: readonly (JsonObject & { id: string })[],
): Promise<void> {
  await insertRows(
    tx,
    definition.table,
    documents.map((document) => newColumns(tx, definition, document)),
  );
  for (const document of documents) await appendCreated(tx, definition, document);
}

/** Stores a changed document, with the event that says what changed. The caller holds the row's lock. */
export async function saveResource<T extends ResourceTable>(
  tx: Tx,
  definition: ResourceDefinition<T>,
  before: Stored,
  document: JsonObject,
  columns: Columns<T> = {},
): Promise<Stored> {
  return storedOf(await saveRow(tx, definition, before, document, columns));
}

/** The same, for who goes on with the row. */
export async function saveRow<T extends ResourceTable>(
  tx: Tx,
  definition: ResourceDefinition<T>,
  before: Stored,
  document: JsonObject,
  columns: Columns<T> = {},
): Promise<Tables[T]> {
  const contract = contractOf(definition);
  const whole: JsonObject = { ...withoutHref(document), id: before.id };
  const version = before.version + 1n;
  const changed = changedAttributes(before.document, whole);
  const [row] = await updateRows(
    tx,
    definition.table,
    { id: before.id } as Partial<Tables[T]>,
    {
      state: stateOf(definition, whole) ?? null,
      ...derived(definition, whole),
      ...columns,
      document: whole,
      version,
      updatedAt: tx.now,
    } as Columns<T>,
  );
  const isStateChange = contract.stateProperty !== null && changed.includes(contract.stateProperty);
  const stateKind = contract.events.find((event) => /^Stat(e|us)Change$/.test(event.kind))?.kind ?? 'StateChange';
  await appendEvent(tx, {
    type: `${contract.schema}${isStateChange ? stateKind : 'AttributeValueChange'}Event`,
    resourceType: definition.resource,
    resourceId: before.id,
    sequence: version,
    resource: whole,
    change: {
      changed,
      ...(isStateChange ? { from: stateOf(definition, before.document), to: stateOf(definition, whole) } : {}),
    },
    customerId: definition.customerOf?.(whole),
  });
  if (row === undefined) throw new Error(`${before.id} is not there to be changed`);
  return row;
}

export async function removeResource<T extends ResourceTable>(
  tx: Tx,
  definition: ResourceDefinition<T>,
  before: Stored,
): Promise<void> {
  await deleteRows(tx, definition.table, { id: before.id } as Partial<Tables[T]>);
  await appendEvent(tx, {
    type: `${contractOf(definition).schema}DeleteEvent`,
    resourceType: definition.resource,
    resourceId: before.id,
    sequence: before.version + 1n,
    resource: before.document,
    customerId: definition.customerOf?.(before.document),
  });
}

/** Reads a resource and locks it until the transaction ends; 404 when there is none. */
export async function lockResource<T extends ResourceTable>(
  tx: Tx,
  definition: ResourceDefinition<T>,
  id: string,
): Promise<Stored & { row: Tables[T] }> {
  const row = await findRow(tx, definition.table, { id } as Partial<Tables[T]>, true);
  if (!row) throw notFound(definition.resource, id);
  return { id, document: documentOf(row), version: row.version, row };
}

export function documentOf(row: { document: unknown }): JsonObject {
  if (!isJsonObject(row.document)) throw new Error('a document is an object');
  return row.document;
}

function withoutHref(document: JsonObject): JsonObject {
  const { href: _, ...rest } = document;
  return rest;
}

function changedAttributes(before: JsonObject, after: JsonObject): string[] {
  return [...new Set([...Object.keys(before), ...Object.keys(after)])].filter(
    (name) => JSON.stringify(before[name]) !== JSON.stringify(after[name]),
  );
}

// ---- what a client may do to a resource, as commands ----

/** A body that the contract describes. Whoever makes a JSON Schema of it puts the contract's own in its place. */
export const contractBody = (definition: Pick<ResourceDefinition, 'api' | 'resource'>): z.ZodType<JsonObject> =>
  z.custom<JsonObject>(isJsonObject).meta({
    contract: `${definition.api}/${contractOf(definition).schema}`,
    description: 'The resource as the contract has it.',
  });

/** What writing a resource answers: its body, and the version that is also its ETag. */
export const storedShape = (definition: Pick<ResourceDefinition, 'api' | 'resource'>) =>
  z.object({ id: z.string(), document: contractBody(definition), version: z.bigint() });

const documentSchema = z.record(z.string(), z.unknown()).describe('The resource as the contract has it.');
export const createInput = z.object({ document: documentSchema });
export const patchInput = z.object({
  id: z.string(),
  patch: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('merge'), value: documentSchema }),
    z.object({ kind: z.literal('json'), value: z.array(documentSchema).max(1000) }),
  ]),
  ifMatch: z.string().optional(),
});
export const removeInput = z.object({ id: z.string(), ifMatch: z.string().optional() });
export type CreateInput = z.infer<typeof createInput>;
export type PatchInput = z.infer<typeof patchInput>;
export type RemoveInput = z.infer<typeof removeInput>;

/** 412 when the caller's copy is not the one that is stored. `*` matches any. */
export function checkIfMatch(stored: Stored, ifMatch: string | undefined): void {
  if (ifMatch === undefined || ifMatch.trim() === '*') return;
  const tags = ifMatch.split(',').map((tag) => tag.trim().replace(/^W\//, ''));
  if (!tags.includes(`"${stored.version}"`)) {
    throw new AirtimeError(
      412,
      'preconditionFailed',
      `${stored.id} has changed: its ETag is "${stored.version}". Read it again, then retry.`,
    );
  }
}

/** The document after a merge patch (RFC 7396) or JSON patch (RFC 6902), atomically, or a 400 that says what is wrong. */
export function patched(stored: Stored, patch: PatchInput['patch']): JsonObject {
  const copy: JsonObject = structuredClone(stored.document);
  if (patch.kind === 'merge') {
    const merged: unknown = mergePatch.apply(copy, patch.value);
    if (!isJsonObject(merged)) throw invalid('A merge patch is an object.');
    return merged;
  }
  try {
    const { newDocument } = jsonPatch.applyPatch(
      copy,
      patch.value as unknown as Parameters<typeof jsonPatch.applyPatch>[1],
      true,
      true,
      true,
    );
    if (!isJsonObject(newDocument)) throw invalid('The patched resource must be an object.');
    return newDocument;
  } catch (error) {
    if (error instanceof AirtimeError) throw error;
    const detail = error instanceof Error ? (error.message.split('\n')[0] ?? '') : '';
    throw invalid(`The JSON patch cannot be applied: ${detail}`, [
      {
        field: 'patch',
        rule: 'RFC 6902',
        remedy: 'Check the paths and the `test` operations against the stored resource.',
      },
    ]);
  }
}

function faultsOf(errors: readonly ValidationError[] | null | undefined): Fault[] {
  return (errors ?? []).slice(0, 20).map((error) => ({
    field: error.instancePath.replace(/^\//, '').replaceAll('/', '.') || '(the body)',
    rule: error.message ?? error.keyword,
    remedy: 'See the schema of the resource.',
  }));
}

/** Refuses a document that the contract would not let us serve. */
export async function checkContract(definition: ResourceDefinition, document: JsonObject): Promise<void> {
  const { schema } = contractOf(definition);
  const validators = await loadValidators[definition.api]();
  const validate = validators.schemas[schema];
  if (!validate) throw new Error(`${definition.api} has no validator for ${schema}`);
  if (!validate({ ...document, href: `https://example.com/${document.id}` })) {
    const faults = faultsOf(validate.errors);
    throw invalid(
      `The ${definition.resource} would break its contract: ${faults.map((fault) => `${fault.field} ${fault.rule}`).join('; ')}.`,
      faults,
    );
  }
}

/** Refuses a new document that lacks what the contract asks of a create, for doors other than the TMF one. */
export function checkRequired(definition: ResourceDefinition, document: JsonObject): void {
  const faults = contractOf(definition)
    .createRequired.filter((name) => document[name] === undefined)
    .map((name) => ({ field: name, rule: 'it is required', remedy: `Give ${name}.` }));
  if (faults.length > 0) {
    throw invalid(`A ${definition.resource} needs ${faults.map((fault) => fault.field).join(', ')}.`, faults);
  }
}

/** id, href and what the contract keeps from a PATCH may be repeated by a client, not changed. */
export function checkImmutable(definition: ResourceDefinition, before: JsonObject, after: JsonObject): void {
  const { updateExcluded } = contractOf(definition);
  for (const name of ['id', ...updateExcluded]) {
    if (name === 'href' || name.startsWith('@')) continue;
    if (JSON.stringify(before[name]) !== JSON.stringify(after[name])) {
      throw invalid(`${name} of a ${definition.resource} cannot be changed.`, [
        { field: name, rule: 'it is set by the server', remedy: `Leave ${name} out of the patch.` },
      ]);
    }
  }
}

/** A state may move only as its machine says. States outside the machine are free strings of the standard. */
export function legalTransition(definition: ResourceDefinition): Rule<ResourceFacts> {
  const noun = nounOf(definition);
  return rule<ResourceFacts>({
    code: `${noun}.legal_transition`,
    sentence: `A ${words(definition.resource)} moves only along its states; this step is not among them.`,
    status: 409,
    kept: (facts) => {
      const from = facts.before ? stateOf(definition, facts.before) : undefined;
      const to = stateOf(definition, facts.document);
      if (!definition.machine || from === undefined || to === from) return true;
      if (to === undefined) return false;
      if (!Object.hasOwn(definition.machine.table, from)) return true;
      return leads(definition.machine, from, to, definition.clientEvents);
    },
    shown: (facts) => ({
      from: facts.before ? stateOf(definition, facts.before) : undefined,
      to: stateOf(definition, facts.document),
    }),
  });
}

export function nounOf(definition: ResourceDefinition): string {
  return definition.resource.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function words(resource: string): string {
  return resource.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}

export interface ClientWrites {
  /** Fills what the server decides: state, dates, `@type`. Runs before the rules. */
  defaults?(document: JsonObject, tx: Tx): JsonObject;
  /** What the server writes into a changed document: `lastUpdate`, a history of states. Runs when the rules are kept. */
  touch?(document: JsonObject, before: JsonObject, tx: Tx): JsonObject;
  createRules?: readonly Rule<ResourceFacts>[];
  patchRules?: readonly Rule<ResourceFacts>[];
  removeRules?: readonly Rule<ResourceFacts>[];
  audience?: readonly Audience[];
  /** More facts for the rules, read under the lock. */
  extraFacts?(tx: Tx, document: JsonObject, before: JsonObject | undefined): Promise<object>;
  /** What else happens when it was created or changed, in the same transaction. */
  afterCreate?(tx: Tx, stored: Stored): Promise<Stored>;
  afterPatch?(tx: Tx, stored: Stored, before: JsonObject): Promise<Stored>;
  operations?: readonly ('create' | 'patch' | 'remove')[];
}

export interface ResourceCommands {
  readonly create?: AnyCommand;
  readonly patch?: AnyCommand;
  readonly remove?: AnyCommand;
}

/** Commands for a resource that stands by itself: create, patch and delete as TMF630 has them. */
export function resourceCommands<T extends ResourceTable>(
  definition: ResourceDefinition<T>,
  writes: ClientWrites = {},
): ResourceCommands {
  const noun = nounOf(definition);
  const audience = writes.audience ?? ['operator', 'integrator'];
  const operations = writes.operations ?? ['create', 'patch', 'remove'];
  const create = command<CreateInput, ResourceFacts, Stored>({
    name: `${noun}.create`,
    summary: `Create a ${words(definition.resource)}`,
    input: createInput,
    audience,
    effect: 'write',
    rules: writes.createRules ?? [],
    async facts(tx, input) {
      const given = input.document as JsonObject;
      const document = writes.defaults?.(given, tx) ?? given;
      checkRequired(definition, document);
      await checkContract(definition, document);
      const extra = await writes.extraFacts?.(tx, document, undefined);
      return { id: '', document, version: 0n, before: undefined, ...extra };
    },
    async apply(tx, facts) {
      const stored = await createResource(tx, definition, facts.document);
      return (await writes.afterCreate?.(tx, stored)) ?? stored;
    },
  });
  const patch = command<PatchInput, ResourceFacts & { stored: Stored }, Stored>({
    name: `${noun}.patch`,
    summary: `Change a ${words(definition.resource)}`,
    input: patchInput,
    audience,
    effect: 'write',
    rules: [...(definition.machine ? [legalTransition(definition)] : []), ...(writes.patchRules ?? [])],
    async facts(tx, input) {
      const stored = await lockResource(tx, definition, input.id);
      checkIfMatch(stored, input.ifMatch);
      const document = patched(stored, input.patch);
      checkImmutable(definition, stored.document, document);
      await checkContract(definition, document);
      const extra = await writes.extraFacts?.(tx, document, stored.document);
      return { ...stored, document, before: stored.document, stored, ...extra };
    },
    async apply(tx, facts) {
      if (changedAttributes(facts.stored.document, facts.document).length === 0) return facts.stored;
      const document = writes.touch?.(facts.document, facts.stored.document, tx) ?? facts.document;
      const stored = await saveResource(tx, definition, facts.stored, document);
      return (await writes.afterPatch?.(tx, stored, facts.stored.document)) ?? stored;
    },
  });
  const remove = command<RemoveInput, ResourceFacts, { id: string }>({
    name: `${noun}.delete`,
    summary: `Delete a ${words(definition.resource)}`,
    input: removeInput,
    audience,
    effect: 'destructive',
    rules: writes.removeRules ?? [],
    async facts(tx, input) {
      const stored = await lockResource(tx, definition, input.id);
      checkIfMatch(stored, input.ifMatch);
      const extra = await writes.extraFacts?.(tx, stored.document, stored.document);
      return { ...stored, before: stored.document, ...extra };
    },
    preview({ id, document }) {
      const owner = definition.customerOf?.(document);
      const name = typeof document.name === 'string' ? `${document.name}, ` : '';
      const state = stateOf(definition, document);
      return {
        what: `Delete the ${words(definition.resource)} ${name}${id}.`,
        ...(owner === undefined ? {} : { customer: { id: owner, name: null } }),
        details: [...(state === undefined ? [] : [`It is ${state}.`]), 'It does not come back; its history stays.'],
      };
    },
    async apply(tx, facts) {
      await removeResource(tx, definition, facts);
      return { id: facts.id };
    },
  });
  return {
    ...(operations.includes('create') ? { create } : {}),
    ...(operations.includes('patch') ? { patch } : {}),
    ...(operations.includes('remove') ? { remove } : {}),
  };
}

/** A refusal to delete what money, quota or a live line depends on. */
export function neverDeleted(definition: ResourceDefinition, because: string): Rule<ResourceFacts> {
  return rule<ResourceFacts>({
    code: `${nounOf(definition)}.kept_for_good`,
    sentence: `A ${words(definition.resource)} is never deleted: ${because}.`,
    status: 409,
    kept: () => false,
    shown: (facts) => ({ id: facts.id }),
  });
}
