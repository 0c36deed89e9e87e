import type { ComponentChildren } from 'preact';
import { AirtimeError } from '../../../kernel/error.ts';
import { showOrder } from '../../../read/views/order.ts';
import { emailForm, type Problem, problemOf, wanted } from '../form.ts';
import { Heading } from '../layout.tsx';
import type { SignUp } from '../parts.ts';
import { type Page, page, type Reply, type Route, redirect, type Visit } from '../route.ts';
import { ActionButton, Actions, Choices, CodeField, Form, Hidden, TextField } from '../ui/form.tsx';
import { Card, Notice, Pairs } from '../ui/parts.tsx';
import { phone } from '../ui/words.ts';
import { CardForm, cardPage, openCardEntry } from './card-form.tsx';
import { BankAsks, OrderProgress, outcomeOf } from './order.tsx';
import { type Offering, offeringsOf } from './plans.tsx';
import { codeIn } from './sign-in.tsx';

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
    status: given.problem?.status ?? 200,
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

async function planOf(visit: Visit, code: string): Promise<Offering | undefined> {
  return (await offeringsOf(visit, 'plan')).find((one) => one.code === code || one.id === code);
}

/** The draft of this visit, or the screen where one begins. */
async function draftOf(visit: Visit): Promise<SignUp | undefined> {
  return visit.secret === '' ? undefined : visit.parts.door.readSignUp(visit.secret);
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
  if (draft.state !== 'open') return redirect('/sign-up/order');
  const held = draft.number?.msisdn;
  const offered = (await visit.parts.door.offerNumbers(visit.secret)).filter((one) => one !== held);
  const choices = [...(held === undefined ? [] : [held]), ...offered].slice(0, 6);
  return screen(
    1,
    {
      title: 'Choose your number',
      lead: 'It is kept for you for a quarter of an hour.',
      back: { to: '/sign-up', label: 'Your details' },
      problem,
    },
    choices.length === 0 ? (
      <Notice tone="warn" title="There are no numbers left at this moment">
        <p>We are fetching more. Try again in a few minutes; what you typed is kept.</p>
      </Notice>
    ) : (
      <Form action="/sign-up/number" problem={problem} values={visit.form}>
        <Choices
          name="msisdn"
          label="Numbers that are free"
          isCompact
          {...(held ? { chosen: held } : choices[0] ? { chosen: choices[0] } : {})}
          choices={choices.map((msisdn) => ({ value: msisdn, label: phone(msisdn) }))}
        />
        <Actions label="Take this number" away={{ to: '/sign-up/number', label: 'Show others' }} />
      </Form>
    ),
  );
}

async function hold(visit: Visit): Promise<Reply> {
  try {
    const { msisdn } = wanted(visit.form, [
      { name: 'msisdn', label: 'The number', pattern: /^\d{6,15}$/, remedy: 'Choose one of those below.' },
    ]);
    await visit.parts.door.holdNumber(visit.secret, { msisdn });
    return redirect('/sign-up/card');
  } catch (error) {
    return numbers(visit, problemOf(error));
  }
}

// ---- which card ----

