import { isJsonObject, type JsonObject } from '../../kernel/json.ts';
import type { Case } from './case.ts';
import type { World } from './world.ts';

interface Proposed {
  /** What was proposed: the end of a standing request to be told. */
  readonly input: JsonObject;
  readonly token: string;
}

const tool = 'hub.unregister';

/** The first of the two calls. */
async function proposed(world: World): Promise<Proposed> {
  const id = await world.made('TMF622 hub', { callback: 'https://listener.example.com/events' });
  const input = { api: 'TMF622', id };
  const { body, text } = await world.tool(tool, input);
  const token = isJsonObject(body.confirmation) ? body.confirmation.token : undefined;
  if (typeof token !== 'string') throw new Error(`no confirmation was given: ${text}`);
  return { input, token };
}

const confirm = (world: World, input: JsonObject, token: string, more: Record<string, string> = {}, name = tool) =>
  world.tool(name, input, { 'confirmation-token': token, ...more });

export const confirmationCases: Readonly<Record<string, Case>> = {
  'confirmation.known': async (world) => confirm(world, (await proposed(world)).input, 'cnf_nothing'),
  'confirmation.same_caller': async (world) => {
    const { input, token } = await proposed(world);
    return confirm(world, input, token, { authorization: 'Bearer air_tools' });
  },
  'confirmation.same_tool': async (world) => {
    const { input, token } = await proposed(world);
    return confirm(world, { id: String(input.id) }, token, {}, 'token.revoke');
  },
  'confirmation.same_arguments': async (world) => {
    const [{ token }, other] = [await proposed(world), await proposed(world)];
    return confirm(world, other.input, token);
  },
  'confirmation.used_once': async (world) => {
    const { input, token } = await proposed(world);
    await confirm(world, input, token);
    // For a day the same token gets the first answer again; after it nothing is left to answer with.
    await world.change('DELETE FROM "idempotency_key"');
    return confirm(world, input, token);
  },
  'confirmation.not_stale': async (world) => {
    const { input, token } = await proposed(world);
    await world.change(`UPDATE "confirmation" SET "expires_at" = "created_at"`);
    return confirm(world, input, token);
  },
};
