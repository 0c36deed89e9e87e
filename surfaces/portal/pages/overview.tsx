import type { LineView } from '../../../read/views/line.ts';
import { listSubscriptions } from '../../../read/views/subscription.ts';
import { Heading } from '../layout.tsx';
import { page, type Reply, type Route, type Visit } from '../route.ts';
import { Done } from '../ui/notices.tsx';
import { ButtonLink, Card } from '../ui/parts.tsx';
import { inDays, longDay, phone } from '../ui/words.ts';
import { Balances, lineOf, linePath, pathOf, StateBadge, WhyStopped } from './line-parts.tsx';

async function overview(visit: Visit): Promise<Reply> {
  const { items, timeZone } = await visit.read(listSubscriptions, { limit: 50 });
  const live = items.filter(({ state }) => state !== 'terminated');
  const ended = items.filter(({ state }) => state === 'terminated');
  const name = visit.session?.name ?? '';
  return page({
    title: 'Overview',
    scripts: live.length > 0 ? ['live.js'] : [],
    body: (
      <>
        <Heading title={name === '' ? 'Your lines' : `Hello, ${name.split(' ')[0]}`} />
        <Done visit={visit} />
        {live.length === 0 ? (
          <Card title="No line yet">
            <p>Choose a plan, and a few minutes later you are connected.</p>
            <div class="line-acts">
              <ButtonLink to="/account/new-line" kind="primary">
                Get a line
              </ButtonLink>
            </div>
          </Card>
        ) : (
          live.map((line) => (
            <Card
              key={line.id}
              title={
                <a class="line-number" href={pathOf(line)}>
                  {phone(line.msisdn) || line.plan.name}
                </a>
              }
              end={
                <>
                  <span class="muted">{line.plan.name}</span> <StateBadge line={line} />
                </>
              }
            >
              <WhyStopped line={line} />
              <div data-live={pathOf(line, '/balances')}>
                <Balances line={line} />
              </div>
              <Renewal line={line} timeZone={timeZone} price={line.price.text} />
              <div class="line-acts">
                <ButtonLink to={pathOf(line, '/top-up')} kind="primary">
                  Top up
                </ButtonLink>
                <ButtonLink to={pathOf(line)}>Manage</ButtonLink>
                <ButtonLink to={pathOf(line, '/usage')}>Usage</ButtonLink>
              </div>
            </Card>
          ))
        )}
        {live.length === 0 ? null : (
          <p class="fine">
            One more number? <a href="/account/new-line">Get another line</a>
          </p>
        )}
        {ended.length === 0 ? null : (
          <section class="section" aria-labelledby="ended">
            <h2 id="ended">Ended</h2>
            <ul class="rows">
              {ended.map((line) => (
                <li key={line.id}>
                  <a class="row" href={pathOf(line)}>
                    <span>
                      <span class="row-name">{phone(line.msisdn)}</span>
                      <span class="row-detail">{line.plan.name}</span>
                    </span>
                    <span class="row-end">
                      <StateBadge line={line} />
                    </span>
                  </a>
                </li>
              ))}
            </ul>
          </section>
        )}
      </>
    ),
  });
}

function Renewal({ line, timeZone, price }: { line: LineView; timeZone: string; price: string }) {
  if (!line.period) return null;
  return (
    <p class="renewal">
      Renews <strong>{inDays(line.period.daysToRenewal)}</strong>, on {longDay(line.period.endsAt, timeZone)}, for{' '}
      <strong>{price}</strong>
    </p>
  );
}

async function balances(visit: Visit): Promise<Reply> {
  return { kind: 'fragment', body: <Balances line={await lineOf(visit)} /> };
}

const own = { audience: 'customer' } as const;

export const overviewRoutes: readonly Route[] = [
  { method: 'GET', path: '/account', ...own, operation: 'account', handle: overview },
  { method: 'GET', path: `${linePath}/balances`, ...own, operation: 'balances', handle: balances },
];
