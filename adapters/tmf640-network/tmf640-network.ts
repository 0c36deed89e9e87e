import { setTimeout as realSleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { cutText } from '../../kernel/text.ts';
import { checked } from '../checked.ts';
import type { Network, NetworkAnswer, NetworkTask } from '../network.ts';
import { networkTask } from '../network-task.ts';
import { OutcomeUnknown, RequestRefused } from '../outcome.ts';
import { type Answer, clientOf } from './client.ts';
import { bodyOf, type ForeignService, foreignService, lineOf, markOf, receivedAtOf } from './service.ts';

export interface Tmf640NetworkOptions {
  /** The base path of the foreign API: `https://network.example.com/tmf-api/ServiceActivationAndConfiguration/v4`. */
  url: string;
  token?: string;
  /** Machine time. */
  now: () => Date;
  /** How long one answer is waited for; 5 seconds unless told. */
  timeoutMs?: number;
  /** How long a monitor is followed in one call before the outcome counts as unknown; 10 seconds unless told. */
  monitorMs?: number;
  sleep?: (milliseconds: number) => Promise<unknown>;
}

const answersKept = 10_000;
const triesMax = 5;
const monitor = z.looseObject({
  state: z.string().optional(),
  response: z.looseObject({ statusCode: z.coerce.string().optional(), body: z.string().optional() }).optional(),
});
const problem = z.looseObject({
  code: z.coerce.string().optional(),
  reason: z.string().optional(),
  message: z.string().optional(),
});

/**
 * A mobile network behind a TMF640 server of somebody else. A line is one service there, named by our id of it. The key
 * and the sequence of the task that made it what it is stand in the service itself: before anything is written the
 * service is asked, so a task that arrived is not sent again and an older one never overwrites a newer one, whichever
 * copy of us asks. ETags are honoured where the server has them.
 *
 * Kept in this process only: refusals, which the standard has no place for, answers to tasks that a newer one has
 * followed, and the monitors that are still open. After a restart such a task is judged anew under its key, which does no
 * harm; of the instants of an answer only when it came in is known then, and stands for both.
 */
export function openTmf640Network(options: Tmf640NetworkOptions): Network & { readonly kind: 'tmf640' } {
  const { now, sleep = realSleep, timeoutMs = 5000, monitorMs = 10_000 } = options;
  const client = clientOf(options.url, options.token, timeoutMs);
  const answered = new Map<string, { task: NetworkTask; answer: NetworkAnswer }>();
  const monitors = new Map<string, string>();
  /** How often a task was refused: what is judged anew is another request to the other side. */
  const refusals = new Map<string, number>();
  const turns = new Map<string, Promise<unknown>>();

  function keep(task: NetworkTask, answer: NetworkAnswer): NetworkAnswer {
    remember(answered, task.key, { task, answer });
    if (answer.outcome === 'refused') remember(refusals, task.key, (refusals.get(task.key) ?? 0) + 1);
    return answer;
  }

  /** The calls for one line of this process take turns, so that they judge one after another. */
  async function inTurn<T>(line: string, work: () => Promise<T>): Promise<T> {
    const before = turns.get(line) ?? Promise.resolve();
    const mine = before.then(work, work);
    const settled = mine.catch(() => undefined);
    turns.set(line, settled);
    try {
      return await mine;
    } finally {
      if (turns.get(line) === settled) turns.delete(line);
    }
  }

  async function listed(filter: string, key?: string): Promise<ForeignService[]> {
    const answer = await client({ method: 'GET', path: `service?${filter}`, key });
    if (answer.status !== 200 && answer.status !== 206) return [];
    const read = z.array(foreignService).safeParse(answer.body);
    if (!read.success) throw new OutcomeUnknown('The network gave a list that is none.', key);
    return read.data;
  }

  /** The service of a line as it is now, with its ETag where there is one. */
  async function serviceOf(
    line: string,
    key?: string,
  ): Promise<{ service: ForeignService; etag: string | undefined } | undefined> {
    const answer = await client({ method: 'GET', path: `service?name=${encodeURIComponent(line)}`, key });
    const read = z.array(foreignService).safeParse(answer.body);
    if ((answer.status !== 200 && answer.status !== 206) || !read.success)
      throw new OutcomeUnknown(`The network cannot be asked for a service by its name (${answer.status}).`, key);
    // A server that does not know the filter gives everything: names are compared here as well.
    const found = read.data.filter(({ name }) => name === line);
    if (found.length > 1)
      throw new OutcomeUnknown('The network has two services of that name; one must be ended.', key);
    const [listedOne] = found;
    if (!listedOne) return undefined;
    const one = await client({ method: 'GET', path: `service/${encodeURIComponent(listedOne.id)}`, key });
    const service = foreignService.safeParse(one.body);
    if (one.status === 404) return undefined;
    if (one.status !== 200 || !service.success) throw new OutcomeUnknown('The network gave no usable service.', key);
    return { service: service.data, etag: one.etag };
  }

  async function judge(task: NetworkTask): Promise<NetworkAnswer> {
    const { line, sequence, key } = task;
    const open = monitors.get(key);
    if (open !== undefined) {
      const failed = await follow(task, open);
      if (failed) return failed;
    }
    for (let round = 1; round <= triesMax; round += 1) {
      const found = await serviceOf(line, key);
      const mark = found && markOf(found.service);
      if (found && mark?.key === key) return ownAnswer(task, found.service);
      if (mark && mark.sequence >= sequence)
        return { outcome: 'superseded', line, sequence, newestSequence: mark.sequence };
      if (found?.service.state === 'terminated')
        return refused(task, 'line_terminated', 'The network has ended this line.', true);
      const receivedAt = now();
      const body = bodyOf(task, receivedAt, found?.service);
      const answer = found
        ? await client({
            method: 'PATCH',
            path: `service/${encodeURIComponent(found.service.id)}`,
            body,
            headers: found.etag === undefined ? {} : { 'if-match': found.etag },
            key,
          })
        : await client({
            method: 'POST',
            path: 'service',
            body,
            headers: { 'idempotency-key': `${key}:${refusals.get(key) ?? 0}` },
            key,
          });
      const failed = await outcomeOf(task, answer);
      if (failed === 'again') continue;
      if (failed) return failed;
      const after = await serviceOf(line, key);
      const stands = after && markOf(after.service);
      if (stands?.key === key) return confirmed(task, receivedAt, now());
      if (stands && stands.sequence > sequence)
        return { outcome: 'superseded', line, sequence, newestSequence: stands.sequence };
    }
    throw new OutcomeUnknown('The network keeps changing the line under our hands.', key);
  }

  /** The service bears our key: it was this task, unless the key was given to another. */
  function ownAnswer(task: NetworkTask, service: ForeignService): NetworkAnswer {
    const stored = lineOf(service);
    const { msisdn, iccid, sequence, desired } = task;
    const same =
      stored !== undefined &&
      isDeepStrictEqual(
        { msisdn, iccid, sequence, ...desired },
        {
          msisdn: stored.msisdn,
          iccid: stored.iccid,
          sequence: stored.sequence,
          state: stored.state,
          data: stored.data,
          voice: stored.voice,
          sms: stored.sms,
          roamingData: stored.roamingData,
        },
      );
    if (!same) throw new RequestRefused('key_reused', 'This key names another task.');
    const at = receivedAtOf(service) ?? now();
    return confirmed(task, at, at);
  }

  /** What an answer to a write means: undefined when the line is now as asked, `again` when it was somebody else's turn. */
  async function outcomeOf(task: NetworkTask, answer: Answer): Promise<NetworkAnswer | 'again' | undefined> {
    const { status } = answer;
    if (status === 202) {
      const place = answer.location ?? monitorHref(answer.body);
      if (place === undefined) throw new OutcomeUnknown('The network accepted a task and names no monitor.', task.key);
      return follow(task, place);
    }
    if (status >= 200 && status < 300) return undefined;
    if (status === 404 || status === 412) return 'again';
    return refusedBy(task, status, answer.body);
  }

  /** Follows a monitor to its end. One that does not end in time is followed on when the task is sent again. */
  async function follow(task: NetworkTask, place: string): Promise<NetworkAnswer | undefined> {
    remember(monitors, task.key, place);
    const deadline = now().getTime() + monitorMs;
    for (let pauseMs = 50; ; pauseMs = Math.min(pauseMs * 2, 1000)) {
      const answer = await client({ method: 'GET', path: place, key: task.key });
      const read = monitor.safeParse(answer.body);
      // A monitor that is gone was kept for a while only: what became of the task stands in the service.
      if (answer.status === 404) return void monitors.delete(task.key);
      if (answer.status !== 200 || !read.success)
        throw new OutcomeUnknown('The network gave no usable monitor.', task.key);
      const state = read.data.state ?? '';
      if (/^(completed?|done|success)/i.test(state)) return void monitors.delete(task.key);
      if (/error|fail|cancel|reject|abort|terminated/i.test(state)) {
        monitors.delete(task.key);
        const status = Number(read.data.response?.statusCode ?? 409);
        return refusedBy(task, Number.isInteger(status) ? status : 409, parsed(read.data.response?.body));
      }
      if (now().getTime() >= deadline) throw new OutcomeUnknown('The network has not finished the task yet.', task.key);
      await sleep(pauseMs);
    }
  }

  return {
    kind: 'tmf640',

    async apply(input) {
      const task = checked(networkTask, input);
      return inTurn(task.line, async () => {
        const known = answered.get(task.key);
        if (known && !isDeepStrictEqual(known.task, task))
          throw new RequestRefused('key_reused', 'This key names another task.');
        if (known && !(known.answer.outcome === 'refused' && !known.answer.permanent)) return known.answer;
        return keep(task, await judge(task));
      });
    },

    async find(key) {
      const known = answered.get(key);
      if (known) return known.answer;
      // A server that cannot filter so deep finds nothing, and then the same task under the same key is safe to send.
      for (const service of await listed(`serviceCharacteristic.value.key=${encodeURIComponent(key)}`, key)) {
        const mark = markOf(service);
        const at = receivedAtOf(service) ?? now();
        if (mark?.key === key && service.name !== undefined)
          return { outcome: 'confirmed', line: service.name, sequence: mark.sequence, receivedAt: at, confirmedAt: at };
      }
      return undefined;
    },

    async line(line) {
      const found = await serviceOf(line);
      return found && lineOf(found.service);
    },
  };
}

function confirmed(task: NetworkTask, receivedAt: Date, confirmedAt: Date): NetworkAnswer {
  return { outcome: 'confirmed', line: task.line, sequence: task.sequence, receivedAt, confirmedAt };
}

function refused(task: NetworkTask, code: string, message: string, permanent: boolean): NetworkAnswer {
  return { outcome: 'refused', line: task.line, sequence: task.sequence, code, message, permanent };
}

/** 409 and 423 speak of a state, which passes; every other refusal is about what was asked. */
function refusedBy(task: NetworkTask, status: number, body: unknown): NetworkAnswer {
  if (status >= 500) throw new OutcomeUnknown(`The network failed (${status}).`, task.key);
  const read = problem.safeParse(body).data;
  const code = cutText(read?.reason ?? read?.code ?? `http_${status}`, 100);
  return refused(task, code, cutText(read?.message ?? 'The network refused.', 500), status !== 409 && status !== 423);
}

function monitorHref(body: unknown): string | undefined {
  return z.looseObject({ href: z.string() }).safeParse(body).data?.href;
}

function parsed(text: string | undefined): unknown {
  try {
    return text === undefined ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Keeps the newest; what was forgotten is asked of the other side again. */
function remember<Value>(map: Map<string, Value>, key: string, value: Value): void {
  map.delete(key);
  map.set(key, value);
  const [oldest] = map.keys();
  if (map.size > answersKept && oldest !== undefined) map.delete(oldest);
}
