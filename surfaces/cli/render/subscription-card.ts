import type { SubscriptionList, SubscriptionView } from '../../../read/views/subscription.ts';
import { bar } from './bar.ts';
import { card, cardWidths, pairs, spread } from './card.ts';
import { balanceLines, phone, stateText } from './line.ts';
import { type Paint, paintOf, paintState } from './paint.ts';
import { type Column, table } from './table.ts';
import type { Style } from './text.ts';
import { dayOf, distance, minuteOf } from './time.ts';

/** A line as one card: who and what, what is left, the period, and whether the network agrees. */
export function subscriptionCard(view: SubscriptionView, style: Style): string {
  const paint = paintOf(style.color);
  const { inner } = cardWidths(style);
  const { customer, plan, price } = view;
  const badge = stateText(view);
  const next = nextCommand(view);
  const drawn = card(
    { title: view.id, badge: `● ${badge}`, paintBadge: (text) => paintState(paint, view.state, text) },
    [
      [
        spread(phone(view.msisdn), `${plan.code} ${plan.name}`, inner, paint.strong, paint.strong),
        spread(customer.name ?? customer.id, `${price.text} / month`, inner),
      ],
      view.balances.length === 0
        ? [paint.quiet('No quota is live.')]
        : [...balanceLines(view.balances, view.stoppedKinds, inner, style), ...addOns(view, inner, style)],
      periodLine(view, inner, paint),
      pairs(about(view, paint), inner, style),
    ],
    style,
  );
  // A command stands by itself: one that is cut cannot be typed.
  return next === '' ? drawn : `${drawn}${paint.quiet('next')}  ${paint.accent(next)}\n`;
}

// Buckets that are not the plan's: bought, and with an expiry of their own.
function addOns(view: SubscriptionView, inner: number, style: Style): string[] {
  const paint = paintOf(style.color);
  const bought = view.buckets.filter((bucket) => bucket.source !== 'plan' && bucket.state === 'active');
  return bought.map((bucket) => {
    const left = bucket.remaining.amount === null ? 'unlimited' : `${bucket.remaining.text} left`;
    const until = bucket.expiresAt === null ? '' : `until ${minuteOf(bucket.expiresAt, view.timeZone)}`;
    return spread(`  + ${bucket.offering}, ${left}`, until, inner, paint.quiet, paint.quiet);
  });
}

const periodBarMax = 28;

/** The period as a bar between its two days, and how far the next charge is. */
function periodLine(view: SubscriptionView, inner: number, paint: Paint): string[] {
  const { period } = view;
  if (!period) return [];
  const from = dayOf(period.startsAt, view.timeZone);
  const to = dayOf(period.endsAt, view.timeZone);
  const days = period.daysToRenewal;
  const next = view.end ? 'ends' : 'renews';
  const renews = days === 0 ? `${next} today` : `${next} in ${days} ${days === 1 ? 'day' : 'days'}`;
  const ahead = view.state === 'terminated' ? 'ended' : renews;
  const width = Math.max(0, Math.min(periodBarMax, inner - from.length - to.length - ahead.length - 4));
  const length = Date.parse(period.endsAt) - Date.parse(period.startsAt);
  const gone = (Date.parse(view.now) - Date.parse(period.startsAt)) / Math.max(1, length);
  const { full, rest } = bar(gone, width);
  return [
    spread(`${from} ${full}${rest} ${to}`, ahead, inner, (text) =>
      text.replace(full + rest, paint.accent(full) + paint.quiet(rest)),
    ),
  ];
}

function about(view: SubscriptionView, paint: Paint): (readonly [string, string, ((text: string) => string)?])[] {
  const { card: paid, end, esim, network, nextEsim } = view;
  return [
    ['ends', end && view.state !== 'terminated' ? minuteOf(end.at, view.timeZone) : '', paint.warn],
    ['next plan', nextPlan(view)],
    [
      'card',
      paid ? `${paid.brand ?? 'card'} •••• ${paid.lastFour ?? '????'}` : 'none that can be charged',
      paid ? undefined : paint.bad,
    ],
    ['network', networkText(view), network.state === 'pending' ? paint.warn : undefined],
    ['eSIM', esim ? `${esim.state}, ICCID ends ${esim.iccidLastFour}` : ''],
    ['new eSIM', nextEsim ? `waits for the network, ICCID ends ${nextEsim.iccidLastFour}` : '', paint.warn],
    ['roaming', view.isRoamingEnabled ? '' : 'switched off', paint.warn],
    ['blocked', view.blockedAt ? `since ${minuteOf(view.blockedAt, view.timeZone)}` : '', paint.bad],
    ['ended', view.terminatedAt ? minuteOf(view.terminatedAt, view.timeZone) : ''],
  ];
}

function nextPlan({ pendingChange }: SubscriptionView): string {
  if (!pendingChange) return '';
  return `${pendingChange.offering}${pendingChange.price ? `, ${pendingChange.price.text}` : ''}, from the next renewal`;
}

/** What brings a blocked line back: a new period when it is unpaid, quota when it is used up. */
function nextCommand(view: SubscriptionView): string {
  if (view.state !== 'blocked') return '';
  return `bss subscription top-up ${view.id} ${view.blockReasons.includes('unpaid') ? 'VAS_PERIOD' : 'VAS_DATA_1GB'}`;
}

function networkText(view: SubscriptionView): string {
  const { state, since } = view.network;
  if (state === 'none') return 'was never told of it';
  return `${state === 'pending' ? 'told, not confirmed yet' : 'confirmed'}${since ? `, ${distance(since, view.now)}` : ''}`;
}

/** Lines under each other. */
export function subscriptionTable(view: SubscriptionList, style: Style): string {
  const paint = paintOf(style.color);
  const columns: Column<SubscriptionList['items'][number]>[] = [
    { title: 'line', value: (row) => row.id },
    { title: 'number', value: (row) => phone(row.msisdn), drop: 2 },
    { title: 'customer', value: (row) => row.customer.name ?? row.customer.id, min: 8, drop: 3 },
    { title: 'plan', value: (row) => row.plan.code, min: 6, drop: 4 },
    { title: 'state', value: stateText, min: 7, paint: (text, row) => paintState(paint, row.state, text) },
    { title: 'data left', value: dataLeft, align: 'right', drop: 1 },
    {
      title: 'renews',
      value: (row) => (row.period && row.state !== 'terminated' ? dayOf(row.period.endsAt, view.timeZone) : ''),
      drop: 5,
    },
  ];
  return table(columns, view.items, style, 'No lines.') + more(view.next, paint);
}

function dataLeft(row: SubscriptionList['items'][number]): string {
  return row.balances.find((balance) => balance.kind === 'data')?.remaining.text ?? '';
}

/** How to see the rest of a list. */
export function more(next: string | null, paint: Paint): string {
  return next === null ? '' : `${paint.quiet(`more: --after ${next}`)}\n`;
}
