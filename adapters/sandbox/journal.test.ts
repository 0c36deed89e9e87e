import { appendFile, mkdtemp, open, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { OutcomeUnknown, RequestRefused } from '../outcome.ts';
import { type Journal, openJournal } from './journal.ts';

let directory: string;
let file: string;
let journal: Journal | undefined;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'airtime-journal-'));
  file = join(directory, 'deep', 'book.jsonl');
});

afterEach(async () => {
  await journal?.close();
  journal = undefined;
  await rm(directory, { recursive: true, force: true });
});

async function reopened(): Promise<unknown[]> {
  await journal?.close();
  const seen: unknown[] = [];
  journal = await openJournal(file, (record) => seen.push(record));
  return seen;
}

async function all(from = 0): Promise<unknown[]> {
  const records: unknown[] = [];
  if (journal === undefined) throw new Error('no journal is open');
  for await (const { record } of journal.entries(from)) records.push(record);
  return records;
}

describe('journal', () => {
  test('gives back what was written, in order, by position and after a restart', async () => {
    const first = await openJournal(file, () => undefined);
    journal = first;
    const appended = Array.from({ length: 500 }, (_, n) => first.append({ n, text: 'é'.repeat(n) }));
    await Promise.all(appended.map(({ durable }) => durable));

    expect((await first.read(appended[250]?.position ?? -1)).record).toEqual({ n: 250, text: 'é'.repeat(250) });
    expect(await all()).toHaveLength(500);
    expect(await all(appended[498]?.position)).toEqual([
      { n: 498, text: 'é'.repeat(498) },
      { n: 499, text: 'é'.repeat(499) },
    ]);
    const seen = await reopened();
    expect(seen).toHaveLength(500);
    expect(seen[499]).toEqual({ n: 499, text: 'é'.repeat(499) });
  });

  test('a read of a record that is still on its way waits for the disk', async () => {
    const first = await openJournal(file, () => undefined);
    journal = first;
    const one = first.append({ n: 1 });
    const two = first.append({ n: 2 });
    const three = first.append({ n: 3 });
    expect((await first.read(three.position)).record).toEqual({ n: 3 });
    expect((await first.read(one.position)).record).toEqual({ n: 1 });
    expect((await first.read(two.position)).record).toEqual({ n: 2 });
    await expect(first.read(9999)).rejects.toThrow(RangeError);
  });

  test('what is durable is in the file, and entries never show more than that', async () => {
    const first = await openJournal(file, () => undefined);
    journal = first;
    const one = first.append({ n: 1 });
    expect(await all()).toEqual([]);
    await one.durable;
    expect(await readFile(file, 'utf8')).toBe('{"n":1}\n');
    expect(await all()).toEqual([{ n: 1 }]);
  });

  test('a torn last line is cut off and writing goes on behind the last whole one', async () => {
    await reopened();
    await journal?.append({ n: 1 }).durable;
    await journal?.close();
    for (const torn of ['{"n":2', '{"n":2,"text":"abc', '\n', '{"n":2\n']) {
      await appendFile(file, torn);
      expect(await reopened()).toEqual([{ n: 1 }]);
      expect((await stat(file)).size).toBe(8);
    }
    await journal?.append({ n: 3 }).durable;
    expect(await reopened()).toEqual([{ n: 1 }, { n: 3 }]);
  });

  test('every cut of the file recovers to the whole lines before it', async () => {
    await reopened();
    for (let n = 0; n < 5; n += 1) await journal?.append({ n }).durable;
    await journal?.close();
    const whole = await readFile(file);
    for (let length = whole.length; length >= 0; length -= 1) {
      await writeFile(file, whole);
      await truncate(file, length);
      expect(await reopened()).toHaveLength(Math.floor(length / 8));
    }
  });

  test('damage before the last line is refused, not repaired', async () => {
    await reopened();
    await journal?.close();
    await writeFile(file, '{"n":1}\n{"n":\n{"n":3}\n');
    await expect(openJournal(file, () => undefined)).rejects.toThrow(/damaged at byte 8/);
  });

  test('a cursor that is not the start of a line is refused', async () => {
    await reopened();
    await journal?.append({ n: 1 }).durable;
    await expect(all(3)).rejects.toThrow(RequestRefused);
    await expect(all(-1)).rejects.toThrow(RequestRefused);
    await expect(all(16)).rejects.toThrow(RequestRefused);
    expect(await all(8)).toEqual([]);
  });

  /** The class of file handles is not exported; an open one leads to it. */
  async function fileHandles(): Promise<{ datasync(): Promise<void> }> {
    const handle = await open(directory, 'r');
    await handle.close();
    return Object.getPrototypeOf(handle);
  }

  test('answers after the disk has synced, not before, and callers share a sync', async () => {
    const first = await openJournal(file, () => undefined);
    journal = first;
    let finishSync = (): void => undefined;
    const syncs = vi.spyOn(await fileHandles(), 'datasync').mockImplementation(
      () =>
        new Promise((resolve) => {
          finishSync = resolve;
        }),
    );
    try {
      let durable = 0;
      const appended = Array.from({ length: 100 }, async (_, n) => {
        await first.append({ n }).durable;
        durable += 1;
      });
      await expect.poll(() => syncs.mock.calls.length).toBe(1);
      expect(durable).toBe(0);
      expect(await all()).toEqual([]);
      finishSync();
      await expect.poll(() => syncs.mock.calls.length).toBe(2);
      expect(durable).toBeGreaterThan(0);
      expect(durable).toBeLessThan(100);
      finishSync();
      await Promise.all(appended);
      expect(syncs).toHaveBeenCalledTimes(2);
    } finally {
      syncs.mockRestore();
    }
  });

  test('after a disk error nothing is answered until the book is opened anew', async () => {
    const first = await openJournal(file, () => undefined);
    journal = first;
    await first.append({ n: 1 }).durable;
    const syncs = vi.spyOn(await fileHandles(), 'datasync').mockRejectedValueOnce(new Error('EIO'));
    try {
      const two = first.append({ n: 2 });
      await expect(two.durable).rejects.toThrow(OutcomeUnknown);
      await expect(first.read(two.position)).rejects.toThrow(OutcomeUnknown);
      await expect(first.settled()).rejects.toThrow(OutcomeUnknown);
      expect(() => first.append({ n: 3 })).toThrow(OutcomeUnknown);
      expect(await all()).toEqual([{ n: 1 }]);
    } finally {
      syncs.mockRestore();
    }
    expect((await reopened())[0]).toEqual({ n: 1 });
    await journal?.append({ n: 4 }).durable;
    expect((await reopened()).at(-1)).toEqual({ n: 4 });
  });

  test('has one owner at a time', async () => {
    await reopened();
    await expect(openJournal(file, () => undefined)).rejects.toThrow(/open elsewhere/);
    await journal?.close();
    expect(await reopened()).toEqual([]);
  });
});
