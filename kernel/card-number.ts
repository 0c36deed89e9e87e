/**
 * Finds card numbers and card verification codes in what a caller sent, so that they are refused before anything is
 * logged or stored. It answers with the place and never with the value.
 */

/** The rule every door keeps, so that each shows the same code and sentence. */
export const cardNumberNeverStored = {
  code: 'card.number_never_stored',
  sentence: 'Card numbers and verification codes are never accepted here; send the token that the card gateway gave.',
} as const;

export interface CardSearch {
  /** The body is about paying, so a card number is refused in any attribute of it. */
  aboutPaying: boolean;
}

const codeNames =
  /^(card)?(cvv|cvc|cvn|cid|csc)\d?(code|number|value)?$|^(card)?(security|verification)(code|value|number)$/;
const numberNames = /^(payment|credit|debit|bank)?card(number|no|num)$|^(card)?pan$|^primaryaccountnumber$|^ccnumber$/;

const plainName = (name: string): string => name.toLowerCase().replace(/[^a-z0-9]/g, '');
const digitsOf = (text: string): string => text.replace(/\D/g, '');

/** Whether the digits carry a correct check digit (ISO/IEC 7812, Luhn). */
export function hasCheckDigit(digits: string): boolean {
  let sum = 0;
  for (let index = 0; index < digits.length; index += 1) {
    let digit = digits.charCodeAt(digits.length - 1 - index) - 48;
    if (index % 2 === 1) {
      digit *= 2;
      if (digit > 9) digit -= 9;
    }
    sum += digit;
  }
  return digits.length > 0 && sum % 10 === 0;
}

// The number ranges that card networks issue. Without them every tenth SIM or device number would look like a card:
// ICCIDs begin with 89, IMEIs have 15 digits and do not begin with 34 or 37.
const issuedRanges: readonly [pattern: RegExp, lengths: readonly number[]][] = [
  [/^4/, [13, 16, 19]],
  [/^(5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720)/, [16]],
  [/^3[47]/, [15]],
  [/^3(0[0-5]|[689])/, [14, 16, 19]],
  [/^35(2[89]|[3-8])/, [16, 17, 18, 19]],
  [/^(6011|64[4-9]|65)/, [16, 17, 18, 19]],
  [/^62/, [16, 17, 18, 19]],
  [/^(50|5[6-9]|6)/, [13, 14, 15, 16, 17, 18, 19]],
];

function isIssued(digits: string): boolean {
  return (
    issuedRanges.some(([pattern, lengths]) => pattern.test(digits) && lengths.includes(digits.length)) &&
    hasCheckDigit(digits)
  );
}

// Letters beside the digits mean an identifier, such as a UUID, and not a number that somebody typed.
const runs = /(?<![\p{L}\d])\d(?:[ \-.]?\d){12,18}(?![\p{L}\d])/gu;
const wholeNumber = /^\s*\d(?:[ \-.]?\d){12,18}\s*$/;

/**
 * Whether a text holds a card number. Digits in groups are recognised everywhere, digits without a gap in prose and
 * wherever a body is about paying: elsewhere a bare number is more often somebody's reference.
 */
function holdsCardNumber(text: string, aboutPaying: boolean): boolean {
  if (text.length < 13) return false;
  if (aboutPaying && wholeNumber.test(text) && hasCheckDigit(digitsOf(text)) && /[1-9]/.test(text)) return true;
  for (const [run] of text.matchAll(runs)) {
    if (!isIssued(digitsOf(run))) continue;
    const isGrouped = /^\d{4}([ -])\d{4}\1|^\d{4}([ -])\d{6}\2/.test(run);
    const isProse = /\p{L}/u.test(text) && /\s/.test(text);
    if (aboutPaying || isGrouped || isProse) return true;
  }
  return false;
}

type Meaning = 'code' | 'number' | 'nothing';
const meanings = new Map<string, Meaning>();
const meaningsMax = 1000;

/** What a name says of its value. The same few names come with every record of a stream, so what they say is remembered. */
function meaningOf(name: string): Meaning {
  let found = meanings.get(name);
  if (found === undefined) {
    const plain = plainName(name);
    found = codeNames.test(plain) ? 'code' : numberNames.test(plain) ? 'number' : 'nothing';
    if (meanings.size >= meaningsMax) meanings.clear();
    if (name.length <= 100) meanings.set(name, found);
  }
  return found;
}

/** Whether this attribute, by its name, holds what may never be kept. A masked or shortened number may. */
function isNamedSecret(name: string, value: unknown): boolean {
  if (typeof value !== 'string' && typeof value !== 'number') return false;
  const means = meaningOf(name);
  if (means === 'nothing') return false;
  const text = String(value).trim();
  if (means === 'code') return /^\d{3,4}$/.test(text);
  const digits = digitsOf(text);
  return digits.length >= 12 && digits.length <= 19 && /^[\d\s.-]+$/.test(text);
}

/** Whether one attribute is to be refused. `name` is its name, or that of the characteristic whose value it is. */
export function isCardSecret(name: string, value: unknown, search: CardSearch): boolean {
  if (isNamedSecret(name, value)) return true;
  if (typeof value === 'number')
    return search.aboutPaying && Number.isInteger(value) && holdsCardNumber(String(value), true);
  return typeof value === 'string' && holdsCardNumber(value, search.aboutPaying);
}

/**
 * The first place in a tree of JSON values that holds a card number or verification code, as `a.b[0].c`; undefined
 * when there is none. `depthMax` bounds the walk: deeper values are not looked at.
 */
export function findCardSecret(root: unknown, search: CardSearch, depthMax = 64): string | undefined {
  return walk(root, '', '', search, depthMax);
}

function walk(value: unknown, place: string, name: string, search: CardSearch, left: number): string | undefined {
  if (value === null || left < 0) return undefined;
  if (typeof value !== 'object') return isCardSecret(name, value, search) ? place || '(the whole)' : undefined;
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index += 1) {
      const found = walk(value[index], `${place}[${index}]`, name, search, left - 1);
      if (found !== undefined) return found;
    }
    return undefined;
  }
  const entries = Object.entries(value);
  // {name: 'cvv', value: '123'} is TM Forum's way to write cvv: '123'; a JSON patch names it by the end of its path.
  const named = entries.find(([key, given]) => key === 'name' && typeof given === 'string')?.[1];
  const path = entries.find(([key, given]) => key === 'path' && typeof given === 'string')?.[1];
  for (const [key, given] of entries) {
    const inner = place === '' ? key : `${place}.${key}`;
    if (isCardSecret('', key, search)) return place === '' ? '(an attribute name)' : `${place} (an attribute name)`;
    const label = key === 'value' ? (named ?? lastSegment(path) ?? key) : key;
    const found = walk(given, inner, String(label), search, left - 1);
    if (found !== undefined) return found;
  }
  return undefined;
}

function lastSegment(path: unknown): string | undefined {
  return typeof path === 'string' ? path.slice(path.lastIndexOf('/') + 1) : undefined;
}
