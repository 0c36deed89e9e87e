import type { Pool, PoolClient } from 'pg';
import { z } from 'zod';
import { instant } from './shapes.ts';

/**
 * What must hold in the books: between payments, bills and quota, and against the card gateway's own book. Proofs use
 * it after everything they do, and operators ask `bss books check`.
 */

/** Finds the rows that break what its name says, by id. An empty answer is a good one. */
export interface BookStatement {
  readonly name: string;
  readonly sql: string;
}

/** They hold at every instant, seen from any snapshot of the database. */
export const bookStatements: readonly BookStatement[] = [
  {
    name: 'quota: what was granted is used, left or lapsed, and nothing is below zero',
    sql: `SELECT "id", "granted", "used", "remaining", "expired" FROM "bucket"
      WHERE "remaining" < 0 OR "used" < 0 OR "expired" < 0 OR ("granted" IS NULL) <> ("remaining" IS NULL)
        OR ("granted" IS NOT NULL AND "granted" <> "used" + "remaining" + "expired")`,
  },
  {
    name: 'money: a captured payment has one bill of its amount',
    sql: `SELECT p."id", p."state", p."amount_minor", b.bills, b.amount FROM "payment" p
       LEFT JOIN (SELECT "payment_id", count(*) AS bills, sum("amount_minor") AS amount FROM "customer_bill" WHERE "refund_id" IS NULL GROUP BY 1) b ON b."payment_id" = p."id"
      WHERE (p."state" IN ('captured', 'done')) <> (coalesce(b.bills, 0) = 1) OR coalesce(b.bills, 0) > 1
        OR (b.bills = 1 AND b.amount <> p."amount_minor")`,
  },
  {
    name: 'money: a refund has one credit note of its amount',
    sql: `SELECT r."id", r."amount_minor", b.bills, b.amount FROM "refund" r
       LEFT JOIN (SELECT "refund_id", count(*) AS bills, sum("amount_minor") AS amount FROM "customer_bill" GROUP BY 1) b ON b."refund_id" = r."id"
      WHERE r."fact_key" IS NOT NULL AND (coalesce(b.bills, 0) <> 1 OR b.amount <> -r."amount_minor")`,
  },
  {
    name: 'money: what was refunded of a payment is the sum of its refunds',
    sql: `SELECT p."id", p."refunded_minor", r.sum FROM "payment" p
       LEFT JOIN (SELECT "payment_id", sum("amount_minor") AS sum FROM "refund" WHERE "fact_key" IS NOT NULL GROUP BY 1) r ON r."payment_id" = p."id"
      WHERE p."refunded_minor" <> coalesce(r.sum, 0)`,
  },
  {
    name: 'money: every bill has its rate, and its number is its own',
    sql: `SELECT b."id", b."bill_no" FROM "customer_bill" b
      WHERE (b."payment_id" IS NOT NULL AND NOT EXISTS (SELECT 1 FROM "applied_customer_billing_rate" r WHERE r."customer_bill_id" = b."id"))
        OR (b."bill_no" IS NOT NULL AND EXISTS (SELECT 1 FROM "customer_bill" o WHERE o."bill_no" = b."bill_no" AND o."id" <> b."id"))`,
  },
];

/** One entry of the card gateway's own book, as far as books are compared by it. */
interface BookEntry {
  readonly kind: string;
  readonly key: string;
  readonly gatewayReference: string;
  readonly amountMinor: number;
  readonly currency: string;
  readonly at: Date;
  /** On an authorisation: the id of our payment. */
  readonly reference?: string;
  readonly answer: { readonly outcome: string; readonly expiresAt?: Date };
}

/** The gateway's own book, oldest first, from its beginning. */
export interface GatewayBook {
  book(): AsyncIterable<BookEntry>;
}

/** A pool, or one connection whose open transaction is to be judged. */
export type Queries = Pool | Pick<PoolClient, 'query'>;

export interface Difference {
  /** What should have held. */
  readonly check: string;
  /** Our payment, bill, refund or bucket; for money that we know nothing of, the gateway's reference. */
  readonly id: string | null;
  readonly facts: Readonly<Record<string, unknown>>;
}

export interface BooksCompared {
  readonly differences: readonly Difference[];
  /** Entries of the gateway's book that were read. */
  readonly entries: number;
  readonly payments: number;
  /** Payments on which work goes on, left out: their two books may differ until it is done. */
  readonly underWay: number;
  /** In minor units. */
  readonly sums: readonly { currency: string; capturedMinor: number; returnedMinor: number; billedMinor: number }[];
}

interface BookedPayment {
  reference: string;
  /** The business fact that the authorisation was asked for, as its key names it. */
  fact: string;
  currency: string;
  held: boolean;
  captures: number;
  capturedMinor: number;
  returnedMinor: number;
}

interface OurPayment {
  id: string;
  state: string;
  amountMinor: number | null;
  refundedMinor: number;
  factKey: string | null;
  currency: string | null;
  billedMinor: bigint;
  underWay: boolean;
}

