import type { Case } from './case.ts';
import type { World } from './world.ts';

/** A customer's session, whose customer has nothing. */
const asCustomer = { authorization: 'Bearer air_customer' };

async function begun(world: World): Promise<string> {
  const { body, text } = await world.chat('/sessions', {}, asCustomer);
  if (typeof body.id !== 'string') throw new Error(`no conversation began: ${text}`);
  return body.id;
}

const say = (world: World, session: string) =>
  world.chat(`/sessions/${session}/turns`, { text: 'Which plans are there?' }, asCustomer);

export const chatCases: Readonly<Record<string, Case>> = {
  'ownership.is_callers': (world) =>
    world.tool('subscription.set_roaming', { subscriptionId: world.shared.id, roaming: 'off' }, asCustomer),
  'chat.one_turn_at_a_time': async (world) => {
    const session = await begun(world);
    await say(world, session);
    await world.change(`UPDATE "chat_turn" SET "state" = 'running' WHERE "session_id" = $1`, [session]);
    return say(world, session);
  },
  'chat.turns_per_hour': async (world) => {
    const session = await begun(world);
    await say(world, session);
    return world.withSettings({ chatTurnsPerHour: 1 }, () => say(world, session));
  },
};
