import { z } from 'zod';
import type { DatabaseKind } from './house.ts';

// What a part of the bench gives back: figures that a later release is compared by, tables for people, and the promises
// that it could judge.

export const units = ['ms', 's', 'MB', '/s', 'ratio'] as const;

const figure = z.object({
  /** What it is called in the comparison and in `reasons.md`, such as `operations.customer.read.p99`. */
  key: z.string(),
  value: z.number(),
  unit: z.enum(units),
  /** Which way is progress. */
  better: z.enum(['less', 'more']),
  /** A difference below this is the clock's and the machine's. */
  floor: z.number().optional(),
});
export type Figure = z.infer<typeof figure>;

const table = z.object({
  title: z.string(),
  head: z.array(z.string()),
  rows: z.array(z.array(z.string())),
  note: z.string().optional(),
});
export type Table = z.infer<typeof table>;

const promised = z.object({
  what: z.string(),
  measured: z.string(),
  isKept: z.boolean(),
  /** It compares two things of one run, so a machine that does other things beside can judge it too. */
  isRatio: z.boolean().optional(),
  /** Something beside it went so wrong that neither kept nor missed follows from what was measured. */
  saysNothing: z.boolean().optional(),
});
export type Promised = z.infer<typeof promised>;

export const partResult = z.object({
  figures: z.array(figure),
  tables: z.array(table),
  promises: z.array(promised),
});
export type PartResult = z.infer<typeof partResult>;

/** Why a part could not be measured here: no failure, and no figure either. */
export class NotMeasured extends Error {
  override readonly name = 'NotMeasured';
}

export interface Options {
  readonly seed: number;
  readonly isShort: boolean;
  readonly idleMinutes: number;
}

export interface Part {
  readonly name: string;
  readonly title: string;
  /** False when it is the same whatever the database. */
  readonly isByDatabase: boolean;
  measure(kind: DatabaseKind, options: Options): Promise<PartResult>;
}

export const milliseconds = (value: number): string => `${value.toFixed(value < 100 ? 1 : 0)} ms`;
export const whole = (value: number): string => Math.round(value).toLocaleString('en');
