import { listSteps } from '../../../read/views/flow.ts';
import { listOrders, type OrderItemView, type OrderList, showOrder } from '../../../read/views/order.ts';
import { Heading } from '../layout.tsx';
import { page, type Reply, type Route, type Visit } from '../route.ts';
import { Card, Notice, Pairs, Steps, Table } from '../ui/parts.tsx';
import { minute, phone, stateWord } from '../ui/words.ts';
import { asked, Commands, Filter, Id, More, oneOf, only, State } from './parts.tsx';

const states = [
  'acknowledged',
  'inProgress',
  'held',
  'pending',
  'completed',
  'failed',
  'partial',
  'rejected',
  'cancelled',
] as const;

async function list(visit: Visit): Promise<Reply> {
  const state = oneOf(visit.query.get('state'), states);
  const customerId = asked(visit.query.get('customer'));
  const view = await visit.read(listOrders, only({ state, customerId, after: asked(visit.query.get('after')) }));
  const kept = new URLSearchParams({ ...(state ? { state } : {}), ...(customerId ? { customer: customerId } : {}) });
  return page({
    title: 'Orders',
    section: 'desk',
    width: 'wide',
    body: (
      <>
        <Heading
          title="Orders"
          lead={
            customerId ? (
              <>
                Of <Id id={customerId} />
              </>
            ) : undefined
          }
        />
        <Filter
          label="Orders by state"
          path="/desk/orders"
          name="state"
          chosen={state}
          values={states.map((value) => ({ value, label: stateWord(value) }))}
        />
        {view.items.length === 0 ? <p class="empty">No orders.</p> : null}
        <ol class="pipelines">
          {view.items.map((order) => (
            <OrderRow key={order.id} order={order} zone={view.timeZone} />
          ))}
        </ol>
        <More to={kept.size === 0 ? '/desk/orders' : `/desk/orders?${kept}`} next={view.next} />
      </>
    ),
  });
}

/** How far orders in a state have come, of the ways an order goes: received, under way, over. */
const progress: Readonly<Record<string, readonly ('done' | 'running' | 'waiting' | 'failed')[]>> = {
  acknowledged: ['running', 'waiting', 'waiting'],
  inProgress: ['done', 'running', 'waiting'],
  held: ['done', 'running', 'waiting'],
  pending: ['done', 'running', 'waiting'],
  completed: ['done', 'done', 'done'],
  rejected: ['failed', 'waiting', 'waiting'],
  failed: ['done', 'failed', 'waiting'],
  cancelled: ['done', 'failed', 'waiting'],
  partial: ['done', 'done', 'failed'],
};

function OrderRow({ order, zone }: { order: OrderList['items'][number]; zone: string }) {
  const marks = progress[order.state ?? ''] ?? ['waiting', 'waiting', 'waiting'];
  return (
    <li>
      <a class="row" href={`/desk/orders/${order.id}`}>
        <span>
          <span class="row-name">{`${order.offerings.join(', ')} for ${order.customer?.name ?? order.customer?.id ?? 'nobody of ours'}`}</span>
          <span class="row-detail">
            {`${minute(order.orderedAt, zone)}${order.state !== 'completed' && order.note ? `. ${order.note}` : ''}`}
          </span>
        </span>
        <span class="row-end">
          <span class="track" aria-hidden="true">
            {marks.map((mark, index) => (
              <span key={index} class={`track-mark ${mark}`} />
            ))}
          </span>
          <State state={order.state} />
        </span>
      </a>
    </li>
  );
}

const stageNames: Readonly<Record<OrderItemView['stages'][number]['name'], string>> = {
  acknowledged: 'Received',
  authorised: 'Card authorised',
  reserved: 'Number and eSIM reserved',
  provisioned: 'Made in the network',
  captured: 'Paid',
  enabled: 'Switched on',
  completed: 'Completed',
};

