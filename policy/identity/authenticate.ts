import type { Pool } from 'pg';
import { audiences, type Caller } from '../../kernel/caller.ts';
import type { MachineClock } from '../../kernel/clock.ts';
import { runStatement } from '../core/transaction.ts';
import { tokenHash, tokenPrefix } from './access-token.ts';

interface TokenRow {
  id: string;
  name: string;
  audience: string;
  scopes: string[];
  customerId: string | null;
  /** Milliseconds that the token has left by the database's clock; null when it has no end. */
  leftMs: number | null;
}

const find = `SELECT id, name, audience, scopes, customer_id,
    (extract(epoch FROM expires_at - clock_timestamp()) * 1000)::float8 AS left_ms
  FROM access_token WHERE hash = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > clock_timestamp())`;

const audienceOf = (text: string) => audiences.find((one) => one === text);

/**
 * Makes the check of bearer tokens. An answer is kept for `cacheMs` of machine time, so a revoked token may be
 * accepted that much longer; the surface of the caller is set by the door that asked.
 * @returns a function that answers the caller of a token, or undefined for one that is unknown, revoked or expired.
 */
export function authenticator(options: {
  pool: Pool;
  clock: Pick<MachineClock, 'now'>;
  cacheMs?: number;
  entriesMax?: number;
}): (token: string) => Promise<Caller | undefined> {
  const { pool, clock, cacheMs = 2000, entriesMax = 2000 } = options;
  const known = new Map<string, { until: number; caller: Promise<Caller | undefined> }>();

  const look = async (hash: Buffer): Promise<Caller | undefined> => {
    const [row] = await runStatement<TokenRow>(pool, find, [hash]);
    const audience = row && audienceOf(row.audience);
    if (!row || !audience || audience === 'system') return undefined;
    if (row.leftMs !== null && row.leftMs < cacheMs) known.delete(hash.toString('base64'));
    return {
      audience,
      id: row.id,
      name: row.name,
      surface: 'tmf',
      scopes: row.scopes,
      ...(row.customerId === null ? {} : { customerId: row.customerId }),
    };
  };

  return async (token) => {
    // Not worth a question: no token of ours looks like this.
    if (!token.startsWith(tokenPrefix) || token.length > 200) return undefined;
    const hash = tokenHash(token);
    const key = hash.toString('base64');
    const now = clock.now().getTime();
    const found = known.get(key);
    if (found && found.until > now) return found.caller;
    if (known.size >= entriesMax) known.clear();
    const caller = look(hash);
    known.set(key, { until: now + cacheMs, caller });
    // A database that does not answer must not be remembered as an answer.
    caller.catch(() => known.delete(key));
    return caller;
  };
}
