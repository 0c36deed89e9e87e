import fc from 'fast-check';
import { expect, test } from 'vitest';
import { findCardSecret, hasCheckDigit } from './card-number.ts';

const paying = { aboutPaying: true };
const other = { aboutPaying: false };

test('card numbers in attributes of that name are found in any body', () => {
  for (const name of ['cardNumber', 'card_number', 'Card-Number', 'pan', 'creditCardNumber', 'primaryAccountNumber']) {
    expect(findCardSecret({ details: [{ [name]: '4242424242424242' }] }, other)).toBe(`details[0].${name}`);
    expect(findCardSecret({ details: [{ [name]: 4242424242424242 }] }, other)).toBe(`details[0].${name}`);
  }
});

test('verification codes are found by name and shape', () => {
  for (const name of ['cvv', 'CVC', 'cvv2', 'cardCvv', 'securityCode', 'card_verification_value']) {
    expect(findCardSecret({ a: { [name]: '123' } }, other)).toBe(`a.${name}`);
    expect(findCardSecret({ a: { [name]: 1234 } }, other)).toBe(`a.${name}`);
  }
  expect(findCardSecret({ cvv: '', cvc: null, securityCode: 'none' }, paying)).toBeUndefined();
});

test('a characteristic and a JSON patch name their value in another place', () => {
  expect(findCardSecret({ characteristic: [{ name: 'cvv', value: '123' }] }, other)).toBe('characteristic[0].value');
  expect(findCardSecret([{ op: 'replace', path: '/details/cvv', value: '123' }], other)).toBe('[0].value');
});

test('in a body about paying a number is found wherever it hides', () => {
  expect(findCardSecret({ description: '4242424242424242' }, paying)).toBe('description');
  expect(findCardSecret({ a: ['x', { b: '4242 4242 4242 4242' }] }, paying)).toBe('a[1].b');
  expect(findCardSecret({ '4242424242424242': 1 }, paying)).toBe('(an attribute name)');
  expect(findCardSecret({ note: 4242424242424242 }, paying)).toBe('note');
});

test('elsewhere a number is found in groups and in prose, and a bare reference is left alone', () => {
  expect(findCardSecret({ description: '4242 4242 4242 4242' }, other)).toBe('description');
  expect(findCardSecret({ description: 'my card 4242424242424242 was declined' }, other)).toBe('description');
  expect(findCardSecret({ externalId: '4242424242424242' }, other)).toBeUndefined();
});

test('what masks a number, and numbers of SIMs and lines, may stay', () => {
  const masked = { cardNumber: '************4242', lastFourDigits: '4242', token: 'tok_4242' };
  expect(findCardSecret(masked, paying)).toBeUndefined();
  expect(
    findCardSecret({ iccid: '8965012345678901231', msisdn: '6581234567', note: 'SIM 8965012345678901231' }, other),
  ).toBe(undefined);
});

test('identifiers and dates in a body about paying may stay', () => {
  const uuids = ['550e8400-e29b-41d4-a716-446655440000', 'f4242424-2424-4242-b000-4242424242f4'];
  expect(
    findCardSecret({ correlatorId: uuids, paymentDate: '2026-11-22T18:11:00.000Z', value: 4242 }, paying),
  ).toBeUndefined();
});

test('the check digit is recognised, and a changed digit is noticed', () => {
  fc.assert(
    fc.property(
      fc.stringMatching(/^\d{12,18}$/),
      fc.nat({ max: 17 }),
      fc.integer({ min: 1, max: 9 }),
      (body, at, add) => {
        const whole = [...'0123456789'].map((digit) => body + digit).filter(hasCheckDigit);
        expect(whole).toHaveLength(1);
        const [digits = ''] = whole;
        const place = at % digits.length;
        const other = (Number(digits.charAt(place)) + add) % 10;
        expect(hasCheckDigit(digits.slice(0, place) + other + digits.slice(place + 1))).toBe(false);
      },
    ),
  );
});
