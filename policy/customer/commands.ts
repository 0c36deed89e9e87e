import { z } from 'zod';
import type { JsonObject } from '../../kernel/json.ts';
import { command } from '../core/command.ts';
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
import { deleteRows, insertUnawaited, updateRows } from '../core/table.ts';
import type { Tx } from '../core/transaction.ts';
import { customerFacts, moveEmail } from './contact.ts';
import { customerResource, emailOf } from './resource.ts';
import {
  activeNeedsContact,
  type CustomerFacts,
  closeNeedsNoLine,
  deleteNeedsNoLedger,
  emailUnique,
  emailValid,
} from './rules.ts';

export const createRules = [emailValid, emailUnique, activeNeedsContact];

export async function createCustomer(tx: Tx, document: JsonObject): Promise<Stored> {
  const id = tx.newId('cus');
  const email = emailOf(document);
  const accountId = tx.newId('acc');
  const stored = createResource(
    tx,
    customerResource,
    { ...document, account: [...objects(document.account), refs.account(accountId)] },
    {},
    id,
  );
  // Sent behind it.
  insertUnawaited(tx, 'billingAccount', { id: accountId, customerId: id, state: 'open', createdAt: tx.now });
  if (email !== undefined) insertUnawaited(tx, 'emailDirectory', { email, customerId: id });
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
