import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isFresh, writeStamp } from './stamp.ts';

let root = '';

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'stamp-'));
  for (const directory of ['specs', 'build/generate', 'generated'])
    mkdirSync(join(root, directory), { recursive: true });
  writeFileSync(join(root, 'specs/TMF000.yaml'), 'api: TMF000');
  writeFileSync(join(root, 'build/generate/main.ts'), 'export {};');
  writeFileSync(join(root, 'generated/out.json'), '{}');
});

afterEach(() => rmSync(root, { recursive: true }));

describe('the stamp', () => {
  it('is not fresh before anything was made', () => {
    expect(isFresh(root)).toBe(false);
  });

  it('is fresh while nothing changes', () => {
    writeStamp(root, ['generated/out.json']);
    expect(isFresh(root)).toBe(true);
  });

  it.each(['specs/TMF000.yaml', 'build/generate/main.ts', 'generated/out.json'])('is stale when %s changes', (path) => {
    writeStamp(root, ['generated/out.json']);
    writeFileSync(join(root, path), 'changed');
    expect(isFresh(root)).toBe(false);
  });

  it('is stale when a contract is added or an output is gone', () => {
    writeStamp(root, ['generated/out.json']);
    writeFileSync(join(root, 'specs/TMF001.yaml'), 'api: TMF001');
    expect(isFresh(root)).toBe(false);
    rmSync(join(root, 'specs/TMF001.yaml'));
    rmSync(join(root, 'generated/out.json'));
    expect(isFresh(root)).toBe(false);
  });
});
