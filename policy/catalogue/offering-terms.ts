import { isJsonObject, type Json, type JsonObject } from '../../kernel/json.ts';
import { fromWireMoney } from '../../kernel/money.ts';
import { objects, text } from '../core/party.ts';
import type { Settings, Tx } from '../core/transaction.ts';

export const allowanceKinds = ['data', 'voice', 'sms', 'roaming_data'] as const;
export type AllowanceKind = (typeof allowanceKinds)[number];

export const offeringKinds = ['plan', 'vas', 'period'] as const;
/** A plan opens a line, a VAS adds to it, a period renews it before its boundary. */
export type OfferingKind = (typeof offeringKinds)[number];

export interface Allowance {
  kind: AllowanceKind;
  /** Base units: bytes, seconds, messages. Null is unlimited. */
  quantity: number | null;
}

/** What the house sells by, read once from an offering and its price. Copied into an order, it no longer changes. */
export interface OfferingTerms {
  offeringId: string;
  code: string;
  name: string;
  kind: OfferingKind;
  /** Tax included, in minor units. 0 for a period: what is charged then is the price copied to the line. */
  amountMinor: number;
  currency: string;
  /** Hundredths of a percent: 900 is 9 %. */
  taxRate: number;
  allowances: Allowance[];
  /** How long a VAS lasts from its capture. Null for a plan and a period: they last as the line's period does. */
  validityHours: number | null;
  /** Null for a period. */
  priceId: string | null;
}

/** An offering that stands in the catalogue and that the house does not know how to sell. */
export interface TermsFault {
  fault: string;
}

const unitsOf: Readonly<Record<AllowanceKind, Readonly<Record<string, number>>>> = {
  data: { GB: 1024 ** 3, MB: 1024 ** 2 },
  roaming_data: { GB: 1024 ** 3, MB: 1024 ** 2 },
  voice: { min: 60 },
  sms: { SMS: 1 },
};

const validityUnits: Readonly<Record<string, number>> = { day: 24, h: 1 };

interface Characteristic {
  value: Json | undefined;
  unit: string | undefined;
}

/** The values of the characteristic of that name, wherever the offering lists it. */
function characteristics(offering: JsonObject, name: string): Characteristic[] {
  return objects(offering.prodSpecCharValueUse)
    .filter((use) => text(use.name) === name)
    .flatMap((use) => objects(use.productSpecCharacteristicValue))
    .map((value) => ({ value: value.value, unit: text(value.unitOfMeasure) }));
}

/** What the offering says it is, or undefined where it does not say so in words of the house. */
export function offeringKind(offering: JsonObject): OfferingKind | undefined {
  const [value] = characteristics(offering, 'kind');
  return offeringKinds.find((kind) => kind === value?.value);
}

export function offeringCode(offering: JsonObject): string | undefined {
  const code = text(offering.code);
  return code === '' ? undefined : code;
}

function allowancesOf(offering: JsonObject): Allowance[] | TermsFault {
  const allowances: Allowance[] = [];
  for (const kind of allowanceKinds) {
    const values = characteristics(offering, kind);
    const [value] = values;
    if (!value) continue;
    if (values.length > 1) return { fault: `${kind} is given more than once` };
    if (value.value === 'unlimited') {
      allowances.push({ kind, quantity: null });
      continue;
    }
    const perUnit = value.unit === undefined ? undefined : unitsOf[kind][value.unit];
    if (perUnit === undefined) {
      return {
        fault: `${kind} is measured in ${Object.keys(unitsOf[kind]).join(' or ')}, not in ${value.unit ?? 'nothing'}`,
      };
    }
    const quantity = typeof value.value === 'number' ? value.value * perUnit : Number.NaN;
    if (!Number.isSafeInteger(quantity) || quantity <= 0)
      return { fault: `${kind} is not a whole quantity above zero` };
    allowances.push({ kind, quantity });
  }
  return allowances;
}

function validityOf(offering: JsonObject, settings: Pick<Settings, 'vasValidityDays'>): number | TermsFault {
  const values = characteristics(offering, 'validity');
  const [value] = values;
  if (!value) return settings.vasValidityDays * 24;
  const hoursPerUnit = value.unit === undefined ? undefined : validityUnits[value.unit];
  if (values.length > 1 || hoursPerUnit === undefined) return { fault: 'validity is one value in day or h' };
  const hours = typeof value.value === 'number' ? value.value * hoursPerUnit : Number.NaN;
  return Number.isSafeInteger(hours) && hours > 0 ? hours : { fault: 'validity is not a whole time above zero' };
}

/** A rate on the wire is a percentage; ours is in hundredths of one. Turned by its digits, so 8.25 is 825. */
function taxRateOf(price: JsonObject, settings: Pick<Settings, 'taxRate'>): number | TermsFault {
  const items = objects(price.tax);
  const [item] = items;
  if (!item) return settings.taxRate;
  const rate = typeof item.taxRate === 'number' ? item.taxRate : Number.NaN;
  const hundredths = Math.round(rate * 100);
  if (items.length > 1 || !(rate >= 0 && rate <= 100) || hundredths / 100 !== rate) {
    return { fault: 'the price has one tax, whose rate is 0 to 100 percent with at most two decimals' };
  }
  return hundredths;
}

function isMonthly(price: JsonObject): boolean {
  return price.recurringChargePeriodType === 'month' && (price.recurringChargePeriodLength ?? 1) === 1;
}

