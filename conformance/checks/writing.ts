import { randomUUID } from 'node:crypto';
import type { Json, JsonObject } from '../../kernel/json.ts';
import { type Answer, objectIn, pathOf, textOf } from '../client.ts';
import { claim, isDate, same, without } from '../documents.ts';
import type { PatchFixture } from '../fixtures/fixture.ts';
import { type Check, type Created, ofResource, type ResourceDoor, type Suite, type Verdict } from '../suite.ts';
import { until } from '../world.ts';
import { hrefOf } from './reading.ts';

/** What the server may write into a resource whenever it changes. */
const stamps = ['lastUpdate', 'statusDate', 'statusChangeDate', 'statusChange'];
const jsonPatch = { 'Content-Type': 'application/json-patch+json' };

function minimalOf(door: ResourceDoor, suite: Suite): JsonObject {
  if (!door.fixture.create) throw new Error(`no client creates ${door.name}`);
  return door.fixture.create.minimal(suite.world, door.next());
}

function patchOf(door: ResourceDoor): PatchFixture {
  if (!door.fixture.patch) throw new Error(`${door.name} has no patch in its fixture`);
  return door.fixture.patch;
}

/** A value for the attribute that a client may patch: the words, or the other of its two states. */
function valueFor(door: ResourceDoor, body: JsonObject, words: string): string {
  const { attribute, turns } = patchOf(door);
  if (!turns) return words;
  return body[attribute] === turns[0] ? turns[1] : turns[0];
}

/** One that may be patched. */
async function target(door: ResourceDoor, more: JsonObject = {}): Promise<Pick<Created, 'id' | 'body'>> {
  if (door.fixture.create) return door.create('minimal', more);
  const body = await door.one();
  return { id: textOf(body.id, 'the id'), body };
}

const patch = (door: ResourceDoor, id: string, body: Json, headers: Record<string, string> = {}): Promise<Answer> =>
  door.ask('patch', { id, body, headers });
const etagOf = async (door: ResourceDoor, id: string): Promise<string> =>
  (await door.ask('retrieve', { id })).headers.etag ?? '';

async function unchanged(door: ResourceDoor, id: string, act: () => Promise<void>): Promise<void> {
  const [before, tag] = [await door.read(id), await etagOf(door, id)];
  await act();
  same(await door.read(id), before, 'the resource after a refusal');
  same(await etagOf(door, id), tag, 'the ETag after a refusal');
}

