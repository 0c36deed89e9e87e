import { request as rawRequest } from 'node:http';
import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadValidators } from '../../generated/validators/index.ts';
import type { WireRequest } from '../../handlers/wire.ts';
import { conflict, Refusal } from '../../kernel/error.ts';
import { nothingToConfirm, objectOf, onlyHandlers, type TestDoor, testDoor } from './testing.ts';

const catalog = '/tmf-api/productCatalogManagement/v4/catalog';
const link = `airtime:${catalog}/cat_1`;
const seen: WireRequest[] = [];
let door: TestDoor;

beforeAll(async () => {
  door = await testDoor({
    handlers: onlyHandlers({
      TMF620: {
        listCatalog: async (_wire, request) => {
          seen.push(request);
          return { status: 200, body: [], headers: { 'X-Total-Count': '0', 'X-Result-Count': '0' } };
        },
        retrieveCatalog: async (_wire, request) => {
          seen.push(request);
          if (request.id === 'broken') throw new Error('select * from secret_table where token = air_abcdefghijkl');
          if (request.id === 'refused') throw new Refusal('catalog.some_rule', 'It is not allowed.', { id: 'cat_1' });
          if (request.id === 'conflict') throw conflict('busy', 'It is busy.');
          if (request.id === 'wrong') return { status: 200, body: { id: 7, href: link, name: 'x' } };
          return { status: 200, version: 3n, body: { id: request.id, href: link, name: 'Plans' } };
        },
        createCatalog: async (_wire, request) => {
          seen.push(request);
          return { status: 201, version: 1n, location: link, body: { id: 'cat_1', href: link, name: 'Plans' } };
        },
        patchCatalog: async (_wire, request) => {
          seen.push(request);
          return { status: 200, version: 4n, body: { id: 'cat_1', href: link, name: 'Plans' } };
        },
        deleteCatalog: async () => ({ status: 204 }),
      },
      TMF676: { listPayment: async () => ({ status: 200, body: [] }) },
    }),
    tools: {
      ...nothingToConfirm,
      list: (caller) => (caller.audience === 'customer' ? [] : [{ name: 'order.show', summary: 'Show an order' }]),
      run: async (name, input) => {
        if (name !== 'order.show') throw new Refusal('tool.none', 'No.', {});
        return { name, input };
      },
    },
    limits: { bodyBytesMax: 2000, nestingMax: 10, targetLengthMax: 500 },
  });
});
afterAll(() => door.close());

const operator = { Authorization: 'Bearer air_operator' };
const jsonType = { 'Content-Type': 'application/json' };

async function ask(path: string, options: RequestInit = {}): Promise<Response> {
  return fetch(door.url + path, { ...options, headers: { ...operator, ...options.headers } });
}

const post = (body: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = jsonType, path = catalog) =>
  ask(path, { method: 'POST', body, headers });

