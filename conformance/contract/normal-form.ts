/**
 * Reduces a Swagger 2 or OpenAPI 3.0 document to facts: one line for each thing that a program can notice.
 *
 * Prose, order and spelling without meaning fall away; everything else stays, a keyword unknown here included. Two
 * documents say the same exactly when their facts are the same.
 */
import { arrayOf, canonical, isObject, type Json, type JsonObject, objectOf } from './json.ts';

/** Facts by pointer, such as `operations/listUsage/responses/200/headers/x-total-count/type` with `integer`. */
export type Facts = Map<string, Json>;

const METHODS = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace'];

/** Keywords that tell a person something and a program nothing. */
const PROSE = new Set(['description', 'title', 'summary', 'example', 'examples', 'externalDocs']);

/** Values that a keyword has when it is absent. */
const IMPLIED: Record<string, string[]> = {
  additionalProperties: ['true', '{}'],
  allowEmptyValue: ['false'],
  collectionFormat: ['"csv"'],
  deprecated: ['false'],
  exclusiveMaximum: ['false'],
  exclusiveMinimum: ['false'],
  minItems: ['0'],
  minLength: ['0'],
  nullable: ['false'],
  readOnly: ['false'],
  uniqueItems: ['false'],
  writeOnly: ['false'],
};

const isProse = (keyword: string): boolean => PROSE.has(keyword) || keyword.startsWith('x-');

const isImplied = (keyword: string, value: Json): boolean => IMPLIED[keyword]?.includes(canonical(value)) ?? false;

/** A name as one segment of a pointer. */
export const segment = (name: string): string => name.replaceAll('~', '~0').replaceAll('/', '~1');

/** Adds a fact; a second value for the same pointer is a fact of its own, for it must not be lost. */
function add(facts: Facts, pointer: string, value: Json): void {
  const known = facts.get(pointer);
  if (known !== undefined && canonical(known) !== canonical(value)) add(facts, `${pointer}+`, value);
  else facts.set(pointer, value);
}

