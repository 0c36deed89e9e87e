import { createHash, randomBytes } from 'node:crypto';
import { z } from 'zod';
import { type Caller, systemCaller } from '../../kernel/caller.ts';
import { Refusal } from '../../kernel/error.ts';
import { hasPrefix } from '../../kernel/id.ts';
import { canonicalJson } from '../../kernel/json.ts';
import { command, execute, type Policy } from './command.ts';
import { type IdempotentCall, type KeptAnswer, keepAnswer, keptAnswer } from './idempotency.ts';
import { firstBroken, rule } from './rule.ts';
import { insertRow } from './table.ts';
import type { Tx } from './transaction.ts';

/**
 * Money and destruction are done in two calls: the first proposes and hands out a token, the second brings it back and
 * acts. The token is bound to the caller, the tool and the exact arguments; it is used up in the transaction of the act,
 * and the act's answer is kept under a key made from it, so that a repeat gets that answer and nothing happens twice.
 */
export const confirmationPrefix = 'cnf_';

/** How long a proposal may wait for its yes, in seconds of machine time. */
export const confirmationSeconds = 300;

/** The same at the pages, where a code is mailed for it first. */
const sessionConfirmationSeconds = 600;

/** One act that a caller has in mind: who, with which tool, on which arguments. */
export interface ProposedAct {
  readonly tool: string;
  readonly arguments: unknown;
  readonly caller: Caller;
}

export interface Confirmation {
  /** Shown once, to a person; only its digest is stored. */
  token: string;
  expiresAt: string;
}

interface StoredConfirmation {
  caller: string;
  tool: string;
  argumentsHash: Buffer;
  usedAt: Date | null;
  secondCodeAt: Date | null;
  isFresh: boolean;
}

interface ConfirmationFacts {
  /** Undefined for a token that was never given out, or was altered. */
  stored: StoredConfirmation | undefined;
  act: ProposedAct;
}

/** The digest of a token, and of the arguments it is bound to. */
export const digest = (text: string): Buffer => createHash('sha256').update(text, 'utf8').digest();
export const argumentsHash = (act: Pick<ProposedAct, 'arguments'>): Buffer =>
  digest(canonicalJson(act.arguments ?? {}));

// A customer's session and an operator's token are never the same caller, whatever their ids are.
export const callerKey = ({ audience, id, customerId }: Pick<Caller, 'audience' | 'id' | 'customerId'>): string =>
  JSON.stringify([audience, id, customerId ?? null]);

/** A customer who signed in at the pages; whoever calls with a token is known by that. */
const isBySession = ({ audience, id }: Caller): boolean => audience === 'customer' && hasPrefix(id, 'ses');

const again = 'Call the tool without a confirmation for a new proposal.';

export const confirmationRequired = rule<{ isConfirmed: boolean }>({
  code: 'confirmation.required',
  sentence: 'This moves money or ends something for good: call it for a proposal first, and confirm that.',
  kept: (facts) => facts.isConfirmed,
});

export const confirmationKnown = rule<ConfirmationFacts>({
  code: 'confirmation.known',
  sentence: `This confirmation is not one that was given out. ${again}`,
  kept: (facts) => facts.stored !== undefined,
});

export const sameCaller = rule<ConfirmationFacts>({
  code: 'confirmation.same_caller',
  sentence: `This confirmation was given to another caller. ${again}`,
  kept: ({ stored, act }) => stored === undefined || stored.caller === callerKey(act.caller),
});

export const sameTool = rule<ConfirmationFacts>({
  code: 'confirmation.same_tool',
  sentence: `This confirmation is for another tool. ${again}`,
  kept: ({ stored, act }) => stored === undefined || stored.tool === act.tool,
  shown: ({ act }) => ({ tool: act.tool }),
});

export const sameArguments = rule<ConfirmationFacts>({
  code: 'confirmation.same_arguments',
  sentence: `This confirmation is for other arguments: what was proposed is what is done. ${again}`,
  kept: ({ stored, act }) => stored === undefined || stored.argumentsHash.equals(argumentsHash(act)),
  shown: ({ act }) => ({ tool: act.tool }),
});

export const usedOnce = rule<ConfirmationFacts>({
  code: 'confirmation.used_once',
  sentence: `This confirmation was used. ${again}`,
  status: 409,
  kept: ({ stored }) => stored === undefined || stored.usedAt === null,
  shown: ({ stored }) => ({ usedAt: stored?.usedAt?.toISOString() ?? null }),
});

export const notStale = rule<ConfirmationFacts>({
  code: 'confirmation.not_stale',
  sentence: `This confirmation is older than a proposal may be. ${again}`,
  status: 409,
  kept: ({ stored }) => stored === undefined || stored.isFresh,
});

/** Whoever finds a browser that is signed in has no mailbox with it. */
export const secondCodeGiven = rule<ConfirmationFacts>({
  code: 'confirmation.second_code_given',
  sentence: 'At the pages this needs a second code besides: type the one that was mailed for it.',
  kept: ({ stored, act }) => stored === undefined || !isBySession(act.caller) || stored.secondCodeAt !== null,
});