const creating: readonly Check[] = [
  ofResource(['R-CREATE-201'], async (door, suite) => {
    const answer = await door.ask('create', { body: minimalOf(door, suite) });
    same(answer.status, 201, 'the status');
    claim(typeof objectIn(answer).id === 'string', 'the body has no id');
  }),
  ofResource(['R-CREATE-LOCATION'], async (door, suite) => {
    const { id, body, answer } = await door.create();
    same(answer.headers.location, hrefOf(suite, door, id), 'Location');
    same(body.href, answer.headers.location, 'href');
    same(objectIn(await door.ask('retrieve', { id })).href, body.href, 'the href when it is read');
  }),
  ofResource(['R-CREATE-DEFAULTS'], async (door) => {
    const { body } = await door.create();
    for (const [name, wanted] of Object.entries(door.fixture.create?.defaults ?? {})) {
      const given = body[name];
      if (wanted.is === 'value') same(given, wanted.value, name);
      else
        claim(
          wanted.is === 'date' ? isDate(given) : typeof given === 'string' && given !== '',
          `${name} is ${JSON.stringify(given)}, not a ${wanted.is}`,
        );
    }
  }),
  ofResource(['R-CREATE-MANDATORY'], async (door, suite): Promise<Verdict> => {
    const { createRequired } = door.table;
    if (createRequired.length === 0) return 'the contract asks for no attribute';
    for (const name of createRequired) {
      const answer = await door.ask('create', { body: without(minimalOf(door, suite), [name]) });
      same(answer.status, 400, `the status without ${name}`);
      claim(answer.text.includes(name), `the error does not name ${name}: ${answer.text.slice(0, 200)}`);
    }
    return undefined;
  }),
  ofResource(['R-CREATE-TYPE'], async (door, suite) => {
    const [name, wrong] = door.fixture.create?.wrongType ?? ['', null];
    const answer = await door.ask('create', { body: { ...minimalOf(door, suite), [name]: wrong } });
    same(answer.status, 400, `the status of ${name}: ${JSON.stringify(wrong)}`);
    same((await door.ask('create', { body: [minimalOf(door, suite)] })).status, 400, 'the status of a list');
  }),
  ofResource(['R-CREATE-MALFORMED'], async (door) => {
    for (const text of ['{"name": ', '{"a":1,}', 'null and void', '']) {
      same(
        (await door.ask('create', { text, headers: { 'Content-Type': 'application/json' } })).status,
        400,
        `the status of the body ${text}`,
      );
    }
  }),
  ofResource(['R-CREATE-MEDIA-TYPE'], async (door, suite) => {
    for (const type of ['text/plain', 'application/xml', 'application/merge-patch+json']) {
      same(
        (await door.ask('create', { body: minimalOf(door, suite), headers: { 'Content-Type': type } })).status,
        415,
        `the status of ${type}`,
      );
    }
    const answer = await door.ask('create', {
      body: minimalOf(door, suite),
      headers: { 'Content-Type': 'application/json;charset=utf-8' },
    });
    claim(answer.status < 300, `application/json;charset=utf-8 gave ${answer.status}`);
  }),
  ofResource(['R-CREATE-ACCEPT'], async (door, suite) => {
    same(
      (await door.ask('create', { body: minimalOf(door, suite), headers: { Accept: 'application/xml' } })).status,
      406,
      'the status of Accept: application/xml',
    );
  }),
  ofResource(['R-CREATE-ID'], async (door, suite) => {
    const answer = await door.ask('create', {
      body: { ...minimalOf(door, suite), id: 'of-my-own', href: 'https://evil.example/of-my-own' },
    });
    if (answer.status === 400) return;
    const body = objectIn(answer);
    claim(body.id !== 'of-my-own' && !answer.text.includes('evil.example'), 'a client chose its own id or href');
  }),
  ofResource(['R-CREATE-IDEMPOTENT'], async (door, suite) => {
    const [body, key] = [minimalOf(door, suite), randomUUID()];
    const headers = { 'Idempotency-Key': key };
    const [first, second] = [await door.ask('create', { body, headers }), await door.ask('create', { body, headers })];
    claim(first.status < 300, `the first gave ${first.status} ${first.text.slice(0, 200)}`);
    same(
      [second.status, second.body, second.headers.location],
      [first.status, first.body, first.headers.location],
      'the second answer',
    );
    same(second.headers['idempotency-replayed'], 'true', 'Idempotency-Replayed');
  }),
  ofResource(['R-CREATE-KEY-REUSED'], async (door, suite) => {
    const headers = { 'Idempotency-Key': randomUUID() };
    await door.ask('create', { body: minimalOf(door, suite), headers });
    const other = await door.ask('create', { body: { ...minimalOf(door, suite), other: true }, headers });
    same(other.status, 422, 'the status of another body');
  }),
  ofResource(['R-CREATE-KEY-PER-CALLER'], async (door, suite) => {
    const [body, headers] = [minimalOf(door, suite), { 'Idempotency-Key': randomUUID() }];
    const [mine, theirs] = [
      await door.ask('create', { body, headers }),
      await door.ask('create', { body, headers, token: suite.otherToken }),
    ];
    claim(theirs.status < 300, `the other caller gets ${theirs.status} ${theirs.text.slice(0, 200)}`);
    claim(objectIn(mine).id !== objectIn(theirs).id, 'the other caller gets the first one’s answer');
  }),
];

