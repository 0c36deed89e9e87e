import { createHash } from 'node:crypto';
import type { Refusal } from '../../kernel/error.ts';
import type { JsonObject } from '../../kernel/json.ts';
import { schedule } from '../core/flow.ts';
import { rule } from '../core/rule.ts';
import { insertRow, type Tables } from '../core/table.ts';
import type { Tx } from '../core/transaction.ts';
import { noticeFlow } from '../notice/notice.ts';
import { isSame } from './secret.ts';

// A code of six digits that is mailed, and for signing in a link beside it. It is drawn when the mail is written, a
// moment before it goes out: no row, event or log ever holds it. What is asked for does the same work whether there is
// anybody to write to or not.

export const codeStep = 'one_time_code';

/** Minutes of machine time. */
const codeMinutes = 10;
const triesMax = 5;

/** What a code lets somebody do: sign in, sign up, or confirm one proposal. A link may prove an address, or open the operators’ pages. */
export type Purpose = 'sign_in' | 'sign_up' | 'act' | 'address' | 'desk';

/** What is mailed when it is asked for. The link to the operators’ pages is answered to whoever made it. */
export type MailedPurpose = Exclude<Purpose, 'desk'>;

/**
 * How often in an hour it may be asked for: in one session of a browser, whatever address is named, and for one address,
 * whoever asks. Anybody may name the address of somebody else to sign in, so five from a session are well below the
 * thirty at which an address is closed for the rest of the hour: nobody is locked out by one who asks in their name. What
 * is mailed to an address that nobody has proven yet stops at five: it is perhaps a stranger’s.
 */
const asksMax: Readonly<Record<MailedPurpose, { session: number; address: number }>> = {
  sign_in: { session: 5, address: 30 },
  sign_up: { session: 5, address: 5 },
  act: { session: 20, address: 20 },
  address: { session: 5, address: 5 },
};

export type CodeRow = Tables['oneTimeCode'];

/** How often it was asked for in the last hour, and how often it may be: for the address, and in the session. */
export interface AskFacts {
  asks: number;
  asksMax: number;
  sessionAsks: number;
  sessionAsksMax: number;
}

/** Of what asks for no code. */
export const noAsks: AskFacts = { asks: 0, asksMax: 1, sessionAsks: 0, sessionAsksMax: 1 };

/** In an hour five codes to sign in from one session, and thirty to one address; `asksMax` has those of the others. */
export const asksAtMost = rule<AskFacts>({
  code: 'one_time_code.asks_at_most',
  sentence:
    'So many codes were asked for, here or for this address, that the next one has to wait: try again in an hour.',
  status: 409,
  kept: (facts) => facts.asks < facts.asksMax && facts.sessionAsks < facts.sessionAsksMax,
});

export const addressHash = (address: string): Buffer =>
  createHash('sha256').update(address.trim().toLowerCase(), 'utf8').digest();

/**
 * How often this was asked for in the last hour. Those who ask at once are counted one by one.
 * @param sessionId the session, locked; none when it is asked for by other means
 */
export async function asksFor(
  tx: Tx,
  purpose: MailedPurpose,
  address: Buffer,
  sessionId: string | undefined,
): Promise<AskFacts> {
  await tx.sql`SELECT pg_advisory_xact_lock(hashtextextended(${`code ${address.toString('hex')}`}, 0))`;
  const [asked] = await tx.sql<{ asks: bigint; sessionAsks: bigint }>`SELECT
    (SELECT count(*) FROM "one_time_code" WHERE "address_hash" = ${address} AND "purpose" = ${purpose}
      AND "created_at" > clock_timestamp() - interval '1 hour') AS asks,
    (SELECT count(*) FROM "one_time_code" WHERE "session_id" = ${sessionId ?? null} AND "purpose" = ${purpose}
      AND "created_at" > clock_timestamp() - interval '1 hour') AS session_asks`;
  const most = asksMax[purpose];
  return {
    asks: Number(asked?.asks ?? 0),
    asksMax: most.address,
    sessionAsks: Number(asked?.sessionAsks ?? 0),
    sessionAsksMax: most.session,
  };
}

