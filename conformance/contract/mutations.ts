/**
 * Plants one fault of a given kind in a raw document. The comparer must see every one of them.
 */
import { arrayOf, isObject, type Json, type JsonObject, objectOf } from './json.ts';
import type { Random } from './random.ts';
import { operationSites, responseSites, schemaSites } from './sites.ts';

/** Changes the document in place and says what it did, or null where the document has no such place. */
export type Mutation = (document: JsonObject, random: Random) => string | null;

/** Gives a member another name, in its old place. */
function rename(object: JsonObject, from: string, to: string): void {
  const members = Object.entries(object);
  for (const [key] of members) delete object[key];
  for (const [key, value] of members) object[key === from ? to : key] = value;
}

const property: Mutation = (document, random) => {
  const site = random.pick(
    schemaSites(document).filter(({ schema }) => Object.keys(objectOf(schema.properties)).length > 0),
  );
  if (!site) return null;
  const properties = objectOf(site.schema.properties);
  const name = random.pick(Object.keys(properties)) ?? '';
  const way = random.below(3);
  if (way === 0) delete properties[name];
  if (way === 1) rename(properties, name, `${name}X`);
  if (way === 2) properties.somethingElse = { type: 'string' };
  return `${['without', 'renamed', 'beside'][way]} ${site.at}.${name}`;
};

/** Schemas with a keyword of their own; what stands beside a $ref has no effect and is no place for a fault. */
const typed = (document: JsonObject): ReturnType<typeof schemaSites> =>
  schemaSites(document).filter(({ schema }) => typeof schema.type === 'string' && schema.$ref === undefined);

const type: Mutation = (document, random) => {
  const site = random.pick(typed(document));
  if (!site) return null;
  const before = site.schema.type;
  site.schema.type =
    random.pick(['string', 'boolean', 'integer', 'number', 'array', 'object'].filter((name) => name !== before)) ??
    'null';
  return `${site.at} is ${site.schema.type}`;
};

const format: Mutation = (document, random) => {
  const site = random.pick(
    typed(document).filter(({ schema }) => schema.type === 'string' && schema.enum === undefined),
  );
  if (!site) return null;
  const before = site.schema.format;
  if (before !== undefined && random.below(2) === 0) delete site.schema.format;
  else site.schema.format = before === 'date-time' ? 'date' : 'date-time';
  return `${site.at} has format ${site.schema.format ?? 'none'}`;
};

const enumeration: Mutation = (document, random) => {
  const site = random.pick(typed(document).filter(({ schema }) => Array.isArray(schema.enum)));
  if (!site) return null;
  const values = arrayOf(site.schema.enum);
  const way = random.below(3);
  const value = random.below(values.length);
  if (way === 0) values.splice(value, 1);
  if (way === 1) values.push('somethingElse');
  if (way === 2) values[value] = `${values[value]}X`;
  return `${site.at} has values ${values.join(', ')}`;
};

const required: Mutation = (document, random) => {
  const site = random.pick(typed(document).filter(({ schema }) => Object.keys(objectOf(schema.properties)).length > 0));
  if (!site) return null;
  const names = arrayOf(site.schema.required);
  if (names.length > 0 && random.below(2) === 0) {
    const [gone] = names.splice(random.below(names.length), 1);
    return `${site.at} no longer requires ${gone}`;
  }
  const added = random.pick(Object.keys(objectOf(site.schema.properties)).filter((name) => !names.includes(name)));
  if (added === undefined) return null;
  site.schema.required = [...names, added];
  return `${site.at} requires ${added}`;
};

const responseCode: Mutation = (document, random) => {
  const site = random.pick(responseSites(document));
  if (!site) return null;
  const way = random.below(3);
  if (way === 0) delete site.responses[site.status];
  if (way === 1) rename(site.responses, site.status, '418');
  if (way === 2) site.responses['418'] = { description: 'A teapot.' };
  return `${site.at} is ${['gone', 'now 418', 'joined by 418'][way]}`;
};

