/**
 * The places where a contract departs from the official document on purpose, and the way back.
 */
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { z } from 'zod';
import { canonical, isObject, type Json } from './json.ts';
import { type Facts, segment } from './normal-form.ts';

const json: z.ZodType<Json> = z.lazy(() =>
  z.union([z.string(), z.number(), z.boolean(), z.null(), z.array(json), z.record(z.string(), json)]),
);

const deviation = z
  .strictObject({
    id: z.string(),
    apis: z.array(z.string()).optional(),
    at: z.string(),
    reason: z.string().min(20),
    official: z.record(z.string(), json).optional(),
    contract: z.record(z.string(), json).optional(),
  })
  .refine(({ official, contract }) => official ?? contract, 'says nothing on either side');

/** One declaration of `specs/deviations.yaml`. */
export type Deviation = z.infer<typeof deviation>;

/** Reads the declarations. Throws where the file is malformed. */
export function readDeviations(path: string): Deviation[] {
  // Merge keys let declarations share what they have in common.
  const result = z.array(deviation).safeParse(parse(readFileSync(path, 'utf8'), { merge: true }));
  if (!result.success) throw new Error(`${path} is malformed:\n${z.prettifyError(result.error)}`);
  return result.data;
}

function fill(text: string, names: Record<string, string>): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => {
    const small = name.charAt(0).toLowerCase() + name.slice(1);
    const large = name.charAt(0).toUpperCase() + name.slice(1);
    const value = names[large];
    if (value === undefined) return whole;
    return name === small ? value.charAt(0).toLowerCase() + value.slice(1) : value;
  });
}

/** Lays the nested form of a declaration out as facts below `at`. */
function factsOf(at: string, value: Json, names: Record<string, string>, facts: Facts = new Map()): Facts {
  if (!isObject(value)) facts.set(at, typeof value === 'string' ? fill(value, names) : value);
  else
    for (const [key, below] of Object.entries(value))
      factsOf(`${at}/${segment(fill(key, names))}`, below, names, facts);
  return facts;
}

/** The expression for a pattern: `{Name}` takes a name that begins with a capital, `{Name:A|B}` takes A or B. */
function expression(at: string): RegExp {
  const source = at.split(/(\{\w+(?::[\w|]+)?\})/).map((part) => {
    const named = /^\{(\w+)(?::([\w|]+))?\}$/.exec(part);
    if (named) return `(?<${named[1]}>${named[2] ?? '[A-Z]\\w*?'})`;
    return part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  });
  return new RegExp(`^${source.join('')}$`);
}

/** Every prefix of a pointer that has as many segments as `depth`. */
function placesOf(facts: Facts, depth: number): Set<string> {
  return new Set([...facts.keys()].map((pointer) => pointer.split('/').slice(0, depth).join('/')));
}

/** What came of undoing the deviations: the facts that remain, and what did not hold as declared. */
export interface Undone {
  facts: Facts;
  /** Places where a declaration held, by its id. */
  used: Map<string, number>;
  failures: string[];
}

/**
 * Takes the declared deviations out of the facts of a contract; what remains must be what the official document says.
 * A declaration that holds at no place, or not entirely at one of its places, is a failure.
 */
export function undoDeviations(api: string, contract: Facts, deviations: Deviation[]): Undone {
  const facts: Facts = new Map(contract);
  const used = new Map<string, number>();
  const failures: string[] = [];
  for (const given of deviations) {
    if (given.apis && !given.apis.includes(api)) continue;
    const pattern = expression(given.at);
    let places = 0;
    for (const place of placesOf(contract, given.at.split('/').length)) {
      const match = pattern.exec(place);
      if (!match) continue;
      places += 1;
      undoAt(place, given, { ...match.groups }, facts, failures);
    }
    used.set(given.id, (used.get(given.id) ?? 0) + places);
    if (places === 0 && given.apis) failures.push(`${given.id}: nothing in ${api} is at ${given.at}`);
  }
  return { facts, used, failures };
}

function undoAt(
  place: string,
  given: Deviation,
  names: Record<string, string>,
  facts: Facts,
  failures: string[],
): void {
  for (const [pointer, value] of factsOf(place, given.contract ?? {}, names)) {
    const found = facts.get(pointer);
    if (found === undefined || canonical(found) !== canonical(value)) {
      failures.push(
        `${given.id}: ${pointer} is declared ${canonical(value)} and is ${found === undefined ? 'absent' : canonical(found)}`,
      );
    } else {
      facts.delete(pointer);
    }
  }
  for (const [pointer, value] of factsOf(place, given.official ?? {}, names)) {
    if (facts.has(pointer)) failures.push(`${given.id}: ${pointer} is declared absent and is there`);
    else facts.set(pointer, value);
  }
}
