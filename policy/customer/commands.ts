import { z } from 'zod';
import { isJsonObject, type JsonObject } from '../../kernel/json.ts';
import { command } from '../core/command.ts';
import { belongsToCaller } from '../core/ownership.ts';
import { objects, refs, text } from '../core/party.ts';
import {
  type CreateInput,
  checkContract,
  checkIfMatch,
  checkImmutable,
  createInput,
  createResource,
  legalTransition,
  lockResource,
  type PatchInput,
  patched,
  patchInput,
  type RemoveInput,
  type ResourceCommands,
  removeInput,
  removeResource,
  type Stored,
  saveResource,
  storedShape,
} from '../core/resource.ts';
import { deleteRows, findRow, insertRow, updateRows } from '../core/table.ts';
import type { Tx } from '../core/transaction.ts';
import { customerResource, emailOf } from './resource.ts';
import {
  activeNeedsContact,
  type CustomerFacts,
  closeNeedsNoLine,
  deleteNeedsNoLedger,
  emailUnique,
  emailValid,
} from './rules.ts';

export async function customerFacts(
  tx: Tx,
  id: string,
  document: JsonObject,
  before: JsonObject | undefined,
): Promise<CustomerFacts> {
  const email = emailOf(document);
  const owner = email === undefined ? undefined : await findRow(tx, 'emailDirectory', { email }, true);
  const [lines] = await tx.sql<{
    count: bigint;
  }>`SELECT count(*) FROM "subscription" WHERE "customer_id" = ${id} AND "state" <> 'terminated'`;
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

export const createRules = [emailValid, emailUnique, activeNeedsContact];

export async function createCustomer(tx: Tx, document: JsonObject): Promise<Stored> {
  const id = tx.newId('cus');
  const email = emailOf(document);
  const accountId = tx.newId('acc');
  const stored = await createResource(
    tx,
    customerResource,
    { ...document, account: [...objects(document.account), refs.account(accountId)] },
    {},
    id,
  );
  await insertRow(tx, 'billingAccount', { id: accountId, customerId: id, state: 'open', createdAt: tx.now });
  if (email !== undefined) await insertRow(tx, 'emailDirectory', { email, customerId: id });
  return stored;
}

const create = command<CreateInput, CustomerFacts, Stored>({
  name: 'customer.create',
  summary: 'Create a customer from a TMF629 body',
  input: createInput,
  audience: ['operator', 'integrator'],
  effect: 'write',
  rules: createRules,
  async facts(tx, input) {
    const given = input.document as JsonObject;
    const document: JsonObject = { '@type': 'Customer', ...given, status: text(given.status) ?? 'initialized' };
    await checkContract(customerResource, { id: 'new', ...document });
    return customerFacts(tx, '', document, undefined);
  },
  apply: (tx, facts) => createCustomer(tx, facts.document),
});

export const registerInput = z.object({
  givenName: z.string().min(1).max(100).describe('First name'),
  familyName: z.string().min(1).max(100).describe('Last name'),
  email: z.string().min(3).max(254).describe('Where receipts and notices go'),
  phone: z.string().max(30).optional().describe('A phone number to reach the customer on'),
});

/** The customer that somebody becomes who signs up. */
export function registeredDocument(tx: Pick<Tx, 'newId'>, input: z.infer<typeof registerInput>): JsonObject {
  const name = `${input.givenName} ${input.familyName}`;
  return {
    '@type': 'Customer',
    name,
    status: 'initialized',
    engagedParty: refs.person(tx.newId('cus').replace('cus_', 'party-'), name),
    contactMedium: [
      { mediumType: 'email', preferred: true, characteristic: { emailAddress: input.email } },
      ...(input.phone ? [{ mediumType: 'phone', characteristic: { phoneNumber: input.phone } }] : []),
    ],
  };
}

export const registerCustomer = command<z.infer<typeof registerInput>, CustomerFacts, Stored>({
  name: 'customer.register',
  summary: 'Sign a customer up',
  input: registerInput,
  output: storedShape(customerResource),
  audience: ['operator', 'integrator'],
  effect: 'write',
  positional: ['givenName', 'familyName', 'email'],
  examples: ['bss customer register Ada Lim ada@example.com'],
  rules: createRules,
  facts: (tx, input) => customerFacts(tx, '', registeredDocument(tx, input), undefined),
  apply: (tx, facts) => createCustomer(tx, facts.document),
});

const verifyInput = z.object({
  customerId: z.string().describe('Whose identity was seen'),
  evidence: z
    .enum(['passport', 'national_id', 'residence_permit', 'driving_licence', 'electronic'])
    .describe('What was looked at; its number is not kept'),
});

/** Records that somebody saw who the customer is. What the rule of orders asks for, where the operator switched it on. */
export const verifyIdentity = command<z.infer<typeof verifyInput>, Stored, { id: string; verifiedAt: string }>({
  name: 'customer.verify_identity',
  summary: 'Record that a customer’s identity was verified',
  input: verifyInput,
  output: z.object({ id: z.string(), verifiedAt: z.iso.datetime() }),
  audience: ['operator', 'integrator'],
  effect: 'write',
  positional: ['customerId', 'evidence'],
  examples: ['bss customer verify-identity cus_… passport'],
  rules: [],
  facts: (tx, input) => lockResource(tx, customerResource, input.customerId),
  async apply(tx, stored, input) {
    const verifiedAt = tx.now.toISOString();
    const others = objects(stored.document.characteristic).filter((one) => one.name !== 'identityVerified');
    const characteristic = [
      ...others,
      { name: 'identityVerified', valueType: 'string', value: `${input.evidence} ${verifiedAt}` },
    ];
    await saveResource(tx, customerResource, stored, { ...stored.document, characteristic });
    await updateRows(tx, 'customer', { id: stored.id }, { identityVerifiedAt: tx.now });
    return { id: stored.id, verifiedAt };
  },
});

interface ContactFacts extends CustomerFacts {
  stored: Stored;
}

const contactInput = z.object({
  customerId: z.string().describe('Whose contact it is'),
  email: z.string().min(3).max(254).optional().describe('Where receipts, notices and codes go from now on'),
  phone: z.string().max(30).optional().describe('A phone number to reach the customer on; empty for none'),
});

const emailMedium = (emailAddress: string): JsonObject => ({
  mediumType: 'email',
  preferred: true,
  characteristic: { emailAddress },
});

/** The media with another address or number in the place of the one that was used so far. */
function withContact(document: JsonObject, { email, phone }: z.infer<typeof contactInput>): JsonObject {
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
      ...(email === undefined ? [] : [emailMedium(email)]),
      ...kept,
      ...(phone ? [{ mediumType: 'phone', characteristic: { phoneNumber: phone } }] : []),
    ],
  };
}

