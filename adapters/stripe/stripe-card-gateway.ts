import { createHash } from 'node:crypto';
import Stripe from 'stripe';
import type {
  Authorisation,
  Capture,
  CardBrand,
  CardFacts,
  CardGateway,
  Chargeback,
  GatewayDoor,
  GatewayOperation,
  GatewayReason,
  Refund,
  Void,
} from '../card-gateway.ts';
import { cardBrands } from '../card-gateway.ts';
import { authoriseRequest, captureRequest, voidRequest } from '../card-gateway-requests.ts';
import { checked } from '../checked.ts';
import { OutcomeUnknown, RequestRefused } from '../outcome.ts';

export interface StripeOptions {
  /** `sk_test_…` or `sk_live_…`, or a restricted key that may write payments and refunds and read disputes. */
  secretKey: string;
  /** `whsec_…` of the webhook endpoint. Without it every notice is refused. */
  webhookSecret?: string | undefined;
  /** Another place than Stripe's own, for a double of it: `http://127.0.0.1:12111`. */
  url?: string | undefined;
  /** Where a customer comes back to after a 3-D Secure request. */
  returnUrl: string;
  /** Machine time. */
  now: () => Date;
  /** How long one try of a call waits for its answer; 20 seconds unless told. */
  timeoutMs?: number;
  /** Tries after the first that the SDK makes by itself, under the same key; 2 unless told. */
  retriesMax?: number;
}

export interface StripeCardGateway extends CardGateway {
  readonly kind: 'stripe';
  readonly door: GatewayDoor;
}

/**
 * Stripe behind the door of the house, by PaymentIntents with manual capture. A payment is a PaymentIntent; our keys are
 * Stripe's idempotency keys, and because Stripe forgets those after a day each is also written into the metadata of
 * what it made, so that an attempt of last month is found and never made again:
 *
 * - `airtime_key` and `airtime_reference` on the PaymentIntent: the authorisation, and our payment's id;
 * - `airtime_capture_key`, `airtime_void_key` on the PaymentIntent, `airtime_key` on each refund.
 *
 * An attempt that Stripe refused leaves no trace there. Under its key it is answered the same for a day, and judged
 * again by the state of the payment later.
 */
