/**
 * Makes the JSON Schemas of resources for tools: what a create and a patch may send and what a resource holds, with all
 * that they name, in the dialect that agents read (2020-12).
 */
import type { Schema } from './contract.ts';
import type { ExpandedContract } from './openapi.ts';

const BANNER = '// Made by `make generate` from specs/. Do not edit.\n';
const OPENAPI = '#/components/schemas/';

/** Of OpenAPI 3.0, what JSON Schema says otherwise: where a definition stands, and two formats that are none. */
function translated(schema: Schema): Record<string, unknown> {
  const { $ref, format, properties, items, allOf, ...rest } = schema;
  return {
    ...rest,
    ...($ref === undefined ? {} : { $ref: `#/$defs/${$ref.slice(OPENAPI.length)}` }),
    ...(format === 'base64'
      ? { contentEncoding: 'base64' }
      : format === undefined || format === 'float'
        ? {}
        : { format }),
    ...(properties === undefined
      ? {}
      : { properties: Object.fromEntries(Object.entries(properties).map(([name, one]) => [name, translated(one)])) }),
    ...(items === undefined ? {} : { items: translated(items) }),
    ...(allOf === undefined ? {} : { allOf: allOf.map(translated) }),
  };
}

function* namesIn(schema: Schema): Generator<string> {
  if (schema.$ref !== undefined) yield schema.$ref.slice(OPENAPI.length);
  for (const inner of [
    ...Object.values(schema.properties ?? {}),
    ...(schema.items ? [schema.items] : []),
    ...(schema.allOf ?? []),
  ])
    yield* namesIn(inner);
}

/** The module of one API. */
export function toolSchemas({ document, resources }: ExpandedContract): string {
  const { schemas } = document.components;
  const wanted = resources
    .flatMap(({ schema }) => [schema, `${schema}_Create`, `${schema}_Update`])
    .filter((name) => schemas[name] !== undefined);
  const reached = new Set<string>();
  for (let name = wanted.pop(); name !== undefined; name = wanted.pop()) {
    const schema = schemas[name];
    if (!schema || reached.has(name)) continue;
    reached.add(name);
    wanted.push(...namesIn(schema));
  }
  const made = Object.fromEntries([...reached].sort().map((name) => [name, translated(schemas[name] ?? {})]));
  return `${BANNER}export const schemas = ${JSON.stringify(made, null, 1)};\n`;
}

export const toolSchemasTypes = `${BANNER}
/** By name; a reference among them is \`#/$defs/Name\`. */
export declare const schemas: Readonly<Record<string, { readonly [keyword: string]: unknown }>>;
`;

/** A loader per API: a process reads only what somebody asks to see. */
export function toolSchemasIndex(apis: string[]): string {
  const rows = apis.map((api) => `  ${api}: () => import('./${api}.js'),\n`).join('');
  return `${BANNER}export const loadSchemas = {\n${rows}} as const;\n`;
}
