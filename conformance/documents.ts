import { isDeepStrictEqual } from 'node:util';
import { isJsonObject, type Json, type JsonObject } from '../kernel/json.ts';

/** What a check found not to be so. Anything else that is thrown is a failure of the check’s own. */
export class Failure extends Error {
  override readonly name = 'Failure';
}

export function claim(holds: boolean, otherwise: string): asserts holds {
  if (!holds) throw new Failure(otherwise);
}

const shown = (value: unknown): string => (JSON.stringify(value) ?? 'nothing').slice(0, 300);

export function same(actual: unknown, expected: unknown, what: string): void {
  if (!isDeepStrictEqual(actual, expected))
    throw new Failure(`${what} is ${shown(actual)} instead of ${shown(expected)}`);
}

export interface Leaf {
  readonly path: readonly string[];
  readonly throughArray: boolean;
  readonly value: string | number | boolean;
}

const readable = /^[A-Za-z_][A-Za-z0-9_]*$/;
const reserved = new Set([
  'offset',
  'limit',
  'sort',
  'fields',
  'filter',
  'depth',
  'expand',
  'eq',
  'ne',
  'gt',
  'gte',
  'lt',
  'lte',
  'regex',
]);

/** Every scalar of a document that a filter can name. */
export function leavesOf(value: Json | undefined, path: readonly string[] = [], throughArray = false): Leaf[] {
  if (Array.isArray(value)) return value.flatMap((one) => leavesOf(one, path, true));
  if (isJsonObject(value)) {
    return Object.entries(value).flatMap(([name, inner]) =>
      readable.test(name) && !reserved.has(name) ? leavesOf(inner, [...path, name], throughArray) : [],
    );
  }
  return value === undefined || value === null || path.length === 0 ? [] : [{ path, throughArray, value }];
}

/** All values that a path leads to, through arrays. */
export function valuesAt(value: Json | undefined, path: readonly string[]): Json[] {
  if (Array.isArray(value)) return value.flatMap((one) => valuesAt(one, path));
  const [name, ...rest] = path;
  if (name === undefined) return value === undefined ? [] : [value];
  return isJsonObject(value) ? valuesAt(value[name], rest) : [];
}

/** Objects anywhere in a document, with where they are. */
export function objectsIn(value: Json | undefined, place = ''): { place: string; object: JsonObject }[] {
  if (Array.isArray(value)) return value.flatMap((one, index) => objectsIn(one, `${place}[${index}]`));
  if (!isJsonObject(value)) return [];
  return [
    { place, object: value },
    ...Object.entries(value).flatMap(([name, inner]) => objectsIn(inner, place === '' ? name : `${place}.${name}`)),
  ];
}

export const isDate = (value: Json | undefined): value is string =>
  typeof value === 'string' && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/.test(value);

/** What the suite adds to a body to see that attributes outside the schema live, and to have all types to filter by. */
export function marker(n: number): JsonObject {
  return {
    number: n,
    size: n * 1.5,
    flag: n % 2 === 0,
    at: new Date(Date.UTC(2026, 0, 1 + n, 12)).toISOString(),
    word: `word-${n % 4}`,
    tags: [
      { name: `tag-${n % 3}`, level: n },
      { name: `tag-${(n + 1) % 3}`, level: n + 1 },
    ],
  };
}

export const dialect = {
  '@baseType': 'ConformanceBase',
  '@schemaLocation': 'https://schemas.example.com/conformance.json',
};

/** A document without what the server gives by itself, for comparing what a client sent. */
export function without(document: JsonObject, names: readonly string[]): JsonObject {
  return Object.fromEntries(Object.entries(document).filter(([name]) => !names.includes(name)));
}
