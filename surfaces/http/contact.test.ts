import { afterAll, beforeAll, expect, test } from 'vitest';
import { type House, openHouse } from '../../doctrine/house.ts';
import { createHandlers } from '../../handlers/index.ts';
import { isJsonObject, type JsonObject } from '../../kernel/json.ts';
import { commands } from '../../policy/commands.ts';
import { runStatement } from '../../policy/core/transaction.ts';
import { resourceCommandsFor } from '../../policy/resources.ts';
import { queriesFor } from '../../tools/queries.ts';
import { makeTools } from '../../tools/registry.ts';
import { objectOf, type TestDoor, testDoor } from './testing.ts';

// Whatever a caller does for a customer, by whichever door, is an interaction of that customer.

const api = '/tmf-api';
let house: House;
let door: TestDoor;

beforeAll(async () => {
  house = await openHouse();
  door = await testDoor({
    wire: { policy: house.policy, pool: house.pool, publicUrl: 'https://bss.example.com', wake: () => undefined },
    handlers: createHandlers(resourceCommandsFor),
    tools: makeTools({ policy: house.policy, pool: house.pool, commands, queries: queriesFor(commands) }),
  });
});
afterAll(async () => {
  await door.server.close(1000);
  await house.close();
});

async function send(
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<JsonObject> {
  const response = await fetch(door.url + path, {
    method,
    headers: {
      Authorization: 'Bearer air_operator',
      'Content-Type': method === 'PATCH' ? 'application/merge-patch+json' : 'application/json',
      ...headers,
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  if (response.status === 204) return {};
  const answer = await objectOf(response);
  expect([path, response.status < 300, answer.message]).toEqual([path, true, undefined]);
  return answer;
}

/** A tool, confirmed where it asks for it. */
async function tool(name: string, input: unknown, headers: Record<string, string> = {}): Promise<JsonObject> {
  const first = await send('POST', `/tools/${name}`, input, headers);
  const done =
    typeof first.confirmation === 'object' && isJsonObject(first.confirmation)
      ? await send('POST', `/tools/${name}`, input, {
          ...headers,
          'Confirmation-Token': String(first.confirmation.token),
        })
      : first;
  return isJsonObject(done.result) ? done.result : done;
}

/** Reason and channel of each contact with a customer that came in, oldest first. */
async function contacts(customerId: string): Promise<string[]> {
  await house.settle();
  const rows = await runStatement<{ contact: string }>(
    house.pool,
    `SELECT "document" ->> 'reason' || ' by ' || ("document" #>> '{channel,0,id}') AS contact FROM "party_interaction"
     WHERE "customer_id" = $1 AND "document" ->> 'direction' = 'inbound' ORDER BY "id"`,
    [customerId],
  );
  return rows.map(({ contact }) => contact);
}

const idOf = (answer: JsonObject): string => (typeof answer.id === 'string' ? answer.id : '');

test('through the TMF door: customer, card, order, ticket, payment, statement, and what is taken away', async () => {
  const customer = idOf(
    await send('POST', `${api}/customerManagement/v4/customer`, {
      name: 'Grace Tan',
      engagedParty: { id: 'grace', name: 'Grace Tan', '@referredType': 'Individual' },
      contactMedium: [{ mediumType: 'email', characteristic: { emailAddress: 'grace@example.com' } }],
    }),
  );
  const owner = { id: customer, role: 'customer', '@referredType': 'Customer' };
  const card = (number: number) =>
    send('POST', `${api}/paymentMethod/v4/paymentMethod`, {
      '@type': 'tokenizedCard',
      name: 'Visa',
      token: `tok_visa_${number}`,
      relatedParty: owner,
    });
  await card(1);
  const second = idOf(await card(2));
  await send('DELETE', `${api}/paymentMethod/v4/paymentMethod/${second}`);
  const order = await send('POST', `${api}/productOrderingManagement/v4/productOrder`, {
    relatedParty: [owner],
    productOrderItem: [{ id: '1', action: 'add', productOffering: { id: 'ofr_nobody' } }],
  });
  expect(order.state).toBe('rejected');
  await send('POST', `${api}/troubleTicket/v4/troubleTicket`, {
    name: 'No signal',
    description: 'None at home',
    severity: 'minor',
    ticketType: 'complaint',
    relatedParty: [owner],
  });
  await send('PATCH', `${api}/customerManagement/v4/customer/${customer}`, { status: 'active' });
  expect(await contacts(customer)).toEqual([
    'customer created by tmf',
    'card created by tmf',
    'card created by tmf',
    'card removed by tmf',
    'order created by tmf',
    'ticket created by tmf',
    'customer changed by tmf',
  ]);
  const listed = await fetch(`${door.url}${api}/partyInteraction/v4/partyInteraction?relatedParty.id=${customer}`, {
    headers: { Authorization: 'Bearer air_operator' },
  });
  expect(JSON.stringify(await listed.json())).toContain('Refused: ');
});

test.each([
  ['tools', {}],
  ['cli', { 'User-Agent': 'bss' }],
] as const)('through the tool door, as %s: sign-up to top-up and refund', async (channel, headers) => {
  const customer = idOf(
    await tool(
      'customer.register',
      { givenName: 'Ada', familyName: channel, email: `${channel}@example.com` },
      headers,
    ),
  );
  await tool('card.add', { customerId: customer, token: `tok_visa_${channel}` }, headers);
  await tool('order.place', { customerId: customer, offering: 'PLAN_S' }, headers);
  await house.settle();
  const [line] = await runStatement<{ id: string; payment: string }>(
    house.pool,
    `SELECT s."id", p."id" AS payment FROM "subscription" s JOIN "payment" p ON p."customer_id" = s."customer_id" WHERE s."customer_id" = $1`,
    [customer],
  );
  await tool('subscription.top_up', { subscriptionId: line?.id, offering: 'VAS_DATA_1GB' }, headers);
  await house.settle();
  await tool('ticket.open', { customerId: customer, name: 'Slow', description: 'It is slow' }, headers);
  await tool('payment.refund', { paymentId: line?.payment, amount: 1 }, headers);
  expect(await contacts(customer)).toEqual([
    `customer created by ${channel}`,
    `card created by ${channel}`,
    `order created by ${channel}`,
    `activation by ${channel}`,
    `order created by ${channel}`,
    `top-up by ${channel}`,
    `ticket created by ${channel}`,
    `refund created by ${channel}`,
  ]);
});

test('what nobody asked for, and what is no affair of a customer, is no contact', async () => {
  const customer = await house.customer();
  const before = await contacts(customer);
  expect(before).toEqual(['customer created by tools', 'card created by tools']);
  await send('POST', `${api}/partyInteraction/v4/partyInteraction`, {
    reason: 'call',
    description: 'They called',
    direction: 'inbound',
    status: 'completed',
    channel: [{ id: 'phone', name: 'phone', href: 'urn:channel:phone' }],
    interactionDate: { startDateTime: '2026-01-01T09:00:00Z' },
    relatedParty: [{ id: customer, href: 'urn:x', role: 'customer', '@referredType': 'Customer' }],
  });
  expect(await contacts(customer)).toEqual([...before, 'call by phone']);
});
