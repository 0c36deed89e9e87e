import { z } from 'zod';
import { type Caller, systemCaller } from '../../kernel/caller.ts';
import { AirtimeError } from '../../kernel/error.ts';
import { command, execute, type Policy } from '../core/command.ts';
import { appendEvent } from '../core/event.ts';
import { insertRow, type Tables } from '../core/table.ts';
import { runStatement, type Tx } from '../core/transaction.ts';
import { isSecret, newSecret, secretHash } from './secret.ts';

export const sessionKinds = ['visitor', 'customer', 'operator'] as const;
export type SessionKind = (typeof sessionKinds)[number];

/** In minutes of machine time: how long a session lasts when nobody comes, and however often somebody does. */
const lives: Readonly<Record<SessionKind, { idle: number; whole: number }>> = {
  visitor: { idle: 120, whole: 24 * 60 },
  customer: { idle: 30, whole: 12 * 60 },
  operator: { idle: 60, whole: 12 * 60 },
};

/** The pages themselves, where nobody has signed in. It is the house: nothing it calls is a tool. */
export const portalCaller = (requestId?: string): Caller => ({
  audience: 'system',
  id: 'portal',
  name: 'The pages',
  surface: 'portal',
  scopes: [],
  ...(requestId === undefined ? {} : { requestId }),
});

/** A session as the pages see it. */
export interface PortalSession {
  id: string;
  kind: SessionKind;
  /** The customer's name, or that of the operator's token. */
  name: string | null;
  customerId: string | null;
  /** By whom tools are called; nobody for a visitor. */
  caller: Caller | null;
  endsAt: string;
}

/** A session that was just made: its secret goes into the cookie, and is nowhere else. */
export interface Entered {
  secret: string;
  maxAgeSeconds: number;
  session: PortalSession;
}

/** Whose it is: one of ours, or a token of an operator. */
export type Whose =
  | { kind: 'visitor' }
  | { kind: 'customer'; customerId: string }
  | { kind: 'operator'; tokenId: string };

/** Makes a session, in the transaction of what let somebody in; its secret is new, whatever came with the request. */
export async function makeSession(
  tx: Tx,
  whose: Whose,
): Promise<{ id: string; secret: string; maxAgeSeconds: number }> {
  const secret = newSecret();
  const id = tx.newId('ses');
  const { idle, whole } = lives[whose.kind];
  const [times] = await tx.sql<{
    createdAt: Date;
    idleUntil: Date;
    endsAt: Date;
  }>`SELECT clock_timestamp() AS created_at,
    clock_timestamp() + make_interval(mins => ${idle}) AS idle_until, clock_timestamp() + make_interval(mins => ${whole}) AS ends_at`;
  if (!times) throw new Error('the database gave no time');
  const { kind, ...owner } = whose;
  await insertRow(tx, 'portalSession', {
    id,
    hash: secretHash(secret),
    kind,
    ...owner,
    ...times,
    seenAt: times.createdAt,
  });
  if (kind !== 'visitor') {
    await appendEvent(tx, {
      type: 'PortalSessionCreateEvent',
      resourceType: 'portalSession',
      resourceId: id,
      sequence: 1n,
      resource: { id, kind, ...owner },
      ...('customerId' in owner ? { customerId: owner.customerId } : {}),
    });
  }
  return { id, secret, maxAgeSeconds: whole * 60 };
}

export type SessionRow = Tables['portalSession'];

/** The live session of a cookie, locked: of two requests with it at once, the second waits. */
export async function lockSession(tx: Tx, hash: Buffer): Promise<SessionRow | undefined> {
  const [row] = await tx.sql<SessionRow>`SELECT * FROM "portal_session" WHERE "hash" = ${hash} AND "ended_at" IS NULL
    AND "idle_until" > clock_timestamp() AND "ends_at" > clock_timestamp() FOR UPDATE`;
  return row;
}

/** @throws AirtimeError 401 */
export async function theSession(tx: Tx, hash: Buffer, kinds: readonly SessionKind[]): Promise<SessionRow> {
  const row = await lockSession(tx, hash);
  if (!row || !kinds.some((kind) => kind === row.kind)) throw noSession();
  return row;
}

export const noSession = (): AirtimeError =>
  new AirtimeError(401, 'session.needed', 'This session has ended, or it is none for this: sign in again.');

export async function endSessionRow(tx: Tx, id: string): Promise<void> {
  await tx.sql`UPDATE "portal_session" SET "ended_at" = clock_timestamp() WHERE "id" = ${id} AND "ended_at" IS NULL`;
}

