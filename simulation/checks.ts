import { breaches, invariants } from '../doctrine/invariants.ts';
import type { Policy } from '../policy/core/command.ts';
import { runStatement } from '../policy/core/transaction.ts';
import type { OtherSides } from './outside.ts';

/** Something that must never be, found by a seed. */
export class Violation extends Error {
  override readonly name = 'Violation';
  readonly invariant: string;

  constructor(invariant: string, facts: unknown) {
    super(
      `${invariant}: ${JSON.stringify(facts, (_, value: unknown) => (typeof value === 'bigint' ? Number(value) : value))}`,
    );
    this.invariant = invariant;
  }
}

// One statement for all that holds at every instant: it is asked after every turn.
const everyInstant = invariants
  .filter(({ whenQuiet }) => !whenQuiet)
  .map(({ name, sql }) => `SELECT '${name.replaceAll("'", "''")}' AS invariant, to_jsonb(b) AS facts FROM (${sql}) b`)
  .join('\nUNION ALL\n');

const linesPaidFor = `SELECT v."id" AS service, coalesce(array_agg(p."id") FILTER (WHERE p."id" IS NOT NULL), '{}') AS payments
  FROM "service" v JOIN "subscription" s ON s."service_id" = v."id" LEFT JOIN "payment" p ON p."subscription_id" = s."id" OR
    p."id" IN (SELECT i."payment_id" FROM "order_item" i WHERE i."subscription_id" = s."id")
  WHERE v."id" = ANY ($1) GROUP BY 1 ORDER BY 1`;

/** What the other sides' own books say, read as they grow. Nothing of ours is believed here. */
export interface Witness {
  /** After every turn: at no instant is money taken twice, or a line served that nobody paid for. */
  look(): Promise<void>;
  /** Authorisations that nobody heard of, because the request was late: their bank lets them go in time. */
  readonly unheard: Set<string>;
}

export function makeWitness(pool: Policy['pool'], sides: OtherSides): Witness {
  const unheard = new Set<string>();
  const references = new Map<string, string>();
  const captures = new Map<string, number>();
  let cursor: string | undefined;
  let networkCursor: string | undefined;

  async function lookAtMoney(): Promise<void> {
    for await (const operation of sides.gateway.book(cursor)) {
      cursor = operation.cursor;
      if (operation.kind === 'authorise') references.set(operation.gatewayReference, operation.reference);
      if (operation.kind !== 'capture' || operation.answer.outcome !== 'captured') continue;
      const payment = references.get(operation.gatewayReference) ?? operation.gatewayReference;
      const sum = (captures.get(payment) ?? 0) + 1;
      captures.set(payment, sum);
      if (sum > 1)
        throw new Violation('book: one capture for one fact', { payment, captures: sum, key: operation.key });
    }
  }

  async function lookAtLines(): Promise<void> {
    const served: string[] = [];
    for await (const { cursor: at, task, answer } of sides.network.book(networkCursor)) {
      networkCursor = at;
      if (answer.outcome === 'confirmed' && task.desired.state === 'active') served.push(task.line);
    }
    if (served.length === 0) return;
    const rows = await runStatement<{ service: string; payments: string[] }>(pool, linesPaidFor, [served]);
    for (const { service, payments } of rows) {
      if (!payments.some((payment) => captures.has(payment)))
        throw new Violation('network: no line is served before its money was taken', { service, payments });
    }
  }

  return {
    unheard,
    async look() {
      await lookAtMoney();
      await lookAtLines();
    },
  };
}

/** After every turn that wrote something. */
export async function checkInstant(pool: Policy['pool']): Promise<void> {
  const [found] = await runStatement<{ invariant: string; facts: unknown }>(pool, everyInstant, []);
  if (found) throw new Violation(found.invariant, found.facts);
}

/** Every invariant of the house; `quiet` once nothing that is due waits any more. */
export async function checkAll(
  pool: Policy['pool'],
  sides: OtherSides,
  witness: Witness,
  options: { quiet: boolean },
): Promise<void> {
  const found = (await breaches({ pool, ...sides }, options)).filter(
    ({ invariant, facts }) =>
      !(
        invariant === 'book: no money is held that nobody will take' &&
        witness.unheard.has(String(facts.gatewayReference))
      ),
  );
  const [first] = found;
  if (first) throw new Violation(first.invariant, first.facts);
  if (!options.quiet) return;
  await checkLetters(pool, sides);
  await checkFiles(pool, sides);
}

/**
 * Nothing is written down as sent that did not go. The other way round a letter may go unrecorded: when its sender dies
 * and the news is stale by the next try.
 */
async function checkLetters(pool: Policy['pool'], { letters }: OtherSides): Promise<void> {
  const [row] = await runStatement<{ told: bigint }>(
    pool,
    `SELECT count(*) AS told FROM "party_interaction" WHERE "document"::text LIKE '%"Sent: %'`,
    [],
  );
  if (Number(row?.told ?? 0) > letters.size)
    throw new Violation('mail: what is written down as sent went out', { told: row?.told, letters: letters.size });
}

/** Every job has come to its end, and an export that says so has its file. */
async function checkFiles(pool: Policy['pool'], { files }: OtherSides): Promise<void> {
  const jobs = await runStatement<{ id: string; status: string; path: string | null }>(
    pool,
    `SELECT "id", "document" ->> 'status' AS status, "document" ->> 'path' AS path FROM "export_job"
     UNION ALL SELECT "id", "document" ->> 'status', NULL FROM "import_job"`,
    [],
  );
  for (const { id, status, path } of jobs) {
    if (status !== 'Succeeded' && status !== 'Failed')
      throw new Violation('jobs: every job comes to an end', { id, status });
    if (status === 'Succeeded' && path !== null && !files.has(path))
      throw new Violation('jobs: an export that succeeded left its file', { id, path });
  }
}
