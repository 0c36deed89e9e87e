import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { mkdir, open, realpath, unlink } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { OutcomeUnknown, RequestRefused } from '../outcome.ts';

/**
 * An append-only file of JSON lines that is on disk before it answers. The file is the book; whoever opens it keeps
 * only small indexes of positions in memory and reads records back when asked.
 *
 * Positions are byte offsets of line starts. A record belongs to the book from the moment `append` returns (so two
 * calls of one process never decide on different books), and may be told to anyone once `durable` has settled.
 */
export interface Journal {
  append(record: object): { position: number; durable: Promise<void> };
  /** The record at a position that `append` or `replay` gave, once it is durable. */
  read(position: number): Promise<JournalEntry>;
  /** Durable records from a line start on, oldest first. Throws `RequestRefused` if `from` is not a line start. */
  entries(from: number): AsyncIterable<JournalEntry>;
  /** Settles once all that was appended so far is durable: for answers made from indexes in memory. */
  settled(): Promise<void>;
  close(): Promise<void>;
}

export interface JournalEntry {
  position: number;
  /** Start of the next line. */
  end: number;
  record: unknown;
}

const newline = 0x0a;
const chunkBytes = 64 * 1024;

/**
 * Opens or creates the journal and gives every record in it to `replay`. A torn last line (the process died while it
 * wrote) was never acknowledged and is cut off; a broken line anywhere else is damage, and opening fails.
 * One process owns a journal at a time: a second one is refused, because each would decide on its own index.
 */
export async function openJournal(file: string, replay: (record: unknown, position: number) => void): Promise<Journal> {
  await mkdir(dirname(file), { recursive: true });
  const lock = await holdAlone(join(await realpath(dirname(file)), basename(file)));
  let handle: FileHandle | undefined;
  try {
    handle = await open(file, 'a+', 0o600);
    const durableBytes = await recover(handle, file, replay);
    await syncDirectory(dirname(file));
    return journalOn(handle, lock, durableBytes);
  } catch (error) {
    await handle?.close();
    await release(lock);
    throw error;
  }
}

/** How a sandbox opens its book. */
export type OpenJournal = typeof openJournal;

/**
 * A book that lives as long as the program, for a simulation that keeps no files: nothing waits for a disk, so the order
 * of things is the program's alone.
 */
export const memoryJournal: OpenJournal = async () => {
  const lines: string[] = [];
  const at = (position: number): JournalEntry => {
    const line = lines[position];
    if (line === undefined) throw new RangeError(`The book has no record at ${position}.`);
    return { position, end: position + 1, record: JSON.parse(line) };
  };
  return {
    append: (record) => ({ position: lines.push(JSON.stringify(record)) - 1, durable: Promise.resolve() }),
    read: async (position) => at(position),
    async *entries(from) {
      if (!Number.isSafeInteger(from) || from < 0 || from > lines.length) {
        throw new RequestRefused('invalid_request', 'The cursor does not belong to this book.');
      }
      const until = lines.length;
      for (let position = from; position < until; position += 1) yield at(position);
    },
    settled: async () => undefined,
    close: async () => undefined,
  };
};

function journalOn(handle: FileHandle, lock: Server, initialBytes: number): Journal {
  let size = initialBytes;
  let durableBytes = initialBytes;
  let broken: Error | undefined;
  let closed = false;
  let waiting: Buffer[] = [];
  let waitingCommit: Commit | undefined;
  let writer: Promise<void> | undefined;
  const commits: { end: number; commit: Commit }[] = [];

  // Everything that arrives while one write is on its way to the disk shares the next write and its one sync.
  async function writeWaiting(): Promise<void> {
    while (waitingCommit !== undefined) {
      const commit = waitingCommit;
      const bytes = Buffer.concat(waiting);
      waiting = [];
      waitingCommit = undefined;
      try {
        if (broken !== undefined) throw broken;
        await handle.appendFile(bytes);
        await handle.datasync();
        durableBytes += bytes.length;
        commits.shift();
        commit.settle();
      } catch (error) {
        // Memory is now ahead of the disk, and after a failed sync nobody knows what the disk holds: stop here.
        broken ??= new OutcomeUnknown('The book cannot be written to disk; restart to recover it.', undefined, error);
        commits.shift();
        commit.fail(broken);
      }
    }
    writer = undefined;
  }

  function append(record: object): { position: number; durable: Promise<void> } {
    if (closed) throw new OutcomeUnknown('The book is closed.');
    if (broken !== undefined) throw broken;
    const line = Buffer.from(`${JSON.stringify(record)}\n`);
    const position = size;
    size += line.length;
    waiting.push(line);
    if (waitingCommit === undefined) {
      waitingCommit = newCommit();
      commits.push({ end: size, commit: waitingCommit });
    }
    const commit = waitingCommit;
    const last = commits.at(-1);
    if (last !== undefined) last.end = size;
    writer ??= writeWaiting();
    return { position, durable: commit.promise };
  }

  async function read(position: number): Promise<JournalEntry> {
    if (position >= durableBytes) {
      const pending = commits.find(({ end }) => position < end);
      if (pending === undefined) throw broken ?? new RangeError(`The book has no record at ${position}.`);
      await pending.commit.promise;
    }
    for await (const { end, line } of linesOf(handle, position, durableBytes, 1024)) {
      return { position, end, record: JSON.parse(line) };
    }
    throw new RangeError(`The book has no record at ${position}.`);
  }

  async function* entries(from: number): AsyncIterable<JournalEntry> {
    const until = durableBytes;
    if (!Number.isSafeInteger(from) || from < 0 || from > until || !(await startsLine(handle, from))) {
      throw new RequestRefused('invalid_request', 'The cursor does not belong to this book.');
    }
    for await (const { position, end, line } of linesOf(handle, from, until, chunkBytes)) {
      yield { position, end, record: JSON.parse(line) };
    }
  }

  async function settled(): Promise<void> {
    if (broken !== undefined) throw broken;
    await commits.at(-1)?.commit.promise;
  }

  async function close(): Promise<void> {
    if (closed) return;
    closed = true;
    await writer;
    await handle.close();
    await release(lock);
  }

  return { append, read, entries, settled, close };
}

