import type { FlowList } from '../../../read/views/flow.ts';
import { paintOf, paintState } from './paint.ts';
import { type Column, table } from './table.ts';
import { type Style, wrap } from './text.ts';
import { distance, lengthOf } from './time.ts';

/** Steps of work: what is in trouble first. */
export function stepTable(view: FlowList, style: Style): string {
  const paint = paintOf(style.color);
  const columns: Column<FlowList['items'][number]>[] = [
    { title: 'step', value: (row) => `${row.flow} ${row.step}` },
    { title: 'about', value: (row) => row.subject, drop: 2 },
    {
      title: 'condition',
      value: (row) => row.condition,
      paint: (text) => (text === 'retrying' ? paint.bad(text) : paintState(paint, text)),
    },
    { title: 'due', value: (row) => distance(row.dueAt, view.now), align: 'right' },
    { title: 'tries', value: (row) => (row.attempts === 0 ? '' : String(row.attempts)), align: 'right', drop: 4 },
    {
      title: 'next try',
      value: (row) => (row.nextTrySeconds === null ? '' : `in ${lengthOf(row.nextTrySeconds)}`),
      align: 'right',
      drop: 5,
    },
  ];
  const hidden = view.total - view.items.length;
  const troubles = view.items.flatMap((row) =>
    row.lastError === null
      ? []
      : wrap(`${row.subject}: ${row.lastError}`, style.width - 2).map((line) => `  ${paint.warn(line)}`),
  );
  return [
    table(columns, view.items, style, 'No work is open.'),
    ...(hidden > 0 ? [`${paint.quiet(`${hidden} more: --limit ${Math.min(200, view.total)}`)}\n`] : []),
    ...(troubles.length > 0 ? [`\n${paint.strong('In trouble')}\n${troubles.join('\n')}\n`] : []),
  ].join('');
}
