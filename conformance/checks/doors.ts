import { connect } from 'node:net';
import { apis, operations } from '../../generated/operations.ts';
import type { JsonObject } from '../../kernel/json.ts';
import {
  type Answer,
  apiOf,
  basePathOf,
  errorFlaw,
  isServed,
  keyOf,
  listIn,
  objectIn,
  operationOf,
  pathOf,
  textOf,
  validatorsOf,
} from '../client.ts';
import { claim, dialect, marker, objectsIn, same } from '../documents.ts';
import { type Check, ofApi, ofResource, type ResourceDoor, type Suite, type Verdict } from '../suite.ts';
import { hrefOf } from './reading.ts';

const authorised = (suite: Suite): Record<string, string> => ({
  Authorization: `Bearer ${suite.client.token}`,
  Accept: 'application/json',
});

function tmfError(answer: Answer, status: number): void {
  same(answer.status, status, `the status of ${answer.request}`);
  const flaw = errorFlaw(answer.status, answer.body);
  claim(flaw === undefined, `${answer.request}: ${flaw}`);
}

/** What a path offers, by the operation table. */
function allowed(api: string, path: string): Set<string> {
  const methods = operations
    .filter((one) => one.api === api && one.served && one.path === path)
    .map((one) => one.method.toUpperCase());
  return new Set([...methods, ...(methods.includes('GET') ? ['HEAD'] : []), 'OPTIONS']);
}

const listed = (header: string | undefined): Set<string> => new Set((header ?? '').split(',').map((one) => one.trim()));

const errors: readonly Check[] = [
  ofResource(['R-ERROR-METHOD'], async (door, suite) => {
    const { id } = await door.one();
    const places = [
      [`/${door.name}`, pathOf(door.operation('list'))],
      [`/${door.name}/{id}`, pathOf(door.operation('retrieve'), textOf(id, 'the id'))],
    ] as const;
    for (const [template, path] of places) {
      const offered = allowed(door.api, template);
      for (const method of ['PUT', 'POST', 'PATCH', 'DELETE'].filter((one) => !offered.has(one))) {
        const answer = await suite.client.raw({
          method,
          path,
          headers: { ...authorised(suite), 'Content-Type': 'application/json' },
          text: '{}',
        });
        tmfError(answer, 405);
        same(listed(answer.headers.allow), offered, `Allow of ${method} ${path}`);
      }
    }
  }),
  ofResource(['R-ERROR-POLICY'], async (door, suite): Promise<Verdict> => {
    const { create, patch, removal } = door.fixture;
    if (create && typeof create.refused === 'function') {
      const { body, status, reason } = create.refused(suite.world);
      const answer = await door.ask('create', { body });
      same([answer.status, objectIn(answer).reason], [status, reason], 'status and reason');
      claim(String(objectIn(answer).message).length > 10, 'the message says nothing');
      return undefined;
    }
    const refusedInPatch = patch && typeof patch.move !== 'string';
    const refusedInDelete = removal !== undefined && removal !== 'free';
    if (refusedInPatch || refusedInDelete)
      return 'its refusals are of PATCH and DELETE: see R-PATCH-ILLEGAL and R-DELETE-REFUSED';
    return typeof create?.refused === 'string' ? create.refused : 'no client writes it';
  }),
  ofApi(['R-ERROR-FRAMEWORK'], async (api, suite) => {
    const base = basePathOf(api);
    const headers = authorised(suite);
    const { raw } = suite.client;
    tmfError(await raw({ method: 'GET', path: `${base}/nothingHere`, headers }), 404);
    tmfError(await raw({ method: 'GET', path: `${base}/hub/a/b`, headers }), 404);
    tmfError(await raw({ method: 'GET', path: `${base}/hub/%zz`, headers }), 404);
    const resource = operations.find((one) => one.api === api && one.kind === 'list')?.path ?? '';
    tmfError(await raw({ method: 'GET', path: `${base}${resource}?a=${'x'.repeat(17_000)}`, headers }), 414);
    tmfError(
      await raw({ method: 'GET', path: `${base}${resource}`, headers: { ...headers, 'X-Large': 'x'.repeat(40_000) } }),
      431,
    );
    tmfError(
      await raw({
        method: 'POST',
        path: `${base}/hub`,
        headers: { ...headers, 'Content-Type': 'application/json' },
        text: JSON.stringify({ callback: 'x'.repeat(1_100_000) }),
      }),
      413,
    );
    tmfError(
      await raw({
        method: 'POST',
        path: `${base}/hub`,
        headers: { ...headers, 'Content-Type': 'application/json', 'Content-Encoding': 'rot13' },
        text: '{}',
      }),
      415,
    );
    const broken = await sentRaw(suite, `GET ${base}${resource} HTTP/1.1\r\nHost : x\r\nbroken\r\n\r\n`);
    claim(
      broken.includes('"referenceError"') && /^HTTP\/1.1 400/.test(broken),
      `what is not HTTP is answered ${broken.slice(0, 80)}`,
    );
  }),
];

