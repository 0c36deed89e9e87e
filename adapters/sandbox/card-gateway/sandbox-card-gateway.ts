import { join } from 'node:path';
import { setTimeout as realSleep } from 'node:timers/promises';
import type { z } from 'zod';
import { isCurrency, minorDigits } from '../../../kernel/money.ts';
import type {
  Authorisation,
  Capture,
  CardFacts,
  CardGateway,
  Chargeback,
  GatewayOperation,
  GatewayReason,
  Refund,
  Void,
} from '../../card-gateway.ts';
import { authoriseRequest, captureRequest, voidRequest } from '../../card-gateway-requests.ts';
import { checked } from '../../checked.ts';
import { OutcomeUnknown, RequestRefused } from '../../outcome.ts';
import { type OpenJournal, openJournal } from '../journal.ts';
import { createPlans, type Planned } from '../plans.ts';
import { factsOf, isExpired, type TestCard, testCardNumbered, testCardOf } from './test-cards.ts';
import {
  type BookedOperation,
  type BookRecord,
  bookRecord,
  type cardForm,
  cardGatewayPlan,
  chargebackRequest,
  type gatewayCalls,
  type tokenised,
  type totals,
} from './wire.ts';

/** Which calls fail, and how. Filters that are absent match everything. */
export type CardGatewayPlan = z.input<typeof cardGatewayPlan>;
export type CardForm = z.input<typeof cardForm>;
export type Tokenised = z.output<typeof tokenised>;
export type GatewayTotals = z.output<typeof totals>;

/**
 * A gateway that moves no money and keeps its book as a real one would, plus what only a sandbox has: a tokeniser, a
 * customer who can be played, a bank that takes money back, and faults on request.
 */
export interface SandboxCardGateway extends CardGateway {
  readonly kind: 'sandbox';

  /** Turns a published test number into a token. Neither the number nor the code is kept. Refuses other numbers. */
  tokenise(form: CardForm): Promise<Tokenised>;

  /**
   * The customer answers a 3-D Secure request. A second answer changes nothing and gives what stands. Throws
   * `RequestRefused` when no authorisation of that name waits or waited for the customer.
   */
  completeAction(gatewayReference: string, decision: 'approve' | 'refuse'): Promise<Authorisation>;

  /** The bank takes captured money back, all that is left unless an amount (minor units) is named. `key` finds it. */
  chargeback(gatewayReference: string, amountMinor?: number): Promise<Chargeback & { key: string }>;

  /** The dispute about a chargeback is decided; it stays in the book, where its answer says how it ended. */
  closeChargeback(key: string, ended: 'won' | 'lost'): Promise<Chargeback>;

  /**
   * Plans a fault. `unavailable`: the call is lost before it has an effect. `lose_answer`: after. `stall`: it waits
   * `stallMs` first. These three concern the calls in `calls`, by default the four that move money. `decline_…`: the
   * call is answered with a decline.
   */
  plan(plan: CardGatewayPlan): Promise<Planned<CardGatewayPlan>>;
  plans(): Promise<Planned<CardGatewayPlan>[]>;
  clearPlans(): Promise<void>;

  /** The book summed up by currency, in minor units; charged back is not part of refunded. */
  totals(): Promise<GatewayTotals>;

  close(): Promise<void>;
}

export interface SandboxCardGatewayOptions {
  /** Where the book lives; made when missing. */
  directory: string;
  /** Machine time. */
  now: () => Date;
  /** Unique, unguessable, of letters, digits, `_` and `-`. */
  id: () => string;
  /** Page where a customer answers a 3-D Secure request; the payment is added as `?payment=`. */
  actionPage?: string;
  authorisationLifetimeMs?: number;
  /** Another sort of book than a file. */
  openBook?: OpenJournal;
  /** For planned stalls. */
  sleep?: (milliseconds: number) => Promise<unknown>;
}

type GatewayCall = (typeof gatewayCalls)[number];

