import http from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type TestPolicy, testPolicy } from '../../policy/core/testing.ts';
import { runStatement } from '../../policy/core/transaction.ts';
import { type TestDoor, testDoor, testWire } from './testing.ts';
import { lineSplitter } from './usage-stream.ts';

let house: TestPolicy;
let door: TestDoor;
const recordBytesMax = 2000;
beforeAll(async () => {
  house = await testPolicy();
  door = await testDoor({
    wire: { ...testWire(house.policy.pool), policy: house.policy },
    streamLimits: { recordBytesMax, streamsMax: 2, idleMs: 1500, batchMax: 100 },
    limits: { requestTimeoutMs: 700 },
  });
});
afterAll(async () => {
  await door.server.close(100);
  await house.close();
});

const headers = { authorization: 'Bearer air_operator', 'content-type': 'application/x-ndjson' };
const url = () => `${door.url}/usage/stream`;

interface Result {
  line?: number;
  status: string;
  reason?: string;
  message?: string;
  id?: string;
  repeated?: boolean;
  recordId?: string;
}

const resultsOf = (text: string): Result[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line): Result => JSON.parse(line));

async function send(body: string | Buffer<ArrayBuffer>, more: Record<string, string> = {}): Promise<Result[]> {
  const response = await fetch(url(), { method: 'POST', headers: { ...headers, ...more }, body });
  expect([response.status, response.headers.get('content-type')]).toEqual([200, 'application/x-ndjson']);
  return resultsOf(await response.text());
}

/** A request that is written bit by bit and read as it is answered. */
function open(): { request: http.ClientRequest; next(): Promise<string>; closed: Promise<void> } {
  const request = http.request(url(), { method: 'POST', headers });
  const parts: string[] = [];
  let heard: (() => void) | undefined;
  let close: () => void = () => undefined;
  const closed = new Promise<void>((resolve) => {
    close = resolve;
  });
  request.on('error', () => close());
  request.on('response', (response) => {
    response.setEncoding('utf8');
    response.on('data', (text: string) => {
      parts.push(text);
      heard?.();
    });
    response.on('error', () => close());
    response.on('close', () => close());
  });
  return {
    request,
    closed,
    async next() {
      while (parts.length === 0)
        await new Promise<void>((resolve) => {
          heard = resolve;
        });
      return parts.shift() ?? '';
    },
  };
}

const record = (id: string) =>
  JSON.stringify({ msisdn: '6599000001', kind: 'data', amount: 1, source: 'stream', recordId: id });

describe('POST /usage/stream', () => {
  it('answers each line in its order, and a broken one loses no other', async () => {
    const lines = [
      record('a'),
      '{"msisdn": "6599000001", "kind"',
      '',
      JSON.stringify({
        usageType: 'data',
        usageCharacteristic: [
          { name: 'msisdn', value: '6599000001' },
          { name: 'volume', value: 1 },
          { name: 'recordId', value: 'b' },
        ],
      }),
      JSON.stringify({ usageType: 5, usageCharacteristic: [] }),
      JSON.stringify({ msisdn: '6599000001', kind: 'data', amount: 1, colour: 'red' }),
      `{"msisdn": "${'9'.repeat(recordBytesMax)}"}`,
      JSON.stringify({ msisdn: '6599000001', kind: 'data', amount: 1, recordId: '4111 1111 1111 1111' }),
      JSON.stringify({ msisdn: '6599000001', kind: 'data', amount: 1, usageDate: 'yesterday' }),
      JSON.stringify({ msisdn: '6599000001', kind: 'data', amount: 1, usageDate: '0000-01-01T00:00:00Z' }),
      JSON.stringify({ msisdn: '6599000001\u0000', kind: 'data', amount: 1 }),
      '["a"]',
      JSON.stringify({ msisdn: '6599000001', kind: 'telepathy', amount: 1, recordId: 'c' }),
      record('a'),
    ];
    const results = await send(Buffer.concat([Buffer.from(lines.join('\n')), Buffer.from([10, 0xff, 0xfe, 10])]));
    expect(results.map((result) => [result.line, result.reason])).toEqual([
      [1, 'usage.number_known'],
      [2, 'usage.readable'],
      [4, 'usage.number_known'],
      [5, 'usage.readable'],
      [6, 'usage.readable'],
      [7, 'usage.readable'],
      [8, 'usage.readable'],
      [9, 'usage.readable'],
      [10, 'usage.readable'],
      [11, 'usage.readable'],
      [12, 'usage.readable'],
      [13, 'usage.kind_known'],
      [14, 'usage.number_known'],
      [15, 'usage.readable'],
    ]);
    expect(results.at(-2)).toMatchObject({ repeated: true, id: results[0]?.id, recordId: 'a' });
    expect(results[5]?.message).toBe(`a record has at most ${recordBytesMax} bytes`);
    const stored = await runStatement<{ text: string }>(house.policy.pool, 'SELECT "document"::text FROM "usage"', []);
    expect(JSON.stringify(stored)).not.toContain('4111');
  });

  it('answers while the stream is still being sent', async () => {
    const stream = open();
    stream.request.write(`${record('live-1')}\n`);
    expect(await stream.next()).toContain('live-1');
    // Longer than a body may take to arrive: a stream may.
    await new Promise((resolve) => setTimeout(resolve, 900));
    stream.request.write(`${record('live-2')}\n${record('live-3').slice(0, 20)}`);
    expect(await stream.next()).toContain('live-2');
    stream.request.end(record('live-3').slice(20));
    expect(await stream.next()).toContain('live-3');
    await stream.closed;
  });

  it('counts a record once, whichever way and however often it comes', async () => {
    const many = Array.from({ length: 1200 }, (_, index) => record(`many-${index}`)).join('\n');
    const [first, second] = await Promise.all([send(many), send(many)]);
    const ids = (results: Result[]) => results.map((result) => result.id);
    expect(ids(first)).toEqual(ids(second));
    expect(new Set(ids(first)).size).toBe(1200);
    expect(first.filter((result) => result.repeated).length + second.filter((result) => result.repeated).length).toBe(
      1200,
    );
  });

  it('reads no further from who does not read, and is over when nothing comes', async () => {
    const stream = http.request(url(), { method: 'POST', headers });
    stream.on('error', () => undefined);
    stream.on('response', () => undefined);
    let sent = 0;
    let isStalled = false;
    const line = `${record('same')}\n`.repeat(1000);
    const begun = Date.now();
    // Nobody listens to the answer, so the sender is stopped by the server long before this many.
    while (sent < 400 && Date.now() - begun < 10_000) {
      sent += 1;
      if (stream.write(line)) continue;
      const drained = await new Promise<boolean>((resolve) => {
        const late = setTimeout(() => resolve(false), 1000);
        stream.once('drain', () => {
          clearTimeout(late);
          resolve(true);
        });
      });
      if (!drained) {
        isStalled = true;
        break;
      }
    }
    expect(isStalled).toBe(true);
    stream.destroy();

    const silent = open();
    silent.request.write(`${record('silent')}\n`);
    expect(await silent.next()).toContain('silent');
    await silent.closed;
  });

  it.each([
    [401, { authorization: 'Bearer air_nobody' }],
    [403, { authorization: 'Bearer air_catalogue' }],
    [403, { authorization: 'Bearer air_customer' }],
    [415, { 'content-type': 'application/json' }],
    [415, { 'content-encoding': 'gzip' }],
  ])('refuses with %i', async (status, more) => {
    const response = await fetch(url(), { method: 'POST', headers: { ...headers, ...more }, body: record('no') });
    expect(response.status).toBe(status);
  });

  it('refuses what is no POST, and streams beyond what it serves at once', async () => {
    expect((await fetch(url())).status).toBe(405);
    const held = [open(), open()];
    for (const [index, stream] of held.entries()) {
      stream.request.write(`${record(`held-${index}`)}\n`);
      await stream.next();
    }
    expect((await fetch(url(), { method: 'POST', headers, body: record('third') })).status).toBe(503);
    for (const stream of held) stream.request.end();
    await Promise.all(held.map((stream) => stream.closed));
    expect(await send(record('after'))).toHaveLength(1);
  });
});

