import { daysAfter, hoursAfter, monthsAfter } from '../../kernel/calendar.ts';
import type { JsonObject } from '../../kernel/json.ts';
import { splitTax, taxPercent, toWireMoney } from '../../kernel/money.ts';
import { type AllowanceKind, allowanceKinds, type OfferingTerms } from '../catalogue/offering-terms.ts';
import { appendEvent, writeEvents } from '../core/event.ts';
import { cancelSteps, schedule } from '../core/flow.ts';
import { machine } from '../core/machine.ts';
import { customerIdOf, objects, refs } from '../core/party.ts';
import {
  createResource,
  documentOf,
  type ResourceDefinition,
  type Stored,
  saveResource,
  saveRow,
} from '../core/resource.ts';
import { type Columns, findRow, getRow, insertRow, type Tables } from '../core/table.ts';
import type { Tx } from '../core/transaction.ts';
import { logInteraction } from '../interaction/commands.ts';
import { noticeFlow, tell } from '../notice/notice.ts';
import { finalItemStates, type Item, lockItem, moveItem, refusalNote } from '../order/progress.ts';

export type Line = Tables['subscription'];

export const subscriptionMachine = machine({
  name: 'subscription',
  initial: ['pending'],
  table: {
    pending: { activate: 'active', terminate: 'terminated' },
    active: { block: 'blocked', terminate: 'terminated' },
    blocked: { unblock: 'active', block: 'blocked', terminate: 'terminated' },
    terminated: {},
  },
});

export const productResource: ResourceDefinition<'subscription'> = {
  resource: 'product',
  api: 'TMF637',
  table: 'subscription',
  prefix: 'sub',
  columns: (document) => ({ customerId: customerIdOf(document) ?? '' }),
  customerOf: customerIdOf,
};

export function lockLine(tx: Tx, id: string): Promise<Line> {
  return getRow(tx, 'subscription', { id }, true);
}

/** The price and allowances a line was bought with: copied at order time, charged at each renewal. */
export function termsOf(row: { terms: unknown }): OfferingTerms {
  return row.terms as OfferingTerms;
}

/** A plan that the line's next period begins with. Its price and allowances were copied when it was ordered. */
export interface PlanChange {
  orderItemId: string;
  productOrderId: string;
  itemId: string;
  terms: OfferingTerms;
}

export function planChangeOf(line: { pendingChange: unknown }): PlanChange | undefined {
  return line.pendingChange === null ? undefined : (line.pendingChange as PlanChange);
}

/** What the next period costs and holds: the plan that the line changes to, or a copy of what it has. */
export function termsOfNextPeriod(line: Line): OfferingTerms {
  const { priceMinor: amountMinor, taxRate, currency } = line;
  return planChangeOf(line)?.terms ?? { ...termsOf(line), amountMinor, taxRate, currency };
}

/** What a line has once it is reserved: its service, its number and its eSIM profile. */
export interface Equipment {
  serviceId: string;
  msisdn: string;
  esimId: string;
}

function equipmentOf(equipment: Equipment): JsonObject {
  return {
    productSerialNumber: equipment.msisdn,
    realizingService: [refs.service(equipment.serviceId)],
    realizingResource: [refs.esim(equipment.esimId)],
  };
}

const withNumber = (characteristics: readonly JsonObject[], msisdn: string): JsonObject[] => [
  ...characteristics.filter((one) => one.name !== 'msisdn'),
  { name: 'msisdn', valueType: 'string', value: msisdn },
];

/** What a product says of its plan. */
function planAttributes(terms: OfferingTerms): JsonObject {
  const tax = splitTax(terms, terms.taxRate);
  const money = (amountMinor: number): JsonObject => ({ ...toWireMoney({ amountMinor, currency: terms.currency }) });
  return {
    productOffering: refs.offering(terms.offeringId, terms.name),
    productPrice: [
      {
        name: terms.name,
        priceType: 'recurring',
        recurringChargePeriod: 'month',
        price: {
          taxRate: taxPercent(terms.taxRate),
          taxIncludedAmount: money(tax.taxIncludedMinor),
          dutyFreeAmount: money(tax.taxExcludedMinor),
        },
      },
    ],
  };
}