interface Commit {
  promise: Promise<void>;
  settle: () => void;
  fail: (error: Error) => void;
}

function newCommit(): Commit {
  let settle = (): void => undefined;
  let fail = (_error: Error): void => undefined;
  const promise = new Promise<void>((resolve, reject) => {
    settle = resolve;
    fail = reject;
  });
  // A caller may have gone before the disk failed; its absence must not end the process.
  promise.catch(() => undefined);
  return { promise, settle, fail };
}

/** Replays whole lines, cuts a torn tail off, and gives the length of what is left. */
async function recover(
  handle: FileHandle,
  file: string,
  replay: (record: unknown, position: number) => void,
): Promise<number> {
  const { size } = await handle.stat();
  let good = 0;
  let suspect: { position: number; cause: unknown } | undefined;
  for await (const { position, end, line } of linesOf(handle, 0, size, chunkBytes)) {
    if (suspect !== undefined) {
      throw new Error(`${file} is damaged at byte ${suspect.position}; restore it or move it away.`, {
        cause: suspect.cause,
      });
    }
    let record: unknown;
    try {
      record = JSON.parse(line);
    } catch (cause) {
      suspect = { position, cause };
      continue;
    }
    replay(record, position);
    good = end;
  }
  if (good < size) {
    await handle.truncate(good);
    await handle.datasync();
  }
  return good;
}

async function* linesOf(
  handle: FileHandle,
  from: number,
  until: number,
  bytesPerRead: number,
): AsyncIterable<{ position: number; end: number; line: string }> {
  let lineStart = from;
  let readFrom = from;
  let rest: Buffer = Buffer.alloc(0);
  while (readFrom < until) {
    const chunk = Buffer.alloc(Math.min(bytesPerRead, until - readFrom));
    const { bytesRead } = await handle.read(chunk, 0, chunk.length, readFrom);
    if (bytesRead === 0) return;
    readFrom += bytesRead;
    const bytes = Buffer.concat([rest, chunk.subarray(0, bytesRead)]);
    let start = 0;
    for (let at = bytes.indexOf(newline); at !== -1; at = bytes.indexOf(newline, start)) {
      const end = lineStart + (at + 1 - start);
      yield { position: lineStart, end, line: bytes.toString('utf8', start, at) };
      lineStart = end;
      start = at + 1;
    }
    rest = bytes.subarray(start);
  }
}

async function startsLine(handle: FileHandle, position: number): Promise<boolean> {
  if (position === 0) return true;
  const before = Buffer.alloc(1);
  await handle.read(before, 0, 1, position - 1);
  return before[0] === newline;
}

/** A new file is only sure to survive once its directory entry is on disk too. */
async function syncDirectory(directory: string): Promise<void> {
  if (process.platform === 'win32') return; // Windows cannot open a directory; its journal of the file system serves.
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * Holds a local socket named after the file for as long as this process lives. A socket, not a lock file, because a
 * killed process leaves nobody listening behind it, and a process number may be given again.
 */
async function holdAlone(file: string): Promise<Server> {
  const name = `airtime-book-${createHash('sha256').update(file).digest('hex').slice(0, 24)}`;
  const address = process.platform === 'win32' ? `\\\\.\\pipe\\${name}` : join(tmpdir(), `${name}.sock`);
  try {
    return await listen(address);
  } catch (error) {
    if (!isAddressInUse(error)) throw error;
  }
  if (await answers(address)) {
    throw new Error(
      `${file} is open elsewhere. Several servers share one sandbox by running it as a process of its own.`,
    );
  }
  await unlink(address).catch(() => undefined);
  return listen(address);
}

function listen(address: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', reject);
    server.listen(address, () => {
      server.unref();
      resolve(server);
    });
  });
}

function answers(address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(address, () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

function release(lock: Server): Promise<void> {
  return new Promise((resolve) => {
    lock.close(() => resolve());
  });
}

function isAddressInUse(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EADDRINUSE';
}