/** Codes to sign in with go to the address: whoever changes it has the account, so it is confirmed like what ends something. */
export const changeContact = command<z.infer<typeof contactInput>, ContactFacts, { id: string }>({
  name: 'customer.change_contact',
  summary: 'Change where a customer is reached',
  input: contactInput,
  output: z.object({ id: z.string() }),
  audience: ['operator', 'customer', 'integrator'],
  effect: 'destructive',
  positional: ['customerId'],
  examples: ['bss customer change-contact cus_… --email ada@example.net'],
  rules: [belongsToCaller<ContactFacts>((facts) => facts.id), emailValid, emailUnique],
  async facts(tx, input) {
    const stored = await lockResource(tx, customerResource, input.customerId);
    const document = withContact(stored.document, input);
    return { ...(await customerFacts(tx, stored.id, document, stored.document)), stored };
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
        : [`Nothing goes to ${emailOf(stored.document) ?? 'the address before'} any more.`],
  }),
  async apply(tx, facts) {
    await moveEmail(tx, facts);
    await saveResource(tx, customerResource, facts.stored, facts.document);
    return { id: facts.id };
  },
});

/** One address has one customer. */
async function moveEmail(tx: Tx, { id, email, stored }: ContactFacts): Promise<void> {
  const before = emailOf(stored.document);
  if (email === before) return;
  if (before !== undefined) await deleteRows(tx, 'emailDirectory', { email: before, customerId: id });
  if (email !== undefined) await insertRow(tx, 'emailDirectory', { email, customerId: id });
}

const patch = command<PatchInput, CustomerFacts & { stored: Stored }, Stored>({
  name: 'customer.patch',
  summary: 'Change a customer',
  input: patchInput,
  audience: ['operator', 'integrator'],
  effect: 'write',
  rules: [legalTransition(customerResource), emailValid, emailUnique, activeNeedsContact, closeNeedsNoLine],
  async facts(tx, input) {
    const stored = await lockResource(tx, customerResource, input.id);
    checkIfMatch(stored, input.ifMatch);
    const document = patched(stored, input.patch);
    checkImmutable(customerResource, stored.document, document);
    await checkContract(customerResource, document);
    return { ...(await customerFacts(tx, input.id, document, stored.document)), stored };
  },
  async apply(tx, facts) {
    await moveEmail(tx, facts);
    if (text(facts.document.status) === 'closed') {
      await updateRows(tx, 'billingAccount', { customerId: facts.id }, { state: 'closed' });
    }
    return saveResource(tx, customerResource, facts.stored, facts.document);
  },
});

const remove = command<RemoveInput, CustomerFacts & { ledger: number; stored: Stored }, { id: string }>({
  name: 'customer.delete',
  summary: 'Delete a customer who never bought anything',
  input: removeInput,
  audience: ['operator', 'integrator'],
  effect: 'destructive',
  positional: ['id'],
  rules: [deleteNeedsNoLedger],
  async facts(tx, input) {
    const stored = await lockResource(tx, customerResource, input.id);
    checkIfMatch(stored, input.ifMatch);
    const [count] = await tx.sql<{ ledger: bigint }>`SELECT
      (SELECT count(*) FROM "product_order" WHERE "customer_id" = ${input.id}) + (SELECT count(*) FROM "subscription" WHERE "customer_id" = ${input.id})
      + (SELECT count(*) FROM "payment" WHERE "customer_id" = ${input.id})
      + (SELECT count(*) FROM "payment_method" WHERE "customer_id" = ${input.id} AND "state" <> 'removed') AS ledger`;
    return {
      ...(await customerFacts(tx, input.id, stored.document, stored.document)),
      ledger: Number(count?.ledger ?? 0),
      stored,
    };
  },
  preview: (facts) => ({
    what: `Delete ${text(facts.stored.document.name) ?? 'the customer'} and all that is on file of them.`,
    customer: { id: facts.id, name: text(facts.stored.document.name) ?? null },
  }),
  async apply(tx, facts) {
    await deleteRows(tx, 'emailDirectory', { customerId: facts.id });
    await deleteRows(tx, 'billingAccount', { customerId: facts.id });
    await removeResource(tx, customerResource, facts.stored);
    return { id: facts.id };
  },
});

export const customerCommands: ResourceCommands = { create, patch, remove };
