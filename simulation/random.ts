/** The only source of chance in a simulated world: the same seed gives the same numbers for ever. */
export interface Random {
  /** In [0, 1). */
  next(): number;
  /** An integer from `low` to `high`, both included. */
  int(low: number, high: number): number;
  chance(probability: number): boolean;
  pick<T>(of: readonly [T, ...T[]]): T;
  /** One of them in proportion to its weight; undefined when all weigh nothing. */
  weighted<T>(of: readonly (readonly [weight: number, value: T])[]): T | undefined;
  /** A stream of its own, so that one part of the world draws without moving another. */
  fork(name: string): Random;
}

/** FNV-1a, 32 bits. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (const letter of text) hash = Math.imul(hash ^ (letter.codePointAt(0) ?? 0), 0x01000193);
  return hash >>> 0;
}

/** A generator that repeats itself for a seed (mulberry32). */
export function randomOf(seed: number): Random {
  let state = seed | 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const int = (low: number, high: number): number => low + Math.floor(next() * (high - low + 1));
  return {
    next,
    int,
    chance: (probability) => next() < probability,
    pick: (of) => of[int(0, of.length - 1)] ?? of[0],
    weighted(of) {
      let left = next() * of.reduce((sum, [weight]) => sum + weight, 0);
      for (const [weight, value] of of) {
        if (weight <= 0) continue;
        left -= weight;
        if (left < 0) return value;
      }
      return of.findLast(([weight]) => weight > 0)?.[1];
    },
    fork: (name) => randomOf(hashOf(`${seed}:${name}`)),
  };
}