const orderItemOf = (action: 'add' | 'modify', of: { productOrderId: string; itemId: string }): JsonObject => ({
  orderItemAction: action,
  orderItemId: of.itemId,
  productOrderId: of.productOrderId,
  productOrderHref: refs.productOrder(of.productOrderId).href,
  '@referredType': 'ProductOrder',
});

/**
 * Writes a line, pending until it is paid for and enabled. Without equipment it is one that a client asked for as a
 * product: it gets a number and a profile when they are reserved.
 * @param of.given what the client said of the product and the house does not decide.
 */
export async function createLine(
  tx: Tx,
  of: {
    id: string;
    customerId: string;
    customerName: string | null;
    terms: OfferingTerms;
    equipment?: Equipment;
    given?: JsonObject;
    productOrderId: string;
    itemId: string;
  },
): Promise<Stored> {
  const { terms, equipment, given = {} } = of;
  const characteristics = objects(given.productCharacteristic);
  // What the plan does not hold is stopped from the start: the network must not give it away.
  const stoppedKinds = allowanceKinds.filter((kind) => !kindsOf(terms).includes(kind));
  const stored = await createResource(
    tx,
    productResource,
    {
      '@type': 'Product',
      name: terms.name,
      description: equipment ? `${terms.name} on ${equipment.msisdn}` : terms.name,
      isCustomerVisible: true,
      ...given,
      isBundle: false,
      orderDate: tx.now.toISOString(),
      status: 'pendingActive',
      ...planAttributes(terms),
      productCharacteristic: equipment ? withNumber(characteristics, equipment.msisdn) : characteristics,
      productOrderItem: [orderItemOf('add', of)],
      ...(equipment ? equipmentOf(equipment) : {}),
      relatedParty: [refs.customer(of.customerId, of.customerName ?? undefined)],
    },
    {
      state: 'pending',
      offeringId: terms.offeringId,
      planCode: terms.code ?? terms.offeringId,
      ...equipment,
      priceMinor: terms.amountMinor,
      taxRate: terms.taxRate,
      currency: terms.currency,
      terms,
      stoppedKinds,
      stateSince: tx.now,
    },
    of.id,
  );
  await insertRow(tx, 'lineState', { subscriptionId: of.id, fromAt: tx.now, state: 'pending', stoppedKinds });
  return stored;
}

/** Writes what a line says of itself, its state as it is; with the event that says what changed. */
export async function describeLine(
  tx: Tx,
  line: Line,
  change: (document: JsonObject) => JsonObject,
  columns: Columns<'subscription'> = {},
): Promise<Line> {
  const document = documentOf(line);
  return saveRow(tx, productResource, { ...line, document }, change(document), { ...columns, state: line.state });
}

/** Gives a line that was written without them its service, number and eSIM profile. */
export async function equipLine(tx: Tx, lineId: string, equipment: Equipment): Promise<void> {
  const line = await lockLine(tx, lineId);
  const before = documentOf(line);
  await saveResource(
    tx,
    productResource,
    { ...line, document: before },
    {
      ...before,
      ...equipmentOf(equipment),
      productCharacteristic: withNumber(objects(before.productCharacteristic), equipment.msisdn),
    },
    { ...equipment, state: line.state },
  );
}

/** Moves a line's state, reasons and stopped services in one write, with its history and event. */
export async function changeLine(
  tx: Tx,
  line: Line,
  to: { state: string; blockReasons?: string[]; stoppedKinds?: string[]; since?: Date },
): Promise<Line> {
  await writeEvents(tx);
  await tx.sql`SELECT change_line(${line.id}, ${to.state}, ${to.blockReasons ?? line.blockReasons}::text[], ${to.stoppedKinds ?? line.stoppedKinds}::text[],
    ${to.since ?? tx.now}, ${JSON.stringify(tx.cause ?? {})}::jsonb)`;
  return getRow(tx, 'subscription', { id: line.id });
}

