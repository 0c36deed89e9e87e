import type { Problem } from '../form.ts';
import type { CardEntry } from '../parts.ts';
import { Actions, Choices, Form, Hidden } from '../ui/form.tsx';
import { Notice } from '../ui/parts.tsx';

export const stripeOrigin = 'https://js.stripe.com';

/** What a page with the card form must allow and load. */
export function cardPage(cards: CardEntry): { cardOrigin: string | undefined; scripts: readonly 'card.js'[] } {
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
  away,
}: {
  cards: CardEntry;
  action: string;
  label: string;
  problem?: Problem | undefined;
  away?: { to: string; label: string };
}) {
  if (cards.kind === 'none') {
    return (
      <Notice tone="warn" title="Cards cannot be taken on this page at the moment">
        <p>Write to us, and we help you put one on file.</p>
      </Notice>
    );
  }
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
          <p class="label" id="card-label">
            Card
          </p>
          <p class="hint">Your card goes straight to the bank’s side of this page. We never see its number.</p>
          <div class="card-element" data-card-key={cards.publishableKey} />
          <p class="fault" data-card-said role="alert" />
          <Hidden name="token" value="" />
          <noscript>
            <p class="fault">The card field needs JavaScript. The rest of these pages do without.</p>
          </noscript>
        </div>
      )}
      <Actions label={label} {...(away ? { away } : {})} />
    </Form>
  );
}
