import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type House, openHouse, operator } from '../../doctrine/house.ts';
import type { JsonObject } from '../../kernel/json.ts';
import { type AnyCommand, execute, type Policy, transaction } from '../core/command.ts';
import { leads } from '../core/machine.ts';
import type { Stored } from '../core/resource.ts';
import { runStatement } from '../core/transaction.ts';
import { refundPayment } from '../payment/refund.ts';
import { customerBillMachine } from './bill.ts';
import { customerBillCommands } from './commands.ts';
import { billOnDemandCommands, billOnDemandMachine, makeStatement } from './on-demand.ts';

let house: House;
beforeAll(async () => {
  house = await openHouse();
});
afterAll(() => house.close());

function must(command: AnyCommand | undefined): AnyCommand {
  if (!command) throw new Error('there is no such command');
  return command;
}
const without = (code: string): Policy => ({ ...house.policy, rulesOff: new Set([code]) });

const patch = async (id: string, value: JsonObject, policy: Policy = house.policy): Promise<Stored> => {
  const made: Stored = await execute(
    policy,
    must(customerBillCommands.patch),
    { id, patch: { kind: 'merge', value } },
    operator,
  );
  return made;
};
const ask = async (document: JsonObject, policy: Policy = house.policy): Promise<Stored> => {
  const made: Stored = await execute(policy, must(billOnDemandCommands.create), { document }, operator, {
    keepRefused: true,
  });
  return made;
};

interface Bill {
  id: string;
  state: string;
  amountMinor: number | null;
  taxMinor: number | null;
  paymentId: string | null;
  document: JsonObject;
}
const bills = (customer: string) =>
  runStatement<Bill>(
    house.pool,
    'SELECT "id", "state", "amount_minor", "tax_minor", "payment_id", "document" FROM "customer_bill" WHERE "customer_id" = $1 ORDER BY "id"',
    [customer],
  );
const documentIn = async (table: 'customer_bill' | 'customer_bill_on_demand', id: string): Promise<JsonObject> => {
  const [row] = await runStatement<{ document: JsonObject }>(
    house.pool,
    `SELECT "document" FROM "${table}" WHERE "id" = $1`,
    [id],
  );
  if (!row) throw new Error(`${table} has no ${id}`);
  return row.document;
};

/** A customer who bought a plan and an add-on, and got 1 SGD of the plan back. */
async function payingCustomer(): Promise<string> {
  const customer = await house.customer();
  const order = await house.order(customer);
  await house.settle();
  const { subscriptionId } = await house.state(order);
  await house.topUp(subscriptionId ?? '', 'VAS_DATA_5GB');
  await house.settle();
  const [receipt] = await bills(customer);
  await execute(house.policy, refundPayment, { paymentId: receipt?.paymentId ?? '', amount: 1 }, operator);
  await house.settle();
  return customer;
}

const party = (customer: string): JsonObject => ({ id: customer, role: 'customer', '@referredType': 'Customer' });

/** A bill of the statement's kind is asked for, and made. */
async function statement(document: JsonObject): Promise<JsonObject> {
  const { id } = await ask(document);
  await house.settle();
  const task = await documentIn('customer_bill_on_demand', id);
  expect(task.state).toBe('done');
  const made = task.customerBill;
  return documentIn('customer_bill', typeof made === 'object' && made !== null && 'id' in made ? String(made.id) : '');
}

describe('a bill', () => {
  it('goes on hold and is settled again, and says when', async () => {
    const [bill] = await bills(await payingCustomer());
    const id = bill?.id ?? '';
    expect((await patch(id, { state: 'onHold' })).document.state).toBe('onHold');
    const settled = await patch(id, { state: 'settled' });
    expect(settled.document).toEqual({ ...bill?.document, lastUpdate: expect.any(String) });
    const events = await runStatement<{ type: string }>(
      house.pool,
      'SELECT "type" FROM "event" WHERE "resource_id" = $1 ORDER BY "position"',
      [id],
    );
    expect(events.map((event) => event.type)).toEqual([
      'CustomerBillCreateEvent',
      'CustomerBillStateChangeEvent',
      'CustomerBillStateChangeEvent',
    ]);
    expect(await house.breaches()).toEqual([]);
  });

  it('customer_bill.legal_transition: no other move is a client’s', async () => {
    const [bill] = await bills(await payingCustomer());
    const id = bill?.id ?? '';
    const states = Object.keys(customerBillMachine.table);
    expect(states).toEqual(['new', 'onHold', 'validated', 'sent', 'partiallyPaid', 'settled']);
    for (const from of ['settled', 'onHold']) {
      if (from === 'onHold') await patch(id, { state: 'onHold' });
      for (const to of states.filter((one) => one !== 'settled' && one !== 'onHold')) {
        await expect(patch(id, { state: to })).rejects.toMatchObject({
          code: 'customer_bill.legal_transition',
          status: 409,
        });
        expect((await documentIn('customer_bill', id)).state).toBe(from);
      }
    }
    expect((await patch(id, { state: 'sent' }, without('customer_bill.legal_transition'))).document.state).toBe('sent');
  });

  it('bill.contents_are_fixed: nothing is written on a bill', async () => {
    const [bill] = await bills(await payingCustomer());
    const id = bill?.id ?? '';
    await expect(patch(id, { 'x-paid-by': 'somebody' })).rejects.toMatchObject({
      code: 'bill.contents_are_fixed',
      status: 409,
    });
    await expect(patch(id, { state: 'onHold', '@type': 'Other' })).rejects.toMatchObject({
      code: 'bill.contents_are_fixed',
    });
    for (const change of [
      { amountDue: { unit: 'SGD', value: 5 } },
      { taxIncludedAmount: { unit: 'SGD', value: 0 } },
      { billNo: '1' },
    ]) {
      await expect(patch(id, change)).rejects.toMatchObject({ status: 400 });
    }
    expect(await documentIn('customer_bill', id)).toEqual(bill?.document);
    await expect(patch(id, { 'x-paid-by': 'somebody' }, without('bill.contents_are_fixed'))).resolves.toBeDefined();
  });

  it('is not made and not deleted by a client', () => {
    expect(Object.keys(customerBillCommands)).toEqual(['patch']);
  });
});

