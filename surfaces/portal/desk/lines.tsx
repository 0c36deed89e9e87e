import { kindName } from '../../../kernel/quantity.ts';
import { showSubscription } from '../../../read/views/subscription.ts';
import { listUsage } from '../../../read/views/usage.ts';
import { Heading } from '../layout.tsx';
import { page, type Reply, type Route, type Visit } from '../route.ts';
import { BalanceBar } from '../ui/balance-bar.tsx';
import { DayChart } from '../ui/chart.tsx';
import { Card, Notice, Pairs, Table } from '../ui/parts.tsx';
import { day, inDays, minute, phone, shortDay, stateWord } from '../ui/words.ts';
import { Commands, Id, State } from './parts.tsx';

const days = 30;

async function show(visit: Visit): Promise<Reply> {
  const subscriptionId = visit.params.subscriptionId ?? '';
  const [view, usage] = await Promise.all([
    visit.read(showSubscription, { subscriptionId }),
    visit.read(listUsage, { subscriptionId, days, limit: 20 }),
  ]);
  const { timeZone: zone, period } = view;
  const data = usage.days.map((one) => {
    const charged = one.charged.find(({ kind }) => kind === 'data');
    return {
      label: shortDay(`${one.day}T12:00:00Z`, 'UTC'),
      value: charged?.amount ?? 0,
      text: charged?.text ?? 'nothing',
    };
  });
  const top = data.reduce((most, one) => (one.value > most.value ? one : most), {
    label: '',
    value: 0,
    text: 'Nothing used',
  });
  return page({
    title: view.msisdn === null ? view.id : phone(view.msisdn),
    section: 'desk',
    width: 'wide',
    body: (
      <>
        <Heading
          title={view.msisdn === null ? 'A line without a number' : phone(view.msisdn)}
          back={{ to: `/desk/customers/${view.customer.id}`, label: view.customer.name ?? 'Customer' }}
        >
          <p class="facts">
            <State state={view.state} /> <span>{`since ${day(view.stateSince, zone)}`}</span> <code>{view.id}</code>
          </p>
        </Heading>
        {view.blockReasons.length === 0 ? null : (
          <Notice tone="bad" title={`Stopped: ${view.blockReasons.join(', ')}`}>
            A top-up or the next renewal brings it back; nothing else does.
          </Notice>
        )}
        {view.end === null ? null : <Notice tone="warn" title={`It ends on ${day(view.end.at, zone)}`} />}
        <div class="cards two">
          <Card title="Left">
            {view.balances.length === 0 ? <p class="empty">Nothing is left to use.</p> : null}
            <div class="balances">
              {view.balances.map((balance) => (
                <BalanceBar
                  key={balance.kind}
                  balance={balance}
                  isStopped={view.state === 'blocked' || view.stoppedKinds.includes(balance.kind)}
                />
              ))}
            </div>
          </Card>
          <Card title="Plan">
            <Pairs
              items={[
                ['Plan', `${view.plan.name} (${view.plan.code})`],
                ['Price', `${view.price.text} a month`],
                ['Renews', period ? `${day(period.endsAt, zone)}, ${inDays(period.daysToRenewal)}` : ''],
                ['Period', period ? String(period.number) : ''],
                [
                  'Next plan',
                  view.pendingChange ? `${view.pendingChange.offering} ${view.pendingChange.price?.text ?? ''}` : '',
                ],
                [
                  'Card',
                  view.card
                    ? `${view.card.brand ?? 'card'} ····${view.card.lastFour ?? ''}`
                    : 'none that could be charged',
                ],
                ['Roaming', view.isRoamingEnabled ? 'on' : 'off'],
                [
                  'Network',
                  view.network.state === 'none'
                    ? 'was told nothing'
                    : `${view.network.state} ${minute(view.network.since, zone)}`,
                ],
                ['eSIM', view.esim ? `····${view.esim.iccidLastFour}, ${stateWord(view.esim.state)}` : ''],
              ]}
            />
          </Card>
        </div>
        <section class="section" aria-labelledby="used">
          <h2 id="used">{`Data in the last ${days} days`}</h2>
          <DayChart
            label={`Data used by day, ${usage.totals.find(({ kind }) => kind === 'data')?.text ?? 'nothing'} in all`}
            days={data}
            top={top.text}
          />
        </section>
        <div class="section cards">
          <Card title="Quota">
            <Table
              caption="Every bucket of this period"
              rows={view.buckets}
              empty="No quota."
              columns={[
                { title: 'What', value: (row) => kindName(row.kind) },
                { title: 'From', value: (row) => row.offering, isExtra: true },
                { title: 'Left', value: (row) => row.remaining.text, align: 'end' },
                { title: 'Of', value: (row) => row.granted.text, align: 'end' },
                { title: 'Until', value: (row) => minute(row.expiresAt, zone), isExtra: true },
                { title: 'State', value: (row) => stateWord(row.state), align: 'end' },
              ]}
            />
          </Card>
          <Card title="Usage">
            <Table
              caption="The latest records"
              rows={usage.items}
              empty="Nothing was used."
              columns={[
                { title: 'When', value: (row) => minute(row.at, zone) },
                { title: 'What', value: (row) => (row.kind === null ? '' : kindName(row.kind)) },
                { title: 'Charged', value: (row) => row.charged?.text ?? '', align: 'end' },
                { title: 'State', value: (row) => row.reason ?? stateWord(row.state), isExtra: true },
              ]}
            />
          </Card>
        </div>
        <p class="more">
          <a class="button secondary" href={`/desk/trace/${view.id}`}>
            Its story
          </a>{' '}
          <Id id={view.customer.id} />
        </p>
        <Commands
          lines={[
            { does: 'Top it up', line: `bss subscription top-up ${view.id} VAS_DATA_1GB` },
            { does: 'Change its plan at the next renewal', line: `bss subscription change-plan ${view.id} PLAN_L` },
            {
              does: 'Switch roaming',
              line: `bss subscription set-roaming ${view.id} ${view.isRoamingEnabled ? 'off' : 'on'}`,
            },
            { does: 'Give it another eSIM', line: `bss subscription replace-esim ${view.id}` },
            { does: 'End it', line: `bss subscription end ${view.id}` },
          ]}
        />
      </>
    ),
  });
}

export const lineRoutes: readonly Route[] = [
  { method: 'GET', path: '/desk/lines/:subscriptionId', audience: 'operator', operation: 'deskLine', handle: show },
];
