import { isDeepStrictEqual } from 'node:util';
import { isJsonObject, type Json } from '../kernel/json.ts';

type Segment =
  | { kind: 'member'; name: string }
  | { kind: 'index'; index: number }
  | { kind: 'where'; name: string; value: string }
  | { kind: 'each' };

const segmentForm = /^(?:\.?([^.[\]]+)|\[(\d+)\]|\[\*\]|\[([^=\]]+)=([^\]]*)\])/;

/** The whole answer, where a path is wanted. */
export const wholeAnswer = 'answer';

function segmentsOf(path: string): Segment[] {
  const segments: Segment[] = [];
  let rest = path;
  while (rest !== '') {
    const found = segmentForm.exec(rest);
    if (!found)
      throw new Error(`"${path}" is not a path: write note[0].text, balances[kind=data].remaining or note[*].text`);
    const [taken, name, index, key, value] = found;
    if (name !== undefined) segments.push({ kind: 'member', name });
    else if (index !== undefined) segments.push({ kind: 'index', index: Number(index) });
    else if (key !== undefined) segments.push({ kind: 'where', name: key, value: value ?? '' });
    else segments.push({ kind: 'each' });
    rest = rest.slice(taken.length);
  }
  return segments;
}

/**
 * What stands at a path: `note[0].text`, `balances[kind=data].remaining.text` for the element whose kind is data,
 * `note[*].text` for the texts of all. Undefined when nothing stands there.
 */
export function readPath(value: Json | undefined, path: string): Json | undefined {
  return path === wholeAnswer ? value : walk(value, segmentsOf(path));
}

function walk(value: Json | undefined, segments: readonly Segment[]): Json | undefined {
  const [segment, ...rest] = segments;
  if (segment === undefined || value === undefined) return value;
  switch (segment.kind) {
    case 'member':
      return isJsonObject(value) ? walk(value[segment.name], rest) : undefined;
    case 'index':
      return Array.isArray(value) ? walk(value[segment.index], rest) : undefined;
    case 'where':
      return Array.isArray(value)
        ? walk(
            value.find((one) => isJsonObject(one) && String(one[segment.name]) === segment.value),
            rest,
          )
        : undefined;
    case 'each':
      return Array.isArray(value) ? value.map((one) => walk(one, rest)).filter((one) => one !== undefined) : undefined;
  }
}

type Judge = (value: Json | undefined, wanted: Json) => boolean;

const ordered = (compare: (left: number | string, right: number | string) => boolean): Judge => {
  return (value, wanted) =>
    (typeof value === 'number' && typeof wanted === 'number' && compare(value, wanted)) ||
    (typeof value === 'string' && typeof wanted === 'string' && compare(value, wanted));
};

/** The words an expectation may use besides a plain value. */
const judges: Readonly<Record<string, Judge>> = {
  is: (value, wanted) => isDeepStrictEqual(value, wanted),
  not: (value, wanted) => value !== undefined && !isDeepStrictEqual(value, wanted),
  in: (value, wanted) => Array.isArray(wanted) && wanted.some((one) => isDeepStrictEqual(value, one)),
  contains: (value, wanted) =>
    typeof value === 'string'
      ? typeof wanted === 'string' && value.includes(wanted)
      : Array.isArray(value) &&
        value.some(
          (one) =>
            isDeepStrictEqual(one, wanted) ||
            (typeof one === 'string' && typeof wanted === 'string' && one.includes(wanted)),
        ),
  lacks: (value, wanted) => (typeof value === 'string' || Array.isArray(value)) && !judges.contains?.(value, wanted),
  matches: (value, wanted) => typeof value === 'string' && typeof wanted === 'string' && new RegExp(wanted).test(value),
  above: ordered((left, right) => left > right),
  at_least: ordered((left, right) => left >= right),
  below: ordered((left, right) => left < right),
  at_most: ordered((left, right) => left <= right),
  count: (value, wanted) => Array.isArray(value) && value.length === wanted,
  exists: (value, wanted) => (value !== undefined && value !== null) === wanted,
};

/** Judges one expectation; the sentence says what was wrong, undefined that it holds. */
export function fault(path: string, value: Json | undefined, wanted: Json): string | undefined {
  const words = isJsonObject(wanted) ? Object.entries(wanted) : [];
  const areJudges = words.length > 0 && words.every(([word]) => Object.hasOwn(judges, word));
  const asked = areJudges ? words : [['is', wanted] as const];
  const broken = asked.filter(([word, want]) => want === undefined || !judges[word]?.(value, want));
  if (broken.length === 0) return undefined;
  const expected = broken
    .map(([word, want]) => `${word === 'is' ? '' : `${word.replaceAll('_', ' ')} `}${JSON.stringify(want)}`)
    .join(' and ');
  return `${path}: expected ${expected}, found ${shown(value)}`;
}

const shownMax = 300;

function shown(value: Json | undefined): string {
  if (value === undefined) return 'nothing';
  const text = JSON.stringify(value);
  const size = Array.isArray(value) ? `${value.length} elements: ` : '';
  return `${size}${text.length > shownMax ? `${text.slice(0, shownMax)}…` : text}`;
}

/** All that is wrong in an answer, a sentence each. */
export function faultsOf(answer: Json | undefined, expected: Readonly<Record<string, Json>>): string[] {
  return Object.entries(expected).flatMap(([path, wanted]) => fault(path, readPath(answer, path), wanted) ?? []);
}