/**
 * Reads the terms the house sells an offering by: its `code`, the characteristics `kind`, `data`, `voice`, `sms`,
 * `roaming_data` and `validity` in `prodSpecCharValueUse`, and its one price.
 * @param prices the stored prices that the offering refers to, those in force.
 * @returns a fault, as the end of the sentence "The offering cannot be sold: …", where they do not make sense.
 */
export function offeringTerms(
  offering: JsonObject,
  prices: readonly JsonObject[],
  settings: Pick<Settings, 'currency' | 'taxRate' | 'vasValidityDays'>,
): OfferingTerms | TermsFault {
  const offeringId = text(offering.id);
  const code = offeringCode(offering);
  const kind = offeringKind(offering);
  if (offeringId === undefined || code === undefined) return { fault: 'it has no code' };
  if (kind === undefined) return { fault: 'its kind is not plan, vas or period' };
  const allowances = allowancesOf(offering);
  if ('fault' in allowances) return allowances;
  const common = { offeringId, code, name: text(offering.name) ?? code, kind };
  if (kind === 'period') {
    if (allowances.length > 0) return { fault: 'a period gives what the plan gives, and has no allowances of its own' };
    const { currency, taxRate } = settings;
    return { ...common, amountMinor: 0, currency, taxRate, allowances, validityHours: null, priceId: null };
  }
  if (kind === 'plan' && !allowances.some((one) => one.kind === 'data'))
    return { fault: 'a plan has a data allowance' };
  if (allowances.length === 0) return { fault: 'a VAS has an allowance' };

  const priceType = kind === 'plan' ? 'recurring' : 'oneTime';
  const fitting = prices.filter((price) => price.priceType === priceType);
  const [price] = fitting;
  const priceId = text(price?.id);
  if (!price || priceId === undefined || fitting.length > 1) {
    return { fault: `it has ${fitting.length} ${priceType} prices in force, not one` };
  }
  if (kind === 'plan' && !isMonthly(price)) return { fault: 'a plan is charged by the calendar month' };
  const wire = price.price;
  const amount =
    isJsonObject(wire) && typeof wire.unit === 'string' && typeof wire.value === 'number'
      ? fromWireMoney({ unit: wire.unit, value: wire.value })
      : undefined;
  if (!amount || amount.amountMinor < 0) return { fault: 'its price is not an amount of money' };
  if (amount.currency !== settings.currency) return { fault: `its price is not in ${settings.currency}` };
  const taxRate = taxRateOf(price, settings);
  if (typeof taxRate !== 'number') return taxRate;
  const validityHours = kind === 'vas' ? validityOf(offering, settings) : null;
  if (validityHours !== null && typeof validityHours !== 'number') return validityHours;
  return { ...common, ...amount, taxRate, allowances, validityHours, priceId };
}

/** Whether an instant lies in a `validFor`. It begins with its start and is over at its end; an open side is open. */
export function isWithin(validFor: Json | undefined, now: Date): boolean {
  if (!isJsonObject(validFor)) return true;
  const start = text(validFor.startDateTime);
  const end = text(validFor.endDateTime);
  return (
    (start === undefined || Date.parse(start) <= now.getTime()) &&
    (end === undefined || now.getTime() < Date.parse(end))
  );
}

/** Whether an offering is on sale now: active or launched, not kept from sale, within its window. */
export function isSellable(offering: JsonObject, now: Date): boolean {
  const isOnSale = offering.lifecycleStatus === 'Active' || offering.lifecycleStatus === 'Launched';
  return isOnSale && offering.isSellable !== false && isWithin(offering.validFor, now);
}

export interface OfferingRead {
  document: JsonObject;
  state: string | null;
  terms: OfferingTerms | TermsFault;
}

interface OfferingRow {
  document: JsonObject;
  state: string | null;
  prices: JsonObject[] | null;
}

/**
 * Reads an offering with its terms in one query. It is held against deletion until the transaction ends, so that what
 * an order refers to is still there when the order commits.
 */
export async function readOffering(tx: Tx, id: string): Promise<OfferingRead | undefined> {
  const rows = await tx.sql<OfferingRow>`SELECT o."document", o."state", (
      SELECT jsonb_agg(p."document" ORDER BY p."id") FROM "product_offering_price" p
      WHERE p."id" IN (SELECT jsonb_path_query(o."document", '$.productOfferingPrice[*].id') #>> '{}')) AS "prices"
    FROM "product_offering" o WHERE o."id" = ${id} FOR KEY SHARE OF o`;
  return toRead(tx, rows[0]);
}

/** The same by the code people know it by: `PLAN_S`. */
export async function readOfferingByCode(tx: Tx, code: string): Promise<OfferingRead | undefined> {
  const rows = await tx.sql<OfferingRow>`SELECT o."document", o."state", (
      SELECT jsonb_agg(p."document" ORDER BY p."id") FROM "product_offering_price" p
      WHERE p."id" IN (SELECT jsonb_path_query(o."document", '$.productOfferingPrice[*].id') #>> '{}')) AS "prices"
    FROM "product_offering" o WHERE o."code" = ${code} FOR KEY SHARE OF o`;
  return toRead(tx, rows[0]);
}

function toRead(tx: Pick<Tx, 'now' | 'settings'>, row: OfferingRow | undefined): OfferingRead | undefined {
  if (!row) return undefined;
  const prices = (row.prices ?? []).filter((price) => isWithin(price.validFor, tx.now));
  return { document: row.document, state: row.state, terms: offeringTerms(row.document, prices, tx.settings) };
}
