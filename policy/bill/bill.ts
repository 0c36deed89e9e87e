import type { JsonObject } from '../../kernel/json.ts';
import { splitTax, taxPercent, toWireMoney } from '../../kernel/money.ts';
import { machine } from '../core/machine.ts';
import { customerIdOf, refs, text } from '../core/party.ts';
import { createResource, type ResourceDefinition, type Stored } from '../core/resource.ts';
import { findRow } from '../core/table.ts';
import type { Tx } from '../core/transaction.ts';
import { tell } from '../notice/notice.ts';

export const customerBillMachine = machine({
  name: 'customerBill',
  initial: ['new', 'settled'],
  table: {
    new: { hold: 'onHold', validate: 'validated' },
    onHold: { validate: 'validated', settle: 'settled' },
    validated: { send: 'sent', settle: 'settled' },
    sent: { pay_part: 'partiallyPaid', settle: 'settled' },
    partiallyPaid: { settle: 'settled' },
    settled: { hold: 'onHold' },
  },
});

export const customerBillResource: ResourceDefinition<'customerBill'> = {
  resource: 'customerBill',
  api: 'TMF678',
  table: 'customerBill',
  prefix: 'bil',
  machine: customerBillMachine,
  clientEvents: ['hold', 'settle'],
  columns: (document) => ({ customerId: customerIdOf(document) ?? null }),
  customerOf: customerIdOf,
};

export const billingRateResource: ResourceDefinition<'appliedCustomerBillingRate'> = {
  resource: 'appliedCustomerBillingRate',
  api: 'TMF678',
  table: 'appliedCustomerBillingRate',
  prefix: 'rat',
};

export interface Billed {
  customerId: string;
  paymentId: string;
  refundId?: string;
  paymentMethodId: string | null;
  /** Negative for a credit note. */
  amountMinor: number;
  currency: string;
  /** Hundredths of a percent. */
  taxRate: number;
  /** The part of the amount that is tax, where it follows from other bills; else it is split off by the rate. */
  taxMinor?: number;
  name: string;
  subscriptionId: string | null;
  period?: { from: Date; to: Date };
}

/** The receipt of a captured payment, or the credit note of a refund: one bill, one rate for its line, settled. */
export async function issueBill(tx: Tx, billed: Billed): Promise<Stored> {
  const account = await findRow(tx, 'billingAccount', { customerId: billed.customerId });
  const [next] = await tx.sql<{ number: bigint }>`SELECT nextval('bill_no') AS number`;
  const billNo = String(next?.number ?? 0).padStart(8, '0');
  const split = splitTax({ amountMinor: billed.amountMinor, currency: billed.currency }, billed.taxRate);
  const tax =
    billed.taxMinor === undefined
      ? split
      : { ...split, taxMinor: billed.taxMinor, taxExcludedMinor: billed.amountMinor - billed.taxMinor };
  const money = (amountMinor: number): JsonObject => ({ ...toWireMoney({ amountMinor, currency: billed.currency }) });
  const taxItem: JsonObject = {
    taxCategory: 'GST',
    taxRate: taxPercent(billed.taxRate),
    taxAmount: money(tax.taxMinor),
  };
  const at = tx.now.toISOString();
  const isCredit = billed.amountMinor < 0;
  const billId = tx.newId('bil');
  const period: JsonObject = billed.period
    ? { startDateTime: billed.period.from.toISOString(), endDateTime: billed.period.to.toISOString() }
    : { startDateTime: at, endDateTime: at };
  const bill = await createResource(
    tx,
    customerBillResource,
    {
      '@type': 'CustomerBill',
      billNo,
      billDate: at,
      lastUpdate: at,
      category: isCredit ? 'creditNote' : 'receipt',
      runType: 'offCycle',
      state: 'settled',
      paymentDueDate: at,
      amountDue: money(0),
      remainingAmount: money(0),
      taxExcludedAmount: money(tax.taxExcludedMinor),
      taxIncludedAmount: money(tax.taxIncludedMinor),
      taxItem: [taxItem],
      appliedPayment: [{ appliedAmount: money(billed.amountMinor), payment: refs.payment(billed.paymentId) }],
      billingAccount: account ? refs.account(account.id) : undefined,
      billingPeriod: period,
      paymentMethod: billed.paymentMethodId ? refs.paymentMethod(billed.paymentMethodId) : undefined,
      relatedParty: [refs.customer(billed.customerId)],
      billDocument: [
        {
          id: billId,
          name: `${isCredit ? 'Credit note' : 'Receipt'} ${billNo}`,
          attachmentType: isCredit ? 'creditNote' : 'receipt',
          mimeType: 'text/html',
          url: `airtime:/documents/bill/${billId}`,
          '@type': 'Attachment',
        },
      ],
    },
    {
      paymentId: billed.paymentId,
      refundId: billed.refundId ?? null,
      billNo,
      amountMinor: billed.amountMinor,
      taxMinor: tax.taxMinor,
      currency: billed.currency,
    },
    billId,
  );
  await createResource(
    tx,
    billingRateResource,
    {
      '@type': 'AppliedCustomerBillingRate',
      name: billed.name,
      description: text(bill.document.category) === 'creditNote' ? `Refund: ${billed.name}` : billed.name,
      date: at,
      isBilled: true,
      type: 'appliedBillingCharge',
      appliedTax: [taxItem],
      bill: refs.bill(bill.id),
      billingAccount: account ? refs.account(account.id) : undefined,
      periodCoverage: period,
      product: billed.subscriptionId ? refs.product(billed.subscriptionId) : undefined,
      taxExcludedAmount: money(tax.taxExcludedMinor),
      taxIncludedAmount: money(tax.taxIncludedMinor),
    },
    { customerBillId: bill.id, customerId: billed.customerId, subscriptionId: billed.subscriptionId },
  );
  await tell(tx, { kind: 'receipt', subject: bill.id });
  return bill;
}
