import type { Json, JsonObject } from '../../kernel/json.ts';
import { listIn, textOf } from '../client.ts';
import { claim, isDate, type Leaf, leavesOf, same, valuesAt } from '../documents.ts';
import { type Check, ofResource, type ResourceDoor, type Verdict } from '../suite.ts';

/**
 * Filters are judged by a second opinion: all resources are read once, the filter is applied to them here, and the
 * server must answer with the same ones. What is filtered by is found in the resources themselves.
 */
type Holds = (value: Json) => boolean;

const idOf = (one: JsonObject): string => textOf(one.id, 'an id');

async function agree(door: ResourceDoor, search: string, holds: (one: JsonObject) => boolean): Promise<void> {
  const expected = (await door.all()).filter(holds).map(idOf);
  const answer = await door.ask('list', { search: `${search}&limit=1000` });
  claim(answer.status === 200 || answer.status === 206, `${search} gave ${answer.status} ${answer.text.slice(0, 200)}`);
  const found = listIn(answer).map(idOf);
  same(found.length, expected.length, `the number of resources with ${search}`);
  same(new Set(found), new Set(expected), `the resources with ${search}`);
  same(answer.headers['x-total-count'], String(expected.length), `the total of ${search}`);
}

interface Choice {
  readonly path: readonly string[];
  readonly name: string;
  readonly value: Leaf['value'];
}

const plain = (value: Leaf['value']): boolean =>
  typeof value !== 'string' || (/^[\w .:/@-]{1,60}$/.test(value) && value.trim() === value);
const isRegexSafe = (value: Leaf['value']): boolean =>
  typeof value === 'string' && /^[A-Za-z][A-Za-z0-9 _-]{2,40}$/.test(value);
const textual = (value: Leaf['value']): boolean =>
  typeof value === 'string' && !isDate(value) && !/^-?[\d.]+$/.test(value);

/** A value that some resources have at a path and others do not; one that all have where none divides them. */
async function choose(
  door: ResourceDoor,
  fits: (leaf: Leaf) => boolean,
  but: readonly string[] = [],
): Promise<Choice | undefined> {
  const all = await door.all();
  const seen = new Set<string>();
  let undivided: Choice | undefined;
  // The first and the last are unlike where the suite made some and the house others.
  for (const one of [...all.slice(0, 15), ...all.slice(-15)]) {
    for (const leaf of leavesOf(one)) {
      const name = leaf.path.join('.');
      const key = `${name} ${leaf.value}`;
      if (seen.has(key) || but.includes(name) || name === 'id' || name === 'href' || !fits(leaf) || !plain(leaf.value))
        continue;
      seen.add(key);
      const matching = all.filter((other) => valuesAt(other, leaf.path).includes(leaf.value)).length;
      const choice = { path: leaf.path, name, value: leaf.value };
      if (matching < all.length) return choice;
      undivided ??= choice;
    }
  }
  return undivided;
}

const has = (path: readonly string[], holds: Holds) => (one: JsonObject) => valuesAt(one, path).some(holds);
const equals =
  (wanted: Json): Holds =>
  (value) =>
    value === wanted ||
    (typeof value === 'number' && typeof wanted === 'string' && wanted !== '' && value === Number(wanted)) ||
    (typeof value === 'boolean' && String(value) === wanted);
const enc = (value: Leaf['value']): string => encodeURIComponent(String(value));

const orders: Readonly<Record<string, (a: number, b: number) => boolean>> = {
  gt: (a, b) => a > b,
  gte: (a, b) => a >= b,
  lt: (a, b) => a < b,
  lte: (a, b) => a <= b,
};

const comparable = (value: Json): number | undefined =>
  typeof value === 'number' ? value : isDate(value) ? Date.parse(value) : undefined;

/** A number or date in the middle of those at its path, so that an order divides. */
async function middle(door: ResourceDoor, kind: 'number' | 'date' | 'either'): Promise<Choice | undefined> {
  const all = await door.all();
  const fits = (leaf: Leaf) =>
    (typeof leaf.value === 'number' && kind !== 'date') || (isDate(leaf.value) && kind !== 'number');
  let best: { choice: Choice; spread: number } | undefined;
  const seen = new Set<string>();
  for (const leaf of all
    .slice(-40)
    .concat(all.slice(0, 40))
    .flatMap((one) => leavesOf(one))) {
    const name = leaf.path.join('.');
    if (seen.has(name) || !fits(leaf)) continue;
    seen.add(name);
    const found = all.flatMap((one) => valuesAt(one, leaf.path));
    const values = found.filter(
      (value): value is string | number => typeof value === typeof leaf.value && comparable(value) !== undefined,
    );
    // Where texts and numbers share a path, an order between them is nobody's business.
    if (values.length < found.length) continue;
    const sorted = [...new Set(values)].sort((a, b) => (comparable(a) ?? 0) - (comparable(b) ?? 0));
    const value = sorted[Math.floor(sorted.length / 2)];
    if (value !== undefined && sorted.length > (best?.spread ?? 0))
      best = { choice: { path: leaf.path, name, value }, spread: sorted.length };
  }
  return best?.choice;
}

