import { type FlowList, listSteps } from '../../../read/views/flow.ts';
import { showHealth } from '../../../read/views/health.ts';
import { listHubs, listParked } from '../../../read/views/notification.ts';
import { Heading } from '../layout.tsx';
import { page, type Reply, type Route, type Visit } from '../route.ts';
import { Card, Notice, Table } from '../ui/parts.tsx';
import { minute } from '../ui/words.ts';
import { Command, Commands, Figures, Id, State } from './parts.tsx';

type Step = FlowList['items'][number];

const stuck = ['parked', 'retrying', 'due'] as const;

/** What stands still or goes wrong behind the doors: steps that were given up or are tried again, and events not taken. */
async function work(visit: Visit): Promise<Reply> {
  const [health, parked, hubs, ...found] = await Promise.all([
    visit.read(showHealth, {}),
    visit.read(listParked, { limit: 50 }),
    visit.read(listHubs, { limit: 50 }),
    ...stuck.map((condition) => visit.read(listSteps, { condition, limit: 30 })),
  ]);
  const steps: readonly Step[] = found.flatMap(({ items }) => items);
  const { timeZone: zone } = health;
  const isWell = health.alarms.length === 0;
  return page({
    title: 'Work',
    section: 'desk',
    width: 'wide',
    body: (
      <>
        <Heading title="Work" lead="What is stuck, and what subscribers did not take." />
        {isWell ? <Notice tone="good" title="Nothing waits for you." /> : null}
        {health.alarms.map((alarm) => (
          <Notice key={alarm.code} tone="bad" title={alarm.sentence}>
            <Command line={alarm.command} />
          </Notice>
        ))}
        <Card title="The machinery">
          <Figures
            items={[
              { name: 'Due', value: String(health.steps.due) },
              {
                name: 'Retrying',
                value: String(health.steps.retrying),
                tone: health.steps.retrying > 0 ? 'warn' : undefined,
              },
              {
                name: 'Given up',
                value: String(health.steps.parked ?? 0),
                tone: (health.steps.parked ?? 0) > 0 ? 'bad' : undefined,
              },
              { name: 'To the network', value: String(health.network.pending) },
              { name: 'Numbers left', value: health.stock.numbers.toLocaleString('en') },
              { name: 'eSIMs left', value: health.stock.esims.toLocaleString('en') },
            ]}
          />
        </Card>
        <Card title="Stuck work">
          <Table
            caption="Steps that were given up or are tried again"
            rows={steps}
            empty="No step is stuck."
            columns={[
              { title: 'Step', value: (row) => `${row.flow}: ${row.step}` },
              { title: 'About', value: (row) => <Id id={row.subject} /> },
              { title: 'Condition', value: (row) => <State state={row.condition} /> },
              { title: 'Tries', value: (row) => String(row.attempts), align: 'end' },
              { title: 'Why', value: (row) => row.lastError ?? `due ${minute(row.dueAt, zone)}` },
            ]}
          />
        </Card>
        <Card title="Parked deliveries">
          <Table
            caption="Events that subscribers did not take"
            rows={parked.items}
            empty="Every event was taken."
            columns={[
              { title: 'Subscriber', value: (row) => <code>{row.hub}</code> },
              { title: 'API', value: (row) => row.api, isExtra: true },
              { title: 'About', value: (row) => (row.resourceId === null ? 'all of it' : <Id id={row.resourceId} />) },
              { title: 'Waiting', value: (row) => String(row.waiting), align: 'end' },
              { title: 'Why', value: (row) => row.lastError ?? '' },
            ]}
          />
        </Card>
        <Card title="Subscribers">
          <Table
            caption="Who is told of events"
            rows={hubs.items}
            empty="Nobody is told of events."
            columns={[
              { title: 'Subscriber', value: (row) => <code>{row.id}</code> },
              { title: 'API', value: (row) => row.api },
              { title: 'Condition', value: (row) => <State state={row.condition} /> },
              { title: 'Waiting', value: (row) => String(row.waiting), align: 'end' },
            ]}
          />
        </Card>
        <Commands
          lines={[
            { does: 'Try a step again now', line: `bss flow retry ${steps[0]?.id ?? 'stp_…'}` },
            {
              does: 'Send a subscriber what it did not take',
              line: `bss notification replay ${parked.items[0]?.hub ?? 'hub_…'}`,
            },
            { does: 'Look at an installation', line: 'bss doctor' },
          ]}
        />
      </>
    ),
  });
}

export const workRoutes: readonly Route[] = [
  { method: 'GET', path: '/desk/work', audience: 'operator', operation: 'deskWork', handle: work },
];