/** Writes down that a code was asked for, and has it mailed. */
export async function askCode(
  tx: Tx,
  code: {
    purpose: MailedPurpose;
    /** Where the code may be brought; a link alone is followed in whatever browser. */
    sessionId?: string;
    address: Buffer;
    /** The address itself, where it is to become a customer’s. */
    newAddress?: string;
    customerId?: string | undefined;
    confirmationHash?: Buffer;
    /** What the letter needs besides. */
    letter?: JsonObject;
  },
): Promise<void> {
  const { purpose, sessionId, address, newAddress, customerId, confirmationHash, letter } = code;
  const id = tx.newId('otc');
  // The one before is worth nothing from now on: that of this session, or a customer’s link to whatever address.
  await tx.sql`UPDATE "one_time_code" SET "expires_at" = clock_timestamp() WHERE "purpose" = ${purpose} AND "expires_at" > clock_timestamp()
    AND ("session_id" = ${sessionId ?? null} OR ("customer_id" = ${customerId ?? null} AND "session_id" IS NULL))`;
  await insertRow(tx, 'oneTimeCode', {
    id,
    purpose,
    ...(sessionId === undefined ? {} : { sessionId }),
    addressHash: address,
    ...(newAddress === undefined ? {} : { address: newAddress }),
    ...(customerId === undefined ? {} : { customerId }),
    ...(confirmationHash === undefined ? {} : { confirmationHash }),
    ...(await codeTimes(tx)),
  });
  await schedule(tx, {
    flow: noticeFlow,
    subject: id,
    step: codeStep,
    key: `${noticeFlow}:${codeStep}:${id}`,
    ...(letter === undefined ? {} : { input: letter }),
  });
}

export async function codeTimes(tx: Tx): Promise<{ createdAt: Date; expiresAt: Date }> {
  const [times] = await tx.sql<{ createdAt: Date; expiresAt: Date }>`SELECT clock_timestamp() AS created_at,
    clock_timestamp() + make_interval(mins => ${codeMinutes}) AS expires_at`;
  if (!times) throw new Error('the database gave no time');
  return times;
}

export interface CodeFacts {
  /** The code that this session waits for, as long as it is good for anything. */
  code: CodeRow | undefined;
  /** The digest of what was typed, or of what the link held. */
  given: Buffer;
}

const digestOf = ({ code, given }: CodeFacts): Uint8Array | undefined =>
  (code?.linkHash !== null && code?.linkHash !== undefined && isSame(code.linkHash, given)
    ? code.linkHash
    : code?.codeHash) ?? undefined;

export const triesLeft = rule<CodeFacts>({
  code: 'one_time_code.tries_left',
  sentence: 'This code was tried too often: ask for another one.',
  kept: ({ code }) => (code?.tries ?? 0) < triesMax,
});

// Whether it is unknown, used, over or wrong is not told: they are all answered alike.
export const codeIsRight = rule<CodeFacts>({
  code: 'one_time_code.is_right',
  sentence: 'This is not the code that was mailed, or its time is over: look again, or ask for another one.',
  kept: (facts) => {
    const digest = digestOf(facts);
    return digest !== undefined && isSame(digest, facts.given);
  },
});

/** In this order: the sixth try is refused whatever it holds. */
export const codeRules = [triesLeft, codeIsRight];

/** The last code that a session asked for, locked, so that tries at once are counted one by one. */
export async function lockCode(tx: Tx, sessionId: string, purpose: Purpose): Promise<CodeRow | undefined> {
  const [row] =
    await tx.sql<CodeRow>`SELECT * FROM "one_time_code" WHERE "session_id" = ${sessionId} AND "purpose" = ${purpose}
    AND "used_at" IS NULL AND "expires_at" > clock_timestamp() ORDER BY "created_at" DESC, "id" DESC LIMIT 1 FOR UPDATE`;
  return row;
}

export async function lockLink(tx: Tx, purposes: readonly Purpose[], hash: Buffer): Promise<CodeRow | undefined> {
  const [row] =
    await tx.sql<CodeRow>`SELECT * FROM "one_time_code" WHERE "link_hash" = ${hash} AND "purpose" = ANY (${[...purposes]}::text[])
    AND "used_at" IS NULL AND "expires_at" > clock_timestamp() FOR UPDATE`;
  return row;
}

/** What a command answers whose refusals leave a trace: the try is counted, so nothing is rolled back. */
export type Tried<T> = { done: T } | { refused: Refusal };

export async function countTry(tx: Tx, { code }: CodeFacts, refused: Refusal): Promise<{ refused: Refusal }> {
  if (code) await tx.sql`UPDATE "one_time_code" SET "tries" = "tries" + 1 WHERE "id" = ${code.id}`;
  return { refused };
}

/** What a customer asked for is worth nothing any more: they are reached elsewhere. */
export async function expireCodes(tx: Tx, customerId: string, purposes: readonly MailedPurpose[]): Promise<void> {
  await tx.sql`UPDATE "one_time_code" SET "expires_at" = clock_timestamp()
    WHERE "customer_id" = ${customerId} AND "purpose" = ANY (${[...purposes]}::text[]) AND "used_at" IS NULL AND "expires_at" > clock_timestamp()`;
}

export async function useCode(tx: Tx, { code }: CodeFacts): Promise<CodeRow> {
  if (!code) throw new Error('a command that was not refused has a code');
  await tx.sql`UPDATE "one_time_code" SET "used_at" = clock_timestamp() WHERE "id" = ${code.id}`;
  return code;
}
