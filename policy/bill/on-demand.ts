import { DateTime } from 'luxon';
import { z } from 'zod';
import type { Refusal } from '../../kernel/error.ts';
import { isJsonObject, type JsonObject } from '../../kernel/json.ts';
import { toWireMoney } from '../../kernel/money.ts';
import { command } from '../core/command.ts';
import { type StepDefinition, schedule } from '../core/flow.ts';
import { machine, must } from '../core/machine.ts';
import { customerIdOf, refs, text } from '../core/party.ts';
import {
  type CreateInput,
  checkContract,
  createInput,
  createResource,
  lockResource,
  type ResourceCommands,
  type ResourceDefinition,
  type Stored,
  saveResource,
  storedShape,
} from '../core/resource.ts';
import { rule } from '../core/rule.ts';
import { findRow, type Tables } from '../core/table.ts';
import type { Tx } from '../core/transaction.ts';
import { customerBillResource } from './bill.ts';

/** TMF678. A request for a statement, and what became of it. */
export const billOnDemandMachine = machine({
  name: 'customerBillOnDemand',
  initial: ['inProgress', 'rejected'],
  table: {
    inProgress: { finish: 'done', fail: 'terminatedWithError' },
    rejected: {},
    done: {},
    terminatedWithError: {},
  },
});

export const billOnDemandResource: ResourceDefinition<'customerBillOnDemand'> = {
  resource: 'customerBillOnDemand',
  api: 'TMF678',
  table: 'customerBillOnDemand',
  prefix: 'bod',
  machine: billOnDemandMachine,
  clientEvents: [],
  columns: (document) => ({ customerId: customerIdOf(document) ?? null }),
  customerOf: customerIdOf,
};

interface Period {
  from: Date;
  to: Date;
}

export interface OnDemandFacts {
  document: JsonObject;
  /** The customer that the body names by itself. */
  named: Tables['customer'] | undefined;
  account: Tables['billingAccount'] | undefined;
  /** Undefined when the body gives one that is none. */
  period: Period | undefined;
}

const monthsMax = 24;

export const accountKnown = rule<OnDemandFacts>({
  code: 'bill.statement_for_our_customer',
  sentence: 'A statement is made for one of our customers: name them as related party, or their billing account.',
  kept: (facts) => facts.account !== undefined,
  shown: (facts) => ({
    customer: customerIdOf(facts.document) ?? null,
    account: isJsonObject(facts.document.billingAccount) ? (text(facts.document.billingAccount.id) ?? null) : null,
  }),
});

export const accountOfCustomer = rule<OnDemandFacts>({
  code: 'bill.statement_of_own_account',
  sentence: 'The billing account that is named belongs to another customer than the one that is named.',
  kept: (facts) =>
    facts.named === undefined || facts.account === undefined || facts.account.customerId === facts.named.id,
});

export const periodInOrder = rule<OnDemandFacts>({
  code: 'bill.statement_period_in_order',
  sentence: `The period of a statement begins before it ends, and is at most ${monthsMax} months long.`,
  kept: ({ period }) =>
    period !== undefined &&
    period.from < period.to &&
    DateTime.fromJSDate(period.from).plus({ months: monthsMax }) >= DateTime.fromJSDate(period.to),
});

const rules = [accountKnown, accountOfCustomer, periodInOrder];

/** What the body says, each side of it on its own; the calendar month of the operator's time zone where it says nothing. */
function periodOf(tx: Pick<Tx, 'now' | 'settings'>, document: JsonObject): Period | undefined {
  const month = DateTime.fromJSDate(tx.now, { zone: tx.settings.timeZone });
  const given = document.billingPeriod;
  if (given !== undefined && !isJsonObject(given)) return undefined;
  const at = (value: unknown, otherwise: Date): Date => (typeof value === 'string' ? new Date(value) : otherwise);
  const from = at(given?.startDateTime, month.startOf('month').toJSDate());
  const to = at(given?.endDateTime, month.startOf('month').plus({ months: 1 }).toJSDate());
  return Number.isNaN(from.getTime()) || Number.isNaN(to.getTime()) ? undefined : { from, to };
}

