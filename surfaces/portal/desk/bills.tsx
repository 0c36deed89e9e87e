import { listBills, showBill } from '../../../read/views/bill.ts';
import { Heading } from '../layout.tsx';
import { page, type Reply, type Route, type Visit } from '../route.ts';
import { Card, Pairs, Table } from '../ui/parts.tsx';
import { day, minute, stateWord } from '../ui/words.ts';
import { asked, Commands, Id, More, only, State } from './parts.tsx';

async function list(visit: Visit): Promise<Reply> {
  const customerId = asked(visit.query.get('customer'));
  const view = await visit.read(listBills, only({ customerId, after: asked(visit.query.get('after')) }));
  return page({
    title: 'Bills',
    section: 'desk',
    width: 'wide',
    body: (
      <>
        <Heading
          title="Bills"
          lead={
            customerId ? (
              <>
                Of <Id id={customerId} />
              </>
            ) : (
              'What was paid and given back, newest first.'
            )
          }
        />
        <Table
          caption="Bills"
          rows={view.items}
          empty="No bills."
          columns={[
            { title: 'Bill', value: (row) => <a href={`/desk/bills/${row.id}`}>{row.billNo ?? row.id}</a> },
            { title: 'When', value: (row) => day(row.billedAt, view.timeZone) },
            { title: 'Customer', value: (row) => row.customer?.name ?? row.customer?.id ?? '', isExtra: true },
            { title: 'State', value: (row) => <State state={row.state} /> },
            { title: 'Amount', value: (row) => row.amount?.text ?? '', align: 'end' },
          ]}
        />
        <More
          to={customerId ? `/desk/bills?customer=${encodeURIComponent(customerId)}` : '/desk/bills'}
          next={view.next}
        />
      </>
    ),
  });
}

async function show(visit: Visit): Promise<Reply> {
  const view = await visit.read(showBill, { billId: visit.params.billId ?? '' });
  const { timeZone: zone } = view;
  return page({
    title: `Bill ${view.billNo ?? view.id}`,
    section: 'desk',
    body: (
      <>
        <Heading title={`Bill ${view.billNo ?? ''}`} back={{ to: '/desk/bills', label: 'Bills' }}>
          <p class="facts">
            <State state={view.state} />{' '}
            <span>{view.category === 'creditNote' ? 'credit note' : stateWord(view.category)}</span>{' '}
            <code>{view.id}</code>
          </p>
        </Heading>
        <Card>
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
              ['Billed', minute(view.billedAt, zone)],
              ...view.lines.map((line) => [line.name, `${day(line.from, zone)} – ${day(line.to, zone)}`] as const),
              ['Without tax', view.taxExcluded?.text],
              ['Tax', view.tax?.text],
              ['In all', view.amount ? <strong>{view.amount.text}</strong> : ''],
              ['Paid with', view.card ? `${view.card.brand ?? 'card'} ····${view.card.lastFour ?? ''}` : ''],
              ['Payment', view.paymentId ? <Id id={view.paymentId} /> : ''],
              ['Refund', view.refundId ? <Id id={view.refundId} /> : ''],
            ]}
          />
        </Card>
        <Commands
          lines={[
            { does: 'Give the money back', line: `bss payment refund ${view.paymentId ?? 'pay_…'}` },
            { does: 'See it in the terminal', line: `bss bill show ${view.billNo ?? view.id}` },
          ]}
        />
      </>
    ),
  });
}

export const billRoutes: readonly Route[] = [
  { method: 'GET', path: '/desk/bills', audience: 'operator', operation: 'deskBills', handle: list },
  { method: 'GET', path: '/desk/bills/:billId', audience: 'operator', operation: 'deskBill', handle: show },
];
