import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type FaultMode, type Faults, faultModes, makeFaults, modesAt } from '../../doctrine/faults.ts';
import { type House, hurry, openHouse } from '../../doctrine/house.ts';
import type { Worker } from '../../workers/worker.ts';
import { paymentMethodCommands } from '../card/commands.ts';
import { freezeClock } from '../clock/commands.ts';
import { execute, run, transaction } from '../core/command.ts';
import {
  type ClaimedStep,
  claimSteps,
  extendLease,
  LeaseLost,
  putBack,
  type StepContext,
  type StepDefinition,
  stepContext,
} from '../core/flow.ts';
import { runStatement } from '../core/transaction.ts';
import { steps } from '../steps.ts';
import { terminateLine } from '../subscription/line.ts';
import { productOrderCommands } from './commands.ts';

let house: House;
let faults: Faults;
let faulty: Worker;

beforeAll(async () => {
  house = await openHouse();
  faults = makeFaults(house.gateway, house.network);
  faulty = house.worker(faults.steps(steps));
});
afterAll(() => house.close());

/** What is tried with every fault: it begins clean, something is done, and this is how it may end. */
interface Story {
  name: string;
  /** Everything up to the instant at which faults may strike. */
  prepare(): Promise<string>;
  begin(prepared: string): Promise<string>;
  /** Where it ends when no fault strikes, and also when one does that is not a refusal. */
  ends: string;
  /** Where it may end when a refusal strikes. */
  refused: readonly string[];
}

async function activeLine(token = 'tok_visa'): Promise<string> {
  const order = await house.order(await house.customer(token));
  await house.settle();
  const { subscriptionId } = await house.state(order);
  if (!subscriptionId) throw new Error('the line was not made');
  return subscriptionId;
}

const sale = (
  name: string,
  token: string,
  ends: string,
  refused: readonly string[],
  before: () => Promise<unknown> = async () => undefined,
): Story => ({
  name,
  prepare: () => house.customer(token),
  begin: async (customer) => {
    await before();
    return house.order(customer);
  },
  ends,
  refused,
});

const stories: readonly Story[] = [
  sale('a plan is bought', 'tok_visa', 'completed', ['failed', 'completed']),
  sale('the card is declined', 'tok_declined', 'failed', ['failed']),
  sale('the first authorisation runs out', 'tok_authorisation_expires', 'completed', ['failed', 'completed']),
  sale('the capture fails', 'tok_authorises_capture_fails', 'failed', ['failed']),
  sale('the gateway loses its answers', 'tok_timeout_after', 'completed', ['failed', 'completed']),
  sale('the network will not provision', 'tok_visa', 'failed', ['failed', 'completed'], () =>
    house.network.plan({ mode: 'refuse', permanent: true, when: 'inactive', times: 1 }),
  ),
  sale('the network will not enable', 'tok_visa', 'failed', ['failed', 'completed'], () =>
    house.network.plan({ mode: 'refuse', permanent: true, when: 'active', times: 1 }),
  ),
  {
    name: 'an add-on is bought',
    prepare: () => activeLine(),
    begin: (line) => house.topUp(line, 'VAS_DATA_1GB'),
    ends: 'completed',
    refused: ['failed', 'completed'],
  },
  {
    name: 'the line ends while an add-on is paid for',
    prepare: () => activeLine(),
    begin: async (line) => {
      const order = await house.topUp(line, 'VAS_DATA_1GB');
      await transaction(house.policy, 'test.terminate', house.caller, {}, (tx) =>
        terminateLine(tx, line, { flow: 'line', subject: line, confirmed: 'release', refused: 'release' }),
      );
      return order;
    },
    ends: 'failed',
    refused: ['failed'],
  },
];

async function play(story: Story, planted: ReadonlyMap<number, FaultMode>): Promise<string> {
  await house.gateway.clearPlans();
  await house.network.clearPlans();
  const prepared = await story.prepare();
  const order = await story.begin(prepared);
  faults.begin(planted);
  await house.settle(faulty);
  return (await house.state(order)).order;
}

/** `make faults` lets every point of every story fail in every way; else each story has every fifth point, in turn. */
const isWhole = process.env.AIRTIME_FAULTS === 'all';

