import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type House, hurry, openHouse } from '../../doctrine/house.ts';
import { freezeClock } from '../clock/commands.ts';
import { type AnyCommand, execute, judge, type Policy, transaction } from '../core/command.ts';
import type { StepContext } from '../core/flow.ts';
import { runStatement } from '../core/transaction.ts';
import { loadEsims, loadNumbers } from '../inventory/commands.ts';
import { releaseNumber, takeBackEsim } from '../inventory/inventory.ts';
import { cancelOrderCommand } from '../order/cancel.ts';
import { productOrderCommands } from '../order/commands.ts';
import { endLine, endWaits, withdrawLineEnd } from '../order/end.ts';
import { steps } from '../steps.ts';
import { recordUsage } from '../usage/commands.ts';
import { replaceEsim } from './esim.ts';
import { portOut } from './port-out.ts';
import { setRoaming } from './roaming.ts';

let house: House;
beforeAll(async () => {
  house = await openHouse();
});
afterAll(() => house.close());

interface Row {
  id: string;
  customerId: string;
  state: string;
  blockReasons: string[];
  msisdn: string;
  serviceId: string;
  esimId: string;
  nextEsimId: string | null;
  endItemId: string | null;
  endsAt: Date | null;
  periodEndsAt: Date;
  number: string;
  numberLine: string | null;
  document: Record<string, unknown>;
}

async function read(line: string): Promise<Row> {
  const [row] = await runStatement<Row>(
    house.pool,
    `SELECT s.*, n."state" AS number, n."subscription_id" AS number_line FROM "subscription" s LEFT JOIN "phone_number" n ON n."msisdn" = s."msisdn" WHERE s."id" = $1`,
    [line],
  );
  if (!row) throw new Error('the line is gone');
  return row;
}

async function esim(
  id: string,
): Promise<{ state: string; subscriptionId: string | null; heldFor: string | null; iccid: string }> {
  const [row] = await runStatement<{
    state: string;
    subscriptionId: string | null;
    heldFor: string | null;
    iccid: string;
  }>(house.pool, 'SELECT * FROM "esim_profile" WHERE "id" = $1', [id]);
  if (!row) throw new Error('the profile is gone');
  return row;
}

async function newLine(offering = 'PLAN_S', card?: string): Promise<Row> {
  const order = await house.order(await house.customer(card), offering);
  await house.settle();
  return read((await house.state(order)).subscriptionId ?? '');
}

const run = (command: AnyCommand, input: object, policy: Policy = house.policy) =>
  execute(policy, command, input, house.caller);
const without = (...codes: string[]): Policy => ({ ...house.policy, rulesOff: new Set(codes) });
const advance = async (at: Date) => {
  await run(freezeClock, { at: at.toISOString() });
  await house.settle();
};
const orderState = async (id: string) => (await house.state(id)).order;
const payments = async (line: string) =>
  (
    await runStatement<{ purpose: string; state: string }>(
      house.pool,
      'SELECT "purpose", "state" FROM "payment" WHERE "subscription_id" = $1 OR "id" IN (SELECT "payment_id" FROM "order_item" WHERE "subscription_id" = $1) ORDER BY "id"',
      [line],
    )
  ).map((one) => `${one.purpose} ${one.state}`);
const use = (msisdn: string, usageType: string, volume: string, usageDate?: string, policy: Policy = house.policy) =>
  recordUsage(
    policy,
    {
      usageType,
      ...(usageDate ? { usageDate } : {}),
      usageCharacteristic: [
        { name: 'msisdn', value: msisdn },
        { name: 'volume', value: volume },
        { name: 'unit', value: 'MB' },
      ],
    },
    house.caller,
  );

