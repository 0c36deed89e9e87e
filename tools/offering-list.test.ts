import { afterAll, beforeAll, expect, test } from 'vitest';
import type { JsonObject } from '../kernel/json.ts';
import { transaction } from '../policy/core/command.ts';
import { insertRow } from '../policy/core/table.ts';
import { type TestPolicy, testOperator, testPolicy } from '../policy/core/testing.ts';
import { listOfferings } from './offering-list.ts';

let house: TestPolicy;

const allowance = (name: string, value: number | string, unitOfMeasure?: string): JsonObject => ({
  name,
  productSpecCharacteristicValue: [{ value, ...(unitOfMeasure ? { unitOfMeasure } : {}) }],
});

function offering(code: string, kind: string, uses: JsonObject[], more: JsonObject = {}): JsonObject {
  return {
    id: `ofr_${code}`,
    code,
    name: code.toLowerCase(),
    lifecycleStatus: 'Active',
    prodSpecCharValueUse: [allowance('kind', kind), ...uses],
    productOfferingPrice: [{ id: `prc_${code}` }],
    ...more,
  };
}

beforeAll(async () => {
  house = await testPolicy();
  const at = new Date();
  const offerings = [
    offering('VAS', 'vas', [allowance('data', 1, 'GB'), allowance('validity', 24, 'h')]),
    offering('BIG', 'plan', [allowance('data', 'unlimited')]),
    offering('SMALL', 'plan', [allowance('data', 5, 'GB'), allowance('voice', 100, 'min')]),
    offering('OLD', 'plan', [allowance('data', 1, 'GB')], { lifecycleStatus: 'Retired' }),
    offering('ODD', 'toaster', []),
    offering('PERIOD', 'period', []),
  ];
  const price = (code: string, value: number, plan: boolean): JsonObject => ({
    id: `prc_${code}`,
    priceType: plan ? 'recurring' : 'oneTime',
    ...(plan ? { recurringChargePeriodType: 'month', recurringChargePeriodLength: 1 } : {}),
    price: { unit: 'SGD', value },
  });
  const prices = [price('VAS', 3, false), price('BIG', 45.5, true), price('SMALL', 10, true), price('OLD', 1, true)];
  await transaction(house.policy, 'test.given', testOperator, {}, async (tx) => {
    for (const document of offerings) {
      await insertRow(tx, 'productOffering', {
        id: String(document.id),
        code: String(document.code),
        state: String(document.lifecycleStatus),
        document,
        createdAt: at,
        updatedAt: at,
      });
    }
    for (const document of prices)
      await insertRow(tx, 'productOfferingPrice', { id: String(document.id), document, createdAt: at, updatedAt: at });
  });
});
afterAll(() => house.close());

test('plans come first, then add-ons, each from the cheapest, with what they give', async () => {
  const { items } = await listOfferings.run(house.policy.pool, { all: false }, testOperator);
  expect(
    items.map((one) => [one.code, one.price?.text ?? null, one.allowances.map((each) => each.text), one.validityHours]),
  ).toEqual([
    ['SMALL', 'SGD 10.00', ['5 GB', '100 min'], null],
    ['BIG', 'SGD 45.50', ['unlimited'], null],
    ['VAS', 'SGD 3.00', ['1 GB'], 24],
    ['PERIOD', null, [], null],
  ]);
  expect(items[0]).toMatchObject({ isMonthly: true, taxPercent: 9 });
});

test('what is not on sale is shown when asked for, with the reason', async () => {
  const { items } = await listOfferings.run(house.policy.pool, { all: true }, testOperator);
  expect(items.filter((one) => !one.isOnSale).map((one) => [one.code, one.state, one.fault])).toEqual([
    ['OLD', 'Retired', null],
    ['ODD', 'Active', 'its kind is not plan, vas or period'],
  ]);
});

test('one kind can be asked for', async () => {
  const { items } = await listOfferings.run(house.policy.pool, { all: true, kind: 'vas' }, testOperator);
  expect(items.map((one) => one.code)).toEqual(['VAS']);
});
