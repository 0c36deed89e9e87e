import pg from 'pg';
import pino from 'pino';
import { Registry } from 'prom-client';
import { chatPages } from '../../app/chat.ts';
import { bindExtras } from '../../app/extra-tools.ts';
import { apis } from '../../generated/operations.ts';
import { createHandlers } from '../../handlers/index.ts';
import { AirtimeError } from '../../kernel/error.ts';
import { isJsonObject, type Json, type JsonObject } from '../../kernel/json.ts';
import { commands } from '../../policy/commands.ts';
import { type Policy, transaction } from '../../policy/core/command.ts';
import { runStatement } from '../../policy/core/transaction.ts';
import { activationCommandsFor, resourceCommandsFor } from '../../policy/resources.ts';
import { testDoor, testTokens } from '../../surfaces/http/testing.ts';
import { type PortalDoor, portalOf } from '../../tools/portal.ts';
import { queriesFor } from '../../tools/queries.ts';
import { makeTools, type ToolDoor } from '../../tools/registry.ts';
import { openHouse, operator } from '../house.ts';
import { refusedHost } from './refused-host.ts';

/** What a door answered: the status of HTTP, and the text as it was sent. */
export interface Answer {
  readonly status: number;
  readonly text: string;
  readonly body: JsonObject;
}

export interface Line {
  readonly id: string;
  readonly customer: string;
  readonly account: string;
  readonly card: string;
  readonly order: string;
  readonly payment: string;
  readonly bill: string;
  readonly service: string;
  readonly msisdn: string;
}

/** A whole house behind its HTTP door. What prepares a case is done with every rule on. */
export interface World {
  /** One request of a TMF client. The rules that are off are off for it. */
  tmf(
    method: 'POST' | 'PATCH' | 'DELETE',
    target: string,
    body?: Json,
    headers?: Record<string, string>,
  ): Promise<Answer>;
  /** One call of a tool, over HTTP too. */
  tool(name: string, input: Json, headers?: Record<string, string>): Promise<Answer>;
  /** One request at the door of conversations, without a model. */
  chat(path: string, body: Json, headers?: Record<string, string>): Promise<Answer>;
  /** One act at the pages, as a session of theirs does it. */
  page(act: (pages: PortalDoor, tools: ToolDoor) => Promise<unknown>): Promise<Answer>;
  /** What is done at the pages before, with every rule on. */
  prepared<T>(act: (pages: PortalDoor) => Promise<T>): Promise<T>;
  /** The code of the last letter that an address got. */
  mailedCode(to: string): Promise<string>;
  /** A resource made by a request that must succeed. @returns its id. */
  made(target: string, body: Json): Promise<string>;
  customer(card?: string): Promise<string>;
  cardOf(customer: string): Promise<string>;
  accountOf(customer: string): Promise<string>;
  /** A line of its own that is active. */
  line(plan?: string, card?: string): Promise<Line>;
  /** A line that is shared by cases which leave it as it is, also when they are not refused. */
  readonly shared: Line;
  /** The id of an offering of the seed. */
  offering(code: string): Promise<string>;
  settle(): Promise<void>;
  /** Calls off what is still to be done: what a rule would have refused may not be possible. */
  forgetWork(): Promise<void>;
  /** Puts the database into a state that would take too long to come to. */
  change(text: string, values?: readonly unknown[]): Promise<void>;
  rows<Row extends object>(text: string, values?: readonly unknown[]): Promise<Row[]>;
  /** As the role that owns the functions: for a rule that is judged in one. */
  asOwner(text: string): Promise<string>;
  /** Lets the card gateway pass for a real one while something is done. */
  withRealGateway<T>(work: () => Promise<T>): Promise<T>;
  /** Lets the installation have decided otherwise while something is done. */
  withSettings<T>(settings: Partial<Policy['settings']>, work: () => Promise<T>): Promise<T>;
}

