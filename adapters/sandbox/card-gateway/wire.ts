import { z } from 'zod';
import {
  type Authorisation,
  type Capture,
  type CardFacts,
  type Chargeback,
  cardBrands,
  type GatewayOperation,
  type Refund,
  type Void,
} from '../../card-gateway.ts';
import {
  positiveMinor as amountMinor,
  currencyCode as currency,
  paymentReference as gatewayReference,
  requestKey as key,
  cardToken as token,
} from '../../card-gateway-requests.ts';

/** Shapes that cross a boundary of the card sandbox: its book on disk, and its door when it is a process of its own. */

const month = z.int().min(1).max(12);
const year = z.int().min(2000).max(2999);

export const cardFacts = z.object({
  token,
  brand: z.enum(cardBrands),
  lastFour: z.string().regex(/^\d{4}$/),
  expiryYear: year,
  expiryMonth: month,
}) satisfies z.ZodType<CardFacts>;

const reason = { gatewayReference, code: z.string(), message: z.string() };

export const authorisation = z.discriminatedUnion('outcome', [
  z.object({ outcome: z.literal('authorised'), gatewayReference, expiresAt: z.coerce.date() }),
  z.object({ outcome: z.literal('declined'), ...reason }),
  z.object({ outcome: z.literal('requires_action'), gatewayReference, url: z.string() }),
]) satisfies z.ZodType<Authorisation>;

export const capture = z.discriminatedUnion('outcome', [
  z.object({ outcome: z.literal('captured'), gatewayReference }),
  z.object({ outcome: z.literal('failed'), ...reason }),
  z.object({ outcome: z.literal('expired'), gatewayReference }),
]) satisfies z.ZodType<Capture>;

export const voidAnswer = z.discriminatedUnion('outcome', [
  z.object({ outcome: z.literal('voided'), gatewayReference }),
  z.object({ outcome: z.literal('failed'), ...reason }),
]) satisfies z.ZodType<Void>;

export const refund = z.discriminatedUnion('outcome', [
  z.object({ outcome: z.literal('refunded'), gatewayReference, refundReference: z.string() }),
  z.object({ outcome: z.literal('failed'), ...reason }),
]) satisfies z.ZodType<Refund>;

const ended = z.enum(['won', 'lost']);
export const chargeback = z.object({
  outcome: z.literal('charged_back'),
  ...reason,
  ended: ended.optional(),
}) satisfies z.ZodType<Chargeback>;
export const startedChargeback = chargeback.extend({ key });

const facts = {
  key,
  gatewayReference,
  amountMinor: z.int().nonnegative(),
  currency,
  at: z.coerce.date(),
};

/** An operation as the book holds it; its cursor is its place in the book. */
export const bookedOperation = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('authorise'), ...facts, reference: z.string(), answer: authorisation }),
  z.object({ kind: z.literal('capture'), ...facts, answer: capture }),
  z.object({ kind: z.literal('void'), ...facts, answer: voidAnswer }),
  z.object({ kind: z.literal('refund'), ...facts, answer: refund }),
  z.object({ kind: z.literal('chargeback'), ...facts, answer: chargeback }),
]);
export type BookedOperation = z.output<typeof bookedOperation>;

export const gatewayOperation = z.intersection(
  z.object({ cursor: z.string() }),
  bookedOperation,
) satisfies z.ZodType<GatewayOperation>;

export const gatewayCalls = ['authorise', 'capture', 'void', 'refund', 'find', 'describeCard', 'book'] as const;

export const cardGatewayPlan = z.object({
  mode: z.enum(['unavailable', 'lose_answer', 'stall', 'decline_authorisation', 'decline_capture', 'decline_refund']),
  calls: z.array(z.enum(gatewayCalls)).min(1).max(gatewayCalls.length).optional(),
  token: token.optional(),
  reference: z.string().max(255).optional(),
  gatewayReference: gatewayReference.optional(),
  times: z.int().positive().optional(),
  stallMs: z.int().nonnegative().optional(),
});

export const plannedCardFault = cardGatewayPlan.extend({ id: z.string(), left: z.int().positive().optional() });

/** Digits may be grouped by spaces or hyphens. The values are never part of an error message. */
export const cardForm = z.object({
  number: z.string().max(40),
  expiryYear: z.int(),
  expiryMonth: z.int(),
  cvc: z.string().max(10),
});

export const tokenised = z.discriminatedUnion('outcome', [
  z.object({ outcome: z.literal('tokenised'), card: cardFacts }),
  z.object({
    outcome: z.literal('refused'),
    field: z.enum(['number', 'expiry', 'cvc']),
    code: z.string(),
    message: z.string(),
  }),
]);

export const decision = z.enum(['approve', 'refuse']);

export const totals = z.array(
  z.object({ currency, capturedMinor: z.int(), refundedMinor: z.int(), chargedBackMinor: z.int() }),
);

export const chargebackRequest = z.object({ gatewayReference, amountMinor: amountMinor.optional() });
export const completeActionRequest = z.object({ gatewayReference, decision });
export const closeChargebackRequest = z.object({ key, ended });
export const findRequest = z.object({ key });
export const operationsRequest = z.object({ gatewayReference: z.string().max(255) });
export const describeCardRequest = z.object({ token: z.string() });
export const bookRequest = z.object({ after: z.string().optional(), limit: z.int().min(1).max(1000) });

/** One line of the book. */
export const bookRecord = z.discriminatedUnion('type', [
  z.object({ type: z.literal('operation'), token: token.optional(), operation: bookedOperation }),
  z.object({ type: z.literal('lost'), key }),
  z.object({ type: z.literal('card'), card: cardFacts }),
  z.object({ type: z.literal('plan'), id: z.string(), plan: cardGatewayPlan }),
  z.object({ type: z.literal('plan_used'), id: z.string() }),
  z.object({ type: z.literal('plans_cleared') }),
]);
export type BookRecord = z.output<typeof bookRecord>;
