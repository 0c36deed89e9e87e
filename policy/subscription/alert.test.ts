import { afterAll, beforeAll, expect, test } from 'vitest';
import { type House, openHouse } from '../../doctrine/house.ts';
import type { Caller } from '../../kernel/caller.ts';
import { queriesFor } from '../../tools/queries.ts';
import { makeTools, type ToolDoor } from '../../tools/registry.ts';
import { freezeClock } from '../clock/commands.ts';
import { commands } from '../commands.ts';
import { execute } from '../core/command.ts';
import { runStatement } from '../core/transaction.ts';
import { reportUsage } from '../usage/commands.ts';

let house: House;
let tools: ToolDoor;
beforeAll(async () => {
  house = await openHouse();
  tools = makeTools({ policy: house.policy, pool: house.pool, commands, queries: queriesFor(commands) });
});
afterAll(() => house.close());

interface Line {
  id: string;
  msisdn: string;
  customerId: string;
  email: string;
  endsAt: Date;
}

async function activeLine(plan = 'PLAN_S'): Promise<Line> {
  const order = await house.order(await house.customer(), plan);
  await house.settle();
  const { subscriptionId } = await house.state(order);
  const [line] = await runStatement<Line>(
    house.pool,
    `SELECT s."id", s."msisdn", s."customer_id", s."period_ends_at" AS ends_at, c."email" FROM "subscription" s
     JOIN "customer" c ON c."id" = s."customer_id" WHERE s."id" = $1`,
    [subscriptionId],
  );
  if (!line) throw new Error('there is no line');
  return line;
}

const set = (line: Line, kind: string, left: string, caller: Caller = house.caller) =>
  tools.run('subscription.set_alert', { subscriptionId: line.id, kind, left }, caller);

async function use(line: Line, kind: string, amount: number, unit: string): Promise<void> {
  await reportUsage.single(
    house.policy,
    reportUsage.input.parse({ msisdn: line.msisdn, kind, amount, unit }),
    house.caller,
  );
  await house.settle();
}

/** What the customer was told by an alert, oldest first. */
async function told(line: Line): Promise<string[]> {
  const mail = (await house.mail.messages({ to: line.email })).reverse();
  return mail.map(({ subject }) => subject).filter((subject) => / left on /.test(subject));
}

test('a customer asks to be told at an amount, and is, once in a period', async () => {
  const line = await activeLine();
  const owner: Caller = { ...house.caller, audience: 'customer', customerId: line.customerId };
  await set(line, 'data', '2 GB', owner);
  await use(line, 'data', 2.5, 'GB');
  expect(await told(line)).toEqual([]);
  await use(line, 'data', 0.6, 'GB');
  await use(line, 'data', 0.1, 'GB');
  expect(await told(line)).toEqual([`1.89 GB of Data left on ${line.msisdn}`]);
  const [message] = (await house.mail.messages({ to: line.email })).filter(({ subject }) => / left on /.test(subject));
  expect(message?.text).toContain('You asked to be told at 2 GB.');
  // A top-up lifts it over the mark; below it again, the period was told already.
  await house.topUp(line.id, 'VAS_DATA_1GB');
  await house.settle();
  await use(line, 'data', 1.5, 'GB');
  expect(await told(line)).toHaveLength(1);
  // The next period is another, and its buckets know of the alert from the first.
  await execute(house.policy, freezeClock, { at: new Date(line.endsAt.getTime() + 1000).toISOString() }, house.caller);
  await house.settle();
  await use(line, 'data', 3.2, 'GB');
  expect(await told(line)).toHaveLength(2);
  expect((await told(line))[1]).toMatch(/GB of Data left on/);
});

test('a part is of all that there is, a top-up included', async () => {
  const line = await activeLine();
  await house.topUp(line.id, 'VAS_DATA_5GB');
  await house.settle();
  await set(line, 'data', '10 %');
  await use(line, 'data', 8.9, 'GB');
  expect(await told(line)).toEqual([]);
  await use(line, 'data', 0.2, 'GB');
  expect(await told(line)).toHaveLength(1);
  await set(line, 'voice', '50%');
  await use(line, 'voice', 60, 'min');
  expect((await told(line))[1]).toBe(`40 min of Voice left on ${line.msisdn}`);
});

test('nobody is told who did not ask, who asked no longer, or whose service has stopped', async () => {
  const line = await activeLine();
  await set(line, 'data', '4 GB');
  await set(line, 'data', 'off');
  await use(line, 'data', 2, 'GB');
  await set(line, 'data', '1 GB');
  // One record that empties it: that is told as what it is.
  await use(line, 'data', 5, 'GB');
  expect(await told(line)).toEqual([]);
  const unlimited = await activeLine('PLAN_M');
  await set(unlimited, 'voice', '99 %');
  await use(unlimited, 'voice', 500, 'min');
  expect(await told(unlimited)).toEqual([]);
  const product: unknown = await tools.run(
    'subscription.set_alert',
    { subscriptionId: line.id, kind: 'sms', left: '10 SMS' },
    house.caller,
  );
  expect(JSON.stringify(product)).toContain('"balanceAlert.sms"');
  expect(await house.breaches()).toEqual([]);
});

test('a stranger’s line is nobody’s, and an amount must measure its kind', async () => {
  const [line, other] = [await activeLine(), await activeLine()];
  const stranger: Caller = { ...house.caller, audience: 'customer', customerId: other.customerId };
  await expect(set(line, 'data', '1 GB', stranger)).rejects.toMatchObject({ code: 'ownership.is_callers' });
  for (const [kind, left] of [
    ['voice', '1 GB'],
    ['data', '0 MB'],
    ['data', '100 %'],
    ['sms', '1.5 %'],
  ] as const) {
    await expect(set(line, kind, left)).rejects.toMatchObject({ code: 'subscription.alert_fits_kind' });
  }
  await expect(set(line, 'data', 'soon')).rejects.toMatchObject({ status: 400 });
});
