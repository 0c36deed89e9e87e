import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Caller } from '../../kernel/caller.ts';
import { execute } from '../core/command.ts';
import { expectRule, type TestPolicy, testPolicy } from '../core/testing.ts';
import { runStatement } from '../core/transaction.ts';
import { beginTurn, escalateTurn, finishTurn, forgetChats, startChat, transcriptHash } from './commands.ts';

let house: TestPolicy;
beforeAll(async () => {
  house = await testPolicy();
});
afterAll(() => house.close());

const caller: Caller = {
  audience: 'customer',
  id: 'tok_1',
  name: 'Ada',
  surface: 'chat',
  scopes: ['*'],
  customerId: 'cus_1',
};
let owners = 0;

/** An owner that nobody else has. */
function newOwner() {
  owners += 1;
  return { owner: `customer cus_${owners}`, customerId: `cus_${owners}` };
}
const begin = (who: ReturnType<typeof newOwner>, sessionId: string, text = 'Hello', policy = house.policy) =>
  execute(policy, beginTurn, { ...who, sessionId, text, onlyOwner: true }, caller);
const answered = (turnId: string, more: object = {}) => ({
  turnId,
  reply: 'Hello.',
  assistant: 'model' as const,
  model: 'scripted',
  toolCalls: [],
  inputTokens: 10,
  outputTokens: 5,
  costMicros: 1000n,
  latencyMs: 7,
  ...more,
});

test('what was said comes back with the next turn, and an answer is kept once', async () => {
  const who = newOwner();
  const { id } = await execute(house.policy, startChat, who, caller);
  const first = await begin(who, id, 'One');
  expect(first).toMatchObject({ isFirst: true, mayUseModel: true, before: [] });
  await execute(house.policy, finishTurn, answered(first.id), caller);
  await expect(execute(house.policy, finishTurn, answered(first.id), caller)).rejects.toMatchObject({ status: 404 });
  const second = await begin(who, id, 'Two');
  expect(second).toMatchObject({
    isFirst: false,
    before: [
      { role: 'person', text: 'One' },
      { role: 'assistant', text: 'Hello.' },
    ],
  });
});

test('a conversation is its owner’s', async () => {
  const who = newOwner();
  const { id } = await execute(house.policy, startChat, who, caller);
  await expect(begin(newOwner(), id)).rejects.toMatchObject({ status: 404 });
});

test('chat.one_turn_at_a_time, until a turn can no longer end', async () => {
  const who = newOwner();
  const { id } = await execute(house.policy, startChat, who, caller);
  await begin(who, id);
  await expectRule(house, 'chat.one_turn_at_a_time', 409, (policy) => begin(who, id, 'Again', policy));
});

test('chat.turns_per_hour counts all conversations of a customer, and those of nobody else', async () => {
  const who = newOwner();
  const policy = { ...house.policy, settings: { ...house.policy.settings, chatTurnsPerHour: 2 } };
  const sessions = await Promise.all([1, 2, 3].map(() => execute(policy, startChat, who, caller)));
  // At once: they are counted one after the other all the same.
  const outcomes = await Promise.allSettled(sessions.map(({ id }) => begin(who, id, 'Hello', policy)));
  expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'fulfilled', 'rejected']);
  const [refused] = outcomes.flatMap((one) => (one.status === 'rejected' ? [one.reason] : []));
  expect(refused).toMatchObject({ code: 'chat.turns_per_hour', facts: { turns: 2 } });
  expect(refused.facts.retryAfterSeconds).toBeGreaterThan(3500);
  const operator = { owner: 'operator tok_1', customerId: null };
  const free = await execute(policy, startChat, operator, caller);
  for (const text of ['One', 'Two', 'Three']) {
    const turn = await execute(policy, beginTurn, { ...operator, sessionId: free.id, text, onlyOwner: true }, caller);
    await execute(policy, finishTurn, answered(turn.id), caller);
  }
});

test('the month’s cost decides whether a model is asked', async () => {
  const who = newOwner();
  const { id } = await execute(house.policy, startChat, who, caller);
  const first = await begin(who, id);
  // Five hundred minor units are the cap; one of these is a million.
  await execute(house.policy, finishTurn, answered(first.id, { costMicros: 500_000_000n }), caller);
  expect(await begin(who, id)).toMatchObject({ mayUseModel: false });
});

test('a case has the hash of what was said up to the last word of the person', async () => {
  const who = newOwner();
  const { id } = await execute(house.policy, startChat, who, caller);
  const first = await begin(who, id, 'One');
  await execute(house.policy, finishTurn, answered(first.id), caller);
  const second = await begin(who, id, 'My card was stolen');
  const made = await execute(house.policy, escalateTurn, { ...answered(second.id), category: 'fraud' }, caller);
  const rows = await runStatement<{ personText: string; personAt: Date; replyText: string; replyAt: Date }>(
    house.policy.pool,
    'SELECT "person_text", "person_at", "reply_text", "reply_at" FROM "chat_turn" WHERE "session_id" = $1 ORDER BY "position"',
    [id],
  );
  const entries = rows.flatMap((row) => [
    { role: 'person' as const, text: row.personText, at: row.personAt.toISOString() },
    { role: 'assistant' as const, text: row.replyText, at: row.replyAt.toISOString() },
  ]);
  expect(made.transcriptHash).toBe(transcriptHash(entries.slice(0, 3)));
  expect(transcriptHash(entries.slice(0, 2))).not.toBe(made.transcriptHash);
  expect(made.reply).toContain(made.caseId);
  const [ticket] = await house.events(made.caseId);
  expect(ticket).toMatchObject({
    type: 'TroubleTicketCreateEvent',
    resource: { ticketType: 'case', severity: 'major' },
  });
});

test('old conversations are forgotten, with what was said in them', async () => {
  const who = newOwner();
  const [old, young] = [
    await execute(house.policy, startChat, who, caller),
    await execute(house.policy, startChat, who, caller),
  ];
  await begin(who, old.id);
  await execute(house.policy, forgetChats, {}, caller);
  const left = async () =>
    (
      await runStatement<{ id: string }>(
        house.policy.pool,
        'SELECT "id" FROM "chat_session" WHERE "id" = ANY ($1) UNION ALL SELECT "session_id" FROM "chat_turn" WHERE "session_id" = ANY ($1)',
        [[old.id, young.id]],
      )
    ).map((row) => row.id);
  expect((await left()).length).toBe(3);
  await execute(
    { ...house.policy, settings: { ...house.policy.settings, chatRetentionDays: -1 } },
    forgetChats,
    {},
    caller,
  );
  expect(await left()).toEqual([]);
});
