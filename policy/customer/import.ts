import { z } from 'zod';
import type { JsonObject } from '../../kernel/json.ts';
import { command } from '../core/command.ts';
import { keyReused } from '../core/idempotency.ts';
import { cell, importOutput, importRowsMax, invalidRow, type RowResult, rowKeys } from '../core/import.ts';
import { objects, refs } from '../core/party.ts';
import { createResources } from '../core/resource.ts';
import { firstBroken } from '../core/rule.ts';
import { insertRows } from '../core/table.ts';
import type { Tx } from '../core/transaction.ts';
import { createRules, registeredDocument, registerInput } from './commands.ts';
import { customerResource, emailOf } from './resource.ts';
import { type CustomerFacts, emailUnique } from './rules.ts';

const row = z.object({
  key: cell.describe('What this row is known by when it is sent again; all of the row, when not given'),
  givenName: cell.describe('First name'),
  familyName: cell.describe('Last name'),
  email: cell.describe('Where receipts and notices go'),
  phone: cell.describe('A phone number to reach the customer on'),
});
const importInput = z.object({ rows: z.array(row).min(1).max(importRowsMax).describe('The rows, in order') });
type ImportInput = z.infer<typeof importInput>;

interface Known {
  /** By key, in hexadecimal: what the row said that was accepted, and whom it became. */
  readonly rows: Map<string, { content: Buffer; resourceId: string }>;
  /** By address: whose it is. */
  readonly owners: Map<string, string>;
}

interface Accepted {
  result: RowResult & { id: string };
  document: JsonObject & { id: string };
  email: string;
  accountId: string;
  keys: ReturnType<typeof rowKeys>;
}

const kind = 'customer';
const keptDays = 90;
const forgottenAtOnce = 1000;

/** Each row is judged by itself, by the rules of signing up; those that are kept are stored together. */
export const importCustomers = command<ImportInput, Known, z.infer<typeof importOutput>>({
  name: 'customer.import',
  summary: 'Sign many customers up, each row judged by itself by the rules of customer.register',
  input: importInput,
  output: importOutput,
  audience: ['operator'],
  effect: 'write',
  examples: ['bss customer import customers.csv', 'bss customer import customers.csv --to refused'],
  rules: [],
  async facts(tx, { rows }) {
    const keys = rows.map((one) => keysOf(one).key);
    const known = await tx.sql<{
      key: Buffer;
      content: Buffer;
      resourceId: string;
    }>`SELECT "key", "content", "resource_id"
      FROM "import_row" WHERE "kind" = ${kind} AND "key" = ANY (${keys}::bytea[])`;
    const emails = rows.map(({ email }) => (email ?? '').trim().toLowerCase());
    const owners = await tx.sql<{
      email: string;
      customerId: string;
    }>`SELECT "email", "customer_id" FROM "email_directory"
      WHERE "email" = ANY (${emails}::text[])`;
    return {
      rows: new Map(known.map(({ key, content, resourceId }) => [key.toString('hex'), { content, resourceId }])),
      owners: new Map(owners.map(({ email, customerId }) => [email, customerId])),
    };
  },
  async apply(tx, known, { rows }) {
    const judged = rows.map((given, index) => judge(tx, known, given, index + 1));
    const kept = await store(
      tx,
      judged.filter((one) => 'document' in one),
    );
    await forget(tx);
    return { results: judged.map((one) => ('document' in one ? (kept.get(one.result.row) ?? taken(one)) : one)) };
  },
});

const keysOf = ({ key, ...content }: z.infer<typeof row>) => rowKeys(key, content);

/** What becomes of a row, by what was known before and by the rows above it. */
function judge(tx: Tx, known: Known, given: z.infer<typeof row>, place: number): RowResult | Accepted {
  const keys = keysOf(given);
  const hex = keys.key.toString('hex');
  const before = known.rows.get(hex);
  if (before) {
    return keyReused.kept({ first: before.content, bodyHash: keys.content }, tx)
      ? { row: place, outcome: 'repeated', id: before.resourceId }
      : {
          row: place,
          outcome: 'refused',
          rule: keyReused.code,
          field: 'key',
          message: 'Another row was sent with this key.',
        };
  }
  const { key: _, phone, ...named } = given;
  const read = registerInput.safeParse({ ...named, ...(phone === undefined || phone === '' ? {} : { phone }) });
  if (!read.success) return invalidRow(place, read.error);
  const id = tx.newId('cus');
  const accountId = tx.newId('acc');
  const made = registeredDocument(tx, read.data);
  const document = { ...made, id, account: [...objects(made.account), refs.account(accountId)] };
  const email = emailOf(document) ?? '';
  const facts: CustomerFacts = {
    id: '',
    document,
    version: 0n,
    before: undefined,
    email,
    emailOwner: known.owners.get(email),
    liveLines: 0,
  };
  const refusal = firstBroken(createRules, facts, tx);
  if (refusal) return { row: place, outcome: 'refused', rule: refusal.code, field: 'email', message: refusal.message };
  known.owners.set(email, id);
  known.rows.set(hex, { content: keys.content, resourceId: id });
  return { result: { row: place, outcome: 'accepted', id }, document, email, accountId, keys };
}

/** Addresses first, in their order: who signs up at the same instant elsewhere may have been faster with one. */
async function store(tx: Tx, accepted: readonly Accepted[]): Promise<Map<number, RowResult>> {
  const inOrder = [...accepted].sort((a, b) => (a.email < b.email ? -1 : 1));
  const claimed = await tx.sql<{ customerId: string }>`INSERT INTO "email_directory" ("email", "customer_id")
    SELECT * FROM unnest(${inOrder.map(({ email }) => email)}::text[], ${inOrder.map(({ result }) => result.id)}::text[])
    ON CONFLICT DO NOTHING RETURNING "customer_id"`;
  const ours = new Set(claimed.map(({ customerId }) => customerId));
  const kept = accepted.filter(({ result }) => ours.has(result.id));
  await insertRows(
    tx,
    'importRow',
    kept.map(({ keys, result }) => ({ kind, ...keys, resourceId: result.id, createdAt: tx.now })),
  );
  await createResources(
    tx,
    customerResource,
    kept.map(({ document }) => document),
  );
  await insertRows(
    tx,
    'billingAccount',
    kept.map(({ accountId, result }) => ({ id: accountId, customerId: result.id, state: 'open', createdAt: tx.now })),
  );
  return new Map(kept.map(({ result }) => [result.row, result]));
}

const taken = ({ result }: Accepted): RowResult => ({
  row: result.row,
  outcome: 'refused',
  rule: emailUnique.code,
  field: 'email',
  message: emailUnique.sentence,
});

/** Keys are kept for as long as somebody may send the file again. */
async function forget(tx: Tx): Promise<void> {
  await tx.sql`DELETE FROM "import_row" WHERE ("kind", "key") IN (
    SELECT "kind", "key" FROM "import_row" WHERE "created_at" < ${tx.now}::timestamptz - ${keptDays}::int * interval '1 day'
    LIMIT ${forgottenAtOnce})`;
}