/** What an offering gives quota of. */
export function kindsOf(terms: OfferingTerms): AllowanceKind[] {
  return terms.allowances.map((allowance) => allowance.kind);
}

/** Which step of a flow waits for the network: run on its confirmation, or on its refusal for good. */
export interface Then extends JsonObject {
  flow: string;
  subject: string;
  confirmed: string;
  /** Without it the network may not refuse: the task is delivered until it confirms. */
  refused?: string;
}

/** Tells the network what the line now is, if that is news to it. */
export async function orderNetwork(tx: Tx, lineId: string, then?: Then): Promise<string | undefined> {
  await writeEvents(tx);
  const [row] = await tx.sql<{
    monitor: string | null;
  }>`SELECT order_network(${lineId}, ${JSON.stringify(tx.cause ?? {})}::jsonb, ${then ? JSON.stringify(then) : null}::jsonb) AS monitor`;
  return row?.monitor ?? undefined;
}

/** New quota for a line. Each allowance is a bucket, and something ends it: a step, or the renewal of its period. */
export async function grantBuckets(
  tx: Tx,
  line: Line,
  terms: OfferingTerms,
  grant: { source: 'plan' | 'vas'; paymentId: string; periodNumber: number; expiresAt: Date },
): Promise<void> {
  for (const allowance of terms.allowances) {
    const id = tx.newId('bkt');
    const quantity = allowance.quantity === null ? null : BigInt(allowance.quantity);
    await insertRow(tx, 'bucket', {
      id,
      subscriptionId: line.id,
      customerId: line.customerId,
      kind: allowance.kind,
      source: grant.source,
      offeringId: terms.offeringId,
      paymentId: grant.paymentId,
      periodNumber: grant.periodNumber,
      state: 'active',
      granted: quantity,
      remaining: quantity,
      used: 0n,
      expired: 0n,
      validFrom: tx.now,
      expiresAt: grant.expiresAt,
      version: 1n,
      createdAt: tx.now,
      updatedAt: tx.now,
    });
    await appendEvent(tx, {
      type: 'BucketCreateEvent',
      resourceType: 'bucket',
      resourceId: id,
      sequence: 1n,
      change: {
        subscriptionId: line.id,
        kind: allowance.kind,
        granted: allowance.quantity,
        source: grant.source,
        expiresAt: grant.expiresAt.toISOString(),
      },
      customerId: line.customerId,
    });
  }
  // A plan's quota ends with its period, and the renewal of that instant ends it: a step of its own could come first
  // and stop a line that is about to be paid for.
  if (grant.source === 'plan') return;
  await schedule(tx, {
    flow: 'bucket',
    subject: line.id,
    step: 'expire',
    key: `bucket:${line.id}:expire:${grant.expiresAt.toISOString()}`,
    dueAt: grant.expiresAt,
  });
}

/**
 * Ends the buckets whose time has come, and stops what they were the last of.
 * @param fresh kinds that were just given quota: they go on.
 */
export async function expireBuckets(tx: Tx, line: Line, at: Date, fresh: readonly string[] = []): Promise<void> {
  const ended = await tx.sql<
    Tables['bucket']
  >`UPDATE "bucket" SET "state" = 'expired', "expired" = CASE WHEN "remaining" IS NULL THEN 0 ELSE "remaining" END,
      "remaining" = CASE WHEN "remaining" IS NULL THEN NULL ELSE 0 END, "version" = "version" + 1, "updated_at" = ${tx.now}
    WHERE "subscription_id" = ${line.id} AND "state" = 'active' AND "expires_at" <= ${at} RETURNING *`;
  await stopWhatEnded(tx, line, ended, { expiry: at.toISOString() }, fresh);
}

