import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openSandboxCardGateway, type SandboxCardGateway } from './card-gateway/sandbox-card-gateway.ts';
import { remoteCardGateway, remoteNetwork } from './remote.ts';
import { type SandboxServer, serveSandboxes } from './server.ts';

const secret = 'a secret of the test suite';
const request = { key: 'a', token: 'tok_visa_private', amountMinor: 100, currency: 'SGD', reference: 'item' };

describe('sandbox server', () => {
  let directory: string;
  let local: SandboxCardGateway;
  let server: SandboxServer;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'airtime-server-'));
    let drawn = 0;
    local = await openSandboxCardGateway({
      directory,
      now: () => new Date('2026-03-01T00:00:00Z'),
      id: () => {
        drawn += 1;
        return `id${drawn}`;
      },
    });
    server = await serveSandboxes({ secret, cardGateway: local }, 0);
  });
  afterEach(async () => {
    await server.close();
    await local.close();
    await rm(directory, { recursive: true, force: true });
  });

  test('answers nobody without the secret', async () => {
    for (const wrong of ['', 'a secret of another suite', `${secret}x`]) {
      await expect(remoteCardGateway(server.url, wrong).authorise(request)).rejects.toMatchObject({
        name: 'RequestRefused',
        code: 'unauthorised',
      });
    }
    expect(await local.find('a')).toBeUndefined();
  });

  test('wants a secret worth the name', async () => {
    await expect(serveSandboxes({ secret: 'short' }, 0)).rejects.toThrow(/16 characters/);
  });

  test('what it does not serve is an unknown outcome, not an answer', async () => {
    await expect(remoteNetwork(server.url, secret).line('a')).rejects.toMatchObject({ name: 'OutcomeUnknown' });
  });

  test('refuses a body that is not JSON or is too large', async () => {
    const post = (body: string) =>
      fetch(`${server.url}/card-gateway/authorise`, {
        method: 'POST',
        headers: { authorization: `Bearer ${secret}` },
        body,
      });
    expect((await post('{')).status).toBe(422);
    expect((await post(JSON.stringify({ ...request, padding: 'x'.repeat(1024 * 1024) }))).status).toBe(422);
    expect(await (await post(JSON.stringify({ ...request, token: 7 }))).json()).toMatchObject({
      code: 'invalid_request',
      message: expect.stringMatching(/^token: /),
    });
  });

  test('a stall longer than the caller waits is an unknown outcome, and the effect is found later', async () => {
    const gateway = remoteCardGateway(server.url, secret);
    const impatient = remoteCardGateway(server.url, secret, { timeoutMs: 500 });
    await gateway.plan({ mode: 'stall', stallMs: 3000, times: 1 });
    await expect(impatient.authorise(request)).rejects.toMatchObject({ name: 'OutcomeUnknown', key: 'a' });
    expect(await gateway.find('a')).toBeUndefined();
    await expect.poll(() => gateway.find('a')).toMatchObject({ answer: { outcome: 'authorised' } });
    expect(await gateway.authorise(request)).toMatchObject({ outcome: 'authorised' });
  });

  test('nobody listening is an unknown outcome that names no token', async () => {
    await server.close();
    const error: unknown = await remoteCardGateway(server.url, secret)
      .authorise(request)
      .catch((reason: unknown) => reason);
    expect(error).toMatchObject({ name: 'OutcomeUnknown', key: 'a' });
    for (let at: unknown = error; at instanceof Error; at = at.cause) expect(String(at.stack)).not.toContain('tok_');
  });
});

describe('remote client', () => {
  let other: Server | undefined;
  afterEach(() => {
    other?.closeAllConnections();
    other?.close();
  });

  test.each([
    ['an error', 500, '{"code":"failed","message":"x"}'],
    ['half an answer', 200, '{"answer":{"outcome":"authorised"'],
    ['another shape', 200, '{"answer":{"outcome":"authorised"}}'],
    ['a page', 200, '<html></html>'],
    ['a refusal it cannot read', 422, '{"code":"novel","message":"x"}'],
  ])('takes %s for an unknown outcome', async (_, status, body) => {
    const server = createServer((_request, response) => response.writeHead(status).end(body));
    other = server;
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    const gateway = remoteCardGateway(`http://127.0.0.1:${address.port}`, secret);
    await expect(gateway.authorise(request)).rejects.toMatchObject({ name: 'OutcomeUnknown', key: 'a' });
  });
});