/** Every error is the TMF Error of its API's contract. */
async function expectError(response: Response, status: number, reason?: string): Promise<Record<string, unknown>> {
  const error = await objectOf(response);
  expect({ status: response.status, reason: error.reason }).toEqual({ status, reason: reason ?? error.reason });
  expect(response.headers.get('content-type')).toBe('application/json;charset=utf-8');
  expect(error).toMatchObject({ '@type': 'Error', code: String(status), status: String(status) });
  expect(String(error.reason)).toMatch(/./);
  expect(String(error.message)).toMatch(/\.$/);
  expect(String(error.referenceError)).toMatch(/^https:\/\/www\.rfc-editor\.org\/rfc\/rfc\d+#section-\d/);
  const { schemas } = await loadValidators.TMF620();
  expect(schemas.Error?.(error)).toBe(true);
  return error;
}

test('an item is answered with its ETag and absolute links of the configured address', async () => {
  const response = await ask(`${catalog}/cat_1`, { headers: { Host: 'evil.example' } });
  expect(response.status).toBe(200);
  expect(response.headers.get('etag')).toBe('"3"');
  expect(response.headers.get('x-powered-by')).toBeNull();
  expect(response.headers.get('x-content-type-options')).toBe('nosniff');
  expect(await response.json()).toEqual({ id: 'cat_1', href: `${door.publicUrl}${catalog}/cat_1`, name: 'Plans' });
});

test('a creation is answered 201 with Location, which is its href', async () => {
  const response = await post('{"name":"Plans"}');
  const body = await objectOf(response);
  expect(response.status).toBe(201);
  expect(response.headers.get('location')).toBe(`${door.publicUrl}${catalog}/cat_1`);
  expect(body.href).toBe(response.headers.get('location'));
});

test('fixed segments match in any case and with a trailing slash; an id keeps its case and is decoded', async () => {
  expect((await ask(`/TMF-api/PRODUCTcatalogmanagement/V4/CATALOG/Ab%20C%2Fd/`)).status).toBe(200);
  expect(seen.at(-1)?.id).toBe('Ab C/d');
  expect((await ask(`${catalog.toUpperCase()}/?a=B`)).status).toBe(200);
  expect(seen.at(-1)).toMatchObject({ search: 'a=B', caller: { id: 'tok_operator', surface: 'tmf' } });
});

test('payments are answered under both base paths', async () => {
  expect((await ask('/payment/v4/payment')).status).toBe(200);
  expect((await ask('/tmf-api/paymentManagement/v4/payment')).status).toBe(200);
});

test('unknown paths, and listeners, which are the subscriber to answer, are 404', async () => {
  const ids = [`${catalog}/%00`, `${catalog}/%zz`, `${catalog}/a/b`, `${catalog}//`];
  for (const path of [
    '/',
    '/tmf-api',
    '/nothing',
    ...ids,
    catalog.replace('/catalog', '/listener/catalogCreateEvent'),
  ]) {
    await expectError(await ask(path, { method: 'GET' }), 404, 'notFound');
  }
});

test('a method that is not offered is 405 with Allow; OPTIONS answers the same', async () => {
  const whole = 'GET, HEAD, POST, OPTIONS';
  for (const method of ['PUT', 'DELETE', 'PATCH']) {
    const response = await ask(catalog, { method });
    expect(response.headers.get('allow')).toBe(whole);
    await expectError(response, 405, 'methodNotAllowed');
  }
  const options = await ask(`${catalog}/cat_1`, { method: 'OPTIONS' });
  expect([options.status, options.headers.get('allow')]).toEqual([204, 'GET, HEAD, PATCH, DELETE, OPTIONS']);
});

test('HEAD answers as GET without the body', async () => {
  const get = await ask(`${catalog}/cat_1`);
  const head = await ask(`${catalog}/cat_1`, { method: 'HEAD' });
  expect(head.status).toBe(200);
  for (const name of ['etag', 'content-length', 'content-type'])
    expect(head.headers.get(name)).toBe(get.headers.get(name));
  expect(await head.text()).toBe('');
  expect((await ask('/nothing', { method: 'HEAD' })).status).toBe(404);
});

test('who does not say who they are gets 401 with a challenge; who may not, 403', async () => {
  for (const authorization of ['', 'Basic YTpi', 'Bearer', 'Bearer  ', 'Bearer air_unknown', 'Bearer a b']) {
    const response = await ask(catalog, { headers: { Authorization: authorization } });
    expect(response.headers.get('www-authenticate')).toMatch(/^Bearer realm=/);
    await expectError(response, 401);
  }
  const as = (token: string, path: string) => ask(path, { headers: { Authorization: `Bearer ${token}` } });
  expect((await as('air_catalogue', catalog)).status).toBe(200);
  await expectError(await as('air_catalogue', '/payment/v4/payment'), 403, 'forbidden');
  await expectError(await as('air_customer', catalog), 403, 'forbidden');
  await expectError(await as('air_tools', catalog), 403, 'forbidden');
  expect(await (await as('air_catalogue', '/tools')).json()).toEqual([]);
});

test('a stranger is refused before the body is read', async () => {
  await expectError(await ask(catalog, { method: 'POST', body: 'not json', headers: { Authorization: '' } }), 401);
});

test('answers are JSON: an Accept that rules it out is 406', async () => {
  await expectError(await ask(catalog, { headers: { Accept: 'text/xml' } }), 406, 'notAcceptable');
  for (const Accept of ['application/json;q=0', 'application/json;q=0, */*', 'application/*;q=0, */*;q=0.1', ',;,']) {
    await expectError(await ask(catalog, { headers: { Accept } }), 406, 'notAcceptable');
  }
  for (const Accept of ['*/*', 'application/*', 'application/json;charset=utf-8', 'text/html, */*;q=0.1', '']) {
    expect((await ask(catalog, { headers: { Accept } })).status).toBe(200);
  }
});

test('the media type of a body is one of those offered, in UTF-8', async () => {
  const types = ['text/plain', 'application/xml', 'application/merge-patch+json', 'application/json;charset=latin1'];
  for (const type of types) {
    const response = await post('{"name":"x"}', { 'Content-Type': type });
    expect(response.headers.get('accept-post')).toBe('application/json');
    await expectError(response, 415, 'unsupportedMediaType');
  }
  expect((await post('{"name":"x"}', { 'Content-Type': 'Application/JSON; charset="UTF-8"' })).status).toBe(201);
  const patches = ['application/json', 'application/merge-patch+json'];
  for (const type of patches) {
    const options = { method: 'PATCH', body: '{"name":"y"}', headers: { 'Content-Type': type, 'If-Match': '"3"' } };
    expect((await ask(`${catalog}/cat_1`, options)).status).toBe(200);
    expect(seen.at(-1)).toMatchObject({ mediaType: type, ifMatch: '"3"', id: 'cat_1' });
  }
  const refused = await ask(`${catalog}/cat_1`, {
    method: 'PATCH',
    body: '{}',
    headers: { 'Content-Type': 'text/plain' },
  });
  expect(refused.headers.get('accept-patch')).toContain('application/json-patch+json');
  await expectError(refused, 415);
});

test('malformed JSON is 400 and names the place, without quoting the body', async () => {
  const error = await expectError(await post('{\n  "name": "4242",\n  oops\n}'), 400, 'malformedJson');
  expect(error).toMatchObject({ facts: { line: 3, column: 3, offset: 22 } });
  expect(JSON.stringify(error)).not.toContain('oops');
  expect(JSON.stringify(error)).not.toContain('4242');
  await expectError(await post(new Uint8Array([0x22, 0xff, 0x22])), 400, 'malformedBody');
  await expectError(await post(''), 400, 'invalid');
  await expectError(await post('   '), 400, 'malformedJson');
});

test('a body over the limit is 413, whether it says so or not, compressed or not', async () => {
  const large = JSON.stringify({ name: 'x'.repeat(3000) });
  await expectError(await post(large), 413, 'bodyTooLarge');
  await expectError(await post(gzipSync(large), { ...jsonType, 'Content-Encoding': 'gzip' }), 413, 'bodyTooLarge');
  expect((await post(gzipSync('{"name":"x"}'), { ...jsonType, 'Content-Encoding': 'gzip' })).status).toBe(201);
  await expectError(await post('{"name":"x"}', { ...jsonType, 'Content-Encoding': 'gzip' }), 400, 'malformedBody');
  await expectError(await post('{"name":"x"}', { ...jsonType, 'Content-Encoding': 'zip' }), 415, 'unsupportedEncoding');
});

test('what cannot be kept unchanged is refused and named', async () => {
  const deep = `{"name":"x","a":${'['.repeat(30)}${']'.repeat(30)}}`;
  expect((await expectError(await post(deep), 400)).message).toContain('nested deeper than 10');
  for (const body of [
    '{"name":"x","__proto__":{"polluted":true}}',
    '{"name":"x","a":{"constructor":{"prototype":{}}}}',
    '{"name":"a\\u0000b"}',
    '{"name":"x","\\u0000":1}',
    '{"name":"\\ud800"}',
    '{"name":"x","size":1e999}',
  ]) {
    await expectError(await post(body), 400, 'invalid');
  }
  expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false);
});

