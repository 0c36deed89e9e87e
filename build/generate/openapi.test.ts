import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Contract, readContracts } from './contract.ts';
import { expand } from './openapi.ts';
import { defaultDescription, plural, spell, withArticle } from './wording.ts';

const { common, contracts } = readContracts(resolve(import.meta.dirname, '../../specs'));

const contract = (changes: Partial<Contract> = {}): Contract => ({
  api: 'TMF000',
  title: 'Things',
  version: '1.0.0',
  basePaths: ['/things/v4'],
  about: 'Things.',
  common: ['TimePeriod'],
  resources: {
    thing: {
      about: 'A thing.',
      operations: ['list', 'create', 'patch'],
      events: ['Create', 'AttributeValueChange'],
      state: 'state',
      create: { without: ['id'], required: ['size'] },
      update: { without: ['id', 'size'] },
    },
  },
  schemas: {
    Thing: {
      properties: {
        id: 'string',
        size: 'integer',
        state: 'ThingState',
        validFor: 'TimePeriod',
        part: ['Thing'],
        name: 'string',
      },
    },
    ThingState: { enum: ['new', 'old'] },
  },
  ...changes,
});

describe('expansion of a contract', () => {
  const { document, operations, resources } = expand(contract(), common);
  const { schemas } = document.components;

  it('derives what a caller sends from what the resource holds', () => {
    expect(Object.keys(schemas.Thing_Create?.properties ?? {})).toEqual(['size', 'state', 'validFor', 'part', 'name']);
    expect(schemas.Thing_Create?.required).toEqual(['size']);
    expect(Object.keys(schemas.Thing_Update?.properties ?? {})).toEqual(['state', 'validFor', 'part', 'name']);
    expect(schemas.Thing_Update?.required).toBeUndefined();
  });

  it('describes every property, a reference too', () => {
    expect(schemas.Thing?.properties?.name).toEqual({ type: 'string', description: common.phrases.name });
    expect(schemas.Thing?.properties?.validFor).toEqual({
      allOf: [{ $ref: '#/components/schemas/TimePeriod' }],
      description: common.phrases.validFor,
    });
  });

  it('adds an operation and two schemas for each event', () => {
    expect(schemas.ThingAttributeValueChangeEvent?.properties?.fieldPath?.type).toBe('string');
    expect(schemas.ThingCreateEvent?.properties?.fieldPath).toBeUndefined();
    expect(schemas.ThingCreateEventPayload?.properties?.thing?.$ref).toBe('#/components/schemas/Thing');
    expect(document.paths['/listener/thingCreateEvent']?.post?.['x-airtime-served']).toBe(false);
  });

  it('offers the operations named, with the hub', () => {
    const served = operations.filter(({ kind }) => kind !== 'listener').map(({ operation }) => operation.operationId);
    expect(served).toEqual(['listThing', 'createThing', 'patchThing', 'registerListener', 'unregisterListener']);
  });

  it('tells the states and what may not be sent', () => {
    expect(resources[0]).toMatchObject({
      stateValues: ['new', 'old'],
      createExcluded: ['id'],
      updateExcluded: ['id', 'size'],
      createRequired: ['size'],
    });
  });

  it.each([
    [
      'an unknown schema',
      { schemas: { Thing: { properties: { a: 'Nothing' } } }, resources: {} },
      'there is no schema Nothing',
    ],
    ['an unknown shared schema', { common: ['Nothing'] }, 'common.yaml has no schema Nothing'],
    ['an unknown trait', { schemas: { Thing: { with: 'nothing' } } }, 'there is no trait nothing'],
    [
      'a property to leave out that is not there',
      {
        resources: { thing: { about: 'A thing.', operations: ['create' as const], create: { without: ['nothing'] } } },
      },
      'drops nothing',
    ],
  ])('refuses %s', (_, changes, message) => {
    expect(() => expand(contract(changes), common)).toThrow(message);
  });
});

describe('the contracts', () => {
  it.each(contracts.map((one) => [one.api, one] as const))(
    '%s describes every resource and each of its properties',
    (_, one) => {
      const { document, resources } = expand(one, common);
      for (const { schema } of resources) {
        const described = document.components.schemas[schema];
        expect(described?.description).toMatch(/\.$/);
        for (const [name, property] of Object.entries(described?.properties ?? {})) {
          expect(property.description, `${schema}.${name}`).toMatch(/\.$/);
        }
      }
    },
  );
});

describe('wording', () => {
  it('spells names out', () => {
    expect(spell('ProductOfferingPrice')).toBe('product offering price');
    expect(spell('POPCharge')).toBe('POP charge');
    expect([plural('category'), plural('usage')]).toEqual(['categories', 'usages']);
    expect([withArticle('export job'), withArticle('usage'), withArticle('catalog')]).toEqual([
      'an export job',
      'a usage',
      'a catalog',
    ]);
    expect(defaultDescription('AgreementRef')).toBe('A reference to an agreement.');
  });
});
