import { setTimeout as wait } from 'node:timers/promises';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import pino from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { agentPages } from '../../app/agents.ts';
import { type House, openHouse } from '../../doctrine/house.ts';
import { isJsonObject, type JsonObject } from '../../kernel/json.ts';
import { commands } from '../../policy/commands.ts';
import { execute } from '../../policy/core/command.ts';
import { createAccessToken, revokeAccessToken } from '../../policy/identity/access-token.ts';
import { authenticator } from '../../policy/identity/authenticate.ts';
import { queriesFor } from '../../tools/queries.ts';
import { makeTools } from '../../tools/registry.ts';
import { makeRefusalRecorder } from '../../workers/refusal-recorder.ts';
import { type TestDoor, testDoor, testWire } from '../http/testing.ts';

// The door for agents with tokens as they are made and end, and the audit that an operator reads.

const clock = { now: () => new Date(), sleep: (ms: number) => wait(ms) };
const cacheMs = 20;
let house: House;
let door: TestDoor;
let refusals: ReturnType<typeof makeRefusalRecorder>;
const clients: Client[] = [];

beforeAll(async () => {
  house = await openHouse();
  const { policy, pool } = house;
  const log = pino({ level: 'silent' });
  refusals = makeRefusalRecorder(policy, clock, log);
  const refused: NonNullable<Parameters<typeof agentPages>[0]['onRefused']> = ({ tool, caller, error }) =>
    refusals.record({
      door: caller.surface,
      operation: tool,
      status: error.status,
      code: error.reason,
      caller,
      address: undefined,
      requestId: caller.requestId ?? '',
    });
  const tools = makeTools({ policy, pool, commands, queries: queriesFor(commands), onRefused: refused });
  const authenticate = authenticator({ pool, clock, cacheMs });
  door = await testDoor({
    wire: { ...testWire(pool), policy },
    tools,
    authenticate,
    onRefused: (one) => refusals.record(one),
  });
  const { rulesOff } = policy;
  const { publicUrl } = door;
  door.server.mount('/mcp', agentPages({ tools, rulesOff, authenticate, publicUrl, log, onRefused: refused }));
});
afterAll(async () => {
  for (const client of clients) await client.close().catch(() => undefined);
  await door.server.close(100);
  await house.close();
});

interface Made {
  id: string;
  token: string;
}
const token = (given: JsonObject): Promise<Made> => execute(house.policy, createAccessToken, given, house.caller);

async function agent(secret: string): Promise<Client> {
  const client = new Client(
    { name: 'test', version: '1' },
    {
      capabilities: { elicitation: { form: {} } },
      versionNegotiation: { mode: { pin: '2026-07-28' } },
      inputRequired: { autoFulfill: false },
    },
  );
  const headers = { authorization: `Bearer ${secret}` };
  await client.connect(new StreamableHTTPClientTransport(new URL(`${door.url}/mcp`), { requestInit: { headers } }));
  clients.push(client);
  return client;
}

/** What an operator reads of refusals, by what was refused. */
async function audited(): Promise<Map<string, JsonObject>> {
  await refusals.stop();
  const list = queriesFor(commands).find(({ name }) => name === 'audit.list');
  const view: unknown = await list?.run(house.pool, { limit: 100 }, house.caller);
  const items = isJsonObject(view) && Array.isArray(view.items) ? view.items.filter(isJsonObject) : [];
  return new Map(items.map((one) => [`${one.operation} ${one.code}`, one]));
}

test('a token opens the door until it ends, by its time or by an operator, and not a moment longer', async () => {
  const short = await token({ name: 'Short', audience: 'operator', scopes: ['*'], expiresInSeconds: 4 });
  const held = await token({ name: 'Held', audience: 'operator', scopes: ['*'] });
  const [first, second] = [await agent(short.token), await agent(held.token)];
  for (const client of [first, second]) {
    expect((await client.callTool({ name: 'customer.list', arguments: {} })).isError).not.toBe(true);
  }
  await wait(4000 + cacheMs);
  await expect(first.callTool({ name: 'customer.list', arguments: {} })).rejects.toThrow();
  await expect(agent(short.token)).rejects.toThrow();
  await execute(house.policy, revokeAccessToken, { id: held.id }, house.caller);
  await wait(2 * cacheMs);
  await expect(second.callTool({ name: 'customer.list', arguments: {} })).rejects.toThrow();
  await expect(agent('air_unknown')).rejects.toThrow();
  const seen = await audited();
  const unknown = [...seen.values()].filter(({ status }) => status === 401);
  expect(new Set(unknown.map((one) => one.door))).toEqual(new Set(['mcp']));
});