test('a body that breaks the contract is 400 and names each field, its rule and what to do', async () => {
  const error = await expectError(await post('{"lastUpdate":"yesterday","category":[{"version":1}]}'), 400, 'invalid');
  expect(error.fault).toEqual(
    expect.arrayContaining([
      { field: 'name', rule: 'is missing', remedy: expect.stringMatching(/.+/) },
      { field: 'lastUpdate', rule: 'must be a date and time', remedy: expect.stringContaining('RFC 3339') },
      { field: 'category[0].version', rule: 'must be a text', remedy: 'Send a text.' },
    ]),
  );
  expect(JSON.stringify(error)).not.toContain('yesterday');
  expect(error.message).toContain('category[0].version must be a text');
  const query = await expectError(await ask(`${catalog}?limit=-1`), 400);
  expect(query.fault).toMatchObject([{ field: 'limit', rule: 'must be >= 0' }]);
});

test('card numbers are refused with the name of the field and never its value', async () => {
  const number = '4242424242424242';
  const named = await expectError(
    await post(`{"name":"x","details":{"cardNumber":"${number}"}}`),
    422,
    'card.number_never_stored',
  );
  expect(named.facts).toEqual({ field: 'details.cardNumber' });
  const payment = JSON.stringify({ description: number });
  const paying = await expectError(
    await post(payment, jsonType, '/payment/v4/payment'),
    422,
    'card.number_never_stored',
  );
  expect(JSON.stringify([named, paying])).not.toContain(number);
  expect(door.lines.join('')).not.toContain(number);
});