interface Payment {
  key: string;
  token: string;
  reference: string;
  currency: string;
  authorisedMinor: number;
  capturedMinor: number;
  /** Given back by refunds and chargebacks together. */
  returnedMinor: number;
  state: 'authorised' | 'requires_action' | 'declined' | 'voided' | 'captured';
  expiresAtMs: number;
}

interface Subject {
  token?: string | undefined;
  reference?: string | undefined;
  gatewayReference?: string | undefined;
}

/** Whether an amount is more than so many units of its currency: 30.00 SGD, 30 JPY. */
function exceeds({ amountMinor, currency }: { amountMinor: number; currency: string }, units: number): boolean {
  return amountMinor > units * 10 ** (isCurrency(currency) ? minorDigits(currency) : 2);
}

const day = 24 * 60 * 60 * 1000;
const callsThatMoveMoney: readonly GatewayCall[] = ['authorise', 'capture', 'void', 'refund'];
/** ISO 4217 for "no currency": all there is to say about a payment the gateway does not know. */
const noCurrency = 'XXX';

/**
 * Opens the sandbox on its book, `card-gateway.jsonl` in the directory. Every decision is made on the indexes in memory
 * in one turn of the event loop and enters the book in the same turn, so two calls cannot both decide for one key;
 * each is answered once it is on disk.
 */
