/**
 * Expands an authored contract into an OpenAPI 3.0 document and into the model that the other outputs are made from.
 */
import type { Answer, Common, Contract, Definition, Derivation, OperationKind, Property, Schema } from './contract.ts';
import { defaultDescription, lowerFirst, plural, spell, withArticle } from './wording.ts';

const BUILT_IN: Record<string, Schema> = {
  string: { type: 'string' },
  boolean: { type: 'boolean' },
  integer: { type: 'integer' },
  float: { type: 'number', format: 'float' },
  'date-time': { type: 'string', format: 'date-time' },
  uri: { type: 'string', format: 'uri' },
  base64: { type: 'string', format: 'base64' },
};

const REFERENCE = '#/components/schemas/';

export interface DocumentParameter {
  name: string;
  in: 'path' | 'query' | 'header';
  description: string;
  required?: boolean;
  schema: Schema;
}

export interface DocumentResponse {
  description: string;
  headers?: Record<string, { description: string; schema: Schema }>;
  content?: Record<string, { schema: Schema }>;
}

export interface DocumentOperation {
  operationId: string;
  tags: string[];
  summary: string;
  description: string;
  'x-airtime-served'?: false;
  security?: [];
  parameters?: DocumentParameter[];
  requestBody?: { required: true; content: Record<string, { schema: Schema }> };
  responses: Record<string, DocumentResponse>;
}

export interface Document {
  openapi: '3.0.3';
  info: {
    title: string;
    version: string;
    description: string;
    contact: { name: string; url: string };
    license: { name: string; url: string };
  };
  servers: { url: string }[];
  security: Record<string, []>[];
  tags: { name: string; description: string }[];
  paths: Record<string, Record<string, DocumentOperation>>;
  components: {
    securitySchemes: Record<string, { type: 'http'; scheme: 'bearer'; description: string }>;
    schemas: Record<string, Schema>;
  };
}

/** One operation with what the tables and validators need to know of it. */
export interface ExpandedOperation {
  kind: OperationKind;
  method: string;
  path: string;
  resource: string | null;
  schema: string | null;
  operation: DocumentOperation;
  /** False where a subscriber offers it, or where the contract says why nobody does. */
  served: boolean;
}

export interface ExpandedEvent {
  kind: string;
  name: string;
  path: string;
}

export interface ExpandedResource {
  resource: string;
  schema: string;
  events: ExpandedEvent[];
  stateProperty: string | null;
  stateValues: string[] | null;
  createExcluded: string[];
  updateExcluded: string[];
  createRequired: string[];
}

export interface ExpandedContract {
  contract: Contract;
  document: Document;
  operations: ExpandedOperation[];
  resources: ExpandedResource[];
}

const upperFirst = (name: string): string => name.charAt(0).toUpperCase() + name.slice(1);

function fill(pattern: string, names: Record<string, string>): string {
  return pattern.replace(/\{([\w ]+)\}/g, (whole, name: string) => names[name] ?? whole);
}

function sorted<T>(record: Record<string, T>): Record<string, T> {
  return Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
}

/** Makes bare names into pointers, all the way down. */
function pointed(schema: Schema): Schema {
  const result: Schema = { ...schema };
  if (schema.$ref !== undefined) result.$ref = REFERENCE + schema.$ref;
  if (schema.items) result.items = pointed(schema.items);
  if (schema.allOf) result.allOf = schema.allOf.map(pointed);
  if (schema.properties) {
    result.properties = Object.fromEntries(
      Object.entries(schema.properties).map(([name, value]) => [name, pointed(value)]),
    );
  }
  return result;
}

/** The schema that a name stands for: a built-in type, else a pointer to a component. */
function named(name: string): Schema {
  return BUILT_IN[name] ?? { $ref: REFERENCE + name };
}

function writtenOut(property: Property): Schema {
  if (typeof property === 'string') return named(property);
  if (Array.isArray(property)) return { type: 'array', items: named(property[0]) };
  return pointed(property);
}

/** OpenAPI 3.0 ignores what stands beside `$ref`, so a reference with a description is wrapped in `allOf`. */
function described(schema: Schema, description: string | undefined): Schema {
  if (description === undefined || schema.description !== undefined) return schema;
  return schema.$ref === undefined ? { ...schema, description } : { allOf: [schema], description };
}