describe('the end of a line', () => {
  it('at the boundary it is terminated instead of renewed, and never charged', async () => {
    const line = await newLine();
    const order = await run(endLine, { subscriptionId: line.id });
    await house.settle();
    expect(await orderState(order.id)).toBe('pending');
    const waiting = await read(line.id);
    expect([waiting.state, waiting.endsAt]).toEqual(['active', line.periodEndsAt]);
    expect(waiting.document.productTerm).toContainEqual(
      expect.objectContaining({ name: 'end', validFor: { endDateTime: line.periodEndsAt.toISOString() } }),
    );
    expect((await use(line.msisdn, 'data', '1')).document.status).toBe('rated');
    expect(await house.breaches()).toEqual([]);
    await advance(line.periodEndsAt);
    const ended = await read(line.id);
    expect([ended.state, ended.number, ended.numberLine]).toEqual(['terminated', 'quarantined', null]);
    expect(await orderState(order.id)).toBe('completed');
    expect(await payments(line.id)).toEqual(['order_item captured']);
    expect(await house.network.line(line.serviceId)).toMatchObject({ state: 'terminated' });
    expect(await house.breaches()).toEqual([]);
  });

  it('now it ends at once, whether active or blocked, and takes its waiting renewal along', async () => {
    const line = await newLine();
    await use(line.msisdn, 'data', '5120');
    expect((await read(line.id)).state).toBe('blocked');
    const order = await run(endLine, { subscriptionId: line.id, when: 'now' });
    await house.settle();
    expect([(await read(line.id)).state, await orderState(order.id)]).toEqual(['terminated', 'completed']);
    const left = await runStatement(
      house.pool,
      `SELECT "id" FROM "flow_step" WHERE "subject" = $1 AND "state" = 'waiting'`,
      [line.id],
    );
    expect(left).toEqual([]);
    expect(await house.breaches()).toEqual([]);
  });

  it.each(['withdraw', 'cancel'])('can be called off before, by %s, and then it renews', async (how) => {
    const line = await newLine();
    const order = await run(endLine, { subscriptionId: line.id });
    await house.settle();
    if (how === 'withdraw') await run(withdrawLineEnd, { subscriptionId: line.id });
    else await run(cancelOrderCommand, { orderId: order.id });
    await house.settle();
    const goesOn = await read(line.id);
    expect([await orderState(order.id), goesOn.endItemId, goesOn.endsAt]).toEqual(['cancelled', null, null]);
    expect(JSON.stringify(goesOn.document)).not.toContain('delete');
    await advance(line.periodEndsAt);
    expect((await read(line.id)).state).toBe('active');
    expect(await payments(line.id)).toEqual(['order_item captured', 'renewal captured']);
    await run(endLine, { subscriptionId: line.id, when: 'now' });
    await house.settle();
    expect(await house.breaches()).toEqual([]);
  });

  it('asked for while the renewal is being charged, gives back what that took', async () => {
    const line = await newLine();
    await house.gateway.plan({ mode: 'lose_answer', calls: ['authorise', 'capture'] });
    await house.gateway.plan({ mode: 'unavailable', calls: ['find'] });
    await run(freezeClock, { at: line.periodEndsAt.toISOString() });
    await expect(house.settle(undefined, 3)).rejects.toThrow(/work is left/);
    const order = await run(endLine, { subscriptionId: line.id });
    await house.gateway.clearPlans();
    await house.settle();
    expect([(await read(line.id)).state, await orderState(order.id)]).toEqual(['terminated', 'completed']);
    expect((await payments(line.id))[1]).toMatch(/^renewal (canceled|done)$/);
    expect(await house.breaches()).toEqual([]);
  });

  it('an unpaid line that is ended has its last attempt spared', async () => {
    const line = await newLine('PLAN_S', 'tok_renewal_declines');
    await advance(line.periodEndsAt);
    expect((await read(line.id)).blockReasons).toContain('unpaid');
    await run(endLine, { subscriptionId: line.id });
    await house.settle();
    const { endsAt } = await read(line.id);
    expect(endsAt?.getTime()).toBeGreaterThan(line.periodEndsAt.getTime());
    await advance(endsAt ?? new Date());
    expect((await read(line.id)).state).toBe('terminated');
    expect(await payments(line.id)).toEqual(['order_item captured', 'renewal denied']);
    expect(await house.breaches()).toEqual([]);
  });

  it('its rules, on and off', async () => {
    const line = await newLine();
    const order = await run(endLine, { subscriptionId: line.id });
    await house.settle();
    const again = (policy?: Policy) => run(endLine, { subscriptionId: line.id }, policy);
    await expect(again()).rejects.toMatchObject({ code: 'subscription.one_end_at_a_time', status: 409 });
    await run(withdrawLineEnd, { subscriptionId: line.id });
    await expect(run(withdrawLineEnd, { subscriptionId: line.id })).rejects.toMatchObject({
      code: 'subscription.withdraw_needs_waiting_end',
    });
    await expect(
      run(withdrawLineEnd, { subscriptionId: line.id }, without('subscription.withdraw_needs_waiting_end')),
    ).rejects.not.toMatchObject({ code: 'subscription.withdraw_needs_waiting_end' });
    expect(await orderState(order.id)).toBe('cancelled');

    const body = (product: object, customer = line.customerId) => ({
      document: {
        relatedParty: [{ id: customer, role: 'customer', '@referredType': 'Customer' }],
        productOrderItem: [{ id: '1', action: 'delete', product }],
      },
    });
    const place = (input: object, policy?: Policy) => run(productOrderCommands.create as AnyCommand, input, policy);
    const other = await house.customer();
    const foreign = body({ id: line.id }, other);
    await expect(place(foreign)).rejects.toMatchObject({ code: 'order.end_names_line' });
    await expect(place(foreign, without('order.end_names_line'))).rejects.not.toMatchObject({
      code: 'order.end_names_line',
    });
    const soon = body({ id: line.id, productCharacteristic: [{ name: 'end', value: 'tomorrow' }] });
    await expect(place(soon)).rejects.toMatchObject({ code: 'order.end_now_or_at_boundary' });
    const kept = await execute(house.policy, productOrderCommands.create as AnyCommand, foreign, house.caller, {
      keepRefused: true,
    });
    expect(await orderState(kept.id)).toBe('rejected');
    const first = await place(soon, without('order.end_now_or_at_boundary'));
    await expect(again(without('subscription.one_end_at_a_time'))).resolves.toBeDefined();
    await run(cancelOrderCommand, { orderId: first.id });
    await run(withdrawLineEnd, { subscriptionId: line.id });
    const last = await place(body({ id: line.id, productCharacteristic: [{ name: 'end', value: 'now' }] }));
    await house.settle();
    expect((await read(line.id)).state).toBe('terminated');
    await expect(again()).rejects.toMatchObject({ code: 'subscription.end_needs_live_line' });
    await expect(again(without('subscription.end_needs_live_line'))).rejects.not.toMatchObject({
      code: 'subscription.end_needs_live_line',
    });
    expect(await orderState(last.id)).toBe('completed');
  });

  it('cannot be called off once the line has ended, even before its order is complete', async () => {
    const line = await newLine();
    const order = await run(endLine, { subscriptionId: line.id, when: 'now' });
    await house.network.plan({ mode: 'unavailable', line: line.serviceId });
    await expect(house.settle(undefined, 2)).rejects.toThrow(/work is left/);
    const cancel = (policy?: Policy) => run(cancelOrderCommand, { orderId: order.id }, policy);
    await expect(cancel()).rejects.toMatchObject({ code: 'order.cancel_before_line_ended', status: 409 });
    expect([(await read(line.id)).state, (await read(line.id)).number]).toEqual(['terminated', 'assigned']);
    await house.network.clearPlans();
    await hurry(house.policy);
    await house.settle();
    expect([await orderState(order.id), (await read(line.id)).number]).toEqual(['completed', 'quarantined']);

    const second = await newLine();
    const ordered = await run(endLine, { subscriptionId: second.id, when: 'now' });
    await house.network.plan({ mode: 'unavailable', line: second.serviceId });
    await expect(house.settle(undefined, 2)).rejects.toThrow(/work is left/);
    await expect(
      run(cancelOrderCommand, { orderId: ordered.id }, without('order.cancel_before_line_ended')),
    ).resolves.toBeDefined();
    await house.network.clearPlans();
    await house.settle();
  });

  it('cannot be called off from its boundary on, when the renewal is carrying it out', async () => {
    const line = await newLine();
    const order = await run(endLine, { subscriptionId: line.id });
    await house.settle();
    await run(freezeClock, { at: line.periodEndsAt.toISOString() });
    await expect(run(withdrawLineEnd, { subscriptionId: line.id })).rejects.toMatchObject({
      code: 'subscription.withdraw_needs_waiting_end',
    });
    await expect(run(cancelOrderCommand, { orderId: order.id })).rejects.toMatchObject({
      code: 'order.cancel_before_line_ended',
    });
    await house.settle();
    expect([(await read(line.id)).state, await orderState(order.id)]).toEqual(['terminated', 'completed']);
  });

  it.each([
    ['before anything was charged', false, 'active'],
    ['after the card was asked and the money let go', true, 'blocked'],
  ])('called off in the last moment, %s, the line still has its next boundary', async (_when, isCharged, state) => {
    const line = await newLine();
    if (isCharged) {
      await house.gateway.plan({ mode: 'lose_answer', calls: ['authorise'] });
      await house.gateway.plan({ mode: 'unavailable', calls: ['find'] });
      await run(freezeClock, { at: line.periodEndsAt.toISOString() });
      await expect(house.settle(undefined, 3)).rejects.toThrow(/work is left/);
      await house.gateway.clearPlans();
    }
    const order = await run(endLine, { subscriptionId: line.id });
    if (!isCharged) await run(freezeClock, { at: line.periodEndsAt.toISOString() });
    await hurry(house.policy);
    // Whoever began before the boundary may commit after the renewal has read the line.
    let left = 1;
    const late = steps.map((step) =>
      step.flow === 'renewal'
        ? {
            ...step,
            run: (context: StepContext) =>
              step.run({
                ...context,
                during: async (name, work) => {
                  const done = await context.during(name, work);
                  if (name === 'payment.read' && left-- > 0) {
                    await run(withdrawLineEnd, { subscriptionId: line.id }, without(endWaits.code));
                  }
                  return done;
                },
              }),
          }
        : step,
    );
    await house.settle(house.worker(late));
    const after = await read(line.id);
    expect([after.state, after.endItemId, await orderState(order.id)]).toEqual([state, null, 'cancelled']);
    const [next] = await runStatement<{ n: bigint }>(
      house.pool,
      `SELECT count(*) AS n FROM "flow_step" WHERE "flow" = 'renewal' AND "subject" = $1 AND "state" = 'waiting'`,
      [line.id],
    );
    expect(Number(next?.n)).toBe(1);
    expect(await house.breaches()).toEqual([]);
  });

  it('a step that gives back twice, or late, never frees what is somebody else’s by then', async () => {
    const line = await newLine();
    const other = await newLine();
    await transaction(house.policy, 'test.late', house.caller, {}, async (tx) => {
      await releaseNumber(tx, other.msisdn, [line.id]);
      await takeBackEsim(tx, other.esimId, [line.id, null]);
    });
    const untouched = await read(other.id);
    expect([untouched.number, untouched.numberLine]).toEqual(['assigned', other.id]);
    expect(await esim(other.esimId)).toMatchObject({ state: 'released', subscriptionId: other.id });
  });
});

