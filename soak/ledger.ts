import { isDeepStrictEqual } from 'node:util';
import { isJsonObject, type Json, type JsonObject } from '../kernel/json.ts';

/** A write that was acknowledged to a caller, kept in the caller's process: it must be there ever after. */
export interface Told {
  readonly path: string;
  readonly id: string;
  /** What of it does not change any more, as it was told. */
  readonly attributes: JsonObject;
}

export type Reader = (path: string) => Promise<Json | undefined>;

const pageSize = 1000;
const readersCount = 4;

/** What of it is not so any more; undefined when it is all there. */
function missingOf(told: Told, found: Json | undefined): string | undefined {
  if (!isJsonObject(found)) return `${told.path}/${told.id} is not there`;
  const faults = Object.keys(told.attributes).filter((name) => !isDeepStrictEqual(told.attributes[name], found[name]));
  return faults.length === 0 ? undefined : `${told.path}/${told.id}: another ${faults.join(', ')}`;
}

export class Ledger {
  readonly #told = new Map<string, Told>();

  /** The same write told twice, as to a record that was sent twice, is one. */
  add(path: string, document: JsonObject, names: readonly string[]): void {
    if (typeof document.id !== 'string') throw new Error(`${path} acknowledged something without an id`);
    const attributes: JsonObject = {};
    for (const name of names) if (document[name] !== undefined) attributes[name] = document[name];
    this.#told.set(document.id, { path, id: document.id, attributes });
  }

  get size(): number {
    return this.#told.size;
  }

  /** The last that were told, each asked for by its id. */
  async readLast(count: number, read: Reader): Promise<{ looked: number; lost: string[] }> {
    const waiting = [...this.#told.values()].slice(-count);
    const looked = waiting.length;
    const lost: string[] = [];
    const look = async (): Promise<void> => {
      for (let one = waiting.pop(); one !== undefined; one = waiting.pop()) {
        const fault = missingOf(one, await read(`${one.path}/${one.id}`));
        if (fault !== undefined) lost.push(fault);
      }
    };
    await Promise.all(Array.from({ length: readersCount }, look));
    return { looked, lost };
  }

  /** Everything, by lists. */
  async readAll(read: Reader): Promise<{ looked: number; lost: string[] }> {
    const found = new Map<string, Json>();
    for (const path of new Set([...this.#told.values()].map((one) => one.path))) {
      for (let offset = 0; ; offset += pageSize) {
        const page = await read(`${path}?limit=${pageSize}&offset=${offset}`);
        if (!Array.isArray(page)) throw new Error(`${path} gave no list`);
        for (const one of page) if (isJsonObject(one) && typeof one.id === 'string') found.set(one.id, one);
        if (page.length < pageSize) break;
      }
    }
    const lost: string[] = [];
    for (const one of this.#told.values()) {
      const fault = missingOf(one, found.get(one.id));
      if (fault !== undefined) lost.push(fault);
    }
    return { looked: this.#told.size, lost };
  }
}
