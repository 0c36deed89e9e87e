import type { ComponentChildren } from 'preact';
import { AirtimeError } from '../../../kernel/error.ts';
import { emailForm, type Problem, problemOf, wanted } from '../form.ts';
import { Heading } from '../layout.tsx';
import type { SignUp } from '../parts.ts';
import { type Page, page, type Reply, type Route, redirect, type Visit } from '../route.ts';
import { ActionButton, Actions, Choices, CodeField, Form, Hidden, TextField } from '../ui/form.tsx';
import { Card, Notice, Pairs } from '../ui/parts.tsx';
import { cardWords, phone } from '../ui/words.ts';
import { CardForm, cardPage, cardWanted, isToOpen, openCardEntry } from './card-form.tsx';
import type { Offering } from './plans.tsx';
import { codeIn } from './sign-in.tsx';
import { draftOf, isLost, planOf } from './sign-up-draft.ts';

// From a plan to a live line in a few screens. What was chosen is kept on the server by the session, so that going
// back, reloading and a lost connection lose nothing.

const screens = ['You', 'Number', 'Card', 'Confirm'] as const;

function Progress({ at }: { at: number }) {
  return (
    <ol class="progress" aria-label="Steps of signing up">
      {screens.map((name, index) => (
        <li key={name} class={index < at ? 'past' : undefined} aria-current={index === at ? 'step' : undefined}>
          {name}
        </li>
      ))}
    </ol>
  );
}

function screen(
  at: number,
  given: { title: string; lead: ComponentChildren; back: { to: string; label: string }; problem?: Problem | undefined },
  body: ComponentChildren,
  more: Partial<Page> = {},
): Page {
  return page({
    title: given.title,
    section: 'shop',
    width: 'narrow',
    problem: given.problem,
    ...more,
    body: (
      <>
        <Progress at={at} />
        <Heading title={given.title} lead={given.lead} back={given.back} />
        {body}
      </>
    ),
  });
}

// ---- who ----

async function details(visit: Visit): Promise<Reply> {
  if (visit.session?.kind === 'customer') {
    const draft = await draftOf(visit);
    if (draft && draft.state !== 'ordered') return redirect('/sign-up/order');
    const plan = visit.query.get('plan');
    return redirect(plan === null ? '/account/new-line' : `/account/new-line?plan=${encodeURIComponent(plan)}`);
  }
  const draft = await draftOf(visit);
  const code = visit.query.get('plan') ?? draft?.offering ?? '';
  const plan = await planOf(visit, code);
  return plan === undefined ? redirect('/plans') : detailsPage(visit, plan, draft);
}

function detailsPage(visit: Visit, plan: Offering, draft: SignUp | undefined, problem?: Problem): Page {
  return screen(
    0,
    {
      title: 'Who is it for?',
      lead: (
        <>
          <strong>{plan.name}</strong>, {plan.price?.text} a month. You pay at the end, once you have seen everything.
        </>
      ),
      back: { to: '/plans', label: 'Another plan' },
      problem,
    },
    <Form action="/sign-up" problem={problem} values={visit.form}>
      <Hidden name="plan" value={plan.code ?? plan.id} />
      <div class="pair">
        <TextField name="givenName" label="Given name" autocomplete="given-name" value={draft?.givenName ?? ''} />
        <TextField name="familyName" label="Family name" autocomplete="family-name" value={draft?.familyName ?? ''} />
      </div>
      <TextField
        name="email"
        label="E-mail address"
        hint="Codes and receipts go there, and it is how you sign in."
        type="email"
        inputmode="email"
        autocomplete="email"
        value={draft?.email ?? ''}
      />
      <Actions label="Choose a number" />
    </Form>,
  );
}