const nothing = (what: string): Verdict => `no stored resource has ${what}`;

async function ordered(door: ResourceDoor, operator: string): Promise<Verdict> {
  const choice = await middle(door, 'either');
  const compare = orders[operator];
  if (!choice || !compare) return nothing('a number or date');
  const bound = comparable(choice.value) ?? 0;
  const sameKind = (value: Json) => typeof value === typeof choice.value;
  await agree(
    door,
    `${choice.name}.${operator}=${enc(choice.value)}`,
    has(choice.path, (value) => sameKind(value) && compare(comparable(value) ?? Number.NaN, bound)),
  );
  return undefined;
}

async function byChoice(door: ResourceDoor, what: string, fits: (leaf: Leaf) => boolean): Promise<Verdict> {
  const choice = await choose(door, fits);
  if (!choice) return nothing(what);
  await agree(door, `${choice.name}=${enc(choice.value)}`, has(choice.path, equals(choice.value)));
  return undefined;
}

/** Two different values at one path. */
async function pair(
  door: ResourceDoor,
): Promise<{ path: readonly string[]; name: string; values: [string, string] } | undefined> {
  const all = await door.all();
  const first = await choose(door, (leaf) => textual(leaf.value));
  if (!first) return undefined;
  const other = all
    .flatMap((one) => valuesAt(one, first.path))
    .find(
      (value): value is string => typeof value === 'string' && value !== first.value && plain(value) && textual(value),
    );
  return { path: first.path, name: first.name, values: [String(first.value), other ?? 'nothing-has-this-value'] };
}

