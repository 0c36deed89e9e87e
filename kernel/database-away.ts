import { AirtimeError } from './error.ts';

/**
 * What a database says, or its driver by itself, when there is nobody to ask. SQLSTATE class 08: connection lost; 57P0x:
 * shutting down or starting up; 25006: it takes reads only, because another is the primary now.
 */
const lostCodes =
  /^(08...|57P0.|25006|ECONNREFUSED|ECONNRESET|ECONNABORTED|EPIPE|ETIMEDOUT|EHOSTUNREACH|EHOSTDOWN|ENETUNREACH|ENOTFOUND|EAI_AGAIN)$/;
/** The driver gives these no code. */
const lostMessages =
  /^(Connection terminated|Query read timeout|Client has encountered a connection error|Client was closed and is not queryable)/;

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';

/** The connection is of no more use. What was under way in it is undone, unless its COMMIT was. */
export function isConnectionLost(error: unknown): boolean {
  return error instanceof Error && (lostCodes.test(codeOf(error)) || lostMessages.test(error.message));
}

/** The same, or no answer in time: 57014, a statement ran into its limit; 53300 or the pool, no connection was free. */
export function isDatabaseAway(error: unknown): boolean {
  return (
    isConnectionLost(error) ||
    /^(57014|53300)$/.test(codeOf(error)) ||
    (error instanceof Error && error.message.startsWith('timeout exceeded when trying to connect'))
  );
}

/**
 * What a caller is told when there is no database to ask, by every door; anything else stays what it is.
 * @param then what is known of what was asked, and what to do.
 */
export function explainAway(error: unknown, then = 'Nothing was changed; try again.'): unknown {
  if (!isDatabaseAway(error)) return error;
  return new AirtimeError(503, 'unavailable', `The database did not answer in time. ${then}`);
}
