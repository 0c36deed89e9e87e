import { expect, test } from 'vitest';
import type { Caller } from '../../kernel/caller.ts';
import type { AgentDoor } from '../../tools/agent-door.ts';
import type { Answered, Conversations } from '../../tools/conversations.ts';
import type { ChatParts } from './parts.ts';
import { takeTurn } from './turn.ts';

const caller: Caller = {
  audience: 'customer',
  id: 'tok_1',
  name: 'Ada',
  surface: 'chat',
  scopes: ['*'],
  customerId: 'cus_1',
};
const unused = async () => {
  throw new Error('not asked');
};

/** A turn of the built-in assistant whose conversation fails where a test says so. */
function given(failing: Partial<Conversations>) {
  const finished: Answered[] = [];
  const failures: unknown[] = [];
  const door: AgentDoor = {
    list: async () => ({
      audience: 'customer',
      tools: [
        {
          name: 'bill.list',
          summary: 'List bills',
          effect: 'read',
          input: { type: 'object', properties: { limit: { type: 'integer' } } },
          output: {},
          rules: [],
          examples: [],
        },
      ],
    }),
    call: async () => ({
      outcome: 'done',
      result: { now: '2027-01-01T00:00:00.000Z', timeZone: 'UTC', items: [], next: null },
    }),
  };
  const parts: ChatParts = {
    conversations: {
      start: unused,
      list: unused,
      read: unused,
      begin: async () => ({ id: 'cht_1', isFirst: false, mayUseModel: true, before: [] }),
      finish: async (_caller, answered) => finished.push(answered),
      escalate: unused,
      owners: async () => [],
      ...failing,
    },
    model: undefined,
    clock: { now: () => new Date(0) },
    onAttempt: () => undefined,
    onForeign: async () => undefined,
    onFailure: (_caller, error) => failures.push(error),
  };
  const say = (text: string) => takeTurn(parts, { caller, door }, 'chs_1', text);
  return { say, finished, failures };
}
const lost = async () => {
  throw new Error('the database is away');
};

test('a turn that fails after it began is ended with the tools that it called, and its failure is told', async () => {
  const { say, finished } = given({ owners: lost });
  await expect(say('Show me my receipts')).rejects.toThrow('the database is away');
  expect(finished).toEqual([
    expect.objectContaining({
      turnId: 'cht_1',
      reply: expect.stringContaining('the server failed'),
      assistant: 'rules',
      toolCalls: [expect.objectContaining({ tool: 'bill.list', outcome: 'done' })],
    }),
  ]);
});

test('a case that cannot be opened leaves no conversation waiting', async () => {
  const { say, finished } = given({ escalate: lost });
  await expect(say('This is fraud')).rejects.toThrow('the database is away');
  expect(finished).toHaveLength(1);
});

test('an end that fails is tried once more, and the first failure is the one that is told', async () => {
  let tries = 0;
  const finish = async () => {
    tries += 1;
    throw new Error(`failure ${tries}`);
  };
  const { say, failures } = given({ finish });
  await expect(say('Show me my receipts')).rejects.toThrow('failure 1');
  expect([tries, failures]).toEqual([2, [new Error('failure 2')]]);
});