describe('another eSIM', () => {
  it('takes the place of the old one when the network confirms, on a blocked line without unblocking it', async () => {
    const line = await newLine();
    const old = await esim(line.esimId);
    await use(line.msisdn, 'data', '5120');
    await house.settle();
    await run(replaceEsim, { subscriptionId: line.id });
    const during = await read(line.id);
    expect([during.esimId, during.nextEsimId === null]).toEqual([line.esimId, false]);
    await expect(run(replaceEsim, { subscriptionId: line.id })).rejects.toMatchObject({
      code: 'subscription.one_esim_replacement_at_a_time',
    });
    await house.settle();
    const after = await read(line.id);
    expect([after.state, after.blockReasons, after.esimId, after.nextEsimId]).toEqual([
      'blocked',
      ['exhausted'],
      during.nextEsimId,
      null,
    ]);
    const now = await esim(after.esimId);
    expect(now).toMatchObject({ state: 'released', subscriptionId: line.id, heldFor: null });
    expect(await esim(line.esimId)).toMatchObject({ state: 'deleted', subscriptionId: null });
    expect(await house.network.line(line.serviceId)).toMatchObject({
      state: 'inactive',
      data: false,
      iccid: now.iccid,
    });
    expect(now.iccid).not.toBe(old.iccid);
    expect(JSON.stringify(after.document)).toContain(after.esimId);
    expect(await house.breaches()).toEqual([]);
  });

  it.each([
    ['refuses for good', { mode: 'refuse' as const, permanent: true, times: 1 }],
    ['does not answer', { mode: 'lose_answer' as const, times: 6 }],
  ])('when the network %s, the old one stays and the new one goes back', async (_, plan) => {
    const line = await newLine();
    await house.network.plan({ ...plan, line: line.serviceId });
    await run(replaceEsim, { subscriptionId: line.id });
    const wanted = (await read(line.id)).nextEsimId ?? '';
    await house.settle();
    const after = await read(line.id);
    const old = await esim(line.esimId);
    if (after.esimId === line.esimId) {
      expect([after.state, after.nextEsimId, old.state]).toEqual(['active', null, 'released']);
      expect(await esim(wanted)).toMatchObject({ state: 'available', heldFor: null });
    }
    expect(await house.network.line(line.serviceId)).toMatchObject({
      state: 'active',
      iccid: (await esim(after.esimId)).iccid,
    });
    expect(after.esimId).toBe(line.esimId);
    expect(await house.breaches()).toEqual([]);
  });

  it('a block that falls into a replacement is kept to, whichever way it ends', async () => {
    const line = await newLine();
    await house.network.plan({ mode: 'refuse', permanent: true, line: line.serviceId, times: 2 });
    await run(replaceEsim, { subscriptionId: line.id });
    await use(line.msisdn, 'data', '5120');
    await house.settle();
    expect(await read(line.id)).toMatchObject({ state: 'blocked', esimId: line.esimId, nextEsimId: null });
    expect(await house.network.line(line.serviceId)).toMatchObject({
      state: 'inactive',
      iccid: (await esim(line.esimId)).iccid,
    });
    expect(await house.breaches()).toEqual([]);
  });

  it('a line that ends while its eSIM is replaced gives both back', async () => {
    const line = await newLine();
    await house.network.plan({ mode: 'unavailable', line: line.serviceId, times: 1 });
    await run(replaceEsim, { subscriptionId: line.id });
    await run(endLine, { subscriptionId: line.id, when: 'now' });
    await house.settle();
    expect((await read(line.id)).state).toBe('terminated');
    expect(await house.breaches()).toEqual([]);
  });

  it('its rules, on and off', async () => {
    const line = await newLine();
    await run(replaceEsim, { subscriptionId: line.id });
    const replace = (policy?: Policy) => run(replaceEsim, { subscriptionId: line.id }, policy);
    await expect(replace(without('subscription.one_esim_replacement_at_a_time'))).resolves.toBeDefined();
    await house.settle();
    await run(endLine, { subscriptionId: line.id, when: 'now' });
    await house.settle();
    await expect(replace()).rejects.toMatchObject({ code: 'subscription.replace_esim_needs_live_line' });
    const code = 'subscription.replace_esim_needs_live_line';
    expect(await judge(without(code), replaceEsim, { subscriptionId: line.id }, house.caller)).toBeUndefined();
  });
});

