import { formatInstant } from '../../kernel/calendar.ts';
import type { JsonObject } from '../../kernel/json.ts';
import { formatMoney } from '../../kernel/money.ts';
import { formatQuantity, kindName } from '../../kernel/quantity.ts';
import { refs, text } from '../core/party.ts';
import { findRow, findRows, type Tables } from '../core/table.ts';
import type { Tx } from '../core/transaction.ts';
import { termsOfNextPeriod } from '../subscription/line.ts';
import type { Letter } from './letter.ts';
import type { NoticeKind } from './notice.ts';

/** What is to be told, to whom, and what it is about. */
export interface Composed {
  customerId: string;
  letter: Letter;
  about: JsonObject[];
  /** Where it goes, when not to where the customer is reached now. */
  to?: string;
}

/**
 * Puts one kind of news into words, from what is so now: news that has been overtaken (a top-up came first, the line
 * ended) is told to nobody.
 */
type Composer = (tx: Tx, subject: string, input: JsonObject) => Promise<Composed | undefined>;

type Line = Tables['subscription'];

const numberOf = (line: Line) => line.msisdn ?? 'your line';
const planOf = (line: Line) => nameIn(line.terms) ?? line.planCode;

function nameIn(terms: unknown): string | undefined {
  return typeof terms === 'object' && terms !== null && 'name' in terms && typeof terms.name === 'string'
    ? terms.name
    : undefined;
}

async function balances(tx: Tx, lineId: string): Promise<[string, string][]> {
  const rows = await tx.sql<{ kind: string; left: bigint | null }>`SELECT "kind",
      CASE WHEN bool_or("remaining" IS NULL) THEN NULL ELSE sum("remaining")::bigint END AS left
    FROM "bucket" WHERE "subscription_id" = ${lineId} AND "state" = 'active' AND ("expires_at" IS NULL OR "expires_at" > ${tx.now})
    GROUP BY "kind" ORDER BY array_position(ARRAY['data', 'voice', 'sms', 'roaming_data'], "kind")`;
  return rows.map(({ kind, left }) => [
    `${kindName(kind)} left`,
    formatQuantity(kind, left === null ? null : Number(left)),
  ]);
}

const quotaLow: Composer = async (tx, subject) => {
  const bucket = await findRow(tx, 'bucket', { id: subject });
  if (bucket?.state !== 'active' || bucket.granted === null || !bucket.remaining) return undefined;
  if (bucket.expiresAt !== null && bucket.expiresAt <= tx.now) return undefined;
  const line = await findRow(tx, 'subscription', { id: bucket.subscriptionId });
  if (line?.state !== 'active') return undefined;
  const percent = Math.floor(Number((bucket.used * 100n) / bucket.granted));
  const what = kindName(bucket.kind);
  return {
    customerId: line.customerId,
    letter: {
      subject: `${percent} % of ${what} used on ${numberOf(line)}`,
      sentences: [
        `${formatQuantity(bucket.kind, Number(bucket.used))} of ${formatQuantity(bucket.kind, Number(bucket.granted))} (${what}) are used on ${numberOf(line)}.`,
        ...(bucket.expiresAt
          ? [`What is left is good until ${formatInstant(bucket.expiresAt, tx.settings.timeZone)}.`]
          : []),
        bucket.kind === 'data'
          ? 'When no data is left the line stops at once, until you buy a top-up or it renews.'
          : 'When it is used up this service stops at once, until you buy a top-up or the line renews.',
      ],
      table: await balances(tx, line.id),
    },
    about: [refs.product(line.id)],
  };
};

