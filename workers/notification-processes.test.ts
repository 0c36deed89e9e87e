import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { execute } from '../policy/core/command.ts';
import { create, patch, type TestPolicy, testOperator, testPolicy } from '../policy/core/testing.ts';
import { runStatement } from '../policy/core/transaction.ts';
import { registerHub } from '../policy/notification/hub.ts';
import { ticketCommands } from '../policy/ticket/commands.ts';
import { ended, eventually, type ListenerProcess, startListener } from './testing.ts';

let house: TestPolicy;
let listener: ListenerProcess;
const notifiers: ChildProcess[] = [];
beforeAll(async () => {
  house = await testPolicy();
  listener = await startListener();
});
afterAll(async () => {
  await Promise.all(notifiers.map(ended));
  await listener.kill();
  await house.close();
});

async function startNotifier(): Promise<ChildProcess> {
  const script = fileURLToPath(new URL('./testing-notifier.ts', import.meta.url));
  const { connectionString } = house.policy.pool.options;
  const child = spawn(process.execPath, ['--import', 'tsx', script, connectionString ?? ''], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  notifiers.push(child);
  await once(child.stdout, 'data');
  return child;
}

test('two processes share the work; one that is killed loses nothing, and order holds', async () => {
  await execute(
    house.policy,
    registerHub,
    { api: 'TMF621', callback: `http://127.0.0.1:${listener.port}/events` },
    testOperator,
  );
  const [first] = await Promise.all([startNotifier(), startNotifier()]);
  await listener.answer(201, 3);
  const body = { description: 'x', severity: 'minor', ticketType: 'problem', name: '0' };
  const tickets = await Promise.all(Array.from({ length: 12 }, () => create(house.policy, ticketCommands, body)));
  for (let turn = 1; turn <= 10; turn += 1) {
    await Promise.all(tickets.map(({ id }) => patch(house.policy, ticketCommands, id, { name: `${turn}` })));
    if (turn === 5) await ended(first);
  }
  const told = (id: string) =>
    listener.received
      .map((one): { eventId: string; event: { troubleTicket: { id: string; name: string } } } => JSON.parse(one.body))
      .filter(({ event }) => event.troubleTicket.id === id);
  await eventually(
    async () =>
      (await runStatement<{ n: bigint }>(house.policy.pool, 'SELECT count(*) AS n FROM "delivery"', []))[0]?.n,
    (n) => n === 0n,
    20_000,
  );
  const expected = Array.from({ length: 11 }, (_, turn) => `${turn}`);
  for (const { id } of tickets) {
    await eventually(
      () => told(id).length,
      (n) => n >= expected.length,
      20_000,
    );
    // What came twice came again right behind itself or not at all: each first arrival is in order.
    const firsts = new Map(told(id).map(({ eventId, event }) => [eventId, event.troubleTicket.name]));
    expect([...firsts.values()]).toEqual(expected);
    const names = told(id).map(({ event }) => Number(event.troubleTicket.name));
    for (const [index, name] of names.entries()) expect(name).toBeGreaterThanOrEqual((names[index - 1] ?? 0) - 8);
  }
  const twice = listener.received.length - tickets.length * expected.length;
  expect(twice).toBeGreaterThanOrEqual(0);
  expect(twice).toBeLessThan(tickets.length * 8);
});
