import { z } from 'zod';
import { type AnyCommand, command } from '../core/command.ts';
import { clearEndedWishes } from '../inventory/wanted.ts';
import { noticeFlow } from '../notice/notice.ts';
import { codeStep } from './one-time-code.ts';

/** Forgets sessions, codes with what mailed them, and sign-ups a day after they ended, and numbers that nobody wants any more. */
export const forgetSessions: AnyCommand = command({
  name: 'session.forget',
  summary: 'Forget sessions, mailed codes, sign-ups and chosen numbers that are over',
  input: z.object({ limit: z.int().min(1).max(100_000).default(10_000) }),
  audience: ['system'],
  effect: 'write',
  rules: [],
  facts: async () => ({}),
  async apply(tx, _facts, { limit }) {
    const sessions = await tx.sql`DELETE FROM "portal_session" WHERE "id" IN (
      SELECT "id" FROM "portal_session" WHERE "ends_at" < clock_timestamp() - interval '24 hours'
      ORDER BY "ends_at" LIMIT ${limit} FOR UPDATE SKIP LOCKED) RETURNING "id"`;
    const codes = await tx.sql<{ id: string }>`DELETE FROM "one_time_code" WHERE "id" IN (
      SELECT "id" FROM "one_time_code" WHERE "created_at" < clock_timestamp() - interval '24 hours'
      ORDER BY "created_at" LIMIT ${limit} FOR UPDATE SKIP LOCKED) RETURNING "id"`;
    await tx.sql`DELETE FROM "flow_step" WHERE "subject" = ANY (${codes.map(({ id }) => id)}::text[])
      AND "flow" = ${noticeFlow} AND "step" = ${codeStep}`;
    const signUps = await tx.sql`DELETE FROM "sign_up" WHERE "id" IN (
      SELECT "id" FROM "sign_up" WHERE "created_at" < clock_timestamp() - interval '24 hours'
      ORDER BY "created_at" LIMIT ${limit} FOR UPDATE SKIP LOCKED) RETURNING "id"`;
    const wishes = await clearEndedWishes(tx, limit);
    return { forgotten: Math.max(sessions.length, codes.length, signUps.length, wishes) };
  },
});