/** What may refuse a confirmation, in the order in which it is judged. */
export const confirmationRules = [
  confirmationKnown,
  sameCaller,
  sameTool,
  sameArguments,
  usedOnce,
  notStale,
  secondCodeGiven,
];

const giveInput = z.object({
  tool: z.string(),
  caller: z.string(),
  argumentsHash: z.instanceof(Buffer),
  seconds: z.int(),
});

const giveConfirmation = command({
  name: 'confirmation.give',
  summary: 'Remember a proposal until it is confirmed',
  input: giveInput,
  audience: ['system'],
  effect: 'write',
  rules: [],
  facts: async () => ({}),
  async apply(tx, _facts, { seconds, ...input }): Promise<Confirmation> {
    const token = `${confirmationPrefix}${randomBytes(32).toString('base64url')}`;
    const [times] = await tx.sql<{ createdAt: Date; expiresAt: Date }>`SELECT clock_timestamp() AS created_at,
      clock_timestamp() + make_interval(secs => ${seconds}) AS expires_at`;
    if (!times) throw new Error('the database gave no time');
    await insertRow(tx, 'confirmation', { hash: digest(token), ...input, ...times });
    return { token, expiresAt: times.expiresAt.toISOString() };
  },
});

/** Gives out the token for an act that was judged and shown. */
export function giveOut(policy: Policy, act: ProposedAct): Promise<Confirmation> {
  const seconds = isBySession(act.caller) ? sessionConfirmationSeconds : confirmationSeconds;
  const input = { tool: act.tool, caller: callerKey(act.caller), argumentsHash: argumentsHash(act), seconds };
  return execute(policy, giveConfirmation, input, systemCaller('confirmation'));
}

/**
 * Uses a token up, in the transaction of the act and before it reads anything: of two at once the second waits here.
 * @throws Refusal `confirmation.…`
 */
export async function useUp(tx: Tx, act: ProposedAct, token: string): Promise<void> {
  const hash = digest(token);
  const [stored] =
    await tx.sql<StoredConfirmation>`SELECT "caller", "tool", "arguments_hash", "used_at", "second_code_at",
    "expires_at" > clock_timestamp() AS is_fresh FROM "confirmation" WHERE "hash" = ${hash} FOR UPDATE`;
  const refusal = firstBroken(confirmationRules, { stored, act }, tx);
  if (refusal) throw refusal;
  await tx.sql`UPDATE "confirmation" SET "used_at" = clock_timestamp() WHERE "hash" = ${hash}`;
}

/** Uses a token up where the act has no transaction of its own. */
export const useConfirmation = command<{ act: ProposedAct; token: string }, object, object>({
  name: 'confirmation.use',
  summary: 'Use a confirmation for what no transaction does',
  input: z.object({ act: z.custom<ProposedAct>(), token: z.string() }),
  audience: ['system'],
  effect: 'write',
  rules: [],
  facts: async () => ({}),
  async apply(tx, _facts, { act, token }) {
    await useUp(tx, act, token);
    return {};
  },
});

/** The key under which an act's answer is kept: the caller, the tool, and a name made from the token. */
function callOf(act: ProposedAct, token: string): IdempotentCall {
  return {
    callerId: act.caller.id,
    path: `tools ${act.tool}`,
    key: `confirmed:${digest(token).toString('base64url')}`,
    bodyHash: argumentsHash(act),
  };
}

/** What the act answered when this confirmation was used, if it was, by this caller, with these arguments. */
export async function answeredBefore(policy: Policy, act: ProposedAct, token: string): Promise<KeptAnswer | undefined> {
  try {
    return await keptAnswer(policy, callOf(act, token));
  } catch (error) {
    // The key was used with other arguments: the rule that says so best is among the confirmation's own.
    if (error instanceof Refusal) return undefined;
    throw error;
  }
}

/** Keeps the act's answer in the transaction of the act. */
export function keepConfirmed(tx: Tx, act: ProposedAct, token: string, result: unknown): Promise<void> {
  return keepAnswer(tx, callOf(act, token), { status: 200, text: JSON.stringify(result ?? null), headers: {} });
}

/** Forgets proposals that have been stale for a day. */
export const forgetConfirmations = command({
  name: 'confirmation.forget',
  summary: 'Forget proposals that are long stale',
  input: z.object({ limit: z.int().min(1).max(100_000).default(10_000) }),
  audience: ['system'],
  effect: 'write',
  rules: [],
  facts: async () => ({}),
  async apply(tx, _facts, input) {
    const gone = await tx.sql`DELETE FROM "confirmation" WHERE "hash" IN (
      SELECT "hash" FROM "confirmation" WHERE "expires_at" <= clock_timestamp() - interval '24 hours'
      ORDER BY "expires_at" LIMIT ${input.limit} FOR UPDATE SKIP LOCKED) RETURNING "hash"`;
    return { forgotten: gone.length };
  },
});
