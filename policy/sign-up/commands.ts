import { z } from 'zod';
import type { CardFacts } from '../../adapters/card-gateway.ts';
import { conflict } from '../../kernel/error.ts';
import { keepCard, newCardFacts } from '../card/commands.ts';
import { cardNotExpired, cardTokenKnown, type NewCardFacts } from '../card/rules.ts';
import type { Policy } from '../core/command.ts';
import { command } from '../core/command.ts';
import { argumentsHash } from '../core/confirmation.ts';
import { refs } from '../core/party.ts';
import { rule } from '../core/rule.ts';
import { findRow, insertRow, type Tables, updateRows } from '../core/table.ts';
import { runStatement, type Tx } from '../core/transaction.ts';
import { createCustomer, createRules, registeredDocument, registerInput } from '../customer/commands.ts';
import { customerFacts } from '../customer/contact.ts';
import { type CustomerFacts, emailValid } from '../customer/rules.ts';
import { logInteraction } from '../interaction/commands.ts';
import { liveOrderSql, wantAs } from '../inventory/wanted.ts';
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
} from '../session/one-time-code.ts';
import { confirmationInput, markProven, proposalOf } from '../session/second-code.ts';
import { codeHash, secretHash } from '../session/secret.ts';
import { endSessionRow, makeSession, type SessionRow, sessionInput, theSession } from '../session/session.ts';
import type { Made } from '../session/sign-in.ts';

// Somebody who signs up is a visitor with a draft until a code that went to their address comes back: then they are a
// customer with a card, their session is another, and what they chose can be ordered.

type SignUpRow = Tables['signUp'];

interface DraftFacts {
  session: SessionRow;
  draft: SignUpRow | undefined;
}

async function draftFacts(tx: Tx, session: Buffer): Promise<DraftFacts> {
  const row = await theSession(tx, session, ['visitor']);
  return { session: row, draft: await findRow(tx, 'signUp', { sessionId: row.id }, true) };
}

function theDraft({ draft }: DraftFacts): SignUpRow {
  if (!draft) throw conflict('sign_up.begun', 'Nothing was told yet: begin with a plan and a name.');
  return draft;
}

const startInput = registerInput.extend({
  session: sessionInput,
  offering: z.string().min(1).max(60).describe('The plan, by code'),
});

/** Keeps what somebody told of themselves; again changes it. Nothing is looked up by the address yet. */
export const startSignUp = command<z.infer<typeof startInput>, DraftFacts & CustomerFacts, { id: string }>({
  name: 'sign_up.start',
  summary: 'Begin to sign up',
  input: startInput,
  audience: ['system'],
  effect: 'write',
  rules: [emailValid],
  async facts(tx, { session, email }) {
    const document = {};
    return {
      ...(await draftFacts(tx, session)),
      id: '',
      version: 0n,
      before: undefined,
      document,
      email: email.trim().toLowerCase(),
      emailOwner: undefined,
      liveLines: 0,
    };
  },
  async apply(tx, { session, draft, email }, input) {
    const { offering, givenName, familyName, phone } = input;
    const told = { offering, givenName, familyName, email: email ?? input.email, phone: phone ?? null };
    if (draft) {
      await updateRows(tx, 'signUp', { id: draft.id }, told);
      return { id: draft.id };
    }
    const [at] = await tx.sql<{ createdAt: Date }>`SELECT clock_timestamp() AS created_at`;
    const id = tx.newId('sgn');
    await insertRow(tx, 'signUp', { id, sessionId: session.id, ...told, ...at });
    return { id };
  },
});

interface CardChoice extends NewCardFacts {
  row: SignUpRow;
}

const cardInput = z.object({ session: sessionInput, token: z.string().min(1).max(200) });

/** The card is judged now, and put on file when there is a customer. Its token is the gateway's, never a number. */
export const chooseCard = command<z.infer<typeof cardInput>, CardChoice, { id: string }>({
  name: 'sign_up.keep_card',
  summary: 'Choose the card to sign up with',
  input: cardInput,
  audience: ['system'],
  effect: 'write',
  rules: [cardTokenKnown, cardNotExpired],
  ask: (outside, { token }) => outside.gateway.describeCard(token),
  async facts(tx, { session, token }, asked) {
    const row = theDraft(await draftFacts(tx, session));
    return { ...(await newCardFacts(tx, cardDocument(token), asked as CardFacts | undefined)), row };
  },
  async apply(tx, { row, card }) {
    await updateRows(tx, 'signUp', { id: row.id }, { card: card ?? null });
    return { id: row.id };
  },
});

const cardDocument = (token: string, customerId?: string) => ({
  '@type': 'tokenizedCard',
  name: 'Card on file',
  token,
  ...(customerId === undefined ? {} : { relatedParty: refs.customer(customerId) }),
});

