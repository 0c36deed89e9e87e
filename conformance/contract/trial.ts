/**
 * Tries the comparer: faults that it must see and rewrites that it must not.
 */
import type { Deviation } from './deviations.ts';
import { undoDeviations } from './deviations.ts';
import { type Json, objectOf } from './json.ts';
import { mutations } from './mutations.ts';
import { type Facts, normalForm } from './normal-form.ts';
import { type Case, compareFacts, proveByLock } from './proof.ts';
import { type Random, seeded } from './random.ts';
import { rewrites } from './rewrites.ts';

/** One kind of fault: how many were planted, and those that were missed. */
export interface Trial {
  kind: string;
  planted: number;
  missed: string[];
}

/** A raw document to plant faults in, and how to tell whether they are seen. */
export interface Subject {
  name: string;
  /** A fresh copy for each fault. */
  raw: () => Json;
  findings: (document: Json) => string[];
}

/** The official documents, each compared with its contract. Without the files there are none. */
export function officialSubjects(cases: Case[], deviations: Deviation[]): Subject[] {
  return cases.flatMap(({ api, contract, official }) => {
    if (official === null) return [];
    const undone: Facts = undoDeviations(api, normalForm(contract), deviations).facts;
    return [
      {
        name: api,
        raw: (): Json => JSON.parse(official),
        findings: (document: Json) => compareFacts(normalForm(document), undone),
      },
    ];
  });
}

/** The contracts, each compared with the fingerprints of its official document. */
export function contractSubjects(cases: Case[], deviations: Deviation[]): Subject[] {
  return cases.map(({ api, contract, locked }) => ({
    name: api,
    raw: () => structuredClone(contract),
    findings: (document) => proveByLock(api, document, locked, deviations).findings,
  }));
}

function plant(kind: string, subjects: Subject[], random: Random): { what: string; isSeen: boolean } | null {
  const subject = random.pick(subjects);
  if (!subject) return null;
  const document = objectOf(subject.raw());
  const what = mutations[kind]?.(document, random) ?? null;
  return what === null ? null : { what: `${subject.name}: ${what}`, isSeen: subject.findings(document).length > 0 };
}

/** Plants `count` faults of each kind in documents chosen by `seed`. */
export function tryMutations(subjects: Subject[], count: number, seed: number): Trial[] {
  return Object.keys(mutations).map((kind, index) => {
    const random = seeded(seed + index);
    const missed: string[] = [];
    let planted = 0;
    // Not every document has a place for every kind, so there are more attempts than faults; too few planted is shown.
    for (let attempt = 0; attempt < count * 10 && planted < count; attempt += 1) {
      const fault = plant(kind, subjects, random);
      if (!fault) continue;
      planted += 1;
      if (!fault.isSeen) missed.push(fault.what);
    }
    return { kind, planted, missed };
  });
}

/** Rewrites `count` documents, each in up to three ways, and reports those where a difference was seen. */
export function tryRewrites(subjects: Subject[], count: number, seed: number): Trial {
  const random = seeded(seed);
  const names = Object.keys(rewrites);
  const reported: string[] = [];
  let planted = 0;
  for (let index = 0; index < count && subjects.length > 0; index += 1) {
    const subject = subjects[index % subjects.length];
    if (!subject) break;
    let document = objectOf(subject.raw());
    // In the order of the table: what is shared by reference comes last, for the others look at what is in place.
    const others = random.shuffle(names).slice(0, random.below(3));
    const chosen = names.filter((name, place) => place === index % names.length || others.includes(name));
    for (const name of chosen) document = rewrites[name]?.(document, random) ?? document;
    planted += 1;
    const findings = subject.findings(document);
    if (findings.length > 0) reported.push(`${subject.name}: ${chosen.join(', ')}: ${findings[0]}`);
  }
  return { kind: 'rewrite', planted, missed: reported };
}
