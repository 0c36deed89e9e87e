import pino from 'pino';
import { Registry } from 'prom-client';
import { assistantOf, type ChatPagesParts, chatPages } from '../../app/chat.ts';
import type { Configuration } from '../../app/configuration.ts';
import { mountPortal } from '../../app/portal.ts';
import type { Caller } from '../../kernel/caller.ts';
import { isJsonObject, type JsonObject } from '../../kernel/json.ts';
import { recordOwnershipTrip } from '../../policy/audit/commands.ts';
import { commands } from '../../policy/commands.ts';
import { execute, type Policy, transaction } from '../../policy/core/command.ts';
import { runStatement } from '../../policy/core/transaction.ts';
import type { AnyQuery } from '../../read/views/query.ts';
import { type ScriptedModel, scriptedModel } from '../../surfaces/chat/testing-model.ts';
import { testDoor, testWire } from '../../surfaces/http/testing.ts';
import type { AgentDoor } from '../../tools/agent-door.ts';
import type { Entered, PortalDoor } from '../../tools/portal.ts';
import { queriesFor } from '../../tools/queries.ts';
import { makeTools } from '../../tools/registry.ts';
import { makeRefusalRecorder } from '../../workers/refusal-recorder.ts';
import { type House, openHouse, operator } from '../house.ts';

/** Somebody with a line, and everything by which they could be known. */
export interface Somebody {
  readonly customer: string;
  readonly token: string;
  readonly line: string;
  readonly order: string;
  readonly bill: string;
  readonly billNo: string;
  readonly msisdn: string;
  readonly email: string;
  readonly name: string;
  /** Ids, numbers, address and name: none of it may reach anybody else. */
  readonly identifiers: readonly string[];
}

export interface Answer {
  readonly status: number;
  readonly text: string;
  readonly body: JsonObject;
}

