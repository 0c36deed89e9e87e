import type { JsonObject } from '../../kernel/json.ts';
import { type Answer, listIn, objectIn, pathOf, textOf } from '../client.ts';
import { claim, isDate, leavesOf, same, valuesAt } from '../documents.ts';
import { type Check, ofResource, type ResourceDoor, type Suite } from '../suite.ts';

const idsOf = (page: readonly JsonObject[]): string[] => page.map((one) => textOf(one.id, 'an id'));

export function hrefOf(suite: Suite, door: ResourceDoor, id: string): string {
  return `${suite.client.publicUrl}${pathOf(door.operation('retrieve'), id)}`;
}

function ownHref(suite: Suite, door: ResourceDoor, body: JsonObject): void {
  claim(typeof body.id === 'string' && body.id !== '', `${door.name} has no id`);
  same(body.href, hrefOf(suite, door, String(body.id)), 'href');
}

const total = (answer: Answer): number => Number(answer.headers['x-total-count']);
const result = (answer: Answer): number => Number(answer.headers['x-result-count']);

function links(answer: Answer): Map<string, string> {
  const header = answer.headers.link;
  const text = Array.isArray(header) ? header.join(', ') : (header ?? '');
  return new Map([...text.matchAll(/<([^>]*)>;\s*rel="?(\w+)"?/g)].map((found) => [found[2] ?? '', found[1] ?? '']));
}

async function followed(suite: Suite, link: string): Promise<Answer> {
  claim(link.startsWith(suite.client.publicUrl), `the link ${link} is not at the public address`);
  return suite.client.raw({
    method: 'GET',
    path: link.slice(suite.client.publicUrl.length),
    headers: { Authorization: `Bearer ${suite.client.token}`, Accept: 'application/json' },
  });
}

/** Two attributes beside id and href that the resource has. */
function twoAttributes(body: JsonObject): [string, string] {
  const [first, second] = Object.keys(body).filter(
    (name) => name !== 'id' && name !== 'href' && /^[A-Za-z]\w*$/.test(name),
  );
  claim(first !== undefined && second !== undefined, 'the resource has no two attributes to select');
  return [first, second];
}

/** A top-level attribute whose values are numbers, dates or booleans of one kind, and differ; the id where there is none. */
function sortable(all: readonly JsonObject[]): string {
  const names = new Set(all.flatMap((one) => Object.keys(one)).filter((name) => /^[A-Za-z]\w*$/.test(name)));
  const isOneKind = (values: readonly unknown[], of: (value: unknown) => boolean) =>
    values.length > 1 && values.every(of) && new Set(values).size > 1;
  for (const name of names) {
    const values = all.flatMap((one) => (one[name] === undefined ? [] : [one[name]]));
    if (
      isOneKind(values, (value) => typeof value === 'number') ||
      isOneKind(values, (value) => typeof value === 'string' && isDate(value))
    )
      return name;
  }
  return 'id';
}

const rank = (value: unknown): number | string =>
  typeof value === 'string' && isDate(value)
    ? Date.parse(value)
    : typeof value === 'boolean'
      ? Number(value)
      : typeof value === 'number'
        ? value
        : String(value);

function inOrder(values: readonly unknown[], descending: boolean): boolean {
  return values.every((value, index) => {
    if (index === 0) return true;
    const before = rank(values[index - 1]);
    const now = rank(value);
    return descending ? before >= now : before <= now;
  });
}

const list = (door: ResourceDoor, search: string) => door.ask('list', { search });