const patching: readonly Check[] = [
  ofResource(['R-PATCH-200'], async (door, suite) => {
    const { attribute } = patchOf(door);
    const { id, body } = await target(door);
    const wanted = valueFor(door, body, 'patched');
    const answer = await patch(door, id, { [attribute]: wanted });
    same(answer.status, 200, `the status (${answer.text.slice(0, 200)})`);
    const whole = objectIn(answer);
    same(whole[attribute], wanted, attribute);
    for (const name of Object.keys(body)) claim(whole[name] !== undefined, `the answer lacks ${name}`);
    same([whole.id, whole.href], [id, hrefOf(suite, door, id)], 'id and href');
    const next = valueFor(door, whole, 'again');
    const asJson = await patch(door, id, { [attribute]: next }, { 'Content-Type': 'application/json' });
    same([asJson.status, objectIn(asJson)[attribute]], [200, next], 'the answer to application/json');
  }),
  ofResource(['R-PATCH-KEPT'], async (door) => {
    const { attribute, takesUnknown } = patchOf(door);
    const { id, body } = await target(door);
    const more: JsonObject = takesUnknown ? { conformancePatched: { deep: [1, { two: true }] } } : {};
    const wanted = valueFor(door, body, `kept ${id}`);
    const answer = await patch(door, id, { [attribute]: wanted, ...more });
    const stored = await door.read(id);
    same(stored, objectIn(answer), 'what is read after the patch');
    same(stored[attribute], wanted, attribute);
    if (takesUnknown) same(stored.conformancePatched, more.conformancePatched, 'an attribute outside the schema');
    const aside = [attribute, 'conformancePatched', ...stamps];
    same(without(stored, aside), without(body, aside), 'the rest of the resource');
  }),
  ofResource(['R-PATCH-NULL'], async (door): Promise<Verdict> => {
    const { attribute, turns } = patchOf(door);
    if (turns) return 'a client may change its state only, which is never absent';
    const { id } = await target(door);
    claim((await patch(door, id, { [attribute]: 'to go' })).status === 200, 'it could not be set');
    const answer = await patch(door, id, { [attribute]: null });
    same(answer.status, 200, 'the status');
    claim(!Object.hasOwn(objectIn(answer), attribute), `${attribute} is still there`);
    claim(!Object.hasOwn(await door.read(id), attribute), `${attribute} is still stored`);
    return undefined;
  }),
  ofResource(['R-PATCH-ARRAY'], async (door): Promise<Verdict> => {
    const { list } = patchOf(door);
    if (typeof list === 'string') return list;
    const { id } = await target(door);
    for (const items of [list.before, list.after]) {
      const answer = await patch(door, id, { [list.name]: items });
      same(answer.status, 200, `the status (${answer.text.slice(0, 200)})`);
      same((await door.read(id))[list.name], items, list.name);
    }
    return undefined;
  }),
  ofResource(['R-PATCH-JSON'], async (door) => {
    const { attribute, turns } = patchOf(door);
    const { id, body } = await target(door);
    const path = `/${attribute}`;
    const one = valueFor(door, body, 'one');
    const two = valueFor(door, { [attribute]: one }, 'two');
    const steps: [Json, string | undefined][] = [
      [[{ op: 'add', path, value: one }], one],
      [
        [
          { op: 'test', path, value: one },
          { op: 'replace', path, value: two },
        ],
        two,
      ],
      ...(turns ? [] : [[[{ op: 'remove', path }], undefined] satisfies [Json, undefined]]),
    ];
    for (const [operations, expected] of steps) {
      const answer = await patch(door, id, operations, jsonPatch);
      same(answer.status, 200, `the status of ${JSON.stringify(operations)} (${answer.text.slice(0, 200)})`);
      same((await door.read(id))[attribute], expected, attribute);
    }
  }),
  ofResource(['R-PATCH-JSON-ATOMIC'], async (door) => {
    const { attribute } = patchOf(door);
    const { id, body } = await target(door);
    const path = `/${attribute}`;
    await unchanged(door, id, async () => {
      const answer = await patch(
        door,
        id,
        [
          { op: 'add', path, value: valueFor(door, body, 'half') },
          { op: 'test', path, value: 'other' },
        ],
        jsonPatch,
      );
      claim(answer.status >= 400 && answer.status < 500, `a failing test gave ${answer.status}`);
    });
  }),
  ofResource(['R-PATCH-IMMUTABLE'], async (door, suite) => {
    const { id } = await target(door);
    for (const change of [{ id: 'another' }, { href: 'https://evil.example/another' }]) {
      await patch(door, id, change);
      const stored = await door.read(id);
      same([stored.id, stored.href], [id, hrefOf(suite, door, id)], `id and href after ${JSON.stringify(change)}`);
    }
    const answer = await patch(door, id, [{ op: 'replace', path: '/id', value: 'another' }], jsonPatch);
    claim(answer.status >= 400 || objectIn(answer).id === id, 'a JSON patch changed the id');
  }),
  ofResource(['R-PATCH-TRANSITION'], async (door): Promise<Verdict> => {
    const { move } = patchOf(door);
    if (typeof move === 'string') return move;
    const { id } = await target(door, move.made);
    const answer = await patch(door, id, move.legal);
    same(answer.status, 200, `the status of ${JSON.stringify(move.legal)} (${answer.text.slice(0, 200)})`);
    const stored = await door.read(id);
    for (const [name, value] of Object.entries(move.legal)) same(stored[name], value, name);
    return undefined;
  }),
  ofResource(['R-PATCH-ILLEGAL'], async (door): Promise<Verdict> => {
    const { move } = patchOf(door);
    if (typeof move === 'string') return move;
    const { id } = await target(door, move.made);
    // Where the first state allows no illegal step of its own, the legal one goes before.
    const startsThere = Object.entries(move.illegal).every(([name, value]) => move.made?.[name] === value);
    if (startsThere) await patch(door, id, move.legal);
    await unchanged(door, id, async () => {
      const answer = await patch(door, id, move.illegal);
      same(answer.status, move.status, `the status of ${JSON.stringify(move.illegal)} (${answer.text.slice(0, 200)})`);
      claim(String(objectIn(answer).reason).endsWith(move.reason), `the reason is ${String(objectIn(answer).reason)}`);
    });
    return undefined;
  }),
  ofResource(['R-PATCH-404'], async (door) => {
    same(
      (await patch(door, 'nothing-has-this-id', { [patchOf(door).attribute]: valueFor(door, {}, 'x') })).status,
      404,
      'the status',
    );
  }),
  ofResource(['R-PATCH-MALFORMED'], async (door) => {
    const { id } = await target(door);
    await unchanged(door, id, async () => {
      same((await door.ask('patch', { id, text: '{"description": ' })).status, 400, 'the status of malformed JSON');
      same((await patch(door, id, ['not', 'an', 'object'])).status, 400, 'the status of a list as merge patch');
      same((await patch(door, id, { not: 'a list' }, jsonPatch)).status, 400, 'the status of an object as JSON patch');
      same(
        (await patch(door, id, [{ op: 'explode', path: '/description' }], jsonPatch)).status,
        400,
        'the status of an unknown operation',
      );
    });
  }),
  ofResource(['R-PATCH-MEDIA-TYPE'], async (door) => {
    const { id } = await target(door);
    same(
      (await patch(door, id, { description: 'x' }, { 'Content-Type': 'text/plain' })).status,
      415,
      'the status of text/plain',
    );
  }),
  ofResource(['R-PATCH-ETAG'], async (door) => {
    const { attribute } = patchOf(door);
    const { id, body } = await target(door);
    const before = await etagOf(door, id);
    const answer = await patch(door, id, { [attribute]: valueFor(door, body, `tagged ${id}`) });
    claim(
      answer.headers.etag !== undefined && answer.headers.etag !== before,
      `the ETag is ${answer.headers.etag} after ${before}`,
    );
    same(await etagOf(door, id), answer.headers.etag, 'the ETag when it is read');
  }),
  ofResource(['R-PATCH-IF-MATCH'], async (door) => {
    const { attribute } = patchOf(door);
    const { id, body } = await target(door);
    const tag = await etagOf(door, id);
    same(
      (await patch(door, id, { [attribute]: valueFor(door, body, 'first') }, { 'If-Match': tag })).status,
      200,
      'the status when it matches',
    );
    await unchanged(door, id, async () => {
      same(
        (await patch(door, id, { [attribute]: valueFor(door, body, 'second') }, { 'If-Match': tag })).status,
        412,
        'the status when it does not',
      );
    });
  }),
];