async function start(visit: Visit): Promise<Reply> {
  const plan = await planOf(visit, visit.form.text('plan'));
  if (plan === undefined) return redirect('/plans');
  try {
    const given = wanted(visit.form, [
      { name: 'givenName', label: 'The given name', max: 100, remedy: 'Type it as your friends say it.' },
      { name: 'familyName', label: 'The family name', max: 100, remedy: 'Type it as it stands in your passport.' },
      { name: 'email', label: 'The e-mail address', pattern: emailForm, remedy: 'Type it as in ada@example.com.' },
    ]);
    await visit.parts.door.startSignUp(visit.secret, { offering: plan.code ?? plan.id, ...given });
    return redirect('/sign-up/number');
  } catch (error) {
    return detailsPage(visit, plan, undefined, problemOf(error));
  }
}

// ---- which number ----

async function numbers(visit: Visit, problem?: Problem): Promise<Reply> {
  const draft = await draftOf(visit);
  if (draft === undefined) return redirect('/plans');
  if (draft.state === 'ordered') return redirect('/sign-up/order');
  const held = isLost(draft) ? undefined : draft.number?.msisdn;
  const offered = (await visit.parts.door.offerNumbers(visit.secret)).filter((one) => one !== held);
  const choices = [...(held === undefined ? [] : [held]), ...offered].slice(0, 6);
  const back =
    draft.state === 'open' ? { to: '/sign-up', label: 'Your details' } : { to: '/sign-up/order', label: 'Your order' };
  return screen(
    1,
    { title: 'Choose your number', lead: 'It is kept for you for a quarter of an hour.', back, problem },
    <>
      {isLost(draft) && problem === undefined ? (
        <Notice tone="warn" title={`${phone(draft.number?.msisdn ?? null)} is kept for you no more`}>
          <p>It waited for longer than a quarter of an hour. Choose again; everything else that you typed is kept.</p>
        </Notice>
      ) : null}
      {choices.length === 0 ? (
        <Notice tone="warn" title="There are no numbers left at this moment">
          <p>We are fetching more. Try again in a few minutes; what you typed is kept.</p>
        </Notice>
      ) : (
        <Form action="/sign-up/number" problem={problem} values={visit.form}>
          <Choices
            name="msisdn"
            label="Numbers that are free"
            isCompact
            {...(choices[0] ? { chosen: held ?? choices[0] } : {})}
            choices={choices.map((msisdn) => ({ value: msisdn, label: phone(msisdn) }))}
          />
          <Actions label="Take this number" away={{ to: '/sign-up/number', label: 'Show others' }} />
        </Form>
      )}
    </>,
  );
}

async function hold(visit: Visit): Promise<Reply> {
  try {
    const { msisdn } = wanted(visit.form, [
      { name: 'msisdn', label: 'The number', pattern: /^\d{6,15}$/, remedy: 'Choose one of those below.' },
    ]);
    await visit.parts.door.holdNumber(visit.secret, { msisdn });
    // Whoever has confirmed already has a card on file, and is where the order is.
    return redirect(visit.session?.kind === 'customer' ? '/sign-up/order' : '/sign-up/card');
  } catch (error) {
    return numbers(visit, problemOf(error));
  }
}

// ---- which card ----

async function card(visit: Visit, problem?: Problem): Promise<Reply> {
  const draft = await draftOf(visit);
  if (draft === undefined) return redirect('/plans');
  if (draft.state !== 'open') return redirect('/sign-up/order');
  if (draft.number === null || isLost(draft)) return redirect('/sign-up/number');
  const cards = await openCardEntry(visit);
  return screen(
    2,
    {
      title: 'Which card pays?',
      lead: 'Nothing is charged yet. It is charged when you confirm, and at each renewal that you let happen.',
      back: { to: '/sign-up/number', label: 'Another number' },
      problem,
    },
    <CardForm cards={cards} action="/sign-up/card" label="Go on" problem={problem} />,
    cardPage(cards),
  );
}

async function keepCard(visit: Visit): Promise<Reply> {
  try {
    if (isToOpen(visit.form)) return await card(visit);
    const { token } = wanted(visit.form, [cardWanted]);
    await visit.parts.door.keepCard(visit.secret, { token });
    await visit.parts.door.requestSignUpCode(visit.secret);
    return redirect('/sign-up/confirm');
  } catch (error) {
    return card(visit, problemOf(error));
  }
}

