import fc from 'fast-check';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { apis, operations } from '../../generated/operations.ts';
import { createHandlers } from '../../handlers/index.ts';
import type { Wire } from '../../handlers/wire.ts';
import type { JsonObject } from '../../kernel/json.ts';
import { execute } from '../../policy/core/command.ts';
import { type TestPolicy, testOperator, testPolicy } from '../../policy/core/testing.ts';
import { createAccessToken } from '../../policy/identity/access-token.ts';
import { authenticator } from '../../policy/identity/authenticate.ts';
import { resourceCommandsFor } from '../../policy/resources.ts';
import { bindingOf } from '../../read/bindings.ts';
import { nothingToConfirm, objectOf, type TestDoor, testDoor } from './testing.ts';

const publicUrl = 'https://bss.example.com/air';
const base = '/tmf-api/productCatalogManagement/v4';
let given: TestPolicy;
let door: TestDoor;
let headers: Record<string, string>;
let woken = 0;

beforeAll(async () => {
  given = await testPolicy();
  const wire: Wire = {
    policy: given.policy,
    pool: given.policy.pool,
    publicUrl,
    wake: () => {
      woken += 1;
    },
  };
  const { token } = await execute(
    given.policy,
    createAccessToken,
    { name: 'test', audience: 'operator', scopes: ['*'] },
    testOperator,
  );
  headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' };
  door = await testDoor({
    wire,
    handlers: createHandlers(resourceCommandsFor),
    authenticate: authenticator({ pool: given.policy.pool, clock: { now: () => new Date() } }),
    tools: {
      ...nothingToConfirm,
      list: () => [],
      run: (name, input, caller) => {
        if (name !== 'token.create') throw new Error('the test has one tool');
        return execute(given.policy, createAccessToken, input, caller);
      },
    },
  });
});
afterAll(async () => {
  await door.server.close(1000);
  await given.close();
});

const send = (method: string, path: string, body?: unknown, more: Record<string, string> = {}) =>
  fetch(door.url + path, {
    method,
    headers: { ...headers, ...more },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });

const create = async (name: string, more: JsonObject = {}, key?: string) => {
  const response = await send(
    'POST',
    `${base}/catalog`,
    { name, ...more },
    key === undefined ? {} : { 'Idempotency-Key': key },
  );
  return { response, body: await objectOf(response) };
};
const arrayOf = async (response: Response): Promise<unknown[]> => {
  const body: unknown = await response.json();
  if (!Array.isArray(body)) throw new Error('a list is an array');
  return body;
};

test('every list of every API is answered, whole and empty', async () => {
  for (const { api, path, kind } of operations.filter((one) => one.served && one.kind === 'list')) {
    for (const basePath of apis.find((one) => one.api === api)?.basePaths ?? []) {
      const response = await send('GET', `${basePath}${path}?fields=none&id=none`);
      expect([api, path, kind, response.status]).toEqual([api, path, kind, 200]);
      expect(response.headers.get('x-total-count')).toBe('0');
      expect(await arrayOf(response)).toEqual([]);
    }
  }
});

test('every resource of every API that is not there is 404', async () => {
  for (const { api, path } of operations.filter((one) => one.served && one.kind === 'retrieve')) {
    const basePath = apis.find((one) => one.api === api)?.basePaths[0];
    const response = await send('GET', `${basePath}${path.replace('{id}', 'none')}`);
    expect([api, path, response.status]).toEqual([api, path, 404]);
    expect(await objectOf(response)).toMatchObject({ reason: 'notFound', status: '404' });
  }
});

test('every served resource has a table with the columns that its binding names', async () => {
  for (const { api, resource } of operations.filter((one) => one.served && one.kind === 'list')) {
    const { table, columns } = bindingOf(api, resource);
    const names = ['id', 'document', 'version', ...Object.values(columns).map((one) => one.column)];
    const text = `SELECT ${names.map((name) => pg.escapeIdentifier(name)).join(', ')} FROM ${pg.escapeIdentifier(table)} LIMIT 0`;
    await expect(given.policy.pool.query(text)).resolves.toBeDefined();
  }
});

