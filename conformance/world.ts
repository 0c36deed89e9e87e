import { isJsonObject, type Json, type JsonObject } from '../kernel/json.ts';
import { basePathOf, type Client, listIn, objectIn, operationOf, textOf } from './client.ts';
import { pause } from './server-process.ts';

/** What the main job leaves behind: a customer with a card, a line in use, its order, payment, bill. */
export interface World {
  readonly customerId: string;
  readonly accountId: string;
  readonly cardId: string;
  readonly planId: string;
  readonly orderId: string;
  readonly lineId: string;
  readonly msisdn: string;
  readonly paymentId: string;
  readonly billId: string;
  /** The line's own service, and the service order that made it. */
  readonly serviceId: string;
  readonly serviceOrderId: string;
  /** A customer whose many lines fill the lists that no client can fill. */
  readonly bulkCustomerId: string;
  /** Waits until the many lines are sold. */
  settled(): Promise<void>;
}

const orderMsMax = 120_000;
/** With the line of the main job, more than a page of products, payments and bills. */
const bulkOrders = 5;
const itemsPerOrder = 20;

function need(client: Client, api: string, resource: string, kind: 'list' | 'create' | 'retrieve') {
  const operation = operationOf(api, resource, kind);
  if (!operation) throw new Error(`${api} does not ${kind} ${resource}`);
  return {
    run: (ask: Parameters<Client['ask']>[1]) => client.ask(operation, ask),
  };
}

async function firstOf(client: Client, api: string, resource: string, search: string): Promise<JsonObject> {
  const [found] = listIn(await need(client, api, resource, 'list').run({ search }));
  if (!found) throw new Error(`there is no ${resource} with ${search}`);
  return found;
}

/** Asks until it is so. @throws when it is not in time */
export async function until<T>(what: string, look: () => Promise<T | undefined>, msMax: number): Promise<T> {
  const began = Date.now();
  for (let wait = 20; ; wait = Math.min(wait * 1.5, 500)) {
    const found = await look();
    if (found !== undefined) return found;
    if (Date.now() - began > msMax) throw new Error(`${what}: not after ${msMax / 1000} s`);
    await pause(wait);
  }
}

async function registered(
  client: Client,
  name: string,
): Promise<{ customerId: string; accountId: string; cardId: string }> {
  const made = await client.tool('customer.register', {
    givenName: name,
    familyName: 'Conform',
    email: `${name.toLowerCase()}@conformance.example`,
  });
  const customer = isJsonObject(made) && isJsonObject(made.document) ? made.document : {};
  const [account] = Array.isArray(customer.account) ? customer.account : [];
  const customerId = textOf(customer.id, 'the id of the customer');
  const card = await client.tool('card.add', { customerId, token: 'tok_visa' });
  return {
    customerId,
    accountId: textOf(isJsonObject(account) ? account.id : undefined, 'the id of the account'),
    cardId: textOf(isJsonObject(card) ? card.id : undefined, 'the id of the card'),
  };
}

export function planOrder(customerId: string, planId: string, items = 1): JsonObject {
  const item = (_: unknown, index: number): Json => ({
    id: String(index + 1),
    action: 'add',
    quantity: 1,
    productOffering: {
      id: planId,
      href: `https://bss.example.com${basePathOf('TMF620')}/productOffering/${planId}`,
      '@referredType': 'ProductOffering',
    },
  });
  return {
    relatedParty: [
      {
        id: customerId,
        href: `https://bss.example.com${basePathOf('TMF629')}/customer/${customerId}`,
        role: 'customer',
        '@referredType': 'Customer',
      },
    ],
    productOrderItem: Array.from({ length: items }, item),
  };
}

async function completed(client: Client, orderId: string): Promise<void> {
  await until(
    `order ${orderId} completes`,
    async () => {
      const order = objectIn(
        await need(client, 'TMF622', 'productOrder', 'retrieve').run({ id: orderId, search: 'fields=state' }),
      );
      if (order.state === 'failed' || order.state === 'rejected') throw new Error(`order ${orderId} is ${order.state}`);
      return order.state === 'completed' ? true : undefined;
    },
    orderMsMax,
  );
}

/** Runs the main job: sign up, card, order, activation, use. The many lines are ordered and go on by themselves. */
export async function makeWorld(client: Client, size: 'whole' | 'quick'): Promise<World> {
  const main = await registered(client, 'Ada');
  const bulk = await registered(client, 'Ben');
  const planId = textOf((await firstOf(client, 'TMF620', 'productOffering', 'code=PLAN_S')).id, 'the id of the plan');
  const place = async (customerId: string, items: number): Promise<string> =>
    textOf(
      objectIn(
        await need(client, 'TMF622', 'productOrder', 'create').run({ body: planOrder(customerId, planId, items) }),
      ).id,
      'the id of the order',
    );

  const orderId = await place(main.customerId, 1);
  await completed(client, orderId);
  const line = await firstOf(client, 'TMF637', 'product', `productOrderItem.productOrderId=${orderId}`);
  const msisdn = textOf(line.productSerialNumber, 'the number of the line');
  await need(client, 'TMF635', 'usage', 'create').run({ body: usageOf(msisdn, 12) });
  const payment = await firstOf(client, 'TMF676', 'payment', `paymentItem.item.id=${orderId}`);
  const bill = await firstOf(
    client,
    'TMF678',
    'customerBill',
    `appliedPayment.payment.id=${textOf(payment.id, 'the id of the payment')}`,
  );

  const [realizing] = Array.isArray(line.realizingService) ? line.realizingService : [];
  const serviceId = textOf(isJsonObject(realizing) ? realizing.id : undefined, 'the service of the line');
  const service = objectIn(await need(client, 'TMF638', 'service', 'retrieve').run({ id: serviceId }));
  const [worked] = Array.isArray(service.serviceOrderItem) ? service.serviceOrderItem : [];
  const bulkIds: string[] = [];
  for (let index = 0; index < (size === 'whole' ? bulkOrders : 1); index += 1) {
    bulkIds.push(await place(bulk.customerId, size === 'whole' ? itemsPerOrder : 5));
  }
  let settling: Promise<void> | undefined;
  const settle = async () => {
    for (const id of bulkIds) await completed(client, id);
  };
  return {
    ...main,
    planId,
    orderId,
    lineId: textOf(line.id, 'the id of the line'),
    msisdn,
    paymentId: textOf(payment.id, 'the id of the payment'),
    billId: textOf(bill.id, 'the id of the bill'),
    serviceId,
    serviceOrderId: textOf(isJsonObject(worked) ? worked.serviceOrderId : undefined, 'the service order of the line'),
    bulkCustomerId: bulk.customerId,
    settled: () => {
      settling ??= settle();
      return settling;
    },
  };
}

export function usageOf(msisdn: string, megabytes: number): JsonObject {
  return {
    usageType: 'data',
    usageCharacteristic: [
      { name: 'msisdn', value: msisdn },
      { name: 'volume', value: megabytes },
      { name: 'unit', value: 'MB' },
    ],
  };
}
