import { expect, test } from 'vitest';
import type { Caller } from '../../kernel/caller.ts';
import type { Named, Owned } from '../../tools/conversations.ts';
import { outbound, withheldReply } from './outbound.ts';

const caller: Caller = {
  audience: 'customer',
  id: 'tok_1',
  name: 'Ada',
  surface: 'chat',
  scopes: ['*'],
  customerId: 'cus_own',
};
const numbers: readonly (readonly [string, string])[] = [
  ['6591110002', 'cus_own'],
  ['6581110001', 'cus_other'],
  // It ends with what stands inside of the caller's own.
  ['6565911100', 'cus_other'],
  // It ends with the number of the caller's own bill, read backwards.
  ['6521000000', 'cus_other'],
];
const bills: readonly (readonly [string, string])[] = [
  ['00000012', 'cus_own'],
  ['00000120', 'cus_other'],
];

async function owners({ figures, ends }: Named): Promise<Owned[]> {
  return [
    ...numbers
      .filter(([msisdn]) => ends.includes(msisdn.slice(-8)))
      .map(([msisdn, customerId]) => ({ value: msisdn.slice(-8), customerId, msisdn })),
    ...bills
      .filter(([value]) => figures.includes(value))
      .map(([value, customerId]) => ({ value, customerId, msisdn: null })),
  ];
}

test.each([
  ['There: 6581110001 20 GB', 'There: (not yours) GB'],
  ['There: 20 81110001', 'There: (not yours)'],
  ['2081110001208', '(not yours)'],
  ['+65 8111 0001 (2026)', '(not yours))'],
  ['Receipt 00000120 20 GB', 'Receipt (not yours) GB'],
  ['Your card 8965012345678901234 20 GB', 'Your card (not yours) GB'],
])('“%s” leaves as “%s”', async (text, left) => {
  expect(await outbound(text, caller, owners)).toMatchObject({ isChanged: true, text: left });
});

test.each(['10001118', 'Read it backwards: 00 00 00 12'])('“%s” hides a number of somebody else', async (text) => {
  expect(await outbound(text, caller, owners)).toMatchObject({ text: withheldReply, foreign: ['cus_other'] });
});

test.each([
  'Your number 6591110002 20 GB left until 2026-11-28 09:00',
  '6591110002, 30 GB',
  'Receipts 00000012, 00000012 of 2026-11-28',
])('“%s” leaves as it is', async (text) => {
  expect(await outbound(text, caller, owners)).toEqual({ text, isChanged: false, foreign: [] });
});

test('more than can be looked up is withheld', async () => {
  const many = Array.from({ length: 2500 }, (_, place) => String(30_000_000 + place)).join(', ');
  expect((await outbound(many, caller, owners)).text).toBe(withheldReply);
});
