import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type House, openHouse } from '../doctrine/house.ts';
import { audiences, type Caller } from '../kernel/caller.ts';
import { isJsonObject } from '../kernel/json.ts';
import { commands } from '../policy/commands.ts';
import { execute, type Policy, transaction } from '../policy/core/command.ts';
import { runStatement } from '../policy/core/transaction.ts';
import { customerCommands } from '../policy/customer/commands.ts';
import { createAccessToken, revokeAccessToken } from '../policy/identity/access-token.ts';
import { makeDeskLink } from '../policy/session/desk.ts';
import { forgetSessions } from '../policy/session/forget.ts';
import { portalCaller } from '../policy/session/session.ts';
import { confirmSignUpOrder } from '../policy/sign-up/commands.ts';
import { type Entered, type PortalDoor, portalOf } from './portal.ts';
import { queriesFor } from './queries.ts';
import { makeTools, type ToolDoor } from './registry.ts';

let house: House;
let tools: ToolDoor;
let portal: PortalDoor;

const toolsOf = (policy: Policy): ToolDoor =>
  makeTools({ policy, pool: house.pool, commands, queries: queriesFor(commands) });
const portalWithout = (...codes: string[]): PortalDoor => {
  const policy = { ...house.policy, rulesOff: new Set(codes) };
  return portalOf({ policy, tools: toolsOf(policy) });
};

beforeAll(async () => {
  house = await openHouse();
  tools = toolsOf(house.policy);
  portal = portalOf({ policy: house.policy, tools });
});
afterAll(() => house.close());

const rows = <Row extends object>(text: string, values: readonly unknown[] = []) =>
  runStatement<Row>(house.pool, text, values);
const change = (text: string, values: readonly unknown[] = []) =>
  transaction(house.policy, 'test.change', house.caller, {}, (tx) => tx.run(text, values));

/** The last letter that an address got: its code, and the token of its link. */
async function letter(to: string) {
  await house.settle();
  const [mail] = await house.mail.messages({ to, limit: 1 });
  return {
    mail,
    code:
      /Code:\s+(\d{3}) (\d{3})/
        .exec(mail?.text ?? '')
        ?.slice(1)
        .join('') ?? '',
    token: /token=([\w-]+)/.exec(mail?.text ?? '')?.[1] ?? '',
  };
}

const emailOf = async (customerId: string): Promise<string> =>
  (await rows<{ email: string }>('SELECT "email" FROM "customer" WHERE "id" = $1', [customerId]))[0]?.email ?? '';

const wrong = (code: string): string => (code === '000000' ? '000001' : '000000');

async function signedIn(customerId?: string): Promise<Entered & { email: string; caller: Caller }> {
  const id = customerId ?? (await house.customer());
  const email = await emailOf(id);
  const { secret } = await portal.begin();
  await portal.requestSignIn(secret, { email });
  const entered = await portal.signIn(secret, { code: (await letter(email)).code });
  const { caller } = entered.session;
  if (!caller) throw new Error('who signed in has a caller');
  return { ...entered, email, caller };
}

async function chosen(plan = 'PLAN_S', card = `tok_visa_${randomUUID().slice(0, 8)}`) {
  const { secret } = await portal.begin();
  const email = `new-${randomUUID()}@example.com`;
  await portal.startSignUp(secret, { offering: plan, givenName: 'Grace', familyName: 'Tan', email });
  const [msisdn = ''] = await portal.offerNumbers(secret);
  await portal.holdNumber(secret, { msisdn });
  await portal.keepCard(secret, { token: card });
  return { secret, email, msisdn };
}

/** Somebody who signed up, and has not ordered yet. */
async function signedUp(plan = 'PLAN_S', card?: string) {
  const { secret, email, msisdn } = await chosen(plan, card);
  await portal.requestSignUpCode(secret);
  const entered = await portal.confirmSignUp(secret, { code: (await letter(email)).code });
  const { caller, customerId } = entered.session;
  if (!caller || customerId === null) throw new Error('who signed up is a customer');
  return { secret: entered.secret, email, msisdn, caller, customerId };
}

describe('a session', () => {
  it('is known by its secret alone, and only a digest of that is kept', async () => {
    const { secret, session } = await portal.begin();
    expect(session).toMatchObject({ kind: 'visitor', caller: null });
    expect(await portal.find(secret)).toMatchObject({ id: session.id });
    expect(await portal.find('x'.repeat(43))).toBeUndefined();
    expect(await portal.find('')).toBeUndefined();
    const [row] = await rows<{ text: string }>('SELECT s::text AS text FROM "portal_session" s WHERE "id" = $1', [
      session.id,
    ]);
    expect(row?.text).not.toContain(secret);
  });

  it('ends when somebody signs out, when nobody comes, and at its end', async () => {
    const [one, two, three] = [await signedIn(), await signedIn(), await signedIn()];
    await portal.end(one.secret);
    await change('UPDATE "portal_session" SET "idle_until" = clock_timestamp() WHERE "id" = $1', [two.session.id]);
    await change('UPDATE "portal_session" SET "ends_at" = clock_timestamp() WHERE "id" = $1', [three.session.id]);
    for (const { secret } of [one, two, three]) expect(await portal.find(secret)).toBeUndefined();
  });

  it('lasts longer while somebody comes', async () => {
    const { secret, session } = await signedIn();
    await change(
      `UPDATE "portal_session" SET "seen_at" = clock_timestamp() - interval '2 minutes', "idle_until" = clock_timestamp() + interval '1 minute' WHERE "id" = $1`,
      [session.id],
    );
    await portal.find(secret);
    const [row] = await rows<{ left: number }>(
      'SELECT extract(epoch FROM "idle_until" - clock_timestamp())::int AS left FROM "portal_session" WHERE "id" = $1',
      [session.id],
    );
    expect(row?.left).toBeGreaterThan(1500);
  });

  it('of a customer who was closed is over', async () => {
    const { secret, session } = await signedIn();
    await change(`UPDATE "customer" SET "state" = 'closed' WHERE "id" = $1`, [session.customerId]);
    expect(await portal.find(secret)).toBeUndefined();
  });

  it('has a token for its forms that no other session has', async () => {
    const [one, two] = [await portal.begin(), await portal.begin()];
    expect(portal.isFormToken(one.secret, portal.formToken(one.secret))).toBe(true);
    expect(portal.isFormToken(two.secret, portal.formToken(one.secret))).toBe(false);
    expect(portal.isFormToken(one.secret, '')).toBe(false);
    expect(portal.formToken(one.secret)).not.toContain(one.secret);
  });
});