export function openStripeCardGateway(options: StripeOptions): StripeCardGateway {
  const { now, returnUrl, timeoutMs = 20_000, retriesMax = 2 } = options;
  const stripe = new Stripe(options.secretKey, {
    timeout: timeoutMs,
    maxNetworkRetries: retriesMax,
    telemetry: false,
    ...placeOf(options.url),
  });

  async function retrieveIntent(id: string): Promise<Stripe.PaymentIntent | undefined> {
    if (!isIntentId(id)) return undefined;
    return orMissing(() => stripe.paymentIntents.retrieve(id, { expand: expandIntent }));
  }

  async function retrieveCard(token: string): Promise<Stripe.PaymentMethod | undefined> {
    if (!/^\w{1,255}$/.test(token)) return undefined;
    const method = await orMissing(() => stripe.paymentMethods.retrieve(token));
    return method?.card === undefined ? undefined : method;
  }

  async function refundsOf(intentId: string): Promise<Stripe.Refund[]> {
    return collect(stripe.refunds.list({ payment_intent: intentId, limit: pageSize }));
  }

  // ---- the four moves ----

  async function authorise(request: Parameters<CardGateway['authorise']>[0]): Promise<Authorisation> {
    const { key, token, amountMinor, currency, reference } = request;
    const method = await retrieveCard(token);
    if (method === undefined) return { outcome: 'declined', gatewayReference: '', ...reasons.unknownCard };
    const customer = idOf(method.customer);
    const made = await intentOr(() =>
      stripe.paymentIntents.create(
        {
          amount: amountMinor,
          currency: currency.toLowerCase(),
          payment_method: token,
          ...(customer === undefined ? {} : { customer }),
          allowed_payment_method_types: ['card'],
          capture_method: 'manual',
          confirm: true,
          off_session: true,
          metadata: { [names.key]: key, [names.reference]: reference },
          expand: ['latest_charge'],
        },
        { idempotencyKey: key },
      ),
    );
    if (made === undefined) return { outcome: 'declined', gatewayReference: '', ...reasons.unknownCard };
    if (made.last_payment_error?.code !== 'authentication_required') return authorisationOf(made);
    // The bank wants the customer: the same payment is confirmed again as one at which the customer is present.
    const confirmed = await intentOr(() =>
      stripe.paymentIntents.confirm(
        made.id,
        { payment_method: token, return_url: returnUrl, off_session: false, expand: ['latest_charge'] },
        { idempotencyKey: derivedKey(key, 'customer') },
      ),
    );
    return authorisationOf(confirmed ?? made);
  }

  async function capture(request: Parameters<CardGateway['capture']>[0]): Promise<Capture> {
    const { key, gatewayReference, amountMinor, currency } = request;
    const failed = (reason: GatewayReason): Capture => ({ outcome: 'failed', gatewayReference, ...reason });
    const intent = await retrieveIntent(gatewayReference);
    if (intent === undefined) return failed(reasons.unknownReference);
    refuseReused(intent, key, 'capture');
    const isSame = amountMinor === intent.amount_received && currency === intent.currency.toUpperCase();
    if (intent.status === 'succeeded') {
      if (intent.metadata[names.capture] !== key) return failed(reasons.alreadyCaptured);
      if (!isSame) throw keyReused(key);
      return { outcome: 'captured', gatewayReference };
    }
    if (intent.status === 'canceled')
      return ranOut(intent) ? { outcome: 'expired', gatewayReference } : failed(reasons.nothingHeld);
    if (intent.status !== 'requires_capture') return failed(reasons.nothingHeld);
    if (currency !== intent.currency.toUpperCase()) return failed(reasons.otherCurrency);
    if (amountMinor > intent.amount_capturable) return failed(reasons.exceedsAuthorised);
    try {
      await stripe.paymentIntents.capture(
        gatewayReference,
        { amount_to_capture: amountMinor, metadata: { [names.capture]: key } },
        { idempotencyKey: key },
      );
      return { outcome: 'captured', gatewayReference };
    } catch (error) {
      const reason = reasonOf(error);
      if (reason === undefined) throw error;
      if (reason.code === 'charge_expired_for_capture') return { outcome: 'expired', gatewayReference };
      // Another call may have come between: what the payment now is decides.
      const after = await retrieveIntent(gatewayReference);
      if (after?.status === 'succeeded' && after.metadata[names.capture] === key)
        return { outcome: 'captured', gatewayReference };
      if (after?.status === 'canceled' && ranOut(after)) return { outcome: 'expired', gatewayReference };
      return failed(after?.status === 'succeeded' ? reasons.alreadyCaptured : reason);
    }
  }

  async function letGo(request: Parameters<CardGateway['void']>[0]): Promise<Void> {
    const { key, gatewayReference } = request;
    const failed = (reason: GatewayReason): Void => ({ outcome: 'failed', gatewayReference, ...reason });
    const intent = await retrieveIntent(gatewayReference);
    if (intent === undefined) return failed(reasons.unknownReference);
    refuseReused(intent, key, 'void');
    if (intent.status === 'succeeded') return failed(reasons.alreadyCaptured);
    if (intent.status === 'canceled') return { outcome: 'voided', gatewayReference };
    try {
      // A cancellation takes no metadata, so the attempt is written down before it is made.
      await stripe.paymentIntents.update(gatewayReference, { metadata: { [names.void]: key } });
      await stripe.paymentIntents.cancel(
        gatewayReference,
        { cancellation_reason: 'abandoned' },
        { idempotencyKey: key },
      );
      return { outcome: 'voided', gatewayReference };
    } catch (error) {
      const reason = reasonOf(error);
      if (reason === undefined) throw error;
      const after = await retrieveIntent(gatewayReference);
      if (after?.status === 'canceled') return { outcome: 'voided', gatewayReference };
      return failed(after?.status === 'succeeded' ? reasons.alreadyCaptured : reason);
    }
  }

  async function refund(request: Parameters<CardGateway['refund']>[0]): Promise<Refund> {
    const { key, gatewayReference, amountMinor, currency } = request;
    const failed = (reason: GatewayReason): Refund => ({ outcome: 'failed', gatewayReference, ...reason });
    const intent = await retrieveIntent(gatewayReference);
    if (intent === undefined) return failed(reasons.unknownReference);
    refuseReused(intent, key, 'refund');
    if (intent.status !== 'succeeded') return failed(reasons.notCaptured);
    const given = await refundsOf(gatewayReference);
    const before = given.find((one) => one.metadata?.[names.key] === key);
    if (before !== undefined) {
      if (before.amount !== amountMinor || before.currency.toUpperCase() !== currency) throw keyReused(key);
      return refundAnswer(before, gatewayReference);
    }
    if (currency !== intent.currency.toUpperCase()) return failed(reasons.otherCurrency);
    const left = given.filter(isGiven).reduce((sum, one) => sum - one.amount, intent.amount_received);
    if (amountMinor > left) return failed(reasons.exceedsCaptured);
    try {
      const made = await stripe.refunds.create(
        { payment_intent: gatewayReference, amount: amountMinor, metadata: { [names.key]: key } },
        { idempotencyKey: key },
      );
      return refundAnswer(made, gatewayReference);
    } catch (error) {
      const reason = reasonOf(error);
      if (reason === undefined) throw error;
      return failed(reason);
    }
  }

  // ---- what is so ----

  async function operationsOf(intent: Stripe.PaymentIntent): Promise<DatedOperation[]> {
    const refunds = await refundsOf(intent.id);
    const disputes = await collect(stripe.disputes.list({ payment_intent: intent.id, limit: pageSize }));
    return [
      ...operationsOfIntent(intent, await refusedAt([intent])),
      ...refunds.map((one) => operationOfRefund(one, intent.id)),
      ...disputes.flatMap((one) => operationOfDispute(one, intent.id)),
    ];
  }

  async function operations(gatewayReference: string): Promise<GatewayOperation[]> {
    const intent = await retrieveIntent(gatewayReference);
    return intent === undefined ? [] : withCursors(await operationsOf(intent), undefined);
  }

  async function find(key: string, gatewayReference?: string): Promise<GatewayOperation | undefined> {
    if (/^(dp|du)_\w+$/.test(key)) {
      const dispute = await orMissing(() => stripe.disputes.retrieve(key));
      return dispute && named(key, await operations(idOf(dispute.payment_intent) ?? ''));
    }
    if (gatewayReference !== undefined && gatewayReference !== '')
      return named(key, await operations(gatewayReference));
    for (const intentId of await intentsNaming(key)) {
      const found = named(key, await operations(intentId));
      if (found) return found;
    }
    return undefined;
  }

  /** Search lags behind by a minute or so, and knows no refunds: what is younger than an hour is looked through. */
  async function intentsNaming(key: string): Promise<string[]> {
    const quoted = `'${key.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
    const query = [names.key, names.capture, names.void].map((name) => `metadata['${name}']:${quoted}`).join(' OR ');
    const searched = await stripe.paymentIntents.search({ query, limit: 10 });
    const since = { gte: seconds(now()) - recentSeconds };
    const found = searched.data.filter((one) => keysOf(one).includes(key)).map((one) => one.id);
    if (found.length > 0) return found;
    for await (const intent of stripe.paymentIntents.list({ created: since, limit: pageSize })) {
      if (keysOf(intent).includes(key)) return [intent.id];
    }
    for await (const one of stripe.refunds.list({ created: since, limit: pageSize })) {
      if (one.metadata?.[names.key] === key) return [idOf(one.payment_intent) ?? ''];
    }
    return [];
  }

  /**
   * When customers refused: a payment that failed at its bank's page has no charge and no date of its own. Events do,
   * for thirty days; after that the day of the attempt must do.
   */
  async function refusedAt(intents: readonly Stripe.PaymentIntent[]): Promise<ReadonlyMap<string, number>> {
    const dates = new Map<string, number>();
    const undated = new Set(
      intents.filter((one) => one.last_payment_error && chargeOf(one) === undefined).map((one) => one.id),
    );
    if (undated.size === 0) return dates;
    const oldest = Math.min(...intents.map((one) => one.created));
    const failures = stripe.events.list({
      type: 'payment_intent.payment_failed',
      created: { gte: Math.max(oldest, seconds(now()) - eventsKeptSeconds) },
      limit: pageSize,
    });
    for await (const event of failures) {
      const { object } = event.data;
      const id = 'id' in object && typeof object.id === 'string' ? object.id : '';
      // Newest first: the last failure is the one that stands.
      if (undated.has(id) && !dates.has(id)) dates.set(id, event.created);
    }
    return dates;
  }

  /**
   * Stripe keeps no book with cursors. This one is made from its lists, which go by the second: a cursor names a second
   * and what of it was read already, so that a reader misses nothing that happened later in the same second.
   */
  async function* book(after?: string): AsyncIterable<GatewayOperation> {
    const cursor = after === undefined ? undefined : parseCursor(after);
    // A refund or dispute has a date of its own; what else becomes of a payment does so within a month of its making.
    const created = cursor === undefined ? {} : { created: { gte: cursor.second - monthSeconds } };
    const later = cursor === undefined ? {} : { created: { gte: cursor.second } };
    const intents = (
      await collect(
        stripe.paymentIntents.list({ ...created, limit: pageSize, expand: expandIntent.map((one) => `data.${one}`) }),
      )
    ).filter((one) => one.metadata[names.key] !== undefined);
    const dates = await refusedAt(intents);
    const found = intents.reverse().flatMap((one) => operationsOfIntent(one, dates));
    const expand = ['data.payment_intent'];
    for await (const one of stripe.refunds.list({ ...later, limit: pageSize, expand })) {
      if (isOurs(one.payment_intent)) found.push(operationOfRefund(one, idOf(one.payment_intent) ?? ''));
    }
    for await (const one of stripe.disputes.list({ ...later, limit: pageSize, expand })) {
      if (isOurs(one.payment_intent)) found.push(...operationOfDispute(one, idOf(one.payment_intent) ?? ''));
    }
    yield* withCursors(found, cursor);
  }

  const asked = <T>(key: string | undefined, call: () => Promise<T>): Promise<T> =>
    call().catch((error: unknown) => {
      throw explained(error, key);
    });

  return {
    kind: 'stripe',
    beginCard: () =>
      asked(undefined, async () => {
        // A card that is to be charged again must belong to a Customer there, and be set up for it.
        const customer = await stripe.customers.create({});
        const { client_secret: clientSecret } = await stripe.setupIntents.create({
          customer: customer.id,
          usage: 'off_session',
          allowed_payment_method_types: ['card'],
        });
        if (clientSecret === null) throw new Error('a card that was begun has no secret to go on with');
        return { clientSecret };
      }),
    describeCard: (token) =>
      asked(undefined, async () => {
        const method = await retrieveCard(token);
        return method && factsOf(method, token);
      }),
    authorise: (request) => asked(request.key, async () => authorise(checked(authoriseRequest, request))),
    capture: (request) => asked(request.key, async () => capture(checked(captureRequest, request))),
    void: (request) => asked(request.key, async () => letGo(checked(voidRequest, request))),
    refund: (request) => asked(request.key, async () => refund(checked(captureRequest, request))),
    find: (key, gatewayReference) => asked(key, () => find(key, gatewayReference)),
    operations: (gatewayReference) => asked(undefined, () => operations(gatewayReference)),
    async *book(after) {
      try {
        yield* book(after);
      } catch (error) {
        throw explained(error, undefined);
      }
    },
    door: stripeDoor(stripe, options),
  };
}

// ---- notices ----

/** Seconds that a signature stays good: what is older was kept back and sent again by somebody. */
const toleranceSeconds = 300;

function stripeDoor(stripe: Stripe, { webhookSecret, now }: StripeOptions): GatewayDoor {
  return {
    async read(body, headers) {
      const signature = headers['stripe-signature'];
      if (webhookSecret === undefined || typeof signature !== 'string') {
        throw new RequestRefused('unauthorised', 'The notice carries no signature that can be checked here.');
      }
      let event: Stripe.Event;
      try {
        event = await stripe.webhooks.constructEventAsync(
          Buffer.from(body),
          signature,
          webhookSecret,
          toleranceSeconds,
          undefined,
          now().getTime(),
        );
      } catch (error) {
        // The SDK's own message quotes the body.
        const isSignature = error instanceof Stripe.errors.StripeSignatureVerificationError;
        throw isSignature
          ? new RequestRefused('unauthorised', 'The signature of the notice is wrong or too old.')
          : new RequestRefused('invalid_request', 'The notice is not an event of Stripe.');
      }
      return { id: event.id, type: event.type, gatewayReference: paymentOf(event.data.object) };
    },
  };
}

/** The PaymentIntent that an event is about: the object itself, or what a charge, refund or dispute names. */
function paymentOf(object: object): string | undefined {
  if ('object' in object && object.object === 'payment_intent' && 'id' in object) return textOf(object.id);
  if (!('payment_intent' in object)) return undefined;
  const named = object.payment_intent;
  return typeof named === 'object' && named !== null && 'id' in named ? textOf(named.id) : textOf(named);
}

const textOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);

// ---- Stripe's objects as operations of ours ----

const names = {
  key: 'airtime_key',
  reference: 'airtime_reference',
  capture: 'airtime_capture_key',
  void: 'airtime_void_key',
} as const;
const expandIntent = ['latest_charge.balance_transaction'];
const pageSize = 100;
const recentSeconds = 3600;
const monthSeconds = 31 * 24 * 3600;
const eventsKeptSeconds = 30 * 24 * 3600;
/** How long a card's authorisation holds where the charge does not say: Stripe's own rule for cards. */
const heldSeconds = 7 * 24 * 3600;

const seconds = (at: Date): number => Math.floor(at.getTime() / 1000);
const dateOf = (second: number): Date => new Date(second * 1000);
const idOf = (value: string | { id: string } | null | undefined): string | undefined =>
  typeof value === 'string' ? value : value?.id;
const isIntentId = (id: string): boolean => /^pi_\w{1,250}$/.test(id);
const keysOf = (intent: Stripe.PaymentIntent): string[] =>
  [names.key, names.capture, names.void].flatMap((name) => intent.metadata[name] ?? []);
const isOurs = (intent: string | Stripe.PaymentIntent | null): boolean =>
  typeof intent === 'object' && intent?.metadata[names.key] !== undefined;
const isGiven = (refund: Stripe.Refund): boolean => refund.status !== 'failed' && refund.status !== 'canceled';

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;
/** An operation without its place in the book, and what makes it itself. */
type DatedOperation = DistributiveOmit<GatewayOperation, 'cursor'> & { mark: string };

function chargeOf(intent: Stripe.PaymentIntent): Stripe.Charge | undefined {
  return typeof intent.latest_charge === 'object' ? (intent.latest_charge ?? undefined) : undefined;
}

/** Stripe let the hold go by itself; what we let go carries our key. */
function ranOut(intent: Stripe.PaymentIntent): boolean {
  return (
    intent.metadata[names.void] === undefined &&
    (intent.cancellation_reason === 'automatic' || intent.cancellation_reason === 'expired')
  );
}

function authorisationOf(intent: Stripe.PaymentIntent): Authorisation {
  const gatewayReference = intent.id;
  const charge = chargeOf(intent);
  const declined = (reason: GatewayReason): Authorisation => ({ outcome: 'declined', gatewayReference, ...reason });
  if (intent.status === 'requires_action') {
    const url = intent.next_action?.redirect_to_url?.url;
    return typeof url === 'string' ? { outcome: 'requires_action', gatewayReference, url } : declined(reasons.noPage);
  }
  const wasHeld = charge?.status === 'succeeded' || charge?.status === 'pending';
  if (
    intent.status === 'requires_capture' ||
    intent.status === 'succeeded' ||
    (intent.status === 'canceled' && wasHeld)
  ) {
    const until =
      charge?.payment_method_details?.card?.capture_before ?? (charge?.created ?? intent.created) + heldSeconds;
    return { outcome: 'authorised', gatewayReference, expiresAt: dateOf(until) };
  }
  if (intent.status === 'processing')
    throw new OutcomeUnknown('The bank has not answered yet.', intent.metadata[names.key]);
  const error = intent.last_payment_error;
  if (!error) return declined(reasons.notConfirmed);
  return declined({
    code: error.decline_code ?? error.code ?? 'card_declined',
    message: error.message ?? reasons.declined.message,
  });
}

function operationsOfIntent(intent: Stripe.PaymentIntent, refused: ReadonlyMap<string, number>): DatedOperation[] {
  const key = intent.metadata[names.key];
  // Nothing of ours, or the bank has not answered yet.
  if (key === undefined || intent.status === 'processing') return [];
  const charge = chargeOf(intent);
  const answer = authorisationOf(intent);
  const settledAt = charge?.created ?? refused.get(intent.id) ?? intent.created;
  const common = { gatewayReference: intent.id, currency: intent.currency.toUpperCase() };
  const found: DatedOperation[] = [
    {
      ...common,
      kind: 'authorise',
      key,
      amountMinor: intent.amount,
      reference: intent.metadata[names.reference] ?? '',
      at: dateOf(answer.outcome === 'requires_action' ? intent.created : settledAt),
      answer,
      mark: `${intent.id} ${answer.outcome}`,
    },
  ];
  if (intent.status === 'succeeded') {
    const moved = charge?.balance_transaction;
    const at = typeof moved === 'object' && moved !== null ? moved.created : settledAt;
    found.push({
      ...common,
      kind: 'capture',
      key: intent.metadata[names.capture] ?? intent.id,
      amountMinor: intent.amount_received,
      at: dateOf(at),
      answer: { outcome: 'captured', gatewayReference: intent.id },
      mark: `${intent.id} captured`,
    });
  }
  const voidKey = intent.metadata[names.void];
  if (intent.status === 'canceled' && voidKey !== undefined) {
    found.push({
      ...common,
      kind: 'void',
      key: voidKey,
      amountMinor: 0,
      at: dateOf(intent.canceled_at ?? settledAt),
      answer: { outcome: 'voided', gatewayReference: intent.id },
      mark: `${intent.id} voided`,
    });
  }
  return found;
}

function refundAnswer(refund: Stripe.Refund, gatewayReference: string): Refund {
  if (isGiven(refund)) return { outcome: 'refunded', gatewayReference, refundReference: refund.id };
  return {
    outcome: 'failed',
    gatewayReference,
    code: refund.failure_reason ?? 'refund_failed',
    message: reasons.refundFailed.message,
  };
}

/** A refund that was not asked for by us (someone at Stripe's own pages gave it) goes by Stripe's id. */
function operationOfRefund(refund: Stripe.Refund, gatewayReference: string): DatedOperation {
  const answer = refundAnswer(refund, gatewayReference);
  return {
    kind: 'refund',
    key: refund.metadata?.[names.key] ?? refund.id,
    gatewayReference,
    amountMinor: refund.amount,
    currency: refund.currency.toUpperCase(),
    at: dateOf(refund.created),
    answer,
    mark: `${refund.id} ${answer.outcome}`,
  };
}

/** An inquiry takes no money, nor does a dispute that was prevented. */
function operationOfDispute(dispute: Stripe.Dispute, gatewayReference: string): DatedOperation[] {
  if (dispute.status.startsWith('warning') || dispute.status === 'prevented') return [];
  const ended: Pick<Chargeback, 'ended'> =
    dispute.status === 'won' ? { ended: 'won' } : dispute.status === 'lost' ? { ended: 'lost' } : {};
  const answer: Chargeback = {
    outcome: 'charged_back',
    gatewayReference,
    code: dispute.reason,
    message: reasons.disputed.message,
    ...ended,
  };
  return [
    {
      kind: 'chargeback',
      key: dispute.id,
      gatewayReference,
      amountMinor: dispute.amount,
      currency: dispute.currency.toUpperCase(),
      at: dateOf(dispute.created),
      answer,
      mark: dispute.id,
    },
  ];
}

const isCardBrand = (brand: string): brand is CardBrand => cardBrands.some((one) => one === brand);

function factsOf(method: Stripe.PaymentMethod, token: string): CardFacts | undefined {
  const { card } = method;
  if (card === undefined) return undefined;
  return {
    token,
    brand: isCardBrand(card.brand) ? card.brand : 'other',
    lastFour: card.last4,
    expiryYear: card.exp_year,
    expiryMonth: card.exp_month,
  };
}

// ---- places in the book ----

interface Cursor {
  second: number;
  /** Digests of what was read of that second. */
  read: ReadonlySet<string>;
}

const digest = (mark: string): string => createHash('sha256').update(mark).digest('hex').slice(0, 12);

function parseCursor(text: string): Cursor {
  const [second, ...read] = text.split('.');
  if (!/^\d{1,12}(\.[0-9a-f]{12})+$/.test(text)) {
    throw new RequestRefused('invalid_request', 'The cursor does not belong to this book.');
  }
  return { second: Number(second), read: new Set(read) };
}

function withCursors(found: readonly DatedOperation[], after: Cursor | undefined): GatewayOperation[] {
  const isLater = (one: DatedOperation) => {
    if (after === undefined) return true;
    const second = seconds(one.at);
    return second > after.second || (second === after.second && !after.read.has(digest(one.mark)));
  };
  // The sort keeps the order of what it finds equal: what became of a payment in one second stays as it happened.
  const sorted = found.filter(isLater).sort((a, b) => a.at.getTime() - b.at.getTime());
  let second = after?.second ?? 0;
  let read = [...(after?.read ?? [])];
  return sorted.map(({ mark, ...operation }) => {
    if (seconds(operation.at) !== second) read = [];
    second = seconds(operation.at);
    read.push(digest(mark));
    return { ...operation, cursor: `${second}.${read.join('.')}` };
  });
}

function named(key: string, found: readonly GatewayOperation[]): GatewayOperation | undefined {
  return found.findLast((one) => one.key === key);
}

// ---- what goes wrong ----

const keyReused = (key: string): RequestRefused =>
  new RequestRefused('key_reused', `The key ${key} belongs to a different request.`);

/** A key that already names another kind of move of the same payment. */
function refuseReused(intent: Stripe.PaymentIntent, key: string, kind: 'capture' | 'void' | 'refund'): void {
  const own = kind === 'refund' ? undefined : names[kind];
  const isOther = [names.key, names.capture, names.void].some((name) => name !== own && intent.metadata[name] === key);
  if (isOther) throw keyReused(key);
}

/** A second key for the second half of one attempt, within the length that Stripe allows. */
function derivedKey(key: string, part: string): string {
  const whole = `${key}:${part}`;
  return whole.length <= 255 ? whole : `${part}:${createHash('sha256').update(key).digest('hex')}`;
}

async function collect<T>(list: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const one of list) all.push(one);
  return all;
}

async function orMissing<T>(call: () => Promise<T>): Promise<T | undefined> {
  try {
    return await call();
  } catch (error) {
    if (error instanceof Stripe.errors.StripeInvalidRequestError && error.code === 'resource_missing') return undefined;
    throw error;
  }
}

/** The payment that a call made or, when the card was declined, the payment that stands for the decline. */
async function intentOr(call: () => Promise<Stripe.PaymentIntent>): Promise<Stripe.PaymentIntent | undefined> {
  try {
    return await call();
  } catch (error) {
    if (error instanceof Stripe.errors.StripeCardError && error.payment_intent) return error.payment_intent;
    if (
      error instanceof Stripe.errors.StripeInvalidRequestError &&
      error.code === 'resource_missing' &&
      error.param === 'payment_method'
    )
      return undefined;
    throw error;
  }
}

/** Why Stripe refused a move of a payment it knows; undefined when this is no such refusal. */
function reasonOf(error: unknown): GatewayReason | undefined {
  const isRefusal =
    error instanceof Stripe.errors.StripeInvalidRequestError || error instanceof Stripe.errors.StripeCardError;
  return isRefusal ? { code: error.code ?? 'refused', message: error.message } : undefined;
}

/** Only what Stripe surely did not do is a refusal; anything else that is no answer leaves the outcome unknown. */
function explained(error: unknown, key: string | undefined): unknown {
  if (error instanceof RequestRefused || error instanceof OutcomeUnknown) return error;
  if (error instanceof Stripe.errors.StripeIdempotencyError) {
    return error.code === 'idempotency_key_in_use'
      ? new OutcomeUnknown('Another call with the same key is under way at Stripe.', key, error)
      : keyReused(key ?? '');
  }
  // Stripe's sentence about a wrong key quotes part of that key.
  if (
    error instanceof Stripe.errors.StripeAuthenticationError ||
    error instanceof Stripe.errors.StripePermissionError
  ) {
    return new RequestRefused('unauthorised', 'Stripe does not accept our secret key for this call.');
  }
  if (error instanceof Stripe.errors.StripeInvalidRequestError)
    return new RequestRefused('invalid_request', error.message);
  return new OutcomeUnknown('Stripe gave no usable answer.', key, error);
}

function placeOf(url: string | undefined): { protocol?: 'http' | 'https'; host?: string; port?: string } {
  if (url === undefined) return {};
  const { protocol, hostname, port } = new URL(url);
  const isPlain = protocol === 'http:';
  return { protocol: isPlain ? 'http' : 'https', host: hostname, port: port || (isPlain ? '80' : '443') };
}

const reasons = {
  unknownCard: { code: 'unknown_card', message: 'The gateway does not know this card.' },
  declined: { code: 'card_declined', message: 'The card was declined.' },
  noPage: { code: 'authentication_unavailable', message: 'The bank asks for the customer but names no page for it.' },
  notConfirmed: { code: 'not_confirmed', message: 'The payment was not confirmed.' },
  unknownReference: { code: 'unknown_reference', message: 'The gateway does not know this payment.' },
  alreadyCaptured: { code: 'already_captured', message: 'The amount was captured before.' },
  nothingHeld: { code: 'nothing_held', message: 'No amount is held for this payment.' },
  notCaptured: { code: 'not_captured', message: 'Nothing was captured that could be refunded.' },
  otherCurrency: { code: 'other_currency', message: 'The payment is in another currency.' },
  exceedsAuthorised: { code: 'exceeds_authorised', message: 'More than the authorised amount was asked for.' },
  exceedsCaptured: { code: 'exceeds_captured', message: 'More was asked back than is left of the captured amount.' },
  refundFailed: { code: 'refund_failed', message: 'The bank did not take the refund.' },
  disputed: { code: 'disputed', message: 'The cardholder disputed the payment.' },
} satisfies Record<string, GatewayReason>;
