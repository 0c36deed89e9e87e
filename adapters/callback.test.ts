import { createPrivateKey } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { afterEach, expect, test } from 'vitest';
import { type Callbacks, httpCallbacks, type Resolve } from './callback.ts';
import { addressPolicy } from './callback-address.ts';

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

async function serve(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<{ port: number; paths: string[]; server: Server }> {
  const paths: string[] = [];
  const server = createServer((request, response) => {
    paths.push(request.url ?? '');
    answer(request, response);
  });
  const port = await new Promise<number>((done) => {
    server.listen(0, '127.0.0.1', () => done(portOf(server)));
  });
  closing.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return { port, paths, server };
}

function portOf(server: { address(): unknown }): number {
  const address = server.address();
  if (typeof address !== 'object' || address === null || !('port' in address))
    throw new Error('the server has no port');
  return Number(address.port);
}

function make(allow: readonly string[], resolve?: Resolve, timeoutMs = 5000): Callbacks {
  const made = httpCallbacks({ addresses: addressPolicy(allow), timeoutMs, ...(resolve ? { resolve } : {}) });
  closing.push(made.close);
  return made;
}
const resolveTo =
  (...addresses: string[]): Resolve =>
  async () =>
    addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
const event = (url: string) => ({ url, body: '{"eventId":"1"}', headers: {} });

// Every way to write an address that must not be called, as it would stand in a subscription.
const disguises = [
  'http://127.0.0.1/',
  'http://2130706433/',
  'http://0x7f000001/',
  'http://0177.0.0.1/',
  'http://0x7f.1/',
  'http://127.1/',
  'http://[::1]/',
  'http://[::ffff:127.0.0.1]/',
  'http://[::ffff:7f00:1]/',
  'http://[0:0:0:0:0:0:0:1]/',
  'http://[64:ff9b::7f00:1]/',
  'http://0/',
  'http://0.0.0.0/',
  'http://10.0.0.1/',
  'http://192.168.0.1/',
  'http://172.20.0.1/',
  'http://169.254.169.254/latest/meta-data/',
  'http://2852039166/latest/meta-data/',
  'http://[fd00:ec2::254]/',
  'http://[fe80::1]/',
  'http://１２７.０.０.１/',
  'http://localhost/',
  'http://localhost./',
];
test.each(disguises)('%s is refused when it is registered and when it is called', async (url) => {
  const callbacks = make([], async (name) => {
    expect(name).toMatch(/^localhost\.?$/);
    return [{ address: '127.0.0.1', family: 4 }];
  });
  expect(await callbacks.refusal(url)).toMatch(/ is /);
  expect(await callbacks.post(event(url))).toMatchObject({
    kind: 'unreachable',
    reason: expect.stringMatching(/ is /),
  });
});

test('a name that leads inside is refused, also when one of its addresses does not', async () => {
  expect(await make([], resolveTo('10.0.0.7')).refusal('http://inside.example/')).toMatch(
    /inside.example is a private/,
  );
  expect(await make([], resolveTo('8.8.8.8', '10.0.0.7')).refusal('http://both.example/')).toMatch(/private/);
  expect(await make([], resolveTo('8.8.8.8')).refusal('http://public.example/')).toBeUndefined();
  expect(await make(['private'], resolveTo('10.0.0.7')).refusal('http://inside.example/')).toBeUndefined();
});

test('a name that nobody knows now may be registered', async () => {
  const unknown: Resolve = () => Promise.reject(new Error('ENOTFOUND'));
  expect(await make([], unknown).refusal('http://later.example/')).toBeUndefined();
  expect(await make([], unknown).post(event('http://later.example/'))).toEqual({
    kind: 'unreachable',
    reason: 'ENOTFOUND',
  });
});

test('a name that changes its mind after it was judged is judged again at the connection', async () => {
  const { port, paths } = await serve((_request, response) => response.end());
  const answers = ['8.8.8.8', '127.0.0.1'];
  const rebinding: Resolve = async () => [{ address: answers.shift() ?? '127.0.0.1', family: 4 }];
  const callbacks = make([], rebinding);
  const url = `http://rebind.example:${port}/`;
  expect(await callbacks.refusal(url)).toBeUndefined();
  expect(await callbacks.post(event(url))).toMatchObject({
    kind: 'unreachable',
    reason: expect.stringMatching(/loopback/),
  });
  expect(paths).toEqual([]);
});

test('of several addresses only those that may be called are', async () => {
  const { port, paths } = await serve((_request, response) => response.end());
  const outcome = await make(['127.0.0.1/32'], resolveTo('10.255.255.1', '127.0.0.1')).post(
    event(`http://both.example:${port}/in`),
  );
  expect(outcome).toEqual({ kind: 'delivered', status: 200 });
  expect(paths).toEqual(['/in']);
});

test('what an answer means', async () => {
  const { port, paths } = await serve((request, response) => {
    const status = Number(request.url?.slice(1));
    response.writeHead(status, { Location: '/200' }).end('whatever');
  });
  const callbacks = make(['loopback']);
  const outcomes = [];
  for (const status of [200, 201, 204, 301, 307, 400, 410, 500, 503]) {
    outcomes.push(await callbacks.post(event(`http://127.0.0.1:${port}/${status}`)));
  }
  expect(outcomes.map(({ kind }) => kind)).toEqual([...Array(3).fill('delivered'), ...Array(6).fill('refused')]);
  // No redirect was followed.
  expect(paths).toEqual(['/200', '/201', '/204', '/301', '/307', '/400', '/410', '/500', '/503']);
});

test('silence, a closed port and a broken answer are nobody there', async () => {
  const { port } = await serve(() => undefined);
  const silent = await make(['loopback'], undefined, 150).post(event(`http://127.0.0.1:${port}/`));
  expect(silent).toEqual({ kind: 'unreachable', reason: 'no answer within 0.15 s' });
  const rude = await serve((request) => request.socket.destroy());
  expect(await make(['loopback']).post(event(`http://127.0.0.1:${rude.port}/`))).toMatchObject({ kind: 'unreachable' });
  rude.server.close();
  rude.server.closeAllConnections();
  const closed = await make(['loopback']).post(event(`http://127.0.0.1:${rude.port}/`));
  expect(closed).toMatchObject({ kind: 'unreachable', reason: expect.stringContaining('ECONNREFUSED') });
});

test('an answer without end is cut off, and the next event still arrives', async () => {
  const { port } = await serve((request, response) => {
    if (request.url === '/short') return void response.end('ok');
    const pour = setInterval(() => response.write(Buffer.alloc(32_768)), 1);
    response.on('close', () => clearInterval(pour));
  });
  const callbacks = make(['loopback'], undefined, 2000);
  const before = process.memoryUsage().arrayBuffers;
  for (let turn = 0; turn < 20; turn += 1) {
    expect(await callbacks.post(event(`http://127.0.0.1:${port}/endless`))).toEqual({ kind: 'delivered', status: 200 });
  }
  expect(await callbacks.post(event(`http://127.0.0.1:${port}/short`))).toEqual({ kind: 'delivered', status: 200 });
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(20_000_000);
});

test('a connection that was closed while it was idle is no failure', async () => {
  const { port, server } = await serve((_request, response) => response.end('{}'));
  const callbacks = make(['loopback']);
  for (let turn = 0; turn < 5; turn += 1) {
    expect(await callbacks.post(event(`http://127.0.0.1:${port}/`))).toEqual({ kind: 'delivered', status: 200 });
    server.closeIdleConnections();
  }
});

test('a certificate that nobody vouches for is refused', async () => {
  const secure = createSecureServer({ key: selfSigned.key, cert: selfSigned.cert }, (_request, response) =>
    response.end(),
  );
  const port = await new Promise<number>((done) => {
    secure.listen(0, '127.0.0.1', () => done(portOf(secure)));
  });
  closing.push(() => void secure.close());
  const outcome = await make(['loopback']).post(event(`https://127.0.0.1:${port}/`));
  expect(outcome).toMatchObject({ kind: 'unreachable', reason: expect.stringMatching(/self-signed/) });
});

// A certificate for nobody, signed by itself; its key guards nothing.
const selfSigned = {
  key: createPrivateKey({
    key: {
      kty: 'EC',
      x: 'ThquBw4bFmljOqP6SrNPyCm9fIaKhhbDz9XzZF-ZkIg',
      y: 'GNCFgrI-b6mXFWLuQu5SVY5VJXY4__H53j-gDVS8A78',
      crv: 'P-256',
      d: 'dF8Wq-ri-mNuqmtjjTU6tn7AIs7r5K8EF3893lMHoAI',
    },
    format: 'jwk',
  }).export({ type: 'pkcs8', format: 'pem' }),
  cert: `-----BEGIN CERTIFICATE-----
MIIBgDCCASWgAwIBAgIUA6Y7oPA3DiBzbY2GvSoFg//DO24wCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMjIwMDQwMloYDzIxMjYxMDI5
MjAwNDAyWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAAROGq4HDhsWaWM6o/pKs0/IKb18hoqGFsPP1fNkX5mQiBjQhYKyPm+p
lxVi7kLuUlWOVSV2OP/x+d4/oA1UvAO/o1MwUTAdBgNVHQ4EFgQUFgdndOOKyMlg
xDAK0w97yP2q7KwwHwYDVR0jBBgwFoAUFgdndOOKyMlgxDAK0w97yP2q7KwwDwYD
VR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNJADBGAiEAoYVIDfzcCy62YD7KIJVM
FyHFFwEIj9ww9UdSVIbASjMCIQDoiCJGADxW0Wl4Rv7kZEQJ/piVhWkpAOEJaeBB
SiWVJg==
-----END CERTIFICATE-----`,
};
