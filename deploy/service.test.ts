import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readConfiguration, secretVariables } from '../app/configuration.ts';
import { nodeOptions } from '../app/node-options.ts';
import { root } from './processes.ts';

const text = readFileSync(join(root, 'deploy/airtime.service'), 'utf8');

/** The settings of a unit by section; one that comes twice is a list. */
function settingsOf(unit: string): Map<string, string[]> {
  const found = new Map<string, string[]>();
  let section = '';
  for (const line of unit.split('\n')) {
    if (/^\[\w+\]$/.test(line)) section = line.slice(1, -1);
    const [, name, value] = /^(\w+)=(.*)$/.exec(line) ?? [];
    if (name === undefined || value === undefined) continue;
    const key = `${section}.${name}`;
    found.set(key, [...(found.get(key) ?? []), value]);
  }
  return found;
}
const settings = settingsOf(text);
const one = (name: string): string => settings.get(`Service.${name}`)?.join(' ') ?? '';

it('is started by the image as it is by `airtime start`', () => {
  const command = /^CMD (\[.*\])$/m.exec(readFileSync(join(root, 'Dockerfile'), 'utf8'))?.[1] ?? '[]';
  expect(JSON.parse(command)).toEqual(['node', ...nodeOptions, 'dist/airtime.js', 'serve']);
});

describe('airtime.service', () => {
  it('starts the program in the foreground with an environment that it takes, secrets by file', () => {
    expect(one('ExecStart').split(' ').slice(1)).toEqual([...nodeOptions, '/opt/airtime/dist/airtime.js', 'serve']);
    const environment = Object.fromEntries(
      one('Environment')
        .split(' ')
        .map((pair) => {
          const [name = '', value = ''] = pair.split('=');
          return [name, value];
        }),
    );
    const files = Object.entries(environment).filter(([name]) => name.endsWith('_FILE'));
    const known = new Set<string>(secretVariables);
    const credentials = settings.get('Service.LoadCredential')?.map((given) => given.split(':')[0]);
    for (const [name, path] of files) {
      expect(known.has(name.replace(/_FILE$/, ''))).toBe(true);
      expect(credentials).toContain(path.replace('%d/', ''));
    }
    expect(files).toHaveLength(credentials?.length ?? 0);
    const plain = Object.fromEntries(Object.entries(environment).filter(([name]) => !name.endsWith('_FILE')));
    const { graceMs, drainMs, host } = readConfiguration(plain);
    expect(Number(one('TimeoutStopSec')) * 1000).toBeGreaterThan(graceMs + drainMs);
    expect(host).toBe('127.0.0.1');
  });

  it('runs as nobody with rights, and sees little of the machine', () => {
    expect(one('DynamicUser')).toBe('yes');
    expect(one('CapabilityBoundingSet')).toBe('');
    for (const name of [
      'NoNewPrivileges',
      'PrivateTmp',
      'PrivateDevices',
      'RestrictNamespaces',
      'ProtectKernelModules',
    ])
      expect([name, one(name)]).toEqual([name, 'yes']);
    expect(one('ProtectSystem')).toBe('strict');
  });
});

const hasTools = spawnSync('systemd-analyze', ['--version']).status === 0;
const withTools = hasTools ? it : it.skip;
describe('what systemd itself says (skipped where systemd-analyze is not installed)', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'airtime-service-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  function analyze(verb: readonly string[], unit: string) {
    const file = join(folder, 'airtime.service');
    writeFileSync(file, unit.replace('/usr/bin/node', process.execPath));
    const done = spawnSync('systemd-analyze', [...verb, file], { encoding: 'utf8' });
    return { status: done.status, said: `${done.stdout}${done.stderr}` };
  }

  withTools('it is a unit, with no word that systemd does not know', () => {
    const right = analyze(['verify'], text);
    expect(right.said.split('\n').filter((line) => line.includes('airtime.service'))).toEqual([]);
    expect(right.status).toBe(0);
    // A setting that is not one would be noticed.
    expect(analyze(['verify'], text.replace('PrivateTmp=', 'PrivateTemp=')).said).toMatch(
      /Unknown key(?: name)? 'PrivateTemp'/,
    );
  });

  withTools('its exposure is below 2 of 10; without its walls it would not be', () => {
    const verb = ['security', '--offline=true', '--threshold=20'];
    expect(analyze(verb, text).status).toBe(0);
    expect(analyze(verb, text.replaceAll(/^(Protect|Private|Restrict|Capability).*$/gm, '')).status).not.toBe(0);
  });
});
