import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JsonObject } from '../../kernel/json.ts';
import { execute, type Policy, transaction } from '../core/command.ts';
import type { ResourceCommands } from '../core/resource.ts';
import { insertRow } from '../core/table.ts';
import {
  create,
  expectOnlyTableMoves,
  expectRule,
  patch,
  remove,
  stored,
  type TestPolicy,
  testOperator,
  testPolicy,
} from '../core/testing.ts';
import {
  catalogCommands,
  categoryCommands,
  moveOffering,
  productOfferingCommands,
  productOfferingPriceCommands,
  productSpecificationCommands,
} from './commands.ts';
import {
  catalogResource,
  categoryResource,
  productOfferingPriceResource,
  productOfferingResource,
  productSpecificationResource,
} from './resource.ts';

let test: TestPolicy;
beforeAll(async () => {
  test = await testPolicy();
});
afterAll(() => test.close());

const price = (value: number): JsonObject => ({
  name: 'Price',
  priceType: 'recurring',
  recurringChargePeriodType: 'month',
  price: { unit: 'SGD', value },
});

let codes = 0;
const plan = (more: JsonObject = {}): JsonObject => {
  codes += 1;
  return {
    name: 'Plan',
    code: `PLAN_${codes}`,
    prodSpecCharValueUse: [
      { name: 'kind', productSpecCharacteristicValue: [{ value: 'plan' }] },
      { name: 'data', productSpecCharacteristicValue: [{ value: 5, unitOfMeasure: 'GB' }] },
    ],
    ...more,
  };
};

describe.each([
  ['catalog', catalogResource, catalogCommands, 'Catalog'],
  ['category', categoryResource, categoryCommands, 'Category'],
  ['product specification', productSpecificationResource, productSpecificationCommands, 'ProductSpecification'],
  ['product offering', productOfferingResource, productOfferingCommands, 'ProductOffering'],
  ['product offering price', productOfferingPriceResource, productOfferingPriceCommands, 'ProductOfferingPrice'],
] as const)('a %s', (_, resource, commands: ResourceCommands, type) => {
  it('is filled, changed and deleted', async () => {
    const made = await create(test.policy, commands, {
      name: 'First',
      lastUpdate: '2001-01-01T00:00:00Z',
      extra: { kept: [1] },
    });
    expect(made.document).toMatchObject({
      '@type': type,
      name: 'First',
      lifecycleStatus: 'In Study',
      version: '1.0',
      extra: { kept: [1] },
    });
    const firstUpdate = Date.parse(String(made.document.lastUpdate));
    expect(firstUpdate).toBeGreaterThan(Date.parse('2026-01-01T00:00:00Z'));

    await new Promise((resolve) => setTimeout(resolve, 5));
    const changed = await patch(test.policy, commands, made.id, { name: 'Second' });
    expect(changed.document).toMatchObject({ name: 'Second', extra: { kept: [1] } });
    expect(Date.parse(String(changed.document.lastUpdate))).toBeGreaterThan(firstUpdate);

    // What changes nothing is no change.
    const same = await patch(test.policy, commands, made.id, { name: 'Second' });
    expect(same).toMatchObject({ version: changed.version, document: changed.document });

    await patch(test.policy, commands, made.id, { lifecycleStatus: 'Active' });
    await remove(test.policy, commands, made.id);
    expect(await stored(test.policy, resource, made.id)).toBeUndefined();
    await expect(remove(test.policy, commands, made.id)).rejects.toMatchObject({ status: 404 });
    const events = await test.events(made.id);
    expect(events.map((event) => event.type)).toEqual([
      `${type}CreateEvent`,
      `${type}AttributeValueChangeEvent`,
      `${type}StateChangeEvent`,
      `${type}DeleteEvent`,
    ]);
  });

  it('keeps an id and a last update that only the server sets', async () => {
    const made = await create(test.policy, commands, { name: 'First' });
    for (const change of [{ id: 'other' }, { lastUpdate: '2001-01-01T00:00:00Z' }]) {
      await expect(patch(test.policy, commands, made.id, change)).rejects.toMatchObject({ status: 400 });
    }
    expect(await stored(test.policy, resource, made.id)).toEqual(made);
  });

  it('moves only along its lifecycle', async () => {
    await expectOnlyTableMoves(test.policy, resource, commands, 'lifecycleStatus', { name: 'Moving' });
  });

  it('takes words of another catalogue for its lifecycle', async () => {
    const made = await create(test.policy, commands, { name: 'Foreign', lifecycleStatus: 'Concept' });
    const moved = await patch(test.policy, commands, made.id, { lifecycleStatus: 'Prototype' });
    expect(moved.document.lifecycleStatus).toBe('Prototype');
  });

  it('has a window that begins before it ends', async () => {
    const validFor = { startDateTime: '2026-02-01T00:00:00Z', endDateTime: '2026-01-01T00:00:00Z' };
    await expectRule(test, 'catalogue.window_in_order', 422, (policy) =>
      create(policy, commands, { name: 'Window', validFor }),
    );
    const made = await create(test.policy, commands, { name: 'Window' });
    await expectRule(test, 'catalogue.window_in_order', 422, (policy) =>
      patch(policy, commands, made.id, { validFor }),
    );
  });
});

