import type { Random } from './random.ts';

/**
 * What goes wrong at the edge of the house. Of a request: lost before or after its effect, sent twice, arriving after the
 * caller has given up, answered with an error that says nothing, refused, or so slow that its worker loses the lease. Of
 * a file: half of it arrives. Of the database: a connection that dies before its commit, or with the answer to it.
 */
export const faultKinds = [
  'timeout before the effect',
  'timeout after the effect',
  'duplicate request',
  'late request',
  'error',
  'stall',
  'declined card',
  'expired authorisation',
  'refused by the network, for now',
  'refused by the network, for good',
  'half a batch',
  'connection lost before commit',
  'answer to commit lost',
  'listener away',
  'listener refuses',
  'listener answers into the void',
] as const;
export type FaultKind = (typeof faultKinds)[number];

export type Tally<Name extends string = string> = Map<Name, number>;

export function count<Name extends string>(tally: Tally<Name>, name: Name, by = 1): void {
  tally.set(name, (tally.get(name) ?? 0) + by);
}

/** Which faults a seed has and how often: every seed draws its own, so some are met alone and some all together. */
export interface FaultPlan {
  /** Whether this fault strikes now. Never while the world is to come to rest. */
  strikes(kind: FaultKind): boolean;
  /** One of these kinds, or none. */
  draw(kinds: readonly FaultKind[]): FaultKind | undefined;
  readonly struck: Tally<FaultKind>;
  calm: boolean;
}

export function drawFaultPlan(random: Random): FaultPlan {
  const rates = new Map<FaultKind, number>();
  for (const kind of faultKinds) if (random.chance(0.6)) rates.set(kind, random.pick([0.02, 0.05, 0.12]));
  // There are few files beside thousands of requests.
  if (rates.has('half a batch')) rates.set('half a batch', 0.5);
  // A refusal for good is the way into four flows, so every seed has some.
  rates.set('refused by the network, for good', random.pick([0.05, 0.15, 0.35]));
  const struck: Tally<FaultKind> = new Map();
  const plan: FaultPlan = {
    struck,
    calm: false,
    strikes(kind) {
      if (plan.calm || !random.chance(rates.get(kind) ?? 0)) return false;
      count(struck, kind);
      return true;
    },
    draw: (kinds) => kinds.find((kind) => plan.strikes(kind)),
  };
  return plan;
}