/** Bytes to the server as they are, and what came back. */
function sentRaw(suite: Suite, text: string): Promise<string> {
  const { hostname, port } = new URL(suite.serverUrl);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => socket.write(text));
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.once('close', () => resolve(Buffer.concat(chunks).toString('utf8')));
    socket.once('error', reject);
    socket.setTimeout(5000, () => socket.destroy());
  });
}

const shape: readonly Check[] = [
  ofResource(['R-SHAPE-ROUND-TRIP'], async (door, suite) => {
    const { create } = door.fixture;
    if (!create) throw new Error('it cannot be created');
    const n = door.next();
    const body: JsonObject = {
      '@type': 'ConformanceType',
      ...create.rich(suite.world, n),
      ...dialect,
      conformance: marker(n),
      'x-conformance': [null, [], {}, 'ä€😀'],
    };
    const made = await door.createFrom(body);
    const listed = listIn(await door.ask('list', { search: `id=${made.id}` }))[0] ?? {};
    for (const [where, found] of [
      ['the answer', made.body],
      ['the item', await door.read(made.id)],
      ['the list', listed],
    ] as const) {
      for (const [name, value] of Object.entries(body)) {
        if (!create.written?.includes(name)) same(found[name], value, `${name} in ${where}`);
      }
      for (const name of create.written ?? []) claim(found[name] !== undefined, `${name} is not in ${where}`);
    }
  }),
  ofResource(['R-SHAPE-REFERENCES'], async (door, suite): Promise<Verdict> => {
    if (door.fixture.noReferences !== undefined) return door.fixture.noReferences;
    const made = door.fixture.made?.(suite.world);
    const documents = [
      ...(door.fixture.create && door.name !== 'product' ? [await door.read((await door.create('rich')).id)] : []),
      ...(made === undefined ? [] : [await door.read(made)]),
      ...(door.fixture.create ? [] : (await door.all()).slice(0, 3)),
    ];
    let references = 0;
    for (const document of documents) {
      for (const { place, object } of objectsIn(document)) {
        if (object['@referredType'] === undefined) continue;
        references += 1;
        const target = object.id ?? object.serviceOrderId ?? object.productOrderId;
        const link = object.href ?? object.serviceOrderHref ?? object.productOrderHref;
        claim(typeof target === 'string', `${place} has no id`);
        claim(typeof link === 'string', `${place} (${object['@referredType']}) has no href`);
      }
    }
    claim(references > 0, 'there is no reference');
    return undefined;
  }),
  ofResource(['R-SHAPE-FOREIGN'], async (door): Promise<Verdict> => {
    const { create } = door.fixture;
    if (create?.foreign !== undefined) return create.foreign;
    const { body } = await door.create('rich');
    claim(/https:\/\/(elsewhere|parties)\.example\.com/.test(JSON.stringify(body)), 'the foreign reference is gone');
    return undefined;
  }),
  ofResource(['R-SHAPE-ACTED-ON'], async (door, suite): Promise<Verdict> => {
    const actedOn = door.fixture.create?.actedOn;
    if (actedOn === undefined || typeof actedOn === 'string') return actedOn ?? 'no client creates it';
    const answer = await door.ask('create', { body: actedOn.body(suite.world) });
    claim(
      actedOn.shows(objectIn(answer)),
      `a reference into nothing was answered ${answer.status} ${answer.text.slice(0, 300)}`,
    );
    return undefined;
  }),
];

