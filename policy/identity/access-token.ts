import { createHash, randomBytes } from 'node:crypto';
import { z } from 'zod';
import { notFound } from '../../kernel/error.ts';
import { command } from '../core/command.ts';
import { appendEvent } from '../core/event.ts';
import { rule } from '../core/rule.ts';
import { findRow, getRow, insertRow, type Tables } from '../core/table.ts';
import type { Tx } from '../core/transaction.ts';

/** What is stored and looked up instead of a token. A token has 256 random bits, so a plain digest hides it. */
export function tokenHash(token: string): Buffer {
  return createHash('sha256').update(token, 'utf8').digest();
}

/** How every token begins, so that one that leaks is recognised in a log or a repository. */
export const tokenPrefix = 'air_';

const scope = z
  .string()
  .regex(
    /^(\*|tmf:(\*|TMF\d{3})(:read)?|tools:(\*|[a-z_]+(\.[a-z_]+)+)|metrics:(\*|read))$/,
    'a scope is `*`, `tmf:*`, `tmf:TMF620`, `tmf:TMF620:read`, `tools:*`, `tools:noun.verb` or `metrics:read`',
  );

const input = z.object({
  name: z.string().min(1).max(200).describe('Who or what holds the token.'),
  audience: z.enum(['operator', 'customer', 'integrator']),
  scopes: z.array(scope).min(1).max(50),
  customerId: z.string().optional().describe('Whose session it is. Only for the audience `customer`.'),
  expiresInSeconds: z
    .int()
    .min(1)
    .max(10 * 366 * 86_400)
    .optional()
    .describe('Seconds of machine time until it ends. Without it, it lasts until it is revoked.'),
});

interface TokenFacts {
  audience: string;
  customerId: string | undefined;
  isCustomerKnown: boolean;
}

export const customerNamed = rule<TokenFacts>({
  code: 'token.customer_named',
  sentence: 'A token for a customer names the customer, and no other token does.',
  kept: (facts) => (facts.audience === 'customer') === (facts.customerId !== undefined),
  shown: (facts) => ({ audience: facts.audience }),
});

export const customerKnown = rule<TokenFacts>({
  code: 'token.customer_known',
  sentence: 'There is no such customer to give a token to.',
  kept: (facts) => facts.customerId === undefined || facts.isCustomerKnown,
  shown: (facts) => ({ customerId: facts.customerId }),
});

const madeToken = {
  id: z.string(),
  token: z.string().describe('Shown this once'),
  expiresAt: z.string().nullable(),
};

/** Makes a token. Its text is in the answer and nowhere else: only its SHA-256 is stored. */
export const createAccessToken = command({
  name: 'token.create',
  summary: 'Give a program or person a token to call with; it is shown once',
  input,
  output: z.object(madeToken),
  audience: ['operator'],
  effect: 'write',
  rules: [customerNamed, customerKnown],
  positional: ['name'],
  examples: ['bss token create "CRM" --audience integrator --scopes tmf:TMF629,tmf:TMF622'],
  async facts(tx, given): Promise<TokenFacts> {
    const customer =
      given.customerId === undefined ? undefined : await findRow(tx, 'customer', { id: given.customerId });
    return { audience: given.audience, customerId: given.customerId, isCustomerKnown: customer !== undefined };
  },
  async apply(tx, _facts, given) {
    return makeToken(tx, given, given.expiresInSeconds ?? null);
  },
});

interface Holder {
  name: string;
  audience: string;
  scopes: string[];
  customerId?: string | null | undefined;
}

async function makeToken(tx: Tx, holder: Holder, expiresInSeconds: number | null) {
  // A secret comes from the system, never from the source of ids, which a simulation can replay.
  const token = `${tokenPrefix}${randomBytes(32).toString('base64url')}`;
  const id = tx.newId('tok');
  // Tokens live in machine time: moving the business clock must not end a session.
  const [times] = await tx.sql<{ createdAt: Date; expiresAt: Date | null }>`
    SELECT clock_timestamp() AS created_at, clock_timestamp() + ${expiresInSeconds}::int * interval '1 second' AS expires_at`;
  if (!times) throw new Error('the database gave no time');
  const { name, audience, scopes, customerId } = holder;
  await insertRow(tx, 'accessToken', { id, hash: tokenHash(token), name, audience, scopes, customerId, ...times });
  const expiresAt = times.expiresAt?.toISOString() ?? null;
  await appendEvent(tx, {
    type: 'AccessTokenCreateEvent',
    resourceType: 'accessToken',
    resourceId: id,
    sequence: 1n,
    resource: { id, name, audience, scopes: [...scopes], customerId: customerId ?? undefined, expiresAt },
    customerId,
  });
  return { id, token, expiresAt };
}

interface RotationFacts {
  token: Tables['accessToken'];
  isLive: boolean;
  /** Seconds it was made to last; null when it had no end. */
  lifeSeconds: number | null;
}