describe('a price', () => {
  it('is not below zero', async () => {
    const code = 'catalogue.price_not_negative';
    await expectRule(test, code, 422, (policy) => create(policy, productOfferingPriceCommands, price(-1)));
    const made = await create(test.policy, productOfferingPriceCommands, price(0));
    await expectRule(test, code, 422, (policy) =>
      patch(policy, productOfferingPriceCommands, made.id, { price: { unit: 'SGD', value: -0.01 } }),
    );
  });

  it('is not below zero inside an offering either', async () => {
    const inside = {
      name: 'By value',
      productOfferingPrice: [{ price: { taxIncludedAmount: { unit: 'SGD', value: -5 } } }],
    };
    await expectRule(test, 'catalogue.price_not_negative', 422, (policy) =>
      create(policy, productOfferingCommands, inside),
    );
  });

  it('is not deleted while an offering refers to it', async () => {
    const made = await create(test.policy, productOfferingPriceCommands, price(10));
    const offering = await create(
      test.policy,
      productOfferingCommands,
      plan({ productOfferingPrice: [{ id: made.id }] }),
    );
    await expect(remove(test.policy, productOfferingPriceCommands, made.id)).rejects.toMatchObject({
      code: 'product_offering_price.delete_needs_no_use',
      status: 409,
      facts: { offerings: [offering.id] },
    });
    await remove(test.without('product_offering_price.delete_needs_no_use'), productOfferingPriceCommands, made.id);
    const other = await create(test.policy, productOfferingPriceCommands, price(10));
    await remove(test.policy, productOfferingPriceCommands, other.id);
  });
});