const shared: readonly Check[] = [
  ofApi(['R-SHAPE-SHARED'], async (api, suite): Promise<Verdict> => {
    const pairs = suite.doors.flatMap((door) => {
      const other = suite.doors.find((one) => one.name === door.name && one.api !== api);
      return door.api === api && other && door.fixture.create ? [{ door, other }] : [];
    });
    if (pairs.length === 0) return 'it shares no resource with another API';
    for (const { door, other } of pairs) {
      // The least that this API asks of what the other asks more of.
      const sparse = {
        note: [{ text: 'Ring twice' }],
        feature: [{ name: 'nat', featureCharacteristic: [{ name: 'on', value: true }] }],
      };
      const body = { ...door.fixture.create?.minimal(suite.world, door.next()), ...sparse };
      const answer = await door.ask('create', { body });
      if (answer.status === 400) continue;
      const id = textOf(objectIn(answer).id, 'the id');
      const seen = await other.ask('retrieve', { id });
      // What breaks the other contract is taken away again, so that it breaks nobody’s list.
      await door.ask('delete', { id });
      const validate = (await validatorsOf(apiOf(other.api))).schemas[other.table.schema];
      const flaws = validate?.(seen.body) ? [] : (validate?.errors ?? []);
      claim(
        seen.status === 200 && flaws.length === 0,
        `${other.api} answers ${seen.status}: ${flaws.map((one) => `${one.instancePath} ${one.message ?? ''}`).join('; ')}`,
      );
    }
    return undefined;
  }),
];

function shouted(path: string, id: string): string {
  return id === '' ? path.toUpperCase() : `${path.slice(0, -id.length).toUpperCase()}${id}`;
}

const flipped = (id: string): string =>
  [...id].map((letter) => (letter === letter.toLowerCase() ? letter.toUpperCase() : letter.toLowerCase())).join('');

async function places(door: ResourceDoor): Promise<{ id: string; collection: string; item: string }> {
  const id = textOf((await door.one()).id, 'the id');
  return { id, collection: `${pathOf(door.operation('list'))}`, item: pathOf(door.operation('retrieve'), id) };
}

const paths: readonly Check[] = [
  ofResource(['R-PATH-CASE'], async (door, suite) => {
    const { id, collection, item } = await places(door);
    const headers = authorised(suite);
    const whole = await suite.client.raw({ method: 'GET', path: `${shouted(collection, '')}?limit=1`, headers });
    claim(whole.status < 300, `${whole.request} gave ${whole.status}`);
    const one = await suite.client.raw({ method: 'GET', path: shouted(item, id), headers });
    same([one.status, objectIn(one).href], [200, hrefOf(suite, door, id)], 'status and href of the item');
  }),
  ofResource(['R-PATH-SLASH'], async (door, suite) => {
    const { id, collection, item } = await places(door);
    const headers = authorised(suite);
    claim(
      (await suite.client.raw({ method: 'GET', path: `${collection}/?limit=1`, headers })).status < 300,
      'a slash after the collection is not allowed',
    );
    same(
      objectIn(await suite.client.raw({ method: 'GET', path: `${item}/`, headers })).id,
      id,
      'the id with a slash after it',
    );
  }),
  ofResource(['R-PATH-ID-CASE'], async (door) => {
    const { id } = await places(door);
    same((await door.ask('retrieve', { id: flipped(id) })).status, 404, 'the status of the id in another case');
  }),
  ofResource(['R-PATH-PUBLIC-URL'], async (door, suite) => {
    const { id, collection, item } = await places(door);
    const headers = {
      ...authorised(suite),
      Host: 'evil.example',
      'X-Forwarded-Host': 'evil.example',
      Forwarded: 'host=evil.example',
    };
    for (const path of [item, `${collection}?limit=1`]) {
      const answer = await suite.client.raw({ method: 'GET', path, headers });
      const everything = answer.text + JSON.stringify(answer.headers);
      claim(answer.status < 300 && !everything.includes('evil.example'), `${path} believes the Host header`);
      claim(!everything.includes(suite.serverUrl), `${path} shows the address it listens on`);
    }
    same(
      objectIn(await suite.client.raw({ method: 'GET', path: item, headers })).href,
      hrefOf(suite, door, id),
      'href',
    );
  }),
  ofResource(['R-PATH-HEAD'], async (door, suite) => {
    const { collection, item } = await places(door);
    const headers = authorised(suite);
    for (const path of [item, `${collection}?limit=2`]) {
      const [get, head] = [
        await suite.client.raw({ method: 'GET', path, headers }),
        await suite.client.raw({ method: 'HEAD', path, headers }),
      ];
      same([head.status, head.text], [get.status, ''], `status and body of HEAD ${path}`);
      for (const name of ['content-type', 'content-length', 'etag', 'x-total-count', 'x-result-count', 'link'])
        same(head.headers[name], get.headers[name], name);
    }
  }),
  ofResource(['R-PATH-OPTIONS'], async (door, suite) => {
    const { collection, item } = await places(door);
    for (const [path, template] of [
      [collection, `/${door.name}`],
      [item, `/${door.name}/{id}`],
    ] as const) {
      const answer = await suite.client.raw({ method: 'OPTIONS', path, headers: authorised(suite) });
      claim(answer.status === 204 || answer.status === 200, `OPTIONS gave ${answer.status}`);
      same(listed(answer.headers.allow), allowed(door.api, template), `Allow of ${path}`);
    }
  }),
  ofApi(['R-PATH-BASES'], async (api, suite): Promise<Verdict> => {
    const bases = apis.find((one) => one.api === api)?.basePaths ?? [];
    if (bases.length < 2) return 'the API has one base path';
    const resource = operations.find((one) => one.api === api && one.kind === 'list')?.path ?? '';
    const answers = await Promise.all(
      bases.map((base) =>
        suite.client.raw({ method: 'GET', path: `${base}${resource}?limit=2`, headers: authorised(suite) }),
      ),
    );
    const [first] = answers;
    for (const answer of answers)
      same([answer.status, answer.text], [first?.status, first?.text], `the answer of ${answer.request}`);
    return undefined;
  }),
];

