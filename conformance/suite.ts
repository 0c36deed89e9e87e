import { type Operation, operations, type Resource, type ResourceEvent, resources } from '../generated/operations.ts';
import { isJsonObject, type Json, type JsonObject } from '../kernel/json.ts';
import { type Answer, type Ask, type Client, listIn, objectIn, operationOf, textOf } from './client.ts';
import { claim, dialect, marker } from './documents.ts';
import type { Fixture } from './fixtures/fixture.ts';
import { fixtureOf } from './fixtures/index.ts';
import type { Listener } from './listener.ts';
import { type Requirement, type RequirementId, requirements, type Scope } from './requirements.ts';
import { until, type World } from './world.ts';

/** What a line is asked of. */
export interface Subject {
  readonly scope: Scope;
  readonly api: string;
  /** The resource, operation id or event; empty where the whole API is asked. */
  readonly name: string;
  readonly resource: ResourceDoor | undefined;
  readonly operation: Operation | undefined;
  readonly event: (ResourceEvent & { resource: string }) | undefined;
}

export interface Suite {
  readonly client: Client;
  readonly world: World;
  readonly listener: Listener;
  readonly doors: readonly ResourceDoor[];
  /** Where the server listens, which is not the address that it is known by. */
  readonly serverUrl: string;
  readonly size: 'whole' | 'quick';
  /** How long an event may take. */
  readonly arrivalMsMax: number;
  /** APIs where an event was waited for in vain: every further wait there would be for nothing. */
  readonly silent: Set<string>;
  /** A caller beside the operator, who may use all TMF APIs. */
  readonly otherToken: string;
  /** A caller who may use one API only. */
  tokenFor(api: string): Promise<string>;
}

export interface Created {
  readonly id: string;
  readonly body: JsonObject;
  readonly answer: Answer;
}

/** One resource through its operations, with its fixture. */
export interface ResourceDoor {
  readonly api: string;
  readonly name: string;
  readonly table: Resource;
  readonly fixture: Fixture;
  has(kind: Operation['kind']): boolean;
  operation(kind: Operation['kind']): Operation;
  ask(kind: Operation['kind'], ask?: Ask): Promise<Answer>;
  /** Creates one from its fixture and gives it as it is stored. */
  create(form?: 'minimal' | 'rich', more?: JsonObject): Promise<Created>;
  createFrom(body: JsonObject, ask?: Ask): Promise<Created>;
  read(id: string): Promise<JsonObject>;
  /** One to read: made by a client where that can be, by the house where not. */
  one(): Promise<JsonObject>;
  /** All that are stored, once there are enough to page and filter by, and none of them moves any more. */
  all(): Promise<readonly JsonObject[]>;
  /** All that there are now, once none of them moves any more. */
  rest(): Promise<readonly JsonObject[]>;
  /** Bodies that the suite has not used yet are numbered. */
  next(): number;
}

const pageOfAll = 1000;
const settleMsMax = 60_000;