export async function openSandboxCardGateway(options: SandboxCardGatewayOptions): Promise<SandboxCardGateway> {
  const { now, id, sleep = realSleep, actionPage = 'about:blank', authorisationLifetimeMs = 7 * day } = options;

  const positions = new Map<string, number>();
  const positionsOfPayments = new Map<string, number[]>();
  const payments = new Map<string, Payment>();
  const cards = new Map<string, CardFacts>();
  const plans = createPlans<CardGatewayPlan>();
  const sums = new Map<string, GatewayTotals[number]>();
  /** Keys whose first try was lost before its effect, and tokens whose once-only behaviour has been spent. */
  const lostKeys = new Set<string>();
  const spentTokens = new Set<string>();

  const journal = await (options.openBook ?? openJournal)(
    join(options.directory, 'card-gateway.jsonl'),
    (record, position) => {
      apply(bookRecord.parse(record), position);
    },
  );

  function record(entry: BookRecord): Promise<void> {
    const { position, durable } = journal.append(entry);
    apply(entry, position);
    return durable;
  }

  function apply(entry: BookRecord, position: number): void {
    switch (entry.type) {
      case 'operation':
        positionsOfPayments.set(entry.operation.gatewayReference, [
          ...(positionsOfPayments.get(entry.operation.gatewayReference) ?? []),
          position,
        ]);
        applyOperation(entry.operation, entry.token);
        positions.set(entry.operation.key, position);
        return;
      case 'lost':
        lostKeys.add(entry.key);
        return;
      case 'card':
        cards.set(entry.card.token, entry.card);
        return;
      case 'plan':
        plans.add(entry.id, entry.plan);
        return;
      case 'plan_used':
        plans.use(entry.id);
        return;
      case 'plans_cleared':
        plans.clear();
    }
  }

  function applyOperation(operation: BookedOperation, token: string | undefined): void {
    if (operation.kind === 'authorise') {
      applyAuthorisation(operation, token ?? '');
      return;
    }
    const payment = payments.get(operation.gatewayReference);
    if (payment === undefined) return; // A failed attempt on a payment that never was.
    const behaviour = testCardOf(payment.token)?.behaviour;
    switch (operation.answer.outcome) {
      case 'captured':
        payment.state = 'captured';
        payment.capturedMinor = operation.amountMinor;
        if (behaviour === 'renewal_declines') spentTokens.add(payment.token);
        sumOf(payment.currency).capturedMinor += operation.amountMinor;
        return;
      case 'voided':
        payment.state = 'voided';
        return;
      case 'refunded':
        payment.returnedMinor += operation.amountMinor;
        sumOf(payment.currency).refundedMinor += operation.amountMinor;
        return;
      case 'charged_back':
        // The end of a dispute is a second entry about the same money.
        if (operation.answer.ended !== undefined) return;
        payment.returnedMinor += operation.amountMinor;
        sumOf(payment.currency).chargedBackMinor += operation.amountMinor;
    }
  }

  function applyAuthorisation(operation: BookedOperation & { kind: 'authorise' }, token: string): void {
    const { answer } = operation;
    lostKeys.delete(operation.key);
    payments.set(operation.gatewayReference, {
      key: operation.key,
      token,
      reference: operation.reference,
      currency: operation.currency,
      authorisedMinor: operation.amountMinor,
      capturedMinor: 0,
      returnedMinor: 0,
      state: answer.outcome,
      expiresAtMs: answer.outcome === 'authorised' ? answer.expiresAt.getTime() : 0,
    });
    const behaviour = testCardOf(token)?.behaviour;
    if (behaviour === 'authorisation_expires' && answer.outcome === 'authorised') spentTokens.add(token);
  }

  function sumOf(currency: string): GatewayTotals[number] {
    const sum = sums.get(currency) ?? { currency, capturedMinor: 0, refundedMinor: 0, chargedBackMinor: 0 };
    sums.set(currency, sum);
    return sum;
  }

  function describe(token: string): CardFacts | undefined {
    const card = testCardOf(token);
    return cards.get(token) ?? (card === undefined ? undefined : factsOf(card, token));
  }

  /** The planned fault of this mode for this call, used up by being asked for. */
  function takePlan(mode: CardGatewayPlan['mode'], call: GatewayCall, subject: Subject): CardGatewayPlan | undefined {
    const found = plans.match(
      (plan) =>
        plan.mode === mode &&
        (plan.calls ?? callsThatMoveMoney).includes(call) &&
        (plan.token === undefined || plan.token === subject.token) &&
        (plan.reference === undefined || plan.reference === subject.reference) &&
        (plan.gatewayReference === undefined || plan.gatewayReference === subject.gatewayReference),
    );
    if (found?.left !== undefined) void record({ type: 'plan_used', id: found.id });
    return found;
  }

  /** Runs a call under its planned faults. */
  async function underPlans<T>(
    call: GatewayCall,
    subject: Subject,
    key: string | undefined,
    run: () => Promise<T>,
  ): Promise<T> {
    if (takePlan('unavailable', call, subject) !== undefined) {
      throw new OutcomeUnknown('The card gateway cannot be reached.', key);
    }
    const stall = takePlan('stall', call, subject);
    if (stall !== undefined) await sleep(stall.stallMs ?? 0);
    const loses = takePlan('lose_answer', call, subject) !== undefined;
    const answer = await run();
    if (loses) throw answerLost(key);
    return answer;
  }

  /**
   * One attempt under one key: the stored answer if there is one, else a decision that enters the book.
   * `answerOf` gives the answer of a booked operation if that is the very request, else nothing.
   */
  async function attempt<Answer>(
    key: string,
    token: string | undefined,
    answerOf: (booked: BookedOperation, token: string | undefined) => Answer | undefined,
    decide: () => BookedOperation,
  ): Promise<{ answer: Answer; isNew: boolean }> {
    const position = positions.get(key);
    if (position === undefined) {
      const operation = decide();
      const durable = record({ type: 'operation', operation, ...(token === undefined ? {} : { token }) });
      const answer = answerOf(operation, token);
      if (answer === undefined) throw new Error('A decision must answer the request it was made for.');
      await durable;
      return { answer, isNew: true };
    }
    const stored = await operationAt(position);
    const answer = answerOf(stored.operation, stored.token);
    if (answer === undefined) {
      throw new RequestRefused('key_reused', `The key ${key} belongs to a different request.`);
    }
    return { answer, isNew: false };
  }

  async function operationAt(
    position: number,
  ): Promise<{ operation: BookedOperation; token: string | undefined; cursor: string }> {
    const { record: line, end } = await journal.read(position);
    const entry = bookRecord.parse(line);
    if (entry.type !== 'operation') throw new Error(`The book holds no operation at ${position}.`);
    return { operation: entry.operation, token: entry.token, cursor: String(end) };
  }

  function newPaymentReference(): string {
    const reference = `sbx_${id()}`;
    if (payments.has(reference)) throw new Error('The source of ids has repeated itself.');
    return reference;
  }

  function decideAuthorisation(
    request: z.output<typeof authoriseRequest>,
    card: TestCard | undefined,
    facts: CardFacts | undefined,
  ): Authorisation {
    const gatewayReference = newPaymentReference();
    const declined = (reason: GatewayReason): Authorisation => ({ outcome: 'declined', gatewayReference, ...reason });
    if (card === undefined || facts === undefined) return declined(reasons.unknownCard);
    const { behaviour } = card;
    if (behaviour === 'expired' || isExpired(facts, now())) return declined(reasons.expiredCard);
    if (behaviour === 'insufficient_funds') return declined(reasons.insufficientFunds);
    if (behaviour === 'declines_above_30' && exceeds(request, 30)) return declined(reasons.insufficientFunds);
    if (behaviour === 'renewal_declines' && spentTokens.has(request.token)) return declined(reasons.insufficientFunds);
    if (takePlan('decline_authorisation', 'authorise', request) !== undefined) return declined(reasons.planned);
    if (behaviour === 'requires_action') {
      const url = `${actionPage}?payment=${encodeURIComponent(gatewayReference)}`;
      return { outcome: 'requires_action', gatewayReference, url };
    }
    const expiresAtOnce = behaviour === 'authorisation_expires' && !spentTokens.has(request.token);
    const lifetimeMs = expiresAtOnce ? 0 : authorisationLifetimeMs;
    return { outcome: 'authorised', gatewayReference, expiresAt: new Date(now().getTime() + lifetimeMs) };
  }

  function decideCapture(request: z.output<typeof captureRequest>): Capture {
    const { gatewayReference } = request;
    const payment = payments.get(gatewayReference);
    const failed = (reason: GatewayReason): Capture => ({ outcome: 'failed', gatewayReference, ...reason });
    if (payment === undefined) return failed(reasons.unknownReference);
    if (payment.state === 'captured') return failed(reasons.alreadyCaptured);
    if (payment.state !== 'authorised') return failed(reasons.nothingHeld);
    if (request.currency !== payment.currency) return failed(reasons.otherCurrency);
    if (request.amountMinor > payment.authorisedMinor) return failed(reasons.exceedsAuthorised);
    if (payment.expiresAtMs <= now().getTime()) return { outcome: 'expired', gatewayReference };
    if (testCardOf(payment.token)?.behaviour === 'capture_fails') return failed(reasons.captureFails);
    const subject = { token: payment.token, reference: payment.reference, gatewayReference };
    if (takePlan('decline_capture', 'capture', subject) !== undefined) return failed(reasons.planned);
    return { outcome: 'captured', gatewayReference };
  }

  function decideVoid(gatewayReference: string): Void {
    const payment = payments.get(gatewayReference);
    if (payment === undefined) return { outcome: 'failed', gatewayReference, ...reasons.unknownReference };
    if (payment.state === 'captured') return { outcome: 'failed', gatewayReference, ...reasons.alreadyCaptured };
    return { outcome: 'voided', gatewayReference };
  }

  function decideRefund(request: z.output<typeof captureRequest>): Refund {
    const { gatewayReference } = request;
    const payment = payments.get(gatewayReference);
    const failed = (reason: GatewayReason): Refund => ({ outcome: 'failed', gatewayReference, ...reason });
    if (payment === undefined) return failed(reasons.unknownReference);
    if (payment.state !== 'captured') return failed(reasons.notCaptured);
    if (request.currency !== payment.currency) return failed(reasons.otherCurrency);
    if (request.amountMinor > payment.capturedMinor - payment.returnedMinor) return failed(reasons.exceedsCaptured);
    const subject = { token: payment.token, reference: payment.reference, gatewayReference };
    if (takePlan('decline_refund', 'refund', subject) !== undefined) return failed(reasons.planned);
    return { outcome: 'refunded', gatewayReference, refundReference: `sbr_${id()}` };
  }

  function subjectOf(gatewayReference: string): Subject {
    const payment = payments.get(gatewayReference);
    return { token: payment?.token, reference: payment?.reference, gatewayReference };
  }

  const gateway: SandboxCardGateway = {
    kind: 'sandbox',

    describeCard: (token) =>
      underPlans('describeCard', { token }, undefined, async () => {
        const facts = describe(token);
        await journal.settled();
        return facts;
      }),

    async authorise(input) {
      const request = checked(authoriseRequest, input);
      const { key, token, amountMinor, currency, reference } = request;
      return underPlans('authorise', { token, reference }, key, async () => {
        const card = testCardOf(token);
        if (card?.behaviour === 'timeout_before' && !positions.has(key) && !lostKeys.has(key)) {
          await record({ type: 'lost', key });
          throw new OutcomeUnknown('The card gateway cannot be reached.', key);
        }
        const { answer, isNew } = await attempt(
          key,
          token,
          (booked, bookedToken) =>
            booked.kind === 'authorise' &&
            bookedToken === token &&
            booked.amountMinor === amountMinor &&
            booked.currency === currency &&
            booked.reference === reference
              ? booked.answer
              : undefined,
          () => {
            const decided = decideAuthorisation(request, card, describe(token));
            const { gatewayReference } = decided;
            return {
              kind: 'authorise',
              key,
              gatewayReference,
              amountMinor,
              currency,
              reference,
              at: now(),
              answer: decided,
            };
          },
        );
        if (isNew && card?.behaviour === 'timeout_after') throw answerLost(key);
        return answer;
      });
    },

    async capture(input) {
      const request = checked(captureRequest, input);
      const { key, gatewayReference, amountMinor, currency } = request;
      return underPlans('capture', subjectOf(gatewayReference), key, async () => {
        const { answer, isNew } = await attempt(
          key,
          undefined,
          (booked) => (booked.kind === 'capture' && isSameMove(booked, request) ? booked.answer : undefined),
          () => ({
            kind: 'capture',
            key,
            gatewayReference,
            amountMinor,
            currency,
            at: now(),
            answer: decideCapture(request),
          }),
        );
        const behaviour = testCardOf(payments.get(gatewayReference)?.token ?? '')?.behaviour;
        if (isNew && behaviour === 'capture_timeout_after') throw answerLost(key);
        return answer;
      });
    },

    async void(input) {
      const { key, gatewayReference } = checked(voidRequest, input);
      return underPlans('void', subjectOf(gatewayReference), key, async () => {
        const { answer } = await attempt(
          key,
          undefined,
          (booked) =>
            booked.kind === 'void' && booked.gatewayReference === gatewayReference ? booked.answer : undefined,
          () => ({
            kind: 'void',
            key,
            gatewayReference,
            amountMinor: 0,
            currency: payments.get(gatewayReference)?.currency ?? noCurrency,
            at: now(),
            answer: decideVoid(gatewayReference),
          }),
        );
        return answer;
      });
    },

    async refund(input) {
      const request = checked(captureRequest, input);
      const { key, gatewayReference, amountMinor, currency } = request;
      return underPlans('refund', subjectOf(gatewayReference), key, async () => {
        const { answer } = await attempt(
          key,
          undefined,
          (booked) => (booked.kind === 'refund' && isSameMove(booked, request) ? booked.answer : undefined),
          () => ({
            kind: 'refund',
            key,
            gatewayReference,
            amountMinor,
            currency,
            at: now(),
            answer: decideRefund(request),
          }),
        );
        return answer;
      });
    },

    find: (key) =>
      underPlans('find', {}, key, async () => {
        const position = positions.get(key);
        if (position === undefined) return undefined;
        const { operation, cursor } = await operationAt(position);
        return { ...operation, cursor };
      }),

    operations: (gatewayReference) =>
      underPlans('find', subjectOf(gatewayReference), undefined, async () => {
        const known = await Promise.all((positionsOfPayments.get(gatewayReference) ?? []).map(operationAt));
        // What changed later stands for what it changed.
        const latest = new Map(known.map(({ operation, cursor }) => [operation.key, { ...operation, cursor }]));
        return [...latest.values()];
      }),

    async *book(after) {
      await underPlans('book', {}, undefined, async () => undefined);
      for await (const { end, record: line } of journal.entries(cursorPosition(after))) {
        const entry = bookRecord.parse(line);
        if (entry.type === 'operation') yield { ...entry.operation, cursor: String(end) } satisfies GatewayOperation;
      }
    },

    async tokenise(form) {
      const number = form.number.replace(/[ -]/g, '');
      const card = testCardNumbered(number);
      const year = form.expiryYear < 100 ? form.expiryYear + 2000 : form.expiryYear;
      if (!/^\d{12,19}$/.test(number) || !hasCheckDigit(number)) return refused('number', 'invalid_number');
      if (card === undefined) return refused('number', 'not_a_test_card');
      const isMonth = Number.isInteger(form.expiryMonth) && form.expiryMonth >= 1 && form.expiryMonth <= 12;
      if (!isMonth || !Number.isInteger(year) || year < 2000 || year > 2999) return refused('expiry', 'invalid_expiry');
      if (isExpired({ expiryYear: year, expiryMonth: form.expiryMonth }, now()))
        return refused('expiry', 'expired_card');
      if (!(card.brand === 'amex' ? /^\d{4}$/ : /^\d{3}$/).test(form.cvc)) return refused('cvc', 'invalid_cvc');
      const token = `${card.token}_${id()}`;
      const facts = { ...factsOf(card, token), expiryYear: year, expiryMonth: form.expiryMonth };
      await record({ type: 'card', card: facts });
      return { outcome: 'tokenised', card: facts };
    },

    async completeAction(gatewayReference, decision) {
      const payment = payments.get(gatewayReference);
      if (payment === undefined || payment.state === 'voided') {
        throw new RequestRefused('invalid_request', `No payment ${gatewayReference} waits for the customer.`);
      }
      if (payment.state === 'requires_action') {
        const answer: Authorisation =
          decision === 'approve'
            ? {
                outcome: 'authorised',
                gatewayReference,
                expiresAt: new Date(now().getTime() + authorisationLifetimeMs),
              }
            : { outcome: 'declined', gatewayReference, ...reasons.notAuthenticated };
        const { key, token, reference, currency, authorisedMinor: amountMinor } = payment;
        const operation: BookedOperation = {
          kind: 'authorise',
          key,
          gatewayReference,
          amountMinor,
          currency,
          reference,
          at: now(),
          answer,
        };
        await record({ type: 'operation', token, operation });
        return answer;
      }
      const { operation } = await operationAt(positions.get(payment.key) ?? -1);
      if (operation.kind !== 'authorise') throw new Error('A payment must be named by its authorisation.');
      return operation.answer;
    },

    async chargeback(gatewayReference, amountMinor) {
      const request = checked(chargebackRequest, { gatewayReference, amountMinor });
      const payment = payments.get(gatewayReference);
      const leftMinor = payment === undefined ? 0 : payment.capturedMinor - payment.returnedMinor;
      const takenMinor = request.amountMinor ?? leftMinor;
      if (payment === undefined || takenMinor > leftMinor || takenMinor === 0) {
        throw new RequestRefused('invalid_request', `Payment ${gatewayReference} holds no such amount to take back.`);
      }
      const answer: Chargeback = { outcome: 'charged_back', gatewayReference, ...reasons.disputed };
      const key = `chargeback_${id()}`;
      await record({
        type: 'operation',
        operation: {
          kind: 'chargeback',
          key,
          gatewayReference,
          amountMinor: takenMinor,
          currency: payment.currency,
          at: now(),
          answer,
        },
      });
      return { ...answer, key };
    },

    async closeChargeback(key, ended) {
      const position = positions.get(key);
      const stored = position === undefined ? undefined : (await operationAt(position)).operation;
      if (stored?.kind !== 'chargeback' || stored.answer.ended !== undefined) {
        throw new RequestRefused('invalid_request', `No chargeback ${key} waits for its end.`);
      }
      const answer: Chargeback = { ...stored.answer, ended };
      await record({ type: 'operation', operation: { ...stored, at: now(), answer } });
      return answer;
    },

    async plan(input) {
      const plan = withDefaultCalls(checked(cardGatewayPlan, input));
      const planId = `plan_${id()}`;
      await record({ type: 'plan', id: planId, plan });
      return plan.times === undefined ? { ...plan, id: planId } : { ...plan, id: planId, left: plan.times };
    },

    plans: async () => plans.list(),
    clearPlans: () => record({ type: 'plans_cleared' }),

    async totals() {
      const answer = [...sums.values()].map((sum) => ({ ...sum }));
      await journal.settled();
      return answer;
    },

    close: () => journal.close(),
  };
  return gateway;
}

