import { kindName } from '../../../kernel/quantity.ts';
import { type Problem, problemOf, wanted } from '../form.ts';
import { Heading } from '../layout.tsx';
import { type Page, page, type Reply, type Route, type Visit } from '../route.ts';
import { Actions, Choices, Form } from '../ui/form.tsx';
import { proposed } from './confirm.tsx';
import { offeringWanted } from './line-parts.tsx';
import { offeringsOf } from './plans.tsx';

async function newLinePage(visit: Visit, problem?: Problem): Promise<Page> {
  const plans = await offeringsOf(visit, 'plan');
  const asked = visit.query.get('plan') ?? '';
  const chosen = plans.find(({ code }) => code === asked) ?? plans[0];
  return page({
    title: 'A new line',
    width: 'narrow',
    problem,
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

export const newLineRoutes: readonly Route[] = [
  { method: 'GET', path: '/account/new-line', ...own, operation: 'newLine', handle: (visit) => newLinePage(visit) },
  { method: 'POST', path: '/account/new-line', ...own, operation: 'orderLine', handle: newLine },
];
