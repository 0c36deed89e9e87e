import { z } from 'zod';
import { query, readOne } from './query.ts';
import { arraySql, instant, page, readAt, readAtSql } from './shapes.ts';

export const tokenList = z.object({
  ...readAt,
  items: z.array(
    z.object({
      id: z.string(),
      name: z.string(),
      audience: z.string(),
      state: z.enum(['live', 'expired', 'revoked']),
      scopes: z.array(z.string()),
      customerId: z.string().nullable(),
      createdAt: instant,
      expiresAt: instant.nullable(),
      replacedBy: z.string().nullable().describe('The token that it was rotated to'),
    }),
  ),
});
export type TokenList = z.infer<typeof tokenList>;

const state = `CASE WHEN "revoked_at" IS NOT NULL THEN 'revoked' WHEN "expires_at" <= clock_timestamp() THEN 'expired' ELSE 'live' END`;

/** Who may call. The tokens themselves are not here, nor anywhere: only their digests are stored. */
export const listTokens = query({
  name: 'token.list',
  summary: 'List who may call, with which scopes, until when',
  audience: ['operator'],
  input: z.strictObject({
    all: z.boolean().default(false).describe('Also those that have ended'),
    audience: z.enum(['operator', 'customer', 'integrator']).optional().describe('Tokens of this audience'),
    limit: page.limit,
  }),
  output: tokenList,
  examples: ['bss token list', 'bss token list --all --audience integrator'],
  run: (database, input) =>
    readOne(
      database,
      tokenList,
      'accessToken',
      'tokens',
      `SELECT json_build_object(${readAtSql}, 'items', ${arraySql(`SELECT json_build_object('id', "id", 'name', "name", 'audience', "audience",
          'state', ${state}, 'scopes', to_json("scopes"), 'customerId', "customer_id", 'createdAt', wire_time("created_at"),
          'expiresAt', wire_time("expires_at"), 'replacedBy', "replaced_by") AS item
        FROM "access_token" WHERE ($2 OR ${state} = 'live') AND ($3::text IS NULL OR "audience" = $3) ORDER BY "id" DESC LIMIT $1`)}) AS view`,
      [input.limit, input.all, input.audience ?? null],
    ),
});
