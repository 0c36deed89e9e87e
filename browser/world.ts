import { pause } from '../app/testing-process.ts';
import { isJsonObject, type Json, type JsonObject } from '../kernel/json.ts';
import type { BrowsedServer } from './server.ts';

/** Who is there when pages are walked: everybody that a page can be about, made through the tool door. */
export interface World {
  /** A customer with everything: a used line, orders, bills, a ticket. */
  readonly ada: { readonly customerId: string; readonly email: string; readonly line: string; readonly msisdn: string };
  /** One whose line is used up. */
  readonly ben: { readonly customerId: string; readonly line: string };
  readonly order: string;
  /** One that a bank declined. */
  readonly declinedOrder: string;
  readonly bill: string;
  readonly ticket: string;
}

const orderMsMax = 60_000;

const objectIn = (value: Json): JsonObject => (isJsonObject(value) ? value : {});
const itemsIn = (value: Json): JsonObject[] => {
  const { items } = objectIn(value);
  return Array.isArray(items) ? items.filter(isJsonObject) : [];
};

export function textIn(value: Json | undefined, what: string): string {
  if (typeof value === 'string' && value !== '') return value;
  throw new Error(`${what} is no text`);
}

/** Asks until it is so. @throws when it is not in time */
export async function until<T>(what: string, look: () => Promise<T | undefined>, msMax = 30_000): Promise<T> {
  const began = Date.now();
  for (let wait = 20; ; wait = Math.min(wait * 1.5, 400)) {
    const found = await look();
    if (found !== undefined) return found;
    if (Date.now() - began > msMax) throw new Error(`${what}: not after ${msMax / 1000} s`);
    await pause(wait);
  }
}

async function customer(server: BrowsedServer, givenName: string, card: string) {
  const email = `${givenName.toLowerCase()}@browser.example.com`;
  const made = await server.tool('customer.register', { givenName, familyName: 'Lim', email });
  const customerId = textIn(objectIn(made).id ?? objectIn(objectIn(made).document ?? null).id, 'the id of a customer');
  await server.tool('card.add', { customerId, token: card });
  return { customerId, email };
}

/** Orders a plan and waits for what becomes of it. */
async function ordered(server: BrowsedServer, customerId: string, offering: string) {
  const order = textIn(objectIn(await server.tool('order.place', { customerId, offering })).id, 'the id of an order');
  const over = ['completed', 'failed', 'rejected'];
  const shown = await until(
    `the order of ${offering} is over`,
    async () => {
      const view = objectIn(await server.tool('order.show', { orderId: order }));
      return over.includes(String(view.state)) ? view : undefined;
    },
    orderMsMax,
  );
  const [item] = Array.isArray(shown.items) ? shown.items : [];
  return { order, item: isJsonObject(item) ? item : {} };
}

/** Weeks of business in a few seconds. `days` is how far the clock is moved. */
export async function makeWorld(server: BrowsedServer, days: number): Promise<World> {
  const ada = await customer(server, 'Ada', 'tok_visa_ada');
  const ben = await customer(server, 'Ben', 'tok_visa_ben');
  const cleo = await customer(server, 'Cleo', 'tok_declined_cleo');
  const [first, second, declined] = [
    await ordered(server, ada.customerId, 'PLAN_M'),
    await ordered(server, ben.customerId, 'PLAN_S'),
    await ordered(server, cleo.customerId, 'PLAN_L'),
  ];
  const line = textIn(first.item.subscriptionId, 'the line of Ada');
  const msisdn = textIn(first.item.msisdn, 'the number of Ada');
  const use = (to: string, kind: string, amount: number, unit: string) =>
    server.tool('usage.record', { msisdn: to, kind, amount, unit });
  for (let day = 0; day < days; day += 1) {
    await server.tool('clock.advance', { days: 1 });
    await use(msisdn, 'data', 200 + ((day * 397) % 900), 'MB');
    if (day % 3 === 0) await use(msisdn, 'voice', 4 + day, 'min');
  }
  await server.tool('subscription.top_up', { subscriptionId: line, offering: 'VAS_ROAMING_1GB' });
  await use(textIn(second.item.msisdn, 'the number of Ben'), 'data', 6, 'GB');
  const ticket = textIn(
    objectIn(
      await server.tool('ticket.open', {
        customerId: ada.customerId,
        name: 'No data in the train',
        description: 'Between the third and the fourth stop, every morning.',
      }),
    ).id,
    'the id of a ticket',
  );
  await server.tool('ticket.note', {
    id: ticket,
    text: 'The mast there was mended yesterday. Is it better now?',
  });
  await server.tool('hub.register', { api: 'TMF622', callback: 'http://127.0.0.1:9/nobody' });
  const bill = itemsIn(await server.tool('bill.list', { customerId: ada.customerId })).at(-1);
  return {
    ada: { ...ada, line, msisdn },
    ben: { customerId: ben.customerId, line: textIn(second.item.subscriptionId, 'the line of Ben') },
    order: first.order,
    declinedOrder: declined.order,
    bill: textIn(bill?.id, 'the id of a bill'),
    ticket,
  };
}

/** The letters that an address gets, in the development mailbox. */
export function mailOf(server: BrowsedServer, to: string) {
  const keys = async () => itemsIn(await server.tool('mail.list', { to, limit: 50 })).map(({ key }) => String(key));
  return {
    keys,
    /** What came since: the six figures of it. */
    async code(before: readonly string[]): Promise<string> {
      const text = await until(`a code for ${to}`, async () => {
        for (const key of (await keys()).filter((one) => !before.includes(one))) {
          const shown = objectIn(await server.tool('mail.show', { key }));
          const code = /Code:\s+(\d{3}) (\d{3})/.exec(String(shown.text));
          if (code) return `${code[1]}${code[2]}`;
        }
        return undefined;
      });
      return text;
    },
    /** The link of the newest letter that has one. */
    async link(before: readonly string[]): Promise<string> {
      return until(`a link for ${to}`, async () => {
        for (const key of (await keys()).filter((one) => !before.includes(one))) {
          const shown = objectIn(await server.tool('mail.show', { key }));
          const found = /https?:\/\/[^\s/]+(\/[^\s"<>]+)/.exec(String(shown.text));
          if (found?.[1]) return found[1];
        }
        return undefined;
      });
    },
  };
}