/** Ends the buckets that a payment paid for, when all of its money went back, and stops what they were the last of. */
export async function expirePaidBuckets(tx: Tx, line: Line, paymentId: string): Promise<void> {
  const ended = await tx.sql<
    Tables['bucket']
  >`UPDATE "bucket" SET "state" = 'expired', "expired" = CASE WHEN "remaining" IS NULL THEN 0 ELSE "remaining" END,
      "remaining" = CASE WHEN "remaining" IS NULL THEN NULL ELSE 0 END, "version" = "version" + 1, "updated_at" = ${tx.now}
    WHERE "subscription_id" = ${line.id} AND "state" = 'active' AND "payment_id" = ${paymentId} RETURNING *`;
  await stopWhatEnded(tx, line, ended, { refunded: paymentId });
}

async function stopWhatEnded(
  tx: Tx,
  line: Line,
  ended: readonly Tables['bucket'][],
  cause: Record<string, string>,
  fresh: readonly string[] = [],
): Promise<void> {
  for (const bucket of ended) {
    await appendEvent(tx, {
      type: 'BucketStateChangeEvent',
      resourceType: 'bucket',
      resourceId: bucket.id,
      sequence: bucket.version,
      change: { from: 'active', to: 'expired', lapsed: Number(bucket.expired) },
      customerId: line.customerId,
    });
  }
  const kinds = [...new Set(ended.map((bucket) => bucket.kind))].filter((kind) => !fresh.includes(kind));
  if (kinds.length === 0) return;
  await writeEvents(tx);
  await tx.sql`SELECT stop_exhausted(${line.id}, kind, ${tx.now}, ${JSON.stringify({ ...tx.cause, ...cause })}::jsonb)
    FROM unnest(${kinds}::text[]) AS kind`;
}

/** After new quota: what was stopped for want of it starts again, the reasons given are lifted, and the network is told. */
export async function resume(tx: Tx, lineId: string, lift: readonly string[], kinds: readonly string[]): Promise<Line> {
  const line = await lockLine(tx, lineId);
  const blockReasons = line.blockReasons.filter((reason) => !lift.includes(reason));
  const stoppedKinds = line.stoppedKinds.filter((kind) => !kinds.includes(kind));
  const state = line.state === 'blocked' && blockReasons.length === 0 ? 'active' : (line.state ?? 'pending');
  if (
    state === line.state &&
    blockReasons.length === line.blockReasons.length &&
    stoppedKinds.length === line.stoppedKinds.length
  )
    return line;
  const changed = await changeLine(tx, line, { state, blockReasons, stoppedKinds });
  await orderNetwork(tx, lineId);
  return changed;
}

export function vasExpiry(tx: Tx, terms: OfferingTerms): Date {
  return terms.validityHours === null
    ? daysAfter(tx.now, tx.settings.vasValidityDays, tx.settings.timeZone)
    : hoursAfter(tx.now, terms.validityHours);
}

const endTermName = 'end';

/** How a product tells that it ends, and when. */
export function endTerm(at: Date): JsonObject {
  return {
    name: endTermName,
    description: 'Ends instead of being renewed',
    validFor: { endDateTime: at.toISOString() },
  };
}

export const isEndTerm = (term: JsonObject) => term.name === endTermName;

