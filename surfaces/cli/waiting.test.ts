import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Terminal } from './terminal.ts';
import { whileWaiting } from './waiting.ts';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

function terminalThat(isErrorTty: boolean): { terminal: Terminal; told: string[] } {
  const told: string[] = [];
  const terminal: Terminal = {
    folder: '/',
    env: {},
    isInputTty: true,
    isOutputTty: true,
    isErrorTty,
    columns: () => 80,
    out: () => undefined,
    error: (text) => void told.push(text),
    readFile: () => '',
    readLines: async function* () {},
    ask: async () => undefined,
    pause: async () => false,
    fetch,
  };
  return { terminal, told };
}

const after = (milliseconds: number) =>
  new Promise<string>((resolve) => setTimeout(() => resolve('done'), milliseconds));

test('what takes long is told while it goes on, and nothing of that is left', async () => {
  const { terminal, told } = terminalThat(true);
  const working = whileWaiting(terminal, 'working', () => after(2700));
  await vi.advanceTimersByTimeAsync(3000);
  expect(await working).toBe('done');
  expect(told).toEqual(['\rworking …\u001b[K', '\rworking 1 s …\u001b[K', '\rworking 2 s …\u001b[K', '\r\u001b[K']);
});

test('what is quick, what fails and what nobody watches', async () => {
  const { terminal, told } = terminalThat(true);
  const quick = whileWaiting(terminal, 'working', () => after(100));
  await vi.advanceTimersByTimeAsync(3000);
  await quick;
  expect(told).toEqual([]);
  const failing = whileWaiting(terminal, 'working', async () => {
    await after(500);
    throw new Error('no');
  });
  const failed = expect(failing).rejects.toThrow('no');
  await vi.advanceTimersByTimeAsync(3000);
  await failed;
  expect(told.at(-1)).toBe('\r\u001b[K');
  const piped = terminalThat(false);
  const quiet = whileWaiting(piped.terminal, 'working', () => after(5000));
  await vi.advanceTimersByTimeAsync(6000);
  await quiet;
  expect(piped.told).toEqual([]);
});