test('a refusal carries the code of its rule and the facts; a conflict is 409', async () => {
  const refusal = await expectError(await ask(`${catalog}/refused`), 422, 'catalog.some_rule');
  expect(refusal).toMatchObject({ message: 'It is not allowed.', facts: { id: 'cat_1' } });
  await expectError(await ask(`${catalog}/conflict`), 409, 'busy');
});

test('a defect is 500 with nothing of it shown; the log has it under the same id, without its secrets', async () => {
  const response = await ask(`${catalog}/broken`, { headers: { 'X-Request-Id': 'my-request.1' } });
  expect(response.headers.get('x-request-id')).toBe('my-request.1');
  const error = await expectError(response, 500, 'internalError');
  expect(JSON.stringify(error)).not.toContain('secret_table');
  const line = door.lines.find((one) => one.includes('my-request.1') && one.includes('secret_table'));
  expect(line).toBeDefined();
  expect(line).not.toContain('abcdefghijkl');
});

test('an answer that breaks the contract is 500 and logged while answers are judged', async () => {
  await expectError(await ask(`${catalog}/wrong`), 500, 'internalError');
  expect(door.lines.some((line) => line.includes('an answer breaks the contract'))).toBe(true);
});

test('an operation without a handler is 501', async () => {
  await expectError(await ask(catalog.replace('/catalog', '/category')), 501, 'notImplemented');
});

test('a path that is too long is 414, headers that are too large 431', async () => {
  await expectError(await ask(`${catalog}?a=${'x'.repeat(600)}`), 414, 'targetTooLong');
  const status = await new Promise<number | undefined>((resolve, reject) => {
    const request = rawRequest(`${door.url}${catalog}`, { headers: { 'X-Long': 'x'.repeat(40_000) } }, (response) => {
      let text = '';
      response.on('data', (chunk) => {
        text += chunk;
      });
      response.on('end', () => {
        expect(JSON.parse(text)).toMatchObject({ '@type': 'Error', status: '431', reason: 'headersTooLarge' });
        resolve(response.statusCode);
      });
    });
    request.on('error', reject);
    request.end();
  });
  expect(status).toBe(431);
});

test('a request id that is not a plain word, or could be a card, is replaced', async () => {
  for (const given of ['a b', 'x'.repeat(200), '<script>', '4242424242424242']) {
    const made = (await ask(catalog, { headers: { 'X-Request-Id': given } })).headers.get('x-request-id');
    expect(made).toMatch(/^req_[0-9a-f-]{36}$/);
  }
});

test('each request is one line: method, route template, status, time, caller, id; no query, header or body', async () => {
  const before = door.lines.length;
  await ask(`${catalog}/cat_secret?name=private`, { headers: { 'X-Request-Id': 'line-1' } });
  await expect.poll(() => door.lines.slice(before).filter((line) => line.includes('line-1'))).toHaveLength(1);
  const line = door.lines.slice(before).find((one) => one.includes('line-1')) ?? '';
  expect(JSON.parse(line)).toEqual({
    level: 'info',
    time: expect.any(String),
    requestId: 'line-1',
    method: 'GET',
    route: `${catalog}/{id}`,
    status: 200,
    ms: expect.any(Number),
    callerId: 'tok_operator',
    msg: 'request',
  });
  const all = door.lines.join('');
  for (const secret of ['cat_secret', 'private', 'air_operator', 'Bearer']) expect(all).not.toContain(secret);
});

test('the tool door lists and runs the caller tools', async () => {
  expect(await (await ask('/tools')).json()).toEqual([{ name: 'order.show', summary: 'Show an order' }]);
  const ran = await post('{"id":"ord_1"}', jsonType, '/tools/order.show');
  expect(await ran.json()).toEqual({ result: { name: 'order.show', input: { id: 'ord_1' } } });
  await expectError(await ask('/tools/order.show'), 405, 'methodNotAllowed');
  await expectError(await post('{"cvv":"123"}', jsonType, '/tools/order.show'), 422, 'card.number_never_stored');
  await expectError(await post('{}', jsonType, '/tools/other'), 422, 'tool.none');
  await expectError(await post('{}', { ...jsonType, Authorization: 'Bearer air_catalogue' }, '/tools/order.show'), 403);
  await expectError(await post('{}', { ...jsonType, Authorization: '' }, '/tools/order.show'), 401);
});