describe('signing in', () => {
  it('by the mailed code makes another session, and the one before is over', async () => {
    const id = await house.customer();
    const email = await emailOf(id);
    const { secret } = await portal.begin();
    await portal.requestSignIn(secret, { email: ` ${email.toUpperCase()} ` });
    const { mail, code } = await letter(email);
    expect(mail?.subject).toBe('Your code to sign in');
    const entered = await portal.signIn(secret, { code: `${code.slice(0, 3)} ${code.slice(3)}` });
    expect(entered.secret).not.toBe(secret);
    expect(entered.session).toMatchObject({
      kind: 'customer',
      customerId: id,
      caller: { audience: 'customer', customerId: id, surface: 'portal' },
    });
    expect(await portal.find(secret)).toBeUndefined();
    await expect(portal.signIn(entered.secret, { code })).rejects.toMatchObject({ reason: 'session.needed' });
  });

  it('by the mailed link works once, in whatever browser', async () => {
    const email = await emailOf(await house.customer());
    const { secret } = await portal.begin();
    await portal.requestSignIn(secret, { email });
    const { token } = await letter(email);
    expect(await portal.signInByLink(undefined, { token })).toMatchObject({ session: { kind: 'customer' } });
    await expect(portal.signInByLink(undefined, { token })).rejects.toMatchObject({ code: 'one_time_code.is_right' });
    await expect(portal.signInByLink(undefined, { token: 'x'.repeat(43) })).rejects.toMatchObject({
      code: 'one_time_code.is_right',
    });
  });

  it('takes five tries, and then not even the right code', async () => {
    const email = await emailOf(await house.customer());
    const { secret } = await portal.begin();
    await portal.requestSignIn(secret, { email });
    const { code } = await letter(email);
    for (let attempt = 0; attempt < 5; attempt += 1) {
      await expect(portal.signIn(secret, { code: wrong(code) })).rejects.toMatchObject({
        code: 'one_time_code.is_right',
      });
    }
    await expect(portal.signIn(secret, { code })).rejects.toMatchObject({ code: 'one_time_code.tries_left' });
    expect((await portalWithout('one_time_code.tries_left').signIn(secret, { code })).session.kind).toBe('customer');
  });

  it('counts tries that come at once one by one', async () => {
    const email = await emailOf(await house.customer());
    const { secret } = await portal.begin();
    await portal.requestSignIn(secret, { email });
    const { code } = await letter(email);
    await Promise.allSettled(Array.from({ length: 12 }, () => portal.signIn(secret, { code: wrong(code) })));
    const [row] = await rows<{ tries: number }>(
      'SELECT "tries" FROM "one_time_code" ORDER BY "created_at" DESC LIMIT 1',
    );
    expect(row?.tries).toBe(12);
    await expect(portal.signIn(secret, { code })).rejects.toMatchObject({ code: 'one_time_code.tries_left' });
  });

  it('takes no code of another session, of an earlier letter, or one that is over', async () => {
    const email = await emailOf(await house.customer());
    const [{ secret }, other] = [await portal.begin(), await portal.begin()];
    await portal.requestSignIn(secret, { email });
    const first = await letter(email);
    await portal.requestSignIn(other.secret, { email });
    const second = await letter(email);
    await portal.requestSignIn(secret, { email });
    await letter(email);
    const refused = { code: 'one_time_code.is_right' };
    if (first.code !== second.code) {
      await expect(portal.signIn(other.secret, { code: first.code })).rejects.toMatchObject(refused);
    }
    await expect(portal.signInByLink(undefined, { token: first.token })).rejects.toMatchObject(refused);
    await change('UPDATE "one_time_code" SET "expires_at" = clock_timestamp()');
    await expect(portal.signIn(other.secret, { code: second.code })).rejects.toMatchObject(refused);
    await expect(portal.signInByLink(undefined, { token: second.token })).rejects.toMatchObject(refused);
  });

  it('is answered alike for an address that nobody has, does the same work, and mails nothing', async () => {
    const known = await emailOf(await house.customer());
    const unknown = `nobody-${randomUUID()}@example.com`;
    const done: object[] = [];
    for (const email of [known, unknown]) {
      const { secret, session } = await portal.begin();
      done.push({ answer: await portal.requestSignIn(secret, { email }) });
      const [made] = await rows(
        `SELECT (SELECT count(*) FROM "one_time_code" WHERE "session_id" = $1) AS codes,
          (SELECT count(*) FROM "flow_step" f JOIN "one_time_code" c ON c."id" = f."subject" WHERE c."session_id" = $1) AS steps`,
        [session.id],
      );
      done.push(made ?? {});
      await house.settle();
      await expect(portal.signIn(secret, { code: '123456' })).rejects.toMatchObject({
        code: 'one_time_code.is_right',
        message: expect.stringContaining('not the code'),
      });
    }
    expect(done.slice(0, 2)).toEqual(done.slice(2));
    expect(await house.mail.messages({ to: unknown })).toEqual([]);
  });

  it('is asked five times an hour at most by one browser, whatever it names', async () => {
    const { secret } = await portal.begin();
    const ask = (door = portal) => door.requestSignIn(secret, { email: `nobody-${randomUUID()}@example.com` });
    for (let asked = 0; asked < 5; asked += 1) await ask();
    await expect(ask()).rejects.toMatchObject({ code: 'one_time_code.asks_at_most', status: 409 });
    await expect(ask(portalWithout('one_time_code.asks_at_most'))).resolves.toBeUndefined();
  });

  it('is not closed to somebody because others asked for their address', async () => {
    const email = await emailOf(await house.customer());
    for (let asked = 0; asked < 10; asked += 1) await portal.requestSignIn((await portal.begin()).secret, { email });
    const { secret } = await portal.begin();
    await portal.requestSignIn(secret, { email });
    await expect(portal.signIn(secret, { code: (await letter(email)).code })).resolves.toMatchObject({
      session: { kind: 'customer' },
    });
  });

  it('writes to an address thirty times an hour at most, whoever asks and whether anybody has it', async () => {
    for (const email of [await emailOf(await house.customer()), `nobody-${randomUUID()}@example.com`]) {
      for (let asked = 0; asked < 30; asked += 1) {
        await portal.requestSignIn((await portal.begin()).secret, { email });
      }
      const { secret } = await portal.begin();
      await expect(portal.requestSignIn(secret, { email })).rejects.toMatchObject({
        code: 'one_time_code.asks_at_most',
      });
      await expect(
        portalWithout('one_time_code.asks_at_most').requestSignIn(secret, { email }),
      ).resolves.toBeUndefined();
    }
  });

  it('leaves code and link in the mailbox alone', async () => {
    const email = await emailOf(await house.customer());
    const { secret } = await portal.begin();
    await portal.requestSignIn(secret, { email });
    const { code, token } = await letter(email);
    await portal.signIn(secret, { code });
    const tables = await rows<{ name: string }>(
      `SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE' AND table_name NOT LIKE '\\_prisma%'`,
    );
    for (const { name } of tables) {
      const found = await rows(
        `SELECT 1 FROM "${name}" t WHERE position($1 IN t::text) > 0 OR position($2 IN t::text) > 0 LIMIT 1`,
        [token, `${code.slice(0, 3)} ${code.slice(3)}`],
      );
      expect([name, found.length]).toEqual([name, 0]);
    }
    expect(house.putBack.join('\n')).not.toContain(token);
  });
});