describe('an offering', () => {
  it('has a code that no other has', async () => {
    const first = await create(test.policy, productOfferingCommands, plan());
    const again = plan({ code: first.document.code });
    const refused = { code: 'product_offering.code_unique', status: 409 };
    await expect(create(test.policy, productOfferingCommands, again)).rejects.toMatchObject(refused);
    // Without the rule the database still refuses, and says so in its own way.
    await expect(
      create(test.without('product_offering.code_unique'), productOfferingCommands, again),
    ).rejects.toMatchObject({ constraint: 'product_offering_code_key' });
    const second = await create(test.policy, productOfferingCommands, plan());
    await expect(
      patch(test.policy, productOfferingCommands, second.id, { code: String(first.document.code) }),
    ).rejects.toMatchObject(refused);
    // Its own code is no other's.
    await patch(test.policy, productOfferingCommands, first.id, { description: 'Changed' });
  });

  it('of two at once with one code only the first is made', async () => {
    const both = await Promise.allSettled(
      [plan({ code: 'TWICE' }), plan({ code: 'TWICE' })].map((one) =>
        create(test.policy, productOfferingCommands, one),
      ),
    );
    expect(both.map((one) => one.status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(both.find((one) => one.status === 'rejected')).toMatchObject({
      reason: { code: 'product_offering.code_unique' },
    });
  });

  it('goes on sale only when the house knows how to sell it', async () => {
    const code = 'product_offering.on_sale_needs_terms';
    await expectRule(test, code, 422, (policy) =>
      create(policy, productOfferingCommands, plan({ lifecycleStatus: 'Active' })),
    );
    const made = await create(test.policy, productOfferingCommands, plan());
    await expect(
      patch(test.policy, productOfferingCommands, made.id, { lifecycleStatus: 'Active' }),
    ).rejects.toMatchObject({ code, facts: { fault: 'it has 0 recurring prices in force, not one' } });
    const { id } = await create(test.policy, productOfferingPriceCommands, price(10));
    const active = await patch(test.policy, productOfferingCommands, made.id, {
      lifecycleStatus: 'Active',
      productOfferingPrice: [{ id }],
    });
    expect(active.document.lifecycleStatus).toBe('Active');
    // Offerings of somebody else are kept as they are.
    await create(test.policy, productOfferingCommands, { name: 'Handset', code: 'HANDSET', lifecycleStatus: 'Active' });
  });

  it('is moved by a verb that knows it by its code or its id', async () => {
    const run = (policy: Policy, offering: string, status: string) =>
      execute(policy, moveOffering, { offering, status }, testOperator);
    const priced = await create(test.policy, productOfferingPriceCommands, price(10));
    const made = await create(
      test.policy,
      productOfferingCommands,
      plan({ productOfferingPrice: [{ id: priced.id }] }),
    );
    const active = await run(test.policy, String(made.document.code), 'Active');
    expect(active).toMatchObject({ id: made.id, version: 2n, document: { lifecycleStatus: 'Active' } });
    expect(await run(test.policy, made.id, 'Active')).toMatchObject({ version: 2n });
    await run(test.policy, made.id, 'Retired');
    await expectRule(test, 'product_offering.legal_transition', 409, (policy) => run(policy, made.id, 'Active'));
    const unpriced = await create(test.policy, productOfferingCommands, plan());
    await expectRule(test, 'product_offering.on_sale_needs_terms', 422, (policy) => run(policy, unpriced.id, 'Active'));
    await expect(run(test.policy, 'PLAN_NONE', 'Active')).rejects.toMatchObject({ status: 404 });
  });

  it('is not deleted once an order speaks of it', async () => {
    const made = await create(test.policy, productOfferingCommands, plan());
    await transaction(test.policy, 'test.given', testOperator, {}, (tx) =>
      insertRow(tx, 'orderItem', {
        id: 'itm_1',
        productOrderId: 'ord_1',
        itemId: '1',
        action: 'add',
        state: 'completed',
        offeringId: made.id,
        customerId: 'cus_1',
        amountMinor: 1000,
        taxRate: 900,
        currency: 'SGD',
        terms: {},
      }),
    );
    await expectRule(test, 'product_offering.delete_needs_no_use', 409, (policy) =>
      remove(policy, productOfferingCommands, made.id),
    );
  });

  it('is not deleted while a line has it, or is about to', async () => {
    for (const columns of [
      (id: string) => ({ offeringId: id }),
      (id: string) => ({ offeringId: 'ofr_other', pendingChange: { offeringId: id } }),
    ]) {
      const made = await create(test.policy, productOfferingCommands, plan());
      await transaction(test.policy, 'test.given', testOperator, {}, (tx) =>
        insertRow(tx, 'subscription', {
          id: tx.newId('sub'),
          document: {},
          customerId: 'cus_1',
          planCode: 'PLAN',
          priceMinor: 1000,
          taxRate: 900,
          currency: 'SGD',
          terms: {},
          stateSince: tx.now,
          createdAt: tx.now,
          updatedAt: tx.now,
          ...columns(made.id),
        }),
      );
      await expectRule(test, 'product_offering.delete_needs_no_use', 409, (policy) =>
        remove(policy, productOfferingCommands, made.id),
      );
    }
  });
});
