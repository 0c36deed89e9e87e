import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { networkContract } from '../../network.contract.ts';
import type { DesiredLine, NetworkTask } from '../../network.ts';
import { OutcomeUnknown } from '../../outcome.ts';
import { remoteNetwork } from '../remote.ts';
import { serveSandboxes } from '../server.ts';
import { type NetworkEntry, openSandboxNetwork, type SandboxNetwork } from './sandbox-network.ts';

const secret = 'a secret of the test suite';

interface Running {
  network: SandboxNetwork;
  clock: { now: Date };
  /** Ends the oldest stall. */
  wake(): void;
  stalls(): number;
  restart(): Promise<SandboxNetwork>;
  close(): Promise<void>;
}

async function run(form: 'in process' | 'remote'): Promise<Running> {
  const directory = await mkdtemp(join(tmpdir(), 'airtime-network-'));
  const clock = { now: new Date('2026-03-01T00:00:00Z') };
  const sleepers: { milliseconds: number; wake: () => void }[] = [];
  let drawn = 0;

  async function start(): Promise<{ network: SandboxNetwork; stop: () => Promise<void> }> {
    const local = await openSandboxNetwork({
      directory,
      now: () => clock.now,
      id: () => {
        drawn += 1;
        return `id${drawn}`;
      },
      sleep: (milliseconds) =>
        new Promise<void>((resolve) => {
          sleepers.push({ milliseconds, wake: resolve });
        }),
    });
    if (form === 'in process') return { network: local, stop: local.close };
    const server = await serveSandboxes({ secret, network: local }, 0);
    return {
      network: remoteNetwork(server.url, secret),
      stop: async () => {
        await server.close();
        await local.close();
      },
    };
  }

  let current = await start();
  return {
    network: current.network,
    clock,
    stalls: () => sleepers.length,
    wake: () => {
      const sleeper = sleepers.shift();
      if (sleeper === undefined) throw new Error('nobody sleeps');
      clock.now = new Date(clock.now.getTime() + sleeper.milliseconds);
      sleeper.wake();
    },
    async restart() {
      await current.stop();
      current = await start();
      return current.network;
    },
    async close() {
      await current.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

for (const form of ['in process', 'remote'] as const) {
  networkContract(`sandbox, ${form}`, async () => {
    const { network, restart, close } = await run(form);
    let drawn = 0;
    const next = (): number => {
      drawn += 1;
      return drawn;
    };
    return {
      network,
      restart,
      close,
      newKey: () => `key ${next()}`,
      newLine: () => {
        const digits = String(next()).padStart(6, '0');
        return { line: `svc_${digits}`, msisdn: `6580${digits}`, iccid: `8965000000000${digits}` };
      },
      refuseNext: (line, permanent) => network.plan({ mode: 'refuse', line, permanent, times: 1 }),
    };
  });
}

const active: DesiredLine = { state: 'active', data: true, voice: true, sms: true, roamingData: false };

function task(key: string, sequence: number, desired: DesiredLine, number = 1): NetworkTask {
  return {
    key,
    line: `line ${number}`,
    sequence,
    msisdn: `658000000${number}`,
    iccid: `896500000000000000${number}`,
    desired,
  };
}

describe.each(['in process', 'remote'] as const)('network sandbox, %s', (form) => {
  let running: Running;
  let network: SandboxNetwork;

  beforeEach(async () => {
    running = await run(form);
    network = running.network;
  });
  afterEach(() => running.close());

  test('unavailable: lost before the effect, across a restart, only where the filter says', async () => {
    await network.plan({ mode: 'unavailable', msisdn: '6580000001', times: 2 });
    await expect(network.apply(task('a', 1, active))).rejects.toMatchObject({ name: 'OutcomeUnknown', key: 'a' });
    expect((await network.apply(task('b', 1, active, 2))).outcome).toBe('confirmed');
    network = await running.restart();
    expect(await network.plans()).toMatchObject([{ mode: 'unavailable', msisdn: '6580000001', left: 1 }]);
    await expect(network.apply(task('a', 1, active))).rejects.toThrow(OutcomeUnknown);
    expect(await network.find('a')).toBeUndefined();
    expect((await network.apply(task('a', 1, active))).outcome).toBe('confirmed');
    expect(await network.plans()).toEqual([]);
  });

  test('unavailable for questions, until cleared', async () => {
    await network.plan({ mode: 'unavailable', calls: ['find', 'line'] });
    expect((await network.apply(task('a', 1, active))).outcome).toBe('confirmed');
    await expect(network.find('a')).rejects.toThrow(OutcomeUnknown);
    await expect(network.line('line 1')).rejects.toThrow(OutcomeUnknown);
    await network.clearPlans();
    network = await running.restart();
    expect(await network.find('a')).toMatchObject({ outcome: 'confirmed' });
  });

  test('lose_answer: the effect happens and is found', async () => {
    await network.plan({ mode: 'lose_answer', line: 'line 1', times: 1 });
    await expect(network.apply(task('a', 1, active))).rejects.toThrow(OutcomeUnknown);
    expect(await network.find('a')).toMatchObject({ outcome: 'confirmed' });
    expect(await network.line('line 1')).toMatchObject({ state: 'active', sequence: 1 });
    expect(await network.apply(task('a', 1, active))).toEqual(await network.find('a'));
  });

  test('refuse: by desired state, with the code asked for', async () => {
    await network.plan({ mode: 'refuse', when: 'active', code: 'no_capacity', permanent: true });
    expect((await network.apply(task('a', 1, { ...active, state: 'inactive' }))).outcome).toBe('confirmed');
    expect(await network.apply(task('b', 2, active))).toMatchObject({
      outcome: 'refused',
      code: 'no_capacity',
      permanent: true,
    });
    expect(await network.line('line 1')).toMatchObject({ state: 'inactive', sequence: 1 });
  });

  test('stall: the task waits, is overtaken, and the lag of the newer one is told', async () => {
    await network.plan({ mode: 'stall', stallMs: 5000, times: 1 });
    const slow = network.apply(task('slow', 1, active));
    await expect.poll(running.stalls).toBe(1);
    expect(await network.find('slow')).toBeUndefined();
    const fast = await network.apply(task('fast', 2, { ...active, data: false }));
    expect(fast).toMatchObject({ outcome: 'confirmed' });
    running.wake();
    expect(await slow).toEqual({ outcome: 'superseded', line: 'line 1', sequence: 1, newestSequence: 2 });
    expect(await network.line('line 1')).toMatchObject({ data: false, sequence: 2 });
  });

  test('stall: the same task sent again meanwhile is done once, and its lag starts with the first', async () => {
    await network.plan({ mode: 'stall', stallMs: 5000, times: 2 });
    const first = network.apply(task('a', 1, active));
    await expect.poll(running.stalls).toBe(1);
    const second = network.apply(task('a', 1, active));
    await expect.poll(running.stalls).toBe(2);
    running.wake();
    const answer = await first;
    running.wake();
    expect(await second).toEqual(answer);
    expect(answer).toMatchObject({
      receivedAt: new Date('2026-03-01T00:00:00Z'),
      confirmedAt: new Date('2026-03-01T00:00:05Z'),
    });
    expect(await bookOf(network)).toHaveLength(1);
  });

  test('after a passing refusal the lag still counts from the first try', async () => {
    await network.plan({ mode: 'refuse', times: 1 });
    await network.apply(task('a', 1, active));
    running.clock.now = new Date('2026-03-01T00:01:00Z');
    expect(await network.apply(task('a', 1, active))).toMatchObject({
      outcome: 'confirmed',
      receivedAt: new Date('2026-03-01T00:00:00Z'),
      confirmedAt: new Date('2026-03-01T00:01:00Z'),
    });
  });

  test('the book holds every answer in order and is read on from a cursor', async () => {
    await network.plan({ mode: 'refuse', when: 'active', times: 1 });
    await network.apply(task('a', 1, { ...active, state: 'inactive' }));
    await network.apply(task('b', 2, active));
    await network.apply(task('b', 2, active));
    await network.apply(task('c', 1, active));
    const book = await bookOf(network);
    expect(book.map(({ task: { key }, answer: { outcome } }) => [key, outcome])).toEqual([
      ['a', 'confirmed'],
      ['b', 'refused'],
      ['b', 'confirmed'],
      ['c', 'superseded'],
    ]);
    expect(await bookOf(network, book[1]?.cursor)).toEqual(book.slice(2));
    await expect(bookOf(network, 'x')).rejects.toMatchObject({ code: 'invalid_request' });
  });
});

async function bookOf(network: SandboxNetwork, after?: string): Promise<NetworkEntry[]> {
  const entries: NetworkEntry[] = [];
  for await (const entry of network.book(after)) entries.push(entry);
  return entries;
}