describe('a number that goes to another operator', () => {
  it('is gone for good, its line with it, and is never sold again', async () => {
    const line = await newLine();
    await run(portOut, { msisdn: line.msisdn });
    await house.settle();
    const gone = await read(line.id);
    expect([gone.state, gone.number, gone.numberLine]).toEqual(['terminated', 'ported out', null]);
    expect((await esim(line.esimId)).state).toBe('available');
    expect((await use(line.msisdn, 'data', '1')).document.status).toBe('rejected');
    const again = (policy?: Policy) => run(portOut, { msisdn: line.msisdn }, policy);
    await expect(again()).rejects.toMatchObject({ code: 'number.ported_out_is_final', status: 409 });
    await expect(again(without('number.ported_out_is_final'))).rejects.toMatchObject({
      code: 'number.port_out_needs_live_line',
    });
    await expect(
      again(without('number.ported_out_is_final', 'number.port_out_needs_live_line')),
    ).rejects.not.toMatchObject({ code: 'number.port_out_needs_live_line' });
    expect(await run(loadNumbers, { first: line.msisdn, count: 1 })).toEqual({ loaded: 0 });
    await run(freezeClock, {
      at: new Date((await read(line.id)).periodEndsAt.getTime() + 200 * 86_400_000).toISOString(),
    });
    await house.settle();
    expect((await read(line.id)).number).toBe('ported out');
    expect(await house.breaches()).toEqual([]);
  });
});

