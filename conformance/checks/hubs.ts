import type { JsonObject } from '../../kernel/json.ts';
import { isJsonObject } from '../../kernel/json.ts';
import { type Answer, apiOf, hubOperation, objectIn, textOf, validatorsOf } from '../client.ts';
import { claim, isDate, objectsIn, same } from '../documents.ts';
import { noOccasion, occasions } from '../fixtures/events.ts';
import type { Delivery } from '../listener.ts';
import { pause } from '../server-process.ts';
import { type Check, ofApi, type ResourceDoor, type Suite, type Verdict } from '../suite.ts';
import { until } from '../world.ts';

const arrivalMsMaxAfterSilence = 1_000;

/** The hub that hears all of an API for the whole run. */
export const observerOf = (api: string): string => `observer-${api}`;

export async function registered(
  suite: Pick<Suite, 'client' | 'listener'>,
  api: string,
  place: string,
  query?: string,
): Promise<string> {
  const body = { callback: suite.listener.callback(place), ...(query === undefined ? {} : { query }) };
  const answer = await suite.client.ask(hubOperation(api, 'registerListener'), { body });
  same(answer.status, 201, `the status of a hub (${answer.text.slice(0, 200)})`);
  return textOf(objectIn(answer).id, 'the id of the hub');
}

const unregister = (suite: Suite, api: string, id: string): Promise<Answer> =>
  suite.client.ask(hubOperation(api, 'unregisterListener'), { id });

/** The resource inside an event, by the name of its resource. */
function toldOf(delivery: Delivery): JsonObject {
  const { event } = delivery.body;
  const [inner] = isJsonObject(event) ? Object.values(event) : [];
  return isJsonObject(inner) ? inner : {};
}

const nameOf = (delivery: Delivery): string => String(delivery.body.eventType);

/** A resource of the API that a client creates and subscribers hear of. */
function creatable(suite: Suite, api: string): ResourceDoor {
  const found = suite.doors.find((door) => door.api === api && door.fixture.create && door.table.events.length > 0);
  if (!found) throw new Error(`no client creates anything of ${api} that has events`);
  return found;
}

/** One that a client creates and changes, or only changes. */
function changeable(suite: Suite, api: string): ResourceDoor | undefined {
  const ofApi = suite.doors.filter(
    (door) =>
      door.api === api && door.fixture.patch && door.table.events.some(({ kind }) => kind === 'AttributeValueChange'),
  );
  return ofApi.find((door) => door.fixture.create && door.name !== 'product') ?? ofApi[0];
}

async function awaited<T>(suite: Suite, place: string, look: () => Promise<T | undefined>): Promise<T> {
  const api = place.slice(-6);
  try {
    return await until(
      `what ${place} waits for`,
      look,
      suite.silent.has(api) ? arrivalMsMaxAfterSilence : suite.arrivalMsMax,
    );
  } catch (error) {
    suite.silent.add(api);
    throw error;
  }
}

function arrived(suite: Suite, place: string, isIt: (delivery: Delivery) => boolean): Promise<Delivery> {
  return awaited(suite, place, async () => (await suite.listener.heard(place)).find(isIt));
}

async function changes(door: ResourceDoor, id: string, words: readonly string[]): Promise<void> {
  const attribute = door.fixture.patch?.attribute ?? '';
  for (const word of words) {
    const answer = await door.ask('patch', { id, body: { [attribute]: word } });
    same(answer.status, 200, 'the status of a patch');
  }
}

async function subject(door: ResourceDoor): Promise<string> {
  return door.fixture.create ? (await door.create()).id : textOf((await door.one()).id, 'the id');
}

/** What a place was told of one resource’s attribute, in the order in which it came; told twice counts once. */
async function wordsAt(suite: Suite, place: string, door: ResourceDoor, id: string): Promise<string[]> {
  const attribute = door.fixture.patch?.attribute ?? '';
  const heard = (await suite.listener.heard(place)).filter((one) => toldOf(one).id === id);
  const once = [...new Map(heard.map((one) => [one.body.eventId, one])).values()];
  return once.flatMap((one) => (typeof toldOf(one)[attribute] === 'string' ? [String(toldOf(one)[attribute])] : []));
}

const words = ['word 1', 'word 2', 'word 3', 'word 4', 'word 5'];

async function wordsInOrder(suite: Suite, place: string, door: ResourceDoor, id: string): Promise<void> {
  await awaited(suite, place, async () => {
    const found = await wordsAt(suite, place, door, id);
    return words.every((word) => found.includes(word)) ? true : undefined;
  });
  // The house may change the resource meanwhile, which tells the same word again.
  const found = (await wordsAt(suite, place, door, id)).filter(
    (word, index, all) => words.includes(word) && word !== all[index - 1],
  );
  same(found, words, 'the order of the changes');
}

const unchangeable = 'no client changes a resource of this API';

