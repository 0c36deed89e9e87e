import { join } from 'node:path';
import { extraDefinitions } from '../../app/extra-tools.ts';
import { readDeviations } from '../../conformance/contract/deviations.ts';
import { type Api, apis, type Operation, operations, resources } from '../../generated/operations.ts';
import { missingCommands } from '../../handlers/generic.ts';
import { cardNumberNeverStored } from '../../kernel/card-number.ts';
import { commands } from '../../policy/commands.ts';
import type { AnyDefinition } from '../../policy/core/command.ts';
import { keyReused } from '../../policy/core/idempotency.ts';
import { registerHub, unregisterHub } from '../../policy/notification/hub.ts';
import { activationCommandsFor, resourceCommandsFor, type WireCommands } from '../../policy/resources.ts';
import { describeExtra } from '../../tools/extra.ts';
import { queriesFor } from '../../tools/queries.ts';
import { describeTools, type ToolDescriptor } from '../../tools/registry.ts';
import { type Document, type DocumentOperation, nameOf, readDocument, type Schema } from './document.ts';
import { type ExampleScript, exampleScript } from './example-script.ts';

/** Everything the reference says, before it is laid out in pages. */
export interface Reference {
  readonly apis: readonly ApiReference[];
  readonly rules: readonly RuleReference[];
  readonly tools: readonly ToolDescriptor[];
}

export interface ApiReference {
  readonly api: Api;
  readonly title: string;
  readonly version: string;
  readonly about: string;
  readonly basePaths: readonly string[];
  readonly resources: readonly ResourceReference[];
  readonly hub: readonly OperationReference[];
  /** Operations of the contract that are not offered, on purpose, each with the reason. */
  readonly unserved: readonly { readonly operation: Operation; readonly reason: string }[];
  /** What the resources are made of, by name. */
  readonly types: readonly TypeReference[];
  readonly deviations: readonly DeviationReference[];
}

export interface ResourceReference {
  readonly name: string;
  readonly about: string;
  readonly type: TypeReference;
  readonly operations: readonly OperationReference[];
  readonly events: readonly { readonly name: string; readonly path: string; readonly about: string }[];
  readonly stateProperty: string | null;
}

export interface TypeReference {
  readonly name: string;
  readonly about: string;
  /** The values of a word; null for an object. */
  readonly values: readonly string[] | null;
  readonly attributes: readonly Attribute[];
}

export interface Attribute {
  readonly name: string;
  readonly about: string;
  readonly type: string;
  /** The type of this API that `type` names. */
  readonly link: string | undefined;
  readonly isList: boolean;
  readonly values: readonly string[];
  readonly isRequired: boolean;
  /** `set`: a create may give it; `required`: it must; `server`: it may not. Undefined outside resources. */
  readonly create: 'set' | 'required' | 'server' | undefined;
  readonly isPatchable: boolean | undefined;
}

export interface OperationReference {
  readonly operation: Operation;
  readonly path: string;
  readonly summary: string;
  readonly about: string;
  readonly parameters: readonly { name: string; in: string; about: string; type: string; isRequired: boolean }[];
  /** Media types of the body. */
  readonly body: readonly string[];
  readonly answers: readonly { status: string; about: string; headers: readonly string[] }[];
  /** What may refuse it, in the order in which it is judged. */
  readonly rules: readonly { code: string; sentence: string; status: number }[];
  /** A refusal is kept as a resource in a state that says so, and answered as created. */
  readonly isRefusalKept: boolean;
  /** No command carries it out yet: it is answered 501. */
  readonly isMissing: boolean;
  readonly example: ExampleScript;
}

export interface RuleReference {
  readonly code: string;
  /** More than one where the rule is put otherwise for another command. */
  readonly sentences: readonly string[];
  readonly status: number;
  /** By the doors it is met at. */
  readonly operations: readonly { api: Api; operationId: string }[];
  readonly tools: readonly string[];
}

export interface DeviationReference {
  readonly id: string;
  readonly reason: string;
  readonly places: readonly string[];
  readonly contract: unknown;
  readonly official: unknown;
}

