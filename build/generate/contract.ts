/**
 * Reads the authored contracts in `specs/` and judges their shape, so that a slip of the pen is named where it is.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';

export type Json = string | number | boolean | null | Json[] | { [key: string]: Json };

const json: z.ZodType<Json> = z.lazy(() =>
  z.union([z.string(), z.number(), z.boolean(), z.null(), z.array(json), z.record(z.string(), json)]),
);

/** A JSON Schema as OpenAPI 3.0 understands it. In `specs/`, `$ref` holds the bare name of a schema. */
export interface Schema {
  $ref?: string | undefined;
  type?: string | undefined;
  format?: string | undefined;
  description?: string | undefined;
  properties?: Record<string, Schema> | undefined;
  required?: string[] | undefined;
  items?: Schema | undefined;
  enum?: Json[] | undefined;
  allOf?: Schema[] | undefined;
  default?: Json | undefined;
  minItems?: number | undefined;
  minimum?: number | undefined;
}

/** `string`, `date-time` or the name of a schema; `[X]` for an array of X; or plain JSON Schema. */
export type Property = string | [string] | Schema;

const schema: z.ZodType<Schema> = z.lazy(() =>
  z.strictObject({
    $ref: z.string().optional(),
    type: z.string().optional(),
    format: z.string().optional(),
    description: z.string().optional(),
    properties: z.record(z.string(), schema).optional(),
    required: z.array(z.string()).optional(),
    items: schema.optional(),
    enum: z.array(json).optional(),
    allOf: z.array(schema).optional(),
    default: json.optional(),
    minItems: z.number().optional(),
    minimum: z.number().optional(),
  }),
);

const property: z.ZodType<Property> = z.union([z.string(), z.tuple([z.string()]), schema]);
const properties = z.record(z.string(), property);

const definition = z.strictObject({
  about: z.string().optional(),
  with: z.string().optional(),
  allOf: z.array(z.string()).optional(),
  type: z.string().optional(),
  required: z.array(z.string()).optional(),
  properties: properties.optional(),
  items: schema.optional(),
  enum: z.array(json).optional(),
});
/** One named schema as authored: `with` names a trait, `allOf` the schemas that it extends. */
export type Definition = z.infer<typeof definition>;

const derivation = z.strictObject({
  without: z.array(z.string()),
  required: z.array(z.string()).optional(),
  properties: properties.optional(),
});
/** How `X_Create` or `X_Update` differs from X. */
export type Derivation = z.infer<typeof derivation>;

const operationName = z.enum(['list', 'create', 'retrieve', 'patch', 'delete']);

const unserved = z.strictObject({ operations: z.array(operationName).min(1), reason: z.string().min(20) });

const resource = z.strictObject({
  about: z.string(),
  operations: z.array(operationName).min(1),
  unserved: unserved.optional(),
  events: z.array(z.string()).optional(),
  state: z.string().optional(),
  accepted: z.boolean().optional(),
  create: derivation.optional(),
  update: derivation.optional(),
});
/** One resource of an API, under its name on the wire. */
export type Resource = z.infer<typeof resource>;

const contract = z.strictObject({
  api: z.string().regex(/^TMF\d{3}$/),
  title: z.string(),
  version: z.string(),
  basePaths: z.array(z.string().startsWith('/')).min(1),
  about: z.string(),
  eventIdentity: z.boolean().optional(),
  resources: z.record(z.string(), resource),
  common: z.array(z.string()),
  schemas: z.record(z.string(), definition).default({}),
});
/** One API as authored in `specs/TMFnnn.yaml`. */
export type Contract = z.infer<typeof contract>;

const response = z.strictObject({
  about: z.string(),
  headers: z.array(z.string()).optional(),
  body: z.union([z.string(), z.tuple([z.string()])]).optional(),
});
/** One successful answer; a body in brackets is an array. */
export type Answer = z.infer<typeof response>;

const template = z.strictObject({
  method: z.enum(['get', 'post', 'patch', 'delete']),
  path: z.string(),
  id: z.string(),
  tag: z.string(),
  summary: z.string(),
  about: z.string().optional(),
  parameters: z.array(z.string()).optional(),
  body: z.record(z.string(), z.string()).optional(),
  responses: z.record(z.string(), response),
  errors: z.array(z.union([z.number(), z.string()])),
});
/** What every operation of one kind looks like. */
export type Template = z.infer<typeof template>;

const operationKinds = [
  'list',
  'create',
  'retrieve',
  'patch',
  'delete',
  'registerListener',
  'unregisterListener',
  'listener',
] as const;
export type OperationKind = (typeof operationKinds)[number];

const common = z.strictObject({
  security: z.strictObject({ name: z.string(), about: z.string() }),
  parameters: z.record(
    z.string(),
    z.strictObject({ in: z.enum(['path', 'query', 'header']), about: z.string(), schema }),
  ),
  headers: z.record(z.string(), z.strictObject({ about: z.string(), schema })),
  errors: z.record(z.string(), z.string()),
  operations: z.record(z.enum(operationKinds), template),
  accepted: z.record(z.string(), response),
  events: z.strictObject({
    happened: z.record(z.string(), z.string()),
    properties,
    identity: properties,
    change: z.strictObject({ kinds: z.array(z.string()), properties }),
  }),
  always: z.record(z.string(), definition),
  patching: z.record(z.string(), definition),
  traits: z.record(z.string(), properties),
  schemas: z.record(z.string(), definition),
  phrases: z.record(z.string(), z.string()),
});
/** What recurs in the contracts, as authored in `specs/common.yaml`. */
export type Common = z.infer<typeof common>;

function read<T>(path: string, shape: z.ZodType<T>): T {
  const result = shape.safeParse(parse(readFileSync(path, 'utf8')));
  if (!result.success) throw new Error(`${path} is not a contract:\n${z.prettifyError(result.error)}`);
  return result.data;
}

/** Every contract in `directory`, in the order of their numbers, with what they share. Throws where one is malformed. */
export function readContracts(directory: string): { common: Common; contracts: Contract[] } {
  const names = readdirSync(directory).filter((name) => /^TMF\d{3}\.yaml$/.test(name));
  return {
    common: read(join(directory, 'common.yaml'), common),
    contracts: names.sort().map((name) => read(join(directory, name), contract)),
  };
}
