import { kindName } from '../../../kernel/quantity.ts';
import { type Problem, problemOf, wanted } from '../form.ts';
import { Heading } from '../layout.tsx';
import { type Page, page, type Reply, type Route, type Visit } from '../route.ts';
import { Actions, Choices, Form } from '../ui/form.tsx';
import { longDay, phone } from '../ui/words.ts';
import { proposed } from './confirm.tsx';
import { lineOf, linePath, offeringWanted, pathOf } from './line-parts.tsx';
import { offeringsOf, validity } from './plans.tsx';

// Top-up, plan and end: chosen here, confirmed with a code.

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
    problem,
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
    problem,
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
    problem,
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

const own = { audience: 'customer' } as const;

export const lineChangeRoutes: readonly Route[] = [
  { method: 'GET', path: `${linePath}/top-up`, ...own, operation: 'topUpChoice', handle: (visit) => topUpPage(visit) },
  { method: 'POST', path: `${linePath}/top-up`, ...own, operation: 'topUp', handle: topUp },
  { method: 'GET', path: `${linePath}/plan`, ...own, operation: 'planChoice', handle: (visit) => planPage(visit) },
  { method: 'POST', path: `${linePath}/plan`, ...own, operation: 'changePlan', handle: changePlan },
  { method: 'GET', path: `${linePath}/end`, ...own, operation: 'endChoice', handle: (visit) => endPage(visit) },
  { method: 'POST', path: `${linePath}/end`, ...own, operation: 'end', handle: end },
];
