import { type CustomerView, showCustomer } from '../../../read/views/customer.ts';
import { emailForm, type Problem, problemOf, Form as Typed, wanted } from '../form.ts';
import { Heading } from '../layout.tsx';
import { type Page, page, type Reply, type Route, redirect, type Visit } from '../route.ts';
import { Actions, Form, ProblemSummary, TextField } from '../ui/form.tsx';
import { Done } from '../ui/notices.tsx';
import { Card, Pairs } from '../ui/parts.tsx';
import { longDay, phone } from '../ui/words.ts';
import { proposed } from './confirm.tsx';

/** Where a customer is reached now. */
function reached({ contacts }: CustomerView): { email: string; phone: string } {
  const contact = (medium: string) => contacts.find((one) => one.medium === medium)?.value ?? '';
  return { email: contact('email'), phone: contact('phone') || contact('mobile') };
}

async function details(visit: Visit, problem?: Problem): Promise<Page> {
  const customer = await visit.read(showCustomer, {});
  const { email, phone: given } = reached(customer);
  return page({
    title: 'Details',
    width: 'narrow',
    problem,
    body: (
      <>
        <Heading title="Details" />
        <Done visit={visit} />
        <Card>
          <Pairs
            items={[
              ['Name', customer.name],
              ['E-mail', email],
              ['Phone', /^\d+$/.test(given) ? phone(given) : given],
              ['Customer since', longDay(customer.createdAt, customer.timeZone)],
            ]}
          />
        </Card>
        <Card title="Change how we reach you">
          {problem && problem.faults.length === 0 ? <ProblemSummary problem={problem} /> : null}
          <Form
            action="/account/details"
            problem={problem && problem.faults.length > 0 ? problem : undefined}
            values={problem ? visit.form : new Typed()}
          >
            <TextField
              name="email"
              label="E-mail address"
              hint="Codes and receipts go there. The change is confirmed by a code to the old one."
              type="email"
              inputmode="email"
              autocomplete="email"
              value={email}
            />
            <TextField
              name="phone"
              label="Another phone, if you like"
              hint="Empty it, and none is kept."
              type="tel"
              inputmode="tel"
              autocomplete="tel"
              value={given}
              isRequired={false}
            />
            <Actions label="Go on" />
          </Form>
        </Card>
      </>
    ),
  });
}

async function changeDetails(visit: Visit): Promise<Reply> {
  try {
    const { email } = wanted(visit.form, [
      { name: 'email', label: 'The e-mail address', pattern: emailForm, remedy: 'Type it as in ada@example.com.' },
    ]);
    const phoneTyped = visit.form.text('phone');
    const now = reached(await visit.read(showCustomer, {}));
    // What stays as it is, is not asked for: the letter with the code names what changes, and nothing else.
    const changed = {
      ...(email.toLowerCase() === now.email.toLowerCase() ? {} : { email }),
      ...(phoneTyped === now.phone ? {} : { phone: phoneTyped }),
    };
    if (Object.keys(changed).length === 0) return redirect('/account/details?done=contact-same');
    return await proposed(visit, 'customer.change_contact', changed);
  } catch (error) {
    return details(visit, problemOf(error));
  }
}

const own = { audience: 'customer' } as const;

export const detailRoutes: readonly Route[] = [
  { method: 'GET', path: '/account/details', ...own, operation: 'details', handle: (visit) => details(visit) },
  { method: 'POST', path: '/account/details', ...own, operation: 'changeDetails', handle: changeDetails },
];
