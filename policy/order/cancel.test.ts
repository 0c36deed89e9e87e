import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { CardGateway } from '../../adapters/card-gateway.ts';
import { type FaultMode, makeFaults, modesAt } from '../../doctrine/faults.ts';
import { type House, hurry, openHouse, operator } from '../../doctrine/house.ts';
import type { JsonObject } from '../../kernel/json.ts';
import { freezeClock } from '../clock/commands.ts';
import { type AnyCommand, execute, type Policy } from '../core/command.ts';
import { claimSteps, stepContext } from '../core/flow.ts';
import { leads } from '../core/machine.ts';
import type { Stored } from '../core/resource.ts';
import { runStatement } from '../core/transaction.ts';
import { steps } from '../steps.ts';
import { cancelOrderCommand, cancelProductOrderCommands, cancelProductOrderMachine } from './cancel.ts';
import { productOrderCommands } from './commands.ts';

let house: House;
beforeAll(async () => {
  house = await openHouse();
});
afterAll(() => house.close());
beforeEach(async () => {
  await house.gateway.clearPlans();
  await house.network.clearPlans();
});

const must = (command: AnyCommand | undefined): AnyCommand => {
  if (!command) throw new Error('there is no create');
  return command;
};

/** Cancels as the TMF door does: a refusal is kept in the task. */
async function cancel(orderId: string, more: JsonObject = {}, policy: Policy = house.policy): Promise<Stored> {
  const document = { productOrder: { id: orderId }, ...more };
  const made: Stored = await execute(policy, must(cancelProductOrderCommands.create), { document }, operator, {
    keepRefused: true,
  });
  return made;
}

const without = (code: string): Policy => ({ ...house.policy, rulesOff: new Set([code]) });

async function task(id: string): Promise<JsonObject> {
  const [row] = await runStatement<{ document: JsonObject }>(
    house.pool,
    'SELECT "document" FROM "cancel_product_order" WHERE "id" = $1',
    [id],
  );
  if (!row) throw new Error(`there is no task ${id}`);
  return row.document;
}

const refusedAs = (code: string) => ({
  state: 'terminatedWithError',
  statusReason: expect.stringContaining(`${code}: `),
});

/** Runs the next due step, one at a time. @returns its name, undefined when there is none. */
async function step(policy: Policy = house.policy): Promise<string | undefined> {
  const [claimed] = await claimSteps(house.policy, 'one', 1, 60);
  if (!claimed) return undefined;
  const definition = steps.find((one) => one.flow === claimed.flow && one.step === claimed.step);
  if (!definition) throw new Error(`there is no step ${claimed.flow}.${claimed.step}`);
  await definition.run(stepContext(policy, claimed));
  return `${claimed.flow}.${claimed.step}`;
}

/** The same policy with a gateway that lets something happen while it is asked. */
function whileAsked(call: 'authorise' | 'capture', when: 'before' | 'after', happens: () => Promise<unknown>): Policy {
  const gateway: CardGateway = {
    ...house.gateway,
    [call]: async (request: Parameters<CardGateway['authorise']>[0] & Parameters<CardGateway['capture']>[0]) => {
      if (when === 'before') await happens();
      const answer = await house.gateway[call](request);
      if (when === 'after') await happens();
      return answer;
    },
  };
  return { ...house.policy, outside: { ...house.policy.outside, gateway } };
}

