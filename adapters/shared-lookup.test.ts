import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { sharedLookup } from './shared-lookup.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function slow() {
  const asked: string[] = [];
  const answers = new Map<string, (value: string) => void>();
  const lookup = sharedLookup((name) => {
    asked.push(name);
    return new Promise<string>((done, fail) =>
      answers.set(name, (value) => (value === 'fail' ? fail(new Error(name)) : done(value))),
    );
  });
  return { asked, lookup, answer: (name: string, value: string) => answers.get(name)?.(value) };
}

test('one look-up serves all who ask for a name meanwhile', async () => {
  const { asked, lookup, answer } = slow();
  const all = [lookup('a'), lookup('a'), lookup('a')];
  answer('a', '192.0.2.1');
  expect(await Promise.all(all)).toEqual(['192.0.2.1', '192.0.2.1', '192.0.2.1']);
  expect(asked).toEqual(['a']);
});

test('two run at a time, the others in their order', async () => {
  const { asked, lookup, answer } = slow();
  const c = [lookup('a'), lookup('b'), lookup('c'), lookup('d')];
  expect(asked).toEqual(['a', 'b']);
  answer('b', 'B');
  await c[1];
  await vi.advanceTimersByTimeAsync(0);
  expect(asked).toEqual(['a', 'b', 'c']);
  answer('a', 'A');
  await vi.advanceTimersByTimeAsync(0);
  expect(asked).toEqual(['a', 'b', 'c', 'd']);
});

test('a failure is remembered for some seconds, a success is asked anew', async () => {
  const { asked, lookup, answer } = slow();
  const first = lookup('a');
  answer('a', 'fail');
  await expect(first).rejects.toThrow('a');
  await expect(lookup('a')).rejects.toThrow('a');
  expect(asked).toEqual(['a']);
  await vi.advanceTimersByTimeAsync(5000);
  const again = lookup('a');
  answer('a', 'A');
  expect(await again).toBe('A');
  const third = lookup('a');
  answer('a', 'A2');
  expect(await third).toBe('A2');
  expect(asked).toEqual(['a', 'a', 'a']);
});