const lastSegment = (reference: Json): string => String(reference).replace(/^.*\//, '');

/** The keywords of a schema that a program notices. */
function keywordsOf(schema: JsonObject): string[] {
  // What stands beside a $ref has no effect.
  if (schema.$ref !== undefined) return ['$ref'];
  return Object.keys(schema).filter((keyword) => !isProse(keyword) && !isImplied(keyword, schema[keyword] ?? null));
}

/** An `allOf` of one part and nothing else says what the part says. */
function unwrapped(given: Json | undefined): JsonObject {
  const schema = objectOf(given);
  const parts = arrayOf(schema.allOf);
  return parts.length === 1 && keywordsOf(schema).join() === 'allOf' ? unwrapped(parts[0]) : schema;
}

function addSchema(facts: Facts, at: string, given: Json | undefined): void {
  const schema = unwrapped(given);
  const keywords = keywordsOf(schema);
  if (schema.$ref !== undefined) {
    add(facts, `${at}/$ref`, lastSegment(schema.$ref));
    return;
  }
  if (keywords.length === 0) add(facts, `${at}/any`, true);
  if (schema.type === undefined) {
    if (schema.properties !== undefined || schema.required !== undefined) add(facts, `${at}/type`, 'object');
    if (schema.items !== undefined) add(facts, `${at}/type`, 'array');
  }
  for (const keyword of keywords) addKeyword(facts, at, keyword, schema[keyword] ?? null);
}

function addKeyword(facts: Facts, at: string, keyword: string, value: Json): void {
  if (keyword === 'properties') {
    for (const [name, property] of Object.entries(objectOf(value)))
      addSchema(facts, `${at}/properties/${segment(name)}`, property);
  } else if (keyword === 'items') {
    addSchema(facts, `${at}/items`, value);
  } else if (keyword === 'required') {
    for (const name of arrayOf(value)) add(facts, `${at}/required/${segment(String(name))}`, true);
  } else if (keyword === 'enum') {
    for (const member of arrayOf(value))
      add(facts, `${at}/enum/${segment(typeof member === 'string' ? member : canonical(member))}`, true);
  } else if (keyword === 'allOf') {
    for (const part of arrayOf(value)) {
      const reference = unwrapped(part).$ref;
      if (reference === undefined) addSchema(facts, at, part);
      else add(facts, `${at}/allOf/${segment(lastSegment(reference))}`, true);
    }
  } else {
    add(facts, `${at}/${segment(keyword)}`, value);
  }
}

/** `Application/JSON; charset="UTF-8"` is `application/json`: JSON is UTF-8 (RFC 8259); another charset stays. */
export function mediaType(given: string): string {
  const [type = '', ...parameters] = given.split(';').map((part) => part.trim());
  const name = type.toLowerCase();
  const isJson = /^application\/(.+\+)?json$/.test(name);
  const kept = parameters
    .map((parameter) => {
      const [key = '', value = ''] = parameter.split('=').map((part) => part.trim().replace(/^"(.*)"$/, '$1'));
      return `${key.toLowerCase()}=${key.toLowerCase() === 'charset' ? value.toLowerCase() : value}`;
    })
    .filter((parameter) => !(isJson && parameter === 'charset=utf-8'));
  return [name, ...kept.sort()].join(';');
}

/** `#/parameters/X` and `#/components/parameters/X` become what they point at. */
function resolved(document: JsonObject, given: Json): JsonObject {
  const value = objectOf(given);
  if (typeof value.$ref !== 'string') return value;
  let target: Json = document;
  for (const name of value.$ref.replace(/^#\//, '').split('/')) {
    target = objectOf(target)[name.replaceAll('~1', '/').replaceAll('~0', '~')] ?? null;
  }
  return resolved(document, target);
}

const PARAMETER_KEYS = new Set(['name', 'in', 'required', 'schema', 'style', 'explode', '$ref', ...PROSE]);

/** What a parameter or header says of its value: beside `in` and `name` in Swagger 2, under `schema` in OpenAPI 3. */
function valueSchema(given: JsonObject): JsonObject {
  if (given.schema !== undefined) return objectOf(given.schema);
  return Object.fromEntries(Object.entries(given).filter(([key]) => !PARAMETER_KEYS.has(key)));
}

function addParameter(facts: Facts, at: string, parameter: JsonObject, path: string): void {
  const place = String(parameter.in);
  const name = String(parameter.name);
  // The name of a path parameter is local to the document; its place in the path is not.
  const position = [...path.matchAll(/\{([^}]*)\}/g)].findIndex(([, inPath]) => inPath === name);
  const key =
    place === 'path' && position >= 0
      ? `path ${position + 1}`
      : `${place} ${place === 'header' ? name.toLowerCase() : name}`;
  const here = `${at}/parameters/${segment(key)}`;
  add(facts, `${here}/required`, parameter.required === true);
  for (const keyword of ['style', 'explode']) {
    const value = parameter[keyword];
    if (value !== undefined) add(facts, `${here}/${keyword}`, value);
  }
  addSchema(facts, here, valueSchema(parameter));
}

function addContent(facts: Facts, at: string, content: [string, Json | undefined][]): void {
  for (const [type, schema] of content) addSchema(facts, `${at}/${segment(mediaType(type))}`, schema);
}

/** A header answered with `schema` in OpenAPI 3 or with the keywords themselves in Swagger 2. */
function addHeaders(facts: Facts, at: string, document: JsonObject, headers: Json | undefined): void {
  for (const [name, given] of Object.entries(objectOf(headers))) {
    const header = resolved(document, given);
    const here = `${at}/headers/${segment(name.toLowerCase())}`;
    if (header.required === true) add(facts, `${here}/required`, true);
    addSchema(facts, here, valueSchema(header));
  }
}

function mediaTypesOf(document: JsonObject, operation: JsonObject, keyword: 'consumes' | 'produces'): string[] {
  return arrayOf(operation[keyword] ?? document[keyword]).map(String);
}

function contentOf(given: JsonObject): [string, Json | undefined][] {
  return Object.entries(objectOf(given.content)).map(([type, entry]) => [type, objectOf(entry).schema]);
}

function addRequest(
  facts: Facts,
  at: string,
  document: JsonObject,
  operation: JsonObject,
  parameters: JsonObject[],
): void {
  const body = parameters.find((parameter) => parameter.in === 'body');
  if (body) {
    add(facts, `${at}/request/required`, body.required === true);
    addContent(
      facts,
      `${at}/request`,
      mediaTypesOf(document, operation, 'consumes').map((type) => [type, body.schema]),
    );
  }
  if (operation.requestBody !== undefined) {
    const request = resolved(document, operation.requestBody);
    add(facts, `${at}/request/required`, request.required === true);
    addContent(facts, `${at}/request`, contentOf(request));
  }
}

function addResponses(facts: Facts, at: string, document: JsonObject, operation: JsonObject): void {
  for (const [status, given] of Object.entries(objectOf(operation.responses))) {
    if (isProse(status)) continue;
    const response = resolved(document, given);
    const here = `${at}/responses/${segment(status.toLowerCase())}`;
    add(facts, `${here}/answered`, true);
    addHeaders(facts, here, document, response.headers);
    if (response.schema !== undefined) {
      addContent(
        facts,
        here,
        mediaTypesOf(document, operation, 'produces').map((type) => [type, response.schema]),
      );
    }
    addContent(facts, here, contentOf(response));
  }
}

/** Parameters of the path hold for each of its operations, unless the operation has its own of that name. */
function parametersOf(document: JsonObject, item: JsonObject, operation: JsonObject): JsonObject[] {
  const byKey = new Map<string, JsonObject>();
  for (const given of [...arrayOf(item.parameters), ...arrayOf(operation.parameters)]) {
    const parameter = resolved(document, given);
    byKey.set(`${parameter.in} ${parameter.name}`, parameter);
  }
  return [...byKey.values()];
}

function addOperation(facts: Facts, document: JsonObject, method: string, path: string): void {
  const item = objectOf(objectOf(document.paths)[path]);
  const operation = objectOf(item[method]);
  let at = `operations/${segment(String(operation.operationId))}`;
  // Two operations of one id would hide each other.
  while (facts.has(`${at}/method`)) at += '+';
  add(facts, `${at}/method`, method);
  add(facts, `${at}/path`, path.replace(/\{[^}]*\}/g, '{}'));
  for (const tag of arrayOf(operation.tags)) add(facts, `${at}/tags/${segment(String(tag))}`, true);
  if (operation.deprecated === true) add(facts, `${at}/deprecated`, true);
  for (const requirement of arrayOf(operation.security ?? document.security)) {
    for (const name of Object.keys(objectOf(requirement))) add(facts, `${at}/security/${segment(name)}`, true);
  }
  const parameters = parametersOf(document, item, operation);
  for (const parameter of parameters) {
    if (parameter.in !== 'body') addParameter(facts, at, parameter, path);
  }
  addRequest(facts, at, document, operation, parameters);
  addResponses(facts, at, document, operation);
}

