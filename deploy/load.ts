import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { isJsonObject, type JsonObject } from '../kernel/json.ts';
import { pause } from './processes.ts';

/** A write that was acknowledged, kept outside of the system that it was made to. */
export interface Told {
  readonly path: string;
  readonly document: JsonObject;
  /** What of it does not change any more. */
  readonly attributes: readonly string[];
}

export interface Door {
  readonly url: string;
  readonly token: string;
}

export interface Load {
  readonly told: readonly Told[];
  /** Requests that got anything but the answer they should, each sent once: nothing is tried again. */
  readonly failures: readonly string[];
  /** Requests that were answered, reads among them. */
  answered(): number;
  /** The slowest answer since the last time this was asked, in milliseconds. */
  slowestMs(): number;
  stop(): Promise<void>;
}

const customers = '/tmf-api/customerManagement/v4/customer';
const orders = '/tmf-api/productOrderingManagement/v4/productOrder';
const usages = '/tmf-api/usageManagement/v4/usage';
const products = '/tmf-api/productInventory/v4/product';
const idOf = (document: JsonObject): string => (typeof document.id === 'string' ? document.id : '');
const party = (id: string): JsonObject => ({ id, role: 'customer', '@referredType': 'Customer' });

export interface Line {
  customer: string;
  id: string;
  msisdn: string;
}