/** Opens a period: fresh quota of the plan until its end, and the renewal that is due then. */
export async function openPeriod(
  tx: Tx,
  lineId: string,
  period: { number: number; anchorAt: Date; monthsFromAnchor: number; startsAt: Date; paymentId: string },
): Promise<Line> {
  const line = await lockLine(tx, lineId);
  const endsAt = monthsAfter(period.anchorAt, period.monthsFromAnchor + 1, tx.settings.timeZone);
  const before = documentOf(line);
  const opened = await saveRow(
    tx,
    productResource,
    { ...line, document: before },
    {
      ...before,
      startDate: before.startDate ?? tx.now.toISOString(),
      productTerm: [
        {
          name: 'current period',
          description: `Period ${period.number}`,
          validFor: { startDateTime: period.startsAt.toISOString(), endDateTime: endsAt.toISOString() },
        },
        ...(line.endItemId === null ? [] : [endTerm(endsAt)]),
      ],
    },
    {
      state: line.state,
      anchorAt: period.anchorAt,
      periodNumber: period.number,
      periodStartsAt: period.startsAt,
      periodEndsAt: endsAt,
      // A period that is bought moves the boundary, and with it an end that waits for the boundary.
      ...(line.endItemId === null ? {} : { endsAt }),
    },
  );
  await grantBuckets(tx, opened, termsOf(opened), {
    source: 'plan',
    paymentId: period.paymentId,
    periodNumber: period.number,
    expiresAt: endsAt,
  });
  // Paid for: what an earlier boundary or an unpaid time had set in motion no longer counts.
  await cancelSteps(tx, lineId, [...renewalSteps, 'unpaid.terminate']);
  await scheduleRenewal(tx, lineId, endsAt);
  return opened;
}

export async function scheduleRenewal(tx: Tx, lineId: string, dueAt: Date): Promise<void> {
  await schedule(tx, {
    flow: 'renewal',
    subject: lineId,
    step: 'charge',
    key: `renewal:${lineId}:${dueAt.toISOString()}`,
    dueAt,
  });
  const { renewalNoticeDays, timeZone } = tx.settings;
  const noticeAt = daysAfter(dueAt, -renewalNoticeDays, timeZone);
  if (renewalNoticeDays === 0 || dueAt <= tx.now) return;
  await tell(tx, {
    kind: 'renewal_due',
    subject: lineId,
    fact: dueAt.toISOString(),
    input: { boundary: dueAt.toISOString() },
    dueAt: noticeAt > tx.now ? noticeAt : tx.now,
  });
}

/** Cancelled together: the renewal that was to come will not, and nobody is told that it would. */
const renewalSteps = ['renewal.charge', `${noticeFlow}.renewal_due`] as const;

// ---- a change of plan, which waits for the next period ----

/**
 * Locks a line and, before it, the order of the change of plan that waits for it: the steps of an order lock it before
 * a line, too.
 */
export async function lockLineAndChange(tx: Tx, lineId: string): Promise<{ line: Line; item: Item | undefined }> {
  for (;;) {
    const seen = planChangeOf(await getRow(tx, 'subscription', { id: lineId }));
    const item = seen ? await lockItem(tx, seen.orderItemId) : undefined;
    const line = await lockLine(tx, lineId);
    // Another change may have come between the two reads: then its order is the one to lock.
    if (planChangeOf(line)?.orderItemId === seen?.orderItemId) return { line, item };
  }
}

/**
 * Whether the card is being asked for the next period of a line, by its renewal or by an order. What it is asked for is
 * then the price of the plan that waits, or that none waits: neither may change until it has answered.
 * The caller holds the line's lock, under which each of these charges is begun.
 */
export async function isPeriodCharged(tx: Tx, lineId: string): Promise<boolean> {
  const charges = await tx.sql`SELECT "id" FROM "payment" WHERE "subscription_id" = ${lineId} AND "purpose" = 'renewal'
      AND "state" IN ('pendingAuthorization', 'authorized')
    UNION ALL SELECT "id" FROM "order_item" WHERE "subscription_id" = ${lineId} AND "terms" ->> 'kind' = 'period'
      AND "state" <> ALL (${[...finalItemStates]}) LIMIT 1`;
  return charges.length > 0;
}