const access: readonly Check[] = [
  {
    proves: ['R-AUTH-NONE'],
    run: async (suite, { operation }) => {
      if (!operation) throw new Error('a check of operations is asked of an operation');
      const body = operation.method === 'post' || operation.method === 'patch' ? { body: {} } : {};
      for (const token of [null, 'air_of_nobody']) {
        const answer = await suite.client.ask(operation, { id: 'any', token, ...body });
        same(answer.status, 401, `the status with ${token ?? 'no token'}`);
        claim(/^Bearer\b/.test(answer.headers['www-authenticate'] ?? ''), 'there is no challenge');
      }
    },
  },
  ofApi(['R-AUTH-SCOPE'], async (api, suite) => {
    const other = apis.find((one) => one.api !== api)?.api ?? '';
    const token = await suite.tokenFor(other);
    const resource = operations.find((one) => one.api === api && one.kind === 'list')?.resource ?? '';
    const list = operationOf(api, resource, 'list');
    if (!list) throw new Error(`${api} lists nothing`);
    const answer = await suite.client.ask(list, { token });
    tmfError(answer, 403);
    claim(
      (await suite.client.ask(list, { token: await suite.tokenFor(api), search: 'limit=1' })).status < 300,
      'the token of the API is refused',
    );
  }),
];

export const doorChecks: readonly Check[] = [...errors, ...shape, ...shared, ...paths, ...access];

/** Asked when the run is over: what was seen of each operation. */
export const closingChecks: readonly Check[] = [
  {
    proves: ['R-AUTH-SERVED'],
    run: async (suite, { operation }) => {
      if (!operation) throw new Error('a check of operations is asked of an operation');
      claim(isServed(suite.client.seen.get(keyOf(operation))), 'it succeeded in no test');
    },
  },
  {
    proves: ['R-ERROR-SHAPE'],
    run: async (suite, { operation }) => {
      if (!operation) throw new Error('a check of operations is asked of an operation');
      claim((suite.client.seen.get(keyOf(operation))?.errors ?? 0) > 0, 'it was never refused');
      const flaws = suite.client.violations.filter(
        (one) =>
          one.operation === keyOf(operation) && (one.what.startsWith('an error') || one.what.startsWith('the error')),
      );
      claim(flaws.length === 0, flaws[0]?.what ?? '');
    },
  },
];
