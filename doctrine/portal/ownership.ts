import { routes } from '../../surfaces/portal/routes.ts';
import { type Attack, leaksIn, type Scene } from '../hostile/attack.ts';
import type { Answer, HostileWorld, Somebody } from '../hostile/world.ts';
import { type PageAnswer, personOf } from './person.ts';

const family = 'asks for what is another’s';

/** Where else somebody has something with an id. */
const kinds = [
  'payment_method',
  'trouble_ticket',
  'payment',
  'billing_account',
  'chat_session',
  'portal_session',
  'party_interaction',
] as const;

/** An id of each kind that somebody has: each is tried at each place for one. */
export async function idsOf(world: HostileWorld, who: Somebody): Promise<string[]> {
  const rows = await Promise.all(
    kinds.map((kind) =>
      world.rows<{ id: string }>(`SELECT min("id") AS id FROM "${kind}" WHERE "customer_id" = $1 HAVING count(*) > 0`, [
        who.customer,
      ]),
    ),
  );
  const lacking = kinds.filter((_, index) => rows[index]?.length === 0);
  if (lacking.length > 0) throw new Error(`${who.name} has nothing of ${lacking.join(', ')} to be asked for`);
  return [who.customer, who.line, who.order, who.bill, who.billNo, who.msisdn, ...rows.flat().map(({ id }) => id)];
}

/** An id of the same look that nobody has. */
const nobodys = (id: string): string =>
  id.replace(/[0-9a-z]{6}$/, (end) => (end === 'zzzzzz' ? 'yyyyyy' : 'zzzzzz')).replace(/^\d+$/, '99999999');

/** What a form of that route might hold, so that nothing but the owner stands in the way. */
const fields: Readonly<Record<string, Record<string, string>>> = {
  'top-up': { offering: 'VAS_DATA_1GB' },
  plan: { offering: 'PLAN_L' },
  roaming: { roaming: 'off' },
  end: { when: 'boundary' },
  note: { note: 'Let me in.' },
};

/** The answer without what differs in every answer: the id that was asked for, tokens, and the id of the request. */
const plainOf = ({ status, text, location }: PageAnswer, id: string): string =>
  `${status} ${(location ?? '').replaceAll(id, '')} ${text
    .replaceAll(id, '')
    .replace(/name="(csrf|confirmation)" value="[^"]*"/g, '')
    .replace(/\breq_[\w-]+/g, '')}`;

/** Asks at a route for something of the victim's, and for the same of nobody: both must be answered alike. */
async function probe(
  scene: Scene,
  method: string,
  path: (id: string) => string,
  form: Record<string, string>,
): Promise<Answer[]> {
  const { world, attacker, victim, kept } = scene;
  const person = await personOf(world, attacker);
  const ids = await idsOf(world, victim);
  const answers: Answer[] = [];
  kept.differing = '';
  for (const id of ids) {
    const ask = (one: string) => (method === 'GET' ? person.get(path(one)) : person.post(path(one), form));
    const answer = await ask(id);
    if (plainOf(answer, id) !== plainOf(await ask(nobodys(id)), nobodys(id))) kept.differing += ` ${id}`;
    // What the attacker typed is known to the attacker.
    answers.push({ ...answer, text: answer.text.replaceAll(id, '') });
  }
  return answers;
}

const differs = (scene: Scene, answers: readonly Answer[]): boolean =>
  (scene.kept.differing ?? '') !== '' || leaksIn(scene, answers).length > 0;

const furnished = new WeakMap<Somebody, Promise<void>>();

/** Gives the victim something of every kind: a probe asks for the same whichever was played before. */
async function belongings({ world, victim }: Scene): Promise<void> {
  const known =
    furnished.get(victim) ??
    (async () => {
      await world.session(victim.token);
      await world.request('POST', '/tools/ticket.open', 'air_operator', {
        customerId: victim.customer,
        name: 'Of the victim',
        description: 'Nobody else’s business',
      });
    })();
  furnished.set(victim, known);
  await known;
}

/** Every page and form of customers that has a place for an id. */
export const owning: readonly Attack[] = routes
  .filter(({ audience, path }) => audience === 'customer' && path.includes(':'))
  .map(({ method, path }): Attack => {
    const [name = ''] = path.split('/').slice(-1);
    return {
      family,
      name: `${method} ${path} with every id of another`,
      aims: ['read.owner', 'tools.answer_owner', 'ownership.is_callers'],
      prepare: belongings,
      play: (scene) => probe(scene, method, (id) => path.replace(/:\w+/, id), fields[name] ?? {}),
      won: differs,
    };
  });

/** Places for an id that are no part of a path. */
const named = (name: string, more: Pick<Attack, 'aims' | 'play'> & Partial<Attack>): Attack => ({
  family,
  name,
  won: differs,
  ...more,
});

const proposing = (tool: string, input: (id: string) => object, aims: readonly string[]): Attack =>
  named(`GET /account/propose of ${tool} with every id of another`, {
    aims,
    prepare: belongings,
    play: (scene) =>
      probe(
        scene,
        'GET',
        (id) => `/account/propose?${new URLSearchParams({ tool, arguments: JSON.stringify(input(id)) })}`,
        {},
      ),
  });

export const naming: readonly Attack[] = [
  proposing('subscription.top_up', (subscriptionId) => ({ subscriptionId, offering: 'VAS_DATA_1GB' }), [
    'ownership.is_callers',
    'tools.answer_owner',
  ]),
  proposing('card.remove', (cardId) => ({ cardId }), ['ownership.is_callers', 'tools.answer_owner']),
  named('reads a conversation of another', {
    aims: ['chat.session_owner'],
    async prepare({ world, victim, kept }) {
      kept.session = await world.session(victim.token);
      world.model.play(() => ({ text: 'Hello.' }));
      await world.say(victim.token, `It is me, ${victim.name}, at ${victim.email}`, kept.session);
    },
    async play(scene) {
      scene.world.model.play(() => ({ text: 'Hello.' }));
      const person = await personOf(scene.world, scene.attacker);
      scene.kept.differing = '';
      return [await person.get(`/account/chat?conversation=${scene.kept.session}`)];
    },
  }),
  named('says something in a conversation of another', {
    aims: ['chat.session_owner'],
    async prepare({ world, victim, kept }) {
      kept.session = await world.session(victim.token);
    },
    async play({ world, attacker, kept }) {
      world.model.play(() => ({ text: 'Hello.' }));
      const person = await personOf(world, attacker);
      await person.get('/account/chat?new=1');
      return [await person.post('/account/chat', { conversation: kept.session ?? '', text: 'Me again' })];
    },
    won: async ({ world, kept }) =>
      (await world.rows('SELECT 1 FROM "chat_turn" WHERE "session_id" = $1', [kept.session])).length > 0,
  }),
];
