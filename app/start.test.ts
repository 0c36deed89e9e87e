import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { processIsAlive } from './database/processes.ts';
import { nodeOptions } from './node-options.ts';

const main = fileURLToPath(new URL('main.ts', import.meta.url));

test('start leaves a server behind that runs as it should, says so when asked again, and stop ends it', async () => {
  const home = mkdtempSync(join(tmpdir(), 'airtime-start-'));
  const env = { PATH: process.env.PATH, HOME: home, AIRTIME_HOME: join(home, '.airtime'), AIRTIME_PORT: '0' };
  const airtime = async (verb: string) => {
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--import', import.meta.resolve('tsx'), main, verb],
      { cwd: home, env },
    );
    return stdout;
  };
  onTestFinished(async () => {
    await airtime('stop');
    rmSync(home, { recursive: true, force: true });
  });
  expect(await airtime('start')).toMatch(/^Airtime serves at http:\/\/127\.0\.0\.1:\d+ after/);
  expect(await airtime('start')).toMatch(/^Airtime already serves at .* \(process \d+\)/);
  const pid = Number(readFileSync(join(env.AIRTIME_HOME, 'server.pid'), 'utf8'));
  if (process.platform === 'linux') {
    const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    expect(words.slice(1, 1 + nodeOptions.length)).toEqual(nodeOptions);
  }
  await airtime('stop');
  expect(processIsAlive(pid)).toBe(false);
});
