import { emailForm, type Problem, problemOf, Form as Typed, wanted } from '../form.ts';
import { Heading } from '../layout.tsx';
import type { Entered } from '../parts.ts';
import { type Page, page, type Reply, type Route, redirect, type Visit } from '../route.ts';
import { Actions, CodeField, Form, Hidden, TextField } from '../ui/form.tsx';
import { Done } from '../ui/notices.tsx';

export const codeWanted = {
  name: 'code',
  label: 'The code',
  pattern: /^\d{3}\s?\d{3}$/,
  remedy: 'Type the six figures of the mail.',
} as const;

const figures = (code: string): string => code.replace(/\s/g, '');

/** The code that was typed, as figures alone. @throws AirtimeError 400 */
export const codeIn = (form: Typed): string => figures(wanted(form, [codeWanted]).code);

function askPage(visit: Visit, problem?: Problem): Page {
  return page({
    title: 'Sign in',
    section: 'shop',
    width: 'narrow',
    problem,
    body: (
      <>
        <Heading title="Sign in" lead="We mail you a code. There is no password to remember or to lose." />
        <Done visit={visit} />
        <Form action="/sign-in" problem={problem} values={visit.form}>
          <Hidden name="next" value={visit.ownPath(visit.query.get('next') ?? visit.form.text('next'), '')} />
          <TextField name="email" label="E-mail address" type="email" autocomplete="email" inputmode="email" />
          <Actions label="Mail me a code" />
        </Form>
        <p class="fine">
          No number with us yet? <a href="/plans">See the plans</a>.
        </p>
      </>
    ),
  });
}

function codePage(visit: Visit, email: string, problem?: Problem): Page {
  return page({
    title: 'Enter the code',
    section: 'shop',
    width: 'narrow',
    problem,
    body: (
      <>
        <Heading
          title="Look at your mail"
          lead={
            <>
              If <strong>{email === '' ? 'that address' : email}</strong> belongs to a customer, a code is on its way.
              It is good for ten minutes.
            </>
          }
          back={{ to: '/sign-in', label: 'Another address' }}
        />
        <Form action="/sign-in/code" problem={problem} values={new Typed()}>
          <Hidden name="email" value={email} />
          <Hidden name="next" value={visit.ownPath(visit.form.text('next'), '')} />
          <CodeField label="Code from the mail" hint="Six figures. The link in the mail does the same." />
          <Actions label="Sign in" />
        </Form>
      </>
    ),
  });
}

async function ask(visit: Visit): Promise<Reply> {
  if (visit.session?.kind === 'customer') return redirect(visit.ownPath(visit.query.get('next'), '/account'));
  return askPage(visit);
}

async function mail(visit: Visit): Promise<Reply> {
  try {
    const { email } = wanted(visit.form, [
      {
        name: 'email',
        label: 'The e-mail address',
        pattern: emailForm,
        remedy: 'Type it as in ada@example.com.',
      },
    ]);
    await visit.parts.door.requestSignIn(visit.secret, { email });
    return codePage(visit, email);
  } catch (error) {
    return askPage(visit, problemOf(error));
  }
}

async function enterCode(visit: Visit): Promise<Reply> {
  try {
    const entered = await visit.parts.door.signIn(visit.secret, { code: codeIn(visit.form) });
    return redirect(visit.ownPath(visit.form.text('next'), '/account'), entered);
  } catch (error) {
    return codePage(visit, visit.form.text('email'), problemOf(error));
  }
}

/** A link is not taken by looking at it: programs that read mail for people look at every link. */
function linkPage(visit: Visit, problem?: Problem): Page {
  return page({
    title: 'Sign in',
    section: 'shop',
    width: 'narrow',
    problem,
    body: (
      <>
        <Heading title="Sign in here" lead="One more step, so that nobody but you uses the link of your mail." />
        <Form action="/sign-in/link" problem={problem}>
          <Hidden name="token" value={visit.query.get('token') ?? visit.form.text('token')} />
          <Actions label="Sign in" away={{ to: '/sign-in', label: 'Ask for another mail' }} />
        </Form>
      </>
    ),
  });
}

/** A link may prove an address and let nobody in. */
const isProof = (came: Entered | 'addressProven'): came is 'addressProven' => came === 'addressProven';

async function enterLink(visit: Visit): Promise<Reply> {
  try {
    const came = await visit.parts.door.signInByLink(visit.secret, { token: visit.form.text('token') });
    if (!isProof(came)) return redirect('/account', came);
    return redirect(`${visit.session?.kind === 'customer' ? '/account/details' : '/sign-in'}?done=address-proven`);
  } catch (error) {
    return linkPage(visit, problemOf(error));
  }
}

async function leave(visit: Visit): Promise<Reply> {
  await visit.parts.door.end(visit.secret);
  return redirect(visit.session?.kind === 'operator' ? '/desk/sign-in' : '/plans', 'ended');
}

export const signInRoutes: readonly Route[] = [
  { method: 'GET', path: '/sign-in', audience: 'visitor', operation: 'signIn', hasForm: true, handle: ask },
  { method: 'POST', path: '/sign-in', audience: 'visitor', operation: 'requestSignIn', handle: mail },
  { method: 'POST', path: '/sign-in/code', audience: 'visitor', operation: 'enterByCode', handle: enterCode },
  {
    method: 'GET',
    path: '/sign-in/link',
    audience: 'visitor',
    operation: 'signInLink',
    hasForm: true,
    handle: async (visit) => linkPage(visit),
  },
  { method: 'POST', path: '/sign-in/link', audience: 'visitor', operation: 'enterByLink', handle: enterLink },
  { method: 'POST', path: '/sign-out', audience: 'visitor', operation: 'signOut', handle: leave },
];
