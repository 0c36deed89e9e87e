/**
 * What the official documents say, kept as fingerprints, so that equality is proved where the documents are not at hand.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { canonical } from './json.ts';
import type { Facts } from './normal-form.ts';

const lockedApi = z.strictObject({
  file: z.string(),
  sha256: z.string(),
  fingerprints: z.record(z.string(), z.string()),
});

export const lockShape = z.record(z.string(), lockedApi);

/** Per API: the official file, its sha256, and a fingerprint for each operation, each schema and the API itself. */
export type Lock = z.infer<typeof lockShape>;

/** The sha256 of a file's bytes, in hexadecimal. */
export function sha256(content: string | Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}

/** The unit that a fact belongs to: `api`, `operations/X` or `schemas/Y`. */
const unitOf = (pointer: string): string =>
  pointer
    .split('/')
    .slice(0, pointer.startsWith('api/') ? 1 : 2)
    .join('/');

/** A fingerprint for each operation, each schema and the API itself: half a sha256 of its facts in order. */
export function fingerprints(facts: Facts): Record<string, string> {
  const lines = new Map<string, string[]>();
  for (const [pointer, value] of facts) {
    const unit = unitOf(pointer);
    const known = lines.get(unit) ?? [];
    known.push(`${pointer} ${canonical(value)}`);
    lines.set(unit, known);
  }
  const entries = [...lines].map(([unit, facts]) => [unit, sha256(facts.sort().join('\n')).slice(0, 32)] as const);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** The units that differ between what is locked and what is found, as readable lines. */
export function fingerprintDifferences(locked: Record<string, string>, found: Record<string, string>): string[] {
  const units = [...new Set([...Object.keys(locked), ...Object.keys(found)])].sort();
  return units.flatMap((unit) => {
    if (locked[unit] === found[unit]) return [];
    if (found[unit] === undefined) return [`${unit} is in the official document and not in the contract`];
    if (locked[unit] === undefined) return [`${unit} is in the contract and not in the official document`];
    return [`${unit} is not what the official document says`];
  });
}
