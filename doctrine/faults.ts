import { OutcomeUnknown } from '../adapters/outcome.ts';
import type { SandboxCardGateway } from '../adapters/sandbox/card-gateway/sandbox-card-gateway.ts';
import type { SandboxNetwork } from '../adapters/sandbox/network/sandbox-network.ts';
import type { Outside, Policy } from '../policy/core/command.ts';
import type { StepContext, StepDefinition } from '../policy/core/flow.ts';
import type { Tx } from '../policy/core/transaction.ts';

/**
 * How a point fails. At a call of the outside: `before` its effect, `after` it (the answer is lost), `refused` for good,
 * `put_off` for now. At a point of a step the worker dies there, whatever is asked.
 */
export const faultModes = ['before', 'after', 'refused', 'put_off'] as const;
export type FaultMode = (typeof faultModes)[number];

/** Faults planted into a run by the number of the point at which they strike, counted from the last `begin`. */
export interface Faults {
  /** Names of the points that were passed since `begin`. */
  readonly passed: readonly string[];
  begin(planted: ReadonlyMap<number, FaultMode>): void;
  /** How many of the planted faults struck. */
  struck(): number;
  /** The same steps, dying where it was planted. */
  steps(of: readonly StepDefinition[]): StepDefinition[];
  /** The same policy, whose outside fails where it was planted. */
  policy(of: Policy): Policy;
}

/** The modes that make a difference at a point of this name. */
export function modesAt(point: string): readonly FaultMode[] {
  if (point === 'network.apply') return faultModes;
  if (['gateway.authorise', 'gateway.capture', 'gateway.refund'].includes(point)) return ['before', 'after', 'refused'];
  return point.startsWith('gateway.') || point.startsWith('network.') ? ['before', 'after'] : ['before'];
}

class WorkerDied extends Error {
  override readonly name = 'WorkerDied';
}

export function makeFaults(gateway: SandboxCardGateway, network: SandboxNetwork): Faults {
  let planted: ReadonlyMap<number, FaultMode> = new Map();
  let passed: string[] = [];
  let struck = 0;

  const pass = (point: string): FaultMode | undefined => {
    const mode = planted.get(passed.length);
    passed.push(point);
    if (mode !== undefined) struck += 1;
    return mode;
  };
  const mayDie = (point: string): void => {
    if (pass(point) !== undefined) throw new WorkerDied(`planted: the worker dies, ${point}`);
  };

  async function call<T>(
    point: string,
    refusals: { refused: () => Promise<unknown>; put_off?: T },
    real: () => Promise<T>,
  ): Promise<T> {
    const mode = pass(point);
    if (mode === undefined) return real();
    if (mode === 'before') throw new OutcomeUnknown(`planted: ${point} was lost on its way`);
    if (mode === 'after') {
      await real();
      throw new OutcomeUnknown(`planted: the answer of ${point} was lost`);
    }
    if (mode === 'put_off') return refusals.put_off ?? real();
    await refusals.refused();
    try {
      return await real();
    } finally {
      // A repeated key is answered from the book and leaves the plan unused; it must not strike anybody later.
      await gateway.clearPlans();
      await network.clearPlans();
    }
  }

  const decline = (mode: 'decline_authorisation' | 'decline_capture' | 'decline_refund') => () =>
    gateway.plan({ mode, times: 1 });
  const nothing = async () => undefined;
  const outside = (of: Outside): Outside => ({
    ...of,
    gateway: {
      ...gateway,
      authorise: (request) =>
        call('gateway.authorise', { refused: decline('decline_authorisation') }, () => gateway.authorise(request)),
      capture: (request) =>
        call('gateway.capture', { refused: decline('decline_capture') }, () => gateway.capture(request)),
      void: (request) => call('gateway.void', { refused: nothing }, () => gateway.void(request)),
      refund: (request) =>
        call('gateway.refund', { refused: decline('decline_refund') }, () => gateway.refund(request)),
      find: (key) => call('gateway.find', { refused: nothing }, () => gateway.find(key)),
    },
    network: {
      ...network,
      apply: async (task) => {
        const { line, sequence } = task;
        const putOff = {
          outcome: 'refused',
          line,
          sequence,
          code: 'busy',
          message: 'planted',
          permanent: false,
        } as const;
        return call(
          'network.apply',
          {
            refused: () => network.plan({ mode: 'refuse', permanent: true, times: 1 }),
            put_off: putOff,
          },
          () => network.apply(task),
        );
      },
      find: (key) => call('network.find', { refused: nothing }, () => network.find(key)),
    },
  });

  const within = (context: StepContext, name: string): StepContext => ({
    ...context,
    policy: { ...context.policy, outside: outside(context.outside) },
    outside: outside(context.outside),
    during: async (command, work) => {
      mayDie(`${name}: before ${command}`);
      const result = await context.during(command, work);
      mayDie(`${name}: after ${command}`);
      return result;
    },
    finish: async <T>(command: string, work: (tx: Tx) => Promise<T>) => {
      mayDie(`${name}: before ${command}, the last`);
      const result = await context.finish(command, async (tx) => {
        const made = await work(tx);
        mayDie(`${name}: before the commit of ${command}`);
        return made;
      });
      mayDie(`${name}: after ${command}, the last`);
      return result;
    },
  });

  return {
    get passed() {
      return passed;
    },
    begin(next) {
      planted = next;
      passed = [];
      struck = 0;
    },
    struck: () => struck,
    steps: (of) =>
      of.map((step) => ({
        ...step,
        run: (context: StepContext) => step.run(within(context, `${step.flow}.${step.step}`)),
      })),
    policy: (of) => ({ ...of, outside: outside(of.outside) }),
  };
}
