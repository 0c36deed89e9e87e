import { AirtimeError, conflict } from '../../../kernel/error.ts';
import { isJsonObject, type JsonObject } from '../../../kernel/json.ts';
import type { Proposal } from '../../../tools/registry.ts';
import { type Problem, problemOf } from '../form.ts';
import { Heading } from '../layout.tsx';
import { type Page, page, type Reply, type Route, redirect, type Visit } from '../route.ts';
import { Actions, CodeField, Form, Hidden, ProblemSummary } from '../ui/form.tsx';
import { ButtonLink, Card } from '../ui/parts.tsx';
import { codeIn } from './sign-in.tsx';

interface Act {
  readonly title: string;
  /** What the button says. */
  readonly does: string;
  readonly isDanger?: boolean;
  /** The page that one came from, by what was asked for. */
  back(input: JsonObject): string;
  /** The page that shows what came of it. */
  next(input: JsonObject, result: JsonObject): string;
}

const line = (input: JsonObject): string => `/account/lines/${encodeURIComponent(String(input.subscriptionId ?? ''))}`;
const order = (_: JsonObject, result: JsonObject): string =>
  typeof result.id === 'string' ? `/account/orders/${result.id}` : '/account';

/** What a customer confirms here, by the name of its tool. No other is proposed by these pages. */
const acts: Readonly<Record<string, Act>> = {
  'order.place': { title: 'A new line', does: 'Pay and order', back: () => '/account', next: order },
  'subscription.top_up': {
    title: 'Top up',
    does: 'Pay and top up',
    back: (input) => `${line(input)}/top-up`,
    next: order,
  },
  'subscription.change_plan': {
    title: 'Change of plan',
    does: 'Change the plan',
    back: (input) => `${line(input)}/plan`,
    next: (input) => `${line(input)}?done=plan-changed`,
  },
  'subscription.end': {
    title: 'End of the line',
    does: 'End the line',
    isDanger: true,
    back: (input) => `${line(input)}/end`,
    next: (input) => `${line(input)}?done=${input.when === 'now' ? 'ended' : 'end-waits'}`,
  },
  'subscription.replace_esim': {
    title: 'A new eSIM',
    does: 'Replace the eSIM',
    isDanger: true,
    back: (input) => `${line(input)}/esim`,
    next: (input) => `${line(input)}/esim?done=esim-replaced`,
  },
  'card.remove': {
    title: 'Remove a card',
    does: 'Remove the card',
    isDanger: true,
    back: () => '/account/cards',
    next: () => '/account/cards?done=card-removed',
  },
  'customer.change_contact': {
    title: 'Change of details',
    does: 'Change my details',
    back: () => '/account/details',
    next: (_, result) =>
      `/account/details?done=${typeof result.unprovenEmail === 'string' ? 'address-unproven' : 'contact-changed'}`,
  },
};

function actOf(tool: string): Act {
  const act = Object.hasOwn(acts, tool) ? acts[tool] : undefined;
  if (act === undefined) throw new AirtimeError(404, 'notFound', 'There is nothing at this address.');
  return act;
}

/**
 * Shows what would happen and at what price, and mails the code that it takes. Nothing is done yet.
 * @throws as ToolDoor.propose
 */
export async function proposed(visit: Visit, tool: string, input: JsonObject): Promise<Reply> {
  actOf(tool);
  const { proposal, confirmation } = await visit.parts.tools.propose(tool, input, visit.caller);
  await visit.parts.door.requestSecondCode(visit.secret, { confirmation: confirmation.token, what: wordsOf(proposal) });
  return confirmPage({ tool, input, confirmation: confirmation.token, proposal });
}

/** What it is for, as the letter with the code says it. */
const wordsOf = ({ what, amount }: Proposal): string => (amount === null ? what : `${what} ${amount.text}`);

function ProposalCard({ proposal }: { proposal: Proposal }) {
  return (
    <Card class="proposal">
      <p class="proposal-what">{proposal.what}</p>
      {proposal.amount === null ? null : <p class="proposal-price">{proposal.amount.text}</p>}
      {proposal.details.length === 0 ? null : (
        <ul>
          {proposal.details.map((detail) => (
            <li key={detail}>{detail}</li>
          ))}
        </ul>
      )}
    </Card>
  );
}

function confirmPage({
  tool,
  input,
  confirmation,
  proposal,
  problem,
  isMailedAgain,
}: {
  tool: string;
  input: JsonObject;
  confirmation: string;
  proposal: Proposal | undefined;
  problem?: Problem | undefined;
  isMailedAgain?: boolean;
}): Page {
  const act = actOf(tool);
  const hidden = (
    <>
      <Hidden name="tool" value={tool} />
      <Hidden name="arguments" value={JSON.stringify(input)} />
      <Hidden name="confirmation" value={confirmation} />
    </>
  );
  return page({
    title: act.title,
    width: 'narrow',
    problem,
    body: (
      <>
        <Heading title={act.title} back={{ to: act.back(input), label: 'Back, and change nothing' }} />
        {proposal === undefined ? null : <ProposalCard proposal={proposal} />}
        <div class="section-small">
          <Form action="/account/confirm" problem={problem}>
            {hidden}
            <CodeField
              label="Code from your mail"
              hint={
                isMailedAgain
                  ? 'Another code is on its way; the one before is of no use now.'
                  : 'We mailed you six figures, so that nobody does this but you. They are good for ten minutes.'
              }
            />
            <Actions
              label={act.does}
              kind={act.isDanger ? 'danger' : 'primary'}
              away={{ to: act.back(input), label: 'Do not' }}
            />
          </Form>
          <Form action="/account/confirm/again" class="inline-form">
            {hidden}
            <button type="submit" class="button plain">
              No mail? Send another code
            </button>
          </Form>
        </div>
      </>
    ),
  });
}

