import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Pool } from 'pg';
import {
  openSandboxCardGateway,
  type SandboxCardGateway,
} from '../adapters/sandbox/card-gateway/sandbox-card-gateway.ts';
import { type Mailbox, openMailbox } from '../adapters/sandbox/mail/mailbox.ts';
import { openSandboxNetwork, type SandboxNetwork } from '../adapters/sandbox/network/sandbox-network.ts';
import { connect } from '../app/database/connect.ts';
import { type TestDatabase, testDatabase } from '../app/database/testing.ts';
import { seed } from '../app/seed/seed.ts';
import type { Caller } from '../kernel/caller.ts';
import type { MachineClock } from '../kernel/clock.ts';
import { idSource } from '../kernel/id.ts';
import { addCard } from '../policy/card/commands.ts';
import { execute, type Policy, transaction } from '../policy/core/command.ts';
import type { StepDefinition } from '../policy/core/flow.ts';
import { runStatement } from '../policy/core/transaction.ts';
import { registerCustomer } from '../policy/customer/commands.ts';
import { recordContactDoubted } from '../policy/interaction/testing.ts';
import { placeOrder, topUp } from '../policy/order/commands.ts';
import { codeSteps } from '../policy/session/letters.ts';
import { readSettings } from '../policy/setting/settings.ts';
import { steps as allSteps } from '../policy/steps.ts';
import { makeWorker, type Worker } from '../workers/worker.ts';
import { type Breach, breaches } from './invariants.ts';

/** The policy layer on a database of its own, with sandboxes in this process and a worker that runs when it is told to. */
export interface House {
  readonly database: TestDatabase;
  readonly pool: Pool;
  readonly policy: Policy;
  readonly gateway: SandboxCardGateway;
  readonly network: SandboxNetwork;
  readonly mail: Mailbox;
  readonly caller: Caller;
  /** Why steps were put back, in order. */
  readonly putBack: string[];
  /** Another worker over the same rows, with other steps or another outside. */
  worker(steps?: readonly StepDefinition[], policy?: Policy): Worker;
  /**
   * Runs what is due until nothing is, without waiting out the pauses between tries.
   * @throws Error when work is still left after `rounds`.
   */
  settle(worker?: Worker, rounds?: number): Promise<void>;
  /** A customer with a test card of this kind on file, a card of their own. @returns their id. */
  customer(token?: string): Promise<string>;
  /** Orders a plan. @returns the order's id. */
  order(customerId: string, offering?: string): Promise<string>;
  topUp(subscriptionId: string, offering: string): Promise<string>;
  state(orderId: string): Promise<{
    order: string;
    note: string;
    subscriptionId: string | null;
    line: string | null;
    payment: string | null;
  }>;
  breaches(options?: { quiet: boolean }): Promise<Breach[]>;
  close(): Promise<void>;
}

const clock: MachineClock = {
  now: () => new Date(),
  sleep: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)),
};

export const operator: Caller = {
  audience: 'operator',
  id: 'opr_test',
  name: 'Test operator',
  surface: 'tools',
  scopes: ['*'],
};

/** Opens a house with the seed catalogue. Business time stands still at the instant it was opened. */
export async function openHouse(): Promise<House> {
  const database = await testDatabase();
  const directory = mkdtempSync(join(tmpdir(), 'airtime-house-'));
  const connected = await connect({
    url: database.serverUrl,
    max: 12,
    statementTimeoutMs: 10_000,
    log: () => undefined,
  });
  const options = { directory, now: clock.now, id: randomUUID };
  const gateway = await openSandboxCardGateway(options);
  const network = await openSandboxNetwork(options);
  const mail = await openMailbox({ directory, now: clock.now });
  const policy: Policy = {
    pool: connected.pool,
    newId: idSource(Date.now, Math.random),
    settings: await readSettings(connected.pool),
    rulesOff: new Set(),
    recordContact: recordContactDoubted,
    outside: {
      gateway,
      network,
      mail,
      subscriptions: { callbackRefusal: async () => undefined, checkQuery: () => undefined },
    },
  };
  await seed(policy, { historyDays: 0 });
  const putBack: string[] = [];
  const log = { warn: (fields: object) => putBack.push(JSON.stringify(fields)) };
  const makeOne = (
    steps: readonly StepDefinition[] = [...allSteps, ...codeSteps('https://bss.example.com')],
    over: Policy = policy,
  ) => makeWorker(over, steps, clock, log);
  const own = makeOne();
  let customers = 0;

  const due = async () => {
    const [row] = await runStatement<{ count: bigint }>(
      connected.pool,
      `SELECT count(*) AS count FROM "flow_step" WHERE "state" = 'waiting' AND "due_at" <= business_now()`,
      [],
    );
    return Number(row?.count ?? 0);
  };

  return {
    database,
    pool: connected.pool,
    policy,
    gateway,
    network,
    mail,
    caller: operator,
    putBack,
    worker: makeOne,
    async settle(worker = own, rounds = 40) {
      for (let round = 0; round < rounds; round += 1) {
        await worker.drain();
        if ((await due()) === 0) return;
        await hurry(policy);
      }
      throw new Error(`work is left after ${rounds} rounds: ${putBack.slice(-3).join('\n')}`);
    },
    async customer(token = 'tok_visa') {
      customers += 1;
      const made = await execute(
        policy,
        registerCustomer,
        { givenName: 'Ada', familyName: `Test ${customers}`, email: `c${customers}-${randomUUID()}@example.com` },
        operator,
      );
      await execute(policy, addCard, { customerId: made.id, token: `${token}_${customers}` }, operator);
      return made.id;
    },
    order: async (customerId, offering = 'PLAN_S') =>
      (await execute(policy, placeOrder, { customerId, offering }, operator)).id,
    topUp: async (subscriptionId, offering) =>
      (await execute(policy, topUp, { subscriptionId, offering }, operator)).id,
    async state(orderId) {
      const [row] = await runStatement<{
        order: string;
        note: string;
        subscriptionId: string | null;
        line: string | null;
        payment: string | null;
      }>(
        connected.pool,
        `SELECT o."state" AS order, coalesce((SELECT string_agg(n ->> 'text', '; ') FROM jsonb_array_elements(o."document" -> 'note') n), '') AS note,
           i."subscription_id", s."state" AS line, p."state" AS payment
         FROM "product_order" o LEFT JOIN "order_item" i ON i."product_order_id" = o."id"
           LEFT JOIN "subscription" s ON s."id" = i."subscription_id" LEFT JOIN "payment" p ON p."id" = i."payment_id"
         WHERE o."id" = $1 ORDER BY i."item_id" LIMIT 1`,
        [orderId],
      );
      if (!row) throw new Error(`there is no order ${orderId}`);
      return row;
    },
    breaches: (given = { quiet: true }) => breaches({ pool: connected.pool, gateway, network }, given),
    async close() {
      await connected.close();
      await gateway.close();
      await network.close();
      await mail.close();
      await database.drop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Lets every step that waits out a pause run at once. */
export async function hurry(policy: Policy): Promise<void> {
  await transaction(policy, 'test.hurry', operator, {}, async (tx) => {
    // The column holds milliseconds, and would round up to an instant that a quick worker comes before.
    await tx.sql`UPDATE "flow_step" SET "not_before" = date_trunc('milliseconds', clock_timestamp()), "leased_until" = NULL, "leased_by" = NULL WHERE "state" = 'waiting' AND "due_at" <= business_now()`;
  });
}
