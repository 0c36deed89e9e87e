import { type Api, type Operation, operations } from '../generated/operations.ts';
import { AirtimeError, invalid, notFound } from '../kernel/error.ts';
import { isJsonObject, type JsonObject } from '../kernel/json.ts';
import { type AnyDefinition, type ExecuteOptions, run } from '../policy/core/command.ts';
import { runKeeping } from '../policy/core/idempotency.ts';
import { registerHub, unregisterHub } from '../policy/notification/hub.ts';
import { bindingOf, linkOf } from '../read/bindings.ts';
import { type ListResult, listResources, retrieveResource } from '../read/list/list.ts';
import { parseQuery } from '../read/list/query.ts';
import type { Handler, Wire, WireRequest, WireResponse } from './wire.ts';

/** What a TMF client may do to a resource, as commands. What is absent is not offered. */
export interface WireCommands {
  readonly create?: AnyDefinition;
  readonly patch?: AnyDefinition;
  readonly remove?: AnyDefinition;
}

/** The commands of every resource, by its name on the wire. */
export type CommandsFor = Readonly<Record<string, WireCommands>>;

/** The operations of an API that this server answers. A missing handler stops the build. */
export type ServedOperation<A extends Api> = Extract<
  (typeof operations)[number],
  { api: A; served: true }
>['operationId'];
export type HandlersOf<A extends Api> = Readonly<Record<ServedOperation<A>, Handler>>;

/** What a command of a resource answers. */
interface Written {
  id: string;
  document: JsonObject;
  version: bigint;
  /** Set where the work goes on: TMF640 answers 202 with it. */
  monitor?: { id: string; document: JsonObject };
}