/** Asked while the API is at rest: registration itself. */
export const hubChecks: readonly Check[] = [
  ofApi(['R-HUB-201'], async (api, suite) => {
    const callback = suite.listener.callback(`registration-${api}`);
    const query = 'eventType=NothingHappensEvent';
    const answer = await suite.client.ask(hubOperation(api, 'registerListener'), { body: { callback, query } });
    const body = objectIn(answer);
    same([answer.status, body.callback, body.query], [201, callback, query], 'status, callback and query');
    claim(
      answer.headers.location?.endsWith(`/hub/${String(body.id)}`) === true &&
        answer.headers.location.startsWith(suite.client.publicUrl),
      `Location is ${answer.headers.location}`,
    );
    await unregister(suite, api, textOf(body.id, 'the id'));
  }),
  ofApi(['R-HUB-BAD-CALLBACK'], async (api, suite) => {
    for (const callback of [
      'not an address',
      'ftp://example.com/x',
      '/relative',
      'javascript:alert(1)',
      'http://user:secret@example.com/',
    ]) {
      same(
        (await suite.client.ask(hubOperation(api, 'registerListener'), { body: { callback } })).status,
        400,
        `the status of ${callback}`,
      );
    }
    for (const body of [{}, { callback: 7 }, { query: 'a=b' }]) {
      same(
        (await suite.client.ask(hubOperation(api, 'registerListener'), { body })).status,
        400,
        `the status of ${JSON.stringify(body)}`,
      );
    }
  }),
  ofApi(['R-HUB-BAD-QUERY'], async (api, suite) => {
    for (const query of ['filter=$[?(', 'a.b[=1', 'noValue']) {
      const body = { callback: suite.listener.callback('nothing'), query };
      const answer = await suite.client.ask(hubOperation(api, 'registerListener'), { body });
      same(answer.status, 400, `the status of the query ${query}`);
    }
  }),
  ofApi(['R-HUB-DELETE'], async (api, suite) => {
    const id = await registered(suite, api, `deleted-${api}`);
    const answer = await unregister(suite, api, id);
    same([answer.status, answer.text], [204, ''], 'status and body');
    same((await unregister(suite, api, id)).status, 404, 'the status of a second delete');
    same((await unregister(suite, api, 'nothing-has-this-id')).status, 404, 'the status of an unknown hub');
  }),
];

