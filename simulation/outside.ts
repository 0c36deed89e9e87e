import type { CardGateway } from '../adapters/card-gateway.ts';
import { JobFileError, type JobFiles } from '../adapters/job-files.ts';
import type { Network } from '../adapters/network.ts';
import { OutcomeUnknown } from '../adapters/outcome.ts';
import {
  openSandboxCardGateway,
  type SandboxCardGateway,
} from '../adapters/sandbox/card-gateway/sandbox-card-gateway.ts';
import { memoryJournal } from '../adapters/sandbox/journal.ts';
import { openSandboxNetwork, type SandboxNetwork } from '../adapters/sandbox/network/sandbox-network.ts';
import type { Outside } from '../policy/core/command.ts';
import { count, type FaultKind, type FaultPlan } from './faults.ts';

/** The other sides themselves, in memory: what they were really asked and what they really did. */
export interface OtherSides {
  readonly gateway: SandboxCardGateway;
  readonly network: SandboxNetwork;
  /** Letters that were taken, by the key of their news. */
  readonly letters: Map<string, string>;
  /** Files of import and export jobs, by their path. */
  readonly files: Map<string, string>;
  /** Notices that the gateway has given of its own accord and nobody has taken yet. It repeats them until somebody does. */
  readonly notices: GatewayNotice[];
}

export interface GatewayNotice {
  readonly id: string;
  readonly type: string;
  readonly gatewayReference: string;
}

export async function openOtherSides(now: () => Date): Promise<OtherSides> {
  let drawn = 0;
  const id = (): string => {
    drawn += 1;
    return `x${drawn}`;
  };
  const options = { directory: '', now, id, openBook: memoryJournal };
  return {
    gateway: await openSandboxCardGateway(options),
    network: await openSandboxNetwork(options),
    letters: new Map(),
    files: new Map(),
    notices: [],
  };
}

/** An answer with neither a meaning nor a promise: a proxy's page, a broken connection. */
export class NoAnswer extends Error {
  override readonly name = 'NoAnswer';
}

/** What a call of the outside needs of whoever makes it. */
export interface Calling {
  readonly faults: FaultPlan;
  /** A place where the caller may be made to wait, or die. */
  point(at: string): Promise<void>;
  /** The answer takes so long that leases run out meanwhile. */
  stall(at: string): Promise<void>;
  /** A request that is still on its way when its caller has given up. */
  later(at: string, send: () => Promise<unknown>): void;
}

const always: readonly FaultKind[] = ['timeout before the effect', 'timeout after the effect', 'error', 'stall'];
const withEffect: readonly FaultKind[] = [...always, 'duplicate request', 'late request'];

/** Calls one of the sides as it is met in the world: requests and answers are lost, repeated and late on the way. */
function caller({ gateway, network }: OtherSides, calling: Calling) {
  const { faults } = calling;
  return async <T>(
    at: string,
    kinds: readonly FaultKind[],
    send: () => Promise<T>,
    judge: (kind: FaultKind | undefined) => Promise<void> = async () => undefined,
  ): Promise<T> => {
    await calling.point(`before ${at}`);
    const fault = faults.draw(kinds);
    if (fault === 'timeout before the effect') throw new OutcomeUnknown(`simulated: ${at} was lost on its way`);
    if (fault === 'error') throw new NoAnswer(`simulated: ${at} was answered with a page of somebody else`);
    if (fault === 'late request') {
      calling.later(at, send);
      throw new OutcomeUnknown(`simulated: ${at} is still on its way`);
    }
    if (fault === 'stall') await calling.stall(`${at} stalls`);
    await judge(fault);
    const answer = await send();
    // Plans of a fault that found no use: the answer was in the book already.
    await gateway.clearPlans();
    await network.clearPlans();
    if (fault === 'duplicate request') await send();
    if (fault === 'timeout after the effect') throw new OutcomeUnknown(`simulated: the answer of ${at} was lost`);
    await calling.point(`after ${at}`);
    return answer;
  };
}

/** The outside as one caller meets it. */
export function outsideFor(sides: OtherSides, calling: Calling): Outside {
  const { gateway, network, letters } = sides;
  const { faults } = calling;
  const call = caller(sides, calling);

  const decline =
    (mode: 'decline_authorisation' | 'decline_capture' | 'decline_refund') => async (kind?: FaultKind) => {
      if (kind === 'declined card') await gateway.plan({ mode, times: 1 });
    };

  const faultyGateway: CardGateway = {
    kind: 'sandbox',
    describeCard: (token) => call('gateway.describeCard', always, () => gateway.describeCard(token)),
    authorise: (request) =>
      call(
        'gateway.authorise',
        [...withEffect, 'declined card'],
        () => gateway.authorise(request),
        decline('decline_authorisation'),
      ),
    async capture(request) {
      const answer = await call(
        'gateway.capture',
        [...withEffect, 'declined card'],
        () => gateway.capture(request),
        decline('decline_capture'),
      );
      if (answer.outcome === 'expired') count(faults.struck, 'expired authorisation');
      return answer;
    },
    void: (request) => call('gateway.void', withEffect, () => gateway.void(request)),
    refund: (request) =>
      call(
        'gateway.refund',
        [...withEffect, 'declined card'],
        () => gateway.refund(request),
        decline('decline_refund'),
      ),
    find: (key, reference) => call('gateway.find', always, () => gateway.find(key, reference)),
    operations: (reference) => call('gateway.operations', always, () => gateway.operations(reference)),
    book: (after) => gateway.book(after),
  };

  const faultyNetwork: Network = {
    kind: 'sandbox',
    apply: (task) =>
      call(
        'network.apply',
        [...withEffect, 'refused by the network, for now', 'refused by the network, for good'],
        () => network.apply(task),
        async (kind) => {
          if (kind === 'refused by the network, for now') await network.plan({ mode: 'refuse', times: 1 });
          if (kind === 'refused by the network, for good')
            await network.plan({ mode: 'refuse', permanent: true, times: 1 });
        },
      ),
    find: (key) => call('network.find', always, () => network.find(key)),
    line: (line) => call('network.line', always, () => network.line(line)),
  };

  return {
    gateway: faultyGateway,
    network: faultyNetwork,
    mail: {
      kind: 'mailbox',
      send: ({ key, subject }) =>
        call('mail.send', withEffect, async () => {
          letters.set(key, subject);
        }),
    },
    subscriptions: { callbackRefusal: async () => undefined, checkQuery: () => undefined },
  };
}

/** Where jobs find and leave their files. */
export function filesFor(sides: OtherSides, calling: Calling): JobFiles {
  const { files } = sides;
  const call = caller(sides, calling);
  return {
    read: (path) =>
      call('files.read', always, async () => {
        const text = files.get(path);
        if (text === undefined) throw new JobFileError(`There is no file ${path}.`);
        return text;
      }),
    write: (path, text) =>
      call('files.write', withEffect, async () => {
        if ((files.get(path) ?? text) !== text) throw new JobFileError(`The path ${path} is taken.`);
        files.set(path, text);
      }),
  };
}