describe('the roaming switch', () => {
  it('stops data abroad, at the network too, and judges late usage by what it was', async () => {
    const line = await newLine('PLAN_M');
    expect((await use(line.msisdn, 'roamingData', '1')).document.status).toBe('rated');
    const before = new Date(
      (await runStatement<{ now: Date }>(house.pool, 'SELECT business_now() AS now', []))[0]?.now ?? 0,
    );
    await run(freezeClock, { at: new Date(before.getTime() + 60_000).toISOString() });
    await run(setRoaming, { subscriptionId: line.id, roaming: 'off' });
    await house.settle();
    expect(await house.network.line(line.serviceId)).toMatchObject({ state: 'active', data: true, roamingData: false });
    const refused = await use(line.msisdn, 'roamingData', '1');
    expect([refused.document.status, refused.document.statusReason]).toEqual([
      'rejected',
      expect.stringMatching(/^usage\.roaming_on: /),
    ]);
    expect((await use(line.msisdn, 'data', '1')).document.status).toBe('rated');
    expect((await use(line.msisdn, 'roamingData', '1', before.toISOString())).document.status).toBe('rated');
    expect((await use(line.msisdn, 'roamingData', '1', undefined, without('usage.roaming_on'))).document.status).toBe(
      'rated',
    );
    const [service] = await runStatement<{ document: unknown }>(
      house.pool,
      'SELECT "document" FROM "service" WHERE "id" = $1',
      [line.serviceId],
    );
    expect(JSON.stringify(service?.document)).toContain('"name":"roaming","value":false');
    await run(setRoaming, { subscriptionId: line.id, roaming: 'on' });
    await house.settle();
    expect(await house.network.line(line.serviceId)).toMatchObject({ roamingData: true });
    expect((await use(line.msisdn, 'roamingData', '1')).document.status).toBe('rated');
    expect(await house.breaches()).toEqual([]);
    await run(endLine, { subscriptionId: line.id, when: 'now' });
    await house.settle();
    const code = 'subscription.roaming_needs_live_line';
    const off = (policy?: Policy) => run(setRoaming, { subscriptionId: line.id, roaming: 'off' }, policy);
    await expect(off()).rejects.toMatchObject({ code });
    await expect(off(without(code))).resolves.toBeDefined();
  });
});

