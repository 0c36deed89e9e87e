// One grammar for the program and for PostgreSQL, which reads it as a regular expression too. It admits only days that
// exist, because a cast of any other text to a time ends the whole statement. Years begin at 1000 and offsets end at
// 14:59 for the same reason: beyond them the two sides disagree.
const commonYear = '[1-9][0-9]{3}';
const leapYear = '(?:[1-9][0-9](?:0[48]|[2468][048]|[13579][26])|(?:[2468][048]|[13579][26])00)';
const monthDay =
  '(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))';
const time = '[Tt ](?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:[.][0-9]{1,9})?';
const zone = '(?:[Zz]|[+-](?:0[0-9]|1[0-4]):[0-5][0-9])';

/** Dates, and times with seconds, as RFC 3339 writes them. Without a zone they are taken as UTC. */
export const instantPattern = `^(?:${commonYear}-${monthDay}|${leapYear}-02-29)(?:${time}${zone}?)?$`;
const instant = new RegExp(instantPattern);
const zoned = new RegExp(`${zone}$`);

export function isInstant(text: string): boolean {
  return instant.test(text);
}

/** What begins like a date; far cheaper to ask than whether it is an instant. */
export const dateShape = '^[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[Tt ]|$)';

/**
 * The days between which a text has to be read as an instant to compare it with this one. Whatever begins with a date
 * before `from` is earlier and with `to` or a later one is later, in any zone. Undefined at the edge of the calendar.
 */
export function daysAround(text: string): { from: string; to: string } | undefined {
  const moment = new Date(withZone(text).toUpperCase().replace(' ', 'T'));
  const day = (days: number): string => {
    const shifted = new Date(moment.getTime() + days * 86_400_000);
    return shifted.toISOString().slice(0, 10);
  };
  const from = day(-1);
  const to = day(2);
  return isInstant(from) && isInstant(to) && from < to ? { from, to } : undefined;
}

/** Completes an instant, so that PostgreSQL reads it alike in every session. */
export function withZone(text: string): string {
  if (text.length === 10) return `${text}T00:00:00Z`;
  return zoned.test(text) ? text : `${text}Z`;
}

/** The SQL expression that turns a text expression, known to be an instant, into `timestamptz`. */
export function instantSql(text: string): string {
  // A date is at most ten characters long, and its day must not be taken for an offset.
  return `CASE WHEN ${text} ~ '.{10}${zone}$' THEN (${text})::timestamptz ELSE (${text})::timestamp AT TIME ZONE 'UTC' END`;
}
