/**
 * Writes a raw document differently without changing what it says. The comparer must see none of it.
 */
import { arrayOf, isObject, type Json, type JsonObject, objectOf } from './json.ts';
import type { Random } from './random.ts';
import { definitionsOf, operationSites, responseSites, schemaSites } from './sites.ts';

/** Changes the document, in place or by answering another. */
export type Rewrite = (document: JsonObject, random: Random) => JsonObject;

const inPlace =
  (change: (document: JsonObject, random: Random) => void): Rewrite =>
  (document, random) => {
    change(document, random);
    return document;
  };

/** Lists whose order carries no meaning. */
const UNORDERED = new Set(['required', 'enum', 'tags', 'parameters', 'consumes', 'produces', 'servers', 'allOf']);

function shuffled(value: Json, random: Random, key = ''): Json {
  if (Array.isArray(value)) {
    const members = value.map((member) => shuffled(member, random));
    return UNORDERED.has(key) ? random.shuffle(members) : members;
  }
  if (!isObject(value)) return value;
  return Object.fromEntries(
    random.shuffle(Object.entries(value)).map(([name, member]) => [name, shuffled(member, random, name)]),
  );
}

/** Half of the places that can be rewritten, so that a document mixes both ways. */
const some = <T>(values: T[], random: Random): T[] => values.filter(() => random.below(2) === 0);

const isSwagger = (document: JsonObject): boolean => document.swagger === '2.0';

const withProperties = (document: JsonObject): JsonObject[] =>
  schemaSites(document)
    .map(({ schema }) => schema)
    .filter((schema) => Object.keys(objectOf(schema.properties)).length > 1);

const references = (document: JsonObject): JsonObject[] =>
  schemaSites(document)
    .map(({ schema }) => schema)
    .filter((schema) => typeof schema.$ref === 'string');

const OTHER_SPELLINGS = ['application/json', 'application/json; charset=utf-8', 'Application/JSON;charset="UTF-8"'];

function renameAll(object: JsonObject, name: (before: string) => string): void {
  const members = Object.entries(object);
  for (const [key] of members) delete object[key];
  for (const [key, value] of members) object[name(key)] = value;
}