describe('taxes', () => {
  it('add up: per line, per bill, and over a payment and its credit notes', async () => {
    const customer = await payingCustomer();
    const [receipt] = await bills(customer);
    for (const amount of [2.22, 3.33, 3.45]) {
      await execute(house.policy, refundPayment, { paymentId: receipt?.paymentId ?? '', amount }, operator);
      await house.settle();
    }
    const lines = await runStatement<Record<string, string>>(
      house.pool,
      `SELECT b."id", b."amount_minor" AS amount, b."tax_minor" AS tax,
         round((b."document" #>> '{taxIncludedAmount,value}')::numeric * 100) AS included, round((b."document" #>> '{taxExcludedAmount,value}')::numeric * 100) AS excluded,
         round((b."document" #>> '{taxItem,0,taxAmount,value}')::numeric * 100) AS item,
         round((r."document" #>> '{taxIncludedAmount,value}')::numeric * 100) AS line_included, round((r."document" #>> '{taxExcludedAmount,value}')::numeric * 100) AS line_excluded,
         round((r."document" #>> '{appliedTax,0,taxAmount,value}')::numeric * 100) AS line_tax
       FROM "customer_bill" b JOIN "applied_customer_billing_rate" r ON r."customer_bill_id" = b."id" WHERE b."customer_id" = $1`,
      [customer],
    );
    expect(lines).toHaveLength(6);
    for (const line of lines) {
      const [amount, tax] = [Number(line.amount), Number(line.tax)];
      expect([line.included, line.item, line.excluded].map(Number)).toEqual([amount, tax, amount - tax]);
      expect([line.lineIncluded, line.lineTax, line.lineExcluded].map(Number)).toEqual([amount, tax, amount - tax]);
    }
    const ofPlan = (await bills(customer)).filter((bill) => bill.paymentId === receipt?.paymentId);
    expect(ofPlan.reduce((sum, bill) => sum + (bill.amountMinor ?? 0), 0)).toBe(0);
    expect(ofPlan.reduce((sum, bill) => sum + (bill.taxMinor ?? 0), 0)).toBe(0);
    expect(await house.breaches()).toEqual([]);
  });
});