export const readingChecks: readonly Check[] = [
  ofResource(['R-ITEM-200', 'R-ITEM-ID-HREF'], async (door, suite) => {
    const one = await door.one();
    const answer = await door.ask('retrieve', { id: textOf(one.id, 'the id') });
    same(answer.status, 200, 'the status');
    ownHref(suite, door, objectIn(answer));
    same(objectIn(answer).id, one.id, 'the id');
  }),
  ofResource(['R-ITEM-404'], async (door) => {
    const answer = await door.ask('retrieve', { id: 'nothing-has-this-id' });
    same(answer.status, 404, 'the status');
  }),
  ofResource(['R-ITEM-FIELDS'], async (door, suite) => {
    const one = await door.one();
    const [first, second] = twoAttributes(one);
    const body = objectIn(
      await door.ask('retrieve', { id: textOf(one.id, 'the id'), search: `fields=${first},${second}` }),
    );
    same(new Set(Object.keys(body)), new Set(['id', 'href', first, second]), 'the attributes');
    same(body[first], one[first], first);
    ownHref(suite, door, body);
  }),
  ofResource(['R-ITEM-FIELDS-NONE'], async (door) => {
    const one = await door.one();
    const body = objectIn(await door.ask('retrieve', { id: textOf(one.id, 'the id'), search: 'fields=none' }));
    same(new Set(Object.keys(body)), new Set(['id', 'href']), 'the attributes');
  }),
  ofResource(['R-ITEM-ETAG'], async (door) => {
    const id = textOf((await door.one()).id, 'the id');
    const [first, second] = [await door.ask('retrieve', { id }), await door.ask('retrieve', { id })];
    claim(/^(W\/)?"[^"]+"$/.test(first.headers.etag ?? ''), `the ETag is ${first.headers.etag}`);
    same(second.headers.etag, first.headers.etag, 'the ETag');
  }),

  ofResource(['R-LIST-ARRAY'], async (door) => {
    const all = await door.all();
    const answer = await list(door, 'limit=1000');
    same(answer.status, 200, 'the status');
    claim(Array.isArray(answer.body) && answer.body.length === all.length, 'a list is an array of all');
  }),
  ofResource(['R-LIST-EMPTY'], async (door) => {
    const answer = await list(door, 'id=nothing-has-this-id');
    same([answer.status, answer.text, total(answer), result(answer)], [200, '[]', 0, 0], 'status, body and counts');
  }),
  ofResource(['R-LIST-ID-HREF'], async (door, suite) => {
    for (const one of await door.all()) ownHref(suite, door, one);
    for (const one of listIn(await list(door, 'limit=5'))) ownHref(suite, door, one);
  }),
  ofResource(['R-LIST-TOTAL', 'R-LIST-RESULT'], async (door) => {
    const all = await door.all();
    const [few, whole] = [await list(door, 'limit=3'), await list(door, 'limit=1000')];
    same(
      [total(few), result(few), listIn(few).length],
      [all.length, Math.min(3, all.length), Math.min(3, all.length)],
      'counts of a page',
    );
    same([total(whole), result(whole)], [all.length, all.length], 'counts of the whole');
    const [first] = all;
    claim(first !== undefined, 'there is nothing to count');
    const one = await list(door, `id=${textOf(first.id, 'the id')}`);
    same([total(one), result(one)], [1, 1], 'counts of a filtered list');
  }),
  ofResource(['R-LIST-DEFAULT-PAGE'], async (door, suite) => {
    if (suite.size === 'quick') return 'a quick run stores less than a page';
    const all = await door.all();
    claim(all.length > 100, `only ${all.length} are stored`);
    const answer = await list(door, '');
    same([listIn(answer).length, result(answer), answer.status], [100, 100, 206], 'length, count and status');
  }),
  ofResource(['R-LIST-PARTIAL'], async (door) => {
    const all = await door.all();
    claim(all.length > 1, 'there is nothing to divide');
    same((await list(door, 'limit=1')).status, 206, 'the status of a part');
    same((await list(door, `limit=${all.length}`)).status, 200, 'the status of the whole');
    same((await list(door, 'offset=1&limit=1000')).status, 206, 'the status of the rest');
  }),
  ofResource(['R-LIST-LINKS'], async (door, suite) => {
    const ids = idsOf(await door.all());
    claim(ids.length >= 4, 'there is nothing to divide');
    const answer = await list(door, 'offset=1&limit=1');
    const to = links(answer);
    same(new Set(to.keys()), new Set(['first', 'prev', 'next', 'last']), 'the links');
    const page = async (name: string) => idsOf(listIn(await followed(suite, to.get(name) ?? '')));
    const order = idsOf(listIn(await list(door, 'limit=1000')));
    same(await page('first'), order.slice(0, 1), 'the first page');
    same(await page('prev'), order.slice(0, 1), 'the page before');
    same(await page('next'), order.slice(2, 3), 'the page after');
    same(await page('last'), order.slice(-1), 'the last page');
    claim(!links(await list(door, 'limit=1')).has('prev'), 'the first page has no prev');
    claim(!links(await list(door, `offset=${ids.length - 1}&limit=1`)).has('next'), 'the last page has no next');
  }),
  ofResource(['R-LIST-PAST-END'], async (door) => {
    const all = await door.all();
    const answer = await list(door, `offset=${all.length + 10}&limit=5`);
    same([answer.text, total(answer), result(answer)], ['[]', all.length, 0], 'body and counts');
    claim(answer.status < 300, `the status is ${answer.status}`);
  }),
  ofResource(['R-LIST-BAD-PAGING'], async (door) => {
    for (const search of ['offset=-1', 'limit=-1', 'offset=abc', 'limit=abc', 'limit=1.5']) {
      same((await list(door, search)).status, 400, `the status of ${search}`);
    }
  }),
  ofResource(['R-LIST-PAGES'], async (door, suite) => {
    const all = idsOf(await door.all());
    const size = Math.max(2, Math.ceil(all.length / 6));
    const read = async (): Promise<string[]> => {
      const found: string[] = [];
      let answer = await list(door, `limit=${size}`);
      for (let page = 0; page < 20; page += 1) {
        found.push(...idsOf(listIn(answer)));
        const next = links(answer).get('next');
        if (next === undefined) break;
        answer = await followed(suite, next);
      }
      return found;
    };
    const first = await read();
    same(new Set(first).size, first.length, 'the number of different entries on all pages');
    same(new Set(first), new Set(all), 'the entries on all pages');
    same(await read(), first, 'the pages, read again');
  }),
  ofResource(['R-LIST-SORT'], async (door) => {
    const name = sortable(await door.all());
    for (const [sign, descending] of [
      ['', false],
      ['-', true],
    ] as const) {
      const values = listIn(await list(door, `sort=${sign}${name}&limit=1000`)).flatMap((one) =>
        one[name] === undefined ? [] : [one[name]],
      );
      claim(inOrder(values, descending), `sort=${sign}${name} does not order: ${JSON.stringify(values).slice(0, 200)}`);
    }
    const [up, down] = [await list(door, 'sort=id&limit=1000'), await list(door, 'sort=-id&limit=1000')];
    same(idsOf(listIn(down)), idsOf(listIn(up)).reverse(), 'the order of sort=-id');
  }),
  ofResource(['R-LIST-SORT-NESTED'], async (door) => {
    const all = await door.all();
    const outer = sortable(all);
    const nested = leavesOf([...all]).find(
      ({ path, throughArray: _, value }) =>
        path.length > 1 &&
        (typeof value === 'number' || isDate(value)) &&
        valuesAt([...all], path).every((one) => typeof one === typeof value),
    );
    if (!nested) return 'no stored resource has a nested number or date';
    const path = nested.path;
    const sorted = listIn(await list(door, `sort=-${outer},${path.join('.')}&limit=1000`));
    const groups = new Map<string, unknown[]>();
    for (const one of sorted) {
      const [value] = valuesAt(one, path);
      const key = JSON.stringify(one[outer] ?? null);
      if (value !== undefined) groups.set(key, [...(groups.get(key) ?? []), value]);
    }
    for (const values of groups.values())
      claim(inOrder(values, false), `${path.join('.')} is not in order below ${outer}`);
    const alone = listIn(await list(door, `sort=${path.join('.')}&limit=1000`)).flatMap((one) =>
      valuesAt(one, path).slice(0, 1),
    );
    claim(inOrder(alone, false), `sort=${path.join('.')} does not order: ${JSON.stringify(alone).slice(0, 200)}`);
  }),
  ofResource(['R-LIST-FIELDS'], async (door, suite) => {
    const [first, second] = twoAttributes(await door.one());
    const allowed = new Set(['id', 'href', first, second]);
    const page = listIn(await list(door, `fields=${first},${second}&limit=20`));
    for (const one of page) {
      ownHref(suite, door, one);
      claim(
        Object.keys(one).every((name) => allowed.has(name)),
        `an entry has ${Object.keys(one).join(', ')}`,
      );
    }
    claim(
      page.some((one) => one[first] !== undefined),
      `no entry has ${first}`,
    );
  }),
  ofResource(['R-LIST-FIELDS-NONE'], async (door) => {
    const page = listIn(await list(door, 'fields=none&limit=5'));
    claim(page.length > 0, 'the page is empty');
    for (const one of page) same(new Set(Object.keys(one)), new Set(['id', 'href']), 'the attributes of an entry');
  }),
];