const keptCard = z.object({
  token: z.string(),
  brand: z.string(),
  lastFour: z.string(),
  expiryMonth: z.number(),
  expiryYear: z.number(),
});

interface WholeFacts {
  draft: SignUpRow;
}

export const signUpIsWhole = rule<WholeFacts>({
  code: 'sign_up.is_whole',
  sentence: 'A number and a card are still to be chosen: choose them before you confirm.',
  status: 409,
  kept: ({ draft }) => draft.msisdn !== null && draft.card !== null,
  shown: ({ draft }) => ({ missing: [...(draft.msisdn ? [] : ['number']), ...(draft.card ? [] : ['card'])] }),
});

interface RequestFacts extends AskFacts, WholeFacts {
  session: SessionRow;
  address: Buffer;
  /** Who has the address already; the letter says so, and the page does not. */
  customerId: string | undefined;
}

const requestInput = z.object({ session: sessionInput });

export const requestSignUpCode = command<z.infer<typeof requestInput>, RequestFacts, object>({
  name: 'sign_up.request_code',
  summary: 'Mail the code that confirms a sign-up',
  input: requestInput,
  audience: ['system'],
  effect: 'write',
  rules: [signUpIsWhole, asksAtMost],
  async facts(tx, { session }): Promise<RequestFacts> {
    const facts = await draftFacts(tx, session);
    const draft = theDraft(facts);
    const address = addressHash(draft.email);
    const owner = await findRow(tx, 'emailDirectory', { email: draft.email });
    return {
      ...(await asksFor(tx, 'sign_up', address, facts.session.id)),
      draft,
      session: facts.session,
      address,
      customerId: owner?.customerId,
    };
  },
  async apply(tx, { session, address, customerId }) {
    await askCode(tx, { purpose: 'sign_up', sessionId: session.id, address, customerId });
    return {};
  },
});

interface ConfirmFacts extends CodeFacts, WholeFacts, CustomerFacts {
  session: SessionRow;
}

const confirmInput = z.object({ session: sessionInput, code: z.string().max(40) });

/** The address is proven: there is a customer now, with a card, and the session is theirs. */
export const confirmSignUp = command<z.infer<typeof confirmInput>, ConfirmFacts, Tried<Made>>({
  name: 'sign_up.confirm',
  summary: 'Sign up with the mailed code',
  input: confirmInput,
  audience: ['system'],
  effect: 'write',
  rules: [signUpIsWhole, ...codeRules, ...createRules],
  ask: (_outside, { session, code }) => codeHash(code.replace(/\s/g, ''), 'sign_up', session),
  async facts(tx, { session }, given) {
    const facts = await draftFacts(tx, session);
    const draft = theDraft(facts);
    const document = registeredDocument(tx, { ...draft, phone: draft.phone ?? undefined });
    const code = await lockCode(tx, facts.session.id, 'sign_up');
    return {
      ...(await customerFacts(tx, '', document, undefined)),
      session: facts.session,
      draft,
      // A code that proved another address proves nothing of this one.
      code: code && addressHash(draft.email).equals(code.addressHash ?? Buffer.alloc(0)) ? code : undefined,
      given: given as Buffer,
    };
  },
  async apply(tx, facts) {
    const { draft, session } = facts;
    await useCode(tx, facts);
    const customer = await createCustomer(tx, facts.document);
    const card = keptCard.parse(draft.card);
    await keepCard(tx, await newCardFacts(tx, cardDocument(card.token, customer.id), card as CardFacts));
    await endSessionRow(tx, session.id);
    const made = await makeSession(tx, { kind: 'customer', customerId: customer.id });
    await wantAs(tx, session.id, customer.id);
    await tx.sql`UPDATE "sign_up" SET "session_id" = ${made.id}, "customer_id" = ${customer.id}, "proven_at" = clock_timestamp() WHERE "id" = ${draft.id}`;
    await logInteraction(tx, {
      customerId: customer.id,
      reason: 'signed up',
      description: 'The customer signed up at the pages and proved the address',
      direction: 'inbound',
    });
    return { done: made };
  },
  keepRefused: (tx, facts, _input, refusal) => countTry(tx, facts, refusal),
});

interface OrderFacts {
  draft: SignUpRow | undefined;
  confirmation: Buffer;
  isIts: boolean;
}

export const orderWasConfirmed = rule<OrderFacts>({
  code: 'sign_up.order_was_confirmed',
  sentence:
    'Without a code of its own only the order of a sign-up goes through: that of the plan and the number that stand in it, for an hour after its code.',
  kept: ({ isIts }) => isIts,
});

/**
 * The code of a sign-up proved the address, so the order of it needs no second one, for an hour. It is the order of what
 * stands in the sign-up when it is placed: a plan that was changed before the code came back, a number that was chosen
 * after an order had failed.
 */
