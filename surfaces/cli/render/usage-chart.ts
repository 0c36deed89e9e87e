import { formatQuantity, kindName } from '../../../kernel/quantity.ts';
import type { UsageView } from '../../../read/views/usage.ts';
import { columns, sparkline } from './bar.ts';
import { phone } from './line.ts';
import { paintOf, paintState } from './paint.ts';
import { type Column, table } from './table.ts';
import { pad, type Style } from './text.ts';
import { minuteOf, shortDayOf } from './time.ts';

const height = 6;
const axisWidth = 10;
const columnWidthMax = 6;
const recordsMax = 10;

/** What a line used: data by day as columns, the other kinds as small lines, then its latest records. */
export function usageChart(view: UsageView, style: Style): string {
  const paint = paintOf(style.color);
  const spent = (kind: string) => view.days.map((day) => day.charged.find((one) => one.kind === kind)?.amount ?? 0);
  const data = spent('data');
  const most = Math.max(0, ...data);
  const room = Math.max(1, Math.floor((style.width - axisWidth - 2) / Math.max(1, view.days.length)));
  const wide = Math.min(columnWidthMax, room);
  const widen = (cell: string) => (wide <= 1 ? cell : `${cell.repeat(wide - 1)} `);
  const chart = columns(data, height).map((line, index) => {
    const label = index === 0 ? formatQuantity('data', most) : index === height - 1 ? '0' : '';
    return `${paint.quiet(pad(label, axisWidth - 2, 'right'))} ${paint.quiet('┤')}${paint.accent([...line].map(widen).join('').trimEnd())}`;
  });
  const axis = `${' '.repeat(axisWidth - 1)}${paint.quiet(`└${'─'.repeat(wide * view.days.length)}`)}`;
  const firstDay = shortDayOf(`${view.days[0]?.day ?? ''}T00:00:00Z`, 'UTC');
  const lastDay = shortDayOf(`${view.days.at(-1)?.day ?? ''}T00:00:00Z`, 'UTC');
  const between = Math.max(1, wide * view.days.length - firstDay.length - lastDay.length);
  const days = `${' '.repeat(axisWidth)}${paint.quiet(`${firstDay}${' '.repeat(between)}${lastDay}`)}`;
  const others = view.totals
    .filter((total) => total.kind !== 'data')
    .map((total) => `${pad(kindName(total.kind), 13)}${paint.accent(sparkline(spent(total.kind)))}  ${total.text}`);
  const total = view.totals.find((one) => one.kind === 'data')?.text ?? formatQuantity('data', 0);
  return [
    `${paint.strong(`${phone(view.msisdn)} Data`)}  ${total} ${paint.quiet(`in ${view.days.length} days`)}`,
    ...(most === 0 ? [paint.quiet('No data was used in these days.')] : [...chart, axis, days]),
    ...others,
    '',
    records(view, style),
  ].join('\n');
}

function records(view: UsageView, style: Style): string {
  const paint = paintOf(style.color);
  const shown: Column<UsageView['items'][number]>[] = [
    { title: 'at', value: (row) => minuteOf(row.at, view.timeZone) },
    { title: 'kind', value: (row) => (row.kind === null ? '' : kindName(row.kind)), drop: 3 },
    { title: 'used', value: (row) => row.quantity?.text ?? '', align: 'right' },
    { title: 'charged', value: (row) => row.charged?.text ?? '', align: 'right', drop: 2 },
    {
      title: 'beyond quota',
      value: (row) => (row.excess && row.excess.amount !== 0 ? row.excess.text : ''),
      align: 'right',
      drop: 1,
      paint: paint.warn,
    },
    { title: 'state', value: (row) => row.state ?? '', paint: (text) => paintState(paint, text) },
    { title: 'refused by', value: (row) => row.reason ?? '', min: 10 },
  ];
  return table(shown, view.items.slice(0, recordsMax), style, 'No records.');
}