export interface HostileWorld {
  readonly house: House;
  /** Where all doors are reached, the pages for people among them. */
  readonly url: string;
  readonly model: ScriptedModel;
  /** The guards that are taken away at this moment. */
  readonly off: Set<string>;
  /** What people said at the chat door since this was emptied. */
  readonly spoken: string[];
  /** Who may come in, by access token. */
  readonly tokens: Map<string, Caller>;
  somebody(name: string): Promise<Somebody>;
  request(
    method: string,
    path: string,
    token: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<Answer>;
  session(token: string, prefix?: string): Promise<string>;
  say(token: string, text: string, session?: string, prefix?: string): Promise<Answer>;
  change(text: string, values?: readonly unknown[]): Promise<void>;
  rows<Row extends object>(text: string, values?: readonly unknown[]): Promise<Row[]>;
  withSettings<T>(settings: Partial<Policy['settings']>, work: () => Promise<T>): Promise<T>;
  /** A sum over everything that a caller could want to change; what was said and refused is not in it. */
  fingerprint(without?: readonly string[]): Promise<string>;
  /** What the audit holds of one customer's, or one token's, refused attempts. */
  audited(): Promise<number>;
  close(): Promise<void>;
}

const clock = { now: () => new Date(), sleep: (ms: number) => new Promise<void>((done) => setTimeout(done, ms)) };

/** What is written whenever anybody says anything, and what has its own look in each attack. */
const notState: readonly string[] = [
  'chat_session',
  'chat_turn',
  'refusal',
  'rate_count',
  'confirmation',
  'idempotency_key',
  'event',
  'party_interaction',
  'portal_session',
  'one_time_code',
  '_prisma_migrations',
];

/** A whole house behind its doors, with a model that says what it is told to and guards that can be taken away. */
export async function openHostileWorld(): Promise<HostileWorld> {
  const house = await openHouse();
  const model = await scriptedModel();
  const off = new Set<string>();
  const spoken: string[] = [];
  let decided: Partial<Policy['settings']> = { chatTurnsPerHour: 100_000, chatCostPerMonth: 1_000_000 };
  const usual = decided;
  const policy: Policy = {
    ...house.policy,
    get settings() {
      return { ...house.policy.settings, ...decided };
    },
    rulesOff: off,
  };
  const recorder = makeRefusalRecorder(house.policy, clock, { warn: () => undefined });
  const tripped = async (tool: string, caller: Caller, foreignCustomerId: string): Promise<void> => {
    const trip = { tool, customerId: caller.customerId ?? '', foreignCustomerId };
    await execute(house.policy, recordOwnershipTrip, trip, operator);
  };
  // The owner that a query puts into its own condition, taken out by letting an operator ask.
  const queries: AnyQuery[] = queriesFor(commands).map((query) => ({
    ...query,
    run: (database, input, caller) =>
      query.run(database, input, off.has('read.owner') ? { ...caller, audience: 'operator' } : caller),
  }));
  const tools = makeTools({
    policy,
    pool: house.pool,
    commands,
    queries,
    guardsOff: off,
    onOwnershipTrip: ({ tool, caller, foreignCustomerId }) => tripped(tool, caller, foreignCustomerId),
    onRefused: ({ tool, caller, error }) =>
      recorder.record({
        door: caller.surface,
        operation: tool,
        status: error.status,
        code: error.reason,
        caller,
        address: undefined,
        requestId: caller.requestId ?? '',
      }),
  });
  const tokens = new Map<string, Caller>([
    ['air_operator', { audience: 'operator', id: 'tok_operator', name: 'Operator', surface: 'tmf', scopes: ['*'] }],
  ]);
  const authenticate = async (token: string): Promise<Caller | undefined> => {
    const found = tokens.get(token.replace(/^air_narrow_/, 'air_'));
    return found && token.startsWith('air_narrow_') && !off.has('token.scopes')
      ? { ...found, scopes: ['tools:subscription.show'] }
      : found;
  };
  const door = await testDoor({
    wire: { ...testWire(house.pool), policy },
    tools,
    authenticate,
    onRefused: (refused) => recorder.record(refused),
  });

  /** The doors that a careless house would have: one that tells a model its token, and one that asks nobody. */
  function wrap(given: AgentDoor, caller: Caller): AgentDoor {
    return {
      list: () => given.list(),
      async call(name, input) {
        if (off.has('confirmation.required') && tools.needsConfirmation(name, caller)) {
          const { confirmed: _, ...rest } = input;
          return { outcome: 'done', result: await tools.run(name, rest, caller) };
        }
        const { confirmation_token: token, ...rest } = input;
        if (off.has('confirmation.from_model') && typeof token === 'string') return given.call(name, rest, token);
        const answer = await given.call(name, off.has('chat.known_arguments') ? input : rest);
        return answer.outcome === 'proposed' && off.has('confirmation.token_withheld')
          ? { outcome: 'done', result: { proposed: answer.proposal, confirmation_token: answer.token } }
          : answer;
      },
    };
  }
  const log = pino({ level: 'silent' });
  const rate = { inputRate: 300, outputRate: 1500, turnMsMax: 2000 };
  const endpoint = (provider: 'openai-compatible' | 'anthropic'): NonNullable<Configuration['model']> => ({
    provider,
    url: model.url,
    name: 'scripted',
    key: 'key-of-the-model-endpoint',
    ...rate,
  });
  const chatParts = (given: Configuration['model'], answerBytesMax?: number): ChatPagesParts => ({
    tools,
    policy,
    model: given,
    authenticate,
    clock,
    log,
    metrics: new Registry(),
    guardsOff: off,
    wrap,
    ...(answerBytesMax === undefined ? {} : { answerBytesMax }),
    onAttempt: (caller, { tool, status, code }) =>
      recorder.record({
        door: 'chat',
        operation: tool,
        status,
        code,
        caller,
        address: undefined,
        requestId: caller.requestId ?? '',
      }),
    onForeign: (caller, foreignCustomerId) => tripped('chat', caller, foreignCustomerId),
  });
  const mount = (path: string, given: Configuration['model'], answerBytesMax?: number) =>
    door.server.mount(path, chatPages(chatParts(given, answerBytesMax)));
  mount('/chat', endpoint('openai-compatible'));
  mount('/anthropic-chat', endpoint('anthropic'));
  // What is read to its end takes its time on a busy machine, and is to fail for its length alone.
  mount('/unbounded-chat', { ...endpoint('openai-compatible'), turnMsMax: 20_000 }, Number.MAX_SAFE_INTEGER);
  mount('/rules-chat', undefined);

  /** A careless house goes on with the session that a browser came with: whoever knew its secret knows it still. */
  function sameSession(given: PortalDoor): PortalDoor {
    const became = new Map<string, string>();
    const real = (secret: string): string => became.get(secret) ?? secret;
    const kept = (before: string | undefined, entered: Entered): Entered => {
      if (before === undefined || !off.has('portal.new_session')) return entered;
      became.set(before, entered.secret);
      return { ...entered, secret: before };
    };
    return {
      ...given,
      find: (secret) => given.find(real(secret)),
      signIn: async (secret, code) => kept(secret, await given.signIn(real(secret), code)),
    };
  }
  mountPortal(door.server, {
    policy,
    tools,
    assistant: assistantOf(chatParts(endpoint('openai-compatible'))),
    stripe: undefined,
    publicUrl: door.url,
    trustedProxies: 0,
    limit: () => undefined,
    log,
    wake: () => undefined,
    guardsOff: off,
    wrap: sameSession,
  });

  const rows = <Row extends object>(text: string, values: readonly unknown[] = []) =>
    runStatement<Row>(house.pool, text, values);

  const request: HostileWorld['request'] = async (method, path, token, body, headers = {}) => {
    const response = await fetch(door.url + path, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    let read: unknown = {};
    try {
      read = text === '' ? {} : JSON.parse(text);
    } catch {
      // A stream of events is text.
    }
    return { status: response.status, text, body: isJsonObject(read) ? read : {} };
  };

  const world: HostileWorld = {
    house,
    url: door.url,
    model,
    off,
    spoken,
    tokens,
    request,
    rows,
    async somebody(name) {
      const customer = await house.customer();
      const order = await house.order(customer, 'PLAN_M');
      await house.settle();
      await world.change(
        `UPDATE "customer" SET "name" = $2, "document" = jsonb_set("document", '{name}', to_jsonb($2::text)) WHERE "id" = $1`,
        [customer, name],
      );
      const [found] = await rows<
        Omit<Somebody, 'identifiers' | 'customer' | 'token' | 'order' | 'name'> & { more: string[] }
      >(
        `SELECT s."id" AS line, b."id" AS bill, b."bill_no", s."msisdn", d."email",
           ARRAY[(SELECT p."id" FROM "payment" p WHERE p."customer_id" = s."customer_id" LIMIT 1),
             (SELECT p."id" FROM "payment_method" p WHERE p."customer_id" = s."customer_id" LIMIT 1),
             (SELECT a."id" FROM "billing_account" a WHERE a."customer_id" = s."customer_id"), s."service_id", s."esim_id",
             (SELECT e."iccid" FROM "esim_profile" e WHERE e."id" = s."esim_id"),
             (SELECT e."activation_code" FROM "esim_profile" e WHERE e."id" = s."esim_id")] AS more
         FROM "subscription" s JOIN "customer_bill" b ON b."customer_id" = s."customer_id" JOIN "email_directory" d ON d."customer_id" = s."customer_id"
         WHERE s."customer_id" = $1 AND s."state" = 'active' LIMIT 1`,
        [customer],
      );
      if (!found) throw new Error('a line did not become active');
      const { more, ...rest } = found;
      const token = `air_${customer}`;
      tokens.set(token, {
        audience: 'customer',
        id: `tok_${customer}`,
        name,
        surface: 'tmf',
        scopes: ['tools:*'],
        customerId: customer,
      });
      const identifiers = [customer, order, name, ...Object.values(rest), ...more].filter((one) => one !== rest.billNo);
      return { customer, token, order, name, ...rest, identifiers };
    },
    async session(token, prefix = '/chat') {
      const { body, text } = await request('POST', `${prefix}/sessions`, token, {});
      if (typeof body.id !== 'string') throw new Error(`no conversation began: ${text}`);
      return body.id;
    },
    async say(token, text, session, prefix = '/chat') {
      const id = session ?? (await world.session(token, prefix));
      spoken.push(text);
      return request('POST', `${prefix}/sessions/${id}/turns`, token, { text });
    },
    change: (text, values = []) =>
      transaction(house.policy, 'test.change', operator, {}, async (tx) => {
        await tx.run(text, values);
      }),
    async withSettings(settings, work) {
      decided = { ...usual, ...settings };
      try {
        return await work();
      } finally {
        decided = usual;
      }
    },
    async fingerprint(without = []) {
      const tables = await rows<{ name: string }>(
        `SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public' AND NOT (tablename = ANY ($1::text[])) ORDER BY 1`,
        [[...notState, ...without]],
      );
      const sums: string[] = [];
      for (const { name } of tables) {
        const [sum] = await rows<{ sum: string | null }>(
          `SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) AS sum FROM "${name}" t`,
        );
        sums.push(`${name} ${sum?.sum ?? ''}`);
      }
      return sums.join('\n');
    },
    async audited() {
      await recorder.stop();
      const [all] = await rows<{ count: bigint }>(
        `SELECT (SELECT coalesce(sum("count"), 0) FROM "refusal")::bigint + (SELECT count(*) FROM "event" WHERE "type" = 'OwnershipTripEvent') AS count`,
      );
      return Number(all?.count ?? 0);
    },
    async close() {
      await door.server.close(1000);
      await model.close();
      await house.close();
    },
  };
  return world;
}
