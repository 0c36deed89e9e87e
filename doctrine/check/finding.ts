/** Something that the house forbids, found. `what` names it shortly and stays the same when lines move. */
export interface Finding {
  readonly file: string;
  readonly line: number;
  readonly what: string;
}

/** What a check has come to. */
export interface Judged {
  readonly check: string;
  /** What it refuses, in a few words. */
  readonly refuses: string;
  /** How many things it looked at, and what they are. */
  readonly looked: number;
  readonly unit: string;
  readonly violations: readonly Finding[];
  /** Violations that were planted, and those among them that were found. */
  readonly planted: number;
  readonly caught: number;
  /** Plants that were not found: the check is blind to them. */
  readonly missed: readonly string[];
}

/** Something forbidden that is planted for a check to find. */
export interface Plant {
  /** Where it would stand. */
  readonly file: string;
  readonly text: string;
}