const header: Mutation = (document, random) => {
  const site = random.pick(responseSites(document).filter(({ response }) => isObject(response.headers)));
  if (!site) return null;
  const headers = objectOf(site.response.headers);
  const name = random.pick(Object.keys(headers)) ?? '';
  const way = random.below(4);
  if (way === 0) delete headers[name];
  if (way === 1) rename(headers, name, `${name}-Else`);
  if (way === 2) headers['X-Else'] = { type: 'string', schema: { type: 'string' } };
  const given = objectOf(headers[name]);
  if (way === 3) (isObject(given.schema) ? given.schema : given).type = 'boolean';
  return `${site.at}: ${name} is ${['gone', 'renamed', 'joined by another', 'a boolean'][way]}`;
};

const OTHER_TYPES = ['application/xml', 'text/plain', 'application/json;charset=iso-8859-1', 'application/hal+json'];

const mediaType: Mutation = (document, random) => {
  const other = random.pick(OTHER_TYPES) ?? 'text/plain';
  const bodies = operationSites(document).flatMap(({ operation }) => [
    operation.requestBody,
    ...Object.values(objectOf(operation.responses)),
  ]);
  const content = random.pick(
    bodies.flatMap((body) => (isObject(objectOf(body).content) ? [objectOf(objectOf(body).content)] : [])),
  );
  if (content) {
    const before = random.pick(Object.keys(content)) ?? '';
    rename(content, before, other);
    return `a body of ${before} is ${other}`;
  }
  const keyword = random.pick(['consumes', 'produces']) ?? 'produces';
  const withBody = operationSites(document).filter(({ operation }) =>
    keyword === 'produces'
      ? operation.operationId !== 'none'
      : arrayOf(operation.parameters).some((given) => objectOf(given).in === 'body'),
  );
  const holder = random.below(2) === 0 ? document : (random.pick(withBody)?.operation ?? document);
  const before = arrayOf(holder[keyword] ?? document[keyword]);
  holder[keyword] = random.below(2) === 0 ? [other] : [...before, other];
  return `${holder.operationId ?? 'the document'} ${keyword} ${other}`;
};

const parameter: Mutation = (document, random) => {
  const sites = operationSites(document).flatMap(({ operation }) =>
    arrayOf(operation.parameters).flatMap((given) => (isObject(given) ? [{ operation, given }] : [])),
  );
  const site = random.pick(sites.filter(({ given }) => given.in === 'query' || given.in === 'header'));
  if (!site) return null;
  const { operation, given } = site;
  const what = `${operation.operationId} ${given.name}`;
  const way = random.below(5);
  if (way === 0) operation.parameters = arrayOf(operation.parameters).filter((other) => other !== given);
  if (way === 1) given.name = `${given.name}X`;
  if (way === 2) given.in = 'cookie';
  if (way === 3) given.required = given.required !== true;
  if (way === 4) (isObject(given.schema) ? given.schema : given).type = 'boolean';
  return `${what} is ${['gone', 'renamed', 'a cookie', 'the other of required and optional', 'a boolean'][way]}`;
};

const path: Mutation = (document, random) => {
  const paths = objectOf(document.paths);
  const site = random.pick(operationSites(document));
  if (!site) return null;
  const way = random.below(4);
  if (way === 0) rename(paths, site.path, `${site.path}/else`);
  if (way === 1)
    rename(
      paths,
      site.path,
      site.path.replace(/^\/(\w)/, (_, letter: string) => `/${letter.toUpperCase()}`),
    );
  if (way === 2) delete site.item[site.method];
  if (way === 3) rename(site.item, site.method, 'put');
  return `${site.method} ${site.path} is ${['longer', 'capitalised', 'gone', 'a put'][way]}`;
};

const operationId: Mutation = (document, random) => {
  const site = random.pick(operationSites(document));
  if (!site) return null;
  const before = site.operation.operationId;
  const other: Json | undefined = random.pick(
    operationSites(document).filter(({ operation }) => operation !== site.operation),
  )?.operation.operationId;
  site.operation.operationId = random.below(2) === 0 && other !== undefined ? other : `${before}X`;
  return `${before} is ${site.operation.operationId}`;
};

/** Every kind of fault that the comparer is tried with. */
export const mutations: Record<string, Mutation> = {
  property,
  type,
  format,
  enum: enumeration,
  required,
  'response code': responseCode,
  header,
  'media type': mediaType,
  parameter,
  path,
  'operation id': operationId,
};
