const formats = new Map<string, Intl.DateTimeFormat>();

function local(instant: string | null, zone: string, options: Intl.DateTimeFormatOptions): string {
  if (instant === null) return '';
  const key = `${zone} ${JSON.stringify(options)}`;
  let format = formats.get(key);
  if (!format) {
    format = new Intl.DateTimeFormat('en-GB', { ...options, timeZone: zone, hourCycle: 'h23' });
    formats.set(key, format);
  }
  const at = Date.parse(instant);
  return Number.isNaN(at) ? instant : format.format(at);
}

/** `22 November 2026`, in the zone of the operator. */
export const longDay = (instant: string | null, zone: string): string =>
  local(instant, zone, { day: 'numeric', month: 'long', year: 'numeric' });
/** `22 Nov 2026` */
export const day = (instant: string | null, zone: string): string =>
  local(instant, zone, { day: 'numeric', month: 'short', year: 'numeric' });
/** `22 Nov` */
export const shortDay = (instant: string | null, zone: string): string =>
  local(instant, zone, { day: 'numeric', month: 'short' });
/** `22 Nov 2026, 19:15` */
export const minute = (instant: string | null, zone: string): string =>
  local(instant, zone, { day: 'numeric', month: 'short', year: 'numeric', hour: '2-digit', minute: '2-digit' });

/** A phone number as people read it: `+65 8100 0042`. */
export function phone(msisdn: string | null): string {
  if (msisdn === null) return '';
  const local = /^(65)(\d{4})(\d{4})$/.exec(msisdn);
  return local ? `+${local[1]} ${local[2]} ${local[3]}` : `+${msisdn}`;
}

/** `today`, `tomorrow`, `in 12 days`. */
export function inDays(days: number): string {
  if (days <= 0) return 'today';
  return days === 1 ? 'tomorrow' : `in ${days} days`;
}

const stateWords: Readonly<Record<string, string>> = {
  inProgress: 'in progress',
  pendingActive: 'being set up',
  acknowledged: 'received',
};

/** A state of the standard, as a person says it. */
export const stateWord = (state: string | null): string => (state === null ? '' : (stateWords[state] ?? state));

export function cardWords(card: { brand: string | null; lastFour: string | null }): string {
  const brand = card.brand ?? 'card';
  return `${brand.charAt(0).toUpperCase()}${brand.slice(1)} ••••\u00a0${card.lastFour ?? '????'}`;
}
