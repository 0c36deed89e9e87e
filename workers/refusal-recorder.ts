import type { Caller } from '../kernel/caller.ts';
import { systemCaller } from '../kernel/caller.ts';
import type { MachineClock } from '../kernel/clock.ts';
import { keepableText } from '../kernel/text.ts';
import { type RefusedRequests, recordRefusals, refusalKey } from '../policy/audit/commands.ts';
import { execute, type Policy } from '../policy/core/command.ts';
import { isAboutData } from '../policy/usage/charging.ts';
import { makeLoop } from './loop.ts';
import type { WorkerLog } from './worker.ts';

/** One request that was refused. */
export interface RefusedRequest {
  readonly door: string;
  readonly operation: string;
  readonly status: number;
  /** The rule's code, or the reason of the error. */
  readonly code: string;
  readonly caller: Caller | undefined;
  readonly address: string | undefined;
  readonly requestId: string;
}

export interface RefusalRecorder {
  /** Takes note; costs the caller nothing but memory. */
  record(refused: RefusedRequest): void;
  start(): void;
  /** Writes down what is left. */
  stop(): Promise<void>;
}

const everyMs = 1000;
/** Kinds of refusal that are told apart at a time. A flood of different ones is counted together beyond that. */
const kindsMax = 1000;

/**
 * Gathers refusals and writes them once a second, those that are alike as one: a flood of refusals costs one row a minute,
 * and no request waits for the audit.
 */
export function makeRefusalRecorder(policy: Policy, clock: MachineClock, log: WorkerLog): RefusalRecorder {
  let gathered = new Map<string, RefusedRequests>();

  function add(one: RefusedRequests): void {
    const key = refusalKey(one).toString('base64');
    const same = gathered.get(key);
    if (same) {
      same.count += one.count;
      if (one.firstAt < same.firstAt) same.firstAt = one.firstAt;
      if (one.lastAt > same.lastAt) same.lastAt = one.lastAt;
      return;
    }
    if (gathered.size < kindsMax || one.operation === many) {
      gathered.set(key, { ...one });
      return;
    }
    const nobody = {
      callerId: null,
      callerName: null,
      audience: null,
      customerId: null,
      address: null,
      requestId: null,
    };
    add({ ...one, ...nobody, door: many, operation: many, code: many });
  }

  async function write(): Promise<boolean> {
    if (gathered.size === 0) return false;
    const taken = gathered;
    gathered = new Map();
    try {
      await execute(policy, recordRefusals, { refusals: [...taken.values()] }, systemCaller('audit'));
    } catch (error) {
      if (!isAboutData(error)) {
        for (const one of taken.values()) add(one);
        throw error;
      }
      await writeSingly([...taken.values()]);
    }
    return false;
  }

  /** One that the database will never take is left out, so that it does not hold back the others. */
  async function writeSingly(refusals: readonly RefusedRequests[]): Promise<void> {
    for (const one of refusals) {
      try {
        await execute(policy, recordRefusals, { refusals: [one] }, systemCaller('audit'));
      } catch (error) {
        if (!isAboutData(error)) add(one);
        else log.warn({ door: one.door, count: one.count }, 'a refusal cannot be kept and was dropped');
      }
    }
  }

  const failed = (error: unknown) =>
    log.warn(
      { reason: error instanceof Error ? error.message : String(error) },
      'refusals could not be written down yet',
    );
  const loop = makeLoop(clock, everyMs, write, failed);
  return {
    record({ door, operation, status, code, caller, address, requestId }) {
      const at = clock.now();
      add({
        door: kept(door, 40),
        operation: kept(operation, 120),
        status,
        code: kept(code, 120),
        callerId: kept(caller?.id, 120),
        callerName: kept(caller?.name, 200),
        audience: caller?.audience ?? null,
        customerId: kept(caller?.customerId, 120),
        address: caller === undefined ? kept(address, 64) : null,
        requestId: kept(requestId, 128),
        count: 1,
        firstAt: at,
        lastAt: at,
      });
    },
    start: () => loop.start(),
    async stop() {
      await loop.stop();
      await write().catch(failed);
    },
  };
}

const many = '(many)';

function kept(text: string, max: number): string;
function kept(text: string | undefined, max: number): string | null;
function kept(text: string | undefined, max: number): string | null {
  return text === undefined ? null : keepableText(text.slice(0, max));
}
