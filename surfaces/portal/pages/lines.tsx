import { kindName } from '../../../kernel/quantity.ts';
import type { SubscriptionView } from '../../../read/views/subscription.ts';
import { type Problem, problemOf } from '../form.ts';
import { Heading } from '../layout.tsx';
import { page, type Reply, type Route, redirect, type Visit } from '../route.ts';
import { ActionButton, ProblemSummary } from '../ui/form.tsx';
import { Done } from '../ui/notices.tsx';
import { Badge, ButtonLink, Card, Pairs } from '../ui/parts.tsx';
import { cardWords, inDays, longDay, minute, phone } from '../ui/words.ts';
import { Balances, esimWords, lineOf, linePath, pathOf, StateBadge, WhyStopped } from './line-parts.tsx';

async function showLine(visit: Visit, problem?: Problem): Promise<Reply> {
  const line = await lineOf(visit);
  const isOver = line.state === 'terminated';
  const bought = line.buckets.filter(({ source, state }) => source !== 'plan' && state === 'active');
  return page({
    title: phone(line.msisdn) || 'Your line',
    problem,
    scripts: isOver ? [] : ['live.js'],
    body: (
      <>
        <Heading title={phone(line.msisdn) || 'Your line'} back={{ to: '/account', label: 'Overview' }}>
          <p class="heading-facts">
            {line.plan.name} <StateBadge line={line} />
            {line.network.state === 'pending' ? <Badge tone="warn">the network is catching up</Badge> : null}
          </p>
        </Heading>
        <Done visit={visit} />
        {problem ? <ProblemSummary problem={problem} /> : null}
        <WhyStopped line={line} />
        {isOver ? (
          <Card>
            <p>This line ended on {longDay(line.terminatedAt, line.timeZone)}.</p>
          </Card>
        ) : (
          <>
            <Card title="What is left" end={<a href={pathOf(line, '/usage')}>Usage</a>}>
              <div data-live={pathOf(line, '/balances')}>
                <Balances line={line} />
              </div>
              {bought.length === 0 ? null : (
                <ul class="bought">
                  {bought.map((bucket) => (
                    <li key={bucket.id}>
                      {kindName(bucket.kind)}: {bucket.remaining.amount === null ? 'unlimited' : bucket.remaining.text}{' '}
                      of a top-up{bucket.expiresAt === null ? '' : `, until ${minute(bucket.expiresAt, line.timeZone)}`}
                    </li>
                  ))}
                </ul>
              )}
              <div class="line-acts">
                <ButtonLink to={pathOf(line, '/top-up')} kind="primary">
                  Top up
                </ButtonLink>
              </div>
            </Card>
            <NextCharge line={line} />
            <Card title="Settings">
              <ul class="rows">
                <li>
                  <div class="row">
                    <span>
                      <span class="row-name">Roaming</span>
                      <span class="row-detail">
                        {line.isRoamingEnabled ? 'On: roaming data may be used abroad' : 'Off: no data abroad'}
                      </span>
                    </span>
                    <ActionButton
                      action={pathOf(line, '/roaming')}
                      fields={{ roaming: line.isRoamingEnabled ? 'off' : 'on' }}
                      label={line.isRoamingEnabled ? 'Switch off' : 'Switch on'}
                    />
                  </div>
                </li>
                <SettingRow
                  to={pathOf(line, '/plan')}
                  name="Plan"
                  detail={`${line.plan.name}, ${line.price.text} a month`}
                />
                <SettingRow
                  to={pathOf(line, '/esim')}
                  name="eSIM"
                  detail={
                    line.esim
                      ? `${esimWords[line.esim.state] ?? line.esim.state}, ends in ${line.esim.iccidLastFour}`
                      : 'none yet'
                  }
                />
                <SettingRow to={pathOf(line, '/end')} name="End the line" detail="Now, or when its period ends" />
              </ul>
            </Card>
          </>
        )}
      </>
    ),
  });
}

function SettingRow({ to, name, detail }: { to: string; name: string; detail: string }) {
  return (
    <li>
      <a class="row" href={to}>
        <span>
          <span class="row-name">{name}</span>
          <span class="row-detail">{detail}</span>
        </span>
        <span class="row-end" aria-hidden="true">
          →
        </span>
      </a>
    </li>
  );
}

/** When money moves next, how much of it, and from where. */
function NextCharge({ line }: { line: SubscriptionView }) {
  const { period, pendingChange, end, timeZone } = line;
  if (!period) return null;
  if (end) {
    return (
      <Card title="The line ends" end={<Badge tone="warn">{inDays(period.daysToRenewal)}</Badge>}>
        <p>On {minute(end.at, timeZone)} it stops, and nothing more is charged.</p>
        <div class="line-acts">
          <ActionButton action={pathOf(line, '/end/withdraw')} label="Keep the line" />
        </div>
      </Card>
    );
  }
  const price = pendingChange?.price ?? line.price;
  return (
    <Card title="Renewal" end={<Badge tone="quiet">{inDays(period.daysToRenewal)}</Badge>}>
      <Pairs
        items={[
          ['On', longDay(period.endsAt, timeZone)],
          ['It will cost', price.text],
          ['Plan', pendingChange ? `${pendingChange.offering}, instead of ${line.plan.name}` : line.plan.name],
          ['From', line.card ? cardWords(line.card) : <a href="/account/cards">no card that can be charged</a>],
        ]}
      />
      {pendingChange ? (
        <div class="line-acts">
          <ActionButton action={pathOf(line, '/plan/withdraw')} label={`Keep ${line.plan.name}`} />
        </div>
      ) : null}
    </Card>
  );
}

/** Does one thing to the line and goes back to it; what is refused is said there. */
function act(tool: string, done: (visit: Visit) => string, more: (visit: Visit) => object = () => ({})) {
  return async (visit: Visit): Promise<Reply> => {
    const subscriptionId = visit.params.subscriptionId ?? '';
    try {
      await visit.run(tool, { subscriptionId, ...more(visit) });
      return redirect(`${pathOf({ id: encodeURIComponent(subscriptionId) })}?done=${done(visit)}`);
    } catch (error) {
      return showLine(visit, problemOf(error));
    }
  };
}

const roaming = (visit: Visit): 'on' | 'off' => (visit.form.text('roaming') === 'on' ? 'on' : 'off');

const own = { audience: 'customer' } as const;

export const lineRoutes: readonly Route[] = [
  { method: 'GET', path: linePath, ...own, operation: 'line', handle: (visit) => showLine(visit) },
  {
    method: 'POST',
    path: `${linePath}/plan/withdraw`,
    ...own,
    operation: 'keepPlan',
    handle: act('subscription.withdraw_plan_change', () => 'plan-kept'),
  },
  {
    method: 'POST',
    path: `${linePath}/roaming`,
    ...own,
    operation: 'roaming',
    handle: act(
      'subscription.set_roaming',
      (visit) => `roaming-${roaming(visit)}`,
      (visit) => ({ roaming: roaming(visit) }),
    ),
  },
  {
    method: 'POST',
    path: `${linePath}/end/withdraw`,
    ...own,
    operation: 'keepLine',
    handle: act('subscription.withdraw_end', () => 'end-withdrawn'),
  },
];
