import type { DashboardView } from '../../../read/views/dashboard.ts';
import { beats, happened, laneName } from '../../../read/views/story.ts';
import { columns } from './bar.ts';
import { card, cardWidths, spread } from './card.ts';
import { type Paint, paintOf, paintState } from './paint.ts';
import { pad, type Style, shorten, widthOf, wrap } from './text.ts';
import { dayOf, timeOf } from './time.ts';

const chartHeight = 4;

type Figure = readonly [name: string, value: string, paint?: (text: string) => string];

/** The day's business: what is there, what came in, what was used by the hour, what just happened, what to act on. */
export function dashboard(view: DashboardView, style: Style): string {
  const paint = paintOf(style.color);
  const { inner } = cardWidths(style);
  const isWell = view.alarms.length === 0;
  const head = {
    title: `Airtime  ${dayOf(view.now, view.timeZone)} ${timeOf(view.now, view.timeZone)}`,
    badge: isWell ? '● well' : `● ${view.alarms.length} to act on`,
    paintBadge: isWell ? paint.good : paint.warn,
  };
  const standings = figures(standing(view, paint), inner, paint);
  const taken = figures(takings(view, paint), inner, paint);
  const alarms = view.alarms.flatMap((alarm) => [
    ...wrap(alarm.sentence, inner - 2).map((line, index) => `${index === 0 ? paint.bad('!') : ' '} ${line}`),
    `  ${paint.accent(alarm.command)}`,
  ]);
  const drawnUsage = usage(view, inner, paint);
  const fixed = [standings, taken, drawnUsage, alarms];
  // What just happened gets the lines that are left: what is to be acted on is never pushed off the screen by it.
  const edges = 1 + fixed.filter((section) => section.length > 0).length + 1;
  const used = fixed.reduce((sum, section) => sum + section.length, edges);
  const room = style.height === undefined ? recentMax : Math.max(0, style.height - used);
  return card(head, [standings, taken, drawnUsage, recent(view, room, inner, paint), alarms], style);
}

const recentMax = 10;

function standing({ customers, lines, orders, work }: DashboardView, paint: Paint): Figure[] {
  return [
    ['customers', `${count(customers.total)}${customers.today > 0 ? ` (+${count(customers.today)})` : ''}`],
    ['active', count(lines.active), paint.good],
    ['blocked', blocked(lines), lines.blocked > 0 ? paint.bad : undefined],
    ['pending', count(lines.pending), lines.pending > 0 ? paint.warn : undefined],
    ['orders done', count(orders.completed)],
    ['open', count(orders.open), orders.open > 0 ? paint.warn : undefined],
    ['failed', count(orders.failed + orders.rejected), orders.failed + orders.rejected > 0 ? paint.bad : undefined],
    ['to network', count(work.networkPending), work.networkPending > 0 ? paint.warn : undefined],
    ['retrying', count(work.retrying), work.retrying > 0 ? paint.warn : undefined],
  ];
}

function blocked({ blocked: all, unpaid }: DashboardView['lines']): string {
  return unpaid > 0 ? `${count(all)}, ${count(unpaid)} unpaid` : count(all);
}

function takings({ money }: DashboardView, paint: Paint): Figure[] {
  const told = ({ count: times, amount }: DashboardView['money']['orders']) =>
    amount === null ? count(times) : `${amount.text} (${count(times)})`;
  return [
    ['sold', told(money.orders), money.orders.count > 0 ? paint.good : undefined],
    ['renewed', told(money.renewals), money.renewals.count > 0 ? paint.good : undefined],
    ['refunded', told(money.refunded), money.refunded.count > 0 ? paint.warn : undefined],
    ['declined', count(money.declined), money.declined > 0 ? paint.bad : undefined],
  ];
}

const count = (value: number): string => value.toLocaleString('en');

const gap = 2;

/** Names over values, as many beside each other as there is room for, in columns of one width. */
function figures(all: readonly Figure[], inner: number, paint: Paint): string[] {
  const wide = Math.max(...all.map(([name, value]) => Math.max(widthOf(name), widthOf(value)))) + gap;
  const perLine = Math.max(1, Math.floor((inner + gap) / wide));
  const lines: string[] = [];
  for (let from = 0; from < all.length; from += perLine) {
    const row = all.slice(from, from + perLine);
    const line = (cell: (figure: Figure) => string) =>
      row.map((figure, place) => (place === row.length - 1 ? cell(figure) : pad(cell(figure), wide))).join('');
    lines.push(line(([name]) => paint.quiet(name)));
    lines.push(line(([, value, color]) => (color ?? paint.strong)(value)));
  }
  return lines;
}

/** Data by local hour as columns, on a scale of the day. */
function usage({ usage: used }: DashboardView, inner: number, paint: Paint): string[] {
  const head = spread(
    `Data today  ${used.data.text}`,
    `${count(used.records)} ${used.records === 1 ? 'record' : 'records'}${used.rejected > 0 ? `, ${count(used.rejected)} refused` : ''}`,
    inner,
    paint.strong,
    paint.quiet,
  );
  const wide = Math.max(1, Math.min(3, Math.floor(inner / 24)));
  const chart = columns(
    used.hours.map(({ data }) => data),
    chartHeight,
  ).map((line) => paint.accent([...line].map((cell) => (wide === 1 ? cell : `${cell.repeat(wide - 1)} `)).join('')));
  const hours = Array.from({ length: 4 }, (_, quarter) => pad(String(quarter * 6).padStart(2, '0'), wide * 6)).join('');
  return [head, ...(used.records === 0 ? [] : chart), paint.quiet(hours.trimEnd())];
}

function recent(view: DashboardView, room: number, inner: number, paint: Paint): string[] {
  const told = beats(view.recent).slice(0, room);
  const named = Math.max(0, ...told.map(({ event, count }) => widthOf(subject(event.resourceType, count))));
  return told.map(({ event, count }) => {
    const what = [happened(event), event.amount?.text, event.reason].filter(Boolean).join('  ');
    const text = shorten(what, inner - 10 - named - 2);
    return `${paint.quiet(timeOf(event.at, view.timeZone))}  ${pad(subject(event.resourceType, count), named)}  ${paintState(paint, event.to ?? '', text)}`;
  });
}

const subject = (resourceType: string, count: number): string =>
  count === 1 ? laneName(resourceType) : `${count} × ${laneName(resourceType)}`;
