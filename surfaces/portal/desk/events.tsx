import { type EventView, listEvents, type TraceView, traceEvents } from '../../../read/views/event.ts';
import { happened, laneName, storyOf } from '../../../read/views/story.ts';
import { Heading } from '../layout.tsx';
import { page, type Reply, type Route, type Visit } from '../route.ts';
import { Card, type Column, Table } from '../ui/parts.tsx';
import { minute, stateWord } from '../ui/words.ts';
import { asked, Command, Commands, Id, More, moment, only, position } from './parts.tsx';

const noted = (event: EventView): string =>
  [happened(event, stateWord), event.amount?.text, event.reason].filter((one) => Boolean(one)).join(', ');

export function eventColumns(timeZone: string): readonly Column<EventView>[] {
  return [
    { title: 'When', value: (row) => <span class="when">{moment(row.at, timeZone)}</span> },
    { title: 'What', value: (row) => laneName(row.resourceType) },
    { title: 'Which', value: (row) => <Id id={row.resourceId} /> },
    { title: 'Happened', value: noted },
    { title: 'Command', value: (row) => <code>{row.command}</code>, isExtra: true },
    { title: 'By', value: (row) => `${row.by.name} (${row.by.surface})`, isExtra: true },
  ];
}

async function list(visit: Visit): Promise<Reply> {
  const { query } = visit;
  const filter = only({
    customerId: asked(query.get('customer')),
    resourceId: asked(query.get('about')),
    command: asked(query.get('command')),
  });
  const view = await visit.read(listEvents, {
    limit: 30,
    ...filter,
    ...only({ before: position(query.get('before')) }),
  });
  const kept = new URLSearchParams([...query].filter(([name]) => name !== 'before'));
  const to = kept.size === 0 ? '/desk/events' : `/desk/events?${kept}`;
  return page({
    title: 'Events',
    section: 'desk',
    width: 'wide',
    body: (
      <>
        <Heading title="Events" lead="All that was recorded, newest first." />
        <search>
          <form method="get" action="/desk/trace" class="search">
            <div class="field">
              <label for="story">The story of anything</label>
              <p class="hint" id="story-hint">
                An id, a phone number or the number of a bill
              </p>
              <input id="story" name="of" type="search" required maxLength={200} aria-describedby="story-hint" />
            </div>
            <button type="submit" class="button primary">
              Tell
            </button>
          </form>
        </search>
        <Table caption="Events" columns={eventColumns(view.timeZone)} rows={view.items} empty="Nothing was recorded." />
        <More to={to} next={view.next} name="before" />
      </>
    ),
  });
}

const laneWidth = 22;
const rowHeight = 44;
/** Lines go on beyond a row, so that they meet where one is higher. */
const over = 24;

/** Beside each event its lane: where a thing is first and last spoken of, and that it goes on between. */
function Lanes({ spans, index, here }: { spans: readonly (readonly [number, number])[]; index: number; here: number }) {
  const middle = rowHeight / 2;
  const width = spans.length * laneWidth;
  const lines = spans.flatMap(([first, last], lane) => {
    if (index < first || index > last || first === last) return [];
    const from = index === first ? middle : -over;
    return [`M${lane * laneWidth + laneWidth / 2} ${from}V${index === last ? middle : rowHeight + over}`];
  });
  return (
    <svg class="lanes" width={width} height={rowHeight} aria-hidden="true">
      <path d={lines.join('')} />
      <circle cx={here * laneWidth + laneWidth / 2} cy={middle} r="6" />
    </svg>
  );
}

/** The story of a thing: time runs down, each kind of thing has its lane, what happened stands beside. */
function Swimlane({ view }: { view: TraceView }) {
  const { types, told, spans } = storyOf(view.events);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard
    <section class="swimlane" aria-label="What happened, oldest first" tabIndex={0}>
      <ol>
        {told.map(({ event, count }, index) => (
          <li key={event.id}>
            <Lanes spans={spans} index={index} here={types.indexOf(event.resourceType)} />
            <span class="beat">
              <span class="beat-what">
                <strong>{laneName(event.resourceType)}</strong> {noted(event)}
              </span>
              <span class="beat-detail">
                {moment(event.at, view.timeZone)}, {count === 1 ? <Id id={event.resourceId} /> : `${count} of them`}
                <span class="extra"> by {event.command}</span>
              </span>
            </span>
          </li>
        ))}
      </ol>
    </section>
  );
}

async function trace(visit: Visit): Promise<Reply> {
  const id = visit.params.id ?? asked(visit.query.get('of')) ?? '';
  const view = await visit.read(traceEvents, { id, limit: 100 });
  const hidden = view.total - view.events.length;
  return page({
    title: `The story of ${view.id}`,
    section: 'desk',
    width: 'wide',
    body: (
      <>
        <Heading
          title="The story"
          lead={
            <>
              of <Id id={view.id} />
              {view.root === view.id ? null : (
                <>
                  , as a part of <Id id={view.root} />
                </>
              )}
            </>
          }
          back={{ to: '/desk/events', label: 'Events' }}
        />
        {hidden > 0 ? (
          <Command
            does={`${hidden} older events are not shown here`}
            line={`bss trace ${view.id} --limit ${Math.min(500, view.total)}`}
          />
        ) : null}
        <Card>
          {view.events.length === 0 ? <p class="empty">Nothing has happened to it yet.</p> : <Swimlane view={view} />}
        </Card>
        {view.open.length === 0 ? null : (
          <Card title="Still to come">
            <ul class="rows">
              {view.open.map((step) => (
                <li key={`${step.flow} ${step.step} ${step.subject}`} class="row">
                  <span>
                    <span class="row-name">{`${step.flow}: ${step.step}`}</span>
                    <span class="row-detail">{step.lastError ?? `due ${minute(step.dueAt, view.timeZone)}`}</span>
                  </span>
                </li>
              ))}
            </ul>
          </Card>
        )}
        <Commands lines={[{ does: 'See it in the terminal', line: `bss trace ${view.id}` }]} />
      </>
    ),
  });
}

export const eventRoutes: readonly Route[] = [
  { method: 'GET', path: '/desk/events', audience: 'operator', operation: 'deskEvents', handle: list },
  { method: 'GET', path: '/desk/trace', audience: 'operator', operation: 'deskTraceSearch', handle: trace },
  { method: 'GET', path: '/desk/trace/:id', audience: 'operator', operation: 'deskTrace', handle: trace },
];
