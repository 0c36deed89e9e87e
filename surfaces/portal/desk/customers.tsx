import { listCustomers, showCustomer } from '../../../read/views/customer.ts';
import { listEvents } from '../../../read/views/event.ts';
import { listInteractions } from '../../../read/views/interaction.ts';
import { Heading } from '../layout.tsx';
import { page, type Reply, type Route, type Visit } from '../route.ts';
import { BalanceBar } from '../ui/balance-bar.tsx';
import { Card, Pairs, Table } from '../ui/parts.tsx';
import { day, inDays, phone, stateWord } from '../ui/words.ts';
import { eventColumns } from './events.tsx';
import { asked, Commands, Filter, Id, More, moment, oneOf, only, State } from './parts.tsx';

const states = ['initialized', 'active', 'inactive', 'closed'] as const;

async function list(visit: Visit): Promise<Reply> {
  const search = asked(visit.query.get('search'));
  const state = oneOf(visit.query.get('state'), states);
  const view = await visit.read(listCustomers, only({ search, state, after: asked(visit.query.get('after')) }));
  const kept = new URLSearchParams({ ...(search ? { search } : {}), ...(state ? { state } : {}) });
  return page({
    title: 'Customers',
    section: 'desk',
    width: 'wide',
    body: (
      <>
        <Heading title="Customers" />
        <search>
          <form method="get" action="/desk/customers" class="search">
            <div class="field">
              <label for="search">Find a customer</label>
              <p class="hint" id="search-hint">
                Part of a name or e-mail address, a phone number or an id
              </p>
              <input
                id="search"
                name="search"
                type="search"
                value={search}
                maxLength={200}
                aria-describedby="search-hint"
              />
            </div>
            <button type="submit" class="button primary">
              Find
            </button>
          </form>
        </search>
        <Filter
          label="Customers by state"
          path="/desk/customers"
          name="state"
          chosen={state}
          values={states.map((value) => ({ value, label: stateWord(value) }))}
        />
        <Table
          caption="Customers"
          rows={view.items}
          empty={
            search
              ? 'Nobody was found. Try a part of the name, or the whole phone number.'
              : 'There are no customers yet.'
          }
          columns={[
            { title: 'Name', value: (row) => <a href={`/desk/customers/${row.id}`}>{row.name ?? row.id}</a> },
            { title: 'E-mail', value: (row) => row.email ?? '', isExtra: true },
            { title: 'State', value: (row) => <State state={row.state} /> },
            { title: 'Lines', value: (row) => String(row.lines), align: 'end' },
            { title: 'Since', value: (row) => day(row.createdAt, view.timeZone), isExtra: true },
          ]}
        />
        <More to={kept.size === 0 ? '/desk/customers' : `/desk/customers?${kept}`} next={view.next} />
      </>
    ),
  });
}

