import fc from 'fast-check';
import { expect } from 'vitest';
import { connect } from '../../app/database/connect.ts';
import { testDatabase } from '../../app/database/testing.ts';
import type { Caller } from '../../kernel/caller.ts';
import { AirtimeError } from '../../kernel/error.ts';
import { idSource } from '../../kernel/id.ts';
import type { JsonObject } from '../../kernel/json.ts';
import { recordContactDoubted } from '../interaction/testing.ts';
import { settingsSchema } from '../setting/settings.ts';
import { execute, type Policy, transaction } from './command.ts';
import {
  createResource,
  type ResourceCommands,
  type ResourceDefinition,
  type ResourceTable,
  type Stored,
} from './resource.ts';
import { runStatement } from './transaction.ts';

export interface TestPolicy {
  readonly policy: Policy;
  /** The same policy with rules switched off, to see that a test of a rule fails without it. */
  without(...codes: string[]): Policy;
  /** What was recorded about a resource, oldest first. */
  events(resourceId: string): Promise<TestEvent[]>;
  close(): Promise<void>;
}

export interface TestEvent {
  type: string;
  resourceSequence: bigint;
  resource: JsonObject | null;
  change: JsonObject | null;
}

export const testOperator: Caller = {
  audience: 'operator',
  id: 'opr_test',
  name: 'Test operator',
  surface: 'tmf',
  scopes: ['*'],
};

/** The policy layer over a database of its own, with no outside: a command that calls it fails the test. */
export async function testPolicy(): Promise<TestPolicy> {
  const given = await testDatabase();
  const database = await connect({ url: given.serverUrl, max: 4, statementTimeoutMs: 10_000, log: () => undefined });
  const nothingOutside = (): never => {
    throw new Error('this test has no outside');
  };
  const policy: Policy = {
    pool: database.pool,
    newId: idSource(Date.now, Math.random),
    settings: settingsSchema.parse({}),
    rulesOff: new Set(),
    recordContact: recordContactDoubted,
    outside: {
      gateway: {
        kind: 'sandbox',
        describeCard: nothingOutside,
        authorise: nothingOutside,
        capture: nothingOutside,
        void: nothingOutside,
        refund: nothingOutside,
        find: nothingOutside,
        operations: nothingOutside,
        book: nothingOutside,
      },
      network: { kind: 'sandbox', apply: nothingOutside, find: nothingOutside, line: nothingOutside },
      mail: { kind: 'mailbox', send: nothingOutside },
      subscriptions: { callbackRefusal: async () => undefined, checkQuery: () => undefined },
    },
  };
  return {
    policy,
    without: (...codes) => ({ ...policy, rulesOff: new Set(codes) }),
    events: (resourceId) =>
      runStatement<TestEvent>(
        database.pool,
        'SELECT "type", "resource_sequence", "resource", "change" FROM "event" WHERE "resource_id" = $1 ORDER BY "position"',
        [resourceId],
      ),
    close: async () => {
      await database.close();
      await given.drop();
    },
  };
}

/** Runs a create of a resource as the test operator. */
export function create(policy: Policy, commands: ResourceCommands, document: JsonObject): Promise<Stored> {
  if (!commands.create) throw new Error('there is no create');
  return execute(policy, commands.create, { document }, testOperator);
}

/** Runs a merge patch as the test operator. */
export function patch(policy: Policy, commands: ResourceCommands, id: string, value: JsonObject): Promise<Stored> {
  if (!commands.patch) throw new Error('there is no patch');
  return execute(policy, commands.patch, { id, patch: { kind: 'merge', value } }, testOperator);
}

/** Runs a delete as the test operator. */
export function remove(policy: Policy, commands: ResourceCommands, id: string): Promise<{ id: string }> {
  if (!commands.remove) throw new Error('there is no delete');
  return execute(policy, commands.remove, { id }, testOperator);
}

/** The document as it is stored now; undefined when it is gone. */
export async function stored(policy: Policy, definition: ResourceDefinition, id: string): Promise<Stored | undefined> {
  const table = definition.table.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  const rows = await runStatement<Stored>(
    policy.pool,
    `SELECT "id", "document", "version" FROM "${table}" WHERE "id" = $1`,
    [id],
  );
  return rows[0];
}

/** Puts a resource into the database as it is, in whatever state: what a test begins with. */
export function given<T extends ResourceTable>(
  policy: Policy,
  definition: ResourceDefinition<T>,
  document: JsonObject,
  columns: Parameters<typeof createResource<T>>[3] = {},
): Promise<Stored> {
  return transaction(policy, 'test.given', testOperator, {}, (tx) => createResource(tx, definition, document, columns));
}

/** What is refused by this rule and nothing else: with the rule switched off the same act succeeds. */
export async function expectRule(
  test: TestPolicy,
  code: string,
  status: 409 | 422,
  act: (policy: Policy) => Promise<unknown>,
): Promise<void> {
  await expect(act(test.policy)).rejects.toMatchObject({ code, status });
  await expect(act(test.without(code))).resolves.toBeDefined();
}

/**
 * For every state of a machine and every word: a PATCH moves a resource exactly where its table says, and a refused one
 * leaves it as it was.
 */
export async function expectOnlyTableMoves<T extends ResourceTable>(
  policy: Policy,
  definition: ResourceDefinition<T>,
  commands: ResourceCommands,
  attribute: 'status' | 'state' | 'lifecycleStatus',
  document: JsonObject,
): Promise<void> {
  const table: Readonly<Record<string, Readonly<Record<string, string | undefined>>>> = Object.fromEntries(
    Object.entries(definition.machine?.table ?? {}).map(([from, row]) => [from, { ...row }]),
  );
  const states = Object.keys(table);
  expect(states.length).toBeGreaterThan(1);
  const tryMove = async (from: string, to: string): Promise<void> => {
    const before = await given(policy, definition, { ...document, [attribute]: from });
    const isLegal = to === from || Object.values(table[from] ?? {}).includes(to);
    const outcome = await patch(policy, commands, before.id, { [attribute]: to }).then(
      () => 'moved',
      (error: unknown) => (error instanceof AirtimeError ? error.status : error),
    );
    const after = await stored(policy, definition, before.id);
    if (isLegal) {
      expect([from, to, outcome, after?.document[attribute]]).toEqual([from, to, 'moved', to]);
    } else {
      // 400 where the contract has no such word, 409 where the machine has no such step.
      expect([from, to, outcome === 400 || outcome === 409]).toEqual([from, to, true]);
      expect(after).toEqual(before);
    }
  };
  for (const from of states) for (const to of states) await tryMove(from, to);
  await fc.assert(fc.asyncProperty(fc.constantFrom(...states), fc.string({ minLength: 1, maxLength: 12 }), tryMove), {
    numRuns: 25,
  });
}
