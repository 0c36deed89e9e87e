import { expect, test } from 'vitest';
import type { OrderView } from '../../../read/views/order.ts';
import { moneyOf } from './order.tsx';

const ten = { amountMinor: 1000, currency: 'SGD', text: 'SGD 10.00' };
const four = { amountMinor: 400, currency: 'SGD', text: 'SGD 4.00' };

function order(...payments: [state: string | null, refunded?: typeof four | null, item?: string][]): OrderView {
  return {
    now: '2026-11-22T00:00:00Z',
    timeZone: 'Asia/Singapore',
    id: 'ord_1',
    state: 'failed',
    customer: null,
    orderedAt: '2026-11-22T00:00:00Z',
    completedAt: null,
    orderedBy: null,
    total: ten,
    notes: [],
    items: payments.map(([state, refunded = null, item = 'failed'], index) => ({
      id: `itm_${index}`,
      itemId: String(index),
      action: 'add',
      state: item,
      offering: { code: 'PLAN_S', name: 'Start' },
      price: ten,
      subscriptionId: null,
      msisdn: null,
      payment: state === null ? null : { id: 'pay_1', state, amount: ten, refunded, reason: null },
      serviceOrder: null,
      stages: [],
    })),
  };
}

test.each([
  ['nobody was asked for money', order([null]), 'Nothing was taken from your card', null],
  ['the bank said no', order(['denied']), 'Nothing was taken from your card', null],
  [
    'it is still held',
    order(['authorized']),
    'Nothing was taken from your card',
    /put aside on it, and will be let go/,
  ],
  ['it was let go', order(['canceled']), 'Nothing was taken from your card', /put aside on it, and was let go/],
  ['it was taken and goes back', order(['captured']), 'SGD 10.00 was taken from your card', /goes back to the card/],
  ['a part was given back', order(['captured', four]), 'SGD 10.00 was taken from your card', /SGD 4\.00 of it/],
  ['all was given back', order(['done', ten]), 'SGD 10.00 was taken from your card and given back', null],
  [
    'one of two came through',
    order(['denied'], ['captured', null, 'completed']),
    'SGD 10.00 was taken from your card',
    /paid what is ready/,
  ],
])('an order that failed says what became of the money: %s', (_, view, title, detail) => {
  const words = moneyOf(view);
  expect(words.title).toBe(title);
  if (detail === null) expect(words.detail).toBeNull();
  else expect(words.detail).toMatch(detail);
});
