import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openDoors } from './doors.ts';
import { type LiveServer, startLiveServer } from './live-server.ts';

// The walk in the README is run as printed, in the folder that a reader would stand in.

const heading = '## From catalogue to blocked and back, with curl';

/** The commands of the walk, in order: every sh block between its heading and the next one of its level. */
function walkOf(readme: string): string {
  const [, after] = readme.split(`${heading}\n`);
  if (after === undefined) throw new Error(`README.md has no section "${heading}"`);
  const [section = ''] = after.split(/^## /m);
  return [...section.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, block]) => block).join('\n');
}

interface Ran {
  code: number | null;
  out: string;
  error: string;
}

const walkMsMax = 60_000;

function runAsPrinted(commands: string, folder: string): Promise<Ran> {
  const shell = spawn('bash', ['-e'], {
    cwd: folder,
    env: { PATH: process.env.PATH, HOME: folder },
    stdio: ['pipe', 'pipe', 'pipe'],
    timeout: walkMsMax,
  });
  shell.stdin.end(commands);
  return new Promise((resolve, reject) => {
    const out: Buffer[] = [];
    const error: Buffer[] = [];
    shell.stdout.on('data', (data: Buffer) => out.push(data));
    shell.stderr.on('data', (data: Buffer) => error.push(data));
    shell.once('error', reject);
    shell.once('close', (code) =>
      resolve({ code, out: Buffer.concat(out).toString(), error: Buffer.concat(error).toString() }),
    );
  });
}

describe('the walk in the README', () => {
  const commands = walkOf(readFileSync(fileURLToPath(new URL('../README.md', import.meta.url)), 'utf8'));
  let server: LiveServer;
  let ran: Ran;

  beforeAll(async () => {
    server = await startLiveServer();
    ran = await runAsPrinted(commands, server.folder);
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
