import { paintOf } from './paint.ts';
import { pad, type Style, shorten, widthOf } from './text.ts';

export interface Column<Row> {
  title: string;
  value(row: Row): string;
  paint?(text: string, row: Row): string;
  align?: 'left' | 'right';
  /** The narrowest it may become; as wide as its content when not given, so an id is never cut. */
  min?: number;
  /** Left out when the terminal is too narrow, highest first. A column without it always stays. */
  drop?: number;
}

const gap = '  ';

/** Rows under headings, no wider than the terminal where the columns allow it: some shrink, then some go. */
export function table<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  style: Style,
  whenEmpty: string,
): string {
  const paint = paintOf(style.color);
  if (rows.length === 0) return `${paint.quiet(whenEmpty)}\n`;
  const { shown, widths } = layOut(columns, rows, style.width);
  const heading = shown
    .map((column, index) => pad(shorten(column.title, widths[index] ?? 0), widths[index] ?? 0, side(column)))
    .join(gap);
  const lines = rows.map((row) =>
    shown
      .map((column, index) => {
        const width = widths[index] ?? 0;
        const text = shorten(column.value(row), width);
        const padded = pad(text, width, side(column));
        return column.paint && text !== '' ? padded.replace(text, () => column.paint?.(text, row) ?? text) : padded;
      })
      .join(gap)
      .trimEnd(),
  );
  return `${[paint.quiet(heading.trimEnd()), ...lines].join('\n')}\n`;
}

function side<Row>(column: Column<Row>): 'left' | 'right' {
  return column.align ?? 'left';
}

function layOut<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  width: number,
): { shown: readonly Column<Row>[]; widths: number[] } {
  const natural = (column: Column<Row>) =>
    Math.max(widthOf(column.title), ...rows.map((row) => widthOf(column.value(row))));
  // A column in which no row has anything says nothing.
  let shown = columns.filter((column) => rows.some((row) => column.value(row) !== ''));
  const space = () => width - gap.length * (shown.length - 1);
  const least = () =>
    shown.reduce((sum, column) => sum + Math.min(natural(column), column.min ?? Number.POSITIVE_INFINITY), 0);
  while (least() > space()) {
    const last = shown.filter((column) => column.drop !== undefined).sort((a, b) => (b.drop ?? 0) - (a.drop ?? 0))[0];
    if (!last) break;
    shown = shown.filter((column) => column !== last);
  }
  const widths = shown.map(natural);
  for (;;) {
    const over = widths.reduce((sum, one) => sum + one, 0) - space();
    if (over <= 0) break;
    // The widest of those that may shrink gives way first.
    const [index] = widths
      .map((one, at) => ({ at, one, room: one - (shown[at]?.min ?? one) }))
      .filter(({ room }) => room > 0)
      .sort((a, b) => b.one - a.one)
      .map(({ at }) => at);
    if (index === undefined) break;
    widths[index] = (widths[index] ?? 0) - 1;
  }
  return { shown, widths };
}