describe('whatever fails on the way, no money without service, no service without money, nothing left reserved', () => {
  it.each(stories)('$name: points fail in turn', { timeout: 240_000 }, async (story) => {
    expect(await play(story, new Map())).toBe(story.ends);
    expect(await house.breaches()).toEqual([]);
    const points = [...faults.passed];
    expect(points.length).toBeGreaterThan(3);
    let struck = 0;
    const first = stories.indexOf(story) % 5;
    const tried = [...points.entries()].filter(([index]) => isWhole || index % 5 === first);
    for (const [index, point] of tried) {
      for (const mode of modesAt(point)) {
        const where = `${story.name}: ${point} fails (${mode})`;
        const end = await play(story, new Map([[index, mode]]));
        struck += faults.struck();
        expect([where, mode === 'refused' ? story.refused : [story.ends]]).toEqual([
          where,
          expect.arrayContaining([end]),
        ]);
      }
    }
    // A fault may change what comes after it, so a late point is not always reached again.
    expect(tried.length).toBeGreaterThan(0);
    expect(struck).toBeGreaterThan(tried.length * 0.8);
    // All that was played is judged at once: a breach stays a breach.
    expect(await house.breaches()).toEqual([]);
  });

  it('several faults at once, on any card', { timeout: 240_000 }, async () => {
    const faultsOf = fc.uniqueArray(fc.tuple(fc.nat(25), fc.constantFrom(...faultModes)), {
      selector: ([at]) => at,
      maxLength: 5,
    });
    const seed = Number(process.env.AIRTIME_FAULT_SEED ?? Date.now() % 1_000_000);
    const numRuns = Number(process.env.AIRTIME_FAULT_RUNS ?? 25);
    const runs = fc.sample(fc.tuple(fc.constantFrom(...stories), faultsOf), { numRuns, seed });
    for (const [story, planted] of runs) {
      const end = await play(story, new Map(planted));
      expect([seed, story.name, planted, ['completed', 'failed'].includes(end)]).toEqual([
        seed,
        story.name,
        planted,
        true,
      ]);
    }
    expect([seed, await house.breaches()]).toEqual([seed, []]);
  });
});