function answerLost(key: string | undefined): OutcomeUnknown {
  return new OutcomeUnknown('The answer of the card gateway was lost.', key);
}

/** A planned decline concerns its own call; nothing else may be named for it. */
function withDefaultCalls(plan: z.output<typeof cardGatewayPlan>): z.output<typeof cardGatewayPlan> {
  if (plan.mode === 'decline_authorisation') return { ...plan, calls: ['authorise'] };
  if (plan.mode === 'decline_capture') return { ...plan, calls: ['capture'] };
  if (plan.mode === 'decline_refund') return { ...plan, calls: ['refund'] };
  return { ...plan, calls: plan.calls ?? [...callsThatMoveMoney] };
}

function isSameMove(booked: BookedOperation, request: z.output<typeof captureRequest>): boolean {
  return (
    booked.gatewayReference === request.gatewayReference &&
    booked.amountMinor === request.amountMinor &&
    booked.currency === request.currency
  );
}

function cursorPosition(after: string | undefined): number {
  if (after === undefined) return 0;
  return /^\d{1,15}$/.test(after) ? Number(after) : -1;
}

/** ISO/IEC 7812-1, annex B: the last digit checks the others. */
function hasCheckDigit(number: string): boolean {
  let sum = 0;
  for (let place = 0; place < number.length; place += 1) {
    const digit = Number(number[number.length - 1 - place]);
    const doubled = digit * 2;
    sum += place % 2 === 0 ? digit : doubled > 9 ? doubled - 9 : doubled;
  }
  return sum % 10 === 0;
}

