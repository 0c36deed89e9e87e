import pino from 'pino';
import { Registry } from 'prom-client';
import type { CardGateway } from '../../adapters/card-gateway.ts';
import { assistantOf } from '../../app/chat.ts';
import { mountPortal, type PortalWiring } from '../../app/portal.ts';
import { type House, openHouse } from '../../doctrine/house.ts';
import { recordOwnershipTrip } from '../../policy/audit/commands.ts';
import { commands } from '../../policy/commands.ts';
import { execute, type Policy } from '../../policy/core/command.ts';
import { runStatement } from '../../policy/core/transaction.ts';
import { createAccessToken } from '../../policy/identity/access-token.ts';
import { queriesFor } from '../../tools/queries.ts';
import { makeTools } from '../../tools/registry.ts';
import { makeRefusalRecorder } from '../../workers/refusal-recorder.ts';
import { testDoor, testWire } from '../http/testing.ts';

export interface Seen {
  readonly status: number;
  /** The path of the page in the end, after redirects. */
  readonly path: string;
  readonly text: string;
  readonly headers: Headers;
}

/** A browser without scripts: it keeps cookies, follows redirects, and sends the forms of the page that it looks at. */
export interface Browser {
  cookie: string | undefined;
  page: Seen;
  get(path: string): Promise<Seen>;
  /** Fills in and sends the form of this page that goes to `action`; what the page filled in already is sent with it. */
  send(action: string, fields?: Readonly<Record<string, string>>): Promise<Seen>;
  /** Sends a form that no page offered. */
  post(path: string, fields: Readonly<Record<string, string>>, headers?: Record<string, string>): Promise<Seen>;
}

export interface Portal {
  readonly house: House;
  readonly url: string;
  browser(): Browser;
  /** The code of the latest letter to an address. */
  code(email: string): Promise<string>;
  letter(email: string): Promise<string>;
  /** A customer with a live line, signed in. */
  customer(): Promise<{ browser: Browser; email: string; customer: string; line: string; order: string; bill: string }>;
  /** An operator at the desk, with the scopes of a token. */
  operator(scopes?: readonly string[]): Promise<Browser>;
  /** What the audit holds of refusals that came after this was asked the last time. */
  refusals(): Promise<
    { door: string; operation: string; status: number; code: string; audience: string | null; count: number }[]
  >;
  close(): Promise<void>;
}

const plainText = (text: string): string =>
  text.replaceAll('&quot;', '"').replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&');

/** The forms of a page, by where they go, with what they would send if nobody typed anything. */
export function formsOf(html: string): { action: string; fields: Record<string, string> }[] {
  return [...html.matchAll(/<form[^>]*action="([^"]*)"[^>]*>([\s\S]*?)<\/form>/g)].map(([, action = '', body = '']) => {
    const fields: Record<string, string> = {};
    for (const [input] of body.matchAll(/<input[^>]*>/g)) {
      const name = /\bname="([^"]*)"/.exec(input)?.[1];
      const value = plainText(/\bvalue="([^"]*)"/.exec(input)?.[1] ?? '');
      if (name === undefined || (input.includes('type="radio"') && !/\bchecked\b/.test(input))) continue;
      fields[name] = value;
    }
    return { action: plainText(action), fields };
  });
}

