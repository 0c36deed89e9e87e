import { isJsonObject, type Json, type JsonObject } from '../kernel/json.ts';
import type { Random } from './contract/random.ts';

/** The schemas of one OpenAPI document, by name. */
export type Schemas = Readonly<Record<string, JsonObject>>;

const depthMax = 5;
const words = [
  '',
  ' ',
  'plan',
  'Ada Lim',
  'ünïcödé 😀',
  '../../etc/passwd',
  "'; DROP TABLE usage; --",
  '<script>',
  'true',
  '-1',
  '1e309',
  '\\u0000',
  '__proto__',
  'constructor',
  '%00',
  'a'.repeat(300),
];
const dates = [
  '2026-03-01T09:00:00Z',
  '2026-03-01T09:00:00.123456+08:00',
  '1970-01-01T00:00:00Z',
  '9999-12-31T23:59:59Z',
  '2024-02-29T12:00:00-11:30',
];
const numbers = [0, 1, -1, 0.1, 42, 99.999, 1e9, 2 ** 31, -(2 ** 53), 1e21];
const links = [
  'https://example.com/a?b=c#d',
  'http://127.0.0.1/',
  'urn:x:y',
  'https://bss.example.com/tmf-api/customerManagement/v4/customer/1',
];

/** A value that a schema allows, from seeded chance: required attributes always, others now and then. */
export function generate(schema: Json | undefined, schemas: Schemas, random: Random, depth = 0): Json {
  if (!isJsonObject(schema)) return anything(random);
  const { $ref, allOf } = schema;
  if (typeof $ref === 'string') return generate(schemas[$ref.slice($ref.lastIndexOf('/') + 1)], schemas, random, depth);
  const values = schema.enum;
  if (Array.isArray(values) && values.length > 0) return random.pick(values) ?? null;
  if (Array.isArray(allOf)) {
    const parts = [...allOf, { ...schema, allOf: undefined }].map((part) => generate(part, schemas, random, depth));
    return Object.assign({}, ...parts.filter(isJsonObject));
  }
  switch (schema.type) {
    case 'array':
      return Array.from({ length: depth >= depthMax ? 0 : random.below(3) }, () =>
        generate(schema.items, schemas, random, depth + 1),
      );
    case 'boolean':
      return random.below(2) === 0;
    case 'integer':
      return random.pick([0, 1, 7, -3, 65_536]) ?? 0;
    case 'number':
      return random.pick(numbers) ?? 0;
    case 'string':
      return text(schema.format, random);
    default:
      return object(schema, schemas, random, depth);
  }
}

function text(format: Json | undefined, random: Random): string {
  if (format === 'date-time') return random.pick(dates) ?? '';
  if (format === 'uri') return random.pick(links) ?? '';
  if (format === 'base64' || format === 'byte') return 'QWlydGltZQ==';
  return random.pick(words) ?? '';
}

function object(schema: JsonObject, schemas: Schemas, random: Random, depth: number): JsonObject {
  const properties = isJsonObject(schema.properties) ? schema.properties : {};
  const required = Array.isArray(schema.required) ? schema.required : [];
  const made: JsonObject = {};
  for (const [name, inner] of Object.entries(properties)) {
    const isWanted = required.includes(name) || random.below(4 + 3 * depth) === 0;
    if (isWanted && depth < depthMax + 1) made[name] = generate(inner, schemas, random, depth + 1);
  }
  if (random.below(6) === 0) made[`x-${random.pick(['a', 'b', 'ö'])}`] = anything(random);
  return made;
}

export function anything(random: Random): Json {
  return (
    random.pick<Json>([null, true, 0, -1.5, 'text', [], {}, [[[]]], { a: { b: [null, 1] } }, ...words, ...numbers]) ??
    null
  );
}

/** A value that is broken in one place: an attribute gone, another type, one too many, too deep. */
export function broken(value: Json, random: Random): Json {
  if (!isJsonObject(value)) return anything(random);
  const names = Object.keys(value);
  const name = random.pick(names) ?? 'name';
  switch (random.below(6)) {
    case 0:
      return Object.fromEntries(Object.entries(value).filter(([one]) => one !== name));
    case 1:
      return { ...value, [name]: anything(random) };
    case 2: {
      const inner = value[name];
      return { ...value, [name]: broken(inner === undefined ? null : inner, random) };
    }
    case 3:
      return { ...value, [name]: nested(10 + random.below(90)) };
    case 4:
      return { ...value, ['__proto__']: { polluted: true }, id: anything(random), href: anything(random) };
    default:
      return random.pick<Json>([null, [], [value], 'text', 7, true]) ?? null;
  }
}

function nested(levels: number): Json {
  let value: Json = 'deep';
  for (let level = 0; level < levels; level += 1) value = level % 2 === 0 ? [value] : { in: value };
  return value;
}

/** A query string: sound, odd or broken. */
export function query(attributes: readonly string[], random: Random): string {
  const attribute = () => random.pick([...attributes, 'id', 'a.b.c', 'nothing', '__proto__', 'x'.repeat(120)]) ?? 'id';
  const value = () => encodeURIComponent(String(random.pick<Json>([...words, ...dates, ...numbers, true]) ?? ''));
  const parts: (() => string)[] = [
    () => `offset=${random.pick(['0', '3', '-1', 'abc', '1e9', '99999999999999999999', ''])}`,
    () => `limit=${random.pick(['0', '1', '10', '100000', '-5', '1.5', 'NaN'])}`,
    () => `sort=${random.pick(['', '-', '+'])}${attribute()},${attribute()}`,
    () => `fields=${attribute()},${random.pick(['none', 'a.b', 'a[0]', '', ','])}`,
    () => `${attribute()}=${value()}`,
    () => `${attribute()}.${random.pick(['gt', 'gte', 'lt', 'lte', 'eq', 'ne', 'regex'])}=${value()}`,
    () => `${attribute()}${random.pick(['>', '%3E%3D', '<', '!=', '*=', '=~', '%3D'])}${value()}`,
    () =>
      `${attribute()}.regex=${encodeURIComponent(random.pick(['^a.*', '(a+)+$', '[', '\\d{1,9}', '(?=x)', '.{0,200}', '*']) ?? '')}`,
    () =>
      `filter=${encodeURIComponent(random.pick([`$[?(@.${attribute()}=='x')]`, '$[?(', '$..*', `$[?(@.${attribute()} =~ /a.*b/i)]`, `$[?(@.a.b > 3 && !(@.c))]`, '(((((((((((((', '$']) ?? '')}`,
    () => random.pick(['&&&', '%zz', '=', '%00=1', 'a=b;c=d', 'ä=ö', '?', 'a%5Bb%5D=1']) ?? '',
  ];
  return Array.from({ length: random.below(4) }, () => (random.pick(parts) ?? (() => ''))()).join('&');
}
