import { kindName } from '../../../kernel/quantity.ts';
import { showEsim } from '../../../read/views/esim.ts';
import type { LineView } from '../../../read/views/line.ts';
import { listSubscriptions, type SubscriptionView, showSubscription } from '../../../read/views/subscription.ts';
import { listUsage } from '../../../read/views/usage.ts';
import { type Problem, problemOf, wanted } from '../form.ts';
import { Heading } from '../layout.tsx';
import { type Page, page, type Reply, type Route, redirect, type Visit } from '../route.ts';
import { BalanceBar } from '../ui/balance-bar.tsx';
import { DayChart } from '../ui/chart.tsx';
import { ActionButton, Actions, Choices, Form, ProblemSummary } from '../ui/form.tsx';
import { Done } from '../ui/notices.tsx';
import { Badge, ButtonLink, Card, type Column, Notice, Pairs, Table, toneOf } from '../ui/parts.tsx';
import { Qr } from '../ui/qr.tsx';
import { inDays, longDay, minute, phone, shortDay } from '../ui/words.ts';
import { proposed } from './confirm.tsx';
import { Allowances, offeringsOf, validity } from './plans.tsx';
import { cardWords } from './sign-up.tsx';

const lineOf = (visit: Visit): Promise<SubscriptionView> =>
  visit.read(showSubscription, { subscriptionId: visit.params.subscriptionId ?? '' });

const pathOf = (line: { id: string }, page = ''): string => `/account/lines/${line.id}${page}`;

const stateWords: Readonly<Record<string, string>> = {
  pending: 'being set up',
  active: 'active',
  blocked: 'stopped',
  terminated: 'ended',
};

/** Where a profile is, as its owner would say it. */
const esimWords: Readonly<Record<string, string>> = {
  reserved: 'not on a phone yet',
  released: 'not on a phone yet',
  downloaded: 'on a phone',
  installed: 'on a phone',
  enabled: 'in use',
  disabled: 'switched off on the phone',
};

function StateBadge({ line }: { line: Pick<LineView, 'state'> }) {
  return <Badge tone={toneOf(line.state)}>{stateWords[line.state] ?? line.state}</Badge>;
}

function Balances({ line }: { line: LineView }) {
  if (line.balances.length === 0) return <p class="empty">There is nothing left to use.</p>;
  return (
    <div class="balances">
      {line.balances.map((balance) => (
        <BalanceBar key={balance.kind} balance={balance} isStopped={line.stoppedKinds.includes(balance.kind)} />
      ))}
    </div>
  );
}

/** Why nothing works any more, and the way back. */
function WhyStopped({ line }: { line: LineView }) {
  if (line.state !== 'blocked') return null;
  const isUnpaid = line.blockReasons.includes('unpaid');
  return (
    <Notice tone="bad" title={isUnpaid ? 'The renewal was declined, so the line is stopped' : 'Everything is used up'}>
      <p>
        {isUnpaid
          ? 'Nothing is owed. Buy a new period when you like, or put another card on file and wait for the next renewal.'
          : 'The line waits for its renewal. A top-up brings it back at once.'}
      </p>
      <ButtonLink to={pathOf(line, '/top-up')} kind="primary">
        {isUnpaid ? 'Buy a new period' : 'Top up'}
      </ButtonLink>
    </Notice>
  );
}

// ---- overview ----

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

// ---- one line ----

