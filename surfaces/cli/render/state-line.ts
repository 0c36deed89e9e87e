import type { DashboardView } from '../../../read/views/dashboard.ts';
import { type Paint, paintOf } from './paint.ts';
import { type Style, shorten, widthOf } from './text.ts';
import { dayOf, timeOf } from './time.ts';

type Part = readonly [text: string, paint?: (text: string) => string];

const between = ' · ';

/** The state of the business in two lines: whose, when and how well; then what there is and what came in today. */
export function stateLine(view: DashboardView, name: string, style: Style): string {
  const paint = paintOf(style.color);
  const { customers, lines, orders, money, usage, alarms, timeZone } = view;
  const isWell = alarms.length === 0;
  const health = isWell ? '● well' : `● ${alarms.length} to act on`;
  const failed = orders.failed + orders.rejected;
  const clock = `${dayOf(view.now, timeZone)} ${timeOf(view.now, timeZone).slice(0, 5)}`;
  const parts: Part[] = [
    [`${count(customers.total)} ${customers.total === 1 ? 'customer' : 'customers'}`],
    [`${count(lines.active)} active`, lines.active > 0 ? paint.good : undefined],
    ...optional(lines.blocked, 'blocked', paint.bad),
    ...optional(orders.open, 'open', paint.warn),
    ...optional(failed, 'failed', paint.bad),
    ...(money.orders.amount ? [[`sold ${money.orders.amount.text}`] as const] : []),
    ...(money.renewals.amount ? [[`renewed ${money.renewals.amount.text}`] as const] : []),
    ...optional(money.declined, 'declined', paint.bad),
    ...(usage.records > 0 ? [[`${usage.data.text} used`] as const] : []),
  ];
  return `${ruled(`${name}  ${clock}`, health, isWell, style, paint)}\n${fitting(parts, style.width)}\n`;
}

const count = (value: number): string => value.toLocaleString('en');

function optional(value: number, name: string, paint: (text: string) => string): Part[] {
  return value > 0 ? [[`${count(value)} ${name}`, paint]] : [];
}

/** `─ Airtime  28 Nov 2026 15:15 ─────── ● well ─` */
function ruled(title: string, health: string, isWell: boolean, style: Style, paint: Paint): string {
  const left = shorten(title, Math.max(1, style.width - widthOf(health) - 8));
  const rest = Math.max(0, style.width - widthOf(left) - widthOf(health) - 6);
  return `${paint.quiet('─')} ${paint.strong(left)} ${paint.quiet('─'.repeat(rest))} ${(isWell ? paint.good : paint.warn)(health)} ${paint.quiet('─')}`;
}

/** As many parts as there is room for, from the first on. */
function fitting(parts: readonly Part[], width: number): string {
  let taken = 0;
  const shown: string[] = [];
  for (const [text, paint] of parts) {
    const wide = widthOf(text) + (shown.length > 0 ? widthOf(between) : 0);
    if (taken + wide > width) break;
    taken += wide;
    shown.push(paint ? paint(text) : text);
  }
  return shown.join(between);
}
