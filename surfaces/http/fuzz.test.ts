import { connect } from 'node:net';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { apis, operations } from '../../generated/operations.ts';
import type { ApiHandlers } from '../../handlers/wire.ts';
import { onlyHandlers, type TestDoor, testDoor } from './testing.ts';

// Handlers that take anything that passed the contract: a 5xx here is the door's own.
function takingAll() {
  const all: Record<string, Record<string, ApiHandlers[string]>> = {};
  for (const { api, operationId, kind } of operations.filter((one) => one.served)) {
    const status = { create: 201, registerListener: 201, delete: 204, unregisterListener: 204 }[String(kind)] ?? 200;
    all[api] = { ...all[api], [operationId]: async () => ({ status }) };
  }
  return onlyHandlers(all);
}

let door: TestDoor;
beforeAll(async () => {
  door = await testDoor({ handlers: takingAll(), validateResponses: false, limits: { requestTimeoutMs: 5000 } });
});
afterAll(() => door.close());

const served = operations.filter((one) => one.served);
const servedPath = fc
  .constantFrom(...served)
  .map(({ api, path: own }) => `${apis.find((one) => one.api === api)?.basePaths[0]}${own}`);
const path = fc.oneof(
  { weight: 4, arbitrary: servedPath },
  fc.constantFrom(
    '/',
    '/tools',
    '/tools/x',
    '/tools/%ff',
    '/health',
    '/ready',
    '//',
    '*',
    'http://other/tmf-api',
    '/%00',
    '/..;/',
  ),
  fc.webPath(),
  fc.string({ maxLength: 30 }),
);
const noise = fc.oneof(
  fc.string({ maxLength: 40 }),
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.constantFrom('', ' ', '\t', '%', '"'),
);
const method = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom('GET', 'POST', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS', 'PUT') },
  fc.constantFrom('TRACE', 'PROPFIND', 'get', 'BREW', '', 'G\u0000T'),
);
const body = fc.oneof(
  fc.json(),
  fc.object({ maxDepth: 3 }).map((value) => JSON.stringify(value)),
  fc.string({ maxLength: 60 }),
  fc.constantFrom(
    '',
    '{',
    '[[[[',
    '{"__proto__":{"x":1}}',
    '"\\ud800"',
    '{"name":1e999}',
    '\ufeff{}',
    'null',
    '"\u0000"',
  ),
);
const header = fc.oneof(
  fc.constantFrom(
    'Accept: text/xml',
    'Accept: ;;q=,*/*;q=x',
    'Accept-Encoding: gzip;q=2',
    'Content-Encoding: gzip',
    'Content-Type: application/json;charset=latin1',
    'Content-Type: ;',
    'Expect: 200-ok',
    'Expect: 100-continue',
    'Idempotency-Key: a b',
    'If-Match: W/"x',
    'Transfer-Encoding: chunked',
    'Transfer-Encoding: gzip, chunked',
    'Content-Length: 5',
    'Content-Length: -1',
    'Content-Length: 99999999999999999999',
    'Range: bytes=0-',
    'Upgrade: websocket',
    'Connection: Upgrade',
    'Host: evil.example',
    'Host:',
    'X-Forwarded-For: 1.2.3.4',
    'X-Request-Id: \u0001',
    'Cookie: a=b; =; ;',
    'no colon here',
    ': no name',
    ' folded',
  ),
  fc
    .tuple(fc.constantFrom('Accept', 'X-Noise', 'Content-Type', 'Authorization', 'If-Match'), noise)
    .map(([name, value]) => `${name}: ${value}`),
);

interface RawRequest {
  method: string;
  path: string;
  query: string;
  headers: string[];
  body: string;
  ending: string;
  isAuthorised: boolean;
}

