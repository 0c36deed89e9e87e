import { createHash, randomBytes } from 'node:crypto';
import { z } from 'zod';
import { notFound } from '../../kernel/error.ts';
import { command } from '../core/command.ts';
import { appendEvent } from '../core/event.ts';
import { rule } from '../core/rule.ts';
import { findRow, getRow, insertRow } from '../core/table.ts';

/** What is stored and looked up instead of a token. A token has 256 random bits, so a plain digest hides it. */
export function tokenHash(token: string): Buffer {
  return createHash('sha256').update(token, 'utf8').digest();
}

/** How every token begins, so that one that leaks is recognised in a log or a repository. */
export const tokenPrefix = 'air_';

const scope = z
  .string()
  .regex(/^(\*|[a-z]+:(\*|[A-Za-z0-9_.]+))$/, 'a scope is `*`, `tmf:*`, `tmf:TMF620`, `tools:*` or `tools:name`');

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
  code: 'access_token.customer_named',
  sentence: 'A token for a customer names the customer, and no other token does.',
  kept: (facts) => (facts.audience === 'customer') === (facts.customerId !== undefined),
  shown: (facts) => ({ audience: facts.audience }),
});

export const customerKnown = rule<TokenFacts>({
  code: 'access_token.customer_known',
  sentence: 'There is no such customer to give a token to.',
  kept: (facts) => facts.customerId === undefined || facts.isCustomerKnown,
  shown: (facts) => ({ customerId: facts.customerId }),
});

/** Makes a token. Its text is in the answer and nowhere else: only its SHA-256 is stored. */
export const createAccessToken = command({
  name: 'access_token.create',
  summary: 'Give a program or person a token to call with; it is shown once',
  input,
  audience: ['operator'],
  effect: 'write',
  rules: [customerNamed, customerKnown],
  positional: ['name'],
  examples: ['bss access-token create "CRM" --audience integrator --scopes tmf:TMF629,tmf:TMF622'],
  async facts(tx, given): Promise<TokenFacts> {
    const customer =
      given.customerId === undefined ? undefined : await findRow(tx, 'customer', { id: given.customerId });
    return { audience: given.audience, customerId: given.customerId, isCustomerKnown: customer !== undefined };
  },
  async apply(tx, _facts, given) {
    // A secret comes from the system, never from the source of ids, which a simulation can replay.
    const token = `${tokenPrefix}${randomBytes(32).toString('base64url')}`;
    const id = tx.newId('tok');
    // Tokens live in machine time: moving the business clock must not end a session.
    const [times] = await tx.sql<{ createdAt: Date; expiresAt: Date | null }>`
      SELECT clock_timestamp() AS created_at, clock_timestamp() + ${given.expiresInSeconds ?? null}::int * interval '1 second' AS expires_at`;
    if (!times) throw new Error('the database gave no time');
    const { name, audience, scopes, customerId } = given;
    await insertRow(tx, 'accessToken', { id, hash: tokenHash(token), name, audience, scopes, customerId, ...times });
    const expiresAt = times.expiresAt?.toISOString() ?? null;
    await appendEvent(tx, {
      type: 'AccessTokenCreateEvent',
      resourceType: 'accessToken',
      resourceId: id,
      sequence: 1n,
      resource: { id, name, audience, scopes: [...scopes], customerId, expiresAt },
      customerId,
    });
    return { id, token, expiresAt };
  },
});

/** Ends a token now. Ending one that has ended changes nothing. */
export const revokeAccessToken = command({
  name: 'access_token.revoke',
  summary: 'End a token; other copies of the server follow within seconds',
  input: z.object({ id: z.string() }),
  audience: ['operator'],
  effect: 'destructive',
  rules: [],
  positional: ['id'],
  examples: ['bss access-token revoke tok_01k9'],
  async facts(tx, given) {
    const row = await findRow(tx, 'accessToken', { id: given.id }, true);
    if (!row) throw notFound('accessToken', given.id);
    return row;
  },
  async apply(tx, facts) {
    if (facts.revokedAt === null) {
      await tx.sql`UPDATE access_token SET revoked_at = clock_timestamp() WHERE id = ${facts.id}`;
      await appendEvent(tx, {
        type: 'AccessTokenRevokeEvent',
        resourceType: 'accessToken',
        resourceId: facts.id,
        sequence: 2n,
        resource: { id: facts.id, name: facts.name, audience: facts.audience, scopes: [...facts.scopes] },
        customerId: facts.customerId,
      });
    }
    const { revokedAt } = await getRow(tx, 'accessToken', { id: facts.id });
    return { id: facts.id, revokedAt: revokedAt?.toISOString() ?? null };
  },
});
