import { describe, expect, test } from 'vitest';
import { operations, resources } from '../generated/operations.ts';
import { seeded } from './contract/random.ts';
import { leavesOf, valuesAt } from './documents.ts';
import { faults } from './faulty-proxy.ts';
import { noOccasion, occasions } from './fixtures/events.ts';
import { fixtures } from './fixtures/index.ts';
import { broken, generate } from './generator.ts';
import { readLedger } from './ledger.ts';
import { requirements } from './requirements.ts';
import { allChecks, apiOrder, uncited } from './session.ts';
import { openResource, rowsOf, subjectsOf } from './suite.ts';

const doors = resources.map((table) =>
  openResource(() => {
    throw new Error('nothing is asked here');
  }, table),
);
const rows = apiOrder.flatMap((api) => rowsOf(subjectsOf(api, doors)));

describe('the matrix', () => {
  test('has every API, and every row once', () => {
    expect([...apiOrder].sort()).toEqual([...new Set(resources.map((one) => one.api))].sort());
    expect(new Set(rows.map((row) => row.id)).size).toBe(rows.length);
  });

  test('has each served operation, each event, and each resource with a fixture', () => {
    const named = (scope: string) =>
      rows.filter(({ subject }) => subject.scope === scope).map(({ subject }) => `${subject.api} ${subject.name}`);
    const served = operations.filter((one) => one.served).map((one) => `${one.api} ${one.operationId}`);
    expect(new Set(named('operation'))).toEqual(new Set(served));
    const events = resources.flatMap((one) => one.events.map((event) => `${one.api} ${event.name}`));
    expect(new Set(named('event'))).toEqual(new Set(events));
    expect(fixtures.map((one) => `${one.api} ${one.resource}`).sort()).toEqual(
      resources.map((one) => `${one.api} ${one.resource}`).sort(),
    );
  });

  test('leaves no line uncited, and says so of one that is', () => {
    const ids = requirements.map((one) => one.id);
    expect(uncited(ids)).toEqual([]);
    const cited = allChecks.filter(({ proves }) => !proves.includes('R-LIST-TOTAL'));
    expect(uncited(ids, cited)).toEqual(['R-LIST-TOTAL', 'R-LIST-RESULT']);
  });

  test('knows every row and event that is named elsewhere', () => {
    const ids = new Set(rows.map((row) => row.id));
    expect([...readLedger().keys()].filter((id) => !ids.has(id))).toEqual([]);
    const events = new Set(resources.flatMap((one) => one.events.map((event) => `${one.api} ${event.name}`)));
    expect([...Object.keys(noOccasion), ...Object.keys(occasions)].filter((name) => !events.has(name))).toEqual([]);
  });
});

describe('the second opinion on filters', () => {
  const document = { a: 1, b: { c: [{ d: 'x' }, { d: 'y' }] }, '@type': 'T' };

  test('finds what a filter can name', () => {
    expect(leavesOf(document)).toEqual([
      { path: ['a'], throughArray: false, value: 1 },
      { path: ['b', 'c', 'd'], throughArray: true, value: 'x' },
      { path: ['b', 'c', 'd'], throughArray: true, value: 'y' },
    ]);
    expect(valuesAt(document, ['b', 'c', 'd'])).toEqual(['x', 'y']);
    expect(valuesAt(document, ['b', 'nothing'])).toEqual([]);
  });
});

describe('planted faults', () => {
  const request = (path: string, method = 'GET') => ({ method, path, headers: { 'if-match': '"1"' }, text: '' });
  const planted = (name: string) => faults.find((one) => one.name === name);

  test('change what they are named for and nothing else', () => {
    const list = request('/usage?a.b=1&limit=5&offset=10&fields=a&sort=-a');
    planted('filters ignored')?.going?.(list);
    expect(list.path).toBe('/usage?limit=5&offset=10&fields=a&sort=-a');
    planted('page overlap')?.going?.(list);
    expect(list.path).toBe('/usage?limit=5&offset=9&fields=a&sort=-a');
    planted('fields ignored')?.going?.(list);
    expect(list.path).toBe('/usage?limit=5&offset=9&sort=-a');
    planted('ETag ignored')?.going?.(list);
    expect(list.headers).toEqual({});
  });

  test('spare the API that cannot show them', () => {
    expect(planted('PATCH dropped')?.spares('TMF676')).toMatch(/no resource/);
    expect(planted('PATCH dropped')?.spares('TMF622')).toBeUndefined();
  });
});

test('generated bodies replay from their seed, and broken ones differ', () => {
  const schema = {
    type: 'object',
    required: ['name'],
    properties: { name: { type: 'string' }, at: { type: 'string', format: 'date-time' } },
  };
  const make = (seed: number) => {
    const random = seeded(seed);
    return Array.from({ length: 20 }, () => generate(schema, {}, random));
  };
  expect(make(7)).toEqual(make(7));
  expect(make(7)).not.toEqual(make(8));
  expect(make(7).every((body) => typeof body === 'object' && body !== null && 'name' in body)).toBe(true);
  const random = seeded(7);
  expect(
    Array.from({ length: 20 }, () => broken({ name: 'x' }, random)).some(
      (body) => JSON.stringify(body) !== '{"name":"x"}',
    ),
  ).toBe(true);
});