const wild: fc.Arbitrary<RawRequest> = fc.record({
  method,
  path: fc.oneof(
    { weight: 3, arbitrary: path },
    fc.tuple(path, noise).map(([own, more]) => `${own}/${more}`),
  ),
  query: fc.oneof(
    fc.constant(''),
    fc.webQueryParameters(),
    noise,
    fc.constantFrom('limit=-1', 'limit=1&limit=2', 'fields[]=a', '%'),
  ),
  headers: fc.array(header, { maxLength: 4 }),
  body,
  ending: fc.constantFrom('\r\n', '\r\n', '\r\n', '\n'),
  isAuthorised: fc.boolean(),
});
/** One thing wrong at most: these come past the parser and the key, which stop most of the others. */
const nearlyRight: fc.Arbitrary<RawRequest> = fc.record({
  method: fc.constantFrom('GET', 'POST', 'PATCH'),
  path: servedPath,
  query: fc.constant(''),
  headers: fc.constantFrom([], ['Accept: text/xml'], ['Content-Type: text/xml'], ['Content-Encoding: gzip']),
  body,
  ending: fc.constant('\r\n'),
  isAuthorised: fc.constant(true),
});
const raw = fc.oneof({ weight: 9, arbitrary: wild }, { weight: 1, arbitrary: nearlyRight });

function textOf(one: RawRequest): string {
  const target = one.query === '' ? one.path : `${one.path}?${one.query}`;
  const lines = [
    `${one.method} ${target} HTTP/1.1`,
    'Host: x',
    ...(one.isAuthorised ? ['Authorization: Bearer air_operator'] : []),
    ...one.headers,
    ...(one.headers.some((line) => /^(content-length|transfer-encoding)/i.test(line))
      ? []
      : [`Content-Length: ${Buffer.byteLength(one.body)}`]),
    ...(one.headers.some((line) => /^content-type/i.test(line)) ? [] : ['Content-Type: application/json']),
    'Connection: close',
  ];
  return `${lines.join(one.ending)}${one.ending}${one.ending}${one.body}`;
}

/** What the server says to these bytes; the sender has nothing more to say. */
function say(text: string): Promise<string> {
  return new Promise((resolve) => {
    let answer = '';
    const socket = connect(door.port, '127.0.0.1', () => socket.end(text));
    socket.setTimeout(4000, () => socket.destroy());
    socket.on('data', (chunk) => {
      answer += chunk.toString('latin1');
    });
    // A server may cut a connection whose request is no HTTP.
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(answer));
  });
}

const isAlive = async () => (await fetch(`${door.url}/health`)).status === 200;

test('thousands of malformed requests bring no 5xx, no defect in the log and no end', {
  timeout: 120_000,
}, async () => {
  const statuses = new Map<string, number>();
  await fc.assert(
    fc.asyncProperty(fc.array(raw, { minLength: 20, maxLength: 20 }), async (requests) => {
      const answers = await Promise.all(requests.map((one) => say(textOf(one))));
      for (const [index, answer] of answers.entries()) {
        for (const status of answer.matchAll(/^HTTP\/1\.1 (\d{3})/gm)) {
          const code = status[1] ?? '';
          statuses.set(code, (statuses.get(code) ?? 0) + 1);
          if (code.startsWith('5') && code !== '501') throw new Error(`${code} to ${JSON.stringify(requests[index])}`);
        }
      }
    }),
    { numRuns: 200 },
  );
  expect(await isAlive()).toBe(true);
  expect(door.lines.filter((line) => line.includes('"level":"error"'))).toEqual([]);
  // The noise reached all parts of the door.
  for (const status of ['200', '400', '401', '404', '405', '406', '415'])
    expect(statuses.get(status) ?? 0, `answers with ${status}`).toBeGreaterThan(0);
});

test('bytes that are no request at all do no harm', { timeout: 60_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.uint8Array({ minLength: 1, maxLength: 200 }), { minLength: 20, maxLength: 20 }),
      async (all) => {
        const answers = await Promise.all(all.map((bytes) => say(Buffer.from(bytes).toString('latin1'))));
        for (const answer of answers) expect(answer).not.toMatch(/^HTTP\/1\.1 5/m);
      },
    ),
    { numRuns: 25 },
  );
  expect(await isAlive()).toBe(true);
});