describe('what stays broken for long', () => {
  it('a network that does not answer lets an order fail, held money and stock returned', {
    timeout: 60_000,
  }, async () => {
    for (const when of ['inactive', 'active'] as const) {
      const plan = await house.network.plan({ mode: 'unavailable', when });
      const order = await house.order(await house.customer());
      await house.settle();
      expect(plan.when).toBe(when);
      expect(await house.state(order)).toMatchObject({
        order: 'failed',
        line: 'terminated',
        payment: when === 'inactive' ? 'canceled' : 'done',
      });
      await house.network.clearPlans();
      expect(await house.breaches()).toEqual([]);
    }
  });

  it('a refund that the gateway refuses is asked again until it is given', { timeout: 60_000 }, async () => {
    await house.network.plan({ mode: 'refuse', permanent: true, when: 'active', times: 1 });
    await house.gateway.plan({ mode: 'decline_refund', times: 3 });
    const order = await house.order(await house.customer());
    await house.settle();
    expect(await house.state(order)).toMatchObject({ order: 'failed', payment: 'done' });
    expect(await house.breaches()).toEqual([]);
  });

  it('a customer who confirms in time is served, one who does not is not, and nothing stays held', {
    timeout: 60_000,
  }, async () => {
    const [slow, quick] = [
      await house.order(await house.customer('tok_requires_action')),
      await house.order(await house.customer('tok_requires_action')),
    ];
    await house.worker().drain();
    expect([(await house.state(slow)).order, (await house.state(quick)).order]).toEqual(['held', 'held']);
    for await (const operation of house.gateway.book()) {
      if (operation.answer.outcome !== 'requires_action' || operation.kind !== 'authorise') continue;
      const [paid] = await runStatement<{ order: string }>(
        house.pool,
        'SELECT "product_order_id" AS order FROM "payment" WHERE "id" = $1',
        [operation.reference],
      );
      if (paid?.order === quick) await house.gateway.completeAction(operation.gatewayReference, 'approve');
    }
    await hurry(house.policy);
    await house.worker().drain();
    await hurry(house.policy);
    await house.worker().drain();
    const [clock] = await runStatement<{ now: Date }>(house.pool, 'SELECT business_now() AS now', []);
    const later = new Date((clock?.now.getTime() ?? 0) + (house.policy.settings.actionTimeoutMinutes + 1) * 60_000);
    await execute(house.policy, freezeClock, { at: later.toISOString() }, house.caller);
    await house.settle();
    expect([(await house.state(slow)).order, (await house.state(quick)).order]).toEqual(['failed', 'completed']);
    expect(await house.breaches()).toEqual([]);
  });

  it('an order whose customer confirms one item and not the other comes to its end, partly done', {
    timeout: 60_000,
  }, async () => {
    const customer = await house.customer('tok_requires_action');
    const [plan] = await runStatement<{ id: string }>(
      house.pool,
      `SELECT "id" FROM "product_offering" WHERE "code" = 'PLAN_S'`,
      [],
    );
    const item = (id: string) => ({ id, action: 'add', quantity: 1, productOffering: { id: plan?.id ?? '' } });
    const document = {
      category: 'mobile',
      relatedParty: [{ id: customer, role: 'customer', '@referredType': 'Customer' }],
      productOrderItem: [item('1'), item('2')],
    };
    if (!productOrderCommands.create) throw new Error('there is no create');
    const placed = await run(house.policy, productOrderCommands.create, { document }, house.caller);
    const order = typeof placed === 'object' && placed !== null && 'id' in placed ? String(placed.id) : '';
    await house.worker().drain();
    expect((await house.state(order)).order).toBe('held');
    const [first] = await runStatement<{ payment: string }>(
      house.pool,
      'SELECT "payment_id" AS payment FROM "order_item" WHERE "product_order_id" = $1 ORDER BY "item_id"',
      [order],
    );
    for await (const operation of house.gateway.book()) {
      if (operation.kind !== 'authorise' || operation.reference !== first?.payment) continue;
      await house.gateway.completeAction(operation.gatewayReference, 'approve');
    }
    for (let round = 0; round < 3; round += 1) {
      await hurry(house.policy);
      await house.worker().drain();
    }
    const [clock] = await runStatement<{ now: Date }>(house.pool, 'SELECT business_now() AS now', []);
    const later = new Date((clock?.now.getTime() ?? 0) + (house.policy.settings.actionTimeoutMinutes + 1) * 60_000);
    await execute(house.policy, freezeClock, { at: later.toISOString() }, house.caller);
    await house.settle();
    expect((await house.state(order)).order).toBe('partial');
    expect(await house.breaches()).toEqual([]);
  });

  it('a card taken off file while its answer was lost leaves nothing held', { timeout: 60_000 }, async () => {
    const customer = await house.customer('tok_timeout_after');
    const order = await house.order(customer);
    await house.worker().drain();
    const [card] = await runStatement<{ id: string }>(
      house.pool,
      'SELECT "id" FROM "payment_method" WHERE "customer_id" = $1',
      [customer],
    );
    if (!paymentMethodCommands.remove) throw new Error('cards can be removed');
    await run(house.policy, paymentMethodCommands.remove, { id: card?.id }, house.caller);
    await house.settle();
    expect(['completed', 'failed']).toContain((await house.state(order)).order);
    expect(await house.breaches()).toEqual([]);
  });
});

