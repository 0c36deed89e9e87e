import { type Api, apis, operations, resources } from '../../generated/operations.ts';
import { isJsonObject, type Json, type JsonObject } from '../../kernel/json.ts';
import { examples } from '../reference/examples.ts';

/**
 * All contracts as one document, for a mock that answers at the very paths of the server: `/tmf-api/…` of every API.
 * Names of schemas recur among the APIs with other content, so each gets the name of its API before it.
 *
 * Two things are put otherwise than in the contracts, for the sake of the mock. It takes the three media types of a
 * PATCH for one, so that all of them get one schema that admits each kind of body. And answers hold examples, so that
 * what it makes up looks like something.
 * @param address where the mock will be, for the links in its answers.
 * @param read gives the generated document of an API.
 */
export function mockDocument(address: string, read: (api: Api) => JsonObject): JsonObject {
  const paths: JsonObject = {};
  const schemas: JsonObject = {};
  let securitySchemes: Json | undefined;
  for (const { api, basePaths } of apis) {
    const document = renamed(read(api), api);
    const components = objectAt(document, 'components');
    securitySchemes ??= components.securitySchemes;
    for (const [name, schema] of Object.entries(objectAt(components, 'schemas'))) schemas[`${api}_${name}`] = schema;
    for (const [path, methods] of Object.entries(objectAt(document, 'paths'))) {
      if (!isJsonObject(methods)) continue;
      // What subscribers offer, and what is declared unserved, the server does not answer either.
      const served = Object.fromEntries(
        Object.entries(methods).filter(([method]) => operationAt(api, path, method)?.served === true),
      );
      if (Object.keys(served).length === 0) continue;
      for (const basePath of basePaths) paths[`${basePath}${path}`] = mocked(api, address, basePath, path, served);
    }
  }
  return {
    openapi: '3.0.3',
    info: { title: 'Airtime mock', version: '1' },
    security: [{ bearerToken: [] }],
    paths,
    components: { ...(securitySchemes === undefined ? {} : { securitySchemes }), schemas },
  };
}

function objectAt(from: JsonObject, name: string): JsonObject {
  const found = from[name];
  if (!isJsonObject(found)) throw new Error(`the document has no ${name}`);
  return found;
}

const pointer = '#/components/schemas/';

function renamed(document: JsonObject, api: string): JsonObject {
  const walk = (value: Json | undefined): Json | undefined => {
    if (Array.isArray(value)) return value.map((one) => walk(one) ?? null);
    if (!isJsonObject(value)) return value;
    return Object.fromEntries(
      Object.entries(value).map(([name, below]) => [
        name,
        name === '$ref' && typeof below === 'string' ? below.replace(pointer, `${pointer}${api}_`) : walk(below),
      ]),
    );
  };
  const made = walk(document);
  if (!isJsonObject(made)) throw new Error('a document is an object');
  return made;
}

const operationAt = (api: Api, path: string, method: string) =>
  operations.find((one) => one.api === api && one.path === path && one.method === method);

function mocked(api: Api, address: string, basePath: string, path: string, methods: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(methods).map(([method, operation]) => {
      if (!isJsonObject(operation)) return [method, operation];
      const resource = operationAt(api, path, method)?.resource ?? undefined;
      const body =
        isJsonObject(operation.requestBody) && method === 'patch' ? onePatch(operation.requestBody) : undefined;
      return [
        method,
        {
          ...operation,
          operationId: `${api}_${basePath.replaceAll('/', '_')}_${String(operation.operationId)}`,
          ...(body ? { requestBody: body } : {}),
          ...(resource === undefined
            ? {}
            : { responses: withExamples(operation, exampleOf(api, address, basePath, resource)) }),
        },
      ];
    }),
  );
}

function onePatch(requestBody: JsonObject): JsonObject {
  const content = objectAt(requestBody, 'content');
  const kinds = Object.values(content).flatMap((one) => (isJsonObject(one) && one.schema ? [one.schema] : []));
  const schema = { anyOf: kinds };
  return { ...requestBody, content: Object.fromEntries(Object.keys(content).map((type) => [type, { schema }])) };
}

/** What a create of the reference sends, as it would be answered. */
function exampleOf(api: Api, address: string, basePath: string, resource: string): JsonObject | undefined {
  const sent = examples[`${api}.${resource}`]?.create?.body;
  if (!sent) return undefined;
  const text = JSON.stringify(sent)
    .replaceAll('$AIRTIME_URL', address)
    .replace(/\$([A-Z_]+)/g, (_, name: string) => name.toLowerCase().replace(/_id$/, '-example'));
  const filled: unknown = JSON.parse(text);
  if (!isJsonObject(filled)) throw new Error('an example is an object');
  // A caller does not always send the state; an answer has one.
  const { stateProperty, stateValues } = resources.find((one) => one.api === api && one.resource === resource) ?? {};
  const state = stateProperty && stateValues?.[0] ? { [stateProperty]: stateValues[0] } : {};
  const id = `${resource}-example`;
  return { id, href: `${address}${basePath}/${resource}/${id}`, ...state, ...filled };
}

function withExamples(operation: JsonObject, example: JsonObject | undefined): Json | undefined {
  if (!example || !isJsonObject(operation.responses)) return operation.responses;
  return Object.fromEntries(
    Object.entries(operation.responses).map(([status, response]) => {
      const content = isJsonObject(response) && isJsonObject(response.content) ? response.content : undefined;
      const json = content?.['application/json'];
      if (!isJsonObject(response) || !isJsonObject(json) || !isJsonObject(json.schema)) return [status, response];
      // A task that goes on is answered by its monitor, an error by an error.
      if (!/^20[016]$/.test(status)) return [status, response];
      const value = json.schema.type === 'array' ? [example] : example;
      return [status, { ...response, content: { ...content, 'application/json': { ...json, example: value } } }];
    }),
  );
}
