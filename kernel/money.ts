import { dinero, toDecimal } from 'dinero.js';
import * as currencies from 'dinero.js/currencies';

/** An amount as the house keeps it: an integer of minor units beside its ISO-4217 currency. */
export interface Money {
  amountMinor: number;
  currency: string;
}

/** An amount as TM Forum writes it. It exists only on the wire. */
export interface WireMoney {
  unit: string;
  value: number;
}

export interface TaxedAmount {
  taxExcludedMinor: number;
  taxMinor: number;
  taxIncludedMinor: number;
}

type CurrencyCode = keyof typeof currencies;

export function isCurrency(code: string): code is CurrencyCode {
  return Object.hasOwn(currencies, code);
}

function currencyOf(code: string) {
  if (!isCurrency(code)) throw new RangeError(`${code} is not an ISO-4217 currency`);
  return currencies[code];
}

function toDinero(money: Money) {
  return dinero({ amount: money.amountMinor, currency: currencyOf(money.currency) });
}

/** How many digits the currency has after the point: 2 for SGD, 0 for JPY. */
export function minorDigits(currency: string): number {
  return currencyOf(currency).exponent;
}

export function toWireMoney(money: Money): WireMoney {
  return { unit: money.currency, value: Number(toDecimal(toDinero(money))) };
}

/** `25.00` with its currency, for people. */
export function formatMoney(money: Money): string {
  return `${money.currency} ${toDecimal(toDinero(money))}`;
}

/**
 * Reads an amount from the wire. The value is turned by its decimal digits, never by multiplication, so 4.35 is 435.
 * Returns undefined when the value has more digits than the currency has, or is too large to be exact.
 */
export function fromWireMoney(wire: WireMoney): Money | undefined {
  if (!isCurrency(wire.unit) || !Number.isFinite(wire.value)) return undefined;
  const digits = minorDigits(wire.unit);
  const match = /^(-?)(\d+)(?:\.(\d+))?$/.exec(String(wire.value));
  if (!match) return undefined;
  const [, sign, whole = '', fraction = ''] = match;
  if (fraction.length > digits) return undefined;
  const amountMinor = Number(`${sign}${whole}${fraction.padEnd(digits, '0')}`);
  if (!Number.isSafeInteger(amountMinor)) return undefined;
  // Number('-0') is -0, which is not a sum of money.
  return { amountMinor: amountMinor === 0 ? 0 : amountMinor, currency: wire.unit };
}

/** A rate in hundredths of a percent as the wire and people write it: 900 is 9. */
export function taxPercent(taxRateBasisPoints: number): number {
  return taxRateBasisPoints / 100;
}

/**
 * Splits a tax-included price into its net part and its tax, rounded half away from zero. The rate is in hundredths of
 * a percent: 900 is 9 %. The two parts always add up to the price. Integers throughout; the money library has no
 * division to leave this to.
 */
export function splitTax(price: Money, taxRateBasisPoints: number): TaxedAmount {
  const amount = BigInt(Math.abs(price.amountMinor));
  const whole = 10_000n + BigInt(taxRateBasisPoints);
  const rounded = Number((2n * amount * BigInt(taxRateBasisPoints) + whole) / (2n * whole));
  const taxMinor = price.amountMinor < 0 && rounded !== 0 ? -rounded : rounded;
  return { taxExcludedMinor: price.amountMinor - taxMinor, taxMinor, taxIncludedMinor: price.amountMinor };
}