async function onDemandFacts(tx: Tx, document: JsonObject): Promise<OnDemandFacts> {
  const customerId = customerIdOf(document);
  const named = customerId === undefined ? undefined : await findRow(tx, 'customer', { id: customerId });
  const accountId = isJsonObject(document.billingAccount) ? text(document.billingAccount.id) : undefined;
  const account =
    accountId === undefined
      ? named && (await findRow(tx, 'billingAccount', { customerId: named.id }))
      : await findRow(tx, 'billingAccount', { id: accountId });
  return { document, named, account, period: periodOf(tx, document) };
}

const begun = (tx: Tx, document: JsonObject, state: 'inProgress' | 'rejected'): JsonObject => ({
  '@type': 'CustomerBillOnDemand',
  name: 'Statement',
  ...document,
  state,
  lastUpdate: tx.now.toISOString(),
});

async function ask(tx: Tx, facts: OnDemandFacts): Promise<Stored> {
  const { account, period } = facts;
  if (!account || !period) throw new Error('a statement has an account and a period');
  const task = await createResource(tx, billOnDemandResource, {
    ...begun(tx, facts.document, 'inProgress'),
    billingAccount: refs.account(account.id),
    relatedParty: facts.document.relatedParty ?? refs.customer(account.customerId),
    billingPeriod: { startDateTime: period.from.toISOString(), endDateTime: period.to.toISOString() },
  });
  await schedule(tx, { flow: 'bill_on_demand', subject: task.id, step: 'make', key: `bill_on_demand:${task.id}` });
  return task;
}

const create = command<CreateInput, OnDemandFacts, Stored>({
  name: 'customer_bill_on_demand.create',
  summary: 'Ask for a statement by a TMF678 body',
  input: createInput,
  audience: ['operator', 'integrator'],
  effect: 'write',
  rules,
  async facts(tx, input) {
    const document = input.document as JsonObject;
    await checkContract(billOnDemandResource, document);
    return onDemandFacts(tx, document);
  },
  apply: ask,
  keepRefused: (tx, facts, _input, refusal: Refusal) =>
    createResource(tx, billOnDemandResource, {
      ...begun(tx, facts.document, 'rejected'),
      statusReason: `${refusal.code}: ${refusal.message}`,
    }),
});

const statementInput = z.object({
  customerId: z.string().describe('Whose statement'),
  from: z.iso
    .datetime({ offset: true })
    .optional()
    .describe('Its first instant; the begin of this month, when not given'),
  to: z.iso
    .datetime({ offset: true })
    .optional()
    .describe('The instant it ends before; the end of this month, when not given'),
});

export const makeStatement = command<z.infer<typeof statementInput>, OnDemandFacts, Stored>({
  name: 'bill.make_statement',
  summary: 'Make a statement of what a customer paid in a period',
  input: statementInput,
  output: storedShape(billOnDemandResource),
  audience: ['operator', 'integrator'],
  effect: 'write',
  positional: ['customerId'],
  examples: ['bss bill make-statement cus_…'],
  rules,
  facts: (tx, input) =>
    onDemandFacts(tx, {
      relatedParty: refs.customer(input.customerId),
      billingPeriod: {
        ...(input.from === undefined ? {} : { startDateTime: input.from }),
        ...(input.to === undefined ? {} : { endDateTime: input.to }),
      },
    }),
  apply: ask,
});

export const billOnDemandCommands: ResourceCommands = { create };

interface ListedBill {
  id: string;
  billNo: string | null;
  name: string | null;
  at: string | null;
  amountMinor: number;
  taxMinor: number;
  currency: string;
}

