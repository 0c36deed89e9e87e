import { type House, openHouse } from '../../doctrine/house.ts';
import { createHandlers } from '../../handlers/index.ts';
import { isJsonObject, type Json, type JsonObject } from '../../kernel/json.ts';
import { freezeClock } from '../../policy/clock/commands.ts';
import { commands } from '../../policy/commands.ts';
import { execute } from '../../policy/core/command.ts';
import { objects } from '../../policy/core/party.ts';
import { runStatement } from '../../policy/core/transaction.ts';
import { activationCommandsFor, resourceCommandsFor } from '../../policy/resources.ts';
import { queriesFor } from '../../tools/queries.ts';
import { makeTools } from '../../tools/registry.ts';
import { testDoor } from './testing.ts';

export interface Answer {
  status: number;
  body: JsonObject;
}

/** The doors of a house as the outside has them: the standard's APIs and the tools, over HTTP, as an operator. */
export interface HouseDoor {
  readonly url: string;
  /** `path` as `TMF622 productOrder/ord_…`. An answer that is a list is its `items`. */
  http(method: string, path: string, body?: Json): Promise<Answer>;
  /** Runs a tool; what is proposed is confirmed. */
  tool(name: string, input: Json): Promise<Answer>;
  /** What a tool would do, for the person who confirms it. */
  proposal(name: string, input: Json): Promise<Answer>;
  close(): Promise<void>;
}

const bases: Readonly<Record<string, string>> = {
  TMF620: 'productCatalogManagement',
  TMF622: 'productOrderingManagement',
  TMF637: 'productInventory',
  TMF654: 'prepayBalanceManagement',
  TMF678: 'customerBillManagement',
};

/** @param rulesOff rules that this door does not judge: a test of a rule shows that without it the act goes through. */
export async function houseDoor(house: House, rulesOff: readonly string[] = []): Promise<HouseDoor> {
  const policy = { ...house.policy, rulesOff: new Set(rulesOff) };
  const tools = makeTools({ policy, pool: house.pool, commands, queries: queriesFor(commands) });
  const door = await testDoor({
    wire: { policy, pool: house.pool, publicUrl: 'https://bss.example.com', wake: () => undefined },
    handlers: createHandlers(resourceCommandsFor, activationCommandsFor),
    tools,
  });
  const send = async (method: string, path: string, body?: Json, token?: string): Promise<Answer> => {
    const response = await fetch(door.url + path, {
      method,
      headers: {
        authorization: 'Bearer air_operator',
        ...(token === undefined ? {} : { 'confirmation-token': token }),
        'content-type': method === 'PATCH' ? 'application/merge-patch+json' : 'application/json',
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    const answer: unknown = text === '' ? {} : JSON.parse(text);
    if (Array.isArray(answer)) return { status: response.status, body: { items: answer } };
    if (!isJsonObject(answer)) throw new Error(`${path} answered ${text}`);
    return { status: response.status, body: answer };
  };
  return {
    url: door.url,
    http(method, path, body) {
      const [api = '', rest] = path.split(' ');
      return send(method, `/tmf-api/${bases[api]}/v4/${rest}`, body);
    },
    async tool(name, input) {
      const first = await send('POST', `/tools/${name}`, input);
      const { confirmation } = first.body;
      const token = isJsonObject(confirmation) ? confirmation.token : undefined;
      const { status, body } = typeof token === 'string' ? await send('POST', `/tools/${name}`, input, token) : first;
      return { status, body: isJsonObject(body.result) ? body.result : body };
    },
    proposal: (name, input) => send('POST', `/tools/${name}/preview`, input),
    close: () => door.server.close(1000),
  };
}

/** Lets business time stand at an instant, and does what is due by then. */
export async function moveTo(house: House, at: Date): Promise<void> {
  await execute(house.policy, freezeClock, { at: at.toISOString() }, house.caller);
  await house.settle();
}

export interface ShopLine {
  id: string;
  customer: string;
}

/** A house and its door, with what a story of orders says again and again. */
export interface Shop {
  readonly house: House;
  readonly door: HouseDoor;
  /** An active line of a new customer. */
  line(card?: string, plan?: string): Promise<ShopLine>;
  /** The id of an offering of the seed; what is no code of one is given back. */
  offering(code: string): string;
  /** An order item that adds, for a line when it is an add-on. */
  add(id: string, code: string, line?: ShopLine): JsonObject;
  /** An order item that changes the plan of a line. */
  change(line: ShopLine, plan: string, id?: string): JsonObject;
  /** Orders by TMF622. @returns the order as it was answered. */
  order(customer: string, items: JsonObject[]): Promise<JsonObject>;
  orderNow(id: Json | undefined): Promise<JsonObject>;
  /** What was billed to a customer, oldest first, in units of the currency. */
  billed(customer: string): Promise<Json[]>;
  /** When the next renewal of a line is due. */
  boundary(lineId: string): Promise<Date>;
  close(): Promise<void>;
}

export const orderBody = (customer: string, items: JsonObject[]): JsonObject => ({
  relatedParty: [{ id: customer, role: 'customer', '@referredType': 'Customer' }],
  productOrderItem: items,
});

export async function openShop(): Promise<Shop> {
  const house = await openHouse();
  const door = await houseDoor(house);
  const rows = await runStatement<{ code: string; id: string }>(
    house.pool,
    'SELECT "code", "id" FROM "product_offering"',
    [],
  );
  const offerings = new Map(rows.map(({ code, id }) => [code, id]));
  const offering = (code: string): string => offerings.get(code) ?? code;
  return {
    house,
    door,
    offering,
    async line(card, plan) {
      const customer = await house.customer(card);
      const order = await house.order(customer, plan);
      await house.settle();
      const { subscriptionId } = await house.state(order);
      if (!subscriptionId) throw new Error('the line was not made');
      return { id: subscriptionId, customer };
    },
    add: (id, code, line) => ({
      id,
      action: 'add',
      productOffering: { id: offering(code) },
      ...(line ? { product: { id: line.id } } : {}),
    }),
    change: (line, plan, id = '1') => ({
      id,
      action: 'modify',
      productOffering: { id: offering(plan) },
      product: { id: line.id },
    }),
    async order(customer, items) {
      const { status, body } = await door.http('POST', 'TMF622 productOrder', orderBody(customer, items));
      if (status !== 201) throw new Error(`the order was answered ${status}: ${JSON.stringify(body)}`);
      return body;
    },
    orderNow: async (id) => (await door.http('GET', `TMF622 productOrder/${String(id)}`)).body,
    async billed(customer) {
      const { body } = await door.http('GET', `TMF678 customerBill?relatedParty.id=${customer}&sort=billNo`);
      return objects(body.items).map((bill) =>
        isJsonObject(bill.taxIncludedAmount) ? (bill.taxIncludedAmount.value ?? null) : null,
      );
    },
    async boundary(lineId) {
      const [row] = await runStatement<{ at: Date | null }>(
        house.pool,
        `SELECT min("due_at") AS at FROM "flow_step" WHERE "flow" = 'renewal' AND "subject" = $1 AND "state" = 'waiting'`,
        [lineId],
      );
      if (!row?.at) throw new Error('the line has no renewal ahead');
      return row.at;
    },
    async close() {
      await door.close();
      await house.close();
    },
  };
}
