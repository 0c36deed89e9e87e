import fc from 'fast-check';
import { expect, test } from 'vitest';
import { apis, operations } from '../../generated/operations.ts';
import { matchPath } from './matcher.ts';

const mixed = (text: string): fc.Arbitrary<string> =>
  fc
    .array(fc.boolean(), { minLength: text.length, maxLength: text.length })
    .map((upper) =>
      [...text].map((letter, index) => (upper[index] ? letter.toUpperCase() : letter.toLowerCase())).join(''),
    );

const paths = operations
  .filter((one) => one.served)
  .flatMap((operation) =>
    apis
      .filter((one) => one.api === operation.api)
      .flatMap(({ basePaths }) => basePaths.map((base) => ({ operation, base }))),
  );

test('every served operation is found under every base path, in any case, with or without a trailing slash', () => {
  for (const { operation, base } of paths) {
    const sample = fc.sample(
      fc.tuple(
        mixed(`${base}${operation.path.replace('{id}', '')}`),
        fc.string({ minLength: 1 }),
        fc.constantFrom('', '/'),
      ),
      3,
    );
    for (const [fixed, id, slash] of sample) {
      if (id.includes('\u0000')) continue;
      const hasId = operation.path.endsWith('{id}');
      const match = matchPath(`${fixed}${hasId ? encodeURIComponent(id) : ''}${slash}`);
      expect(match?.place.operations.get(operation.method)).toBe(operation);
      expect(match?.id).toBe(hasId ? id : undefined);
    }
  }
});

test('what is not served has no place: listeners, and operations that the contract leaves out', () => {
  for (const { api, path, method } of operations.filter((one) => !one.served)) {
    const base = apis.find((one) => one.api === api)?.basePaths[0];
    const found = matchPath(`${base}${path}`);
    expect([api, path, method, found?.place.operations.has(method) ?? false]).toEqual([api, path, method, false]);
    if (path.startsWith('/listener/')) expect(found).toBeUndefined();
  }
});

test('no path breaks the matcher, and one that matches gives an id that was in it', () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.webPath(), fc.string(), fc.constantFrom(...paths.map(({ base }) => base))),
      fc.string(),
      (path, id) => {
        const match = matchPath(`${path}/${id}`);
        if (match?.id !== undefined) expect(match.id).not.toBe('');
      },
    ),
    { numRuns: 2000 },
  );
});