test('a resource lives: created, read, listed, patched in both ways, deleted', async () => {
  const before = woken;
  const unknown = { '@type': 'Catalog', 'x-unknown': { deep: [1, null, 'ü'] } };
  const { response, body } = await create('Life', unknown);
  expect(response.status).toBe(201);
  expect(woken).toBe(before + 1);
  const { id } = body;
  const place = `${base}/catalog/${id}`;
  expect(body).toMatchObject({
    id: expect.stringMatching(/^cat_/),
    href: `${publicUrl}${place}`,
    name: 'Life',
    ...unknown,
  });
  expect([response.headers.get('location'), response.headers.get('etag')]).toEqual([body.href, '"1"']);

  const read = await send('GET', place);
  expect(await objectOf(read)).toEqual(body);
  expect(read.headers.get('etag')).toBe('"1"');
  expect(await objectOf(await send('GET', `${place}?fields=name`))).toEqual({ id, href: body.href, name: 'Life' });
  expect(await arrayOf(await send('GET', `${base}/catalog?name=Life`))).toEqual([body]);

  const merged = await send('PATCH', place, { description: 'first', 'x-unknown': null }, { 'If-Match': '"1"' });
  expect(merged.status).toBe(200);
  expect(merged.headers.get('etag')).toBe('"2"');
  const patched = await objectOf(merged);
  expect(patched).toMatchObject({ id, href: body.href, description: 'first' });
  expect(patched).not.toHaveProperty('x-unknown');
  const operationsSent = [
    { op: 'test', path: '/description', value: 'first' },
    { op: 'replace', path: '/description', value: 'second' },
  ];
  const jsonPatch = { 'Content-Type': 'application/json-patch+json' };
  expect(await objectOf(await send('PATCH', place, operationsSent, jsonPatch))).toMatchObject({
    description: 'second',
  });
  expect((await send('PATCH', place, operationsSent, jsonPatch)).status).toBe(400);
  const stale = await send('PATCH', place, { description: 'third' }, { 'If-Match': '"1"' });
  expect([stale.status, (await objectOf(stale)).reason]).toEqual([412, 'preconditionFailed']);
  expect(await objectOf(await send('GET', place))).toMatchObject({ description: 'second' });

  expect((await send('DELETE', place, undefined, { 'If-Match': '"1"' })).status).toBe(412);
  const gone = await send('DELETE', place);
  expect([gone.status, await gone.text()]).toEqual([204, '']);
  expect((await send('DELETE', place)).status).toBe(404);
  expect((await send('GET', place)).status).toBe(404);
});

test('whatever JSON is accepted comes back unchanged', async () => {
  const attributes = fc.dictionary(
    fc.string({ unit: 'binary', minLength: 1 }),
    fc.jsonValue({ stringUnit: 'binary', maxDepth: 4 }),
    {
      maxKeys: 5,
    },
  );
  await fc.assert(
    fc.asyncProperty(attributes, async (unknown) => {
      const sent = JSON.stringify({ name: 'Any', 'x-any': unknown });
      const made = await send('POST', `${base}/catalog`, sent);
      if (made.status === 400 || made.status === 422) return;
      expect(made.status).toBe(201);
      const { href } = await objectOf(made);
      const read = await objectOf(await send('GET', String(href).slice(publicUrl.length)));
      expect(read['x-any']).toEqual(JSON.parse(sent)['x-any']);
    }),
    { numRuns: 150 },
  );
});

