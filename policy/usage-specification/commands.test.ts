import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  create,
  expectOnlyTableMoves,
  expectRule,
  patch,
  remove,
  stored,
  type TestPolicy,
  testPolicy,
} from '../core/testing.ts';
import { usageSpecificationCommands } from './commands.ts';
import { usageSpecificationResource } from './resource.ts';

let test: TestPolicy;
beforeAll(async () => {
  test = await testPolicy();
});
afterAll(() => test.close());

describe('a usage specification', () => {
  it('is filled, changed and deleted', async () => {
    const made = await create(test.policy, usageSpecificationCommands, { name: 'Data' });
    expect(made.document).toMatchObject({
      '@type': 'UsageSpecification',
      lifecycleStatus: 'Active',
      version: '1.0',
      lastUpdate: expect.any(String),
    });
    await new Promise((resolve) => setTimeout(resolve, 5));
    const changed = await patch(test.policy, usageSpecificationCommands, made.id, { description: 'Mobile data' });
    expect(changed.document.lastUpdate).not.toBe(made.document.lastUpdate);
    await patch(test.policy, usageSpecificationCommands, made.id, { lifecycleStatus: 'Retired' });
    await remove(test.policy, usageSpecificationCommands, made.id);
    expect(await stored(test.policy, usageSpecificationResource, made.id)).toBeUndefined();
    expect((await test.events(made.id)).map((event) => event.type)).toEqual([
      'UsageSpecificationCreateEvent',
      'UsageSpecificationAttributeValueChangeEvent',
      'UsageSpecificationStateChangeEvent',
      'UsageSpecificationDeleteEvent',
    ]);
  });

  it('moves only along its lifecycle', async () => {
    await expectOnlyTableMoves(
      test.policy,
      usageSpecificationResource,
      usageSpecificationCommands,
      'lifecycleStatus',
      {},
    );
  });

  it('has a window that begins before it ends', async () => {
    const validFor = { startDateTime: '2026-02-01T00:00:00Z', endDateTime: '2026-01-01T00:00:00Z' };
    const code = 'usage_specification.window_in_order';
    await expectRule(test, code, 422, (policy) => create(policy, usageSpecificationCommands, { validFor }));
    const made = await create(test.policy, usageSpecificationCommands, {});
    await expectRule(test, code, 422, (policy) => patch(policy, usageSpecificationCommands, made.id, { validFor }));
  });
});