const deliveries: readonly Check[] = [
  ofApi(['R-HUB-PRIVATE'], async (api, suite) => {
    // The listener would hear it: it is the address that is not allowed.
    const place = `private-${api}`;
    const callback = suite.listener.callback(place).replace('127.0.0.1', '127.0.0.2');
    const answer = await suite.client.ask(hubOperation(api, 'registerListener'), { body: { callback } });
    if (answer.status >= 400) return;
    const door = creatable(suite, api);
    const { id } = await door.create();
    await arrived(suite, observerOf(api), (one) => toldOf(one).id === id);
    await pause(1000);
    same((await suite.listener.heard(place)).length, 0, 'the number of events at a private address');
    await unregister(suite, api, textOf(objectIn(answer).id, 'the id'));
  }),
  ofApi(['R-EVENT-ORDER'], async (api, suite): Promise<Verdict> => {
    const door = changeable(suite, api);
    if (!door) return unchangeable;
    const id = await subject(door);
    await changes(door, id, words);
    await wordsInOrder(suite, observerOf(api), door, id);
    return undefined;
  }),
  ofApi(['R-EVENT-QUERY'], async (api, suite) => {
    const door = creatable(suite, api);
    const wanted = door.table.events.find(({ kind }) => kind === 'Create')?.name ?? '';
    const [byName, byNothing] = [`query-${api}`, `query-nothing-${api}`];
    const hubs = [
      await registered(suite, api, byName, `eventType=${wanted}`),
      await registered(suite, api, byNothing, 'eventType=NothingHappensEvent'),
    ];
    const { id } = await door.create();
    if (door.fixture.patch) await door.ask('patch', { id, body: { [door.fixture.patch.attribute]: 'for the query' } });
    const { id: last } = await door.create();
    // In which order two resources are told is nobody's promise.
    for (const made of [id, last]) await arrived(suite, byName, (one) => toldOf(one).id === made);
    const heard = await suite.listener.heard(byName);
    for (const one of heard) same(nameOf(one), wanted, 'an event that the query lets pass');
    same((await suite.listener.heard(byNothing)).length, 0, 'the number of events that match nothing');
    for (const hub of hubs) await unregister(suite, api, hub);
  }),
  ofApi(['R-EVENT-REFUSED'], async (api, suite) => {
    const door = creatable(suite, api);
    const { create } = door.fixture;
    if (!create) throw new Error('it is creatable');
    const place = `refused-${api}`;
    const hub = await registered(suite, api, place);
    const mark = `refused-${api}-${Date.now()}`;
    const [name, wrong] = create.wrongType;
    await door.ask('create', { body: { ...create.minimal(suite.world, door.next()), mark, [name]: wrong } });
    if (typeof create.refused === 'function')
      await door.ask('create', { body: { ...create.refused(suite.world).body, mark } });
    await door.ask('create', { body: { ...create.minimal(suite.world, door.next()), mark }, token: null });
    const { id } = await door.create();
    await arrived(suite, place, (one) => toldOf(one).id === id);
    const heard = await suite.listener.heard(place);
    claim(
      heard.every((one) => !one.text.includes(mark)),
      'a refused request was told',
    );
    await unregister(suite, api, hub);
  }),
  ofApi(['R-EVENT-UNREGISTERED'], async (api, suite) => {
    const door = creatable(suite, api);
    const place = `unregistered-${api}`;
    const hub = await registered(suite, api, place);
    const { id } = await door.create();
    await arrived(suite, place, (one) => toldOf(one).id === id);
    same((await unregister(suite, api, hub)).status, 204, 'the status of the delete');
    const { id: later } = await door.create();
    await arrived(suite, observerOf(api), (one) => toldOf(one).id === later);
    await pause(300);
    claim(
      (await suite.listener.heard(place)).every((one) => toldOf(one).id !== later),
      'it is told after unregistering',
    );
  }),
  ofApi(['R-EVENT-RETRIED'], async (api, suite): Promise<Verdict> => {
    const place = `down-${api}`;
    const door = changeable(suite, api);
    // Down before it is known, because the house itself has things to tell.
    await suite.listener.down(place);
    const hub = await registered(suite, api, place);
    const id = door ? await subject(door) : (await creatable(suite, api).create()).id;
    if (door) await changes(door, id, words);
    await pause(1500);
    same((await suite.listener.heard(place)).length, 0, 'the number of events while it was down');
    await suite.listener.up(place);
    if (door) await wordsInOrder(suite, place, door, id);
    else await arrived(suite, place, (one) => toldOf(one).id === id);
    await unregister(suite, api, hub);
    return undefined;
  }),
  ofApi(['R-EVENT-SIGNED'], async (api, suite) => {
    const heard = await suite.listener.heard(observerOf(api));
    claim(heard.length > 0, 'nothing was told');
    for (const one of heard) {
      const value = one.headers['x-airtime-signature'];
      claim(typeof value === 'string' && /^t=\d+,v1=[0-9a-f]{64}$/.test(value), `the signature is ${String(value)}`);
    }
  }),
];

const perEvent: readonly Check[] = [
  {
    proves: ['R-EVENT-DELIVERED', 'R-EVENT-SHAPE', 'R-EVENT-PATH'],
    run: async (suite, { api, event }) => {
      if (!event) throw new Error('a check of events is asked of an event');
      const key = `${api} ${event.name}`;
      const why = noOccasion[key];
      if (why !== undefined) return why;
      const door = suite.doors.find((one) => one.api === api && one.name === event.resource);
      if (!door) throw new Error(`${api} has no ${event.resource}`);
      const isIt = (one: Delivery) => nameOf(one) === event.name;
      if (!(await suite.listener.heard(observerOf(api))).some(isIt)) await occasions[key]?.(door, suite);
      await arrived(suite, observerOf(api), isIt);
      const validators = await validatorsOf(apiOf(api));
      const heard = (await suite.listener.heard(observerOf(api))).filter(isIt);
      for (const one of heard) {
        const { body } = one;
        claim(typeof body.eventId === 'string' && isDate(body.eventTime), 'it has no eventId or eventTime');
        const told = isJsonObject(body.event) ? body.event[event.resource] : undefined;
        claim(isJsonObject(told) && typeof told.id === 'string', `it has no event.${event.resource}`);
        claim(
          typeof told.href === 'string' && told.href.startsWith(suite.client.publicUrl),
          `its href is ${String(told.href)}`,
        );
        claim(
          !objectsIn(body).some(({ object }) => String(object.href).startsWith('airtime:')),
          'it has a link that is not absolute',
        );
        const validate = validators.schemas[event.name];
        claim(validate !== undefined && validate !== null, `the contract has no ${event.name}`);
        claim(
          validate(body),
          `it breaks the contract: ${
            validate.errors
              ?.map((error) => `${error.instancePath} ${error.message ?? ''}`)
              .slice(0, 3)
              .join('; ') ?? ''
          }`,
        );
        claim(
          one.path.toLowerCase().endsWith(event.path.slice(event.path.lastIndexOf('/')).toLowerCase()),
          `it came to ${one.path} instead of ${event.path}`,
        );
      }
      return undefined;
    },
  },
];

/** Asked of all APIs at once, when everything else has been: most of the time is waiting. */
export const eventChecks: readonly Check[] = [...deliveries, ...perEvent];
