import { spawn } from 'node:child_process';
import { createServer as createHttpServer } from 'node:http';
import { createServer } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { openStripeCardGateway } from './stripe-card-gateway.ts';

/**
 * Stripe's own mock checks each request against Stripe's published API: paths, names and types of parameters. It keeps
 * nothing, so what it answers says little; that it does not refuse us is what is looked at here. STRIPE_MOCK is the path
 * of its program (CONTRIBUTING.md says how to get it); without it these calls are not made, and that is said.
 */
const program = process.env.STRIPE_MOCK;
if (!program) process.stdout.write('stripe-mock: NOT RUN, set STRIPE_MOCK to its program (see CONTRIBUTING.md)\n');

function freePort(): Promise<number> {
  return new Promise((done) => {
    const probe = createServer();
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => done(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

/**
 * Since the mock keeps nothing, payments never get anywhere in it. This stands in front and puts the state of a payment,
 * told by its id, into the mock's answers, so that each call is made as it would be.
 */
async function stateful(mock: string) {
  const made: string[] = [];
  const server = createHttpServer((request, response) => {
    void (async () => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk);
      const [path = ''] = (request.url ?? '').split('?');
      made.push(`${request.method} ${path}`);
      const headers = Object.entries(request.headers).flatMap(([name, value]): [string, string][] =>
        typeof value === 'string' && !['host', 'connection', 'content-length'].includes(name) ? [[name, value]] : [],
      );
      const body = Buffer.concat(chunks);
      const answer = await fetch(`${mock}${request.url}`, {
        method: request.method ?? 'GET',
        headers,
        ...(body.length > 0 ? { body } : {}),
      });
      const document: unknown = await answer.json();
      const state = path.endsWith('/pi_held')
        ? { status: 'requires_capture', amount_capturable: 1000, currency: 'sgd' }
        : path.endsWith('/pi_taken')
          ? { status: 'succeeded', amount_received: 1_000_000, currency: 'sgd' }
          : String(body).includes('asks_customer')
            ? { last_payment_error: { code: 'authentication_required' } }
            : {};
      const whole = answer.ok && typeof document === 'object' ? { ...document, ...state } : document;
      response.writeHead(answer.status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(whole));
    })();
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return { url: `http://127.0.0.1:${port}`, made, close: () => server.close() };
}

test.runIf(program)(
  'Stripe’s own mock takes every call',
  async () => {
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    const mock = spawn(program ?? '', ['-http-addr', `127.0.0.1:${port}`, '-https-addr', '127.0.0.1:', '-verbose'], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let log = '';
    for (const stream of [mock.stdout, mock.stderr]) stream.on('data', (chunk) => (log += String(chunk)));
    const front = await stateful(url);
    try {
      for (let tries = 0; tries < 200 && !(await fetch(url).catch(() => undefined)); tries += 1) await pause(50);
      const gateway = openStripeCardGateway({
        secretKey: 'sk_test_123',
        url: front.url,
        returnUrl: 'https://example.com/back',
        now: () => new Date(),
        retriesMax: 0,
      });
      const money = { amountMinor: 1000, currency: 'SGD' };
      const calls: Record<string, () => Promise<unknown>> = {
        describeCard: () => gateway.describeCard('pm_card_visa'),
        authorise: () => gateway.authorise({ key: 'k1', token: 'pm_card_visa', ...money, reference: 'pay_1' }),
        authoriseWithCustomer: () =>
          gateway.authorise({ key: 'k5', token: 'pm_card_visa', ...money, reference: 'asks_customer' }),
        capture: () => gateway.capture({ key: 'k2', gatewayReference: 'pi_held', ...money }),
        void: () => gateway.void({ key: 'k3', gatewayReference: 'pi_held' }),
        refund: () => gateway.refund({ key: 'k4', gatewayReference: 'pi_taken', ...money }),
        find: () => gateway.find('renewal:sub_1:2026-01-01T00:00:00.000Z:authorise:1'),
        findChargeback: () => gateway.find('dp_1mock'),
        operations: () => gateway.operations('pi_taken'),
        book: async () => {
          const book = gateway.book('1700000000.0123456789ab')[Symbol.asyncIterator]();
          await book.next();
        },
      };
      const rows: string[] = [];
      for (const [name, call] of Object.entries(calls)) {
        const answer = await call().then(
          (value) => JSON.stringify(value)?.slice(0, 100) ?? 'nothing',
          (error: unknown) => `${String(error)}`,
        );
        rows.push(`${name}: ${answer}`);
      }
      process.stdout.write(`stripe-mock: ${rows.length} calls\n  ${rows.join('\n  ')}\n`);
      expect(rows.filter((row) => /invalid_request|RequestRefused|OutcomeUnknown|TypeError/.test(row))).toEqual([]);
      expect(
        new Set(front.made.filter((one) => one.startsWith('POST')).map((one) => one.replace(/pi_\w+/, '{id}'))),
      ).toEqual(
        new Set([
          'POST /v1/payment_intents',
          'POST /v1/payment_intents/{id}/confirm',
          'POST /v1/payment_intents/{id}/capture',
          'POST /v1/payment_intents/{id}',
          'POST /v1/payment_intents/{id}/cancel',
          'POST /v1/refunds',
        ]),
      );
      expect(log).not.toMatch(/Validation error|Couldn't/i);
    } finally {
      front.close();
      mock.kill();
    }
  },
  60_000,
);
