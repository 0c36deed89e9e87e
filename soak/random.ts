/** The only source of chance in a soak's plan: the same seed chooses the same for ever. */
export interface Random {
  /** In [0, 1). */
  next(): number;
  /** An integer from `low` to `high`, both included. */
  int(low: number, high: number): number;
  chance(probability: number): boolean;
  pick<T>(of: readonly [T, ...T[]]): T;
  /** One of a list; undefined of an empty one. */
  any<T>(of: readonly T[]): T | undefined;
  shuffled<T>(of: readonly T[]): T[];
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
    any: (of) => (of.length === 0 ? undefined : of[int(0, of.length - 1)]),
    shuffled(of) {
      const left = [...of];
      for (let last = left.length - 1; last > 0; last -= 1) {
        const other = int(0, last);
        const [a, b] = [left[last], left[other]];
        if (a === undefined || b === undefined) continue;
        left[last] = b;
        left[other] = a;
      }
      return left;
    },
  };
}