describe('a statement', () => {
  it('lists what was paid and given back in the month, and asks for nothing', async () => {
    const customer = await payingCustomer();
    const listed = await bills(customer);
    const made = await statement({ name: 'for my files', relatedParty: party(customer) });
    const money = (value: number) => ({ unit: 'SGD', value });
    expect(made).toMatchObject({
      category: 'statement',
      state: 'settled',
      runType: 'onDemand',
      amountDue: money(0),
      remainingAmount: money(0),
      relatedParty: [{ id: customer }],
      statement: {
        taxIncludedAmount: money(21),
        item: listed.map((bill) => ({
          bill: { id: bill.id },
          billNo: bill.document.billNo,
          taxIncludedAmount: bill.document.taxIncludedAmount,
        })),
      },
      billDocument: [{ url: `airtime:/documents/bill/${String(made.id)}`, mimeType: 'text/html' }],
    });
    expect(listed.map((bill) => bill.amountMinor)).toEqual([1000, 1200, -100]);
  });

  it('changes no sum: not in the house, not on the wire', async () => {
    const customer = await payingCustomer();
    const sums = () =>
      runStatement(
        house.pool,
        `SELECT sum("amount_minor") AS row, sum(("document" #>> '{taxIncludedAmount,value}')::numeric) AS wire FROM "customer_bill" WHERE "customer_id" = $1`,
        [customer],
      );
    const before = await sums();
    await statement({ relatedParty: party(customer) });
    const second = await statement({ relatedParty: party(customer) });
    expect(second.statement).toMatchObject({ item: { length: 3 } });
    expect(await sums()).toEqual(before);
    expect(await house.breaches()).toEqual([]);
  });

  it('covers the period that is asked for, the month of the operator’s time zone when none is', async () => {
    const customer = await payingCustomer();
    // A month is added where it is a month: in UTC that of Singapore begins on the last day of the one before.
    const [clock] = await runStatement<{ from: Date; to: Date }>(
      house.pool,
      `SELECT m AT TIME ZONE 'Asia/Singapore' AS from, (m + interval '1 month') AT TIME ZONE 'Asia/Singapore' AS to
        FROM date_trunc('month', business_now() AT TIME ZONE 'Asia/Singapore') AS m`,
      [],
    );
    const [first] = await bills(customer);
    expect((await statement({ relatedParty: party(customer) })).billingPeriod).toEqual({
      startDateTime: clock?.from.toISOString(),
      endDateTime: clock?.to.toISOString(),
    });
    const earlier = await statement({
      relatedParty: party(customer),
      billingPeriod: { startDateTime: '2020-01-01T00:00:00Z', endDateTime: '2020-02-01T00:00:00Z' },
    });
    expect(earlier).toMatchObject({
      billingPeriod: { startDateTime: '2020-01-01T00:00:00.000Z' },
      statement: { item: [], taxIncludedAmount: { value: 0 } },
    });
    expect(first?.document.category).toBe('receipt');
  });

  it('by the billing account alone, and as a tool', async () => {
    const customer = await payingCustomer();
    const [account] = await runStatement<{ id: string }>(
      house.pool,
      'SELECT "id" FROM "billing_account" WHERE "customer_id" = $1',
      [customer],
    );
    const made = await statement({ billingAccount: { id: account?.id ?? '' } });
    expect(made).toMatchObject({
      billingAccount: { id: account?.id },
      relatedParty: [{ id: customer }],
      statement: { taxIncludedAmount: { value: 21 } },
    });
    const task = await execute(house.policy, makeStatement, { customerId: customer }, operator);
    expect(task.document.state).toBe('inProgress');
    await house.settle();
    expect((await documentIn('customer_bill_on_demand', task.id)).state).toBe('done');
    await expect(execute(house.policy, makeStatement, { customerId: 'cus_none' }, operator)).rejects.toMatchObject({
      code: 'bill.statement_for_our_customer',
      status: 422,
    });
  });

  it('each rule rejects by itself: the request is kept with its reason, and no bill is made', async () => {
    const [one, other] = [await house.customer(), await house.customer()];
    const [account] = await runStatement<{ id: string }>(
      house.pool,
      'SELECT "id" FROM "billing_account" WHERE "customer_id" = $1',
      [other],
    );
    const cases: [string, JsonObject][] = [
      ['bill.statement_for_our_customer', { relatedParty: party('cus_none') }],
      ['bill.statement_for_our_customer', {}],
      ['bill.statement_of_own_account', { relatedParty: party(one), billingAccount: { id: account?.id ?? '' } }],
      [
        'bill.statement_period_in_order',
        {
          relatedParty: party(one),
          billingPeriod: { startDateTime: '2026-02-01T00:00:00Z', endDateTime: '2026-01-01T00:00:00Z' },
        },
      ],
      [
        'bill.statement_period_in_order',
        { relatedParty: party(one), billingPeriod: { startDateTime: '2000-01-01T00:00:00Z' } },
      ],
      ['bill.statement_period_in_order', { relatedParty: party(one), billingPeriod: { startDateTime: 'yesterday' } }],
    ];
    for (const [code, document] of cases) {
      const kept = await ask(document);
      expect(kept.document).toMatchObject({ state: 'rejected', statusReason: expect.stringContaining(`${code}: `) });
      await house.settle();
      expect(await documentIn('customer_bill_on_demand', kept.id)).toEqual(kept.document);
    }
    for (const [code, document] of [cases[2], cases[3]].flatMap((one) => (one ? [one] : []))) {
      expect((await ask(document, without(code))).document.state).toBe('inProgress');
    }
    await expect(ask({}, without('bill.statement_for_our_customer'))).rejects.not.toMatchObject({
      code: 'bill.statement_for_our_customer',
    });
    await house.settle();
  });

  it('ends with an error when its account is gone by the time it is made', async () => {
    const customer = await house.customer();
    const { id } = await ask({ relatedParty: party(customer) });
    await transaction(
      house.policy,
      'test.given',
      operator,
      {},
      (tx) => tx.sql`DELETE FROM "billing_account" WHERE "customer_id" = ${customer}`,
    );
    await house.settle();
    expect((await documentIn('customer_bill_on_demand', id)).state).toBe('terminatedWithError');
  });

  it('is asked for by a task that moves only along its table', () => {
    const states = ['inProgress', 'rejected', 'done', 'terminatedWithError'];
    const moves = states.flatMap((from) =>
      states.filter((to) => leads(billOnDemandMachine, from, to)).map((to) => `${from} ${to}`),
    );
    expect(moves).toEqual(['inProgress done', 'inProgress terminatedWithError']);
    expect(Object.keys(billOnDemandCommands)).toEqual(['create']);
  });
});
