import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import tools from '../../generated/tools.json' with { type: 'json' };
import { readVerbs } from './descriptors.ts';
import { run } from './program.ts';
import type { Terminal } from './terminal.ts';

const verbs = readVerbs(tools);
let folder: string;
let server: Server | undefined;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'airtime-doctor-'));
});
afterEach(async () => {
  server?.closeAllConnections();
  await new Promise((resolve) => (server?.listening ? server.close(resolve) : resolve(undefined)));
  server = undefined;
  rmSync(folder, { recursive: true });
});

/** A server with these tools, that tells its health or refuses to. */
async function serve(own: readonly object[], audience: string, health: number): Promise<string> {
  server = createServer((request, response) => {
    const isList = request.url === '/tools';
    response.writeHead(isList ? 200 : health, { 'airtime-audience': audience });
    response.end(JSON.stringify(isList ? own : health === 200 ? { result: { alarms: [] } } : { message: 'No.' }));
  });
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function examined(env: Record<string, string>, isOutputTty = false): Promise<{ code: number; out: string }> {
  let out = '';
  const terminal: Terminal = {
    folder,
    env: { NO_COLOR: '1', XDG_CONFIG_HOME: folder, ...env },
    isInputTty: false,
    isOutputTty,
    isErrorTty: false,
    columns: () => 80,
    out: (text) => {
      out += text;
    },
    error: () => undefined,
    readFile: () => '',
    readLines: async function* () {},
    ask: async () => undefined,
    pause: async () => false,
    fetch,
  };
  return { code: await run(['doctor'], verbs, '0', terminal), out };
}

test('a server of the same build that is well is called so', async () => {
  const url = await serve(tools, 'operator', 200);
  const { code, out } = await examined({ AIRTIME_URL: url, AIRTIME_TOKEN: 'air_x' });
  expect([code, out]).toEqual([0, expect.stringContaining('It is of the same build as bss')]);
  expect(out).toContain('nothing wrong');
});

test('a server of another build is told, with what brings the two together', async () => {
  const more = { ...tools[0], name: 'audit.erase' };
  const newer = await serve([...tools, more], 'operator', 200);
  const older = await examined({ AIRTIME_URL: newer, AIRTIME_TOKEN: 'air_x' });
  expect([older.code, older.out]).toEqual([1, expect.stringContaining('audit.erase is not known here')]);
  expect(older.out).toContain('make build');
});

test('a token that may not see health is good for what it opens; one that is unknown is not', async () => {
  const url = await serve(tools.slice(0, 3), 'customer', 404);
  const { code, out } = await examined({ AIRTIME_URL: url, AIRTIME_TOKEN: 'air_x' });
  expect([code, out]).toEqual([0, expect.stringContaining('It takes this token: 3 tools, as customer')]);
  server?.close();
  const strict = await serve([], 'operator', 401);
  const unknown = await examined({ AIRTIME_URL: strict, AIRTIME_TOKEN: 'air_x' });
  expect([unknown.code, unknown.out]).toEqual([1, expect.stringContaining('does not take this token')]);
});

test('a server that is down is told with the last line of its log and what starts it', async () => {
  const home = join(folder, '.airtime');
  mkdirSync(home);
  const url = await serve([], 'operator', 200);
  await new Promise((resolve) => server?.close(resolve));
  writeFileSync(join(home, 'cli.json'), JSON.stringify({ url, token: 'air_x' }), { mode: 0o600 });
  writeFileSync(join(home, 'server.log'), '{"msg":"airtime serves"}\n{"msg":"the database is gone"}\n');
  const { code, out } = await examined({});
  expect(code).toBe(1);
  for (const told of ['No server answers', 'mend  make start', 'The last line of its log: the database is gone'])
    expect(out).toContain(told);
});

test('a terminal that cannot show the drawings is told, and a profile that is not there', async () => {
  const { out } = await examined({ LANG: 'C', AIRTIME_PROFILE: 'gone' }, true);
  expect(out).toContain('export LC_ALL=C.UTF-8');
  expect(out).toContain('There is no profile gone.');
  expect(out).toContain('mend  bss profile list');
});
