import { z } from 'zod';
import { AirtimeError } from '../../kernel/error.ts';
import { command } from '../core/command.ts';
import { lockResource, type Stored } from '../core/resource.ts';
import { findRow } from '../core/table.ts';
import { customerFacts, saveContact, withContact } from '../customer/contact.ts';
import { customerResource } from '../customer/resource.ts';
import { type CustomerFacts, emailUnique } from '../customer/rules.ts';
import { logInteraction } from '../interaction/commands.ts';
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
  lockLink,
  type Tried,
  useCode,
} from './one-time-code.ts';
import { codeHash, secretHash } from './secret.ts';
import { endSessionRow, lockSession, makeSession, type SessionRow, sessionInput, theSession } from './session.ts';

export type Made = Awaited<ReturnType<typeof makeSession>>;

interface RequestFacts extends AskFacts {
  session: SessionRow;
  address: Buffer;
  /** Undefined when nobody of ours has the address: it is answered, and takes as long, as when somebody has. */
  customerId: string | undefined;
}

const requestInput = z.object({ session: sessionInput, email: z.string().min(3).max(254) });

/** Five times an hour from one session, and thirty for one address. */
export const requestSignIn = command<z.infer<typeof requestInput>, RequestFacts, object>({
  name: 'sign_in.request',
  summary: 'Mail a code and a link to sign in with',
  input: requestInput,
  audience: ['system'],
  effect: 'write',
  rules: [asksAtMost],
  async facts(tx, { session, email }): Promise<RequestFacts> {
    const address = addressHash(email);
    const row = await theSession(tx, session, ['visitor']);
    const [found] = await tx.sql<{
      id: string;
    }>`SELECT c."id" FROM "email_directory" d JOIN "customer" c ON c."id" = d."customer_id"
      WHERE d."email" = ${email.trim().toLowerCase()} AND c."state" <> 'closed'`;
    return { ...(await asksFor(tx, 'sign_in', address, row.id)), session: row, address, customerId: found?.id };
  },
  async apply(tx, { session, address, customerId }) {
    await askCode(tx, { purpose: 'sign_in', sessionId: session.id, address, customerId });
    return {};
  },
});

interface EnterFacts extends CodeFacts {
  session: SessionRow | undefined;
}

/** By the code, where it was asked for. */
export const enterByCode = command<{ session: Buffer; code: string }, EnterFacts, Tried<Made>>({
  name: 'sign_in.enter',
  summary: 'Sign in with the mailed code',
  input: z.object({ session: sessionInput, code: z.string().max(40) }),
  audience: ['system'],
  effect: 'write',
  rules: codeRules,
  ask: (_outside, { session, code }) => codeHash(code.replace(/\s/g, ''), 'sign_in', session),
  async facts(tx, { session }, given) {
    const row = await theSession(tx, session, ['visitor']);
    return { session: row, code: await lockCode(tx, row.id, 'sign_in'), given: given as Buffer };
  },
  apply: async (tx, facts) => ({ done: await enter(tx, facts) }),
  keepRefused: (tx, facts, _input, refusal) => countTry(tx, facts, refusal),
});

interface LinkFacts extends EnterFacts, CustomerFacts {
  stored: Stored | undefined;
}

/** What came of a link: somebody is signed in, or an address is proven. */
export type ByLink = Made | 'addressProven';

/**
 * By the link, in whatever browser it was opened. The link that a new address got proves that address: it is the
 * customer's from now on. It lets nobody in: whoever mistyped an address must not have signed in a stranger.
 */
export const enterByLink = command<{ session?: Buffer | undefined; token: Buffer }, LinkFacts, Tried<ByLink>>({
  name: 'sign_in.enter_by_link',
  summary: 'Sign in with the mailed link, or prove an address with it',
  input: z.object({ session: sessionInput.optional(), token: z.string().max(200).transform(secretHash) }),
  audience: ['system'],
  effect: 'write',
  rules: [...codeRules, emailUnique],
  async facts(tx, { session, token }) {
    const row = session && (await lockSession(tx, session));
    const code = await lockLink(tx, ['sign_in', 'address'], token);
    const address = code?.address ?? undefined;
    const stored =
      code?.customerId == null || address === undefined
        ? undefined
        : await lockResource(tx, customerResource, code.customerId);
    const document = stored && address !== undefined ? withContact(stored.document, { email: address }) : {};
    const customer = await customerFacts(tx, stored?.id ?? '', document, stored?.document);
    return { ...customer, session: row, code, given: token, stored };
  },
  async apply(tx, facts) {
    const { stored, session, code } = facts;
    if (code?.purpose !== 'address') return { done: await enter(tx, facts) };
    await useCode(tx, facts);
    if (!stored || stored.document.status === 'closed') throw noCustomer();
    await saveContact(tx, { ...facts, stored }, session?.customerId === stored.id ? session.id : undefined);
    await logInteraction(tx, {
      customerId: stored.id,
      reason: 'address proven',
      description: 'The customer proved a new e-mail address',
      direction: 'inbound',
    });
    return { done: 'addressProven' };
  },
  keepRefused: (tx, facts, _input, refusal) => countTry(tx, facts, refusal),
});

const noCustomer = () => new AirtimeError(404, 'notFound', 'There is no such customer.');

async function enter(tx: Parameters<typeof makeSession>[0], facts: EnterFacts): Promise<Made> {
  const { customerId } = await useCode(tx, facts);
  const customer = customerId === null ? undefined : await findRow(tx, 'customer', { id: customerId });
  if (!customer || customer.state === 'closed') throw noCustomer();
  // The session that came with the request ends: whoever knew it before is not signed in by this.
  if (facts.session) await endSessionRow(tx, facts.session.id);
  const made = await makeSession(tx, { kind: 'customer', customerId: customer.id });
  await logInteraction(tx, {
    customerId: customer.id,
    reason: 'signed in',
    description: 'The customer signed in at the pages',
    direction: 'inbound',
  });
  return made;
}
