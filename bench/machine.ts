import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { constants, PerformanceObserver } from 'node:perf_hooks';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import { pause } from './server.ts';

// What the machine itself takes for a program that is none of ours and for the two things that every request waits for, and
// what the one who measures adds to them.

const execute = promisify(execFile);
const startTimes = 9;

/**
 * Milliseconds that Node takes to run an empty program, the middle of nine times: how fast this machine is just now at code
 * that is spread widely, as a server's is. Beside others, a virtual machine may do half of what it did another day.
 * @throws Error when Node cannot be started.
 */
export async function emptyNode(): Promise<number> {
  const times: number[] = [];
  for (let time = 0; time < startTimes; time += 1) {
    const begun = performance.now();
    await execute(process.execPath, ['-e', '0'], { env: {} });
    times.push(performance.now() - begun);
  }
  return times.sort((a, b) => a - b)[(startTimes - 1) / 2] ?? 0;
}

const everyMs = 50;
const bytes = Buffer.alloc(8192, 1);
const span = 512 * bytes.length;

export interface DiskWatch {
  /** @returns the milliseconds that each flush took. @throws Error when the disk could not be asked. */
  stop(): Promise<number[]>;
}

/**
 * Asks the disk under a folder to keep eight kilobytes, twenty times a second, until it is told to stop: how long the
 * machine itself takes for what every commit waits for. On a virtual machine that is now and then a tenth of a second.
 */
export function watchDisk(folder: string): DiskWatch {
  const file = join(folder, 'disk.probe');
  const times: number[] = [];
  let isOver = false;
  const watch = async () => {
    const handle = await open(file, 'w', 0o600);
    try {
      await handle.write(Buffer.alloc(span));
      await handle.sync();
      for (let at = 0; !isOver; at = (at + bytes.length) % span) {
        const begun = performance.now();
        await handle.write(bytes, 0, bytes.length, at);
        await handle.datasync();
        times.push(performance.now() - begun);
        await pause(everyMs);
      }
    } finally {
      await handle.close();
      await rm(file);
    }
  };
  const watching = watch();
  // What is measured may fail first, and then nobody waits for this.
  watching.catch(() => undefined);
  return {
    async stop() {
      isOver = true;
      await watching;
      return times;
    },
  };
}

/** The thread that is woken: it waits for an odd number, makes it even, and wakes the other. */
const partner = `
const { workerData } = require('node:worker_threads');
const cell = new Int32Array(workerData);
for (;;) {
  const seen = Atomics.load(cell, 0);
  if (seen < 0) break;
  if (seen % 2 === 0) { Atomics.wait(cell, 0, seen); continue; }
  Atomics.compareExchange(cell, 0, seen, seen + 1);
  Atomics.notify(cell, 0);
}`;
const wakeRounds = 2000;
const wakeMsMax = 5000;

/**
 * Milliseconds until a thread that waits is running once another woke it, in the middle of two thousand times. Every
 * request pays it ten times and more, between client, server and database; on a virtual machine whose processors halt
 * when idle it is several times what it is elsewhere.
 */
export async function wakeUp(): Promise<number> {
  const shared = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
  const cell = new Int32Array(shared);
  const worker = new Worker(partner, { eval: true, workerData: shared });
  await once(worker, 'online');
  const times: number[] = [];
  try {
    for (let round = 0; round < wakeRounds; round += 1) {
      const begun = performance.now();
      const asked = round * 2 + 1;
      Atomics.store(cell, 0, asked);
      Atomics.notify(cell, 0);
      if (Atomics.wait(cell, 0, asked, wakeMsMax) === 'timed-out') throw new Error('a thread was not woken');
      // There and back.
      times.push((performance.now() - begun) / 2);
    }
  } finally {
    Atomics.store(cell, 0, -1);
    Atomics.notify(cell, 0);
    await once(worker, 'exit');
  }
  return times.sort((a, b) => a - b)[wakeRounds / 2] ?? 0;
}

export interface CollectionWatch {
  /** @returns how many there were. */
  stop(): Promise<number>;
}

/**
 * Counts how often this process collects its whole heap until it is told to stop. The load comes from here: whoever is asked
 * meanwhile looks slow and is not.
 */
export function watchCollections(): CollectionWatch {
  let count = 0;
  const observer = new PerformanceObserver((list) => {
    count += list.getEntries().filter((entry) => 'detail' in entry && isMajor(entry.detail)).length;
  });
  observer.observe({ entryTypes: ['gc'] });
  return {
    async stop() {
      // They are told of a little after they were.
      await pause(10);
      observer.disconnect();
      return count;
    },
  };
}

const isMajor = (detail: unknown): boolean =>
  typeof detail === 'object' &&
  detail !== null &&
  'kind' in detail &&
  detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR;
