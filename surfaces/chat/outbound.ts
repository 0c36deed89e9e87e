import type { Caller } from '../../kernel/caller.ts';
import { type Conversations, numberEnd } from '../../tools/conversations.ts';

const secrets = /\b(?:air|cnf)_[A-Za-z0-9_-]{16,}/g;
/** What stands where a secret stood. */
export const secretMark = '(a secret was taken out)';
const unnamed = '(not yours)';
/** What is answered when more than a name would have to be taken out. */
export const withheldReply = 'That answer named something that is not yours, so it is withheld.';

/** Tokens and confirmations belong on nobody's screen here, and before no model. */
export function withoutSecrets(text: string): string {
  return text.replace(secrets, secretMark);
}

// What a terminal would obey and what hides text from a reader; line ends and tabs are for reading.
const controls = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu;

export function withoutControls(text: string): string {
  return text.replace(controls, (found) => (/^[\n\t\r]+$/.test(found) ? found : found.replace(/[^\n\t]/g, '')));
}

const id = /[a-z]{2,3}_[0-9a-hjkmnp-tv-z]{26}/gi;
// Figures with the marks that people put between them.
const figures = /\+?\d(?:[ .()/-]{0,2}\d){7,}/g;
const billNumber = /(?<!\d)\d{8,20}(?!\d)/g;
/** Things of one kind that are looked up for one text. One that has more is withheld. */
const namedMax = 2000;
// Bounded, so that a long text of a hostile model costs no more than its length.
const email = /[\p{L}\p{N}._%+-]{1,64}@[\p{L}\p{N}-]{1,63}(?:\.[\p{L}\p{N}-]{1,63}){1,8}/gu;

/** The catalogue is everybody's. */
const publicPrefix = /^(?:ofr|prc|cat|cgy|spc|usp)_/i;

const digits = (text: string): string => text.replace(/\D/g, '');

function base64Of(text: string): string[] {
  return [...text.matchAll(/[A-Za-z0-9+/_-]{16,}={0,2}/g)].map(([found]) =>
    Buffer.from(found, 'base64').toString('utf8').normalize('NFKC'),
  );
}

function hexOf(text: string): string[] {
  return [...text.matchAll(/(?:[0-9a-f]{2}){12,}/gi)].map(([found]) => Buffer.from(found, 'hex').toString('utf8'));
}

function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text.replace(/%([0-7][0-9a-f])/gi, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)));
  }
}

/** The text as somebody would write it who wants it overlooked. */
function disguises(text: string): string[] {
  const plain = unescaped(text);
  const squeezed = plain.replace(/[^\p{L}\p{N}_@.]/gu, '');
  const backwards = [...squeezed].reverse().join('');
  return [plain, squeezed, backwards, ...base64Of(text), ...hexOf(text)];
}

/** Wherever a number may end in a run of figures: what stands behind it or before it may be a figure too. */
const endsIn = (run: string): string[] =>
  Array.from({ length: Math.max(0, run.length - numberEnd + 1) }, (_, from) => run.slice(from, from + numberEnd));

const found = (text: string, pattern: RegExp): string[] => [...text.matchAll(pattern)].map(([one]) => one);

export interface Outbound {
  text: string;
  /** Whether anything was taken out, which is told to nobody but the audit. */
  isChanged: boolean;
  /** Customers whose it was, for those things that are somebody's. */
  foreign: string[];
}

/**
 * The last look at what a model wrote to a customer: an id, a number or an address that is not the customer's own does
 * not leave. What is another's and what is nobody's are treated alike, so that nothing is learned by asking for either.
 */
