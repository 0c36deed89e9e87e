import { Person } from '../doctrine/portal/person.ts';
import { isJsonObject, type JsonObject } from '../kernel/json.ts';
import { pause } from './stack.ts';
import { bases, codeFor, insist, mustTool, read, type Subscriber, textOf, tool, visit, type World } from './world.ts';

const letters = 'abcdefghijklmnopqrstuvwxyz';
const given = ['Ada', 'Bo', 'Chen', 'Dewi', 'Eko', 'Farah', 'Gita', 'Hui', 'Indra', 'Jo'] as const;
const plans = ['PLAN_S', 'PLAN_S', 'PLAN_M', 'PLAN_S', 'PLAN_L'] as const;

/** Who there will be: those who pay always, a few whose card is declined, and a few whose renewal is. */
export function peopleOf(world: Pick<World, 'random' | 'size'>): Subscriber[] {
  const { random, size } = world;
  const troubled = Math.max(1, Math.round(size.customers / 10));
  const types = [
    ...Array.from({ length: size.customers }, () => 'steady' as const),
    ...Array.from({ length: troubled }, () => 'declined' as const),
    ...Array.from({ length: troubled }, () => 'unpaid' as const),
  ];
  return types.map((kind, index): Subscriber => {
    // A word that nobody else has, planted wherever people write.
    const word = `canary${Array.from({ length: 8 }, () => letters[random.int(0, 25)]).join('')}`;
    return {
      index,
      kind,
      givenName: given[index % given.length] ?? 'Ada',
      familyName: `Of ${word}`,
      email: `${word}@people.example`,
      plan: plans[index % plans.length] ?? 'PLAN_S',
      customer: '',
      token: '',
      line: '',
      msisdn: '',
      order: '',
      anchor: undefined,
      card: '',
      bill: '',
      ticket: '',
      session: '',
      browser: undefined,
      agent: undefined,
      roams: false,
      atBrowser: Promise.resolve(),
      troubles: 'none',
    };
  });
}

export const canaryOf = (who: Pick<Subscriber, 'familyName'>): string => who.familyName.slice('Of '.length);

/** A card that has a suffix of its own, so that each person's is another. */
const cardOf = (kind: 'visa' | 'declined', index: number, more = ''): string => `tok_${kind}_s${index}${more}`;

export const party = (id: string): JsonObject => ({ id, role: 'customer', '@referredType': 'Customer' });

/** What the seed lays in, of numbers and of eSIM profiles each. */
const seeded = 1000;
const batch = 5000;

/** Numbers and eSIMs for more people than the seed has enough for, with some to spare for those that are replaced. */
export async function loadStock(world: World): Promise<void> {
  const needed = Math.ceil(world.people.length * 1.2);
  for (let from = seeded; from < needed; from += batch) {
    const count = Math.min(batch, needed - from);
    await mustTool(world, 'number.load', { first: String(6570000000 + from), count });
    const profiles = Array.from({ length: count }, (_, place) => ({
      iccid: `8965999${String(from + place).padStart(12, '0')}`,
      activationCode: `LPA:1$smdp.soak.example$S${from + place}`,
    }));
    await mustTool(world, 'esim.load', { profiles });
  }
}

/** By which door somebody comes in. */
export const waysIn = ['tmf', 'tools', 'terminal', 'pages'] as const;
export type WayIn = (typeof waysIn)[number];

const offerings = new Map<string, string>();

async function offeringId(world: World, code: string): Promise<string> {
  const known = offerings.get(code);
  if (known !== undefined) return known;
  const found = await read(world, `${bases.offering}?code=${code}`);
  const id = Array.isArray(found) ? textOf(found[0], 'id') : '';
  if (id === '') throw new Error(`there is no offering ${code}`);
  offerings.set(code, id);
  return id;
}

/** Signs somebody up. Who is declined stays without a line. */
export async function signUp(world: World, who: Subscriber, way: WayIn): Promise<void> {
  const token = cardOf(who.kind === 'declined' ? 'declined' : 'visa', who.index);
  if (way === 'pages') await byPages(world, who, token);
  else if (way === 'tmf') await byTmf(world, who, token);
  else await byOperator(world, who, token, way);
  world.watch.owns(who.customer, [who.customer, who.email, canaryOf(who), who.order]);
  const made = await mustTool(world, 'token.create', {
    name: `of ${who.index}`,
    audience: 'customer',
    scopes: ['tools:*'],
    customerId: who.customer,
  });
  who.token = textOf(made, 'token');
  world.counts.signUps += 1;
  world.counts.customers += who.kind === 'steady' ? 1 : 0;
  const state = await endOf(world, who.order);
  if (who.kind === 'declined') {
    if (state !== 'failed') throw new Error(`an order with a declined card is ${state}`);
    world.counts.declinedCards += 1;
    return;
  }
  if (state !== 'completed') throw new Error(`order ${who.order} ended ${state}`);
  const lines = await mustTool(world, 'subscription.list', {}, who);
  const [line] = Array.isArray(lines.items) ? lines.items.filter(isJsonObject) : [];
  if (!line) throw new Error('there is no line');
  who.line = textOf(line, 'id');
  who.msisdn = textOf(line, 'msisdn');
  who.anchor = new Date(textOf(line.period, 'startsAt'));
  await knowIds(world);
  await openTicket(world, who);
}

