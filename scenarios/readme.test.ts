import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Ended, runProgram, type ServerProcess, startServerProcess } from '../app/testing-process.ts';
import { blocksFor } from './documents.ts';
import { openDoors } from './doors.ts';

// The walk in the README is run as printed, in the folder that a reader would stand in.

const walkMsMax = 60_000;

describe('the walk in the README', () => {
  const commands = blocksFor('walk')
    .map(({ text }) => text)
    .join('\n');
  let server: ServerProcess;
  let ran: Ended;

  beforeAll(async () => {
    server = await startServerProcess();
    const env = { PATH: process.env.PATH, HOME: server.folder };
    ran = await runProgram('bash', ['-e'], { cwd: server.folder, env, input: commands, msMax: walkMsMax });
  }, 120_000);
  afterAll(() => server?.stop());

  test('every command succeeds', () => {
    expect(ran).toMatchObject({ code: 0, error: '' });
  });

  test('and answers what is printed under it', () => {
    const printed = commands.split('\n').flatMap((line) => (line.startsWith('#> ') ? [line.slice(3)] : []));
    expect(printed).toContain('suspended');
    expect(ran.out.trimEnd().split('\n')).toEqual(printed);
  });

  test('it went through blocked and back', async () => {
    const doors = openDoors(server);
    const lines = await doors.tool('subscription.list', {});
    expect(lines.answer).toMatchObject({
      items: [
        {
          state: 'active',
          balances: expect.arrayContaining([
            expect.objectContaining({ kind: 'data', remaining: expect.objectContaining({ text: '512 MB' }) }),
          ]),
        },
      ],
    });
    const usage = await doors.http('GET', '/tmf-api/usageManagement/v4/usage?sort=usageDate&fields=status');
    expect(usage.answer).toMatchObject(
      ['rated', 'rated', 'rejected', 'rejected', 'rated'].map((status) => ({ status })),
    );
    const bills = await doors.http(
      'GET',
      '/tmf-api/customerBillManagement/v4/customerBill?sort=billNo&fields=taxIncludedAmount',
    );
    expect(bills.answer).toMatchObject([{ taxIncludedAmount: { value: 10 } }, { taxIncludedAmount: { value: 3 } }]);
  });
});
