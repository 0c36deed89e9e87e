/**
 * Proves that each contract says what the official document says, but for the declared deviations.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Deviation, readDeviations, undoDeviations } from './deviations.ts';
import { type Json, type JsonObject, objectOf } from './json.ts';
import { fingerprintDifferences, fingerprints, type Lock, lockShape, sha256 } from './lock.ts';
import { differences, type Facts, normalForm } from './normal-form.ts';

/** One API with everything that its proof needs. */
export interface Case {
  api: string;
  contract: JsonObject;
  locked: Lock[string];
  /** The bytes of the official file, or null where it is not at hand. */
  official: string | null;
}

export interface Material {
  cases: Case[];
  deviations: Deviation[];
}

/** What a comparison found; it proves equality when there are no findings. */
export interface Findings {
  findings: string[];
  /** Places where each deviation held, by its id. */
  used: Map<string, number>;
}

function parsed(path: string): Json {
  const value: Json = JSON.parse(readFileSync(path, 'utf8'));
  return value;
}

/** Where the official files are: `TMF_SPECS_DIR`, else beside the repository. */
export function officialDirectory(root: string): string {
  return process.env.TMF_SPECS_DIR ?? join(root, '../shared/specs');
}

/** Gathers contracts, lock, deviations and, where they are, the official files. */
export function gather(root: string, officialFiles: string): Material {
  const lock = lockShape.parse(parsed(join(root, 'specs/official.lock.json')));
  const cases = Object.entries(lock).map(([api, locked]) => {
    const path = join(officialFiles, locked.file);
    return {
      api,
      locked,
      contract: objectOf(parsed(join(root, `generated/openapi/${api}.json`))),
      official: existsSync(path) ? readFileSync(path, 'utf8') : null,
    };
  });
  return { cases, deviations: readDeviations(join(root, 'specs/deviations.yaml')) };
}

/** Compares a contract with the fingerprints of the official document: needs no download. */
export function proveByLock(api: string, contract: Json, locked: Lock[string], deviations: Deviation[]): Findings {
  const { facts, used, failures } = undoDeviations(api, normalForm(contract), deviations);
  return { findings: [...failures, ...fingerprintDifferences(locked.fingerprints, fingerprints(facts))], used };
}

/** Compares the facts of an official document with a contract whose deviations are undone, fact by fact. */
export function compareFacts(official: Facts, undone: Facts): string[] {
  const shown = (value: Json | undefined): string => (value === undefined ? 'nothing' : JSON.stringify(value));
  return differences(official, undone).map(
    ({ pointer, official: there, contract: here }) => `${pointer}: official ${shown(there)}, contract ${shown(here)}`,
  );
}

/** Compares a contract with the official document itself. */
export function proveByOfficial(
  { api, contract, locked, official }: Case & { official: string },
  deviations: Deviation[],
): Findings {
  const { facts, used, failures } = undoDeviations(api, normalForm(contract), deviations);
  const document: Json = JSON.parse(official);
  const pinned = sha256(official) === locked.sha256 ? [] : [`${locked.file} is not the file that is pinned`];
  return { findings: [...pinned, ...failures, ...compareFacts(normalForm(document), facts)], used };
}

/** The declarations that held nowhere, over all APIs. */
export function idleDeviations(deviations: Deviation[], uses: Map<string, number>[]): string[] {
  const ids = new Set(deviations.map(({ id }) => id));
  return [...ids].filter((id) => !uses.some((used) => (used.get(id) ?? 0) > 0));
}
