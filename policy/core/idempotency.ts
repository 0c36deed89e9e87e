import type { Pool, QueryConfig } from 'pg';
import { z } from 'zod';
import { type Caller, systemCaller } from '../../kernel/caller.ts';
import { Refusal } from '../../kernel/error.ts';
import {
  type AnyCommand,
  type AnyDefinition,
  command,
  type ExecuteOptions,
  execute,
  type Policy,
  run,
  transaction,
} from './command.ts';
import { rule } from './rule.ts';
import { runStatement, type Tx } from './transaction.ts';

/**
 * A repeated POST gets the first answer and acts once (CONTRACT, TMF630). The answer is stored in the transaction that
 * has the effect, so a crash leaves both or neither, and of two at once the database lets one commit: the other finds
 * the key taken as its last act, is rolled back whole, and answers what the first answered. Keys live 24 hours of
 * machine time, for each caller and path.
 */
export interface IdempotentCall {
  readonly callerId: string;
  /** The path as the contract spells it, so that another spelling of it is the same path. */
  readonly path: string;
  readonly key: string;
  /** SHA-256 of the body in one canonical spelling. */
  readonly bodyHash: Buffer;
}

export interface KeptAnswer {
  readonly status: number;
  /** The body as it was sent, letter by letter; null when there was none. */
  readonly text: string | null;
  readonly headers: Readonly<Record<string, string>>;
}

/** Another request with this key was first. Its answer is stored; this one has changed nothing. */
export class AlreadyAnswered extends Error {
  constructor() {
    super('the key is taken');
    this.name = 'AlreadyAnswered';
  }
}

interface KeyFacts {
  /** The body that the key was first sent with; undefined for a new key. */
  first: Buffer | undefined;
  bodyHash: Buffer;
}

export const keyReused = rule<KeyFacts>({
  code: 'idempotency.key_reused',
  sentence: 'This Idempotency-Key was sent before with another body. Send another key, or the first body again.',
  kept: (facts) => facts.first === undefined || facts.first.equals(facts.bodyHash),
});

interface KeyRow {
  bodyHash: Buffer;
  status: number;
  answer: string | null;
  headers: Record<string, string> | null;
}

const readKey = `SELECT body_hash, status, answer #>> '{}' AS answer, headers FROM idempotency_key
  WHERE caller_id = $1 AND path = $2 AND key = $3 AND status IS NOT NULL AND created_at > clock_timestamp() - interval '24 hours'`;

/**
 * The stored answer to this call, or undefined when it was not made before.
 * @throws Refusal `idempotency.key_reused` when the key came with another body.
 */
export async function keptAnswer(
  policy: Pick<Policy, 'rulesOff'> & { pool: Pool },
  call: IdempotentCall,
): Promise<KeptAnswer | undefined> {
  const [row] = await runStatement<KeyRow>(policy.pool, readKey, [call.callerId, call.path, call.key]);
  if (!row) return undefined;
  if (!policy.rulesOff.has(keyReused.code) && !row.bodyHash.equals(call.bodyHash)) {
    throw new Refusal(keyReused.code, keyReused.sentence);
  }
  return { status: row.status, text: row.answer, headers: row.headers ?? {} };
}

/**
 * Stores the answer with its key, inside the transaction of the effect, as its last act.
 * @throws AlreadyAnswered when another request committed this key first; the transaction must then be rolled back.
 */
export async function keepAnswer(tx: Tx, call: IdempotentCall, answer: KeptAnswer): Promise<void> {
  const kept = await tx.sql`
    INSERT INTO idempotency_key AS k (caller_id, path, key, body_hash, status, answer, headers, created_at)
    VALUES (${call.callerId}, ${call.path}, ${call.key}, ${call.bodyHash}, ${answer.status}, to_jsonb(${answer.text}::text),
      ${JSON.stringify(answer.headers)}::jsonb, clock_timestamp())
    ON CONFLICT (caller_id, path, key) DO UPDATE SET body_hash = excluded.body_hash, status = excluded.status,
      answer = excluded.answer, headers = excluded.headers, created_at = excluded.created_at
      WHERE k.created_at <= clock_timestamp() - interval '24 hours'
    RETURNING k.key`;
  if (kept.length === 0) throw new AlreadyAnswered();
}

