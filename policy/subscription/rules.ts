import { rule } from '../core/rule.ts';
import { findRow } from '../core/table.ts';
import type { Tx } from '../core/transaction.ts';
import type { Line } from './line.ts';

export interface LineFacts {
  line: Line | undefined;
}

/** Reads and locks the line that a command names; a line that is not there is a fact for its rules. */
export async function lineFacts(tx: Tx, subscriptionId: string): Promise<LineFacts> {
  return { line: await findRow(tx, 'subscription', { id: subscriptionId }, true) };
}

export const isLive = (line: Line | undefined) => line?.state === 'active' || line?.state === 'blocked';

/** What is done to a line while it lives: `what` completes the sentence. */
export function needsLiveLine(code: string, what: string) {
  return rule<LineFacts>({
    code,
    sentence: `Only a live line ${what}: this one has ended, is not active yet, or is not known.`,
    kept: ({ line }) => isLive(line),
    shown: ({ line }) => ({ line: line?.id ?? null, state: line?.state ?? null }),
  });
}

/** After its rules a command has its line. */
export function theLine({ line }: LineFacts): Line {
  if (!line) throw new Error('a command that was not refused has a line');
  return line;
}