interface Sent {
  readonly tool: string;
  readonly act: Act;
  readonly input: JsonObject;
  readonly confirmation: string;
}

function sent(visit: Visit): Sent {
  const tool = visit.form.text('tool');
  return { tool, act: actOf(tool), input: inputIn(visit), confirmation: visit.form.text('confirmation') };
}

const inputIn = (visit: Visit): JsonObject => inputOf(visit.form.text('arguments'));

function inputOf(text: string): JsonObject {
  let read: unknown;
  try {
    read = JSON.parse(text);
  } catch {
    read = undefined;
  }
  if (!isJsonObject(read)) throw new AirtimeError(400, 'invalid', 'That form is not whole. Begin again.');
  return read;
}

/**
 * The code first, and then what it confirms. A yes that is sent again finds its code used and its proposal done: what
 * decides is the confirmation, which is answered as it was the first time or refused.
 */
async function confirm(visit: Visit): Promise<Reply> {
  const { tool, act, input, confirmation } = sent(visit);
  let doubt: unknown;
  try {
    const code = codeIn(visit.form);
    await visit.parts.door.giveSecondCode(visit.secret, { confirmation, code });
  } catch (error) {
    if (!(error instanceof AirtimeError) || ![404, 422].includes(error.status))
      return again(visit, { tool, input, confirmation }, problemOf(error));
    doubt = error;
  }
  try {
    const { result } = await visit.parts.tools.confirm(tool, input, visit.caller, confirmation);
    return redirect(act.next(input, isJsonObject(result) ? result : {}));
  } catch (error) {
    if (doubt === undefined) return again(visit, { tool, input, confirmation }, problemOf(error));
    return isGone(doubt)
      ? refusedPage(tool, input, problemOf(error))
      : again(visit, { tool, input, confirmation }, problemOf(doubt));
  }
}

/** Whether there is no such proposal, or none that still waits. */
const isGone = (error: unknown): boolean => error instanceof AirtimeError && error.status === 404;

/** The page as it was, with what went wrong; what may no longer be done at all is said alone. */
async function again(
  visit: Visit,
  { tool, input, confirmation }: Omit<Sent, 'act'>,
  problem: Problem | undefined,
): Promise<Page> {
  try {
    const proposal = await visit.parts.tools.preview(tool, input, visit.caller);
    return confirmPage({ tool, input, confirmation, proposal, problem, isMailedAgain: problem === undefined });
  } catch (error) {
    return refusedPage(tool, input, problemOf(error));
  }
}

function refusedPage(tool: string, input: JsonObject, problem: Problem): Page {
  const act = actOf(tool);
  return page({
    title: act.title,
    width: 'narrow',
    problem,
    body: (
      <>
        <Heading title={act.title} back={{ to: act.back(input), label: 'Back' }} />
        <ProblemSummary problem={problem} />
        <ButtonLink to={act.back(input)} kind="primary">
          Begin again
        </ButtonLink>
      </>
    ),
  });
}

const nothingWaits = (): AirtimeError =>
  conflict(
    'proposal.waits',
    'Nothing waits for a code here any more: it was done already, or it waited too long. Look whether it was done before you begin again.',
  );

async function mailAgain(visit: Visit): Promise<Reply> {
  const { tool, input, confirmation } = sent(visit);
  try {
    const what = wordsOf(await visit.parts.tools.preview(tool, input, visit.caller));
    await visit.parts.door.requestSecondCode(visit.secret, { confirmation, what });
    return await again(visit, { tool, input, confirmation }, undefined);
  } catch (error) {
    if (isGone(error)) return refusedPage(tool, input, problemOf(nothingWaits()));
    return again(visit, { tool, input, confirmation }, problemOf(error));
  }
}

/** Where something that the assistant proposed is looked at. Looking mails nothing and changes nothing. */
export function proposePath(tool: string, input: JsonObject): string {
  return `/account/propose?${new URLSearchParams({ tool, arguments: JSON.stringify(input) })}`;
}

async function look(visit: Visit): Promise<Reply> {
  const tool = visit.query.get('tool') ?? '';
  const input = inputOf(visit.query.get('arguments') ?? '');
  const act = actOf(tool);
  try {
    const proposal = await visit.parts.tools.preview(tool, input, visit.caller);
    return page({
      title: act.title,
      width: 'narrow',
      body: (
        <>
          <Heading title={act.title} back={{ to: '/account/chat', label: 'Back, and change nothing' }} />
          <ProposalCard proposal={proposal} />
          <div class="section-small">
            <Form action="/account/propose">
              <Hidden name="tool" value={tool} />
              <Hidden name="arguments" value={JSON.stringify(input)} />
              <Actions label="Go on: mail me the code" away={{ to: '/account/chat', label: 'Do not' }} />
            </Form>
          </div>
        </>
      ),
    });
  } catch (error) {
    return refusedPage(tool, input, problemOf(error));
  }
}

async function propose(visit: Visit): Promise<Reply> {
  const tool = visit.form.text('tool');
  const input = inputIn(visit);
  actOf(tool);
  try {
    return await proposed(visit, tool, input);
  } catch (error) {
    return refusedPage(tool, input, problemOf(error));
  }
}

export const confirmRoutes: readonly Route[] = [
  { method: 'GET', path: '/account/propose', audience: 'customer', operation: 'proposal', handle: look },
  { method: 'POST', path: '/account/propose', audience: 'customer', operation: 'propose', handle: propose },
  { method: 'POST', path: '/account/confirm', audience: 'customer', operation: 'confirm', handle: confirm },
  { method: 'POST', path: '/account/confirm/again', audience: 'customer', operation: 'mailAgain', handle: mailAgain },
];
