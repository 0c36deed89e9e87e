import pg from 'pg';
import type { PrismaClient } from '../../generated/prisma/client.ts';
import type { Log } from './embedded-postgres.ts';
import { withSessionOptions } from './roles.ts';

export interface Database {
  /** For everything hot. `int8` columns arrive as numbers, `date` as text, times as Date. */
  pool: pg.Pool;
  /**
   * The model client, on the same connections. Loaded at the first call, because it costs about 100 MB that a server
   * which never asks for it should not pay.
   */
  prisma(): Promise<PrismaClient>;
  close(): Promise<void>;
}

/** After so many different texts Prisma's statements go unprepared: each prepared one stays in both processes' memory. */
const preparedLimit = 400;

/**
 * Opens the pool of connections to the database. No connection is made before the first query.
 * @param options `url` is the server role's address; `max` the most connections at once; `statementTimeoutMs` ends a
 *   statement that runs longer, and a transaction that lies idle longer.
 */
export async function connect(options: {
  url: string;
  max: number;
  statementTimeoutMs: number;
  log: Log;
}): Promise<Database> {
  const limit = String(options.statementTimeoutMs);
  const pool = new pg.Pool({
    connectionString: withSessionOptions(options.url, {
      // Prisma's adapter stores a shifted time in any other zone and shows it as if it were right.
      TimeZone: 'UTC',
      statement_timeout: limit,
      idle_in_transaction_session_timeout: limit,
    }),
    max: options.max,
    connectionTimeoutMillis: 10_000,
    idleTimeoutMillis: 30_000,
    keepAlive: true,
    application_name: 'airtime',
    types: { getTypeParser: parserOf },
  });
  // An idle connection that breaks is replaced at the next query; unheard, its error would end the process.
  pool.on('error', (error) => options.log(`A connection to the database broke: ${error.message}`));

  let loading: Promise<PrismaClient> | undefined;
  return {
    pool,
    prisma: () => {
      loading ??= loadPrisma(pool);
      return loading;
    },
    close: async () => {
      if (loading) await (await loading).$disconnect();
      await pool.end();
    },
  };
}

async function loadPrisma(pool: pg.Pool): Promise<PrismaClient> {
  const [{ PrismaPg }, client] = await Promise.all([
    import('@prisma/adapter-pg'),
    import('../../generated/prisma/client.ts'),
  ]);
  const names = new Map<string, string>();
  const statementNameGenerator = ({ sql }: { sql: string }): string => {
    const known = names.get(sql);
    if (known !== undefined) return known;
    // An empty name means: plan it for this once.
    if (names.size >= preparedLimit) return '';
    const name = `prisma${names.size}`;
    names.set(sql, name);
    return name;
  };
  return new client.PrismaClient({ adapter: new PrismaPg(pool, { statementNameGenerator }) });
}

/** Numbers of PostgreSQL's types, from its catalog pg_type. */
const oid = { int8: 20, date: 1082, timestamp: 1114 };

/**
 * How text from PostgreSQL becomes a value, where the driver's own habit is wrong for us. Prisma has its own parsers.
 * @throws RangeError for an int8 beyond 2^53: better no answer than a rounded amount.
 */
function parserOf(type: number, format?: 'text' | 'binary'): (text: string) => unknown {
  if (format !== 'binary') {
    if (type === oid.int8) return exactNumber;
    // A date has no zone. The driver would read it as midnight in the zone of this machine.
    if (type === oid.date) return (text) => text;
    // The same for a time without zone, which is UTC everywhere in this house.
    if (type === oid.timestamp) return (text) => new Date(`${text.replace(' ', 'T')}Z`);
  }
  return pg.types.getTypeParser(type, 'text');
}

export function exactNumber(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new RangeError(`${text} is too large to be read exactly.`);
  return value;
}