test('health, readiness and metrics', async () => {
  const bare = (path: string, headers: Record<string, string> = {}) => fetch(door.url + path, { headers });
  expect(await (await bare('/health')).json()).toEqual({ status: 'pass' });
  expect(await (await bare('/ready')).json()).toEqual({ status: 'pass', checks: { database: true } });
  const metrics = await (await bare('/metrics')).text();
  expect(metrics).toContain(
    'airtime_http_request_duration_seconds_count{api="TMF620",operation="retrieveCatalog",status="200"}',
  );
  expect(metrics).toMatch(/airtime_http_requests_in_flight \d/);
  expect(metrics).toContain('process_resident_memory_bytes');
  expect((await bare('/metrics', { 'X-Forwarded-For': '203.0.113.9' })).status).toBe(401);
  expect((await ask('/metrics', { headers: { 'X-Forwarded-For': '203.0.113.9' } })).status).toBe(200);
});

test('a refused token is not ready, and a database that is away is 503', async () => {
  const away = await testDoor({
    ready: async () => ({ ok: false, checks: { database: false } }),
    authenticate: async () => {
      throw Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
    },
  });
  expect((await fetch(`${away.url}/ready`)).status).toBe(503);
  const response = await fetch(away.url + catalog, { headers: operator });
  expect(response.headers.get('retry-after')).toBe('1');
  await expectError(response, 503, 'unavailable');
  await away.close();
});

test('a server that stops says so first, and serves on until proxies have noticed', async () => {
  const stopping = await testDoor({});
  const stopped = stopping.server.close(1000, 400);
  expect((await fetch(`${stopping.url}/ready`)).status).toBe(503);
  const served = await fetch(`${stopping.url}/health`);
  expect([served.status, served.headers.get('connection')]).toEqual([200, 'close']);
  await stopped;
  await expect(fetch(`${stopping.url}/health`)).rejects.toThrow();
});

test('a database that went away in the middle of a request, or takes only reads, is 503 too', async () => {
  for (const error of [
    new Error('Connection terminated unexpectedly'),
    new Error('Query read timeout'),
    Object.assign(new Error('cannot execute INSERT in a read-only transaction'), { code: '25006' }),
    Object.assign(new Error('no route'), { code: 'EHOSTUNREACH' }),
  ]) {
    const away = await testDoor({ authenticate: () => Promise.reject(error) });
    await expectError(await fetch(away.url + catalog, { headers: operator }), 503, 'unavailable');
    await away.close();
  }
});

test('more work than the limit is told to come again', async () => {
  const full = await testDoor({ limits: { inFlightMax: 0 } });
  await expectError(await fetch(`${full.url}/health`), 503, 'busy');
  await full.close();
});

test('a server that stops lets a running request end, and then nobody in', async () => {
  let release = (): void => undefined;
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const stopping = await testDoor({
    handlers: onlyHandlers({
      TMF620: {
        listCatalog: async () => {
          await held;
          return { status: 200, body: [] };
        },
      },
    }),
  });
  const running = fetch(stopping.url + catalog, { headers: operator });
  await expect
    .poll(() => fetch(`${stopping.url}/metrics`).then((response) => response.text()))
    .toMatch(/airtime_http_requests_in_flight 2/);
  const closed = stopping.close();
  await expect(fetch(`${stopping.url}/health`)).rejects.toThrow();
  release();
  expect((await running).status).toBe(200);
  await closed;
});

test('what is not HTTP is told so', async () => {
  const text = await new Promise<string>((resolve, reject) => {
    const socket = connect(door.port, '127.0.0.1', () => socket.write('GET / HTTP/1.1\r\nbroken header\r\n\r\n'));
    let all = '';
    socket.on('data', (chunk) => {
      all += chunk;
    });
    socket.on('close', () => resolve(all));
    socket.on('error', reject);
  });
  expect(text).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/);
  expect(JSON.parse(text.slice(text.indexOf('\r\n\r\n') + 4))).toMatchObject({ '@type': 'Error', status: '400' });
});

test('a scope to read an API reads it and nothing else', async () => {
  const as = { Authorization: 'Bearer air_reader' };
  expect((await ask(`${catalog}/cat_1`, { headers: as })).status).toBe(200);
  expect((await ask(`${catalog}/cat_1`, { method: 'HEAD', headers: as })).status).toBe(200);
  const refused = await expectError(await post('{"name":"Plans"}', { ...jsonType, ...as }), 403, 'forbidden');
  expect(String(refused.message)).toContain('tmf:TMF620');
  await expectError(await ask(`${catalog}/cat_1`, { method: 'DELETE', headers: as }), 403, 'forbidden');
  await expectError(await ask('/payment/v4/payment', { headers: as }), 403, 'forbidden');
});
