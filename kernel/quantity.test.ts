import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatQuantity } from './quantity.ts';

const gigabyte = 1024 ** 3;

test('quota is read in GB, MB, minutes and SMS; null is unlimited', () => {
  for (const [kind, amount, text] of [
    ['data', 30 * gigabyte, '30 GB'],
    ['data', 4.5 * gigabyte, '4.5 GB'],
    ['data', gigabyte - 1, '1023.99 MB'],
    ['roaming_data', 500 * 1024 ** 2, '500 MB'],
    ['data', 1, '1 B'],
    ['data', 0, '0 MB'],
    ['voice', 5430, '90.5 min'],
    ['sms', 62, '62 SMS'],
    ['data', null, 'unlimited'],
    ['other', 3, '3'],
  ] as const) {
    expect(formatQuantity(kind, amount)).toBe(text);
  }
});

test('nobody is told of more than there is, nor that nothing is left when something is', () => {
  const sizes: Record<string, number> = { GB: gigabyte, MB: 1024 ** 2, B: 1 };
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2 ** 45 }), (bytes) => {
      const [value = '', unit = ''] = formatQuantity('data', bytes).split(' ');
      const told = Number(value) * (sizes[unit] ?? Number.NaN);
      expect(told).toBeLessThanOrEqual(bytes);
      expect(told).toBeGreaterThan(0);
    }),
  );
});
