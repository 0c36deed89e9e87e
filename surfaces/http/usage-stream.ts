import type { IncomingMessage, ServerResponse } from 'node:http';
import { loadValidators } from '../../generated/validators/index.ts';
import {
  type BatchRecord,
  type BatchResult,
  chargeBatches,
  readRecord,
  unreadable,
} from '../../handlers/usage-batch.ts';
import type { Wire } from '../../handlers/wire.ts';
import { findCardSecret } from '../../kernel/card-number.ts';
import type { Json, JsonObject } from '../../kernel/json.ts';
import { type Authenticate, allowApi, authenticated, type Rates, through } from './authorise.ts';
import { mediaTypeOf } from './body.ts';
import { type Exchange, sendText } from './exchange.ts';
import { contractError } from './faults.ts';
import { findUnfit } from './json.ts';
import { HttpProblem } from './problem.ts';

export interface UsageStreamLimits {
  /** Bytes of one record. */
  recordBytesMax: number;
  /** Records that are charged at once, in one transaction or a few. */
  batchMax: number;
  /** Streams that are served at once by this process; each may hold a connection of the database. */
  streamsMax: number;
  /** Milliseconds without a byte after which a stream is over. */
  idleMs: number;
  /** Levels of arrays and objects in one another. */
  nestingMax: number;
}

export const usageStreamLimits: Omit<UsageStreamLimits, 'nestingMax'> = {
  recordBytesMax: 64 * 1024,
  batchMax: 1000,
  streamsMax: 4,
  idleMs: 30_000,
};

export interface UsageStreamParts {
  readonly wire: Pick<Wire, 'policy' | 'wake'>;
  readonly authenticate: Authenticate;
  readonly rates?: Rates | undefined;
  readonly limits: UsageStreamLimits;
}

const ndjson = 'application/x-ndjson';
const accepted = [ndjson, 'application/ndjson', 'application/jsonl'];

export const usageStreamPath = /^\/usage\/stream\/?$/i;

/**
 * The door for usage at volume, `POST /usage/stream`: a record a line in, a result a line out, in the same order, while
 * the stream is still being sent. A line that cannot be read gets its result and loses no other. What is held in memory
 * is bounded by the limits: a caller who does not read results is not read from.
 */
export function usageStream(parts: UsageStreamParts): (exchange: Exchange) => Promise<void> {
  let open = 0;
  return async (exchange) => {
    const { request, response } = exchange;
    exchange.api = 'usage';
    exchange.route = '/usage/stream';
    exchange.operationName = 'streamUsage';
    const allow = 'POST, OPTIONS';
    if (request.method === 'OPTIONS') {
      sendText(response, 'OPTIONS', { status: 204, headers: { Allow: allow }, text: null });
      return;
    }
    if (request.method !== 'POST') {
      throw new HttpProblem(405, 'methodNotAllowed', `This path answers ${allow}.`, { headers: { Allow: allow } });
    }
    const caller = through(await authenticated(request, parts), 'tmf', exchange.requestId);
    exchange.caller = caller;
    allowApi(caller, 'TMF635', 'POST');
    mediaTypeOf(request.headers, 'POST', accepted);
    if ((request.headers['content-encoding'] ?? 'identity') !== 'identity') {
      throw new HttpProblem(415, 'unsupportedEncoding', 'Send the stream plain, without a Content-Encoding.', {
        headers: { 'Accept-Encoding': 'identity', Connection: 'close' },
      });
    }
    if (open >= parts.limits.streamsMax) {
      throw new HttpProblem(503, 'busy', `At most ${parts.limits.streamsMax} streams are served at once. Try again.`, {
        headers: { Connection: 'close' },
      });
    }
    const flawOf = await contractFlaws();
    const read = (line: Line) => readLine(line, parts.limits, flawOf);
    open += 1;
    try {
      response.statusCode = 200;
      response.setHeader('Content-Type', ndjson);
      response.flushHeaders();
      const charge = chargeBatches(parts.wire, caller);
      await serve(request, response, parts.limits, (lines) => charge(lines.map(read)));
    } finally {
      open -= 1;
    }
  };
}

/** What the contract has against a body of TMF635. */
async function contractFlaws(): Promise<(document: JsonObject) => string | undefined> {
  const { operations } = await loadValidators.TMF635();
  const validate = operations.createUsage?.request?.['application/json'];
  return (document) =>
    !validate || validate(document) ? undefined : contractError(validate.errors, 'the record').message;
}

interface Line {
  number: number;
  /** Undefined: longer than a record may be. */
  bytes: Buffer | undefined;
}

const decoder = new TextDecoder('utf-8', { fatal: true });

function readLine(
  line: Line,
  limits: UsageStreamLimits,
  flawOf: (document: JsonObject) => string | undefined,
): BatchRecord {
  const { number, bytes } = line;
  if (!bytes) return unreadable(number, '', `a record has at most ${limits.recordBytesMax} bytes`);
  let raw: string;
  try {
    raw = decoder.decode(bytes);
  } catch {
    return unreadable(number, bytes.toString('latin1'), 'a record is UTF-8');
  }
  let value: Json;
  try {
    value = JSON.parse(raw);
  } catch {
    return unreadable(number, raw, 'a record is one JSON object on one line');
  }
  const unfit = findUnfit(value, limits.nestingMax);
  if (unfit) return unreadable(number, raw, `${unfit.field} ${unfit.rule}`);
  const secret = findCardSecret(value, { aboutPaying: false });
  if (secret !== undefined) return unreadable(number, '', `${secret} seems to hold a card number`);
  return readRecord(number, value, raw, flawOf);
}

