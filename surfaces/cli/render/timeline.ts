import type { EventList, EventView, TraceView } from '../../../read/views/event.ts';
import { happened, laneName, shortId, storyOf } from '../../../read/views/story.ts';
import { type Paint, paintOf, paintState } from './paint.ts';
import { type Column, table } from './table.ts';
import { pad, type Style, shorten, widthOf } from './text.ts';
import { dayOf, distance, minuteOf, timeOf } from './time.ts';

const timeWidth = 8;
const noteWidthMin = 24;
const idWidth = 11;

/** What happened with what it was about and why. */
const noted = (event: EventView): string =>
  [happened(event), event.amount?.text, event.reason].filter(Boolean).join('  ');

/** The story of a thing: time runs down, each kind of resource has its lane, what happened stands beside. */
export function timeline(view: TraceView, style: Style): string {
  const paint = paintOf(style.color);
  const { types, told, spans } = storyOf(view.events);
  const nameWidth = Math.max(0, ...types.map((type) => widthOf(laneName(type))));
  // Lanes stand apart where nothing has to be cut for it.
  const widest = Math.max(0, ...told.map(({ event }) => widthOf(noted(event))));
  const isWide = style.width - timeWidth - 3 - types.length * 2 >= nameWidth + 1 + idWidth + 1 + widest;
  const step = isWide ? 2 : 1;
  const noteWidth = Math.max(noteWidthMin, style.width - timeWidth - 2 - types.length * step - 1);
  const lines: string[] = [];
  let day = '';
  told.forEach(({ event, count }, index) => {
    const today = dayOf(event.at, view.timeZone);
    if (today !== day) lines.push(paint.strong(today));
    day = today;
    const drawn = types
      .map((type, lane) => {
        const [first, last] = spans[lane] ?? [index, index];
        const isHere = type === event.resourceType;
        const mark = isHere
          ? paintState(paint, event.to ?? '', '●')
          : index > first && index < last
            ? paint.quiet('│')
            : ' ';
        return mark + ' '.repeat(step - 1);
      })
      .join('');
    lines.push(
      `${paint.quiet(timeOf(event.at, view.timeZone))}  ${drawn} ${note(event, count, nameWidth, noteWidth, paint)}`.trimEnd(),
    );
  });
  const hidden = view.total - view.events.length;
  return [
    `${paint.strong(view.id)}${view.root === view.id ? '' : paint.quiet(`  the story of ${view.root}`)}`,
    ...(hidden > 0 ? [paint.quiet(`${hidden} older events are not shown: --limit ${Math.min(500, view.total)}`)] : []),
    ...lines,
    ...openLines(view, style, paint),
    '',
  ].join('\n');
}

function note(event: EventView, count: number, nameWidth: number, width: number, paint: Paint): string {
  const name = pad(laneName(event.resourceType), nameWidth);
  const id = pad(count === 1 ? shortId(event.resourceId) : `× ${count}`, idWidth);
  const what = noted(event);
  const left = width - widthOf(name) - 1;
  const withId = left - idWidth - 1 >= noteWidthMin - 8;
  const space = withId ? left - idWidth - 1 : left;
  const text = shorten(what, space);
  const command = withId && space - widthOf(text) >= event.command.length + 2 ? `  ${paint.quiet(event.command)}` : '';
  return `${name} ${withId ? `${paint.quiet(id)} ` : ''}${paintState(paint, event.to ?? '', text)}${command}`;
}

function openLines(view: TraceView, style: Style, paint: Paint): string[] {
  if (view.open.length === 0) return [];
  return [
    paint.strong('Still to come'),
    ...view.open.map((step) => {
      const text = shorten(
        `${minuteOf(step.dueAt, view.timeZone)}  ${step.flow} ${step.step}  ${distance(step.dueAt, view.now)}${step.lastError ? `  ${step.lastError}` : ''}`,
        style.width - 2,
      );
      return `  ${step.lastError ? paint.warn(text) : text}`;
    }),
  ];
}

export function eventTable(view: EventList, style: Style): string {
  const paint = paintOf(style.color);
  const columns: Column<EventView>[] = [
    { title: 'at', value: (row) => minuteOf(row.at, view.timeZone), paint: paint.quiet },
    { title: 'what', value: (row) => laneName(row.resourceType) },
    { title: 'id', value: (row) => row.resourceId, drop: 3 },
    { title: 'happened', value: happened, min: 12, paint: (text, row) => paintState(paint, row.to ?? '', text) },
    { title: 'command', value: (row) => row.command, min: 8, drop: 1 },
    { title: 'by', value: (row) => `${row.by.name} (${row.by.surface})`, min: 6, drop: 2 },
  ];
  const next = view.next === null ? '' : `${paint.quiet(`more: --before ${view.next}`)}\n`;
  return table(columns, view.items, style, 'Nothing was recorded.') + next;
}
