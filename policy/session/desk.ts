import { z } from 'zod';
import { command } from '../core/command.ts';
import { rule } from '../core/rule.ts';
import { findRow, insertRow } from '../core/table.ts';
import { tokenHash, tokenPrefix } from '../identity/access-token.ts';
import { type CodeRow, codeTimes, lockLink } from './one-time-code.ts';
import { newSecret, secretHash } from './secret.ts';
import { endSessionRow, lockSession, makeSession, type SessionRow, sessionInput } from './session.ts';
import type { Made } from './sign-in.ts';

// The operators' pages are entered with a token that an operator has, or by a link that one had made: the link opens the
// pages once, within minutes, for the token of whoever asked for it. No token is ever in a cookie.

interface LinkFacts {
  /** The token that the caller has: its end ends the session. */
  tokenId: string | undefined;
}

/** Whoever knows the address of the server puts it before the path. */
export const makeDeskLink = command<Record<string, never>, LinkFacts, { path: string; expiresAt: string }>({
  name: 'desk.make_link',
  summary: 'Make a link to the operators’ pages',
  input: z.strictObject({}),
  audience: ['system'],
  effect: 'write',
  rules: [],
  async facts(tx) {
    return { tokenId: (await findRow(tx, 'accessToken', { id: tx.caller.id }))?.id };
  },
  async apply(tx, { tokenId }) {
    const secret = newSecret();
    const times = await codeTimes(tx);
    await insertRow(tx, 'oneTimeCode', {
      id: tx.newId('otc'),
      purpose: 'desk',
      ...(tokenId === undefined ? {} : { tokenId }),
      linkHash: secretHash(secret),
      ...times,
    });
    return { path: `/desk/sign-in?token=${secret}`, expiresAt: times.expiresAt.toISOString() };
  },
});

interface EnterFacts {
  session: SessionRow | undefined;
  link: CodeRow | undefined;
  tokenId: string | null;
}

export const deskTokenIsLive = rule<EnterFacts>({
  code: 'desk.token_is_live',
  sentence:
    'This opens nothing: it is no token of an operator, and no link that still waits. Type bss desk for a new one.',
  kept: (facts) => facts.tokenId !== null,
});

/** By the link, or by the token itself. */
export const enterDesk = command<{ session?: Buffer | undefined; token: string }, EnterFacts, Made>({
  name: 'desk.enter',
  summary: 'Open the operators’ pages',
  input: z.object({ session: sessionInput.optional(), token: z.string().max(200) }),
  audience: ['system'],
  effect: 'write',
  rules: [deskTokenIsLive],
  async facts(tx, { session, token }) {
    const row = session && (await lockSession(tx, session));
    if (!token.startsWith(tokenPrefix)) {
      const link = await lockLink(tx, ['desk'], secretHash(token));
      return { session: row, link, tokenId: link?.tokenId ?? null };
    }
    const [access] = await tx.sql<{ id: string }>`SELECT "id" FROM "access_token" WHERE "hash" = ${tokenHash(token)}
      AND "audience" = 'operator' AND "revoked_at" IS NULL AND ("expires_at" IS NULL OR "expires_at" > clock_timestamp())`;
    return { session: row, link: undefined, tokenId: access?.id ?? null };
  },
  async apply(tx, facts) {
    if (facts.link)
      await tx.sql`UPDATE "one_time_code" SET "used_at" = clock_timestamp() WHERE "id" = ${facts.link.id}`;
    if (facts.session) await endSessionRow(tx, facts.session.id);
    return makeSession(tx, { kind: 'operator', tokenId: facts.tokenId ?? '' });
  },
});