function writtenOf(output: unknown): Written {
  if (!isRecord(output)) throw new Error('a write answers what it wrote');
  const { id, document, version, monitor } = output;
  if (typeof id !== 'string' || !isJsonObject(document) || typeof version !== 'bigint') {
    throw new Error('a write answers id, document and version');
  }
  if (!isRecord(monitor)) return { id, document, version };
  if (typeof monitor.id !== 'string' || !isJsonObject(monitor.document))
    throw new Error('a monitor has id and document');
  return { id, document, version, monitor: { id: monitor.id, document: monitor.document } };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

/** The stored document as it goes out: with its link, after its id. */
function bodyOf(api: string, resource: string, id: string, document: JsonObject): JsonObject {
  const { id: _id, href: _href, ...rest } = document;
  return { id, href: linkOf(api, resource, id), ...rest };
}

/** Runs a command; its answer is stored in the same transaction when the caller sent an Idempotency-Key. */
async function write(
  wire: Wire,
  request: WireRequest,
  definition: AnyDefinition,
  input: unknown,
  options: ExecuteOptions,
  answer: (output: unknown) => WireResponse,
): Promise<WireResponse> {
  const { caller, keepAnswer } = request;
  const output = keepAnswer
    ? await runKeeping(wire.policy, definition, input, caller, options, (tx, made) => keepAnswer(tx, answer(made)))
    : await run(wire.policy, definition, input, caller, options);
  wire.wake();
  return answer(output);
}

/** The request's id; the matcher gives one to every path that ends in it. */
function idOf(request: WireRequest): string {
  if (request.id === undefined) throw new Error('an item is asked for by its id');
  return request.id;
}

const ownAddress = new Map<string, RegExp>();

/** The public address before one of our paths, in any mix of plain and percent-encoded letters. */
function ownAddressOf(publicUrl: string): RegExp {
  let found = ownAddress.get(publicUrl);
  if (!found) {
    const letters = [...publicUrl].map((letter) => {
      const code = letter.charCodeAt(0).toString(16).padStart(2, '0');
      return `(?:${letter.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')}|%${code})`;
    });
    found = new RegExp(`${letters.join('')}${beforeOurPath}`, 'gi');
    ownAddress.set(publicUrl, found);
  }
  return found;
}

const beforeOurPath = '(?=(?:/|%2f)(?:tmf-api|payment|documents)(?:/|%2f))';
const storedAddress = new RegExp(`airtime(?::|%3a)${beforeOurPath}`, 'gi');

/**
 * A query that names our own links, as the list engine knows them. Links are stored without the public address, so that
 * it can change; a client filters with the string it was given.
 */
function storedSearch(search: string, publicUrl: string): string {
  return search.replace(ownAddressOf(publicUrl), 'airtime:');
}

const ownPath = /^\/(?:tmf-api|payment|documents)\//;

/** A body whose links of ours are stored like those that we make, so that one filter finds both. */
function storedBody(body: unknown, publicUrl: string): unknown {
  if (typeof body === 'string') {
    const path = body.startsWith(publicUrl) ? body.slice(publicUrl.length) : '';
    return ownPath.test(path) ? `airtime:${path}` : body;
  }
  if (Array.isArray(body)) return body.map((one) => storedBody(one, publicUrl));
  if (!isRecord(body)) return body;
  return Object.fromEntries(Object.entries(body).map(([name, value]) => [name, storedBody(value, publicUrl)]));
}

function linkHeader(links: ListResult['links'], address: string, publicUrl: string): string | undefined {
  const parts = (['first', 'prev', 'next', 'last'] as const).flatMap((rel) => {
    const query = links[rel];
    if (query === undefined) return [];
    return [`<${address}?${query.replace(storedAddress, () => encodeURIComponent(publicUrl))}>; rel="${rel}"`];
  });
  return parts.length > 0 ? parts.join(', ') : undefined;
}

export function list(api: Api, resource: string): Handler {
  const binding = bindingOf(api, resource);
  const place = linkOf(api, resource, '').slice('airtime:'.length, -1);
  return async (wire, request) => {
    const query = parseQuery(storedSearch(request.search, wire.publicUrl));
    const page = await listResources(wire.pool, binding, query);
    const link = linkHeader(page.links, `${wire.publicUrl}${place}`, wire.publicUrl);
    return {
      status: page.partial ? 206 : 200,
      body: page.items,
      partial: query.fields !== undefined,
      headers: {
        'X-Total-Count': String(page.totalCount),
        'X-Result-Count': String(page.items.length),
        ...(link === undefined ? {} : { Link: link }),
      },
    };
  };
}

export function retrieve(api: Api, resource: string): Handler {
  const binding = bindingOf(api, resource);
  return async (wire, request) => {
    const id = idOf(request);
    const { fields } = parseQuery(request.search);
    const found = await retrieveResource(wire.pool, binding, id, { fields });
    if (!found) throw notFound(resource, id);
    return { status: 200, body: found.body, version: found.version, partial: fields !== undefined };
  };
}

const commandKinds = { create: 'create', patch: 'patch', delete: 'remove' } as const;

/** Operations that the contract offers and no command carries out, as `TMF641.patchServiceOrder`. */
export function missingCommands(commands: CommandsFor): string[] {
  return operations.flatMap(({ api, operationId, kind, resource, served }) => {
    if (!served || !(kind === 'create' || kind === 'patch' || kind === 'delete')) return [];
    return commands[resource]?.[commandKinds[kind]] ? [] : [`${api}.${operationId}`];
  });
}

function commandOf(commands: CommandsFor, resource: string, kind: keyof WireCommands): AnyDefinition {
  const found = Object.hasOwn(commands, resource) ? commands[resource]?.[kind] : undefined;
  if (!found) throw new AirtimeError(501, 'notImplemented', `This server has no way to ${kind} a ${resource}.`);
  return found;
}

export function create(api: Api, resource: string, commands: CommandsFor): Handler {
  return (wire, request) => {
    const definition = commandOf(commands, resource, 'create');
    return write(
      wire,
      request,
      definition,
      { document: storedBody(request.body, wire.publicUrl) },
      { keepRefused: true },
      (output) => {
        const { id, document, version, monitor } = writtenOf(output);
        return monitor
          ? {
              status: 202,
              body: bodyOf(api, 'monitor', monitor.id, monitor.document),
              location: linkOf(api, 'monitor', monitor.id),
            }
          : { status: 201, body: bodyOf(api, resource, id, document), version, location: linkOf(api, resource, id) };
      },
    );
  };
}

export function patch(api: Api, resource: string, commands: CommandsFor): Handler {
  return (wire, request) => {
    const definition = commandOf(commands, resource, 'patch');
    const kind = request.mediaType === 'application/json-patch+json' ? 'json' : 'merge';
    const input = {
      id: idOf(request),
      patch: { kind, value: storedBody(request.body, wire.publicUrl) },
      ...ifMatchOf(request),
    };
    return write(wire, request, definition, input, {}, (output) => {
      const { id, document, version } = writtenOf(output);
      return { status: 200, body: bodyOf(api, resource, id, document), version };
    });
  };
}

export function remove(resource: string, commands: CommandsFor): Handler {
  return (wire, request) => {
    const definition = commandOf(commands, resource, 'remove');
    return write(wire, request, definition, { id: idOf(request), ...ifMatchOf(request) }, {}, () => ({ status: 204 }));
  };
}

function ifMatchOf({ ifMatch }: WireRequest): { ifMatch?: string } {
  return ifMatch === undefined ? {} : { ifMatch };
}

export function registerListener(api: Api): Handler {
  return (wire, request) => {
    if (!isJsonObject(request.body)) throw invalid('A subscription is an object.');
    const { callback, query } = request.body;
    const input = { api, callback, ...(query === undefined ? {} : { query }) };
    return write(wire, request, registerHub, input, {}, (output) => {
      if (!isRecord(output) || typeof output.id !== 'string') throw new Error('a subscription has an id');
      return { status: 201, body: output.document, location: linkOf(api, 'hub', output.id) };
    });
  };
}

export function unregisterListener(api: Api): Handler {
  return (wire, request) =>
    write(wire, request, unregisterHub, { api, id: idOf(request) }, {}, () => ({ status: 204 }));
}

/** The handler that an operation has by its kind. */
function handlerFor(api: Api, operation: Operation, commands: CommandsFor): Handler {
  const { kind, resource } = operation;
  if (kind === 'registerListener') return registerListener(api);
  if (kind === 'unregisterListener') return unregisterListener(api);
  if (resource === null) throw new Error(`${api} ${operation.operationId} has no resource`);
  switch (kind) {
    case 'list':
      return list(api, resource);
    case 'retrieve':
      return retrieve(api, resource);
    case 'create':
      return create(api, resource, commands);
    case 'patch':
      return patch(api, resource, commands);
    case 'delete':
      return remove(resource, commands);
    case 'listener':
      throw new Error(`${operation.operationId} is the subscriber's to answer`);
  }
}

/** All served operations of an API, each with the handler of its kind. */
export function standard<A extends Api>(api: A, commands: CommandsFor): HandlersOf<A> {
  const served = operations.filter((one) => one.api === api && one.served);
  const handlers = Object.fromEntries(served.map((one) => [one.operationId, handlerFor(api, one, commands)]));
  if (!coversAll(api, handlers)) throw new Error(`${api} is not served whole`);
  return handlers;
}

function coversAll<A extends Api>(api: A, handlers: Record<string, Handler>): handlers is HandlersOf<A> {
  return operations.every((one) => one.api !== api || !one.served || Object.hasOwn(handlers, one.operationId));
}