// Work goes on while an item of its order is open, a renewal or a refund is being tried, or a notice is not reconciled.
const ourPayments = `SELECT p."id", p."state", p."amount_minor" AS "amountMinor", p."refunded_minor" AS "refundedMinor",
    p."fact_key" AS "factKey", p."currency",
    coalesce((SELECT sum(b."amount_minor") FROM "customer_bill" b WHERE b."payment_id" = p."id"), 0)::bigint AS "billedMinor",
    (EXISTS (SELECT 1 FROM "order_item" i WHERE i."payment_id" = p."id" AND i."state" NOT IN ('completed', 'failed', 'cancelled', 'rejected'))
      OR EXISTS (SELECT 1 FROM "refund" r WHERE r."payment_id" = p."id" AND r."state" = 'pendingAuthorization')
      OR EXISTS (SELECT 1 FROM "flow_step" f WHERE f."state" = 'waiting' AND f."due_at" <= business_now() AND (
        (f."flow" = 'renewal' AND p."purpose" = 'renewal' AND f."subject" = p."subscription_id")
        OR f."subject" IN (SELECT i."id" FROM "order_item" i WHERE i."payment_id" = p."id")
        OR (f."flow" = 'gateway_event' AND f."subject" IN (SELECT g."id" FROM "gateway_event" g WHERE g."gateway_reference" = p."gateway_reference"))))
    ) AS "underWay"
  FROM "payment" p WHERE p."fact_key" IS NOT NULL`;

const isTaken = (state: string): boolean => state === 'captured' || state === 'done';

/**
 * Our payments and bills beside the gateway's book: the same captures and refunds, one capture for each fact, no money
 * held for nothing. Both are read whole into sums by payment; about 300 bytes each.
 */
export async function compareBooks(
  database: Queries,
  gateway: GatewayBook,
  options: { leaveOutUnderWay: boolean },
): Promise<BooksCompared> {
  const { booked, entries } = await readBook(gateway);
  const answer = await database.query<OurPayment>(ourPayments);
  const ours = new Map(answer.rows.map((row) => [row.id, row]));
  // After a restore what was charged since the backup comes due again. The gateway knows its key and charges nothing, and
  // its book names the payment that was forgotten: it is that of the same fact now.
  const ofFact = new Map(answer.rows.map((row) => [row.factKey, row.id]));
  for (const payment of booked.values())
    if (!ours.has(payment.reference)) payment.reference = ofFact.get(payment.fact) ?? payment.reference;
  const isLeftOut = (id: string) => options.leaveOutUnderWay && ours.get(id)?.underWay === true;
  const differences: Difference[] = [];
  const sums = new Map<
    string,
    { currency: string; capturedMinor: number; returnedMinor: number; billedMinor: number }
  >();
  const sumOf = (currency: string) => {
    const sum = sums.get(currency) ?? { currency, capturedMinor: 0, returnedMinor: 0, billedMinor: 0 };
    sums.set(currency, sum);
    return sum;
  };

  // A payment of ours may have been several at the gateway: an authorisation that ran out is made again.
  const taken = new Map<string, Omit<BookedPayment, 'held'>>();
  for (const [gatewayReference, payment] of booked) {
    const { held, ...rest } = payment;
    if (isLeftOut(payment.reference)) continue;
    if (held) {
      const id = ours.has(payment.reference) ? payment.reference : gatewayReference;
      differences.push({
        check: 'no money is held that nobody will take',
        id,
        facts: { gatewayReference, ...payment },
      });
    }
    const before = taken.get(payment.reference);
    taken.set(payment.reference, {
      ...rest,
      captures: rest.captures + (before?.captures ?? 0),
      capturedMinor: rest.capturedMinor + (before?.capturedMinor ?? 0),
      returnedMinor: rest.returnedMinor + (before?.returnedMinor ?? 0),
    });
  }
  for (const [reference, { captures, capturedMinor, returnedMinor, currency }] of taken) {
    const sum = sumOf(currency);
    sum.capturedMinor += capturedMinor;
    sum.returnedMinor += returnedMinor;
    const own = ours.get(reference);
    const facts = { captures, capturedMinor, returnedMinor };
    if (!own) {
      // What was only asked for and declined, or went back whole, moved nothing.
      if (capturedMinor !== returnedMinor)
        differences.push({ check: 'every charge is one of our payments', id: reference, facts });
      continue;
    }
    if (captures > 1)
      differences.push({ check: 'one capture for one fact', id: own.id, facts: { factKey: own.factKey, ...facts } });
    const ownTaken = isTaken(own.state) ? (own.amountMinor ?? 0) : 0;
    if (ownTaken !== capturedMinor || own.refundedMinor !== returnedMinor) {
      const { state, amountMinor, refundedMinor } = own;
      differences.push({
        check: 'each payment is what the gateway took and gave back',
        id: own.id,
        facts: { state, amountMinor, refundedMinor, ...facts },
      });
    }
  }
  for (const own of ours.values()) {
    if (isLeftOut(own.id)) continue;
    if (own.currency !== null) sumOf(own.currency).billedMinor += Number(own.billedMinor);
    if (isTaken(own.state) && !taken.has(own.id)) {
      const { state, amountMinor } = own;
      differences.push({ check: 'each captured payment is in the book', id: own.id, facts: { state, amountMinor } });
    }
  }
  for (const { currency, capturedMinor, returnedMinor, billedMinor } of sums.values()) {
    if (capturedMinor - returnedMinor !== billedMinor) {
      const facts = { currency, capturedMinor, returnedMinor, billedMinor };
      differences.push({ check: 'captured minus refunded is the sum of bills', id: null, facts });
    }
  }
  const underWay = answer.rows.filter((row) => isLeftOut(row.id)).length;
  return { differences, entries, payments: answer.rows.length, underWay, sums: [...sums.values()] };
}

