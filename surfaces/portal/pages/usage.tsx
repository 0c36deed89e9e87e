import { kindName } from '../../../kernel/quantity.ts';
import { listUsage } from '../../../read/views/usage.ts';
import { Heading } from '../layout.tsx';
import { page, type Reply, type Route, type Visit } from '../route.ts';
import { DayChart } from '../ui/chart.tsx';
import { Card, type Column, Table } from '../ui/parts.tsx';
import { minute, phone, shortDay } from '../ui/words.ts';
import { linePath, pathOf } from './line-parts.tsx';

const spans = [7, 14, 30, 90] as const;

async function usage(visit: Visit): Promise<Reply> {
  const asked = Number(visit.query.get('days'));
  const days = spans.find((one) => one === asked) ?? 14;
  const subscriptionId = visit.params.subscriptionId ?? '';
  const view = await visit.read(listUsage, { subscriptionId, days, limit: 50 });
  const kinds = view.totals.map(({ kind }) => kind);
  const kind = kinds.find((one) => one === visit.query.get('kind')) ?? 'data';
  const chart = view.days.map(({ day: date, charged }) => {
    const spent = charged.find((one) => one.kind === kind);
    return { label: shortDay(`${date}T00:00:00Z`, 'UTC'), value: spent?.amount ?? 0, text: spent?.text ?? 'nothing' };
  });
  const most = view.days
    .flatMap(({ charged }) => charged.filter((one) => one.kind === kind))
    .sort((a, b) => (b.amount ?? 0) - (a.amount ?? 0))[0];
  const total = view.totals.find((one) => one.kind === kind);
  const path = pathOf({ id: view.subscriptionId }, '/usage');
  const columns: readonly Column<(typeof view.items)[number]>[] = [
    { title: 'When', value: (item) => minute(item.at, view.timeZone) },
    { title: 'What', value: (item) => (item.kind === null ? '' : kindName(item.kind)) },
    { title: 'Used', align: 'end', value: (item) => item.quantity?.text ?? '' },
    { title: 'Counted', align: 'end', isExtra: true, value: (item) => item.charged?.text ?? '' },
  ];
  return page({
    title: 'Usage',
    body: (
      <>
        <Heading
          title="Usage"
          lead={phone(view.msisdn)}
          back={{ to: pathOf({ id: view.subscriptionId }), label: 'Your line' }}
        />
        <Card
          title={
            <>
              {kindName(kind)}: {total?.text ?? 'nothing'}
            </>
          }
          end={<span class="muted">in {days} days</span>}
        >
          <nav class="pills" aria-label="Days shown">
            <ul>
              {spans.map((span) => (
                <li key={span}>
                  <a href={`${path}?days=${span}&kind=${kind}`} aria-current={span === days ? 'true' : undefined}>
                    {span} days
                  </a>
                </li>
              ))}
              {kinds.length < 2
                ? null
                : kinds.map((one) => (
                    <li key={one}>
                      <a href={`${path}?days=${days}&kind=${one}`} aria-current={one === kind ? 'true' : undefined}>
                        {kindName(one)}
                      </a>
                    </li>
                  ))}
            </ul>
          </nav>
          <DayChart
            label={`${kindName(kind)} by day: ${total?.text ?? 'nothing'} in ${days} days, at most ${most?.text ?? 'nothing'} in one`}
            days={chart}
            top={most?.text ?? ''}
          />
          <details class="more">
            <summary>The days as a table</summary>
            <Table
              caption={`${kindName(kind)} by day`}
              columns={[
                { title: 'Day', value: (row: (typeof chart)[number]) => row.label },
                { title: 'Used', align: 'end', value: (row) => row.text },
              ]}
              rows={[...chart].reverse()}
              empty="No days."
            />
          </details>
        </Card>
        <Card title="Records">
          <Table caption="Latest records of usage" columns={columns} rows={view.items} empty="Nothing was used yet." />
        </Card>
      </>
    ),
  });
}

export const usageRoutes: readonly Route[] = [
  { method: 'GET', path: `${linePath}/usage`, audience: 'customer', operation: 'usage', handle: usage },
];