async function show(visit: Visit): Promise<Reply> {
  const orderId = visit.params.orderId ?? '';
  const view = await visit.read(showOrder, { orderId });
  const found = await Promise.all(
    view.items.slice(0, 5).map(({ id }) => visit.read(listSteps, { subject: id, limit: 30 })),
  );
  const steps = found.flatMap(({ items }) => items);
  const { timeZone: zone } = view;
  return page({
    title: `Order ${view.id}`,
    section: 'desk',
    width: 'wide',
    body: (
      <>
        <Heading
          title={view.items.map(({ offering }) => offering.name).join(', ') || 'An order'}
          back={{ to: '/desk/orders', label: 'Orders' }}
        >
          <p class="facts">
            <State state={view.state} /> <span>{view.total?.text ?? ''}</span> <code>{view.id}</code>
          </p>
        </Heading>
        {view.notes.map((note) => (
          <Notice
            key={`${note.at} ${note.text}`}
            tone={view.state === 'completed' ? 'quiet' : 'warn'}
            title={note.text}
          />
        ))}
        <Card>
          <Pairs
            items={[
              [
                'Customer',
                view.customer ? (
                  <a href={`/desk/customers/${view.customer.id}`}>{view.customer.name ?? view.customer.id}</a>
                ) : (
                  'nobody of ours'
                ),
              ],
              ['Ordered', minute(view.orderedAt, zone)],
              ['By', view.orderedBy],
              ['Completed', minute(view.completedAt, zone)],
            ]}
          />
        </Card>
        {view.items.map((item) => (
          <Card
            key={item.id}
            title={`${item.itemId}. ${item.action} ${item.offering.name}`}
            end={
              <>
                {item.price.text} <State state={item.state} />
              </>
            }
          >
            <Steps
              label={`How far ${item.offering.name} has come`}
              steps={item.stages.map(({ name, state, at, reason }) => ({
                name: stageNames[name],
                state,
                detail:
                  [at === null ? '' : minute(at, zone), reason ?? ''].filter((one) => one !== '').join('. ') ||
                  undefined,
              }))}
            />
            <div class="section-small">
              <Pairs
                items={[
                  [
                    'Line',
                    item.subscriptionId ? (
                      <a href={`/desk/lines/${item.subscriptionId}`}>
                        {item.msisdn ? phone(item.msisdn) : item.subscriptionId}
                      </a>
                    ) : (
                      ''
                    ),
                  ],
                  [
                    'Payment',
                    item.payment ? (
                      <>
                        <Id id={item.payment.id} />{' '}
                        {[
                          stateWord(item.payment.state),
                          item.payment.refunded ? `refunded ${item.payment.refunded.text}` : '',
                          item.payment.reason ?? '',
                        ]
                          .filter((one) => one !== '')
                          .join(', ')}
                      </>
                    ) : (
                      ''
                    ),
                  ],
                  ['Service order', item.serviceOrder ? <Id id={item.serviceOrder.id} /> : ''],
                ]}
              />
            </div>
          </Card>
        ))}
        <Card title="Steps">
          <Table
            caption="Steps of the work"
            rows={steps}
            empty="No step is kept."
            columns={[
              { title: 'Step', value: (row) => `${row.flow}: ${row.step}` },
              { title: 'Condition', value: (row) => <State state={row.condition} /> },
              { title: 'Tries', value: (row) => String(row.attempts), align: 'end' },
              { title: 'Due', value: (row) => minute(row.dueAt, zone), isExtra: true },
              { title: 'Why', value: (row) => row.lastError ?? '', isExtra: true },
            ]}
          />
        </Card>
        <p class="more">
          <a class="button secondary" href={`/desk/trace/${view.id}`}>
            Its story
          </a>
        </p>
        <Commands
          lines={[
            { does: 'Watch it', line: `bss order show ${view.id} --watch` },
            { does: 'Cancel it, before it begins', line: `bss order cancel ${view.id}` },
            ...steps
              .filter(({ condition }) => condition === 'parked' || condition === 'retrying')
              .map(({ id, step }) => ({ does: `Try ${step} again now`, line: `bss flow retry ${id}` })),
          ]}
        />
      </>
    ),
  });
}

export const orderRoutes: readonly Route[] = [
  { method: 'GET', path: '/desk/orders', audience: 'operator', operation: 'deskOrders', handle: list },
  { method: 'GET', path: '/desk/orders/:orderId', audience: 'operator', operation: 'deskOrder', handle: show },
];