describe('signing up', () => {
  it('goes from a plan to a live line on the chosen number, with one code', async () => {
    const { secret, email, msisdn } = await chosen('PLAN_M');
    await portal.requestSignUpCode(secret);
    const { code } = await letter(email);
    const entered = await portal.confirmSignUp(secret, { code });
    expect(entered.secret).not.toBe(secret);
    expect(await portal.find(secret)).toBeUndefined();
    expect(await portal.readSignUp(entered.secret)).toMatchObject({ state: 'confirmed', email });
    const { orderId } = await portal.buySignUp(entered.secret);
    expect(await portal.buySignUp(entered.secret)).toEqual({ orderId });
    await house.settle();
    expect(await house.state(orderId)).toMatchObject({ order: 'completed', line: 'active', payment: 'captured' });
    const [line] = await rows<{ msisdn: string; customerId: string }>(
      'SELECT "msisdn", "customer_id" FROM "subscription" WHERE "msisdn" = $1',
      [msisdn],
    );
    expect(line).toEqual({ msisdn, customerId: entered.session.customerId });
    expect(await portal.readSignUp(entered.secret)).toMatchObject({ state: 'ordered', orderId });
    expect(await house.breaches()).toEqual([]);
  });

  it('orders once, however often it is clicked', async () => {
    const { secret, email } = await chosen();
    await portal.requestSignUpCode(secret);
    const entered = await portal.confirmSignUp(secret, { code: (await letter(email)).code });
    await Promise.allSettled([1, 2, 3].map(() => portal.buySignUp(entered.secret)));
    const orders = await rows('SELECT 1 FROM "product_order" WHERE "customer_id" = $1', [entered.session.customerId]);
    expect(orders).toHaveLength(1);
    await house.settle();
  });

  it('recovers from a card that is declined: the number is still theirs, another card buys it', async () => {
    const { secret, email, msisdn } = await chosen('PLAN_S', 'tok_declined');
    await portal.requestSignUpCode(secret);
    const entered = await portal.confirmSignUp(secret, { code: (await letter(email)).code });
    const first = await portal.buySignUp(entered.secret);
    await house.settle();
    expect(await house.state(first.orderId)).toMatchObject({ order: 'failed' });
    expect(await portal.readSignUp(entered.secret)).toMatchObject({ state: 'confirmed', number: { msisdn } });
    await portal.keepCard(entered.secret, { token: 'tok_visa_second' });
    const { orderId } = await portal.buySignUp(entered.secret);
    await house.settle();
    expect(orderId).not.toBe(first.orderId);
    expect(await house.state(orderId)).toMatchObject({ order: 'completed', line: 'active' });
    expect(
      await rows('SELECT 1 FROM "subscription" WHERE "msisdn" = $1 AND "state" = \'active\'', [msisdn]),
    ).toHaveLength(1);
  });

  it('needs a number and a card first', async () => {
    const { secret } = await portal.begin();
    await portal.startSignUp(secret, {
      offering: 'PLAN_S',
      givenName: 'Grace',
      familyName: 'Tan',
      email: `x-${randomUUID()}@example.com`,
    });
    await expect(portal.requestSignUpCode(secret)).rejects.toMatchObject({ code: 'sign_up.is_whole' });
    await expect(portal.keepCard(secret, { token: 'tok_expired' })).rejects.toMatchObject({ code: 'card.not_expired' });
    await expect(
      portal.startSignUp(secret, { offering: 'PLAN_S', givenName: 'Grace', familyName: 'Tan', email: 'nowhere' }),
    ).rejects.toMatchObject({ code: 'customer.email_valid' });
  });

  it('with an address that is a customer’s is answered alike; only its owner is told', async () => {
    const owner = await emailOf(await house.customer());
    const { secret } = await chosen();
    await portal.startSignUp(secret, { offering: 'PLAN_S', givenName: 'Eve', familyName: 'Tan', email: owner });
    expect(await portal.requestSignUpCode(secret)).toBeUndefined();
    const { mail, code } = await letter(owner);
    expect([mail?.subject, code]).toEqual(['You have an account already', '']);
    await expect(portal.confirmSignUp(secret, { code: '123456' })).rejects.toMatchObject({
      code: 'one_time_code.is_right',
    });
  });

  it('proves the address it went to and no other', async () => {
    const { secret, email } = await chosen();
    await portal.requestSignUpCode(secret);
    const { code } = await letter(email);
    const details = { offering: 'PLAN_S', givenName: 'Grace', familyName: 'Tan' };
    await portal.startSignUp(secret, { ...details, email: `other-${randomUUID()}@example.com` });
    await expect(portal.confirmSignUp(secret, { code })).rejects.toMatchObject({ code: 'one_time_code.is_right' });
  });

  it('mails no code to another address than the one that it proves', async () => {
    const { secret, email } = await chosen();
    await portal.requestSignUpCode(secret);
    const other = `other-${randomUUID()}@example.com`;
    await portal.startSignUp(secret, { offering: 'PLAN_S', givenName: 'Grace', familyName: 'Tan', email: other });
    await house.settle();
    for (const to of [email, other]) expect([to, await house.mail.messages({ to })]).toEqual([to, []]);
    await portal.requestSignUpCode(secret);
    expect((await letter(other)).code).toMatch(/^\d{6}$/);
  });

  it('confirms its order for an hour', async () => {
    const { secret } = await signedUp();
    await change(`UPDATE "sign_up" SET "proven_at" = clock_timestamp() - interval '2 hours'`);
    await expect(portal.buySignUp(secret)).rejects.toMatchObject({ code: 'sign_up.order_was_confirmed' });
    expect(await portalWithout('sign_up.order_was_confirmed').buySignUp(secret)).toHaveProperty('orderId');
    await house.settle();
  });

  it('confirms the order of what stands in it: a plan that was changed before the code came back, and no other', async () => {
    const { secret: visitor, email } = await chosen('PLAN_S');
    await portal.requestSignUpCode(visitor);
    const { code } = await letter(email);
    await portal.startSignUp(visitor, { offering: 'PLAN_M', givenName: 'Grace', familyName: 'Tan', email });
    const { secret, session } = await portal.confirmSignUp(visitor, { code });
    const caller = session.caller ?? house.caller;
    const { msisdn } = (await portal.readSignUp(secret))?.number ?? {};
    const before = await tools.propose('order.place', { offering: 'PLAN_S', msisdn }, caller);
    await expect(
      execute(
        house.policy,
        confirmSignUpOrder,
        { session: secret, confirmation: before.confirmation.token },
        portalCaller(),
      ),
    ).rejects.toMatchObject({
      code: 'sign_up.order_was_confirmed',
      message: expect.stringMatching(/the plan and the number that stand in it, for an hour/),
    });
    const { orderId } = await portal.buySignUp(secret);
    await house.settle();
    expect(
      await rows(
        `SELECT o."code" FROM "order_item" i JOIN "product_offering" o ON o."id" = i."offering_id" WHERE i."product_order_id" = $1`,
        [orderId],
      ),
    ).toEqual([{ code: 'PLAN_M' }]);
  });

  it('is not taken for ordered because another line was', async () => {
    const { secret, customerId, msisdn } = await signedUp();
    await house.order(customerId);
    await house.settle();
    expect(await portal.readSignUp(secret)).toMatchObject({ state: 'confirmed', orderId: null, number: { msisdn } });
    const { orderId } = await portal.buySignUp(secret);
    await house.settle();
    expect(await house.state(orderId)).toMatchObject({ order: 'completed', line: 'active' });
  });

  it('is read without looking through all orders', async () => {
    const { secret } = await signedUp();
    const asked: { text: string; values: unknown[] }[] = [];
    const pool: typeof house.pool = Object.create(house.pool, {
      query: {
        value: (statement: { text: string; values: unknown[] }) => {
          asked.push(statement);
          return house.pool.query(statement);
        },
      },
    });
    await portalOf({ policy: { ...house.policy, pool }, tools }).readSignUp(secret);
    const [read] = asked;
    const plan = await transaction(house.policy, 'test.explain', house.caller, {}, async (tx) => {
      await tx.run('SET LOCAL enable_seqscan = off', []);
      return tx.run<object>(`EXPLAIN ${read?.text}`, read?.values ?? []);
    });
    const told = plan.map((line) => Object.values(line).join('')).join('\n');
    expect(told).toContain('order_item');
    // The rows of an order, found by its id: neither all rows nor a whole index.
    expect(told).toMatch(/order_item_product_order_id_item_id_key[^\n]*\n\s+Index Cond/);
    expect(told).not.toContain('Seq Scan on order_item');
  });

  it('takes another number after its order failed, and none once there is one that lives', async () => {
    const { secret, msisdn } = await signedUp('PLAN_S', 'tok_declined');
    const first = await portal.buySignUp(secret);
    await house.settle();
    expect(await house.state(first.orderId)).toMatchObject({ order: 'failed' });
    const another = (await portal.offerNumbers(secret)).find((one) => one !== msisdn) ?? '';
    await portal.holdNumber(secret, { msisdn: another });
    expect(await portal.readSignUp(secret)).toMatchObject({ state: 'confirmed', number: { msisdn: another } });
    await portal.keepCard(secret, { token: 'tok_visa_second' });
    const second = await portal.buySignUp(secret);
    await house.settle();
    expect(await house.state(second.orderId)).toMatchObject({ order: 'completed', line: 'active' });
    // For a further line: the sign-up is over.
    const [further = ''] = await portal.offerNumbers(secret);
    await portal.holdNumber(secret, { msisdn: further });
    expect(await portal.readSignUp(secret)).toMatchObject({
      state: 'ordered',
      orderId: second.orderId,
      number: { msisdn: another },
    });
  });
});

