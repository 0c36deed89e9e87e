import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { apis, operations } from '../../generated/operations.ts';
import { isJsonObject, type Json, type JsonObject } from '../../kernel/json.ts';
import { mockDocument } from './mock-document.ts';

const root = resolve(import.meta.dirname, '../..');
const document = mockDocument('http://127.0.0.1:4010', (api) => {
  const read: unknown = JSON.parse(readFileSync(resolve(root, `generated/openapi/${api}.json`), 'utf8'));
  if (!isJsonObject(read)) throw new Error('a document is an object');
  return read;
});

function at(from: Json | undefined, ...names: string[]): Json | undefined {
  return names.reduce<Json | undefined>((value, name) => (isJsonObject(value) ? value[name] : undefined), from);
}

test('every served operation is at the path that the server has it at', () => {
  for (const { api, path, method, served } of operations) {
    for (const basePath of apis.find((one) => one.api === api)?.basePaths ?? []) {
      expect([api, path, method, at(document, 'paths', basePath + path, method) !== undefined]).toEqual([
        api,
        path,
        method,
        served,
      ]);
    }
  }
});

test('every reference leads somewhere', () => {
  const schemas = at(document, 'components', 'schemas');
  const names = [...JSON.stringify(document).matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)].map(
    ([, name = '']) => name,
  );
  expect(names.length).toBeGreaterThan(1000);
  expect([...new Set(names)].filter((name) => at(schemas, name) === undefined)).toEqual([]);
});

test('ids of operations are there once', () => {
  const ids = [...JSON.stringify(document).matchAll(/"operationId":"([^"]+)"/g)].map(([, id]) => id);
  expect(new Set(ids).size).toBe(ids.length);
});

test('a patch takes each of its kinds by each of its media types', () => {
  const patch = at(document, 'paths', '/tmf-api/productOrderingManagement/v4/productOrder/{id}', 'patch');
  const content: JsonObject | undefined = (() => {
    const found = at(patch, 'requestBody', 'content');
    return isJsonObject(found) ? found : undefined;
  })();
  expect(Object.keys(content ?? {}).sort()).toEqual([
    'application/json',
    'application/json-patch+json',
    'application/merge-patch+json',
  ]);
  const kinds = ['ProductOrder_Update', 'MergePatch', 'JsonPatch'].map((name) => ({
    $ref: `#/components/schemas/TMF622_${name}`,
  }));
  for (const one of Object.values(content ?? {})) expect(one).toEqual({ schema: { anyOf: kinds } });
});

test('answers look like something', () => {
  const list = at(document, 'paths', '/tmf-api/customerManagement/v4/customer', 'get', 'responses', '200', 'content');
  expect(at(list, 'application/json', 'example')).toMatchObject([{ id: 'customer-example', name: 'Ana Lim' }]);
  expect(JSON.stringify(document)).not.toMatch(/\$[A-Z_]{3,}/);
  const order = at(document, 'paths', '/tmf-api/productOrderingManagement/v4/productOrder', 'post', 'responses', '201');
  expect(at(order, 'content', 'application/json', 'example', 'state')).toBe('acknowledged');
});
