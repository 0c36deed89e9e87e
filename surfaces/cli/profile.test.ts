import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, test } from 'vitest';
import { connectionOf } from './connection.ts';
import { readVerbs } from './descriptors.ts';
import { run } from './program.ts';
import type { Terminal } from './terminal.ts';

const root = mkdtempSync(join(tmpdir(), 'airtime-profiles-'));
const file = join(root, 'airtime', 'profiles.json');
const verbs = readVerbs([{ name: 'clock.show', summary: 'Show', effect: 'read', input: { type: 'object' } }]);
afterAll(() => rmSync(root, { recursive: true }));
beforeEach(() => rmSync(join(root, 'airtime'), { recursive: true, force: true }));

interface Run {
  code: number;
  out: string;
  error: string;
  asked: { url: string; token: string | null }[];
}

async function bss(
  line: string[],
  options: { env?: Record<string, string>; secret?: string; tty?: boolean; input?: string; folder?: string } = {},
): Promise<Run> {
  const result: Run = { code: 0, out: '', error: '', asked: [] };
  const terminal: Terminal = {
    folder: options.folder ?? '/',
    env: { XDG_CONFIG_HOME: root, ...options.env },
    isInputTty: options.tty === true,
    isOutputTty: false,
    isErrorTty: options.tty === true,
    columns: () => 80,
    out: (text) => {
      result.out += text;
    },
    error: (text) => {
      result.error += text;
    },
    readFile: () => options.input ?? '',
    readLines: async function* () {},
    ask: async () => undefined,
    askSecret: async () => options.secret,
    pause: async () => false,
    fetch: async (url, request) => {
      result.asked.push({ url: String(url), token: new Headers(request?.headers).get('authorization') });
      const isList = request?.method === undefined;
      return new Response(isList ? '[]' : '{"result":{}}', { headers: { 'airtime-audience': 'operator' } });
    },
  };
  result.code = await run(line, verbs, '0', terminal);
  return result;
}

const kept = (): { current?: string; profiles: Record<string, { url: string; token: string }> } =>
  JSON.parse(readFileSync(file, 'utf8'));

test('a server is kept by name, its token in a file for its owner alone and in nothing that is printed', async () => {
  const added = await bss(['profile', 'add', 'lab', 'https://lab.example.com/'], { tty: true, secret: ' air_lab \n' });
  expect([added.code, added.error]).toEqual([0, '']);
  expect(added.asked).toEqual([{ url: 'https://lab.example.com/tools', token: 'Bearer air_lab' }]);
  expect(kept()).toEqual({ profiles: { lab: { url: 'https://lab.example.com', token: 'air_lab' } } });
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(statSync(join(root, 'airtime')).mode & 0o777).toBe(0o700);
  const listed = await bss(['profile']);
  const asJson = await bss(['profile', 'list', '--json']);
  expect(listed.out).toContain('https://lab.example.com');
  expect(added.out + listed.out + asJson.out).not.toContain('air_lab');
});

test('a token comes from the environment, a person or a pipe; an argument is no way', async () => {
  await bss(['profile', 'add', 'a', 'https://a.example.com'], { env: { AIRTIME_TOKEN: 'air_env' } });
  await bss(['profile', 'add', 'b', 'https://b.example.com'], { input: 'air_piped\nmore\n' });
  expect(Object.values(kept().profiles).map(({ token }) => token)).toEqual(['air_env', 'air_piped']);
  for (const line of [
    ['profile', 'add', 'c', 'https://c.example.com', 'air_argument'],
    ['profile', 'add', 'c', 'https://user:air_argument@c.example.com'],
    ['profile', 'add', 'c', 'https://c.example.com', '--token', 'air_argument'],
    ['profile', 'add', 'c', 'ftp://c.example.com'],
    ['profile', 'add', 'c', 'nowhere'],
    ['profile', 'add', '../c', 'https://c.example.com'],
    ['profile', 'add', 'none', 'https://c.example.com'],
  ]) {
    const refused = await bss(line, { tty: true, secret: 'air_typed' });
    expect([line.join(' '), refused.code, refused.asked]).toEqual([line.join(' '), 2, []]);
    expect(refused.error).not.toContain('air_argument');
  }
  expect((await bss(['profile', 'add', 'c', 'https://c.example.com'], { tty: true })).code).toBe(2);
  expect(Object.keys(kept().profiles)).toEqual(['a', 'b']);
});