async function ask(door: Door, method: string, path: string, body?: JsonObject): Promise<unknown> {
  const response = await fetch(`${door.url}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${door.token}`,
      'content-type': 'application/json',
      ...(method === 'POST' ? { 'idempotency-key': randomUUID() } : {}),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(15_000),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text.slice(0, 300)}`);
  return JSON.parse(text);
}

const documentOf = (answer: unknown): JsonObject => {
  if (!isJsonObject(answer)) throw new Error('the answer is no object');
  return answer;
};

/** A tool, confirmed where it asks for it. */
export async function tool(door: Door, name: string, input: JsonObject): Promise<JsonObject> {
  const call = async (headers: Record<string, string>) => {
    const response = await fetch(`${door.url}/tools/${name}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${door.token}`, 'content-type': 'application/json', ...headers },
      body: JSON.stringify(input),
    });
    return documentOf(await response.json());
  };
  const first = await call({});
  const { confirmation } = first;
  const body = isJsonObject(confirmation) ? await call({ 'confirmation-token': String(confirmation.token) }) : first;
  if (!isJsonObject(body.result)) throw new Error(`${name}: ${JSON.stringify(body).slice(0, 300)}`);
  return body.result;
}

async function offering(door: Door, code: string): Promise<string> {
  const found = await ask(door, 'GET', `/tmf-api/productCatalogManagement/v4/productOffering?code=${code}`);
  const [one] = z.array(z.looseObject({ id: z.string() })).parse(found);
  if (!one) throw new Error(`there is no offering ${code}`);
  return one.id;
}

async function place(door: Door, customer: string, item: JsonObject): Promise<JsonObject> {
  return documentOf(
    await ask(door, 'POST', orders, {
      relatedParty: [party(customer)],
      productOrderItem: [{ id: '1', action: 'add', quantity: 1, ...item }],
    }),
  );
}

async function signUp(door: Door): Promise<JsonObject> {
  const made = documentOf(
    await ask(door, 'POST', customers, {
      name: 'Ada Lim',
      engagedParty: { id: 'p1', name: 'Ada Lim', '@referredType': 'Individual' },
      contactMedium: [{ mediumType: 'email', characteristic: { emailAddress: `${randomUUID()}@example.com` } }],
    }),
  );
  await ask(door, 'POST', '/tmf-api/paymentMethod/v4/paymentMethod', {
    '@type': 'tokenizedCard',
    name: 'Card',
    token: 'tok_visa',
    relatedParty: party(idOf(made)),
  });
  return made;
}

/** A customer with an active line, from the beginning. */
export async function activeLine(door: Door): Promise<Line> {
  const plan = await offering(door, 'PLAN_S');
  const customer = idOf(await signUp(door));
  const order = idOf(await place(door, customer, { productOffering: { id: plan } }));
  for (const deadline = Date.now() + 30_000; ; await pause(50)) {
    const seen = documentOf(await ask(door, 'GET', `${orders}/${order}`));
    if (seen.state === 'completed') break;
    if (Date.now() > deadline) throw new Error(`order ${order} did not end: ${JSON.stringify(seen)}`);
  }
  const found = await ask(door, 'GET', `${products}?relatedParty.id=${customer}`);
  const [product] = z.array(z.looseObject({ id: z.string(), productSerialNumber: z.string() })).parse(found);
  if (!product) throw new Error('there is no line');
  return { customer, id: product.id, msisdn: product.productSerialNumber };
}

export interface LoadOptions {
  /** What new customers and top-ups cost the gateway is left out where its book must stand still. */
  readonly orders: boolean;
}

/** People who use, read, top up and join, each at a walking pace. Every request is sent once and must be answered. */
export async function beginLoad(door: Door, lines: readonly Line[], options: LoadOptions): Promise<Load> {
  const told: Told[] = [];
  const failures: string[] = [];
  let answered = 0;
  let slowest = 0;
  let isOver = false;
  const [plan, addOn] = [await offering(door, 'PLAN_S'), await offering(door, 'VAS_DATA_1GB')];

  async function loop(pauseMs: number, work: () => Promise<void>): Promise<void> {
    while (!isOver) {
      const began = performance.now();
      try {
        await work();
        answered += 1;
        slowest = Math.max(slowest, performance.now() - began);
      } catch (error) {
        const cause = error instanceof Error && error.cause !== undefined ? ` (${String(error.cause)})` : '';
        failures.push(`${error instanceof Error ? error.message : String(error)}${cause}`);
      }
      await pause(pauseMs);
    }
  }

  const use = (line: Line) => async () => {
    const made = documentOf(
      await ask(door, 'POST', usages, {
        usageType: 'data',
        usageCharacteristic: [
          { name: 'msisdn', value: line.msisdn },
          { name: 'volume', value: 1 },
          { name: 'unit', value: 'MB' },
          { name: 'source', value: 'drill' },
          { name: 'recordId', value: randomUUID() },
        ],
      }),
    );
    told.push({ path: usages, document: made, attributes: Object.keys(made) });
  };
  const orderAttributes = ['id', 'orderDate', 'relatedParty', 'orderTotalPrice'];
  const topUp = (line: Line) => async () => {
    const made = await place(door, line.customer, { productOffering: { id: addOn }, product: { id: line.id } });
    told.push({ path: orders, document: made, attributes: orderAttributes });
  };
  const register = async (): Promise<string> => {
    const made = await signUp(door);
    told.push({ path: customers, document: made, attributes: ['id', 'name', 'contactMedium', 'engagedParty'] });
    return idOf(made);
  };
  const join = async () => {
    const customer = await register();
    if (!options.orders) return;
    const made = await place(door, customer, { productOffering: { id: plan } });
    told.push({ path: orders, document: made, attributes: orderAttributes });
  };
  const look = (line: Line) => async () => {
    await ask(door, 'GET', `${products}/${line.id}`);
    await ask(door, 'GET', `${usages}?limit=5`);
  };

  const running = [
    ...lines.map((line) => loop(40, use(line))),
    ...lines.slice(0, 1).map((line) => loop(60, look(line))),
    ...(options.orders ? lines.slice(0, 1).map((line) => loop(300, topUp(line))) : []),
    loop(250, async () => {
      await join();
    }),
  ];
  return {
    told,
    failures,
    answered: () => answered,
    slowestMs: () => {
      const found = slowest;
      slowest = 0;
      return found;
    },
    async stop() {
      isOver = true;
      await Promise.all(running);
    },
  };
}

/** What was told and is not so any more. */
export async function findLost(door: Door, among: readonly Told[]): Promise<string[]> {
  const lost: string[] = [];
  const waiting = [...among];
  const look = async (): Promise<void> => {
    for (let one = waiting.pop(); one !== undefined; one = waiting.pop()) {
      const { path, document, attributes } = one;
      const found = await ask(door, 'GET', `${path}/${idOf(document)}`).catch(() => undefined);
      const faults = isJsonObject(found)
        ? attributes.filter((name) => !isDeepStrictEqual(document[name], found[name]))
        : ['all'];
      if (faults.length > 0) lost.push(`${path}/${idOf(document)}: ${faults.join()}`);
    }
  };
  await Promise.all([look(), look(), look(), look()]);
  return lost;
}