function refused(field: 'number' | 'expiry' | 'cvc', code: keyof typeof refusals): Tokenised {
  return { outcome: 'refused', field, code, message: refusals[code] };
}

const refusals = {
  invalid_number: 'This is not a card number; check the digits.',
  not_a_test_card: 'The sandbox takes the published test numbers only.',
  invalid_expiry: 'The expiry date needs a month from 1 to 12 and a year.',
  expired_card: 'The card has expired.',
  invalid_cvc: 'The security code has three digits, four on American Express.',
};

const reasons = {
  unknownCard: { code: 'unknown_card', message: 'The gateway does not know this card.' },
  expiredCard: { code: 'expired_card', message: 'The card has expired.' },
  insufficientFunds: { code: 'insufficient_funds', message: 'The card has insufficient funds.' },
  notAuthenticated: { code: 'authentication_failed', message: 'The customer did not approve the payment.' },
  planned: { code: 'card_declined', message: 'The card was declined.' },
  captureFails: { code: 'capture_declined', message: 'The bank refused to release the held amount.' },
  unknownReference: { code: 'unknown_reference', message: 'The gateway does not know this payment.' },
  alreadyCaptured: { code: 'already_captured', message: 'The amount was captured before.' },
  nothingHeld: { code: 'nothing_held', message: 'No amount is held for this payment.' },
  notCaptured: { code: 'not_captured', message: 'Nothing was captured that could be refunded.' },
  otherCurrency: { code: 'other_currency', message: 'The payment is in another currency.' },
  exceedsAuthorised: { code: 'exceeds_authorised', message: 'More than the authorised amount was asked for.' },
  exceedsCaptured: { code: 'exceeds_captured', message: 'More was asked back than is left of the captured amount.' },
  disputed: { code: 'disputed', message: 'The cardholder disputed the payment.' },
} satisfies Record<string, GatewayReason>;
