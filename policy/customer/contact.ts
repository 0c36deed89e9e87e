import { z } from 'zod';
import { isJsonObject, type JsonObject } from '../../kernel/json.ts';
import { command } from '../core/command.ts';
import { belongsToCaller } from '../core/ownership.ts';
import { objects, text } from '../core/party.ts';
import { lockResource, type Stored, saveResource } from '../core/resource.ts';
import { deleteRows, findRow, insertRow } from '../core/table.ts';
import type { Tx } from '../core/transaction.ts';
import { tell } from '../notice/notice.ts';
import {
  type AskFacts,
  addressHash,
  askCode,
  asksAtMost,
  asksFor,
  expireCodes,
  noAsks,
} from '../session/one-time-code.ts';
import { endSessionsOf } from '../session/session.ts';
import { customerResource, emailOf } from './resource.ts';
import { type CustomerFacts, emailUnique, emailValid } from './rules.ts';

export async function customerFacts(
  tx: Tx,
  id: string,
  document: JsonObject,
  before: JsonObject | undefined,
): Promise<CustomerFacts> {
  const email = emailOf(document);
  const [owner, [lines]] = await Promise.all([
    email === undefined ? undefined : findRow(tx, 'emailDirectory', { email }, true),
    before === undefined
      ? []
      : tx.sql<{
          count: bigint;
        }>`SELECT count(*) FROM "subscription" WHERE "customer_id" = ${id} AND "state" <> 'terminated'`,
  ]);
  return {
    id,
    document,
    version: 0n,
    before,
    email,
    emailOwner: owner?.customerId,
    liveLines: Number(lines?.count ?? 0),
  };
}

export interface ContactFacts extends CustomerFacts {
  stored: Stored;
}

interface ChangeFacts extends ContactFacts, AskFacts {
  /** An address that has to be proven before it is the customer's. */
  unproven: string | undefined;
}

const contactInput = z.object({
  customerId: z.string().describe('Whose contact it is'),
  email: z.string().min(3).max(254).optional().describe('Where receipts, notices and codes go'),
  phone: z.string().max(30).optional().describe('A phone number to reach the customer on; empty for none'),
});

/** The media with another address or number in the place of the one that was used so far. */
export function withContact(
  document: JsonObject,
  { email, phone }: { email?: string | undefined; phone?: string | undefined },
): JsonObject {
  const before = emailOf(document);
  const of = (medium: JsonObject, name: string) =>
    isJsonObject(medium.characteristic) ? text(medium.characteristic[name]) : undefined;
  const kept = objects(document.contactMedium).filter(
    (medium) =>
      (email === undefined || of(medium, 'emailAddress')?.trim().toLowerCase() !== before) &&
      (phone === undefined || of(medium, 'phoneNumber') === undefined),
  );
  return {
    ...document,
    contactMedium: [
      ...(email === undefined
        ? []
        : [{ mediumType: 'email', preferred: true, characteristic: { emailAddress: email } }]),
      ...kept,
      ...(phone ? [{ mediumType: 'phone', characteristic: { phoneNumber: phone } }] : []),
    ],
  };
}

/**
 * Codes to sign in with go to the address: whoever changes it has the account, so it is confirmed like what ends
 * something. What a customer types is proven by a link that goes there, and is answered alike whoever has it.
 */
export const changeContact = command<
  z.infer<typeof contactInput>,
  ChangeFacts,
  { id: string; unprovenEmail: string | null }
>({
  name: 'customer.change_contact',
  summary: 'Change where a customer is reached',
  input: contactInput,
  output: z.object({
    id: z.string(),
    unprovenEmail: z
      .string()
      .nullable()
      .describe('It is the customer’s once the link that was mailed there is followed'),
  }),
  audience: ['operator', 'customer', 'integrator'],
  effect: 'destructive',
  positional: ['customerId'],
  examples: ['bss customer change-contact cus_… --email ada@example.net'],
  rules: [belongsToCaller<ChangeFacts>((facts) => facts.id), emailValid, emailUnique, asksAtMost],
  async facts(tx, { customerId, email, phone }) {
    const stored = await lockResource(tx, customerResource, customerId);
    const wished = email?.trim().toLowerCase();
    const unproven = tx.caller.audience === 'customer' && wished !== emailOf(stored.document) ? wished : undefined;
    const document = withContact(stored.document, { email: unproven === undefined ? email : undefined, phone });
    const facts = await customerFacts(tx, stored.id, document, stored.document);
    const asked = unproven === undefined ? noAsks : await asksFor(tx, 'address', addressHash(unproven), undefined);
    return { ...facts, ...asked, email: unproven ?? facts.email, stored, unproven };
  },
  preview: ({ id, stored, email }, input) => ({
    what: [
      ...(input.email === undefined ? [] : [`Send receipts, notices and codes to ${email ?? input.email}.`]),
      ...(input.phone === undefined
        ? []
        : [input.phone ? `Reach the customer on ${input.phone}.` : 'Keep no phone number.']),
    ].join(' '),
    customer: { id, name: text(stored.document.name) ?? null },
    details:
      input.email === undefined
        ? []
        : [`From then on nothing goes to ${emailOf(stored.document) ?? 'the address before'} any more.`],
  }),
  async apply(tx, facts, { email, phone }) {
    const { id, stored, unproven } = facts;
    // A link that was asked for before must not undo this later, even where the address stays as it was.
    if (email !== undefined) await expireCodes(tx, id, ['address']);
    if (unproven === undefined) await saveContact(tx, facts);
    else {
      if (phone !== undefined) await saveResource(tx, customerResource, stored, facts.document);
      await askCode(tx, { purpose: 'address', address: addressHash(unproven), newAddress: unproven, customerId: id });
    }
    return { id, unprovenEmail: unproven ?? null };
  },
});

/** @param kept the session that the change came from, and that goes on */
export async function saveContact(tx: Tx, facts: ContactFacts, kept?: string): Promise<void> {
  await moveEmail(tx, facts, kept);
  await saveResource(tx, customerResource, facts.stored, facts.document);
}

/**
 * One address has one customer. Whoever reads the mail of the one before can do nothing with it from now on: what waits
 * there and whoever signed in with it, but for the session that the change came from, is over. They are told.
 */
export async function moveEmail(tx: Tx, { id, email, stored }: ContactFacts, kept?: string): Promise<void> {
  const before = emailOf(stored.document);
  if (email === before) return;
  if (before !== undefined) await deleteRows(tx, 'emailDirectory', { email: before, customerId: id });
  if (email !== undefined) await insertRow(tx, 'emailDirectory', { email, customerId: id });
  await expireCodes(tx, id, ['sign_in', 'act', 'address']);
  await endSessionsOf(tx, id, kept);
  if (before !== undefined) {
    const fact = String(stored.version);
    await tell(tx, { kind: 'address_changed', subject: id, fact, input: { before } });
  }
}
