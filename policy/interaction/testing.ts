import type { Policy } from '../core/command.ts';
import { recordContact } from './contact.ts';

/**
 * What the program does, and a doubt of it: a command whose events count as all in hand has none in the table yet. One that
 * has a function of the database append events calls `writeEvents` first, or who was in contact is lost.
 */
export const recordContactDoubted: Policy['recordContact'] = async (tx, summary, refusal) => {
  if (!tx.hasWritten) {
    const written = await tx.sql<{ command: string; type: string }>`SELECT "command", "type" FROM "event"
      WHERE "transaction_id" = (pg_current_xact_id()::text)::bigint`;
    const [first] = written;
    if (first) throw new Error(`${tx.command} has a ${first.type} in the table and never called writeEvents`);
  }
  await recordContact(tx, summary, refusal);
};