export function openResource(suite: () => Suite, table: Resource): ResourceDoor {
  const { api, resource: name } = table;
  const fixture = fixtureOf(api, name);
  let count = 0;
  const next = () => {
    count += 1;
    return count;
  };
  const has = (kind: Operation['kind']) => operationOf(api, name, kind) !== undefined;
  const operation = (kind: Operation['kind']) => {
    const found = operationOf(api, name, kind);
    if (!found) throw new Error(`${api} does not ${kind} ${name}`);
    return found;
  };
  const ask = (kind: Operation['kind'], asked?: Ask) => suite().client.ask(operation(kind), asked);
  const doorOf = (other: string): ResourceDoor => {
    const found = suite().doors.find((door) => door.api === api && door.name === other);
    if (!found) throw new Error(`${api} has no ${other}`);
    return found;
  };
  const read = async (id: string) => {
    const answer = await ask('retrieve', { id });
    claim(answer.status === 200, `${answer.request} gave ${answer.status} ${answer.text.slice(0, 200)}`);
    return objectIn(answer);
  };

  async function createFrom(body: JsonObject, asked: Ask = {}): Promise<Created> {
    const answer = await ask('create', { ...asked, body });
    claim(
      answer.status === 201 || answer.status === 202,
      `${answer.request} gave ${answer.status} ${answer.text.slice(0, 300)}`,
    );
    const made = objectIn(answer);
    return { id: textOf(made.id, 'the id of what was created'), body: made, answer };
  }

  const create = (form: 'minimal' | 'rich' = 'minimal', more: JsonObject = {}) => {
    if (!fixture.create) throw new Error(`no client creates ${api} ${name}`);
    const n = next();
    return createFrom({ ...fixture.create[form](suite().world, n), ...more });
  };

  async function everything(): Promise<JsonObject[]> {
    const found: JsonObject[] = [];
    for (let offset = 0; ; offset += pageOfAll) {
      const answer = await ask('list', { search: `limit=${pageOfAll}&offset=${offset}` });
      const page = listIn(answer);
      found.push(...page);
      if (page.length === 0 || found.length >= Number(answer.headers['x-total-count'] ?? 0)) return found;
    }
  }

  const isAtRest = (one: JsonObject): boolean => {
    const { ends } = fixture;
    const state = ends ? one[ends.attribute] : undefined;
    return !ends || (typeof state === 'string' && ends.states.includes(state));
  };
  const allAtRest = async () => {
    const found = await everything();
    return found.every(isAtRest) ? found : undefined;
  };

  const rest = () => until(`every ${name} of ${api} comes to rest`, allAtRest, settleMsMax);

  let stored: Promise<readonly JsonObject[]> | undefined;
  async function fill(): Promise<readonly JsonObject[]> {
    const wanted = suite().size === 'whole' ? 104 : 12;
    if (fixture.create && name !== 'product') {
      for (let n = 0; n < 12; n += 1) await create('rich', { ...dialect, conformance: marker(n) });
      const missing = wanted - (await everything()).length;
      for (let n = 0; n < missing; n += 8)
        await Promise.all(Array.from({ length: Math.min(8, missing - n) }, () => create('minimal')));
    }
    if (fixture.madeBy !== undefined) await doorOf(fixture.madeBy).rest();
    return rest();
  }

  return {
    api,
    name,
    table,
    fixture,
    has,
    operation,
    ask,
    create,
    createFrom,
    read,
    next,
    rest,
    one: async () => {
      const [first] = await (stored ?? Promise.resolve([]));
      if (first) return read(textOf(first.id, 'an id'));
      const made = fixture.made?.(suite().world);
      if (made !== undefined) return read(made);
      if (fixture.create) {
        const { id } = await create('rich', dialect);
        return until(
          `${name} ${id} comes to rest`,
          async () => {
            const body = await read(id);
            return isAtRest(body) ? body : undefined;
          },
          settleMsMax,
        );
      }
      const [found] = listIn(await ask('list', { search: 'limit=1' }));
      claim(found !== undefined, `there is no ${name} to read`);
      return found;
    },
    all: () => {
      stored ??= fill();
      return stored;
    },
  };
}

/** Why a row does not apply; nothing when it was proved. */
export type Verdict = string | undefined;

export interface Check {
  readonly proves: readonly RequirementId[];
  run(suite: Suite, subject: Subject): Promise<Verdict> | Promise<void>;
}

/** Asked of a resource: its scope is one of the kinds of operation, or `resource` or `task`. */
export function ofResource(
  proves: readonly RequirementId[],
  run: (door: ResourceDoor, suite: Suite) => Promise<Verdict> | Promise<void>,
): Check {
  return {
    proves,
    run: (suite, { resource }) => {
      if (!resource) throw new Error('a check of resources is asked of a resource');
      return run(resource, suite);
    },
  };
}

export function ofApi(
  proves: readonly RequirementId[],
  run: (api: string, suite: Suite) => Promise<Verdict> | Promise<void>,
): Check {
  return { proves, run: (suite, { api }) => run(api, suite) };
}

export interface Row {
  readonly id: string;
  readonly requirement: Requirement;
  readonly subject: Subject;
}

const kinds = ['list', 'create', 'retrieve', 'patch', 'delete'] as const;

export function subjectsOf(api: string, doors: readonly ResourceDoor[]): Subject[] {
  const base = { api, resource: undefined, operation: undefined, event: undefined };
  const served = operations.filter((one) => one.api === api && one.served);
  const ofDoors = doors
    .filter((door) => door.api === api)
    .flatMap((door): Subject[] => [
      ...kinds
        .filter((kind) => door.has(kind))
        .map((kind): Subject => ({ ...base, scope: kind, name: door.name, resource: door })),
      { ...base, scope: 'resource', name: door.name, resource: door },
      ...(door.has('create') && !door.has('patch')
        ? [{ ...base, scope: 'task' as const, name: door.name, resource: door }]
        : []),
    ]);
  const events = resources
    .filter((one) => one.api === api)
    .flatMap((one) =>
      one.events.map(
        (event): Subject => ({
          ...base,
          scope: 'event',
          name: event.name,
          event: { ...event, resource: one.resource },
        }),
      ),
    );
  return [
    ...ofDoors,
    ...served.map((operation): Subject => ({ ...base, scope: 'operation', name: operation.operationId, operation })),
    { ...base, scope: 'api', name: '' },
    ...events,
  ];
}

/** Every line asked of every subject of its scope. */
export function rowsOf(subjects: readonly Subject[]): Row[] {
  return subjects.flatMap((subject) =>
    requirements
      .filter((requirement) => requirement.scope === subject.scope)
      .map((requirement) => ({
        id: [requirement.id, subject.api, ...(subject.name === '' ? [] : [subject.name])].join('/'),
        requirement,
        subject,
      })),
  );
}

export function jsonObject(value: Json | undefined, what: string): JsonObject {
  if (!isJsonObject(value)) throw new Error(`${what} is no object`);
  return value;
}
