import type { EsimStock, NumberStock } from '../../../read/views/stock.ts';
import { bar } from './bar.ts';
import { phone } from './line.ts';
import { paintOf, paintState } from './paint.ts';
import { table } from './table.ts';
import { pad, type Style, widthOf } from './text.ts';
import { dayOf, minuteOf } from './time.ts';

const barWidth = 24;

/** How a stock divides into its states, and the rows that were asked for. */
export function drawStock(view: NumberStock | EsimStock, style: Style): string {
  const paint = paintOf(style.color);
  const total = view.summary.reduce((sum, one) => sum + one.count, 0);
  const nameWidth = Math.max(0, ...view.summary.map((one) => widthOf(one.state)));
  const summary = view.summary.map((one) => {
    const { full, rest } = bar(one.count / Math.max(1, total), barWidth);
    return `${pad(one.state, nameWidth)}  ${paintState(paint, one.state, full)}${paint.quiet(rest)}  ${String(one.count).padStart(6)}`;
  });
  if (total === 0) return `${paint.warn('The stock is empty: load some.')}\n`;
  const rows = view.items.length === 0 ? '' : `\n${isNumbers(view) ? numbers(view, style) : esims(view, style)}`;
  return `${summary.join('\n')}\n${rows}`;
}

function isNumbers(view: NumberStock | EsimStock): view is NumberStock {
  const [first] = view.items;
  return first !== undefined && 'msisdn' in first;
}

function numbers(view: NumberStock, style: Style): string {
  const paint = paintOf(style.color);
  return table(
    [
      { title: 'number', value: (row) => phone(row.msisdn) },
      { title: 'state', value: (row) => row.state, paint: (text) => paintState(paint, text) },
      { title: 'line', value: (row) => row.subscriptionId ?? '', drop: 1 },
      { title: 'quarantined until', value: (row) => dayOf(row.quarantinedUntil, view.timeZone), drop: 2 },
      { title: 'since', value: (row) => minuteOf(row.changedAt, view.timeZone), drop: 3 },
    ],
    view.items,
    style,
    '',
  );
}

function esims(view: EsimStock, style: Style): string {
  const paint = paintOf(style.color);
  return table(
    [
      { title: 'profile', value: (row) => row.id },
      { title: 'ICCID', value: (row) => `…${row.iccidLastFour}` },
      { title: 'state', value: (row) => row.state, paint: (text) => paintState(paint, text) },
      { title: 'line', value: (row) => row.subscriptionId ?? '', drop: 1 },
      { title: 'since', value: (row) => minuteOf(row.changedAt, view.timeZone), drop: 2 },
    ],
    view.items,
    style,
    '',
  );
}
