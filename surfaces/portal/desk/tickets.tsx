import { listTickets, showTicket } from '../../../read/views/ticket.ts';
import { Heading } from '../layout.tsx';
import { page, type Reply, type Route, type Visit } from '../route.ts';
import { Card, Pairs, Table } from '../ui/parts.tsx';
import { day, minute, stateWord } from '../ui/words.ts';
import { asked, Commands, Filter, Id, More, oneOf, only, State } from './parts.tsx';

const shown = ['open', 'acknowledged', 'inProgress', 'pending', 'held', 'resolved', 'closed'] as const;

async function list(visit: Visit): Promise<Reply> {
  const chosen = oneOf(visit.query.get('state'), shown);
  const customerId = asked(visit.query.get('customer'));
  const view = await visit.read(
    listTickets,
    only({
      ...(chosen === 'open' ? { open: true } : { state: chosen }),
      customerId,
      after: asked(visit.query.get('after')),
    }),
  );
  const kept = new URLSearchParams({
    ...(chosen ? { state: chosen } : {}),
    ...(customerId ? { customer: customerId } : {}),
  });
  return page({
    title: 'Tickets',
    section: 'desk',
    width: 'wide',
    body: (
      <>
        <Heading
          title="Tickets"
          lead={
            customerId ? (
              <>
                Of <Id id={customerId} />
              </>
            ) : undefined
          }
        />
        <Filter
          label="Tickets by state"
          path="/desk/tickets"
          name="state"
          chosen={chosen}
          values={shown.map((value) => ({ value, label: value === 'open' ? 'being worked on' : stateWord(value) }))}
        />
        <Table
          caption="Tickets"
          rows={view.items}
          empty="No tickets."
          columns={[
            {
              title: 'Ticket',
              value: (row) => <a href={`/desk/tickets/${row.id}`}>{row.name === '' ? row.id : row.name}</a>,
            },
            {
              title: 'Customer',
              value: (row) =>
                row.customer ? (
                  <a href={`/desk/customers/${row.customer.id}`}>{row.customer.name ?? row.customer.id}</a>
                ) : (
                  ''
                ),
              isExtra: true,
            },
            { title: 'Opened', value: (row) => day(row.openedAt, view.timeZone) },
            { title: 'Severity', value: (row) => row.severity ?? '', isExtra: true },
            { title: 'State', value: (row) => <State state={row.state} />, align: 'end' },
          ]}
        />
        <More to={kept.size === 0 ? '/desk/tickets' : `/desk/tickets?${kept}`} next={view.next} />
      </>
    ),
  });
}

async function show(visit: Visit): Promise<Reply> {
  const view = await visit.read(showTicket, { ticketId: visit.params.ticketId ?? '' });
  const { timeZone: zone } = view;
  const title = view.name === '' ? 'A ticket' : view.name;
  return page({
    title,
    section: 'desk',
    body: (
      <>
        <Heading title={title} back={{ to: '/desk/tickets', label: 'Tickets' }}>
          <p class="facts">
            <State state={view.state} /> <code>{view.id}</code>
          </p>
        </Heading>
        <Card>
          {view.description === '' ? null : <p class="words">{view.description}</p>}
          <Pairs
            items={[
              [
                'Customer',
                view.customer ? (
                  <a href={`/desk/customers/${view.customer.id}`}>{view.customer.name ?? view.customer.id}</a>
                ) : (
                  ''
                ),
              ],
              ['Kind', view.type],
              ['Severity', view.severity],
              ['Opened', minute(view.openedAt, zone)],
              ['Changed', minute(view.updatedAt, zone)],
              ['Part of', view.caseId ? <a href={`/desk/tickets/${view.caseId}`}>the case</a> : ''],
            ]}
          />
        </Card>
        {view.tickets.length === 0 ? null : (
          <Card title="Tickets of this case">
            <Table
              caption="Tickets of this case"
              rows={view.tickets}
              empty="None."
              columns={[
                {
                  title: 'Ticket',
                  value: (row) => <a href={`/desk/tickets/${row.id}`}>{row.name === '' ? row.id : row.name}</a>,
                },
                { title: 'State', value: (row) => <State state={row.state} />, align: 'end' },
              ]}
            />
          </Card>
        )}
        <Card title="Notes">
          {view.notes.length === 0 ? <p class="empty">Nothing was noted yet.</p> : null}
          <ul class="rows">
            {view.notes.map((note) => (
              <li key={`${note.at} ${note.text}`} class="note">
                <p class="row-detail">
                  {[note.author ?? '', minute(note.at, zone)].filter((one) => one !== '').join(', ')}
                </p>
                <p class="words">{note.text}</p>
              </li>
            ))}
          </ul>
        </Card>
        <Commands
          lines={[
            { does: 'Note something', line: `bss ticket note ${view.id} '…'` },
            { does: 'Resolve it', line: `bss ticket move ${view.id} resolved --note '…'` },
          ]}
        />
      </>
    ),
  });
}

export const ticketRoutes: readonly Route[] = [
  { method: 'GET', path: '/desk/tickets', audience: 'operator', operation: 'deskTickets', handle: list },
  { method: 'GET', path: '/desk/tickets/:ticketId', audience: 'operator', operation: 'deskTicket', handle: show },
];