/** Waits until an order is over. Business time stands, so that only machine time passes. */
export async function endOf(world: World, order: string): Promise<string> {
  const over = ['completed', 'failed', 'partial', 'rejected', 'cancelled'];
  for (const deadline = Date.now() + 60_000; ; await pause(40)) {
    const seen = await mustTool(world, 'order.show', { orderId: order });
    const state = textOf(seen, 'state');
    if (over.includes(state)) return state;
    if (Date.now() > deadline) throw new Error(`order ${order} is still ${state}`);
  }
}

async function byTmf(world: World, who: Subscriber, token: string): Promise<void> {
  const post = async (path: string, body: JsonObject, kept: readonly string[]): Promise<string> => {
    const answer = await insist(world, { surface: 'tmf', path, token: world.stack.token(), body });
    if (answer.status !== 201 || !isJsonObject(answer.body))
      throw new Error(`${path} answered ${answer.status}: ${answer.text.slice(0, 300)}`);
    world.ledger.add(path, answer.body, kept);
    return textOf(answer.body, 'id');
  };
  who.customer = await post(
    bases.customer,
    {
      name: `${who.givenName} ${who.familyName}`,
      engagedParty: { id: `p${who.index}`, name: who.givenName, '@referredType': 'Individual' },
      contactMedium: [{ mediumType: 'email', characteristic: { emailAddress: who.email } }],
    },
    ['id', 'name', 'contactMedium', 'engagedParty'],
  );
  const card = { '@type': 'tokenizedCard', name: 'Card', token, relatedParty: party(who.customer) };
  who.card = await post(bases.card, card, ['id', 'name']);
  const item = { id: '1', action: 'add', quantity: 1, productOffering: { id: await offeringId(world, who.plan) } };
  who.order = await post(bases.order, { relatedParty: [party(who.customer)], productOrderItem: [item] }, [
    'id',
    'orderDate',
    'relatedParty',
    'orderTotalPrice',
  ]);
}

async function byOperator(world: World, who: Subscriber, token: string, way: 'tools' | 'terminal'): Promise<void> {
  const { givenName, familyName, email } = who;
  const input = { givenName, familyName, email };
  if (way === 'terminal') {
    const line = await terminal(world, ['customer', 'register', '--input', JSON.stringify(input), '--json']);
    if (line.code !== 0) throw new Error(`bss customer register: ${line.error.slice(0, 300)}`);
    const made: unknown = JSON.parse(line.out);
    const found = isJsonObject(made) && isJsonObject(made.document) ? made.document : made;
    who.customer = isJsonObject(found) && typeof found.id === 'string' ? found.id : '';
    if (isJsonObject(found)) world.ledger.add(bases.customer, found, ['id', 'name']);
  } else {
    const made = await mustTool(world, 'customer.register', input);
    who.customer = textOf(made, 'id');
    if (isJsonObject(made.document)) world.ledger.add(bases.customer, made.document, ['id', 'name']);
  }
  const card = await mustTool(world, 'card.add', { customerId: who.customer, token });
  who.card = textOf(card, 'id');
  const order = await mustTool(world, 'order.place', { customerId: who.customer, offering: who.plan });
  who.order = textOf(order, 'id');
  if (isJsonObject(order.document)) world.ledger.add(bases.order, order.document, ['id', 'orderDate']);
}

export async function terminal(
  world: World,
  args: readonly string[],
  as?: Subscriber,
  typed: readonly string[] = [],
): Promise<{ code: number; out: string; error: string }> {
  const began = performance.now();
  const done = await world.stack.bss(args, as?.token);
  world.watch.took('terminal', performance.now() - began);
  if (as) world.watch.saw('terminal', args.slice(0, 2).join(' '), as.customer, `${done.out}\n${done.error}`, typed);
  return done;
}

