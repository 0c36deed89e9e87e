import { type Api, apis, resources } from '../generated/operations.ts';
import type { ResourceBinding } from './list/list.ts';

/** Columns that answer filters and sorting in place of the document, by the path of the attribute on the wire. */
type Columns = ResourceBinding['columns'];

// A column stands for an attribute only where it always holds the same, and where an index makes it the quicker way:
// every document has an index that answers equality. Times are asked of the document, which keeps more digits.
const noColumns: Columns = {};
// The documents of balances are made as they are read: what lies in a column spares making all of them.
const ofOneLine: Columns = { 'product.id': { column: 'subscription_id', type: 'text' } };

interface Stored {
  readonly table: string;
  readonly columns: Columns;
  readonly indexed?: NonNullable<ResourceBinding['indexed']>;
}

// Of usage there is more than of anything else, and each entry of its index is paid for with every record. What has a
// column is left out, and what rating says of nearly every record alike. The migration that makes the index says the same.
const usageWithout = ['id', 'usageDate', 'status', 'statusReason', 'ratedProductUsage', '@type'];

/** Where each wire resource lives, by its name. Services are one resource of two APIs. */
const stored: Readonly<Record<string, Stored>> = {
  catalog: { table: 'catalog', columns: noColumns },
  category: { table: 'category', columns: noColumns },
  productOffering: { table: 'product_offering', columns: noColumns },
  productOfferingPrice: { table: 'product_offering_price', columns: noColumns },
  productSpecification: { table: 'product_specification', columns: noColumns },
  importJob: { table: 'import_job', columns: noColumns },
  exportJob: { table: 'export_job', columns: noColumns },
  troubleTicket: { table: 'trouble_ticket', columns: noColumns },
  productOrder: { table: 'product_order', columns: noColumns },
  cancelProductOrder: { table: 'cancel_product_order', columns: noColumns },
  customer: { table: 'customer', columns: noColumns },
  usage: {
    table: 'usage',
    columns: { status: { column: 'state', type: 'text' }, usageDate: { column: 'usage_date', type: 'timestamp' } },
    indexed: { sql: `(document - '{${usageWithout.join(',')}}'::text[])`, without: usageWithout },
  },
  usageSpecification: { table: 'usage_specification', columns: noColumns },
  product: { table: 'subscription', columns: noColumns },
  service: { table: 'service', columns: noColumns },
  monitor: { table: 'monitor', columns: noColumns },
  serviceOrder: { table: 'service_order', columns: noColumns },
  cancelServiceOrder: { table: 'cancel_service_order', columns: noColumns },
  paymentMethod: { table: 'payment_method', columns: noColumns },
  payment: { table: 'payment', columns: noColumns },
  refund: { table: 'refund', columns: noColumns },
  customerBillOnDemand: { table: 'customer_bill_on_demand', columns: noColumns },
  customerBill: { table: 'customer_bill', columns: { billNo: { column: 'bill_no', type: 'text' } } },
  appliedCustomerBillingRate: { table: 'applied_customer_billing_rate', columns: noColumns },
  partyInteraction: { table: 'party_interaction', columns: noColumns },
  bucket: { table: 'bucket_wire', columns: ofOneLine },
  accumulatedBalance: { table: 'accumulated_balance_wire', columns: ofOneLine },
  topupBalance: { table: 'topup_balance', columns: noColumns },
  queryUsageConsumption: { table: 'query_usage_consumption', columns: noColumns },
};

/** Where a resource of an API is reached, as links are stored: the public address is put in at the door. */
export function linkOf(api: string, resource: string, id: string): string {
  const basePath = apis.find((one) => one.api === api)?.basePaths[0];
  if (basePath === undefined) throw new Error(`there is no API ${api}`);
  return `airtime:${basePath}/${resource}/${encodeURIComponent(id)}`;
}

function bind(api: string, resource: string): ResourceBinding {
  const place = Object.hasOwn(stored, resource) ? stored[resource] : undefined;
  if (!place) throw new Error(`${api} ${resource} has no table`);
  return { ...place, href: (id) => linkOf(api, resource, id) };
}

const keyOf = (api: string, resource: string) => `${api} ${resource}`;

const bindings: ReadonlyMap<string, ResourceBinding> = new Map(
  resources.map(({ api, resource }) => [keyOf(api, resource), bind(api, resource)] as const),
);

/** What the list engine needs to serve a resource of an API. Its links begin with `airtime:`. */
export function bindingOf(api: Api | string, resource: string): ResourceBinding {
  const found = bindings.get(keyOf(api, resource));
  if (!found) throw new Error(`${api} serves no ${resource}`);
  return found;
}