const kept = (door: ResourceDoor): Verdict => {
  const { removal } = door.fixture;
  return removal === 'free' || removal === undefined ? undefined : `it is kept for good: ${removal.reason}`;
};

/** One that may be deleted: a job only when it has ended. */
async function removable(door: ResourceDoor): Promise<string> {
  const { id } = await door.create();
  const { ends } = door.fixture;
  if (ends) await ended(door, id);
  return id;
}

async function ended(door: ResourceDoor, id: string): Promise<JsonObject> {
  const { ends } = door.fixture;
  if (!ends) return door.read(id);
  return until(
    `${door.name} ${id} ends`,
    async () => {
      const body = await door.read(id);
      return ends.states.includes(String(body[ends.attribute])) ? body : undefined;
    },
    20_000,
  );
}

const deleting: readonly Check[] = [
  ofResource(['R-DELETE-204', 'R-DELETE-AGAIN'], async (door): Promise<Verdict> => {
    const why = kept(door);
    if (why !== undefined) return why;
    const id = await removable(door);
    const answer = await door.ask('delete', { id });
    same([answer.status, answer.text], [204, ''], 'status and body');
    same((await door.ask('delete', { id })).status, 404, 'the status of a second delete');
    same((await door.ask('retrieve', { id })).status, 404, 'the status of a read');
    const listed = await door.ask('list', { search: `id=${id}` });
    same(listed.text, '[]', 'the list of it');
    return undefined;
  }),
  ofResource(['R-DELETE-UNKNOWN'], async (door) => {
    same((await door.ask('delete', { id: 'nothing-has-this-id' })).status, 404, 'the status');
  }),
  ofResource(['R-DELETE-IF-MATCH'], async (door): Promise<Verdict> => {
    const why = kept(door);
    if (why !== undefined) return why;
    const id = await removable(door);
    const tag = await etagOf(door, id);
    same(
      (await door.ask('delete', { id, headers: { 'If-Match': '"of another"' } })).status,
      412,
      'the status when it does not match',
    );
    await door.read(id);
    same((await door.ask('delete', { id, headers: { 'If-Match': tag } })).status, 204, 'the status when it matches');
    return undefined;
  }),
  ofResource(['R-DELETE-REFUSED'], async (door, suite): Promise<Verdict> => {
    const { removal } = door.fixture;
    const used = door.fixture.used?.(suite.world);
    if (used) return refusedRemoval(door, used.id, used.reason, 409);
    if (removal === 'free' || removal === undefined) return 'nothing of ours depends on it';
    const { id } = await door.create();
    return refusedRemoval(door, id, removal.reason, removal.status);
  }),
];

async function refusedRemoval(door: ResourceDoor, id: string, reason: string, status: number): Promise<Verdict> {
  const answer = await door.ask('delete', { id });
  same([answer.status, objectIn(answer).reason], [status, reason], 'status and reason');
  await door.read(id);
  return undefined;
}

const tasks: readonly Check[] = [
  ofResource(['R-TASK-NO-PATCH'], async (door, suite) => {
    const { id } = await door.create();
    const answer = await suite.client.raw({
      method: 'PATCH',
      path: pathOf(door.operation('retrieve'), id),
      headers: { Authorization: `Bearer ${suite.client.token}`, 'Content-Type': 'application/merge-patch+json' },
      text: '{"description":"x"}',
    });
    same(answer.status, 405, 'the status');
    claim(!/PATCH/.test(answer.headers.allow ?? 'PATCH'), `Allow is ${answer.headers.allow}`);
  }),
  ofResource(['R-TASK-ENDS'], async (door): Promise<Verdict> => {
    if (!door.fixture.ends) return 'it does not run';
    const { id } = await door.create('rich');
    await ended(door, id);
    return undefined;
  }),
];

export const writingChecks: readonly Check[] = [...creating, ...patching, ...deleting, ...tasks];