async function showLine(visit: Visit, problem?: Problem): Promise<Reply> {
  const line = await lineOf(visit);
  const isOver = line.state === 'terminated';
  const bought = line.buckets.filter(({ source, state }) => source !== 'plan' && state === 'active');
  return page({
    title: phone(line.msisdn) || 'Your line',
    status: problem?.status ?? 200,
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

// ---- top-up, plan, end: chosen here, confirmed with a code ----

async function topUpPage(visit: Visit, problem?: Problem): Promise<Page> {
  const line = await lineOf(visit);
  const isUnpaid = line.blockReasons.includes('unpaid');
  const offerings = isUnpaid ? [] : await offeringsOf(visit, 'vas');
  const choices = [
    ...(isUnpaid
      ? [{ value: 'VAS_PERIOD', label: 'A new period', detail: 'A whole month from now', end: line.price.text }]
      : []),
    ...offerings.map((offering) => ({
      value: offering.code ?? offering.id,
      label: offering.name,
      detail: validity(offering),
      end: offering.price?.text,
    })),
  ];
  return page({
    title: 'Top up',
    width: 'narrow',
    status: problem?.status ?? 200,
    body: (
      <>
        <Heading
          title={isUnpaid ? 'A new period' : 'Top up'}
          lead={`For ${phone(line.msisdn)}. You see the price once more before anything is charged.`}
          back={{ to: pathOf(line), label: 'Your line' }}
        />
        <Form action={pathOf(line, '/top-up')} problem={problem} values={visit.form}>
          <Choices
            name="offering"
            label="What would you like?"
            choices={choices}
            {...(choices[0] ? { chosen: choices[0].value } : {})}
          />
          <Actions label="Go on" away={{ to: pathOf(line), label: 'Not now' }} />
        </Form>
      </>
    ),
  });
}

const offeringWanted = {
  name: 'offering',
  label: 'What you would like',
  pattern: /^[\w-]{1,80}$/,
  remedy: 'Choose one of those below.',
} as const;

async function topUp(visit: Visit): Promise<Reply> {
  try {
    const { offering } = wanted(visit.form, [offeringWanted]);
    return await proposed(visit, 'subscription.top_up', {
      subscriptionId: visit.params.subscriptionId ?? '',
      offering,
    });
  } catch (error) {
    return topUpPage(visit, problemOf(error));
  }
}

async function planPage(visit: Visit, problem?: Problem): Promise<Page> {
  const line = await lineOf(visit);
  const others = (await offeringsOf(visit, 'plan')).filter(({ code }) => code !== line.plan.code);
  return page({
    title: 'Change the plan',
    width: 'narrow',
    status: problem?.status ?? 200,
    body: (
      <>
        <Heading
          title="Change the plan"
          lead={`You have ${line.plan.name} for ${line.price.text} a month. Another plan begins at the renewal${line.period ? `, on ${longDay(line.period.endsAt, line.timeZone)}` : ''}; nothing is charged before.`}
          back={{ to: pathOf(line), label: 'Your line' }}
        />
        <Form action={pathOf(line, '/plan')} problem={problem} values={visit.form}>
          <Choices
            name="offering"
            label="Another plan"
            {...(others[0] ? { chosen: others[0].code ?? others[0].id } : {})}
            choices={others.map((offering) => ({
              value: offering.code ?? offering.id,
              label: offering.name,
              detail: offering.allowances
                .map(
                  ({ kind, text, amount }) => `${amount === null ? 'unlimited' : text} ${kindName(kind).toLowerCase()}`,
                )
                .join(', ')
                .replaceAll(' SMS sms', ' SMS'),
              end: offering.price?.text,
            }))}
          />
          <Actions label="Go on" away={{ to: pathOf(line), label: `Keep ${line.plan.name}` }} />
        </Form>
      </>
    ),
  });
}

async function changePlan(visit: Visit): Promise<Reply> {
  try {
    const { offering } = wanted(visit.form, [offeringWanted]);
    return await proposed(visit, 'subscription.change_plan', {
      subscriptionId: visit.params.subscriptionId ?? '',
      offering,
    });
  } catch (error) {
    return planPage(visit, problemOf(error));
  }
}

async function endPage(visit: Visit, problem?: Problem): Promise<Page> {
  const line = await lineOf(visit);
  return page({
    title: 'End the line',
    width: 'narrow',
    status: problem?.status ?? 200,
    body: (
      <>
        <Heading
          title="End the line"
          lead={`${phone(line.msisdn)} stops, and the number is given to nobody for some months. Nothing that was paid is given back.`}
          back={{ to: pathOf(line), label: 'Your line' }}
        />
        <Form action={pathOf(line, '/end')} problem={problem} values={visit.form}>
          <Choices
            name="when"
            label="When?"
            chosen="boundary"
            choices={[
              {
                value: 'boundary',
                label: 'When its period ends',
                detail: line.period
                  ? `${longDay(line.period.endsAt, line.timeZone)}, instead of the renewal`
                  : 'instead of the renewal',
              },
              { value: 'now', label: 'Now', detail: 'What is left of it is lost' },
            ]}
          />
          <Actions label="Go on" kind="danger" away={{ to: pathOf(line), label: 'Keep the line' }} />
        </Form>
      </>
    ),
  });
}

async function end(visit: Visit): Promise<Reply> {
  try {
    return await proposed(visit, 'subscription.end', {
      subscriptionId: visit.params.subscriptionId ?? '',
      when: visit.form.text('when') === 'now' ? 'now' : 'boundary',
    });
  } catch (error) {
    return endPage(visit, problemOf(error));
  }
}

// ---- eSIM ----

async function esimPage(visit: Visit, problem?: Problem): Promise<Page> {
  const line = await lineOf(visit);
  const esim = line.esim ? await visit.read(showEsim, { subscriptionId: line.id }) : undefined;
  return page({
    title: 'Your eSIM',
    width: 'narrow',
    status: problem?.status ?? 200,
    body: (
      <>
        <Heading
          title="Your eSIM"
          lead={`For ${phone(line.msisdn)}. Scan the code with the phone that gets the line.`}
          back={{ to: pathOf(line), label: 'Your line' }}
        />
        <Done visit={visit} />
        {problem ? <ProblemSummary problem={problem} /> : null}
        {line.nextEsim ? (
          <Notice tone="warn" title="A new eSIM is being set up">
            <p>It takes the place of this one once the network has confirmed it. Look again in a moment.</p>
          </Notice>
        ) : null}
        {esim === undefined ? (
          <Card>
            <p class="empty">There is no eSIM for this line.</p>
          </Card>
        ) : (
          <Card class="esim">
            <Qr text={esim.activationCode} label="The code of the eSIM, for the camera of a phone" />
            <div class="activation-part">
              <h2 class="small-title">Activation code</h2>
              <code class="activation">{esim.activationCode}</code>
            </div>
          </Card>
        )}
        <Card title="How to">
          <ol class="how">
            <li>On the phone, open Settings and find “Add eSIM” under mobile or cellular.</li>
            <li>
              Point the camera at the code. On this very phone, copy the activation code and type it there instead.
            </li>
            <li>Switch the new line on. It finds the network within a minute.</li>
          </ol>
        </Card>
        {line.state === 'terminated' ? null : (
          <Card title="A new phone, or the old one lost?">
            <p>Replace the eSIM: you get a new code, and the old one stops once the new one is confirmed.</p>
            <div class="line-acts">
              <ActionButton action={pathOf(line, '/esim')} label="Replace the eSIM" />
            </div>
          </Card>
        )}
      </>
    ),
  });
}

async function replaceEsim(visit: Visit): Promise<Reply> {
  try {
    return await proposed(visit, 'subscription.replace_esim', { subscriptionId: visit.params.subscriptionId ?? '' });
  } catch (error) {
    return esimPage(visit, problemOf(error));
  }
}

// ---- usage ----

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

// ---- one more line ----

async function newLinePage(visit: Visit, problem?: Problem): Promise<Page> {
  const plans = await offeringsOf(visit, 'plan');
  const asked = visit.query.get('plan') ?? '';
  const chosen = plans.find(({ code }) => code === asked) ?? plans[0];
  return page({
    title: 'A new line',
    width: 'narrow',
    status: problem?.status ?? 200,
    body: (
      <>
        <Heading
          title="A new line"
          lead="It gets a number and an eSIM of its own, and is paid by your card on file."
          back={{ to: '/account', label: 'Overview' }}
        />
        <Form action="/account/new-line" problem={problem} values={visit.form}>
          <Choices
            name="offering"
            label="Plan"
            {...(chosen ? { chosen: chosen.code ?? chosen.id } : {})}
            choices={plans.map((offering) => ({
              value: offering.code ?? offering.id,
              label: offering.name,
              detail: offering.allowances
                .map(({ amount, text, kind }) => (amount === null ? `unlimited ${kindName(kind).toLowerCase()}` : text))
                .join(', '),
              end: offering.price?.text,
            }))}
          />
          <Actions label="Go on" away={{ to: '/account', label: 'Not now' }} />
        </Form>
      </>
    ),
  });
}

async function newLine(visit: Visit): Promise<Reply> {
  try {
    const { offering } = wanted(visit.form, [offeringWanted]);
    return await proposed(visit, 'order.place', { offering });
  } catch (error) {
    return newLinePage(visit, problemOf(error));
  }
}

const own = { audience: 'customer' } as const;
const at = '/account/lines/:subscriptionId';

export const lineRoutes: readonly Route[] = [
  { method: 'GET', path: '/account', ...own, operation: 'account', handle: overview },
  { method: 'GET', path: '/account/new-line', ...own, operation: 'newLine', handle: (visit) => newLinePage(visit) },
  { method: 'POST', path: '/account/new-line', ...own, operation: 'orderLine', handle: newLine },
  { method: 'GET', path: at, ...own, operation: 'line', handle: (visit) => showLine(visit) },
  { method: 'GET', path: `${at}/balances`, ...own, operation: 'balances', handle: balances },
  { method: 'GET', path: `${at}/top-up`, ...own, operation: 'topUpChoice', handle: (visit) => topUpPage(visit) },
  { method: 'POST', path: `${at}/top-up`, ...own, operation: 'topUp', handle: topUp },
  { method: 'GET', path: `${at}/plan`, ...own, operation: 'planChoice', handle: (visit) => planPage(visit) },
  { method: 'POST', path: `${at}/plan`, ...own, operation: 'changePlan', handle: changePlan },
  {
    method: 'POST',
    path: `${at}/plan/withdraw`,
    ...own,
    operation: 'keepPlan',
    handle: act('subscription.withdraw_plan_change', () => 'plan-kept'),
  },
  {
    method: 'POST',
    path: `${at}/roaming`,
    ...own,
    operation: 'roaming',
    handle: act(
      'subscription.set_roaming',
      (visit) => `roaming-${roaming(visit)}`,
      (visit) => ({ roaming: roaming(visit) }),
    ),
  },
  { method: 'GET', path: `${at}/end`, ...own, operation: 'endChoice', handle: (visit) => endPage(visit) },
  { method: 'POST', path: `${at}/end`, ...own, operation: 'end', handle: end },
  {
    method: 'POST',
    path: `${at}/end/withdraw`,
    ...own,
    operation: 'keepLine',
    handle: act('subscription.withdraw_end', () => 'end-withdrawn'),
  },
  { method: 'GET', path: `${at}/esim`, ...own, operation: 'esim', handle: (visit) => esimPage(visit) },
  { method: 'POST', path: `${at}/esim`, ...own, operation: 'replaceEsim', handle: replaceEsim },
  { method: 'GET', path: `${at}/usage`, ...own, operation: 'usage', handle: usage },
];
