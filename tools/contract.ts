import { resources } from '../generated/operations.ts';
import { loadSchemas } from '../generated/schemas/index.ts';
import { isJsonObject, type Json, type JsonObject } from '../kernel/json.ts';
import type { AnyDefinition } from '../policy/core/command.ts';
import { activationCommandsFor, resourceCommandsFor } from '../policy/resources.ts';

/**
 * Where a schema names a body of the standard: `TMF622.json#/components/schemas/ProductOrder`, which is a place in the
 * documents that this server serves. Whole, a list of tools weighs a megabyte; most callers never look at those bodies.
 */
const place = /^(TMF\d{3})\.json#\/components\/schemas\/(\w+)$/;

/** @param body `TMF622/ProductOrder` */
export function bodyOf(body: string, description: string): JsonObject {
  const [api = '', schema = ''] = body.split('/');
  return { type: 'object', description, $ref: `${api}.json#/components/schemas/${schema}` };
}

const asTheContract = 'The resource as the contract has it.';
const tag: JsonObject = {
  type: 'string',
  description: 'Only if this is still its ETag, which is its version in quotes',
};
const id: JsonObject = { type: 'string' };

type Operation = 'create' | 'patch' | 'remove';

/** Where each command of the standard's bodies stands in the contracts. */
const standard = new Map<AnyDefinition, { api: string; schema: string; operation: Operation }>();
for (const [table, isActivation] of [
  [activationCommandsFor, true],
  [resourceCommandsFor, false],
] as const) {
  for (const [resource, own] of Object.entries(table)) {
    const found = resources.find((one) => one.resource === resource && (one.api === 'TMF640') === isActivation);
    if (!found) continue;
    for (const operation of ['create', 'patch', 'remove'] as const) {
      const command = own[operation];
      if (command) standard.set(command, { api: found.api, schema: found.schema, operation });
    }
  }
}

/** Input and output of a command that takes a body of the standard, from its contract. Undefined for any other. */
export function contractOf(command: AnyDefinition): { input: JsonObject; output: JsonObject } | undefined {
  const found = standard.get(command);
  if (!found) return undefined;
  const { api, schema, operation } = found;
  const body = (name: string) => bodyOf(`${api}/${name}`, asTheContract);
  const object = (properties: JsonObject, required: string[]): JsonObject => ({ type: 'object', properties, required });
  const stored = object({ id, document: body(schema), version: exact }, ['id', 'document', 'version']);
  switch (operation) {
    case 'create':
      return { input: object({ document: body(`${schema}_Create`) }, ['document']), output: stored };
    case 'patch':
      return {
        input: object({ id, patch: patchOf(body(`${schema}_Update`)), ifMatch: tag }, ['id', 'patch']),
        output: stored,
      };
    case 'remove':
      return { input: object({ id, ifMatch: tag }, ['id']), output: object({ id }, ['id']) };
  }
}

/** An integer of any size: a number where that holds it, digits where not. */
export const exact: JsonObject = { type: ['integer', 'string'], pattern: '^-?\\d+$' };

function patchOf(body: JsonObject): JsonObject {
  const path = { type: 'string', description: 'A JSON pointer: /name' };
  const step: JsonObject = {
    type: 'object',
    properties: { op: { enum: ['add', 'remove', 'replace', 'move', 'copy', 'test'] }, path, from: path, value: true },
    required: ['op', 'path'],
  };
  const variant = (kind: string, value: JsonObject): JsonObject => ({
    type: 'object',
    properties: { kind: { type: 'string', const: kind }, value },
    required: ['kind', 'value'],
  });
  return {
    description: 'What changes: a merge patch (RFC 7396; null removes), or steps of a JSON patch (RFC 6902)',
    oneOf: [
      variant('merge', { ...body, description: 'The attributes that change' }),
      variant('json', { type: 'array', maxItems: 1000, items: step }),
    ],
  };
}

/** The same tools with every body of the standard written out under `$defs`, so that each schema stands by itself. */
export async function withContracts<T extends object>(tools: readonly T[]): Promise<T[]> {
  const whole: T[] = [];
  for (const tool of tools) {
    const made = { ...tool };
    for (const side of ['input', 'output']) {
      const schema: unknown = Reflect.get(tool, side);
      if (isJsonObject(schema)) Reflect.set(made, side, await writtenOut(schema));
    }
    whole.push(made);
  }
  return whole;
}

async function writtenOut(schema: JsonObject): Promise<JsonObject> {
  const definitions: Record<string, JsonObject> = {};
  const take = async (api: string, name: string): Promise<void> => {
    if (definitions[name] !== undefined || !isApi(api)) return;
    const { schemas } = await loadSchemas[api]();
    const definition = schemas[name];
    if (!isJsonObject(definition)) return;
    definitions[name] = definition;
    for (const inner of namesIn(definition)) await take(api, inner);
  };
  const resolved = async (value: Json | undefined): Promise<Json | undefined> => {
    if (Array.isArray(value)) return Promise.all(value.map(async (one) => (await resolved(one)) ?? null));
    if (!isJsonObject(value)) return value;
    const named = typeof value.$ref === 'string' ? place.exec(value.$ref) : null;
    const made: JsonObject = {};
    for (const [name, inner] of Object.entries(value)) made[name] = await resolved(inner);
    if (!named) return made;
    const [, api = '', name = ''] = named;
    await take(api, name);
    return { ...made, $ref: `#/$defs/${name}` };
  };
  const made = await resolved(schema);
  if (!isJsonObject(made) || Object.keys(definitions).length === 0) return schema;
  return { ...made, $defs: { ...(isJsonObject(schema.$defs) ? schema.$defs : {}), ...definitions } };
}

const isApi = (api: string): api is keyof typeof loadSchemas => Object.hasOwn(loadSchemas, api);

function* namesIn(value: Json | undefined): Generator<string> {
  if (Array.isArray(value)) for (const one of value) yield* namesIn(one);
  if (!isJsonObject(value)) return;
  if (typeof value.$ref === 'string') yield value.$ref.replace('#/$defs/', '');
  for (const inner of Object.values(value)) yield* namesIn(inner);
}