function expandDefinition(name: string, definition: Definition, common: Common): Schema {
  const phrase = (property: string): string | undefined =>
    common.phrases[`${name}.${property}`] ?? common.phrases[property];
  const trait = definition.with === undefined ? {} : common.traits[definition.with];
  if (trait === undefined) throw new Error(`${name}: there is no trait ${definition.with}`);
  const properties = { ...trait, ...definition.properties };
  const written = Object.entries(properties).map(([key, value]) => [key, described(writtenOut(value), phrase(key))]);
  const isObject = written.length > 0 || definition.allOf !== undefined;
  const type = definition.type ?? (isObject ? 'object' : definition.enum ? 'string' : undefined);
  return {
    description: definition.about ?? defaultDescription(name),
    ...(type && { type }),
    ...(definition.allOf && { allOf: definition.allOf.map(named) }),
    ...(definition.required && { required: definition.required }),
    ...(written.length > 0 && { properties: Object.fromEntries(written) }),
    ...(definition.items && { items: pointed(definition.items) }),
    ...(definition.enum && { enum: definition.enum }),
  };
}

function derive(base: Schema, derivation: Derivation, description: string): Schema {
  const dropped = new Set(derivation.without);
  const properties = Object.fromEntries(Object.entries(base.properties ?? {}).filter(([name]) => !dropped.has(name)));
  for (const name of dropped) {
    if (!base.properties?.[name]) throw new Error(`${description} drops ${name}, which the resource does not have`);
  }
  for (const [name, property] of Object.entries(derivation.properties ?? {})) {
    properties[name] = described(writtenOut(property), base.properties?.[name]?.description);
  }
  return {
    description,
    type: 'object',
    ...(derivation.required && { required: derivation.required }),
    properties,
  };
}

function expandSchemas(contract: Contract, common: Common): Record<string, Schema> {
  const definitions: Record<string, Definition> = { ...common.always };
  const patchable = Object.values(contract.resources).some((resource) => resource.operations.includes('patch'));
  if (patchable) Object.assign(definitions, common.patching);
  for (const key of contract.common) {
    const definition = common.schemas[key];
    if (!definition) throw new Error(`${contract.api}: common.yaml has no schema ${key}`);
    definitions[key.replace(/\..*$/, '')] = definition;
  }
  Object.assign(definitions, contract.schemas);
  const schemas: Record<string, Schema> = {};
  for (const [name, definition] of Object.entries(definitions))
    schemas[name] = expandDefinition(name, definition, common);
  for (const [resource, { create, update, events }] of Object.entries(contract.resources)) {
    const schema = upperFirst(resource);
    const base = schemas[schema];
    if (!base) throw new Error(`${contract.api}: the resource ${resource} has no schema ${schema}`);
    const thing = withArticle(spell(schema));
    if (create) schemas[`${schema}_Create`] = derive(base, create, `What a caller sends to create ${thing}.`);
    if (update) schemas[`${schema}_Update`] = derive(base, update, `What a caller may change in ${thing}.`);
    for (const kind of events ?? []) Object.assign(schemas, expandEvent(schema, kind, contract, common));
  }
  return sorted(schemas);
}

function expandEvent(schema: string, kind: string, contract: Contract, common: Common): Record<string, Schema> {
  const { happened, properties, identity, change } = common.events;
  const verb = happened[kind];
  if (verb === undefined) throw new Error(`common.yaml has no event of the kind ${kind}`);
  const isChange = change.kinds.includes(kind);
  const name = `${schema}${kind}Event`;
  const envelope: Definition = {
    about: `${upperFirst(withArticle(spell(schema)))} ${verb}.`,
    properties: {
      ...(contract.eventIdentity && !isChange && identity),
      ...properties,
      ...(isChange && change.properties),
      event: `${name}Payload`,
    },
  };
  const payload: Definition = {
    about: `What a ${name} is about.`,
    properties: { [lowerFirst(schema)]: schema },
  };
  return {
    [name]: expandDefinition(name, envelope, common),
    [`${name}Payload`]: expandDefinition(`${name}Payload`, payload, common),
  };
}

