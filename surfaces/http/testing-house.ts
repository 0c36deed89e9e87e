import type { House } from '../../doctrine/house.ts';
import { createHandlers } from '../../handlers/index.ts';
import { isJsonObject, type Json, type JsonObject } from '../../kernel/json.ts';
import { freezeClock } from '../../policy/clock/commands.ts';
import { commands } from '../../policy/commands.ts';
import { execute } from '../../policy/core/command.ts';
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
