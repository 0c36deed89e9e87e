import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { objectOf } from './json.ts';
import { mutations } from './mutations.ts';
import { gather, idleDeviations, officialDirectory, proveByLock, proveByOfficial } from './proof.ts';
import { definitionsOf } from './sites.ts';
import { contractSubjects, officialSubjects, tryMutations, tryRewrites } from './trial.ts';

const root = resolve(import.meta.dirname, '../..');
const { cases, deviations } = gather(root, officialDirectory(root));
const officials = officialSubjects(cases, deviations);
const contracts = contractSubjects(cases, deviations);

/** The contract and lock of one API, with a copy of the contract that a test may spoil. */
function caseOf(api: string) {
  const found = cases.find((one) => one.api === api);
  if (!found) throw new Error(`there is no contract ${api}`);
  return { ...found, contract: structuredClone(found.contract) };
}

describe('equality with the official documents', () => {
  it.each(cases)('$api equals the fingerprints of its official document', ({ api, contract, locked }) => {
    expect(proveByLock(api, contract, locked, deviations).findings).toEqual([]);
  });

  it.skipIf(officials.length === 0).each(cases)('$api equals its official document, fact by fact', (one) => {
    if (one.official === null) throw new Error(`${one.locked.file} is not at hand while others are`);
    expect(proveByOfficial({ ...one, official: one.official }, deviations).findings).toEqual([]);
  });

  it('refuses an official file that is not the pinned one', () => {
    const one = caseOf('TMF621');
    const other = JSON.stringify(one.contract);
    expect(proveByOfficial({ ...one, official: other }, deviations).findings).toContain(
      `${one.locked.file} is not the file that is pinned`,
    );
  });
});

describe('deviations', () => {
  it('each holds somewhere', () => {
    const uses = cases.map(({ api, contract, locked }) => proveByLock(api, contract, locked, deviations).used);
    expect(idleDeviations(deviations, uses)).toEqual([]);
  });

  it.each([...new Set(deviations.map(({ id }) => id))])('without the declaration %s the proof fails', (id) => {
    const others = deviations.filter((deviation) => deviation.id !== id);
    const findings = cases.flatMap(({ api, contract, locked }) => proveByLock(api, contract, locked, others).findings);
    expect(findings.length).toBeGreaterThan(0);
  });

  it('one that is no longer so fails', () => {
    const { api, contract, locked } = caseOf('TMF637');
    const status = objectOf(definitionsOf(contract).ProductStatusType);
    status.enum = Array.isArray(status.enum) ? status.enum.filter((value) => value !== 'aborted') : [];
    expect(proveByLock(api, contract, locked, deviations).findings).toEqual([
      'aborted: schemas/ProductStatusType/enum/aborted is declared true and is absent',
    ]);
  });

  it('one at a place that does not exist fails', () => {
    const { api, contract, locked } = caseOf('TMF637');
    const gone = {
      id: 'gone',
      apis: ['TMF637'],
      at: 'schemas/Nothing',
      reason: 'A place that is not there.',
      contract: { type: 'object' },
    };
    expect(proveByLock(api, contract, locked, [...deviations, gone]).findings).toEqual([
      'gone: nothing in TMF637 is at schemas/Nothing',
    ]);
  });

  it('an edit beside a declared one is not covered by it', () => {
    const { api, contract, locked } = caseOf('TMF637');
    const product = objectOf(objectOf(objectOf(objectOf(contract.paths)['/product']).get).responses);
    objectOf(objectOf(product['206']).headers)['X-Else'] = { schema: { type: 'string' } };
    expect(proveByLock(api, contract, locked, deviations).findings).toEqual([
      'operations/listProduct is not what the official document says',
    ]);
  });
});

describe('the comparer', () => {
  const kinds = Object.keys(mutations);

  it('sees every fault planted in a contract', () => {
    const trials = tryMutations(contracts, 20, 1);
    expect(trials.map(({ kind, planted, missed }) => ({ kind, planted, missed }))).toEqual(
      kinds.map((kind) => ({ kind, planted: 20, missed: [] })),
    );
  }, 60_000);

  it.skipIf(officials.length === 0)(
    'sees every fault planted in an official document',
    () => {
      const trials = tryMutations(officials, 20, 2);
      expect(trials.map(({ kind, planted, missed }) => ({ kind, planted, missed }))).toEqual(
        kinds.map((kind) => ({ kind, planted: 20, missed: [] })),
      );
    },
    60_000,
  );

  it('reports none of two hundred rewrites of the contracts', () => {
    expect(tryRewrites(contracts, 200, 3)).toEqual({ kind: 'rewrite', planted: 200, missed: [] });
  }, 60_000);

  it.skipIf(officials.length === 0)(
    'reports none of two hundred rewrites of the official documents',
    () => {
      expect(tryRewrites(officials, 200, 4)).toEqual({ kind: 'rewrite', planted: 200, missed: [] });
    },
    60_000,
  );
});