const JSON_TYPE = 'application/json';

function answer(given: Answer, names: Record<string, string>, common: Common): DocumentResponse {
  const headers = (given.headers ?? []).map((name) => {
    const header = common.headers[name];
    if (!header) throw new Error(`common.yaml has no header ${name}`);
    return [name, { description: header.about, schema: pointed(header.schema) }] as const;
  });
  const body = given.body;
  const schema =
    body === undefined ? undefined : writtenOut(typeof body === 'string' ? fill(body, names) : [fill(body[0], names)]);
  return {
    description: fill(given.about, names),
    ...(headers.length > 0 && { headers: Object.fromEntries(headers) }),
    ...(schema && { content: { [JSON_TYPE]: { schema } } }),
  };
}

function expandOperation(
  kind: OperationKind,
  names: Record<string, string>,
  common: Common,
  accepted: boolean,
): { method: string; path: string; operation: DocumentOperation } {
  const template = common.operations[kind];
  const parameters = (template.parameters ?? []).map((name): DocumentParameter => {
    const parameter = common.parameters[name];
    if (!parameter) throw new Error(`common.yaml has no parameter ${name}`);
    return {
      name,
      in: parameter.in,
      description: parameter.about,
      ...(parameter.in === 'path' && { required: true }),
      schema: pointed(parameter.schema),
    };
  });
  const responses: Record<string, DocumentResponse> = {};
  for (const [status, given] of Object.entries({ ...template.responses, ...(accepted && common.accepted) })) {
    responses[status] = answer(given, names, common);
  }
  for (const status of template.errors) {
    const description = common.errors[status];
    if (description === undefined) throw new Error(`common.yaml has no error ${status}`);
    responses[status] = answer({ about: description, body: 'Error' }, names, common);
  }
  const content = Object.entries(template.body ?? {}).map(([type, name]) => [
    type,
    { schema: named(fill(name, names)) },
  ]);
  const summary = fill(template.summary, names);
  return {
    method: template.method,
    path: template.path.replace('{resource}', names.resource ?? '').replace('{event}', names.event ?? ''),
    operation: {
      operationId: fill(template.id, names),
      tags: [fill(template.tag, names)],
      summary,
      description: template.about === undefined ? `${summary}.` : fill(template.about, names),
      ...(kind === 'listener' && { 'x-airtime-served': false, security: [] }),
      ...(parameters.length > 0 && { parameters }),
      ...(content.length > 0 && { requestBody: { required: true, content: Object.fromEntries(content) } }),
      responses,
    },
  };
}

/** An operation that the standard has and this server does not: it says so, with the reason. */
function withoutServer(operation: DocumentOperation, reason: string): DocumentOperation {
  const { operationId, tags, summary, ...rest } = operation;
  return { operationId, tags, summary, ...rest, description: `Not served. ${reason}`, 'x-airtime-served': false };
}

function namesOf(schema: string): Record<string, string> {
  const thing = spell(schema);
  return { resource: lowerFirst(schema), Schema: schema, thing, things: plural(thing), 'a thing': withArticle(thing) };
}

function expandOperations(contract: Contract, common: Common): ExpandedOperation[] {
  const operations: ExpandedOperation[] = [];
  for (const [resource, { operations: kinds, accepted = false, unserved }] of Object.entries(contract.resources)) {
    const schema = upperFirst(resource);
    for (const kind of unserved?.operations ?? []) {
      if (!kinds.includes(kind)) throw new Error(`${contract.api}: ${resource} has no ${kind} to leave unserved`);
    }
    for (const kind of kinds) {
      const expanded = expandOperation(kind, namesOf(schema), common, accepted && kind === 'create');
      const reason = unserved?.operations.includes(kind) ? unserved.reason : null;
      const operation = reason === null ? expanded.operation : withoutServer(expanded.operation, reason);
      operations.push({ kind, resource, schema, ...expanded, operation, served: reason === null });
    }
  }
  for (const kind of ['registerListener', 'unregisterListener'] as const) {
    const expanded = expandOperation(kind, {}, common, false);
    operations.push({ kind, resource: null, schema: null, ...expanded, served: true });
  }
  for (const [resource, { events = [] }] of Object.entries(contract.resources)) {
    const schema = upperFirst(resource);
    for (const event of events) {
      const name = `${schema}${event}Event`;
      const expanded = expandOperation('listener', { Event: name, event: lowerFirst(name) }, common, false);
      operations.push({ kind: 'listener', resource, schema, ...expanded, served: false });
    }
  }
  return operations;
}

