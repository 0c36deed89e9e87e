import { monotonicFactory } from 'ulid';

/**
 * Typed, prefixed ids: `cus_01k9…`. 26 Crockford base-32 characters in lower case follow the prefix: 48 bits of
 * milliseconds, then 80 random bits, so ids sort by creation and cannot be guessed.
 */
export const prefixes = [
  'acc',
  'asg',
  'bil',
  'bod',
  'bkt',
  'can',
  'cat',
  'cgy',
  'chs',
  'cht',
  'cus',
  'dlv',
  'esm',
  'evt',
  'exp',
  'hub',
  'imp',
  'int',
  'mon',
  'ofr',
  'itm',
  'ord',
  'otc',
  'pay',
  'pme',
  'prc',
  'quc',
  'rat',
  'ref',
  'req',
  'ses',
  'sgn',
  'so',
  'soc',
  'spc',
  'stp',
  'sub',
  'svc',
  'tck',
  'tok',
  'top',
  'usg',
  'usp',
] as const;
export type Prefix = (typeof prefixes)[number];
export type Id<P extends Prefix = Prefix> = `${P}_${string}`;

export type IdSource = <P extends Prefix>(prefix: P) => Id<P>;

/**
 * Makes ids from a clock (milliseconds) and a source of randomness in [0, 1), so a simulation can replay them.
 * Ids of one source keep their order even when the clock stands still or steps back.
 */
export function idSource(nowMs: () => number, random: () => number): IdSource {
  const make = monotonicFactory(random);
  return (prefix) => `${prefix}_${make(nowMs()).toLowerCase()}`;
}

export function hasPrefix<P extends Prefix>(id: string, prefix: P): id is Id<P> {
  return id.startsWith(`${prefix}_`);
}
