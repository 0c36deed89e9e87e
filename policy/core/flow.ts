import type { Caller } from '../../kernel/caller.ts';
import type { JsonObject } from '../../kernel/json.ts';
import { type Outside, type Policy, transaction } from './command.ts';
import { runStatement, type Tx } from './transaction.ts';

/** Work that happens without a caller: a row, due in business time, leased and retried in machine time. */
export interface ScheduledStep {
  flow: string;
  /** The id of what the work is about. */
  subject: string;
  step: string;
  /** Names the work once: scheduling the same key again does nothing, unless it was cancelled meanwhile. */
  key: string;
  dueAt?: Date;
  input?: JsonObject;
  /** Who began it, when that is not the caller of this transaction. */
  caller?: Caller;
}

export async function schedule(tx: Tx, work: ScheduledStep): Promise<void> {
  await tx.sql`INSERT INTO "flow_step" ("id", "key", "flow", "subject", "step", "state", "due_at", "not_before", "caller", "input", "created_at")
    VALUES (${tx.newId('stp')}, ${work.key}, ${work.flow}, ${work.subject}, ${work.step}, 'waiting', ${work.dueAt ?? tx.now}, clock_timestamp(),
      ${JSON.stringify(work.caller ?? tx.caller)}::jsonb, ${JSON.stringify(work.input ?? {})}::jsonb, clock_timestamp())
    ON CONFLICT ("key") DO UPDATE SET "state" = 'waiting', "due_at" = excluded."due_at", "finished_at" = NULL, "caller" = excluded."caller",
      "input" = excluded."input" WHERE "flow_step"."state" = 'cancelled'`;
}

/**
 * Work that is no longer wanted, by the names of its steps: a renewal of a line that ended. Work that has begun is left to see for itself: the
 * outside may have been asked already, and what it did must be written down.
 */
export async function cancelSteps(tx: Tx, subject: string, names: readonly `${string}.${string}`[]): Promise<void> {
  await tx.sql`UPDATE "flow_step" SET "state" = 'cancelled', "finished_at" = clock_timestamp()
    WHERE "subject" = ${subject} AND "state" = 'waiting' AND "attempts" = 0 AND "flow" || '.' || "step" = ANY (${[...names]}::text[])`;
}

export interface ClaimedStep {
  id: string;
  key: string;
  flow: string;
  subject: string;
  step: string;
  attempts: number;
  /** Who holds the lease: one claim of one worker. */
  leasedBy: string;
  dueAt: Date;
  caller: Caller;
  input: JsonObject;
}

export interface StepContext {
  readonly policy: Policy;
  readonly outside: Outside;
  readonly step: ClaimedStep;
  /** A named transaction of this step, carried out for the caller who began the work. The step goes on afterwards.
   * Like the last one it writes nothing once another worker has taken the step over. */
  during<T>(command: string, work: (tx: Tx) => Promise<T>): Promise<T>;
  /** The last transaction of this step: what it writes and the end of the step commit together, or neither does. */
  finish<T>(command: string, work: (tx: Tx) => Promise<T>): Promise<T>;
}

/**
 * A step is safe to run again at any point: it first reads what is already so, asks the outside what became of an
 * attempt, and only then attempts it, under the same key.
 */
export interface StepDefinition {
  readonly flow: string;
  readonly step: string;
  readonly summary: string;
  /** So often it is tried, then it is parked; without it, until it is done. Only for what nothing else waits for. */
  readonly attemptsMax?: number;
  run(context: StepContext): Promise<void>;
}

/** Another worker took the step over: whatever this one was about to write must not be. */
export class LeaseLost extends Error {
  override readonly name = 'LeaseLost';
}

/** The outside said no for now. The step is tried again after a pause; nothing is known to have happened. */
export class TryLater extends Error {
  override readonly name = 'TryLater';
}

export function stepContext(policy: Policy, step: ClaimedStep): StepContext {
  const cause = { step: step.id, [step.flow]: step.subject };
  const lost = () => new LeaseLost(`step ${step.id} is held by another`);
  const held = { id: step.id, worker: step.leasedBy, lost };
  return {
    policy,
    outside: policy.outside,
    step,
    // A worker that slept through its lease must not write over what another has found out since. Whoever claims passes
    // over a row that is locked, so the step stays ours until this is committed.
    during: (command, work) =>
      transaction(policy, command, step.caller, { cause, step: { ...held, ends: false } }, work),
    finish: (command, work) =>
      transaction(policy, command, step.caller, { cause, step: { ...held, ends: true } }, work),
  };
}

/** Which steps a worker takes: those of one flow alone, or of all but one. */
export interface Lane {
  readonly only?: string;
  readonly except?: string;
}

/**
 * Each claim holds its leases under a name of its own. A worker that slept through a lease may claim the step anew, and
 * then the run that slept would pass for the one that goes on: two of them in one step take each other's money for theirs.
 */
export async function claimSteps(
  policy: Policy,
  worker: string,
  limit: number,
  leaseSeconds: number,
  { only, except }: Lane = {},
): Promise<ClaimedStep[]> {
  return runStatement<ClaimedStep>(
    policy.pool,
    'SELECT * FROM claim_steps($1, $2, make_interval(secs => $3), $4, $5) ORDER BY "due_at", "not_before", "id"',
    [`${worker} ${policy.newId('stp')}`, limit, leaseSeconds, only ?? null, except ?? null],
  );
}

export async function extendLease(
  policy: Policy,
  step: Pick<ClaimedStep, 'id' | 'leasedBy'>,
  leaseSeconds: number,
): Promise<void> {
  await runStatement(policy.pool, 'SELECT extend_lease($1, $2, make_interval(secs => $3))', [
    step.id,
    step.leasedBy,
    leaseSeconds,
  ]);
}

const backoffMsMin = 100;
const backoffMsMax = 60_000;

/**
 * Gives a step back after a failure, to be tried again after a pause that doubles up to a minute. After `attemptsMax` tries
 * it is parked instead: nobody tries it again until an operator says so.
 */
export async function putBack(
  policy: Policy,
  step: ClaimedStep,
  error: string,
  attemptsMax = Number.POSITIVE_INFINITY,
): Promise<void> {
  const pauseMs = Math.min(backoffMsMax, backoffMsMin * 2 ** Math.min(step.attempts, 20));
  await transaction(policy, 'flow.put_back', step.caller, {}, async (tx) => {
    await tx.sql`UPDATE "flow_step" SET "state" = ${step.attempts < attemptsMax ? 'waiting' : 'parked'}, "leased_by" = NULL, "leased_until" = NULL, "last_error" = ${error.slice(0, 500)},
      "not_before" = clock_timestamp() + make_interval(secs => ${pauseMs / 1000})
      WHERE "id" = ${step.id} AND "leased_by" = ${step.leasedBy} AND "state" = 'waiting'`;
  });
}
