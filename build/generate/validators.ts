/**
 * Compiles the schemas of one OpenAPI document into a plain ES module of checks, so that nothing is compiled at start.
 */
import { _, Ajv } from 'ajv';
import standaloneCode from 'ajv/dist/standalone/index.js';
import { fullFormats } from 'ajv-formats/dist/formats.js';
import type { Schema } from './contract.ts';
import type { DocumentOperation, ExpandedContract, ExpandedOperation } from './openapi.ts';

/** Ajv's dialect: here a type may be a list, which OpenAPI 3.0 cannot say. */
interface Check {
  $id?: string;
  $ref?: string;
  type?: string | string[];
  format?: string;
  properties?: Record<string, Check>;
  required?: string[];
  items?: Check;
  enum?: unknown[];
  allOf?: Check[];
  minItems?: number;
  minimum?: number;
}

const REFERENCE = '#/components/schemas/';
const PARTIAL = '.partial';
const MERGE = '.merge';

/**
 * Clients refer to their own parties and places by relative links, and the official documents say `uri` where their
 * examples hold such links; so a link is checked as a reference, which every URI is too.
 */
const FORMATS: Record<string, string> = { uri: 'uri-reference' };

/** `base64` is not a registered format; it is checked as OpenAPI's `byte`. */
const registered = {
  'date-time': fullFormats['date-time'],
  'uri-reference': fullFormats['uri-reference'],
  base64: fullFormats.byte,
  float: fullFormats.float,
};

/** Leaves what is checked: no prose, no defaults, and a lone `allOf` is what it wraps. */
function checkOf(schema: Schema): Check {
  const only = schema.allOf?.[0];
  if (only && schema.allOf?.length === 1 && !schema.properties && !schema.required) return checkOf(only);
  return {
    ...(schema.$ref !== undefined && { $ref: schema.$ref.slice(REFERENCE.length) }),
    ...(schema.type !== undefined && { type: schema.type }),
    ...(schema.format !== undefined && { format: FORMATS[schema.format] ?? schema.format }),
    ...(schema.required && { required: schema.required }),
    ...(schema.properties && { properties: mapped(schema.properties, checkOf) }),
    ...(schema.items && { items: checkOf(schema.items) }),
    ...(schema.enum && { enum: schema.enum }),
    ...(schema.allOf && { allOf: schema.allOf.map(checkOf) }),
    ...(schema.minItems !== undefined && { minItems: schema.minItems }),
    ...(schema.minimum !== undefined && { minimum: schema.minimum }),
  };
}

function mapped<A, B>(record: Record<string, A>, change: (value: A) => B): Record<string, B> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, change(value)]));
}

/**
 * The twin for a merge patch (RFC 7396): nothing is required, null removes. It goes down into objects and stops at
 * arrays, because an array is replaced as a whole and its entries must be complete.
 */
function mergeOf(check: Check, atRoot: boolean): Check {
  if (check.$ref !== undefined) return { $ref: check.$ref + MERGE };
  if (check.allOf) {
    const { required: _required, ...rest } = check;
    return { ...rest, allOf: check.allOf.map((part) => mergeOf(part, atRoot)), ...mergedProperties(check) };
  }
  if (typeof check.type !== 'string') return check;
  const { required: _required, ...rest } = check;
  return {
    ...rest,
    type: atRoot ? check.type : [check.type, 'null'],
    ...(check.enum && { enum: [...check.enum, null] }),
    ...mergedProperties(check),
  };
}

function mergedProperties(check: Check): Pick<Check, 'properties'> {
  return check.properties ? { properties: mapped(check.properties, (property) => mergeOf(property, false)) } : {};
}

/** Every schema name that `check` points at, directly. */
function pointedAt(check: Check): string[] {
  const below = [
    ...Object.values(check.properties ?? {}),
    ...(check.allOf ?? []),
    ...(check.items ? [check.items] : []),
  ];
  return [...(check.$ref === undefined ? [] : [check.$ref]), ...below.flatMap(pointedAt)];
}

/** The merge twins of `root` and of all that it reaches through objects. */
function mergeTwins(root: string, checks: Map<string, Check>, twins: Map<string, Check>, atRoot = true): void {
  const check = checks.get(root);
  if (!check || twins.has(root + MERGE)) return;
  const twin = mergeOf(check, atRoot);
  twins.set(root + MERGE, twin);
  for (const name of pointedAt(twin)) {
    if (name.endsWith(MERGE)) mergeTwins(name.slice(0, -MERGE.length), checks, twins, false);
  }
}

/** The twin for an answer to `fields=`: the resource with nothing required. */
function partialOf(check: Check): Check {
  const { required: _required, ...rest } = check;
  return rest;
}

/** A name for an export: dots and the like become underscores. */
const exported = (id: string): string => `check_${id.replace(/\W/g, '_')}`;