describe('stocks that run low', () => {
  it('tell once when they cross the threshold, and once when they are filled', async () => {
    const [free] = await runStatement<{ count: bigint }>(
      house.pool,
      `SELECT count(*) AS count FROM "phone_number" WHERE "state" = 'available'`,
      [],
    );
    const [esims] = await runStatement<{ count: bigint }>(
      house.pool,
      `SELECT count(*) AS count FROM "esim_profile" WHERE "state" = 'available'`,
      [],
    );
    const told = async () =>
      (
        await runStatement<{ type: string }>(
          house.pool,
          `SELECT "type" FROM "event" WHERE "resource_type" IN ('numberStock', 'esimStock') ORDER BY "position"`,
          [],
        )
      ).map((one) => one.type);
    const before = await told();
    const numbers = { ...house.policy.settings, stockLow: Number(free?.count) };
    const atNumbers: Policy = { ...house.policy, settings: numbers };
    const worker = house.worker(undefined, atNumbers);
    for (let orders = 0; orders < 3; orders += 1) await house.order(await house.customer());
    await house.settle(worker);
    expect((await told()).slice(before.length).filter((type) => type.startsWith('Number'))).toEqual([
      'NumberStockLowEvent',
    ]);
    await run(loadNumbers, { first: '6590000000', count: 10 }, atNumbers);
    await run(loadNumbers, { first: '6590000100', count: 10 }, atNumbers);
    expect((await told()).slice(before.length).filter((type) => type.startsWith('Number'))).toEqual([
      'NumberStockLowEvent',
      'NumberStockRefilledEvent',
    ]);
    const low: Policy = { ...house.policy, settings: { ...numbers, stockLow: Number(esims?.count) + 2 } };
    const one = (n: number) => ({ iccid: `896598765432100000${n}`, activationCode: `LPA:1$smdp.example.com$T${n}` });
    const marks = (await told()).length;
    await run(loadEsims, { profiles: [one(1)] }, low);
    await run(loadEsims, { profiles: [2, 3, 4, 5, 6, 7, 8, 9].map(one) }, low);
    expect((await told()).slice(marks)).toEqual([expect.stringMatching(/^EsimStock/)]);
  });

  it('an empty one is a refusal', async () => {
    const line = await newLine();
    await transaction(house.policy, 'test.sold_out', house.caller, {}, async (tx) => {
      await tx.sql`UPDATE "esim_profile" SET "state" = 'deleted' WHERE "state" = 'available'`;
    });
    const code = 'subscription.replace_esim_needs_stock';
    const judged = (policy: Policy) => judge(policy, replaceEsim, { subscriptionId: line.id }, house.caller);
    expect(await judged(house.policy)).toMatchObject({ code });
    expect(await judged(without(code))).toBeUndefined();
  });
});
