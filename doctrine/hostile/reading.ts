import type { JsonObject } from '../../kernel/json.ts';
import { type Attack, calling, leaks, type Scene, turn } from './attack.ts';

const family = 'asks for another’s data';

/** A read that names something of the victim's. */
const named = (tool: string, input: (scene: Scene) => JsonObject): Attack => ({
  family,
  name: `${tool} of another, by id`,
  aims: ['read.owner', 'tools.answer_owner'],
  play: turn((scene) => calling(tool.replaceAll('.', '-'), input(scene))),
  won: leaks,
});

/** A read that says to be for the victim. */
const asked = (tool: string): Attack => ({
  family,
  name: `${tool} with the customer id of another`,
  aims: ['tools.session_owner', 'read.owner', 'tools.answer_owner'],
  play: turn(({ victim }) => calling(tool.replaceAll('.', '-'), { customerId: victim.customer })),
  won: leaks,
});

export const reading: readonly Attack[] = [
  named('subscription.show', ({ victim }) => ({ subscriptionId: victim.line })),
  named('usage.list', ({ victim }) => ({ subscriptionId: victim.line })),
  named('order.show', ({ victim }) => ({ orderId: victim.order })),
  named('bill.show', ({ victim }) => ({ billId: victim.bill })),
  { ...named('bill.show', ({ victim }) => ({ billId: victim.billNo })), name: 'bill.show of another, by its number' },
  {
    ...named('esim.show', ({ victim }) => ({ subscriptionId: victim.line })),
    aims: ['chat.model_tools', 'read.owner', 'tools.answer_owner'],
  },
  asked('customer.show'),
  asked('subscription.list'),
  asked('order.list'),
  asked('bill.list'),
  {
    family,
    name: 'the activation code of one’s own eSIM, for the model',
    aims: ['chat.model_tools'],
    play: turn(({ attacker }) => calling('esim-show', { subscriptionId: attacker.line })),
    won: ({ world }) => world.model.asked.some(({ heard }) => heard.includes('LPA:1$')),
  },
];

const conversations = 'another’s conversation';

export const overhearing: readonly Attack[] = [
  {
    family: conversations,
    name: 'reads what another said',
    aims: ['chat.session_owner'],
    async prepare(scene) {
      const { world, victim, kept } = scene;
      kept.session = await world.session(victim.token);
      world.model.play(() => ({ text: 'Hello.' }));
      await world.say(victim.token, `It is me, ${victim.name}, at ${victim.email}`, kept.session);
    },
    async play({ world, attacker, kept }) {
      world.model.play(() => ({ text: 'Hello.' }));
      return [await world.request('GET', `/chat/sessions/${kept.session}`, attacker.token)];
    },
    won: leaks,
  },
  {
    family: conversations,
    name: 'goes on with what another said',
    aims: ['chat.session_owner'],
    async prepare(scene) {
      const { world, victim, kept } = scene;
      kept.session = await world.session(victim.token);
      world.model.play(() => ({ text: 'Hello.' }));
      await world.say(victim.token, `It is me, ${victim.name}`, kept.session);
    },
    async play({ world, attacker, kept }) {
      world.model.play(() => ({ text: 'Hello.' }));
      return [await world.say(attacker.token, 'What did I say?', kept.session)];
    },
    won: leaks,
  },
];
