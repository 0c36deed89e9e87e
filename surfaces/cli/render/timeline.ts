import type { EventList, EventView, TraceView } from '../../../read/views/event.ts';
import { type Paint, paintOf, paintState } from './paint.ts';
import { type Column, table } from './table.ts';
import { pad, type Style, shorten, widthOf } from './text.ts';
import { dayOf, distance, minuteOf, timeOf } from './time.ts';

/** Lanes from left to right in the order in which a story crosses them. */
const lanes: readonly (readonly [resourceType: string, name: string])[] = [
  ['customer', 'customer'],
  ['paymentMethod', 'card'],
  ['productOrder', 'order'],
  ['cancelProductOrder', 'cancellation'],
  ['payment', 'payment'],
  ['refund', 'refund'],
  ['serviceOrder', 'service order'],
  ['number', 'number'],
  ['esim', 'eSIM'],
  ['service', 'service'],
  ['monitor', 'network'],
  ['product', 'line'],
  ['bucket', 'quota'],
  ['usage', 'usage'],
  ['customerBill', 'bill'],
  ['appliedCustomerBillingRate', 'rate'],
  ['partyInteraction', 'interaction'],
  ['troubleTicket', 'ticket'],
];

export function laneName(resourceType: string): string {
  return lanes.find(([type]) => type === resourceType)?.[1] ?? resourceType;
}

function laneRank(resourceType: string): number {
  const found = lanes.findIndex(([type]) => type === resourceType);
  return found === -1 ? lanes.length : found;
}

/** An id by its prefix and its end: enough to tell it from its neighbours. */
function shortId(id: string): string {
  return id.length > 16 ? `${id.slice(0, id.indexOf('_') + 1)}…${id.slice(-5)}` : id;
}

/** What happened, in a few words: the states it went between, or what about it changed. */
export function happened(event: EventView): string {
  if (event.from !== null && event.to !== null && event.from !== event.to) return `${event.from} → ${event.to}`;
  if (/DeleteEvent$/.test(event.type)) return 'deleted';
  if (/CreateEvent$/.test(event.type)) return event.to ?? 'created';
  const changed = event.changed.filter((name) => !['statusDate', 'lastUpdate'].includes(name));
  if (changed.length > 0) return `changed ${changed.join(', ')}`;
  return event.to ?? event.type.replace(/Event$/, '');
}

/** Events that follow each other and differ only in which of several like resources they are about: one line. */
export interface Beat {
  event: EventView;
  count: number;
}

export function beats(events: readonly EventView[]): Beat[] {
  const told: Beat[] = [];
  for (const event of events) {
    const last = told.at(-1);
    const isLike =
      last !== undefined &&
      last.event.resourceType === event.resourceType &&
      last.event.at === event.at &&
      last.event.command === event.command &&
      last.event.resourceId !== event.resourceId &&
      happened(last.event) === happened(event);
    if (isLike) last.count += 1;
    else told.push({ event, count: 1 });
  }
  return told;
}

const timeWidth = 8;
const noteWidthMin = 24;
const idWidth = 11;

/** What happened with what it was about and why. */
const noted = (event: EventView): string =>
  [happened(event), event.amount?.text, event.reason].filter(Boolean).join('  ');

/** The story of a thing: time runs down, each kind of resource has its lane, what happened stands beside. */
export function timeline(view: TraceView, style: Style): string {
  const paint = paintOf(style.color);
  const types = [...new Set(view.events.map((event) => event.resourceType))].sort((a, b) => laneRank(a) - laneRank(b));
  const nameWidth = Math.max(0, ...types.map((type) => widthOf(laneName(type))));
  const told = beats(view.events);
  // Lanes stand apart where nothing has to be cut for it.
  const widest = Math.max(0, ...told.map(({ event }) => widthOf(noted(event))));
  const isWide = style.width - timeWidth - 3 - types.length * 2 >= nameWidth + 1 + idWidth + 1 + widest;
  const step = isWide ? 2 : 1;
  const noteWidth = Math.max(noteWidthMin, style.width - timeWidth - 2 - types.length * step - 1);
  const first = (type: string) => told.findIndex(({ event }) => event.resourceType === type);
  const last = (type: string) => told.findLastIndex(({ event }) => event.resourceType === type);
  const lines: string[] = [];
  let day = '';
  told.forEach(({ event, count }, index) => {
    const today = dayOf(event.at, view.timeZone);
    if (today !== day) lines.push(paint.strong(today));
    day = today;
    const drawn = types
      .map((type) => {
        const isHere = type === event.resourceType;
        const mark = isHere
          ? paintState(paint, event.to ?? '', '●')
          : index > first(type) && index < last(type)
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
