import { isJsonObject } from '../../../kernel/json.ts';
import type { Verb } from '../descriptors.ts';
import { card, cardWidths, pairs } from './card.ts';
import { paintOf, paintState } from './paint.ts';
import { type Column, table } from './table.ts';
import type { Style } from './text.ts';
import { widthOf, wrap } from './text.ts';

/** Any answer for which there is no picture: a list of objects as a table, an object as a card, the rest as it is. */
export function drawAnything(verb: Pick<Verb, 'noun' | 'verb'>, value: unknown, style: Style): string {
  if (Array.isArray(value)) return drawRows(value, style);
  if (!isJsonObject(value)) return value === null || value === undefined ? 'Done.\n' : `${String(value)}\n`;
  const list = Object.values(value).find(Array.isArray);
  if (list && Object.keys(value).length <= 2) return drawRows(list, style);
  return drawObject(`${verb.noun} ${verb.verb}`, value, style);
}

const cellWidthMax = 40;

function drawRows(rows: readonly unknown[], style: Style): string {
  const objects = rows.filter(isJsonObject);
  if (objects.length === 0) return rows.length === 0 ? 'None.\n' : `${rows.map(oneLine).join('\n')}\n`;
  const names = [...new Set(objects.flatMap((row) => Object.keys(row)))];
  const paint = paintOf(style.color);
  const columns = names.map(
    (name, index): Column<Record<string, unknown>> => ({
      title: title(name),
      value: (row) => oneLine(row[name]),
      ...(isNumeric(objects, name) ? { align: 'right' as const } : {}),
      ...(/^(state|status)$/.test(name) ? { paint: (text: string) => paintState(paint, text) } : {}),
      ...(name === 'id' ? {} : { min: 6, drop: index }),
    }),
  );
  return table(columns, objects, style, 'None.');
}

function isNumeric(rows: readonly Record<string, unknown>[], name: string): boolean {
  return rows.every((row) => row[name] === undefined || row[name] === null || typeof row[name] === 'number');
}

/** A wire resource comes as its stored form, document and version; people look at the document. */
function drawObject(heading: string, value: Record<string, unknown>, style: Style): string {
  const paint = paintOf(style.color);
  const { inner } = cardWidths(style);
  const subject = isJsonObject(value.document) ? value.document : value;
  const id = typeof subject.id === 'string' ? subject.id : typeof value.id === 'string' ? value.id : heading;
  const state = [subject.state, subject.status, subject.lifecycleStatus].find((one) => typeof one === 'string');
  const skipped = ['id', 'state', 'status', 'lifecycleStatus'];
  const entries = Object.entries(subject).filter(
    ([name, part]) => !skipped.includes(name) && !name.startsWith('@') && oneLine(part) !== '',
  );
  const nameWidth = Math.max(0, ...entries.map(([name]) => widthOf(title(name))));
  const lines = entries.flatMap(([name, part]) => {
    const [first = '', ...rest] = wrap(oneLine(part), Math.max(10, inner - nameWidth - 2));
    return [
      ...pairs([[title(name), first]], inner, style).map((line) => indentName(line, name, nameWidth)),
      ...rest.map((line) => ' '.repeat(nameWidth + 2) + line),
    ];
  });
  return card(
    {
      title: id,
      ...(typeof state === 'string'
        ? { badge: state, paintBadge: (text: string) => paintState(paint, state, text) }
        : {}),
    },
    [lines],
    style,
  );
}

// Each pair is drawn by itself, so its name is widened to that of the widest.
function indentName(line: string, name: string, nameWidth: number): string {
  const own = title(name);
  return line.replace(own, () => own + ' '.repeat(nameWidth - widthOf(own)));
}

/** `givenName` -> `given name`. */
function title(name: string): string {
  return name
    .replaceAll('_', ' ')
    .replace(/([a-z0-9])([A-Z])/g, (_, before: string, letter: string) => `${before} ${letter.toLowerCase()}`);
}

/** A value in one line: what an object is called before what it holds. */
function oneLine(value: unknown): string {
  if (value === null || value === undefined) return '';
  if (Array.isArray(value)) return value.map(oneLine).filter(Boolean).join(', ');
  if (!isJsonObject(value)) return String(value);
  if (typeof value.unit === 'string' && typeof value.value === 'number') return `${value.unit} ${value.value}`;
  if (typeof value.text === 'string' && 'amountMinor' in value) return value.text;
  const named = [value.name, value.code, value.id].find((one) => typeof one === 'string');
  if (typeof named === 'string') return named;
  const inside = Object.entries(value)
    .filter(([name]) => !name.startsWith('@'))
    .map(([name, part]) => `${title(name)} ${oneLine(part)}`.trim())
    .join(' · ');
  return inside.length > cellWidthMax * 4 ? `${inside.slice(0, cellWidthMax * 4)}…` : inside;
}