export async function openPortal(
  given: Pick<PortalWiring, 'guardsOff' | 'wrap'> & {
    publicUrl?: string;
    limit?: PortalWiring['limit'];
    beginCard?: CardGateway['beginCard'];
  } = {},
): Promise<Portal> {
  const house = await openHouse();
  const clock = { now: () => new Date(), sleep: (ms: number) => new Promise<void>((done) => setTimeout(done, ms)) };
  const recorder = makeRefusalRecorder(house.policy, clock, { warn: () => undefined });
  const refused: Parameters<typeof makeTools>[0]['onRefused'] = ({ tool, caller, error }) =>
    recorder.record({
      door: caller.surface,
      operation: tool,
      status: error.status,
      code: error.reason,
      caller,
      address: undefined,
      requestId: caller.requestId ?? '',
    });
  const { beginCard } = given;
  const { gateway } = house.policy.outside;
  const policy: Policy = beginCard
    ? { ...house.policy, outside: { ...house.policy.outside, gateway: { ...gateway, kind: 'stripe', beginCard } } }
    : house.policy;
  const tools = makeTools({
    policy,
    pool: house.pool,
    commands,
    queries: queriesFor(commands),
    onRefused: refused,
    onOwnershipTrip: async ({ tool, caller, foreignCustomerId }) => {
      const trip = { tool, customerId: caller.customerId ?? '', foreignCustomerId };
      await execute(policy, recordOwnershipTrip, trip, house.caller);
    },
  });
  const door = await testDoor({
    wire: { ...testWire(house.pool), policy },
    tools,
    onRefused: (one) => recorder.record(one),
  });
  const log = pino({ level: 'silent' });
  mountPortal(door.server, {
    policy,
    tools,
    assistant: assistantOf({
      tools,
      policy,
      model: undefined,
      clock,
      log,
      metrics: new Registry(),
      onAttempt: () => undefined,
      onForeign: async () => undefined,
    }),
    stripe: beginCard && {
      secretKey: 'sk_test',
      publishableKey: 'pk_test_of_the_pages',
      webhookSecret: undefined,
      url: undefined,
      returnUrl: undefined,
    },
    publicUrl: given.publicUrl ?? door.url,
    trustedProxies: 0,
    limit: given.limit ?? (() => undefined),
    log,
    wake: () => undefined,
    ...(given.guardsOff ? { guardsOff: given.guardsOff } : {}),
    ...(given.wrap ? { wrap: given.wrap } : {}),
  });

  const letter = async (email: string): Promise<string> => {
    await house.settle();
    const [latest] = await house.mail.messages({ limit: 1, to: email });
    if (!latest) throw new Error(`nothing was mailed to ${email}`);
    return latest.text;
  };

  let heard = new Map<string, number>();

  function browser(): Browser {
    const nothing: Seen = { status: 0, path: '/', text: '', headers: new Headers() };
    async function ask(path: string, init: RequestInit): Promise<Seen> {
      const response = await fetch(door.url + path, {
        ...init,
        redirect: 'manual',
        headers: {
          ...(self.cookie === undefined ? {} : { cookie: `airtime_session=${self.cookie}` }),
          ...init.headers,
        },
      });
      for (const set of response.headers.getSetCookie()) {
        const value = /^airtime_session=([^;]*)/.exec(set)?.[1];
        self.cookie = value === '' ? undefined : (value ?? self.cookie);
      }
      const to = response.headers.get('location');
      if (to?.startsWith('/')) return ask(to, {});
      self.page = { status: response.status, path, text: await response.text(), headers: response.headers };
      return self.page;
    }
    const self: Browser = {
      cookie: undefined,
      page: nothing,
      get: (path) => ask(path, {}),
      post: (path, fields, headers = {}) =>
        ask(path, { method: 'POST', body: new URLSearchParams(fields), headers: { origin: door.url, ...headers } }),
      send(action, fields = {}) {
        const form = formsOf(self.page.text).find((one) => one.action === action);
        if (!form) throw new Error(`${self.page.path} has no form for ${action}: ${self.page.text.slice(-1500)}`);
        return self.post(action, { ...form.fields, ...fields });
      },
    };
    return self;
  }

  const code = async (email: string): Promise<string> => {
    const found = /Code: (\d{3}) ?(\d{3})/.exec(await letter(email));
    if (!found) throw new Error(`there is no code in the letter to ${email}`);
    return `${found[1]}${found[2]}`;
  };

  return {
    house,
    url: door.url,
    browser,
    letter,
    code,
    async customer() {
      const customer = await house.customer();
      const order = await house.order(customer, 'PLAN_M');
      await house.settle();
      const [row] = await runStatement<{ email: string; line: string; bill: string }>(
        house.pool,
        `SELECT d."email", s."id" AS line, b."id" AS bill FROM "email_directory" d JOIN "subscription" s ON s."customer_id" = d."customer_id"
           JOIN "customer_bill" b ON b."customer_id" = d."customer_id" WHERE d."customer_id" = $1`,
        [customer],
      );
      if (!row) throw new Error('no line was made');
      const own = browser();
      await own.get('/sign-in');
      await own.send('/sign-in', { email: row.email });
      await own.send('/sign-in/code', { code: await code(row.email) });
      if (own.page.path !== '/account') throw new Error(`not signed in: ${own.page.status} ${own.page.text}`);
      return { browser: own, customer, order, ...row };
    },
    async operator(scopes = ['*']) {
      const made = await execute(
        house.policy,
        createAccessToken,
        { name: 'Desk', audience: 'operator', scopes: [...scopes] },
        house.caller,
      );
      const own = browser();
      await own.get('/desk/sign-in');
      await own.send('/desk/sign-in', { token: made.token });
      if (!own.page.path.startsWith('/desk') || own.page.path.includes('sign-in'))
        throw new Error(`not signed in: ${own.page.status} ${own.page.text}`);
      return own;
    },
    async refusals() {
      await recorder.stop();
      const rows = await runStatement<Awaited<ReturnType<Portal['refusals']>>[number]>(
        house.pool,
        `SELECT "door", "operation", "status", "code", "audience", sum("count")::int AS count FROM "refusal"
          GROUP BY 1, 2, 3, 4, 5 ORDER BY max("last_at"), 2`,
        [],
      );
      const before = heard;
      heard = new Map(rows.map(({ count, ...row }) => [JSON.stringify(row), count]));
      return rows.flatMap(({ count, ...row }) => {
        const more = count - (before.get(JSON.stringify(row)) ?? 0);
        return more > 0 ? [{ ...row, count: more }] : [];
      });
    },
    async close() {
      await door.server.close(1000);
      await house.close();
    },
  };
}
