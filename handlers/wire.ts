import type { Pool } from 'pg';
import type { Operation } from '../generated/operations.ts';
import type { Caller } from '../kernel/caller.ts';
import type { Policy } from '../policy/core/command.ts';
import type { Tx } from '../policy/core/transaction.ts';

/** What a handler may use. */
export interface Wire {
  readonly policy: Policy;
  /** For reads. */
  readonly pool: Pool;
  /** Where this installation is reached, without a trailing slash. Links are made from it, never from a Host header. */
  readonly publicUrl: string;
  /** Work was written: a worker near by may look at once instead of at its next tick. */
  wake(): void;
}

/** One request that passed the contract: matched, authenticated, its parameters and body validated. */
export interface WireRequest {
  readonly operation: Operation;
  readonly id: string | undefined;
  /** The raw query string, without the question mark. */
  readonly search: string;
  readonly body: unknown;
  /** `application/json`, `application/merge-patch+json` or `application/json-patch+json`. */
  readonly mediaType: string;
  readonly ifMatch: string | undefined;
  readonly caller: Caller;
  /**
   * Given when the caller sent an Idempotency-Key. A write calls it as the last act of its transaction, so that effect
   * and answer are stored together; it throws when another request with the key was first.
   */
  readonly keepAnswer?: (tx: Tx, answer: WireResponse) => Promise<void>;
}

/**
 * What goes back. Links of ours inside `body` are written `airtime:/tmf-api/…`; the surface turns them into absolute
 * ones. `version` becomes the ETag, `location` the Location header.
 */
export interface WireResponse {
  readonly status: number;
  readonly body?: unknown;
  readonly version?: bigint | number;
  readonly location?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** The answer holds only some attributes: it is validated against the partial twin. */
  readonly partial?: boolean;
}

export type Handler = (wire: Wire, request: WireRequest) => Promise<WireResponse>;

/** The handlers of one API by operationId. */
export type ApiHandlers = Readonly<Record<string, Handler>>;
