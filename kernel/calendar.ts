import { DateTime } from 'luxon';

/**
 * The boundary that ends the n-th month after an anchor, in the operator's time zone: 31 Jan, 28 Feb, 31 Mar. Counted
 * from the anchor each time, so a short month does not shorten those after it.
 */
export function monthsAfter(anchor: Date, months: number, timeZone: string): Date {
  return DateTime.fromJSDate(anchor, { zone: timeZone }).plus({ months }).toJSDate();
}

export function hoursAfter(from: Date, hours: number): Date {
  return DateTime.fromJSDate(from, { zone: 'utc' }).plus({ hours }).toJSDate();
}

export function daysAfter(from: Date, days: number, timeZone: string): Date {
  return DateTime.fromJSDate(from, { zone: timeZone }).plus({ days }).toJSDate();
}

/** The end of the month a card names: the card is good through its last millisecond, anywhere on earth. */
export function endOfCardMonth(year: number, month: number): Date {
  return DateTime.fromObject({ year, month }, { zone: 'utc' }).endOf('month').toJSDate();
}

export function isTimeZone(name: string): boolean {
  return DateTime.local({ zone: name }).isValid;
}

/** `4 March 2026, 09:00`, as a person in that zone reads it. */
export function formatInstant(at: Date, timeZone: string): string {
  return DateTime.fromJSDate(at, { zone: timeZone }).setLocale('en').toFormat('d LLLL yyyy, HH:mm');
}