it('given two batches under way, when the first fails as a whole, then the other has its results and the rest is to be sent again', async () => {
  const [doomed, other] = ['6599990001', '6599990002'];
  const pool: typeof house.policy.pool = Object.create(house.policy.pool, {
    query: {
      value: (statement: { values?: unknown }) =>
        JSON.stringify(statement.values ?? []).includes(doomed)
          ? Promise.reject(Object.assign(new Error('gone'), { code: '57P01' }))
          : Reflect.apply(house.policy.pool.query, house.policy.pool, [statement]),
    },
  });
  const broken = await testDoor({
    wire: { ...testWire(house.policy.pool), policy: { ...house.policy, pool } },
    streamLimits: { recordBytesMax, streamsMax: 2, idleMs: 1500, batchMax: 100 },
  });
  try {
    const line = (msisdn: string, place: number) =>
      JSON.stringify({ msisdn, kind: 'data', amount: 1, unit: 'KB', source: 'two', recordId: `${place}` });
    const lines = Array.from({ length: 200 }, (_, place) => line(place < 100 ? doomed : other, place));
    const response = await fetch(`${broken.url}/usage/stream`, {
      method: 'POST',
      headers,
      body: `${lines.join('\n')}\n`,
    });
    const results = resultsOf(await response.text());
    expect(results.slice(0, -1).map((result) => result.line)).toEqual(
      Array.from({ length: 100 }, (_, place) => 101 + place),
    );
    expect(results.at(-1)).toMatchObject({ status: 'stopped', reason: 'unavailable' });
  } finally {
    await broken.server.close(100);
  }
});

it('other bodies must arrive in time', async () => {
  const request = http.request(`${door.url}/tools/any`, {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json', 'content-length': 10 },
  });
  request.on('error', () => undefined);
  request.write('{');
  const status = await new Promise<number | undefined>((resolve) => {
    request.on('response', (response) => resolve(response.statusCode));
    request.on('close', () => resolve(undefined));
  });
  expect(status).toBe(408);
});

it('lines are cut wherever the bytes are', () => {
  const text = Buffer.from('{"a":1}\n\n  \r\n{"b":"é"}\nx');
  for (let size = 1; size <= text.length; size += 1) {
    const { push, end } = lineSplitter(9);
    const lines = [];
    for (let at = 0; at < text.length; at += size) lines.push(...push(text.subarray(at, at + size)));
    lines.push(...end());
    expect(lines.map((line) => [line.number, line.bytes?.toString()])).toEqual([
      [1, '{"a":1}'],
      [4, undefined],
      [5, 'x'],
    ]);
  }
});
