import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { readCanaries } from './canaries.ts';
import { gateNames } from './gates.ts';

test('every gate has its canary, and every canary still fits the code', () => {
  const canaries = readCanaries();
  expect(canaries.map(({ gate }) => gate).sort()).toEqual([...gateNames].sort());
  const root = fileURLToPath(new URL('..', import.meta.url));
  for (const { patch, fault } of canaries) {
    expect(fault).not.toBe('');
    execFileSync('git', ['apply', '--check', patch], { cwd: root, stdio: 'pipe' });
  }
});
