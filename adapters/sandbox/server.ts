import { createHash, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { z } from 'zod';
import { authoriseRequest, captureRequest, voidRequest } from '../card-gateway-requests.ts';
import { checked } from '../checked.ts';
import { mailMessage } from '../mail-message.ts';
import { OutcomeUnknown, RequestRefused } from '../outcome.ts';
import type { SandboxCardGateway } from './card-gateway/sandbox-card-gateway.ts';
import * as cardWire from './card-gateway/wire.ts';
import { type Mailbox, mailboxFilter, mailboxFind } from './mail/mailbox.ts';
import type { SandboxNetwork } from './network/sandbox-network.ts';
import * as networkWire from './network/wire.ts';

export interface SandboxServerOptions {
  /** What a caller must show as `Authorization: Bearer`; at least 16 characters. */
  secret: string;
  cardGateway?: SandboxCardGateway;
  network?: SandboxNetwork;
  mailbox?: Mailbox;
}

export interface SandboxServer {
  /** `http://127.0.0.1:<port>` */
  readonly url: string;
  close(): Promise<void>;
}

type Call = (body: unknown) => Promise<unknown>;

const bodyBytesMax = 1024 * 1024;

/**
 * Serves the sandboxes over HTTP on loopback: `POST /<sandbox>/<call>` with a JSON body, answered `{"answer": …}`,
 * or 422 `{"code", "message"}` for a request that is refused. A planned fault breaks the connection without an answer,
 * as a real one would. Port 0 takes a free one.
 */
export async function serveSandboxes(options: SandboxServerOptions, port: number): Promise<SandboxServer> {
  if (options.secret.length < 16) throw new Error('The secret of the sandbox needs at least 16 characters.');
  const calls = new Map<string, Call>([
    ...(options.cardGateway === undefined ? [] : cardGatewayCalls(options.cardGateway)),
    ...(options.network === undefined ? [] : networkCalls(options.network)),
    ...(options.mailbox === undefined ? [] : mailboxCalls(options.mailbox)),
  ]);
  const expected = digest(`Bearer ${options.secret}`);
  const server = createServer((request, response) => {
    void answer(request, response, calls, expected);
  });
  // Longer than its clients keep an idle connection, so that they never write into one that is being closed.
  server.keepAliveTimeout = 65_000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The sandbox needs a TCP port.');
  return {
    url: `http://127.0.0.1:${address.port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  calls: ReadonlyMap<string, Call>,
  expected: Buffer,
): Promise<void> {
  try {
    if (!timingSafeEqual(digest(request.headers.authorization ?? ''), expected)) {
      return send(response, 401, { code: 'unauthorised', message: 'The secret of the sandbox is missing or wrong.' });
    }
    const call = request.method === 'POST' ? calls.get(request.url ?? '') : undefined;
    if (call === undefined) return send(response, 404, { code: 'not_found', message: 'No such call.' });
    send(response, 200, { answer: await call(await bodyOf(request)) });
  } catch (error) {
    if (error instanceof RequestRefused) return send(response, 422, { code: error.code, message: error.message });
    if (error instanceof OutcomeUnknown) {
      response.destroy();
      return;
    }
    send(response, 500, { code: 'failed', message: 'The sandbox failed.' });
  }
}

function send(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  response.end(JSON.stringify(body));
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += chunk.length;
    if (bytes > bodyBytesMax) throw new RequestRefused('invalid_request', 'The request is too large.');
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch {
    throw new RequestRefused('invalid_request', 'The request is not JSON.');
  }
}

function digest(value: string): Buffer {
  return createHash('sha256').update(value).digest();
}

/** A call at its path, its input checked first. */
function at<T>(path: string, input: z.ZodType<T>, run: (value: T) => Promise<unknown>): [string, Call] {
  return [path, (body) => run(checked(input, body))];
}

const nothing = z.object({});

function cardGatewayCalls(gateway: SandboxCardGateway): [string, Call][] {
  return [
    at('/card-gateway/describe-card', cardWire.describeCardRequest, ({ token }) => gateway.describeCard(token)),
    at('/card-gateway/authorise', authoriseRequest, gateway.authorise),
    at('/card-gateway/capture', captureRequest, gateway.capture),
    at('/card-gateway/void', voidRequest, gateway.void),
    at('/card-gateway/refund', captureRequest, gateway.refund),
    at('/card-gateway/find', cardWire.findRequest, ({ key }) => gateway.find(key)),
    at('/card-gateway/operations', cardWire.operationsRequest, ({ gatewayReference }) =>
      gateway.operations(gatewayReference),
    ),
    at('/card-gateway/book', cardWire.bookRequest, ({ after, limit }) => firstOf(gateway.book(after), limit)),
    at('/card-gateway/tokenise', cardWire.cardForm, gateway.tokenise),
    at('/card-gateway/complete-action', cardWire.completeActionRequest, ({ gatewayReference, decision }) =>
      gateway.completeAction(gatewayReference, decision),
    ),
    at('/card-gateway/chargeback', cardWire.chargebackRequest, ({ gatewayReference, amountMinor }) =>
      gateway.chargeback(gatewayReference, amountMinor),
    ),
    at('/card-gateway/close-chargeback', cardWire.closeChargebackRequest, ({ key, ended }) =>
      gateway.closeChargeback(key, ended),
    ),
    at('/card-gateway/plan', cardWire.cardGatewayPlan, gateway.plan),
    at('/card-gateway/plans', nothing, gateway.plans),
    at('/card-gateway/clear-plans', nothing, gateway.clearPlans),
    at('/card-gateway/totals', nothing, gateway.totals),
  ];
}

function networkCalls(network: SandboxNetwork): [string, Call][] {
  return [
    at('/network/apply', networkWire.networkTask, network.apply),
    at('/network/find', networkWire.findRequest, ({ key }) => network.find(key)),
    at('/network/line', networkWire.lineRequest, ({ line }) => network.line(line)),
    at('/network/book', networkWire.bookRequest, ({ after, limit }) => firstOf(network.book(after), limit)),
    at('/network/plan', networkWire.networkPlan, network.plan),
    at('/network/plans', nothing, network.plans),
    at('/network/clear-plans', nothing, network.clearPlans),
  ];
}

function mailboxCalls(mailbox: Mailbox): [string, Call][] {
  return [
    at('/mail/send', mailMessage, mailbox.send),
    at('/mail/messages', mailboxFilter, mailbox.messages),
    at('/mail/find', mailboxFind, ({ key }) => mailbox.find(key)),
  ];
}

async function firstOf<T>(items: AsyncIterable<T>, limit: number): Promise<T[]> {
  const page: T[] = [];
  for await (const item of items) {
    page.push(item);
    if (page.length >= limit) break;
  }
  return page;
}
