import { expect, test } from 'vitest';
import type { JsonObject } from '../../kernel/json.ts';
import type { Verb } from './descriptors.ts';
import { type Field, fieldsOf, missing, placeholder, readJson, readValue, setAt, UsageError } from './input.ts';

const noFile = (path: string): string => {
  throw new UsageError(`${path} is not there`);
};

function verb(input: JsonObject, positional: string[] = []): Verb {
  return {
    name: 'a.b',
    noun: 'a',
    verb: 'b',
    summary: '',
    audience: [],
    effect: 'read',
    input,
    rules: [],
    positional,
    examples: [],
    view: undefined,
  };
}

const schema: JsonObject = {
  type: 'object',
  properties: {
    customerId: { type: 'string', description: 'Who' },
    count: { type: 'integer', default: 20 },
    price: { type: 'number' },
    all: { type: 'boolean' },
    state: { type: 'string', enum: ['active', 'blocked'] },
    tags: { type: 'array', items: { type: 'string' } },
    address: {
      type: 'object',
      properties: { postCode: { type: 'string' }, lines: { type: 'array', items: { type: 'string' } } },
      required: ['postCode'],
    },
    document: { type: 'object', additionalProperties: true },
    until: { anyOf: [{ type: 'integer' }, { type: 'null' }] },
    token: { type: 'string' },
  },
  required: ['customerId', 'count', 'address'],
};

const all = fieldsOf(verb(schema, ['customerId']));
function field(flag: string): Field {
  const found = [...all.positional, ...all.options].find((one) => one.flag === flag);
  if (!found) throw new Error(`no field ${flag}`);
  return found;
}

test('properties become options in kebab case, nested ones with dots, and what is taken by place is no option', () => {
  expect(all.positional.map((one) => one.flag)).toEqual(['customer-id']);
  expect(all.options.map((one) => one.flag)).toEqual([
    'count',
    'price',
    'all',
    'state',
    'tags',
    'address',
    'address.post-code',
    'address.lines',
    'document',
    'until',
    'with-token',
  ]);
});

test('an input of the same name gives way to an option of the terminal itself', () => {
  expect(field('with-token').path).toEqual(['token']);
});

test('values are read as their schema has them', () => {
  expect(readValue(field('count'), '7', noFile)).toBe(7);
  expect(readValue(field('price'), '-1.5', noFile)).toBe(-1.5);
  expect(readValue(field('all'), 'true', noFile)).toBe(true);
  expect(readValue(field('state'), 'active', noFile)).toBe('active');
  expect(readValue(field('until'), 'null', noFile)).toBeNull();
  expect(readValue(field('document'), '{"a":[1]}', noFile)).toEqual({ a: [1] });
  expect(readValue(field('customer-id'), 'null', noFile)).toBe('null');
});

test('a value that does not fit is wrong usage, and says what would', () => {
  for (const [flag, value, says] of [
    ['count', '7.5', 'whole number'],
    ['count', '99999999999999999999', 'whole number'],
    ['price', 'much', 'not a number'],
    ['price', ' ', 'not a number'],
    ['all', 'yes', 'neither true nor false'],
    ['state', 'gone', 'active, blocked'],
    ['document', '{', 'not JSON'],
  ] as const) {
    expect(() => readValue(field(flag), value, noFile)).toThrow(UsageError);
    expect(() => readValue(field(flag), value, noFile)).toThrow(says);
  }
});

test('JSON comes in place, from a file or from standard input', () => {
  const files: Record<string, string> = { 'a.json': '{"from":"file"}', '-': '{"from":"input"}' };
  const readFile = (path: string) => files[path] ?? noFile(path);
  expect(readJson('--document', '@a.json', readFile)).toEqual({ from: 'file' });
  expect(readJson('--document', '-', readFile)).toEqual({ from: 'input' });
  expect(() => readJson('--document', '@b.json', readFile)).toThrow('b.json is not there');
});

test('what is required and has no default is missed, also inside an object', () => {
  const fields = [...all.positional, ...all.options];
  expect(missing(fields, {})?.flag).toBe('customer-id');
  expect(missing(fields, { customerId: 'c' })?.flag).toBe('address.post-code');
  expect(missing(fields, { customerId: 'c', address: { postCode: '1' } })).toBeUndefined();
});

test('parts of an object are set beside each other', () => {
  const input: JsonObject = { address: { city: 'Singapore' } };
  setAt(input, ['address', 'postCode'], '018956');
  setAt(input, ['count'], 3);
  expect(input).toEqual({ address: { city: 'Singapore', postCode: '018956' }, count: 3 });
});

test('help names what a value looks like', () => {
  expect(
    ['count', 'state', 'customer-id', 'document', 'address.post-code'].map((flag) => placeholder(field(flag))),
  ).toEqual(['number', 'active|blocked', 'id', 'json', 'text']);
});
