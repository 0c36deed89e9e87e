import { describe, expect, it } from 'vitest';
import type { Json, JsonObject } from '../../kernel/json.ts';
import { isSellable, offeringTerms } from './offering-terms.ts';

const settings = { currency: 'SGD', taxRate: 900, vasValidityDays: 30 };

const use = (name: string, value: Json, unitOfMeasure?: string): JsonObject => ({
  name,
  productSpecCharacteristicValue: [unitOfMeasure === undefined ? { value } : { value, unitOfMeasure }],
});

const offering = (kind: string, uses: JsonObject[], more: JsonObject = {}): JsonObject => ({
  id: 'ofr_1',
  code: 'CODE',
  name: 'Name',
  prodSpecCharValueUse: [use('kind', kind), ...uses],
  ...more,
});

const recurring = (value: number, more: JsonObject = {}): JsonObject => ({
  id: 'prc_1',
  priceType: 'recurring',
  recurringChargePeriodType: 'month',
  price: { unit: 'SGD', value },
  tax: [{ taxCategory: 'GST', taxRate: 9 }],
  ...more,
});
const oneTime = (value: number, more: JsonObject = {}): JsonObject => ({
  ...recurring(value),
  priceType: 'oneTime',
  ...more,
});

const fiveGb = use('data', 5, 'GB');

describe('the terms of an offering', () => {
  it('are base units, minor units and hundredths of a percent', () => {
    const plan = offering('plan', [
      use('data', 30, 'GB'),
      use('voice', 100, 'min'),
      use('sms', 'unlimited', 'SMS'),
      use('roaming_data', 500, 'MB'),
    ]);
    expect(offeringTerms(plan, [recurring(25)], settings)).toEqual({
      offeringId: 'ofr_1',
      code: 'CODE',
      name: 'Name',
      kind: 'plan',
      amountMinor: 2500,
      currency: 'SGD',
      taxRate: 900,
      allowances: [
        { kind: 'data', quantity: 32_212_254_720 },
        { kind: 'voice', quantity: 6000 },
        { kind: 'sms', quantity: null },
        { kind: 'roaming_data', quantity: 524_288_000 },
      ],
      validityHours: null,
      priceId: 'prc_1',
    });
  });

  it('give a VAS 30 days unless it says otherwise', () => {
    expect(offeringTerms(offering('vas', [fiveGb]), [oneTime(12)], settings)).toMatchObject({ validityHours: 720 });
    const dayPass = offering('vas', [use('data', 'unlimited'), use('validity', 24, 'h')]);
    expect(offeringTerms(dayPass, [oneTime(5)], settings)).toMatchObject({
      validityHours: 24,
      allowances: [{ kind: 'data', quantity: null }],
    });
    const week = offering('vas', [fiveGb, use('validity', 7, 'day')]);
    expect(offeringTerms(week, [oneTime(5)], settings)).toMatchObject({ validityHours: 168 });
  });

  it('leave the price of a period to the line', () => {
    expect(offeringTerms(offering('period', []), [], settings)).toMatchObject({
      kind: 'period',
      amountMinor: 0,
      allowances: [],
      priceId: null,
    });
  });

  it('take the tax of the installation where the price names none, and a rate by its digits', () => {
    const plan = offering('plan', [fiveGb]);
    expect(offeringTerms(plan, [recurring(10, { tax: undefined })], { ...settings, taxRate: 700 })).toMatchObject({
      taxRate: 700,
    });
    expect(offeringTerms(plan, [recurring(10, { tax: [{ taxRate: 8.25 }] })], settings)).toMatchObject({
      taxRate: 825,
    });
    expect(offeringTerms(plan, [recurring(4.35)], settings)).toMatchObject({ amountMinor: 435 });
  });

  it.each<[string, JsonObject, JsonObject[]]>([
    ['no code', offering('plan', [fiveGb], { code: undefined }), [recurring(10)]],
    ['a kind of somebody else', offering('device', [fiveGb]), [recurring(10)]],
    ['no price', offering('plan', [fiveGb]), []],
    ['two prices', offering('plan', [fiveGb]), [recurring(10), recurring(11)]],
    ['a price that is not monthly', offering('plan', [fiveGb]), [recurring(10, { recurringChargePeriodType: 'year' })]],
    ['a price every two months', offering('plan', [fiveGb]), [recurring(10, { recurringChargePeriodLength: 2 })]],
    ['a recurring price for a VAS', offering('vas', [fiveGb]), [recurring(10)]],
    ['another currency', offering('plan', [fiveGb]), [recurring(10, { price: { unit: 'EUR', value: 10 } })]],
    ['a fraction of a cent', offering('plan', [fiveGb]), [recurring(10.005)]],
    ['a price below zero', offering('plan', [fiveGb]), [recurring(-1)]],
    ['a rate below zero', offering('plan', [fiveGb]), [recurring(10, { tax: [{ taxRate: -9 }] })]],
    ['a plan without data', offering('plan', [use('voice', 10, 'min')]), [recurring(10)]],
    ['a VAS that gives nothing', offering('vas', []), [oneTime(3)]],
    ['a period that gives something', offering('period', [fiveGb]), []],
    ['no unit', offering('plan', [use('data', 5)]), [recurring(10)]],
    ['a foreign unit', offering('plan', [use('data', 5, 'min')]), [recurring(10)]],
    ['part of a message', offering('vas', [use('sms', 0.5, 'SMS')]), [oneTime(3)]],
    ['no quantity', offering('vas', [use('sms', 0, 'SMS')]), [oneTime(3)]],
    ['the same allowance twice', offering('plan', [fiveGb, fiveGb]), [recurring(10)]],
    ['a validity of nothing', offering('vas', [fiveGb, use('validity', 0, 'day')]), [oneTime(3)]],
    ['a validity in months', offering('vas', [fiveGb, use('validity', 1, 'month')]), [oneTime(3)]],
  ])('are a fault with %s', (_, document, prices) => {
    expect(offeringTerms(document, prices, settings)).toEqual({ fault: expect.any(String) });
  });
});

describe('an offering on sale', () => {
  const now = new Date('2026-06-15T00:00:00Z');

  it.each<[string, JsonObject, boolean]>([
    ['active', { lifecycleStatus: 'Active' }, true],
    ['launched', { lifecycleStatus: 'Launched' }, true],
    ['retired', { lifecycleStatus: 'Retired' }, false],
    ['in test', { lifecycleStatus: 'In Test' }, false],
    ['kept from sale', { lifecycleStatus: 'Active', isSellable: false }, false],
    ['at its start', { lifecycleStatus: 'Active', validFor: { startDateTime: '2026-06-15T00:00:00Z' } }, true],
    ['before its start', { lifecycleStatus: 'Active', validFor: { startDateTime: '2026-06-15T00:00:01Z' } }, false],
    ['at its end', { lifecycleStatus: 'Active', validFor: { endDateTime: '2026-06-15T00:00:00Z' } }, false],
    ['before its end', { lifecycleStatus: 'Active', validFor: { endDateTime: '2026-06-15T08:00:01+08:00' } }, true],
  ])('%s', (_, document, expected) => {
    expect(isSellable(document, now)).toBe(expected);
  });
});
