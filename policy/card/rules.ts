import type { CardFacts } from '../../adapters/card-gateway.ts';
import { endOfCardMonth } from '../../kernel/calendar.ts';
import type { ResourceFacts } from '../core/resource.ts';
import { rule } from '../core/rule.ts';

export interface NewCardFacts extends ResourceFacts {
  /** A tokenised card that can be charged; other methods are kept and served. */
  isCard: boolean;
  token: string | undefined;
  card: CardFacts | undefined;
  customerId: string | undefined;
  customerExists: boolean;
  cardsOnFile: number;
}

export const cardCustomerKnown = rule<NewCardFacts>({
  code: 'card.customer_known',
  sentence: 'A card is kept for one of our customers: name them as related party.',
  kept: (facts) => !facts.isCard || facts.customerExists,
  shown: (facts) => ({ customer: facts.customerId ?? null }),
});

export const cardTokenKnown = rule<NewCardFacts>({
  code: 'card.token_known',
  sentence: 'The card gateway does not know this token.',
  kept: (facts) => !facts.isCard || facts.card !== undefined,
});

export const cardNotExpired = rule<NewCardFacts>({
  code: 'card.not_expired',
  sentence: 'This card has expired.',
  kept: (facts, tx) => !facts.card || endOfCardMonth(facts.card.expiryYear, facts.card.expiryMonth) >= tx.now,
  shown: (facts) => ({
    expiry: facts.card ? `${facts.card.expiryYear}-${String(facts.card.expiryMonth).padStart(2, '0')}` : null,
  }),
});

export const cardsAtMostFive = rule<NewCardFacts>({
  code: 'card.at_most_five',
  sentence: 'A customer keeps at most five cards on file.',
  kept: (facts) => !facts.isCard || facts.cardsOnFile < 5,
  shown: (facts) => ({ cards: facts.cardsOnFile }),
});

export const cardNotLastOfLiveLine = rule<
  ResourceFacts & { otherCards: number; liveLines: number; isCharged: boolean }
>({
  code: 'card.not_last_of_live_line',
  sentence: 'The last card of a customer with a live line cannot be removed: add another one first.',
  status: 409,
  kept: (facts) => !facts.isCharged || facts.otherCards > 0 || facts.liveLines === 0,
  shown: (facts) => ({ otherCards: facts.otherCards, liveLines: facts.liveLines }),
});