/** Writes down that the next period of a line begins another plan. Nothing else of the line changes until then. */
export async function keepPlanChange(tx: Tx, line: Line, change: PlanChange): Promise<void> {
  const pendingChange = { ...planAttributes(change.terms), productOrderItem: [orderItemOf('modify', change)] };
  await describeLine(tx, line, (document) => ({ ...document, pendingChange }), { pendingChange: change });
}

/** The line keeps its plan. What becomes of the order that asked for another is the caller's to say. */
export async function dropPlanChange(tx: Tx, line: Line): Promise<void> {
  await describeLine(tx, line, ({ pendingChange: _, ...document }) => document, { pendingChange: null });
}

/** Calls off the change of plan that waits for a line, and the order item that asked for it, if there is one. */
export async function withdrawPlanChange(tx: Tx, lineId: string, code: string, sentence: string): Promise<void> {
  const { line, item } = await lockLineAndChange(tx, lineId);
  if (!item) return;
  await dropPlanChange(tx, line);
  if (!finalItemStates.includes(item.state))
    await moveItem(tx, item, 'cancel', {}, { note: refusalNote(tx, code, sentence) });
}

/**
 * The next period is paid for: plan, price and allowances of the change that waits become the line's, and its order is
 * fulfilled. Without one that waits nothing happens. The caller opens the period in the same transaction.
 */
export async function beginNextPlan(tx: Tx, lineId: string): Promise<void> {
  const { line, item } = await lockLineAndChange(tx, lineId);
  const change = planChangeOf(line);
  if (!change || !item) return;
  const { terms } = change;
  const old = termsOf(line);
  const before = documentOf(line);
  const { pendingChange: _, ...kept } = before;
  // What a customer called the line stays; what it was called after its plan does not.
  const renamed = (name: string, was: string, is: string) => (before[name] === was ? { [name]: is } : {});
  await saveResource(
    tx,
    productResource,
    { ...line, document: before },
    {
      ...kept,
      ...planAttributes(terms),
      ...renamed('name', old.name, terms.name),
      ...renamed('description', `${old.name} on ${line.msisdn}`, `${terms.name} on ${line.msisdn}`),
      productOrderItem: [...objects(before.productOrderItem), orderItemOf('modify', change)],
    },
    {
      state: line.state,
      offeringId: terms.offeringId,
      planCode: terms.code,
      priceMinor: terms.amountMinor,
      taxRate: terms.taxRate,
      currency: terms.currency,
      terms,
      pendingChange: null,
    },
  );
  await moveItem(tx, await moveItem(tx, item, 'start'), 'complete', {}, { product: refs.product(line.id) });
  await logInteraction(tx, {
    customerId: line.customerId,
    channel: 'system',
    direction: 'outbound',
    reason: 'plan change',
    description: `${line.msisdn} changed from ${old.name} to ${terms.name}`,
    about: [refs.productOrder(change.productOrderId)],
  });
}

/** The line is over: no more renewals or expiries, and the network is told. Number and eSIM are the caller's to return. */
export async function terminateLine(tx: Tx, lineId: string, then?: Then): Promise<Line> {
  await withdrawPlanChange(tx, lineId, 'subscription.line_ended', 'The line ended before its next period began.');
  const line = await lockLine(tx, lineId);
  if (line.state === 'terminated') return line;
  const ended = await changeLine(tx, line, { state: 'terminated', blockReasons: [], stoppedKinds: [] });
  await cancelSteps(tx, lineId, [...renewalSteps, 'bucket.expire', 'unpaid.terminate']);
  await orderNetwork(tx, lineId, then);
  // One that never was active ends with its order, and the order's end is what is told.
  if (line.state !== 'pending') await tell(tx, { kind: 'line_ended', subject: lineId });
  return ended;
}

export async function findLineOfCustomer(
  tx: Tx,
  id: string,
  customerId: string | undefined,
): Promise<Line | undefined> {
  const line = await findRow(tx, 'subscription', { id }, true);
  return line && line.customerId === customerId ? line : undefined;
}