async function show(visit: Visit): Promise<Reply> {
  const customerId = visit.params.customerId ?? '';
  const [view, interactions, events] = await Promise.all([
    visit.read(showCustomer, { customerId }),
    visit.read(listInteractions, { customerId, limit: 10 }),
    visit.read(listEvents, { customerId, limit: 10 }),
  ]);
  const name = view.name ?? view.id;
  return page({
    title: name,
    section: 'desk',
    width: 'wide',
    body: (
      <>
        <Heading title={name} back={{ to: '/desk/customers', label: 'Customers' }}>
          <p class="facts">
            <State state={view.state} /> <span>{`since ${day(view.createdAt, view.timeZone)}`}</span>{' '}
            <code>{view.id}</code>
          </p>
        </Heading>
        <section aria-labelledby="lines">
          <h2 id="lines">Lines</h2>
          {view.lines.length === 0 ? <p class="empty">No line yet.</p> : null}
          <div class="cards two">
            {view.lines.map((line) => (
              <Card
                key={line.id}
                level={3}
                title={
                  <a href={`/desk/lines/${line.id}`}>{line.msisdn === null ? line.plan.name : phone(line.msisdn)}</a>
                }
                end={<State state={line.state} />}
              >
                <p class="line-plan">
                  {`${line.plan.name}, ${line.price.text} a month`}
                  {line.period ? `, renews ${inDays(line.period.daysToRenewal)}` : ''}
                  {line.blockReasons.length > 0 ? `, stopped: ${line.blockReasons.join(', ')}` : ''}
                </p>
                <div class="balances compact">
                  {line.balances.map((balance) => (
                    <BalanceBar key={balance.kind} balance={balance} isStopped={line.state === 'blocked'} />
                  ))}
                </div>
              </Card>
            ))}
          </div>
        </section>
        <div class="section cards two">
          <Card title="Contact">
            <Pairs items={view.contacts.map(({ medium, value }) => [medium, value] as const)} />
          </Card>
          <Card title="Cards">
            <Table
              caption="Cards on file"
              rows={view.cards}
              empty="No card on file."
              columns={[
                { title: 'Card', value: (row) => `${row.brand ?? 'card'} ····${row.lastFour ?? '····'}` },
                { title: 'Good until', value: (row) => day(row.expiresAt, view.timeZone) },
                {
                  title: 'State',
                  value: (row) => (row.isPreferred ? 'preferred' : stateWord(row.state)),
                  align: 'end',
                },
              ]}
            />
          </Card>
          <Card title="Orders" end={<a href={`/desk/orders?customer=${view.id}`}>All orders</a>}>
            <Table
              caption="The latest orders"
              rows={view.orders}
              empty="No orders."
              columns={[
                { title: 'Order', value: (row) => <Id id={row.id} /> },
                { title: 'What', value: (row) => row.offerings.join(', ') },
                { title: 'State', value: (row) => <State state={row.state} />, align: 'end' },
              ]}
            />
          </Card>
          <Card title="Bills" end={<a href={`/desk/bills?customer=${view.id}`}>All bills</a>}>
            <Table
              caption="The latest bills"
              rows={view.bills}
              empty="No bills."
              columns={[
                { title: 'Bill', value: (row) => <a href={`/desk/bills/${row.id}`}>{row.billNo ?? row.id}</a> },
                { title: 'When', value: (row) => day(row.billedAt, view.timeZone) },
                { title: 'Amount', value: (row) => row.amount?.text ?? '', align: 'end' },
              ]}
            />
          </Card>
          <Card title="Open tickets" end={<a href={`/desk/tickets?customer=${view.id}`}>All tickets</a>}>
            <Table
              caption="Open tickets"
              rows={view.tickets}
              empty="No open tickets."
              columns={[
                {
                  title: 'Ticket',
                  value: (row) => <a href={`/desk/tickets/${row.id}`}>{row.name === '' ? row.id : row.name}</a>,
                },
                { title: 'State', value: (row) => <State state={row.state} />, align: 'end' },
              ]}
            />
          </Card>
          <Card title="Interactions">
            <Table
              caption="The latest interactions"
              rows={interactions.items}
              empty="No contact was written down."
              columns={[
                { title: 'When', value: (row) => <span class="when">{moment(row.at, interactions.timeZone)}</span> },
                { title: 'About', value: (row) => row.reason ?? '' },
                { title: 'By', value: (row) => row.channel ?? '', align: 'end' },
              ]}
            />
          </Card>
        </div>
        <section class="section" aria-labelledby="events">
          <h2 id="events">Events</h2>
          <Table
            caption="The latest events"
            columns={eventColumns(events.timeZone)}
            rows={events.items}
            empty="Nothing yet."
          />
          <p class="more">
            <a class="button secondary" href={`/desk/events?customer=${view.id}`}>
              All events
            </a>
          </p>
        </section>
        <Commands
          lines={[
            { does: 'Open a ticket', line: `bss ticket open '…' '…' --customer-id ${view.id}` },
            { does: 'Sell another line', line: `bss order place ${view.id} PLAN_M` },
            { does: 'See the whole card', line: `bss customer show ${view.id}` },
          ]}
        />
      </>
    ),
  });
}

export const customerRoutes: readonly Route[] = [
  { method: 'GET', path: '/desk/customers', audience: 'operator', operation: 'deskCustomers', handle: list },
  { method: 'GET', path: '/desk/customers/:customerId', audience: 'operator', operation: 'deskCustomer', handle: show },
];
