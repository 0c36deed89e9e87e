import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { isJsonObject, type JsonObject } from '../../kernel/json.ts';
import type { Random } from '../random.ts';
import { pause, type Stack } from './stack.ts';

/** What callers were told, kept in their own process: it must be there after every start. */
export interface Told {
  readonly path: string;
  readonly document: JsonObject;
  /** What of it does not change any more. */
  readonly attributes: readonly string[];
}

export interface Load {
  readonly told: readonly Told[];
  readonly refusals: readonly string[];
  /** Ids of the orders that were acknowledged. */
  readonly orders: readonly string[];
  /** Every usage record that was sent, acknowledged or not. */
  readonly records: ReadonlySet<string>;
  /** Tries that no answer came to. */
  unanswered(): number;
  /** What a caller was told and is not so any more, among these. */
  findLost(among: readonly Told[]): Promise<string[]>;
  /** Orders that have not come to an end. */
  openOrders(): Promise<string[]>;
  /** Lets what is under way end, and begins nothing more. */
  stop(): Promise<void>;
}

const customers = '/tmf-api/customerManagement/v4/customer';
const orders = '/tmf-api/productOrderingManagement/v4/productOrder';
const usages = '/tmf-api/usageManagement/v4/usage';
const products = '/tmf-api/productInventory/v4/product';
const finalStates = ['completed', 'failed', 'partial', 'rejected', 'cancelled'];
const cards = [
  'tok_visa',
  'tok_visa',
  'tok_declined',
  'tok_authorises_capture_fails',
  'tok_timeout_after',
  'tok_capture_timeout_after',
  'tok_authorisation_expires',
  'tok_timeout_before',
] as const;
const retryMs = 50;
const lookersCount = 4;
const idOf = (document: JsonObject): string => (typeof document.id === 'string' ? document.id : '');
const party = (id: string): JsonObject => ({ id, role: 'customer', '@referredType': 'Customer' });

interface Line {
  customer: string;
  id: string;
  msisdn: string;
}

