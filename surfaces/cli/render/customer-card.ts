import type { CustomerList, CustomerView } from '../../../read/views/customer.ts';
import { card, cardWidths, spread } from './card.ts';
import { balanceLines, phone, stateText } from './line.ts';
import { type Paint, paintOf, paintState } from './paint.ts';
import { more } from './subscription-card.ts';
import { type Column, table } from './table.ts';
import type { Style } from './text.ts';
import { dayOf, minuteOf } from './time.ts';

/** A customer as one card: how to reach them, how they pay, what they have, what they bought, what troubles them. */
export function customerCard(view: CustomerView, style: Style): string {
  const paint = paintOf(style.color);
  const { inner } = cardWidths(style);
  return card(
    {
      title: view.name ?? view.id,
      badge: view.state ?? '',
      paintBadge: (text) => paintState(paint, view.state ?? '', text),
    },
    [
      [
        spread(view.id, `since ${dayOf(view.createdAt, view.timeZone)}`, inner, paint.quiet, paint.quiet),
        ...view.contacts.map((contact) => spread(contact.value, contact.medium, inner, undefined, paint.quiet)),
        ...cardLines(view, inner, paint),
      ],
      ...view.lines.map((line) => lineSection(line, view.timeZone, inner, style)),
      titled(
        'Orders',
        paint,
        view.orders.map((order) => {
          const what = `${order.id}  ${order.offerings.join(', ')}`;
          return spread(what, [order.total?.text, order.state].filter(Boolean).join('  '), inner, undefined, (text) =>
            paintState(paint, order.state ?? '', text),
          );
        }),
      ),
      titled(
        'Open tickets',
        paint,
        view.tickets.map((ticket) =>
          spread(`${ticket.id}  ${ticket.name}`, ticket.state ?? '', inner, undefined, (text) =>
            paintState(paint, ticket.state ?? '', text),
          ),
        ),
      ),
      titled(
        'Bills',
        paint,
        view.bills.map((bill) =>
          spread(
            `${bill.billNo ?? bill.id}  ${minuteOf(bill.billedAt, view.timeZone)}`,
            `${bill.amount?.text ?? ''}  ${bill.state ?? ''}`,
            inner,
          ),
        ),
      ),
    ],
    style,
  );
}

function titled(title: string, paint: Paint, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : [paint.strong(title), ...lines];
}

function cardLines(view: CustomerView, inner: number, paint: Paint): string[] {
  if (view.cards.length === 0) return [paint.warn('No card on file: nothing can be bought.')];
  return view.cards.map((one) => {
    const expiry = one.expiresAt ? `expires ${one.expiresAt.slice(5, 7)}/${one.expiresAt.slice(2, 4)}` : '';
    const isDead = one.state !== 'active' || (one.expiresAt !== null && one.expiresAt < view.now);
    const name = `${one.brand ?? 'card'} •••• ${one.lastFour ?? '????'}${one.isPreferred && view.cards.length > 1 ? ' (charged first)' : ''}`;
    return spread(name, isDead ? `${expiry}, expired` : expiry, inner, isDead ? paint.bad : undefined, paint.quiet);
  });
}

function lineSection(line: CustomerView['lines'][number], timeZone: string, inner: number, style: Style): string[] {
  const paint = paintOf(style.color);
  const renews = line.period && line.state !== 'terminated' ? `renews ${dayOf(line.period.endsAt, timeZone)}` : '';
  return [
    spread(`${phone(line.msisdn)}  ${line.plan.code}`, `● ${stateText(line)}`, inner, paint.strong, (text) =>
      paintState(paint, line.state, text),
    ),
    spread(line.id, [line.price.text, renews].filter(Boolean).join(', '), inner, paint.quiet, paint.quiet),
    ...(line.state === 'terminated' ? [] : balanceLines(line.balances, line.stoppedKinds, inner, style)),
  ];
}

export function customerTable(view: CustomerList, style: Style): string {
  const paint = paintOf(style.color);
  const columns: Column<CustomerList['items'][number]>[] = [
    { title: 'customer', value: (row) => row.id },
    { title: 'name', value: (row) => row.name ?? '', min: 12 },
    { title: 'email', value: (row) => row.email ?? '', min: 20, drop: 1 },
    {
      title: 'state',
      value: (row) => row.state ?? '',
      paint: (text, row) => paintState(paint, row.state ?? '', text),
      drop: 3,
    },
    { title: 'lines', value: (row) => String(row.lines), align: 'right', drop: 2 },
    { title: 'since', value: (row) => dayOf(row.createdAt, view.timeZone), drop: 4 },
  ];
  return table(columns, view.items, style, 'No customers.') + more(view.next, paint);
}
