import { type DashboardView, showDashboard } from '../../../read/views/dashboard.ts';
import { Heading } from '../layout.tsx';
import { type Fragment, page, type Reply, type Route, type Visit } from '../route.ts';
import { Card, Notice, Table } from '../ui/parts.tsx';
import { minute } from '../ui/words.ts';
import { eventColumns } from './events.tsx';
import { Command, Figures } from './parts.tsx';

const count = (value: number): string => value.toLocaleString('en');

const toneIf = (is: boolean, tone: 'good' | 'warn' | 'bad') => (is ? tone : undefined);

function taken({ count: times, amount }: DashboardView['money']['orders']): string {
  return amount === null ? count(times) : `${amount.text} (${count(times)})`;
}

/** Data by local hour, as columns on a scale of the day. */
function Hours({ usage }: { usage: DashboardView['usage'] }) {
  const most = Math.max(1, ...usage.hours.map(({ data }) => data));
  return (
    <figure class="hours">
      <svg viewBox="0 0 480 96" role="img" aria-label={`Data by hour today, ${usage.data.text} in all`}>
        {usage.hours.map(({ data }, hour) => {
          const tall = data === 0 ? 2 : Math.max(4, Math.round((76 * data) / most));
          return (
            <rect
              key={hour}
              class={data === 0 ? 'chart-none' : 'chart-bar'}
              x={hour * 20 + 3}
              y={78 - tall}
              width="14"
              height={tall}
              rx="2"
            />
          );
        })}
        {[0, 6, 12, 18].map((hour) => (
          <text key={hour} class="chart-text" x={hour * 20 + 3} y="94">
            {String(hour).padStart(2, '0')}
          </text>
        ))}
      </svg>
      <figcaption>
        {`${usage.data.text} in ${count(usage.records)} records${usage.rejected > 0 ? `, ${count(usage.rejected)} refused` : ''}`}
      </figcaption>
    </figure>
  );
}

/** All that moves during the day: what a script puts in place of an older one. */
function Day({ view }: { view: DashboardView }) {
  const { customers, lines, orders, money, work, usage } = view;
  const failed = orders.failed + orders.rejected;
  return (
    <>
      <p class="as-of">{`As of ${minute(view.now, view.timeZone)}`}</p>
      {view.alarms.map((alarm) => (
        <Notice key={alarm.code} tone="bad" title={alarm.sentence}>
          <Command line={alarm.command} />
        </Notice>
      ))}
      <div class="cards two">
        <Card title="Business">
          <Figures
            items={[
              {
                name: 'Customers',
                value: `${count(customers.total)}${customers.today > 0 ? ` (+${count(customers.today)})` : ''}`,
              },
              { name: 'Active lines', value: count(lines.active), tone: toneIf(lines.active > 0, 'good') },
              {
                name: 'Blocked',
                value:
                  lines.unpaid > 0 ? `${count(lines.blocked)}, ${count(lines.unpaid)} unpaid` : count(lines.blocked),
                tone: toneIf(lines.blocked > 0, 'bad'),
              },
              { name: 'Being set up', value: count(lines.pending), tone: toneIf(lines.pending > 0, 'warn') },
            ]}
          />
        </Card>
        <Card title="Money today">
          <Figures
            items={[
              { name: 'Sold', value: taken(money.orders) },
              { name: 'Renewed', value: taken(money.renewals) },
              { name: 'Refunded', value: taken(money.refunded), tone: toneIf(money.refunded.count > 0, 'warn') },
              { name: 'Declined', value: count(money.declined), tone: toneIf(money.declined > 0, 'bad') },
            ]}
          />
        </Card>
        <Card title="Work">
          <Figures
            items={[
              { name: 'Orders done', value: count(orders.completed) },
              { name: 'Open', value: count(orders.open), tone: toneIf(orders.open > 0, 'warn') },
              { name: 'Failed', value: count(failed), tone: toneIf(failed > 0, 'bad') },
              {
                name: 'To the network',
                value: count(work.networkPending),
                tone: toneIf(work.networkPending > 0, 'warn'),
              },
              { name: 'Retrying', value: count(work.retrying), tone: toneIf(work.retrying > 0, 'warn') },
            ]}
          />
        </Card>
        <Card title="Data by hour">
          <Hours usage={usage} />
        </Card>
      </div>
      <section class="section" aria-labelledby="just-now">
        <h2 id="just-now">Just now</h2>
        <Table
          caption="The latest events"
          columns={eventColumns(view.timeZone)}
          rows={view.recent}
          empty="Nothing has happened yet."
        />
      </section>
    </>
  );
}

async function today(visit: Visit): Promise<Reply> {
  const view = await visit.read(showDashboard, { recent: 10 });
  return page({
    title: 'Today',
    section: 'desk',
    width: 'wide',
    scripts: ['live.js'],
    body: (
      <>
        <Heading title="Today" />
        <div data-live="/desk/now">
          <Day view={view} />
        </div>
      </>
    ),
  });
}

async function now(visit: Visit): Promise<Fragment> {
  return { kind: 'fragment', body: <Day view={await visit.read(showDashboard, { recent: 10 })} /> };
}

export const todayRoutes: readonly Route[] = [
  { method: 'GET', path: '/desk', audience: 'operator', operation: 'deskToday', handle: today },
  { method: 'GET', path: '/desk/now', audience: 'operator', operation: 'deskNow', handle: now },
];