export interface OpenWorld {
  readonly world: World;
  /** Runs a case with one rule switched off. */
  without<T>(code: string, work: () => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

export async function openWorld(): Promise<OpenWorld> {
  const house = await openHouse();
  const off = new Set<string>();
  let isReal = false;
  let decided: Partial<Policy['settings']> = {};
  const { outside } = house.policy;
  const realGateway: typeof outside.gateway = Object.create(outside.gateway, { kind: { value: 'stripe' } });
  const policy: Policy = {
    ...house.policy,
    get settings() {
      return { ...house.policy.settings, ...decided };
    },
    rulesOff: off,
    outside: {
      network: outside.network,
      mail: outside.mail,
      subscriptions: {
        ...outside.subscriptions,
        callbackRefusal: async (callback) => (new URL(callback).hostname === refusedHost ? 'it is refused' : undefined),
      },
      get gateway() {
        return isReal ? realGateway : outside.gateway;
      },
    },
  };
  const worker = house.worker();
  const clock = { now: () => new Date(), sleep: (ms: number) => new Promise<void>((done) => setTimeout(done, ms)) };
  const tools = makeTools({
    policy,
    pool: house.pool,
    commands,
    queries: queriesFor(commands),
    extra: bindExtras({
      policy,
      worker,
      clock,
      gateway: house.gateway,
      network: house.network,
      signingSecret: 'doctrine',
      mail: house.mail,
      publicUrl: 'https://bss.example.com',
    }),
  });
  const door = await testDoor({
    wire: { policy, pool: house.pool, publicUrl: 'https://bss.example.com', wake: () => undefined },
    handlers: createHandlers(resourceCommandsFor, activationCommandsFor),
    tools,
  });

  door.server.mount(
    '/chat',
    chatPages({
      tools,
      policy,
      model: undefined,
      authenticate: async (token) => (Object.hasOwn(testTokens, token) ? testTokens[token] : undefined),
      clock,
      log: pino({ level: 'silent' }),
      metrics: new Registry(),
      onAttempt: () => undefined,
      onForeign: async () => undefined,
    }),
  );

  async function ask(method: string, path: string, body?: Json, headers: Record<string, string> = {}): Promise<Answer> {
    const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
    const response = await fetch(door.url + path, {
      method,
      headers: {
        authorization: 'Bearer air_operator',
        ...(body === undefined ? {} : { 'content-type': type }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    const read: unknown = text === '' ? {} : JSON.parse(text);
    return { status: response.status, text, body: isJsonObject(read) ? read : {} };
  }

  const pages = portalOf({ policy, tools });

  async function atPages(act: () => Promise<unknown>): Promise<Answer> {
    try {
      const body: unknown = JSON.parse(JSON.stringify((await act()) ?? {}));
      return { status: 200, text: JSON.stringify(body), body: isJsonObject(body) ? body : {} };
    } catch (error) {
      if (!(error instanceof AirtimeError)) throw error;
      const body = { reason: error.reason, message: error.message };
      return { status: error.status, text: JSON.stringify(body), body };
    }
  }

  async function withEveryRule<T>(work: () => Promise<T>): Promise<T> {
    const held = [...off];
    off.clear();
    try {
      return await work();
    } finally {
      for (const code of held) off.add(code);
    }
  }

  /** `TMF622 productOrder/ord_1` as a path. */
  function pathOf(target: string): string {
    const [api = '', rest = ''] = target.split(' ');
    const found = apis.find((one) => one.api === api);
    if (!found) throw new Error(`there is no ${api}`);
    return `${found.basePaths[0]}/${rest}`;
  }

  const rows = <Row extends object>(text: string, values: readonly unknown[] = []) =>
    runStatement<Row>(house.pool, text, values);
  const one = async (text: string, value: string): Promise<string> => {
    const [row] = await rows<{ id: string }>(text, [value]);
    if (!row) throw new Error(`nothing was found: ${text} ${value}`);
    return row.id;
  };
  const accountOf = (customer: string) => one('SELECT "id" FROM "billing_account" WHERE "customer_id" = $1', customer);
  const cardOf = (customer: string) =>
    one('SELECT "id" FROM "payment_method" WHERE "customer_id" = $1 LIMIT 1', customer);

  async function line(plan = 'PLAN_S', card?: string): Promise<Line> {
    const customer = await house.customer(card);
    const order = await house.order(customer, plan);
    await house.settle();
    const [found] = await rows<{ id: string; msisdn: string; service: string }>(
      `SELECT s."id", s."msisdn", s."service_id" AS service FROM "subscription" s WHERE s."customer_id" = $1 AND s."state" = 'active'`,
      [customer],
    );
    if (!found) throw new Error('the line did not become active');
    return {
      ...found,
      customer,
      order,
      account: await accountOf(customer),
      card: await cardOf(customer),
      payment: await one('SELECT "id" FROM "payment" WHERE "customer_id" = $1', customer),
      bill: await one('SELECT "id" FROM "customer_bill" WHERE "customer_id" = $1', customer),
    };
  }

  const world: World = {
    tmf: (method, target, body, headers) => ask(method, pathOf(target), body, headers),
    tool: (name, input, headers) => ask('POST', `/tools/${name}`, input, headers),
    chat: (path, body, headers) => ask('POST', `/chat${path}`, body, headers),
    page: (act) => atPages(() => act(pages, tools)),
    prepared: (act) => withEveryRule(() => act(pages)),
    async mailedCode(to) {
      await house.settle();
      const [letter] = await house.mail.messages({ to, limit: 1 });
      return (
        /Code:\s+(\d{3}) (\d{3})/
          .exec(letter?.text ?? '')
          ?.slice(1)
          .join('') ?? ''
      );
    },
    made: (target, body) =>
      withEveryRule(async () => {
        const answer = await ask('POST', pathOf(target), body);
        if (answer.status >= 300 || typeof answer.body.id !== 'string') throw new Error(`${target}: ${answer.text}`);
        return answer.body.id;
      }),
    customer: house.customer,
    cardOf,
    accountOf,
    line,
    shared: await line('PLAN_M'),
    offering: (code) => one('SELECT "id" FROM "product_offering" WHERE "code" = $1', code),
    settle: () => house.settle(),
    forgetWork: () => world.change(`UPDATE "flow_step" SET "state" = 'cancelled' WHERE "state" = 'waiting'`),
    change: (text, values = []) =>
      transaction(house.policy, 'test.change', operator, {}, async (tx) => {
        await tx.run(text, values);
      }),
    rows,
    async asOwner(text) {
      const owner = new pg.Client({ connectionString: house.database.ownerUrl });
      await owner.connect();
      try {
        const { rows: found } = await owner.query<{ text: string }>(text);
        return found[0]?.text ?? '';
      } finally {
        await owner.end();
      }
    },
    async withSettings(settings, work) {
      decided = settings;
      try {
        return await work();
      } finally {
        decided = {};
      }
    },
    async withRealGateway(work) {
      isReal = true;
      try {
        return await work();
      } finally {
        isReal = false;
      }
    },
  };
  return {
    world,
    async without(code, work) {
      off.add(code);
      try {
        return await work();
      } finally {
        off.delete(code);
      }
    },
    async close() {
      await door.server.close(1000);
      await house.close();
    },
  };
}
