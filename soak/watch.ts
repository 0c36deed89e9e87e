/**
 * What a soak keeps of every answer: how long it took, by surface, and whether it told a customer of somebody else. Text
 * is looked through for all that identifies anybody, wherever it stands; whose each thing is, is known here.
 */
export const surfaces = ['tmf', 'tools', 'usage', 'chat', 'mcp', 'pages', 'terminal', 'mail', 'clock'] as const;
export type Surface = (typeof surfaces)[number];

export interface Leak {
  readonly surface: Surface;
  readonly where: string;
  readonly found: string;
  readonly reader: string;
  readonly owner: string;
}

/** What identifies: typed ids, runs of figures (numbers, ICCIDs), addresses, activation codes, planted words. */
const candidates =
  /[a-z]{2,3}_[0-9a-hjkmnp-tv-z]{26}|\d{10,20}|[\p{L}\p{N}._%+-]{1,64}@[\p{L}\p{N}.-]{3,120}|LPA:1\$[\w.$-]+|canary[a-z]{8}/giu;

export const identifiersIn = (text: string): string[] => [
  ...new Set((text.match(candidates) ?? []).map((one) => one.toLowerCase().replace(/\.$/, ''))),
];

export class Watch {
  readonly leaks: Leak[] = [];
  readonly times = new Map<string, number[]>();
  /** Answers that were looked through. */
  scanned = 0;
  /** Things of the reader's own that were seen in them: the look does see. */
  ownSeen = 0;
  readonly scannedBy = new Map<Surface, number>();
  readonly #owners = new Map<string, string>();

  /** From now on these are somebody's. */
  owns(customer: string, things: Iterable<string | null>): void {
    for (const thing of things) if (thing !== null && thing !== '') this.#owners.set(thing.toLowerCase(), customer);
  }

  took(surface: string, milliseconds: number): void {
    const known = this.times.get(surface);
    if (known) known.push(milliseconds);
    else this.times.set(surface, [milliseconds]);
  }

  /** Looks through what a customer was given. What the reader typed is known to the reader. */
  saw(surface: Surface, where: string, reader: string, text: string, typed: readonly string[] = []): void {
    this.scanned += 1;
    this.scannedBy.set(surface, (this.scannedBy.get(surface) ?? 0) + 1);
    const known = new Set(typed.map((one) => one.toLowerCase()));
    for (const found of identifiersIn(text)) {
      const owner = this.#owners.get(found);
      if (owner === undefined) continue;
      if (owner === reader) this.ownSeen += 1;
      else if (!known.has(found)) this.leaks.push({ surface, where, found, reader, owner });
    }
  }
}

/** The value that so many of a hundred are not above (nearest rank). */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)] ?? 0;
}
