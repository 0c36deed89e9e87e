/** A source of repeatable chance, so that a failing mutation can be planted again. */
export interface Random {
  /** A whole number from 0 up to, and without, `bound`. */
  below: (bound: number) => number;
  /** One of `values`, or undefined when there are none. */
  pick: <T>(values: readonly T[]) => T | undefined;
  shuffle: <T>(values: readonly T[]) => T[];
}

/** The mulberry32 generator, which is small and even enough to choose places in a document. */
export function seeded(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
  const below = (bound: number): number => Math.floor(next() * bound);
  return {
    below,
    pick: (values) => values[below(values.length)],
    shuffle: (values) => {
      const keyed = values.map((value) => ({ value, key: next() }));
      return keyed.sort((a, b) => a.key - b.key).map(({ value }) => value);
    },
  };
}