/** What the customer asked to be told of, while it is so: nothing left, or no alert any more, is no news of this kind. */
const balanceAlert: Composer = async (tx, subject, input) => {
  const kind = text(input.kind) ?? 'data';
  const line = await findRow(tx, 'subscription', { id: subject });
  const alert = await findRow(tx, 'balanceAlert', { subscriptionId: subject, kind });
  if (line?.state !== 'active' || !alert) return undefined;
  const [sum] = await tx.sql<{ left: bigint | null; granted: bigint | null }>`SELECT
      CASE WHEN bool_or("granted" IS NULL) THEN NULL ELSE sum("remaining")::bigint END AS left, sum("granted")::bigint AS granted
    FROM "bucket" WHERE "subscription_id" = ${subject} AND "kind" = ${kind} AND "state" = 'active' AND ("expires_at" IS NULL OR "expires_at" > ${tx.now})`;
  if (!sum?.left || !sum.granted) return undefined;
  const asked = alert.leftAmount ?? (sum.granted * BigInt(alert.leftPercent ?? 0)) / 100n;
  // A top-up came before the news.
  if (sum.left > asked) return undefined;
  const what = kindName(kind);
  const left = formatQuantity(kind, Number(sum.left));
  return {
    customerId: line.customerId,
    letter: {
      subject: `${left} of ${what} left on ${numberOf(line)}`,
      sentences: [
        `${left} of ${what} are left on ${numberOf(line)}. You asked to be told at ${alert.leftPercent === null ? formatQuantity(kind, Number(asked)) : `${alert.leftPercent} %`}.`,
      ],
      table: await balances(tx, line.id),
    },
    about: [refs.product(line.id)],
  };
};

const exhausted: Composer = async (tx, subject, input) => {
  const line = await findRow(tx, 'subscription', { id: subject });
  const kind = text(input.kind) ?? 'data';
  if (!line || (line.state !== 'active' && line.state !== 'blocked')) return undefined;
  // A line that its renewal could not pay for is told that instead.
  if (line.blockReasons.includes('unpaid')) return undefined;
  const isStopped = kind === 'data' ? line.blockReasons.includes('exhausted') : line.stoppedKinds.includes(kind);
  if (!isStopped) return undefined;
  const what = kindName(kind);
  const back = line.periodEndsAt
    ? `Buy a top-up to go on now, or wait for the renewal on ${formatInstant(line.periodEndsAt, tx.settings.timeZone)}.`
    : 'Buy a top-up to go on.';
  return {
    customerId: line.customerId,
    letter:
      kind === 'data'
        ? {
            subject: `${numberOf(line)} is stopped: no data is left`,
            sentences: [
              `No data is left on ${numberOf(line)}, so the line is stopped.`,
              back,
              'Emergency calls always work.',
            ],
          }
        : {
            subject: `${what} is stopped on ${numberOf(line)}: nothing is left`,
            sentences: [
              `Nothing is left of ${what} on ${numberOf(line)}, so it is stopped. The rest of the line goes on.`,
              back,
            ],
            table: await balances(tx, line.id),
          },
    about: [refs.product(line.id)],
  };
};

/** The plan and price that the next renewal charges: those of a change that waits for it, if there is one. */
function renewalOf(line: Line): { name: string; price: string } {
  const { name, amountMinor, currency } = termsOfNextPeriod(line);
  return { name, price: formatMoney({ amountMinor, currency }) };
}

const renewalDue: Composer = async (tx, subject, input) => {
  const line = await findRow(tx, 'subscription', { id: subject });
  const boundary = new Date(text(input.boundary) ?? Number.NaN);
  if (!line || line.state === 'terminated' || !(boundary > tx.now)) return undefined;
  // A line that ends there is not renewed.
  if (line.endsAt !== null && line.endsAt <= boundary) return undefined;
  const { name, price } = renewalOf(line);
  const at = formatInstant(boundary, tx.settings.timeZone);
  return {
    customerId: line.customerId,
    letter: {
      subject: `${name} on ${numberOf(line)} renews on ${at}`,
      sentences: [
        `${name} on ${numberOf(line)} renews on ${at}. Your card on file will be charged ${price}, tax included.`,
        'If the card is declined the line stops at that moment.',
      ],
      table: [['Price', price], ...(await balances(tx, line.id))],
    },
    about: [refs.product(line.id)],
  };
};