/** Customers who sign up, buy, use and top up as fast as they are answered, and send again what was not answered. */
export async function beginLoad(stack: Pick<Stack, 'url' | 'token' | 'ask'>, random: Random): Promise<Load> {
  const told: Told[] = [];
  const refusals: string[] = [];
  const placed: string[] = [];
  const records = new Set<string>();
  let unanswered = 0;
  let isOver = false;

  const headers = () => ({ authorization: `Bearer ${stack.token()}`, 'content-type': 'application/json' });

  /** Sends until it is answered, under one key, so that a request whose answer was lost has one effect. */
  async function post(path: string, body: JsonObject): Promise<JsonObject | undefined> {
    const key = randomUUID();
    while (!isOver) {
      try {
        const response = await fetch(`${stack.url()}${path}`, {
          method: 'POST',
          headers: { ...headers(), 'idempotency-key': key },
          body: JSON.stringify(body),
          signal: AbortSignal.timeout(10_000),
        });
        const answer: unknown = await response.json();
        if (response.status === 201 && isJsonObject(answer)) return answer;
        if (response.status < 500 && response.status !== 409 && response.status !== 429) {
          refusals.push(`${path} ${response.status} ${JSON.stringify(answer)}`);
          return undefined;
        }
      } catch {
        unanswered += 1;
      }
      await pause(retryMs);
    }
    return undefined;
  }

  async function get(path: string): Promise<unknown> {
    const response = await fetch(`${stack.url()}${path}`, { headers: headers() });
    const answer: unknown = await response.json();
    if (!response.ok) throw new Error(`${path} answered ${response.status}: ${JSON.stringify(answer)}`);
    return answer;
  }

  async function offering(code: string): Promise<string> {
    const found = await get(`/tmf-api/productCatalogManagement/v4/productOffering?code=${code}`);
    const [one] = z.array(z.looseObject({ id: z.string() })).parse(found);
    if (!one) throw new Error(`there is no offering ${code}`);
    return one.id;
  }

  async function signUp(card: string): Promise<string | undefined> {
    const made = await post(customers, {
      name: 'Ada Lim',
      engagedParty: { id: 'p1', name: 'Ada Lim', '@referredType': 'Individual' },
      contactMedium: [{ mediumType: 'email', characteristic: { emailAddress: `${randomUUID()}@example.com` } }],
    });
    if (!made) return undefined;
    told.push({ path: customers, document: made, attributes: ['id', 'name', 'contactMedium', 'engagedParty'] });
    await post('/tmf-api/paymentMethod/v4/paymentMethod', {
      '@type': 'tokenizedCard',
      name: 'Card',
      token: card,
      relatedParty: party(idOf(made)),
    });
    return idOf(made);
  }

  async function order(customer: string, item: JsonObject): Promise<string | undefined> {
    const made = await post(orders, {
      relatedParty: [party(customer)],
      productOrderItem: [{ id: '1', action: 'add', quantity: 1, ...item }],
    });
    if (!made) return undefined;
    // An order has gone on meanwhile, but it is what was ordered.
    told.push({ path: orders, document: made, attributes: ['id', 'orderDate', 'relatedParty', 'orderTotalPrice'] });
    placed.push(idOf(made));
    return idOf(made);
  }

  async function activeLine(plan: string): Promise<Line> {
    const customer = (await signUp('tok_visa')) ?? '';
    const id = (await order(customer, { productOffering: { id: plan } })) ?? '';
    for (const deadline = Date.now() + 30_000; ; await pause(50)) {
      const seen = await get(`${orders}/${id}`);
      if (isJsonObject(seen) && seen.state === 'completed') break;
      if (Date.now() > deadline) throw new Error(`order ${id} did not end: ${JSON.stringify(seen)}`);
    }
    const found = await get(`${products}?relatedParty.id=${customer}`);
    const [product] = z.array(z.looseObject({ id: z.string(), productSerialNumber: z.string() })).parse(found);
    if (!product) throw new Error('there is no line');
    return { customer, id: product.id, msisdn: product.productSerialNumber };
  }

  async function use(line: Line): Promise<void> {
    while (!isOver) {
      const recordId = randomUUID();
      records.add(recordId);
      const made = await post(usages, {
        usageType: 'data',
        usageCharacteristic: [
          { name: 'msisdn', value: line.msisdn },
          { name: 'volume', value: 100 },
          { name: 'unit', value: 'MB' },
          { name: 'source', value: 'crash' },
          { name: 'recordId', value: recordId },
        ],
      });
      if (made) told.push({ path: usages, document: made, attributes: Object.keys(made) });
      await pause(80);
    }
  }

  async function topUp(line: Line, addOn: string): Promise<void> {
    while (!isOver) {
      await order(line.customer, { productOffering: { id: addOn }, product: { id: line.id } });
      await pause(100);
    }
  }

  async function join(plan: string): Promise<void> {
    while (!isOver) {
      const customer = await signUp(random.pick(cards));
      if (customer) await order(customer, { productOffering: { id: plan } });
      await pause(150);
    }
  }

  const [plan, addOn] = [await offering('PLAN_S'), await offering('VAS_DATA_1GB')];
  const lines = [await activeLine(plan), await activeLine(plan)];
  const running = [...lines.flatMap((line) => [use(line), topUp(line, addOn)]), join(plan), join(plan)];

  async function findLost(among: readonly Told[]): Promise<string[]> {
    const lost: string[] = [];
    const waiting = [...among];
    const look = async (): Promise<void> => {
      for (let one = waiting.pop(); one !== undefined; one = waiting.pop()) {
        const { path, document, attributes } = one;
        const found = await get(`${path}/${idOf(document)}`).catch((error: unknown) => ({ missing: String(error) }));
        const faults = isJsonObject(found)
          ? attributes.filter((name) => !isDeepStrictEqual(document[name], found[name]))
          : ['all'];
        if (faults.length > 0)
          lost.push(`${path}/${idOf(document)}: ${faults.join()} ${JSON.stringify(found).slice(0, 300)}`);
      }
    };
    await Promise.all(Array.from({ length: lookersCount }, look));
    return lost;
  }

  return {
    told,
    refusals,
    orders: placed,
    records,
    unanswered: () => unanswered,
    findLost,
    async openOrders() {
      const open = await stack.ask<{ id: string }>(
        'SELECT "id" FROM "product_order" WHERE "id" = ANY ($1) AND NOT "state" = ANY ($2)',
        [placed, finalStates],
      );
      return open?.map(({ id }) => id) ?? [...placed];
    },
    async stop() {
      isOver = true;
      await Promise.all(running);
    },
  };
}
