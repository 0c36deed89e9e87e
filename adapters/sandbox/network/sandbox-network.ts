import { join } from 'node:path';
import { setTimeout as realSleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { z } from 'zod';
import { checked } from '../../checked.ts';
import type { Network, NetworkAnswer, NetworkLine, NetworkTask } from '../../network.ts';
import { OutcomeUnknown, RequestRefused } from '../../outcome.ts';
import { type OpenJournal, openJournal } from '../journal.ts';
import { createPlans, type Planned } from '../plans.ts';
import { type BookRecord, bookRecord, type networkCalls, type networkEntry, networkPlan, networkTask } from './wire.ts';

/** Which calls fail, and how. Filters that are absent match everything. */
export type NetworkPlan = z.input<typeof networkPlan>;
/** A task that was answered: what was asked, when it first came in, when it was answered, and how. */
export type NetworkEntry = z.output<typeof networkEntry>;

/** A network without radio that keeps its book as a real one would, and has faults on request. */
export interface SandboxNetwork extends Network {
  readonly kind: 'sandbox';

  /**
   * Plans a fault. `unavailable`: the call is lost before it has an effect. `lose_answer`: after. `stall`: it waits
   * `stallMs` first and is judged only then, so a newer task may overtake it. These three concern the calls in `calls`,
   * by default `apply`. `refuse`: the task is refused with `code`, for good when `permanent`. `when` is the desired
   * state.
   */
  plan(plan: NetworkPlan): Promise<Planned<NetworkPlan>>;
  plans(): Promise<Planned<NetworkPlan>[]>;
  clearPlans(): Promise<void>;

  /** Every answer given, oldest first, after the entry with that cursor. */
  book(after?: string): AsyncIterable<NetworkEntry>;

  close(): Promise<void>;
}

/** Whether what is told to be a network has faults to plan and a book to read. */
export function isSandboxNetwork(network: Network): network is SandboxNetwork {
  return network.kind === 'sandbox';
}

export interface SandboxNetworkOptions {
  /** Where the book lives; made when missing. */
  directory: string;
  /** Machine time. */
  now: () => Date;
  /** Unique. */
  id: () => string;
  /** Another sort of book than a file. */
  openBook?: OpenJournal;
  /** For planned stalls. */
  sleep?: (milliseconds: number) => Promise<unknown>;
}

type NetworkCall = (typeof networkCalls)[number];
type Refused = NetworkAnswer & { outcome: 'refused' };

interface Subject {
  line?: string;
  msisdn?: string;
  when?: NetworkLine['state'];
}

/**
 * Opens the sandbox on its book, `network.jsonl` in the directory. As with the card sandbox, a task is judged and
 * booked in one turn of the event loop and answered once it is on disk.
 */
export async function openSandboxNetwork(options: SandboxNetworkOptions): Promise<SandboxNetwork> {
  const { now, id, sleep = realSleep } = options;

  const positions = new Map<string, number>();
  const lines = new Map<string, NetworkLine>();
  /** Who uses a number or a profile now; terminated lines use none. */
  const lineOfNumber = new Map<string, string>();
  const lineOfProfile = new Map<string, string>();
  const plans = createPlans<NetworkPlan>();

  const journal = await (options.openBook ?? openJournal)(
    join(options.directory, 'network.jsonl'),
    (record, position) => {
      apply(bookRecord.parse(record), position);
    },
  );

  function record(entry: BookRecord): Promise<void> {
    const { position, durable } = journal.append(entry);
    apply(entry, position);
    return durable;
  }

  function apply(entry: BookRecord, position: number): void {
    switch (entry.type) {
      case 'task':
        positions.set(entry.task.key, position);
        if (entry.answer.outcome === 'confirmed') applyTask(entry.task, entry.answer.confirmedAt);
        return;
      case 'plan':
        plans.add(entry.id, entry.plan);
        return;
      case 'plan_used':
        plans.use(entry.id);
        return;
      case 'plans_cleared':
        plans.clear();
    }
  }

  function applyTask(task: NetworkTask, changedAt: Date): void {
    const { line, sequence, msisdn, iccid, desired } = task;
    const before = lines.get(line);
    if (before !== undefined && lineOfNumber.get(before.msisdn) === line) lineOfNumber.delete(before.msisdn);
    if (before !== undefined && lineOfProfile.get(before.iccid) === line) lineOfProfile.delete(before.iccid);
    lines.set(line, { ...desired, line, msisdn, iccid, sequence, changedAt });
    if (desired.state === 'terminated') return;
    lineOfNumber.set(msisdn, line);
    lineOfProfile.set(iccid, line);
  }

  function takePlan(mode: NetworkPlan['mode'], call: NetworkCall, subject: Subject): NetworkPlan | undefined {
    const found = plans.match(
      (plan) =>
        plan.mode === mode &&
        (plan.calls ?? ['apply']).includes(call) &&
        (plan.line === undefined || plan.line === subject.line) &&
        (plan.msisdn === undefined || plan.msisdn === subject.msisdn) &&
        (plan.when === undefined || plan.when === subject.when),
    );
    if (found?.left !== undefined) void record({ type: 'plan_used', id: found.id });
    return found;
  }

  async function underPlans<T>(
    call: NetworkCall,
    subject: Subject,
    key: string | undefined,
    run: () => Promise<T>,
  ): Promise<T> {
    if (takePlan('unavailable', call, subject) !== undefined) {
      throw new OutcomeUnknown('The network cannot be reached.', key);
    }
    const stall = takePlan('stall', call, subject);
    if (stall !== undefined) await sleep(stall.stallMs ?? 0);
    const loses = takePlan('lose_answer', call, subject) !== undefined;
    const answer = await run();
    if (loses) throw new OutcomeUnknown('The answer of the network was lost.', key);
    return answer;
  }

  async function taskAt(position: number): Promise<BookRecord & { type: 'task' }> {
    const { record: stored } = await journal.read(position);
    const entry = bookRecord.parse(stored);
    if (entry.type !== 'task') throw new Error(`The book holds no task at ${position}.`);
    return entry;
  }

  function judge(task: NetworkTask, receivedAt: Date): NetworkAnswer {
    const { line, sequence, msisdn, iccid, desired } = task;
    const refused = (code: string, message: string, permanent: boolean): Refused => ({
      outcome: 'refused',
      line,
      sequence,
      code,
      message,
      permanent,
    });
    const present = lines.get(line);
    if (present !== undefined && sequence <= present.sequence) {
      return { outcome: 'superseded', line, sequence, newestSequence: present.sequence };
    }
    if (present?.state === 'terminated' && desired.state !== 'terminated') {
      return refused('line_terminated', 'A terminated line does not come back.', true);
    }
    // Not permanent: the line that still holds them may be on its way out, its task overtaken by this one.
    if (desired.state !== 'terminated' && (lineOfNumber.get(msisdn) ?? line) !== line) {
      return refused('number_in_use', 'Another line uses this number.', false);
    }
    if (desired.state !== 'terminated' && (lineOfProfile.get(iccid) ?? line) !== line) {
      return refused('profile_in_use', 'Another line uses this eSIM profile.', false);
    }
    const planned = takePlan('refuse', 'apply', { line, msisdn, when: desired.state });
    if (planned !== undefined) {
      const { code = 'network_refused', permanent = false } = planned;
      return refused(code, 'The network refused the task.', permanent);
    }
    return { outcome: 'confirmed', line, sequence, receivedAt, confirmedAt: now() };
  }

  /** The stored answer of this very task, or a new judgement when there is none or only a passing refusal. */
  async function answerOnce(task: NetworkTask, arrivedAt: Date): Promise<NetworkAnswer> {
    for (;;) {
      const position = positions.get(task.key);
      const stored = position === undefined ? undefined : await taskAt(position);
      // Reading gave others a turn: if one of them has answered this key meanwhile, theirs is the answer.
      if (positions.get(task.key) !== position) continue;
      if (stored !== undefined && !isDeepStrictEqual(stored.task, task)) {
        throw new RequestRefused('key_reused', `The key ${task.key} belongs to a different task.`);
      }
      if (stored !== undefined && !isPassing(stored.answer)) return stored.answer;
      const receivedAt = stored?.receivedAt ?? arrivedAt;
      const answer = judge(task, receivedAt);
      await record({ type: 'task', task, receivedAt, at: now(), answer });
      return answer;
    }
  }

  return {
    kind: 'sandbox',

    async apply(input) {
      const arrivedAt = now();
      const task = checked(networkTask, input);
      const subject = { line: task.line, msisdn: task.msisdn, when: task.desired.state };
      return underPlans('apply', subject, task.key, () => answerOnce(task, arrivedAt));
    },

    find: (key) =>
      underPlans('find', {}, key, async () => {
        const position = positions.get(key);
        return position === undefined ? undefined : (await taskAt(position)).answer;
      }),

    line: (line) =>
      underPlans('line', { line }, undefined, async () => {
        const present = lines.get(line);
        await journal.settled();
        return present === undefined ? undefined : { ...present };
      }),

    async *book(after) {
      const from = after === undefined ? 0 : /^\d{1,15}$/.test(after) ? Number(after) : -1;
      for await (const { end, record: stored } of journal.entries(from)) {
        const entry = bookRecord.parse(stored);
        if (entry.type !== 'task') continue;
        const { task, receivedAt, at, answer } = entry;
        yield { cursor: String(end), task, receivedAt, at, answer };
      }
    },

    async plan(input) {
      const plan = checked(networkPlan, input);
      const planId = `plan_${id()}`;
      await record({ type: 'plan', id: planId, plan });
      return plan.times === undefined ? { ...plan, id: planId } : { ...plan, id: planId, left: plan.times };
    },

    plans: async () => plans.list(),
    clearPlans: () => record({ type: 'plans_cleared' }),
    close: () => journal.close(),
  };
}

function isPassing(answer: NetworkAnswer): boolean {
  return answer.outcome === 'refused' && !answer.permanent;
}