export const tokenIsLive = rule<RotationFacts>({
  code: 'token.is_live',
  sentence: 'This token has ended: make a new one instead of rotating it.',
  status: 409,
  kept: (facts) => facts.isLive,
  shown: (facts) => ({ token: facts.token.id }),
});

export const rotatedOnce = rule<RotationFacts>({
  code: 'token.rotated_once',
  sentence: 'This token was rotated before: rotate the one that took its place.',
  status: 409,
  kept: (facts) => facts.token.replacedBy === null,
  shown: (facts) => ({ token: facts.token.id, replacedBy: facts.token.replacedBy }),
});

const overlapSecondsDefault = 86_400;

/** A new token beside the old one, which lasts until the overlap is over: its holder changes without an interruption. */
export const rotateAccessToken = command({
  name: 'token.rotate',
  summary: 'Make the token that follows another; both work for a while',
  input: z.object({
    id: z.string(),
    overlapSeconds: z
      .int()
      .min(0)
      .max(30 * 86_400)
      .default(overlapSecondsDefault)
      .describe('Seconds of machine time that the old one still works'),
  }),
  output: z.object({
    ...madeToken,
    replaces: z.string(),
    oldExpiresAt: z.string().nullable().describe('When the old one ends'),
  }),
  audience: ['operator'],
  effect: 'write',
  rules: [tokenIsLive, rotatedOnce],
  positional: ['id'],
  examples: ['bss token rotate tok_01k9 --overlap-seconds 3600'],
  async facts(tx, given): Promise<RotationFacts> {
    const token = await findRow(tx, 'accessToken', { id: given.id }, true);
    if (!token) throw notFound('accessToken', given.id);
    const [judged] = await tx.sql<{ isLive: boolean }>`SELECT "revoked_at" IS NULL AND
      ("expires_at" IS NULL OR "expires_at" > clock_timestamp()) AS is_live FROM "access_token" WHERE "id" = ${given.id}`;
    const { createdAt, expiresAt } = token;
    return {
      token,
      isLive: judged?.isLive === true,
      lifeSeconds: expiresAt === null ? null : Math.ceil((expiresAt.getTime() - createdAt.getTime()) / 1000),
    };
  },
  async apply(tx, { token: old, lifeSeconds }, given) {
    const made = await makeToken(tx, old, lifeSeconds);
    await tx.sql`UPDATE "access_token" SET "replaced_by" = ${made.id},
      "expires_at" = least("expires_at", clock_timestamp() + make_interval(secs => ${given.overlapSeconds})) WHERE "id" = ${old.id}`;
    const { expiresAt } = await getRow(tx, 'accessToken', { id: old.id });
    const oldExpiresAt = expiresAt?.toISOString() ?? null;
    await appendEvent(tx, {
      type: 'AccessTokenAttributeValueChangeEvent',
      resourceType: 'accessToken',
      resourceId: old.id,
      sequence: 2n,
      resource: { id: old.id, name: old.name, replacedBy: made.id, expiresAt: oldExpiresAt },
      customerId: old.customerId,
    });
    return { ...made, replaces: old.id, oldExpiresAt };
  },
});

/** Ends a token now. Ending one that has ended changes nothing. */
export const revokeAccessToken = command({
  name: 'token.revoke',
  summary: 'End a token; other copies of the server follow within seconds',
  input: z.object({ id: z.string() }),
  output: z.object({ id: z.string(), revokedAt: z.string().nullable() }),
  audience: ['operator'],
  effect: 'destructive',
  rules: [],
  positional: ['id'],
  examples: ['bss token revoke tok_01k9'],
  async facts(tx, given) {
    const row = await findRow(tx, 'accessToken', { id: given.id }, true);
    if (!row) throw notFound('accessToken', given.id);
    return row;
  },
  preview: (facts) => ({
    what: `End the token ${facts.id} of ${facts.name}: whoever calls with it is refused within seconds.`,
    ...(facts.customerId === null ? {} : { customer: { id: facts.customerId, name: null } }),
    details: [`Audience: ${facts.audience}. Scopes: ${facts.scopes.join(', ')}.`],
  }),
  async apply(tx, facts) {
    if (facts.revokedAt === null) {
      await tx.sql`UPDATE access_token SET revoked_at = clock_timestamp() WHERE id = ${facts.id}`;
      await appendEvent(tx, {
        type: 'AccessTokenRevokeEvent',
        resourceType: 'accessToken',
        resourceId: facts.id,
        sequence: facts.replacedBy === null ? 2n : 3n,
        resource: { id: facts.id, name: facts.name, audience: facts.audience, scopes: [...facts.scopes] },
        customerId: facts.customerId,
      });
    }
    const { revokedAt } = await getRow(tx, 'accessToken', { id: facts.id });
    return { id: facts.id, revokedAt: revokedAt?.toISOString() ?? null };
  },
});