export const confirmSignUpOrder = command({
  name: 'sign_up.confirm_order',
  summary: 'Confirm the order of a sign-up by its code',
  input: z.object({ session: sessionInput, confirmation: confirmationInput }),
  audience: ['system'],
  effect: 'write',
  rules: [orderWasConfirmed],
  async facts(tx, { session, confirmation }): Promise<OrderFacts> {
    const row = await theSession(tx, session, ['customer']);
    const proposal = await proposalOf(tx, row, confirmation);
    const [draft] = await tx.sql<SignUpRow>`SELECT * FROM "sign_up" WHERE "session_id" = ${row.id}
      AND "proven_at" > clock_timestamp() - interval '1 hour' FOR UPDATE`;
    const order = draft && signUpOrder(draft);
    const isIts =
      order !== undefined &&
      proposal.tool === 'order.place' &&
      argumentsHash({ arguments: order }).equals(proposal.argumentsHash);
    return { draft, confirmation, isIts };
  },
  async apply(tx, { confirmation }) {
    await markProven(tx, confirmation);
    return {};
  },
});

/** The order as it is placed for what was chosen. */
export const signUpOrder = ({ offering, msisdn }: Pick<SignUpRow, 'offering' | 'msisdn'>) => ({
  offering,
  ...(msisdn === null ? {} : { msisdn }),
});

export const recordSignUpOrder = command({
  name: 'sign_up.record_order',
  summary: 'Remember what came of a sign-up',
  input: z.object({ id: z.string(), orderId: z.string() }),
  audience: ['system'],
  effect: 'write',
  rules: [],
  facts: async () => ({}),
  async apply(tx, _facts, { id, orderId }) {
    await updateRows(tx, 'signUp', { id }, { productOrderId: orderId });
    return {};
  },
});

/** A sign-up as the pages see it. */
export interface SignUp {
  id: string;
  offering: string;
  givenName: string;
  familyName: string;
  email: string;
  phone: string | null;
  number: { msisdn: string; heldUntil: string | null } | null;
  card: { brand: string; lastFour: string; expiresAt: string } | null;
  state: 'open' | 'confirmed' | 'ordered';
  orderId: string | null;
}

interface ReadSignUp extends SignUpRow {
  heldUntil: Date | null;
  /** An order for the number that is under way or through, also when its record was lost. */
  liveOrderId: string | null;
}

export async function readSignUp(policy: Policy, secret: string): Promise<SignUp | undefined> {
  const [row] = await runStatement<ReadSignUp>(
    policy.pool,
    `SELECT u.*, CASE WHEN n."wanted_by" IN (s."id", s."customer_id") AND n."wanted_until" > clock_timestamp() THEN n."wanted_until" END AS held_until,
      ${liveOrderSql('u')} AS live_order_id
    FROM "sign_up" u JOIN "portal_session" s ON s."id" = u."session_id" LEFT JOIN "phone_number" n ON n."msisdn" = u."msisdn"
    WHERE s."hash" = $1 AND s."ended_at" IS NULL AND s."idle_until" > clock_timestamp() AND s."ends_at" > clock_timestamp()`,
    [secretHash(secret)],
  );
  if (!row) return undefined;
  const card = keptCard.safeParse(row.card).data;
  const { id, offering, givenName, familyName, email, phone, msisdn, heldUntil, liveOrderId } = row;
  return {
    id,
    offering,
    givenName,
    familyName,
    email,
    phone,
    number: msisdn === null ? null : { msisdn, heldUntil: heldUntil?.toISOString() ?? null },
    card: card
      ? {
          brand: card.brand,
          lastFour: card.lastFour,
          expiresAt: `${card.expiryYear}-${String(card.expiryMonth).padStart(2, '0')}`,
        }
      : null,
    state: liveOrderId !== null ? 'ordered' : row.customerId === null ? 'open' : 'confirmed',
    orderId: liveOrderId ?? row.productOrderId,
  };
}

const offered = 6;

/** Some free numbers to choose from, spread over all there are, and not the same ones each time. */
export async function offerNumbers(policy: Policy): Promise<string[]> {
  const rows = await runStatement<{ msisdn: string }>(
    policy.pool,
    `WITH span AS (SELECT min("msisdn")::numeric AS first, max("msisdn")::numeric AS last, length(min("msisdn")) AS digits
        FROM "phone_number" WHERE "state" = 'available')
      SELECT DISTINCT f."msisdn" FROM span, generate_series(1, ${offered}) g,
        LATERAL (SELECT n."msisdn" FROM "phone_number" n WHERE n."state" = 'available'
          AND n."msisdn" >= lpad(trunc(first + (last - first) * random()::numeric + 0 * g)::text, digits, '0')
          AND (n."wanted_by" IS NULL OR n."wanted_until" <= clock_timestamp()) ORDER BY n."msisdn" LIMIT 1) f
      ORDER BY 1`,
    [],
  );
  return rows.map(({ msisdn }) => msisdn);
}