/** Reads contracts, commands and examples. `root` is the folder of the repository. */
export function makeReference(root: string): Reference {
  const all = apis.map(({ api }) => apiReference(root, api));
  const extra = extraDefinitions.map(describeExtra).map((descriptor) => ({ descriptor }));
  return { apis: all, rules: ruleReferences(all), tools: describeTools(commands, queriesFor(commands), extra) };
}

function apiReference(root: string, api: Api): ApiReference {
  const row = apis.find((one) => one.api === api);
  if (!row) throw new Error(`there is no API ${api}`);
  const document = readDocument(join(root, 'generated/openapi', `${api}.json`));
  const own = resources.filter((one) => one.api === api);
  const served = operations.filter((one) => one.api === api && one.served);
  return {
    api,
    title: row.title,
    version: row.version,
    about: document.info.description,
    basePaths: row.basePaths,
    resources: own.map(
      ({ resource, schema, events, stateProperty, createExcluded, createRequired, updateExcluded }) => ({
        name: resource,
        about: document.tags.find((tag) => tag.name === resource)?.description ?? '',
        type: resourceType(
          document,
          schema,
          served.filter((one) => one.resource === resource),
          {
            createExcluded,
            createRequired,
            updateExcluded,
          },
        ),
        operations: served.filter((one) => one.resource === resource).map((one) => operationReference(document, one)),
        events: events.map(({ name, path }) => ({
          name,
          path,
          about: document.components.schemas[name]?.description ?? '',
        })),
        stateProperty,
      }),
    ),
    unserved: operations
      .filter((one) => one.api === api && !one.served && one.kind !== 'listener')
      .map((operation) => ({
        operation,
        reason: document.paths[operation.path]?.[operation.method]?.description?.replace(/^Not served\. /, '') ?? '',
      })),
    hub: served.filter((one) => one.resource === null).map((one) => operationReference(document, one)),
    types: reachableTypes(
      document,
      own.map((one) => one.schema),
    ),
    deviations: deviationReferences(root, api, document),
  };
}

function typeReference(document: Document, name: string): TypeReference {
  const schema = document.components.schemas[name];
  if (!schema) throw new Error(`there is no schema ${name}`);
  return {
    name,
    about: schema.description ?? '',
    values: schema.enum ?? null,
    attributes: Object.entries(schema.properties ?? {}).map(([attribute, given]) => ({
      name: attribute,
      about: given.description ?? '',
      ...typeOf(given),
      isRequired: schema.required?.includes(attribute) ?? false,
      create: undefined,
      isPatchable: undefined,
    })),
  };
}

function resourceType(
  document: Document,
  schema: string,
  served: readonly Operation[],
  writes: { createExcluded: readonly string[]; createRequired: readonly string[]; updateExcluded: readonly string[] },
): TypeReference {
  const type = typeReference(document, schema);
  const kinds = new Set(served.map((one) => one.kind));
  return {
    ...type,
    attributes: type.attributes.map((attribute) => ({
      ...attribute,
      create: !kinds.has('create')
        ? undefined
        : writes.createRequired.includes(attribute.name)
          ? 'required'
          : writes.createExcluded.includes(attribute.name)
            ? 'server'
            : 'set',
      isPatchable: kinds.has('patch') ? !writes.updateExcluded.includes(attribute.name) : undefined,
    })),
  };
}

function typeOf(given: Schema): Pick<Attribute, 'type' | 'link' | 'isList' | 'values'> {
  const isList = given.type === 'array';
  const one = isList ? (given.items ?? {}) : given;
  const link = nameOf(one);
  return {
    type: link ?? (one.format ? `${one.type} (${one.format})` : (one.type ?? 'any')),
    link,
    isList,
    values: one.enum ?? [],
  };
}

/** The types below the resources, in alphabetical order. */
function reachableTypes(document: Document, roots: readonly string[]): TypeReference[] {
  const found = new Map<string, TypeReference>();
  const pending = [...roots];
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    if (found.has(name)) continue;
    const type = typeReference(document, name);
    found.set(name, type);
    pending.push(...type.attributes.flatMap((attribute) => attribute.link ?? []));
  }
  for (const name of roots) found.delete(name);
  return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

const missing = new Set(missingCommands(resourceCommandsFor));