test('what is refused inside of a call is in the audit, with the tool, the rule and who asked', async () => {
  const customerId = await house.customer();
  const whole = await token({ name: 'Whole', audience: 'operator', scopes: ['*'] });
  const narrow = await token({ name: 'Narrow', audience: 'integrator', scopes: ['tools:customer.show'] });
  const own = await token({ name: 'Own', audience: 'customer', scopes: ['*'], customerId });
  const client = await agent(whole.token);
  const input = { customerId, offering: 'PLAN_S' };

  // A rule, an input, and what may never be kept.
  await client.callTool({ name: 'ticket.move', arguments: { id: 'tck_nothing', status: 'resolved' } });
  await client.callTool({ name: 'order.place', arguments: { ...input, customerId: 'cus_nobody' } });
  await client.callTool({
    name: 'ticket.open',
    arguments: { customerId, description: 'My card is 4111 1111 1111 1111' },
  });
  // A tool that the token does not open, and one of another profile.
  await (await agent(narrow.token)).callTool({ name: 'customer.list', arguments: {} });
  await (await agent(own.token)).callTool({ name: 'tools.call', arguments: { name: 'token.create', arguments: {} } });
  await (await agent(own.token)).callTool({ name: 'payment.refund', arguments: { paymentId: 'pay_x' } });
  // Names that are no tool are whatever somebody typed.
  await client.callTool({ name: 'tools.call', arguments: { name: 'typed \0 \ud83d', arguments: {} } });
  await client.callTool({ name: 'tools.call', arguments: { name: 'my card 4111 1111 1111 1111', arguments: {} } });
  await (await agent(narrow.token)).callTool({ name: 'tools.call', arguments: { name: 'typed', arguments: {} } });
  // A confirmation that was altered, and one that is another's.
  const asked: unknown = await client.callTool({ name: 'order.place', arguments: input }, { allowInputRequired: true });
  if (!isJsonObject(asked) || typeof asked.requestState !== 'string') throw new Error('the person was not asked');
  const yes = { confirm: { action: 'accept' as const, content: { confirm: true } } };
  const answer = { name: 'order.place', arguments: input, inputResponses: yes };
  const altered = { ...answer, requestState: `${asked.requestState.slice(0, -4)}AAAA` };
  await client.callTool(altered);
  const other = await agent((await token({ name: 'Other', audience: 'operator', scopes: ['*'] })).token);
  const foreign = { ...answer, requestState: asked.requestState };
  await other.callTool(foreign);

  const seen = await audited();
  const by = (key: string) => {
    const one = seen.get(key);
    const caller = isJsonObject(one?.caller) ? one.caller.id : undefined;
    return `${one?.door} ${caller}`;
  };
  expect(by('ticket.move notFound')).toBe(`mcp ${whole.id}`);
  expect(by('order.place order.customer_known')).toBe(`mcp ${whole.id}`);
  expect([...seen.keys()].some((key) => key.startsWith('ticket.open '))).toBe(true);
  expect(by('customer.list notFound')).toBe(`mcp ${narrow.id}`);
  expect(by('payment.refund notFound')).toBe(`mcp ${own.id}`);
  expect(by('token.create notFound')).toBe(`mcp ${own.id}`);
  expect(by('order.place confirmation.known')).toMatch(/^mcp tok_/);
  expect(by('(unknown) notFound')).toMatch(/^mcp tok_/);
  expect(JSON.stringify([...seen.values()])).not.toMatch(/4111|typed/);
});