test('a list in pages: 206 with links that work, disjoint and complete', async () => {
  for (let index = 0; index < 7; index += 1) await create(`Page ${index}`, { description: 'paged' });
  const whole = await arrayOf(await send('GET', `${base}/catalog?description=paged`));
  expect(whole).toHaveLength(7);
  const pages: unknown[] = [];
  let next: string | undefined = `${base}/catalog?description=paged&limit=3`;
  while (next !== undefined) {
    const page: Response = await send('GET', next);
    expect(page.status).toBe(206);
    expect(page.headers.get('x-total-count')).toBe('7');
    const items = await arrayOf(page);
    expect(page.headers.get('x-result-count')).toBe(String(items.length));
    pages.push(...items);
    const link = /<([^>]+)>; rel="next"/.exec(page.headers.get('link') ?? '')?.[1];
    expect(link?.startsWith(`${publicUrl}${base}/catalog?`) ?? true).toBe(true);
    next = link?.slice(publicUrl.length);
  }
  expect(pages).toEqual(whole);
  expect(await arrayOf(await send('GET', `${base}/catalog?description=paged&offset=100`))).toEqual([]);
  for (const wrong of ['limit=-1', 'limit=x', 'offset=-1', 'filter=$[', 'limit=1&limit=2']) {
    const response = await send('GET', `${base}/catalog?${wrong}`);
    expect([wrong, response.status]).toEqual([wrong, 400]);
    expect((await objectOf(response)).fault).toBeDefined();
  }
});

test('a filter finds what names our links by the string that was answered', async () => {
  const { body } = await create('Target');
  const category = await objectOf(
    await send('POST', `${base}/category`, { name: 'Linked', 'x-link': `airtime:${base}/catalog/${body.id}` }),
  );
  expect(category['x-link']).toBe(body.href);
  const address = encodeURIComponent(String(body.href));
  for (const value of [address, address.replace(/%../g, (code) => code.toLowerCase()), String(body.href)]) {
    expect(await arrayOf(await send('GET', `${base}/category?x-link=${value}`))).toHaveLength(1);
    expect(await arrayOf(await send('GET', `${base}/catalog?href=${value}`))).toHaveLength(1);
  }
  for (let index = 0; index < 2; index += 1)
    await send('POST', `${base}/category`, { name: 'x', 'x-link': `airtime:${base}/y` });
  const paged = await send('GET', `${base}/category?x-link=${encodeURIComponent(`${publicUrl}${base}/y`)}&limit=1`);
  const next = /<([^>]+)>; rel="next"/.exec(paged.headers.get('link') ?? '')?.[1] ?? '';
  expect(next).not.toContain('airtime');
  expect(await arrayOf(await send('GET', next.slice(publicUrl.length)))).toHaveLength(1);
});

test('a POST that is repeated with its key gets the first answer, letter by letter, and acts once', async () => {
  const first = await send('POST', `${base}/catalog`, '{"name":"Once","x-n":1.50}', { 'Idempotency-Key': 'once-1' });
  const firstText = await first.text();
  // The same body in another spelling, at another spelling of the path.
  const again = await send('POST', `${base.toUpperCase()}/CATALOG/`, '{ "x-n": 1.5, "name": "Once" }', {
    'Idempotency-Key': 'once-1',
  });
  expect([first.status, again.status]).toEqual([201, 201]);
  expect(await again.text()).toBe(firstText);
  expect([first.headers.get('idempotency-replayed'), again.headers.get('idempotency-replayed')]).toEqual([
    null,
    'true',
  ]);
  for (const name of ['location', 'etag', 'content-type'])
    expect(again.headers.get(name)).toBe(first.headers.get(name));
  expect(await arrayOf(await send('GET', `${base}/catalog?name=Once`))).toHaveLength(1);

  const other = await send('POST', `${base}/catalog`, { name: 'Other' }, { 'Idempotency-Key': 'once-1' });
  expect([other.status, (await objectOf(other)).reason]).toEqual([422, 'idempotency.key_reused']);
  expect((await send('POST', `${base}/category`, { name: 'Other' }, { 'Idempotency-Key': 'once-1' })).status).toBe(201);
});

test('twenty at once with one key act once and answer alike', async () => {
  const all = await Promise.all(Array.from({ length: 20 }, () => create('Twenty', {}, 'twenty')));
  expect(new Set(all.map(({ response }) => response.status))).toEqual(new Set([201]));
  expect(new Set(all.map(({ body }) => body.id)).size).toBe(1);
  expect(await arrayOf(await send('GET', `${base}/catalog?name=Twenty`))).toHaveLength(1);
});

