import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatMoney, fromWireMoney, splitTax, toWireMoney } from './money.ts';

test('an amount survives the way to the wire and back', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: -1e12, max: 1e12 }),
      fc.constantFrom('SGD', 'JPY', 'KWD'),
      (amountMinor, currency) => {
        expect(fromWireMoney(toWireMoney({ amountMinor, currency }))).toEqual({ amountMinor, currency });
      },
    ),
  );
});

test('4.35 is 435 cents, not 434', () => {
  expect(fromWireMoney({ unit: 'SGD', value: 4.35 })?.amountMinor).toBe(435);
  expect(toWireMoney({ amountMinor: 435, currency: 'SGD' })).toEqual({ unit: 'SGD', value: 4.35 });
});

test('amounts that the currency cannot hold are refused', () => {
  expect(fromWireMoney({ unit: 'SGD', value: 1.005 })).toBeUndefined();
  expect(fromWireMoney({ unit: 'JPY', value: 1.5 })).toBeUndefined();
  expect(fromWireMoney({ unit: 'XXQ', value: 1 })).toBeUndefined();
  expect(fromWireMoney({ unit: 'SGD', value: Number.NaN })).toBeUndefined();
  expect(fromWireMoney({ unit: 'SGD', value: 1e300 })).toBeUndefined();
});

test('net and tax always add up to the price', () => {
  fc.assert(
    fc.property(fc.integer({ min: -1e10, max: 1e10 }), fc.integer({ min: 0, max: 3000 }), (amountMinor, rate) => {
      const split = splitTax({ amountMinor, currency: 'SGD' }, rate);
      expect(split.taxExcludedMinor + split.taxMinor).toBe(amountMinor);
      expect(Math.abs(split.taxMinor - (amountMinor * rate) / (10_000 + rate))).toBeLessThanOrEqual(0.5);
    }),
  );
});

test('people read an amount with its currency', () => {
  expect(formatMoney({ amountMinor: 2500, currency: 'SGD' })).toBe('SGD 25.00');
});