export const filteringChecks: readonly Check[] = [
  ofResource(['R-FILTER-EQUAL'], (door) => byChoice(door, 'a text', (leaf) => textual(leaf.value))),
  ofResource(['R-FILTER-EXACT'], async (door) => {
    const all = await door.all();
    for (const one of [all[0], all.at(-1)]) {
      if (!one) continue;
      for (const leaf of leavesOf(one)
        .filter(({ value }) => typeof value === 'string' && value.length < 200)
        .slice(0, 12)) {
        const answer = await door.ask('list', {
          search: `${leaf.path.join('.')}=${enc(leaf.value)}&id=${enc(idOf(one))}`,
        });
        same(listIn(answer).map(idOf), [idOf(one)], `what ${leaf.path.join('.')}=${leaf.value} finds`);
      }
    }
  }),
  ofResource(['R-KIT-FILTER'], async (door) => {
    const one = (await door.all()).at(-1);
    if (!one) return nothing('anything');
    for (const [name, value] of Object.entries(one)) {
      if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean') continue;
      const answer = await door.ask('list', {
        search: `${encodeURIComponent(name)}=${enc(value)}&fields=id&limit=1000`,
      });
      claim(
        listIn(answer).some((found) => found.id === one.id),
        `${name}=${value} does not find ${one.id}`,
      );
    }
    return undefined;
  }),
  ofResource(['R-FILTER-AND'], async (door) => {
    const first = await choose(door, (leaf) => textual(leaf.value));
    const second = await choose(door, () => true, first ? [first.name] : []);
    if (!first || !second) return nothing('two attributes');
    const search = `${first.name}=${enc(first.value)}&${second.name}=${enc(second.value)}`;
    await agree(
      door,
      search,
      (one) => has(first.path, equals(first.value))(one) && has(second.path, equals(second.value))(one),
    );
    return undefined;
  }),
  ofResource(['R-FILTER-OR-COMMA', 'R-FILTER-OR-REPEAT'], async (door) => {
    const two = await pair(door);
    if (!two) return nothing('a text');
    const either = has(two.path, (value) => two.values.some((wanted) => value === wanted));
    const [a, b] = two.values.map(enc);
    await agree(door, `${two.name}=${a},${b}`, either);
    await agree(door, `${two.name}=${a}&${two.name}=${b}`, either);
    return undefined;
  }),
  ofResource(['R-FILTER-EQ', 'R-FILTER-NE'], async (door) => {
    const choice = await choose(door, (leaf) => textual(leaf.value) && !leaf.throughArray);
    if (!choice) return nothing('a text');
    const holds = has(choice.path, equals(choice.value));
    await agree(door, `${choice.name}.eq=${enc(choice.value)}`, holds);
    await agree(door, `${choice.name}.ne=${enc(choice.value)}`, (one) => !holds(one));
    return undefined;
  }),
  ofResource(['R-FILTER-GT'], (door) => ordered(door, 'gt')),
  ofResource(['R-FILTER-GTE'], (door) => ordered(door, 'gte')),
  ofResource(['R-FILTER-LT'], (door) => ordered(door, 'lt')),
  ofResource(['R-FILTER-LTE'], (door) => ordered(door, 'lte')),
  ofResource(['R-FILTER-REGEX'], async (door) => {
    const choice = await choose(door, (leaf) => isRegexSafe(leaf.value));
    if (!choice) return nothing('a text of letters');
    const words = String(choice.value);
    await agree(
      door,
      `${choice.name}.regex=${encodeURIComponent(`^${words}$`)}`,
      has(choice.path, (value) => value === words),
    );
    const inside = words.slice(1, 3);
    await agree(
      door,
      `${choice.name}.regex=${encodeURIComponent(`${inside}.*`)}`,
      has(choice.path, (value) => typeof value === 'string' && value.includes(inside)),
    );
    return undefined;
  }),
  ofResource(['R-FILTER-ENCODED'], async (door) => {
    const choice = await middle(door, 'either');
    if (!choice) return nothing('a number or date');
    const bound = comparable(choice.value) ?? 0;
    const sameKind = (value: Json) => typeof value === typeof choice.value;
    for (const [sign, operator] of [
      ['>', 'gt'],
      ['%3E', 'gt'],
      ['>=', 'gte'],
      ['%3E%3D', 'gte'],
      ['<', 'lt'],
      ['%3C', 'lt'],
      ['<=', 'lte'],
      ['%3C%3D', 'lte'],
    ] as const) {
      await agree(
        door,
        `${choice.name}${sign}${enc(choice.value)}`,
        has(
          choice.path,
          (value) => sameKind(value) && (orders[operator]?.(comparable(value) ?? Number.NaN, bound) ?? false),
        ),
      );
    }
    await agree(door, `${choice.name}%3D${enc(choice.value)}`, has(choice.path, equals(choice.value)));
    return undefined;
  }),
  ofResource(['R-FILTER-NESTED'], (door) =>
    byChoice(door, 'a nested attribute', (leaf) => leaf.path.length > 1 && !leaf.throughArray),
  ),
  ofResource(['R-FILTER-ARRAY'], (door) =>
    byChoice(door, 'an attribute inside an array', (leaf) => leaf.path.length > 1 && leaf.throughArray),
  ),
  ofResource(['R-FILTER-DATE'], async (door) => {
    const choice = await middle(door, 'date');
    if (!choice) return nothing('a date');
    const instant = Date.parse(String(choice.value));
    const elsewhere = new Date(instant + 8 * 3_600_000).toISOString().replace('Z', '+08:00');
    const later = has(choice.path, (value) => isDate(value) && Date.parse(value) >= instant);
    await agree(door, `${choice.name}.gte=${enc(elsewhere)}`, later);
    await agree(door, `${choice.name}.gte=${elsewhere}`, later);
    await agree(
      door,
      `${choice.name}.lt=${enc(new Date(instant + 1).toISOString())}`,
      has(choice.path, (value) => isDate(value) && Date.parse(value) <= instant),
    );
    return undefined;
  }),
  ofResource(['R-FILTER-NUMBER'], async (door) => {
    const choice = await middle(door, 'number');
    if (!choice) return nothing('a number');
    const number = Number(choice.value);
    await agree(door, `${choice.name}=${number}`, has(choice.path, equals(String(number))));
    await agree(
      door,
      `${choice.name}.lt=${number + 1}`,
      has(choice.path, (value) => typeof value === 'number' && value < number + 1),
    );
    return undefined;
  }),
  ofResource(['R-FILTER-BOOLEAN'], (door) => byChoice(door, 'a boolean', (leaf) => typeof leaf.value === 'boolean')),
  ofResource(['R-FILTER-UNKNOWN'], async (door) => {
    const choice = await choose(door, ({ path }) => path[0] === 'conformance' && path[1] === 'word');
    if (!choice) return 'no client adds attributes to it';
    await agree(door, `${choice.name}=${enc(choice.value)}`, has(choice.path, equals(choice.value)));
    await agree(
      door,
      'conformance.tags.name=tag-1',
      has(['conformance', 'tags', 'name'], (value) => value === 'tag-1'),
    );
    return undefined;
  }),
  ofResource(['R-FILTER-JSONPATH'], async (door) => {
    const choice = await choose(
      door,
      (leaf) => textual(leaf.value) && leaf.path.length === 1 && /^[\w -]+$/.test(String(leaf.value)),
    );
    if (!choice) return nothing('a text');
    const holds = has(choice.path, equals(choice.value));
    const filter = (expression: string) => `filter=${encodeURIComponent(expression)}`;
    await agree(door, filter(`$[?(@.${choice.name}=='${choice.value}')]`), holds);
    await agree(door, filter(`$[?(@.${choice.name}!='${choice.value}')]`), (one) => !holds(one));
    await agree(door, filter(`$[?(@.${choice.name}=='${choice.value}' && @.id)]`), holds);
    return undefined;
  }),
  ofResource(['R-FILTER-JSONPATH-BAD'], async (door) => {
    for (const expression of ['$[?(@.id==]', '$[?(', "$[?(@.id=='x'"]) {
      same(
        (await door.ask('list', { search: `filter=${encodeURIComponent(expression)}` })).status,
        400,
        `the status of ${expression}`,
      );
    }
  }),
  ofResource(['R-FILTER-JSONPATH-UNSUPPORTED'], async (door) => {
    for (const expression of ['$..id', '$[?(@.id==@.name)]']) {
      same(
        (await door.ask('list', { search: `filter=${encodeURIComponent(expression)}` })).status,
        501,
        `the status of ${expression}`,
      );
    }
  }),
];
