import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JsonObject } from '../../kernel/json.ts';
import { execute, type Policy } from '../core/command.ts';
import { claimSteps, stepContext } from '../core/flow.ts';
import type { Stored } from '../core/resource.ts';
import {
  create,
  expectOnlyTableMoves,
  expectRule,
  given,
  patch,
  remove,
  stored,
  type TestPolicy,
  testOperator,
  testPolicy,
} from '../core/testing.ts';
import {
  cancelServiceOrder,
  cancelServiceOrderCommands,
  cancelServiceOrderStep,
  serviceOrderCommands,
} from './commands.ts';
import { serviceOrderMachine } from './machine.ts';
import { cancelServiceOrderResource, serviceOrderResource } from './resource.ts';

let test: TestPolicy;
beforeAll(async () => {
  test = await testPolicy();
});
afterAll(() => test.close());

const item = (id: string, more: JsonObject = {}): JsonObject => ({
  id,
  action: 'add',
  service: { serviceType: 'fibre', state: 'active' },
  ...more,
});
const body = (more: JsonObject = {}): JsonObject => ({ serviceOrderItem: [item('1')], ...more });
const open = (more: JsonObject = {}) => create(test.policy, serviceOrderCommands, body(more));
const cancel = (policy: Policy, id: string, more: JsonObject = {}): Promise<Stored> =>
  execute(policy, cancelServiceOrder, { document: { serviceOrder: { id }, ...more } }, testOperator);
const internal = (state = 'inProgress') =>
  given(test.policy, serviceOrderResource, body({ state }), { productOrderId: 'ord_1' });

describe('a service order of a client', () => {
  it('is acknowledged with its items, at every depth', async () => {
    const { document } = await open({ serviceOrderItem: [item('1', { serviceOrderItem: [item('1.1')] }), item('2')] });
    expect(document).toMatchObject({
      '@type': 'ServiceOrder',
      state: 'acknowledged',
      orderDate: expect.any(String),
      serviceOrderItem: [
        { id: '1', state: 'acknowledged', serviceOrderItem: [{ id: '1.1', state: 'acknowledged' }] },
        { id: '2', state: 'acknowledged' },
      ],
    });
  });

  it('says when it began and ended, and its open items end with it', async () => {
    const order = await open({ serviceOrderItem: [item('1'), item('2')] });
    await patch(test.policy, serviceOrderCommands, order.id, { state: 'pending' });
    const begun = await patch(test.policy, serviceOrderCommands, order.id, { state: 'inProgress' });
    expect(begun.document.startDate).toEqual(expect.any(String));
    await patch(test.policy, serviceOrderCommands, order.id, {
      serviceOrderItem: [item('1', { state: 'cancelled' }), item('2', { state: 'inProgress' })],
    });
    const { document } = await patch(test.policy, serviceOrderCommands, order.id, { state: 'completed' });
    expect(document).toMatchObject({
      completionDate: expect.any(String),
      serviceOrderItem: [{ state: 'cancelled' }, { state: 'completed' }],
    });
    expect((await test.events(order.id)).map((event) => event.type)).toEqual([
      'ServiceOrderCreateEvent',
      'ServiceOrderStateChangeEvent',
      'ServiceOrderInformationRequiredEvent',
      'ServiceOrderStateChangeEvent',
      'ServiceOrderAttributeValueChangeEvent',
      'ServiceOrderStateChangeEvent',
    ]);
    await remove(test.policy, serviceOrderCommands, order.id);
  });

  it('moves only along its states', async () => {
    await expectOnlyTableMoves(test.policy, serviceOrderResource, serviceOrderCommands, 'state', body());
  });

  it('has items that move only along theirs', async () => {
    const order = await given(
      test.policy,
      serviceOrderResource,
      body({
        state: 'inProgress',
        serviceOrderItem: [item('1', { state: 'completed', serviceOrderItem: [item('2', { state: 'failed' })] })],
      }),
    );
    const code = 'service_order.item_legal_transition';
    const change = (outer: string, inner: string): JsonObject => ({
      serviceOrderItem: [item('1', { state: outer, serviceOrderItem: [item('2', { state: inner })] })],
    });
    await expect(
      patch(test.policy, serviceOrderCommands, order.id, change('completed', 'inProgress')),
    ).rejects.toMatchObject({
      code,
      facts: { items: [{ item: '2', from: 'failed', to: 'inProgress' }] },
    });
    await expectRule(test, code, 409, (policy) =>
      patch(policy, serviceOrderCommands, order.id, change('inProgress', 'failed')),
    );
  });
});

