import { isJsonObject, type Json, type JsonObject } from '../../kernel/json.ts';
import { kebab, type Verb } from './descriptors.ts';

/** One thing a verb takes, as the terminal takes it. */
export interface Field {
  /** Where it stands in the tool's input. */
  path: readonly string[];
  /** Its option without the dashes: `address.post-code`. */
  flag: string;
  kind: 'text' | 'integer' | 'number' | 'boolean' | 'json';
  /** Allowed values, when there are few. */
  choices: readonly string[];
  /** Given once for each element of an array. */
  repeated: boolean;
  required: boolean;
  nullable: boolean;
  description: string;
  byDefault: Json | undefined;
}

/** Wrong usage of a verb: what was wrong in one sentence. Nothing was sent. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  /** @param of the command whose help says how it is right: `bss order place` */
  constructor(
    message: string,
    readonly of?: string,
  ) {
    super(message);
  }
}

/** Options of the terminal itself. A tool's input of the same name gives way to them. */
export const ownOptions = [
  'json',
  'server',
  'profile',
  'token',
  'watch',
  'yes',
  'color',
  'input',
  'help',
  'version',
] as const;

const depthMax = 3;

/** The inputs of a verb: those by place in their order, then those by option. */
export function fieldsOf(verb: Verb): { positional: Field[]; options: Field[] } {
  const all = fieldsIn(verb.input, [], true);
  const positional = verb.positional.flatMap((name) => {
    const found = all.find((field) => field.path.length === 1 && field.path[0] === name);
    return found ? [found] : [];
  });
  return { positional, options: all.filter((field) => !positional.includes(field)) };
}

function fieldsIn(schema: JsonObject, path: readonly string[], isReached: boolean): Field[] {
  if (!isJsonObject(schema.properties)) return [];
  const required = Array.isArray(schema.required) ? schema.required : [];
  return Object.entries(schema.properties).flatMap(([name, given]) => {
    if (!isJsonObject(given)) return [];
    const { schema: own, nullable } = withoutNull(given);
    const isRequired = isReached && required.includes(name);
    const here = [...path, name];
    const field = describe(own, nullable, here, isRequired);
    const deeper =
      own.type === 'object' && isJsonObject(own.properties) && here.length < depthMax
        ? fieldsIn(own, here, isRequired)
        : [];
    // A parent that its parts can give need not be given itself; the parts that are required say so.
    return deeper.length > 0 ? [{ ...field, required: false }, ...deeper] : [field];
  });
}

function describe(schema: JsonObject, nullable: boolean, path: readonly string[], required: boolean): Field {
  const isArray = schema.type === 'array';
  const element = isArray && isJsonObject(schema.items) ? withoutNull(schema.items).schema : schema;
  const choices = choicesOf(element);
  return {
    path,
    flag: flagOf(path),
    kind: kindOf(element),
    choices,
    repeated: isArray,
    required: required && schema.default === undefined,
    nullable,
    description: typeof schema.description === 'string' ? schema.description : '',
    byDefault: schema.default,
  };
}

function flagOf(path: readonly string[]): string {
  const flag = path.map(kebab).join('.');
  return ownOptions.some((own) => own === flag) ? `with-${flag}` : flag;
}

function withoutNull(schema: JsonObject): { schema: JsonObject; nullable: boolean } {
  const choices = schema.anyOf ?? schema.oneOf;
  if (Array.isArray(choices)) {
    const others = choices.filter(isJsonObject).filter((one) => one.type !== 'null');
    const [only] = others;
    if (others.length === 1 && choices.length === 2 && only) {
      const { anyOf: _, oneOf: __, ...about } = schema;
      return { schema: { ...only, ...about }, nullable: true };
    }
  }
  if (Array.isArray(schema.type) && schema.type.includes('null')) {
    const types = schema.type.filter((one) => one !== 'null');
    return { schema: { ...schema, type: types.length === 1 ? types[0] : types }, nullable: true };
  }
  return { schema, nullable: false };
}

function kindOf(schema: JsonObject): Field['kind'] {
  if (schema.type === 'integer') return 'integer';
  if (schema.type === 'number') return 'number';
  if (schema.type === 'boolean') return 'boolean';
  if (schema.type === 'string' || choicesOf(schema).length > 0) return 'text';
  return 'json';
}

function choicesOf(schema: JsonObject): string[] {
  if (typeof schema.const === 'string') return [schema.const];
  if (Array.isArray(schema.enum)) {
    const names = schema.enum.filter((one) => typeof one === 'string');
    return names.length === schema.enum.filter((one) => one !== null).length ? names : [];
  }
  return [];
}

/** What stands in the help for the value of a field. */
export function placeholder(field: Field): string {
  if (field.choices.length > 0 && field.choices.length <= 4) return field.choices.join('|');
  if (field.kind === 'json') return 'json';
  if (field.kind === 'integer' || field.kind === 'number') return 'number';
  return /(^|\.)(id|.*-id)$/.test(field.flag) ? 'id' : 'text';
}

/**
 * One value as it was typed, turned into what the schema wants.
 * @throws UsageError when it cannot be.
 */
export function readValue(field: Field, raw: string, readFile: (path: string) => string, isByPlace = false): Json {
  const name = isByPlace ? field.flag : `--${field.flag}`;
  if (field.nullable && raw === 'null' && field.kind !== 'text') return null;
  switch (field.kind) {
    case 'text':
      if (field.choices.length > 0 && !field.choices.includes(raw)) {
        throw new UsageError(`${name}: "${raw}" is none of ${field.choices.join(', ')}.`);
      }
      return raw;
    case 'integer':
      if (!/^-?\d+$/.test(raw) || !Number.isSafeInteger(Number(raw))) {
        throw new UsageError(`${name}: "${raw}" is not a whole number.`);
      }
      return Number(raw);
    case 'number':
      if (raw.trim() === '' || !Number.isFinite(Number(raw)))
        throw new UsageError(`${name}: "${raw}" is not a number.`);
      return Number(raw);
    case 'boolean':
      if (raw !== 'true' && raw !== 'false') throw new UsageError(`${name}: "${raw}" is neither true nor false.`);
      return raw === 'true';
    case 'json':
      return readJson(name, raw, readFile);
  }
}

/** JSON given in place, as `@file`, or as `-` for standard input. */
export function readJson(name: string, raw: string, readFile: (path: string) => string): Json {
  const text = raw === '-' ? readFile('-') : raw.startsWith('@') ? readFile(raw.slice(1)) : raw;
  try {
    const value: Json = JSON.parse(text);
    return value;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new UsageError(`${name}: this is not JSON (${why}). Give JSON, @file or - for standard input.`);
  }
}

/** The first required input that is missing, in the order of the schema. */
export function missing(fields: readonly Field[], input: JsonObject): Field | undefined {
  return fields.find((field) => field.required && valueAt(input, field.path) === undefined);
}

function valueAt(input: JsonObject, path: readonly string[]): Json | undefined {
  let here: Json | undefined = input;
  for (const name of path) {
    if (!isJsonObject(here)) return undefined;
    here = here[name];
  }
  return here;
}

/** Sets a value at its place; what is already beside it stays. */
export function setAt(input: JsonObject, path: readonly string[], value: Json): void {
  const [name, ...rest] = path;
  if (name === undefined) return;
  if (rest.length === 0) {
    input[name] = value;
    return;
  }
  const below = input[name];
  const next: JsonObject = isJsonObject(below) ? below : {};
  input[name] = next;
  setAt(next, rest, value);
}
