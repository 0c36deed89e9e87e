import type { CardBrand, CardFacts } from '../../card-gateway.ts';

/** What the sandbox does with a card. `requires_action` and the time-outs are described in `testCards`. */
export type TestCardBehaviour =
  | 'succeeds'
  | 'insufficient_funds'
  | 'declines_above_30'
  | 'expired'
  | 'capture_fails'
  | 'authorisation_expires'
  | 'renewal_declines'
  | 'requires_action'
  | 'timeout_before'
  | 'timeout_after'
  | 'capture_timeout_after';

export interface TestCard {
  /** A token of its own, and the stem of others: `tok_visa_anything` is another card with the same behaviour. */
  token: string;
  /** A number that card schemes and gateways publish for testing; it belongs to no account. */
  number: string;
  brand: CardBrand;
  behaviour: TestCardBehaviour;
  /** One sentence for people. */
  summary: string;
}

/** Every card the sandbox knows. It refuses all other numbers, so that nobody types a real one into it. */
export const testCards: readonly TestCard[] = [
  {
    token: 'tok_visa',
    number: '4242424242424242',
    brand: 'visa',
    behaviour: 'succeeds',
    summary: 'Every charge succeeds.',
  },
  {
    token: 'tok_mastercard',
    number: '5555555555554444',
    brand: 'mastercard',
    behaviour: 'succeeds',
    summary: 'Every charge succeeds, on another brand.',
  },
  {
    token: 'tok_amex',
    number: '378282246310005',
    brand: 'amex',
    behaviour: 'succeeds',
    summary: 'Every charge succeeds, on a number of 15 digits with a code of four.',
  },
  {
    token: 'tok_declined',
    number: '4000000000009995',
    brand: 'visa',
    behaviour: 'insufficient_funds',
    summary: 'Every authorisation is declined for lack of funds.',
  },
  {
    token: 'tok_declined_above_30',
    number: '4000056655665556',
    brand: 'visa',
    behaviour: 'declines_above_30',
    summary: 'Authorisations of more than 30 units of the currency are declined for lack of funds; others succeed.',
  },
  {
    token: 'tok_expired',
    number: '4000000000000069',
    brand: 'visa',
    behaviour: 'expired',
    summary: 'The card is past its date, and every authorisation is declined for that.',
  },
  {
    token: 'tok_authorises_capture_fails',
    number: '4012888888881881',
    brand: 'visa',
    behaviour: 'capture_fails',
    summary: 'The authorisation succeeds and every capture of it fails.',
  },
  {
    token: 'tok_authorisation_expires',
    number: '4111111111111111',
    brand: 'visa',
    behaviour: 'authorisation_expires',
    summary: 'The first authorisation has expired when it is captured; the ones after it hold.',
  },
  {
    token: 'tok_renewal_declines',
    number: '4000000000000341',
    brand: 'visa',
    behaviour: 'renewal_declines',
    summary: 'Charges succeed until the first capture; later authorisations are declined.',
  },
  {
    token: 'tok_requires_action',
    number: '4000002760003184',
    brand: 'visa',
    behaviour: 'requires_action',
    summary: 'Every authorisation waits until the customer approves or refuses it (3-D Secure).',
  },
  {
    token: 'tok_timeout_before',
    number: '5105105105105100',
    brand: 'mastercard',
    behaviour: 'timeout_before',
    summary: 'The first try of each authorisation is lost before it has an effect; the next one succeeds.',
  },
  {
    token: 'tok_timeout_after',
    number: '2223003122003222',
    brand: 'mastercard',
    behaviour: 'timeout_after',
    summary: 'Each authorisation succeeds but its answer is lost; asking what became of it finds it.',
  },
  {
    token: 'tok_capture_timeout_after',
    number: '6011111111111117',
    brand: 'discover',
    behaviour: 'capture_timeout_after',
    summary: 'Each capture takes the money but its answer is lost; asking what became of it finds it.',
  },
];

const suffix = /^_[A-Za-z0-9_-]{1,64}$/;

/** The test card behind a token; the longest stem wins. */
export function testCardOf(token: string): TestCard | undefined {
  let found: TestCard | undefined;
  for (const card of testCards) {
    const fits = token === card.token || (token.startsWith(card.token) && suffix.test(token.slice(card.token.length)));
    if (fits && (found === undefined || card.token.length > found.token.length)) found = card;
  }
  return found;
}

export function testCardNumbered(number: string): TestCard | undefined {
  return testCards.find((card) => card.number === number);
}

/** Facts about a token that nobody tokenised with a date of its own. */
export function factsOf(card: TestCard, token: string): CardFacts {
  return {
    token,
    brand: card.brand,
    lastFour: card.number.slice(-4),
    expiryYear: card.behaviour === 'expired' ? 2020 : 2049,
    expiryMonth: card.behaviour === 'expired' ? 1 : 12,
  };
}

/** True from the first instant (UTC) after the card's last month. */
export function isExpired(card: { expiryYear: number; expiryMonth: number }, now: Date): boolean {
  return now.getTime() >= Date.UTC(card.expiryYear, card.expiryMonth, 1);
}
