import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { GatewayOperation } from '../card-gateway.ts';
import { OutcomeUnknown } from '../outcome.ts';
import { remoteCardGateway, remoteMailbox, remoteNetwork } from './remote.ts';

const secret = 'a secret of the test suite';
const program = fileURLToPath(new URL('./main.ts', import.meta.url));

describe('sandbox as a process of its own', { timeout: 60_000 }, () => {
  let directory: string;
  let child: ChildProcess | undefined;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'airtime-sandbox-'));
  });
  afterEach(async () => {
    await kill('SIGTERM');
    await rm(directory, { recursive: true, force: true });
  });

  const directories = () => ['--gateway', join(directory, 'g'), '--network', join(directory, 'n'), '--mail', directory];

  function launch(args: string[], environment: NodeJS.ProcessEnv = { SANDBOX_SECRET: secret }): ChildProcess {
    const started = spawn(process.execPath, ['--import', 'tsx', program, ...args], {
      env: { PATH: process.env.PATH, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child = started;
    return started;
  }

  async function start(): Promise<string> {
    const started = launch(directories());
    if (started.stdout === null) throw new Error('the sandbox has no output');
    for await (const line of createInterface({ input: started.stdout })) {
      const { url }: { url: string } = JSON.parse(line);
      return url;
    }
    throw new Error('the sandbox did not start');
  }

  async function kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.kill(signal);
    await once(child, 'exit');
  }

  test('killed under load it keeps every answer it gave, and nothing twice', async () => {
    const answered = new Map<string, string>();
    let attempts = 0;
    for (let round = 0; round < 4; round += 1) {
      const url = await start();
      const gateway = remoteCardGateway(url, secret);
      let running = true;
      const customers = Array.from({ length: 16 }, async (_, customer) => {
        while (running) {
          attempts += 1;
          const name = `${round}-${customer}-${attempts}`;
          try {
            const held = await gateway.authorise({
              key: `${name} hold`,
              token: `tok_visa_${customer}`,
              amountMinor: 500,
              currency: 'SGD',
              reference: name,
            });
            answered.set(`${name} hold`, JSON.stringify(held));
            const { gatewayReference } = held;
            const move = { gatewayReference, amountMinor: 500, currency: 'SGD' };
            const captured = await gateway.capture({ key: `${name} take`, ...move });
            answered.set(`${name} take`, JSON.stringify(captured));
          } catch (error) {
            if (!(error instanceof OutcomeUnknown)) throw error;
            return; // The process has been killed under this call.
          }
        }
      });
      await sleep(400 + 150 * round);
      // On a busy machine it takes longer until there is something to lose.
      while (answered.size < 110 * (round + 1)) await sleep(10);
      await kill();
      running = false;
      await Promise.all(customers);
      await appendFile(join(directory, 'g', 'card-gateway.jsonl'), '{"type":"operation","operation":{"kind":"capt');
    }

    const gateway = remoteCardGateway(await start(), secret);
    const book = new Map<string, GatewayOperation>();
    let takenMinor = 0;
    for await (const operation of gateway.book()) {
      expect(book.has(operation.key)).toBe(false);
      book.set(operation.key, operation);
      if (operation.answer.outcome === 'captured') takenMinor += operation.amountMinor;
    }
    expect(answered.size).toBeGreaterThan(400);
    for (const [key, answer] of answered) expect(JSON.stringify(book.get(key)?.answer)).toBe(answer);
    expect(await gateway.totals()).toMatchObject([{ capturedMinor: takenMinor }]);
    const whole = await readFile(join(directory, 'g', 'card-gateway.jsonl'), 'utf8');
    expect(whole.endsWith('\n')).toBe(true);
  });

  test('serves all three, stops when asked, and starts again on the same books', async () => {
    const first = await start();
    const line = { line: 'svc_1', msisdn: '6580000001', iccid: '8965000000000000001' };
    const desired = { state: 'active', data: true, voice: true, sms: true, roamingData: true } as const;
    await remoteNetwork(first, secret).apply({ key: 'n', ...line, sequence: 1, desired });
    await remoteNetwork(first, secret).plan({ mode: 'refuse', line: 'svc_1' });
    await remoteMailbox(first, secret).send({ key: 'm', to: 'ann@example.com', subject: 'Hello', text: 'Hello.' });
    await kill('SIGTERM');
    expect(child?.exitCode).toBe(0);
    const second = await start();
    expect(await remoteNetwork(second, secret).line('svc_1')).toMatchObject({ ...line, ...desired, sequence: 1 });
    expect(await remoteNetwork(second, secret).plans()).toMatchObject([{ mode: 'refuse', line: 'svc_1' }]);
    expect(await remoteMailbox(second, secret).messages()).toHaveLength(1);
  });

  test('a second one on the same book is refused, and one without a secret or a book', async () => {
    await start();
    const owner = child;
    for (const [args, environment, code] of [
      [directories(), { SANDBOX_SECRET: secret }, 1],
      [['--mail', join(directory, 'other')], {}, 1],
      [[], { SANDBOX_SECRET: secret }, 2],
    ] as const) {
      const [exitCode] = await once(launch([...args], environment), 'exit');
      expect(exitCode).toBe(code);
    }
    child = owner;
  });
});
