import { isJsonObject, type Json, type JsonObject } from '../../kernel/json.ts';

/** A resource as it goes out: always with its id and its absolute link. */
export type ResourceBody = JsonObject & { id: string; href: string };

/**
 * Gives a stored document its link, and keeps of it only what was selected.
 * @param fields paths of attributes, each through arrays too; those that are absent are ignored. Undefined: everything.
 */
export function toBody(
  document: JsonObject,
  href: (id: string) => string,
  fields: string[][] | undefined,
): ResourceBody {
  const { id } = document;
  if (typeof id !== 'string') throw new Error('A stored document has no id.');
  const kept = fields === undefined ? document : selectMembers(document, fields);
  // Made from entries, so that an attribute called __proto__ is an attribute.
  const others = Object.fromEntries(Object.entries(kept).filter(([name]) => name !== 'id' && name !== 'href'));
  return { id, href: href(id), ...others };
}

function selectMembers(object: JsonObject, fields: readonly string[][]): JsonObject {
  const wanted = new Map<string, string[][]>();
  for (const [name, ...below] of fields) {
    if (name === undefined) continue;
    wanted.set(name, [...(wanted.get(name) ?? []), below]);
  }
  const entries: [string, Json][] = [];
  for (const [name, value] of Object.entries(object)) {
    const below = wanted.get(name);
    if (below === undefined || value === undefined) continue;
    const selected = below.some((path) => path.length === 0) ? value : select(value, below);
    if (selected !== undefined) entries.push([name, selected]);
  }
  return Object.fromEntries(entries);
}

/** What the paths select below a value. Undefined where they lead nowhere. */
function select(value: Json, fields: readonly string[][]): Json | undefined {
  if (Array.isArray(value)) {
    const selected = value.map((element) => select(element, fields)).filter((element) => element !== undefined);
    return selected.length === 0 ? undefined : selected;
  }
  if (!isJsonObject(value)) return undefined;
  const selected = selectMembers(value, fields);
  return Object.keys(selected).length === 0 ? undefined : selected;
}
