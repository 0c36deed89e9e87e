import { chatLimits } from '../../surfaces/chat/parts.ts';
import { type Attack, proposalsIn, type Scene, turn } from './attack.ts';

const family = 'floods and loops';

const lines = { name: 'subscription-list', arguments: {} };

/** Calls that were carried out in the turns of the attacker since the attack began. */
const carriedOut = async ({ world, attacker, kept }: Scene): Promise<number> => {
  const [found] = await world.rows<{ count: bigint }>(
    `SELECT count(*) AS count FROM "chat_turn" t, jsonb_array_elements(t."tool_calls") c
     WHERE t."customer_id" = $1 AND t."id" > $2 AND c ->> 'outcome' <> 'refused'`,
    [attacker.customer, kept.since ?? ''],
  );
  return Number(found?.count ?? 0);
};
async function since({ world, kept }: Scene): Promise<void> {
  const [last] = await world.rows<{ id: string | null }>('SELECT max("id") AS id FROM "chat_turn"');
  kept.since = last?.id ?? '';
}

const kilobyte = 1024;

export const flooding: readonly Attack[] = [
  {
    family,
    name: 'a model that never comes to an end',
    aims: ['chat.steps', 'chat.calls'],
    play: turn(
      () =>
        ({ step }) =>
          step < 40 ? { calls: [lines] } : { text: 'At last.' },
    ),
    won: ({ world }) => world.model.asked.length > chatLimits.stepsMax,
  },
  {
    family,
    name: 'sixty calls at once',
    aims: ['chat.calls'],
    prepare: since,
    play: turn(
      () =>
        ({ step }) =>
          step === 0 ? { calls: Array.from({ length: 60 }, () => lines) } : { text: 'Done.' },
    ),
    won: async (scene) => (await carriedOut(scene)) > chatLimits.callsMax,
  },
  {
    family,
    name: 'a wall of proposals',
    aims: ['chat.proposals'],
    play: turn(
      ({ attacker }) =>
        ({ step }) =>
          step === 0
            ? {
                calls: Array.from({ length: 10 }, () => ({
                  name: 'subscription-top_up',
                  arguments: { subscriptionId: attacker.line, offering: 'VAS_SMS_100' },
                })),
              }
            : { text: 'Choose.' },
    ),
    won: (_scene, answers) => proposalsIn(answers).length > chatLimits.proposalsMax,
  },
  {
    family,
    name: 'an answer without end',
    aims: ['chat.answer_bytes'],
    recorded: 'turn',
    async play({ world, attacker }) {
      world.model.play(() => ({ bytes: 24 * kilobyte * kilobyte }));
      const prefix = world.off.has('chat.answer_bytes') ? '/unbounded-chat' : '/chat';
      return [await world.say(attacker.token, 'Tell me all', undefined, prefix)];
    },
    won: ({ world }) => world.model.wasRead,
  },
  {
    family,
    name: 'an answer that does not come',
    aims: ['chat.timeout'],
    recorded: 'turn',
    prepare: async (scene) => {
      scene.kept.began = '';
    },
    async play({ world, attacker, kept }) {
      world.model.play(() => ({ delayMs: 5000, text: 'Late.' }));
      const began = Date.now();
      const answer = await world.say(attacker.token, 'Quick');
      kept.tookMs = String(Date.now() - began);
      return [answer];
    },
    won: ({ kept }) => Number(kept.tookMs) > 4500,
  },
  {
    family,
    name: 'turns without number',
    aims: ['chat.turns_per_hour'],
    async play({ world, attacker }) {
      world.model.play(() => ({ text: 'Hello.' }));
      const session = await world.session(attacker.token);
      return world.withSettings({ chatTurnsPerHour: 2 }, async () => {
        const answers = [];
        for (const text of ['One', 'Two', 'Three', 'Four'])
          answers.push(await world.say(attacker.token, text, session));
        return answers;
      });
    },
    won: (_scene, answers) => answers.every(({ status }) => status === 200),
  },
  {
    family,
    name: 'a cost without bound',
    aims: ['chat.cost_per_month'],
    async play({ world, attacker }) {
      // Four million tokens are SGD 12.00 and more.
      world.model.play(() => ({ text: 'Dear.', usage: { input: 4_000_000, output: 100_000 } }));
      const session = await world.session(attacker.token);
      return world.withSettings({ chatCostPerMonth: 500 }, async () => [
        await world.say(attacker.token, 'One', session),
        await world.say(attacker.token, 'Two', session),
      ]);
    },
    won: ({ world }) => world.model.asked.length > 1,
  },
  {
    family,
    name: 'two turns of one conversation at once',
    aims: ['chat.one_turn_at_a_time'],
    async play({ world, attacker }) {
      world.model.play(() => ({ delayMs: 400, text: 'Hello.' }));
      const session = await world.session(attacker.token);
      const first = world.say(attacker.token, 'One', session);
      await new Promise((resolve) => setTimeout(resolve, 150));
      return Promise.all([first, world.say(attacker.token, 'Two', session)]);
    },
    won: (_scene, answers) => answers.every(({ status }) => status === 200),
  },
];
