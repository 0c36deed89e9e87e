import { expect, test } from 'vitest';
import { verdictOf } from './probes.ts';

test.each([
  [403, { refused: true, what: 'GET /x' }],
  [404, { refused: true, what: 'GET /x' }],
  [200, { refused: false, what: 'GET /x' }],
  [303, { refused: false, what: 'GET /x' }],
  [500, { refused: false, what: 'GET /x' }],
  [429, 'put off'],
  [503, 'put off'],
])('what %i shows of a probe', (status, shows) => {
  expect(verdictOf(status, 'GET /x')).toEqual(shows);
});