test('a body that the contract refuses may be mended and sent again with its key', async () => {
  expect((await send('POST', `${base}/catalog`, { nam: 'Mended' }, { 'Idempotency-Key': 'mended' })).status).toBe(400);
  expect((await create('Mended', {}, 'mended')).response.status).toBe(201);
  expect((await send('POST', `${base}/catalog`, { name: 'x' }, { 'Idempotency-Key': 'not one word' })).status).toBe(
    400,
  );
});

test('usage, which the database records in one call, is idempotent as well', async () => {
  const usage = {
    usageType: 'data',
    usageDate: '2026-01-01T00:00:00Z',
    usageCharacteristic: [
      { name: 'msisdn', value: '6580000000' },
      { name: 'volume', value: 5 },
    ],
  };
  const post = () => send('POST', '/tmf-api/usageManagement/v4/usage', usage, { 'Idempotency-Key': 'usage-1' });
  const [first, again] = [await post(), await post()];
  expect(first.status).toBe(201);
  expect(await objectOf(again)).toEqual(await objectOf(first));
  expect(await arrayOf(await send('GET', '/tmf-api/usageManagement/v4/usage'))).toHaveLength(1);
});

test('a secret is answered once and never stored with its key', async () => {
  const input = { name: 'CRM', audience: 'integrator', scopes: ['tmf:*'] };
  const post = () => send('POST', '/tools/token.create', input, { 'Idempotency-Key': 'secret-1' });
  const first = await post();
  const { result } = await objectOf(first);
  expect(result).toMatchObject({ token: expect.stringMatching(/^air_/) });
  const again = await post();
  expect([again.status, (await objectOf(again)).reason]).toEqual([409, 'answerNotKept']);
  const kept = await given.policy.pool.query(`SELECT answer::text FROM idempotency_key WHERE path LIKE 'tools%'`);
  expect(kept.rows).toHaveLength(1);
  expect(JSON.stringify(kept.rows)).not.toContain('air_');
});

test('a hub is registered at every API and ended there', async () => {
  for (const { basePaths } of apis) {
    for (const basePath of basePaths) {
      const registered = await send('POST', `${basePath}/hub`, {
        callback: 'https://crm.example.com/events',
        query: 'a=b',
      });
      expect(registered.status).toBe(201);
      const { id, ...body } = await objectOf(registered);
      expect(body).toEqual({ callback: 'https://crm.example.com/events', query: 'a=b' });
      expect(registered.headers.get('location')).toBe(`${publicUrl}${basePaths[0]}/hub/${id}`);
      expect((await send('DELETE', `${basePath}/hub/${id}`)).status).toBe(204);
      expect((await send('DELETE', `${basePath}/hub/${id}`)).status).toBe(404);
    }
  }
  const wrong = await send('POST', `${base}/hub`, { callback: 'not an address' });
  expect(wrong.status).toBe(400);
  expect(await objectOf(wrong)).toMatchObject({ fault: [{ field: 'callback' }] });
});

test('queries that PostgreSQL could not be asked bring no 5xx', async () => {
  const odd = [
    'name=%00',
    'name=%ff',
    'name=%ed%a0%80',
    'a..b=1',
    'fields=%00',
    'sort=%00',
    'filter=%00',
    'name.regex=(',
    'limit=1e9',
  ];
  for (const query of [
    ...odd,
    'offset=99999999999999999999',
    'limit=99999999999',
    'name=%',
    '&&&',
    '=',
    '__proto__=1',
  ]) {
    const response = await send('GET', `${base}/catalog?${query}`);
    expect([query, response.status < 500 || response.status === 501]).toEqual([query, true]);
  }
  for (const id of ['%ed%a0%80', '%20', `${'x'.repeat(3000)}`, '..%2f..', '%EF%BF%BD']) {
    expect((await send('GET', `${base}/catalog/${id}`)).status).toBe(404);
    expect((await send('DELETE', `${base}/catalog/${id}`)).status).toBe(404);
  }
});
