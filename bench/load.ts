import http from 'node:http';
import { pause } from './server.ts';

// Load with fixed arrival: a request goes out when it is due, however long those before it take, and its time counts from
// when it was due. A client that waits for answers before it asks again would leave out the very moments that are slow.

export interface Ask {
  method: string;
  path: string;
  body?: string;
  headers?: Record<string, string>;
}

export interface Answered {
  status: number;
  text: string;
}

export interface Client {
  send(ask: Ask): Promise<Answered>;
  close(): void;
}

export function openClient(server: { url: string; token: string }): Client {
  const { hostname, port } = new URL(server.url);
  const agent = new http.Agent({ keepAlive: true, maxSockets: 256, noDelay: true });
  return {
    send: ({ method, path, body, headers }) =>
      new Promise((resolve, reject) => {
        const request = http.request(
          {
            agent,
            hostname,
            port,
            method,
            path,
            headers: {
              authorization: `Bearer ${server.token}`,
              ...(body === undefined
                ? {}
                : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
              ...headers,
            },
          },
          (response) => {
            const parts: Buffer[] = [];
            response.on('data', (part: Buffer) => parts.push(part));
            response.on('end', () =>
              resolve({ status: response.statusCode ?? 0, text: Buffer.concat(parts).toString('utf8') }),
            );
            response.on('error', reject);
          },
        );
        request.on('error', reject);
        request.end(body);
      }),
    close: () => agent.destroy(),
  };
}

/**
 * One act of a caller, of one request or several. It throws when it was not answered as it should be.
 * @param ended is told of each of several requests when it was answered: each is timed by itself too.
 */
export type Act = (ended?: (request: string) => void) => Promise<void>;

/** What a request of several is called beside the acts. */
export const requestOf = (kind: string, request: string): string => `${kind}, ${request}`;

export interface Timing {
  count: number;
  perSecond: number;
  p50: number;
  p99: number;
  most: number;
}

export function timingOf(times: readonly number[], seconds: number): Timing {
  const sorted = [...times].sort((a, b) => a - b);
  return {
    count: sorted.length,
    perSecond: sorted.length / seconds,
    p50: percentile(sorted, 0.5),
    p99: percentile(sorted, 0.99),
    most: sorted.at(-1) ?? 0,
  };
}

/**
 * Of measurements of one thing the one whose p99 is in the middle. @throws Error when there is none, or an even number: then
 * none is.
 */
export function middleOf(timings: readonly Timing[]): Timing {
  const middle = [...timings].sort((a, b) => a.p99 - b.p99)[(timings.length - 1) / 2];
  if (!middle) throw new Error(`none of ${timings.length} measurements is in the middle`);
  return middle;
}

/** The smallest of them that so great a share does not exceed. */
export function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0;
}

export interface Arrivals {
  /** Milliseconds that each act took from when it was due, by kind; and each of several requests, by `requestOf`. */
  times: Map<string, number[]>;
  /** How late the client itself was, in milliseconds: part of the times above, and no fault of the server's. */
  late: number[];
  seconds: number;
  /** More came than was answered, until it was of no use to go on: the times are those of a queue that only grew. */
  isOverrun: boolean;
}

/** So many seconds of arrivals may be unanswered. */
const backlogSecondsMax = 2;

/**
 * Begins an act every so often, for so long, and waits for those that are under way then.
 * @param next gives the act that is due, and the kind that it is counted with.
 */
export async function fixedArrival(
  perSecond: number,
  seconds: number,
  next: () => { kind: string; act: Act },
): Promise<Arrivals> {
  const times = new Map<string, number[]>();
  const late: number[] = [];
  const keep = (name: string, ms: number) => {
    const taken = times.get(name) ?? [];
    times.set(name, taken);
    taken.push(ms);
  };
  const underWay = new Set<Promise<void>>();
  const everyMs = 1000 / perSecond;
  const total = Math.round(perSecond * seconds);
  let failure: unknown;
  let isOverrun = false;
  const begun = performance.now() + everyMs;
  for (let index = 0; index < total && failure === undefined && !isOverrun; ) {
    isOverrun = underWay.size > perSecond * backlogSecondsMax;
    const now = performance.now();
    const aheadMs = begun + index * everyMs - now;
    // Timers count whole milliseconds. One that is half a millisecond early counts from when it really goes out.
    if (aheadMs > 0.5) {
      await pause(Math.max(1, Math.floor(aheadMs)));
      continue;
    }
    const due = now + Math.min(0, aheadMs);
    index += 1;
    late.push(now - due);
    const { kind, act } = next();
    let since = due;
    const ended = (request: string) => {
      const at = performance.now();
      keep(requestOf(kind, request), at - since);
      since = at;
    };
    const work: Promise<void> = act(ended)
      .then(() => keep(kind, performance.now() - due))
      .catch((error: unknown) => {
        failure ??= error;
      })
      .finally(() => underWay.delete(work));
    underWay.add(work);
  }
  await Promise.all(underWay);
  if (failure !== undefined) throw failure;
  return { times, late, seconds: (performance.now() - begun) / 1000, isOverrun };
}

/** As much as goes: so many callers, each of whom asks again as soon as they are answered. */
export async function saturated(callers: number, seconds: number, act: Act): Promise<Timing> {
  const times: number[] = [];
  const begun = performance.now();
  const until = begun + seconds * 1000;
  await Promise.all(
    Array.from({ length: callers }, async () => {
      while (performance.now() < until) {
        const sent = performance.now();
        await act();
        times.push(performance.now() - sent);
      }
    }),
  );
  return timingOf(times, (performance.now() - begun) / 1000);
}

/** The same numbers for the same seed. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
