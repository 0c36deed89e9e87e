import type { Keep } from '../../handlers/idempotency.ts';
import type { Caller } from '../../kernel/caller.ts';

/** What a caller may know of a tool. The registry gives more than this door needs; all of it is passed on. */
export interface ToolDescriptor {
  readonly name: string;
  readonly summary: string;
}

/** Stores a tool's result inside the transaction that has its effect. */
export type KeepResult = (tx: Parameters<Keep>[0], result: unknown) => Promise<void>;

/** The tools as this door sees them; the registry in `tools/` is one. */
export interface ToolDoor {
  /** Those of this caller and no others. */
  list(caller: Caller): readonly ToolDescriptor[];
  /**
   * Checks the input, runs the tool and answers plain JSON.
   * @param keep given when the caller sent an Idempotency-Key; a tool that writes calls it before its commit.
   * @throws AirtimeError 404 alike for a tool that does not exist and for one that is not the caller's
   */
  run(name: string, input: unknown, caller: Caller, keep?: KeepResult): Promise<unknown>;
  /** Whether a tool moves money or destroys, and is therefore proposed and confirmed instead of run. */
  needsConfirmation(name: string, caller: Caller): boolean;
  /** What such a tool would do. Nothing is kept. */
  preview(name: string, input: unknown, caller: Caller): Promise<unknown>;
  /** `{ proposal, confirmation }`: what it would do, and the token that says yes. */
  propose(name: string, input: unknown, caller: Caller): Promise<unknown>;
  /** Does what was proposed. The same token again gets the first answer. */
  confirm(name: string, input: unknown, caller: Caller, token: string): Promise<{ result: unknown; replayed: boolean }>;
}