/** Every rewrite that the comparer is tried with, by what it does. */
export const rewrites: Record<string, Rewrite> = {
  'another order of members and lists': (document, random) => objectOf(shuffled(document, random)),

  'other prose': inPlace((document, random) => {
    for (const { schema } of some(schemaSites(document), random))
      Object.assign(schema, { description: 'Otherwise.', title: 'Else' });
    for (const { operation } of some(operationSites(document), random))
      Object.assign(operation, { summary: 'Else', description: 'Else.' });
    for (const { response } of some(responseSites(document), random)) response.description = 'Otherwise.';
  }),

  examples: inPlace((document, random) => {
    for (const { schema } of some(schemaSites(document), random)) schema.example = { id: '42', type: 'number' };
  }),

  extensions: inPlace((document, random) => {
    for (const { schema } of some(schemaSites(document), random)) schema['x-else'] = { type: 'number' };
    for (const { operation } of some(operationSites(document), random)) operation['x-else'] = true;
  }),

  'media types spelled otherwise': inPlace((document, random) => {
    const other = random.pick(OTHER_SPELLINGS) ?? 'application/json';
    if (isSwagger(document)) Object.assign(document, { consumes: [other], produces: [other] });
    for (const { operation } of operationSites(document)) {
      for (const body of [operation.requestBody, ...Object.values(objectOf(operation.responses))]) {
        renameAll(objectOf(objectOf(body).content), (type) => (type === 'application/json' ? other : type));
      }
    }
  }),

  'media types said per operation': inPlace((document, random) => {
    if (!isSwagger(document)) return;
    for (const { operation } of some(operationSites(document), random)) {
      Object.assign(operation, { consumes: document.consumes, produces: document.produces });
    }
  }),

  'headers in another case': inPlace((document, random) => {
    for (const { response } of some(responseSites(document), random))
      renameAll(objectOf(response.headers), (name) => name.toLowerCase());
  }),

  'path parameters by another name': inPlace((document) => {
    for (const { operation, item } of operationSites(document)) {
      for (const given of [...arrayOf(operation.parameters), ...arrayOf(item.parameters)].map(objectOf)) {
        if (given.in === 'path') given.name = 'identifier';
      }
    }
    renameAll(objectOf(document.paths), (path) => path.replace('{id}', '{identifier}'));
  }),

  'bodies by another name': inPlace((document) => {
    for (const { operation } of operationSites(document)) {
      for (const given of arrayOf(operation.parameters).map(objectOf)) if (given.in === 'body') given.name = 'payload';
    }
  }),

  'parameters told once for a path': inPlace((document, random) => {
    for (const [, given] of some(Object.entries(objectOf(document.paths)), random)) {
      const item = objectOf(given);
      const operations = Object.values(item).filter(isObject);
      const [only] = operations;
      if (operations.length !== 1 || !only || only.parameters === undefined) continue;
      item.parameters = only.parameters;
      delete only.parameters;
    }
  }),

  'words beside a reference': inPlace((document, random) => {
    for (const schema of some(references(document), random))
      Object.assign(schema, { description: 'Beside.', type: 'string' });
  }),

  'references wrapped': inPlace((document, random) => {
    for (const schema of some(references(document), random)) {
      schema.allOf = [{ $ref: schema.$ref ?? null }];
      delete schema.$ref;
      delete schema.type;
    }
  }),

  'objects put together from parts': inPlace((document, random) => {
    for (const schema of some(withProperties(document), random)) {
      const members = Object.entries(objectOf(schema.properties));
      const middle = 1 + random.below(members.length - 1);
      const parts = [members.slice(0, middle), members.slice(middle)].map((part) => ({
        properties: Object.fromEntries(part),
      }));
      schema.allOf = [...arrayOf(schema.allOf), ...parts];
      delete schema.properties;
    }
  }),

  'the type of objects left out': inPlace((document, random) => {
    for (const schema of some(withProperties(document), random)) delete schema.type;
  }),

  'requirements said twice': inPlace((document, random) => {
    for (const { schema } of some(schemaSites(document), random)) {
      if (Array.isArray(schema.required)) schema.required = [...schema.required, ...schema.required];
    }
  }),

  'the base path with and without a slash': inPlace((document) => {
    const turned = (url: string): string => (url.endsWith('/') ? url.slice(0, -1) : `${url}/`);
    if (isSwagger(document)) document.basePath = turned(String(document.basePath));
    for (const server of arrayOf(document.servers).map(objectOf))
      server.url = `https://example.com${turned(String(server.url))}`;
  }),

  'what holds anyway': inPlace((document, random) => {
    for (const { schema } of some(schemaSites(document), random)) {
      if (schema.$ref === undefined && schema.type === 'object') schema.additionalProperties = true;
      if (schema.type === 'array' && schema.minItems === undefined)
        Object.assign(schema, { minItems: 0, uniqueItems: false });
      if (schema.type === 'string') schema.readOnly = false;
    }
    for (const { operation } of some(operationSites(document), random)) {
      operation.deprecated = false;
      for (const given of arrayOf(operation.parameters).map(objectOf))
        if (given.in === 'query') given.required = given.required === true;
    }
  }),

  'an empty list of requirements': inPlace((document, random) => {
    for (const schema of some(Object.values(definitionsOf(document)).filter(isObject), random)) {
      if (schema.properties !== undefined && schema.required === undefined) schema.required = [];
    }
  }),

  'parameters shared by reference': inPlace((document, random) => {
    const holder = isSwagger(document) ? document : objectOf(document.components);
    const shared: JsonObject = {};
    for (const { operation } of some(operationSites(document), random)) {
      operation.parameters = arrayOf(operation.parameters).map((given, index) => {
        const name = `${operation.operationId}${index}`;
        shared[name] = given;
        return { $ref: isSwagger(document) ? `#/parameters/${name}` : `#/components/parameters/${name}` };
      });
    }
    holder.parameters = shared;
  }),

  'responses shared by reference': inPlace((document, random) => {
    const holder = isSwagger(document) ? document : objectOf(document.components);
    const shared: JsonObject = {};
    for (const { at, status, response, responses } of some(responseSites(document), random)) {
      const name = at.replace(/\W/g, '');
      shared[name] = response;
      responses[status] = { $ref: isSwagger(document) ? `#/responses/${name}` : `#/components/responses/${name}` };
    }
    holder.responses = shared;
  }),
};
