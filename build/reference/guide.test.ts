import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readConfiguration } from '../../app/configuration.ts';
import { testDatabase } from '../../app/database/testing.ts';
import { type Platform, startPlatform } from '../../app/platform.ts';
import { blocksFor } from '../../scenarios/documents.ts';

// The commands of docs/integrators.md are run in order, as printed, in the folder that a reader would stand in.

let platform: Platform;
let folder: string;
let drop: () => Promise<void>;
beforeAll(async () => {
  const database = await testDatabase();
  drop = database.drop;
  folder = mkdtempSync(join(tmpdir(), 'airtime-guide-'));
  const environment = {
    AIRTIME_HOME: join(folder, '.airtime'),
    AIRTIME_PORT: '0',
    DATABASE_URL: database.serverUrl,
    MIGRATION_DATABASE_URL: database.ownerUrl,
  };
  platform = await startPlatform(readConfiguration(environment), pino({ level: 'silent' }));
});
afterAll(async () => {
  await platform?.stop();
  await drop?.();
  rmSync(folder, { recursive: true, force: true });
});

test('every command of the guide answers what is printed under it', async () => {
  const blocks = blocksFor('guide').map(({ text }) => text);
  expect(blocks.length).toBeGreaterThan(8);
  const { stdout, stderr } = await promisify(execFile)('bash', ['--norc', '-e', '-c', blocks.join('\n')], {
    cwd: folder,
    env: { PATH: process.env.PATH },
    timeout: 25_000,
  });
  const printed = blocks.flatMap((block) =>
    block.split('\n').flatMap((line) => (line.startsWith('#> ') ? [line.slice(3)] : [])),
  );
  expect(stdout.trimEnd().split('\n')).toEqual(printed);
  expect(stderr).toBe('');
});
