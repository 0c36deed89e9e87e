import { showOrder } from '../../../read/views/order.ts';
import { type Problem, problemOf, wanted } from '../form.ts';
import { Heading } from '../layout.tsx';
import type { SignUp } from '../parts.ts';
import { type Page, page, type Reply, type Route, redirect, type Visit } from '../route.ts';
import { ActionButton, ProblemSummary } from '../ui/form.tsx';
import { ButtonLink, Card, Notice } from '../ui/parts.tsx';
import { phone } from '../ui/words.ts';
import { CardForm, cardPage, cardWanted, isToOpen, openCardEntry } from './card-form.tsx';
import { BankAsks, type MoneyWords, moneyOf, OrderProgress, outcomeOf } from './order.tsx';
import type { Offering } from './plans.tsx';
import { draftOf, isLost, planOf } from './sign-up-draft.ts';

// What became of the order of a sign-up: there it is, or what happened and the ways on.

const refreshSeconds = 2;

/** What is wrong with a card is said at the form where it was typed, and what is wrong with the order above it. */
interface Wrong {
  readonly ofCard?: Problem;
  readonly ofOrder?: Problem;
}

async function progress(visit: Visit, wrong: Wrong = {}): Promise<Reply> {
  const draft = await draftOf(visit);
  if (draft === undefined) return redirect('/account');
  const plan = await planOf(visit, draft.offering);
  if (draft.orderId === null) return unpaid(visit, draft, plan, wrong);
  const order = await visit.read(showOrder, { orderId: draft.orderId });
  const outcome = outcomeOf(order);
  const line = order.items[0]?.subscriptionId;
  if (outcome.kind === 'done') return redirect(line ? `/account/lines/${line}/esim?done=live` : '/account');
  if (outcome.kind === 'failed')
    return unpaid(visit, draft, plan, wrong, {
      isDeclined: outcome.isDeclined,
      reason: outcome.reason,
      money: moneyOf(order),
    });
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

interface Failed {
  readonly isDeclined: boolean;
  readonly reason: string | null;
  readonly money: MoneyWords;
}

function unpaidWords(draft: SignUp, failed: Failed | undefined): { title: string; lead: string } {
  if (failed === undefined)
    return { title: 'Almost there', lead: 'Your details are saved, and nothing was charged yet.' };
  const money = [`${failed.money.title}.`, failed.money.detail ?? ''].join(' ').trim();
  if (!failed.isDeclined)
    return { title: 'It did not work yet', lead: `Your line could not be set up. ${money} You can try again.` };
  const number = isLost(draft) ? '' : ' Your number is still kept for you.';
  return { title: 'The card was declined', lead: `Your bank said no. ${money}${number} Try another card.` };
}

/** Paying did not work, or was not tried yet: what happened, and the ways on from here. */
async function unpaid(
  visit: Visit,
  draft: SignUp,
  plan: Offering | undefined,
  wrong: Wrong,
  failed?: Failed,
): Promise<Page> {
  const cards = await openCardEntry(visit);
  const { title, lead } = unpaidWords(draft, failed);
  const price = plan?.price ? `: ${plan.price.text}` : '';
  return page({
    title,
    width: 'narrow',
    problem: wrong.ofCard ?? wrong.ofOrder,
    ...cardPage(cards),
    body: (
      <>
        <Heading title={title} lead={lead} />
        {wrong.ofOrder ? <ProblemSummary problem={wrong.ofOrder} /> : null}
        {failed?.reason ? (
          <Notice tone="bad" title={failed.isDeclined ? 'What the bank said' : 'What happened'}>
            <p>{failed.reason}</p>
          </Notice>
        ) : null}
        {isLost(draft) ? (
          <Card title="Another number">
            <p>{`${phone(draft.number?.msisdn ?? null)} is kept for you no more. If it is gone, choose another.`}</p>
            <div class="line-acts">
              <ButtonLink to="/sign-up/number" kind="primary">
                Choose a number
              </ButtonLink>
            </div>
          </Card>
        ) : null}
        {failed?.isDeclined ? null : (
          <Card title={`Try again${price}`}>
            <p>With the card that you gave.</p>
            <div class="line-acts">
              <ActionButton action="/sign-up/again" label="Pay and get the line" kind="primary" />
            </div>
          </Card>
        )}
        <Card title={failed?.isDeclined ? `Another card${price}` : 'Or another card'}>
          <CardForm cards={cards} action="/sign-up/again" label="Pay with this card" problem={wrong.ofCard} />
        </Card>
        <p class="fine">
          Not now? <a href="/account">Your account</a> is there when you are.
        </p>
      </>
    ),
  });
}

async function payAgain(visit: Visit): Promise<Reply> {
  if (isToOpen(visit.form)) return progress(visit);
  try {
    if (visit.form.text('token') !== '') {
      const { token } = wanted(visit.form, [cardWanted]);
      await visit.parts.door.keepCard(visit.secret, { token });
    }
  } catch (error) {
    return progress(visit, { ofCard: problemOf(error) });
  }
  try {
    await visit.parts.door.buySignUp(visit.secret);
    return redirect('/sign-up/order');
  } catch (error) {
    return progress(visit, { ofOrder: problemOf(error) });
  }
}

const own = { audience: 'customer' } as const;

export const signUpOrderRoutes: readonly Route[] = [
  { method: 'GET', path: '/sign-up/order', ...own, operation: 'signUpOrder', handle: (visit) => progress(visit) },
  { method: 'POST', path: '/sign-up/again', ...own, operation: 'signUpAgain', handle: payAgain },
];
