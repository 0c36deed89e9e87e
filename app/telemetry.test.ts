import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { z } from 'zod';
import { base, startForeign, token } from '../adapters/tmf640-network/testing-foreign.ts';
import { isJsonObject } from '../kernel/json.ts';
import { readConfiguration } from './configuration.ts';
import { type TestDatabase, testDatabase } from './database/testing.ts';
import { type Platform, startPlatform } from './platform.ts';

const attribute = z.object({
  key: z.string(),
  value: z.object({ stringValue: z.string().optional(), intValue: z.union([z.number(), z.string()]).optional() }),
});
const span = z.object({
  traceId: z.string(),
  spanId: z.string(),
  parentSpanId: z.string().optional(),
  name: z.string(),
  kind: z.number(),
  attributes: z.array(attribute),
});
const request = z.object({
  resourceSpans: z.array(
    z.object({
      resource: z.object({ attributes: z.array(attribute) }),
      scopeSpans: z.array(z.object({ spans: z.array(span) })),
    }),
  ),
});
type Span = z.infer<typeof span>;

let database: TestDatabase;
let home: string;
const closing: (() => Promise<unknown>)[] = [];

beforeEach(async () => {
  database = await testDatabase();
  home = mkdtempSync(join(tmpdir(), 'airtime-traces-'));
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  await database.drop();
  rmSync(home, { recursive: true, force: true });
});

interface Receiver {
  readonly url: string;
  readonly spans: Span[];
  readonly services: Set<string | undefined>;
  readonly types: Set<string | undefined>;
  readonly texts: string[];
}

/** Takes traces as an OpenTelemetry collector does: OTLP over HTTP, JSON. */
async function startReceiver(): Promise<Receiver> {
  const spans: Span[] = [];
  const services = new Set<string | undefined>();
  const types = new Set<string | undefined>();
  const texts: string[] = [];
  const server = createServer((incoming, response) => {
    const parts: Buffer[] = [];
    incoming.on('data', (part: Buffer) => parts.push(part));
    incoming.on('end', () => {
      const text = Buffer.concat(parts).toString('utf8');
      texts.push(text);
      types.add(incoming.headers['content-type']);
      if (incoming.url === '/v1/traces') {
        for (const one of request.parse(JSON.parse(text)).resourceSpans) {
          services.add(one.resource.attributes.find(({ key }) => key === 'service.name')?.value.stringValue);
          spans.push(...one.scopeSpans.flatMap((scope) => scope.spans));
        }
      }
      response.setHeader('content-type', 'application/json').end('{}');
    });
  });
  return { url: await listening(server), spans, services, types, texts };
}

async function listening(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(
    () =>
      new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      }),
  );
  const address = server.address();
  return `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
}

async function start(environment: Record<string, string>): Promise<Platform> {
  const configuration = readConfiguration({
    AIRTIME_HOME: home,
    AIRTIME_PORT: '0',
    DATABASE_URL: database.serverUrl,
    MIGRATION_DATABASE_URL: database.ownerUrl,
    ...environment,
  });
  const platform = await startPlatform(configuration, pino({ level: 'silent' }));
  closing.push(() => platform.stop());
  return platform;
}

async function tool(platform: Platform, name: string, input: object, headers: Record<string, string> = {}) {
  const call = async (more: Record<string, string>) => {
    const response = await fetch(`${platform.url}/tools/${name}`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${platform.firstToken}`,
        'content-type': 'application/json',
        ...headers,
        ...more,
      },
      body: JSON.stringify(input),
    });
    const body: unknown = await response.json();
    return isJsonObject(body) ? body : {};
  };
  const first = await call({});
  const { confirmation } = first;
  const body = isJsonObject(confirmation) ? await call({ 'confirmation-token': String(confirmation.token) }) : first;
  return isJsonObject(body.result) ? body.result : body;
}

