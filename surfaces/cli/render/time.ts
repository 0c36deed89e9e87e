const formats = new Map<string, Intl.DateTimeFormat>();

function format(zone: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = `${zone} ${JSON.stringify(options)}`;
  let found = formats.get(key);
  if (!found) {
    found = new Intl.DateTimeFormat('en-GB', { ...options, timeZone: zone, hourCycle: 'h23' });
    formats.set(key, found);
  }
  return found;
}

const day = { day: 'numeric', month: 'short', year: 'numeric' } as const;
const minutes = { hour: '2-digit', minute: '2-digit' } as const;

/** An instant in the operator's zone; what is no instant is shown as it came. */
function local(instant: string | null, zone: string, options: Intl.DateTimeFormatOptions): string {
  if (instant === null) return '';
  const at = Date.parse(instant);
  return Number.isNaN(at) ? instant : format(zone, options).format(at).replaceAll(',', '');
}

/** `22 Nov 2026` */
export const dayOf = (instant: string | null, zone: string): string => local(instant, zone, day);
/** `22 Nov 2026 19:15` */
export const minuteOf = (instant: string | null, zone: string): string => local(instant, zone, { ...day, ...minutes });
/** `19:15:24` */
export const timeOf = (instant: string | null, zone: string): string =>
  local(instant, zone, { ...minutes, second: '2-digit' });
/** `Sun 22 Nov 2026 19:15:24` */
export const wholeOf = (instant: string | null, zone: string): string =>
  local(instant, zone, { weekday: 'short', ...day, ...minutes, second: '2-digit' });
/** `22 Nov` */
export const shortDayOf = (instant: string | null, zone: string): string =>
  local(instant, zone, { day: 'numeric', month: 'short' });

const units = [
  ['d', 86_400],
  ['h', 3600],
  ['min', 60],
  ['s', 1],
] as const;

/** A length of time by its largest unit: `3 d`, `12 min`, `0 s`. */
export function lengthOf(seconds: number): string {
  const whole = Math.abs(Math.trunc(seconds));
  const [unit, size] = units.find(([, one]) => whole >= one) ?? units[3];
  return `${Math.floor(whole / size)} ${unit}`;
}

/** `2 min ago`, `in 3 d`, `now`. */
export function distance(instant: string, now: string): string {
  const seconds = (Date.parse(instant) - Date.parse(now)) / 1000;
  if (Number.isNaN(seconds)) return '';
  if (Math.abs(seconds) < 1) return 'now';
  return seconds < 0 ? `${lengthOf(seconds)} ago` : `in ${lengthOf(seconds)}`;
}
