import { AirtimeError } from '../../../kernel/error.ts';
import type { Problem, Form as Typed } from '../form.ts';
import type { CardEntry } from '../parts.ts';
import type { Page, Visit } from '../route.ts';
import { ActionButton, Actions, Choices, Form, Hidden } from '../ui/form.tsx';
import { Notice } from '../ui/parts.tsx';

const stripeOrigin = 'https://js.stripe.com';

/** The card that a form brings: a name for it, never its number. */
export const cardWanted = {
  name: 'token',
  label: 'The card',
  pattern: /^[\w-]{4,120}$/,
  remedy: 'Choose or type a card.',
} as const;

/** Whether the form asks for nothing but the field of the gateway. */
export const isToOpen = (form: Typed): boolean => form.text('open') !== '';

/** A card form as it is shown: with the gateway's element a card was begun there, or will be once somebody asks. */
export type OpenCardEntry =
  | Exclude<CardEntry, { kind: 'stripe' }>
  | { readonly kind: 'closed' }
  | { readonly kind: 'stripe'; readonly publishableKey: string; readonly clientSecret: string };

/**
 * Makes the card form ready. A card is begun at the gateway only for who sends a form: looking costs nothing there, however
 * often somebody looks. A gateway that is away leaves a page that says so.
 */
export async function openCardEntry({ isForm, parts: { cards, log } }: Visit): Promise<OpenCardEntry> {
  if (cards.kind !== 'stripe') return cards;
  if (!isForm) return { kind: 'closed' };
  try {
    return { kind: 'stripe', publishableKey: cards.publishableKey, clientSecret: (await cards.begin()).clientSecret };
  } catch (error) {
    if (!(error instanceof AirtimeError))
      log.warn({ name: error instanceof Error ? error.name : '' }, 'no card could be begun');
    return { kind: 'none' };
  }
}

/** What a page with the card form must allow and load. */
export function cardPage(cards: OpenCardEntry): Pick<Page, 'cardOrigin' | 'scripts'> {
  return cards.kind === 'stripe'
    ? { cardOrigin: stripeOrigin, scripts: ['card.js'] }
    : { cardOrigin: undefined, scripts: [] };
}

/** Takes a card without ever seeing it: by the gateway's own element, or one of the cards that its sandbox plays. */
export function CardForm({
  cards,
  action,
  label,
  problem,
}: {
  cards: OpenCardEntry;
  action: string;
  label: string;
  problem?: Problem | undefined;
}) {
  if (cards.kind === 'none') {
    return (
      <Notice tone="warn" title="Cards cannot be taken on this page at the moment">
        <p>Try again in a few minutes. If it stays so, write to us, and we help you put one on file.</p>
      </Notice>
    );
  }
  if (cards.kind === 'closed') return <ActionButton action={action} label="Type a card" fields={{ open: 'yes' }} />;
  return (
    <Form action={action} problem={problem}>
      {cards.kind === 'sandbox' ? (
        <Choices
          name="token"
          label="Test card"
          hint="Cards are played here, and no money moves. Each behaves as it says."
          choices={cards.cards.map(({ token, label: name }) => ({ value: token, label: name }))}
          {...(cards.cards[0] ? { chosen: cards.cards[0].token } : {})}
        />
      ) : (
        <div class="field">
          <p class="label">Card</p>
          <p class="hint">Your card goes straight to the bank’s side of this page. We never see its number.</p>
          <div class="card-element" data-card-key={cards.publishableKey} data-card-secret={cards.clientSecret} />
          <p class="fault" data-card-said role="alert" />
          <Hidden name="token" value="" />
          <noscript>
            <p class="fault">The card field needs JavaScript. The rest of these pages do without.</p>
          </noscript>
        </div>
      )}
      <Actions label={label} />
    </Form>
  );
}
