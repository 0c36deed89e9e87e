import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readConfiguration } from '../../app/configuration.ts';
import { testDatabase } from '../../app/database/testing.ts';
import { type Platform, startPlatform } from '../../app/platform.ts';
import { operations } from '../../generated/operations.ts';
import { missingCommands } from '../../handlers/generic.ts';
import { resourceCommandsFor } from '../../policy/resources.ts';
import { allExampleScripts } from './example-script.ts';
import { doorExamples } from './examples.ts';

// Every example of the reference is run as it is copied: by a shell of its own, against a whole server.

let platform: Platform;
let home: string;
let drop: () => Promise<void>;
beforeAll(async () => {
  const database = await testDatabase();
  drop = database.drop;
  home = mkdtempSync(join(tmpdir(), 'airtime-examples-'));
  const environment = {
    AIRTIME_HOME: home,
    AIRTIME_PORT: '0',
    DATABASE_URL: database.serverUrl,
    MIGRATION_DATABASE_URL: database.ownerUrl,
  };
  platform = await startPlatform(readConfiguration(environment), pino({ level: 'silent' }));
});
afterAll(async () => {
  await platform?.stop();
  await drop?.();
  rmSync(home, { recursive: true, force: true });
});

const run = promisify(execFile);
const missing = new Set(missingCommands(resourceCommandsFor));
const createOf = new Map(
  operations.flatMap(({ api, resource, operationId, kind }) =>
    kind === 'create' ? [[`${api}.${resource}`, `${api}.${operationId}`]] : [],
  ),
);

/** What is not served yet is said so by the reference, and by the server. What it would have made is not there. */
function statusesOf({ operation, script }: (typeof all)[number]): readonly number[] {
  if (missing.has(`${operation.api}.${operation.operationId}`)) return [501];
  return script.creates.some((one) => missing.has(createOf.get(one) ?? '')) ? [404] : script.statuses;
}

const all = allExampleScripts();

const runExample = async (text: string) => {
  const { stdout } = await run('sh', ['-c', text], {
    env: { PATH: process.env.PATH, AIRTIME_URL: platform.url, TOKEN: platform.firstToken },
    timeout: 25_000,
    // The list of tools has the whole of every schema in it.
    maxBuffer: 8_000_000,
  });
  return { stdout, status: Number(/^HTTP\/1\.1 (\d{3})/.exec(stdout)?.[1]) };
};

describe.concurrent('an example', () => {
  test.for(all)('$operation.api $operation.operationId', async (one) => {
    const { stdout, status } = await runExample(`${one.script.preparation}${one.script.request}`);
    expect(statusesOf(one), stdout).toContain(status);
  });

  test.for(Object.entries(doorExamples))('of a door: %s', async ([, { request, statuses }]) => {
    const { stdout, status } = await runExample(request);
    expect(statuses, stdout).toContain(status);
  });
});

test('there is one for every operation that is served', () => {
  expect(all).toHaveLength(operations.filter((one) => one.served).length);
});
