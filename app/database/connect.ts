import pg from 'pg';
import type { Log } from './embedded-postgres.ts';
import { withSessionOptions } from './roles.ts';

/** So much longer than the database itself allows: by then it has fallen silent. */
const silentMs = 5000;

/**
 * How long a connection without work is kept. A new one compiles its functions and plans its statements anew, and who comes
 * in the first second of a wave waits for that (record 0032). Each that is kept costs memory, so none is kept for ever.
 */
const idleMs = 300_000;

/** After so long without a word TCP asks for the other end: no firewall forgets the connection, and one that is dead is found. */
const probeMs = 30_000;

export interface Database {
  /** For everything hot. `int8` columns arrive as numbers, `date` as text, times as Date. */
  pool: pg.Pool;
  close(): Promise<void>;
}

/**
 * Opens the pool of connections to the database. No connection is made before the first query.
 * @param options `url` is the server role's address; `max` the most connections at once; `statementTimeoutMs` ends a
 *   statement that runs longer, and a transaction that lies idle longer. A database that says nothing at all for some
 *   seconds more, because the network between is cut, is given up: TCP alone would wait for a quarter of an hour.
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
      // In any other zone a time could be stored shifted and read back looking right.
      TimeZone: 'UTC',
      statement_timeout: limit,
      idle_in_transaction_session_timeout: limit,
      // Statements here take milliseconds; to compile one takes longer, and PostgreSQL does so where it guesses too high.
      jit: 'off',
    }),
    query_timeout: options.statementTimeoutMs + silentMs,
    // What is asked before the answer to the last is there goes out at once, and PostgreSQL answers in the same order. Who
    // awaits each answer notices nothing; `BEGIN` and `COMMIT` need not be waited for by themselves.
    pipeline: true,
    max: options.max,
    connectionTimeoutMillis: 10_000,
    idleTimeoutMillis: idleMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: probeMs,
    application_name: 'airtime',
    types: { getTypeParser: parserOf },
  });
  // An idle connection that breaks is replaced at the next query; unheard, its error would end the process.
  pool.on('error', (error) => options.log(`A connection to the database broke: ${error.message}`));

  // One that breaks in somebody's hands fails what they ask; the pool does not listen to those, nor need we.
  pool.on('connect', (client) => client.on('error', () => undefined));

  return { pool, close: () => pool.end() };
}

/** Numbers of PostgreSQL's types, from its catalog pg_type. */
const oid = { int8: 20, date: 1082, timestamp: 1114 };

/**
 * How text from PostgreSQL becomes a value, where the driver's own habit is wrong for us.
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