/** The module text of `checks`; only the `roots` are named, what they point at comes along. */
function compile(checks: Map<string, Check>, roots: Iterable<string>, coerceTypes: boolean): string {
  const ajv = new Ajv({
    allErrors: true,
    strict: false,
    inlineRefs: false,
    validateSchema: false,
    coerceTypes,
    formats: registered,
    code: { source: true, esm: true, formats: _`formats` },
  });
  for (const [id, check] of checks) ajv.addSchema({ ...check, $id: id });
  const code = standaloneCode(ajv, Object.fromEntries([...roots].map((id) => [exported(id), id])));
  if (code.includes('require(')) throw new Error('the compiled checks want a module at run time');
  return code.replace(/^"use strict";/, '').replaceAll('export const ', 'const ');
}

const BANNER = '// Made by `make generate` from specs/. Do not edit.\n';

/** The schema name behind a media type of `content`, with whether it is a list. */
function bodySchema(schema: Schema | undefined): { name: string; isList: boolean } | null {
  if (!schema) return null;
  const reference = schema.items?.$ref ?? schema.$ref;
  if (reference === undefined) throw new Error('a body must be a named schema or a list of one');
  return { name: reference.slice(REFERENCE.length), isList: schema.items !== undefined };
}

const LIST = '.list';

interface Plan {
  checks: Map<string, Check>;
  typeOf: Map<string, string>;
}

function requestIds({ operation, kind }: ExpandedOperation, plan: Plan, base: Map<string, Check>): [string, string][] {
  return Object.entries(operation.requestBody?.content ?? {}).map(([type, { schema }]) => {
    const body = bodySchema(schema);
    if (!body) throw new Error(`${operation.operationId} has a body without a schema`);
    if (kind !== 'patch' || type === 'application/json-patch+json') return [type, body.name];
    const update = bodySchema(operation.requestBody?.content['application/json']?.schema);
    if (!update) throw new Error(`${operation.operationId} takes no plain JSON`);
    mergeTwins(update.name, base, plan.checks);
    plan.typeOf.set(update.name + MERGE, 'Record<string, unknown>');
    return [type, update.name + MERGE];
  });
}

function responseIds(
  operation: DocumentOperation,
  plan: Plan,
  base: Map<string, Check>,
  isPartial: boolean,
): [string, string | null][] {
  return Object.entries(operation.responses).map(([status, { content }]) => {
    const body = bodySchema(content?.['application/json']?.schema);
    if (!body) return [status, null];
    const name = isPartial && status.startsWith('2') ? body.name + PARTIAL : body.name;
    const check = base.get(body.name);
    if (check && name.endsWith(PARTIAL)) {
      plan.checks.set(name, partialOf(check));
      plan.typeOf.set(name, `Partial<S['${body.name}']>`);
    }
    if (!body.isList) return [status, name];
    plan.checks.set(name + LIST, { type: 'array', items: { $ref: name } });
    plan.typeOf.set(name + LIST, `(${plan.typeOf.get(name) ?? `S['${name}']`})[]`);
    return [status, name + LIST];
  });
}

/** The parameters in the query as one object; other names are filters and stay open. */
export function queryCheck(operation: DocumentOperation): Check | null {
  const parameters = (operation.parameters ?? []).filter((parameter) => parameter.in === 'query');
  if (parameters.length === 0) return null;
  return {
    type: 'object',
    properties: Object.fromEntries(parameters.map(({ name, schema }) => [name, checkOf(schema)])),
  };
}

/** One module, `parameters.js`, holds the query checks: the same few for all APIs. */
export interface ParameterChecks {
  nameOf: (operation: DocumentOperation) => string | null;
  code: string;
  declaration: string;
}

/** Compiles the distinct query checks of all documents, which turn the strings of a query into numbers. */
export function compileParameters(contracts: ExpandedContract[]): ParameterChecks {
  const names = new Map<string, string>();
  const checks = new Map<string, Check>();
  for (const { operation, kind } of contracts.flatMap(({ operations }) => operations)) {
    const check = queryCheck(operation);
    const key = JSON.stringify(check);
    if (!check || names.has(key)) continue;
    const taken = [...names.values()].filter((name) => name.startsWith(kind)).length;
    const name = taken === 0 ? `${kind}Query` : `${kind}Query${taken + 1}`;
    names.set(key, name);
    checks.set(name, check);
  }
  const all = [...names.values()];
  return {
    nameOf: (operation) => names.get(JSON.stringify(queryCheck(operation))) ?? null,
    code: `${BANNER}${compile(checks, all, true)}\nexport { ${all.map((name) => `${exported(name)} as ${name}`).join(', ')} };\n`,
    declaration: `${BANNER}import type { QueryValidator } from './validator.ts';\n${all
      .map((name) => `export declare const ${name}: QueryValidator;\n`)
      .join('')}`,
  };
}

const literal = (entries: [string, string | null][], value: (id: string) => string): string =>
  `{ ${entries.map(([key, id]) => `${JSON.stringify(key)}: ${id === null ? 'null' : value(id)}`).join(', ')} }`;

