import { describe, expect, it } from 'vitest';
import type { JsonObject } from './json.ts';
import { differences, mediaType, normalForm } from './normal-form.ts';

const swagger = (parts: JsonObject): JsonObject => ({
  swagger: '2.0',
  info: { version: '1' },
  basePath: '/x',
  ...parts,
});
const openapi = (parts: JsonObject): JsonObject => ({
  openapi: '3.0.3',
  info: { version: '1' },
  servers: [{ url: 'https://host/x/' }],
  ...parts,
});
const schemas = (definitions: JsonObject) => normalForm(swagger({ definitions }));

describe('normal form', () => {
  it('is the same for one operation in either language', () => {
    const old = swagger({
      consumes: ['application/json;charset=utf-8'],
      produces: ['application/json;charset=utf-8'],
      paths: {
        '/thing/{id}': {
          patch: {
            operationId: 'patchThing',
            parameters: [
              { name: 'id', in: 'path', required: true, type: 'string' },
              { name: 'thing', in: 'body', required: true, schema: { $ref: '#/definitions/Thing' } },
            ],
            responses: {
              200: {
                description: 'Yes',
                schema: { $ref: '#/definitions/Thing' },
                headers: { 'X-Count': { type: 'integer' } },
              },
            },
          },
        },
      },
      definitions: { Thing: { properties: { a: { $ref: '#/definitions/Thing', description: 'It' } } } },
    });
    const fresh = openapi({
      paths: {
        '/thing/{thingId}': {
          parameters: [{ name: 'thingId', in: 'path', required: true, schema: { type: 'string' } }],
          patch: {
            operationId: 'patchThing',
            requestBody: {
              required: true,
              content: { 'application/json': { schema: { $ref: '#/components/schemas/Thing' } } },
            },
            responses: {
              200: {
                description: 'No',
                headers: { 'x-count': { schema: { type: 'integer' } } },
                content: {
                  'application/json; charset=UTF-8': { schema: { allOf: [{ $ref: '#/components/schemas/Thing' }] } },
                },
              },
            },
          },
        },
      },
      components: {
        schemas: { Thing: { type: 'object', properties: { a: { allOf: [{ $ref: '#/components/schemas/Thing' }] } } } },
      },
    });
    expect(differences(normalForm(old), normalForm(fresh))).toEqual([]);
    expect(normalForm(old).get('operations/patchThing/parameters/path 1/type')).toBe('string');
  });

  it('keeps a property that bears the name of a keyword of prose', () => {
    const facts = schemas({ Thing: { type: 'object', properties: { description: { type: 'string' }, example: {} } } });
    expect(facts.get('schemas/Thing/properties/description/type')).toBe('string');
    expect(facts.get('schemas/Thing/properties/example/any')).toBe(true);
  });

  it('keeps a keyword that it does not know', () => {
    expect(schemas({ Thing: { type: 'string', pattern: '^a$' } }).get('schemas/Thing/pattern')).toBe('^a$');
  });

  it('does not let two operations of one id hide each other', () => {
    const operation = { operationId: 'same', responses: {} };
    const facts = normalForm(swagger({ paths: { '/a': { get: operation }, '/b': { get: operation } } }));
    expect([facts.get('operations/same/path'), facts.get('operations/same+/path')]).toEqual(['/a', '/b']);
  });

  it('does not let two parts of an object hide each other', () => {
    const facts = schemas({
      Thing: { allOf: [{ properties: { a: { type: 'string' } } }, { properties: { a: { type: 'number' } } }] },
    });
    expect([facts.get('schemas/Thing/properties/a/type'), facts.get('schemas/Thing/properties/a/type+')]).toEqual([
      'string',
      'number',
    ]);
  });

  it('refuses what is neither Swagger 2.0 nor OpenAPI 3.0', () => {
    expect(() => normalForm({ openapi: '3.1.0' })).toThrow('neither');
  });
});

describe('media types', () => {
  it.each([
    ['application/json;charset=utf-8', 'application/json'],
    ['Application/JSON ; Charset="UTF-8"', 'application/json'],
    ['application/merge-patch+json; charset=utf-8', 'application/merge-patch+json'],
    ['application/json;charset=iso-8859-1', 'application/json;charset=iso-8859-1'],
    ['text/plain;charset=utf-8', 'text/plain;charset=utf-8'],
    ['application/json;profile=a;charset=utf-8', 'application/json;profile=a'],
  ])('%s is %s', (given, normal) => {
    expect(mediaType(given)).toBe(normal);
  });
});
