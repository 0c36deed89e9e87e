import { z } from 'zod';
import { notFound } from '../../kernel/error.ts';
import { command } from '../core/command.ts';
import { callerKey, digest } from '../core/confirmation.ts';
import { findRow, type Tables } from '../core/table.ts';
import type { Tx } from '../core/transaction.ts';
import {
  type AskFacts,
  addressHash,
  askCode,
  asksAtMost,
  asksFor,
  type CodeFacts,
  codeRules,
  countTry,
  lockCode,
  type Tried,
  useCode,
} from './one-time-code.ts';
import { codeHash } from './secret.ts';
import { type SessionRow, sessionInput, theSession } from './session.ts';

// At the pages a person says yes twice: to the proposal, and with a code that only their mailbox has. The confirmation
// of a session is worth nothing before that: `confirmation.second_code_given` judges it wherever it is used.

export const confirmationInput = z.string().max(200).transform(digest);

/** The proposal that a session has in mind. One of somebody else, or one that is over, is answered as if it were none. */
export async function proposalOf(tx: Tx, session: SessionRow, hash: Buffer): Promise<Tables['confirmation']> {
  const caller = callerKey({ audience: 'customer', id: session.id, customerId: session.customerId ?? '' });
  const [row] = await tx.sql<
    Tables['confirmation']
  >`SELECT * FROM "confirmation" WHERE "hash" = ${hash} AND "caller" = ${caller}
    AND "used_at" IS NULL AND "expires_at" > clock_timestamp() FOR UPDATE`;
  if (!row) throw notFound('proposal', 'that waits for a code');
  return row;
}

interface RequestFacts extends AskFacts {
  session: SessionRow;
  address: Buffer;
}

const requestInput = z.object({
  session: sessionInput,
  confirmation: confirmationInput,
  /** What it confirms, as the person was shown it. */
  what: z.string().max(1000).optional(),
});

export const requestSecondCode = command<z.infer<typeof requestInput>, RequestFacts, object>({
  name: 'second_code.request',
  summary: 'Mail the code that confirms a proposal',
  input: requestInput,
  audience: ['system'],
  effect: 'write',
  rules: [asksAtMost],
  async facts(tx, { session, confirmation }): Promise<RequestFacts> {
    const row = await theSession(tx, session, ['customer']);
    await proposalOf(tx, row, confirmation);
    const customer = await findRow(tx, 'customer', { id: row.customerId ?? '' });
    const address = addressHash(customer?.email ?? row.id);
    return { ...(await asksFor(tx, 'act', address, row.id)), session: row, address };
  },
  async apply(tx, { session, address }, { confirmation, what }) {
    await askCode(tx, {
      purpose: 'act',
      sessionId: session.id,
      address,
      customerId: session.customerId ?? undefined,
      confirmationHash: confirmation,
      letter: what === undefined ? {} : { what },
    });
    return {};
  },
});

interface GiveFacts extends CodeFacts {
  confirmation: Buffer;
}

export const giveSecondCode = command<
  { session: Buffer; confirmation: Buffer; code: string },
  GiveFacts,
  Tried<Record<string, never>>
>({
  name: 'second_code.give',
  summary: 'Bring the code that confirms a proposal',
  input: z.object({ session: sessionInput, confirmation: confirmationInput, code: z.string().max(40) }),
  audience: ['system'],
  effect: 'write',
  rules: codeRules,
  ask: (_outside, { session, code }) => codeHash(code.replace(/\s/g, ''), 'act', session),
  async facts(tx, { session, confirmation }, given) {
    const row = await theSession(tx, session, ['customer']);
    await proposalOf(tx, row, confirmation);
    const code = await lockCode(tx, row.id, 'act');
    // A code that was mailed for one proposal confirms no other.
    const isIts = code?.confirmationHash !== null && confirmation.equals(code?.confirmationHash ?? Buffer.alloc(0));
    return { code: isIts ? code : undefined, given: given as Buffer, confirmation };
  },
  async apply(tx, facts) {
    await useCode(tx, facts);
    await markProven(tx, facts.confirmation);
    return { done: {} };
  },
  keepRefused: (tx, facts, _input, refusal) => countTry(tx, facts, refusal),
});

export async function markProven(tx: Tx, confirmation: Buffer): Promise<void> {
  await tx.sql`UPDATE "confirmation" SET "second_code_at" = clock_timestamp() WHERE "hash" = ${confirmation}`;
}