/** The path of a server, without host and trailing slash. */
const basePath = (url: string): string => `/${url.replace(/^[a-z]+:\/\/[^/]*/i, '').replace(/^\/+|\/+$/g, '')}`;

/** The facts of a document. A document of another kind is refused. */
export function normalForm(given: Json): Facts {
  const document = objectOf(given);
  if (document.swagger !== '2.0' && !String(document.openapi).startsWith('3.0')) {
    throw new Error('neither a Swagger 2.0 nor an OpenAPI 3.0 document');
  }
  const facts: Facts = new Map();
  add(facts, 'api/version', String(objectOf(document.info).version));
  const servers = arrayOf(document.servers).map((server) => String(objectOf(server).url));
  for (const url of document.swagger === '2.0' ? [String(document.basePath ?? '/')] : servers) {
    add(facts, `api/base-path/${segment(basePath(url))}`, true);
  }
  for (const [path, item] of Object.entries(objectOf(document.paths))) {
    for (const method of METHODS) if (isObject(objectOf(item)[method])) addOperation(facts, document, method, path);
  }
  for (const [name, schema] of Object.entries(
    objectOf(document.definitions ?? objectOf(document.components).schemas),
  )) {
    addSchema(facts, `schemas/${segment(name)}`, schema);
  }
  return facts;
}

/** The facts of `left` and `right` that differ, as readable lines in order; none when they say the same. */
export function differences(left: Facts, right: Facts): Difference[] {
  const pointers = [...new Set([...left.keys(), ...right.keys()])].sort();
  return pointers.flatMap((pointer) => {
    const [official, contract] = [left.get(pointer), right.get(pointer)];
    const isSame = official !== undefined && contract !== undefined && canonical(official) === canonical(contract);
    return isSame ? [] : [{ pointer, official, contract }];
  });
}

/** One pointer with its value on either side; undefined where a side does not have it. */
export interface Difference {
  pointer: string;
  official: Json | undefined;
  contract: Json | undefined;
}