const renewalDeclined: Composer = async (tx, subject, input) => {
  const line = await findRow(tx, 'subscription', { id: subject });
  if (!line?.blockReasons.includes('unpaid')) return undefined;
  const { name, price } = renewalOf(line);
  const next = new Date(text(input.nextAt) ?? Number.NaN);
  return {
    customerId: line.customerId,
    letter: {
      subject: `The renewal of ${numberOf(line)} was declined`,
      sentences: [
        `Your card could not be charged ${price} for ${name} on ${numberOf(line)}: ${text(input.reason) ?? 'it was declined'}. The line is stopped.`,
        'Put another card on file and buy a new period to go on now.',
        ...(Number.isNaN(next.getTime())
          ? []
          : [`Otherwise the renewal is tried again on ${formatInstant(next, tx.settings.timeZone)}.`]),
      ],
      table: [['Price', price]],
    },
    about: [refs.product(line.id)],
  };
};

const receipt: Composer = async (tx, subject) => {
  const bill = await findRow(tx, 'customerBill', { id: subject });
  if (!bill?.customerId || bill.amountMinor === null || bill.currency === null) return undefined;
  const { currency } = bill;
  const isCredit = bill.amountMinor < 0;
  const rates = await findRows(tx, 'appliedCustomerBillingRate', { customerBillId: bill.id });
  const lineId = rates.find((rate) => rate.subscriptionId !== null)?.subscriptionId;
  const line = lineId ? await findRow(tx, 'subscription', { id: lineId }) : undefined;
  const amount = formatMoney({ amountMinor: Math.abs(bill.amountMinor), currency });
  const what = rates.map((rate) => nameIn(rate.document)).filter((name) => name !== undefined);
  return {
    customerId: bill.customerId,
    letter: {
      subject: `${isCredit ? 'Credit note' : 'Receipt'} ${bill.billNo}: ${amount}`,
      sentences: [isCredit ? `We gave ${amount} back to your card.` : `We took ${amount} from your card. Thank you.`],
      table: [
        ['For', what.join(', ')],
        ...(line?.msisdn ? [['Number', line.msisdn] satisfies [string, string]] : []),
        [isCredit ? 'Given back' : 'Paid', amount],
        ['Tax in it', formatMoney({ amountMinor: Math.abs(bill.taxMinor ?? 0), currency })],
        [isCredit ? 'Credit note no.' : 'Receipt no.', bill.billNo ?? bill.id],
        ['Date', formatInstant(bill.createdAt, tx.settings.timeZone)],
      ],
    },
    about: [refs.bill(bill.id)],
  };
};

const orderFailed: Composer = async (tx, subject, input) => {
  const item = await findRow(tx, 'orderItem', { id: subject });
  if (!item) return undefined;
  const name = nameIn(item.terms) ?? 'what you ordered';
  return {
    customerId: item.customerId,
    letter: {
      subject: `Your order of ${name} failed`,
      sentences: [
        `Your order of ${name} failed. ${text(input.sentence) ?? ''}`,
        'What was held on your card is let go; what was taken is given back.',
      ],
      table: [['Order', item.productOrderId]],
    },
    about: [refs.productOrder(item.productOrderId)],
  };
};

const lineEnded: Composer = async (tx, subject) => {
  const line = await findRow(tx, 'subscription', { id: subject });
  if (line?.state !== 'terminated') return undefined;
  return {
    customerId: line.customerId,
    letter: {
      subject: `${numberOf(line)} has ended`,
      sentences: [
        `${planOf(line)} on ${numberOf(line)} has ended${line.terminatedAt ? ` on ${formatInstant(line.terminatedAt, tx.settings.timeZone)}` : ''}. Nothing more will be charged for it.`,
      ],
    },
    about: [refs.product(line.id)],
  };
};

/** What the address is now stands nowhere in it: who reads the mail of the one before need not be the customer. */
const addressChanged: Composer = async (_tx, subject, input) => {
  const to = text(input.before);
  if (to === undefined) return undefined;
  return {
    customerId: subject,
    to,
    letter: {
      subject: 'Your e-mail address was changed',
      sentences: [
        'From now on receipts, notices and codes go to another address than this one.',
        'If it was not you who changed it, tell us at once.',
      ],
    },
    about: [refs.customer(subject)],
  };
};

export const composers: Readonly<Record<NoticeKind, Composer>> = {
  quota_low: quotaLow,
  balance_alert: balanceAlert,
  exhausted,
  renewal_due: renewalDue,
  renewal_declined: renewalDeclined,
  receipt,
  order_failed: orderFailed,
  line_ended: lineEnded,
  address_changed: addressChanged,
};
