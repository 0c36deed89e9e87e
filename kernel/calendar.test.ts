import { expect, test } from 'vitest';
import { monthsAfter } from './calendar.ts';

const sgt = (text: string) => new Date(`${text}+08:00`);

test('months keep to their anchor: 31 Jan, 28 Feb, 31 Mar', () => {
  const anchor = sgt('2026-01-31T09:30:00');
  expect(monthsAfter(anchor, 1, 'Asia/Singapore')).toEqual(sgt('2026-02-28T09:30:00'));
  expect(monthsAfter(anchor, 2, 'Asia/Singapore')).toEqual(sgt('2026-03-31T09:30:00'));
  expect(monthsAfter(anchor, 3, 'Asia/Singapore')).toEqual(sgt('2026-04-30T09:30:00'));
});

test('the operator’s time zone decides the day, across a change of clocks too', () => {
  // 00:30 on 1 March in Singapore is still 28 February in UTC.
  expect(monthsAfter(sgt('2026-03-01T00:30:00'), 1, 'Asia/Singapore')).toEqual(sgt('2026-04-01T00:30:00'));
  expect(monthsAfter(new Date('2026-03-28T08:00:00Z'), 1, 'Europe/London')).toEqual(new Date('2026-04-28T07:00:00Z'));
});
