import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readConfiguration, secretVariables } from '../app/configuration.ts';
import { nodeOptions } from '../app/node-options.ts';
import { readDockerfile } from './image/dockerfile.ts';
import { root } from './processes.ts';
import { blocksUnder } from './readme.ts';

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

describe('the steps under "With systemd" in deploy/README.md', () => {
  const [steps = ''] = blocksUnder('With systemd');
  const credentials = (settings.get('Service.LoadCredential') ?? []).map((given) => given.split(':')[1] ?? '');
  let folder: string;
  /** A place on the machine of the unit, in the folder that stands for it. */
  const within = (path: string): string => join(folder, 'machine', path);

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'airtime-steps-'));
    // What a machine with systemd has before the first step, and what the operator has put into the clone.
    for (const path of ['etc/systemd/system', 'opt']) mkdirSync(within(path), { recursive: true });
    const clone = join(folder, 'clone');
    for (const path of ['package.json', 'package-lock.json', 'LICENSE', 'docs', 'prisma', 'deploy/airtime.service'])
      cpSync(join(root, path), join(clone, path), { recursive: true });
    for (const path of credentials)
      writeFileSync(join(clone, path.split('/').at(-1) ?? ''), 'known to this test alone');
    // What is not tried here: compiling, packages from afar, and systemd. npm says itself whether it has what it needs.
    const npm = join(dirname(process.execPath), 'npm');
    const stand: Record<string, string> = {
      make: 'test "$*" = build; mkdir dist; echo compiled > dist/airtime.js',
      npm: `case "$PWD" in "${within('/opt/airtime')}") ;; *) exit 9;; esac; "${existsSync(npm) ? npm : '/usr/bin/npm'}" "$@" --dry-run --offline`,
      systemctl: `echo "$*" >> "${join(folder, 'systemctl')}"`,
    };
    mkdirSync(join(folder, 'bin'));
    for (const [name, text] of Object.entries(stand)) {
      writeFileSync(join(folder, 'bin', name), `#!/bin/sh\nset -e\n${text}\n`);
      chmodSync(join(folder, 'bin', name), 0o755);
    }
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('have all that each of them needs, and leave what the unit starts and reads', () => {
    const played = steps.replace(/(?<=\s)\/(?=(?:opt|etc)\/)/g, `${within('/')}`);
    const done = spawnSync('sh', ['-euc', played], {
      cwd: join(folder, 'clone'),
      encoding: 'utf8',
      env: { ...process.env, PATH: `${join(folder, 'bin')}:${process.env.PATH}` },
    });
    expect([done.status, done.status === 0 ? '' : `${done.stdout}${done.stderr}`]).toEqual([0, '']);
    const program =
      one('ExecStart')
        .split(' ')
        .find((word) => word.endsWith('.js')) ?? '';
    expect(readFileSync(within(program), 'utf8')).toBe('compiled\n');
    expect(credentials.length).toBeGreaterThan(2);
    expect(statSync(within('/etc/airtime')).mode & 0o777).toBe(0o700);
    for (const path of credentials) expect([path, statSync(within(path)).mode & 0o777]).toEqual([path, 0o600]);
    const manual = settings.get('Unit.Documentation')?.[0]?.replace('file://', '') ?? '';
    expect([manual, existsSync(within(manual))]).toEqual([manual, true]);
    expect(readFileSync(within('/etc/systemd/system/airtime.service'), 'utf8')).toBe(text);
    expect(readFileSync(join(folder, 'systemctl'), 'utf8')).toBe('daemon-reload\nenable --now airtime\n');
  });

  it('bring beside each other what the image holds, and what npm needs to add the packages', () => {
    const copied = (readDockerfile().at(-1)?.steps ?? []).filter(({ keyword }) => keyword === 'COPY');
    const held = copied.flatMap(({ words }) => words.slice(0, -1).map((path) => path.replace('/build/', '')));
    expect(held).toEqual(expect.arrayContaining(['dist', 'prisma/migrations', 'package.json']));
    const wanted = [...held.filter((path) => path !== 'node_modules'), 'package-lock.json'];
    expect(wanted.filter((path) => !existsSync(within(`/opt/airtime/${path}`)))).toEqual([]);
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
