import { mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { JobFileError } from './job-files.ts';
import { localJobFiles } from './local-job-files.ts';

describe('the files of jobs', () => {
  let outside: string;
  let directory: string;
  beforeAll(() => {
    outside = mkdtempSync(join(tmpdir(), 'airtime-job-files-'));
    directory = join(outside, 'jobs');
    writeFileSync(join(outside, 'secret'), 'secret');
  });
  afterAll(() => rmSync(outside, { recursive: true }));

  it('are written once, read back, and leave no draft', async () => {
    const files = localJobFiles(directory);
    await files.write('a/b.json', 'text');
    expect(await files.read('a/b.json')).toBe('text');
    await files.write('a/b.json', 'text');
    await expect(files.write('a/b.json', 'other')).rejects.toBeInstanceOf(JobFileError);
    expect(await files.read('a/b.json')).toBe('text');
    expect(readdirSync(join(directory, 'a'))).toEqual(['b.json']);
  });

  it.each(['../secret', '..', '.', '', '/etc/passwd', 'a/../../secret', 'a\0b', '..\\secret'])(
    'never leave their folder: %j',
    async (path) => {
      const files = localJobFiles(directory);
      await expect(files.read(path)).rejects.toBeInstanceOf(JobFileError);
      await expect(files.write(path, 'x')).rejects.toBeInstanceOf(JobFileError);
    },
  );

  it('are not links to somewhere else', async () => {
    const files = localJobFiles(directory);
    await files.write('real', 'text');
    symlinkSync(join(outside, 'secret'), join(directory, 'link'));
    await expect(files.read('link')).rejects.toBeInstanceOf(JobFileError);
  });

  it('say when they are missing', async () => {
    await expect(localJobFiles(directory).read('none')).rejects.toThrow('There is no file none.');
  });
});