export async function outbound(text: string, caller: Caller, owners: Conversations['owners']): Promise<Outbound> {
  const plain = text.normalize('NFKC').replace(/\p{Cf}/gu, '');
  const hidden = disguises(await withoutOwnBills(plain, caller, owners));
  const all = [plain, ...hidden];
  const ids = [...new Set(all.flatMap((one) => found(one, id)).map((one) => one.toLowerCase()))];
  const runs = [...new Set(all.flatMap((one) => found(one, figures)).map(digits))];
  const ends = [...new Set(runs.flatMap(endsIn))];
  // A bill's number counts whole: in the middle of other figures there is always one of somebody's.
  const bills = [...new Set([...runs, ...all.flatMap((one) => found(one, billNumber))])];
  const emails = [...new Set(all.flatMap((one) => found(one, email)).map((one) => one.toLowerCase()))];
  if ([ids, ends, bills, emails].some(({ length }) => length > namedMax))
    return { text: withheldReply, isChanged: true, foreign: [] };
  const known = await owners({ ids, figures: bills, ends, emails });
  const ownedBy = (value: string) => known.filter((one) => one.value.toLowerCase() === value);
  const isOwn = (value: string) => ownedBy(value).some((one) => one.customerId === caller.customerId);
  const badIds = new Set(ids.filter((one) => !publicPrefix.test(one) && !isOwn(one)));
  const lines = known.filter(({ msisdn }) => msisdn !== null);
  const ownNumbers = lines.flatMap(({ msisdn, customerId }) =>
    customerId === caller.customerId ? (msisdn ?? []) : [],
  );
  // A run of figures is somebody's number only where we know it; a date or an amount is not. What is part of one's own
  // number tells nothing of another's that ends so.
  const isForeign = (value: string) =>
    ownedBy(value).length > 0 && !isOwn(value) && !ownNumbers.some((one) => one.includes(value));
  const badEnds = new Set(lines.map(({ value }) => value).filter(isForeign));
  const badBills = new Set(bills.filter(isForeign));
  // An ICCID is never told whole, not even one's own.
  const cardNumbers = found(plain, /(?<!\d)\d{18,22}(?!\d)/g);
  const isBadRun = (run: string): boolean => {
    const all = digits(run);
    return (
      endsIn(all).some((end) => badEnds.has(end)) ||
      [all, ...found(run, /\d+/g)].some((one) => badBills.has(one)) ||
      cardNumbers.some((one) => all.includes(one))
    );
  };
  const badEmails = new Set(emails.filter((one) => !isOwn(one)));
  const foreign = [...badIds, ...badEnds, ...badBills, ...badEmails].flatMap((value) =>
    ownedBy(value).flatMap(({ customerId }) =>
      customerId === null || customerId === caller.customerId ? [] : customerId,
    ),
  );
  if (badIds.size + badEnds.size + badBills.size + badEmails.size + cardNumbers.length === 0)
    return { text, isChanged: false, foreign: [] };
  const cleaned = plain
    .replace(id, (one) => (badIds.has(one.toLowerCase()) ? unnamed : one))
    .replace(email, (one) => (badEmails.has(one.toLowerCase()) ? unnamed : one))
    .replace(figures, (one) => (isBadRun(one) ? unnamed : one));
  const isLeft = [cleaned, ...disguises(cleaned)].some(
    (one) =>
      found(one, id).some((value) => badIds.has(value.toLowerCase())) ||
      found(one, email).some((value) => badEmails.has(value.toLowerCase())) ||
      found(one, figures).some(isBadRun),
  );
  return { text: isLeft ? withheldReply : cleaned, isChanged: true, foreign: [...new Set(foreign)] };
}

/** One's own bill may bear a number that is somebody's telephone number when it is read backwards: it hides nothing. */
async function withoutOwnBills(text: string, caller: Caller, owners: Conversations['owners']): Promise<string> {
  const named = [...new Set(found(text, billNumber))];
  if (named.length === 0 || named.length > namedMax) return text;
  const known = await owners({ ids: [], figures: named, ends: [], emails: [] });
  const own = new Set(known.filter(({ customerId }) => customerId === caller.customerId).map(({ value }) => value));
  return text.replace(billNumber, (one) => (own.has(one) ? ' ' : one));
}
