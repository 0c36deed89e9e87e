import { type Problem, problemOf, wanted } from '../form.ts';
import { Heading } from '../layout.tsx';
import { type Page, page, type Reply, type Route, redirect, type Visit } from '../route.ts';
import { Actions, Form, Hidden } from '../ui/form.tsx';
import { Command } from './parts.tsx';

/** A link is not taken by looking at it; a token is pasted once, and only the session keeps it. */
function askPage(visit: Visit, problem?: Problem): Page {
  const link = visit.query.get('token');
  const fault = problem?.faults[0];
  return page({
    title: 'Sign in to the desk',
    section: 'desk',
    width: 'narrow',
    problem,
    body: (
      <>
        <Heading title="Sign in to the desk" lead="For operators. What you see here, the terminal shows too." />
        {link === null || problem ? (
          <>
            <Form action="/desk/sign-in" problem={problem}>
              <div class={fault ? 'field wrong' : 'field'}>
                <label for="field-token">Access token</label>
                <p class="hint" id="field-token-hint">
                  One with all scopes. It is exchanged for a session and kept nowhere.
                </p>
                {fault ? (
                  <p class="fault" id="field-token-fault">
                    {`${fault.rule} ${fault.remedy}`}
                  </p>
                ) : null}
                <input
                  id="field-token"
                  name="token"
                  type="password"
                  autocomplete="off"
                  required
                  maxLength={300}
                  aria-invalid={fault ? 'true' : undefined}
                  aria-describedby={fault ? 'field-token-hint field-token-fault' : 'field-token-hint'}
                />
              </div>
              <Actions label="Sign in" />
            </Form>
            <div class="section">
              <Command does="At the terminal, a link that signs you in once" line="bss desk" />
            </div>
          </>
        ) : (
          <Form action="/desk/sign-in">
            <Hidden name="token" value={link.slice(0, 300)} />
            <Actions label="Sign in here" />
          </Form>
        )}
      </>
    ),
  });
}

async function enter(visit: Visit): Promise<Reply> {
  try {
    const { token } = wanted(visit.form, [
      { name: 'token', label: 'The token', max: 300, remedy: 'Paste it as it was made, or type bss desk.' },
    ]);
    return redirect('/desk', await visit.parts.door.signInToDesk(visit.secret, { token }));
  } catch (error) {
    return askPage(visit, problemOf(error));
  }
}

export const signInRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/desk/sign-in',
    audience: 'visitor',
    operation: 'deskSignIn',
    hasForm: true,
    handle: async (visit) => (visit.session?.kind === 'operator' ? redirect('/desk') : askPage(visit)),
  },
  { method: 'POST', path: '/desk/sign-in', audience: 'visitor', operation: 'enterDesk', handle: enter },
];
