import { expect, test } from 'vitest';
import { noteStatus } from './world.ts';

test.each([
  [false, 500, 1, 0],
  [true, 500, 1, 0],
  [true, 502, 1, 0],
  [false, 503, 0, 1],
  [true, 503, 0, 0],
  [false, 422, 0, 0],
])('killing %s: an answer of %i is %i errors, and %i that named a later time', (isKilling, status, errors, later) => {
  const world = { isKilling, errors: [] as string[], tally: { later: 0 } };
  noteStatus(world, 'GET /account', status, 'text');
  expect([world.errors.length, world.tally.later]).toEqual([errors, later]);
});
