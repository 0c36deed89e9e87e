/**
 * The places in a raw Swagger 2 or OpenAPI 3.0 document where something can be changed. The objects are the document's
 * own, so a change to one is a change to the document.
 */
import { arrayOf, isObject, type Json, type JsonObject, objectOf } from './json.ts';

/** One schema in a document, with its pointer for reports. */
export interface SchemaSite {
  at: string;
  schema: JsonObject;
}

export interface OperationSite {
  path: string;
  method: string;
  item: JsonObject;
  operation: JsonObject;
}

export interface ResponseSite {
  at: string;
  status: string;
  response: JsonObject;
  responses: JsonObject;
}

const METHODS = ['get', 'put', 'post', 'delete', 'patch'];

/** Where the named schemas of a document are. */
export function definitionsOf(document: JsonObject): JsonObject {
  return objectOf(document.definitions ?? objectOf(document.components).schemas);
}

function schemasBelow(at: string, given: Json | undefined, found: SchemaSite[]): void {
  if (!isObject(given)) return;
  found.push({ at, schema: given });
  for (const [name, property] of Object.entries(objectOf(given.properties)))
    schemasBelow(`${at}.${name}`, property, found);
  schemasBelow(`${at}[]`, given.items, found);
  for (const part of arrayOf(given.allOf)) schemasBelow(at, part, found);
}

/** Every schema under a name, and all that is inside. */
export function schemaSites(document: JsonObject): SchemaSite[] {
  const found: SchemaSite[] = [];
  for (const [name, schema] of Object.entries(definitionsOf(document))) schemasBelow(name, schema, found);
  return found;
}

export function operationSites(document: JsonObject): OperationSite[] {
  return Object.entries(objectOf(document.paths)).flatMap(([path, given]) => {
    const item = objectOf(given);
    return METHODS.flatMap((method) => {
      const operation = item[method];
      return isObject(operation) ? [{ path, method, item, operation }] : [];
    });
  });
}

export function responseSites(document: JsonObject): ResponseSite[] {
  return operationSites(document).flatMap(({ operation }) => {
    const responses = objectOf(operation.responses);
    return Object.entries(responses).flatMap(([status, response]) =>
      isObject(response) ? [{ at: `${operation.operationId} ${status}`, status, response, responses }] : [],
    );
  });
}