describe('a step that runs twice does once', () => {
  /** Carries a step out up to the commit of its last transaction, which is lost; then again, as its next worker would. */
  const twice: StepDefinition[] = steps.map((definition) => ({
    ...definition,
    async run(context: StepContext) {
      class Lost extends Error {}
      const dying: StepContext = {
        ...context,
        finish: async (command, work) => {
          await context.during(command, async (tx) => {
            await work(tx);
            throw new Lost();
          });
          throw new Lost();
        },
      };
      await expect(definition.run(dying)).rejects.toBeInstanceOf(Lost);
      await definition.run({ ...context, step: { ...context.step, attempts: context.step.attempts + 1 } });
    },
  }));

  it.each(stories)('$name', { timeout: 60_000 }, async (story) => {
    await house.gateway.clearPlans();
    await house.network.clearPlans();
    const prepared = await story.prepare();
    const order = await story.begin(prepared);
    await house.settle(house.worker(twice));
    expect((await house.state(order)).order).toBe(story.ends);
    expect(await house.breaches()).toEqual([]);
  });

  it('a step that is done is not done again by a worker that comes late', { timeout: 60_000 }, async () => {
    const seen: ClaimedStep[] = [];
    const order = await house.order(await house.customer('tok_visa'));
    await house.network.plan({ mode: 'refuse', permanent: true, when: 'active', times: 1 });
    for (
      let claimed = await claimSteps(house.policy, 'first', 8, 60);
      claimed.length > 0;
      claimed = await claimSteps(house.policy, 'first', 8, 60)
    ) {
      for (const step of claimed) {
        seen.push(step);
        await definitionOf(step).run(stepContext(house.policy, step));
      }
    }
    expect((await house.state(order)).order).toBe('failed');
    expect(seen.map((step) => step.step)).toEqual(
      expect.arrayContaining(['authorise', 'provision', 'deliver', 'capture', 'enable_refused', 'refund', 'release']),
    );
    const before = await sums();
    for (const step of seen) {
      for (const leasedBy of [step.leasedBy, 'second']) {
        const late = stepContext(house.policy, { ...step, attempts: step.attempts + 1, leasedBy });
        await expect(definitionOf(step).run(late)).rejects.toBeInstanceOf(LeaseLost);
      }
    }
    expect(await sums()).toEqual(before);
    expect(await house.breaches()).toEqual([]);
  });

  it('a worker that slept through its lease writes nothing in the middle of its step either', {
    timeout: 60_000,
  }, async () => {
    const order = await house.order(await house.customer('tok_visa'));
    const [asleep] = await claimSteps(house.policy, 'asleep', 1, 60);
    if (!asleep) throw new Error('nothing was claimed');
    await hurry(house.policy);
    const taken = await claimSteps(house.policy, 'awake', 20, 60);
    expect(taken.map(({ id }) => id)).toContain(asleep.id);
    const before = await sums();
    const late = stepContext(house.policy, asleep).during('test.write', async (tx) => {
      await tx.sql`UPDATE "product_order" SET "state" = 'failed' WHERE "id" = ${order}`;
    });
    await expect(late).rejects.toBeInstanceOf(LeaseLost);
    expect(await sums()).toEqual(before);
    await hurry(house.policy);
    await house.settle();
    expect((await house.state(order)).order).toBe('completed');
  });

  it('nor does one that has claimed the same step anew meanwhile: the run that slept is not the one that goes on', {
    timeout: 60_000,
  }, async () => {
    const order = await house.order(await house.customer('tok_visa'));
    const [asleep] = await claimSteps(house.policy, 'one', 1, 60);
    if (!asleep) throw new Error('nothing was claimed');
    await hurry(house.policy);
    // Others may be due at the same instant.
    const again = (await claimSteps(house.policy, 'one', 20, 60)).find(({ id }) => id === asleep.id);
    if (!again) throw new Error('the step was not claimed again');
    const write = (step: ClaimedStep) =>
      stepContext(house.policy, step).during('test.write', async (tx) => {
        await tx.sql`UPDATE "product_order" SET "external_id" = 'written' WHERE "id" = ${order}`;
      });
    await expect(write(asleep)).rejects.toBeInstanceOf(LeaseLost);
    // What it does at its end, and its heart, touch the lease of the other as little.
    await putBack(house.policy, asleep, 'it woke up');
    await extendLease(house.policy, asleep, -60);
    await write(again);
    await definitionOf(again).run(stepContext(house.policy, again));
    await house.settle();
    expect((await house.state(order)).order).toBe('completed');
    expect(await house.breaches()).toEqual([]);
  });

  const definitionOf = (step: ClaimedStep): StepDefinition => {
    const found = steps.find((one) => one.flow === step.flow && one.step === step.step);
    if (!found) throw new Error(`there is no step ${step.flow}.${step.step}`);
    return found;
  };

  /** Everything there is, in few figures: rows of each table, and both books. */
  async function sums(): Promise<unknown> {
    const tables = await runStatement<{ name: string }>(
      house.pool,
      `SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public' AND tablename <> '_prisma_migrations' ORDER BY 1`,
      [],
    );
    const counts: unknown[] = [];
    for (const { name } of tables)
      counts.push(
        await runStatement(
          house.pool,
          `SELECT '${name}' AS name, md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) AS sum FROM "${name}" t`,
          [],
        ),
      );
    let operations = 0;
    for await (const _ of house.gateway.book()) operations += 1;
    let tasks = 0;
    for await (const _ of house.network.book()) tasks += 1;
    return { counts, operations, tasks };
  }
});