async function card(visit: Visit, problem?: Problem): Promise<Reply> {
  const draft = await draftOf(visit);
  if (draft === undefined) return redirect('/plans');
  if (draft.state !== 'open') return redirect('/sign-up/order');
  if (draft.number === null) return redirect('/sign-up/number');
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

const tokenWanted = {
  name: 'token',
  label: 'The card',
  pattern: /^[\w-]{4,120}$/,
  remedy: 'Choose or type a card.',
} as const;

async function keepCard(visit: Visit): Promise<Reply> {
  try {
    const { token } = wanted(visit.form, [tokenWanted]);
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
  if (draft.number === null) return redirect('/sign-up/number');
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
  );
}

export function cardWords(card: { brand: string | null; lastFour: string | null }): string {
  const brand = card.brand ?? 'card';
  return `${brand.charAt(0).toUpperCase()}${brand.slice(1)} ••••\u00a0${card.lastFour ?? '????'}`;
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
  try {
    const entered = await visit.parts.door.confirmSignUp(visit.secret, { code: codeIn(visit.form) });
    // What goes wrong from here on is shown where it can be mended: the person is a customer now.
    await visit.parts.door.buySignUp(entered.secret).catch((error: unknown) => {
      if (!(error instanceof AirtimeError)) visit.parts.log.error({ err: error }, 'a sign-up could not be ordered');
    });
    return redirect('/sign-up/order', entered);
  } catch (error) {
    return summary(visit, problemOf(error));
  }
}

// ---- and there it is ----

const refreshSeconds = 2;

async function progress(visit: Visit, problem?: Problem): Promise<Reply> {
  const draft = await draftOf(visit);
  if (draft === undefined) return redirect('/account');
  const plan = await planOf(visit, draft.offering);
  if (draft.orderId === null) return unpaid(visit, plan, problem);
  const order = await visit.read(showOrder, { orderId: draft.orderId });
  const outcome = outcomeOf(order);
  const line = order.items[0]?.subscriptionId;
  if (outcome.kind === 'done') return redirect(line ? `/account/lines/${line}/esim?done=live` : '/account');
  if (outcome.kind === 'failed') return unpaid(visit, plan, problem, outcome);
  return page({
    title: 'On its way',
    width: 'narrow',
    refreshSeconds,
    body: (
      <>
        <Heading title="On its way" lead="This takes some seconds. You may close the page: it goes on without you." />
        <BankAsks order={order} />
        <OrderProgress order={order} />
        <p class="fine">
          The page looks again by itself. <a href="/sign-up/order">Look now</a>
        </p>
      </>
    ),
  });
}

/** Paying did not work, or was not tried yet: what happened, and the ways on from here. */
async function unpaid(
  visit: Visit,
  plan: Offering | undefined,
  problem?: Problem,
  outcome?: { isDeclined: boolean; reason: string | null },
): Promise<Page> {
  const cards = await openCardEntry(visit);
  const isOurs = outcome !== undefined && !outcome.isDeclined;
  return page({
    title: outcome?.isDeclined ? 'The card was declined' : isOurs ? 'It did not work yet' : 'Almost there',
    width: 'narrow',
    status: problem?.status ?? 200,
    ...cardPage(cards),
    body: (
      <>
        <Heading
          title={outcome?.isDeclined ? 'The card was declined' : isOurs ? 'It did not work yet' : 'Almost there'}
          lead={
            outcome?.isDeclined
              ? 'Your bank said no, so nothing was taken. Your number is still kept for you: try another card.'
              : isOurs
                ? 'The network could not set up your line. Nothing was taken from your card, and you can try again.'
                : 'Your details are saved, and nothing was charged yet.'
          }
        />
        {outcome?.reason ? (
          <Notice tone="bad" title={outcome.isDeclined ? 'What the bank said' : 'What happened'}>
            <p>{outcome.reason}</p>
          </Notice>
        ) : null}
        {outcome?.isDeclined ? null : (
          <Card title={`Try again${plan?.price ? `: ${plan.price.text}` : ''}`}>
            <p>With the card that you gave.</p>
            <div class="line-acts">
              <ActionButton action="/sign-up/again" label="Pay and get the line" kind="primary" />
            </div>
          </Card>
        )}
        <Card
          title={outcome?.isDeclined ? `Another card${plan?.price ? `: ${plan.price.text}` : ''}` : 'Or another card'}
        >
          <CardForm cards={cards} action="/sign-up/again" label="Pay with this card" problem={problem} />
        </Card>
        <p class="fine">
          Not now? <a href="/account">Your account</a> is there when you are.
        </p>
      </>
    ),
  });
}

async function payAgain(visit: Visit): Promise<Reply> {
  try {
    const token = visit.form.text('token');
    if (token !== '') await visit.parts.door.keepCard(visit.secret, { token: wanted(visit.form, [tokenWanted]).token });
    await visit.parts.door.buySignUp(visit.secret);
    return redirect('/sign-up/order');
  } catch (error) {
    return progress(visit, problemOf(error));
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
  {
    method: 'GET',
    path: '/sign-up/order',
    audience: 'customer',
    operation: 'signUpOrder',
    handle: (visit) => progress(visit),
  },
  { method: 'POST', path: '/sign-up/again', audience: 'customer', operation: 'signUpAgain', handle: payAgain },
];