/** Waits until so many steps of an order are done, or no more will be. */
async function until(order: string, done: number): Promise<void> {
  for (;;) {
    const [row] = await runStatement<{ done: bigint; isOver: boolean }>(
      house.pool,
      `SELECT (SELECT count(*) FROM "flow_step" f JOIN "order_item" i ON f."subject" IN (i."id", i."service_id")
           WHERE i."product_order_id" = o."id" AND f."state" = 'done') AS done, o."state" = 'completed' AS is_over
         FROM "product_order" o WHERE o."id" = $1`,
      [order],
    );
    if (Number(row?.done) >= done || row?.isOver === true) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

async function activeLine(): Promise<string> {
  const order = await house.order(await house.customer());
  await house.settle();
  const { subscriptionId } = await house.state(order);
  if (!subscriptionId) throw new Error('the line was not made');
  return subscriptionId;
}

const sales = [
  { name: 'a plan', begin: async () => house.order(await house.customer()) },
  { name: 'an add-on', begin: async () => house.topUp(await activeLine(), 'VAS_DATA_1GB') },
  {
    name: 'a plan whose first authorisation runs out',
    begin: async () => house.order(await house.customer('tok_authorisation_expires')),
  },
];

describe('an order is cancelled at any point before its capture, and at none after it', () => {
  it.each(sales)('$name', { timeout: 60_000 }, async ({ begin }) => {
    const ends = new Set<string>();
    for (let before = 0; ; before += 1) {
      const order = await begin();
      const ran: (string | undefined)[] = [];
      while (ran.length < before) ran.push(await step());
      const { id } = await cancel(order, { cancellationReason: 'changed my mind' });
      await house.settle();
      const { state } = await task(id);
      const after = await house.state(order);
      const isTaken = ran.includes('order.capture') && after.payment === 'captured';
      expect([ran, state, after.order]).toEqual(
        isTaken ? [ran, 'terminatedWithError', 'completed'] : [ran, 'done', 'cancelled'],
      );
      expect(await house.breaches()).toEqual([]);
      ends.add(String(state));
      if (ran.at(-1) === undefined && before > 0) break;
    }
    expect([...ends]).toEqual(['done', 'terminatedWithError']);
  });

  it('with nothing asked of anybody it is over at once', async () => {
    const order = await house.order(await house.customer());
    const made = await cancel(order, { cancellationReason: 'changed my mind' });
    expect(made.document).toMatchObject({
      '@type': 'CancelProductOrder',
      state: 'done',
      effectiveCancellationDate: expect.any(String),
    });
    const [row] = await runStatement<{ document: JsonObject }>(
      house.pool,
      'SELECT "document" FROM "product_order" WHERE "id" = $1',
      [order],
    );
    expect(row?.document).toMatchObject({
      state: 'cancelled',
      cancellationReason: 'changed my mind',
      cancellationDate: expect.any(String),
      productOrderItem: [{ state: 'cancelled' }],
    });
    expect(await step()).toBeUndefined();
    const events = await runStatement<{ type: string }>(
      house.pool,
      'SELECT "type" FROM "event" WHERE "resource_id" = $1 ORDER BY "position"',
      [made.id],
    );
    expect(events.map((event) => event.type)).toEqual([
      'CancelProductOrderCreateEvent',
      'CancelProductOrderStateChangeEvent',
      'CancelProductOrderStateChangeEvent',
    ]);
  });

  it('a task is in progress until held money and reserved stock are back', async () => {
    const order = await house.order(await house.customer());
    expect([await step(), await step()]).toEqual(['order.authorise', 'order.provision']);
    const made = await cancel(order);
    expect(made.document.state).toBe('inProgress');
    expect(await house.state(order)).toMatchObject({ order: 'cancelled', line: 'terminated', payment: 'authorized' });
    await house.settle();
    expect((await task(made.id)).state).toBe('done');
    expect(await house.state(order)).toMatchObject({ order: 'cancelled', line: 'terminated', payment: 'canceled' });
    expect(await house.breaches()).toEqual([]);
  });

  it.each(['before', 'after'] as const)(
    'while the card is being authorised, %s the gateway decides: what is held is let go',
    async (when) => {
      const order = await house.order(await house.customer());
      let made: Stored | undefined;
      await step(
        whileAsked('authorise', when, async () => {
          made = await cancel(order);
        }),
      );
      expect(made?.document.state).toBe('inProgress');
      await house.settle();
      expect((await task(made?.id ?? '')).state).toBe('done');
      expect(await house.state(order)).toMatchObject({ order: 'cancelled', payment: 'canceled' });
      expect(await house.breaches()).toEqual([]);
    },
  );

  it('while it waits for the customer to confirm, who then confirms for nothing', async () => {
    const order = await house.order(await house.customer('tok_requires_action'));
    await house.worker().drain();
    expect((await house.state(order)).order).toBe('held');
    const made = await cancel(order);
    await house.settle();
    expect((await task(made.id)).state).toBe('done');
    expect(await house.state(order)).toMatchObject({ order: 'cancelled', payment: 'canceled' });
    expect(await house.breaches()).toEqual([]);
  });

  it('when the answer of the gateway was lost', async () => {
    for (const token of ['tok_timeout_after', 'tok_timeout_before']) {
      const order = await house.order(await house.customer(token));
      await house.worker().drain();
      const made = await cancel(order);
      await house.settle();
      expect((await task(made.id)).state).toBe('done');
      expect(await house.state(order)).toMatchObject({ order: 'cancelled', payment: 'canceled' });
      expect(await house.breaches()).toEqual([]);
    }
  });

  it('at any instant beside running workers, an order is served and paid for, or cancelled and free', {
    timeout: 60_000,
  }, async () => {
    const lines: string[] = [];
    while (lines.length < 6) lines.push(await activeLine());
    const orders = await Promise.all([
      ...Array.from({ length: 24 }, async () => house.order(await house.customer())),
      ...lines.map((line) => house.topUp(line, 'VAS_DATA_1GB')),
    ]);
    const workers = [house.worker(), house.worker()];
    for (const worker of workers) worker.start();
    const tasks = await Promise.all(
      orders.map(async (order, index) => {
        await until(order, index % 8);
        return { order, ...(await cancel(order)) };
      }),
    );
    for (const worker of workers) await worker.stop();
    await hurry(house.policy);
    await house.settle();
    const seen = new Set<string>();
    for (const { id, order } of tasks) {
      const { state, statusReason } = await task(id);
      const after = await house.state(order);
      if (state === 'done') expect(after.order).toBe('cancelled');
      else
        expect([statusReason, after.order]).toEqual([
          expect.stringContaining('order.cancel_before_activation'),
          'completed',
        ]);
      seen.add(String(state));
    }
    expect([...seen].sort()).toEqual(['done', 'terminatedWithError']);
    expect(await house.breaches()).toEqual([]);
  });
});

it('whatever fails while it is cancelled, all of it comes back', { timeout: 120_000 }, async () => {
  const faults = makeFaults(house.gateway, house.network);
  const faulty = house.worker(faults.steps(steps));
  const play = async (planted: ReadonlyMap<number, FaultMode>): Promise<void> => {
    await house.gateway.clearPlans();
    await house.network.clearPlans();
    const order = await house.order(await house.customer());
    expect([await step(), await step()]).toEqual(['order.authorise', 'order.provision']);
    const { id } = await cancel(order);
    faults.begin(planted);
    await house.settle(faulty);
    expect([[...planted], (await task(id)).state, (await house.state(order)).order]).toEqual([
      [...planted],
      'done',
      'cancelled',
    ]);
  };
  await play(new Map());
  const points = [...faults.passed];
  expect(points).toEqual(expect.arrayContaining(['gateway.void', 'network.apply']));
  for (const [index, point] of points.entries()) {
    for (const mode of modesAt(point)) await play(new Map([[index, mode]]));
    expect([point, await house.breaches()]).toEqual([point, []]);
  }
});

describe('rules', () => {
  it('order.cancel_before_activation: while the money is being taken it is too late', async () => {
    const attempt = async (policy: Policy): Promise<Stored> => {
      const order = await house.order(await house.customer());
      for (let ran = await step(); ran !== 'network.deliver'; ran = await step()) expect(ran).toBeDefined();
      let made: Stored | undefined;
      const during = whileAsked('capture', 'before', async () => {
        made = await cancel(order, {}, policy);
      });
      expect(await step(during)).toBe('order.capture');
      if (!made) throw new Error('nothing was tried');
      return made;
    };
    const made = await attempt(house.policy);
    expect(made.document).toMatchObject(refusedAs('order.cancel_before_activation'));
    await house.settle();
    expect(await house.breaches()).toEqual([]);
  });

  it('order.cancel_before_activation: a served order stays served', async () => {
    const order = await house.order(await house.customer());
    await house.settle();
    const refused = refusedAs('order.cancel_before_activation');
    expect((await cancel(order)).document).toMatchObject(refused);
    expect((await cancel(order, {}, without('order.cancel_before_activation'))).document).not.toMatchObject(refused);
    expect(await house.state(order)).toMatchObject({ order: 'completed', line: 'active', payment: 'captured' });
    await expect(execute(house.policy, cancelOrderCommand, { orderId: order }, operator)).rejects.toMatchObject({
      status: 409,
      code: 'order.cancel_before_activation',
    });
  });

  it('order.cancel_names_our_order', async () => {
    expect((await cancel('ord_none')).document).toMatchObject(refusedAs('order.cancel_names_our_order'));
    expect((await cancel('ord_none', {}, without('order.cancel_names_our_order'))).document).not.toMatchObject(
      refusedAs('order.cancel_names_our_order'),
    );
  });

  it('order.cancel_needs_open_order: what failed, was rejected or was cancelled before has nothing left', async () => {
    const failed = await house.order(await house.customer('tok_declined'));
    await house.settle();
    const cancelled = await house.order(await house.customer());
    await cancel(cancelled);
    const rejected: Stored = await execute(
      house.policy,
      must(productOrderCommands.create),
      { document: { relatedParty: [], productOrderItem: [{ id: '1', action: 'add' }] } },
      operator,
      { keepRefused: true },
    );
    for (const [order, state] of [
      [failed, 'failed'],
      [cancelled, 'cancelled'],
      [rejected.id, 'rejected'],
    ] as const) {
      expect((await cancel(order)).document).toMatchObject(refusedAs('order.cancel_needs_open_order'));
      expect((await house.state(order)).order).toBe(state);
    }
    expect((await cancel(failed, {}, without('order.cancel_needs_open_order'))).document.state).toBe('done');
  });

  it('a task that names no order is no task', async () => {
    await expect(
      execute(house.policy, must(cancelProductOrderCommands.create), { document: {} }, operator),
    ).rejects.toMatchObject({ status: 400 });
    expect(Object.keys(cancelProductOrderCommands)).toEqual(['create']);
  });
});

describe('several items', () => {
  const twoPlans = async (token = 'tok_visa'): Promise<string> => {
    const customer = await house.customer(token);
    const [offering] = await runStatement<{ id: string }>(
      house.pool,
      `SELECT "id" FROM "product_offering" WHERE "code" = 'PLAN_S'`,
      [],
    );
    const made: Stored = await execute(
      house.policy,
      must(productOrderCommands.create),
      {
        document: {
          relatedParty: [{ id: customer, role: 'customer', '@referredType': 'Customer' }],
          productOrderItem: ['1', '2'].map((id) => ({
            id,
            action: 'add',
            quantity: 1,
            productOffering: { id: offering?.id ?? '' },
          })),
        },
      },
      operator,
    );
    return made.id;
  };

  it('are cancelled together, and one that is served already keeps the order', { timeout: 90_000 }, async () => {
    for (let before = 0; before < 12; before += 1) {
      const order = await twoPlans();
      for (let ran = 0; ran < before; ran += 1) await step();
      const { id } = await cancel(order);
      await house.settle();
      const { state } = await task(id);
      expect(['done cancelled', 'terminatedWithError completed']).toContain(
        `${String(state)} ${(await house.state(order)).order}`,
      );
      expect(await house.breaches()).toEqual([]);
    }
  });

  it.each([
    ['prepare', 'inactive'],
    ['enable', 'active'],
  ] as const)(
    'what the network would not %s gives back all that it held, also when the rest is cancelled',
    {
      timeout: 120_000,
    },
    async (_, when) => {
      for (let before = 2; before < 14; before += 1) {
        await house.network.plan({ mode: 'refuse', permanent: true, when, times: 1 });
        const order = await twoPlans();
        for (let ran = 0; ran < before; ran += 1) await step();
        await cancel(order);
        await house.settle();
        expect([before, await house.breaches()]).toEqual([before, []]);
        await house.network.clearPlans();
      }
    },
  );
});

describe('a day that was asked for', () => {
  const inDays = async (days: number): Promise<Date> => {
    const [row] = await runStatement<{ now: Date }>(house.pool, 'SELECT business_now() AS now', []);
    return new Date((row?.now.getTime() ?? 0) + days * 86_400_000);
  };

  it('is waited for; by then the order may be served', async () => {
    const served = await house.order(await house.customer());
    const made = await cancel(served, { requestedCancellationDate: (await inDays(1)).toISOString() });
    expect(made.document.state).toBe('acknowledged');
    await house.settle();
    expect((await house.state(served)).order).toBe('completed');
    expect((await task(made.id)).state).toBe('acknowledged');
    await execute(house.policy, freezeClock, { at: (await inDays(1)).toISOString() }, house.caller);
    await house.settle();
    expect(await task(made.id)).toMatchObject(refusedAs('order.cancel_before_activation'));
  });

  it('is waited for; an order that is still held is cancelled', async () => {
    const held = await house.order(await house.customer('tok_requires_action'));
    const soon = new Date((await inDays(0)).getTime() + 60_000);
    const made = await cancel(held, { requestedCancellationDate: soon.toISOString() });
    await house.worker().drain();
    expect((await house.state(held)).order).toBe('held');
    await execute(house.policy, freezeClock, { at: soon.toISOString() }, house.caller);
    await house.settle();
    expect((await task(made.id)).state).toBe('done');
    expect((await house.state(held)).order).toBe('cancelled');
    expect(await house.breaches()).toEqual([]);
  });
});

it('a cancellation moves only along its table', () => {
  const states = ['acknowledged', 'inProgress', 'done', 'terminatedWithError'];
  const moves = states.flatMap((from) =>
    states.filter((to) => leads(cancelProductOrderMachine, from, to)).map((to) => `${from} ${to}`),
  );
  expect(moves).toEqual(['acknowledged inProgress', 'acknowledged terminatedWithError', 'inProgress done']);
});
