import { Writable } from 'node:stream';
import pg from 'pg';
import pino from 'pino';
import { Registry } from 'prom-client';
import { type Api, apis } from '../../generated/operations.ts';
import type { ApiHandlers, Wire } from '../../handlers/wire.ts';
import type { Caller } from '../../kernel/caller.ts';
import { AirtimeError } from '../../kernel/error.ts';
import { idSource } from '../../kernel/id.ts';
import { isJsonObject, type JsonObject } from '../../kernel/json.ts';
import { recordContactDoubted } from '../../policy/interaction/testing.ts';
import { logOptions } from './log.ts';
import { createHttpServer, type HttpDependencies, type HttpServer } from './server.ts';

const never = (): never => {
  throw new Error('this tool is not confirmed');
};

/** For a test whose tools are done in one call. */
export const nothingToConfirm = {
  needsConfirmation: () => false,
  preview: never,
  propose: never,
  confirm: never,
};

/** A door with nothing behind it but what the test gives. */
export interface TestDoor {
  server: HttpServer;
  port: number;
  /** Where it is reached. */
  url: string;
  /** The address that links are made from, which is another on purpose. */
  publicUrl: string;
  /** Every line that was logged. */
  lines: string[];
  close(): Promise<void>;
}

const caller = (audience: Caller['audience'], scopes: string[]): Caller => ({
  audience,
  id: `tok_${audience}`,
  name: audience,
  surface: 'tmf',
  scopes,
});

/** Tokens that the door of a test knows. */
export const testTokens: Readonly<Record<string, Caller>> = {
  air_operator: caller('operator', ['*']),
  air_catalogue: caller('integrator', ['tmf:TMF620']),
  air_reader: { ...caller('integrator', ['tmf:TMF620:read']), id: 'tok_reader' },
  air_tools: caller('integrator', ['tools:*']),
  air_customer: { ...caller('customer', ['*']), customerId: 'cus_1' },
};

/** A database that nobody may ask. */
function nowhere(): pg.Pool {
  return new pg.Pool({ connectionString: 'postgres://nobody@127.0.0.1:1/none', connectionTimeoutMillis: 200 });
}

export function testWire(pool: pg.Pool = nowhere()): Wire {
  const outside = (): never => {
    throw new Error('this test has no outside');
  };
  return {
    pool,
    publicUrl: 'https://bss.example.com/air',
    wake: () => undefined,
    policy: {
      pool,
      newId: idSource(Date.now, Math.random),
      rulesOff: new Set(),
      recordContact: recordContactDoubted,
      settings: {
        currency: 'SGD',
        timeZone: 'Asia/Singapore',
        taxRate: 900,
        numberQuarantineDays: 90,
        stockLow: 50,
        unpaidTerminationDays: 90,
        usageRetentionDays: 90,
        vasValidityDays: 30,
        renewalNoticeDays: 3,
        actionTimeoutMinutes: 15,
        auditRetentionDays: 90,
        chatTurnsPerHour: 60,
        chatCostPerMonth: 500,
        chatRetentionDays: 365,
        orderRequiresVerifiedIdentity: false,
      },
      outside: {
        gateway: {
          kind: 'sandbox',
          describeCard: outside,
          authorise: outside,
          capture: outside,
          void: outside,
          refund: outside,
          find: outside,
          operations: outside,
          book: outside,
        },
        network: { kind: 'sandbox', apply: outside, find: outside, line: outside },
        mail: { kind: 'mailbox', send: outside },
        subscriptions: { callbackRefusal: async () => undefined, checkQuery: () => undefined },
      },
    },
  };
}

/** No API answers anything but what is given here. */
export function onlyHandlers(given: Partial<Record<Api, ApiHandlers>>): Readonly<Record<Api, ApiHandlers>> {
  const none: Record<string, ApiHandlers> = {};
  for (const { api } of apis) none[api] = {};
  const whole = { ...none, ...given };
  if (!isWhole(whole)) throw new Error('an API is missing');
  return whole;
}

function isWhole(handlers: Partial<Record<string, ApiHandlers>>): handlers is Record<Api, ApiHandlers> {
  return apis.every(({ api }) => handlers[api] !== undefined);
}

/** Opens a door on a free port of this machine. */
export async function testDoor(given: Partial<HttpDependencies> = {}): Promise<TestDoor> {
  const lines: string[] = [];
  const destination = new Writable({
    write(chunk, _encoding, done) {
      lines.push(String(chunk));
      done();
    },
  });
  const wire = given.wire ?? testWire();
  const server = await createHttpServer({
    wire,
    handlers: onlyHandlers({}),
    tools: {
      list: () => [],
      run: async (name) => {
        throw new AirtimeError(404, 'notFound', `There is no tool ${name}.`);
      },
      ...nothingToConfirm,
    },
    authenticate: async (token) => (Object.hasOwn(testTokens, token) ? testTokens[token] : undefined),
    log: pino(logOptions('trace'), destination),
    validateResponses: true,
    ready: async () => ({ ok: true, checks: { database: true } }),
    metrics: new Registry(),
    ...given,
  });
  const { port } = await server.listen('127.0.0.1', 0);
  return {
    server,
    port,
    url: `http://127.0.0.1:${port}`,
    publicUrl: wire.publicUrl,
    lines,
    close: async () => {
      await server.close(1000);
      await wire.pool.end();
    },
  };
}

/** The JSON object that an answer holds. */
export async function objectOf(response: Response): Promise<JsonObject> {
  const body: unknown = await response.json();
  if (!isJsonObject(body)) throw new Error('the answer is no object');
  return body;
}
