import type { OrderItemView, OrderList, OrderView } from '../../../read/views/order.ts';
import { card, cardWidths, spread } from './card.ts';
import { phone } from './line.ts';
import { type Paint, paintOf, paintState } from './paint.ts';
import { more } from './subscription-card.ts';
import { type Column, table } from './table.ts';
import { pad, type Style, wrap } from './text.ts';
import { minuteOf, timeOf } from './time.ts';

type Stage = OrderItemView['stages'][number];

/** An order as a pipeline of its stages for each item: when each was reached, and where and why it stopped. */
export function orderPipeline(view: OrderView, style: Style): string {
  const paint = paintOf(style.color);
  const { inner } = cardWidths(style);
  const by = view.orderedBy === null ? '' : `, by ${view.orderedBy}`;
  return card(
    { title: view.id, badge: `● ${view.state ?? ''}`, paintBadge: (text) => paintState(paint, view.state ?? '', text) },
    [
      [
        spread(
          view.customer?.name ?? view.customer?.id ?? 'no customer of ours',
          view.total?.text ?? '',
          inner,
          paint.strong,
          paint.strong,
        ),
        ...wrap(`ordered ${minuteOf(view.orderedAt, view.timeZone)}${by}`, inner).map(paint.quiet),
      ],
      ...view.items.map((item) => itemSection(item, view, inner, paint)),
      view.notes.flatMap((note) =>
        wrap(note.text, inner - 2).map((line, index) => `${index === 0 ? paint.quiet('›') : ' '} ${line}`),
      ),
    ],
    style,
  );
}

function itemSection(item: OrderItemView, view: OrderView, inner: number, paint: Paint): string[] {
  const stages =
    item.stages.length * horizontalStageWidth <= inner
      ? across(item.stages, view.timeZone, inner, paint)
      : down(item.stages, view.timeZone, inner, paint);
  return [
    spread(
      `${item.itemId}. ${item.action} ${item.offering.code} ${item.offering.name}`,
      item.price.text,
      inner,
      paint.strong,
    ),
    ...stages,
    ...belongings(item, inner, paint),
  ];
}

function belongings(item: OrderItemView, inner: number, paint: Paint): string[] {
  const { payment, serviceOrder } = item;
  const refunded = payment?.refunded ? `, refunded ${payment.refunded.text}` : '';
  const rows: [string, string][] = [
    ...(item.subscriptionId ? [[item.subscriptionId, phone(item.msisdn)] satisfies [string, string]] : []),
    ...(payment ? [[payment.id, `payment ${payment.state ?? ''}${refunded}`] satisfies [string, string]] : []),
    ...(serviceOrder
      ? [[serviceOrder.id, `service order ${serviceOrder.state ?? ''}`] satisfies [string, string]]
      : []),
  ];
  return rows.map(([id, text]) => spread(id, text, inner, paint.quiet, paint.quiet));
}

const marks: Readonly<Record<Stage['state'], string>> = {
  done: '●',
  running: '◐',
  waiting: '○',
  failed: '✗',
  skipped: '·',
};

function paintStage(paint: Paint, state: Stage['state']): (text: string) => string {
  return { done: paint.good, running: paint.warn, waiting: paint.quiet, failed: paint.bad, skipped: paint.quiet }[
    state
  ];
}

const horizontalStageWidth = 13;

/** Stages from left to right: marks on a line, names and times below, a reason below those. */
function across(stages: readonly Stage[], timeZone: string, inner: number, paint: Paint): string[] {
  const marksLine = stages
    .map((stage, index) => {
      const next = stages[index + 1];
      const mark = paintStage(paint, stage.state)(marks[stage.state]);
      if (!next) return mark;
      const way =
        next.state === 'done'
          ? paint.good('━'.repeat(horizontalStageWidth - 1))
          : paint.quiet('╌'.repeat(horizontalStageWidth - 1));
      return mark + way;
    })
    .join('');
  const names = stages.map((stage) => paintStage(paint, stage.state)(pad(stage.name, horizontalStageWidth))).join('');
  const times = stages.map((stage) => paint.quiet(pad(timeOf(stage.at, timeZone), horizontalStageWidth))).join('');
  return [marksLine, names, times, ...reasons(stages, inner, paint)];
}

function reasons(stages: readonly Stage[], inner: number, paint: Paint): string[] {
  return stages.flatMap((stage) =>
    stage.reason === null ? [] : wrap(`${stage.name}: ${stage.reason}`, inner).map(paintStage(paint, stage.state)),
  );
}

const nameWidth = 12;

/** Stages from top to bottom, for a narrow terminal: one line each. */
function down(stages: readonly Stage[], timeZone: string, inner: number, paint: Paint): string[] {
  return stages.flatMap((stage, index) => {
    const paintIt = paintStage(paint, stage.state);
    const isLast = index === stages.length - 1;
    const line =
      `${paintIt(marks[stage.state])} ${paintIt(pad(stage.name, nameWidth))}  ${paint.quiet(timeOf(stage.at, timeZone))}`.trimEnd();
    const why =
      stage.reason === null
        ? []
        : wrap(stage.reason, inner - 4).map((text) => `${isLast ? ' ' : paint.quiet('│')}   ${paintIt(text)}`);
    return [line, ...why];
  });
}

export function orderTable(view: OrderList, style: Style): string {
  const paint = paintOf(style.color);
  const columns: Column<OrderList['items'][number]>[] = [
    { title: 'order', value: (row) => row.id },
    { title: 'ordered', value: (row) => minuteOf(row.orderedAt, view.timeZone), drop: 3 },
    { title: 'customer', value: (row) => row.customer?.name ?? row.customer?.id ?? '', min: 8, drop: 4 },
    { title: 'what', value: (row) => row.offerings.join(', '), min: 6, drop: 5 },
    { title: 'total', value: (row) => row.total?.text ?? '', align: 'right', drop: 6 },
    { title: 'state', value: (row) => row.state ?? '', paint: (text, row) => paintState(paint, row.state ?? '', text) },
    { title: 'note', value: (row) => (row.state === 'completed' ? '' : (row.note ?? '')), min: 10, drop: 7 },
  ];
  return table(columns, view.items, style, 'No orders.') + more(view.next, paint);
}
