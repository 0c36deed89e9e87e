import { expect, test } from 'vitest';
import { resultOf } from './parts/lists.ts';
import { judgementOf } from './report.ts';

/** @param before and @param after are the milliseconds that the fifty rows take in the smallest and the largest table. */
function listed(before: number, after: number) {
  const cells = [before, (before + after) / 2, after].map((p50) => ({ p50, p99: p50 * 4, total: '50' }));
  const { tables, promises } = resultOf({
    statementTimeoutMs: 2000,
    sizes: [1000, 10_000, 100_000],
    lists: [{ label: 'fifty rows', cells }],
  });
  const [promise] = promises.map(judgementOf);
  return { note: tables[0]?.note, ...promise };
}

test('the ratio is told as it is, and below two milliseconds it is said not to be judged', () => {
  const quick = listed(0.6, 0.9);
  expect(quick.note).toContain('cost 1.50 times what they cost in the smallest');
  expect(quick.note).toContain('less than 2 ms there, the ratio is not judged');
  expect(quick.what).toContain('or less than 2 ms');
  expect(quick).toMatchObject({
    verdict: 'kept',
    measured: '1.50 times, 0.60 and 0.90 ms: under 2 ms, so the ratio is not judged',
  });
  expect(listed(0.3, 1.9).verdict).toBe('kept');
});

test('from two milliseconds on it is judged, however little the smallest took', () => {
  expect(listed(0.6, 2.4)).toMatchObject({ verdict: 'MISSED', measured: '4.00 times, 0.60 and 2.40 ms' });
  expect(listed(3, 6.3).verdict).toBe('MISSED');
  expect(listed(3, 5.7)).toMatchObject({ verdict: 'kept', measured: '1.90 times, 3.00 and 5.70 ms' });
});

test('where the fifty rows were not asked for, nothing is kept', () => {
  const { promises } = resultOf({ statementTimeoutMs: 2000, sizes: [], lists: [] });
  expect(promises.map(({ isKept }) => isKept)).toEqual([false]);
});