/** Gets a command's output before its commit. */
export type KeepOutput = (tx: Tx, output: unknown) => Promise<void>;

/** Runs a definition of either kind; `keep` is its last act, in the same transaction. */
export async function runKeeping(
  policy: Policy,
  definition: AnyDefinition,
  input: unknown,
  caller: Caller,
  options: ExecuteOptions,
  keep: KeepOutput,
): Promise<unknown> {
  if (!('single' in definition)) return run(policy, keeping(definition, keep), input, caller, options);
  return transaction(policy, definition.name, caller, {}, async (tx) => {
    await options.before?.(tx);
    const output = await run(inside(policy, tx), definition, input, caller, options);
    await keep(tx, output);
    return output;
  });
}

function keeping(definition: AnyCommand, keep: KeepOutput): AnyCommand {
  const { keepRefused } = definition;
  return {
    ...definition,
    apply: async (tx, facts, input) => {
      const output: unknown = await definition.apply(tx, facts, input);
      await keep(tx, output);
      return output;
    },
    ...(keepRefused
      ? {
          keepRefused: async (tx: Tx, facts: unknown, input: unknown, refusal: Refusal) => {
            const output: unknown = await keepRefused(tx, facts, input, refusal);
            await keep(tx, output);
            return output;
          },
        }
      : {}),
  };
}

/** The same policy, its single calls made in an open transaction instead of in one of their own. */
function inside(policy: Policy, tx: Tx): Policy {
  const query = async ({ text, values }: QueryConfig) => ({ rows: await tx.run(text, values ?? []) });
  const pool: Pool = Object.create(policy.pool, { query: { value: query } });
  return { ...policy, pool };
}

const finishInput = z.object({
  callerId: z.string(),
  path: z.string(),
  key: z.string(),
  bodyHash: z.instanceof(Buffer),
  status: z.int(),
  text: z.string().nullable(),
  headers: z.record(z.string(), z.string()),
});

/** Stores an answer that no transaction carried: a refusal, or a tool that only read. It changed nothing, so it may come late. */
export const finishIdempotency = command({
  name: 'idempotency.finish',
  summary: 'Remember the answer to a request that may be repeated',
  input: finishInput,
  audience: ['system'],
  effect: 'write',
  rules: [keyReused],
  async facts(tx, input): Promise<KeyFacts> {
    const [row] = await tx.run<KeyRow>(readKey, [input.callerId, input.path, input.key]);
    return { first: row?.bodyHash, bodyHash: input.bodyHash };
  },
  async apply(tx, facts, input) {
    if (facts.first === undefined) await keepAnswer(tx, input, input);
    return {};
  },
});

/** Forgets keys older than 24 hours, oldest first. */
export const forgetIdempotency = command({
  name: 'idempotency.forget',
  summary: 'Forget answers that are older than a day',
  input: z.object({ limit: z.int().min(1).max(100_000).default(10_000) }),
  audience: ['system'],
  effect: 'write',
  rules: [],
  facts: async () => ({}),
  async apply(tx, _facts, input) {
    const gone = await tx.sql`
      DELETE FROM idempotency_key WHERE ctid IN (
        SELECT ctid FROM idempotency_key WHERE created_at <= clock_timestamp() - interval '24 hours'
        ORDER BY created_at LIMIT ${input.limit} FOR UPDATE SKIP LOCKED)
      RETURNING key`;
    return { forgotten: gone.length };
  },
});

/** Runs `finishIdempotency`; a key that somebody else stored meanwhile is left as it is. */
export async function finish(policy: Policy, call: IdempotentCall, answer: KeptAnswer): Promise<void> {
  try {
    await execute(policy, finishIdempotency, { ...call, ...answer }, systemCaller('idempotency'));
  } catch (error) {
    if (!(error instanceof AlreadyAnswered) && !(error instanceof Refusal)) throw error;
  }
}