async function until<T>(what: string, look: () => Promise<T | undefined> | T | undefined): Promise<T> {
  for (const deadline = Date.now() + 20_000; Date.now() < deadline; ) {
    const found = await look();
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error(`waited in vain for ${what}`);
}

const textOf = (one: Span, key: string) => one.attributes.find((found) => found.key === key)?.value.stringValue;

it('follows a request into its command and its statements, a step into its calls, and beyond our doors', async () => {
  const receiver = await startReceiver();
  const foreign = await startForeign('sync');
  closing.push(() => foreign.close());
  const seen: IncomingHttpHeaders[] = [];
  // A network in between, that keeps the headers it is sent.
  const network = await listening(
    createServer((incoming, response) => {
      seen.push(incoming.headers);
      const parts: Buffer[] = [];
      incoming.on('data', (part: Buffer) => parts.push(part));
      incoming.on('end', async () => {
        const { host: _host, connection: _connection, 'content-length': _length, ...headers } = incoming.headers;
        const answer = await fetch(`${foreign.url}${incoming.url}`, {
          method: incoming.method ?? 'GET',
          headers: Object.entries(headers).map(([key, value]) => [key, String(value)] as [string, string]),
          ...(parts.length > 0 ? { body: Buffer.concat(parts) } : {}),
        });
        const body = Buffer.from(await answer.arrayBuffer());
        response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? '' }).end(body);
      });
    }),
  );
  const platform = await start({
    OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
    OTEL_SERVICE_NAME: 'airtime-one',
    AIRTIME_NETWORK: 'tmf640',
    AIRTIME_NETWORK_URL: `${network}${base}`,
    AIRTIME_NETWORK_TOKEN: token,
  });

  const caller = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331' };
  const customer = await tool(
    platform,
    'customer.register',
    { givenName: 'Ada', familyName: 'Lim', email: 'ada@example.com' },
    { traceparent: `00-${caller.traceId}-${caller.spanId}-01` },
  );
  // A real network begins without numbers and profiles.
  await tool(platform, 'number.load', { first: '6591000000', count: 1 });
  await tool(platform, 'esim.load', {
    profiles: [{ iccid: '8965000000000009999', activationCode: 'LPA:1$smdp.example$A-1' }],
  });
  await tool(platform, 'card.add', { customerId: customer.id, token: 'tok_visa' });
  await tool(platform, 'order.place', { customerId: customer.id, offering: 'PLAN_S' });
  const { spans } = receiver;
  const delivered = await until('the step that reaches the network', () =>
    spans.find(({ name }) => name === 'outside network.apply'),
  );

  const door = await until('the request', () => spans.find(({ parentSpanId }) => parentSpanId === caller.spanId));
  expect(door).toMatchObject({ traceId: caller.traceId, name: 'POST /tools/{name}', kind: 2 });
  const command = spans.find(({ name, traceId }) => name === 'command customer.register' && traceId === caller.traceId);
  expect(command).toMatchObject({ parentSpanId: door.spanId, kind: 1 });
  const statements = spans.filter(({ parentSpanId }) => parentSpanId === command?.spanId);
  expect(statements.map(({ name }) => name)).toEqual(
    expect.arrayContaining(['postgresql BEGIN', 'postgresql INSERT', 'postgresql COMMIT']),
  );

  const step = await until('the step', () => spans.find(({ spanId }) => spanId === delivered.parentSpanId));
  expect(step.name).toMatch(/^step network\./);
  expect(delivered.kind).toBe(3);
  expect(seen.map(({ traceparent }) => traceparent)).toContain(`00-${delivered.traceId}-${delivered.spanId}-01`);

  // What a person typed, who they are and what opens a door is in no trace; nor is the looking for work.
  const all = receiver.texts.join('\n');
  for (const secret of ['Ada', 'ada@example.com', platform.firstToken ?? 'no token']) expect(all).not.toContain(secret);
  expect(spans.filter(({ name, parentSpanId }) => name.startsWith('postgresql') && parentSpanId === undefined)).toEqual(
    [],
  );
  expect(spans.every((one) => textOf(one, 'db.query.text') !== '')).toBe(true);
  expect([...receiver.services]).toEqual(['airtime-one']);
  expect([...receiver.types]).toEqual(['application/json']);
});

it('names the rule that refused, and tells a subscriber the trace', async () => {
  const receiver = await startReceiver();
  const told: IncomingHttpHeaders[] = [];
  const listener = await listening(
    createServer((incoming, response) => {
      told.push(incoming.headers);
      incoming.resume().on('end', () => response.writeHead(204).end());
    }),
  );
  const platform = await start({ OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, AIRTIME_CALLBACK_ALLOW: 'loopback' });
  await fetch(`${platform.url}/tmf-api/customerManagement/v4/hub`, {
    method: 'POST',
    headers: { authorization: `Bearer ${platform.firstToken}`, 'content-type': 'application/json' },
    body: JSON.stringify({ callback: listener }),
  });
  const customer = await tool(platform, 'customer.register', {
    givenName: 'Ada',
    familyName: 'Lim',
    email: 'ada@example.com',
  });
  await tool(platform, 'order.place', { customerId: customer.id, offering: 'PLAN_S' });
  const refused = await until('the refusal', () =>
    receiver.spans.find((one) => textOf(one, 'airtime.refused_by') !== undefined),
  );
  expect(textOf(refused, 'airtime.refused_by')).toMatch(/^[a-z_]+\.[a-z_]+$/);
  const headers = await until('the notification', () => told.find(({ traceparent }) => traceparent !== undefined));
  const [, traceId, spanId] = String(headers.traceparent).split('-');
  const call = await until('its span', () => receiver.spans.find((one) => one.spanId === spanId));
  expect(call).toMatchObject({ name: 'outside callback.post', traceId });
});

it('loads nothing of OpenTelemetry before it is asked to: what is imported at once is types', () => {
  const files = ['telemetry.ts', 'platform.ts', 'measures.ts', 'main.ts', 'configuration.ts'];
  const imports = files.flatMap((name) => {
    const text = readFileSync(new URL(name, import.meta.url), 'utf8');
    return text.match(/^(?:import|export) [^;]*?from '@opentelemetry\/[^']+'/gm) ?? [];
  });
  expect(imports.length).toBeGreaterThan(0);
  expect(imports.filter((one) => !one.startsWith('import type '))).toEqual([]);
});

it('serves all the same when nobody takes the traces, and says so once', async () => {
  const warned: string[] = [];
  const configuration = readConfiguration({
    AIRTIME_HOME: home,
    AIRTIME_PORT: '0',
    DATABASE_URL: database.serverUrl,
    MIGRATION_DATABASE_URL: database.ownerUrl,
    OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9',
  });
  const log = pino({ level: 'warn' }, { write: (line: string) => void warned.push(line) });
  const platform = await startPlatform(configuration, log);
  for (let n = 0; n < 3; n += 1) expect((await fetch(`${platform.url}/ready`)).status).toBe(200);
  const began = Date.now();
  await platform.stop();
  expect(Date.now() - began).toBeLessThan(12_000);
  expect(warned.filter((line) => line.includes('traces could not be sent'))).toHaveLength(1);
});
