/**
 * The door to whoever moves the money. Amounts are integers of minor units beside an ISO-4217 code. Card numbers never
 * pass here: a card is the token that the gateway issued for it.
 *
 * Rules that every gateway behind this door keeps, proven by `card-gateway.contract.ts`:
 * - A key names one attempt, of any kind. The same key with the same request gets the answer that was stored the first
 *   time and has no second effect; with another request it throws `RequestRefused` (`key_reused`).
 * - An answer is given only after the gateway has made it durable.
 * - When no answer is known the call throws `OutcomeUnknown`; ask `find`.
 * - A new attempt at the same business fact (an authorisation made again after the first expired) takes a new key.
 */
export interface CardGateway {
  readonly kind: 'sandbox' | 'stripe';

  /** Facts about a card token; `undefined` when the gateway never issued it. */
  describeCard(token: string): Promise<CardFacts | undefined>;
  /**
   * Begins to take a card in a browser, by the gateway's own element; its number never comes here. What it is given may
   * be charged again later, when the customer is not there. Absent where a card is only a token.
   */
  beginCard?(): Promise<{ clientSecret: string }>;

  /** Holds an amount on a card. `reference` is our own name for what is bought, shown in the gateway's book. */
  authorise(request: AuthoriseRequest): Promise<Authorisation>;

  /** Takes an authorised amount, once; less than was authorised releases the rest. */
  capture(request: CaptureRequest): Promise<Capture>;

  /** Lets an authorisation go. Also `voided` when nothing is held any more (expired, declined, voided before). */
  void(request: VoidRequest): Promise<Void>;

  /** Gives back captured money; several refunds of one capture may not exceed it. */
  refund(request: RefundRequest): Promise<Refund>;

  /**
   * What became of the attempt with this key, as it stands now: an authorisation that needed the customer is found
   * `authorised` or `declined` once the customer has acted, also when repeating the request still says otherwise.
   * Name the payment's `gatewayReference` wherever it is known: a gateway may find a key faster, and at once after the
   * attempt, in that payment than in all its books. A chargeback is found by the gateway's own key.
   */
  find(key: string, gatewayReference?: string): Promise<GatewayOperation | undefined>;

  /** What the gateway knows of one payment, oldest first; nothing for a payment that it does not know. */
  operations(gatewayReference: string): Promise<GatewayOperation[]>;

  /**
   * The gateway's own book, oldest first, after the operation with that cursor. An operation whose answer changed (the
   * customer completed a 3-D Secure step) appears again under a later cursor, and a chargeback appears without having
   * been asked for: a reader that keeps its cursor misses neither.
   */
  book(after?: string): AsyncIterable<GatewayOperation>;
}

export interface CardFacts {
  token: string;
  brand: CardBrand;
  lastFour: string;
  expiryYear: number;
  /** 1 to 12; the card is good until the end of that month. */
  expiryMonth: number;
}

export const cardBrands = ['visa', 'mastercard', 'amex', 'discover', 'diners', 'jcb', 'unionpay', 'other'] as const;
export type CardBrand = (typeof cardBrands)[number];

export interface AuthoriseRequest {
  key: string;
  token: string;
  amountMinor: number;
  currency: string;
  reference: string;
}

export interface CaptureRequest {
  key: string;
  gatewayReference: string;
  amountMinor: number;
  currency: string;
}

export interface VoidRequest {
  key: string;
  gatewayReference: string;
}

export type RefundRequest = CaptureRequest;

/** A code of the gateway's own, kept for people; decide on `outcome`, never on `code`. */
export interface GatewayReason {
  code: string;
  message: string;
}

export type Authorisation =
  | { outcome: 'authorised'; gatewayReference: string; expiresAt: Date }
  | ({ outcome: 'declined'; gatewayReference: string } & GatewayReason)
  | { outcome: 'requires_action'; gatewayReference: string; url: string };

export type Capture =
  | { outcome: 'captured'; gatewayReference: string }
  | ({ outcome: 'failed'; gatewayReference: string } & GatewayReason)
  /** The authorisation ran out before; nothing was taken. Authorise again, under a new key, then capture that. */
  | { outcome: 'expired'; gatewayReference: string };

export type Void =
  | { outcome: 'voided'; gatewayReference: string }
  | ({ outcome: 'failed'; gatewayReference: string } & GatewayReason);

export type Refund =
  | { outcome: 'refunded'; gatewayReference: string; refundReference: string }
  | ({ outcome: 'failed'; gatewayReference: string } & GatewayReason);

/**
 * Money that the card's bank took back. It stays in the book; `ended` tells how the dispute about it was decided, and
 * `won` means that the gateway has paid it back to the operator.
 */
export type Chargeback = {
  outcome: 'charged_back';
  gatewayReference: string;
  ended?: 'won' | 'lost' | undefined;
} & GatewayReason;

/**
 * The gateway says that something happened. It is a hint where to look and never taken at its word: what is so is asked
 * of the gateway.
 */
export interface GatewayNotice {
  /** The gateway's own id of the notice: the same notice may come twice, or late. */
  id: string;
  /** In the gateway's words: `charge.dispute.created`. */
  type: string;
  /** The payment it is about; none when it is about nothing of ours. */
  gatewayReference: string | undefined;
}

/** The door by which a gateway gives notice. */
export interface GatewayDoor {
  /**
   * Reads a notice from the bytes of its request.
   * @throws RequestRefused `unauthorised` when its signature is missing, wrong or too old; `invalid_request` when it is no notice
   */
  read(body: Uint8Array, headers: Readonly<Record<string, string | string[] | undefined>>): Promise<GatewayNotice>;
}

interface OperationFacts {
  /** Place in the book; pass it to `book` to read what came later. Opaque. */
  cursor: string;
  /** Ours; a chargeback's key is the gateway's. */
  key: string;
  gatewayReference: string;
  /** What was asked for; 0 for a void. Money moved only if the answer says so. */
  amountMinor: number;
  currency: string;
  at: Date;
}

export type GatewayOperation =
  | (OperationFacts & { kind: 'authorise'; reference: string; answer: Authorisation })
  | (OperationFacts & { kind: 'capture'; answer: Capture })
  | (OperationFacts & { kind: 'void'; answer: Void })
  | (OperationFacts & { kind: 'refund'; answer: Refund })
  | (OperationFacts & { kind: 'chargeback'; answer: Chargeback });
