import { type Api, resources } from '../../generated/operations.ts';
import { isJsonObject, type Json, type JsonObject } from '../../kernel/json.ts';

export function objects(value: Json | undefined): JsonObject[] {
  return Array.isArray(value) ? value.filter(isJsonObject) : isJsonObject(value) ? [value] : [];
}

export function text(value: Json | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

/** Which customer a document speaks of: the related party that is one of ours, by role, by type or by its id. */
export function customerIdOf(document: JsonObject): string | undefined {
  const parties = [...objects(document.relatedParty), ...objects(document.payer), ...objects(document.requestor)];
  const named = parties.find(
    (party) => /customer/i.test(text(party.role) ?? '') || text(party['@referredType']) === 'Customer',
  );
  return text((named ?? parties.find((party) => text(party.id)?.startsWith('cus_')))?.id);
}

/** A reference to a resource of ours; the surface makes its link absolute. */
export function reference(api: Api, resource: string, id: string, name?: string): JsonObject {
  const contract = resources.find((one) => one.api === api && one.resource === resource);
  if (!contract) throw new Error(`${api} has no ${resource}`);
  return {
    id,
    href: `airtime:${contract.basePath}/${resource}/${id}`,
    '@referredType': contract.schema,
    ...(name === undefined ? {} : { name }),
  };
}

/** A reference to what no API of ours serves: its link is a name that leads nowhere and means the same everywhere. */
function unserved(referredType: string, id: string, name: string): JsonObject {
  return { id, href: `urn:airtime:${referredType}:${id}`, name, '@referredType': referredType };
}

export const refs = {
  customer: (id: string, name?: string): JsonObject => ({
    ...reference('TMF629', 'customer', id, name),
    role: 'customer',
    // TMF641 will not have a related party without it.
    '@type': 'RelatedParty',
  }),
  category: (id: string, name?: string) => reference('TMF620', 'category', id, name),
  specification: (id: string, name?: string) => reference('TMF620', 'productSpecification', id, name),
  offering: (id: string, name?: string) => reference('TMF620', 'productOffering', id, name),
  price: (id: string, name?: string) => reference('TMF620', 'productOfferingPrice', id, name),
  productOrder: (id: string) => reference('TMF622', 'productOrder', id),
  serviceOrder: (id: string) => reference('TMF641', 'serviceOrder', id),
  product: (id: string, name?: string) => reference('TMF637', 'product', id, name),
  service: (id: string, name?: string) => reference('TMF638', 'service', id, name),
  ticket: (id: string, name?: string) => reference('TMF621', 'troubleTicket', id, name),
  payment: (id: string) => reference('TMF676', 'payment', id),
  paymentMethod: (id: string, name?: string) => reference('TMF670', 'paymentMethod', id, name),
  /** What the bank took back has no API of its own: it goes by the gateway's key. */
  chargeback: (key: string) => unserved('Chargeback', key, 'Chargeback'),
  /** A conversation is kept at the chat door and is no resource of an API. */
  chat: (id: string) => unserved('ChatSession', id, 'Conversation'),
  bill: (id: string) => reference('TMF678', 'customerBill', id),
  /** A billing account is a reference only: no API of ours serves it. */
  account: (id: string) => unserved('BillingAccount', id, 'Billing account'),
  person: (id: string, name: string) => unserved('Individual', id, name),
  esim: (id: string) => unserved('ESimProfile', id, 'eSIM profile'),
  number: (msisdn: string) => unserved('LogicalResource', msisdn, 'MSISDN'),
  serviceSpecification: (kind: 'CustomerFacing' | 'ResourceFacing', id: string, name: string) => ({
    ...unserved(`${kind}ServiceSpecification`, id, name),
    version: '1',
  }),
};