/** Compiles one API: its module and the declarations that give the checks their types. */
export function compileValidators(
  { contract, document, operations, resources }: ExpandedContract,
  parameters: ParameterChecks,
): { code: string; declaration: string } {
  const base = new Map(Object.entries(document.components.schemas).map(([name, schema]) => [name, checkOf(schema)]));
  const plan: Plan = { checks: new Map(base), typeOf: new Map() };
  const served = operations.filter(({ kind }) => kind !== 'listener');
  const rows = served.map((expanded) => {
    const { operation } = expanded;
    const request = requestIds(expanded, plan, base);
    const mayBePartial = operation.parameters?.some(({ name }) => name === 'fields') ?? false;
    return {
      id: operation.operationId,
      request,
      query: parameters.nameOf(operation),
      response: responseIds(operation, plan, base, false),
      responsePartial: responseIds(operation, plan, base, mayBePartial),
    };
  });
  const typeOf = (id: string): string => `Validator<${plan.typeOf.get(id) ?? `S['${id}']`}>`;
  const whole = [
    ...resources.flatMap(({ schema, events }) => [schema, ...events.map(({ name }) => name)]),
    ...(document.components.schemas.Error ? ['Error'] : []),
  ];
  const used = rows.flatMap((row) =>
    [...row.request, ...row.response, ...row.responsePartial].flatMap(([, id]) => id ?? []),
  );
  const roots = new Set([...used, ...whole]);
  const table = (value: (id: string) => string, query: (name: string) => string): string =>
    rows
      .map(
        (row) =>
          `  ${row.id}: {\n    request: ${row.request.length === 0 ? 'null' : literal(row.request, value)},\n` +
          `    query: ${row.query === null ? 'null' : query(row.query)},\n` +
          `    response: ${literal(row.response, value)},\n` +
          `    responsePartial: ${literal(row.responsePartial, value)},\n  },\n`,
      )
      .join('')
      .replaceAll(',\n', ';\n');
  const asValue = table(exported, (name) => name).replaceAll(';\n', ',\n');
  const asType = table(typeOf, () => 'QueryValidator');
  const queries = [...new Set(rows.flatMap(({ query }) => query ?? []))];
  return {
    code:
      `${BANNER}import { formats } from './formats.js';\nimport { ${queries.join(', ')} } from './parameters.js';\n` +
      `${compile(plan.checks, roots, false)}\nexport const operations = {\n${asValue}};\n` +
      `export const schemas = {\n${whole.map((name) => `  ${name}: ${exported(name)},\n`).join('')}};\n`,
    declaration:
      `${BANNER}import type { components } from '../types/${contract.api}.ts';\n` +
      `import type { QueryValidator, Validator } from './validator.ts';\n\ntype S = components['schemas'];\n\n` +
      `export declare const operations: {\n${asType}};\n` +
      `export declare const schemas: {\n${whole.map((name) => `  ${name}: ${typeOf(name)};\n`).join('')}};\n`,
  };
}

/** The formats that the compiled checks look up, taken from ajv-formats so that a start compiles none. */
export const formatsModule = `${BANNER}import formatsModule from 'ajv-formats/dist/formats.js';

const { fullFormats } = formatsModule;

export const formats = {
${Object.entries({ 'date-time': 'date-time', 'uri-reference': 'uri-reference', base64: 'byte', float: 'float' })
  .map(([name, source]) => `  '${name}': fullFormats['${source}'],\n`)
  .join('')}};
`;

/** The types that the declarations of all modules share. */
export const validatorTypes = `${BANNER}
/** One reason why a value was refused, as Ajv gives it. */
export interface ValidationError {
  instancePath: string;
  schemaPath: string;
  keyword: string;
  params: Record<string, unknown>;
  message?: string;
}

/** Answers whether a value fits; when it does not, \`errors\` says why until the next call. */
export interface Validator<T> {
  (data: unknown): data is T;
  errors?: ValidationError[] | null;
}

/** As a validator, for the parameters of a query: numbers given as text become numbers in place. */
export interface QueryValidator {
  (data: Record<string, unknown>): boolean;
  errors?: ValidationError[] | null;
}

type Check = (((data: unknown) => boolean) & { errors?: ValidationError[] | null }) | null;

/** The checks of one served operation. A null stands where there is no body; \`default\` is any other status. */
export interface OperationValidators {
  request: Record<string, Check> | null;
  query: QueryValidator | null;
  response: Record<string, Check>;
  responsePartial: Record<string, Check>;
}

/** What the module of one API exports. */
export interface ApiValidators {
  operations: Record<string, OperationValidators>;
  schemas: Record<string, Check>;
}
`;

/** A loader per API: a process pays only for the APIs that it serves. */
export function validatorIndex(apis: string[]): string {
  const rows = apis.map((api) => `  ${api}: (): Promise<ApiValidators> => import('./${api}.js'),\n`).join('');
  return `${BANNER}import type { ApiValidators } from './validator.ts';\n\nexport const loadValidators = {\n${rows}} as const;\n`;
}