test('the profile in use, one that is named, and the environment each find their own server', async () => {
  for (const name of ['a', 'b'])
    await bss(['profile', 'add', name, `https://${name}.example.com`], { env: { AIRTIME_TOKEN: `air_${name}` } });
  const where = async (line: string[], env: Record<string, string> = {}) =>
    (await bss([...line, 'clock'], { env })).asked;
  const at = (name: string, token: string) => [
    { url: `https://${name}.example.com/tools/clock.show`, token: `Bearer ${token}` },
  ];
  expect((await bss(['clock'])).error).toContain('No server is known');
  await bss(['profile', 'use', 'a']);
  expect(await where([])).toEqual(at('a', 'air_a'));
  expect(await where(['--profile', 'b'])).toEqual(at('b', 'air_b'));
  expect(await where([], { AIRTIME_PROFILE: 'b' })).toEqual(at('b', 'air_b'));
  // A token of the environment belongs to an address of the environment, never to a profile.
  expect(await where(['--profile', 'b'], { AIRTIME_TOKEN: 'air_env' })).toEqual(at('b', 'air_b'));
  expect(await where([], { AIRTIME_URL: 'https://c.example.com', AIRTIME_TOKEN: 'air_env' })).toEqual(
    at('c', 'air_env'),
  );
  expect((await bss(['clock', '--profile', 'b', '--server', 'https://c.example.com'])).code).toBe(2);
  const unknown = await bss(['clock', '--profile', 'x']);
  expect([unknown.code, unknown.error]).toEqual([2, expect.stringContaining('There are: a, b.')]);
  await bss(['profile', 'remove', 'a']);
  expect(kept()).toEqual({ profiles: { b: expect.anything() } });
  await bss(['profile', 'use', 'b']);
  await bss(['profile', 'use', 'none']);
  expect(kept().current).toBeUndefined();
});

test('the server of a folder can be given a name', async () => {
  const folder = join(root, 'here');
  mkdirSync(join(folder, '.airtime'), { recursive: true });
  writeFileSync(join(folder, '.airtime', 'cli.json'), '{"url":"http://127.0.0.1:9","token":"air_here"}');
  expect((await bss(['profile', 'add', 'here'], { folder })).code).toBe(0);
  expect(kept().profiles.here).toEqual({ url: 'http://127.0.0.1:9', token: 'air_here' });
  // The profile in use is what the person chose; the folder comes after it.
  await bss(['profile', 'add', 'far', 'https://far.example.com'], { env: { AIRTIME_TOKEN: 'air_far' } });
  await bss(['profile', 'use', 'far']);
  expect(connectionOf({}, { XDG_CONFIG_HOME: root }, folder)).toMatchObject({ profile: 'far', token: 'air_far' });
});

test.skipIf(process.platform === 'win32')('a file that others can read is not used, and doctor mends it', async () => {
  await bss(['profile', 'add', 'a', 'https://a.example.com'], { env: { AIRTIME_TOKEN: 'air_a' } });
  chmodSync(file, 0o644);
  const refused = await bss(['clock', '--profile', 'a']);
  expect([refused.code, refused.asked, refused.error]).toEqual([2, [], expect.stringContaining(`chmod 600 ${file}`)]);
  const examined = await bss(['doctor']);
  expect([examined.code, examined.out]).toEqual([1, expect.stringContaining(`mend  chmod 600 ${file}`)]);
  chmodSync(file, 0o600);
  writeFileSync(file, '{');
  expect((await bss(['doctor'])).out).toContain(`mend  rm ${file}`);
});
