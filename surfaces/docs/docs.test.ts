import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type TestDoor, testDoor } from '../http/testing.ts';
import { docsPages } from './docs.ts';

const policy = "default-src 'none'; script-src 'sha256-abc='";
let folder: string;
let door: TestDoor;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'airtime-docs-'));
  const directory = join(folder, 'docs');
  mkdirSync(join(directory, 'openapi'), { recursive: true });
  writeFileSync(join(folder, 'secret.html'), 'secret');
  writeFileSync(join(directory, '.hidden'), 'secret');
  writeFileSync(join(directory, 'content-security-policy.txt'), policy);
  writeFileSync(join(directory, 'index.html'), '<!doctype html>index');
  writeFileSync(join(directory, 'reference.css'), 'p{}');
  writeFileSync(join(directory, 'openapi/TMF622.json'), '{"openapi":"3.0.3"}');
  door = await testDoor();
  const pages = docsPages(directory);
  if (!pages) throw new Error('there are pages');
  door.server.mount('/docs', pages);
});
afterAll(async () => {
  await door?.close();
  rmSync(folder, { recursive: true, force: true });
});

const get = (path: string, headers: Record<string, string> = {}) =>
  fetch(`${door.url}${path}`, { headers, redirect: 'manual' });

test('a page is open, under its own policy, and answered 304 while it is unchanged', async () => {
  const first = await get('/docs/');
  expect([first.status, await first.text()]).toEqual([200, '<!doctype html>index']);
  expect(first.headers.get('content-security-policy')).toBe(policy);
  expect(first.headers.get('content-type')).toBe('text/html; charset=utf-8');
  expect(first.headers.get('cache-control')).toBe('no-cache');
  expect(first.headers.get('x-content-type-options')).toBe('nosniff');
  expect((await get('/docs/index')).status).toBe(200);
  // Without a header of its own, fetch would ask for a fresh copy.
  const again = { 'Cache-Control': 'max-age=0', 'If-None-Match': first.headers.get('etag') ?? '' };
  expect((await get('/docs/', again)).status).toBe(304);
});

test('the folder itself leads to its first page', async () => {
  const moved = await get('/docs');
  expect([moved.status, moved.headers.get('location')]).toEqual([301, '/docs/']);
});

test('a contract is read by tools of other origins; a style keeps the closed policy', async () => {
  const contract = await get('/docs/openapi/TMF622.json');
  expect(contract.headers.get('content-type')).toBe('application/json; charset=utf-8');
  expect(contract.headers.get('access-control-allow-origin')).toBe('*');
  const style = await get('/docs/reference.css');
  expect(style.headers.get('access-control-allow-origin')).toBeNull();
  expect(style.headers.get('content-security-policy')).toContain("default-src 'none'");
});

test('what is not a page is 404 in the one shape of errors', async () => {
  for (const path of [
    '/docs/none.html',
    '/docs/.hidden',
    '/docs/..%2fsecret.html',
    '/docs/%2e%2e/secret.html',
    '/docs/openapi',
  ]) {
    const answer = await get(path);
    const isMoved = answer.status === 301 && answer.headers.get('location') === '/docs/openapi/';
    if (!isMoved)
      expect([path, answer.status, await answer.text()]).toEqual([path, 404, expect.stringContaining('notFound')]);
  }
  expect((await get('/docs/openapi/')).status).toBe(404);
  const posted = await fetch(`${door.url}/docs/`, { method: 'POST' });
  expect(posted.status).toBe(404);
});