// ---- yes ----

async function summary(visit: Visit, problem?: Problem): Promise<Reply> {
  const draft = await draftOf(visit);
  if (draft === undefined) return redirect('/plans');
  if (draft.state !== 'open') return redirect('/sign-up/order');
  if (draft.number === null || isLost(draft)) return redirect('/sign-up/number');
  if (draft.card === null) return redirect('/sign-up/card');
  const plan = await planOf(visit, draft.offering);
  if (plan === undefined) return redirect('/plans');
  return screen(
    3,
    {
      title: 'Look once more, and confirm',
      lead: (
        <>
          We mailed a code to <strong>{draft.email}</strong>.
        </>
      ),
      back: { to: '/sign-up/card', label: 'Another card' },
      problem,
    },
    <>
      <Card class="proposal">
        <Pairs
          items={[
            ['Plan', plan.name],
            ['Number', phone(draft.number.msisdn)],
            ['For', `${draft.givenName} ${draft.familyName}`],
            ['Card', cardWords(draft.card)],
            ['Each month', <strong class="total">{plan.price?.text}</strong>],
          ]}
        />
      </Card>
      <div class="section-small">
        <Form action="/sign-up/confirm" problem={problem}>
          <CodeField label="Code from your mail" hint="Six figures, good for ten minutes. It confirms the order." />
          <Actions label={`Pay ${plan.price?.text ?? ''} and get the line`} />
        </Form>
        <ActionButton action="/sign-up/code" label="No mail? Send another code" kind="plain" />
      </div>
    </>,
    { scripts: ['once.js'] },
  );
}

async function mailAgain(visit: Visit): Promise<Reply> {
  try {
    await visit.parts.door.requestSignUpCode(visit.secret);
    return redirect('/sign-up/confirm');
  } catch (error) {
    return summary(visit, problemOf(error));
  }
}

async function confirm(visit: Visit): Promise<Reply> {
  const draft = await draftOf(visit);
  // Nobody is made a customer for the sake of a number that somebody else may have by now.
  if (draft && isLost(draft)) return redirect('/sign-up/number');
  try {
    const entered = await visit.parts.door.confirmSignUp(visit.secret, { code: codeIn(visit.form) });
    // What goes wrong from here on is shown where it can be mended: the person is a customer now.
    await visit.parts.door.buySignUp(entered.secret).catch((error: unknown) => {
      if (error instanceof AirtimeError) visit.refused(error);
      else visit.parts.log.error({ err: error }, 'a sign-up could not be ordered');
    });
    return redirect('/sign-up/order', entered);
  } catch (error) {
    return summary(visit, problemOf(error));
  }
}

const visitor = { audience: 'visitor', hasForm: true } as const;

export const signUpRoutes: readonly Route[] = [
  { method: 'GET', path: '/sign-up', ...visitor, operation: 'signUp', handle: details },
  { method: 'POST', path: '/sign-up', audience: 'visitor', operation: 'startSignUp', handle: start },
  { method: 'GET', path: '/sign-up/number', ...visitor, operation: 'signUpNumber', handle: (visit) => numbers(visit) },
  { method: 'POST', path: '/sign-up/number', audience: 'visitor', operation: 'holdNumber', handle: hold },
  { method: 'GET', path: '/sign-up/card', ...visitor, operation: 'signUpCard', handle: (visit) => card(visit) },
  { method: 'POST', path: '/sign-up/card', audience: 'visitor', operation: 'keepCard', handle: keepCard },
  {
    method: 'GET',
    path: '/sign-up/confirm',
    ...visitor,
    operation: 'signUpSummary',
    handle: (visit) => summary(visit),
  },
  { method: 'POST', path: '/sign-up/code', audience: 'visitor', operation: 'requestSignUpCode', handle: mailAgain },
  { method: 'POST', path: '/sign-up/confirm', audience: 'visitor', operation: 'confirmSignUp', handle: confirm },
];