/** Bills of money that moved: statements are bills too, and are never listed in one. */
function listedBills(tx: Tx, customerId: string, period: Period): Promise<ListedBill[]> {
  return tx.sql<ListedBill>`SELECT b."id", b."bill_no", b."document" ->> 'billDate' AS at, b."amount_minor", b."tax_minor", b."currency",
      (SELECT string_agg(r."document" ->> 'name', ', ' ORDER BY r."id") FROM "applied_customer_billing_rate" r WHERE r."customer_bill_id" = b."id") AS name
    FROM "customer_bill" b WHERE b."customer_id" = ${customerId} AND b."payment_id" IS NOT NULL
      AND b."created_at" >= ${period.from} AND b."created_at" < ${period.to} ORDER BY b."id"`;
}

/**
 * A statement is a bill that asks for nothing. Its sums stand in an attribute of its own and not where a bill's do, so
 * that the bills of a customer still add up to what was captured less what was refunded.
 */
async function writeStatement(tx: Tx, account: Tables['billingAccount'], period: Period): Promise<Stored> {
  const bills = await listedBills(tx, account.customerId, period);
  const currency = bills[0]?.currency ?? tx.settings.currency;
  const money = (amountMinor: number): JsonObject => ({ ...toWireMoney({ amountMinor, currency }) });
  const sum = (part: (bill: ListedBill) => number) => bills.reduce((all, bill) => all + part(bill), 0);
  const at = tx.now.toISOString();
  const id = tx.newId('bil');
  const billNo = `S-${id.slice(-10).toUpperCase()}`;
  return createResource(
    tx,
    customerBillResource,
    {
      '@type': 'CustomerBill',
      billNo,
      billDate: at,
      lastUpdate: at,
      category: 'statement',
      runType: 'onDemand',
      state: 'settled',
      amountDue: money(0),
      remainingAmount: money(0),
      billingAccount: refs.account(account.id),
      billingPeriod: { startDateTime: period.from.toISOString(), endDateTime: period.to.toISOString() },
      relatedParty: [refs.customer(account.customerId)],
      statement: {
        taxExcludedAmount: money(sum((bill) => bill.amountMinor - bill.taxMinor)),
        taxAmount: money(sum((bill) => bill.taxMinor)),
        taxIncludedAmount: money(sum((bill) => bill.amountMinor)),
        item: bills.map((bill) => ({
          date: bill.at,
          billNo: bill.billNo,
          name: bill.name,
          taxAmount: money(bill.taxMinor),
          taxIncludedAmount: money(bill.amountMinor),
          bill: refs.bill(bill.id),
        })),
      },
      billDocument: [
        {
          id,
          name: `Statement ${billNo}`,
          attachmentType: 'statement',
          mimeType: 'text/html',
          url: `airtime:/documents/bill/${id}`,
          '@type': 'Attachment',
        },
      ],
    },
    // No amount and no payment in its row: nothing that adds bills up counts it.
    { billNo },
    id,
  );
}

const make: StepDefinition = {
  flow: 'bill_on_demand',
  step: 'make',
  summary: 'Write the statement',
  run: (context) =>
    context.finish('customer_bill_on_demand.make', async (tx) => {
      const task = await lockResource(tx, billOnDemandResource, context.step.subject);
      const state = text(task.document.state) ?? null;
      if (state !== 'inProgress') return;
      const facts = await onDemandFacts(tx, task.document);
      const end = (event: 'finish' | 'fail', more: JsonObject) =>
        saveResource(tx, billOnDemandResource, task, {
          ...task.document,
          ...more,
          state: must(billOnDemandMachine, state, event),
          lastUpdate: tx.now.toISOString(),
        });
      if (!facts.account || !facts.period) {
        await end('fail', { statusReason: `${accountKnown.code}: ${accountKnown.sentence}` });
        return;
      }
      const bill = await writeStatement(tx, facts.account, facts.period);
      await end('finish', { customerBill: refs.bill(bill.id) });
    }),
};

export const billOnDemandSteps: readonly StepDefinition[] = [make];