/** Whoever signed in as this customer is signed out, but for one session. */
export async function endSessionsOf(tx: Tx, customerId: string, kept?: string): Promise<void> {
  await tx.sql`UPDATE "portal_session" SET "ended_at" = clock_timestamp()
    WHERE "customer_id" = ${customerId} AND "id" IS DISTINCT FROM ${kept ?? null} AND "ended_at" IS NULL`;
}

/** The secret of a session as commands take it. What cannot be one is the digest of nothing that we gave out. */
export const sessionInput = z.string().max(200).transform(secretHash);

export const beginSession = command({
  name: 'session.begin',
  summary: 'Begin a session for a visitor of the pages',
  input: z.object({}),
  audience: ['system'],
  effect: 'write',
  rules: [],
  facts: async () => ({}),
  apply: (tx) => makeSession(tx, { kind: 'visitor' }),
});

/** Somebody came: the session lasts that much longer, up to its end. */
export const touchSession = command({
  name: 'session.touch',
  summary: 'Prolong a session that is used',
  input: z.object({ id: z.string() }),
  audience: ['system'],
  effect: 'write',
  rules: [],
  facts: async () => ({}),
  async apply(tx, _facts, { id }) {
    await tx.sql`SET LOCAL synchronous_commit = off`;
    await tx.sql`UPDATE "portal_session" SET "seen_at" = clock_timestamp(),
        "idle_until" = clock_timestamp() + make_interval(mins => CASE "kind" WHEN 'visitor' THEN ${lives.visitor.idle}::int WHEN 'customer' THEN ${lives.customer.idle}::int ELSE ${lives.operator.idle}::int END)
      WHERE "id" = ${id} AND "ended_at" IS NULL AND "idle_until" > clock_timestamp()`;
    return {};
  },
});

export const endSession = command({
  name: 'session.end',
  summary: 'Sign out',
  input: z.object({ session: sessionInput }),
  audience: ['system'],
  effect: 'write',
  rules: [],
  facts: (tx, { session }) => lockSession(tx, session).then((row) => ({ row })),
  async apply(tx, { row }) {
    if (row) await endSessionRow(tx, row.id);
    return {};
  },
});

/** How old the last sign of somebody may be before it is written down again. */
const seenSeconds = 60;

interface Found {
  id: string;
  kind: SessionKind;
  name: string | null;
  customerId: string | null;
  tokenId: string | null;
  scopes: string[] | null;
  endsAt: Date;
  isOld: boolean;
}

// A session ends with what it stands on: a customer who was closed, a token that was revoked.
const find = `SELECT s."id", s."kind", coalesce(c."name", t."name") AS name, s."customer_id", s."token_id", t."scopes", s."ends_at",
    s."seen_at" < clock_timestamp() - make_interval(secs => ${seenSeconds}) AS is_old
  FROM "portal_session" s LEFT JOIN "customer" c ON c."id" = s."customer_id" LEFT JOIN "access_token" t ON t."id" = s."token_id"
  WHERE s."hash" = $1 AND s."ended_at" IS NULL AND s."idle_until" > clock_timestamp() AND s."ends_at" > clock_timestamp()
    AND (s."kind" <> 'customer' OR c."state" <> 'closed')
    AND (s."kind" <> 'operator' OR (t."audience" = 'operator' AND t."revoked_at" IS NULL AND (t."expires_at" IS NULL OR t."expires_at" > clock_timestamp())))`;

/** The live session of a cookie's secret, and by whom it calls. */
export async function findSession(policy: Policy, secret: string): Promise<PortalSession | undefined> {
  if (!isSecret(secret)) return undefined;
  const [row] = await runStatement<Found>(policy.pool, find, [secretHash(secret)]);
  if (!row) return undefined;
  if (row.isOld) await execute(policy, touchSession, { id: row.id }, systemCaller('portal'));
  return {
    id: row.id,
    kind: row.kind,
    name: row.name,
    customerId: row.customerId,
    caller: callerOf(row),
    endsAt: row.endsAt.toISOString(),
  };
}

function callerOf({ id, kind, name, customerId, tokenId, scopes }: Found): Caller | null {
  if (kind === 'customer' && customerId !== null) {
    return {
      audience: 'customer',
      id,
      name: name ?? 'A customer',
      surface: 'portal',
      scopes: ['tools:*'],
      customerId,
    };
  }
  if (kind === 'operator' && tokenId !== null) {
    return { audience: 'operator', id: tokenId, name: name ?? 'An operator', surface: 'portal', scopes: scopes ?? [] };
  }
  return null;
}
