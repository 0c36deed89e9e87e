import type { Pool } from 'pg';
import { z } from 'zod';
import type { Act, Answered, Ask, Client } from './load.ts';

// The kinds of operation that callers come with, each as they come with it: over HTTP, with a token, judged by the
// contract, written down in the audit.

export interface Kind {
  readonly name: string;
  /** Its part of a mixed load, in percent. */
  readonly part: number;
  readonly act: Act;
  /** It begins a flow: at its part of the load alone, and timed without being judged. */
  readonly isFlow?: boolean;
}

/** What sets those that begin a flow apart, as a sentence that names them goes on. */
export const whatFlowsDo = 'which write an order and begin a flow with card gateway and network';

const lineRow = z.object({ id: z.string(), customer: z.string(), msisdn: z.string() });
const answeredId = z.looseObject({ id: z.string() });

const bases = {
  TMF620: 'productCatalogManagement',
  TMF621: 'troubleTicket',
  TMF622: 'productOrderingManagement',
  TMF629: 'customerManagement',
  TMF635: 'usageManagement',
  TMF637: 'productInventory',
  TMF638: 'serviceInventory',
  TMF654: 'prepayBalanceManagement',
  TMF678: 'customerBillManagement',
  TMF683: 'partyInteraction',
} as const;

/** @throws Error when there are no active lines: they are what is asked about. */
export async function openKinds(client: Client, pool: Pool, random: () => number): Promise<Kind[]> {
  const { rows } = await pool.query(
    `SELECT "id", "customer_id" AS customer, "msisdn" FROM "subscription" WHERE "state" = 'active' AND "msisdn" IS NOT NULL ORDER BY "id" LIMIT 5000`,
  );
  const lines = z.array(lineRow).parse(rows);
  const line = () => {
    const found = lines[Math.floor(random() * lines.length)];
    if (!found) throw new Error('there are no lines to ask about');
    return found;
  };
  const plan = z
    .array(answeredId)
    .parse((await pool.query(`SELECT "id" FROM "product_offering" WHERE "code" = 'PLAN_S'`)).rows)[0]?.id;
  // Names of a run are its own: what is measured is not kept from one run to the next.
  const run = Math.floor(random() * 1e9).toString(36);
  let made = 0;
  const name = () => {
    made += 1;
    return `${run}-${made}`;
  };

  const ask = async (request: Ask, ...expected: number[]): Promise<Answered> => {
    const answer = await client.send(request);
    if (!expected.includes(answer.status))
      throw new Error(`${request.method} ${request.path} was answered ${answer.status}: ${answer.text.slice(0, 400)}`);
    return answer;
  };
  const get = (api: keyof typeof bases, path: () => string): Act => {
    return async () => {
      await ask({ method: 'GET', path: `/tmf-api/${bases[api]}/v4/${path()}` }, 200, 206);
    };
  };
  const post = (api: keyof typeof bases, path: string, body: () => object, ...expected: number[]): Act => {
    return async () => {
      const request = { method: 'POST', path: `/tmf-api/${bases[api]}/v4/${path}`, body: JSON.stringify(body()) };
      await ask(request, ...(expected.length > 0 ? expected : [201]));
    };
  };
  const tool = (of: string, input: () => object): Act => {
    return async () => {
      await ask({ method: 'POST', path: `/tools/${of}`, body: JSON.stringify(input()) }, 200);
    };
  };
  const party = (id: string) => [
    { id, href: `/tmf-api/customerManagement/v4/customer/${id}`, role: 'customer', '@referredType': 'Customer' },
  ];
  const individual = () => {
    const id = name();
    return { name: `Ada ${id}`, engagedParty: { id, name: `Ada ${id}`, '@referredType': 'Individual' } };
  };

  return [
    {
      name: 'usage.charge',
      part: 40,
      act: post('TMF635', 'usage', () => ({
        usageDate: new Date().toISOString(),
        usageType: 'data',
        usageCharacteristic: [
          { name: 'msisdn', value: line().msisdn },
          { name: 'volume', value: 1 },
          { name: 'unit', value: 'KB' },
          { name: 'source', value: 'bench' },
          { name: 'recordId', value: name() },
        ],
      })),
    },
    { name: 'customer.read', part: 10, act: get('TMF629', () => `customer/${line().customer}`) },
    { name: 'customer.list', part: 3, act: get('TMF629', () => 'customer?limit=20') },
    { name: 'product.of-number', part: 8, act: get('TMF637', () => `product?productSerialNumber=${line().msisdn}`) },
    { name: 'product.of-customer', part: 5, act: get('TMF637', () => `product?relatedParty.id=${line().customer}`) },
    { name: 'bucket.of-line', part: 8, act: get('TMF654', () => `bucket?product.id=${line().id}`) },
    { name: 'bill.of-customer', part: 2, act: get('TMF678', () => `customerBill?relatedParty.id=${line().customer}`) },
    { name: 'catalogue.list', part: 4, act: get('TMF620', () => 'productOffering?limit=20') },
    { name: 'line.show', part: 5, act: tool('subscription.show', () => ({ subscriptionId: line().id })) },
    { name: 'usage.of-line', part: 3, act: tool('usage.list', () => ({ subscriptionId: line().id })) },
    { name: 'customer.create', part: 3, act: post('TMF629', 'customer', individual) },
    {
      name: 'customer.patch',
      part: 2,
      act: async () => {
        const path = `/tmf-api/${bases.TMF629}/v4/customer/${line().customer}`;
        const body = JSON.stringify({ statusReason: name() });
        await ask({ method: 'PATCH', path, body, headers: { 'content-type': 'application/merge-patch+json' } }, 200);
      },
    },
    {
      name: 'ticket.create',
      part: 2,
      act: post('TMF621', 'troubleTicket', () => ({
        description: `It is slow (${name()}).`,
        severity: 'low',
        ticketType: 'complaint',
        relatedEntity: [],
        relatedParty: party(line().customer),
      })),
    },
    {
      name: 'interaction.create',
      part: 2,
      act: post('TMF683', 'partyInteraction', () => ({
        description: `Called (${name()}).`,
        reason: 'question',
        status: 'completed',
        interactionDate: { startDateTime: new Date().toISOString() },
        relatedParty: party(line().customer),
      })),
    },
    { name: 'dashboard.show', part: 1, act: tool('dashboard.show', () => ({})) },
    {
      name: 'order.place',
      part: 1,
      isFlow: true,
      act: post('TMF622', 'productOrder', () => ({
        relatedParty: party(line().customer),
        productOrderItem: [{ id: '1', action: 'add', productOffering: { id: plan } }],
      })),
    },
    {
      name: 'top-up',
      part: 1,
      isFlow: true,
      act: async (ended) => {
        const path = '/tools/subscription.top_up';
        const body = JSON.stringify({ subscriptionId: line().id, offering: 'VAS_DATA_1GB' });
        const proposed = z
          .object({ confirmation: z.object({ token: z.string() }) })
          .parse(JSON.parse((await ask({ method: 'POST', path, body }, 200)).text));
        ended?.('proposed');
        await ask({ method: 'POST', path, body, headers: { 'confirmation-token': proposed.confirmation.token } }, 200);
        ended?.('confirmed');
      },
    },
  ];
}

/** Draws the next act of a mixed load. */
export function mixOf(kinds: readonly Kind[], random: () => number): () => { kind: string; act: Act } {
  const total = kinds.reduce((sum, { part }) => sum + part, 0);
  return () => {
    let left = random() * total;
    for (const { name, part, act } of kinds) {
      left -= part;
      if (left < 0) return { kind: name, act };
    }
    throw new Error('there are no kinds');
  };
}