async function readBook(gateway: GatewayBook): Promise<{ booked: Map<string, BookedPayment>; entries: number }> {
  const booked = new Map<string, BookedPayment>();
  const expiries = new Map<string, Date>();
  // The end of a dispute is a second entry about the same money.
  const chargebacks = new Set<string>();
  let now = new Date(0);
  let entries = 0;
  for await (const entry of gateway.book()) {
    entries += 1;
    if (entry.at > now) now = entry.at;
    const { kind, key, gatewayReference, amountMinor, answer } = entry;
    if (kind === 'authorise') {
      booked.set(gatewayReference, {
        reference: entry.reference ?? '',
        fact: key.replace(/:authorise:\d+$/, ''),
        currency: entry.currency,
        // What waits for the customer can still become a charge.
        held: answer.outcome !== 'declined',
        captures: 0,
        capturedMinor: 0,
        returnedMinor: 0,
      });
      if (answer.expiresAt) expiries.set(gatewayReference, answer.expiresAt);
      continue;
    }
    const payment = booked.get(gatewayReference);
    if (!payment) continue;
    if (answer.outcome === 'captured') {
      payment.captures += 1;
      payment.capturedMinor += amountMinor;
    }
    if (answer.outcome === 'refunded' || (answer.outcome === 'charged_back' && !chargebacks.has(key))) {
      if (kind === 'chargeback') chargebacks.add(key);
      // A bank may take back more than is left: that is a loss of ours, told on its case, and no refund of a payment.
      payment.returnedMinor = Math.min(payment.capturedMinor, payment.returnedMinor + amountMinor);
    }
    if (['captured', 'voided', 'expired'].includes(answer.outcome)) payment.held = false;
  }
  for (const [gatewayReference, expiresAt] of expiries) {
    const payment = booked.get(gatewayReference);
    if (payment && expiresAt <= now) payment.held = false;
  }
  return { booked, entries };
}

export const booksShape = z.object({
  readAt: instant,
  payments: z.number().int(),
  buckets: z.number().int(),
  entries: z.number().int().describe('Entries of the card gateway’s own book'),
  underWay: z.number().int().describe('Payments on which work goes on; they are judged once it is done'),
  sums: z
    .array(
      z.object({
        currency: z.string(),
        capturedMinor: z.number().int().describe('Taken, by the gateway’s book, in minor units'),
        returnedMinor: z.number().int().describe('Given or taken back, by the gateway’s book'),
        billedMinor: z.number().int().describe('Receipts minus credit notes, by ours'),
      }),
    )
    .describe('By currency, of the payments that were judged'),
  differences: z
    .array(
      z.object({
        check: z.string().describe('What should have held'),
        id: z.string().nullable().describe('Where it does not'),
        facts: z.record(z.string(), z.unknown()),
      }),
    )
    .describe('Empty when the books are even'),
});
export type Books = z.infer<typeof booksShape>;

/**
 * Judges the books of a system at work. What differs is looked at a second time, because money that moved while the
 * gateway's book was read differs for that moment.
 */
export async function checkBooks(database: Queries, gateway: GatewayBook): Promise<Books> {
  const live = { leaveOutUnderWay: true };
  const first = await compareBooks(database, gateway, live);
  const compared = first.differences.length === 0 ? first : await compareBooks(database, gateway, live);
  const nameOf = ({ check, id }: Difference) => `${check} ${id}`;
  const seen = new Set(first.differences.map(nameOf));
  const differences = compared.differences.filter((one) => seen.has(nameOf(one)));
  for (const { name, sql } of bookStatements) {
    const { rows } = await database.query<{ id: string }>(sql);
    for (const { id, ...facts } of rows) differences.push({ check: name, id, facts });
  }
  const counted = await database.query<{ buckets: string; at: Date }>(
    'SELECT count(*)::text AS buckets, business_now() AS at FROM "bucket"',
  );
  const [counts] = counted.rows;
  return {
    readAt: (counts?.at ?? new Date(0)).toISOString(),
    payments: compared.payments,
    buckets: Number(counts?.buckets ?? 0),
    entries: compared.entries,
    underWay: compared.underWay,
    sums: [...compared.sums],
    differences: differences.map(({ check, id, facts }) => ({ check, id, facts: plainFacts(facts) })),
  };
}

/** Facts as JSON has them. */
function plainFacts(facts: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(facts).map(([name, value]) => [name, typeof value === 'bigint' ? Number(value) : value]),
  );
}
