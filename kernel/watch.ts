/** What a piece of work is: a command's transaction, one that only judges, a step of a flow, a call of the outside. */
export type WorkKind = 'command' | 'preview' | 'step' | 'outside';

/**
 * Sees work begin and end, for measures and traces. Whoever does the work knows nothing of them: it only says what it
 * does. Where nobody looks there is none, and the work is done as if it had never been said.
 */
export interface Watch {
  /**
   * Does the work, and gives or throws what the work does.
   * @param name of few values, for it becomes a label: never an id, never what a person typed.
   * @param facts for a trace alone: ids may be among them, nothing that is secret or personal.
   */
  work<T>(
    kind: WorkKind,
    name: string,
    facts: Readonly<Record<string, string | number>>,
    work: () => Promise<T>,
  ): Promise<T>;
  /** So many records of usage came to this end: rated, rejected, repeated. */
  usage(outcome: string, count: number): void;
}