/** From the list of plans to an order, page by page, with a number chosen and the code of a letter. */
async function byPages(world: World, who: Subscriber, token: string): Promise<void> {
  const browser = new Person(world.stack);
  const go = async (path: string, fields?: Record<string, string>) => {
    const answer = await visit(world, who, browser, path, fields);
    if (!answer || answer.status >= 400)
      throw new Error(`${path} answered ${answer?.status ?? 'nothing'}: ${answer?.text.slice(0, 200) ?? ''}`);
    return answer;
  };
  await go('/plans');
  await go(`/sign-up?plan=${who.plan}`);
  const { givenName, familyName, email } = who;
  await go('/sign-up', { plan: who.plan, givenName, familyName, email });
  const numbers = await go('/sign-up/number');
  const msisdn = /name="msisdn"[^>]*value="(\d+)"|value="(\d+)"[^>]*name="msisdn"/.exec(numbers.text);
  await go('/sign-up/number', { msisdn: msisdn?.[1] ?? msisdn?.[2] ?? '' });
  await go('/sign-up/card');
  const after = world.post.letters.length;
  await go('/sign-up/card', { token });
  await go('/sign-up/confirm');
  await go('/sign-up/confirm', { code: await codeFor(world, email, after) });
  const found = await mustTool(world, 'customer.list', { search: email });
  const [customer] = Array.isArray(found.items) ? found.items.filter(isJsonObject) : [];
  who.customer = textOf(customer, 'id');
  const orders = await mustTool(world, 'order.list', { customerId: who.customer });
  const [order] = Array.isArray(orders.items) ? orders.items.filter(isJsonObject) : [];
  who.order = textOf(order, 'id');
  who.browser = browser;
}

async function openTicket(world: World, who: Subscriber): Promise<void> {
  const made = await mustTool(
    world,
    'ticket.open',
    { name: `Of ${canaryOf(who)}`, description: `Nobody else is to read ${canaryOf(who)}` },
    who,
  );
  who.ticket = textOf(made, 'id');
  world.watch.owns(who.customer, [who.ticket]);
  if (isJsonObject(made.document)) world.ledger.add(bases.ticket, made.document, ['id', 'name', 'description']);
}

/** Tables whose rows are somebody's, and what of a line is. */
const owned = [
  'payment_method',
  'customer_bill',
  'trouble_ticket',
  'payment',
  'billing_account',
  'chat_session',
  'party_interaction',
  'product_order',
  'subscription',
];
const idsSql = `${owned.map((table) => `SELECT "customer_id" AS customer, "id" AS thing, '${table}' AS sort FROM "${table}"`).join(' UNION ALL ')}
  UNION ALL SELECT "customer_id", unnest(ARRAY["msisdn", "service_id"]), 'line' FROM "subscription"
  UNION ALL SELECT s."customer_id", unnest(ARRAY[e."iccid", e."activation_code"]), 'esim' FROM "subscription" s JOIN "esim_profile" e ON e."id" = s."esim_id"`;

/** Everything by which anybody could be known, read anew: bills and conversations come all the time. */
export async function knowIds(world: World): Promise<void> {
  const byCustomer = new Map(world.people.map((who) => [who.customer, who]));
  type Row = { customer: string | null; thing: string | null; sort: string };
  for (const { customer, thing, sort } of await world.stack.ask<Row>(idsSql)) {
    const who = customer === null ? undefined : byCustomer.get(customer);
    if (!who || customer === null || thing === null) continue;
    world.watch.owns(customer, [thing]);
    if (sort === 'customer_bill') who.bill = thing;
    if (sort === 'payment_method') who.card = thing;
  }
}

/** The card of somebody becomes one that is declined, shortly before a renewal. */
export async function spoilCard(world: World, who: Subscriber): Promise<void> {
  const token = cardOf('declined', who.index, 'x');
  await mustTool(world, 'card.add', { token, isPreferred: true }, who);
  who.troubles = 'declining';
}

/** A new card, and a new period now, as anybody would whose line is unpaid. */
export async function mendCard(world: World, who: Subscriber): Promise<void> {
  const line = await mustTool(world, 'subscription.show', { subscriptionId: who.line }, who);
  const reasons = Array.isArray(line.blockReasons) ? line.blockReasons : [];
  if (!reasons.includes('unpaid')) throw new Error('a renewal by a declined card left its line paid');
  world.counts.declinedCards += 1;
  await mustTool(world, 'card.add', { token: cardOf('visa', who.index, 'y'), isPreferred: true }, who);
  const bought = await tool(world, 'subscription.top_up', { subscriptionId: who.line, offering: 'VAS_PERIOD' }, who);
  if (bought.status >= 300) throw new Error(`a new period was refused: ${bought.text.slice(0, 300)}`);
  await endOf(world, textOf(bought.result, 'id'));
  who.troubles = 'mended';
  world.counts.topUps += 1;
}