/** Reads lines and has them charged. */
type Charge = (lines: Line[]) => Promise<BatchResult[]>;

/** Batches that are charged at once; of one number they are charged one after another. */
const underWayMax = 2;

/**
 * Reads lines, has them charged batch by batch, and writes the results in their order: while one is charged, the next is
 * read and the last is answered.
 */
async function serve(
  request: IncomingMessage,
  response: ServerResponse,
  limits: UsageStreamLimits,
  charge: Charge,
): Promise<void> {
  const waiting: Line[] = [];
  let running: Promise<void> | undefined;
  let room: (() => void) | undefined;
  let broken: unknown;

  async function pump(): Promise<void> {
    const underWay: Promise<BatchResult[]>[] = [];
    let failure: { reason: unknown } | undefined;
    const begin = () => {
      while (!failure && underWay.length < underWayMax && waiting.length > 0) {
        const results = charge(waiting.splice(0, limits.batchMax));
        // Its failure is heard when its turn comes to be written.
        results.catch(() => undefined);
        underWay.push(results);
        if (waiting.length < limits.batchMax) room?.();
      }
    };
    try {
      begin();
      for (let first = underWay[0]; first; first = underWay[0]) {
        const results = await first.catch((reason: unknown) => {
          failure ??= { reason };
          return [];
        });
        underWay.shift();
        begin();
        // What was charged beside a batch that failed is told: nobody sends again what has its result.
        if (results.length > 0)
          await write(response, `${results.map((result) => JSON.stringify(result)).join('\n')}\n`);
        begin();
      }
    } finally {
      await Promise.allSettled(underWay);
    }
    if (failure) throw failure.reason;
  }

  const splitter = lineSplitter(limits.recordBytesMax);
  // Runs only while it is the caller who is waited for.
  let idle: NodeJS.Timeout | undefined;
  const expectMore = () => {
    clearTimeout(idle);
    idle = setTimeout(() => request.destroy(new Error('the stream stood still')), limits.idleMs).unref();
  };
  expectMore();
  try {
    // Left open on the way out, so that those who still listen can be told.
    for await (const chunk of request.iterator({ destroyOnReturn: false })) {
      clearTimeout(idle);
      waiting.push(...splitter.push(chunk));
      if (broken !== undefined) throw broken;
      running ??= pump()
        .catch((error: unknown) => {
          broken = error;
          room?.();
        })
        .finally(() => {
          running = undefined;
        });
      if (waiting.length >= 2 * limits.batchMax) {
        await new Promise<void>((resolve) => {
          room = resolve;
        });
        room = undefined;
      }
      expectMore();
    }
    clearTimeout(idle);
    waiting.push(...splitter.end());
    await running;
    if (broken !== undefined) throw broken;
    await pump();
    response.end();
  } catch (error) {
    // Those who are still there are told that the rest was not looked at: lines without a result are to be sent again.
    if (response.destroyed) return;
    await running;
    const stopped = {
      status: 'stopped',
      reason: 'unavailable',
      message: 'The stream ended early. Send the records that have no result again.',
    };
    response.end(`${JSON.stringify(stopped)}\n`);
    if (broken === undefined || error !== broken) return;
    throw error;
  } finally {
    clearTimeout(idle);
  }
}

/** Waits until the caller has taken in what was written. */
async function write(response: ServerResponse, text: string): Promise<void> {
  if (response.destroyed) throw new Error('the caller has gone');
  if (response.write(text)) return;
  await new Promise<void>((resolve, reject) => {
    const done = () => {
      response.off('drain', done);
      response.off('close', gone);
      resolve();
    };
    const gone = () => {
      response.off('drain', done);
      reject(new Error('the caller has gone'));
    };
    response.once('drain', done);
    response.once('close', gone);
  });
}

const newline = 10;

/** Cuts bytes into lines. Empty lines count and are left out; one that is too long is not kept. */
export function lineSplitter(bytesMax: number): { push(chunk: Buffer): Line[]; end(): Line[] } {
  let number = 0;
  let parts: Buffer[] = [];
  let size = 0;
  const add = (part: Buffer) => {
    size += part.length;
    if (size <= bytesMax) parts.push(part);
    else parts = [];
  };
  const finish = (): Line[] => {
    number += 1;
    const bytes = size > bytesMax ? undefined : parts.length === 1 && parts[0] ? parts[0] : Buffer.concat(parts);
    parts = [];
    size = 0;
    return bytes !== undefined && isBlank(bytes) ? [] : [{ number, bytes }];
  };
  return {
    push(chunk) {
      const lines: Line[] = [];
      let from = 0;
      for (let at = chunk.indexOf(newline); at >= 0; at = chunk.indexOf(newline, from)) {
        add(chunk.subarray(from, at));
        lines.push(...finish());
        from = at + 1;
      }
      if (from < chunk.length) add(chunk.subarray(from));
      return lines;
    },
    end: () => (size > 0 ? finish() : []),
  };
}

function isBlank(bytes: Buffer): boolean {
  return bytes.every((byte) => byte === 32 || byte === 9 || byte === 13);
}