describe('a number that somebody chose', () => {
  const wishOf = (msisdn: string) =>
    rows('SELECT "state", "wanted_by", "wanted_for", "wanted_until" FROM "phone_number" WHERE "msisdn" = $1', [msisdn]);
  const place = async (msisdn: string) => {
    const customerId = await house.customer();
    const input = { customerId, offering: 'PLAN_S', msisdn };
    const { confirmation } = await tools.propose('order.place', input, house.caller);
    return tools.confirm('order.place', input, house.caller, confirmation.token);
  };

  it('is nobody else’s: not offered, not held, not ordered, not given to an order without a wish', async () => {
    const [{ secret }, other] = [await portal.begin(), await portal.begin()];
    const [first] = await rows<{ msisdn: string }>(
      `SELECT "msisdn" FROM "phone_number" WHERE "state" = 'available' AND "wanted_until" IS NULL ORDER BY "msisdn" LIMIT 1`,
    );
    const msisdn = first?.msisdn ?? '';
    await portal.holdNumber(secret, { msisdn });
    await expect(portal.holdNumber(other.secret, { msisdn })).rejects.toMatchObject({ code: 'number.hold_is_free' });
    await expect(place(msisdn)).rejects.toMatchObject({ code: 'order.wished_number_available' });
    // The lowest free number is what an order without a wish is given.
    const order = await house.order(await house.customer());
    await house.settle();
    const { subscriptionId } = await house.state(order);
    const [line] = await rows<{ msisdn: string }>('SELECT "msisdn" FROM "subscription" WHERE "id" = $1', [
      subscriptionId,
    ]);
    expect(line?.msisdn).not.toBe(msisdn);
    for (let time = 0; time < 20; time += 1) expect(await portal.offerNumbers(secret)).not.toContain(msisdn);
  });

  it('is free again after a while by itself, and when another is chosen', async () => {
    const [{ secret }, other] = [await portal.begin(), await portal.begin()];
    const [one = '', two = ''] = await portal.offerNumbers(secret);
    await portal.holdNumber(secret, { msisdn: one });
    await portal.holdNumber(secret, { msisdn: two });
    await expect(portal.holdNumber(other.secret, { msisdn: one })).resolves.toMatchObject({ msisdn: one });
    await change('UPDATE "phone_number" SET "wanted_until" = clock_timestamp() WHERE "msisdn" = $1', [two]);
    await expect(place(two)).resolves.toMatchObject({ replayed: false });
    await house.settle();
  });

  it('goes to one of two who choose it at once', async () => {
    const sessions = await Promise.all(Array.from({ length: 6 }, () => portal.begin()));
    const [msisdn = ''] = await portal.offerNumbers(sessions[0]?.secret ?? '');
    const came = await Promise.allSettled(sessions.map(({ secret }) => portal.holdNumber(secret, { msisdn })));
    expect(came.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  it('is free again at once when an order that named it, with nobody at a page, has failed', async () => {
    const [msisdn = ''] = await portal.offerNumbers((await portal.begin()).secret);
    const customerId = await house.customer('tok_declined');
    const input = { customerId, offering: 'PLAN_S', msisdn };
    const { confirmation } = await tools.propose('order.place', input, house.caller);
    await tools.confirm('order.place', input, house.caller, confirmation.token);
    await expect(place(msisdn)).rejects.toMatchObject({ code: 'order.wished_number_available' });
    await house.settle();
    await expect(place(msisdn)).resolves.toMatchObject({ replayed: false });
    await house.settle();
  });

  it('goes to one of two orders that wish for it at once', async () => {
    const [msisdn = ''] = await portal.offerNumbers((await portal.begin()).secret);
    const came = await Promise.allSettled([place(msisdn), place(msisdn), place(msisdn)]);
    expect(came.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    await house.settle();
  });

  it('is honoured by an order of the same customer, for a further line', async () => {
    const customerId = await house.customer();
    const { secret, caller } = await signedIn(customerId);
    const [msisdn = ''] = await portal.offerNumbers(secret);
    await portal.holdNumber(secret, { msisdn });
    const order = { offering: 'PLAN_S', msisdn };
    const { proposal, confirmation } = await tools.propose('order.place', order, caller);
    expect(proposal).toMatchObject({ customer: { id: customerId }, amount: { text: 'SGD 10.00' } });
    const email = await emailOf(customerId);
    await portal.requestSecondCode(secret, { confirmation: confirmation.token, what: proposal.what });
    const { mail, code } = await letter(email);
    expect(mail?.text).toContain(proposal.what);
    await portal.giveSecondCode(secret, { confirmation: confirmation.token, code });
    const { result } = await tools.confirm('order.place', order, caller, confirmation.token);
    await house.settle();
    expect(await house.state(isJsonObject(result) ? String(result.id) : '')).toMatchObject({ order: 'completed' });
  });

  it('is chosen by nobody any more once it has its line', async () => {
    const { secret, msisdn } = await signedUp();
    await portal.buySignUp(secret);
    await house.settle();
    expect(await wishOf(msisdn)).toEqual([{ state: 'assigned', wantedBy: null, wantedFor: null, wantedUntil: null }]);
  });

  it('is forgotten when its time is over, and not while somebody still wants it', async () => {
    const [over, { secret }] = [await portal.begin(), await portal.begin()];
    const [one = '', two = '', three = ''] = await portal.offerNumbers(secret);
    await portal.holdNumber(over.secret, { msisdn: one });
    await portal.holdNumber(secret, { msisdn: two });
    // An order that is under way wants its number, though nobody at a page does.
    await place(three);
    await change('UPDATE "phone_number" SET "wanted_until" = clock_timestamp() WHERE "msisdn" = $1', [one]);
    await execute(house.policy, forgetSessions, {}, house.caller);
    expect(await wishOf(one)).toEqual([{ state: 'available', wantedBy: null, wantedFor: null, wantedUntil: null }]);
    for (const kept of [two, three]) expect(await wishOf(kept)).toMatchObject([{ wantedBy: expect.any(String) }]);
    await house.settle();
  });

  it('leaves enough for orders', async () => {
    const { secret } = await portal.begin();
    const [msisdn = ''] = await portal.offerNumbers(secret);
    await change(
      `UPDATE "phone_number" SET "wanted_by" = 'ses_flood', "wanted_until" = clock_timestamp() + interval '15 minutes' WHERE "state" = 'available' AND "msisdn" <> $1`,
      [msisdn],
    );
    await expect(portal.holdNumber(secret, { msisdn })).rejects.toMatchObject({ code: 'number.holds_leave_stock' });
    await change(`UPDATE "phone_number" SET "wanted_by" = NULL, "wanted_until" = NULL WHERE "wanted_by" = 'ses_flood'`);
    await expect(portal.holdNumber(secret, { msisdn })).resolves.toMatchObject({ msisdn });
  });
});

describe('a second code', () => {
  async function proposed(who: Awaited<ReturnType<typeof signedIn>>) {
    const input = { email: `moved-${randomUUID()}@example.com` };
    const { confirmation } = await tools.propose('customer.change_contact', input, who.caller);
    return { input, token: confirmation.token };
  }

  it('is needed by whoever signed in at the pages, in the transaction of the act', async () => {
    const who = await signedIn();
    const { input, token } = await proposed(who);
    const confirm = (door = tools) => door.confirm('customer.change_contact', input, who.caller, token);
    await expect(confirm()).rejects.toMatchObject({ code: 'confirmation.second_code_given' });
    await portal.requestSecondCode(who.secret, { confirmation: token });
    const { code } = await letter(who.email);
    await expect(portal.giveSecondCode(who.secret, { confirmation: token, code: wrong(code) })).rejects.toMatchObject({
      code: 'one_time_code.is_right',
    });
    await expect(confirm()).rejects.toMatchObject({ code: 'confirmation.second_code_given' });
    await portal.giveSecondCode(who.secret, { confirmation: token, code });
    await expect(confirm()).resolves.toMatchObject({ replayed: false, result: { unprovenEmail: input.email } });
    // Once: neither the code nor the confirmation does anything again.
    await expect(portal.giveSecondCode(who.secret, { confirmation: token, code })).rejects.toMatchObject({
      status: 404,
    });
    await expect(confirm()).resolves.toMatchObject({ replayed: true });
  });

  it('is the same with the surface of chat: what counts is the session', async () => {
    const who = await signedIn();
    const { input, token } = await proposed(who);
    await expect(
      tools.confirm('customer.change_contact', input, { ...who.caller, surface: 'chat' }, token),
    ).rejects.toMatchObject({ code: 'confirmation.second_code_given' });
    const policy = { ...house.policy, rulesOff: new Set(['confirmation.second_code_given']) };
    await expect(
      toolsOf(policy).confirm('customer.change_contact', input, { ...who.caller, surface: 'chat' }, token),
    ).resolves.toMatchObject({ replayed: false });
  });

  it('is not asked of a customer’s token, which has no mailbox at hand', async () => {
    const customerId = await house.customer();
    const caller: Caller = { ...(await signedIn(customerId)).caller, id: 'tok_chat', surface: 'chat' };
    const input = { phone: '6599999999' };
    const { confirmation } = await tools.propose('customer.change_contact', input, caller);
    await expect(tools.confirm('customer.change_contact', input, caller, confirmation.token)).resolves.toMatchObject({
      replayed: false,
    });
  });

  it('confirms one proposal: not another, not that of another session', async () => {
    const who = await signedIn();
    const [one, two] = [await proposed(who), await proposed(who)];
    await portal.requestSecondCode(who.secret, { confirmation: one.token });
    const { code } = await letter(who.email);
    await expect(portal.giveSecondCode(who.secret, { confirmation: two.token, code })).rejects.toMatchObject({
      code: 'one_time_code.is_right',
    });
    const other = await signedIn();
    await expect(portal.giveSecondCode(other.secret, { confirmation: one.token, code })).rejects.toMatchObject({
      status: 404,
    });
    await expect(portal.requestSecondCode(other.secret, { confirmation: one.token })).rejects.toMatchObject({
      status: 404,
    });
    await portal.giveSecondCode(who.secret, { confirmation: one.token, code });
  });

  it('takes five tries', async () => {
    const who = await signedIn();
    const { token } = await proposed(who);
    await portal.requestSecondCode(who.secret, { confirmation: token });
    const { code } = await letter(who.email);
    const give = (typed: string) => portal.giveSecondCode(who.secret, { confirmation: token, code: typed });
    for (let attempt = 0; attempt < 5; attempt += 1) await expect(give(wrong(code))).rejects.toThrow();
    await expect(give(code)).rejects.toMatchObject({ code: 'one_time_code.tries_left' });
  });
});

describe('what customers do themselves', () => {
  async function lineOf() {
    const customerId = await house.customer();
    const order = await house.order(customerId);
    await house.settle();
    const who = await signedIn(customerId);
    return { customerId, line: (await house.state(order)).subscriptionId ?? '', ...who };
  }
  type Who = Awaited<ReturnType<typeof lineOf>>;

  /** Proposed, the code typed, and confirmed, as the pages do it. */
  async function confirmed(who: Who, tool: string, input: object) {
    const { confirmation } = await tools.propose(tool, input, who.caller);
    await portal.requestSecondCode(who.secret, { confirmation: confirmation.token });
    const { code } = await letter(who.email);
    await portal.giveSecondCode(who.secret, { confirmation: confirmation.token, code });
    const { result } = await tools.confirm(tool, input, who.caller, confirmation.token);
    await house.settle();
    return result;
  }
  const cardsOf = async (customerId: string) =>
    rows<{ id: string; isPreferred: boolean }>(
      `SELECT "id", "is_preferred" FROM "payment_method" WHERE "customer_id" = $1 AND "state" = 'active' ORDER BY "id"`,
      [customerId],
    );

  it('cards are added, preferred and taken off, but never the last one of a live line', async () => {
    const who = await lineOf();
    const [first] = await cardsOf(who.customerId);
    await expect(tools.propose('card.remove', { cardId: first?.id }, who.caller)).rejects.toMatchObject({
      code: 'card.not_last_of_live_line',
    });
    await tools.run('card.add', { token: 'tok_visa_more' }, who.caller);
    const second = (await cardsOf(who.customerId)).find(({ id }) => id !== first?.id);
    await tools.run('card.prefer', { cardId: second?.id }, who.caller);
    expect((await cardsOf(who.customerId)).filter((card) => card.isPreferred)).toEqual([
      { ...second, isPreferred: true },
    ]);
    expect(await confirmed(who, 'card.remove', { cardId: second?.id })).toEqual({ id: second?.id });
    expect(await cardsOf(who.customerId)).toEqual([{ ...first, isPreferred: true }]);
  });

  it('the eSIM is replaced', async () => {
    const who = await lineOf();
    const before = await rows('SELECT "esim_id" FROM "subscription" WHERE "id" = $1', [who.line]);
    await confirmed(who, 'subscription.replace_esim', { subscriptionId: who.line });
    expect(await rows('SELECT "esim_id" FROM "subscription" WHERE "id" = $1', [who.line])).not.toEqual(before);
  });

  it('tickets are opened, read and written to', async () => {
    const who = await lineOf();
    const made = await tools.run('ticket.open', { name: 'No data', description: 'Since noon' }, who.caller);
    const id = isJsonObject(made) ? String(made.id) : '';
    await tools.run('ticket.note', { id, text: 'Still nothing' }, who.caller);
    expect(await tools.run('ticket.list', { open: true }, who.caller)).toMatchObject({
      items: [{ id, name: 'No data' }],
    });
    expect(await tools.run('ticket.show', { ticketId: id }, who.caller)).toMatchObject({
      description: 'Since noon',
      notes: [{ text: 'Still nothing' }],
    });
  });

  it('what is another’s is answered like what there is not, and left as it is', async () => {
    const [victim, who] = [await lineOf(), await lineOf()];
    const [card] = await cardsOf(victim.customerId);
    const made = await tools.run('ticket.open', { name: 'Mine', description: 'Alone' }, victim.caller);
    const ticket = isJsonObject(made) ? String(made.id) : '';
    const answerOf = (work: Promise<unknown>) =>
      work.then(
        () => 'done',
        (error: unknown) => String(error).replaceAll(/(pme|sub|tck)_\w+/g, 'id'),
      );
    const none = '0'.repeat(26);
    for (const [tool, input, unknown] of [
      ['card.remove', { cardId: card?.id }, { cardId: `pme_${none}` }],
      ['subscription.replace_esim', { subscriptionId: victim.line }, { subscriptionId: `sub_${none}` }],
    ] as const) {
      const told = await answerOf(tools.propose(tool, input, who.caller));
      expect([tool, told]).toEqual([tool, await answerOf(tools.propose(tool, unknown, who.caller))]);
      expect(told).not.toBe('done');
    }
    for (const [tool, input, unknown] of [
      ['card.prefer', { cardId: card?.id }, { cardId: `pme_${none}` }],
      ['ticket.show', { ticketId: ticket }, { ticketId: `tck_${none}` }],
      ['ticket.note', { id: ticket, text: 'x' }, { id: `tck_${none}`, text: 'x' }],
    ] as const) {
      const told = await answerOf(tools.run(tool, input, who.caller));
      expect([tool, told]).toEqual([tool, await answerOf(tools.run(tool, unknown, who.caller))]);
      expect(told).not.toBe('done');
    }
    expect(await tools.run('ticket.list', {}, who.caller)).toMatchObject({ items: [] });
    for (const tool of ['card.add', 'order.place', 'customer.change_contact']) {
      const call = tools.run(tool, { customerId: victim.customerId, token: 'tok_visa' }, who.caller);
      await expect(call).rejects.toMatchObject({ name: expect.stringMatching(/AirtimeError|Refusal/) });
    }
    expect(await cardsOf(victim.customerId)).toHaveLength(1);
  });
});

describe('what is over', () => {
  it('is forgotten a day later', async () => {
    const { secret } = await chosen();
    await portal.requestSignUpCode(secret);
    const [{ session }] = [await portal.begin()];
    await house.settle();
    for (const table of ['one_time_code', 'sign_up'])
      await change(`UPDATE "${table}" SET "created_at" = "created_at" - interval '25 hours'`);
    await portal.requestSignIn((await portal.begin()).secret, { email: `nobody-${randomUUID()}@example.com` });
    await house.settle();
    await change(`UPDATE "portal_session" SET "ends_at" = clock_timestamp() - interval '25 hours' WHERE "id" = $1`, [
      session.id,
    ]);
    await execute(house.policy, forgetSessions, {}, house.caller);
    expect(await rows('SELECT 1 FROM "sign_up"')).toEqual([]);
    const codes = await rows('SELECT "id" FROM "one_time_code"');
    expect(codes).toHaveLength(1);
    // What was done to mail a code goes with it.
    expect(await rows(`SELECT "subject" AS id FROM "flow_step" WHERE "step" = 'one_time_code'`)).toEqual(codes);
    expect(await rows('SELECT 1 FROM "portal_session" WHERE "id" = $1', [session.id])).toEqual([]);
    expect(await portal.find(secret)).toMatchObject({ kind: 'visitor' });
  });
});

describe('another address', () => {
  // A customer's token: what is proven here does not depend on the pages.
  const tokenOf = (customerId: string): Caller => ({
    audience: 'customer',
    id: `tok_${customerId}`,
    name: 'Ada',
    surface: 'chat',
    scopes: ['*'],
    customerId,
  });

  async function give(caller: Caller, input: { customerId?: string; email?: string; phone?: string }) {
    const { confirmation } = await tools.propose('customer.change_contact', input, caller);
    return tools.confirm('customer.change_contact', input, caller, confirmation.token);
  }

  async function changed(email: string, customerId?: string) {
    const id = customerId ?? (await house.customer());
    const { result } = await give(tokenOf(id), { email });
    return { customerId: id, before: await emailOf(id), result };
  }

  const moved = () => `moved-${randomUUID()}@example.com`;
  const refused = { code: 'one_time_code.is_right' };

  it('is the customer’s when the link that went there is followed, which signs nobody in', async () => {
    const email = moved();
    const { customerId, before } = await changed(email.toUpperCase());
    expect(before).not.toBe(email);
    const { token } = await letter(email);
    const { secret } = await portal.begin();
    expect(await portal.signInByLink(secret, { token })).toBe('addressProven');
    expect(await emailOf(customerId)).toBe(email);
    expect(await rows('SELECT 1 FROM "portal_session" WHERE "customer_id" = $1', [customerId])).toEqual([]);
    expect(await portal.find(secret)).toMatchObject({ kind: 'visitor', customerId: null });
    await expect(portal.signInByLink(undefined, { token })).rejects.toMatchObject(refused);
    await portal.requestSignIn(secret, { email: before });
    await house.settle();
    expect((await house.mail.messages({ to: before })).map(({ subject }) => subject)).toEqual([
      'Your e-mail address was changed',
    ]);
  });

  it('is told to the one before, without the new one, and that is a contact', async () => {
    const email = moved();
    const { customerId, before } = await changed(email);
    const { token } = await letter(email);
    await portal.signInByLink(undefined, { token });
    const { mail } = await letter(before);
    expect(mail?.subject).toBe('Your e-mail address was changed');
    expect(mail?.text).not.toContain(email);
    const contacts = await rows<{ document: { description: string } }>(
      `SELECT "document" FROM "party_interaction" WHERE "customer_id" = $1 AND "document" #>> '{channel,0,id}' = 'mail'`,
      [customerId],
    );
    expect(contacts.map(({ document }) => document.description)).toContain('Sent: Your e-mail address was changed');
    // Once for each change, also back and forth.
    await give(house.caller, { customerId, email: before });
    await give(house.caller, { customerId, email });
    await house.settle();
    expect(await house.mail.messages({ to: before })).toHaveLength(2);
    await give(house.caller, { customerId, phone: '6599999999' });
    await house.settle();
    expect(await house.mail.messages({ to: email })).toHaveLength(2);
  });

  it('that was asked for last counts: the link to one before is worth nothing', async () => {
    const [one, two] = [moved(), moved()];
    const { customerId } = await changed(one);
    const first = await letter(one);
    await changed(two, customerId);
    const second = await letter(two);
    await expect(portal.signInByLink(undefined, { token: first.token })).rejects.toMatchObject(refused);
    expect(await portal.signInByLink(undefined, { token: second.token })).toBe('addressProven');
    expect(await emailOf(customerId)).toBe(two);
  });

  it('that an operator gave is not moved by a link that still waits, even when it is the same as before', async () => {
    const email = moved();
    const { customerId, before } = await changed(email);
    const { token } = await letter(email);
    await give(house.caller, { customerId, email: before });
    await expect(portal.signInByLink(undefined, { token })).rejects.toMatchObject(refused);
    expect(await emailOf(customerId)).toBe(before);
  });

  it('that waits for its link is left alone by another phone number', async () => {
    const email = moved();
    const { customerId } = await changed(email);
    const { token } = await letter(email);
    await give(house.caller, { customerId, phone: '6599999999' });
    expect(await portal.signInByLink(undefined, { token })).toBe('addressProven');
  });

  it('ends the customer’s other sessions and the codes that wait, and leaves the session it was proven in', async () => {
    const customerId = await house.customer();
    const [own, other, stranger] = [await signedIn(customerId), await signedIn(customerId), await signedIn()];
    const waiting = await portal.begin();
    await portal.requestSignIn(waiting.secret, { email: own.email });
    const mailed = await letter(own.email);
    const email = moved();
    await changed(email, customerId);
    expect(await portal.signInByLink(own.secret, { token: (await letter(email)).token })).toBe('addressProven');
    expect(await portal.find(own.secret)).toMatchObject({ kind: 'customer', customerId });
    expect(await portal.find(stranger.secret)).toMatchObject({ kind: 'customer' });
    expect(await portal.find(other.secret)).toBeUndefined();
    await expect(portal.signIn(waiting.secret, { code: mailed.code })).rejects.toMatchObject(refused);
    await expect(portal.signInByLink(undefined, { token: mailed.token })).rejects.toMatchObject(refused);
  });

  it.each(['customer.change_contact', 'a PATCH of TMF629'])('by %s ends every session of the customer', async (by) => {
    const who = await signedIn();
    const customerId = who.session.customerId ?? '';
    const email = moved();
    const { patch } = customerCommands;
    if (!patch) throw new Error('a customer can be patched');
    if (by === 'customer.change_contact') await give(house.caller, { customerId, email });
    else {
      const contactMedium = [{ mediumType: 'email', preferred: true, characteristic: { emailAddress: email } }];
      await execute(
        house.policy,
        patch,
        { id: customerId, patch: { kind: 'merge', value: { contactMedium } } },
        house.caller,
      );
    }
    expect(await emailOf(customerId)).toBe(email);
    expect(await portal.find(who.secret)).toBeUndefined();
  });

  it('that somebody has is answered like any other, and only they are told', async () => {
    const taken = await emailOf(await house.customer());
    const free = `free-${randomUUID()}@example.com`;
    const [one, two] = [await changed(taken), await changed(free)];
    expect(one.result).toEqual({ id: one.customerId, unprovenEmail: taken });
    expect(two.result).toEqual({ id: two.customerId, unprovenEmail: free });
    const { mail, token } = await letter(taken);
    expect([mail?.subject, token]).toEqual(['Somebody wants to use this address', '']);
    expect(await emailOf(one.customerId)).toBe(one.before);
  });

  it('is taken at once from an operator, who is told whose it is', async () => {
    const [customerId, taken] = [await house.customer(), await emailOf(await house.customer())];
    const email = `desk-${randomUUID()}@example.com`;
    await give(house.caller, { customerId, email });
    expect(await emailOf(customerId)).toBe(email);
    await expect(give(house.caller, { customerId, email: taken })).rejects.toMatchObject({
      code: 'customer.email_unique',
    });
  });
});

describe('the operators’ pages', () => {
  async function token(audience: 'operator' | 'integrator' = 'operator') {
    const made = await execute(
      house.policy,
      createAccessToken,
      { name: 'Desk', audience, scopes: ['tools:*'] },
      house.caller,
    );
    return { ...made, caller: { ...house.caller, id: made.id } };
  }

  it('open by a link that works once', async () => {
    const { id, caller } = await token();
    const { path } = await execute(house.policy, makeDeskLink, {}, caller);
    const link = path.split('token=')[1] ?? '';
    const { session } = await portal.signInToDesk(undefined, { token: link });
    expect(session).toMatchObject({
      kind: 'operator',
      name: 'Desk',
      caller: { audience: 'operator', id, scopes: ['tools:*'] },
    });
    await expect(portal.signInToDesk(undefined, { token: link })).rejects.toMatchObject({ code: 'desk.token_is_live' });
  });

  it('open by an operator’s token and no other, and close when it is revoked', async () => {
    const [own, program] = [await token(), await token('integrator')];
    const { secret } = await portal.signInToDesk(undefined, { token: own.token });
    expect(await portal.find(secret)).toMatchObject({ kind: 'operator' });
    for (const other of [program.token, 'air_nothing', 'x'.repeat(43)]) {
      await expect(portal.signInToDesk(undefined, { token: other })).rejects.toMatchObject({
        code: 'desk.token_is_live',
      });
    }
    await execute(house.policy, revokeAccessToken, { id: own.id }, house.caller);
    expect(await portal.find(secret)).toBeUndefined();
  });
});

describe('no other surface', () => {
  it('has what only the pages may call', () => {
    const only = /^(session|sign_in|sign_up|second_code|one_time_code|number\.hold|desk)/;
    const house_ = commands.filter(({ name }) => only.test(name));
    expect(house_.length).toBeGreaterThan(12);
    for (const { name, audience } of house_) {
      expect([name, audience]).toEqual([name, ['system']]);
      for (const one of audiences) {
        const caller: Caller = {
          ...house.caller,
          audience: one,
          ...(one === 'customer' ? { customerId: 'cus_1' } : {}),
        };
        expect(tools.list(caller).map((tool) => tool.name)).not.toContain(name);
        expect(tools.needsConfirmation(name, caller)).toBe(false);
      }
    }
  });

  it.each([
    'session.begin',
    'session.touch',
    'session.end',
    'session.forget',
    'sign_in.request',
    'sign_in.enter',
    'sign_in.enter_by_link',
    'sign_up.start',
    'sign_up.keep_card',
    'sign_up.request_code',
    'sign_up.confirm',
    'sign_up.confirm_order',
    'sign_up.record_order',
    'second_code.request',
    'second_code.give',
    'number.hold',
    'desk.enter',
    'desk.make_link',
  ])('runs %s for anybody', async (name) => {
    for (const audience of audiences) {
      const caller: Caller = {
        ...house.caller,
        audience,
        ...(audience === 'customer' ? { customerId: 'cus_1' } : {}),
      };
      await expect(tools.run(name, {}, caller)).rejects.toMatchObject({ status: 404 });
      await expect(tools.propose(name, {}, caller)).rejects.toMatchObject({ status: 404 });
      await expect(tools.confirm(name, {}, caller, 'cnf_x')).rejects.toMatchObject({ status: 404 });
    }
  });
});