describe('a service order of the house', () => {
  const code = 'service_order.belongs_to_product_order';

  it('is not moved, changed, cancelled or deleted by a client', async () => {
    for (const change of [
      { state: 'completed' },
      { description: 'Mine' },
      { serviceOrderItem: [item('1', { state: 'completed' })] },
    ]) {
      const order = await internal();
      await expect(patch(test.policy, serviceOrderCommands, order.id, change)).rejects.toMatchObject({
        code,
        status: 409,
      });
      expect(await stored(test.policy, serviceOrderResource, order.id)).toEqual(order);
    }
    await expectRule(test, code, 409, async (policy) =>
      patch(policy, serviceOrderCommands, (await internal()).id, { state: 'completed' }),
    );
    await expectRule(test, code, 409, async (policy) => remove(policy, serviceOrderCommands, (await internal()).id));
    await expectRule(test, code, 409, async (policy) => cancel(policy, (await internal()).id));
  });
});

describe('the cancellation of a service order', () => {
  it('cancels what is not ended', async () => {
    const cancellable = Object.entries(serviceOrderMachine.table)
      .filter(([, row]) => 'cancel' in row)
      .map(([state]) => state);
    expect(cancellable).toContain('inProgress');
    for (const state of cancellable) {
      const order = await given(
        test.policy,
        serviceOrderResource,
        body({ state, serviceOrderItem: [item('1', { state: 'inProgress' })] }),
      );
      const task = await cancel(test.policy, order.id, { cancellationReason: 'Moved away' });
      expect(task.document).toMatchObject({
        '@type': 'CancelServiceOrder',
        state: 'done',
        effectiveCancellationDate: expect.any(String),
      });
      expect((await stored(test.policy, serviceOrderResource, order.id))?.document).toMatchObject({
        state: 'cancelled',
        cancellationReason: 'Moved away',
        cancellationDate: expect.any(String),
        serviceOrderItem: [{ state: 'cancelled' }],
      });
      expect((await test.events(task.id)).map((event) => event.type)).toEqual([
        'CancelServiceOrderCreateEvent',
        'CancelServiceOrderStateChangeEvent',
      ]);
    }
  });

  it('ends with an error for what has ended, and leaves it as it was', async () => {
    for (const state of ['completed', 'failed', 'partial', 'rejected', 'cancelled']) {
      const order = await given(test.policy, serviceOrderResource, body({ state }));
      const task = await cancel(test.policy, order.id);
      expect(task.document).toMatchObject({ state: 'terminatedWithError', errorMessage: { code: '409' } });
      expect(await stored(test.policy, serviceOrderResource, order.id)).toEqual(order);
    }
  });

  it('ends with an error for an order that is not there', async () => {
    expect((await cancel(test.policy, 'so_none')).document).toMatchObject({
      state: 'terminatedWithError',
      errorMessage: { code: '404' },
    });
  });

  it('names an order, and cannot be changed or deleted', async () => {
    await expect(execute(test.policy, cancelServiceOrder, { document: {} }, testOperator)).rejects.toMatchObject({
      status: 400,
    });
    expect(Object.keys(cancelServiceOrderCommands)).toEqual(['create']);
  });

  it('waits for the day it asks for, and happens once', async () => {
    const order = await open();
    const day = new Date(Date.now() + 86_400_000);
    const task = await cancel(test.policy, order.id, { requestedCancellationDate: day.toISOString() });
    expect(task.document.state).toBe('accepted');
    expect((await stored(test.policy, serviceOrderResource, order.id))?.document.state).toBe('acknowledged');
    expect(await claimSteps(test.policy, 'worker', 10, 60)).toEqual([]);

    // Given: the day has come.
    await moveClock(day);
    const [step] = await claimSteps(test.policy, 'worker', 10, 60);
    if (!step) throw new Error('the cancellation is not due');
    expect(step).toMatchObject({
      flow: cancelServiceOrderStep.flow,
      step: cancelServiceOrderStep.step,
      subject: task.id,
    });
    await cancelServiceOrderStep.run(stepContext(test.policy, step));
    expect((await stored(test.policy, serviceOrderResource, order.id))?.document.state).toBe('cancelled');
    expect((await stored(test.policy, cancelServiceOrderResource, task.id))?.document.state).toBe('done');
    expect(await claimSteps(test.policy, 'worker', 10, 60)).toEqual([]);
  });
});

async function moveClock(to: Date): Promise<void> {
  const client = await test.policy.pool.connect();
  try {
    await client.query('BEGIN');
    await client.query("SELECT begin_command('test.clock', '{}'::jsonb)");
    await client.query(
      `INSERT INTO "business_clock" ("id", "mode", "frozen_at", "moved_at") VALUES (1, 'frozen', $1, now())
        ON CONFLICT ("id") DO UPDATE SET "mode" = 'frozen', "frozen_at" = $1`,
      [to],
    );
    await client.query('COMMIT');
  } finally {
    client.release();
  }
}