function definitionOf({ api, resource, kind }: Operation): AnyDefinition | undefined {
  if (kind === 'registerListener') return registerHub;
  if (kind === 'unregisterListener') return unregisterHub;
  const from: Readonly<Record<string, WireCommands>> = api === 'TMF640' ? activationCommandsFor : resourceCommandsFor;
  const own = resource === null ? undefined : from[resource];
  if (kind === 'create') return own?.create;
  if (kind === 'patch') return own?.patch;
  return kind === 'delete' ? own?.remove : undefined;
}

function operationReference(document: Document, operation: Operation): OperationReference {
  const found: DocumentOperation | undefined = document.paths[operation.path]?.[operation.method];
  if (!found) throw new Error(`${operation.api} has no ${operation.method} ${operation.path}`);
  const definition = definitionOf(operation);
  return {
    operation,
    path: operation.path,
    summary: found.summary,
    about: found.description ?? '',
    parameters: (found.parameters ?? []).map((one) => ({
      name: one.name,
      in: one.in,
      about: one.description ?? '',
      type:
        one.schema.minimum === undefined
          ? (one.schema.type ?? 'any')
          : `${one.schema.type}, from ${one.schema.minimum}`,
      isRequired: one.required ?? false,
    })),
    body: Object.keys(found.requestBody?.content ?? {}),
    answers: Object.entries(found.responses).map(([status, answer]) => ({
      status,
      about: answer.description,
      headers: Object.keys(answer.headers ?? {}),
    })),
    rules: (definition?.rules ?? []).map(({ code, sentence, status }) => ({ code, sentence, status: status ?? 422 })),
    isRefusalKept: definition !== undefined && 'keepRefused' in definition && definition.keepRefused !== undefined,
    isMissing: missing.has(`${operation.api}.${operation.operationId}`),
    example: exampleScript(operation),
  };
}

function ruleReferences(all: readonly ApiReference[]): RuleReference[] {
  const met = all.flatMap(({ api, resources: own, hub }) =>
    [...own.flatMap((resource) => resource.operations), ...hub].flatMap(({ operation, rules }) =>
      rules.map((rule) => ({ ...rule, api, operationId: operation.operationId })),
    ),
  );
  const doors = [
    { code: keyReused.code, sentence: keyReused.sentence, status: keyReused.status ?? 422 },
    { ...cardNumberNeverStored, status: 422 },
  ];
  const inCommands = commands.flatMap(({ name, audience, rules }) =>
    // A command of the house itself is no tool.
    rules.map((rule) => ({ ...rule, tool: audience.every((one) => one === 'system') ? undefined : name })),
  );
  const codes = new Set([...doors, ...inCommands, ...met].map((one) => one.code));
  return [...codes].sort().map((code) => {
    const uses = met.filter((one) => one.code === code);
    const same = [...doors, ...inCommands, ...met].filter((one) => one.code === code);
    const [own] = same;
    if (!own) throw new Error(`rule ${code} is nowhere`);
    return {
      code,
      sentences: [...new Set(same.map((one) => one.sentence))],
      status: own.status ?? 422,
      operations: uses.map(({ api, operationId }) => ({ api, operationId })),
      tools: [
        ...new Set(inCommands.flatMap((one) => (one.code === code && one.tool !== undefined ? [one.tool] : []))),
      ].sort(),
    };
  });
}

/** The declared departures that touch this API, with the places where they do. */
function deviationReferences(root: string, api: string, document: Document): DeviationReference[] {
  const named = Object.values(document.paths).flatMap((methods) =>
    Object.values(methods).map((one) => `operations/${one.operationId}`),
  );
  const places = ['api', ...named, ...Object.keys(document.components.schemas).map((name) => `schemas/${name}`)];
  return readDeviations(join(root, 'specs/deviations.yaml')).flatMap(
    ({ id, apis: only, at, reason, contract, official }) => {
      if (only && !only.includes(api)) return [];
      const pattern = new RegExp(`^${at.replace(/\{\w+:([\w|]+)\}/g, '($1)').replace(/\{\w+\}/g, '[A-Z]\\w*')}$`);
      const here = places.filter((place) => pattern.test(place)).map((place) => place.replace(/^\w+\//, ''));
      return here.length === 0 ? [] : [{ id, reason, places: here, contract, official }];
    },
  );
}