/** The allowed values of a state property, or null where the contract leaves it open. */
function stateValues(base: Schema, property: string, schemas: Record<string, Schema>): string[] | null {
  const state = base.properties?.[property];
  if (!state) throw new Error(`there is no property ${property}`);
  const pointer = state.$ref ?? state.allOf?.[0]?.$ref;
  const values = (pointer === undefined ? state : schemas[pointer.slice(REFERENCE.length)])?.enum;
  return values ? values.map(String) : null;
}

/** The names of a schema's properties, those that it extends included. */
function propertyNames(schema: Schema, schemas: Record<string, Schema>): string[] {
  const extended = (schema.allOf ?? []).flatMap(({ $ref }) => {
    const base = $ref === undefined ? undefined : schemas[$ref.slice(REFERENCE.length)];
    return base ? propertyNames(base, schemas) : [];
  });
  return [...new Set([...extended, ...Object.keys(schema.properties ?? {})])];
}

function expandResource(resource: string, contract: Contract, schemas: Record<string, Schema>): ExpandedResource {
  const { events = [], state = null } = contract.resources[resource] ?? {};
  const schema = upperFirst(resource);
  const base = schemas[schema] ?? {};
  const names = propertyNames(base, schemas);
  const excluded = (suffix: string): string[] => {
    const twin = schemas[schema + suffix];
    return twin ? names.filter((name) => !twin.properties?.[name]) : [];
  };
  return {
    resource,
    schema,
    events: events.map((kind) => {
      const name = `${schema}${kind}Event`;
      return { kind, name, path: `/listener/${lowerFirst(name)}` };
    }),
    stateProperty: state,
    stateValues: state === null ? null : stateValues(base, state, schemas),
    createExcluded: excluded('_Create'),
    updateExcluded: excluded('_Update'),
    createRequired: schemas[`${schema}_Create`]?.required ?? [],
  };
}

/** Every name that is pointed at must exist: a dangling reference is an error of the author. */
function assertResolved(api: string, document: Document): void {
  for (const [, name] of JSON.stringify(document).matchAll(/"#\/components\/schemas\/([^"]+)"/g)) {
    if (name !== undefined && !document.components.schemas[name]) throw new Error(`${api}: there is no schema ${name}`);
  }
}

/** Expands one contract. Throws where it names something that does not exist. */
export function expand(contract: Contract, common: Common): ExpandedContract {
  const schemas = expandSchemas(contract, common);
  const operations = expandOperations(contract, common);
  const paths: Document['paths'] = {};
  for (const { path, method, operation } of operations) paths[path] = { ...paths[path], [method]: operation };
  const document: Document = {
    openapi: '3.0.3',
    info: {
      title: contract.title,
      version: contract.version,
      description: contract.about,
      contact: { name: 'Airtime', url: 'https://www.tmforum.org/open-apis/' },
      license: { name: 'Apache-2.0', url: 'https://www.apache.org/licenses/LICENSE-2.0' },
    },
    servers: contract.basePaths.map((url) => ({ url })),
    security: [{ [common.security.name]: [] }],
    tags: [
      ...Object.entries(contract.resources).map(([name, { about }]) => ({ name, description: about })),
      { name: 'events subscription', description: 'Who is told of events.' },
      ...(operations.some(({ kind }) => kind === 'listener')
        ? [{ name: 'notification listeners (client side)', description: 'What a subscriber offers to be told.' }]
        : []),
    ],
    paths,
    components: {
      securitySchemes: {
        [common.security.name]: { type: 'http', scheme: 'bearer', description: common.security.about },
      },
      schemas,
    },
  };
  assertResolved(contract.api, document);
  const resources = Object.keys(contract.resources).map((name) => expandResource(name, contract, schemas));
  return { contract, document, operations, resources };
}
