import type { BillList, BillView } from '../../../read/views/bill.ts';
import { card, cardWidths, spread } from './card.ts';
import { paintOf, paintState } from './paint.ts';
import { more } from './subscription-card.ts';
import { type Column, table } from './table.ts';
import type { Style } from './text.ts';
import { dayOf, minuteOf } from './time.ts';

/** A receipt or credit note: lines, tax excluded, tax, and what was paid. */
export function billCard(view: BillView, style: Style): string {
  const paint = paintOf(style.color);
  const { inner } = cardWidths(style);
  const kind = view.category === 'creditNote' ? 'Credit note' : 'Receipt';
  const paid = view.card ? `${view.card.brand ?? 'card'} •••• ${view.card.lastFour ?? '????'}` : '';
  return card(
    {
      title: `${kind} ${view.billNo ?? view.id}`,
      badge: view.state ?? '',
      paintBadge: (text) => paintState(paint, view.state ?? '', text),
    },
    [
      [
        spread(
          view.customer?.name ?? view.customer?.id ?? '',
          minuteOf(view.billedAt, view.timeZone),
          inner,
          paint.strong,
        ),
        spread(view.id, paid, inner, paint.quiet, paint.quiet),
      ],
      view.lines.flatMap((line) => {
        const isSpan = line.from !== null && line.to !== null && line.from !== line.to;
        const span = isSpan ? `${dayOf(line.from, view.timeZone)} to ${dayOf(line.to, view.timeZone)}` : '';
        return [
          spread(line.name, span, inner, undefined, paint.quiet),
          ...(line.subscriptionId ? [paint.quiet(`  ${line.subscriptionId}`)] : []),
        ];
      }),
      [
        spread('excluding tax', view.taxExcluded?.text ?? '', inner, paint.quiet),
        spread('tax', view.tax?.text ?? '', inner, paint.quiet),
        spread('total', view.amount?.text ?? '', inner, paint.strong, paint.strong),
      ],
    ],
    style,
  );
}

export function billTable(view: BillList, style: Style): string {
  const paint = paintOf(style.color);
  const columns: Column<BillList['items'][number]>[] = [
    { title: 'number', value: (row) => row.billNo ?? '' },
    { title: 'bill', value: (row) => row.id, drop: 5 },
    { title: 'billed', value: (row) => minuteOf(row.billedAt, view.timeZone), drop: 1 },
    { title: 'customer', value: (row) => row.customer?.name ?? row.customer?.id ?? '', min: 8, drop: 2 },
    { title: 'kind', value: (row) => (row.category === 'creditNote' ? 'credit note' : (row.category ?? '')), drop: 4 },
    { title: 'amount', value: (row) => row.amount?.text ?? '', align: 'right' },
    { title: 'tax', value: (row) => row.tax?.text ?? '', align: 'right', drop: 6 },
    { title: 'state', value: (row) => row.state ?? '', paint: (text) => paintState(paint, text), drop: 3 },
  ];
  return table(columns, view.items, style, 'No bills.') + more(view.next, paint);
}
