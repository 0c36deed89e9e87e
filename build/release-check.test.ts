import { expect, test } from 'vitest';
import { commitsIn, missingIn } from './release-check.ts';

const soak = {
  name: 'soak/report-v0.1.md',
  text: 'Passed: 30 customers\n| Commit | abcdef012345 |\n## Canaries\nOne build for each gate; seed 1, commit abcdef012345.\n',
};
const bench = { name: 'bench/report-v0.1.md', text: 'Written by `make bench` at commit 123456789abc, seed 1.\n' };
const same = (_commit: string): string[] => [];

test('the commits of a report are found, and that it had changes', () => {
  expect(commitsIn(soak.text)).toEqual(['abcdef012345']);
  expect(commitsIn(bench.text)).toEqual(['123456789abc']);
  expect(commitsIn('| Commit | abcdef012345 with changes that were not committed |')).toEqual([
    'abcdef012345 with changes that were not committed',
  ]);
});

test('reports of this program with their canaries let a release go', () => {
  expect(missingIn([soak, bench], same)).toEqual([]);
});

test.each([
  ['one is missing', [soak], same, /no report of make bench/],
  ['both are', [], same, /no report of make soak/],
  ['the program changed', [soak, bench], () => ['app/main.ts'], /1 files of the program changed: app\/main\.ts/],
  ['a commit is not known', [soak, bench], () => undefined, /no commit of this history/],
  ['no commit is named', [soak, { ...bench, text: 'Well.' }], same, /names no commit/],
  [
    'it was run with changes',
    [soak, { ...bench, text: 'at commit 123456789abc with changes that were not committed' }],
    same,
    /no commit of this history/,
  ],
  [
    'a canary lived',
    [{ ...soak, text: `${soak.text}| p99 | x | NOT CAUGHT: none |` }, bench],
    same,
    /something that failed/,
  ],
  [
    'a promise was missed',
    [soak, { ...bench, text: `${bench.text}| a promise | MISSED | 11 ms |` }],
    same,
    /something that failed/,
  ],
  ['no canary flew', [{ ...soak, text: `${soak.text}Not run for this commit: x` }, bench], same, /has no canaries/],
] as const)('nothing is released when %s', (_, reports, changed, says) => {
  expect(missingIn(reports, changed).join('\n')).toMatch(says);
});
