import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { callTool, connectionOf, findConnectionFile } from './connection.ts';

const root = mkdtempSync(join(tmpdir(), 'airtime-cli-'));
const deep = join(root, 'a', 'b');

beforeAll(() => {
  mkdirSync(join(root, '.airtime'), { recursive: true });
  mkdirSync(deep, { recursive: true });
  writeFileSync(join(root, '.airtime', 'cli.json'), JSON.stringify({ url: 'http://127.0.0.1:9/', token: 'of-file' }));
});
afterAll(() => rmSync(root, { recursive: true }));

test('the file of the nearest folder above is found', () => {
  expect(findConnectionFile(deep)).toMatchObject({ url: 'http://127.0.0.1:9/', token: 'of-file' });
  expect(connectionOf({}, {}, deep)).toMatchObject({ url: 'http://127.0.0.1:9', token: 'of-file' });
});

test('a home that was named is where its server wrote', () => {
  const home = join(root, 'elsewhere');
  mkdirSync(home);
  writeFileSync(join(home, 'cli.json'), JSON.stringify({ url: 'http://127.0.0.1:8', token: 'of-home' }));
  for (const named of [home, '../../elsewhere'])
    expect(connectionOf({}, { AIRTIME_HOME: named }, deep)).toMatchObject({
      url: 'http://127.0.0.1:8',
      token: 'of-home',
    });
  // A server that was named and is not there is no reason to speak to another.
  expect(connectionOf({}, { AIRTIME_HOME: join(root, 'nowhere') }, deep)).toBeUndefined();
});

test('options come before the environment, and that before the file', () => {
  const env = { AIRTIME_URL: 'http://env', AIRTIME_TOKEN: 'of-env' };
  expect(connectionOf({}, env, deep)).toMatchObject({ url: 'http://env', token: 'of-env' });
  expect(connectionOf({ server: 'http://given' }, env, deep)).toMatchObject({ url: 'http://given', token: 'of-env' });
  expect(connectionOf({}, { AIRTIME_TOKEN: 'given' }, deep)).toMatchObject({
    url: 'http://127.0.0.1:9',
    token: 'given',
  });
  expect(connectionOf({}, { AIRTIME_URL: '', AIRTIME_TOKEN: '' }, deep)).toMatchObject({ token: 'of-file' });
});

test('a token may lie in a file of its own, and an empty one is said', () => {
  const path = join(root, 'token');
  writeFileSync(path, 'of-token-file\n');
  expect(connectionOf({}, { AIRTIME_TOKEN_FILE: path }, deep)).toMatchObject({ token: 'of-token-file' });
  writeFileSync(path, '\n');
  expect(() => connectionOf({}, { AIRTIME_TOKEN_FILE: path }, deep)).toThrow('AIRTIME_TOKEN_FILE');
});

test("the file's token is not sent to another server", () => {
  expect(connectionOf({ server: 'http://elsewhere' }, {}, deep)).toMatchObject({
    url: 'http://elsewhere',
    token: undefined,
  });
  expect(connectionOf({ server: 'http://127.0.0.1:9' }, {}, deep)).toMatchObject({ token: 'of-file' });
  expect(connectionOf({ server: 'http://elsewhere' }, { AIRTIME_TOKEN: 'mine' }, deep)).toMatchObject({
    token: 'mine',
  });
});

test('without a file and without an address no server is known', () => {
  expect(connectionOf({}, {}, tmpdir())).toBeUndefined();
});

async function serving<T>(listener: RequestListener, work: (url: string) => Promise<T>): Promise<T> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  try {
    return await work(`http://127.0.0.1:${port}`);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

test('a call posts its input with the token and gives the result', async () => {
  const seen: unknown[] = [];
  const answer = await serving(
    async (request, response) => {
      let body = '';
      for await (const part of request) body += part;
      seen.push(request.method, request.url, request.headers.authorization, JSON.parse(body));
      response.end(JSON.stringify({ result: { id: 'x' } }));
    },
    (url) => callTool({ url, token: 'secret', from: '' }, 'a.b', { q: 1 }),
  );
  expect(answer).toEqual({ outcome: 'done', result: { id: 'x' } });
  expect(seen).toEqual(['POST', '/tools/a.b', 'Bearer secret', { q: 1 }]);
});

test('a lost answer is asked for once more under the same key', async () => {
  const keys: unknown[] = [];
  const answer = await serving(
    (request, response) => {
      keys.push(request.headers['idempotency-key']);
      if (keys.length === 1) request.socket.destroy();
      else response.end(JSON.stringify({ result: null }));
    },
    (url) => callTool({ url, token: undefined, from: '' }, 'a.b', {}),
  );
  expect(answer).toEqual({ outcome: 'done', result: null });
  expect(keys).toHaveLength(2);
  expect(keys[0]).toBe(keys[1]);
  expect(String(keys[0])).toMatch(/^[0-9a-f-]{36}$/);
});

test('a token is not carried to where a server points', async () => {
  let reached = 0;
  const answer = await serving(
    (request, response) => {
      reached += 1;
      if (request.url === '/tools/a.b') response.writeHead(307, { location: '/other' });
      response.end(JSON.stringify({ result: 1 }));
    },
    (url) => callTool({ url, token: 'secret', from: '' }, 'a.b', {}),
  );
  expect(answer.outcome).toBe('unreachable');
  expect(reached).toBeLessThanOrEqual(2);
});

test('a refusal keeps its status and body, whatever the body is', async () => {
  const reply =
    (status: number, text: string): RequestListener =>
    (_, response) =>
      response.writeHead(status).end(text);
  const call = (url: string) => callTool({ url, token: undefined, from: '' }, 'a.b', {});
  expect(await serving(reply(422, '{"reason":"x.y"}'), call)).toEqual({
    outcome: 'refused',
    status: 422,
    error: { reason: 'x.y' },
  });
  expect(await serving(reply(502, '<html>'), call)).toEqual({
    outcome: 'refused',
    status: 502,
    error: { message: 'The server answered 502.' },
  });
  expect(await serving(reply(200, '<html>'), call)).toMatchObject({ outcome: 'unreachable' });
});

test('nobody there is told apart from a lost call', async () => {
  const url = await serving(
    (_, response) => response.end(),
    async (open) => open,
  );
  expect(await callTool({ url, token: undefined, from: '' }, 'a.b', {})).toMatchObject({
    outcome: 'unreachable',
    isRefusedConnection: true,
  });
});
